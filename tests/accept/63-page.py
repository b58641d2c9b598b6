#!/usr/bin/env python3
"""The page at /: served to everybody, complete in itself, under a policy that lets it load nothing from elsewhere."""
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import harness

TOPIC = "readings.page"
FILES = {"/": "text/html; charset=utf-8", "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8"}
SVG = "http://www.w3.org/2000/svg"  # a name, which nobody fetches


def setup(folder):
    return harness.Site(folder / "site", ingest__topics=TOPIC).start()


def teardown(site):
    site.stop()


def text_of(site, path):
    status, _, body = site.request(path, token=None)
    assert status == 200, (path, status)
    return body.decode()


class Page(HTMLParser):
    """What a page refers to, and what it is made of."""

    def __init__(self, text):
        super().__init__()
        self.urls, self.ids, self.labels, self.fields, self.inline = [], [], set(), [], []
        self.inside = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.urls += [given[name] for name in ("src", "href", "action", "formaction", "data", "poster") if name in given]
        self.ids += [given["id"]] if "id" in given else []
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        self.inline += [tag] if tag == "style" or (tag == "script" and "src" not in given) else []
        if tag == "label":
            self.labels.add(given.get("for"))
            self.inside.append(tag)
        if tag in ("input", "select", "textarea") and not self.inside:
            self.fields.append(given.get("id"))

    def handle_endtag(self, tag):
        if tag == "label":
            self.inside.pop()


def test_everybody_gets_the_page(site):
    for path, kind in FILES.items():
        status, headers, body = site.request(path, token=None)
        assert status == 200 and headers["Content-Type"] == kind and body, (path, status, headers)
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers
        again = site.request(path, token=None, headers=[("If-None-Match", headers["ETag"])])
        assert again[0] == 304 and not again[2], (path, again)
        packed = site.request(path, token=None, headers=[("Accept-Encoding", "gzip")])[1]
        assert packed.get("Content-Encoding") == "gzip", path
    site.problem("/", 400, "token", token="alm_x")  # no credential is taken from a URL
    site.problem("/page.html", 404)


def test_the_policy_lets_nothing_in(site):
    for path in FILES:
        policy = dict(part.split(" ", 1) for part in site.request(path, token=None)[1]["Content-Security-Policy"].split("; "))
        assert policy == {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "img-src": "data:",
                          "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}, policy


def test_nothing_refers_to_elsewhere(site):
    page = Page(text_of(site, "/"))
    assert not page.inline, page.inline
    for url in page.urls:
        assert url == "data:," or re.fullmatch(r"/?[a-z.]+", url), url
        if url != "data:,":
            assert site.request("/" + url.lstrip("/"), token=None)[0] == 200, url
    for path in FILES:
        rest = text_of(site, path).replace(SVG, "")
        assert not re.search(r"https?:|[\"'(]//|@import|url\(|import\s*\(|importScripts|XMLHttpRequest|WebSocket|EventSource", rest), path


def test_the_script_fits_the_page_and_is_one(site):
    page, script = Page(text_of(site, "/")), text_of(site, "/page.js")
    assert len(page.ids) == len(set(page.ids))
    named = set(re.findall(r'byId\("([^"]+)"\)', script)) | set(re.findall(r'\bon\("([^"]+)"', script))
    assert named <= set(page.ids), named - set(page.ids)
    assert set(page.fields) <= page.labels, "a field without a label"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|localStorage|document\.cookie", script)
    node = shutil.which("node") or shutil.which("nodejs")
    if not node:
        raise harness.Skip("node is not installed: the syntax of the script was not checked")
    path = site.folder / "page.js"
    path.write_text(script)
    done = subprocess.run([node, "--check", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_the_page_asks_is_answered(site):
    """The requests that the script makes, with the readings of each kind that it treats in its own way."""
    t = [f"2025-03-01T{hour:02}:{minute:02}:00Z" for hour in range(24) for minute in range(0, 60, 5)]
    bootstrap = (site.folder / "run" / "broker").read_text().strip()
    messages = [("page", {"entity": "page", "type": "SmartMeter", "time": t, "values": {
        "activePower": list(range(len(t))), "activeEnergyImport": [10 * k for k in range(len(t))], "tariff": ["day"] * len(t)}}),
        ("page", {"entity": "page", "type": "SmartMeter", "time": t, "values": {"energy": [2] * len(t)}, "period": "PT5M"})]
    harness.Kafka.produce(harness.Kafka.__new__(harness.Kafka), TOPIC, messages, bootstrap=bootstrap)
    site.wait_count(4 * len(t), entity="page")
    found = {series["kind"]: series for series in site.get("/v1/series", limit=50, q="page smartmeter")["series"]}
    assert set(found) == {"gauge", "counter", "interval", "state"}
    span = {"from_": "2025-03-01T00:00:00.000Z", "to": "2025-03-02T00:00:00.000Z"}
    [gauge] = site.get("/v1/range", series=found["gauge"]["id"], reduce="m4", points=100, **span)["series"]
    assert gauge["columns"][:2] == ["time", "value"] and 100 < len(gauge["rows"]) <= 400
    for kind, columns in ("gauge", ["mean", "min", "max"]), ("counter", ["increase"]), ("interval", ["sum"]), ("state", ["last"]):
        answer = site.get("/v1/range", series=found[kind]["id"], step="auto", points=100, tz="Europe/Ljubljana", **span)
        assert answer["step"] and answer["series"][0]["columns"] == ["time", *columns], (kind, answer["series"][0]["columns"])


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

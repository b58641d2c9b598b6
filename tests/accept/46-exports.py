#!/usr/bin/env python3
"""Bulk exports: files of one state with a manifest, which go on after a restart, and are read piece by piece."""
import csv
import gzip
import hashlib
import http.client
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import harness
from harness import Decimal

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC = "readings.exports"
ENTITIES, DAYS, A_DAY = 12, 70, 24
T0 = datetime(2025, 1, 10, tzinfo=timezone.utc)


def at(i):
    return (T0 + timedelta(hours=i)).strftime("%Y-%m-%dT%H:%M:%SZ")


def setup(folder):
    print(f"# SEED={SEED}")
    rng = random.Random(SEED)
    kafka = harness.Kafka(folder / "kafka")
    values = {(f"m-{e}", at(i)): str(rng.randrange(10 ** 6) / 100) for e in range(ENTITIES) for i in range(DAYS * A_DAY)}
    kafka.produce(TOPIC, [(f"m-{e}", '{"entity":"m-%d","type":"SmartMeter","time":%s,"values":{"activePower":[%s]}}' % (
        e, json.dumps([at(i) for i in range(DAYS * A_DAY)]), ",".join(values[f"m-{e}", at(i)] for i in range(DAYS * A_DAY))))
        for e in range(ENTITIES)])
    site = harness.Site(folder / "site", kafka, kafka__group__id="exports", ingest__topics=TOPIC, store__free_min="1MB")
    site.start()
    site.wait_count(len(values))
    return kafka, site, values


def teardown(context):
    kafka, site, _ = context
    if site.process:
        site.stop()
    kafka.stop()


def post(site, expect=202, token="", **parameters):
    body = json.dumps({name.rstrip("_"): value for name, value in parameters.items()}).encode()
    status, headers, answer = site.request("/v1/exports", method="POST", body=body, token=token,
                                           headers={"Content-Type": "application/json"})
    assert status == expect, f"{parameters}: {status} {answer[:500]!r}"
    answer = json.loads(answer)
    if expect == 202:
        assert answer["status"] in ("running", "ready") and headers["Location"] == "/v1/exports/" + answer["id"], answer
    return answer


def ready(site, export):
    def tell():
        told = site.get("/v1/exports/" + export["id"])
        assert told["status"] != "failed", told
        return told["status"] == "ready" and told
    return harness.wait_for(tell)


def make(site, **parameters):
    return ready(site, post(site, **parameters))


def fetch(site, export, name, **headers):
    status, got, body = site.request(f"/v1/exports/{export['id']}/{name}",
                                     headers=[(key.replace("_", "-"), value) for key, value in headers.items()])
    return status, got, body


def files(site, export):
    """The bytes of every file by name, whose sums and lengths are those of the manifest."""
    got = {}
    for entry in export["manifest"]["files"]:
        status, headers, body = fetch(site, export, entry["name"])
        assert status == 200 and len(body) == entry["bytes"] == int(headers["Content-Length"]), (entry, status)
        assert hashlib.sha256(body).hexdigest() == entry["sha256"] == headers["ETag"].strip('"'), entry
        assert headers["Accept-Ranges"] == "bytes"
        got[entry["name"]] = body
    return got


def test_files_hold_every_reading_once_with_sums_and_times(context):
    _, site, values = context
    export = make(site, window="P1M", group=5)
    manifest = export["manifest"]
    assert export["rows"] == manifest["rows"] == len(values) and export["files"] == len(manifest["files"]) == 3 * 3
    assert [len(group["series"]) for group in manifest["groups"]] == [5, 5, 2]
    seen = {}
    for entry, body in zip(manifest["files"], files(site, export).values()):
        rows = list(csv.DictReader(io.StringIO(body.decode())))
        assert len(rows) == entry["rows"]
        for row in rows:
            assert entry["from"] <= row["time"] < entry["to"], (entry, row)
            seen[row["entity"], row["time"]] = row["value"]
    assert {key: Decimal(text) for key, text in seen.items()} == {key: Decimal(text) for key, text in values.items()}
    status, headers, body = fetch(site, export, "manifest.json")
    assert status == 200 and json.loads(body) == manifest and headers["Content-Type"] == "application/json"
    assert any(one["id"] == export["id"] for one in site.get("/v1/exports")["exports"])


def test_the_files_put_together_are_the_range(context):
    _, site, _ = context
    site.request("/v1/snapshots", method="POST", body=b'{"name":"one"}', headers={"Content-Type": "application/json"})
    for parameters in ({"step": "PT1H", "agg": "mean,max"}, {"step": "P1W", "tz": "Europe/Berlin"}, {"entity": ["m-1", "m-2"]}):
        span = {"from_": "2025-01-20T05:00:00Z", "to": "2025-03-02T07:30:00Z", "snapshot": "one"}
        export = make(site, group=1, window="P1D", format="ndjson", **parameters, **span)
        lines = b"".join(files(site, export).values())
        status, _, asked = site.request("/v1/range", {"format": "ndjson", **parameters, "from": span["from_"], "to": span["to"],
                                                      "snapshot": "one"})
        assert status == 200 and lines == asked, (parameters, lines[:200], asked[:200])
        assert export["rows"] == asked.count(b"\n")


def test_a_file_is_the_range_in_every_format_and_layout(context):
    _, site, _ = context
    span = {"from": "2025-02-01T00:00:00Z", "to": "2025-03-01T00:00:00Z", "snapshot": "one", "entity": "m-2"}
    for format, end in ("csv", "csv"), ("ndjson", "ndjson"), ("arrow", "arrows"):
        for more in {}, {"layout": "wide"}, {"step": "P1D", "agg": "mean,count"}, {"step": "P1D", "over": "sum", "agg": "max"}:
            export = make(site, format=format, **more, **span)
            [(name, body)] = files(site, export).items()
            status, _, asked = site.request("/v1/range", {"format": format, **more, **span})
            assert status == 200 and body == asked and name == f"g00001-20250201T000000Z.{end}", (format, more, name)
            assert export["rows"] == (28 if "step" in more else 28 * A_DAY), (format, more, export["rows"])
    export = make(site, format="csv", sep=";", decimal=",", bom="1", **span)
    [body] = files(site, export).values()
    assert body.startswith(b"\xef\xbb\xbftime;entity;")


def test_a_snapshot_gives_the_same_bytes_again_after_late_readings_and_a_restart(context):
    kafka, site, _ = context
    asked = {"snapshot": "one", "window": "P1W", "group": 4, "compression": "zstd"}
    first = make(site, **asked)
    kept = files(site, first)
    kafka.produce(TOPIC, [("m-1", {"entity": "m-1", "type": "SmartMeter", "time": at(3), "values": {"activePower": -5}})])
    harness.wait_for(lambda: [row for row in site.rows(entity="m-1", from_=at(3), to=at(4)) if row[1] == -5])
    site.stop()  # flushes what is open
    site.start()
    assert files(site, first) == kept, "an export outlives a restart"
    second = make(site, **asked)
    assert files(site, second) == kept and second["manifest"] == first["manifest"]
    _, _, one = fetch(site, first, "manifest.json")
    _, _, other = fetch(site, second, "manifest.json")
    assert one == other
    live = make(site, window="P1W", group=4, compression="zstd")
    assert files(site, live) != kept and live["snapshot"] == "export-" + live["id"]
    packed = make(site, snapshot="one", compression="gzip", entity="m-3")
    assert all(gzip.decompress(body).startswith(b"time,entity,") for body in files(site, packed).values())


def test_ranges_are_those_of_rfc_9110(context):
    _, site, _ = context
    export = make(site, snapshot="one", window="P1Y")
    [(name, whole)] = files(site, export).items()
    n, tag = len(whole), f'"{export["manifest"]["files"][0]["sha256"]}"'
    for asked, first, last in (("0-0", 0, 0), (f"{n - 1}-{n - 1}", n - 1, n - 1), ("5-", 5, n - 1), ("-7", n - 7, n - 1),
                               ("100-199", 100, 199), (f"10-{n + 5}", 10, n - 1), (f"-{n + 9}", 0, n - 1)):
        status, headers, body = fetch(site, export, name, Range="bytes=" + asked)
        assert status == 206 and headers["Content-Range"] == f"bytes {first}-{last}/{n}", (asked, status, headers)
        assert body == whole[first:last + 1] and int(headers["Content-Length"]) == len(body) and headers["ETag"] == tag
    for asked in (f"{n}-", f"{n + 3}-{n + 9}", "-0"):
        status, headers, body = fetch(site, export, name, Range="bytes=" + asked)
        assert status == 416 and headers["Content-Range"] == f"bytes */{n}" and json.loads(body)["status"] == 416, asked
    for asked in ("bytes=0-1,5-6", "bytes=9-2", "bytes=-", "bytes=x-2", "lines=0-1", "bytes 0-1"):
        status, _, body = fetch(site, export, name, Range=asked)
        assert status == 200 and body == whole, asked
    assert fetch(site, export, name, Range="bytes=3-5", If_Range=tag)[0::2] == (206, whole[3:6])
    assert fetch(site, export, name, Range="bytes=3-5", If_Range='"another"')[0::2] == (200, whole)
    assert fetch(site, export, name, Range="bytes=3-5", If_Range="W/" + tag)[0::2] == (200, whole)
    assert fetch(site, export, name, If_None_Match=tag)[0::2] == (304, b"")
    status, headers, body = site.request(f"/v1/exports/{export['id']}/{name}", method="HEAD")
    assert status == 200 and int(headers["Content-Length"]) == n and body == b"" and headers["ETag"] == tag


def test_a_cut_download_is_resumed(context):
    _, site, _ = context
    export = make(site, snapshot="one", window="P1Y")
    [(name, whole)] = files(site, export).items()
    path, got, tag = f"/v1/exports/{export['id']}/{name}", b"", None
    rng = random.Random(SEED)
    while len(got) < len(whole):
        connection = http.client.HTTPSConnection(site.url.removeprefix("https://"), context=site.tls, timeout=30)
        headers = {"Authorization": "Bearer " + site.token}
        if got:
            headers |= {"Range": f"bytes={len(got)}-", "If-Range": tag}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        assert answer.status == (206 if got else 200)
        tag = answer.headers["ETag"]
        got += answer.read(rng.randrange(1, len(whole) // 3))
        connection.close()  # with the rest unread
    assert got == whole


def test_nothing_else_is_handed_out(context):
    _, site, _ = context
    export = make(site, snapshot="one", entity="m-1")
    base = "/v1/exports/" + export["id"]
    for path in ("/request.json", "/done.ndjson", "/..%2f..%2fauth.db", "/..%2frequest.json", "/%2e%2e", "/.", "/..", 
                 "/nothing.csv", "/a/b", "/../../auth.db", "/%2e%2e/%2e%2e/auth.db", "/manifest.json%00", "/MANIFEST.JSON"):
        connection = http.client.HTTPSConnection(site.url.removeprefix("https://"), context=site.tls, timeout=30)
        connection.request("GET", base + path, headers={"Authorization": "Bearer " + site.token})
        answer = connection.getresponse()
        assert answer.status in (400, 404) and b"SQLite" not in answer.read(), (path, answer.status)
        connection.close()
    for other in ("nobody", "..", "%2e%2e", export["id"] + "x"):
        assert site.request(f"/v1/exports/{other}/manifest.json")[0] in (400, 404)
    reader = site.cli("token", "create", "--name", "reader", "--scope", "read").stdout.split("token: ")[1].split()[0]
    assert site.request(base + "/manifest.json", token=reader)[0] == 403
    assert site.request("/v1/exports", token=reader)[0] == 403
    post(site, 403, token=reader, entity="m-1")
    exporter = site.cli("token", "create", "--name", "exporter", "--scope", "export").stdout.split("token: ")[1].split()[0]
    assert site.request(base, token=exporter)[0] == 200


def test_what_makes_no_sense_is_refused(context):
    _, site, _ = context
    before = len(site.get("/v1/exports")["exports"]), len(site.get("/v1/snapshots")["snapshots"])
    for status, field, parameters in (
            (400, "window", {"window": "PT5M"}), (400, "window", {"window": "often"}), (400, "group", {"group": 1001}),
            (400, "format", {"format": "json"}), (400, "compression", {"compression": "lzma"}), (400, "keep", {"keep": "PT0S"}),
            (404, "snapshot", {"snapshot": "nobody"}), (404, None, {"entity": "nobody"}), (400, "limit", {"limit": 5}),
            (400, "cursor", {"cursor": "x"}), (422, "group", {"window": "PT1H", "group": 1}),
            (422, "agg", {"step": "PT1H", "agg": "sum"}), (400, "from", {"from": "tomorrow"}), (400, "keep", {"keep": "-P1D"})):
        problem = post(site, status, **parameters)
        assert problem.get("field") == field and problem["detail"], (parameters, problem)
    assert before == (len(site.get("/v1/exports")["exports"]), len(site.get("/v1/snapshots")["snapshots"])), "nothing is left"


def done_files(site, export):
    folder = site.folder / "exports" / export["id"]
    return {path.name: path.stat().st_ino for path in folder.glob("g*") if path.suffix != ".part"}


def test_a_killed_export_goes_on_and_keeps_what_is_whole(context):
    _, site, _ = context
    whole = files(site, make(site, snapshot="one", window="PT72H", group=1))
    export = post(site, snapshot="one", window="PT72H", group=1)
    harness.wait_for(lambda: len(done_files(site, export)) > 2, every=0.001)
    site.kill()
    assert not (site.folder / "exports" / export["id"] / "manifest.json").exists(), "it was too fast for the test"
    kept = done_files(site, export)
    torn = sorted(kept)[0]
    with open(site.folder / "exports" / export["id"] / torn, "ab") as out:
        out.write(b"rot")  # what has not its sum any more is made again
    site.start()
    assert files(site, ready(site, export)) == whole
    after = done_files(site, export)
    same = [name for name in kept if after[name] == kept[name]]
    # the last one may not have been noted yet
    assert torn not in same and len(same) >= len(kept) - 2, (len(kept), len(same))
    # a stop in the middle is no failure either
    export = post(site, snapshot="one", window="PT72H", group=1)
    site.stop()
    site.start()
    assert files(site, ready(site, export)) == whole


def test_a_dropped_export_is_gone_also_while_it_is_written(context):
    _, site, _ = context
    export = post(site, window="P1D", group=1)
    own = "export-" + export["id"]
    assert own in [one["name"] for one in site.get("/v1/snapshots")["snapshots"]]
    assert site.request("/v1/exports/" + export["id"], method="DELETE")[0] == 204
    assert site.request("/v1/exports/" + export["id"])[0] == 404
    assert site.request("/v1/exports/" + export["id"], method="DELETE")[0] == 404
    harness.wait_for(lambda: not [path for path in (site.folder / "exports").iterdir() if path.name.startswith(export["id"])])
    harness.wait_for(lambda: own not in [one["name"] for one in site.get("/v1/snapshots")["snapshots"]])


def planted(context):
    """A value, its revision, and forecasts of the same hours, one of them sent long after its issue: (instants between, cells)."""
    kafka, site, _ = context
    sent = {}

    def put(name, hour, value, **more):
        message = {"entity": "planted", "type": "Weather", "time": f"2025-06-01T{hour:02}:00:00Z", "values": {"temperature": value}} | more
        kafka.produce(TOPIC, [("planted", message)])
        harness.wait_for(lambda: [row for row in site.get("/v1/range", entity="planted", from_="2025-06-01T00:00:00Z",
                                                          to="2025-06-02T00:00:00Z")["series"][0]["rows"] if row[1] == value]
                         if site.count(entity="planted") else None)
        sent[name] = int(time.time() * 1000)
        harness.wait_for(lambda: time.time() * 1000 > sent[name] + 1)
    put("value", 1, 10)
    put("revision", 1, 11)
    put("forecast", 2, 20, issued="2025-05-31T06:00:00Z")
    put("newer", 2, 21, issued="2025-05-31T18:00:00Z")
    put("last", 3, 30)
    return sent


def test_no_earlier_as_of_sees_a_revision_or_a_forecast(context):
    kafka, site, _ = context
    sent = planted(context)
    which = {"entity": "planted", "from": "2025-06-01T00:00:00Z", "to": "2025-06-02T00:00:00Z"}

    def asked(asof):
        return {row[0][11:13]: int(row[1]) for series in site.get("/v1/range", asof=asof, **which)["series"] for row in series["rows"]}

    def exported(asof):
        export = make(site, snapshot="planted", asof=asof, **which)
        return {row["time"][11:13]: int(row["value"]) for body in files(site, export).values()
                for row in csv.DictReader(io.StringIO(body.decode()))}
    cases = [("2025-05-31T05:59:59Z", {}), ("2025-05-31T06:00:00Z", {"02": 20}), ("2025-05-31T17:59:59.999Z", {"02": 20}),
             ("2025-05-31T18:00:00Z", {"02": 21}), (sent["value"], {"01": 10, "02": 21}), (sent["revision"], {"01": 11, "02": 21}),
             (sent["newer"], {"01": 11, "02": 21}), (sent["last"], {"01": 11, "02": 21, "03": 30})]
    for when in "as it came", "after a restart":
        for asof, want in cases:
            assert asked(asof) == want, (when, asof, asked(asof))
        status = site.request("/v1/snapshots", method="POST", body=json.dumps({"name": "planted"}).encode(),
                              headers={"Content-Type": "application/json"})[0]
        assert status == 201
        for asof, want in cases:
            assert exported(str(asof)) == want, (when, asof)
        site.request("/v1/snapshots/planted", method="DELETE")
        site.stop()  # what was open is flushed
        site.start()
    post(site, 400, entity="planted", asof="now")  # from and to must be told


def test_available_at_is_the_instant_from_which_a_reading_is_seen(context):
    _, site, _ = context
    which = {"entity": "planted", "from": "2025-06-01T00:00:00Z", "to": "2025-06-02T00:00:00Z"}
    export = make(site, available="1", **which)
    [body] = files(site, export).values()
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [(row["time"][11:13], int(row["value"])) for row in rows] == [("01", 11), ("02", 21), ("03", 30)]
    assert rows[1]["available_at"] == "2025-05-31T18:00:00Z"  # as it was stated, however late it came
    for row in rows:
        since = datetime.fromisoformat(row["available_at"])
        for asof, is_seen in (since, True), (since - timedelta(milliseconds=1), False):
            seen = [[shown[0], int(shown[1])] for series in site.get("/v1/range", asof=asof.isoformat(), **which)["series"]
                    for shown in series["rows"]]
            assert ([row["time"], int(row["value"])] in seen) == is_seen, (row, asof, seen)
    export = make(site, available="1", format="ndjson", **which)
    [body] = files(site, export).values()
    assert [json.loads(line)["available_at"] for line in body.splitlines()] == [row["available_at"] for row in rows]
    post(site, 400, available="1", step="PT1H", **which)
    folder = site.folder.parent / "available"
    site.cli("export", "--folder", str(folder), "--entity=planted", "--available", f"--from={which['from']}", f"--to={which['to']}")
    [file] = folder.glob("g*")
    assert file.read_text().splitlines() == [",".join(rows[0])] + [",".join(row.values()) for row in rows]
    past = site.folder.parent / "past"
    site.cli("export", "--folder", str(past), "--entity=planted", "--asof=2025-05-31T06:00:00Z", f"--from={which['from']}",
             f"--to={which['to']}")
    [file] = past.glob("g*")
    assert [line.split(",")[4] for line in file.read_text().splitlines()[1:]] == ["20"]
    assert site.cli("export", "--asof=now", check=False).returncode == 2


def test_there_is_a_limit_to_what_is_made(context):
    _, site, _ = context
    made = []
    for _ in range(9):
        body = json.dumps({"snapshot": "one", "window": "PT1H", "group": 2}).encode()
        status, headers, answer = site.request("/v1/exports", method="POST", body=body, headers={"Content-Type": "application/json"})
        if status != 202:
            break
        made.append(json.loads(answer)["id"])
    assert status == 429 and int(headers["Retry-After"]) > 0 and len(made) == 8, (status, made)
    assert json.loads(answer)["status"] == 429
    for export in made:
        assert site.request("/v1/exports/" + export, method="DELETE")[0] == 204
    site.stop()
    site.start(True, "--set=store.free_min=1000000GB")
    before = len(site.get("/v1/snapshots")["snapshots"])
    assert "free" in post(site, 507, entity="m-1")["detail"]
    assert len(site.get("/v1/snapshots")["snapshots"]) == before
    site.stop()
    site.start()


def test_an_export_fails_as_a_whole(context):
    _, site, _ = context
    site.request("/v1/snapshots", method="POST", body=b'{"name":"short"}', headers={"Content-Type": "application/json"})
    export = post(site, snapshot="short", window="P1D", group=1)
    site.kill()
    folder = site.folder / "exports" / export["id"]
    assert not (folder / "manifest.json").exists(), "it was too fast for the test"
    subprocess.run(["rm", "-rf", str(site.folder / "snapshots" / "short")], check=True)
    site.start()

    def over():
        told = site.get("/v1/exports/" + export["id"])
        return told["status"] != "running" and told
    told = harness.wait_for(over)
    assert told["status"] == "failed" and "short" in told["reason"], told
    assert not done_files(site, export) and fetch(site, export, "manifest.json")[0] == 404
    site.stop()
    site.start()
    assert site.get("/v1/exports/" + export["id"]) == told, "a failure is told after a restart, too"


def test_time_is_over(context):
    _, site, _ = context
    export = make(site, keep="PT2S", entity="m-1")
    harness.wait_for(lambda: (post(site, entity="m-1", snapshot="one"), site.request("/v1/exports/" + export["id"])[0] == 404)[1],
                     every=0.5)


def test_the_command_makes_the_same_files(context):
    _, site, _ = context
    export = make(site, snapshot="one", window="P1W", group=4, compression="gzip")
    folder = site.folder.parent / "training"
    args = ["export", "--folder", str(folder), "--snapshot=one", "--window=P1W", "--group=4", "--compression=gzip"]
    done = site.cli(*args)
    assert f"{export['rows']} rows in {export['files']} files" in done.stderr, done.stderr
    theirs = files(site, export)
    assert {name: (folder / name).read_bytes() for name in theirs} == theirs
    mine = json.loads((folder / "manifest.json").read_text())
    assert mine["files"] == export["manifest"]["files"]
    assert "whole already" in site.cli(*args).stderr
    assert "otherwise" in site.cli(*args[:-1], check=False).stderr
    assert site.cli("export", "--folder", str(site.folder), check=False).returncode == 1
    assert site.cli("export", "--window=P1D", check=False).returncode == 2
    # broken off it goes on
    folder = site.folder.parent / "again"
    args = ["export", "--folder", str(folder), "--window=PT72H", "--group=1", "--dir", str(site.folder)]
    process = subprocess.Popen([str(harness.BUILD / "almanac"), *args], stderr=subprocess.PIPE, text=True)
    harness.wait_for(lambda: folder.exists() and len(list(folder.glob("g*.csv"))) > 2, every=0.001)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=30)[1]
    kept = {path.name: path.stat().st_ino for path in folder.glob("g*.csv")}
    assert process.returncode == 1 and "goes on" in errors and not list(folder.glob("*.part")), errors
    site.cli(*args)
    assert all((folder / name).stat().st_ino == inode for name, inode in kept.items())
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["files"]:
        assert hashlib.sha256((folder / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

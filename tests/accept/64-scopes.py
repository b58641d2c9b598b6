#!/usr/bin/env python3
"""Who may do what (I13): every route of the program's own list with every scope, and with limited ones everything about an entity
of somebody else compared with the same about one that never was. A route that this script has no question for makes it fail.
"""
import http.client
import json
import re
import secrets
import sys
import urllib.parse
from datetime import datetime, timedelta, timezone

import harness

TOPIC = "readings.scopes"
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
SPAN = "from=2025-03-01T00:00:00Z&to=2025-03-02T00:00:00Z"
SCOPES = "read", "export", "sql", "ops", "personal:read", "personal:write", "vault:admin"
TYPES = {"HeatPump": "HeatPump", "HeatStorage": "HeatStorage", "DistrictHeating": "DistrictHeating", "Solar": "Generation",
         "Temperature": "Weather", "ChargingStation": "ChargingStation", "Main": "MainMeter"}
# Headers that tell of the moment or of the length of a name.
PASSING = {"date", "content-length", "etag"}


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def get(path):
    return lambda n: ("GET", path.format(**n), None)


def post(path, **body):
    return lambda n: ("POST", path, {name: value.format(**n) if isinstance(value, str) else value for name, value in body.items()})


def sql(statement):
    return post("/v1/sql", sql=statement)


# Per route questions about the names n, of an entity that is the asker's own, somebody else's or nobody's.
SELECTOR = "%7Bentity%3D%22{entity}%22%7D"
ABOUT = {
    "GET /v1/series": [get("/v1/series?entity={entity}"), get("/v1/series?q={entity}"), get("/v1/series?entity={entity}&limit=1")],
    "GET /v1/series/{id}": [get("/v1/series/{series}")],
    "GET /v1/last": [get("/v1/last?entity={entity}"), get("/v1/last?series={series}"), get("/v1/last?entity={entity}&at=2025-03-01T05:00:00Z")],
    "GET /v1/gaps": [get("/v1/gaps?entity={entity}&cadence=PT15M&" + SPAN)],
    "GET /v1/changes": [get("/v1/changes?since={position}&entity={entity}"), get("/v1/changes?since={position}&series={series}")],
    "GET /v1/live": [get("/v1/live?entity={entity}")],
    "GET /v1/range": [get("/v1/range?entity={entity}&" + SPAN + more) for more in (
        "", "&format=csv", "&format=ndjson", "&format=arrow", "&layout=wide&format=csv", "&step=PT1H&explain=1", "&step=PT1H&over=sum",
        "&step=PT1H&over=sum&by=location&format=csv", "&limit=3", "&snapshot=kept", "&asof=2025-06-01T00:00:00Z")] +
                     [get("/v1/range?series={series}&" + SPAN), get("/v1/range?series={series}&snapshot=kept&" + SPAN)],
    "POST /v1/range": [post("/v1/range", entity="{entity}", **{"from": "2025-03-01T00:00:00Z", "to": "2025-03-02T00:00:00Z"})],
    "GET /v1/exports/{id}": [get("/v1/exports/{export}")],
    "GET /v1/exports/{id}/{file}": [get("/v1/exports/{export}/manifest.json"), get("/v1/exports/{export}/g0001-2025-03-01.csv")],
    "DELETE /v1/exports/{id}": [lambda n: ("DELETE", "/v1/exports/{export}".format(**n), None)],
    "POST /v1/exports": [post("/v1/exports", entity="{entity}")],
    "POST /v1/sql": [sql("select * from readings where entity='{entity}'"), sql("select count(*) from readings where entity='{entity}'"),
                     sql("select * from last where entity like '{entity}'"), sql("select * from revisions where entity='{entity}'"),
                     sql("select count(*) from (select distinct entity from readings) where entity='{entity}'"),
                     sql("select * from rollup where entity='{entity}' and step='PT1H'")],
    "GET /api/v1/query_range": [get("/api/v1/query_range?query=voltage" + SELECTOR + "&start=1740787200&end=1740790800&step=900")],
    "POST /api/v1/query_range": [post("/api/v1/query_range", query='voltage{{entity="{entity}"}}', start="1740787200", end="1740790800", step="900")],
    "GET /api/v1/query": [get("/api/v1/query?query=voltage" + SELECTOR + "&time=1740790800")],
    "POST /api/v1/query": [post("/api/v1/query", query='voltage{{entity="{entity}"}}', time="1740790800")],
    "GET /api/v1/series": [get("/api/v1/series?match[]=" + SELECTOR)],
    "POST /api/v1/series": [post("/api/v1/series", **{"match[]": '{{entity="{entity}"}}'})],
    "GET /api/v1/labels": [get("/api/v1/labels?match[]=" + SELECTOR)],
    "POST /api/v1/labels": [post("/api/v1/labels", **{"match[]": '{{entity="{entity}"}}'})],
    "GET /api/v1/label/{name}/values": [get("/api/v1/label/entity/values?match[]=" + SELECTOR)],
    "GET /v1/entities": [get("/v1/entities?entity={entity}")],
    "GET /v1/entities/{id}": [get("/v1/entities/{entity}")],
    "GET /api/Customer/{customerId}/Locations": [get("/api/Customer/{customer}/Locations")],
    "GET /api/DistrictHeating/{sensorId}/Rate": [get("/api/DistrictHeating/{DistrictHeating}/Rate")],
    "GET /api/Location/{locationId}/MainDistributionBoards": [get("/api/Location/{location}/MainDistributionBoards")],
    "GET /api/Location/{locationId}/Sensors": [get("/api/Location/{location}/Sensors")],
    "GET /api/MainDistributionBoard/{id}/Sensors": [get("/api/MainDistributionBoard/{board}/Sensors")],
    "GET /api/MainDistributionBoard/{id}/Rate": [get("/api/MainDistributionBoard/{board}/Rate")],
} | {f"GET /api/Sensor/{{id}}/{name}": [get(f"/api/Sensor/{{{kind}}}/{name}")]
     for kind in TYPES for name in (("MainMeter", "MainMeterStatic") if kind == "Main" else (kind + "Static", kind + "Dynamic"))}
# Routes that are not asked about one entity: a question each that does no harm.
PLAIN = {
    "GET /v1/snapshots": ("/v1/snapshots", None), "POST /v1/snapshots": ("/v1/snapshots", {}), "GET /v1/exports": ("/v1/exports", None),
    "DELETE /v1/snapshots": ("/v1/snapshots?name=none", None), "DELETE /v1/snapshots/{id}": ("/v1/snapshots/none", None),
    "GET /api/v1/metadata": ("/api/v1/metadata", None), "GET /api/v1/status/buildinfo": ("/api/v1/status/buildinfo", None),
    "GET /api/Customer/Get": ("/api/Customer/Get", None), "GET /api/DistrictHeating/Rate": ("/api/DistrictHeating/Rate", None),
    "GET /api/MainDistributionBoard/Rate": ("/api/MainDistributionBoard/Rate", None),
    "GET /optimization_output": ("/optimization_output", None), "POST /optimization_output": ("/optimization_output", []),
    "GET /healthz": ("/healthz", None), "GET /readyz": ("/readyz", None), "GET /metrics": ("/metrics", None),
    "PUT /v1/subjects/{id}": ("/v1/subjects/none", {"fields": 7}), "GET /v1/subjects/{id}": ("/v1/subjects/none?purpose=none", None),
    "DELETE /v1/subjects/{id}": ("/v1/subjects/none", None), "POST /v1/subjects/search": ("/v1/subjects/search", {}),
    "GET /v1/subjects/{id}/export": ("/v1/subjects/none/export", None),
    "POST /v1/subjects/{id}/restrict": ("/v1/subjects/none/restrict", {}),
    "POST /v1/subjects/{id}/consents": ("/v1/subjects/none/consents", {}), "GET /v1/audit": ("/v1/audit", None),
}
# What a crowd of meters sends by the hour: fair, one negative, one too large, exactly 15 %, a little more, too few, nothing but 0.
CROWD = {0: range(10, 30), 1: range(10, 30), 2: [5000] + [10] * 19, 3: [150] + [50] * 17, 4: [151] + [50] * 17, 5: [10] * 14, 7: [0] * 15}
# Series that answers of any size can be had of, and the readings of each.
LONG = 8, 1000
ON_LOOPBACK = "GET /healthz", "GET /readyz", "GET /metrics"


def names(place, known=None):
    """What stands for an entity and all around it."""
    return {"entity": f"{place}-meter", "customer": f"{place}-c", "location": f"{place}-l", "board": f"{place}-b"} | \
        {kind: f"{place}-s-{kind}" for kind in TYPES} | (known or {"series": "999", "export": secrets.token_hex(16)})


def documents(place):
    n = names(place)
    yield {"asset": "Customer", "id": n["customer"]}
    yield {"asset": "Location", "id": n["location"], "customer": n["customer"]}
    yield {"asset": "MainDistributionBoard", "id": n["board"], "location": n["location"]}
    for kind in TYPES:
        yield {"asset": "Sensor", "id": n[kind], "type": kind, "board": n["board"],
               "entity": n["entity"] if kind == "Main" else f"{place}-{kind}", "static": {}}
    for rate, of in (n["board"], "board"), (n["DistrictHeating"], "sensor"):
        if of == "board":
            yield {"asset": "Rate", "id": f"r-{rate}", of: rate, "start": "2025-03-01T00:00:00Z", "end": "2025-04-01T00:00:00Z", "buyRateMT": 0.12}
    yield {"asset": "Series", "entity": n["entity"], "property": "voltage", "cadence": "PT15M"}


class Context:
    pass


def ask(context, method, path, body=None, token=None):
    """(status, headers, body); of a stream without an end what is there at once."""
    connection = http.client.HTTPSConnection(context.site.settings["http.listen"], context=context.site.tls, timeout=30)
    headers = {"Authorization": "Bearer " + token} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    endless = (answer.headers["Content-Type"] or "").startswith("text/event-stream")
    text = answer.readline() if endless else answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.headers.items()}, text.decode("utf-8", "replace")


def make_token(context, scope):
    if scope not in context.tokens:
        out = context.site.cli("token", "create", "--name", "t-" + scope.replace(",", "+"), "--scope", scope).stdout
        context.tokens[scope] = out.removeprefix("token: ").strip()
    return context.tokens[scope]


def make_export(context, token, entity):
    status, _, text = ask(context, "POST", "/v1/exports", {"entity": entity}, token)
    assert status == 202, text
    made = json.loads(text)["id"]
    harness.wait_for(lambda: json.loads(ask(context, "GET", f"/v1/exports/{made}", None, token)[2])["status"] == "ready")
    return made


def setup(folder):
    context = Context()
    context.kafka = harness.Kafka(folder / "kafka")
    context.site = site = harness.Site(folder / "site", context.kafka, kafka__group__id="scopes", ingest__topics=TOPIC, store__seal_after="PT1S")
    context.tokens = {}
    sent = ("meter", "MainMeter", "voltage"), ("HeatPump", "HeatPump", "activePower"), ("Temperature", "Weather", "temperature")
    readings = [{"entity": f"{place}-{name}", "type": kind, "time": iso(T0 + timedelta(minutes=15 * i)), "values": {value: 20 + i}}
                for place in ("p2", "wx") for name, kind, value in sent for i in range(20)]
    context.crowd = {hour: [value * (-1 if hour == 1 and i == 3 else 1) for i, value in enumerate(values)]
                     for hour, values in CROWD.items()}
    readings += [{"entity": f"ag-{i}", "type": "SmartMeter", "time": iso(T0 + timedelta(hours=hour)), "values": {"activePower": value}}
                 for hour, values in context.crowd.items() for i, value in enumerate(values)]
    readings += [{"entity": f"long-{i}", "type": "Load", "time": iso(T0 + timedelta(seconds=second)), "values": {"activePower": second}}
                 for i in range(LONG[0]) for second in range(LONG[1])]
    context.kafka.produce(TOPIC, [(reading["entity"], reading) for reading in readings])
    context.kafka.produce("assets", [("a", document) for place in ("p2", "wx") for document in documents(place)], "-p", "0")
    site.start()
    site.wait_count(len(readings), entity="*-*")
    harness.wait_for(lambda: len(site.get("/api/Customer/Get")) == 2)
    context.position = site.request("/v1/series")[1]["Almanac-Position"]
    status, _, text = ask(context, "POST", "/v1/snapshots", {"name": "kept"}, site.token)
    assert status == 201, text
    [own] = site.get("/v1/series", entity="p2-meter")["series"]
    [foreign] = site.get("/v1/series", entity="wx-meter")["series"]
    limited = make_token(context, "export:p2-*")
    context.own = names("p2", {"series": str(own["id"]), "export": make_export(context, limited, "p2-meter"), "position": context.position})
    context.foreign = names("wx", {"series": str(foreign["id"]), "export": make_export(context, site.token, "wx-meter"), "position": context.position})
    context.absent = names("zz") | {"position": context.position}
    document = json.loads(ask(context, "GET", "/openapi.json")[2])
    context.routes = {f"{method.upper()} {path}": operation for path, methods in document["paths"].items()
                      for method, operation in methods.items() if "x-scope" in operation}
    return context


def teardown(context):
    if context.site.process:
        context.site.stop()
    context.kafka.stop()


def test_there_is_a_question_for_every_route(context):
    missing = [name for name in context.routes if name not in ABOUT and name not in PLAIN]
    assert not missing, f"ABOUT or PLAIN lacks {missing}"


def one_question(context, name, n):
    if name in PLAIN:
        path, body = PLAIN[name]
        return name.split()[0], path, body
    return ABOUT[name][0](n)


def test_a_scope_opens_its_routes_and_no_other(context):
    n_asked = 0
    holders = {scope: {scope} for scope in SCOPES} | {"admin": set(SCOPES)}
    for name, operation in context.routes.items():
        method, path, body = one_question(context, name, context.absent)
        if name not in ON_LOOPBACK:
            for token in None, "alm_" + "A" * 43:
                assert ask(context, method, path, body, token)[0] == 401, name
        for holder, scopes in holders.items():
            status, _, text = ask(context, method, path, body, make_token(context, holder))
            refused = operation["x-scope"] not in scopes and name not in ON_LOOPBACK
            assert (status == 403) == refused and status != 401, (name, holder, status, text)
            n_asked += 1
    print(f"# {n_asked} answers of {len(context.routes)} routes", flush=True)


def test_a_limited_scope_is_refused_where_it_cannot_be_limited(context):
    for name, operation in context.routes.items():
        if not operation["x-scope-whole"] or name in ON_LOOPBACK:
            continue
        for n in context.own, context.absent:
            for token in make_token(context, operation["x-scope"] + ":p2-*"), make_token(context, "admin:p2-*"):
                status, _, text = ask(context, *one_question(context, name, n), token)
                assert status == 403 and "without a glob" in text, (name, status, text)


def tidy(headers):
    return {name: value for name, value in headers.items() if name not in PASSING}


def plain(text, n):
    """The names that were asked for, however they are written, are X."""
    for value in sorted(set(n.values()) - {n["position"]}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", "X", text)
    return text


def test_what_is_not_yours_is_as_what_is_not(context):
    n_compared = 0
    for name, questions in ABOUT.items():
        scope = context.routes[name]["x-scope"]
        for holder in scope + ":p2-*", "admin:p2-*", f"{scope}:a*,{scope}:p2-*":
            token = make_token(context, holder)
            for question in questions:
                foreign = ask(context, *question(context.foreign), token)
                absent = ask(context, *question(context.absent), token)
                assert foreign[0] == absent[0] != 403, (name, question(context.foreign), foreign, absent)
                assert plain(foreign[2], context.foreign) == plain(absent[2], context.absent), (name, foreign, absent)
                assert tidy(foreign[1]) == tidy(absent[1]), (name, foreign[1], absent[1])
                n_compared += 1
    print(f"# {n_compared} pairs", flush=True)


def test_what_is_yours_is_answered_as_to_anybody(context):
    for name, questions in ABOUT.items():
        scope = context.routes[name]["x-scope"]
        if name in ("POST /v1/exports", "GET /v1/live", "DELETE /v1/exports/{id}"):
            continue
        for question in questions:
            mine = ask(context, *question(context.own), make_token(context, scope + ":p2-*"))
            theirs = ask(context, *question(context.own), make_token(context, scope))
            assert mine[0] == theirs[0], (name, mine, theirs)
            if not name.startswith("GET /api/Sensor"):             # whose default is the time up to now
                bodies = [re.sub(r'"next":"[^."]*', '"next":"', body) for body in (mine[2], theirs[2])]
                assert bodies[0] == bodies[1], (name, mine, theirs)


def test_lists_and_counts_hold_nothing_of_others(context):
    limited = {scope: make_token(context, scope + ":p2-*") for scope in ("read", "sql", "export")}
    for path in ("/v1/series", "/v1/last", "/v1/entities", "/v1/exports", "/v1/snapshots", "/api/Customer/Get", "/api/DistrictHeating/Rate",
                 "/api/MainDistributionBoard/Rate", "/api/v1/label/entity/values", "/api/v1/label/type/values", "/api/v1/series?match[]=%7Bentity%3D~%22.%2B%22%7D",
                 f"/v1/changes?since={context.position}", f"/v1/range?property=voltage&{SPAN}&format=csv", f"/v1/gaps?property=voltage&cadence=PT15M&{SPAN}",
                 f"/v1/range?property=voltage&step=PT1H&over=sum&{SPAN}", f"/v1/range?property=voltage&step=PT1H&over=sum&by=location&{SPAN}"):
        status, _, text = ask(context, "GET", path, None, limited["export" if "exports" in path else "read"])
        assert status == 200 and "wx-" not in text, (path, status, text)
        assert "export-" not in text or path != "/v1/snapshots", text
        if "over=sum" in path:
            assert json.loads(text)["series"][0]["rows"][0][2] == 1, text        # series that contributed
    for statement in "select entity from readings", "select entity from last", "select entity from rollup where step='PT1H'":
        text = ask(context, "POST", "/v1/sql", {"sql": statement}, limited["sql"])[2]
        assert "p2-" in text and "wx-" not in text, text


def test_a_cursor_is_good_for_its_owner_alone(context):
    path = f"/v1/range?property=voltage&limit=5&{SPAN}"
    cursor = json.loads(ask(context, "GET", path, None, make_token(context, "read"))[2])["next"]
    never = secrets.token_urlsafe(16) + "." + cursor.partition(".")[2]
    other = make_token(context, "read:*")
    theirs, none = (ask(context, "GET", path + "&cursor=" + urllib.parse.quote(text), None, other) for text in (cursor, never))
    assert (theirs[0], theirs[2]) == (none[0], none[2]) and theirs[0] == 410, (theirs, none)
    assert ask(context, "GET", path + "&cursor=" + urllib.parse.quote(cursor), None, make_token(context, "read"))[0] == 200


def by_hand(values, mean, k, percent):
    """The rule again: the sum or mean, or None where too few contribute or one has too much."""
    total = sum(abs(value) for value in values)
    if len(values) < k or (total and 100 * max(map(abs, values)) > percent * total):
        return None
    return sum(values) / len(values) if mean else sum(values)


def test_an_aggregate_isolates_nobody(context):
    n_hidden = n_told = 0
    for scope, k, percent in ("aggregate:ag-*", 15, 15), ("aggregate@18/20:ag-*", 18, 20), ("aggregate", 15, 15):
        token = make_token(context, scope)
        for over in "sum", "mean":
            path = f"/v1/range?property=activePower&entity=ag-*&from=2025-03-01T00:00:00Z&to=2025-03-01T08:00:00Z&step=PT1H&over={over}"
            status, headers, text = ask(context, "GET", path, None, token)
            [group] = json.loads(text)["series"]
            assert status == 200 and "etag" not in headers and group["columns"] == ["time", "mean", "series", "missing", "suppressed"], text
            assert "ag-" not in text, text
            for hour, row in enumerate(group["rows"]):
                values = list(context.crowd.get(hour, []))
                expected = by_hand(values, over == "mean", k, percent)
                told = [len(values), 20 - len(values), 0] if expected is not None else [None, None, 1]
                assert row[2:] == told and (row[1] is None if expected is None else abs(row[1] - expected) < 1e-9), (scope, over, hour, row, expected)
                n_hidden, n_told = n_hidden + (expected is None), n_told + (expected is not None)
            shown = [row for row in group["rows"] if not row[-1]]
            assert json.loads(ask(context, "GET", path + "&fill=none", None, token)[2])["series"][0]["rows"] == shown
            for form in "csv", "ndjson", "arrow":
                status, _, text = ask(context, "GET", path + "&format=" + form, None, token)
                assert status == 200 and "suppressed" in text and (form == "arrow" or text.count("\n") == 8 + (form == "csv")), text
    print(f"# {n_told} buckets told, {n_hidden} suppressed", flush=True)


def test_an_aggregate_is_all_that_is_told(context):
    token = make_token(context, "aggregate:ag-*")
    span = "from=2025-03-01T00:00:00Z&to=2025-03-01T08:00:00Z&step=PT1H"
    for more in ("", "&over=none", "&over=max", "&over=min", "&over=sum&explain=1", "&over=sum&series=5", "&over=sum&limit=1"):
        status, _, text = ask(context, "GET", f"/v1/range?property=activePower&{span}{more}", None, token)
        assert status == 403, (more, status, text)
    for name, operation in context.routes.items():
        if name not in ON_LOOPBACK:
            status, _, text = ask(context, *one_question(context, name, context.absent), token)
            assert status == 403, (name, status, text)
    status, _, text = ask(context, "GET", f"/v1/range?entity=ag-*&agg=sum&over=sum&{span}", None, token)
    assert status == 422 and "ag-" not in text.replace("entity=ag-", ""), text
    foreign, absent = (ask(context, "GET", f"/v1/range?entity={n}-meter&over=sum&{span}", None, token) for n in ("wx", "zz"))
    assert foreign[0] == absent[0] == 404 and foreign[2].replace("wx-", "zz-") == absent[2]
    refused = context.site.cli("token", "create", "--name", "both", "--scope", "aggregate,read:p2-*", check=False)
    assert refused.returncode and "does not go with" in refused.stderr, refused


def test_a_token_that_was_taken_back_is_refused_within_a_second(context):
    token = make_token(context, "read:gone-*")
    assert ask(context, "GET", "/v1/series", None, token)[0] == 200
    context.site.cli("token", "revoke", "t-read:gone-*")
    harness.wait_for(lambda: ask(context, "GET", "/v1/series", None, token)[0] == 401, 5)


# ---- what is too much (429) ----

def limit(context, **limits):
    """The daemon again, with these limits."""
    if context.site.process:
        context.site.stop()
    context.site.start(True, *(word for name, value in limits.items() for word in ("--set", f"limits.{name}={value}")))


def is_too_much(answer, field=None, *words, wait=1):
    status, headers, text = answer
    assert status == 429 and headers["content-type"] == "application/problem+json", answer
    problem = json.loads(text)
    assert problem.get("field") == field and all(word in problem["detail"] for word in words), problem
    assert headers["retry-after"] == str(wait) if wait else 0 < int(headers["retry-after"]), headers
    return int(headers["retry-after"])


def test_more_points_than_allowed_are_429_or_break_the_answer(context):
    limit(context, points=3000)
    read, admin = make_token(context, "read"), make_token(context, "admin")
    hour = "from=2025-03-01T00:00:00Z&to=2025-03-01T01:00:00Z"
    one, all_of = f"/v1/range?entity=long-0&{hour}", f"/v1/range?entity=long-*&{hour}"
    for token in read, admin, make_token(context, "read:long-*"):
        assert len(json.loads(ask(context, "GET", one, None, token)[2])["series"][0]["rows"]) == LONG[1]
        for more in "", "&format=csv", "&format=ndjson", "&format=arrow", "&layout=wide", "&snapshot=full", "&reduce=m4&points=9":
            if "snapshot" in more and token == read:
                assert ask(context, "POST", "/v1/snapshots", {"name": "full"}, context.site.token)[0] == 201
            is_too_much(ask(context, "GET", all_of + more, None, token), "from", "8000 readings", "3000 (limits.points)", "limit=3000")
        is_too_much(ask(context, "GET", all_of + "&step=PT1S", None, token), "step", "28800", "take a step of PT10S")
        assert ask(context, "GET", all_of + "&step=PT10S", None, token)[0] in (200, 429)   # whether tiers are there already
        assert ask(context, "GET", one + "&step=PT15M", None, token)[0] == 200
    # By the page everything is to be had, and pages that are too long are not begun.
    rows, cursor = 0, ""
    while cursor is not None:
        status, _, text = ask(context, "GET", all_of + "&limit=900" + (cursor and "&cursor=" + urllib.parse.quote(cursor)), None, read)
        assert status == 200, text
        rows, cursor = rows + sum(len(series["rows"]) for series in json.loads(text)["series"]), json.loads(text)["next"]
    assert rows == LONG[0] * LONG[1], rows
    is_too_much(ask(context, "GET", all_of + "&limit=3001&format=csv", None, read), "from", "3001 readings")
    # How much was known at an instant nobody can tell before, so that the answer breaks.
    try:
        answer = ask(context, "GET", all_of + "&asof=2099-01-01T00:00:00Z", None, read)
        assert False, (answer[0], len(answer[2]))
    except http.client.IncompleteRead as broken:
        assert b'"long-0"' in broken.partial
    assert "limits.points" in context.site.log()
    # All the other ways to readings.
    is_too_much(ask(context, "POST", "/v1/sql", {"sql": "select count(*) from readings where entity like 'long-%'"},
                    make_token(context, "sql")), "sql", "more than 3000")
    is_too_much(ask(context, "POST", "/v1/sql", {"sql": "select count(*) from rollup where step='PT1S' and entity like 'long-%'"},
                    make_token(context, "sql")), "sql", "limits.points")
    status, headers, text = ask(context, "GET", "/api/v1/query_range?query=count_over_time(activePower%7Btype%3D%22Load%22%7D%5B1m%5D)"
                                "&start=1740787200&end=1740788200&step=10", None, read)
    assert status == 429 and headers["retry-after"] == "1" and "limits.points" in json.loads(text)["error"], (status, text)
    is_too_much(ask(context, "POST", "/v1/exports", {"entity": "long-*"}, make_token(context, "export")), "from", "8000 readings")
    assert ask(context, "GET", f"/v1/gaps?entity=long-*&cadence=PT1S&{hour}", None, read)[0] == 429
    assert ask(context, "GET", "/v1/last?entity=long-*", None, read)[0] == 200
    # What was answered is counted nowhere: the next request has as much again.
    for _ in range(4):
        assert ask(context, "GET", one, None, read)[0] == 200


def test_more_series_than_allowed_are_429(context):
    limit(context, series=8)
    read = make_token(context, "read")
    for path in f"/v1/range?{SPAN}", f"/v1/range?{SPAN}&step=PT1H&over=sum&property=activePower", "/v1/series", "/v1/last", \
                f"/v1/gaps?cadence=PT1H&{SPAN}", "/v1/live", "/v1/series?snapshot=kept":
        is_too_much(ask(context, "GET", path, None, read), "entity", "more than 8 series", "limits.series")
    is_too_much(ask(context, "GET", f"/v1/range?series=1,2,3,4,5,6,7,8,9&{SPAN}", None, read), "series", "more than 8 series")
    for path in f"/v1/range?entity=long-*&{SPAN}&step=PT1H", "/v1/series?limit=8", "/v1/last?entity=long-*", "/v1/live?entity=long-*":
        assert ask(context, "GET", path, None, read)[0] == 200, path
    # To whom less exists it is less.
    assert ask(context, "GET", f"/v1/range?{SPAN}&step=PT1H", None, make_token(context, "read:long-*"))[0] == 200
    is_too_much(ask(context, "GET", f"/v1/range?entity=ag-*&{SPAN}&step=PT1H&over=sum", None, make_token(context, "aggregate:ag-*")), "entity")
    day = " where t_us >= 1740787200000000 and t_us < 1740873600000000"
    is_too_much(ask(context, "POST", "/v1/sql", {"sql": "select count(*) from readings" + day}, make_token(context, "sql")), "sql", "8 series")
    assert ask(context, "POST", "/v1/sql", {"sql": "select count(*) from readings" + day + " and entity glob 'long-*'"},
               make_token(context, "sql"))[0] == 200
    assert ask(context, "GET", "/api/v1/query?query=activePower&time=1740787300", None, read)[0] == 429
    assert ask(context, "POST", "/v1/exports", {"entity": "ag-*"}, make_token(context, "export"))[0] == 429


def test_a_longer_span_than_allowed_is_429(context):
    limit(context, span="P2D")
    read, sql_token, export = (make_token(context, scope) for scope in ("read", "sql", "export"))
    long = "from=2025-03-01T00:00:00Z&to=2025-03-03T00:00:01Z"
    for path in f"/v1/range?entity=p2-meter&{long}", f"/v1/range?entity=p2-meter&{long}&step=PT1H&limit=1", f"/v1/range?entity=zz&{long}", \
                f"/v1/gaps?entity=p2-meter&cadence=PT1H&{long}", f"/v1/range?entity=p2-meter&{long}&snapshot=kept", \
                f"/api/Sensor/{context.own['HeatPump']}/HeatPumpDynamic?{long}":
        is_too_much(ask(context, "GET", path, None, read), "from", "P2DT1S", "may have P2D", "begin at 2025-03-01T00:00:01Z")
        assert ask(context, "GET", path.replace("00:00:01Z", "00:00:00Z"), None, read)[0] == (404 if "zz" in path else 200), path
    for query, end, field in ("voltage", 172801, "start"), ("avg_over_time(voltage[3d])", 60, "query"):
        status, _, text = ask(context, "GET", f"/api/v1/query_range?query={urllib.parse.quote(query)}&start=1740787200&step=3600"
                              f"&end={1740787200 + end}", None, read)
        assert status == 429 and "limits.span" in json.loads(text)["error"], (status, text)
    assert ask(context, "GET", "/api/v1/query_range?query=voltage&start=1740787200&end=1740960000&step=3600", None, read)[0] == 200
    for table in "readings", "revisions", "rollup":
        is_too_much(ask(context, "POST", "/v1/sql", {"sql": f"select count(*) from {table}"}, sql_token), "sql", "limits.span")
        assert ask(context, "POST", "/v1/sql", {"sql": f"select count(*) from {table} where time >= '2025-03-01' and time < '2025-03-03'"},
                   sql_token)[0] == 200
    assert ask(context, "POST", "/v1/sql", {"sql": "select count(*) from last"}, sql_token)[0] == 200
    asked = {"entity": "p2-meter", "from": "2025-03-01T00:00:00Z", "step": "PT1H", "fill": "null"}
    is_too_much(ask(context, "POST", "/v1/exports", asked | {"to": "2025-03-03T00:00:01Z"}, export), "from", "P2D")
    assert ask(context, "POST", "/v1/exports", asked | {"to": "2025-03-03T00:00:00Z"}, export)[0] == 202


def test_so_many_requests_of_one_run_at_once(context):
    limit(context, concurrent=2)
    mine, other = make_token(context, "read"), make_token(context, "read:p2-*")
    listeners = []
    for _ in range(2):
        connection = http.client.HTTPSConnection(context.site.settings["http.listen"], context=context.site.tls, timeout=30)
        connection.request("GET", "/v1/live", None, {"Authorization": "Bearer " + mine})
        answer = connection.getresponse()
        assert answer.status == 200 and answer.readline()
        listeners.append(connection)
    for path in "/v1/series", "/v1/live", "/api/v1/labels":
        is_too_much(ask(context, "GET", path, None, mine), None, '"t-read"', "limits.concurrent")
    assert ask(context, "GET", "/v1/series", None, other)[0] == 200
    assert ask(context, "POST", "/v1/series", {}, mine)[0] == 405
    assert ask(context, "GET", "/v1/audit", None, mine)[0] == 403, "a scope that is missing comes first"
    for path in "/healthz", "/openapi.json":
        assert ask(context, "GET", path)[0] == 200
    listeners.pop().close()
    harness.wait_for(lambda: ask(context, "GET", "/v1/series", None, mine)[0] == 200)
    for _ in range(20):
        assert ask(context, "GET", f"/v1/range?entity=long-*&{SPAN}", None, mine)[0] == 200, "one after the other there may be any number"
    listeners.pop().close()


def test_bytes_above_the_rate_are_waited_for(context):
    limit(context, bytes_per_s=100000)
    mine, other = make_token(context, "read"), make_token(context, "read:long-*")
    path = f"/v1/range?entity=long-*&{SPAN}"
    status, _, text = ask(context, "GET", path, None, mine)
    assert status == 200 and len(text) > 200000, "an answer goes on at its pace"
    wait = is_too_much(ask(context, "GET", "/v1/series", None, mine), None, '"t-read"', "100000 bytes a second", wait=None)
    assert wait <= len(text) / 100000, (wait, len(text))
    print(f"# {len(text)} bytes: wait {wait} s", flush=True)
    assert ask(context, "GET", "/v1/series?limit=1", None, other)[0] == 200
    harness.wait_for(lambda: ask(context, "GET", "/v1/series?limit=1", None, mine)[0] == 200)


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

#!/usr/bin/env python3
"""Every format and layout says the same rows as JSON: text read by Python's own csv and json, Arrow by pyarrow, polars and DuckDB.

    SEED=7 tests/accept/14-formats.py
"""
import csv
import decimal
import gzip
import http.client
import io
import itertools
import json
import os
import random
import subprocess
import sys
import urllib.parse
from datetime import datetime, timedelta, timezone
from pathlib import Path

READERS = Path(__file__).resolve().parent.parent / "readers" / "readers.sh"
python = subprocess.run(["sh", str(READERS), "python"], stdout=subprocess.PIPE, text=True).stdout.strip()
if not python:
    print("1..0 # SKIP pyarrow, polars and DuckDB are not there: tests/readers/readers.sh fetch")
    sys.exit(0)
if Path(sys.prefix) != Path(python).parent.parent:
    os.execv(python, [python, *sys.argv])

import duckdb  # noqa: E402
import polars  # noqa: E402
import pyarrow  # noqa: E402

import harness  # noqa: E402
import oracle  # noqa: E402
from harness import Decimal  # noqa: E402

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC = "readings.formats"
BEGIN, END = "2025-03-01T00:00:00Z", "2025-03-02T00:00:00Z"
STATES = ["on", "off", "soft, \"start\"", "standby", "Größe;\ttest"]
QUALITIES = ["measured", "estimated", "edited", "suspect"]


def message(entity, type_, t, values, **more):
    return entity, {"entity": entity, "type": type_, "time": t if isinstance(t, str) else [oracle.iso(one) for one in t],
                    "values": values, **more}


def readings(rng):
    """Meters at the same minutes, meters at their own moments, amounts, states, and a property with a name of its own."""
    begin = oracle.at(BEGIN)
    for i in range(30):
        t = [begin + timedelta(minutes=k) for k in range(300)]
        yield message(f"same-{i:02}", "SmartMeter", t, {"activePower": [rng.randrange(-10 ** 6, 10 ** 6) / 100 for _ in t]},
                      quality=[rng.choice(QUALITIES) if i % 3 == 0 else "measured" for _ in t])
    for i in range(12):
        t = sorted({begin + timedelta(microseconds=rng.randrange(86400 * 10 ** 6)) for _ in range(rng.randrange(1, 200))})
        yield message(f"own-{i:02}", "SmartMeter", t, {"voltage": [230 + rng.randrange(10 ** 9) / 10 ** rng.randrange(10) for _ in t]})
    t = [begin + timedelta(minutes=15 * k) for k in range(96) if k % 7]
    yield message("amounts", "Load", t, {"energy": [rng.randrange(10 ** 5) for _ in t]}, period="PT15M")
    t = [begin + timedelta(minutes=37 * k) for k in range(38)]
    yield message("pump", "HeatPump", t, {"operationalState": [rng.choice(STATES) for _ in t], "activePower": [k * 1.5 for k in range(38)]})
    yield message("odd", "Property", t, {"a \"b\", ;c": [10 ** -k for k in range(0, 9)] + [10 ** k for k in range(2, 16)] + list(range(15))},
                  units={"a \"b\", ;c": "m;3"})


class Context:
    pass


def setup(folder):
    print(f"# SEED={SEED}", flush=True)
    context = Context()
    rng = random.Random(SEED)
    messages = list(readings(rng))
    context.kafka = harness.Kafka(folder / "kafka", 2)
    context.kafka.produce(TOPIC, messages)
    context.site = harness.Site(folder / "site", context.kafka, kafka__group__id="formats", ingest__topics=TOPIC, store__seal_after="PT1S")
    context.site.start()
    context.site.wait_count(sum(len(values) for _, m in messages for values in m["values"].values()))
    return context


def teardown(context):
    context.site.stop()
    context.kafka.stop()


def ask(context, headers=(), **parameters):
    parameters = {"from": BEGIN, "to": END} | {name.rstrip("_"): value for name, value in parameters.items()}
    status, got, body = context.site.request("/v1/range", parameters, headers=headers)
    assert status == 200, f"{parameters}: {status} {body[:400]!r}"
    return got, body


# ---- what JSON says: rows as dictionaries, in order, with the names of the other formats ----

def json_long(context, **parameters):
    series = json.loads(ask(context, **parameters)[1], parse_float=Decimal)["series"]
    names = list(dict.fromkeys(name for one in series for name in one["columns"][1:]))
    rows = []
    for one in series:
        for cells in one["rows"]:
            row = dict(zip(one["columns"], cells))
            if "step" not in parameters:
                row.setdefault("quality", "measured")
            rows.append({"time": row["time"]} | {name: one[name] for name in ("entity", "property", "unit", "integral_unit") if name in one} |
                        {name: row.get(name) for name in dict.fromkeys([*names, *(["quality"] if "step" not in parameters else [])])})
    return rows


def json_wide(context, **parameters):
    answer = json.loads(ask(context, layout="wide", **parameters)[1], parse_float=Decimal)
    assert all(len(row) == len(answer["columns"]) for row in answer["rows"])
    return [dict(zip(answer["columns"], row)) for row in answer["rows"]]


def widened(context, aggs, **parameters):
    """The wide table made from the long answer."""
    series = json.loads(ask(context, **parameters)[1], parse_float=Decimal)["series"]
    names, table = [], {}
    for one in series:
        for i, column in enumerate(one["columns"][1:], 1):
            if column == "quality":
                continue
            name = f"{one['entity']}.{one['property']}" + (f".{column}" if aggs > 1 else "")
            names.append(name)
            for row in one["rows"]:
                table.setdefault(row[0], {})[name] = row[i]
    return [{"time": t} | {name: table[t].get(name) for name in names} for t in sorted(table, key=lambda text: oracle.at(text))]


# ---- other readers ----

def csv_rows(body, sep=",", decimal="."):
    def cell(text):
        number = text.replace(decimal, ".") if decimal != "." else text
        try:
            return Decimal(number)
        except ArithmeticError:
            return text or None
    head, *rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), delimiter=sep)
    return [dict(zip(head, [row[0]] + [cell(text) for text in row[1:]])) for row in rows]


def ndjson_rows(body):
    return [json.loads(line, parse_float=Decimal) for line in body.splitlines()]


def by_pyarrow(body):
    return pyarrow.ipc.open_stream(body).read_all().to_pylist()


def by_polars(body):
    return polars.read_ipc_stream(io.BytesIO(body)).to_dicts()


def by_duckdb(body):
    stream = pyarrow.ipc.open_stream(body)  # noqa: F841 (DuckDB finds it by its name)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    found = connection.execute("SELECT * FROM stream")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row)) for row in found.fetchall()]


ARROW = {"pyarrow": by_pyarrow, "polars": by_polars, "duckdb": by_duckdb}


def instant(value):
    value = oracle.at(value) if isinstance(value, str) else value
    return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def comparable(row):
    return {key: instant(value) if key.endswith("time") and value else float(value) if isinstance(value, (int, Decimal)) else value
            for key, value in row.items()}


def assert_arrow(body, expected, what):
    """Rows of each reader, numbers as doubles, states that have a column of their own put back."""
    for name, read in ARROW.items():
        rows = read(body)
        assert len(rows) == len(expected), f"{what} by {name}: {len(rows)} rows, not {len(expected)}"
        for got, want in zip(rows, expected):
            joined = {key: (got[key + ".text"] if got.get(key) is None and key + ".text" in got else got.get(key)) for key in want}
            extra = set(got) - set(want) - {key + ".text" for key in want}
            assert not extra, f"{what} by {name}: {extra}"
            wanted, joined = comparable(want), comparable(joined)
            assert joined == wanted, f"{what} by {name}:\n got {joined}\nwant {wanted}"


LONG = [{"entity": "*"}, {"entity": "same-*"}, {"entity": "pump", "property": "operationalState"}, {"entity": "own-*", "tz": "Asia/Kathmandu"},
        {"entity": "*", "step": "PT15M"}, {"entity": "same-*", "step": "PT1H", "agg": "count,mean,min,first", "fill": "none"},
        {"entity": "pump", "step": "PT1H", "agg": "last,count"}, {"entity": "odd"}, {"entity": "own-*", "step": "PT1H", "agg": "mintime,twa,covered,maxtime"}, {"entity": "amounts", "step": "PT7M", "agg": "sum,mean"},
        {"entity": "same-*", "step": "PT1H", "agg": "mean,integral,covered", "unit": "kW"}, {"entity": "same-*", "step": "PT1H", "agg": "integral,count"},
        {"entity": "*", "from_": "2025-03-01T01:00:00Z", "to": "2025-03-01T01:30:00Z", "bounds": "outside"},
        {"entity": "same-00", "from_": END, "to": END}, {"entity": "same-00", "from_": END, "to": "2025-03-03T00:00:00Z"}]


def test_long_answers_are_the_same_in_every_format(context):
    for question in LONG:
        expected = json_long(context, **question)
        got = ndjson_rows(ask(context, format="ndjson", **question)[1])
        assert got == expected, question
        got = csv_rows(ask(context, format="csv", **question)[1])
        assert got == [{k: v or None if isinstance(v, str) else v for k, v in row.items()} for row in expected], question
        assert_arrow(ask(context, format="arrow", **question)[1], expected, question)


WIDE = [({"entity": "same-*"}, 1), ({"entity": "own-*"}, 1), ({"entity": "*"}, 1), ({"entity": "*", "step": "PT15M"}, 1),
        ({"entity": ["own-*", "same-0*"], "step": "PT7M", "agg": "mean,count,max", "fill": "none"}, 3),
        ({"entity": "same-*", "step": "PT1H", "agg": "min,max", "tz": "Europe/Berlin"}, 2), ({"entity": "pump"}, 1),
        ({"entity": "own-*", "step": "PT15M", "agg": "maxtime,twa", "fill": "linear", "max_gap": "PT6H"}, 2),
        ({"entity": "pump", "step": "PT1H", "agg": "last,count"}, 2), ({"entity": ["same-0*", "pump", "amounts"], "step": "auto", "points": "50"}, 3),
        ({"entity": "same-00", "from_": END, "to": END}, 1)]


def test_wide_answers_are_the_long_ones_side_by_side(context):
    for question, aggs in WIDE:
        expected = widened(context, aggs, **question)
        assert json_wide(context, **question) == expected, question
        assert ndjson_rows(ask(context, format="ndjson", layout="wide", **question)[1]) == expected, question
        got = csv_rows(ask(context, format="csv", layout="wide", **question)[1])
        assert got == [{k: v or None if isinstance(v, str) else v for k, v in row.items()} for row in expected], question
        assert_arrow(ask(context, format="arrow", layout="wide", **question)[1], expected, question)


def test_arrow_has_the_types_that_are_promised(context):
    schema = pyarrow.ipc.open_stream(ask(context, format="arrow", entity="*")[1]).schema
    assert schema.names == ["time", "entity", "property", "unit", "value", "value.text", "quality"]
    assert str(schema.field("time").type) == "timestamp[us, tz=UTC]" and schema.field("value").type == pyarrow.float64()
    for name in "entity", "property", "unit", "quality":
        assert schema.field(name).type == pyarrow.dictionary(pyarrow.int8(), pyarrow.utf8()), schema.field(name)
    schema = pyarrow.ipc.open_stream(ask(context, format="arrow", entity="same-*", step="PT1H", agg="count,mean", tz="Europe/Berlin",
                                         numbers="decimal")[1]).schema
    assert [str(field.type) for field in schema][4:] == ["int64", "decimal128(38, 24)"]
    assert str(schema.field("time").type) == "timestamp[us, tz=Europe/Berlin]"
    schema = pyarrow.ipc.open_stream(ask(context, format="arrow", layout="wide", entity="pump", step="PT1H", agg="last,count")[1]).schema
    assert [(field.name, str(field.type)) for field in schema] == [
        ("time", "timestamp[us, tz=UTC]"), ("pump.operationalState.last", "string"), ("pump.operationalState.count", "int64"),
        ("pump.activePower.last", "double"), ("pump.activePower.count", "int64")]
    assert schema.field(3).metadata[b"unit"] == b"W" and int(schema.field(3).metadata[b"series"]) > 0


def test_decimals_of_arrow_are_exact(context):
    for layout in "long", "wide":
        question = {"entity": ["own-*", "same-*"]}
        expected = json_long(context, **question) if layout == "long" else json_wide(context, **question)
        body = ask(context, format="arrow", numbers="decimal", layout=layout, **question)[1]
        for read in ARROW.values():
            for got, want in zip(read(body), expected, strict=True):
                assert all(got[key] == value for key, value in want.items() if key != "time"), (got, want)
    problem = context.site.problem("/v1/range", 422, "numbers", entity="odd", from_=BEGIN, to=END, format="arrow", numbers="decimal")
    assert "float64" in problem["detail"]


def test_csv_as_spreadsheets_want_it(context):
    for question in {"entity": "*"}, {"entity": "*", "layout": "wide", "step": "PT1H"}, {"entity": "same-*", "time": "ms"}:
        plain = ask(context, format="csv", **question)[1]
        for sep, name, decimal, bom in (";", ";", ",", "1"), ("\t", "tab", ".", "0"), ("|", "|", ",", "0"), (",", ",", ".", "1"):
            body = ask(context, format="csv", sep=name, decimal=decimal, bom=bom, **question)[1]
            assert body.startswith(b"\xef\xbb\xbf") == (bom == "1")
            rows, expected = csv_rows(body, sep, decimal), csv_rows(plain)
            if question.get("time") == "ms":
                for row in rows:
                    row["time"] = row["time"].replace(decimal, ".")
            assert rows == expected, (question, sep)


# ---- over: the oracle puts the series of the long answer together ----

HOW = {"sum": oracle.total, "mean": lambda values: decimal.Context(prec=15, rounding=decimal.ROUND_HALF_EVEN).divide(
    Decimal(oracle.total(values)), len(values)), "min": min, "max": max}


def put_together(context, over, by, **question):
    series = json.loads(ask(context, **question)[1], parse_float=Decimal)["series"]
    groups = {}
    for one in series:
        groups.setdefault(one[by] if by else None, []).append(one)
    found = []
    for key, members in groups.items():
        buckets, columns = {}, members[0]["columns"][1:]
        for one in members:
            for t, *values in one["rows"]:
                bucket = buckets.setdefault(t, [])
                if any(value if column == "count" else value is not None for column, value in zip(columns, values)):
                    bucket.append(values)
        rows = []
        for t in sorted(buckets, key=oracle.at):
            values = [[Decimal(row[i]) for row in buckets[t] if row[i] is not None] for i in range(len(columns))]
            rows.append([t, *[HOW[over](column) if column else 0 if name == "count" else None for name, column in zip(columns, values)],
                         len(buckets[t]), len(members) - len(buckets[t])])
        found.append({"over": over, "by": {by: key} if by else {}, "unit": members[0]["unit"], "kind": members[0]["kind"],
                      "columns": ["time", *columns, "series", "missing"], "rows": rows})
    return found


OVER = [{"entity": "same-*", "step": "PT15M"}, {"entity": "own-*", "step": "PT7M", "agg": "mean,count,max"},
        {"entity": ["own-*", "amounts", "same-1*"], "step": "PT1H"}, {"entity": "own-*", "step": "PT1M", "agg": "last", "fill": "none"},
        {"entity": "own-*", "step": "PT1H", "agg": "last", "fill": "previous"}, {"entity": "same-*", "step": "PT1H", "agg": "twa,median"},
        {"entity": "*", "step": "PT1H", "agg": "count", "tz": "Asia/Kathmandu"},
        {"entity": "same-*", "step": "P1D", "tz": "Europe/Berlin", "agg": "min,first"}]


def test_series_put_together_are_what_their_buckets_come_to(context):
    for question in OVER:
        for over, by in itertools.product(HOW, ("property", None)):
            one = question if by or question["entity"] not in ("*",) and len(question["entity"]) != 3 else {**question, "entity": "same-*"}
            expected = put_together(context, over, by, **one)
            asked = {**one, "over": over} | ({"by": by} if by else {})
            answer = json.loads(ask(context, **asked)[1], parse_float=Decimal)
            assert answer["series"] == expected, asked
            flat = [{"time": row[0]} | group["by"] | {"unit": group["unit"]} | dict(zip(group["columns"][1:], row[1:]))
                    for group in expected for row in group["rows"]]
            names = list(dict.fromkeys(name for row in flat for name in row if name not in ("series", "missing"))) + ["series", "missing"]
            flat = [{name: row.get(name) for name in names} for row in flat]
            assert ndjson_rows(ask(context, format="ndjson", **asked)[1]) == flat, asked
            got = csv_rows(ask(context, format="csv", **asked)[1])
            assert got == [{k: v or None if isinstance(v, str) else v for k, v in row.items()} for row in flat], asked
            assert_arrow(ask(context, format="arrow", **asked)[1], flat, asked)


def test_pages_of_groups_join_without_holes(context):
    question = {"entity": "*", "step": "PT15M", "agg": "count", "over": "sum", "by": "property"}
    whole, rows, cursor = json.loads(ask(context, **question)[1])["series"], [], {}
    while cursor is not None:
        page = json.loads(ask(context, limit=61, **question, **cursor)[1])
        rows += [(group["by"]["property"], *row) for group in page["series"] for row in group["rows"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert rows == [(group["by"]["property"], *row) for group in whole for row in group["rows"]]


def test_what_cannot_be_put_together_is_said(context):
    good = {"from_": BEGIN, "to": END, "entity": "same-*", "over": "sum", "step": "PT1H"}
    for field, change, status in [("by", {"by": "location"}, 404), ("by", {"by": "board"}, 404), ("over", {"entity": ["same-*", "own-*"]}, 422),
                                  ("over", {"entity": "pump", "property": "operationalState", "agg": "last"}, 422),
                                  ("over", {"step": "raw"}, 400), ("layout", {"layout": "wide"}, 422), ("over", {"over": "median"}, 400)]:
        context.site.problem("/v1/range", status, field, **(good | change))
    context.site.problem("/v1/range", 400, "by", from_=BEGIN, to=END, entity="same-*", by="type", step="PT1H")


def test_wide_pages_join_without_holes(context):
    for question in {"entity": ["own-*", "pump"]}, {"entity": "*", "step": "PT15M", "from_": "2025-03-01T00:07:00Z"}, {"entity": "same-*"}:
        whole, rows, cursor = json_wide(context, **question), [], {}
        while cursor is not None:
            page = json.loads(ask(context, layout="wide", limit=37, **question, **cursor)[1], parse_float=Decimal)
            assert len(page["rows"]) == 37 or page["next"] is None
            rows += [dict(zip(page["columns"], row)) for row in page["rows"]]
            cursor = {"cursor": page["next"]} if page["next"] else None
        assert rows == whole, question


def test_pages_of_every_format_join_without_holes(context):
    """What comes next stands in a header, since only JSON has a place for it at its end."""
    readers = {"csv": csv_rows, "ndjson": ndjson_rows, "arrow": by_pyarrow}
    for question in {"entity": ["own-*", "pump"]}, {"entity": "same-*", "step": "PT1H"}, {"entity": "own-*", "layout": "wide"}:
        for form, read in readers.items():
            whole, rows, cursor = read(ask(context, format=form, **question)[1]), [], {}
            while cursor is not None:
                headers, body = ask(context, format=form, limit=53, **question, **cursor)
                page = read(body)
                assert len(page) == 53 or headers["Almanac-Next"] is None
                rows += page
                cursor = {"cursor": headers["Almanac-Next"]} if headers["Almanac-Next"] else None
            assert rows == whole, (form, question)
    assert ask(context, entity="own-*", format="csv")[0]["Almanac-Next"] is None
    context.site.problem("/v1/range", 400, "limit", entity="own-*", from_=BEGIN, to=END, format="arrow", limit=1000001)


# ---- memory ----

METERS = 10000 if os.environ.get("ALMANAC_SOAK") else 1000


def memory_peak_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def drain(context, **parameters):
    """Reads an answer without keeping it; how many bytes, and the last of them."""
    host, port = context.site.settings["http.listen"].split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=context.site.tls, timeout=300)
    connection.request("GET", "/v1/range?" + urllib.parse.urlencode(parameters), headers={"Authorization": "Bearer " + context.site.token})
    answer = connection.getresponse()
    assert answer.status == 200
    size, last = 0, b""
    while block := answer.read(1 << 20):
        size, last = size + len(block), (last + block)[-64:]
    connection.close()
    return size, last


def test_a_wide_year_of_many_meters_needs_little_memory(context):
    t = [oracle.at(BEGIN) + timedelta(minutes=15 * k) for k in range(96)]
    context.kafka.produce(TOPIC, (message(f"year-{i:05}", "SmartMeter", t, {"current": [k % 10 + i / 100 for k in range(96)]})
                                  for i in range(METERS)))
    context.site.wait_count(96 * METERS, entity="year-*", timeout=300)
    context.site.stop()
    context.site.start()
    year = {"entity": "year-*", "from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z", "layout": "wide"}
    size, last = drain(context, format="arrow", step="PT15M", **year)
    assert size > 35040 * METERS * 8 and last.endswith(b"\xff\xff\xff\xff\0\0\0\0"), size
    size, _ = drain(context, format="csv", **year)
    assert size > 96 * METERS * 4
    peak = memory_peak_mb(context.site.process.pid)
    print(f"# {METERS} meters: {peak:.0f} MB at most")
    assert peak < 200, f"{peak} MB"


def test_arrow_is_chosen_by_accept_and_packed_when_asked(context):
    plain = ask(context, format="arrow", entity="*")[1]
    headers, body = ask(context, headers=[("Accept", "application/vnd.apache.arrow.stream")], entity="*")
    assert headers["Content-Type"] == "application/vnd.apache.arrow.stream" and body == plain
    headers, body = ask(context, headers=[("Accept-Encoding", "gzip")], format="arrow", entity="*")
    assert headers["Content-Encoding"] == "gzip" and gzip.decompress(body) == plain
    headers, body = ask(context, headers=[("Accept-Encoding", "zstd")], format="arrow", entity="*")
    assert headers["Content-Encoding"] == "zstd"
    assert pyarrow.input_stream(pyarrow.BufferReader(body), compression="zstd").read() == plain


def test_wrong_words_are_named(context):
    good = {"entity": "same-00", "from_": BEGIN, "to": END}
    for field, change, status in [("sep", {"sep": "x", "format": "csv"}, 400), ("sep", {"sep": ";"}, 400), ("bom", {"bom": "1", "format": "arrow"}, 400),
                                  ("decimal", {"decimal": ",", "format": "csv"}, 400), ("numbers", {"numbers": "decimal"}, 400),
                                  ("numbers", {"numbers": "int", "format": "arrow"}, 400), ("time", {"time": "ms", "format": "arrow"}, 400)]:
        context.site.problem("/v1/range", status, field, **(good | change))


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

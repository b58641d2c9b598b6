#!/usr/bin/env python3
"""The way out: range answers in JSON and CSV against an oracle that knows only the messages, and what wrong questions get.

    SEED=7 tests/accept/15-range.py
"""
import csv
import gzip
import http.client
import io
import json
import os
import random
import socket
import ssl
import sys
import time
import warnings
from datetime import datetime, timedelta, timezone

import harness
import oracle
from harness import Decimal

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC = "readings.range"
DATA = harness.TOP / "data" / "demo"
BERLIN = oracle.zone("Europe/Berlin")
MEASURED = {"mean", "min", "max", "count", "first", "last"}
AMOUNTS = {"sum", "mean", "min", "max", "count", "first", "last"}
COLORADO = timezone(timedelta(hours=-7))


# ---- the readings: NREL's files as they are, and quarters of hours over both changes of the clocks ----

def nrel():
    """{(entity, type, property, unit): [(time, text)]}: what the files say, digit for digit."""
    series = {}

    def add(entity, type_, name, unit, t, text):
        if text and text.lower() != "nan":
            series.setdefault((entity, type_, name, unit), []).append((t.astimezone(oracle.UTC), text))
    for row in csv.DictReader(open(DATA / "serf_east_1min_ac_power.csv")):
        add("pv-east", "Generation", "activePower", "kW", datetime.fromisoformat(row["measured_on"]), row["ac_power__752"])
    for row in csv.DictReader(open(DATA / "nrel_RSF_II.csv")):
        t = datetime.strptime(row[""], "%m/%d/%Y %H:%M").replace(tzinfo=COLORADO)
        add("pv-roof", "Generation", "activePower", "kW", t, row["ac_power_kw_1137"])
        add("roof", "Weather", "temperature", "degC", t, row["ambient_temp__1053"])
        add("roof", "Weather", "windSpeed", "m/s", t, row["wind_speed__1051"])
    for row in csv.DictReader(open(DATA / "midc_20181014.csv")):
        t = datetime.strptime(row["DATE (MM/DD/YYYY)"] + row["MST"], "%m/%d/%Y%H:%M").replace(tzinfo=COLORADO)
        add("station", "Weather", "solarRadiation", "W/m2", t, row["Global PSP [W/m^2]"])
        add("station", "Weather", "temperature", "degC", t, row["Temperature @ 2m [deg C]"])
    return series


def quarters():
    rng = random.Random(SEED)
    rows = []
    for begin, days in ("2025-03-28T00:00:00Z", 4), ("2025-10-24T00:00:00Z", 4):
        rows += [(oracle.at(begin) + timedelta(minutes=15 * i), f"{rng.randrange(10 ** rng.randrange(1, 7))}e-{rng.randrange(4)}")
                 for i in range(96 * days) if rng.random() > 0.02]
    return rows


FACTOR = {"kW": 1000}


class Readings:
    def __init__(self):
        self.text = nrel() | {("house", "Load", "energy", "Wh"): quarters(), ("house", "Load", "activePower", "W"): quarters()}

    def values(self, entity, name):
        """As the oracle takes them, in the canonical unit."""
        [(key, rows)] = [(key, rows) for key, rows in self.text.items() if (key[0], key[2]) == (entity, name)]
        return [(t, Decimal(text) * FACTOR.get(key[3], 1), "measured") for t, text in rows]

    def messages(self):
        for (entity, type_, name, unit), rows in self.text.items():
            for i in range(0, len(rows), 500):
                part = rows[i:i + 500]
                period = ',"period":"PT15M"' if name == "energy" else ""
                yield entity, (f'{{"entity":"{entity}","type":"{type_}","units":{{"{name}":"{unit}"}}{period},'
                               f'"time":{json.dumps([oracle.iso(t) for t, _ in part])},'
                               f'"values":{{"{name}":[{",".join(text for _, text in part)}]}}}}')


class Context:
    pass


def setup(folder):
    print(f"# SEED={SEED}", flush=True)
    context = Context()
    context.readings = Readings()
    context.kafka = harness.Kafka(folder / "kafka", 2)
    context.kafka.produce(TOPIC, context.readings.messages())
    context.site = harness.Site(folder / "site", context.kafka, kafka__group__id="range", ingest__topics=TOPIC, store__seal_after="PT1S")
    context.site.start()
    context.site.wait_count(sum(len(rows) for rows in context.readings.text.values()))
    return context


def teardown(context):
    if context.site.process:
        context.site.stop()
    context.kafka.stop()


def span(rows):
    """From the first to past the last, amounts of a quarter of an hour included."""
    return rows[0][0], rows[-1][0] + timedelta(minutes=15)


def check_steps(context, entity, name, step, edges, begin, end, zone=None, fill="null"):
    aggregates = sorted(AMOUNTS if name == "energy" else MEASURED)
    rows = context.readings.values(entity, name)
    expected = [[oracle.iso(bucket[0], zone)] + bucket[1:] for bucket in oracle.buckets(rows, edges, begin, end, aggregates)
                if fill == "null" or bucket[1 + aggregates.index("count")]]
    parameters = {"tz": str(zone)} if zone else {}
    answer = context.site.get("/v1/range", entity=entity, property=name, from_=oracle.iso(begin), to=oracle.iso(end), step=step,
                              agg=",".join(aggregates), fill=fill, **parameters)
    [series] = answer["series"]
    assert series["columns"] == ["time"] + aggregates, series["columns"]
    assert len(series["rows"]) == len(expected), f"{entity} {name} {step}: {len(series['rows'])} buckets, not {len(expected)}"
    for got, wanted in zip(series["rows"], expected):
        assert got == wanted, f"{entity} {name} {step}:\n got {got}\nwant {wanted}"


def everything(context):
    for entity, _, name, _ in context.readings.text:
        yield entity, name, context.readings.values(entity, name)


# ---- answers ----

def test_raw_readings_of_real_data_come_back_digit_for_digit(context):
    for entity, name, rows in everything(context):
        begin, end = span(rows)
        got = context.site.rows(entity=entity, property=name, from_=oracle.iso(begin), to=oracle.iso(end))
        assert got == [[oracle.iso(t), value] for t, value, _ in rows], (entity, name)


def test_quarters_of_an_hour_are_the_oracles(context):
    for entity, name, rows in everything(context):
        begin, end = span(rows)
        width = timedelta(minutes=15)
        check_steps(context, entity, name, "PT15M", oracle.fixed_edges(width, begin, end), begin, end, fill="none")


def test_steps_of_all_sizes_are_the_oracles(context):
    begin, end = oracle.at("2022-03-18T10:07:30Z"), oracle.at("2022-03-20T03:01:00Z")
    for step, seconds in ("PT1M", 60), ("PT7M", 420), ("900s", 900), ("PT1H", 3600), ("PT60M", 3600), ("PT24H", 86400):
        width = timedelta(seconds=seconds)
        check_steps(context, "pv-east", "activePower", step, oracle.fixed_edges(width, begin, end), begin, end)


def test_days_have_23_and_25_hours_when_the_clocks_change(context):
    for first, last, hours in ("2025-03-29", "2025-04-01", [24, 23, 24]), ("2025-10-25", "2025-10-28", [24, 25, 24]):
        begin = oracle.at(first + "T00:00:00" + ("+01:00" if hours[1] == 23 else "+02:00"))
        end = oracle.at(last + "T00:00:00" + ("+02:00" if hours[1] == 23 else "+01:00"))
        edges = oracle.day_edges(BERLIN, begin, end)
        assert [(b - a).total_seconds() / 3600 for a, b in zip(edges, edges[1:])] == hours
        for name in "energy", "activePower":
            check_steps(context, "house", name, "P1D", edges, begin, end, BERLIN)
            check_steps(context, "house", name, "PT1H", oracle.fixed_edges(timedelta(hours=1), begin, end, BERLIN), begin, end, BERLIN)
            check_steps(context, "house", name, "PT5H", oracle.fixed_edges(timedelta(hours=5), begin, end, BERLIN), begin, end, BERLIN)
        # dates alone mean the zone's days
        [series] = context.site.get("/v1/range", entity="house", property="energy", from_=first, to=last, tz="Europe/Berlin", step="P1D",
                                    agg="count")["series"]
        assert [oracle.at(row[0]) for row in series["rows"]] == edges[:-1]


def test_months_and_edges_in_the_middle(context):
    begin, end = oracle.at("2025-03-29T13:37:00Z"), oracle.at("2025-10-26T09:01:00Z")
    edges = oracle.month_edges(BERLIN, begin, end)
    for fill in "null", "none":
        check_steps(context, "house", "activePower", "P1M", edges, begin, end, BERLIN, fill)
    check_steps(context, "house", "activePower", "P1D", oracle.day_edges(BERLIN, begin, end), begin, end, BERLIN)


def test_a_sum_of_days_is_the_sum_of_quarters_exactly(context):
    rows = context.readings.values("house", "energy")
    begin, end = rows[0][0], rows[-1][0] + timedelta(minutes=15)
    for step in "PT15M", "PT1H", "P1D", "P1M", "P1Y":
        got = context.site.rows(entity="house", property="energy", from_=oracle.iso(begin), to=oracle.iso(end), step=step, agg="sum",
                                fill="none", tz="Europe/Berlin")
        assert oracle.total(Decimal(row[1]) for row in got) == oracle.total(value for _, value, _ in rows), step


def test_an_amount_that_is_cut_keeps_its_total(context):
    rng = random.Random(SEED)
    rows = context.readings.values("house", "energy")
    for _ in range(40):
        t, value, _ = rng.choice(rows)
        cut = t + timedelta(seconds=rng.randrange(1, 900))
        parts = [context.site.rows(entity="house", property="energy", from_=oracle.iso(begin), to=oracle.iso(end), step="PT15M", agg="sum")
                 for begin, end in ((t, cut), (cut, t + timedelta(minutes=15)))]
        got = [part[0][1] for part in parts]
        exact = value * int((cut - t).total_seconds()) / 900
        assert abs(got[0] - exact) <= Decimal("1e-9") and Decimal(got[0]) + Decimal(got[1]) == value, (t, cut, value, got)


def test_random_ranges_are_the_oracles(context):
    rng = random.Random(SEED)
    rows = context.readings.values("pv-east", "activePower")
    first, last = span(rows)
    for _ in range(40):
        begin, end = sorted(first + timedelta(seconds=rng.randrange(int((last - first).total_seconds()))) for _ in range(2))
        if begin == end:
            continue
        seconds = rng.choice([60, 90, 300, 900, 1800, 3600, 10800])
        zone = rng.choice([None, BERLIN, oracle.zone("Asia/Kathmandu"), oracle.zone("America/St_Johns")])
        edges = oracle.fixed_edges(timedelta(seconds=seconds), begin, end, zone)
        check_steps(context, "pv-east", "activePower", f"PT{seconds}S", edges, begin, end, zone, rng.choice(["null", "none"]))


def test_what_a_range_says_of_itself(context):
    parameters = {"entity": "roof", "property": "temperature", "from": "2022-01-02T07:00:00Z", "to": "2022-01-03T07:00:00Z", "step": "PT1H"}
    status, headers, body = context.site.request("/v1/range", parameters)
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert headers["Almanac-Range"] == "2022-01-02T07:00:00Z/2022-01-03T07:00:00Z"
    assert headers["Almanac-Position"] and headers["Almanac-Tiers"] and headers["Cache-Control"] == "private, no-cache"
    [series] = json.loads(body)["series"]
    assert (series["entity"], series["type"], series["property"], series["unit"], series["kind"], series["columns"]) == \
        ("roof", "Weather", "temperature", "degC", "gauge", ["time", "mean"])
    same = context.site.request("/v1/range", method="POST", body=json.dumps(parameters).encode(),
                                headers=[("Content-Type", "application/json")])
    assert (same[0], same[2]) == (200, body)


def test_buckets_say_what_they_were_made_of(context):
    parameters = {"entity": "roof", "property": "temperature", "from": "2022-01-02T07:05:00Z", "to": "2022-01-03T07:00:00Z", "step": "PT1H",
                  "agg": "count,twa,mintime,p90", "explain": "1"}
    [series] = json.loads(context.site.request("/v1/range", parameters)[2])["series"]
    assert [e["time"] for e in series["explain"]] == [r[0] for r in series["rows"]] and len(series["rows"]) == 24
    assert [e["count"] for e in series["explain"]] == [r[1] for r in series["rows"]] == [e["quality"]["measured"] for e in series["explain"]]
    assert all(e["tier"] in ("raw", "15m", "15m,raw") and e["first"] <= r[3] <= e["last"] for e, r in zip(series["explain"], series["rows"]))
    assert [e.get("partial", False) for e in series["explain"]] == [True] + [False] * 23
    context.site.problem("/v1/range", 400, "explain", **{k.replace("from", "from_"): v for k, v in parameters.items()}, format="csv")
    context.site.problem("/v1/range", 400, "explain", **(GOOD | {"explain": "1"}))


def test_the_same_range_in_other_words(context):
    begin, end = oracle.at("2022-01-02T07:00:00Z"), oracle.at("2022-01-03T07:00:00Z")
    which = {"entity": "roof", "property": "temperature"}
    want = context.site.rows(from_="2022-01-02T07:00:00Z", to="2022-01-03T07:00:00Z", **which)
    assert len(want) == 96
    ms = [str(int(t.timestamp() * 1000)) for t in (begin, end)]
    for words in [{"from_": ms[0], "to": ms[1]}, {"from_": "2022-01-02T08:00:00+01:00", "to": "2022-01-03T08:00:00 01:00"},
                  {"from_": "2022-01-02T07:00:00Z", "to": "2022-01-03T07:00:00Z", "step": "raw", "format": "json", "layout": "long"}]:
        assert context.site.rows(**words, **which) == want, words
    stamps = [row[0] for row in context.site.rows(from_=ms[0], to=ms[1], time="ms", **which)]
    assert stamps == [int(oracle.at(row[0]).timestamp() * 1000) for row in want]
    local = [row[0] for row in context.site.rows(from_=ms[0], to=ms[1], time="local", tz="America/Denver", **which)]
    assert local[:2] == ["2022-01-02T00:00:00", "2022-01-02T00:15:00"]
    assert context.site.rows(from_=ms[0], to=ms[0], **which) == []


def test_pages_are_the_whole_without_holes(context):
    parameters = {"entity": ["roof", "station"], "from": "2018-01-01T00:00:00Z", "to": "2023-01-01T00:00:00Z"}

    def flat(answer):
        return [(series["entity"], series["property"], *row) for series in answer["series"] for row in series["rows"]]
    whole = flat(context.site.get("/v1/range", **parameters))
    assert len(whole) > 3000
    pages, cursor = [], {}
    while cursor is not None:
        answer = context.site.get("/v1/range", limit=701, **parameters, **cursor)
        pages.append(flat(answer))
        cursor = {"cursor": answer["next"]} if answer["next"] else None
    assert [len(page) for page in pages[:-1]] == [701] * (len(pages) - 1) and sum(pages, []) == whole


# ---- CSV ----

def as_csv(context, **parameters):
    status, headers, body = context.site.request("/v1/range", {name.rstrip("_"): v for name, v in parameters.items()} | {"format": "csv"})
    assert status == 200 and headers["Content-Type"].startswith("text/csv"), body[:300]
    text = body.decode()
    assert text.endswith("\r\n") and text.count("\n") == text.count("\r\n")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_of_raw_readings(context):
    head, *rows = as_csv(context, entity="roof", property="windSpeed", from_="2022-01-02T07:00:00Z", to="2022-01-07T07:00:00Z")
    assert head == ["time", "entity", "property", "unit", "value", "quality"]
    expected = context.readings.values("roof", "windSpeed")
    assert [(row[0], row[1:4], Decimal(row[4]), row[5]) for row in rows] == \
        [(oracle.iso(t), ["roof", "windSpeed", "m/s"], value, "measured") for t, value, _ in expected]


def test_csv_of_steps_says_what_json_says(context):
    for zone, step in ("Europe/Berlin", "P1D"), ("UTC", "PT15M"), ("America/Denver", "PT1H"):
        parameters = {"entity": "house", "from_": "2025-03-28T00:00:00Z", "to": "2025-04-02T00:00:00Z", "tz": zone, "step": step,
                      "agg": "count,mean,max"}
        head, *rows = as_csv(context, **parameters)
        assert head == ["time", "entity", "property", "unit", "count", "mean", "max"]
        answer = context.site.get("/v1/range", **parameters)
        assert [[row[0], row[2], *[Decimal(cell) if cell else None for cell in row[4:]]] for row in rows] == \
            [[row[0], series["property"], *row[1:]] for series in answer["series"] for row in series["rows"]]


def test_csv_by_accept_header_and_compressed(context):
    parameters = {"entity": "pv-east", "from": "2022-03-18T00:00:00Z", "to": "2022-03-21T00:00:00Z"}
    plain = context.site.request("/v1/range", parameters | {"format": "csv"})[2]
    status, headers, body = context.site.request("/v1/range", parameters, headers=[("Accept", "text/csv"), ("Accept-Encoding", "gzip")])
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert gzip.decompress(body) == plain and len(body) < len(plain) / 3


# ---- what acts on the readings of one series ----

def test_values_in_another_unit(context):
    which = {"entity": "roof", "property": "temperature", "from_": "2022-01-02T07:00:00Z", "to": "2022-01-04T07:00:00Z"}
    want = [[t, value * 9 / 5 + 32] for t, value in context.site.rows(**which)]
    [series] = context.site.get("/v1/range", unit="degF", **which)["series"]
    assert series["unit"] == "degF" and series["rows"] == want
    [(high, low)] = [(max(values), min(values)) for values in [[value for _, value in want]]]
    assert context.site.rows(unit="degF", step="P1Y", agg="max,min,count", **which) == [["2022-01-01T00:00:00Z", high, low, len(want)]]
    kw = context.site.rows(entity="house", property="energy", from_="2025-03-28T00:00:00Z", to="2025-04-01T00:00:00Z", step="P1M", unit="MWh")
    wh = context.site.rows(entity="house", property="energy", from_="2025-03-28T00:00:00Z", to="2025-04-01T00:00:00Z", step="P1M")
    assert [[t, value * 10 ** 6] for t, value in kw] == wh
    assert "it converts to W" in context.site.problem("/v1/range", 422, "unit", entity="pv-roof", property="activePower", unit="kWh",
                                                      **{"from": "2022-01-02T07:00:00Z", "to": "2022-01-03T07:00:00Z"})["detail"]


def test_neighbours_of_the_range(context):
    rows = context.readings.values("pv-east", "activePower")
    begin, end = rows[100][0] + timedelta(seconds=1), rows[110][0]
    answer = context.site.get("/v1/range", entity="pv-east", property="activePower", from_=oracle.iso(begin), to=oracle.iso(end), bounds="outside")
    [series] = answer["series"]
    assert series["columns"] == ["time", "value", "quality", "bound"]
    assert series["rows"] == [[oracle.iso(t), value, "measured", "before" if i == 100 else "after" if i == 110 else None]
                              for i, (t, value, _) in enumerate(rows) if 100 <= i <= 110]
    head, *lines = as_csv(context, entity="pv-east", property="activePower", from_="2030-01-01T00:00:00Z", to="2031-01-01T00:00:00Z", bounds="outside")
    assert head[-1] == "bound" and [(line[0], line[-1]) for line in lines] == [(oracle.iso(rows[-1][0]), "before")]


def test_a_plot_keeps_extremes_and_gaps(context):
    rows = context.readings.values("pv-east", "activePower")
    begin, end = span(rows)
    columns = {}
    for t, value, _ in rows:
        columns.setdefault((t - begin) * 50 // (end - begin), []).append((t, value))
    want = set()
    for part in columns.values():
        want |= {part[0], part[-1], min(part, key=lambda row: row[1]), max(part, key=lambda row: row[1])}
    assert context.site.rows(entity="pv-east", property="activePower", from_=oracle.iso(begin), to=oracle.iso(end), reduce="m4", points=50) == \
        [[oracle.iso(t), value] for t, value in sorted(want)]


def test_the_server_picks_a_step_and_says_so(context):
    parameters = {"entity": "pv-east", "property": "activePower", "from": "2022-03-18T00:00:00Z", "to": "2022-03-19T00:00:00Z", "step": "auto",
                  "points": "300"}
    status, headers, body = context.site.request("/v1/range", parameters)
    answer = json.loads(body)
    assert status == 200 and headers["Almanac-Step"] == "PT5M" and answer["step"] == "PT5M"
    assert answer["series"][0]["columns"] == ["time", "mean", "min", "max"] and len(answer["series"][0]["rows"]) == 288
    assert "PT1S" in context.site.problem("/v1/range", 400, "step", **(GOOD | {"to": "2122-01-01T00:00:00Z", "step": "PT1S"}))["detail"]


def test_what_was_known_at_an_instant(context):
    """Forecasts are known by their issue, however late they are sent; a value and its correction when they are sent."""
    which = {"entity": "wx", "from_": "2025-01-02T00:00:00Z", "to": "2025-01-03T00:00:00Z"}

    def asked(**more):
        return [row[1] for row in context.site.rows(**which, **more)]

    def put(value, **more):
        """Sends it and waits until it is answered; an instant after it was known and before anything else is."""
        message = {"entity": "wx", "type": "Weather", "time": "2025-01-02T12:00:00Z", "values": {"temperature": value}} | more
        context.kafka.produce(TOPIC, [("wx", message)])
        harness.wait_for(lambda: context.site.count(entity="wx") and asked() == [value])
        now = int(time.time() * 1000)
        harness.wait_for(lambda: time.time() * 1000 > now + 1)
        return now
    put(1, issued="2024-12-31T06:00:00Z")
    put(2, issued="2025-01-01T18:00:00Z")
    third = put(3)
    fourth = put(4)
    for asof, want in [("2024-12-31T05:59:59Z", []), ("2024-12-31T06:00:00Z", [1]), ("2025-01-02T12:00:30Z", [2]), (third, [3]),
                       (fourth, [4]), ("now", [4])]:
        assert asked(asof=asof) == want, asof
    assert asked(lead_min="PT24H") == [1] and asked(lead_min="PT12H") == [2] and asked(lead_min="P3D") == []
    assert asked(asof="2025-01-02T12:00:30Z", step="PT24H", agg="max") == [2]


# ---- wrong questions ----

GOOD = {"entity": "roof", "property": "temperature", "from": "2022-01-02T07:00:00Z", "to": "2022-01-03T07:00:00Z"}


def test_wrong_parameters_are_named(context):
    for field, change, status in [
            ("stpe", {"stpe": "PT15M"}, 400), ("step", {"step": "PT0S"}, 400), ("step", {"step": "P2D"}, 400), ("step", {"step": "often"}, 400),
            ("step", {"step": "PT0.5S"}, 400), ("from", {"from": "yesterday"}, 400), ("from", {"from": "2022-01-02T07:00:00"}, 400),
            ("from", {"from": "2022-01-02"}, 400), ("to", {"to": "2021-01-01T00:00:00Z"}, 400), ("tz", {"tz": "Mars/Olympus"}, 400),
            ("tz", {"tz": "../etc/passwd"}, 400), ("agg", {"agg": "average", "step": "PT1H"}, 400), ("fill", {"fill": "magic"}, 400),
            ("time", {"time": "sundial"}, 400), ("limit", {"limit": "0"}, 400), ("limit", {"limit": "many"}, 400),
            ("cursor", {"cursor": "nonsense"}, 400), ("format", {"format": "xml"}, 400), ("layout", {"layout": "spiral"}, 400),
            ("agg", {"agg": "sum", "step": "PT15M"}, 422)]:
        context.site.problem("/v1/range", status, field, **(GOOD | change))
    for name in "from", "to":
        context.site.problem("/v1/range", 400, name, **{k: v for k, v in GOOD.items() if k != name})


def test_what_does_not_exist(context):
    assert "nobody" in context.site.problem("/v1/range", 404, None, **(GOOD | {"entity": "nobody"}))["detail"]
    context.site.problem("/v1/nothing", 404)
    context.site.problem("/v1/series/4000000", 404)
    assert context.site.get("/v1/series", entity="nobody") == {"series": [], "next": None}


def test_wrong_methods_and_types(context):
    status, headers, body = context.site.request("/v1/series", method="DELETE")
    assert status == 405 and "GET" in headers["Allow"] and json.loads(body)["status"] == 405
    assert context.site.request("/v1/series", method="OPTIONS")[0] == 204
    assert context.site.request("/v1/series", method="HEAD")[::2] == (200, b"")
    status, _, body = context.site.request("/v1/range", GOOD, headers=[("Accept", "image/png")])
    assert status == 406 and json.loads(body)["status"] == 406
    status, _, body = context.site.request("/v1/range", method="POST", body=b"{broken", headers=[("Content-Type", "application/json")])
    assert status == 400 and json.loads(body)["detail"]


def test_who_may_ask(context):
    site = context.site
    status, headers, body = site.request("/v1/series", token=None)
    assert status == 401 and headers["WWW-Authenticate"].startswith("Bearer") and json.loads(body)["status"] == 401
    assert site.request("/v1/series", token="alm_" + "A" * 43)[0] == 401
    assert site.request("/v1/series", {"token": site.token}, token=None)[0] == 401
    tokens = {scope: site.cli("token", "create", "--name", scope, "--scope", scope).stdout.split()[-1] for scope in ("read", "ops")}
    assert site.request("/v1/range", GOOD, token=tokens["read"])[0] == 200
    status, _, body = site.request("/v1/range", GOOD, token=tokens["ops"])
    assert status == 403 and "read" in json.loads(body)["detail"]
    assert site.request("/v1/range", GOOD | {"entity": "nobody"}, token=tokens["ops"])[0] == 403, "before anything is looked up"
    for path in "/healthz", "/readyz", "/metrics":
        assert site.request(path, token=None)[0] == 200, path


def test_no_plain_http_and_no_old_tls(context):
    host, port = context.site.settings["http.listen"].split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.settimeout(10)
        assert not connection.recv(100).startswith(b"HTTP/1.1 2")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    warnings.simplefilter("ignore", DeprecationWarning)
    old.check_hostname, old.verify_mode, old.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_1
    try:
        http.client.HTTPSConnection(host, int(port), context=old, timeout=10).request("GET", "/healthz")
    except (ssl.SSLError, ConnectionError):
        return
    raise AssertionError("TLS 1.1 was spoken")


# ---- the command line asks the same ----

def test_almanac_query_says_what_the_server_says(context):
    def ask(*more, check=True, **change):
        return context.site.cli("query", *[f"--{name}={value}" for name, value in (GOOD | {"step": "PT1H", "agg": "mean,count"} | change).items()],
                                *more, check=check)
    rows = as_csv(context, **GOOD, step="PT1H", agg="mean,count")
    assert len(rows) == 25 and list(csv.reader(io.StringIO(ask("--format=csv").stdout))) == rows
    far = ask("--format=csv", "--url=" + context.site.url, "--token=" + context.site.token, f"--ca={context.site.folder}/tls/server.pem")
    assert list(csv.reader(io.StringIO(far.stdout))) == rows
    table = ask().stdout.splitlines()
    assert len(table) >= 25 and "mean" in table[0] and all(cell in table[0] for cell in rows[0]), table[:3]
    wrong = ask(check=False, step="PT0S")
    assert wrong.returncode == 2 and "step" in wrong.stderr and wrong.stdout == "", wrong
    for where in [], ["--url=" + context.site.url, "--token=" + context.site.token, f"--ca={context.site.folder}/tls/server.pem"]:
        pages, cursor = [], []
        while len(pages) < 3:  # each in a process of its own
            page = ask("--format=csv", "--limit=10", *cursor, *where)
            pages.append(list(csv.reader(io.StringIO(page.stdout)))[1:])
            if not page.stderr:
                break
            assert page.stderr.startswith("more rows follow: ask the same with --cursor "), page.stderr
            cursor = ["--cursor=" + page.stderr.split()[-1]]
        assert [len(page) for page in pages] == [10, 10, 4] and sum(pages, []) == rows[1:] and not page.stderr, pages


sys.exit(harness.main(globals()))

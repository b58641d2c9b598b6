#!/usr/bin/env python3
"""Random range queries against a model that knows only the messages and the contract (tests/oracle/query).

    tests/accept/16-oracle.py [--queries N] [--seed S] [--only FEATURE,FEATURE...] [--choose NAME=VALUE...] [--show N]

The same questions are asked of unflushed readings, of sealed files, of late readings and corrections over sealed files, and once
these are sealed too; each also in two halves that are cut where a bucket begins, and must be the two halves of the answer. Numbers are
compared digit for digit. What the server says is not there yet is counted and listed, never taken for right. Features: raw bounds
fill=previous fill=linear asof lead quality unit max_gap over by percentile, and the names of aggregates. Without --only most questions keep
to what the server has, and the others are there to find what it has not.
"""
import argparse
import collections
import csv
import decimal
import http.client
import io
import json
import os
import random
import re
import sqlite3
import sys
import time
import unittest
import urllib.parse
from decimal import Decimal

import harness

sys.path.insert(0, str(harness.TOP / "tests" / "oracle"))
from query import answers, grid, questions, selftest, units, wire, world   # noqa: E402
from query.cases import CASES                                      # noqa: E402

ARGUMENTS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGUMENTS.add_argument("--queries", type=int, default=int(os.environ.get("QUERIES", 2000)))
ARGUMENTS.add_argument("--seed", type=int, default=int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30))))
ARGUMENTS.add_argument("--only", type=lambda text: set(text.split(",")), help="features that may be used")
ARGUMENTS.add_argument("--choose", action="append", default=[], help="another reading of a point of CHOICES: stddev=population")
ARGUMENTS.add_argument("--show", type=int, default=10, help="how many kinds of differences to show in full")
OPTIONS = ARGUMENTS.parse_args()
answers.CHOICES.update(dict(choice.split("=", 1) for choice in OPTIONS.choose))
TOPIC = "readings.oracle"


class Client:
    """One connection kept open: thousands of small questions."""

    def __init__(self, site):
        self.site = site
        self.connection = None

    def get(self, path, parameters):
        host, port = self.site.settings["http.listen"].split(":")
        target = path + "?" + urllib.parse.urlencode(parameters, doseq=True)
        for attempt in range(2):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPSConnection(host, int(port), context=self.site.tls, timeout=60)
                self.connection.request("GET", target, headers={"Authorization": "Bearer " + self.site.token})
                response = self.connection.getresponse()
                body = response.read()
                kind = response.headers["Content-Type"].partition(";")[0]
                if kind == "text/csv":
                    return response.status, list(csv.reader(io.StringIO(body.decode(), newline="")))
                if kind == "application/x-ndjson":
                    return response.status, [json.loads(line, parse_float=Decimal) for line in body.splitlines()]
                return response.status, json.loads(body, parse_float=Decimal)
            except (http.client.HTTPException, ConnectionError):
                self.connection.close()
                self.connection = None
                if attempt:
                    raise

    # the same answer in other ways: as (status, what JSON would have said)

    def whole(self, parameters, rng):
        return self.get("/v1/range", parameters)

    def pages(self, parameters, rng):
        limit, cursor, found = rng.choice([1, 7, 50]), {}, {}
        while True:
            status, body = self.get("/v1/range", parameters | {"limit": limit} | cursor)
            if status != 200:
                return status, body
            for series in body["series"]:
                name = series.get("id") or str(series.get("by"))                                       # a group has no id
                found.setdefault(name, series | {"rows": []})["rows"] += series["rows"]
            if not body["next"]:
                return status, body | {"series": list(found.values())}
            assert sum(len(series["rows"]) for series in body["series"]) == limit, f"a page of another length than {limit}: {body}"
            cursor = {"cursor": body["next"]}

    def ndjson(self, parameters, rng):
        status, body = self.get("/v1/range", parameters | {"format": "ndjson"})
        return (status, flat_series([list(row) for row in body[:1]], [list(row.values()) for row in body])) if status == 200 else (status, body)

    def csv(self, parameters, rng):
        status, body = self.get("/v1/range", parameters | {"format": "csv"})
        return (status, flat_series(body[:1], [[csv_value(cell) for cell in row] for row in body[1:]])) if status == 200 else (status, body)


def csv_value(cell):
    try:
        return Decimal(cell) if cell else None
    except decimal.InvalidOperation:
        return cell


def flat_series(head, rows):
    """Tables name the series in each row; one without rows is not in them."""
    [columns] = head or [[]]
    found = {}
    for row in rows:
        which = dict(zip(columns, row))
        name = which.get("entity") or which.get("board") or which.get("location")
        series = found.setdefault(name, {"entity": name, "columns": columns, "rows": []})
        series["rows"].append(row)
    return {"series": list(found.values()), "table": True}


class Tally:
    """What became of the queries; absent: what the server said is not there yet, and how often."""

    def __init__(self):
        self.n, self.differ, self.requests = 0, 0, 0
        self.absent = collections.Counter()
        self.alike = collections.Counter()

    def line(self):
        return f"{self.n} queries, {self.differ} differ, {sum(self.absent.values())} not there yet"


class Context:
    pass


def setup(folder):
    print(f"# --seed {OPTIONS.seed} --queries {OPTIONS.queries}", flush=True)
    c = Context()
    c.rng = random.Random(OPTIONS.seed)
    c.world = world.World(c.rng)
    c.asker = questions.Asker(c.world, c.rng, OPTIONS.only)
    c.tally = Tally()
    c.kafka = harness.Kafka(folder / "kafka", world.N_PARTITIONS, log__retention__ms=-1)
    c.kafka.produce(TOPIC, [("q-none", {"entity": "q-none", "type": "SmartMeter", "time": 0, "values": {"voltage": 1}})])
    c.assets = [asset for known in (c.world, *CASES) for asset in known.assets()]
    c.kafka.produce("assets", [(asset.get("entity", asset.get("id")), asset) for asset in c.assets])
    c.site = harness.Site(folder / "site", c.kafka, kafka__group__id="oracle", ingest__topics=TOPIC, store__seal_after="PT1S",
                          store__revisions_keep="P9000D")
    c.client = Client(c.site)
    return c


def teardown(c):
    try:
        if c.site.process:
            c.site.stop()
    finally:
        c.kafka.stop()
        tell(c)


def tell(c):
    for what, n in c.tally.absent.most_common():
        print(f"# not there yet: {n} queries: {what}")
    for (kind, is_declared, *features, _), n in c.tally.alike.most_common():
        print(f"# alike: {n} of a {'declared ' if is_declared else ''}{kind}: {' '.join(features)}")
    print(f"# {c.tally.requests} requests, --seed {OPTIONS.seed}")
    print("# " + c.tally.line(), flush=True)


def run(c, seal_after):
    """The daemon anew: readings wait in batches, or are sealed as soon as nothing arrives."""
    if c.site.process:
        c.site.stop()
    c.site.start(True, "--set", "store.seal_after=" + seal_after)


def wait_sealed(c):
    harness.wait_for(lambda: not any(c.site.ask(TOPIC, partition, "SELECT 1 FROM file WHERE kind = 'open' UNION SELECT 1 FROM batch")
                                     for partition in range(world.N_PARTITIONS)), 120)


def deliver(c, messages):
    """Through Kafka, each with its own timestamp; returns once they are stored."""
    producer = wire.Producer(c.kafka.bootstrap)
    for partition in range(world.N_PARTITIONS):
        mine = [(ms, entity.encode(), text.encode()) for where, ms, entity, text in messages if where == partition]
        for at in range(0, len(mine), 500):
            producer.produce(TOPIC, partition, mine[at:at + 500])
    producer.close()
    c.site.settle(c.kafka, TOPIC, world.N_PARTITIONS)
    refused = json.loads(c.site.cli("deadletter", "list", "--json").stdout)
    assert not refused, f"{len(refused)} messages were refused, the first: {refused[0]}"


# ---- one query ----

def expected(series, question):
    """{entity: rows} or a Refusal."""
    many = series if isinstance(series, list) else [series]
    try:
        if question.over and question.by:
            groups = collections.defaultdict(list)
            for s in many:
                groups[world.PLACES[s.entity][question.by == "location"]].append(s)
            return {place: answers.answer_over(members, question) for place, members in groups.items()}
        if question.over:
            return {None: answers.answer_over(many, question)}
        return {s.entity: answers.answer(s, question) for s in many}
    except answers.Refusal as refusal:
        return refusal


def is_absent(status, body):
    """What the server says it does not have yet, "" where it answers or refuses for another reason."""
    if status not in (400, 422) or "not there yet" not in body["detail"]:
        return ""
    what = body["detail"].partition(" not there yet")[0]
    return re.sub(r'"(p\d\d|median)"', "of percentiles", what)


def differs(c, series, question, wanted, way=Client.whole):
    """None; or what is not as expected: (description, position of the row or None). "absent" is for the server to say."""
    c.tally.requests += 1
    status, body = way(c.client, questions.parameters(series, question, c.rng), c.rng)
    absent = is_absent(status, body)
    if absent:
        return "absent", absent
    if isinstance(wanted, answers.Refusal):
        return None if status == wanted.status else (f"{status} {body.get('detail', '')!r} where {wanted} is due", None)
    if status != 200:
        return f"{status} {body.get('detail')}", None
    found = {name_of(s, question): s for s in body["series"]}
    if "table" in body or way is Client.pages:
        wanted = {entity: rows for entity, rows in wanted.items() if rows}
        found = {entity: s for entity, s in found.items() if s["rows"]}
    if set(found) != set(wanted):
        return f"series {sorted(map(str, found))} instead of {sorted(map(str, wanted))}", None
    one = series[0] if isinstance(series, list) else series
    units_wanted = units.shown(one.unit, question.unit, question.step, question.agg)
    for entity, rows in wanted.items():
        told = units_told(found[entity])
        if told - {units_wanted}:
            return f"units {told} and not {units_wanted}", None
        difference = rows_differ(question, found[entity], rows)
        if difference:
            return difference
    return None


def name_of(series, question):
    """What tells it from the others of the answer: its entity, or of a group its place."""
    if question.over and not question.by:
        return None
    return series["by"][question.by] if "by" in series else series["entity"]


def units_told(series):
    """{(unit, integral_unit)} of a series, or of each row of a table."""
    if "unit" in series:
        return {(series["unit"], series.get("integral_unit"))}
    column = {name: i for i, name in enumerate(series["columns"])}
    return {(row[column["unit"]] or "", row[column["integral_unit"]] if "integral_unit" in column else None) for row in series["rows"]}


def rows_differ(question, series, wanted):
    names = ["time", *question.agg] if question.step else ["time", "value", "quality"]
    if question.over:
        names += ["series", "missing"]
    columns = series["columns"]
    missing = [name for name in names if name not in columns and name != "quality"]
    if missing:
        return f"columns {columns} without {missing}", None
    rows = [[row[columns.index(name)] if name in columns else "measured" for name in names] for row in series["rows"]]
    flags = [name for name in columns if name not in (*names, "entity", "property", "unit", "integral_unit")]
    for n, (got, want) in enumerate(zip(rows, wanted)):
        if any(not same(a, b) for a, b in zip(got, want)):
            return f"row {n} is {shown(got)}\n#    and not {shown(want[:len(got)])}", n
        if question.bounds == "outside" and (len(flags) != 1 or bool(series["rows"][n][columns.index(flags[0])]) != want[-1]):
            return f"row {n} {series['rows'][n]} of columns {columns}: outside should be flagged as {want[-1]}", n
    if len(rows) != len(wanted):
        extra = rows[len(wanted):] or wanted[len(rows):]
        return f"{len(rows)} rows instead of {len(wanted)}, from {shown(extra[0])} on", min(len(rows), len(wanted))
    return None


def same(got, want):
    if isinstance(got, bool) or (got is None) != (want is None) or isinstance(got, str) != isinstance(want, str):
        return False
    return want == got


def shown(row):
    return "[" + ", ".join(str(value) for value in row) + "]"


def halves(c, question, wanted):
    """Two questions and their answers, cut at the beginning of a bucket, or anywhere between readings as they are."""
    if question.step:
        starts = [start for start, _ in grid.buckets(question.step, question.zone, question.begin, question.end)][1:]
    else:
        starts = range(question.begin + 1, question.end)
    if isinstance(wanted, answers.Refusal) or not starts or question.bounds != "none":
        return
    cut = c.rng.choice(starts)
    first = {entity: sum(grid.at(row[0]) < cut for row in rows) for entity, rows in wanted.items()}
    yield question.but(end=cut), {entity: rows[:first[entity]] for entity, rows in wanted.items()}
    yield question.but(begin=cut), {entity: rows[first[entity]:] for entity, rows in wanted.items()}


def query(c, where, series, question, wanted):
    c.tally.n += 1
    way = c.rng.choice(c.ways) if c.rng.random() < 0.2 else Client.whole
    difference, asked = differs(c, series, question, wanted, way), question
    where += "" if way is Client.whole else f", as {way.__name__}"
    for half, rows in halves(c, question, wanted):
        if difference is None:
            difference, asked = differs(c, series, half, rows), half
    if difference and difference[0] == "absent":
        c.tally.absent[difference[1]] += 1
    elif difference:
        c.tally.differ += 1
        if c.tally.differ <= 20 * OPTIONS.show:
            report(c, where + (", as one of two halves" if asked is not question else ""), series, asked, difference)


def report(c, where, series, question, difference):
    """The difference, the smallest question that still shows one, and the readings around it. Those of a kind are counted alone."""
    question, series, difference = shrink(c, series, question, difference)
    one = series[0] if isinstance(series, list) else series
    alike = (one.kind, one.is_declared(), *sorted(questions.features(question)), difference[1] is None)
    c.tally.alike[alike] += 1
    if c.tally.alike[alike] > 2 or len(c.tally.alike) > OPTIONS.show:
        return
    parameters = questions.parameters(series, question)
    print(f"# DIFFERS {where}: {one.kind} in {one.unit!r}, {declared(one)}")
    print(f"#    /v1/range?{urllib.parse.urlencode(parameters, doseq=True)}")
    print(f"#    {urllib.parse.unquote(urllib.parse.urlencode(parameters, doseq=True))}")
    print(f"#    {difference[0]}")
    for reading in around(one, question):
        print(f"#       {reading}")
    sys.stdout.flush()


def shrink(c, series, question, difference):
    """Fewer aggregates, fewer series, fewer buckets, as long as something differs."""
    def try_one(series, question):
        found = differs(c, series, question, expected(series, question))
        return found if found and found[0] != "absent" else None

    for name in question.agg if len(question.agg) > 1 else ():
        found = try_one(series, question.but(agg=(name,)))
        if found:
            question, difference = question.but(agg=(name,)), found
            break
    if isinstance(series, list) and not question.over:
        for one in series:
            found = try_one(one, question)
            if found:
                series, difference = one, found
                break
    for name, nothing in ("fill", "null"), ("unit", None), ("quality", None), ("asof", None), ("lead", None), ("max_gap", None), ("zone", None):
        simpler = question.but(**{name: nothing})
        found = simpler != question and try_one(series, simpler)
        if found:
            question, difference = simpler, found
    if question.step:
        buckets = grid.buckets(question.step, question.zone, question.begin, question.end)
        for start, end in buckets if len(buckets) < 300 else ():
            smaller = question.but(begin=max(start, question.begin), end=min(end, question.end))
            found = try_one(series, smaller)
            if found:
                question, difference = smaller, found
                break
    for part in range(2, 30):                                 # then without the first or last half, third, quarter ...
        length = (question.end - question.begin) // min(part, 8) // grid.SECOND * grid.SECOND
        for smaller in question.but(begin=question.end - length), question.but(end=question.begin + length), \
                question.but(begin=question.begin + length), question.but(end=question.end - length):
            found = smaller.begin < smaller.end and smaller != question and try_one(series, smaller)
            if found:
                question, difference = smaller, found
                break
    return question, series, difference


def around(series, question, most=12):
    readings = answers.accepted(series, question)
    near = [n for n, r in enumerate(readings) if question.begin <= r.t + r.period and r.t <= question.end]
    if near:
        shown = readings[max(near[0] - 1, 0):near[-1] + 2]
    else:
        n = sum(r.t < question.begin for r in readings)
        shown = readings[max(n - 1, 0):n + 1]
    return shown if len(shown) <= most else [*shown[:most // 2], f"... {len(shown) - most} more", *shown[-most // 2:]]


def declared(series):
    facts = {name: getattr(series, name) for name in ("cadence", "max_gap", "register_size", "step", "epsilon", "changes")}
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value) or "nothing declared"


def n_assets(c):
    """How many documents of the topic assets are in force."""
    if not (c.site.folder / "assets.db").exists():
        return 0
    db = sqlite3.connect(f"file:{c.site.folder}/assets.db?mode=ro", uri=True, timeout=10)
    try:
        return db.execute("SELECT count(*) FROM asset").fetchone()[0]
    finally:
        db.close()


# ---- the tests ----

def test_the_model_agrees_with_what_was_computed_by_hand(c):
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(unittest.defaultTestLoader.loadTestsFromModule(selftest))
    assert result.wasSuccessful(), f"{len(result.failures) + len(result.errors)} of {result.testsRun}"


def probe(c):
    """Which features the server has: each is asked for once, alone."""
    present = set()
    for name, series, question in c.asker.probes():
        c.tally.n += 1
        absent = is_absent(*c.client.get("/v1/range", questions.parameters(series, question)))
        if absent:
            c.tally.absent[absent] += 1
        else:
            present.add(name)
    series, question = c.asker.boards, answers.Question(grid.at(world.SPRING), grid.at(world.SPRING) + grid.HOUR)
    c.ways = [way for way in (Client.pages, Client.csv, Client.ndjson)
              if not is_absent(*way(c.client, questions.parameters(series, question), c.rng))]
    print(f"# there: {' '.join(sorted(present))}; {' '.join(way.__name__ for way in c.ways)}", flush=True)
    return present


def prepare(c, n):
    """Three of four with nothing but what the server has, the others with everything, unless --only says what."""
    made = []
    for i in range(n):
        c.asker.only = OPTIONS.only or (c.present if i % 4 else None)
        series, question = c.asker.ask()
        made.append((series, question, expected(series, question)))
    return made


def ask_all(c, where, made):
    before, began = c.tally.differ, time.monotonic()
    for series, question, wanted in made:
        query(c, where, series, question, wanted)
    print(f"# {where}: {len(made)} queries in {time.monotonic() - began:.1f} s", flush=True)
    assert c.tally.differ == before, f"{c.tally.differ - before} of {len(made)} queries differ"


def test_readings_in_batches(c):
    run(c, "PT12H")
    deliver(c, c.world.deliver(0) + [message for case in CASES for message in case.messages(0)])
    harness.wait_for(lambda: n_assets(c) == len(c.assets))
    c.present = probe(c)
    c.questions = prepare(c, OPTIONS.queries // 4)
    ask_all(c, "in batches", c.questions)


def test_the_same_once_sealed(c):
    run(c, "PT1S")
    wait_sealed(c)
    ask_all(c, "sealed", c.questions)


def test_late_readings_and_corrections_over_sealed_files(c):
    run(c, "PT12H")
    deliver(c, c.world.deliver(1) + c.world.deliver(2) + [message for case in CASES for message in case.messages(1)])
    again = [(series, question, expected(series, question)) for series, question, _ in c.questions[::2]]
    c.questions = again + prepare(c, OPTIONS.queries // 4 - len(again))
    ask_all(c, "late over sealed", c.questions)


def test_everything_sealed_anew(c):
    run(c, "PT1S")
    wait_sealed(c)
    ask_all(c, "sealed anew", c.questions)


def test_plots_keep_what_stands_out(c):
    """reduce: readings of the range and no others, in their order, with the first, the last and both extremes; all where they are few."""
    for feed in c.world.feeds:
        if feed.series.kind not in ("gauge", "counter") or feed.series.unit == "deg":
            continue
        for how, points in ("m4", 7), ("m4", 400), ("minmax", 20), ("m4", 5000):
            question = answers.Question(feed.begin + feed.n // 5 * feed.every, feed.begin + feed.n // 2 * feed.every)
            whole = [tuple(row[:2]) for row in answers.answer(feed.series, question)]
            status, body = c.client.get("/v1/range", questions.parameters(feed.series, question) | {"reduce": how, "points": points})
            if is_absent(status, body):
                raise harness.Skip(body["detail"])
            assert status == 200, body
            got = [(row[0], row[1]) for row in body["series"][0]["rows"] if row[1] is not None]
            about = f"{feed.series.entity} {how} of {points}: "
            assert sorted(set(got)) == got and set(got) <= set(whole), about + "other readings than those of the range"
            assert len(got) <= (4 if how == "m4" else 2) * points, about + f"{len(got)} readings"
            values = [value for _, value in got]
            assert whole and (min(values), max(values)) == (min(v for _, v in whole), max(v for _, v in whole)), about + "extremes"
            assert how != "m4" or (got[0], got[-1]) == (whole[0], whole[-1]), about + "first and last"
            assert len(whole) > points or got == whole, about + f"{len(got)} of {len(whole)}, though there is a point for each"


def make_case(case):
    def test(c):
        for question, wanted in case.asked():
            parameters = {"entity": case.entity, "property": case.quantity, **question}
            status, body = c.client.get("/v1/range", parameters)
            if is_absent(status, body):
                raise harness.Skip(body["detail"])
            assert status == 200, body
            [series] = body["series"]
            got = [row[:1 + question["agg"].count(",") + 1] for row in series["rows"]]
            case.check(got, wanted)
    return test


for _case in CASES:
    globals()["test_" + _case.name] = make_case(_case)

sys.exit(harness.main(globals()))

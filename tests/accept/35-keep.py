#!/usr/bin/env python3
"""How long things are kept: readings go, tiers answer as before, then tiers go, too; each topic by its own rules."""
import json
import sqlite3
import sys
from datetime import datetime, timedelta, timezone

import harness
import oracle
from harness import Decimal

SHORT, LONG = "readings.keep.short", "readings.keep.long"
# Readings before EDGE expire: half a day of reserve on both sides, whenever the test runs.
EDGE = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)
HOURS = int((datetime.now(timezone.utc) - EDGE).total_seconds() // 3600) - 12
FIRST = EDGE - timedelta(days=3)
END = EDGE + timedelta(days=2)
RANGE = {"from_": oracle.iso(FIRST), "to": oracle.iso(EDGE)}
RULES = ["--set", f"store.retention_raw=PT{HOURS}H", "--set", f"topic {LONG}.retention_raw=none"]


def at(day, seconds):
    return oracle.iso(FIRST + timedelta(days=day, seconds=seconds))


def message(entity, type_, times, values, **more):
    return {"entity": entity, "type": type_, "time": times, "values": values} | more


def messages():
    """Five days: a fast gauge, a register, amounts on the grid, amounts over midnight, a state."""
    for day in range(5):
        for minute in range(10):
            quarters = range(240 * minute, 240 * minute + 240)  # of a second
            yield message("fast", "SmartMeter", [at(day, 36000 + q / 4) for q in quarters],
                          {"activePower": [(q * 37 + day) % 1000 / 10 for q in quarters]})
        yield message("slow", "SmartMeter", [at(day, 300 * i) for i in range(288)],
                      {"activeEnergyImport": [1000 * day + 3 * i for i in range(288)]})
        yield message("load", "Load", [at(day, 900 * i) for i in range(96)], {"energy": [100 + i for i in range(96)]}, period="PT15M")
        yield message("long", "Load", [at(day, 1800 + 3600 * i) for i in range(24)], {"energy": [2 * i + 2 for i in range(24)]}, period="PT1H")
        yield message("cell", "Battery", [at(day, 3600 * i) for i in range(24)], {"operationalState": ["on", "off"] * 12})


def setup(folder):
    kafka = harness.Kafka(folder / "kafka")
    for topic in SHORT, LONG:
        kafka.produce(topic, [(m["entity"], m | {"entity": topic[14:] + "-" + m["entity"]}) for m in messages()])
    site = harness.Site(folder / "site", kafka, kafka__group__id="keep", ingest__topics=f"{SHORT} {LONG}", ingest__dead_topic="keep.dead",
                        store__seal_after="PT1S", store__window="day")
    site.start()
    n = 5 * (2400 + 288 + 96 + 24 + 24)
    site.wait_count(2 * n)
    harness.wait_for(lambda: all(len(files(site, topic, "raw")) == 5 for topic in (SHORT, LONG)), 30)
    return {"kafka": kafka, "site": site, "n": n, "before": {}}


def teardown(context):
    if context["site"].process:
        context["site"].stop()
    context["kafka"].stop()


def ask(site, topic, sql):
    path = site.folder / "store" / topic / "0" / "ingest.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute(sql).fetchall()


def files(site, topic, kind):
    return [name for name, in ask(site, topic, f"SELECT name FROM file WHERE kind = '{kind}' ORDER BY begin_us")]


def questions(topic):
    """What cells can tell of the days that expire; (parameters, answer) is compared before and after."""
    entity = topic[14:]
    gauge = {"entity": f"{entity}-fast", "agg": "count,mean,min,max,first,last"}
    for step in "PT1S", "PT1M", "PT15M", "PT1H", "P1D":
        yield gauge | {"step": step, "fill": "none"} | RANGE
    yield gauge | {"step": "P1D", "tz": "Asia/Kolkata", "fill": "none", "from_": oracle.iso(FIRST - timedelta(days=2)),
                   "to": oracle.iso(EDGE + timedelta(days=2))}
    yield {"entity": f"{entity}-slow", "agg": "count,first,last,min,max", "step": "PT15M"} | RANGE
    whole = {"from_": oracle.iso(FIRST - timedelta(days=2)), "to": oracle.iso(EDGE + timedelta(days=2))}
    middle = {"from_": oracle.iso(FIRST + timedelta(days=1, hours=10)), "to": oracle.iso(FIRST + timedelta(days=2, hours=10, minutes=15))}
    for span in RANGE, whole, middle:  # over the edge of what has expired, and with neighbours that have
        for step in "PT15M", "P1D":
            yield {"entity": f"{entity}-fast", "agg": "twa,integral,covered,mintime,maxtime,count", "step": step, "fill": "none"} | span
            yield {"entity": f"{entity}-slow", "agg": "increase,covered,last", "step": step, "fill": "linear"} | span
    for step in "PT15M", "P1D":
        yield {"entity": f"{entity}-load", "agg": "count,sum,mean,min,max,first,last", "step": step} | RANGE


def bytes_of(site, question):
    status, _, body = site.request("/v1/range", {name.rstrip("_"): value for name, value in question.items()})
    assert status == 200, f"{question}: {body[:300]}"
    return body


def start(context, *rules):
    site = context["site"]
    if site.process:
        site.stop()
    site.start(True, *rules)
    return site


def expired(site, topic):
    """Since when readings are there."""
    [(us,)] = ask(site, topic, "SELECT expired_us FROM source")
    return us and datetime.fromtimestamp(us / 1e6, timezone.utc)


def verify(context):
    done = context["site"].cli("verify", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- readings ----

def test_readings_expire_by_windows_and_by_topic(context):
    site = context["site"]
    for topic in SHORT, LONG:
        context["before"][topic] = [bytes_of(site, question) for question in questions(topic)]
        context["before"][topic, "rows"] = site.rows(entity=topic[14:] + "-fast", from_=oracle.iso(EDGE), to=oracle.iso(END))
        context["before"][topic, "cut"] = site.rows(entity=topic[14:] + "-long", step="PT1H", from_=oracle.iso(EDGE), to=oracle.iso(END))
    start(context, *RULES)
    harness.wait_for(lambda: expired(site, SHORT) == EDGE, 30)
    assert len(files(site, SHORT, "raw")) == 2 and len(files(site, SHORT, "tier")) == 5
    assert expired(site, LONG) is None and len(files(site, LONG, "raw")) == 5


def test_tiers_answer_byte_for_byte_as_before(context):
    for topic in SHORT, LONG:
        for question, before in zip(questions(topic), context["before"][topic]):
            assert before.count(b'["20') >= 2, f"{question} asks for nothing"
            assert bytes_of(context["site"], question) == before, question


def test_readings_that_are_left_are_as_before(context):
    site = context["site"]
    for topic in SHORT, LONG:
        assert site.rows(entity=topic[14:] + "-fast", from_=oracle.iso(EDGE), to=oracle.iso(END)) == context["before"][topic, "rows"]
    # an amount that began before the edge, and whose reading has expired, goes on behind it
    for topic in SHORT, LONG:
        rows = site.rows(entity=topic[14:] + "-long", step="PT1H", from_=oracle.iso(EDGE), to=oracle.iso(END))
        assert rows == context["before"][topic, "cut"] and rows[0][1] == 48 / 2 + 2 / 2, rows[:2]
    assert site.count(entity="short-*") == context["n"] * 2 // 5
    assert site.count(entity="long-*") == context["n"]
    [series] = site.get("/v1/series", entity="short-fast")["series"]
    assert series["first"] == oracle.iso(EDGE + timedelta(hours=10)), series


def test_what_is_gone_is_410_with_the_first_instant_left(context):
    site = context["site"]
    for question in ({"entity": "short-fast"}, {"entity": "short-cell"}, {"entity": "short-*"},
                     {"entity": "short-cell", "step": "P1D", "agg": "last"}, {"entity": "short-long", "step": "P1D"},
                     {"entity": "short-fast", "step": "PT1S", "agg": "count", "from_": at(0, 36000.5)}):  # cuts a cell
        problem = site.problem("/v1/range", 410, "from", **(RANGE | question))
        assert oracle.iso(EDGE) in problem["detail"], problem
    assert site.rows(entity="long-fast", **RANGE)
    # nothing was there, so nothing is gone
    assert site.rows(entity="short-fast", from_="2001-01-01T00:00:00Z", to="2001-02-01T00:00:00Z") == []


def test_late_readings_are_refused_as_expired(context):
    site, kafka = context["site"], context["kafka"]
    late = message("short-fast", "SmartMeter", [at(1, 5), oracle.iso(EDGE + timedelta(days=1, seconds=5))], {"activePower": [7, 8]})
    kafka.produce(SHORT, [("short-fast", late)])
    kafka.produce(LONG, [("long-fast", late | {"entity": "long-fast"})])
    site.wait_count(context["n"] * 2 // 5 + 1, entity="short-*")
    site.wait_count(context["n"] + 2, entity="long-*")
    [letter] = json.loads(site.cli("deadletter", "list", "--json").stdout)
    assert (letter["topic"], letter["reason"]) == (SHORT, "expired"), letter
    context["n"] += 1
    assert not [name for name in files(site, SHORT, "open") if name < EDGE.strftime("%Y-%m-%d")]


def test_retired_files_are_unlinked(context):
    site = context["site"]
    folder = site.folder / "store" / SHORT / "0"
    raw = sorted(path.name for path in folder.glob("*.raw.*"))
    assert len(raw) >= 5, raw  # views of a quarter of an hour ago may need them
    site.stop()
    verify(context)
    with sqlite3.connect(folder / "ingest.db") as db:
        assert db.execute("UPDATE retired SET since_us = 0").rowcount >= 3
    start(context, *RULES)
    harness.wait_for(lambda: not [path for path in folder.glob("*.raw.*") if path.name < EDGE.strftime("%Y-%m-%d")], 30)
    assert sorted(path.name for path in folder.glob("*.raw.*")) == files(site, SHORT, "raw")
    for question, before in list(zip(questions(SHORT), context["before"][SHORT]))[:1]:
        assert bytes_of(site, question) == before
    manifest = (site.folder / "store" / "manifest").read_text()
    harness.wait_for(lambda: all(name in (site.folder / "store" / "manifest").read_text() for name in files(site, SHORT, "tier")), 30)
    assert not [name for name in raw if name not in files(site, SHORT, "raw") and f"{SHORT}/0/{name}" in manifest]


# ---- tiers ----

def test_fine_tiers_expire_before_coarse_ones(context):
    site = start(context, *RULES, "--set", f"store.retention_1s=PT{HOURS}H", "--set", f"store.retention_1m=PT{HOURS}H")
    harness.wait_for(lambda: ask(site, SHORT, "SELECT count(*) FROM file WHERE kind = 'tier' AND tiers <> 4")[0][0] == 2, 30)
    for question, before in zip(questions(SHORT), context["before"][SHORT]):
        if question["step"] in ("PT1S", "PT1M"):
            problem = site.problem("/v1/range", 410, "from", **question)
            assert oracle.iso(EDGE) in problem["detail"], problem
        elif question["to"] <= oracle.iso(EDGE):  # a late reading came behind it
            assert bytes_of(site, question) == before, question
    verify(context)


def test_the_last_tier_takes_the_file_with_it(context):
    site = start(context, *RULES, *[f"--set=store.retention_{tier}=PT{HOURS + 24}H" for tier in ("1s", "1m", "15m")])
    harness.wait_for(lambda: len(files(site, SHORT, "tier")) == 3, 30)
    left = oracle.iso(EDGE - timedelta(days=1))
    problem = site.problem("/v1/range", 410, "from", entity="short-fast", step="PT15M", agg="count", **RANGE)
    assert left in problem["detail"], problem
    rows = site.rows(entity="short-fast", step="P1D", agg="count", from_=left, to=oracle.iso(EDGE))
    assert [row[1] for row in rows] == [2400]
    site.stop()
    verify(context)


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

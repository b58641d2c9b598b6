#!/usr/bin/env python3
"""almanac replay: what a topic gets of a range makes the same answers in an empty store, digit for digit.

    SEED=7 tests/accept/48-replay.py
"""
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import harness

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC, PARTITIONS = "readings.first", 2
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
FROM, TO = "2025-03-01T00:00:00Z", "2025-03-03T00:00:00Z"
QUALITIES = ["measured"] * 5 + ["edited", "derived", "estimated", "suspect"]


def iso(when):
    return when.isoformat(timespec="microseconds").replace("000+00:00", "Z").replace("+00:00", "Z")


def message(entity, type_, when, values, **more):
    return entity, json.dumps({"entity": entity, "type": type_, "time": iso(when), "values": "VALUES", **more}).replace(
        '"VALUES"', "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in values.items()) + "}")


def digits(rng):
    """Numbers as they are written, of all lengths, with zeros at their end too."""
    return f"{rng.choice(['', '-'])}{rng.randrange(10 ** rng.randrange(1, 18))}.{rng.randrange(1000):03}"


def readings(rng):
    """Every kind, quality, unit, period and issue, with corrections and repeats; some before and behind the range."""
    for minute in range(-60, 3 * 1440, 7):
        when = T0 + timedelta(minutes=minute, microseconds=rng.choice((0, 0, 0, 250000, 1)))
        for i in range(3):
            yield message(f"meter-{i}", "SmartMeter", when, {"voltageL1": digits(rng), "voltageL2": digits(rng), "activeEnergyImport": 10 * minute + 5000},
                          quality=rng.choice(QUALITIES))
        if minute % 3 == 0:
            yield message("meter-1", "SmartMeter", when, {"voltageL1": digits(rng)}, quality="edited")
            yield message("pump", "HeatPump", when, {"operationalState": json.dumps(rng.choice(["on", "off", 'soft "start"', "Größe\t;"]))})
            yield message("load", "Load", when.replace(microsecond=0), {"energy": f"{rng.randrange(1000)}e-3"}, period=rng.choice(["PT15M", "PT1.5S", "P1D"]),
                          units={"energy": "kWh"})
            yield message("free", "Property", when, {"air quality, outside": digits(rng)}, units={"air quality, outside": "ppm"})
        if minute % 20 == 0:
            for hours in (1, 6, 24):
                yield message("roof", "Weather", when, {"temperature": f"{rng.randrange(-100, 300)}e-1"}, issued=iso(when - timedelta(hours=hours)))
    for hour in range(0, 50, 5):  # observed, and taken back
        yield message("roof", "Weather", T0 + timedelta(hours=hour), {"temperature": "11.50"})
        yield message("meter-2", "SmartMeter", T0 + timedelta(minutes=7 * hour), {"voltageL1": 0}, delete=True)


def setup(folder):
    rng = random.Random(SEED)
    print(f"# SEED={SEED}")
    kafka = harness.Kafka(folder / "kafka", PARTITIONS)
    kafka.produce(TOPIC, list(readings(rng)))
    site = harness.Site(folder / "site", kafka, kafka__group__id="first", ingest__topics=TOPIC, store__seal_after="PT1S")
    site.start()
    site.settle(kafka, TOPIC, PARTITIONS)
    assert json.loads(site.cli("deadletter", "list", "--json").stdout) == []
    return folder, kafka, site


def teardown(context):
    _, kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def ranges(site, **parameters):
    """What a store says of all series, as they are and condensed; ids are its own. What lies before the range was not replayed, so
    nothing is asked here that it has a say in."""
    told = []
    parameters = {"from": FROM, "to": TO, "entity": ["meter-*", "pump", "load", "free", "roof"]} | parameters
    for step in {}, {"step": "P1D", "property": ["voltage*", "temperature", "air*"], "agg": "count,mean,min,max,stddev", "quality": "suspect"}:
        status, _, body = site.request("/v1/range", parameters | step)
        assert status == 200, body
        series = [{name: value for name, value in one.items() if name != "id"} for one in json.loads(body, parse_float=str)["series"]]
        told.append(sorted(series, key=lambda one: (one["entity"], one["property"])))
    return told


def assert_same(one, other):
    for a, b in zip(ranges(one), ranges(other), strict=True):
        for x, y in zip(a, b, strict=True):
            rows = [(p, q) for p, q in zip(x.pop("rows"), y.pop("rows"), strict=True) if p != q]
            assert x == y and not rows, f"seed {SEED}: {x} {y} {len(rows)} rows differ, the first: {rows[:2]}"


def second(context, name, topic):
    """An empty store of the topic that a replay went to."""
    folder, kafka, _ = context
    site = harness.Site(folder / name, kafka, kafka__group__id=name, ingest__topics=topic, store__seal_after="PT1S")
    site.start()
    site.settle(kafka, topic, PARTITIONS)
    assert json.loads(site.cli("deadletter", "list", "--json").stdout) == []
    return site


def replay(context, *args, **options):
    return context[2].cli("replay", "--from", FROM, "--to", TO, *args, **options)


# ----

def test_an_empty_store_gets_the_same_readings(context):
    kafka = context[1]
    counted = json.loads(replay(context, "--speed", "max", "--topic", "replay.all", "--dry-run", "--json").stdout)
    assert kafka.consume("replay.all") == []
    done = json.loads(replay(context, "--speed", "max", "--topic", "replay.all", "--json").stdout)
    assert done == counted and done["shift_s"] == 0 and done["at"] == TO, (done, counted)
    assert done["readings"] == sum(len(one["rows"]) for one in ranges(context[2])[0]) > 3000
    sent = kafka.consume("replay.all")
    assert len(sent) == done["messages"]
    objects = [(one["key"], json.loads(line)) for one in sent for line in one["payload"].splitlines()]
    assert all(key == found["entity"] for key, found in objects)
    assert sum(len(found["values"]) for _, found in objects) == done["readings"]
    site = second(context, "second", "replay.all")
    assert_same(site, context[2])
    site.stop()
    assert not list((context[2].folder / "run").glob("replay-*"))


def test_again_changes_nothing(context):
    replay(context, "--speed", "max", "--topic", "replay.twice")
    replay(context, "--speed", "max", "--topic", "replay.twice")
    site = second(context, "twice", "replay.twice")
    assert_same(site, context[2])
    site.stop()


def test_at_a_pace_it_stops_and_goes_on(context):
    """Two days in about six seconds, interrupted twice: by Ctrl-C, and by a kill that nobody can handle."""
    site = context[2]
    command = [str(harness.BUILD / "almanac"), "replay", "--dir", str(site.folder), "--from", FROM, "--to", TO, "--topic", "replay.paced",
               "--speed", "28800", "--json"]
    begin, parts = time.monotonic(), []
    def begun(*args):
        return subprocess.Popen([*command, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    def noted():
        return [path.read_text() for path in (site.folder / "run").glob("replay-*") if path.suffix != ".new"]
    process = begun()
    harness.wait_for(noted, 20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1 and "stopped at 2025-03-0" in err and "--resume" in err, err
    parts.append(json.loads(out))
    assert FROM < parts[0]["at"] < TO and parts[0]["readings"] > 0
    assert "there is nothing to go on with" in replay(context, "--topic", "replay.other", "--resume", check=False).stderr
    process, before = begun("--resume"), noted()
    harness.wait_for(lambda: noted() != before, 20)
    process.kill()
    process.communicate()
    process = begun("--resume")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    parts.append(json.loads(out))
    lasted = time.monotonic() - begin
    print(f"# {lasted:.1f} s with {parts[0]['readings']} + ... + {parts[1]['readings']} readings")
    assert 5 < lasted, "faster than it was asked to be"
    again = second(context, "paced", "replay.paced")
    assert_same(again, site)
    again.stop()
    assert replay(context, "--topic", "replay.paced", "--speed", "28800", "--resume", check=False).returncode == 1


def test_the_order_of_times_is_kept_at_a_pace(context):
    kafka = context[1]
    replay(context, "--topic", "replay.order", "--speed", "1000000", "--entity", "meter-0")
    times = [json.loads(line)["time"] for one in sorted(kafka.consume("replay.order"), key=lambda one: (one["partition"], one["offset"]))
             for line in one["payload"].splitlines()]
    when = [datetime.fromisoformat(one.replace("Z", "+00:00")) for one in times]
    assert len(when) > 300 and when == sorted(when)


def test_times_are_moved_to_now(context):
    kafka, site = context[1:3]
    before = datetime.now(timezone.utc)
    done = json.loads(replay(context, "--topic", "replay.now", "--speed", "max", "--shift", "now", "--json", "--entity", "meter-*", "--entity",
                             "load").stdout)
    shift = timedelta(seconds=done["shift_s"])
    end = datetime.fromisoformat(TO.replace("Z", "+00:00")) + shift
    assert before - timedelta(seconds=2) < end <= datetime.now(timezone.utc), end
    moved = second(context, "now", "replay.now")
    first = ranges(site, entity=["meter-*", "load"])[0]
    then = ranges(moved, entity=["meter-*", "load"], **{"from": iso(T0 + shift), "to": iso(end)})[0]
    assert [one["rows"] and [row[1:] for row in one["rows"]] for one in then] == [[row[1:] for row in one["rows"]] for one in first]
    for a, b in zip(first, then):
        for x, y in zip(a["rows"], b["rows"]):
            assert datetime.fromisoformat(x[0].replace("Z", "+00:00")) + shift == datetime.fromisoformat(y[0].replace("Z", "+00:00")), (x, y)
    moved.stop()


def test_wrong_use_is_told(context):
    for args, code, words in ((["--from", FROM, "--to", TO], 2, "--topic"), (["--topic", "a b"], 2, "--topic"), (["--topic", "x"], 2, "from"),
                              (["--topic", "x", "--from", TO, "--to", FROM], 2, "earlier"),
                              (["--topic", "x", "--from", FROM, "--to", TO, "--speed", "0"], 2, "speed"),
                              (["--topic", "x", "--from", FROM, "--to", TO, "--speed", "fast"], 2, "speed"),
                              (["--topic", "x", "--from", FROM, "--to", TO, "--shift", "then"], 2, "now"),
                              (["--topic", "x", "--from", FROM, "--to", TO, "--dry-run", "--resume"], 2, "dry-run"),
                              (["--topic", "x", "--from", FROM, "--to", TO, "--entity", "nobody"], 1, "no series")):
        done = context[2].cli("replay", *args, check=False)
        assert done.returncode == code and words in done.stderr, (args, done.returncode, done.stderr)
    assert "Examples" in context[2].cli("replay", "--help").stdout


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

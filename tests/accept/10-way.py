#!/usr/bin/env python3
"""The way in: every shape of a message through a real Kafka into the store, and every reason to refuse one.

    ROUNDS=20 SEED=7 tests/accept/10-way.py
"""
import json
import os
import random
import subprocess
import sys
from datetime import timedelta

import harness
import oracle
from harness import Decimal

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
TOPIC, DEAD, PARTITIONS = "readings.way", "dead.way", 2
DAY = {"from_": "2025-03-01T00:00:00Z", "to": "2025-03-02T00:00:00Z"}


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", PARTITIONS)
    kafka.produce(TOPIC, [("warm-up", reading("warm-up", "2025-03-01T00:00:00Z", voltage=1))])
    site = harness.Site(folder / "site", kafka, kafka__group__id="way", ingest__topics=TOPIC, ingest__dead_topic=DEAD,
                        store__seal_after="PT1S")
    site.start()
    return kafka, site


def teardown(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def reading(entity, time, type_="SmartMeter", **values):
    return {"entity": entity, "type": type_, "time": time, "values": values}


def key(message):
    """The entity of the first object, as producers key their messages."""
    first = json.loads(message.splitlines()[0]) if isinstance(message, str) else message
    return (first[0] if isinstance(first, list) else first)["entity"]


def send(context, *messages):
    """Returns when they are stored."""
    kafka, site = context
    kafka.produce(TOPIC, [(key(message), message) for message in messages])
    site.settle(kafka, TOPIC, PARTITIONS)


def stored(context, entity, property_, **parameters):
    [series] = context[1].get("/v1/range", entity=entity, property=property_, **(DAY | parameters))["series"]
    return series["rows"]


# ---- shapes ----

def test_numbers_keep_all_their_digits(context):
    texts = ["230.1", "12.30", "-0.001", "0", "-0", "1e3", "1E-9", "123456789012345678", "0.000000000000000001",
             "0.1234567890123456785", "1.5e+2"]
    kept = [Decimal(t) for t in texts]
    kept[9] = Decimal("0.123456789012345678")  # 19 digits: half to even at the 18th
    times = ",".join(f'"2025-03-01T00:00:{i:02}Z"' for i in range(len(texts)))
    send(context, f'{{"entity":"digits","type":"SmartMeter","time":[{times}],"values":{{"voltage":[{",".join(texts)}]}}}}')
    assert [row[1] for row in stored(context, "digits", "voltage")] == kept
    text = context[1].request("/v1/range", {"entity": "digits", "from": "2025-03-01T00:00:00Z", "to": "2025-03-01T00:00:04Z"})[2]
    assert b",230.1]" in text and b",12.3]" in text and b",-0.001]" in text and b",0]" in text, text


def test_times_in_every_form(context):
    send(context, reading("times", "2025-03-01T00:00:00Z", voltage=0), reading("times", "2025-03-01T01:00:01+01:00", voltage=1),
         reading("times", "2025-02-28T19:00:02.5-05:00", voltage=2), reading("times", 1740787203000, voltage=3),
         reading("times", [1740787204250, "2025-03-01T00:00:05.123456789Z"], voltage=[4, 5]))
    assert stored(context, "times", "voltage") == [
        ["2025-03-01T00:00:00Z", 0], ["2025-03-01T00:00:01Z", 1], ["2025-03-01T00:00:02.500Z", 2], ["2025-03-01T00:00:03Z", 3],
        ["2025-03-01T00:00:04.250Z", 4], ["2025-03-01T00:00:05.123456Z", 5]]


def test_several_objects_in_a_message(context):
    def at(entity, second):
        return reading(entity, f"2025-03-01T00:00:{second:02}Z", voltage=second, activePower=-second)
    send(context, [at("array", 0), at("array", 1)], "\n".join(json.dumps(at("lines", s)) for s in range(3)),
         json.dumps([at("mixed", 0), at("mixed", 1)]) + "\n" + json.dumps(at("mixed", 2)) + "\n")
    for entity, n in ("array", 2), ("lines", 3), ("mixed", 3):
        assert stored(context, entity, "voltage") == [[f"2025-03-01T00:00:{s:02}Z", s] for s in range(n)], entity
        assert [row[1] for row in stored(context, entity, "activePower")] == [-s for s in range(n)], entity


def test_lists_of_times_with_nulls_and_qualities(context):
    message = reading("lists", [f"2025-03-01T00:00:0{i}Z" for i in range(3)], activePower=[1250, None, -5], voltage=[1, 2, 3])
    send(context, message | {"quality": ["measured", "estimated", "suspect"]})
    assert stored(context, "lists", "activePower") == [["2025-03-01T00:00:00Z", 1250, "measured"], ["2025-03-01T00:00:02Z", -5, "suspect"]]
    assert [row[2] for row in stored(context, "lists", "voltage")] == ["measured", "estimated", "suspect"]
    [bucket] = stored(context, "lists", "voltage", step="PT15M", agg="count,max", fill="none")
    assert bucket == ["2025-03-01T00:00:00Z", 2, 2], bucket  # what is suspect stays out


def test_amounts_states_and_units(context):
    send(context,
         reading("load", "2025-03-01T00:00:00Z", "Load", energy=0.25) | {"period": "PT15M", "units": {"energy": "kWh"}},
         reading("load", "2025-03-01T00:15:00Z", "Load", energy=3.6) | {"period": "PT15M", "units": {"energy": "MJ"}},
         reading("cell", "2025-03-01T00:00:00Z", "Battery", stateOfCharge=55.5, operationalState="charging"),
         reading("cell", "2025-03-01T00:00:01Z", "Battery", stateOfCharge=0.5, operationalState="wartet, \"ä\"") |
         {"units": {"stateOfCharge": "1"}},
         reading("air", "2025-03-01T00:00:00Z", "Weather", temperature=77) | {"units": {"temperature": "degF"}},
         reading("air", "2025-03-01T00:00:01Z", "Weather", temperature=300.15) | {"units": {"temperature": "K"}},
         reading("room", "2025-03-01T00:00:00Z", "Property", co2=412) | {"units": {"co2": "ppm"}})
    [load] = context[1].get("/v1/range", entity="load", **DAY)["series"]
    assert (load["type"], load["unit"], load["kind"], load["columns"]) == ("Load", "Wh", "interval", ["time", "value"])
    assert [row[1] for row in load["rows"]] == [250, 1000]
    assert [row[1] for row in stored(context, "cell", "operationalState")] == ["charging", 'wartet, "ä"']
    assert [row[1] for row in stored(context, "cell", "stateOfCharge")] == [Decimal("55.5"), 50]
    assert [row[1] for row in stored(context, "air", "temperature")] == [25, 27]
    [room] = context[1].get("/v1/series", entity="room")["series"]
    assert (room["unit"], room["kind"], room["count"]) == ("ppm", "gauge", 1)


# ---- what replaces what ----

def test_of_a_repeated_second_the_last_counts(context):
    send(context, *[reading("again", "2025-03-01T00:00:00Z", voltage=v) for v in (1, 2, 3)],
         *[reading("again", "2025-03-01T00:00:01Z", voltage=4)] * 3)
    assert stored(context, "again", "voltage") == [["2025-03-01T00:00:00Z", 3], ["2025-03-01T00:00:01Z", 4]]
    assert context[1].count(entity="again") == 2


def test_forecasts_give_way_to_newer_ones_and_to_readings(context):
    noon, evening = "2025-03-01T12:00:00Z", "2025-03-01T18:00:00Z"
    send(context, reading("sky", [noon, evening], "Weather", temperature=[11.5, 9]) | {"issued": "2025-03-01T06:00:00Z"},
         reading("sky", noon, "Weather", temperature=12.5) | {"issued": "2025-03-01T09:00:00Z"},
         reading("sky", evening, "Weather", temperature=8) | {"issued": "2025-03-01T03:00:00Z"})
    assert stored(context, "sky", "temperature") == [[noon, Decimal("12.5")], [evening, 9]]
    send(context, reading("sky", noon, "Weather", temperature=14),
         reading("sky", noon, "Weather", temperature=13) | {"issued": "2025-03-01T11:00:00Z"})
    assert stored(context, "sky", "temperature") == [[noon, 14], [evening, 9]]


def test_deletes_take_back_an_issue_a_time_or_a_range(context):
    noon, evening = "2025-03-01T12:00:00Z", "2025-03-01T18:00:00Z"
    issue = {"issued": "2025-03-01T09:00:00Z"}
    send(context, reading("gone", [noon, evening], "Weather", temperature=[1, 2]) | {"issued": "2025-03-01T06:00:00Z"},
         reading("gone", [noon, evening], "Weather", temperature=[3, 4], humidity=[50, 60]) | issue)
    send(context, reading("gone", noon, "Weather", temperature=None) | issue | {"delete": True})
    assert stored(context, "gone", "temperature") == [[noon, 1], [evening, 4]]
    send(context, reading("gone", evening, "Weather", temperature=0) | {"delete": True})
    assert stored(context, "gone", "temperature") == [[noon, 1]]
    assert len(stored(context, "gone", "humidity")) == 2
    send(context, {"entity": "gone", "type": "Weather", "property": "humidity", "delete": True, "from": noon, "to": evening})
    assert [row[:2] for row in stored(context, "gone", "humidity")] == [[evening, 60]]
    send(context, reading("gone", evening, "Weather", temperature=7))
    assert stored(context, "gone", "temperature") == [[noon, 1], [evening, 7]]


# ---- a random history, with files sealed in between ----

def random_message(rng, entity):
    """Readings of some days with repeats, forecasts, deletes of all sorts; values tell which message they are of."""
    n = rng.choice([1, 1, 1, 2, 5, 30])
    times = [oracle.at("2025-02-26T00:00:00Z") + timedelta(minutes=15 * rng.randrange(6 * 96)) for _ in range(n)]
    message = {"entity": entity, "type": "Weather"}
    kind = rng.random()
    if kind < 0.04:
        begin, end = sorted(rng.sample(range(6 * 96), 2))
        start = oracle.at("2025-02-26T00:00:00Z")
        return message | {"property": rng.choice(["temperature", "humidity"]), "delete": True,
                          "from": oracle.iso(start + timedelta(minutes=15 * begin)),
                          "to": oracle.iso(start + timedelta(minutes=15 * min(end, begin + 20)))}
    names = rng.choice([["temperature"], ["humidity"], ["temperature", "humidity"]])
    message["time"] = [oracle.iso(t) for t in times] if n > 1 else oracle.iso(times[0])
    message["values"] = {}
    for name in names:
        values = [rng.choice([None, rng.randrange(-500, 500) / 10, rng.randrange(1000) / 1000, rng.randrange(10)]) for _ in range(n)]
        message["values"][name] = values if n > 1 else values[0]
    if rng.random() < 0.3:
        message["issued"] = f"2025-02-2{rng.randrange(1, 5)}T00:00:00Z"
    if kind < 0.12:
        message["delete"] = True
    elif rng.random() < 0.2:
        message["quality"] = rng.choice(oracle.QUALITIES)
    return message


def compare_with_model(site, model):
    for (entity, name) in model.series:
        expected = [[oracle.iso(t), Decimal(str(value)), quality] for t, value, quality in model.rows(entity, name)]
        [series] = site.get("/v1/range", entity=entity, property=name, from_="2025-02-25T00:00:00Z", to="2025-03-10T00:00:00Z")["series"]
        rows = [row if len(row) == 3 else row + ["measured"] for row in series["rows"]]
        assert rows == expected, f"{entity} {name}: first difference " + \
            str(next((pair for pair in zip(rows, expected) if pair[0] != pair[1]), (len(rows), len(expected))))
    count = sum(site.count(entity=entity) for entity in {entity for entity, _ in model.series})
    assert count == model.count(), (count, model.count())


def test_a_random_history_is_what_a_model_of_it_says(context):
    kafka, site = context
    rng, model = random.Random(SEED), oracle.Model()
    print(f"# SEED={SEED} ROUNDS={ROUNDS}", flush=True)
    sealed = 0
    for _ in range(ROUNDS):
        messages = [random_message(rng, f"random-{rng.randrange(6)}") for _ in range(400)]
        for message in messages:
            model.take(message)
        kafka.produce(TOPIC, [(m["entity"], m) for m in messages])
        site.settle(kafka, TOPIC, PARTITIONS)
        compare_with_model(site, model)
        # the next round is late data for sealed windows
        sealed = harness.wait_for(lambda: (n := generations(site)) > sealed and n, 60)
        compare_with_model(site, model)
    site.stop()
    site.start()
    compare_with_model(site, model)


def generations(site):
    """How many sealed files were ever made: the generations in their names, added up."""
    newest = {}
    for path in (site.folder / "store").rglob("*.raw.g*.db"):
        window, generation = str(path)[:-3].split(".raw.g")
        newest[window] = max(newest.get(window, 0), int(generation))
    return sum(newest.values())


def test_late_readings_of_a_sealed_window_are_answered_at_once_and_merged(context):
    kafka, site = context
    send(context, *[reading("late", f"2024-06-01T00:{m:02}:00Z", voltage=m) for m in range(0, 60, 2)])
    day = {"from_": "2024-06-01T00:00:00Z", "to": "2024-06-02T00:00:00Z"}
    before = harness.wait_for(lambda: {p for p in site.folder.rglob("2024-*.raw.g*.db")}, 60)
    send(context, *[reading("late", f"2024-06-01T00:{m:02}:00Z", voltage=m) for m in range(1, 60, 2)],
         reading("late", "2024-06-01T00:10:00Z", voltage=-10))
    expected = [[f"2024-06-01T00:{m:02}:00Z", -10 if m == 10 else m] for m in range(60)]
    assert stored(context, "late", "voltage", **day) == expected
    harness.wait_for(lambda: {p for p in site.folder.rglob("2024-*.raw.g*.db")} - before, 60)
    assert stored(context, "late", "voltage", **day) == expected
    [bucket] = stored(context, "late", "voltage", step="PT1H", agg="count,min,max,first,last", fill="none", **day)
    assert bucket[1:] == [60, -10, 59, 0, 59]


def test_both_partitions_took_part(context):
    _, site = context
    for partition in range(PARTITIONS):
        assert (site.folder / "store" / TOPIC / str(partition) / "ingest.db").exists()
    warm = {p.parent.name for p in (site.folder / "store" / TOPIC).glob("*/*.db") if ".raw." in p.name or ".open." in p.name}
    assert warm == {"0", "1"}, warm


# ---- refusals ----

def bad(**changes):
    message = reading("bad", "2025-03-01T00:00:00Z", voltage=1) | changes
    return {name: value for name, value in message.items() if value is not ...}


REFUSED = [
    ("json", "{not json"), ("json", '["text"]'), ("field", bad(entity=...)), ("field", bad(values=...)), ("field", bad(shape=1)),
    ("entity", bad(entity="bad entity!")), ("entity", bad(entity="e" * 129)), ("type", bad(type="Toaster")),
    ("type", bad(entity="warm-up", type="Load")), ("property", bad(values={"warp": 1})),
    ("unit", bad(units={"voltage": "kWh"})), ("time", bad(time="2025-03-01T00:00:00")), ("time", bad(time="2025-03-01T00:00:60Z")),
    ("time", bad(type="Load", entity="bad-load", period="P1M", values={"energy": 1})),
    ("future", bad(time="2225-03-01T00:00:00Z")), ("future", bad(issued="2225-03-01T00:00:00Z")),
    ("number", '{"entity":"bad","type":"SmartMeter","time":"2025-03-01T00:00:00Z","values":{"voltage":1e999}}'),
    ("number", '{"entity":"bad","type":"SmartMeter","time":"2025-03-01T00:00:00Z","values":{"voltage":NaN}}'),
    ("number", bad(values={"voltage": "twelve"})), ("length", bad(time=["2025-03-01T00:00:00Z"], values={"voltage": [1, 2]})),
    ("limit", bad(type="Battery", entity="bad-cell", values={"operationalState": "x" * 65})),
    ("limit", bad(values={"voltage": [1] * 32769, "current": [1] * 32769}, time=[1740787200000] * 32769)),
    ("size", bad(entity="bad" + " " * (1 << 20))),
]


def letters(site):
    return json.loads(site.cli("deadletter", "list", "--json").stdout)


def test_every_refusal_has_its_reason_and_blocks_nothing(context):
    kafka, site = context
    large = ("-X", "message.max.bytes=4000000", "-X", "compression.codec=lz4")
    kafka.produce(TOPIC, [("bad", message) for _, message in REFUSED], "-p", "0", *large)
    kafka.produce(TOPIC, [("after", reading("after", "2025-03-01T00:00:00Z", voltage=1))], "-p", "0")
    site.wait_count(1, entity="after")
    sent = [reason for reason, _ in REFUSED]
    found = letters(site)
    got = [letter["reason"] for letter in sorted(found, key=lambda letter: letter["offset"])]
    assert got == sent, [pair for pair in zip(sent, got) if pair[0] != pair[1]] or got
    for letter in found:
        assert letter["topic"] == TOPIC and letter["partition"] == 0 and letter["detail"] and letter["time"].endswith("Z"), letter
    assert site.count(entity="bad*") == 0
    assert site.get("/readyz")["status"] == "ready"


def test_refused_messages_are_copied_to_the_dead_topic_with_their_place(context):
    kafka, site = context
    listed = {(l["topic"], l["partition"], l["offset"]): l for l in letters(site) if l["reason"] != "size"}
    copies = harness.wait_for(lambda: len(c := kafka.consume(DEAD)) >= len(listed) and c, 60)
    assert len(copies) == len(listed), len(copies)
    sealed = kafka.payloads(DEAD)
    for copy in copies:
        headers = dict(zip(copy["headers"][::2], copy["headers"][1::2]))
        letter = listed.pop((headers["topic"], int(headers["partition"]), int(headers["offset"])))
        assert headers["reason"] == letter["reason"] and headers["detail"] == letter["detail"]
        if letter["reason"] != "limit":  # kcat's JSON of what is long is long
            shown = site.cli("deadletter", "show", letter["topic"], str(letter["partition"]), str(letter["offset"])).stdout
            payload = sealed[copy["partition"], copy["offset"]]
            opened = subprocess.run([harness.BUILD / "almanac", "vault", "open", "--dir", site.folder], input=payload,
                                    stdout=subprocess.PIPE, check=True).stdout
            assert shown.encode() == opened + b"\n" and (not opened or opened not in payload), letter
    assert not listed, listed


def test_neighbours_of_what_is_refused_are_kept(context):
    _, site = context
    before = len(letters(site))
    send(context,
         reading("near", ["2025-03-01T00:00:00Z", "2025-03-01T00:00:01", "2025-03-01T00:00:02Z"], voltage=[1, 2, 3], warp=[1, 2, 3],
                 activePower=[1, 2, "x"]),
         json.dumps(reading("near", "2025-03-01T00:01:00Z", voltage=4)) + "\n{broken\n" +
         json.dumps(reading("near", "2025-03-01T00:01:01Z", voltage=5)),
         [reading("near", "2025-03-01T00:02:00Z", voltage=6), reading("near", "2025-03-01T00:02:01Z", "Toaster", voltage=7)])
    assert [row[1] for row in stored(context, "near", "voltage")] == [1, 3, 4, 5, 6]
    assert [row[1] for row in stored(context, "near", "activePower")] == [1]
    fresh = sorted(letter["reason"] for letter in letters(site)[before:])
    assert fresh == sorted(["time", "property", "number", "json", "type"]), fresh


def test_metrics_say_that_nothing_waits(context):
    _, site = context
    status, headers, body = site.request("/metrics", token=None)
    metrics = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if line and line[0] != "#")
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    assert metrics["almanac_serving"] == "1" and metrics["almanac_lag_messages"] == "0", metrics


sys.exit(harness.main(globals()))

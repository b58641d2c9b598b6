#!/usr/bin/env python3
"""Role adapt with a real broker: raw messages become readings exactly once, kill -9 as one may; what has no rule never leaves.

    KILLS=40 MESSAGES=200000 SEED=7 tests/accept/73-adapt.py
"""
import json
import os
import random
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import harness

KILLS = int(os.environ.get("KILLS", "6"))
MESSAGES = int(os.environ.get("MESSAGES", "12000"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
START = datetime(2025, 3, 1, tzinfo=timezone.utc)
ENTITIES = 7
SECRET = "Jane-Doe-of-Elm-Street"

METERS = {"topics": ["raw.meters"], "format": "json",
          "fields": {"/id": "pass", "/at": "pass", "/kw": "pass", "/owner": "drop"},
          "entity": "adapt-{/id}", "type": "SmartMeter", "time": {"field": "/at", "format": "unix_s"},
          "values": [{"field": "/kw", "property": "activePower", "unit": "kW", "scale": "0.5"}]}
ROWS = {"topics": "^raw\\.rows", "to": "readings.rows", "format": "csv", "csv": {"separator": ";"},
        "fields": {"time": "pass", "who": "substitute", "t": "pass"},
        "entity": "room-{who}", "type": "LivingUnit", "time": {"field": "time", "format": "iso", "zone": "Europe/Berlin"},
        "values": [{"field": "t", "property": "temperature"}]}


def setup(folder):
    return folder, harness.Kafka(folder / "kafka", partitions=2)


def teardown(context):
    context[1].stop()


def make_site(folder, name, kafka, **settings):
    site = harness.Site(folder / name, kafka, kafka__topic__metadata__refresh__interval__ms=1000, kafka__group__id=name, **settings)
    (site.folder / "mappings").mkdir()
    (site.folder / "mappings" / "meters.json").write_text(json.dumps(METERS))
    (site.folder / "mappings" / "rows.json").write_text(json.dumps(ROWS))
    return site


def raw(entity, second):
    return {"id": entity, "at": int(START.timestamp()) + second, "kw": (second * 7919 + entity) % 1000 / 10, "owner": SECRET}


def dead_letters(kafka):
    return [{**dict(zip(m["headers"][::2], m["headers"][1::2])), "payload": m["payload"]} for m in kafka.consume("almanac.dead")]


def log_bytes(kafka, topic):
    return b"".join(path.read_bytes() for path in (kafka.folder / "log").glob(topic + "-*/*.log"))


def test_raw_messages_become_readings_and_what_does_not_fit_a_dead_letter(context):
    folder, kafka = context
    site = make_site(folder, "together", kafka, almanac__roles="ingest serve adapt")
    kafka.produce("raw.meters", [("k", raw(1, second)) for second in range(100)])
    kafka.produce("raw.meters", [("k", {"id": 1, "at": "never", "owner": SECRET}), ("k", '{"id": "' + SECRET)])
    kafka.produce("raw.rows", [("k", "time;who;t\n2025-10-26 02:30;anna;20.5\n2025-10-26 02:15;anna;20.25\n2025-03-30 02:30;anna;1\n")])
    kafka.produce("raw.other", [("k", SECRET)])
    site.start()
    site.wait_count(100, entity="adapt-1")
    site.wait_count(2, entity="room-*")
    series = site.get("/v1/range", entity="adapt-1", from_="2025-03-01T00:00:00Z", to="2025-03-01T00:02:00Z")["series"][0]
    assert [str(row[1]) for row in series["rows"]] == [f"{(s * 7919 + 1) % 1000 * 50:d}" for s in range(100)], series["rows"][:5]
    rows = site.get("/v1/range", entity="room-*", from_="2025-10-26T00:00:00Z", to="2025-10-26T03:00:00Z")["series"][0]["rows"]
    assert [row[0] for row in rows] == ["2025-10-26T00:30:00Z", "2025-10-26T01:15:00Z"], "the second pass of autumn's hour"
    letters = harness.wait_for(lambda: len(found := dead_letters(kafka)) == 4 and found)
    assert sorted((d["topic"], d["reason"]) for d in letters) == [
        ("raw.meters", "json"), ("raw.meters", "time"), ("raw.other", "type"), ("raw.rows", "time")], letters
    assert [d["line"] for d in letters if d["topic"] == "raw.rows"] == ["4"]
    assert all(len(d["payload"]) > 40 and d["partition"].isdigit() and d["offset"].isdigit() and d["detail"] for d in letters)
    metrics = site.request("/metrics")[2].decode()
    for name, count in (("messages", 104), ("values", 102), ("refused", 4), ("lag_messages", 0)):
        suffix = "" if name.startswith("lag") else "_total"
        assert f"\nalmanac_adapt_{name}{suffix} {count}\n" in metrics, [m for m in metrics.splitlines() if "adapt" in m]
    site.stop()
    for topic in ("readings.meters", "readings.rows", "almanac.dead"):
        assert log_bytes(kafka, topic), topic
        assert SECRET.encode() not in log_bytes(kafka, topic) and b"anna" not in log_bytes(kafka, topic), topic
    assert SECRET not in site.log()


def stream(kafka, topic, rng, lasts_s):
    """Messages in bursts, about as long as that. kcat ends where its broker does: what the topic has is what counts."""
    producer = kafka.producer(topic)
    seconds, sent = [0] * ENTITIES, 0
    try:
        while sent < MESSAGES:
            for _ in range(rng.randint(1, 400)):
                entity = rng.randrange(ENTITIES)
                producer.stdin.write(f"raw-{entity}\x01{json.dumps(raw(entity, seconds[entity]))}\x02")
                seconds[entity] += 1
                sent += 1
            producer.stdin.flush()
            time.sleep(rng.uniform(0, 2.0 * lasts_s * 200 / MESSAGES))
        producer.stdin.close()
    except BrokenPipeError:
        pass
    producer.wait(120)


def begin_stream(context, name, lasts_s):
    """(site that is not started, thread that produces)"""
    folder, kafka = context
    print(f"# SEED={SEED} KILLS={KILLS} MESSAGES={MESSAGES}")
    topic = f"raw.{name}"
    kafka.produce(topic, [("warm-up", raw(99, 0))])
    site = make_site(folder, name, kafka, almanac__roles="adapt", ingest__raw_topics=topic)
    (site.folder / "mappings" / "meters.json").write_text(json.dumps(METERS | {"topics": [topic]}))
    thread = threading.Thread(target=stream, args=(kafka, topic, random.Random(SEED + 1), lasts_s))
    thread.start()
    return site, thread


def normalized(value):
    return {"entity": f"adapt-{value['id']}", "type": "SmartMeter",
            "time": datetime.fromtimestamp(value["at"], timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "values": {"activePower": half(value["kw"])}, "units": {"activePower": "kW"}}


def check_output(kafka, name):
    """Each raw message has its normalized one, once, in the order of its entity; how many there are."""
    want, found = {}, {}
    for message in sorted(kafka.consume(f"raw.{name}"), key=lambda m: (m["partition"], m["offset"])):
        value = normalized(json.loads(message["payload"]))
        want.setdefault(value["entity"], []).append(value)
    count = sum(map(len, want.values()))
    harness.wait_for(lambda: len(kafka.consume(f"readings.{name}")) >= count, 90, 0.5)
    for message in sorted(kafka.consume(f"readings.{name}"), key=lambda m: (m["partition"], m["offset"])):
        found.setdefault(message["key"], []).append(json.loads(message["payload"], parse_float=str, parse_int=str))
    assert found == want, {entity: (len(found.get(entity, [])), len(want[entity])) for entity in want}
    return count


def test_killed_at_any_moment_the_output_has_each_message_once_and_in_order(context):
    rng = random.Random(SEED)
    site, thread = begin_stream(context, "kill", KILLS)
    for _ in range(KILLS):
        site.start(False)
        time.sleep(rng.uniform(0.1, 1.5))   # the random moment is what is tested, no wait for anything
        assert site.process.poll() is None, site.log()[-1000:]
        site.kill()
    thread.join()
    site.start(False)
    assert check_output(context[1], "kill") >= MESSAGES
    site.stop()


def half(kw):
    """Half of a number with one decimal, as a plain decimal."""
    text = f"{round(kw * 10) * 5 / 100:.2f}"
    return text.rstrip("0").rstrip(".")


def test_timestamps_stay_those_of_the_raw_messages(context):
    _, kafka = context
    stamps = {}
    for message in kafka.consume("raw.kill"):
        value = json.loads(message["payload"])
        stamps[f"adapt-{value['id']}", value["at"]] = message["ts"]
    for message in kafka.consume("readings.kill"):
        value = json.loads(message["payload"])
        at = int(datetime.strptime(value["time"], "%Y-%m-%dT%H:%M:%S%z").timestamp())
        assert stamps[value["entity"], at] == message["ts"]


def test_readiness_says_that_the_broker_is_away_and_a_stop_does_not_wait_for_it(context):
    folder, kafka = context
    site = make_site(folder, "lonely", kafka, almanac__roles="serve adapt")
    site.start()
    ready = lambda: json.loads(site.request("/readyz", token=None)[2])
    assert harness.wait_for(lambda: ready()["status"] == "ready")
    kafka.stop()
    harness.wait_for(lambda: ready()["status"] == "degraded" and any("adapt" in why for why in ready()["reasons"]))
    kafka.start()
    harness.wait_for(lambda: ready()["status"] == "ready")
    kafka.produce("raw.meters", [("k", raw(5, second)) for second in range(50)])
    kafka.stop()
    site.stop()
    kafka.start()


def test_a_second_adapter_on_the_directory_is_refused(context):
    folder, kafka = context
    site = make_site(folder, "twice", kafka, almanac__roles="serve adapt", http__listen=f"127.0.0.1:{harness.free_port()}")
    site.start()
    other = site.another()
    other.log_path = folder / "other.log"
    other.start(False, "--set", f"http.listen={other.settings['http.listen']}")
    assert other.process.wait(20) == 1
    assert "another process has the role adapt" in other.log()
    other.process = None
    site.stop()


def test_it_works_with_the_embedded_broker_too(context):
    folder, _ = context
    site = make_site(folder, "embedded", None, almanac__roles="ingest serve adapt")
    site.start()
    bootstrap = (site.folder / "run" / "broker").read_text()
    context[1].produce("raw.meters", [("k", raw(1, second)) for second in range(2000)], bootstrap=bootstrap)
    site.wait_count(2000, entity="adapt-1")
    site.stop()


def test_what_is_wrong_with_mappings_is_said_before_anything_starts(context):
    folder, kafka = context
    site = make_site(folder, "wrong", kafka, almanac__roles="adapt")
    (site.folder / "mappings" / "rows.json").write_text(json.dumps(ROWS | {"values": [{"field": "x", "property": "temperature"}]}))
    daemon = lambda *args: harness.subprocess.run([str(harness.BUILD / "almanacd"), "-c", str(site.folder / "almanac.conf"), *args],
                                                  capture_output=True, text=True, timeout=60)
    for args in ((), ("--check",)):
        done = daemon(*args)
        assert done.returncode == 1 and '"/values/0/field"' in done.stderr and 'field "x" has no rule' in done.stderr, done.stderr
    (site.folder / "mappings" / "rows.json").write_text(json.dumps(ROWS))
    for path in (site.folder / "mappings").iterdir():
        path.unlink()
    assert "there is no mapping" in daemon().stderr


sys.exit(harness.main(globals()))

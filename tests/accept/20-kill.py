#!/usr/bin/env python3
"""kill -9 at random moments while readings stream in: not one is lost, not one is doubled (I1, I2).

    KILLS=50 READINGS=1000000 SEED=7 tests/accept/20-kill.py
"""
import os
import random
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import harness

KILLS = int(os.environ.get("KILLS", "8"))
READINGS = int(os.environ.get("READINGS", "120000"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
ENTITIES = 10
START = datetime(2025, 3, 1, tzinfo=timezone.utc)
TOPIC = "readings.kill"


def value(entity, second):
    """Any function that tells a misplaced reading."""
    return (second * 7919 + entity * 104729) % 100003 / 10


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", partitions=2)
    kafka.produce(TOPIC, [("warm-up", message(ENTITIES, 0, 1))])
    # small delays: flush and seal happen between the kills, too
    site = harness.Site(folder / "site", kafka, kafka__group__id="kill", ingest__topics=TOPIC, store__seal_after="PT2S")
    return kafka, site


def teardown(context):
    kafka, site = context
    if site.process:
        site.kill()
    kafka.stop()


def message(entity, second, n):
    times = [(START + timedelta(seconds=second + i)).strftime("%Y-%m-%dT%H:%M:%SZ") for i in range(n)]
    return {"entity": f"kill-{entity}", "type": "SmartMeter", "time": times,
            "values": {"activePower": [value(entity, second + i) for i in range(n)]}}


def stream(kafka, done):
    """One to forty readings a message, at a pace that lasts as long as the kills."""
    rng = random.Random(SEED)
    producer = kafka.producer(TOPIC)
    next_second = [0] * ENTITIES
    sent, begin, span = 0, time.monotonic(), 1.0 * KILLS
    while sent < READINGS:
        entity = rng.randrange(ENTITIES)
        n = min(rng.randint(1, 40), READINGS - sent)
        producer.stdin.write(f"kill-{entity}\x01{harness.json.dumps(message(entity, next_second[entity], n))}\x02")
        next_second[entity] += n
        sent += n
        ahead = sent / READINGS * span - (time.monotonic() - begin)
        if ahead > 0.1:
            producer.stdin.flush()
            time.sleep(ahead)
    producer.stdin.close()
    assert producer.wait(600) == 0
    done.extend(next_second)


def test_nothing_is_lost_or_doubled(context):
    kafka, site = context
    rng = random.Random(SEED + 1)
    sent = []
    print(f"# SEED={SEED} KILLS={KILLS} READINGS={READINGS}", flush=True)
    producing = threading.Thread(target=stream, args=(kafka, sent))
    producing.start()
    for _ in range(KILLS):
        site.start(ready=False)
        time.sleep(rng.uniform(0.05, 1.5))  # the random moment is what is tested, no wait for anything
        site.kill()
    site.start(ready=False)
    producing.join()
    assert len(sent) == ENTITIES and sum(sent) == READINGS
    site.wait_ready(120)
    site.wait_count(READINGS, timeout=120, entity="kill-?", property="activePower")
    for entity in range(ENTITIES):
        rows = site.rows(entity=f"kill-{entity}", property="activePower", from_="2025-03-01T00:00:00Z", to="2025-12-01T00:00:00Z",
                         time="ms")
        expected = [[int(START.timestamp() + s) * 1000, harness.Decimal(str(value(entity, s)))] for s in range(sent[entity])]
        assert rows == expected, f"kill-{entity}: {len(rows)} rows instead of {len(expected)}, or other values"
    [total] = site.rows(entity="kill-0", property="activePower", from_="2025-01-01T00:00:00Z", to="2026-01-01T00:00:00Z",
                        step="P1Y", agg="count")
    assert total[1] == sent[0]


def test_no_message_was_refused_and_no_gap_recorded(context):
    _, site = context
    assert harness.json.loads(site.cli("deadletter", "list", "--json").stdout) == []
    assert "gap" not in site.log().lower() or "gaps=0" in site.log()


def test_an_orderly_stop_and_start_changes_nothing(context):
    _, site = context
    site.stop()
    left = [path.name for path in site.folder.rglob("*") if path.name.endswith(("-wal", "-shm"))]
    assert not left, left
    site.start()
    site.wait_count(READINGS, entity="kill-?", property="activePower")


sys.exit(harness.main(globals()))

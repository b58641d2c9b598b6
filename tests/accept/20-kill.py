#!/usr/bin/env python3
"""kill -9 at random moments while readings stream in: not one is lost, not one is doubled (I1, I2).

    KILLS=3000 READINGS=2000000 SEED=7 tests/accept/20-kill.py
"""
import os
import random
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import harness

KILLS = int(os.environ.get("KILLS", "60"))
READINGS = int(os.environ.get("READINGS", "60000"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
ENTITIES = 10
START = datetime(2025, 3, 1, tzinfo=timezone.utc)
TOPIC = "readings.kill"
PARTITIONS = 2


def value(entity, second):
    """Any function that tells a misplaced reading."""
    return (second * 7919 + entity * 104729) % 100003 / 10


MEAN_LIFE = 0.32


def stored(site):
    return sum(site.position(TOPIC, partition) for partition in range(PARTITIONS))


def live(site, rng, before):
    """Lets a daemon live for a while: half of them count from their start (0.2 s to the first stored reading on an idle
    machine), half from when something was stored, or nothing came. A flush and a seal come later. The random moment is what
    is tested, no wait for anything."""
    if rng.random() < 0.5:
        time.sleep(rng.uniform(0.03, 0.3))
        return
    end = time.monotonic() + 1
    while stored(site) == before and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.5) if rng.random() < 0.2 else rng.uniform(0, 0.1))


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", partitions=PARTITIONS)
    kafka.produce(TOPIC, [("warm-up", message(ENTITIES, 0, 1))])
    # small delays: flush and seal happen between the kills, too
    site = harness.Site(folder / "site", kafka, kafka__group__id="kill", ingest__topics=TOPIC, store__seal_after="PT0.1S",
                        kafka__fetch__wait__max__ms=20)
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
    """One to forty readings a message, in bursts with pauses between, so that batches are flushed and windows sealed in
    between, at a pace that lasts as long as the kills."""
    rng = random.Random(SEED)
    producer = kafka.producer(TOPIC)
    next_second, pause = [0] * ENTITIES, 0.1
    sent, begin, span = 0, time.monotonic(), MEAN_LIFE * KILLS
    while sent < READINGS:
        entity = rng.randrange(ENTITIES)
        n = min(rng.randint(1, 40), READINGS - sent)
        producer.stdin.write(f"kill-{entity}\x01{harness.json.dumps(message(entity, next_second[entity], n))}\x02")
        next_second[entity] += n
        sent += n
        ahead = sent / READINGS * span - (time.monotonic() - begin)
        if ahead > pause:
            producer.stdin.flush()
            time.sleep(ahead)
            pause = rng.uniform(0, 0.6)
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
    worked, before = 0, 0
    for _ in range(KILLS):
        site.start(ready=False)
        live(site, rng, before)
        site.kill()
        offsets = stored(site)
        worked, before = worked + (offsets > before), offsets
    files = sorted({path.name.split(".")[1] for path in site.folder.rglob("*.g*.db")})
    print(f"# {worked} of {KILLS} hit a daemon that had stored something; files then: {files}", flush=True)
    assert worked > KILLS // 4 and "raw" in files, "the kills came too early to test much"
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

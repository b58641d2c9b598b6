#!/usr/bin/env python3
"""The disk is full, or read-only, at random moments while readings stream in: the daemon lives on, says so, answers, and goes
on by itself when it can; nothing is lost and nothing doubled.

A full disk is a small file system of its own, filled up, where we may mount one; else, and for the read-only disk, the
system's calls are made to fail (tests/lib/spoilt_disk.c).

    MOMENTS=50 SEED=7 tests/accept/72-disk.py
"""
import os
import random
import subprocess
import sys
import threading
import time

import harness

MOMENTS = int(os.environ.get("MOMENTS", "10"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC, PARTITIONS = "readings.disk", 2
START_MS = 1740787200000  # 2025-03-01
DISK_BYTES = 24 << 20


def value(partition, offset):
    """Any function that tells a misplaced reading."""
    return (offset * 7919 + partition * 104729) % 100003


class Context:
    def __init__(self, folder):
        spoilt = folder / "spoilt_disk.so"
        subprocess.run([*os.environ.get("CC", "cc").split(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", str(spoilt),
                        str(harness.TOP / "tests" / "lib" / "spoilt_disk.c"), "-ldl"], check=True)
        self.random = random.Random(SEED)
        self.kafka = harness.Kafka(folder / "kafka", partitions=PARTITIONS)
        self.sent, self.ending = [0] * PARTITIONS, threading.Event()
        self.disk = folder / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "almanac-test", str(self.disk)],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.mounted = mounted.returncode == 0
        if not self.mounted:
            print(f"# no file system of its own, full disks are made by failing calls: {mounted.stdout.strip()}")
        for partition in range(PARTITIONS):
            self.kafka.produce(TOPIC, [("k", self.message(partition))], "-p", str(partition))
        self.site = harness.Site(self.disk / "site", self.kafka, kafka__group__id="disk", ingest__topics=TOPIC,
                                 store__seal_after="PT0.3S", store__free_min="4KB")
        self.switch = folder / "spoilt"
        self.site.log_path = folder / "site.log"  # not on that disk
        self.site.environment = {"LD_PRELOAD": str(spoilt), "SPOILT_DIR": str(self.site.folder / "store"),
                                 "SPOILT_SWITCH": str(self.switch)}
        self.site.start()
        self.sending = threading.Thread(target=self.send)
        self.sending.start()

    def message(self, partition):
        offset = self.sent[partition]
        self.sent[partition] += 1
        return {"entity": f"disk-{partition}-{offset // 2000}", "type": "SmartMeter", "time": START_MS + offset * 1000,
                "values": {"activePower": value(partition, offset)}}

    def send(self):
        """Bursts and pauses, so that batches are flushed and windows sealed, too; a new series comes now and then."""
        rng = random.Random(SEED + 1)
        producers = [self.kafka.producer(TOPIC, "-p", str(partition)) for partition in range(PARTITIONS)]
        while not self.ending.wait(rng.choice((0.02, 0.02, 0.02, 0.6))):
            for partition, producer in enumerate(producers):
                for _ in range(20):
                    producer.stdin.write(f"k\x01{harness.json.dumps(self.message(partition))}\x02")
                producer.stdin.flush()
        for producer in producers:
            producer.stdin.close()
            assert producer.wait(60) == 0

    def spoil(self, how):
        """Returns what makes it well again."""
        if how == "full" and self.mounted:
            ballast = self.disk / "ballast"
            left = self.random.choice((0, 0, 8 << 10, 16 << 10))
            with open(ballast, "wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    pass
                file.truncate(max(0, file.tell() - left))
            return ballast.unlink
        self.switch.write_text("full" if how == "full" else "")
        return self.switch.unlink

    def reasons(self):
        return " ".join(harness.json.loads(self.site.request("/readyz", token=None)[2])["reasons"])


def setup(folder):
    print(f"# SEED={SEED} MOMENTS={MOMENTS}", flush=True)
    return Context(folder)


def teardown(context):
    context.ending.set()
    context.sending.join()
    if context.site.process:
        context.site.kill()
    context.kafka.stop()
    if context.mounted:
        subprocess.run(["umount", str(context.disk)], check=True)


def moment(context, how):
    site = context.site
    mend = context.spoil(how)
    try:
        harness.wait_for(context.reasons, 30)
        status, _, body = site.request("/readyz", token=None)
        told = context.reasons()
        assert status == 200 and harness.json.loads(body)["status"] == "degraded", body
        assert site.process.poll() is None, site.log()[-1000:]
        assert site.get("/v1/series")["series"], "what is there can be read"
        site.rows(entity="disk-0-0", from_="2025-02-01T00:00:00Z", to="2027-03-01T00:00:00Z", step="P1D", agg="count")
    finally:
        mend()
    behind = list(context.sent)
    harness.wait_for(lambda: all(site.position(TOPIC, partition) >= behind[partition] for partition in range(PARTITIONS)), 60)
    harness.wait_for(lambda: not context.reasons(), 30)
    return told


def test_a_full_or_read_only_disk_is_said_and_survived(context):
    told = {"full": set(), "read-only": set()}
    for number in range(MOMENTS):
        how = ("full", "read-only")[number % 2]
        time.sleep(context.random.uniform(0, 0.5))  # the random moment is what is tested, no wait for anything
        told[how].add(moment(context, how))
    for how, texts in told.items():
        print(f"# {how}: {sorted(texts)}")
    assert all("full" in text or "space" in text or "not stored" in text for texts in told.values() for text in texts)


def test_nothing_is_lost_or_doubled(context):
    context.ending.set()
    context.sending.join()
    site = context.site
    for partition in range(PARTITIONS):
        sent = context.sent[partition]
        harness.wait_for(lambda: site.position(TOPIC, partition) == sent, 60)
        rows = []
        for part in range((sent + 1999) // 2000):
            rows += site.rows(entity=f"disk-{partition}-{part}", from_="2025-02-01T00:00:00Z", to="2027-03-01T00:00:00Z",
                              time="ms")
        expected = [[START_MS + offset * 1000, value(partition, offset)] for offset in range(sent)]
        assert rows == expected, f"partition {partition}: {len(rows)} rows instead of {sent}, or other values"
        assert site.gaps(TOPIC, partition) == []
    assert harness.json.loads(site.cli("deadletter", "list", "--json").stdout) == []
    log = site.log()
    failed = {event: log.count(f" {event} ") for event in ("reading_paused", "store_failed", "flush_failed", "seal_failed")}
    print(f"# {sum(context.sent)} readings; {failed}")


def test_after_it_the_daemon_stops_and_starts_in_order(context):
    context.site.stop()
    context.site.start()
    context.site.wait_count(sum(context.sent), entity="disk-*")
    context.site.stop()


sys.exit(harness.main(globals()))

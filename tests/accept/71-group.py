#!/usr/bin/env python3
"""Daemons of one consumer group share a topic: one joins, one leaves, one is killed, under load. And one daemon whose group
or whose directory is put back to an earlier time.

    SEED=7 tests/accept/71-group.py
"""
import os
import random
import shutil
import sys
import threading

import harness

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC, PARTITIONS = "readings.shared", 6
SOLO = "readings.solo"
SESSION_MS = 2000
START_MS = 1740787200000  # 2025-03-01
PER_SECOND = 60           # a partition


def value(partition, offset):
    """Any function that tells a misplaced reading."""
    return (offset * 7919 + partition * 104729) % 100003


class Load:
    """Messages without end: the one at offset n of a partition is the reading of its second n."""

    def __init__(self, kafka, topic, partitions):
        self.kafka, self.topic = kafka, topic
        self.sent = [0] * partitions
        self.ending = threading.Event()
        self.lock = threading.Lock()

    def message(self, partition):
        offset = self.sent[partition]
        self.sent[partition] += 1
        return {"entity": f"{self.topic}-{partition}", "type": "SmartMeter", "time": START_MS + offset * 1000,
                "values": {"activePower": value(partition, offset)}}

    def send(self, n):
        """The next n messages of each partition, all acknowledged."""
        for partition in range(len(self.sent)):
            self.kafka.produce(self.topic, [("k", self.message(partition)) for _ in range(n)], "-p", str(partition))

    def start(self):
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        producers = [self.kafka.producer(self.topic, "-p", str(partition)) for partition in range(len(self.sent))]
        while not self.ending.wait(0.1):
            for partition, producer in enumerate(producers):
                for _ in range(PER_SECOND // 10):
                    producer.stdin.write(f"k\x01{harness.json.dumps(self.message(partition))}\x02")
                producer.stdin.flush()
        for producer in producers:
            producer.stdin.close()
            assert producer.wait(60) == 0

    def end(self):
        self.ending.set()
        self.thread.join()


class Context:
    def __init__(self, folder):
        self.folder = folder
        self.kafka = harness.Kafka(folder / "kafka", partitions=PARTITIONS, group__min__session__timeout__ms=500)
        self.load = Load(self.kafka, TOPIC, PARTITIONS)
        self.load.send(20)
        self.sites = [self.site(name, "shared", TOPIC) for name in ("one", "two", "three")]

    def site(self, name, group, topics):
        return harness.Site(self.folder / name, self.kafka, kafka__group__id=group, ingest__topics=topics,
                            kafka__session__timeout__ms=SESSION_MS)


def setup(folder):
    print(f"# SEED={SEED}", flush=True)
    random.seed(SEED)
    return Context(folder)


def teardown(context):
    context.load.ending.set()
    for site in context.sites:
        if site.process:
            site.kill()
    context.kafka.stop()


def shares(sites, *numbers):
    harness.wait_for(lambda: [len(site.owned() or []) for site in sites] == list(numbers), 60)


def coverage(site):
    status, headers, _ = site.request("/v1/series")
    assert status == 200
    return headers["Almanac-Coverage"]


def read(site, topic, partition):
    """What HTTPS answers for a partition, as {offset: value}."""
    series = site.get("/v1/series", entity=f"{topic}-{partition}")["series"]
    if not series or not series[0]["count"]:
        return {}
    rows = site.rows(entity=f"{topic}-{partition}", from_="2025-02-01T00:00:00Z", to="2027-03-01T00:00:00Z", time="ms")
    assert len({row[0] for row in rows}) == len(rows)
    return {(row[0] - START_MS) // 1000: row[1] for row in rows}


def test_partitions_move_under_load_and_the_union_is_whole(context):
    one, two, three = context.sites
    context.load.start()
    one.start()
    shares([one], 6)
    assert coverage(one) is None, "nobody else is there"
    two.start(ready=False)
    shares([one, two], 3, 3)
    harness.wait_for(lambda: coverage(one) == "partial")
    two.wait_ready()
    harness.wait_for(lambda: coverage(two) == "partial")
    moved = sorted(set(range(PARTITIONS)) - set(one.owned()))
    before = {partition: one.holdings(TOPIC, partition) for partition in moved}
    assert all(before.values())
    three.start(ready=False)
    shares([one, two, three], 2, 2, 2)
    harness.wait_for(lambda: all(three.position(TOPIC, partition) > 0 for partition in three.owned()))
    two.stop()
    shares([one, three], 3, 3)
    harness.wait_for(lambda: sum(one.position(TOPIC, partition) for partition in one.owned()) > 0)
    mark = list(context.load.sent)
    harness.wait_for(lambda: all(three.position(TOPIC, partition) > mark[partition] for partition in three.owned()))
    context.killed = {partition: None for partition in three.owned()}
    three.kill()
    context.killed = {partition: three.position(TOPIC, partition) for partition in context.killed}
    shares([one], 6)
    two.start(ready=False)
    shares([one, two], 3, 3)
    three.start(ready=False)
    shares([one, two, three], 2, 2, 2)
    context.load.end()
    for partition, held in before.items():
        assert held <= set(read(one, TOPIC, partition)), f"{partition} moved away, and what was here cannot be read any more"
    twice = 0
    for partition in range(PARTITIONS):
        sent = context.load.sent[partition]
        harness.wait_for(lambda: max(site.position(TOPIC, partition) for site in context.sites) == sent, 60)
        held = [site.holdings(TOPIC, partition) for site in context.sites]
        missing = set(range(sent)) - held[0] - held[1] - held[2]
        assert not missing, f"partition {partition}: nobody holds {sorted(missing)[:10]}"
        for offset in range(sent):  # only what the killed one had not told Kafka yet is held twice
            if sum(offset in each for each in held) > 1:
                twice += 1
                end = context.killed.get(partition, 0)
                assert end - 3 * PER_SECOND * SESSION_MS // 1000 <= offset < end, f"partition {partition}: {offset} is held twice"
    print(f"# {sum(context.load.sent)} readings, {twice} of them in two stores")


def test_each_store_answers_what_it_says_it_holds(context):
    for site in context.sites:
        site.wait_ready()
        for partition in range(PARTITIONS):
            got = read(site, TOPIC, partition)
            assert set(got) == site.holdings(TOPIC, partition), f"{site.folder.name} {partition}"
            assert all(number == value(partition, offset) for offset, number in got.items())
        assert coverage(site) == "partial"


def test_who_is_left_alone_still_says_that_others_hold_a_part(context):
    one, two, three = context.sites
    two.stop()
    three.stop()
    shares([one], 6)
    assert coverage(one) == "partial"
    one.stop()


def solo(context, n):
    """The daemon of a group of its own holds n messages of each partition, once."""
    harness.wait_for(lambda: all(context.solo.position(SOLO, partition) == n for partition in range(PARTITIONS)), 60)
    for partition in range(PARTITIONS):
        got = read(context.solo, SOLO, partition)
        assert got == {offset: value(partition, offset) for offset in range(n)}, f"partition {partition}: {len(got)} of {n}"
        [(readings,)] = context.solo.ask(SOLO, partition, "SELECT coalesce(sum(n_readings), 0) FROM batch") or [(0,)]
        assert readings <= n, f"partition {partition}: {readings} readings wait in batches, of {n} messages"
        assert context.solo.gaps(SOLO, partition) == []
    assert coverage(context.solo) is None


def test_a_group_whose_offsets_are_set_to_zero_or_gone_doubles_nothing(context):
    context.solo = context.site("solo", "solo", SOLO)
    context.sites.append(context.solo)
    context.solo_load = load = Load(context.kafka, SOLO, PARTITIONS)
    load.send(50)
    context.solo.start()
    solo(context, 50)
    context.solo.stop()
    context.kafka.group("solo", "--reset-offsets", "--to-earliest", "--all-topics", "--execute")
    load.send(50)
    context.solo.start()
    solo(context, 100)
    context.solo.stop()
    context.kafka.group("solo", "--delete")
    load.send(50)
    context.solo.start()
    solo(context, 150)
    context.solo.stop()


def test_an_older_directory_put_back_reads_on_from_its_own_offsets(context):
    older = context.folder / "older"
    shutil.copytree(context.solo.folder, older)
    context.solo_load.send(50)
    context.solo.start()
    solo(context, 200)
    context.solo.stop()
    shutil.rmtree(context.solo.folder)
    shutil.copytree(older, context.solo.folder)
    assert all(context.solo.position(SOLO, partition) == 150 for partition in range(PARTITIONS))
    context.solo.start()
    solo(context, 200)
    context.solo_load.send(50)
    solo(context, 250)
    context.solo.stop()


sys.exit(harness.main(globals()))

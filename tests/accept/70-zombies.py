#!/usr/bin/env python3
"""Two daemons of a group share a topic; one is stopped past its session timeout while it works, the other takes its partition
over, and the first goes on: of what it had in hand it stores nothing (I4).

    ZOMBIES=300 SEED=7 tests/accept/70-zombies.py
"""
import os
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness

ZOMBIES = int(os.environ.get("ZOMBIES", "10"))
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
PAIRS = 5  # work side by side: a round is mostly waiting
SESSION_MS = 2000
PARTITIONS = 2
START_MS = 1740787200000  # 2025-03-01
PER_SECOND = 100


def value(partition, offset):
    """Any function that tells a misplaced reading."""
    return (offset * 7919 + partition * 104729) % 100003


class Pair:
    """Two sites of one group, and a topic whose message at offset n of a partition is the reading of its second n."""

    def __init__(self, folder, kafka, number):
        self.topic, self.kafka = f"readings.zombie{number}", kafka
        self.random = random.Random(SEED + number)
        self.sent = [0] * PARTITIONS
        self.stop_sending = threading.Event()
        self.overlaps = []  # (partition, offset behind it): where a daemon was stopped
        self.n_in_commit = 0
        self.begin()
        settings = {"kafka.group.id": f"zombie{number}", "ingest.topics": self.topic, "kafka.session.timeout.ms": SESSION_MS}
        self.sites = [harness.Site(folder / f"{name}{number}", kafka, **settings) for name in ("one", "two")]

    def message(self, partition, offset):
        return {"entity": f"z-{partition}", "type": "SmartMeter", "time": START_MS + offset * 1000,
                "values": {"activePower": value(partition, offset)}}

    def begin(self):
        for partition in range(PARTITIONS):
            self.kafka.produce(self.topic, [(f"z-{partition}", self.message(partition, 0))], "-p", str(partition))
            self.sent[partition] = 1

    def send(self):
        producers = [self.kafka.producer(self.topic, "-p", str(partition)) for partition in range(PARTITIONS)]
        while not self.stop_sending.wait(0.05):
            for partition, producer in enumerate(producers):
                for _ in range(PER_SECOND // 20):
                    message = harness.json.dumps(self.message(partition, self.sent[partition]))
                    producer.stdin.write(f"z-{partition}\x01{message}\x02")
                    self.sent[partition] += 1
                producer.stdin.flush()
        for producer in producers:
            producer.stdin.close()
            assert producer.wait(60) == 0

    def wait_shared(self):
        """Each daemon has one partition, and says so last."""
        harness.wait_for(lambda: all(site.assigned() == 1 for site in self.sites), 60)

    def own_end(self, victim, partition, n_gaps):
        """Where its own readings ended: that is where a gap begins that comes behind n_gaps others, or where it stands when it does
        not own the partition any more. A list; nothing in it while it is not known yet which of the two will be."""
        position, owned = victim.position(self.topic, partition), victim.owned()
        if owned is None:
            return []
        if partition not in owned:
            return [position]
        return [begin for begin, _, _ in victim.gaps(self.topic, partition)[n_gaps:]]

    def make_zombie(self):
        self.wait_shared()
        victim, other = self.random.sample(self.sites, 2)
        partition = harness.wait_for(lambda: victim.owned(), 60)[-1]
        # where it took over from the other it goes on behind that one's readings only once it has noted what the other holds
        harness.wait_for(lambda: victim.position(self.topic, partition) > other.position(self.topic, partition), 60)
        time.sleep(self.random.uniform(0, 0.4))  # the random moment is what is tested, no wait for anything
        victim.process.send_signal(signal.SIGSTOP)
        harness.wait_for(lambda: is_stopped(victim.process.pid), every=0.001)
        in_commit = holds_write_lock(victim, self.topic, partition)
        stopped_at = victim.position(self.topic, partition)
        harness.wait_for(lambda: other.position(self.topic, partition) > stopped_at + PER_SECOND // 4, 60)
        n_gaps = len(victim.gaps(self.topic, partition))
        n_assigned = victim.log().count(" assigned ")
        victim.process.send_signal(signal.SIGCONT)
        # once it has its place from the group again, the record of what others hold says where its own ended
        harness.wait_for(lambda: victim.log().count(" assigned ") > n_assigned, 60)
        ended_at = harness.wait_for(lambda: self.own_end(victim, partition, n_gaps), 60)[0]
        self.overlaps.append((partition, ended_at))
        if in_commit and ended_at > stopped_at:
            self.n_in_commit += 1
        else:
            assert ended_at == stopped_at, f"partition {partition}: stopped at {stopped_at}, but stored until {ended_at}"


def is_stopped(pid):
    """A signal takes its time: each thread stops when it next comes out of the kernel."""
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


def holds_write_lock(site, topic, partition):
    """Whether the process was stopped inside a write transaction: SQLite's lock 120 of the -shm file."""
    shm = site.folder / "store" / topic / str(partition) / "ingest.db-shm"
    inode = str(shm.stat().st_ino)
    for line in open("/proc/locks"):
        fields = line.split()
        if int(fields[4]) == site.process.pid and fields[5].split(":")[2] == inode and fields[3] == "WRITE":
            return fields[6] == "120"
    return False


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", partitions=PARTITIONS, group__min__session__timeout__ms=500)
    return kafka, [Pair(folder, kafka, number) for number in range(PAIRS)]


def teardown(context):
    kafka, pairs = context
    for pair in pairs:
        pair.stop_sending.set()
        for site in pair.sites:
            if site.process:
                site.process.send_signal(signal.SIGCONT)
                site.kill()
    kafka.stop()


def run(pair, n):
    for site in pair.sites:
        site.start(ready=False)
    sending = threading.Thread(target=pair.send)
    sending.start()
    try:
        for _ in range(n):
            pair.make_zombie()
        pair.wait_shared()
    finally:
        pair.stop_sending.set()
        sending.join()


def test_a_stopped_process_stores_nothing_of_what_it_had_in_hand(context):
    _, pairs = context
    print(f"# SEED={SEED} ZOMBIES={ZOMBIES}", flush=True)
    with ThreadPoolExecutor(PAIRS) as pool:
        shares = [ZOMBIES // PAIRS + (number < ZOMBIES % PAIRS) for number in range(PAIRS)]
        for done in [pool.submit(run, *each) for each in zip(pairs, shares)]:
            done.result()
    n, n_in_commit = sum(len(pair.overlaps) for pair in pairs), sum(pair.n_in_commit for pair in pairs)
    print(f"# {n} zombies, of which {n_in_commit} were stopped in the middle of a commit that then went through")


def test_the_union_is_whole_and_only_what_was_not_told_yet_is_held_twice(context):
    _, pairs = context
    twice = 0
    for pair in pairs:
        for partition in range(PARTITIONS):
            sent = pair.sent[partition]
            harness.wait_for(lambda: max(site.position(pair.topic, partition) for site in pair.sites) == sent, 60)
            one, two = (site.holdings(pair.topic, partition) for site in pair.sites)
            assert one | two == set(range(sent)), f"{pair.topic} {partition}: missing {sorted(set(range(sent)) - one - two)[:10]}"
            both = one & two
            twice += len(both)
            ends = {end for stopped, end in pair.overlaps if stopped == partition}
            for offset in both:  # every stretch held twice ends where a daemon was stopped
                assert offset + 1 in both or offset + 1 in ends, f"{pair.topic} {partition}: {offset} is held twice; stops {ends}"
    print(f"# {sum(sum(pair.sent) for pair in pairs)} readings, {twice} of them held by two stores")


def test_each_store_answers_what_it_says_it_holds(context):
    _, pairs = context
    for pair in pairs:
        for site in pair.sites:
            site.wait_ready()
            for partition in range(PARTITIONS):
                held = site.holdings(pair.topic, partition)
                rows = site.rows(entity=f"z-{partition}", from_="2025-02-01T00:00:00Z", to="2027-03-01T00:00:00Z",
                                 time="ms") if held else []
                expected = [[START_MS + offset * 1000, value(partition, offset)] for offset in sorted(held)]
                assert rows == expected, f"{site.folder.name} {partition}: {len(rows)} rows, {len(held)} held, or other values"


sys.exit(harness.main(globals()))

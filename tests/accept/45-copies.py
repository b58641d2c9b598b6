#!/usr/bin/env python3
"""Snapshots, backups and restores while readings come in.

    BACKUPS=100 BACKUP_KILLS=100 SEED=7 tests/accept/45-copies.py
"""
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone

import harness

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
BACKUPS = int(os.environ.get("BACKUPS", "5"))
KILLS = int(os.environ.get("BACKUP_KILLS", BACKUPS))
TOPIC, UNIQUE, PARTITIONS = "readings.copies", "readings.unique", 2  # in UNIQUE every message is a reading of another time
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
ALL = {"from": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}


class Load:
    """Sends readings from a thread of its own: a message a reading, each of another time, over days, so that windows end."""

    def __init__(self, kafka, topic, name):
        self.n, self.name, self.stopped = 0, name, False
        self.producer = kafka.producer(topic)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped:
            for _ in range(100):
                entity = f"{self.name}-{self.n % 7}"
                self.producer.stdin.write(f"{entity}\x01" + json.dumps(reading(entity, self.n // 7)) + "\x02")
                self.n += 1
            self.producer.stdin.flush()
            time.sleep(0.05)

    def stop(self):
        self.stopped = True
        self.thread.join()
        self.producer.stdin.close()
        assert self.producer.wait(60) == 0
        return self.n


def reading(entity, i):
    time_ = (T0 + timedelta(minutes=2 * i)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"entity": entity, "type": "SmartMeter", "time": time_, "values": {"voltage": i % 500}}


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", PARTITIONS)
    kafka.produce(TOPIC, [(f"load-{i}", reading(f"load-{i}", 100000)) for i in range(7)])
    site = harness.Site(folder / "site", kafka, kafka__group__id="copies", ingest__topics="^readings\\.", store__seal_after="PT1S",
                        store__window="day", kafka__session__timeout__ms=6000, kafka__heartbeat__interval__ms=1500)
    site.start()
    site.settle(kafka, TOPIC, PARTITIONS)
    print(f"# SEED={SEED} BACKUPS={BACKUPS} KILLS={KILLS}", flush=True)
    return kafka, site


def teardown(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def snapshot(site, method="POST", path="/v1/snapshots", **body):
    headers = {"Content-Type": "application/json"} if body else {}
    return site.request(path, method=method, body=json.dumps(body).encode() if body else None, headers=headers)


# ---- snapshots ----

QUESTIONS = [("/v1/range", {"entity": "load-*", "type": "SmartMeter", "format": "csv"} | ALL),
             ("/v1/range", {"entity": "load-*", "step": "P1D", "agg": "count,mean,min,max", "fill": "none"} | ALL),
             ("/v1/range", {"entity": "load-1", "from": "-P2000D", "to": "now", "step": "P1D", "fill": "none", "agg": "count"}),
             ("/v1/series", {}), ("/v1/series/1", {})]


def answers(site, name):
    found = []
    for path, parameters in QUESTIONS:
        status, headers, body = site.request(path, parameters | {"snapshot": name})
        assert status == 200, body[:300]
        assert headers["Cache-Control"].startswith("private, max-age=") and headers["Cache-Control"].endswith(", immutable")
        found.append((headers["Almanac-Position"], body))
    return found


def files(site):
    return {path.name for path in (site.folder / "store").rglob("*.g*.db")}


def test_a_snapshot_gives_the_same_bytes_while_windows_are_sealed_and_retired(context):
    kafka, site = context
    load = Load(kafka, TOPIC, "load")
    try:
        harness.wait_for(lambda: site.count(entity="load-*") > 2000)
        status, _, body = snapshot(site, name="first", keep="PT1H")
        assert status == 201, body
        made = json.loads(body)
        first = answers(site, "first")
        assert {position for position, _ in first} == {made["position"]}
        before = files(site)
        for _ in range(3):
            n = load.n
            harness.wait_for(lambda: load.n > n + 1500)
            assert answers(site, "first") == first
        assert site.request(*QUESTIONS[3])[2] != first[3][1], "nothing went on meanwhile"
    finally:
        load.stop()
    harness.wait_for(lambda: [name for name in files(site) - before if ".raw." in name])
    assert answers(site, "first") == first
    before = files(site)
    kafka.produce(TOPIC, [(f"load-{i}", reading(f"load-{i}", j) | {"values": {"voltage": 7}}) for i in range(7) for j in range(200)])
    harness.wait_for(lambda: [name for name in files(site) - before if ".raw." in name])
    assert answers(site, "first") == first
    site.stop()
    site.start()
    assert answers(site, "first") == first
    assert [row["name"] for row in site.get("/v1/snapshots")["snapshots"]] == ["first"]


def test_pages_of_a_snapshot_need_no_lease_and_fit_together(context):
    _, site = context
    whole = site.get("/v1/range", entity="load-2", snapshot="first", from_=ALL["from"], to=ALL["to"])["series"][0]["rows"]
    rows, cursor = [], None
    while True:
        page = site.get("/v1/range", entity="load-2", snapshot="first", limit=100, from_=ALL["from"], to=ALL["to"],
                        **({"cursor": cursor} if cursor else {}))
        rows += [row for series in page["series"] for row in series["rows"]]
        cursor = page["next"]
        if not cursor:
            break
    assert rows == whole and len(rows) > 200
    site.problem("/v1/range", 400, "cursor", entity="load-2", limit=100, cursor=site.get(
        "/v1/range", entity="load-2", snapshot="first", limit=100, from_=ALL["from"], to=ALL["to"])["next"], from_=ALL["from"],
        to=ALL["to"])


def test_snapshots_are_refused_by_name_and_go_when_their_time_is_over(context):
    _, site = context
    assert snapshot(site, name="first")[0] == 409
    for name in "../x", ".x", "x.part", "x" * 65, "":
        assert snapshot(site, name=name)[0] == 400, name
    assert snapshot(site, name="x", keep="tomorrow")[0] == 400
    site.problem("/v1/range", 404, "snapshot", entity="load-1", snapshot="never", from_=ALL["from"], to=ALL["to"])
    assert snapshot(site, name="short", keep="PT1S")[0] == 201
    harness.wait_for(lambda: site.request("/v1/series", {"snapshot": "short"})[0] == 410)
    assert [row["name"] for row in site.get("/v1/snapshots")["snapshots"]] == ["first"]
    assert not (site.folder / "snapshots" / "short" / "catalog.db").exists()
    site.problem("/v1/series", 410, "snapshot", snapshot="short")
    assert snapshot(site, "DELETE", "/v1/snapshots/first")[0] == 204
    assert snapshot(site, "DELETE", "/v1/snapshots?name=first")[0] == 404
    site.problem("/v1/series", 404, "snapshot", snapshot="first")
    assert not (site.folder / "snapshots" / "first").exists()


# ---- backups ----

def stored(folder):
    """(readings, offsets) of topic UNIQUE in a data directory."""
    done = subprocess.run([str(harness.BUILD / "almanac"), "query", "--dir", str(folder), "--entity", "unique-*", "--from", ALL["from"],
                           "--to", "2027-01-01T00:00:00Z", "--format", "csv"], stdout=subprocess.PIPE, check=True)
    offsets = 0
    for path in (folder / "store" / UNIQUE).rglob("ingest.db"):
        db = sqlite3.connect(path)
        offsets += db.execute("SELECT max(next_offset, 0) FROM source").fetchone()[0]
        db.close()
    return len(done.stdout.splitlines()) - 1, offsets


def test_backups_under_load_restore_whole(context):
    kafka, site = context
    load = Load(kafka, UNIQUE, "unique")
    last = 0
    try:
        for i in range(BACKUPS):
            harness.wait_for(lambda: site.count(entity="unique-*") > last)
            backup, restored = site.folder.parent / f"backup-{i}", site.folder.parent / f"restored-{i}"
            if i % 2:
                backup.mkdir()  # an empty folder will do
                restored.mkdir()
            site.cli("backup", str(backup) + "/" * (i % 2))
            names = {path.name for path in backup.rglob("*") if path.is_file()}
            assert {"manifest", "almanac.conf", "auth.db", "catalog.db", "ingest.db"} <= names
            assert not {name for name in names if name.endswith((".key", ".pem", "-wal", "-shm")) or name == "incomplete"}, names
            site.cli("restore", str(backup), str(restored))
            site.cli("verify", "--dir", str(restored))
            n, offsets = stored(restored)
            assert n == offsets > last, (n, offsets, last)
            last = n
    finally:
        load.stop()
    assert (backup / "auth.db").stat().st_mode & 0o777 == 0o600
    assert site.folder.joinpath("tls/server.key").read_bytes() != restored.joinpath("tls/server.key").read_bytes()


def test_a_restored_store_reads_what_is_missing_and_nothing_twice(context):
    kafka, site = context
    kafka.produce(UNIQUE, [("unique-new", reading("unique-new", i)) for i in range(100)])
    site.wait_count(100, entity="unique-new")
    n = site.count(entity="unique-*")
    site.stop()  # the group's commits are at the end now, and name this store
    assert stored(site.folder) == (n, n)
    fresh = site.another()
    fresh.folder = site.folder.parent / "fresh"
    fresh.cli("restore", str(site.folder.parent / "backup-0"), str(fresh.folder))
    assert stored(fresh.folder)[0] < n
    fresh.tls = harness.ssl.create_default_context(cafile=str(fresh.folder / "tls" / "server.pem"))
    fresh.log_path = fresh.folder.parent / "fresh.log"
    listen = "http.listen=" + fresh.settings["http.listen"]
    fresh.start(True, "--set", listen)
    fresh.wait_count(n, entity="unique-*")
    uuid = sqlite3.connect(f"file:{fresh.folder}/catalog.db?mode=ro", uri=True).execute(
        "SELECT value FROM info WHERE name = 'uuid'").fetchone()[0]
    for topic in TOPIC, UNIQUE:
        for partition in range(PARTITIONS):
            assert fresh.gaps(topic, partition) == []
            # once the group knows of it, it is a store like any other
            harness.wait_for(lambda: fresh.ask(topic, partition, "SELECT told_as FROM source") == [(uuid,)])
    fresh.stop()
    fresh.cli("verify")
    assert stored(fresh.folder) == (n, n)
    site.start()  # the other one gave what it read to the group; nothing of this one's is read again
    assert site.count(entity="unique-*") == n


def test_a_backup_that_is_killed_is_none(context):
    _, site = context
    rng = random.Random(SEED)
    folder = site.folder.parent
    begin = time.monotonic()
    site.cli("backup", str(folder / "timed"))
    took = time.monotonic() - begin
    left = 0
    for i in range(KILLS):
        dest = folder / f"killed-{i}"
        process = subprocess.Popen([str(harness.BUILD / "almanac"), "backup", "--dir", str(site.folder), str(dest)],
                                   stderr=subprocess.DEVNULL)
        time.sleep(rng.random() * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
        part = folder / f"killed-{i}.part"
        if dest.exists():
            site.cli("restore", str(dest), str(folder / f"of-killed-{i}"))
            continue
        if part.exists():
            left += 1
            done = site.cli("restore", str(part), str(folder / f"of-killed-{i}"), check=False)
            assert done.returncode == 1 and not (folder / f"of-killed-{i}").exists(), done
        site.cli("backup", str(dest))
        assert not part.exists()
        site.cli("restore", str(dest), str(folder / f"of-killed-{i}"))
    print(f"# {left} of {KILLS} left something behind", flush=True)


def test_a_damaged_backup_is_refused_by_name_and_nothing_is_made(context):
    _, site = context
    rng = random.Random(SEED)
    backup, dest = site.folder.parent / "timed", site.folder.parent / "never"

    def refused(name):
        done = site.cli("restore", str(backup), str(dest), check=False)
        assert done.returncode == 1 and name in done.stderr, done
        assert not dest.exists() and not dest.with_name("never.part").exists()

    paths = sorted(path for path in backup.rglob("*") if path.is_file() and path.name != "manifest")
    for path in rng.sample(paths, 6) + [backup / "catalog.db", backup / "almanac.conf"]:
        mode, whole = path.stat().st_mode, path.read_bytes()
        path.chmod(0o600)
        at = rng.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1:])
        refused(path.name)
        path.write_bytes(whole[:-1])
        refused(path.name)
        path.unlink()
        refused(path.name)
        path.write_bytes(whole)
        path.chmod(mode)
    (backup / "stranger").write_text("x")
    refused("manifest")
    (backup / "stranger").unlink()
    (backup / "manifest").rename(backup / "elsewhere")
    refused("manifest")
    (backup / "elsewhere").rename(backup / "manifest")
    dest.mkdir()
    (dest / "letter").write_text("x")
    done = site.cli("restore", str(backup), str(dest), check=False)
    assert done.returncode == 1 and str(dest) in done.stderr, done
    done = site.cli("backup", str(dest), check=False)
    assert done.returncode == 1 and [path.name for path in dest.iterdir()] == ["letter"], done
    (dest / "letter").unlink()
    site.cli("restore", str(backup), str(dest))


sys.exit(harness.main(globals()))

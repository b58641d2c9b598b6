#!/usr/bin/env python3
"""Erased entities: hidden at once, refused from then on, and gone from every file, snapshot, export and restored backup.

The list is written here by Python's own BLAKE2b and sqlite3, from docs/FORMAT.md alone."""
import hashlib
import http.client
import json
import random
import os
import sqlite3
import subprocess
import sys
import time
import urllib.parse
from datetime import datetime, timedelta, timezone

import harness

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC, PARTITIONS = "readings.erase", 2
GONE, KEPT, LATER = "subject-meter-0000000001", "kept-meter-0000000002", "later-meter-0000000003"
FIRST = "first-meter-0000000004"
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
N = 600


def reading(entity, i, value=None):
    at = (T0 + timedelta(minutes=15 * i)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"entity": entity, "type": "SmartMeter", "time": at, "values": {"voltage": value if value is not None else i % 250}}


def setup(folder):
    print(f"# SEED={SEED}", flush=True)
    kafka = harness.Kafka(folder / "kafka", PARTITIONS)
    site = harness.Site(folder / "site", kafka, kafka__group__id="erase", ingest__topics="^readings\\.", store__seal_after="PT1S",
                        store__window="day", store__erase_within="PT4S", store__free_min="1MB",
                        vault__tombstones=str(folder / "tombstones.db"))
    # the series of GONE lies in both partitions: other keys
    kafka.produce(TOPIC, [(f"{i % 5}", reading(entity, i)) for i in range(N) for entity in (GONE, KEPT, LATER)])
    kafka.produce(TOPIC, [("x", {"entity": GONE, "type": "SmartMeter", "time": reading(GONE, 1)["time"], "values": {"nonsense": 1}})])
    site.start()
    site.wait_count(3 * N)
    return kafka, site


def teardown(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def erase(site, *entities):
    db = sqlite3.connect(site.folder / "erased.db", timeout=10)
    number, key = db.execute("SELECT n, key FROM key ORDER BY n").fetchone()
    with db:
        for entity in entities:
            db.execute("INSERT INTO entity (key, hash, at_us) VALUES (?, ?, ?)",
                       (number, hashlib.blake2b(entity.encode(), digest_size=16, key=key).digest(), int(time.time() * 1e6)))
    db.close()


def pending(site):
    db = sqlite3.connect(f"file:{site.folder}/erased.db?mode=ro", uri=True, timeout=10)
    n = db.execute("SELECT count(*) FROM entity WHERE done_us IS NULL").fetchone()[0]
    db.close()
    return n


def holders(folder, word):
    """Files below the folder that have the word in them."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]


def entities(site, **parameters):
    return sorted({row["entity"] for row in site.get("/v1/series", **parameters)["series"]})


SPAN = {"start": "2025-03-01T00:00:00Z", "end": "2025-03-02T00:00:00Z"}


def at_doors(site):
    """Whom each of the other doors tells of, by the door."""
    def sql(statement):
        status, _, body = site.request("/v1/sql", method="POST", body=json.dumps({"sql": statement}).encode(),
                                       headers={"Content-Type": "application/json"})
        assert status == 200, body
        return sorted(row[0] for row in json.loads(body)["rows"])

    def prometheus(path, **parameters):
        return site.get("/api/v1/" + path, **parameters)["data"]
    metric = lambda rows: sorted({row["entity"] for row in rows})
    doors = {f"sql {table}": sql(f"SELECT DISTINCT entity FROM {table} WHERE t_us < 1743465600000000")
             for table in ("readings", "rollup", "last")}
    doors["sql by name"] = sql(f"SELECT DISTINCT entity FROM readings WHERE entity IN ('{FIRST}', '{GONE}', '{KEPT}', '{LATER}')")
    doors["sql like"] = sql("SELECT DISTINCT entity FROM readings WHERE entity LIKE '%-meter-%'")
    doors["label values"] = sorted(prometheus("label/entity/values"))
    doors["series"] = metric(prometheus("series", **{"match[]": "voltage"}))
    ranges = prometheus("query_range", query="voltage", step="15m", **SPAN)["result"]
    doors["query_range"] = metric(row["metric"] for row in ranges)
    ranges = prometheus("query_range", query=f'voltage{{entity=~"{FIRST}|{GONE}|{KEPT}|{LATER}"}}', step="15m", **SPAN)["result"]
    doors["query_range by name"] = metric(row["metric"] for row in ranges)
    instant = prometheus("query", query="voltage", time="2025-03-01T12:00:00Z")["result"]
    doors["query"] = metric(row["metric"] for row in instant)
    return doors


class Listener:
    """A stream of /v1/live, line by line."""

    def __init__(self, site, **parameters):
        host, _, port = site.url.removeprefix("https://").rpartition(":")
        self.connection = http.client.HTTPSConnection(host, int(port), context=site.tls, timeout=60)
        self.connection.request("GET", "/v1/live?" + urllib.parse.urlencode(parameters), headers={"Authorization": "Bearer " + site.token})
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        self.heard = set()      # of whom

    def until(self, *values):
        """Reads until all values were told, and keeps whom the events were about."""
        missing = set(values)
        while missing:
            line = self.answer.readline()
            assert line, "the stream has ended"
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                self.heard.add(event["entity"])
                missing.discard(event.get("value"))

    def close(self):
        self.connection.close()


def test_doors_tell_of_an_erased_entity_no_more(context):
    """SQL, the Prometheus door and /v1/live, of an entity of its own: at once, and when the files are rewritten, too."""
    kafka, site = context
    everybody = sorted([GONE, KEPT, LATER, FIRST])
    kafka.produce(TOPIC, [(f"{i % 5}", reading(FIRST, i)) for i in range(N)])
    site.wait_count(N, entity=FIRST)
    begin = site.request("/v1/series", {})[1]["Almanac-Position"]
    listener = Listener(site, entity="*-meter-*")
    kafka.produce(TOPIC, [("1", reading(FIRST, N + 1, 11.5)), ("1", reading(KEPT, N + 5, 12.5))])
    listener.until(11.5, 12.5)
    assert listener.heard == {FIRST, KEPT}, listener.heard
    before = at_doors(site)
    assert all(found == everybody for found in before.values()), before

    erase(site, FIRST)
    rest = sorted([GONE, KEPT, LATER])
    after = at_doors(site)
    assert all(found == rest for found in after.values()), after
    # who listens, who comes again with a position of before, and who comes newly
    listener.heard = set()
    listeners = [listener, Listener(site, entity="*-meter-*", since=begin), Listener(site, entity=FIRST)]
    kafka.produce(TOPIC, [("1", reading(FIRST, N + 2, 13.5)), ("1", reading(KEPT, N + 6, 14.5))])
    for listener in listeners[:2]:
        listener.until(14.5)
        assert FIRST not in listener.heard, listener.heard
    harness.wait_for(lambda: not pending(site), timeout=60)
    after = at_doors(site)
    assert all(found == rest for found in after.values()), after
    again = Listener(site, entity="*-meter-*", since=begin)
    kafka.produce(TOPIC, [("1", reading(KEPT, N + 7, 15.5))])
    for listener in (*listeners[:2], again):
        listener.until(15.5)
        assert FIRST not in listener.heard, listener.heard      # nor 13.5, which came before
    for listener in (*listeners, again):
        listener.close()
    assert holders(site.folder, FIRST) == []
    for i in (5, 6, 7): # as if they had never been: what comes counts
        kafka.produce(TOPIC, [("1", {**reading(KEPT, N + i), "delete": True})])
    harness.wait_for(lambda: site.count(entity=KEPT) == N)
    letters = json.loads(site.cli("deadletter", "list", "--json").stdout)
    assert [letter["reason"] for letter in letters] == ["property", "erased"], letters


def test_an_erased_entity_is_gone_from_routes_at_once_and_then_from_files(context):
    kafka, site = context
    backup = site.folder.parent / "backup"
    site.cli("backup", str(backup))
    assert site.request("/v1/snapshots", method="POST", body=b'{"name":"before","keep":"P1D"}',
                        headers={"Content-Type": "application/json"})[0] in (200, 201)
    ids = []
    for what in (GONE, KEPT):
        status, _, answer = site.request("/v1/exports", method="POST", body=json.dumps({"entity": what}).encode(),
                                         headers={"Content-Type": "application/json"})
        assert status == 202, answer
        ids.append(json.loads(answer)["id"])
    for id in ids:
        harness.wait_for(lambda: site.get(f"/v1/exports/{id}")["status"] == "ready")
    when = {"from": "2025-02-01T00:00:00Z", "to": "2025-06-01T00:00:00Z"}
    kept = site.rows(entity=KEPT, **when)
    assert GONE in entities(site) and holders(site.folder, GONE)
    letters = json.loads(site.cli("deadletter", "list", "--json").stdout)
    assert [letter["reason"] for letter in letters] == ["property", "erased"], letters

    erase(site, GONE)
    assert entities(site) == [KEPT, LATER]
    assert entities(site, snapshot="before") == [KEPT, LATER]
    assert site.rows(entity=KEPT, **when) == kept
    letters = json.loads(site.cli("deadletter", "list", "--json").stdout)
    assert [letter["reason"] for letter in letters] == ["erased"], letters      # of the one before, which names nobody
    assert site.request(f"/v1/exports/{ids[0]}")[0] in (404, 410)
    assert site.get(f"/v1/exports/{ids[1]}")["status"] == "ready"
    listing = site.cli("query", "--dir", str(site.folder), "--format", "json", "--entity", GONE, check=False)
    assert GONE not in listing.stdout, listing.stdout
    # what comes from now on is refused, and says of whom nowhere
    kafka.produce(TOPIC, [("1", reading(GONE, N + 1)), ("1", reading(KEPT, N + 1))])
    site.wait_count(N + 1, entity=KEPT)
    letters = json.loads(site.cli("deadletter", "list", "--json").stdout)
    assert [letter["reason"] for letter in letters] == ["erased"] * 2 and GONE not in json.dumps(letters), letters

    harness.wait_for(lambda: not pending(site), timeout=60)
    assert holders(site.folder, GONE) == []
    assert holders(site.folder, KEPT)
    assert entities(site, snapshot="before") == [KEPT, LATER]
    site.cli("verify", "--dir", str(site.folder))

    # a backup of before, restored by the second copy of the list or by the list itself, has nothing of it either
    for i, options in enumerate(([], ["--erased", str(site.folder / "erased.db")])):
        restored = site.folder.parent / f"restored-{i}"
        site.cli("restore", *options, str(backup), str(restored))
        assert holders(restored, GONE) == []
        assert holders(restored, KEPT)
        site.cli("verify", "--dir", str(restored))
    (site.folder.parent / "tombstones.db").unlink()
    refused = site.cli("restore", str(backup), str(site.folder.parent / "refused"), check=False)
    assert refused.returncode == 1 and "--erased" in refused.stderr, refused.stderr
    assert not (site.folder.parent / "refused").exists()


def test_erasing_while_ingest_runs_and_dies_leaves_the_others_whole(context):
    kafka, site = context
    n = 0
    for round in range(3):
        messages = [(f"{i % 5}", reading(entity, N + 10 + n + i, 1)) for i in range(300) for entity in (LATER, KEPT)]
        n += 300
        kafka.produce(TOPIC, messages)
        if round == 0:
            erase(site, LATER)
        site.kill()
        site.start()
    site.wait_count(N + 1 + n, entity=KEPT)
    harness.wait_for(lambda: not pending(site), timeout=60)
    assert entities(site) == [KEPT]
    assert holders(site.folder, LATER) == []
    site.stop()
    assert holders(site.folder, LATER) == [] and holders(site.folder, GONE) == []
    site.cli("verify", "--dir", str(site.folder))


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

#!/usr/bin/env python3
"""What was known at an instant, of sealed files: ranges and exports against the versions that were sent, and 410 where some are gone.

    SEED=7 tests/accept/36-asof.py
"""
import csv
import io
import json
import os
import random
import sys
from datetime import datetime, timedelta, timezone

import harness

sys.path.insert(0, str(harness.TOP / "tests" / "oracle"))
from query import wire  # noqa: E402

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC = "readings.asof"
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
HOURS, DAYS = 48, 20                             # readings of two days, of which one hears for twenty
SPAN = {"from": "2025-03-01T00:00:00Z", "to": "2025-03-03T00:00:00Z"}
NOW = "2026-01-01T00:00:00Z"


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def at(hours):
    return T0 + timedelta(hours=hours)


class World:
    """versions[entity][time]: [(known, issued or None, value)] in the order of arrival; every value is another one."""

    def __init__(self, rng):
        self.rng, self.versions, self.messages, self.n = rng, {}, [], 0

    def add(self, entity, when, known, issued=None):
        self.n += 1
        self.versions.setdefault(entity, {}).setdefault(when, []).append((known, issued, self.n))
        type_, name = ("Weather", "temperature") if entity == "roof" else ("SmartMeter", "voltage")
        body = {"entity": entity, "type": type_, "time": iso(when), "values": {name: self.n}} | ({"issued": iso(issued)} if issued else {})
        self.messages.append((known, entity, json.dumps(body)))

    def fill(self):
        """A meter that is corrected now and then for weeks; one that never is; forecasts, and observations for some of them."""
        for hour in range(HOURS):
            when = at(hour)
            for entity in "corrected", "plain":
                self.add(entity, when, when + timedelta(seconds=self.rng.randrange(900)))
            for lead in (30, 12, 6):
                issued = when - timedelta(hours=lead)
                self.add("roof", when, issued + timedelta(seconds=self.rng.randrange(600)), issued)
            if self.rng.random() < 0.5:
                self.add("roof", when, when + timedelta(seconds=self.rng.randrange(900)))
        for _ in range(40):
            self.correct(self.rng.randrange(3 * 86400, DAYS * 86400))
        self.messages.sort(key=lambda message: message[0])

    def correct(self, after):
        when = at(self.rng.randrange(HOURS))
        known = T0 + timedelta(seconds=after)
        last = max(known for known, _, _ in self.versions["corrected"][when])
        self.add("corrected", when, max(known, last + timedelta(seconds=1)))

    def take(self):
        taken, self.messages = self.messages, []
        return taken

    def known(self, entity, asof):
        """{time: (value, since when it could be known)} by that instant: an observation before forecasts, of these the newest."""
        found = {}
        for when, versions in self.versions[entity].items():
            plain = [(known, value) for known, issued, value in versions if issued is None and known <= asof]
            issues = [(issued, value) for known, issued, value in versions if issued is not None and issued <= asof]
            chosen = max(plain) if plain else max(issues) if issues else None
            if chosen:
                found[iso(when)] = chosen[1], iso(chosen[0])
        return found


def setup(folder):
    rng = random.Random(SEED)
    print(f"# SEED={SEED}")
    kafka = harness.Kafka(folder / "kafka", log__retention__ms=-1)
    kafka.produce(TOPIC, [("first", {"entity": "first", "type": "SmartMeter", "time": 0, "values": {"voltage": 1}})])
    world = World(rng)
    world.fill()
    site = harness.Site(folder / "site", kafka, kafka__group__id="asof", ingest__topics=TOPIC, store__seal_after="PT1S",
                        store__revisions_keep="P9000D").start()
    send(kafka, site, world.take())
    return folder, kafka, site, world


def teardown(context):
    context[2].stop()
    context[1].stop()


def send(kafka, site, messages):
    producer = wire.Producer(kafka.bootstrap)
    producer.produce(TOPIC, 0, [(int(known.timestamp() * 1000), entity.encode(), text.encode()) for known, entity, text in messages])
    producer.close()
    site.settle(kafka, TOPIC)
    assert json.loads(site.cli("deadletter", "list", "--json").stdout) == []


def wait_sealed(site):
    harness.wait_for(lambda: not site.ask(TOPIC, 0, "SELECT 1 FROM file WHERE kind = 'open' UNION SELECT 1 FROM batch"), 60)


def export(site, **parameters):
    """The rows of an export, from its files."""
    status, _, body = site.request("/v1/exports", method="POST", body=json.dumps(SPAN | parameters).encode(),
                                   headers=[("Content-Type", "application/json")])
    assert status == 202, body
    path = "/v1/exports/" + json.loads(body)["id"]
    told = harness.wait_for(lambda: (lambda one: one["status"] != "running" and one)(site.get(path)))
    assert told["status"] == "ready", told
    rows = []
    for entry in told["manifest"]["files"]:
        rows += csv.DictReader(io.StringIO(site.request(f"{path}/{entry['name']}")[2].decode()))
    site.request(path, method="DELETE")
    return rows


def check(site, world, asof):
    for entity in world.versions:
        wanted = world.known(entity, asof)
        asked = site.rows(entity=entity, asof=iso(asof), from_=SPAN["from"], to=SPAN["to"])
        assert {row[0]: int(row[1]) for row in asked} == {when: value for when, (value, _) in wanted.items()}, f"seed {SEED}: {entity} as of {asof}"
        rows = export(site, entity=entity, asof=iso(asof), available="1")
        assert {row["time"]: (int(row["value"]), row["available_at"]) for row in rows} == wanted, f"seed {SEED}: {entity} as of {asof}"
        assert all(row["available_at"] <= iso(asof) for row in rows)


def instants(world, n):
    """Some at which something was heard, and a second before."""
    known = [known for entity in world.versions.values() for versions in entity.values() for known, _, _ in versions]
    for _ in range(n):
        yield world.rng.choice(known) - timedelta(seconds=world.rng.choice((0, 0, 1)))
    yield T0 + timedelta(days=300)


# ----

def test_sealed_files_tell_what_was_known(context):
    _, _, site, world = context
    wait_sealed(site)
    assert site.ask(TOPIC, 0, "SELECT max(replaced_ms) FROM file WHERE kind = 'raw'")[0][0] > 0
    for asof in instants(world, 8):
        check(site, world, asof)


def test_late_corrections_over_sealed_files_too(context):
    _, kafka, site, world = context
    site.stop()
    site.start(True, "--set", "store.seal_after=PT1H")
    for days in range(25, 28):
        world.correct(days * 86400)
    send(kafka, site, world.take())
    assert site.ask(TOPIC, 0, "SELECT 1 FROM batch UNION SELECT 1 FROM file WHERE kind = 'open'")
    for asof in instants(world, 4):
        check(site, world, asof)
    site.stop()
    site.start()
    wait_sealed(site)
    for asof in instants(world, 4):
        check(site, world, asof)


def test_an_export_of_a_snapshot_stays_as_it_was(context):
    """What was known then of a state that later corrections do not change."""
    _, kafka, site, world = context
    status, _, body = site.request("/v1/snapshots", method="POST", body=b'{"name":"before"}', headers=[("Content-Type", "application/json")])
    assert status in (200, 201), body
    before = export(site, entity="corrected", asof=NOW, available="1", snapshot="before")
    for days in range(30, 34):
        world.correct(days * 86400)
    send(kafka, site, world.take())
    wait_sealed(site)
    assert export(site, entity="corrected", asof=NOW, available="1", snapshot="before") == before
    assert export(site, entity="corrected", asof=NOW, available="1") != before
    check(site, world, T0 + timedelta(days=300))


def test_what_needs_dropped_revisions_is_410(context):
    """Replaced values are kept for 90 days of a clock that is more than a year ahead of all that was sent."""
    folder, kafka, first, world = context
    site = harness.Site(folder / "short", kafka, kafka__group__id="asof-short", ingest__topics=TOPIC, store__seal_after="PT1S",
                        store__revisions_keep="P90D").start()
    site.n_settled = first.n_settled
    site.settle(kafka, TOPIC)
    wait_sealed(site)
    [horizon] = site.ask(TOPIC, 0, "SELECT max(horizon_ms) FROM file WHERE kind = 'raw'")[0]
    assert horizon > 0
    question = {"entity": "corrected", "from_": SPAN["from"], "to": SPAN["to"]}
    early = iso(T0 + timedelta(days=2, hours=1))
    problem = site.problem("/v1/range", 410, "asof", asof=early, **question)
    left = problem["detail"].rpartition(" ")[2]
    last = max(known for versions in world.versions["corrected"].values() for known, _, _ in versions[1:])
    assert left == iso(last), (left, last)
    site.problem("/v1/range", 410, "asof", asof=iso(last - timedelta(seconds=1)), **question)
    site.problem("/v1/range", 410, "asof", asof=early, step="P1D", **question)
    site.problem("/v1/range", 410, "asof", asof=early, layout="wide", format="arrow", **question)
    body = json.dumps(SPAN | {"entity": "corrected", "asof": early}).encode()
    status, _, answer = site.request("/v1/exports", method="POST", body=body, headers=[("Content-Type", "application/json")])
    assert status == 410 and json.loads(answer)["field"] == "asof", answer
    assert site.get("/v1/exports")["exports"] == []
    check(site, world, last)
    check(site, world, T0 + timedelta(days=300))
    site.stop()


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

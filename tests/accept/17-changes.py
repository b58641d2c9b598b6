#!/usr/bin/env python3
"""Positions and /v1/changes: whatever changes after an answer is told to whoever names that answer's position.

    ROUNDS=20 SEED=7 tests/accept/17-changes.py
"""
import os
import random
import sys
from datetime import timedelta

import harness
import meters
from meters import ALL, PARTITIONS, T0, iso, reading

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
ROUNDS = int(os.environ.get("ROUNDS", "6"))
TOPIC = "readings.changes"
ENTITIES = [f"meter-{i}" for i in range(5)]


def setup(folder):
    return meters.start(folder, "changes", TOPIC, ENTITIES, "PT1S")


teardown = meters.stop


def send(context, *messages):
    meters.send(context, TOPIC, *messages)


def position(site, path="/v1/series", **parameters):
    status, headers, body = site.request(path, {name.rstrip("_"): value for name, value in parameters.items()})
    assert status == 200, body
    assert headers["Almanac-Position"], path
    return headers["Almanac-Position"]


def changes(site, since, **filters):
    """{entity: [(from, to), …]}, without the markers of settle."""
    answer = site.get("/v1/changes", since=since, **filters)
    assert sorted(answer) == ["changes", "position"] and answer["position"]
    told = {}
    for change in answer["changes"]:
        assert sorted(change) == ["entity", "from", "id", "property", "to"] and change["from"] < change["to"], change
        told.setdefault(change["entity"], []).append((change["from"], change["to"]))
    return {entity: ranges for entity, ranges in told.items() if not entity.startswith("settled-")}


def settled_position(site):
    """A position of which nothing is told again: what a loss of power could take is told twice, for a second at most."""
    def quiet():
        now = position(site)
        return None if changes(site, now) else now
    return harness.wait_for(quiet, 20)


def in_force(site):
    answer = site.get("/v1/range", entity="meter-*", property="voltage", **ALL)
    return {series["entity"]: {row[0]: row[1:] for row in series["rows"]} for series in answer["series"]}


def check_told(before, now, told):
    for entity in ENTITIES:
        for time in before[entity].keys() | now[entity].keys():
            if before[entity].get(time) != now[entity].get(time):
                assert any(a <= time < b for a, b in told.get(entity, [])), f"seed {SEED}: {entity} at {time}: {told}"


# ----

def test_every_answer_has_a_position(context):
    _, site = context
    [series] = site.get("/v1/series", entity="meter-0")["series"]
    since = settled_position(site) # it changes no more: a sync would move it
    for path, parameters in (("/v1/series", {}), (f"/v1/series/{series['id']}", {}), ("/v1/changes", {"since": since}),
                             ("/v1/range", {"entity": "meter-0", **ALL}), ("/v1/range", {"entity": "meter-0", "format": "csv", **ALL}),
                             ("/v1/range", {"entity": "meter-0", "step": "P1D", **ALL})):
        assert position(site, path, **parameters) == position(site), path


def test_a_correction_and_a_deletion_are_told_and_nothing_else(context):
    _, site = context
    day = [T0 + timedelta(minutes=15 * i) for i in range(96)]
    send(context, *[reading(entity, time, 230) for entity in ENTITIES for time in day])
    since = settled_position(site)
    t = day[40]
    send(context, reading("meter-1", t, 400, quality="edited"))
    assert changes(site, since) == {"meter-1": [(iso(t), iso(t + timedelta(seconds=1)))]}
    between = settled_position(site)
    send(context, reading("meter-1", t, 0, delete=True), {"entity": "meter-2", "type": "SmartMeter", "property": "voltage",
                                                          "delete": True, "from": iso(day[10]), "to": iso(day[20])})
    assert changes(site, between) == {"meter-1": [(iso(t), iso(t + timedelta(seconds=1)))], "meter-2": [(iso(day[10]), iso(day[20]))]}
    assert sorted(changes(site, since)) == ["meter-1", "meter-2"]
    for filters in {"entity": "meter-2"}, {"entity": "*-2"}, {"series": site.get("/v1/series", entity="meter-2")["series"][0]["id"]}:
        assert sorted(changes(site, since, **filters)) == ["meter-2"], filters
    assert changes(site, since, property="activePower") == {}
    assert changes(site, settled_position(site)) == {}


def test_changes_are_told_wherever_they_lie(context):
    """In batches, open and sealed windows, over restarts and kills; for each position that was ever taken."""
    kafka, site = context
    rng = random.Random(SEED)
    print(f"# SEED={SEED}")
    taken = []
    for n in range(ROUNDS):
        taken.append((position(site), in_force(site)))
        messages = meters.at_random(rng, ENTITIES, rng.randrange(1, 12), (0, 0, 1, 7, 40))
        send(context, *messages)
        if n % 3 == 1:
            site.stop()
            site.start()
        elif n % 3 == 2:
            site.kill()
            site.start()
            site.settle(kafka, TOPIC, PARTITIONS)
        now = in_force(site)
        for since, before in taken:
            check_told(before, now, changes(site, since))
    harness.wait_for(lambda: list(site.folder.glob("store/*/*/*.raw.*.db")), 30)
    for since, before in taken:
        check_told(before, in_force(site), changes(site, since))


def test_a_position_of_another_store_is_refused(context):
    _, site = context
    since = position(site)
    other = harness.Site(site.folder.parent / "other", context[0], kafka__group__id="changes-other", ingest__topics=TOPIC)
    other.start()
    strange = position(other)
    other.stop()
    for wrong in "", "x", "=", strange, since[:-3], since + "AAAA":
        site.problem("/v1/changes", 400, "since", since=wrong)
    site.problem("/v1/changes", 400, "since")


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

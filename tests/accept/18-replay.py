#!/usr/bin/env python3
"""Dead letters that are replayed through a real Kafka, each at its first place in the order."""
import json
import sqlite3
import sys

import harness
from harness import wait_for

TOPIC, DEAD = "readings.replay", "dead.replay"
DAY = {"from_": "2025-03-01T00:00:00Z", "to": "2025-03-02T00:00:00Z"}
T = [f"2025-03-01T00:00:0{i}Z" for i in range(10)]


def setup(folder):
    kafka = harness.Kafka(folder / "kafka")
    kafka.produce(TOPIC, [("warm-up", reading("warm-up", T[0], voltage=1))])
    site = harness.Site(folder / "site", kafka, kafka__group__id="replay", ingest__topics=TOPIC, ingest__dead_topic=DEAD,
                        store__seal_after="PT1S")
    site.start()
    return kafka, site


def teardown(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def reading(entity, time, **values):
    return {"entity": entity, "type": "SmartMeter", "time": time, "values": values}


def send(context, *messages, options=()):
    kafka, site = context
    kafka.produce(TOPIC, [(message["entity"], message) for message in messages], *options)
    site.settle(kafka, TOPIC)


def letters(site):
    return json.loads(site.cli("deadletter", "list", "--json").stdout)


def replay(context, *args):
    """Sends them again and waits until the daemon has read them."""
    kafka, site = context
    done = json.loads(site.cli("deadletter", "replay", "--json", *args).stdout)
    site.settle(kafka, TOPIC)
    return done["replayed"]


def teach(site, name, unit="Pa", kind="gauge"):
    """The site learns a property; models are read when the daemon starts."""
    site.stop()
    db = sqlite3.connect(site.folder / "catalog.db")
    db.execute("INSERT INTO property (type, name, unit, kind) VALUES ('SmartMeter', ?, ?, ?)", (name, unit, kind))
    db.commit()
    db.close()
    site.start()


def stored(context, entity, property_):
    return [row[:2] for row in context[1].rows(entity=entity, property=property_, **DAY)]


def test_a_replayed_letter_keeps_its_place_and_the_correction_stands(context):
    kafka, site = context
    send(context, reading("a", T[:4], pressure=[1, 2, 3, 4], voltage=[230, 231, 232, 233]))
    [letter] = letters(site)
    assert (letter["reason"], letter["property"], letter["slot"]) == ("property", "pressure", -1), letter
    teach(site, "pressure")
    send(context, reading("a", T[1], pressure=20), reading("a", T[2], pressure=0) | {"delete": True},
         reading("a", T[9], pressure=90))
    assert stored(context, "a", "pressure") == [[T[1], 20], [T[9], 90]]
    assert "would be sent" in site.cli("deadletter", "replay", "--dry-run", "--all").stderr and len(letters(site)) == 1
    assert replay(context, TOPIC, str(letter["partition"]), str(letter["offset"])) == 1
    assert letters(site) == []
    expected = [[T[0], 1], [T[1], 20], [T[3], 4], [T[9], 90]]  # T[2] was taken back later
    assert stored(context, "a", "pressure") == expected
    assert [row[1] for row in stored(context, "a", "voltage")] == [230, 231, 232, 233]
    wait_for(lambda: site.ask(TOPIC, 0, "SELECT count(*) FROM file WHERE kind = 'raw'")[0][0], timeout=30)  # sealed: the same
    assert stored(context, "a", "pressure") == expected
    assert site.get("/v1/series", entity="a", property="pressure")["series"][0]["count"] == 4


def test_replaying_twice_changes_nothing(context):
    kafka, site = context
    assert replay(context, "--all") == 0
    before = stored(context, "a", "pressure")
    [again] = [message for message in kafka.consume(TOPIC) if "almanac-replay" in str(message.get("headers"))]
    headers = again["headers"]
    send(context, json.loads(again["payload"]), options=("-H", f"almanac-replay={headers[headers.index('almanac-replay') + 1]}"))
    assert stored(context, "a", "pressure") == before and letters(site) == []


def test_letters_into_a_sealed_window_take_their_place(context):
    kafka, site = context
    send(context, reading("c", T[0], flow=1), reading("c", T[1], flow=2), reading("c", T[0], flow=5))
    assert len(letters(site)) == 3
    teach(site, "flow", "m3/h")
    send(context, reading("c", T[1], flow=8))
    site.stop()  # flushed
    site.start()
    wait_for(lambda: not site.ask(TOPIC, 0, "SELECT 1 FROM file WHERE kind = 'open' UNION SELECT 1 FROM batch"), timeout=60)
    assert replay(context, "--reason", "property") == 3
    assert letters(site) == []
    assert stored(context, "c", "flow") == [[T[0], 5], [T[1], 8]]
    site.stop()
    assert site.cli("verify", check=False).returncode == 0
    site.start()
    assert stored(context, "c", "flow") == [[T[0], 5], [T[1], 8]]


def test_what_is_refused_again_stays_one_letter(context):
    kafka, site = context
    send(context, reading("b", T[:2], nothing=[1, 2], never=[1, 2]))
    before = [{name: letter[name] for name in ("offset", "reason", "property", "time")} for letter in letters(site)]
    assert len(before) == 2
    def copies():
        return sum(bool({"nothing", "never"} & set(message["headers"])) for message in kafka.consume(DEAD))  # payloads are sealed
    wait_for(lambda: copies() == 2)
    assert replay(context, "--all") == 2
    assert replay(context, "--reason", "property") == 2
    after = [{name: letter[name] for name in ("offset", "reason", "property", "time")} for letter in letters(site)]
    assert sorted(after, key=str) == sorted(before, key=str), after
    assert copies() == 2  # the dead topic has them once
    metrics = site.request("/metrics")[2].decode()
    assert "almanac_replayed_total" in metrics and "almanac_dead_letters" in metrics, metrics


def test_wrong_use_is_told(context):
    site = context[1]
    for args, code, words in ((["--reason", "bad"], 2, "no reason"), ([], 2, "which ones"), ([TOPIC], 2, "TOPIC PARTITION OFFSET"),
                              (["--all", "--reason", "json"], 2, "which ones"), ([TOPIC, "0", "99999"], 1, "nothing was refused")):
        done = site.cli("deadletter", "replay", *args, check=False)
        assert done.returncode == code and words in done.stderr, done


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

"""Some meters in two partitions whose readings come, are corrected and taken back at random: for what follows changes."""
from datetime import datetime, timedelta, timezone

import harness

PARTITIONS = 2
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
ALL = {"from_": "2025-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def reading(entity, when, value, **more):
    return {"entity": entity, "type": "SmartMeter", "time": iso(when), "values": {"voltage": value}, **more}


def start(folder, name, topic, entities, seal_after):
    """(kafka, site) with one reading of each."""
    kafka = harness.Kafka(folder / "kafka", PARTITIONS)
    kafka.produce(topic, [(entity, reading(entity, T0, 1)) for entity in entities])
    site = harness.Site(folder / "site", kafka, kafka__group__id=name, ingest__topics=topic, store__seal_after=seal_after)
    site.start()
    site.settle(kafka, topic, PARTITIONS)
    return kafka, site


def stop(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def send(context, topic, *messages):
    """Returns when they are stored."""
    kafka, site = context
    kafka.produce(topic, [(message["entity"], message) for message in messages])
    site.settle(kafka, topic, PARTITIONS)


def at_random(rng, entities, n, days):
    """Readings, some of them at times that have one already; single times and ranges that are taken back."""
    messages = []
    for _ in range(n):
        entity, when = rng.choice(entities), T0 + timedelta(days=rng.choice(days), minutes=15 * rng.randrange(96))
        what = rng.randrange(8)
        if what == 0:
            messages.append({"entity": entity, "type": "SmartMeter", "property": "voltage", "delete": True, "from": iso(when),
                             "to": iso(when + timedelta(hours=rng.randrange(1, 40)))})
        else:
            messages.append(reading(entity, when, rng.randrange(100), **({"delete": True} if what == 1 else {})))
    return messages

#!/usr/bin/env python3
"""One process ingests, others serve the same directory: each shows what is stored, sealed files and fresh batches alike."""
import os
import random
import sys
import threading

import harness

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC = "readings.serve"
SPAN = {"from_": "2025-03-01T00:00:00Z", "to": "2025-06-01T00:00:00Z"}


def setup(folder):
    class Context:
        kafka = harness.Kafka(folder / "kafka", 2)
        ingest = harness.Site(folder / "site", kafka, kafka__group__id="serve", ingest__topics=TOPIC, store__seal_after="PT1S")
    Context.expected = {}
    Context.rng = random.Random(SEED)
    print(f"# SEED={SEED}", flush=True)
    produce(Context, 1000)
    Context.ingest.start(True, "--set", "almanac.roles=ingest serve")
    # the same directory, another process, another port
    Context.serve = Context.ingest.another()
    Context.serve.start(True, "--set", "almanac.roles=serve", "--set", "http.listen=" + Context.serve.settings["http.listen"])
    return Context


def teardown(context):
    for site in context.serve, context.ingest:
        if site.process:
            site.stop()
    context.kafka.stop()


def produce(context, n):
    """Some of the readings replace earlier ones, all over three months."""
    messages = []
    for _ in range(n):
        entity, quarter, value = context.rng.randrange(5), context.rng.randrange(92 * 96), context.rng.randrange(100000)
        context.expected[entity, 1740787200000 + quarter * 900000] = value
        messages.append((f"s-{entity}", {"entity": f"s-{entity}", "type": "SmartMeter", "time": 1740787200000 + quarter * 900000,
                                         "values": {"voltage": value / 10}}))
    context.kafka.produce(TOPIC, messages)


def expected_rows(context, entity):
    return [[t, harness.Decimal(value) / 10] for (e, t), value in sorted(context.expected.items()) if e == entity]


def check(context, site):
    for entity in range(5):
        rows = site.rows(entity=f"s-{entity}", property="voltage", time="ms", **SPAN)
        assert rows == expected_rows(context, entity), entity


def settle(context):
    context.ingest.settle(context.kafka, TOPIC, 2)


def test_the_serving_process_sees_what_is_stored(context):
    settle(context)
    check(context, context.ingest)
    check(context, context.serve)
    produce(context, 1000)
    settle(context)
    harness.wait_for(lambda: context.serve.count() == context.ingest.count(), 10)
    check(context, context.serve)


def test_it_follows_seals(context):
    def sealed():
        """Every window that is open has been sealed as often; the open file stays for a while, for views that still read it."""
        files = list((context.ingest.folder / "store").rglob("*-*.g*.db"))
        opened, tiers = ({(path.parent, path.name.split(".")[0], path.name.split(".g")[1]) for path in files if kind in path.name}
                         for kind in (".open.", ".tier."))
        return tiers and opened <= tiers
    harness.wait_for(sealed, 60)
    check(context, context.serve)
    produce(context, 1000)
    settle(context)
    harness.wait_for(lambda: context.serve.count() == context.ingest.count(), 10)
    check(context, context.serve)


def test_answers_are_whole_while_readings_arrive(context):
    """Every answer is one state of the store: the count of a year is the number of rows, and never goes down (I8)."""
    done = threading.Event()
    failures = []

    def ask(site):
        before = 0
        while not done.is_set():
            try:
                rows = site.rows(entity="steady", property="voltage", time="ms", **SPAN)
                assert [row[1] for row in rows] == list(range(len(rows))), "a hole"
                assert len(rows) >= before, f"{len(rows)} after {before}"
                before = len(rows)
            except Exception as error:
                failures.append(error)
                return
    context.kafka.produce(TOPIC, [("steady", steady(0))])
    settle(context)
    threads = [threading.Thread(target=ask, args=(site,)) for site in (context.ingest, context.serve)]
    for thread in threads:
        thread.start()
    try:
        for start in range(1, 4001, 500):
            context.kafka.produce(TOPIC, [("steady", steady(i)) for i in range(start, start + 500)])
        settle(context)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    assert len(context.serve.rows(entity="steady", property="voltage", **SPAN)) == 4001


def steady(i):
    return {"entity": "steady", "type": "SmartMeter", "time": 1740787200000 + i * 900000, "values": {"voltage": i}}


def test_it_outlives_the_ingesting_process(context):
    context.ingest.kill()
    check(context, context.serve)
    produce(context, 200)
    context.ingest.start()
    settle(context)
    harness.wait_for(lambda: context.serve.count() == context.ingest.count(), 10)
    check(context, context.serve)
    context.ingest.stop()
    check(context, context.serve)
    context.ingest.start()
    check(context, context.serve)


def test_a_token_made_by_the_command_line_is_valid_at_once_everywhere(context):
    token = context.ingest.cli("token", "create", "--name", "fresh", "--scope", "read").stdout.split()[-1]
    for site in context.ingest, context.serve:
        assert site.request("/v1/series", token=token)[0] == 200


sys.exit(harness.main(globals()))

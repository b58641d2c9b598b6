#!/usr/bin/env python3
"""almanac import pilot2: one historian pulls the history of another one, and has the values that the first one's API tells."""
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import harness

TOPIC = "readings.pilot2"
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
HOURS = 60  # more than two days, so that several requests are made
SENSORS = {"Main": "MainMeter", "HeatPump": "HeatPump", "HeatStorage": "HeatStorage", "DistrictHeating": "DistrictHeating",
           "Solar": "Generation", "Temperature": "Weather", "ChargingStation": "ChargingStation"}
# what a sensor sends for quarter hour i: (property, value, whether it is an amount)
SENT = {
    "Main": lambda i: [("energy", Decimal("250.125") + i, True), ("activePower", 1000 + i, False)],
    "HeatPump": lambda i: [("energy", 500, True), ("activePower", 2000 + i, False), ("calorimeterEnergy", 5 * i, False)],
    "HeatStorage": lambda i: [("temperature", Decimal("50.5"), False)],
    "DistrictHeating": lambda i: [("consumption", 100 + i, True)],
    "Solar": lambda i: [("energy", i, True), ("activePower", 4 * i, False)],
    "Temperature": lambda i: [("temperature", Decimal(i) / 8, False)],
    "ChargingStation": lambda i: [("energy", 1, True), ("chargingPower", 4, False)],
}


def iso(t):
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def documents():
    yield {"asset": "Customer", "id": "c-1"}
    yield {"asset": "Location", "id": "l-1", "customer": "c-1"}
    yield {"asset": "MainDistributionBoard", "id": "b-1", "location": "l-1"}
    for kind in SENSORS:
        yield {"asset": "Sensor", "id": f"s {kind}".replace(" ", "-"), "type": kind, "board": "b-1", "entity": f"own/{kind}"}


def messages():
    for kind, entity_type in SENSORS.items():
        for i in range(4 * HOURS):
            for name, value, is_amount in SENT[kind](i):
                text = json.dumps({"entity": f"own/{kind}", "type": entity_type, "time": iso(T0 + timedelta(minutes=15 * i)),
                                   "values": {name: "VALUE"}} | ({"period": "PT15M"} if is_amount else {}))
                yield f"own/{kind}", text.replace('"VALUE"', str(value))


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", 2)
    kafka.produce(TOPIC, messages())
    kafka.produce("assets", [("a", document) for document in documents()], "-p", "0")
    site = harness.Site(folder / "site", kafka, kafka__group__id="pilot2", ingest__topics=TOPIC, store__seal_after="PT1S")
    site.start()
    if site.request("/api/Customer/Get")[0] == 404:
        site.stop()
        kafka.stop()
        raise harness.Skip("this server has no Pilot 2 API")
    site.wait_count(4 * HOURS * sum(len(sent(0)) for sent in SENT.values()), entity="own/*")
    harness.wait_for(lambda: len(json.loads(site.request("/api/Location/l-1/Sensors")[2])) == len(SENSORS))
    return kafka, site


def teardown(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def pull(site, *options, check=True, **environment):
    command = [str(harness.BUILD / "almanac"), "import", "pilot2", site.url, "--ca", str(site.folder / "tls" / "server.pem"),
               "--from", iso(T0), "--to", iso(T0 + timedelta(hours=HOURS, minutes=7)), "--topic", TOPIC, "--json", *options]
    clean = {k: v for k, v in os.environ.items() if k not in ("ALMANAC_TOKEN", "ALMANAC_PASSWORD")}
    done = subprocess.run(command, env=clean | {"ALMANAC_DIR": str(site.folder), "NO_PROXY": "*"} | environment,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stderr
    return json.loads(done.stdout) if check else done


def wanted():
    """{(entity, property): {time: value}}: of a temperature the last of each hour, of all others every quarter hour."""
    found = {}
    for kind in SENSORS:
        for i in range(4 * HOURS):
            for name, value, _ in SENT[kind](i):
                if kind != "Temperature" or i % 4 == 3:
                    found.setdefault((f"pilot2-s-{kind}", name), {})[iso(T0 + timedelta(minutes=15 * i))] = Decimal(value)
    return found


def test_the_history_of_every_sensor_arrives_with_its_digits(context):
    _, site = context
    told = pull(site, ALMANAC_TOKEN=site.token)
    expected = wanted()
    n = sum(map(len, expected.values()))
    assert (told["readings"], told["refused"]) == (n, 0), (told["readings"], n, told["refusals"][:3])
    assert told["entities"] == sorted({entity for entity, _ in expected})
    site.wait_count(n, entity="pilot2-*")
    for (entity, name), values in expected.items():
        rows = site.rows(entity=entity, property=name, from_=iso(T0), to=iso(T0 + timedelta(days=9)))
        assert {row[0]: Decimal(row[1]) for row in rows} == values, (entity, name)


def test_again_nothing_changes(context):
    kafka, site = context
    before = site.count(entity="pilot2-*")
    pull(site, ALMANAC_TOKEN=site.token)
    site.settle(kafka, TOPIC, 2)
    assert site.count(entity="pilot2-*") == before


def test_a_user_with_a_password(context):
    _, site = context
    site.cli("user", "add", "reader", "--scope", "read", input="correct horse\n")
    told = pull(site, "--user", "reader", "--dry-run", ALMANAC_PASSWORD="correct horse")
    assert told["readings"] == sum(map(len, wanted().values()))
    for environment in ({"ALMANAC_PASSWORD": "wrong"}, {}):
        done = pull(site, "--user", "reader", check=False, **environment)
        assert done.returncode == 1 and "does not let us in" in done.stderr, done.stderr


def test_what_goes_wrong_is_said(context):
    _, site = context
    done = pull(site, check=False, ALMANAC_TOKEN="alm_nobody")
    assert done.returncode == 1 and "does not let us in" in done.stderr, done.stderr
    done = pull(site, "--step", "PT7M", check=False)
    assert done.returncode == 2 and "--step" in done.stderr, done.stderr
    for url, text in (("http://127.0.0.1:1", "https://"), ("https://127.0.0.1:1", "did not answer well")):
        done = site.cli("import", "pilot2", url, "--dry-run", check=False)
        assert done.returncode != 0 and text in done.stderr, done.stderr
    done = site.cli("import", "pilot2", site.url, "--dry-run", check=False)
    assert done.returncode == 1 and "--ca" in done.stderr, done.stderr


sys.exit(harness.main(globals()))

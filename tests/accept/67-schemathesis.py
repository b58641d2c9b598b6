#!/usr/bin/env python3
"""Schemathesis against every route that /openapi.json tells: no answer is a fault of the server's, and each has a status, a type and a
shape that the document has.

    SECONDS=600 SEED=7 tests/accept/67-schemathesis.py
"""
import os
import random
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import harness

SECONDS = int(os.environ.get("SECONDS", 28))  # of each run
CASES_MIN = 58                                 # fewer prove nothing: there are so many operations
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC = "readings.fuzz"
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance," \
         "response_schema_conformance,unsupported_method"
SENSORS = {"HeatPump": ("HeatPump", "activePower"), "HeatStorage": ("HeatStorage", "temperature"),
           "DistrictHeating": ("DistrictHeating", "power"), "Solar": ("Generation", "totalYield"), "Temperature": ("Weather", "temperature"),
           "ChargingStation": ("ChargingStation", "price"), "Main": ("MainMeter", "activeEnergyImport")}


def assets():
    yield {"asset": "Customer", "id": "c-1"}
    yield {"asset": "Location", "id": "l-1", "customer": "c-1"}
    yield {"asset": "MainDistributionBoard", "id": "b-1", "location": "l-1"}
    for kind in SENSORS:
        yield {"asset": "Sensor", "id": f"s-{kind}", "type": kind, "board": "b-1", "entity": f"fuzz-{kind}"}
    for name, place in (("r-1", {"board": "b-1", "buyRateMT": 0.1}), ("r-2", {"sensor": "s-DistrictHeating", "buyRate": 0.1})):
        yield {"asset": "Rate", "id": name, "start": "2025-03-01T00:00:00Z", "end": "2025-04-01T00:00:00Z"} | place


def setup(folder):
    done = subprocess.run(["sh", str(harness.TOP / "tests" / "readers" / "schemathesis.sh"), "program"], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise harness.Skip("schemathesis is not there: tests/readers/schemathesis.sh fetch")
    print(f"# SEED={SEED}")
    kafka = harness.Kafka(folder / "kafka")
    site = harness.Site(folder / "site", kafka, kafka__group__id="fuzz", ingest__topics=TOPIC, store__seal_after="PT1S")
    kafka.produce(TOPIC, [(f"fuzz-{kind}", {"entity": f"fuzz-{kind}", "type": type_, "values": {name: i},
                                            "time": (T0 + timedelta(minutes=i)).strftime("%Y-%m-%dT%H:%M:%SZ")})
                          for kind, (type_, name) in SENSORS.items() for i in range(100)])
    kafka.produce("assets", [("a", asset) for asset in assets()])
    site.start()
    site.wait_count(100 * len(SENSORS), entity="fuzz-*")
    harness.wait_for(lambda: site.request("/api/DistrictHeating/s-DistrictHeating/Rate")[0] == 200)
    return kafka, site, done.stdout.strip(), folder


def teardown(context):
    kafka, site = context[:2]
    if site.process:
        site.stop()
    kafka.stop()


def run(context, name, settings, *options):
    _, site, program, folder = context
    work = folder / name
    work.mkdir()
    (work / "schemathesis.toml").write_text(settings)
    # /v1/live has no end; Swagger UI's files are no API.
    done = subprocess.run(
        ["nice", "-n", "5", program, "--config-file", str(work / "schemathesis.toml"), "run", site.url + "/openapi.json", "--checks", CHECKS,
         "--tls-verify", str(site.folder / "tls" / "server.pem"), "-H", f"Authorization: Bearer {site.token}", "--seed", str(SEED),
         "--exclude-path", "/v1/live", "--exclude-path-regex", "^/docs", "--no-color", "--no-shrink", "--warnings", "off", "--request-timeout", "20",
         *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS + 120, cwd=work,
        env=os.environ | {"no_proxy": "127.0.0.1"})
    print("# " + done.stdout[-1500:].replace("\n", "\n# "))
    assert done.returncode == 0, f"schemathesis: exit {done.returncode}: {done.stdout[-20000:]}"
    assert "fault" not in [line.split()[1] for line in site.log().splitlines() if len(line.split()) > 1]
    assert site.request("/readyz", token=None)[0] == 200
    found = re.search(r"(\d+) generated", done.stdout)
    if not found or int(found[1]) < CASES_MIN:
        raise harness.Skip(f"no fault, but only {found[1] if found else 0} cases in {SECONDS} s: this machine is busy")


def test_whatever_the_document_allows_and_more(context):
    run(context, "any", "", "--phases", "coverage,fuzzing", "--max-time", str(SECONDS))


def test_things_that_there_are(context):
    """The same with ids that exist, so that answers are good ones."""
    ids = [("^/api/Customer/", "customerId", "c-1"), ("^/api/Location/", "locationId", "l-1"), ("^/api/MainDistributionBoard/", "id", "b-1"),
           ("^/api/DistrictHeating/", "sensorId", "s-DistrictHeating"), ("^/v1/series/", "id", "1"), ("^/v1/entities/", "id", "fuzz-Solar")]
    ids += [(f"^/api/Sensor/.*/{'MainMeter' if kind == 'Main' else kind}", "id", f"s-{kind}") for kind in SENSORS]
    settings = "".join(f'[[operations]]\ninclude-path-regex = "{regex}"\nparameters = {{ "path.{name}" = "{value}" }}\n'
                       for regex, name, value in ids)
    run(context, "there", settings, "--phases", "examples,coverage,fuzzing", "--max-time", str(SECONDS), "--mode", "positive")


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

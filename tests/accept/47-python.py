#!/usr/bin/env python3
"""The examples of contrib/python/README.md, as they stand there, against a real daemon."""
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone

import harness

TOPIC = "readings.python"
README = harness.TOP / "contrib" / "python" / "README.md"
READERS = harness.TOP / "tests" / "readers" / "readers.sh"
ENTITIES, N = 3, 90 * 96
T0 = datetime(2025, 1, 1, tzinfo=timezone.utc)


def setup(folder):
    kafka = harness.Kafka(folder / "kafka")
    times = [(T0 + timedelta(minutes=15 * i)).strftime("%Y-%m-%dT%H:%M:%SZ") for i in range(N)]
    kafka.produce(TOPIC, [(f"m-{e}", {"entity": f"m-{e}", "type": "SmartMeter", "time": times[at:at + 2000],
                                      "values": {"activePower": [(at + i) * (e + 1) % 977 for i in range(len(times[at:at + 2000]))]}})
                          for e in range(ENTITIES) for at in range(0, N, 2000)])
    site = harness.Site(folder / "site", kafka, kafka__group__id="python", ingest__topics=TOPIC, store__free_min="1MB")
    site.start()
    site.wait_count(ENTITIES * N)
    return kafka, site


def teardown(context):
    kafka, site = context
    site.stop()
    kafka.stop()


def blocks(*wanted):
    """The code of README's blocks that need nothing but the standard library, or one of wanted."""
    found = re.findall(r"^```python *(\w*)\n(.*?)^```$", README.read_text(), re.M | re.S)
    assert len(found) > 6, "the page has no examples any more"
    return "\n".join(code for needs, code in found if not needs or needs in wanted)


def run(context, code, python=sys.executable):
    _, site = context
    environment = os.environ | {"ALMANAC_URL": site.url, "ALMANAC_TOKEN": site.token, "no_proxy": "*",
                                "SSL_CERT_FILE": str(site.folder / "tls" / "server.pem")}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([python, "-W", "error::FutureWarning", "-c", code], cwd=folder, env=environment, timeout=120, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def reader():
    """The interpreter that has pandas, polars and pyarrow, or None."""
    done = subprocess.run(["sh", str(READERS), "python"], stdout=subprocess.PIPE, text=True)
    python = done.stdout.strip() if done.returncode == 0 else None
    has_all = python and subprocess.run([python, "-c", "import pandas, polars, pyarrow"], stderr=subprocess.DEVNULL).returncode == 0
    return python if has_all else None


def test_the_standard_library_is_enough(context):
    told = run(context, blocks())
    assert f"{ENTITIES * N} rows in {ENTITIES * 3} files" in told, told
    assert f"{ENTITIES * (N - 3 * 96)} pairs" in told, told  # each of three months begins anew


def test_examples_with_libraries(context):
    python = reader()
    if not python:
        print("# skipped: pandas, polars and pyarrow are not there: tests/readers/readers.sh fetch")
        return
    told = run(context, blocks("pandas", "polars", "pyarrow"), python)
    assert f"{ENTITIES * 59 * 96} readings" in told, told
    assert f"{ENTITIES * 31 * 96} of {ENTITIES * 31 * 96} readings could be known" in told, told


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

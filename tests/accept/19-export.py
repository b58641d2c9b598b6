#!/usr/bin/env python3
"""almanac export: whole ranges as files, packed or not, whole or not at all."""
import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading

import harness
from harness import Decimal

TOPIC = "readings.export"
DAY = {"from_": "2025-03-01T00:00:00Z", "to": "2025-03-02T00:00:00Z"}
N = 20000


def setup(folder):
    kafka = harness.Kafka(folder / "kafka")
    times = [f"2025-03-01T{i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z" for i in range(N)]
    kafka.produce(TOPIC, [
        ("m-1", {"entity": "m-1", "type": "SmartMeter", "time": times, "values": {"activePower": list(range(N))}}),
        ("m-2", {"entity": "m-2", "type": "SmartMeter", "time": times[:3], "values": {"voltage": [230.1, 12.30, -0.001]},
                 "quality": ["measured", "estimated", "edited"]}),
        ("b-1", {"entity": "b-1", "type": "Battery", "time": times[5], "values": {"operationalState": 'on, "hot"'}}),
        ("m-2", {"entity": "m-2", "type": "SmartMeter", "time": "1999-12-31T23:59:59.999Z", "values": {"voltage": 1}})])
    site = harness.Site(folder / "site", kafka, kafka__group__id="export", ingest__topics=TOPIC)
    site.start()
    site.wait_count(N + 5)
    return kafka, site


def teardown(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def export(context, *args, **options):
    return context[1].cli("export", *args, **options)


def test_everything_is_exported_as_csv_and_ndjson(context):
    site = context[1]
    done = export(context)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == N + 5 and f"{N + 5} rows" in done.stderr and "[" not in done.stderr, done.stderr
    lines = [json.loads(line, parse_float=Decimal) for line in export(context, "--format=ndjson").stdout.splitlines()]
    assert [[str(value) for value in line.values()] for line in lines] == [list(row.values()) for row in rows]
    assert list(lines[0]) == list(rows[0])
    old = [row for row in rows if row["entity"] == "m-2"]
    assert [(row["time"], row["value"], row["quality"]) for row in old] == [
        ("1999-12-31T23:59:59.999Z", "1", "measured"), ("2025-03-01T00:00:00Z", "230.1", "measured"),
        ("2025-03-01T00:00:01Z", "12.3", "estimated"), ("2025-03-01T00:00:02Z", "-0.001", "edited")]
    asked = site.request("/v1/range", {"entity": "m-1", "from": DAY["from_"], "to": DAY["to"], "format": "csv"})[2].decode()
    assert export(context, "--entity=m-1").stdout.replace("\r", "") == asked.replace("\r", "")


def test_selectors_steps_and_ends(context):
    site = context[1]
    asked = site.request("/v1/range", {"entity": "m-1", "step": "PT1H", "agg": "mean,count", "from": DAY["from_"],
                                       "to": "2025-03-01T06:00:00Z", "format": "ndjson"})[2].decode()
    assert export(context, "--entity=m-1", "--step=PT1H", "--agg=mean,count", "--format=ndjson").stdout == asked
    first = export(context, "--type=SmartMeter", "--property=activePower", "--to=2025-03-01T00:00:02Z").stdout.splitlines()
    assert [line.split(",")[4] for line in first] == ["value", "0", "1"]
    nothing = export(context, "--entity=nobody", check=False)
    assert nothing.returncode == 1 and "nobody" in nothing.stderr and nothing.stdout == "", nothing


def test_files_are_packed_by_their_name(context):
    folder = context[1].folder.parent
    plain = export(context, "--entity=m-1").stdout.replace("\r", "").replace("\n", "")
    for name, opened in (("a.csv", lambda data: data), ("a.csv.gz", gzip.decompress),
                         ("a.csv.zst", lambda data: subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE,
                                                                   check=True).stdout if ZSTD else None)):
        path = folder / name
        done = export(context, "--entity=m-1", "-o", str(path))
        assert done.stdout == "" and name in done.stderr and not path.with_name(name + ".tmp").exists()
        text = opened(path.read_bytes())
        if text is not None:
            assert text.decode().replace("\r", "").replace("\n", "") == plain, name
    assert (folder / "a.csv.gz").stat().st_size < (folder / "a.csv").stat().st_size / 4
    assert (folder / "a.csv.zst").read_bytes()[:4] == bytes.fromhex("28b52ffd")
    export(context, "--entity=b-1", "-o", str(folder / "short.csv.gz"))
    assert gzip.decompress((folder / "short.csv.gz").read_bytes()).decode().count("\n") == 2
    export(context, "-o", str(folder / "b.ndjson"))
    assert len((folder / "b.ndjson").read_text().splitlines()) == N + 5


ZSTD = any(os.access(os.path.join(folder, "zstd"), os.X_OK) for folder in os.get_exec_path())


def test_a_stopped_or_failed_export_leaves_nothing(context):
    site = context[1]
    folder = site.folder.parent
    fifo = folder / "c.csv.tmp"  # where the export writes before it is whole: it waits for us to read
    os.mkfifo(fifo)
    process = subprocess.Popen([str(harness.BUILD / "almanac"), "export", "-o", str(folder / "c.csv"), "--dir", str(site.folder)],
                               stderr=subprocess.PIPE, text=True)
    with open(fifo, "rb") as reader:
        assert reader.read(1000).startswith(b"time,")
        process.send_signal(signal.SIGINT)
        drain = threading.Thread(target=reader.read)
        drain.start()
        errors = process.communicate(timeout=30)[1]
        drain.join()
    assert process.returncode == 1 and "stopped" in errors, errors
    assert not fifo.exists() and not (folder / "c.csv").exists()
    kept = folder / "d.csv"
    kept.write_text("older")
    for args in (["--entity=nobody"], ["--from=tomorrow"]):
        done = export(context, *args, "-o", str(kept), check=False)
        assert done.returncode in (1, 2) and done.stderr and kept.read_text() == "older"
        assert not (folder / "d.csv.tmp").exists()
    assert export(context, "-o", str(folder / "no" / "e.csv"), check=False).returncode == 1
    assert export(context, "--format=xml", check=False).returncode == 2


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

#!/usr/bin/env python3
"""The whole way measured: a real Kafka, the daemon, HTTPS. Prints one figure a line.

    make bench, or: TEST_BUILDDIR=build SERIES=100 READINGS=100000 bench/bench_way.py

Readings at 1 s, a walk in steps of 0.1; PER_MESSAGE of them in a message (1: the hard case).
"""
import http.client
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "accept"))
import harness  # noqa: E402

SERIES = int(os.environ.get("SERIES", "100"))
READINGS = int(os.environ.get("READINGS", "20000"))
PER_MESSAGE = int(os.environ.get("PER_MESSAGE", "1"))
START = 1740787200  # 2025-03-01T00:00:00Z
TOPIC = "readings.bench"


def produce(kafka, folder):
    """The messages, written to a file first, so that making them is not measured."""
    rng = random.Random(1)
    path = folder / "messages"
    values = [2300] * SERIES
    with open(path, "w") as out:
        for t in range(0, READINGS, PER_MESSAGE):
            n = min(PER_MESSAGE, READINGS - t)
            stamps = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START + t + i)) for i in range(n)]
            time_text = f'"{stamps[0]}"' if n == 1 else "[" + ",".join(f'"{s}"' for s in stamps) + "]"
            for s in range(SERIES):
                texts = []
                for _ in range(n):
                    values[s] += rng.randint(-1, 1)
                    texts.append(f"{values[s] // 10}.{values[s] % 10}")
                value_text = texts[0] if n == 1 else "[" + ",".join(texts) + "]"
                out.write(f'meter-{s:05}\x01{{"entity":"meter-{s:05}","type":"SmartMeter","time":{time_text},'
                          f'"values":{{"activePower":{value_text}}}}}\x02')
    with open(path) as messages:
        subprocess.run(["kcat", "-P", "-q", "-b", kafka.bootstrap, "-t", TOPIC, "-K", "\\x01", "-D", "\\x02", "-X", "acks=1",
                        "-X", "topic.partitioner=murmur2_random", "-X", "compression.codec=lz4"], stdin=messages, check=True)
    path.unlink()


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


def ask(connection, site, path):
    begin = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": "Bearer " + site.token})
    answer = connection.getresponse()
    size = 0
    while block := answer.read(1 << 20):
        size += len(block)
    assert answer.status == 200, (answer.status, path)
    return (time.perf_counter() - begin) * 1000, size


def measure(site, name, query, repeat=7):
    host, port = site.settings["http.listen"].split(":")
    connection = http.client.HTTPSConnection(host, int(port), context=site.tls)
    ask(connection, site, "/v1/series?limit=1")
    times = []
    for _ in range(repeat):
        took, size = ask(connection, site, query)
        times.append(took)
    connection.close()
    print(f"{name}_ms {statistics.median(times):.1f} (first {times[0]:.1f}, {size} bytes)", flush=True)


def sealed_bytes(site):
    return sum(path.stat().st_size for kind in ("raw", "tier") for path in (site.folder / "store").rglob(f"*.{kind}.g*.db"))


def main():
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name:
        folder = Path(name)
        kafka = harness.Kafka(folder / "kafka")
        try:
            produce(kafka, folder)
            total = SERIES * READINGS
            site = harness.Site(folder / "site", kafka, kafka__group__id="bench", ingest__topics=TOPIC, store__seal_after="PT2S")
            begin = time.monotonic()
            site.start(ready=False)
            pid = site.process.pid
            site.wait_ready(600)
            took, busy = time.monotonic() - begin, processor_seconds(pid)
            site.wait_count(total, timeout=60)
            print(f"ingest_readings_per_s {total / took:.0f}\ningest_readings_per_cpu_s {total / busy:.0f}")
            harness.wait_for(lambda: not list((site.folder / "store").rglob("*.tmp")) and len(list((site.folder / "store").rglob(
                "*.raw.g*.db"))) * 86400 >= READINGS, 120)
            time.sleep(1)
            print(f"bytes_per_reading {sealed_bytes(site) / total:.3f}\nmemory_peak_mb {memory_mb(pid):.0f}")
            span = f"from={START}000&to={START + READINGS}000"
            one, twenty = "entity=meter-00007", "&".join(f"entity=meter-{i:05}" for i in range(20))
            measure(site, "mean_15m_of_one", f"/v1/range?{one}&{span}&step=PT15M")
            measure(site, "mean_15m_of_all", f"/v1/range?entity=meter-*&{span}&step=PT15M")
            measure(site, "raw_one_json", f"/v1/range?{one}&{span}")
            measure(site, "raw_twenty_json", f"/v1/range?{twenty}&{span}", 3)
            measure(site, "raw_twenty_csv", f"/v1/range?{twenty}&{span}&format=csv", 3)
            measure(site, "series_all", "/v1/series")
            site.stop()
        finally:
            kafka.stop()


main()

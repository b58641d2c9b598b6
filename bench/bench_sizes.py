#!/usr/bin/env python3
"""Size and speed of the store beside others, on generated and on real readings; a line a figure: set, system, name, value.

    make bench, or: TEST_BUILDDIR=build bench/bench_sizes.py [SET...]

SETS of bench/sets.h; without arguments SERIES x READINGS at 1 s (100 x 100000), METERS smart meters for a month at 15 min
(1000; the figures in the documents are for 10000) and the real files below ALMANAC_DATA (bench/real_data.py), where that is
given. The others: plain SQLite rows, and VictoriaMetrics where it is installed.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("TEST_BUILDDIR", "."))
REAL = ("tracebase-1s", "pv-nrel", "weather", "nem12")
VICTORIA = shutil.which("victoria-metrics")


def show(name, system, lines):
    for line in lines:
        print(f"{name} {system} {line}", flush=True)


def run(program, *arguments):
    done = subprocess.run([BUILD / "bench" / program, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def get(url, data=None, timeout=600):
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=timeout) as answer:
        return answer.read().decode()


class Victoria:
    """VictoriaMetrics with all of time kept and one reading not dropped for another."""

    def __init__(self, folder):
        self.folder, port = folder, free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([VICTORIA, f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}",
                                         "-retentionPeriod=100y", "-influxSkipSingleField"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                get(self.url + "/health", timeout=5)
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise

    def count(self):
        for line in get(self.url + "/metrics").splitlines():
            if line.startswith('vm_rows_inserted_total{type="influx"}'):
                return int(float(line.split()[-1]))
        return 0

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def blocks(path, size=16 << 20):
    rest = b""
    with open(path, "rb") as lines:
        while block := lines.read(size):
            cut = block.rfind(b"\n") + 1
            yield rest + block[:cut]
            rest = block[cut:]


def victoria(spec, folder):
    lines, data = folder / "lines", folder / "data"
    with open(lines, "w") as out:
        subprocess.run([BUILD / "bench" / "bench_rows", "-", spec], stdout=out, check=True)
    server = Victoria(data)
    try:
        begin = time.monotonic()
        for block in blocks(lines):
            get(server.url + "/write", block)
        took, count = time.monotonic() - begin, server.count()
        get(server.url + "/internal/force_flush")
        get(server.url + "/internal/force_merge")
        settled, size = time.monotonic() + 3, -1
        while time.monotonic() < settled:  # until merging has not changed anything for three seconds
            now = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
            if now != size:
                settled, size = time.monotonic() + 3, now
            time.sleep(0.2)
    finally:
        server.stop()
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    return [f"ingest_readings_per_s {count / took:.0f}", f"bytes_per_reading_directory {size / count:.4f}"]


def bench(name, spec):
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as folder:
        folder = Path(folder)
        show(name, "almanac", run("bench_store", folder / "store", spec))
        show(name, "sqlite-rows", run("bench_rows", folder / "rows.db", spec))
        if VICTORIA:
            show(name, "victoria-metrics", victoria(spec, folder))
        else:
            print(f"# {name}: victoria-metrics is not installed")


def main():
    if len(sys.argv) > 1:
        for spec in sys.argv[1:]:
            bench(spec, spec)
        return
    bench("mix-1s", f"mix:{os.environ.get('SERIES', '100')}:{os.environ.get('READINGS', '100000')}")
    bench("meters-15min", f"meters:{os.environ.get('METERS', '1000')}:2976")
    data = os.environ.get("ALMANAC_DATA")
    if not data:
        print("# real readings are left out: ALMANAC_DATA names no folder")
        return
    for name in REAL:
        with tempfile.NamedTemporaryFile("w", prefix="almanac-bench-") as lines:
            subprocess.run([HERE / "real_data.py", data, name], stdout=lines, check=True)
            bench(name, f"file:{lines.name}")


main()

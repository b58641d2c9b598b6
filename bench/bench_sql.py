#!/usr/bin/env python3
"""What the extension gives through the stock shell: rows a second over 10 M readings; one figure a line.

    TEST_BUILDDIR=... bench_sql.py [DIR]    of a store that bench_store has made
"""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(os.environ.get("TEST_BUILDDIR", Path(__file__).resolve().parent.parent))
DAY = "time >= '2025-03-01T00:00' AND time < '2025-03-02'"


def ask(store, sql):
    """Rows that it counted, and the best time of three."""
    best = None
    for _ in range(3):
        begin = time.monotonic()
        done = subprocess.run(["sqlite3", "-readonly", f"{store}/catalog.db", "-cmd", f".load {BUILD / 'almanac.so'}", sql],
                              stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.monotonic() - begin
        best = seconds if best is None else min(best, seconds)
    return int(done.stdout.split("|")[0]), best


def measure(store):
    for name, sql in (("count", "SELECT count(*) FROM readings"),
                      ("count_one_day", f"SELECT count(*) FROM readings WHERE {DAY}"),
                      ("average_one_day", f"SELECT count(*), avg(value) FROM readings WHERE {DAY}"),
                      ("texts_of_time_one_day", f"SELECT count(time) FROM readings WHERE {DAY}"),
                      ("rollup_15m_sum_of_counts", "SELECT sum(count), max(max) FROM rollup"),
                      ("by_hour_of_one_series", "SELECT sum(n) FROM (SELECT count(*) n, avg(value) FROM readings WHERE "
                       "entity = 'meter-00003' GROUP BY bucket(t_us, 'PT1H'))")):
        n, seconds = ask(store, sql)
        print(f"sql_{name}_readings_per_s {n / seconds:.0f}")


def main():
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([str(BUILD / "bench" / "bench_store"), f"{folder}/store", "walk:100:100000"], stdout=subprocess.DEVNULL,
                       check=True)
        measure(f"{folder}/store")


main()

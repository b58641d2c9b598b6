#!/usr/bin/env python3
"""Range queries over HTTPS beside DuckDB over the same readings; a line a figure: name, median, bar, DuckDB's, what it cost.

    make bench, or: TEST_BUILDDIR=build bench/bench_range.py

SERIES x READINGS at 1 s (100 x 100000); a year of 15 min registers of YEAR_METERS (300; the figures in the documents are for
10000) as one wide Arrow stream. The bars are what the issue of the range query asks for on two cores that do nothing else.
DuckDB (in process, a table sorted by series and time, two threads) is left out where Python has neither duckdb nor pyarrow.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "accept"))
import harness  # noqa: E402

try:
    import duckdb
    import pyarrow
except ImportError:
    duckdb = None

SERIES = int(os.environ.get("SERIES", "100"))
READINGS = int(os.environ.get("READINGS", "100000"))
RUNS = int(os.environ.get("RUNS", "15"))
YEAR_METERS = int(os.environ.get("YEAR_METERS", "300"))
YEAR_READINGS = int(os.environ.get("YEAR_READINGS", "35040"))
SECONDS = os.environ.get("SECONDS_OF_LOAD", "5")
START = 1740787200  # 2025-03-01T00:00:00Z
SPAN = f"from={START}000&to={START + READINGS}000"
SOME = min(20, SERIES)
SOME_SERIES = "&".join(f"entity=meter-{i:05}" for i in range(SOME))
WIDE = "layout=wide&format=arrow"


def make_site(folder, spec):
    """A site whose readings bench_store has written and sealed. It takes in what comes, but nothing does."""
    subprocess.run([harness.BUILD / "bench" / "bench_store", folder / "made", spec], stdout=subprocess.DEVNULL, check=True)
    site = harness.Site(folder / "site")
    (site.folder / "catalog.db").unlink()
    shutil.rmtree(site.folder / "store", ignore_errors=True)
    for name in "catalog.db", "store":
        (folder / "made" / name).rename(site.folder / name)
    return site.start()


def client(site, *arguments):
    done = subprocess.run([harness.BUILD / "bench" / "bench_client", site.settings["http.listen"], site.folder / "tls/server.pem",
                           site.token, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True)
    return [[float(word) for word in line.split()] for line in done.stdout.splitlines()]


def cpu_ms(pid):
    """What all threads have run so far, to the nanosecond."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e6


def peak_mb(pid):
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


# ---- the peer ----

def load_duck(site):
    """The same readings, as the Arrow stream has them."""
    if not duckdb:
        print("# DuckDB is left out: Python has no duckdb or no pyarrow")
        return None
    duck = duckdb.connect()
    duck.execute("SET threads = 2")
    duck.execute("SET TimeZone = 'UTC'")
    _, _, body = site.request(f"/v1/range?entity=meter-*&{SPAN}&step=raw&format=arrow")
    arrow = pyarrow.ipc.open_stream(body).read_all()  # noqa: F841 (DuckDB finds it by its name)
    duck.execute("CREATE TABLE r AS SELECT CAST(substr(entity::VARCHAR, 7) AS INTEGER) AS series, "
                 "CAST(time AS TIMESTAMP_MS) AS ts, CAST(value AS DOUBLE) AS v FROM arrow ORDER BY series, ts")
    [(n,)] = duck.execute("SELECT count(*) FROM r").fetchall()
    assert n == SERIES * READINGS, n
    return duck


def duck_ms(duck, what):
    if not duck or not what:
        return None
    took = []
    for _ in range(1 + min(RUNS, 7)):
        begin = time.perf_counter()
        what(duck)
        took.append((time.perf_counter() - begin) * 1000)
    return statistics.median(took[1:])


def rows(sql):
    return lambda duck: duck.execute(sql).fetchall()


def means(step, where=""):
    return rows(f"SELECT series, time_bucket(INTERVAL '{step} minutes', ts) b, avg(v) FROM r {where} GROUP BY series, b "
                "ORDER BY series, b")


def copied(where, how):
    def run(duck):
        with tempfile.NamedTemporaryFile(prefix="almanac-bench-") as out:
            duck.execute(f"COPY (SELECT ts, series, v FROM r WHERE {where}) TO '{out.name}' ({how})")
    return run


def fetched(duck):
    duck.sql(f"SELECT ts, series, v FROM r WHERE series < {SOME}").to_arrow_table()


# ---- figures ----

QUESTIONS = (
    ("mean_15m_of_one", 1, f"/v1/range?entity=meter-00007&{SPAN}&step=PT15M&agg=mean", means(15, "WHERE series = 7")),
    ("mean_15m_of_all", 8, f"/v1/range?entity=meter-*&{SPAN}&step=PT15M&agg=mean", means(15)),
    ("mean_7m_of_all", 40, f"/v1/range?entity=meter-*&{SPAN}&step=PT7M&agg=mean", means(7)),
    ("mean_7m_of_all_from_readings", None,
     f"/v1/range?entity=meter-*&from={START}500&to={START + READINGS}500&step=PT7M&agg=mean", means(7)),
    ("newest_of_all", 1, "/v1/last?entity=meter-*", rows("SELECT series, max(ts), arg_max(v, ts) FROM r GROUP BY series")),
    ("raw_some_csv", 200, f"/v1/range?{SOME_SERIES}&{SPAN}&step=raw&format=csv", copied(f"series < {SOME}", "FORMAT csv")),
    ("raw_some_arrow", 65, f"/v1/range?{SOME_SERIES}&{SPAN}&step=raw&format=arrow", fetched),
    ("raw_some_arrow_wide", 30, f"/v1/range?{SOME_SERIES}&{SPAN}&step=raw&{WIDE}", fetched),
    ("raw_one_json", 15, f"/v1/range?entity=meter-00007&{SPAN}&step=raw", copied("series = 7", "FORMAT json")),
)


def show(name, figure, bar, peer, rest):
    texts = [name, figure, f"bar {bar}" if bar else "no bar", f"duckdb {peer:.2f}" if peer else "duckdb -", rest]
    print(" ".join(texts), flush=True)


def ask_all(site, duck):
    pid = site.process.pid
    for name, bar, path, what in QUESTIONS:
        client(site, "time", 1, path)  # files are open, and their digests compared
        peer, before = duck_ms(duck, what), cpu_ms(pid)
        [[median, _, best, size]] = client(site, "time", RUNS, path)
        cpu = (cpu_ms(pid) - before) / RUNS
        show(f"{name}_ms", f"{median:.2f}", bar, peer, f"(best {best:.2f}, almanacd's CPU {cpu:.2f} ms, {size:.0f} bytes)")


def load(site):
    pid = site.process.pid
    quarter = f"from={START + 36000}000&to={START + 39600}000"
    for name, path in (("range", "/v1/range?series={}&" + quarter + "&step=PT15M&agg=mean"), ("last", "/v1/last?series={}")):
        before = cpu_ms(pid)
        [[rate, client_us]] = client(site, "load", 16, SECONDS, *(path.format(1 + i % SERIES) for i in range(64)))
        server_us = (cpu_ms(pid) - before) * 1000 / (rate * int(SECONDS))
        show(f"small_{name}_requests_per_s", f"{rate:.0f}", 20000, None,
             f"(CPU: almanacd about {server_us:.1f} us a request, the client {client_us:.1f} us)")


def year(folder):
    """VmHWM, the most memory that the process ever had, has to stay below the bar."""
    site = make_site(folder, f"registers:{YEAR_METERS}:{YEAR_READINGS}")
    pid = site.process.pid
    client(site, "time", 1, "/v1/series?limit=1")
    idle = peak_mb(pid)
    path = f"/v1/range?entity=meter-*&from={START}000&to={START + YEAR_READINGS * 900}000&step=raw&{WIDE}"
    before = cpu_ms(pid)
    [[took, _, _, size]] = client(site, "time", 1, path)
    n = YEAR_METERS * YEAR_READINGS
    show("year_wide_arrow_peak_mb", f"{peak_mb(pid):.0f}", 200, None,
         f"({idle:.0f} before it; {n} readings in {took / 1000:.1f} s, almanacd's CPU {(cpu_ms(pid) - before) / 1000:.1f} s, "
         f"{size:.0f} bytes)")
    site.stop()


def main():
    with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name:
        site = make_site(Path(name), f"walk:{SERIES}:{READINGS}")
        ask_all(site, load_duck(site))
        load(site)
        print(f"memory_peak_mb {peak_mb(site.process.pid):.0f}")
        site.stop()
    if YEAR_METERS:
        with tempfile.TemporaryDirectory(prefix="almanac-bench-") as name:
            year(Path(name))


main()

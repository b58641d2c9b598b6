#!/usr/bin/env python3
"""SQL on the whole store: the extension in the stock shell, `almanac sql`, and POST /v1/sql (contract sections 4 and 6)."""
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import threading

import harness

TOPIC = "readings.sql"
EXTENSION = harness.BUILD / "almanac.so"
N = 7200


def setup(folder):
    if not shutil.which("sqlite3"):
        raise harness.Skip("sqlite3 is not installed")
    if subprocess.run(["sqlite3", ":memory:", "-cmd", f".load {EXTENSION}", "SELECT 1"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.PIPE).returncode:
        raise harness.Skip("the shell cannot load almanac.so, as when it is built with a sanitizer")
    kafka = harness.Kafka(folder / "kafka")
    site = harness.Site(folder / "site", kafka, kafka__group__id="sql", ingest__topics=TOPIC, store__seal_after="PT1S")
    kafka.produce(TOPIC, [("fast", reading(i)) for i in range(N)])
    kafka.produce(TOPIC, [("slow", {"entity": "slow", "type": "Load", "time": f"2025-03-0{d}T{h:02}:00:00Z", "period": "PT1H",
                                    "values": {"energy": d + h / 100}}) for d in (1, 2, 3) for h in range(24)])
    site.start()
    site.wait_count(N + 72)
    return kafka, site


def reading(i):
    return {"entity": "fast", "type": "SmartMeter", "time": 1740787200000 + i * 1000, "values": {"voltage": 2300 / 10 + i % 7}}


def teardown(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def shell(path, sql, check=True, environment=None, **options):
    done = subprocess.run(["sqlite3", "-readonly", str(path), "-cmd", f".load {EXTENSION}", sql], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, env=environment, **options)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip() if check else done


def post(site, sql, expect=200, token="", **more):
    status, headers, body = site.request("/v1/sql", method="POST", body=json.dumps({"sql": sql} | more).encode(), token=token,
                                         headers={"Content-Type": "application/json"})
    assert status == expect, (status, body)
    return headers, body.decode()


def rows(site, sql):
    return json.loads(post(site, sql)[1])["rows"]


def test_the_shell_the_command_and_https_say_the_same(context):
    _, site = context
    for sql in ("SELECT count(*), min(value), max(value) FROM readings WHERE entity='fast' AND property='voltage'",
                "SELECT count(*) FROM readings WHERE entity='fast' AND time >= '2025-03-01T00:30' AND time < '2025-03-01T01'",
                "SELECT sum(count) FROM rollup WHERE entity='fast'", "SELECT time, value FROM last WHERE entity='slow'",
                "SELECT local_time(bucket(t_us, 'P1D', 'Europe/Berlin'), 'Europe/Berlin') b, count(*) FROM readings GROUP BY b"):
        answer = [[str(value) for value in row] for row in rows(site, sql)]
        assert answer and answer == [line.split("|") for line in shell(site.folder / "catalog.db", sql).splitlines()], sql
        assert answer == [line.split("|") for line in site.cli("sql", sql).stdout.splitlines()], sql
    assert rows(site, "SELECT count(*) FROM readings WHERE entity='fast'") == [[N]]


def test_a_rollup_is_the_range_query(context):
    _, site = context
    asked = site.rows(entity="fast", property="voltage", from_="2025-03-01T00:00:00Z", to="2025-03-02T00:00:00Z", step="PT15M",
                      agg="count,mean,min,max,first,last", fill="none")
    found = rows(site, "SELECT time, count, mean, min, max, first, last FROM rollup WHERE entity = 'fast' AND step = 'PT15M'")
    assert len(asked) == 8 and [[row[0]] + [float(value) for value in row[1:]] for row in asked] == \
        [[row[0]] + [float(value) for value in row[1:]] for row in found]


def test_the_command_has_exit_codes_and_clear_errors(context):
    _, site = context
    assert site.cli("sql", "SELECT nonsense FROM readings", check=False).returncode == 1
    assert site.cli("sql", "SELECT 1", "SELECT 2", check=False).returncode == 2
    assert "readonly" in site.cli("sql", "CREATE TABLE x(a)", check=False).stderr
    assert site.cli("sql", input="SELECT 6 * 7;\n").stdout == "42\n"
    without = subprocess.run([str(harness.BUILD / "almanac"), "sql", "SELECT 1"], stderr=subprocess.PIPE, text=True,
                             env={"ALMANAC_DIR": str(site.folder), "PATH": "/nowhere"})
    assert without.returncode == 1 and "sqlite3 is not installed" in without.stderr


def test_https_lets_through_what_reads_and_nothing_else(context):
    _, site = context
    for forbidden in ("delete from readings", "attach 'x.db' as x", "pragma writable_schema=1", "select load_extension('x')",
                      "select 1; select 2", "create table x(a)", "begin", "vacuum into 'x'", "select * from sqlite_dbpage"):
        status, headers, body = site.request("/v1/sql", method="POST", body=json.dumps({"sql": forbidden}).encode(),
                                             headers={"Content-Type": "application/json"})
        assert status in (400, 403, 422) and headers["Content-Type"] == "application/problem+json", (forbidden, status, body)
    token = site.cli("token", "create", "--name", "sql-reader", "--scope", "read").stdout.split()[-1]
    post(site, "SELECT 1", 403, token)
    token = site.cli("token", "create", "--name", "sql-asker", "--scope", "sql").stdout.split()[-1]
    post(site, "SELECT 1", 200, token)
    headers, body = post(site, "SELECT entity, count(*) AS n FROM readings GROUP BY 1 ORDER BY 1", format="csv")
    assert body == f"entity,n\r\nfast,{N}\r\nslow,72\r\n" and headers["Almanac-Position"]
    assert post(site, "SELECT entity, value FROM last ORDER BY 1", format="ndjson")[1].splitlines()[1] == \
        '{"entity":"slow","value":3.23}'
    assert "16 MB" in json.loads(post(site, "SELECT a.t_us FROM readings a, readings b", 400)[1])["detail"]
    assert "10 s" in json.loads(post(site, "SELECT count(*) FROM readings a, readings b, readings c", 400)[1])["detail"]


def test_statements_that_run_leave_threads_for_the_others(context):
    _, site = context
    ended = []

    def ask_long():
        ended.append(site.request("/v1/sql", method="POST", headers={"Content-Type": "application/json"},
                                  body=json.dumps({"sql": "SELECT count(*) FROM readings a, readings b, readings c"}).encode())[0])
    long = [threading.Thread(target=ask_long) for _ in range(4)]
    long[0].start()
    post(site, "SELECT 1")
    assert not ended, "a statement waited for another"
    for thread in long[1:]:
        thread.start()
    n = 0
    while not ended:
        assert site.get("/v1/series", limit=1)["series"]
        n += 1
    for thread in long:
        thread.join()
    assert ended == [400] * 4 and n > 50, (ended, n)
    post(site, "SELECT 1")


def test_nothing_is_written_while_readings_arrive(context):
    kafka, site = context
    sealed = [path for path in site.folder.rglob("*.db") if ".raw." in path.name or ".tier." in path.name]
    assert sealed
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in sealed}
    done, failures = threading.Event(), []

    def ask():
        last = 0
        while not done.is_set():
            n, newest, oldest = shell(site.folder / "catalog.db", "SELECT count(*), max(t_us), min(t_us) FROM readings WHERE "
                                      "entity = 'fast'").split("|")
            if int(n) < last or (int(newest) - int(oldest)) // 1000000 + 1 != int(n):
                failures.append((n, newest, last))
            last = int(n)
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for start in range(N, N + 2000, 250):
            kafka.produce(TOPIC, [("fast", reading(i)) for i in range(start, start + 250)])
        site.wait_count(N + 2000 + 72)
    finally:
        done.set()
        thread.join()
    assert not failures, failures
    for path in sealed:
        assert not path.exists() or hashlib.sha256(path.read_bytes()).digest() == before[path]
        assert not any(path.with_name(path.name + end).exists() for end in ("-wal", "-shm", "-journal"))


def test_revisions_show_what_was_replaced(context):
    kafka, site = context
    kafka.produce(TOPIC, [("slow", {"entity": "slow", "type": "Load", "time": "2025-03-01T00:00:00Z", "period": "PT1H",
                                    "values": {"energy": 9}, "quality": "edited"})])
    sql = "SELECT time, value, quality, until >= known FROM revisions WHERE entity = 'slow'"
    harness.wait_for(lambda: rows(site, sql) == [["2025-03-01T00:00:00Z", 1, "measured", 1]], 30)


def test_anybody_may_read_a_folder_that_nobody_can_write(context):
    _, site = context
    site.stop()
    harness.vault_ended(site.folder)
    files = {path: path.stat().st_mode for path in [site.folder, *site.folder.rglob("*")]}
    options = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    extension = shutil.copy(EXTENSION, site.folder.parent)  # the build may lie where nobody may look
    try:
        for path in files:
            path.chmod(0o555 if path.is_dir() else 0o444)
        ingest = next(site.folder.rglob("ingest.db"))
        raw = next(path for path in site.folder.rglob("*.db") if ".raw." in path.name)
        for path in (site.folder / "catalog.db", ingest, raw):
            done = subprocess.run(["sqlite3", "-readonly", str(path), "-cmd", f".load {extension}",
                                   "SELECT count(*) FROM readings"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  cwd="/", timeout=60, **options)
            assert done.stdout == f"{N + 2000 + 72}\n", done.stderr
        elsewhere = shell(":memory:", "SELECT count(*) FROM last", environment=os.environ | {"ALMANAC_DIR": str(site.folder)})
        assert elsewhere == "2"
    finally:
        for path, mode in files.items():
            path.chmod(mode)
    left = [path for path in site.folder.rglob("*") if path not in files]
    assert not left, left
    assert "no data directory" in shell(":memory:", "SELECT * FROM last", check=False, environment={
        name: value for name, value in os.environ.items() if name != "ALMANAC_DIR"}).stderr


sys.exit(harness.main(globals()))

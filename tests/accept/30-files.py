#!/usr/bin/env python3
"""What lies in the data directory is for everybody's sqlite3 (contract: an orderly stop leaves readable files)."""
import os
import pwd
import shutil
import subprocess
import sys

import harness


def setup(folder):
    if not shutil.which("sqlite3"):
        raise harness.Skip("sqlite3 is not installed")
    kafka = harness.Kafka(folder / "kafka")
    quarter = [{"entity": f"meter-{m}", "type": "Load", "time": f"2025-03-{d:02}T{h:02}:{q:02}:00Z", "period": "PT15M",
                "values": {"energy": m + q / 10}} for m in range(3) for d in range(1, 4) for h in range(24) for q in (0, 15, 30, 45)]
    second = [{"entity": "fast", "type": "SmartMeter", "time": f"2025-03-01T00:{i // 60:02}:{i % 60:02}Z",
               "values": {"activePower": i % 100}} for i in range(3600)]
    kafka.produce("readings.files", [(m["entity"], m) for m in quarter + second])
    site = harness.Site(folder / "site", kafka, kafka__group__id="files", ingest__topics="readings.files", store__seal_after="PT1S",
                        store__window="day")
    site.start()
    site.wait_count(3 * 3 * 96 + 3600)
    return kafka, site


def teardown(context):
    kafka, site = context
    if site.process:
        site.stop()
    kafka.stop()


def databases(site):
    return sorted(path for path in site.folder.rglob("*.db") if path.name != "auth.db")


def ask(path, sql, **options):
    done = subprocess.run(["sqlite3", "-readonly", str(path), sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    assert done.returncode == 0, f"{path.name}: {done.stderr}"
    return done.stdout.splitlines()


def sealed(site):
    """One a day: of a day of which only a part had been stored when it was sealed, the newest; the one before goes a while later."""
    newest = {}
    for path in (site.folder / "store").rglob("*.tier.g*.db"):
        day, generation = path.stem.split(".tier.g")
        newest[day] = max(newest.get(day, (0, path)), (int(generation), path))
    return [path for _, (_, path) in sorted(newest.items())]


def ask_all(site, sql):
    return [row for path in sealed(site) for row in ask(path, sql)]


def test_running_files_open_read_only(context):
    _, site = context
    harness.wait_for(lambda: len(sealed(site)) == 3, 30)
    for path in databases(site):
        ask(path, "SELECT count(*) FROM sqlite_master")


def test_sealed_files_tell_what_the_server_tells(context):
    _, site = context
    assert ask_all(site, "SELECT count(*) FROM readings_15m WHERE entity LIKE 'meter-%'") == [str(3 * 96)] * 3
    first = sealed(site)[0]
    assert ask(first, "SELECT time, unix, value, unit, quality FROM readings_15m WHERE entity = 'meter-1' LIMIT 2") == [
        "2025-03-01T00:00:00Z|1740787200|1|Wh|measured", "2025-03-01T00:15:00Z|1740788100|2.5|Wh|measured"]
    means = [row[1] for row in site.rows(entity="fast", property="activePower", step="PT15M", from_="2025-03-01T00:00:00Z",
                                         to="2025-03-01T01:00:00Z")]

    def all_sealed():
        return [harness.Decimal(v) for v in ask_all(site, "SELECT value FROM readings_15m WHERE entity = 'fast'")] == means
    harness.wait_for(all_sealed, 30)
    assert ask_all(site, "SELECT kind FROM file_info") == ["tier"] * 3
    assert ask_all(site, "SELECT count(*) FROM series_info") == ["4", "3", "3"]


def test_times_are_in_order_within_a_series(context):
    _, site = context
    times = ask_all(site, "SELECT unix FROM readings_15m WHERE entity = 'meter-2'")
    assert times == sorted(times) and len(set(times)) == 3 * 96


def test_a_stopped_store_opens_for_an_ordinary_user_who_may_not_write(context):
    _, site = context
    site.stop()
    left = [path.name for path in site.folder.rglob("*") if path.name.endswith(("-wal", "-shm", "-journal"))]
    assert not left, left
    folders = [site.folder] + [path for path in site.folder.rglob("*") if path.is_dir()]
    modes = [(folder, folder.stat().st_mode) for folder in folders]
    options = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    try:
        for folder in folders:
            folder.chmod(0o555)
        for path in databases(site):
            mode = path.stat().st_mode
            path.chmod(0o444)
            ask(path, "SELECT count(*) FROM sqlite_master", **options)
            path.chmod(mode)
    finally:
        for folder, mode in modes:
            folder.chmod(mode)


sys.exit(harness.main(globals()))

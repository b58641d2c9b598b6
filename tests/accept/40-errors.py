#!/usr/bin/env python3
"""What goes wrong gets one clear sentence: what, where, what to do. Nothing is lost, and the daemon keeps running where it can."""
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import harness

TOPIC = "readings.errors"


def setup(folder):
    class Context:
        kafka = harness.Kafka(folder / "kafka")
        site = harness.Site(folder / "site", kafka, kafka__group__id="errors", ingest__topics=TOPIC, store__seal_after="PT1S",
                            kafka__reconnect__backoff__max__ms="500")
    Context.folder = folder
    Context.sent = 0
    produce(Context, 10)
    Context.site.start()
    Context.site.wait_count(10)
    return Context


def teardown(context):
    if context.site.process:
        context.site.stop()
    context.kafka.stop()


def produce(context, n):
    context.kafka.produce(TOPIC, [("m", {"entity": "m", "type": "SmartMeter", "time": 1740787200000 + 1000 * (context.sent + i),
                                         "values": {"voltage": i}}) for i in range(n)])
    context.sent += n


def daemon(*arguments, program="almanacd", **options):
    """Runs a program that is to end by itself."""
    return subprocess.run([str(harness.BUILD / program), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=30, **options)


def complained(done, code, *parts):
    """One sentence on stderr, with these parts; data on stdout none."""
    lines = [line for line in done.stderr.splitlines() if line]
    sentences = [line for line in lines if not line.startswith(("usage", "Try"))]
    assert done.returncode == code, f"exit {done.returncode} instead of {code}: {done.stderr}"
    assert len(sentences) == 1, f"not one sentence: {lines}"
    assert sentences[0].startswith(("almanacd: ", "almanac ", "almanac: ")) and not sentences[0].endswith("."), sentences[0]
    for part in parts:
        assert str(part) in sentences[0], f"no {part!r} in {sentences[0]!r}"
    assert done.stdout == "", done.stdout


def spare(context, name, **settings):
    """Another data directory, without a broker of its own to reach."""
    return harness.Site(context.folder / name, kafka__bootstrap__servers=f"127.0.0.1:{harness.free_port()}", **settings)


def conf(site):
    return site.folder / "almanac.conf"


def still_serves(context):
    assert context.site.process.poll() is None
    assert context.site.count() == context.sent


# ---- the command line and the configuration ----

def test_wrong_usage(context):
    complained(daemon("nonsense", program="almanac"), 2, "nonsense")
    complained(daemon("--nonsense"), 2, "--nonsense")
    complained(daemon("query", "--form", "csv", program="almanac"), 2, "--form")
    complained(daemon("deadletter", "show", TOPIC, "x", "y", program="almanac"), 2, "whole numbers")
    complained(context.site.cli("token", "create", "--name", "n", "--scope", "everything", check=False), 2, "everything", "read")


def test_a_wrong_configuration_names_file_line_and_what_is_allowed(context):
    path = context.folder / "wrong.conf"
    for text, parts in [
            ("[http]\nlisten = here\n", (":2:", '"here"', "listen")),
            ("[store]\nwindows = day\n", (":2:", '"windows"', "window", "seal_after")),
            ("[shop]\nopen = yes\n", (":1:", '"shop"')),
            ("[store]\n\nseal_after = P1M\n", (":3:", "P1M", "PT10M")),
            ("[store]\nfree_min = much\n", (":2:", "much")),
            ("[kafka]\nbootstrap.server = x:1\n", (":2:", "bootstrap.server")),
            ("[kafka]\nenable.auto.commit = true\n", (":2:", "enable.auto.commit")),
            ("[store\n", (":1:", "]")), ("data = x\n", (":1:",)), ("[store]\nwindow = day\nwindow = week\n", (":3:", "window"))]:
        path.write_text(text)
        complained(daemon("-c", path, "--check"), 1, path, *parts)
        complained(daemon("-c", path), 1, path, *parts)
    complained(daemon("-c", conf(context.site), "--check", "--set", "store.window=year"), 1, "store.window", "year", "month")


def test_missing_files_are_named(context):
    nowhere = context.folder / "nowhere"
    complained(daemon("-c", nowhere / "almanac.conf"), 1, nowhere / "almanac.conf")
    complained(daemon("query", "--dir", nowhere, "--from=-P1D", "--to=now", program="almanac"), 1, nowhere, "almanac init")
    complained(daemon("-c", conf(context.site), "--set", f"almanac.data={nowhere}"), 1, nowhere, "almanac init")
    empty = context.folder / "empty"
    empty.mkdir()
    complained(daemon("-c", conf(context.site), "--set", f"almanac.data={empty}"), 1, empty, "almanac init")


def test_init_overwrites_nothing(context):
    before = conf(context.site).read_bytes()
    complained(daemon("init", context.site.folder, program="almanac"), 1, conf(context.site), "is there already")
    assert conf(context.site).read_bytes() == before
    fresh = context.folder / "fresh"
    complained(daemon("init", fresh, "--set=http.listen=here", program="almanac"), 2, "http.listen", "here")
    assert not fresh.exists(), "a failed init leaves nothing behind"


# ---- certificate, port, directory ----

def test_a_certificate_that_cannot_be_used(context):
    site = spare(context, "cert")
    pem, key = site.folder / "tls" / "server.pem", site.folder / "tls" / "server.key"
    good = pem.read_bytes()
    pem.unlink()
    complained(daemon("-c", conf(site)), 1, pem)
    pem.write_text("no certificate\n")
    complained(daemon("-c", conf(site)), 1, pem, key)
    other = spare(context, "cert2")
    pem.write_bytes((other.folder / "tls" / "server.pem").read_bytes())
    complained(daemon("-c", conf(site)), 1, pem, key)
    pem.write_bytes(good)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        shutil.chown(site.folder, nobody.pw_uid)
        options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        for path in site.folder.rglob("*"):
            shutil.chown(path, nobody.pw_uid)
        shutil.chown(key, 0)
    else:
        options = {}
    key.chmod(0)
    complained(daemon("-c", conf(site), **options), 1, key, "Permission denied")


def test_a_port_in_use(context):
    site = spare(context, "port")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        address = "127.0.0.1:%d" % s.getsockname()[1]
        complained(daemon("-c", conf(site), "--set", "http.listen=" + address), 1, address, "in use", "http.listen")
    complained(daemon("-c", conf(site), "--set", "http.listen=203.0.113.7:9999"), 1, "203.0.113.7:9999")
    complained(daemon("-c", conf(site), "--set", "http.listen=no-such-host.invalid:9999"), 1, "no-such-host.invalid:9999")


def test_a_directory_that_another_daemon_holds(context):
    listen = f"http.listen=127.0.0.1:{harness.free_port()}"
    complained(daemon("-c", conf(context.site), "--set", listen), 1, context.site.folder, context.site.process.pid, "roles = serve")
    still_serves(context)


def test_files_of_a_later_version(context):
    for name in "catalog.db", "auth.db":
        site = spare(context, "later-" + name)
        set_version(site.folder / name, 1000)
        complained(daemon("-c", conf(site)), 1, site.folder / name, "1000")
    site = spare(context, "other")
    (site.folder / "catalog.db").write_bytes(b"SQLite format 3, not really" * 100)
    complained(daemon("-c", conf(site)), 1, site.folder / "catalog.db")


def set_version(path, version):
    with sqlite3.connect(path) as db:
        old = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    return old


def test_a_partition_of_a_later_version_is_left_alone_and_told(context):
    """The rest goes on: queries say which file, nothing is read past it, and with the right version all is there."""
    site = context.site
    site.stop()
    [path] = (site.folder / "store").rglob("ingest.db")
    old = set_version(path, 1000)
    produce(context, 5)
    done = None
    try:
        site.start(ready=False)
        harness.wait_for(lambda: site.process.poll() is not None or str(path) in site.log(), 30)
        done = site.process.poll()
    finally:
        if done is None:
            site.stop()
    last = [line for line in site.log().splitlines() if str(path) in line][-1]
    assert "1000" in last, last
    set_version(path, old)
    site.start()
    site.wait_count(context.sent)


# ---- the broker, the disk ----

def readyz(site):
    status, _, body = site.request("/readyz", token=None)
    return status, json.loads(body)


def test_a_broker_that_goes_away_and_comes_back(context):
    site = context.site
    context.kafka.stop()
    status, health = harness.wait_for(lambda: (r := readyz(site))[1]["status"] == "degraded" and r, 60)
    assert status == 200 and any("broker" in reason for reason in health["reasons"]), health
    still_serves(context)
    context.kafka.start()
    produce(context, 20)
    site.wait_count(context.sent, timeout=90)
    harness.wait_for(lambda: readyz(site)[1]["status"] == "ready", 60)


def test_a_broker_that_is_away_from_the_start(context):
    site = context.site
    site.stop()
    context.kafka.stop()
    site.start(ready=False)
    status, health = harness.wait_for(lambda: answers(site), 30)
    assert status == 503 and health["status"] == "starting" and health["reasons"], health
    harness.wait_for(lambda: any("broker" in reason for reason in readyz(site)[1]["reasons"]), 60)
    assert site.request("/healthz", token=None)[0] == 200
    still_serves(context)
    context.kafka.start()
    produce(context, 20)
    site.wait_ready(90)
    site.wait_count(context.sent)


def answers(site):
    assert site.process.poll() is None, site.log()[-1000:]
    try:
        return readyz(site)
    except OSError:
        return None


def test_a_broker_that_is_killed_loses_nothing(context):
    subprocess.run(["sh", str(harness.BROKER), "kill", str(context.kafka.folder)], check=True)
    still_serves(context)
    context.kafka.start()
    produce(context, 20)
    context.site.wait_count(context.sent, timeout=90)


def test_too_little_disk_pauses_ingest_and_says_so(context):
    site = context.site
    site.stop()
    produce(context, 10)
    site.start(False, "--set", "store.free_min=100000TB")
    health = harness.wait_for(lambda: (r := answers(site)) and any("disk" in reason for reason in r[1]["reasons"]) and r[1], 60)
    assert site.count() == context.sent - 10, health
    site.stop()
    site.start()
    site.wait_count(context.sent)


# ---- ends ----

def test_signals_end_it_in_order(context):
    for number in signal.SIGINT, signal.SIGTERM:
        context.site.process.send_signal(number)
        assert context.site.process.wait(30) == 0
        # the vault's process ends by itself once nobody uses it any more
        harness.wait_for(lambda: not [path for path in context.site.folder.rglob("*")
                                      if path.name.endswith(("-wal", "-shm", "-journal"))], 10)
        context.site.start()
        context.site.wait_count(context.sent)


def test_nothing_was_logged_that_nobody_may_see(context):
    assert context.site.token not in context.site.log()
    for path in Path(context.site.folder).rglob("*"):
        if path.is_file():
            assert context.site.token.encode() not in path.read_bytes(), path


sys.exit(harness.main(globals()))

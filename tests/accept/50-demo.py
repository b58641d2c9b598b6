#!/usr/bin/env python3
"""The demo: one command shows the whole way, on an embedded broker and bundled data."""
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import urllib.request

import harness


def demo(*arguments, **options):
    return subprocess.Popen([str(harness.BUILD / "almanac"), "demo", *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **options)


def check_answer(out):
    """A day of sunshine, hour by hour."""
    rows = re.findall(r"^2022-03-18T\d\d:00:00-06:00 .*$", out, re.M)
    assert len(rows) == 14, out
    assert "demo-pv-east" in out and "activePower" in out


def test_once_answers_and_ends(folder):
    process = demo("--once", "--dir", folder / "demo")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    check_answer(out)
    assert re.search(r"\d+ real readings in \d+ messages", err), err
    assert (folder / "demo" / "catalog.db").exists()


def test_again_on_the_same_directory(folder):
    process = demo("--once", "--dir", folder / "demo")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    check_answer(out)


def test_without_a_directory_nothing_is_left(folder):
    scratch = folder / "scratch"
    scratch.mkdir()
    process = demo("--once", env=os.environ | {"TMPDIR": str(scratch)})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    check_answer(out)
    assert not list(scratch.iterdir())


def test_it_serves_until_it_is_told_to_stop(folder):
    port = harness.free_port()
    process = demo("--port", port, "--dir", folder / "served")
    killer = threading.Timer(90, process.kill)
    killer.start()
    try:
        printed = ""
        while "Produce to it" not in printed:
            line = process.stdout.readline()
            assert line, printed + process.stderr.read()
            printed += line
        url = re.search(r"^url: (\S+)$", printed, re.M).group(1)
        token = re.search(r"^token: (alm_\S{43})$", printed, re.M).group(1)
        assert url == f"https://127.0.0.1:{port}"
        tls = ssl.create_default_context(cafile=str(folder / "served" / "tls" / "server.pem"))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        request = urllib.request.Request(url + "/v1/series", headers={"Authorization": "Bearer " + token})
        assert b"demo-weather-roof" in opener.open(request, timeout=20).read()
        # the printed commands are meant to be pasted
        [curl] = re.findall(r"^  (curl .*\n.*)$", printed, re.M)
        done = subprocess.run(["sh", "-c", curl.replace("curl ", "curl -s --noproxy '*' ", 1)], stdout=subprocess.PIPE, text=True, timeout=30)
        assert '"demo-pv-east"' in done.stdout, curl
        [shell] = re.findall(r"^  (sqlite3 .*)$", printed, re.M)
        done = subprocess.run(["sh", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 12, (shell, done)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert not [path for path in (folder / "served").rglob("*") if path.name.endswith(("-wal", "-shm"))]
    finally:
        killer.cancel()
        process.kill()
        process.communicate()


sys.exit(harness.main(globals()))

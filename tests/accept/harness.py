"""What the acceptance tests share: the real programs, a real Kafka, HTTPS as a client sees it, and TAP.

A test is a script NN-name.py with functions test_*, called in their order. It needs the programs in $TEST_BUILDDIR, and
Kafka's jars (tests/kafka/broker.sh fetch); where these are missing it is skipped with the reason.
"""
import atexit
import copy
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("TEST_BUILDDIR", TOP))
BROKER = TOP / "tests" / "kafka" / "broker.sh"


class Skip(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, timeout=60, every=0.05):
    """The first true value of what(); AssertionError with the last one when there is none in time."""
    end = time.monotonic() + timeout
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout} s, last: {value!r}"
        time.sleep(every)


class Kafka:
    """Apache Kafka on free ports in a folder; topics come into being when something is produced. properties are the broker's."""

    def __init__(self, folder, partitions=1, **properties):
        if not shutil.which("kcat"):
            raise Skip("kcat is not installed")
        if subprocess.run(["sh", str(BROKER), "ready"]).returncode:
            raise Skip("Java or Kafka's jars are not there: tests/kafka/broker.sh fetch")
        self.folder = Path(folder)
        self.folder.mkdir()
        (self.folder / "extra.properties").write_text(f"auto.create.topics.enable=true\nnum.partitions={partitions}\n" +
                                                      "".join(f"{name.replace('__', '.')}={value}\n"
                                                              for name, value in properties.items()))
        self.start()

    def start(self):
        done = subprocess.run(["sh", str(BROKER), "start", str(self.folder), str(os.getpid())], check=True,
                              stdout=subprocess.PIPE, text=True)
        self.bootstrap = done.stdout.strip()

    def topic(self, *what):
        """Kafka's own tool for topics: --delete, --create ..."""
        subprocess.run(["sh", str(BROKER), "tool", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.bootstrap, *what],
                       check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)

    def group(self, group, *what):
        """Kafka's own tool for consumer groups: --delete, --reset-offsets ... Waits until the group has no members."""
        def tried():
            done = subprocess.run(["sh", str(BROKER), "tool", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
                                   "--bootstrap-server", self.bootstrap, "--group", group, *what],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
            return done.returncode == 0 and "Error" not in done.stdout
        wait_for(tried)

    def stop(self):
        subprocess.run(["sh", str(BROKER), "stop", str(self.folder)], check=True)

    def kill(self):
        subprocess.run(["sh", str(BROKER), "kill", str(self.folder)], check=True)

    def produce(self, topic, messages, *options, bootstrap=None):
        """messages: (key, value) pairs; a value that is no text is sent as JSON. Waits until all are acknowledged."""
        producer = self.producer(topic, *options, bootstrap=bootstrap)
        count = 0
        for key, value in messages:
            text = value if isinstance(value, str) else json.dumps(value)
            producer.stdin.write(f"{key}\x01{text}\x02")
            count += 1
        producer.stdin.close()
        assert producer.wait(600) == 0, "kcat could not produce"
        return count

    def producer(self, topic, *options, bootstrap=None):
        """A running kcat: key \\x01 value \\x02 on its stdin; options are kcat's."""
        return subprocess.Popen(["kcat", "-P", "-q", "-b", bootstrap or self.bootstrap, "-t", topic, "-K", "\\x01", "-D", "\\x02",
                                 "-X", "topic.partitioner=murmur2_random", "-X", "acks=all",
                                 "-X", "queue.buffering.max.messages=200000", *options], stdin=subprocess.PIPE, text=True)

    def consume(self, topic, *options):
        """Every message that the topic has now, as kcat tells it; options are kcat's."""
        done = subprocess.run(["kcat", "-C", "-q", "-b", self.bootstrap, "-t", topic, "-o", "beginning", "-e", "-J", *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=60)   # sealed payloads are bytes
        assert done.returncode == 0 or "Unknown topic" in done.stderr, done.stderr
        return [json.loads(line) for line in done.stdout.split("\n") if line]  # sealed payloads may hold other ends of lines

    def payloads(self, topic):
        """(partition, offset) -> bytes of every message that the topic has now."""
        rest = subprocess.run(["kcat", "-C", "-q", "-b", self.bootstrap, "-t", topic, "-o", "beginning", "-e", "-f", "%p %o %S\\n%s"],
                              stdout=subprocess.PIPE, timeout=60, check=True).stdout
        found = {}
        while rest:
            head, rest = rest.split(b"\n", 1)
            partition, offset, size = map(int, head.split())
            found[partition, offset], rest = rest[:max(size, 0)], rest[max(size, 0):]
        return found


def vault_ended(folder):
    """The vault's process ends a moment after the last one that asked it: only then its files are anybody's."""
    def is_free():
        with open(Path(folder) / "run" / "vault.lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                return False
    wait_for(is_free, 20)


class Site:
    """A data directory with its daemon."""

    def __init__(self, folder, kafka=None, **settings):
        self.folder = Path(folder)
        self.settings = {"http.listen": f"127.0.0.1:{free_port()}"}
        if kafka:
            self.settings["kafka.bootstrap.servers"] = kafka.bootstrap
        self.settings |= {name.replace("__", "."): value for name, value in settings.items()}
        self.url = "https://" + self.settings["http.listen"]
        made = self.cli("init", str(self.folder), *[f"--set={name}={value}" for name, value in self.settings.items()])
        self.token = re.search(r"^token: (alm_[A-Za-z0-9_-]{43})$", made.stdout, re.M).group(1)
        self.tls = ssl.create_default_context(cafile=str(self.folder / "tls" / "server.pem"))
        self.process = None
        self.n_settled = 0
        self.log_path = self.folder.parent / (self.folder.name + ".log")
        self.environment = {}
        atexit.register(lambda: self.process and self.kill())

    def another(self):
        """The same directory for a second process, on a port of its own; start() needs --set http.listen."""
        other = copy.copy(self)
        other.settings = self.settings | {"http.listen": f"127.0.0.1:{free_port()}"}
        other.url = "https://" + other.settings["http.listen"]
        other.process = None
        atexit.register(lambda: other.process and other.kill())
        return other

    def cli(self, *args, check=True, **options):
        environment = os.environ | {"ALMANAC_DIR": str(self.folder)}
        done = subprocess.run([str(BUILD / "almanac"), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120, env=environment, **options)
        assert not check or done.returncode == 0, f"almanac {' '.join(args)}: exit {done.returncode}: {done.stderr}"
        return done

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def start(self, ready=True, *args):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(BUILD / "almanacd"), "-c", str(self.folder / "almanac.conf"), *args], stderr=log,
                                            stdout=log, env=os.environ | self.environment)
        if ready:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=60):
        def answer():
            assert self.process.poll() is None, "almanacd ended: " + self.log()[-2000:]
            try:
                return self.request("/readyz", token=None)[0] == 200
            except OSError:
                return False
        wait_for(answer, timeout)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        assert code == 0, f"almanacd ended with {code}: " + self.log()[-2000:]
        self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def request(self, path, parameters=(), token="", method="GET", body=None, headers=()):
        """(status, headers, body) of a request; a parameter may be a list."""
        url = self.url + path + ("?" + urllib.parse.urlencode(parameters, doseq=True) if parameters else "")
        request = urllib.request.Request(url, method=method, data=body, headers=dict(headers))
        if token is not None:
            request.add_header("Authorization", "Bearer " + (token or self.token))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.tls))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def get(self, path, expect=200, **parameters):
        status, _, body = self.request(path, {name.rstrip("_"): value for name, value in parameters.items()})
        assert status == expect, f"{path} {parameters}: {status} {body[:500]!r}"
        return json.loads(body, parse_float=Decimal)

    def count(self, **filters):
        return sum(series["count"] for series in self.get("/v1/series", **filters)["series"])

    def wait_count(self, count, timeout=60, **filters):
        last = []

        def reached():
            last[:] = [self.count(**filters)]
            return last[0] >= count
        try:
            wait_for(reached, timeout, 0.1)
        except AssertionError:
            raise AssertionError(f"{last[0]} of {count} readings within {timeout} s: " + self.log()[-1000:]) from None
        assert last[0] == count, f"{last[0]} readings instead of {count}"

    # what the store says of itself, from its files

    def ask(self, topic, partition, sql):
        """The rows of a statement on the partition's ingest.db; [] when there is none."""
        path = self.folder / "store" / topic / str(partition) / "ingest.db"
        if not path.exists():
            return []
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def position(self, topic, partition):
        rows = self.ask(topic, partition, "SELECT next_offset FROM source")
        return max(rows[0][0], 0) if rows else 0

    def gaps(self, topic, partition):
        return self.ask(topic, partition, "SELECT from_offset, to_offset, why FROM gap ORDER BY id")

    def holdings(self, topic, partition):
        """The offsets that the store holds, where nothing but other stores of the group is the cause of gaps."""
        held = set(range(self.position(topic, partition)))
        for begin, end, why in self.gaps(topic, partition):
            assert why.startswith("held elsewhere: store "), why
            held -= set(range(begin, end))
        return held

    # what the daemon's log says of its group

    def assigned(self):
        """How many partitions it has by its last word; -1 before and between assignments."""
        for line in reversed(self.log().splitlines()):
            if " assigned partitions=" in line:
                return int(line.rpartition("=")[2])
            if " revoked " in line:
                return -1
        return -1

    def owned(self):
        """The partitions that it has claimed, once that is all of its assignment; None until then."""
        found = []
        for line in reversed(self.log().splitlines()):
            if " assigned partitions=" in line:
                return sorted(found) if len(found) == int(line.rpartition("=")[2]) else None
            if " partition_claimed " in line:
                found.append(int(line.partition("partition=")[2].split()[0]))
        return None

    def settle(self, kafka, topic, partitions=1):
        """Returns when everything that was produced before is stored: a message sent behind it in each partition is."""
        self.n_settled += 1
        for partition in range(partitions):
            name = f"settled-{partition}"
            kafka.produce(topic, [(name, {"entity": name, "type": "SmartMeter", "time": self.n_settled * 1000,
                                          "values": {"voltage": 1}})], "-p", str(partition))
        for partition in range(partitions):
            self.wait_count(self.n_settled, entity=f"settled-{partition}")

    def problem(self, path, status, field=None, **parameters):
        """The problem+json of a refused request, checked for what every one has."""
        got, headers, body = self.request(path, {name.rstrip("_"): value for name, value in parameters.items()})
        assert got == status, f"{path} {parameters}: {got} instead of {status}: {body[:300]!r}"
        assert headers["Content-Type"].startswith("application/problem+json"), headers["Content-Type"]
        problem = json.loads(body)
        assert problem["status"] == status and problem["title"] and problem["detail"], problem
        assert problem.get("field") == field, f"{path} {parameters}: {problem}"
        return problem

    def rows(self, **parameters):
        [series] = self.get("/v1/range", **parameters)["series"]
        return series["rows"]


def main(namespace):
    """Runs the test_ functions of a script, each with a folder that they share, and prints TAP."""
    tests = [(name, value) for name, value in namespace.items() if name.startswith("test_")]
    folder = Path(tempfile.mkdtemp(prefix="almanac-accept-"))
    folder.chmod(0o755)
    failed = 0
    try:
        context = namespace["setup"](folder) if "setup" in namespace else folder
    except Skip as reason:
        print(f"1..0 # SKIP {reason}")
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    except Exception:
        print("1..1\nnot ok 1 - setup\n# " + traceback.format_exc().replace("\n", "\n# "))
        return 1
    print(f"1..{len(tests)}", flush=True)
    for number, (name, test) in enumerate(tests, 1):
        begin = time.monotonic()
        try:
            test(context)
            print(f"ok {number} - {name}\n# {time.monotonic() - begin:.1f} s", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("# " + line, flush=True)
    if "teardown" in namespace:
        namespace["teardown"](context)
    if failed:
        print(f"# what was left lies in {folder}")
    else:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0

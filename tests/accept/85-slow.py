#!/usr/bin/env python3
"""Thousands of slow clients and floods of bad ones: they are cut, and those who mean well are answered meanwhile.

    SLOW=5000 SLOW_SECONDS=120 tests/accept/85-slow.py
    PLACES=512 SHARE=256 tests/accept/85-slow.py           with fewer places than there are slow ones: the default
"""
import http.client
import itertools
import os
import re
import resource
import socket
import ssl
import sys
import threading
import time

import attackers
import harness
from harness import Skip, wait_for

N_SLOW = int(os.environ.get("SLOW", "2000"))
SECONDS = float(os.environ.get("SLOW_SECONDS", "15"))  # that the slow ones are at it
WAIT_S = 180      # at most: 15 s where places are scarce, 120 s for takers afterwards, and the machine may be busy
PLACES, SHARE = (int(os.environ.get(name, of)) for name, of in (("PLACES", N_SLOW + 200), ("SHARE", N_SLOW // 10 + 100)))
KIB_A_CONNECTION = 150  # of memory, on average over all kinds at most
FILES_KEPT = 256 + 20   # of the store that stay open when nobody needs them (src/store/pool.c), and some
ENTITY = "nem12-SLOW-E1"
DAYS = 350
SHORT = f"/v1/range?entity={ENTITY}&from=2024-03-01T00:00:00Z&to=2024-03-02T00:00:00Z&step=PT1H"
LONG = f"/v1/range?entity={ENTITY}&from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z"


def setup(folder):
    files = 3 * N_SLOW + 1000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < files:
        raise Skip(f"a process may have {hard} open files here, {files} are needed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))  # as most systems start the daemon: it helps itself
    site = harness.Site(folder / "site", http__connections=PLACES, http__connections_per_address=SHARE)
    path = folder / "slow.csv"
    days = (f"300,{time.strftime('%Y%m%d', time.gmtime(1704067200 + 86400 * day))}," +
            ",".join(str((day * 288 + i) % 997) for i in range(288)) + ",A,,,,\n" for day in range(DAYS))
    path.write_text("100,NEM12,202401021200,A,B\n200,SLOW,E1,1,E1,N1,M,kWh,5,\n" + "".join(days) + "900\n")
    site.start()
    site.cli("import", "nem12", str(path), "--topic", "readings.main")
    site.wait_count(DAYS * 288, entity=ENTITY)
    site.stop()
    site.start(True, "--set", "almanac.roles=serve")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return site


def teardown(site):
    if site.process:
        site.stop()


# ---- what the daemon has ----

def files(site):
    """(sockets, others) that it has open."""
    names = []
    for fd in os.listdir(f"/proc/{site.process.pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{site.process.pid}/fd/{fd}"))
        except OSError:
            pass  # closed meanwhile
    n_sockets = sum(name.startswith("socket:") for name in names)
    return n_sockets, len(names) - n_sockets


def kib(site, name):
    with open(f"/proc/{site.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name + ":"))


def metric(site, name):
    text = site.request("/metrics", token=None)[2].decode()
    return sum(int(value) for value in re.findall(rf"^almanac_http_{name}(?:\{{.*\}})? (\d+)$", text, re.M))


def address_of(site):
    host, port = site.settings["http.listen"].rsplit(":", 1)
    return host, int(port)


# ---- those who mean well ----

class Honest:
    """Some keep a connection and ask, one comes anew each time, one takes a long answer at his ease; all must be answered."""

    def __init__(self, site, n_keeping=4):
        self.site, self.over, self.failures = site, threading.Event(), []
        self.kept, self.fresh, self.n_long = [], [], 0
        self.threads = [threading.Thread(target=self.guard, args=(self.keep,)) for _ in range(n_keeping)]
        self.threads += [threading.Thread(target=self.guard, args=(what,)) for what in (self.come_anew, self.take_long)]
        for thread in self.threads:
            thread.start()

    def guard(self, what):
        try:
            what()
        except Exception as error:
            self.failures.append(f"{what.__name__}: {error!r}")

    def connection(self):
        return http.client.HTTPSConnection(*address_of(self.site), context=self.site.tls, timeout=60)

    def ask(self, connection, target=SHORT):
        connection.request("GET", target, headers={"Authorization": "Bearer " + self.site.token})
        return connection.getresponse()

    def judge(self, answer, body):
        assert answer.status == 200 and body.endswith(b'"next":null}\n'), (answer.status, body[-200:])

    def keep(self):
        connection = self.connection()
        while not self.over.wait(0.02):
            begin = time.monotonic()
            answer = self.ask(connection)
            self.judge(answer, answer.read())
            assert connection.sock, "the connection was not kept"
            self.kept.append((begin, time.monotonic() - begin))

    def come_anew(self):
        while not self.over.wait(0.05):
            begin = time.monotonic()
            connection = self.connection()
            answer = self.ask(connection)
            self.judge(answer, answer.read())
            connection.close()
            self.fresh.append((begin, time.monotonic() - begin))

    def take_long(self):
        while not self.over.is_set():
            connection = self.connection()
            answer, body = self.ask(connection, LONG), b""
            while piece := answer.read(32 << 10):
                body += piece
                self.over.wait(0.1)
            self.judge(answer, body)
            assert body.count(b"[\"") > DAYS * 288, "readings are missing"
            self.n_long += 1

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in self.threads), "an honest client hangs"
        assert not self.failures, self.failures
        assert self.n_long and self.kept and self.fresh
        return self

    def told(self, when, is_then=lambda begin: True):
        for name, asked in ("kept connections", self.kept), ("new connections", self.fresh):
            took = sorted(seconds for begin, seconds in asked if is_then(begin))
            if took:
                print(f"# {when}, {name}: n={len(took)} p50={1000 * took[len(took) // 2]:.1f} ms "
                      f"p99={1000 * took[len(took) * 99 // 100]:.1f} ms max={1000 * took[-1]:.1f} ms", flush=True)


def how(pipe):
    pipe.send("how")
    return pipe.recv()


# ---- tests ----

def test_slow_clients_are_cut_and_hold_up_nobody(site):
    quiet = Honest(site)
    time.sleep(4)  # of measuring, not of waiting
    quiet.stop().told("quiet")
    (sockets, others), memory = files(site), kib(site, "VmRSS")
    cut_before = {name: metric(site, name) for name in ("slow_senders_total", "slow_takers_total")}
    process, pipe = attackers.attack(N_SLOW, address_of(site), LONG, site.token)
    at_once = min(N_SLOW, PLACES)
    wait_for(lambda: how(pipe)["most"] >= at_once * 9 // 10, 60, 0.2)
    held = files(site)[0] - sockets
    honest = Honest(site)
    time.sleep(SECONDS)
    state = how(pipe)
    memory_then = kib(site, "VmHWM")
    honest.stop()
    busy = state["busy"] | {second + 1 for second in state["busy"]}  # what they asked for is worked at a little longer
    honest.told(f"under {state['open']} slow ones that are held", lambda begin: int(begin) not in busy)
    honest.told("while they come and are cut", lambda begin: int(begin) in busy)
    pipe.send("enough")
    last = pipe.recv() if pipe.poll(WAIT_S) else how(pipe)
    process.join(10)
    for kind, ages in last["ages"].items():
        print(f"# {kind}: {len(ages)} cut, at {min(ages, default=0):.1f} to {max(ages, default=0):.1f} s")
    print(f"# {last['born']} slow connections, {last['most']} at once, {held} sockets held; "
          f"resident {memory // 1024} MiB before, {memory_then // 1024} MiB at most", flush=True)
    assert not last["left"], f"{last['left']} are not cut, the oldest is {last['oldest']:.0f} s old"
    assert at_once * 9 // 10 <= held <= PLACES + 50, "so many are held"
    for kind, ages in last["ages"].items():
        assert ages and max(ages) < WAIT_S, f"{kind}: one lasted {max(ages):.0f} s"
    assert not any(end == "before it was connected" for _, end in last["ends"]), last["ends"]
    for name, before in cut_before.items():
        assert metric(site, name) > before, name
    assert memory_then < memory + KIB_A_CONNECTION * PLACES, "memory"
    wait_for(lambda: files(site)[0] <= sockets, 30)
    assert files(site)[1] < others + FILES_KEPT, files(site)


class Held:
    """Connections with nothing asked yet, from one address."""

    def __init__(self, site, source, n):
        self.site, self.source = site, source
        self.sockets = []
        for _ in range(n):
            self.add()

    def add(self):
        self.sockets.append(socket.create_connection(address_of(self.site), 10, (self.source, 0)))

    def n_closed(self):
        """Those that the server has ended; nothing else can come, as nothing was asked."""
        n = 0
        for s in self.sockets:
            s.setblocking(False)
            try:
                n += s.recv(1) == b""
            except BlockingIOError:
                pass
            except ConnectionError:
                n += 1
        return n

    def close(self):
        for s in self.sockets:
            s.close()


def ask_from(site, source, target=SHORT, token=None):
    """Status of one request from there; 0 where the connection ended instead."""
    try:
        with site.tls.wrap_socket(socket.create_connection(address_of(site), 20, (source, 0)), server_hostname="localhost") as s:
            s.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token or site.token}\r\n"
                      "Connection: close\r\n\r\n".encode())
            return int((s.recv(4096).split() or [0, 0])[1])
    except (ssl.SSLError, ConnectionError):
        return 0


def small(site):
    """A second daemon with few places."""
    other = site.another()
    other.start(True, "--set", "almanac.roles=serve", "--set", "http.listen=" + other.settings["http.listen"],
                "--set", "http.connections=40", "--set", "http.connections_per_address=16")
    return other


def listen(site, source):
    """A connection whose answer is under way, and stays so."""
    s = site.tls.wrap_socket(socket.create_connection(address_of(site), 20, (source, 0)), server_hostname="localhost")
    s.sendall(f"GET /v1/live?entity={ENTITY} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {site.token}\r\n\r\n".encode())
    assert s.recv(4096).startswith(b"HTTP/1.1 200")
    return s


def test_an_address_has_its_share_and_no_more(site):
    other = small(site)
    try:
        neighbour = Held(other, "127.0.0.3", 4)
        many = Held(other, "127.0.0.2", 16)
        for n in range(1, 9):  # each newcomer of the address takes the place of its oldest one that has asked nothing
            many.add()
            wait_for(lambda: many.n_closed() >= n, 10)
            assert ask_from(other, "127.0.0.4") == 200
        assert ask_from(other, "127.0.0.2") == 200
        assert many.n_closed() <= 9 and not neighbour.n_closed(), (many.n_closed(), neighbour.n_closed())
        many.close()
        neighbour.close()
        # where all of an address are being answered, none of them is cut for another one
        listeners = [listen(other, "127.0.0.2") for _ in range(16)]
        refused = metric(other, "refused_connections_total")
        assert ask_from(other, "127.0.0.2") == 0
        assert metric(other, "refused_connections_total") == refused + 1
        assert ask_from(other, "127.0.0.3") == 200
        listeners.pop().close()
        wait_for(lambda: ask_from(other, "127.0.0.2") == 200, 10)
        for s in listeners:
            s.settimeout(0.01)
            try:
                assert s.recv(4096), "a listener was cut"
            except TimeoutError:
                pass
            s.close()
    finally:
        other.stop()


def test_where_all_places_are_taken_newcomers_are_served(site):
    other = small(site)
    try:
        silent = [Held(other, f"127.0.0.{10 + i}", 10) for i in range(6)]  # 60 in 40 places
        wait_for(lambda: sum(held.n_closed() for held in silent) >= 20, 10)
        for _ in range(10):
            assert ask_from(other, "127.0.0.2") == 200
        assert metric(other, "displaced_connections_total") >= 20
        for held in silent:
            held.close()
    finally:
        other.stop()


def floods(site, seconds, what):
    """Calls what(i) again and again from some threads while honest clients ask; how many times it was."""
    honest, counter, over = Honest(site, 2), itertools.count(), threading.Event()
    wrong = []

    def run():
        try:
            while not over.is_set():
                what(next(counter))
        except Exception as error:
            wrong.append(repr(error))
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    over.wait(seconds)
    over.set()
    for thread in threads:
        thread.join(60)
    honest.stop()
    assert not wrong, wrong
    return next(counter), honest


def hello_of(tls):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    shaking = tls.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        shaking.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()


def test_handshakes_that_nobody_finishes(site):
    tls = attackers.not_verified()

    def what(i):
        with socket.create_connection(address_of(site), 20, (f"127.0.1.{1 + i % 50}", 0)) as s:
            s.sendall(hello_of(tls))
            if i % 2:
                s.recv(1)  # the server's work is done
    n, honest = floods(site, 3, what)
    honest.told(f"under {n} handshakes in 3 s")


def test_bytes_that_are_no_tls(site):
    def what(i):
        with socket.create_connection(address_of(site), 20, (f"127.0.1.{1 + i % 50}", 0)) as s:
            try:
                s.sendall((b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + os.urandom(600), os.urandom(2000),
                           b"\0" * 500)[i % 4])
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass  # perhaps an alert
            except OSError:
                pass  # it was closed already
    n, honest = floods(site, 2, what)
    honest.told(f"under {n} connections with garbage in 2 s")


def exchange(site, head, pieces=()):
    """What comes back for bytes that are sent until nobody takes more, and how many were taken."""
    sent = 0
    plain = socket.create_connection(address_of(site), 20, ("127.0.1.60", 0))
    with site.tls.wrap_socket(plain, server_hostname="localhost") as s:
        got = b""
        try:
            s.sendall(head)
            sent += len(head)
            for piece in pieces:
                s.sendall(piece)
                sent += len(piece)
        except (ssl.SSLError, ConnectionError):
            pass
        try:
            while piece := s.recv(65536):
                got += piece
        except (ssl.SSLError, ConnectionError):
            pass
    return got, sent


def status_of(got):
    return int(got.split()[1]) if got else 0


def request(site, line="GET /v1/series HTTP/1.1", more=""):
    return f"{line}\r\nHost: localhost\r\nAuthorization: Bearer {site.token}\r\nConnection: close\r\n{more}\r\n".encode()


def test_heads_and_targets_that_are_too_long(site):
    statuses = {}
    for size in 1 << 10, 64 << 10, 200 << 10, 1 << 20, 16 << 20:
        for name, bytes_ in (("one field", request(site, more=f"X-Long: {'x' * size}\r\n")),
                             ("many fields", request(site, more="".join(f"X-{i}: y\r\n" for i in range(size // 10)))),
                             ("target", request(site, f"GET /v1/series?q={'x' * size} HTTP/1.1"))):
            pieces = [bytes_[at:at + 65536] for at in range(0, len(bytes_), 65536)]
            statuses[name, size] = status_of(exchange(site, pieces[0], pieces[1:])[0])
    print("# " + ", ".join(f"{name} of {size >> 10} KiB: {status}" for (name, size), status in statuses.items()))
    for (name, size), status in statuses.items():
        expected = {200} if size < 64 << 10 else {200, 414, 431} if size < 128 << 10 else {0, 414, 431}
        assert status in expected, (name, size, status)  # 0: the reset came before the answer was read

    def what(i):
        exchange(site, request(site, f"GET /v1/series?{'&'.join(f'a{j}=b' for j in range(500 + i % 7))} HTTP/1.1"))
    n, honest = floods(site, 2, what)
    honest.told(f"under {n} targets with too many parameters in 2 s")


def test_a_body_of_100_mb_is_refused_early(site):
    memory = kib(site, "VmHWM")
    megabyte = b"x" * (1 << 20)
    for token, status in (site.token, 413), ("alm_" + "x" * 43, 401):
        for how_long, pieces in (("Content-Length: 100000000", itertools.repeat(megabyte, 100)),
                                 ("Transfer-Encoding: chunked", itertools.repeat(b"100000\r\n" + megabyte + b"\r\n", 100))):
            head = (f"POST /v1/range HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                    f"Content-Type: application/json\r\n{how_long}\r\n\r\n").encode()
            got, sent = exchange(site, head, pieces)
            assert status_of(got) in (0, status), got[:300]  # 0: the reset came before the answer was read
            assert sent < 30_000_000, f"{sent} bytes of a refused body were taken"
        head = head.replace(b"Transfer-Encoding: chunked", b"Content-Length: 100000000\r\nExpect: 100-continue")
        assert status_of(exchange(site, head)[0]) == status
    assert kib(site, "VmHWM") < memory + 40 * 1024, "memory"


def test_a_request_whose_end_is_in_doubt_is_refused_and_nothing_behind_it_is_read(site):
    hidden = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for more in ("Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
                 "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nContent-Length: 5", "Content-Length: +5",
                 "Content-Length: -1", "Content-Length: 5x", "Content-Length: 99999999999999999999999", "Transfer-Encoding: gzip",
                 "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: xchunked",
                 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Content-Length : 5", "Transfer-Encoding : chunked",
                 "Transfer-Encoding:\r\n chunked", " Content-Length: 5"):
        head = (f"POST /v1/range HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {site.token}\r\n"
                f"Content-Type: application/json\r\n{more}\r\n\r\n0\r\n\r\n{hidden}").encode()
        got, _ = exchange(site, head)
        assert status_of(got) in (0, 400, 413, 415), (more, got[:300])  # 415: it is a second line of the field above
        assert b"alive" not in got, (more, got)


def test_afterwards_all_is_as_before_and_it_stops(site):
    assert ask_from(site, "127.0.0.2") == 200
    wait_for(lambda: files(site)[0] < 10, 30)
    print(f"# {sum(files(site))} files, {kib(site, 'VmRSS') >> 10} MiB resident, {kib(site, 'VmHWM') >> 10} MiB at most")
    process, pipe = attackers.attack(100, address_of(site), LONG, site.token)
    wait_for(lambda: how(pipe)["open"] >= 95, 30)
    begin = time.monotonic()
    site.stop()  # within 30 s, with code 0
    print(f"# stopped in {time.monotonic() - begin:.1f} s under 100 slow connections")
    process.kill()
    process.join(10)


sys.exit(harness.main(globals()))

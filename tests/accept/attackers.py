"""Clients that mean no good, thousands at once, in a process of their own so that they do not hold up those who do."""
import collections
import errno
import multiprocessing
import os
import select
import socket
import ssl
import time

KINDS = ["silent", "half a handshake", "head by the byte", "body by the byte", "taker by the byte"]
SLICE_S = 0.05      # what is due in a second is spread over such slices
PER_SLICE = 100     # new connections a slice: more would only wait in the kernel's queue


def not_verified():
    """TLS as an attacker speaks it."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    return tls


def from_there(address, source, bytes_of_window=None):
    """A socket that is being connected, from an address of this machine."""
    s = socket.socket()
    if bytes_of_window:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, bytes_of_window)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: ports are of a pair of addresses, so they do not run out
    s.bind((source, 0))
    s.setblocking(False)
    if s.connect_ex(address) not in (0, errno.EINPROGRESS):
        raise OSError("cannot connect")
    return s


class Slow:
    """One slow connection. dead: why it ended, once it has."""

    def __init__(self, kind, address, source, tls, target, token):
        self.kind, self.target, self.token = kind, target, token
        self.socket = from_there(address, source, 4096 if kind == "taker by the byte" else None)
        self.began = time.monotonic()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.connected = self.shaken = False
        self.waiting = b""  # what is sent in one piece once the handshake is done
        self.dead = None
        if kind == "body by the byte":
            self.waiting = self.head("POST", "Content-Type: application/json\r\nContent-Length: 1000\r\n")
        elif kind == "taker by the byte":
            self.waiting = self.head("GET", "")
        self.drip = self.head("GET", "X-Padding: " + "x" * 1000) if kind == "head by the byte" else b" " * 1000

    def head(self, method, more):
        target = self.target if method == "GET" else self.target.split("?")[0]
        return f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n{more}\r\n".encode()

    def send(self):
        piece = self.outgoing.read()
        if piece and self.socket.send(piece) != len(piece):
            raise OSError("the kernel takes no more")  # never at such sizes

    def shake(self):
        try:
            self.tls.do_handshake()
            self.shaken = True
            if self.waiting:
                self.tls.write(self.waiting)
        except ssl.SSLWantReadError:
            pass
        self.send()

    def step(self, events):
        """What epoll has told."""
        if events & (select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP):
            self.dead = "closed"
            return
        if not self.connected:
            self.connected = True
            self.began = time.monotonic()
            if self.kind == "half a handshake":
                try:
                    self.tls.do_handshake()
                except ssl.SSLWantReadError:
                    hello = self.outgoing.read()
                self.socket.send(hello[:len(hello) // 2])
            elif self.kind != "silent":
                self.shake()
        elif events & select.EPOLLIN and not (self.shaken and self.kind == "taker by the byte"):
            piece = self.socket.recv(65536)
            if not piece:
                self.dead = "closed"
            elif not self.shaken:
                self.incoming.write(piece)
                self.shake()

    def tick(self):
        """Once a second."""
        if not self.shaken:
            return
        if self.kind == "taker by the byte":
            self.socket.recv(16)
        elif self.drip:
            self.tls.write(self.drip[:1])
            self.drip = self.drip[1:]
            self.send()

    def interest(self):
        if not self.connected:
            return select.EPOLLOUT
        if self.shaken and self.kind == "taker by the byte":
            return select.EPOLLRDHUP  # its answer waits all the time
        return select.EPOLLIN | select.EPOLLRDHUP


class Crowd:
    """Keeps n slow connections open, from several addresses, until it is told to open no more."""

    def __init__(self, pipe, n, address, target, token):
        self.pipe, self.n = pipe, n
        self.what = address, target, token
        self.tls = not_verified()
        self.epoll = select.epoll()
        self.open, self.slices = {}, [set() for _ in range(round(1 / SLICE_S))]
        self.ages = {kind: [] for kind in KINDS}
        self.ends, self.born, self.going_on, self.most = collections.Counter(), 0, True, 0
        self.busy = set()  # the seconds, by the monotonic clock, in which one came, finished its handshake, or was cut

    def add(self):
        address, target, token = self.what
        source = f"127.0.0.{10 + self.born % 10}"
        slow = Slow(KINDS[self.born // 10 % len(KINDS)], address, source, self.tls, target, token)
        self.born += 1
        self.open[slow.socket.fileno()] = slow
        self.slices[self.born % len(self.slices)].add(slow)
        slow.told = slow.interest()
        self.epoll.register(slow.socket.fileno(), slow.told)

    def guarded(self, slow, what, *args):
        before = slow.connected, slow.shaken
        try:
            what(*args)
        except BlockingIOError:
            pass
        except (OSError, ssl.SSLError) as error:
            slow.dead = type(error).__name__
        fd = slow.socket.fileno()
        if slow.dead or before != (slow.connected, slow.shaken):
            self.busy.add(int(time.monotonic()))
        if slow.dead:
            self.ages[slow.kind].append(time.monotonic() - slow.began)
            self.ends[slow.kind, "before it was connected" if not slow.connected else slow.dead] += 1
            del self.open[fd]
            for part in self.slices:
                part.discard(slow)
            slow.socket.close()
        elif slow.interest() != slow.told:
            slow.told = slow.interest()
            self.epoll.modify(fd, slow.told)

    def run(self):
        number, due = 0, time.monotonic()
        while self.going_on or self.open:
            for _ in range(min(PER_SLICE, self.n - len(self.open)) if self.going_on else 0):
                self.add()
            while (left := due - time.monotonic()) > 0:
                for fd, events in self.epoll.poll(left):
                    if fd in self.open:
                        self.guarded(self.open[fd], self.open[fd].step, events)
            due = max(due + SLICE_S, time.monotonic() - 1)
            number = (number + 1) % len(self.slices)
            for slow in list(self.slices[number]):
                self.guarded(slow, slow.tick)
            self.most = max(self.most, sum(slow.connected for slow in self.open.values()))
            while self.pipe.poll():
                if self.pipe.recv() == "how":
                    self.pipe.send(self.told())
                else:
                    self.going_on = False
        self.pipe.send(self.told())

    def told(self):
        now = time.monotonic()
        n_connected = sum(slow.connected for slow in self.open.values())
        return {"open": n_connected, "left": len(self.open), "born": self.born,
                "most": self.most, "busy": self.busy, "ages": self.ages, "ends": self.ends,
                "oldest": max((now - slow.began for slow in self.open.values()), default=0)}


def attack(n, address, target, token):
    """(process, pipe): to "how" it answers how it stands; at "enough" it opens no more, and tells when the last one is cut."""
    ours, theirs = multiprocessing.Pipe()

    def run():
        try:
            Crowd(theirs, n, address, target, token).run()
        except EOFError:
            pass
        os._exit(0)
    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    theirs.close()
    return process, ours

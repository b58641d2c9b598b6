#!/usr/bin/env python3
"""/v1/live: who follows it has what the store has, over lost connections, flushes, restarts and kills of the daemon.

    ROUNDS=20 SEED=7 tests/accept/62-live.py
"""
import base64
import http.client
import json
import os
import random
import re
import socket
import sys
import threading
import time
from datetime import timedelta
from decimal import Decimal

import harness
import meters
from meters import ALL, PARTITIONS, T0, iso, reading

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
ROUNDS = int(os.environ.get("ROUNDS", "8"))
TOPIC = "readings.live"
ENTITIES = [f"live-{i}" for i in range(5)]


def setup(folder):
    print(f"# SEED={SEED}")
    return meters.start(folder, "live", TOPIC, ENTITIES, "PT2S")


teardown = meters.stop


def send(context, *messages):
    meters.send(context, TOPIC, *messages)


class Follower:
    """A client that keeps a copy of the store by its events alone, and comes again with the last id when its connection ends."""

    def __init__(self, site, since=None, **filters):
        self.site, self.filters = site, filters
        self.copy, self.last_id, self.since = {}, None, since
        self.kinds, self.dropped, self.connections = {"message": 0, "range": 0}, 0, 0
        self.over, self.socket, self.error = False, None, None
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.over:
                try:
                    self.listen()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.1)
        except Exception as error: # told by check
            self.error = error

    def listen(self):
        host, _, port = self.site.url.removeprefix("https://").rpartition(":")
        connection = http.client.HTTPSConnection(host, int(port), context=self.site.tls, timeout=30)
        query = "&".join(f"{name}={value}" for name, value in self.filters.items())
        if self.since:
            query += f"&since={self.since}"
        headers = {"Authorization": "Bearer " + self.site.token, "Accept": "text/event-stream"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        connection.request("GET", "/v1/live?" + query, headers=headers)
        self.socket = connection.sock
        answer = connection.getresponse()
        if answer.status != 200:
            body = answer.read()
            assert answer.status == 503, body
            raise OSError("not ready")
        assert answer.headers["Content-Type"] == "text/event-stream" and answer.headers["Almanac-Position"]
        self.connections += 1
        event, data = "message", []
        for line in answer:
            line = line.decode().rstrip("\n")
            if line.startswith("id: "):
                self.last_id = line[4:]
            elif line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                data.append(line[6:])
            elif not line and data:
                self.take(event, json.loads("\n".join(data), parse_float=Decimal))
                event, data = "message", []
            elif line:
                assert line.startswith(":"), line

    def take(self, event, data):
        with self.lock:
            if event == "dropped":
                self.dropped += 1
                return
            self.kinds[event] += 1
            series = self.copy.setdefault(data["entity"], {})
            assert (data["property"], data["unit"]) == ("voltage", "V"), data
            if event == "range" or "from" in data:
                for when in [when for when in series if data["from"] <= when < data["to"]]:
                    del series[when]
            elif data.get("deleted"):
                series.pop(data["time"], None)
            else:
                series[data["time"]] = data["value"], data["quality"]

    def cut(self):
        if self.socket:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.over = True
        self.cut()
        self.thread.join(40)


def in_force(site):
    answer = site.get("/v1/range", entity="live-*", property="voltage", **ALL)
    found = {}
    for series in answer["series"]:
        column = {name: i for i, name in enumerate(series["columns"])}
        found[series["entity"]] = {row[0]: (row[1], row[column["quality"]] if "quality" in column else "measured")
                                   for row in series["rows"]}
    return found


def check_same(site, follower):
    expected = {entity: rows for entity, rows in in_force(site).items() if rows}

    def same():
        assert not follower.error, repr(follower.error)
        with follower.lock:
            return {entity: rows for entity, rows in follower.copy.items() if rows} == expected
    try:
        harness.wait_for(same, 20)
    except AssertionError:
        with follower.lock:
            lacks = {entity: sorted(set(expected.get(entity, {}).items()) ^ set(follower.copy.get(entity, {}).items()))[:5]
                     for entity in ENTITIES}
        raise AssertionError(f"seed {SEED}: {lacks}") from None


# ----

def test_what_arrives_is_told_within_a_second(context):
    _, site = context
    follower = Follower(site, entity="live-*")
    harness.wait_for(lambda: follower.last_id)
    send(context, reading("live-0", T0 + timedelta(hours=1), 5.25, quality="edited"))
    harness.wait_for(lambda: follower.copy.get("live-0"), 5)
    assert follower.copy["live-0"] == {iso(T0 + timedelta(hours=1)): (Decimal("5.25"), "edited")}, follower.copy
    send(context, reading("live-0", T0 + timedelta(hours=1), 0, delete=True))
    harness.wait_for(lambda: not follower.copy["live-0"], 5)
    follower.stop()


def test_a_follower_has_what_the_store_has(context):
    kafka, site = context
    rng = random.Random(SEED)
    status, headers, _ = site.request("/v1/range", {"entity": "live-*", "from": ALL["from_"], "to": ALL["to"]})
    follower = Follower(site, since=headers["Almanac-Position"], entity="live-*")
    follower.copy = in_force(site)
    for n in range(ROUNDS):
        messages = meters.at_random(rng, ENTITIES, rng.randrange(1, 60), (0, 0, 1, 40))
        if n % 4 == 1:
            follower.cut()
        send(context, *messages)
        if n % 4 == 2:
            site.stop()
            site.start()
        elif n % 4 == 3:
            site.kill()
            site.start()
            site.settle(kafka, TOPIC, PARTITIONS)
        check_same(site, follower)
        if n % 3 == 2: # so that a flush comes between
            time.sleep(rng.random() * 4)
    print(f"# {follower.connections} connections, {follower.kinds}")
    assert follower.connections > 2 and not follower.dropped and all(follower.kinds.values())
    follower.stop()


def test_many_may_listen_and_no_more(context):
    _, site = context
    host, _, port = site.url.removeprefix("https://").rpartition(":")
    def listen():
        connection = http.client.HTTPSConnection(host, int(port), context=site.tls, timeout=30)
        connection.request("GET", "/v1/live?entity=live-1", headers={"Authorization": "Bearer " + site.token})
        return connection, connection.getresponse()
    open_ones = []
    def fill(): # who listened before may still be being noticed as gone
        connection, answer = listen()
        if answer.status == 200:
            open_ones.append((connection, answer))
        else:
            connection.close()
        return len(open_ones) == 64
    harness.wait_for(fill, 60, 0)
    refused = listen()[1]
    assert refused.status == 503 and refused.headers["Retry-After"] and json.loads(refused.read())["status"] == 503
    site.get("/v1/series", entity="live-1") # others are answered as ever
    begin = time.monotonic()
    send(context, reading("live-1", T0 + timedelta(days=50), 77))
    for _, answer in open_ones:
        line = b""
        while b'"value":77' not in line:
            line = answer.readline()
            assert line
    print(f"# 64 listeners have a reading {time.monotonic() - begin:.2f} s after it was sent, settling included")
    for connection, _ in open_ones:
        connection.close()
    def freed():
        connection, answer = listen()
        connection.close()
        return answer.status == 200
    harness.wait_for(freed, 20)
    begin = time.monotonic()
    follower = Follower(site, entity="live-*")
    harness.wait_for(lambda: follower.last_id)
    site.stop()
    assert time.monotonic() - begin < 15 # a listener does not hold up a stop
    follower.over = True
    site.start()


def test_who_is_not_let_in_any_more_is_told_no_more(context):
    """Of a token and a user: the stream ends by itself while nothing arrives; others listen on, and an access that was added ends nobody's."""
    _, site = context
    host, _, port = site.url.removeprefix("https://").rpartition(":")
    token = re.search(r"alm_\S+", site.cli("token", "create", "--name", "passing", "--scope", "read").stdout).group(0)
    site.cli("user", "add", "passer", "--scope", "read:live-*", input="a long password\n")
    ways = {"token": "Bearer " + token, "user": "Basic " + base64.b64encode(b"passer:a long password").decode()}
    open_ones = {}
    for kind, authorization in (*ways.items(), ("admin", "Bearer " + site.token)):
        connection = http.client.HTTPSConnection(host, int(port), context=site.tls, timeout=60)
        connection.request("GET", "/v1/live?entity=live-2", headers={"Authorization": authorization})
        open_ones[kind] = connection, connection.getresponse()
        assert open_ones[kind][1].status == 200, kind
    def heard(kind, word):
        line = b""
        while word not in line:
            line = open_ones[kind][1].readline()
            assert line, kind
        return line
    for round, (kind, name) in enumerate((("token", "passing"), ("user", "passer"))):
        site.cli("token", "create", "--name", f"new-{round}", "--scope", "read")
        send(context, reading("live-2", T0 + timedelta(days=60 + round), 1000 + round))
        heard(kind, b'"value":%d' % (1000 + round))
        begin = time.monotonic()
        site.cli(*(("token", "revoke") if kind == "token" else ("user", "remove")), name)
        assert b"not valid" in heard(kind, b"reason"), kind
        assert b"data:" not in open_ones[kind][1].read(), kind      # it is over
        print(f"# the stream of the {kind} ended {time.monotonic() - begin:.2f} s after the command had begun")
        send(context, reading("live-2", T0 + timedelta(days=70 + round), 2000 + round))
        heard("admin", b'"value":%d' % (2000 + round))
    for connection, _ in open_ones.values():
        connection.close()


def test_a_strange_position_is_refused(context):
    _, site = context
    site.problem("/v1/live", 400, "since", since="x")
    site.problem("/v1/live", 400, "series", series="x")


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

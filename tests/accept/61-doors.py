#!/usr/bin/env python3
"""The doors beside the range: /v1/last against plain looking, the Prometheus door against windows added up one by one and
promtool.

    SEED=7 tests/accept/61-doors.py
"""
import json
import os
import random
import shutil
import subprocess
import sys
import time
import urllib.parse
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import harness

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
TOPIC, PARTITIONS = "readings.doors", 2
T0 = datetime(2025, 3, 1, tzinfo=timezone.utc)
ENTITIES = [f"door-{i}" for i in range(4)]
MINUTES = 300


def iso(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def reading(entity, when, values, **more):
    return {"entity": entity, "type": "SmartMeter", "time": iso(when), "values": values, **more}


def make(rng):
    """{(entity, property): {time: (value, quality)}} with gaps, corrections in the first half sealed away, some suspect."""
    data, messages = {}, []
    for entity in ENTITIES:
        for minute in range(MINUTES):
            if rng.random() < 0.2 or 100 < minute < 140:
                continue
            when = T0 + timedelta(minutes=minute, seconds=rng.choice((0, 0, 0, 7)))
            quality = rng.choice(("measured",) * 8 + ("estimated", "suspect"))
            values = {"voltage": Decimal(rng.randrange(22000, 24000)) / 100, "activePower": Decimal(rng.randrange(-500, 500))}
            for name, value in values.items():
                data.setdefault((entity, name), {})[when] = value, quality
                messages.append(reading(entity, when, {name: float(value)}, quality=quality))
    rng.shuffle(messages)
    return data, messages


def setup(folder):
    rng = random.Random(SEED)
    print(f"# SEED={SEED}")
    data, messages = make(rng)
    kafka = harness.Kafka(folder / "kafka", PARTITIONS)
    kafka.produce(TOPIC, [(message["entity"], message) for message in messages])
    site = harness.Site(folder / "site", kafka, kafka__group__id="doors", ingest__topics=TOPIC, store__seal_after="PT1S")
    site.start()
    site.settle(kafka, TOPIC, PARTITIONS)
    return kafka, site, data, rng


def teardown(context):
    kafka, site = context[:2]
    if site.process:
        site.stop()
    kafka.stop()


def send(context, *messages):
    kafka, site = context[:2]
    kafka.produce(TOPIC, [(message["entity"], message) for message in messages])
    site.settle(kafka, TOPIC, PARTITIONS)


# ---- /v1/last ----

def newest(readings, at=None):
    times = [when for when in readings if at is None or when <= at]
    return max(times) if times else None


def check_last(site, data, at=None):
    answer = site.get("/v1/last", entity="door-*", **({"at": iso(at)} if at else {}))
    assert answer["next"] is None
    told = {(series["entity"], series["property"]): series for series in answer["series"]}
    assert sorted(told) == sorted(data)
    for key, readings in data.items():
        when, series = newest(readings, at), told[key]
        value, quality = readings[when] if when else (None, "measured")
        assert (series["time"], series["value"]) == (iso(when) if when else None, value), (key, at, series)
        assert series.get("quality", "measured") == quality, series


def test_the_newest_of_each_series(context):
    _, site, data, rng = context
    check_last(site, data)
    for _ in range(30):
        check_last(site, data, T0 + timedelta(seconds=rng.randrange(-600, 60 * MINUTES + 600)))
    [series] = site.get("/v1/last", entity="door-1", property="voltage", at=iso(T0 + timedelta(days=1)), max_age="PT1H")["series"]
    assert series["time"] is None and series["value"] is None and series["last"]
    page = site.get("/v1/last", entity="door-*", unit="V", limit=3)
    rest = site.get("/v1/last", entity="door-*", unit="V", limit=3, cursor=page["next"])
    assert sorted(s["entity"] for s in page["series"] + rest["series"]) == ENTITIES and rest["next"] is None
    site.problem("/v1/last", 400, "at", at="2025-03-01")


def test_forecasts_count_until_now_is_asked_for(context):
    _, site, _, _ = context
    now = datetime.now(timezone.utc).replace(microsecond=0)
    past, ahead = now - timedelta(hours=1), now + timedelta(hours=20)
    send(context, {"entity": "wx", "type": "Weather", "time": iso(past), "values": {"temperature": 7.5}},
         {"entity": "wx", "type": "Weather", "time": iso(ahead), "issued": iso(past), "values": {"temperature": 12}})
    [series] = site.get("/v1/last", entity="wx")["series"]
    assert (series["time"], series["value"]) == (iso(ahead), 12)
    [series] = site.get("/v1/last", entity="wx", at="now")["series"]
    assert (series["time"], series["value"]) == (iso(past), Decimal("7.5"))
    send(context, {"entity": "hp", "type": "HeatPump", "time": iso(past), "values": {"operationalState": "defrost"}})
    [series] = site.get("/v1/last", entity="hp")["series"]
    assert series["value"] == "defrost"


def test_the_newest_of_many_series_is_quick(context):
    _, site, _, _ = context
    send(context, *[{"entity": f"many-{i}", "type": "SmartMeter", "time": [iso(T0 + timedelta(seconds=s)) for s in range(600)],
                     "values": {"voltage": [230 + s % 7 for s in range(600)]}} for i in range(100)])
    def timed(path):
        best = 9
        for _ in range(7):
            begin = time.perf_counter()
            assert len(site.get(path, entity="many-*")["series"]) == 100
            best = min(best, time.perf_counter() - begin)
        return best * 1000
    print(f"# best of 7, with TLS: /v1/series {timed('/v1/series'):.1f} ms, /v1/last {timed('/v1/last'):.1f} ms for 100 series")


# ---- the Prometheus door ----

FUNCTIONS = {"avg": lambda v: sum(v) / len(v), "min": min, "max": max, "sum": sum, "last": lambda v: v[-1], "count": len}


def windows(readings, fn, start, end, step, window):
    """[[seconds, Decimal], …] by looking at every reading for every window; suspect ones do not count."""
    rows, at = [], start
    while at <= end:
        inside = [readings[when][0] for when in sorted(readings) if at - window < when <= at and readings[when][1] != "suspect"]
        if inside:
            value = FUNCTIONS[fn](inside)
            rows.append([int(at.timestamp()), Decimal(value)])
        at += step
    return rows


def matrix(site, query, start, end, step, post=False):
    parameters = {"query": query, "start": iso(start), "end": end.timestamp(), "step": step.total_seconds()}
    if post:
        form = urllib.parse.urlencode(parameters).encode()
        status, headers, body = site.request("/api/v1/query_range", method="POST", body=form,
                                             headers={"Content-Type": "application/x-www-form-urlencoded"})
    else:
        status, headers, body = site.request("/api/v1/query_range", parameters)
    assert status == 200 and headers["Content-Type"] == "application/json", body
    answer = json.loads(body)
    assert answer["status"] == "success" and answer["data"]["resultType"] == "matrix", answer
    return {series["metric"]["entity"]: (series["metric"], series["values"]) for series in answer["data"]["result"]}


def check_matrix(found, data, name, fn, *span):
    for entity in ENTITIES:
        expected = windows(data[entity, name], fn, *span)
        metric, rows = found.get(entity, ({}, []))
        assert [row[0] for row in rows] == [row[0] for row in expected], (SEED, fn, entity, span)
        for (_, text), (_, value) in zip(rows, expected):
            assert abs(Decimal(text) - value) <= abs(value) * Decimal("1e-14"), (SEED, fn, entity, text, value)
        assert not rows or (metric["type"], metric["unit"]) == ("SmartMeter", {"voltage": "V", "activePower": "W"}[name])


def test_windows_are_those_of_prometheus(context):
    _, site, data, rng = context
    for n in range(40):
        fn, name = rng.choice(("avg", "min", "max", "sum", "last", "count")), rng.choice(("voltage", "activePower"))
        start = T0 + timedelta(seconds=rng.randrange(-1200, 60 * MINUTES))
        span = start, start + timedelta(minutes=rng.randrange(0, 200)), timedelta(seconds=rng.choice((15, 60, 900, 3600))), \
            timedelta(seconds=rng.choice((10, 60, 300, 900, 5400)))
        query = f'{fn}_over_time({name}{{entity=~"door-.*"}}[{int(span[3].total_seconds())}s])'
        found = matrix(site, query, *span[:3], post=n % 2)
        check_matrix(found, data, name, fn, *span)
    span = T0, T0 + timedelta(minutes=MINUTES), timedelta(minutes=7), timedelta(minutes=5)
    found = matrix(site, 'voltage{type="SmartMeter",entity!~"many-.*|settled-.*"}', *span[:3])
    assert sorted(found) == ENTITIES and all(metric["__name__"] == "voltage" for metric, _ in found.values())
    check_matrix(found, data, "voltage", "last", *span)


def test_long_windows_use_tiers_and_say_the_same(context):
    """Three days of a reading each half minute, sealed: windows of whole 15 minute cells, some of them 16 hours apart."""
    _, site, _, rng = context
    days, readings, messages = 3, {}, []
    for k in range(days * 2880):
        readings[T0 + timedelta(seconds=30 * k)] = Decimal(rng.randrange(22000, 24000)) / 100, rng.choice(("measured",) * 9 + ("suspect",))
    times = sorted(readings)
    for at in range(0, len(times), 2880):
        some = times[at:at + 2880]
        messages.append({"entity": "long", "type": "SmartMeter", "time": [iso(t) for t in some], "values": {"current": [float(readings[t][0]) for t in some]},
                         "quality": [readings[t][1] for t in some]})
    send(context, *messages)
    past = f"SELECT 1 FROM file WHERE kind = 'open' AND begin_us < {int((T0 + timedelta(days=30)).timestamp() * 1e6)} UNION SELECT 1 FROM batch"
    harness.wait_for(lambda: not any(site.ask(TOPIC, partition, past)
                                     for partition in range(PARTITIONS)), 30)
    for fn in FUNCTIONS:
        for hours, step in (16, 16), (32, 16), (48, 24), (16, 17):
            span = T0, T0 + timedelta(days=days + 1), timedelta(hours=step), timedelta(hours=hours)
            found = matrix(site, f"{fn}_over_time(current{{entity='long'}}[{hours}h])", *span[:3])
            expected = windows(readings, fn, *span)
            [(_, rows)] = found.values()
            assert [row[0] for row in rows] == [row[0] for row in expected], (SEED, fn, hours, step)
            for (_, text), (_, value) in zip(rows, expected):
                assert abs(Decimal(text) - value) <= abs(value) * Decimal("1e-14"), (SEED, fn, hours, step, text, value)


def test_clients_find_their_way(context):
    _, site, _, _ = context
    def data(path, **parameters):
        answer = site.get("/api/v1/" + path, **parameters)
        assert answer["status"] == "success"
        return answer["data"]
    assert data("labels") == ["__name__", "entity", "type", "unit"]
    assert data("label/entity/values", **{"match[]": '{entity=~"door-[12]"}'}) == ENTITIES[1:3]
    assert set(data("label/__name__/values")) == {"voltage", "activePower", "temperature", "current"}
    assert data("series", **{"match[]": ["voltage{entity='door-0'}", "nobody"]}) == \
        [{"__name__": "voltage", "entity": "door-0", "type": "SmartMeter", "unit": "V"}]
    before = {"start": iso(T0 - timedelta(days=9)), "end": iso(T0 - timedelta(days=8))}
    assert data("series", **before, **{"match[]": "voltage{entity=~'door.*'}"}) == []
    assert data("metadata", metric="voltage") == {"voltage": [{"type": "gauge", "help": "", "unit": "V"}]}
    assert data("query", query="1+1", time=5) == {"resultType": "scalar", "result": [5, "2"]}
    assert "version" in data("status/buildinfo")
    [one] = data("query", query="count_over_time(temperature[2h])")["result"]
    assert one["value"][1] == "1" and one["metric"]["entity"] == "wx"
    status, headers, body = site.request("/api/v1/query", {"query": "rate(voltage[5m])"})
    answer = json.loads(body)
    assert (status, answer["status"], answer["errorType"]) == (400, "error", "bad_data"), answer
    assert "avg_over_time" in answer["error"], answer
    site.problem("/v1/nothing", 404)


def test_promtool_is_served(context):
    _, site, data, _ = context
    where = subprocess.run(["sh", str(harness.TOP / "tests" / "readers" / "promtool.sh"), "program"], stdout=subprocess.PIPE, text=True)
    promtool = shutil.which("promtool") or where.stdout.strip()
    if not promtool:
        raise harness.Skip("promtool is not there: tests/readers/promtool.sh fetch")
    def run(*args):
        done = subprocess.run([promtool, "query", *args], capture_output=True, text=True, timeout=60,
                              env=os.environ | {"SSL_CERT_FILE": str(site.folder / "tls" / "server.pem"), "no_proxy": "*"})
        assert done.returncode == 0, done.stderr
        return done.stdout
    end = T0 + timedelta(hours=2)
    bearer = f"--header=Authorization=Bearer {site.token}"
    out = run("range", bearer, "--start", iso(T0), "--end", iso(end), "--step", "15m", "--format=json", site.url,
              'max_over_time(voltage{entity="door-2"}[15m])')
    [series] = json.loads(out)
    expected = windows(data["door-2", "voltage"], "max", T0, end, timedelta(minutes=15), timedelta(minutes=15))
    assert [[when, Decimal(value)] for when, value in series["values"]] == expected and series["metric"]["entity"] == "door-2"
    if "--header" in subprocess.run([promtool, "query", "instant", "--help"], capture_output=True, text=True).stderr:
        assert "door-1" in run("instant", bearer, "--time", iso(end), site.url, "voltage{entity='door-1'}")


if __name__ == "__main__":
    sys.exit(harness.main(globals()))

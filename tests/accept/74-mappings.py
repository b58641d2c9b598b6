#!/usr/bin/env python3
"""What mappings make of files, by `almanac adapt --dry-run`, against Python: zoneinfo, decimal and csv are the judges.

    SEED=7 tests/accept/74-mappings.py
"""
import csv
import json
import os
import random
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal, localcontext
from pathlib import Path
from zoneinfo import ZoneInfo

import harness

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 30)))
DATA = Path(os.environ.get("ALMANAC_DATA", harness.TOP.parent / "shared" / "data"))
MAPPINGS = harness.TOP / "contrib" / "mappings"
ONE = {"format": "csv", "fields": {"t": "pass", "v": "pass"}, "entity": "x", "type": "Load",
       "time": {"field": "t", "format": "iso"}, "values": [{"field": "v", "property": "activePower"}]}


def setup(folder):
    print(f"# SEED={SEED}")
    return folder


def adapt(mapping, path, *options, code=0):
    """(objects, refusals, summary) of a dry run."""
    done = harness.subprocess.run([str(harness.BUILD / "almanac"), "adapt", "--dry-run", *options, str(mapping), str(path)],
                                  capture_output=True, text=True, timeout=120, env=os.environ | {"ALMANAC_DIR": "/nonexistent"})
    assert done.returncode == code, (done.returncode, done.stderr)
    objects = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in done.stdout.splitlines()]
    *refusals, summary = done.stderr.splitlines()
    return objects, refusals, summary


def run(folder, document, text, *options):
    (folder / "map.json").write_text(json.dumps(document))
    (folder / "file").write_bytes(text if isinstance(text, bytes) else text.encode())
    return adapt(folder / "map.json", folder / "file", *options)


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def local_year(zone, year, step):
    """Every instant of a local year in UTC, and its local text."""
    at, end = datetime(year, 1, 1, tzinfo=zone).astimezone(timezone.utc), datetime(year + 1, 1, 1, tzinfo=zone).astimezone(timezone.utc)
    while at < end:
        yield at, at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        at += step


def year_is_exact(folder, name, minutes, order, keep=lambda text: True):
    zone = ZoneInfo(name)
    rows = [row for row in local_year(zone, 2023, timedelta(minutes=minutes)) if keep(row[1])]
    if order == "descending":
        rows.reverse()
    document = ONE | {"time": {"field": "t", "format": "iso", "zone": name, "order": order}}
    objects, refusals, summary = run(folder, document, "t,v\n" + "".join(f"{text},{i}\n" for i, (_, text) in enumerate(rows)))
    assert not refusals, refusals[:3]
    got = [instant(o["time"]) for o in objects]
    wrong = [(text, at, was) for (at, text), was in zip(rows, got) if at != was]
    assert len(got) == len(rows) and not wrong, (name, minutes, order, len(got), len(rows), wrong[:3])


def test_a_year_of_local_times_is_exact_over_both_changes(folder):
    for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"):
        year_is_exact(folder, name, 30, "ascending")
    for minutes, order in ((60, "ascending"), (15, "ascending"), (60, "descending"), (15, "descending")):
        year_is_exact(folder, "Europe/Ljubljana", minutes, order)


def test_a_minute_a_row_is_exact_too(folder):
    year_is_exact(folder, "Europe/Berlin", 1, "ascending", lambda text: text[5:9] in ("03-2", "10-2"))


def test_repeated_seconds_stay_in_their_pass(folder):
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2023, 10, 29, 0, 30, tzinfo=timezone.utc)
    rows = [begin + timedelta(seconds=i // 2) for i in range(4 * 3600)]     # each second twice
    document = ONE | {"time": {"field": "t", "format": "%d.%m.%Y %H:%M:%S"}}
    text = "t,v\n" + "".join(f"{at.astimezone(zone):%d.%m.%Y %H:%M:%S},1\n" for at in rows)
    objects, refusals, _ = run(folder, document, text, "--tz", "Europe/Berlin")
    assert not refusals and [instant(o["time"]) for o in objects] == rows


def test_series_in_turn_have_their_order_each(folder):
    zone = ZoneInfo("Europe/Berlin")
    begin = datetime(2023, 10, 28, 22, tzinfo=timezone.utc)
    rows = [(begin + timedelta(minutes=15 * i), who) for who in ("a", "b", "c") for i in range(30)]
    random.Random(SEED).shuffle(rows)
    rows.sort(key=lambda row: row[0])       # in turn
    rows += [(at, "d") for at, who in rows if who == "a"]       # and one after the other
    document = ONE | {"fields": {"t": "pass", "v": "pass", "who": "pass"}, "entity": "x-{who}",
                      "time": {"field": "t", "format": "iso", "zone": "Europe/Berlin"}}
    text = "who,t,v\n" + "".join(f"{who},{at.astimezone(zone):%Y-%m-%dT%H:%M},1\n" for at, who in rows)
    objects, refusals, _ = run(folder, document, text)
    assert not refusals and [(instant(o["time"]), o["entity"][2:]) for o in objects] == rows


def test_the_hour_that_spring_leaves_out_is_refused_with_its_line(folder):
    zone = ZoneInfo("Europe/Berlin")
    texts = [f"2023-03-26 {h:02}:{m:02}" for h in range(5) for m in (0, 30)]
    document = ONE | {"time": {"field": "t", "format": "iso", "zone": "Europe/Berlin"}}
    objects, refusals, _ = run(folder, document, "t,v\n" + "".join(f"{text},1\n" for text in texts))
    assert len(objects) == 8
    assert [line.split(": ")[0].rpartition(":")[2] for line in refusals] == ["6", "7"] and all(": time: " in line for line in refusals)
    for o in objects:
        assert f"{instant(o['time']).astimezone(zone):%Y-%m-%d %H:%M}" in texts


def test_scaled_numbers_are_exact(folder):
    rng = random.Random(SEED)
    for scale in ("0.001", "1000", "-2.5", "0.1234567890123", "3", "999999999999999999"):
        numbers = [f"{rng.choice(['', '-', '+'])}{rng.randrange(10 ** rng.randint(1, 24))}"
                   f"{rng.choice(['', '.' + str(rng.randrange(10 ** rng.randint(1, 12)))])}{rng.choice(['', '', 'e-3', 'E2'])}" for _ in range(400)]
        document = ONE | {"time": {"field": "t", "format": "unix_s"}, "values": [{"field": "v", "property": "activePower", "scale": scale}]}
        objects, refusals, _ = run(folder, document, "t,v\n" + "".join(f"{i},{n}\n" for i, n in enumerate(numbers)))
        assert not refusals, refusals[:2]
        with localcontext() as context:
            context.prec = 100
            wrong = [(n, scale, o["values"]["activePower"]) for n, o in zip(numbers, objects)
                     if Decimal(n) * Decimal(scale) != o["values"]["activePower"]]
        assert len(objects) == len(numbers) and not wrong, wrong[:3]


def test_times_of_every_kind_are_those_of_python(folder):
    rng = random.Random(SEED)
    formats = ["%Y-%m-%d %H:%M:%S", "%d.%m.%y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%Y%m%dT%H%M%S%z", "%Y %j %H:%M", "%d/%m/%Y %H:%M:%S.%f"]
    for form in formats:
        times = [datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=rng.randrange(3_000_000_000), microseconds=rng.randrange(10 ** 6))
                 for _ in range(200)]
        texts = [at.strftime(form) for at in times]
        document = ONE | {"csv": {"separator": "\t"}, "time": {"field": "t", "format": form, "zone": "+00:00"}}
        objects, refusals, _ = run(folder, document, "t\tv\n" + "".join(f"{text}\t1\n" for text in texts))
        want = [datetime.strptime(text, form) for text in texts]
        want = [at if at.tzinfo else at.replace(tzinfo=timezone.utc) for at in want]
        assert not refusals and [instant(o["time"]) for o in objects] == want, (form, refusals[:2])
    for kind, unit in (("unix_s", 1), ("unix_ms", 10 ** 3), ("unix_us", 10 ** 6), ("unix_ns", 10 ** 9)):
        numbers = [rng.randrange(-10 ** 10, 10 ** 11) * unit // 10 ** rng.randint(0, 3) for _ in range(200)]
        document = ONE | {"time": {"field": "t", "format": kind}}
        objects, refusals, _ = run(folder, document, "t,v\n" + "".join(f"{n},1\n" for n in numbers))
        want = [datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=n * 10 ** 6 // unit) for n in numbers]
        assert not refusals and [instant(o["time"]) for o in objects] == want, kind


def table(path, separator=",", header=True):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter=separator))
    return (rows[0], rows[1:]) if header else (None, rows)


def shared(name):
    path = DATA / name
    if not path.exists():
        raise harness.Skip(f"{name} of the shared data is not there")
    return path


def values_of(objects):
    return [v for o in objects for v in o["values"].values()]


def check_sample(mapping, path, separator=",", header=True, skip=0, time_columns=1, left_out=()):
    """Every number of the file but those left out is there, none else, in the order of the file's rows."""
    names, rows = table(path, separator, header)
    want = []
    for row in rows:
        want += [Decimal(text) for i, text in enumerate(row) if i >= time_columns and text and (i if names is None else names[i]) not in left_out]
    objects, refusals, summary = adapt(MAPPINGS / mapping, path)
    assert not refusals, refusals[:3]
    assert sorted(values_of(objects)) == sorted(want) and f" {len(want)} values " in summary, (mapping, len(want), summary)
    return objects


def test_samples_of_photovoltaic_systems(folder):
    objects = check_sample("nrel-serf-east.json", shared("pv-nrel/serf_east_1min_ac_power.csv"))
    assert objects[0] == {"entity": "nrel-serf-east", "type": "Generation", "time": "2022-03-18T11:33:00Z",
                          "values": {"activePower": Decimal("-2.7098")}, "units": {"activePower": "kW"}}
    check_sample("nrel-serf-west.json", shared("pv-nrel/serf_west_15min.csv"), left_out=("das_temperature__785",))
    objects = check_sample("nrel-rsf.json", shared("pv-nrel/nrel_RSF_II.csv"))
    assert {o["time"] for o in objects} == {f"{datetime(2022, 1, 2, 7) + timedelta(minutes=15 * i):%Y-%m-%dT%H:%M:%SZ}" for i in range(480)}


def test_samples_of_weather(folder):
    check_sample("nrel-rmis.json", shared("weather/rmis_weather_data.csv"))
    objects = check_sample("nrel-midc.json", shared("weather/midc_20181014.txt"), time_columns=2)
    assert objects[0]["time"] == "2018-10-14T07:00:00Z" and objects[0]["values"]["temperature"] == Decimal("-4.669")


def test_samples_of_appliances(folder):
    for name in ("Refrigerator_dev_D325D9_2012.06.18", "WaterKettle_dev_D33E1F_2012.06.18"):
        path = shared(f"tracebase-1s/{name}.csv")
        objects = check_sample("tracebase.json", path, ";", header=False, left_out=(2,))
        zone = ZoneInfo("Europe/Berlin")
        rows = table(path, ";", False)[1]
        assert [o["time"] for o in objects] == [
            datetime.strptime(row[0], "%d/%m/%Y %H:%M:%S").replace(tzinfo=zone).astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") for row in rows]
        assert {o["entity"] for o in objects} == {f"tracebase-{name}"}


def test_sample_of_a_meter_with_three_phases(folder):
    (folder / "file").write_text('{"id":"shed-3","ts":1740787200,"owner":"Jane Doe","emeters":[{"power":1.5,"voltage":231.2,"total":17.25},'
                                 '{"power":0.25,"voltage":230},{"power":-0.1,"voltage":null}],"relay":true}\n{"id":"shed-4","ts":1,"emeters":[{"power":1}]}')
    objects, _, _ = adapt(MAPPINGS / "meter-json.json", folder / "file")
    entities = [o.pop("entity") for o in objects]
    assert len(set(entities)) == 2 and all(e.startswith("meter-") and len(e) == 28 and "shed" not in e for e in entities), entities
    assert objects[0] == {"type": "SmartMeter", "time": "2025-03-01T00:00:00Z",
                          "values": {"activePowerL1": Decimal("1.5"), "voltageL1": Decimal("231.2"), "activeEnergyImport": Decimal("17.25"),
                                     "activePowerL2": Decimal("0.25"), "voltageL2": 230, "activePowerL3": Decimal("-0.1")},
                          "units": {"activePowerL1": "kW", "activePowerL2": "kW", "activePowerL3": "kW", "activeEnergyImport": "kWh"}}


def test_sample_of_a_building_in_long_rows(folder):
    (folder / "file").write_text("\ufeffZeit;Punkt;Wert;Status\r\n26.10.2025 02:30;TEMP_ZONE;20,5;G\r\n26.10.2025 02:15;TEMP_ZONE;20,25;E\r\n"
                                 "01.03.2025 12:00;P_GES;1,5;?\r\n01.03.2025 12:00;FEUCHTE;-999;\r\n01.03.2025 12:00;WAS;1;\r\n")
    objects, refusals, _ = adapt(MAPPINGS / "long-csv.json", folder / "file")
    assert [(o["entity"], o["time"], *o["values"].items(), o.get("quality")) for o in objects] == [
        ("building-12", "2025-10-26T00:30:00Z", ("zoneTemperature", Decimal("20.5")), None),
        ("building-12", "2025-10-26T01:15:00Z", ("zoneTemperature", Decimal("20.25")), "estimated"),
        ("building-12-meter", "2025-03-01T11:00:00Z", ("activePower", Decimal("1.5")), "suspect")], objects
    assert len(refusals) == 1 and ":6: property: " in refusals[0]


def test_sample_of_the_line_protocol(folder):
    (folder / "file").write_text('inverter,site=s7,serial=A17-000-99 power=1520.5,total=48231i,state="run" 1740787200123456789\n'
                                 'heatpump,site=s7,serial=B1 state="idle",x=1 1740787201000000000\n')
    objects, refusals, _ = adapt(MAPPINGS / "pv-influx.json", folder / "file")
    assert not refusals and objects == [
        {"entity": "pv-s7-A17-000-", "type": "Generation", "time": "2025-03-01T00:00:00Z",
         "values": {"activePower": Decimal("1520.5"), "totalYield": Decimal("4823.1")}, "units": {"totalYield": "kWh"}},
        {"entity": "hp-s7-B1", "type": "HeatPump", "time": "2025-03-01T00:00:01Z", "values": {"operationalState": "off"}}]


def test_every_sample_mapping_is_good(folder):
    (folder / "empty").write_text("")
    for path in sorted(MAPPINGS.glob("*.json")):
        _, refusals, summary = adapt(path, folder / "empty")
        assert summary.startswith("0 records, 0 values"), (path, summary)


sys.exit(harness.main(globals()))

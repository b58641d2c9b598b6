#!/usr/bin/env python3
"""almanac import: real files of every kind through a real Kafka; what is stored is what is counted here, by other means."""
import csv
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import harness
from harness import wait_for

UTC = timezone.utc
TOPIC = "readings.import"
HERE = harness.TOP / "tests" / "data" / "import"
DEMO = harness.TOP / "data" / "demo"
MAPPINGS = harness.TOP / "contrib" / "mappings"
# more real files, which are too large or under other licences: a folder beside the repository, or any other
SHARED = Path(os.environ.get("ALMANAC_DATA", harness.TOP.parent / "shared" / "data"))


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", partitions=2)
    kafka.produce(TOPIC, [("warm-up", {"entity": "warm-up", "type": "SmartMeter", "time": 0, "values": {"voltage": 1}})])
    site = harness.Site(folder / "site", kafka, kafka__group__id="import", ingest__topics=TOPIC, store__seal_after="PT2S")
    site.start()
    return kafka, site, folder


def teardown(context):
    kafka, site, _ = context
    if site.process:
        site.stop()
    kafka.stop()


def read(path):
    return (gzip.open(path, "rt") if path.suffix == ".gz" else open(path, encoding="utf-8-sig")).read()


def iso(t):
    text = t.astimezone(UTC).isoformat(timespec="microseconds" if t.microsecond else "seconds")
    return text.replace("+00:00", "Z")


# ---- the files, read with other means: lists of (entity, property, time, value in the canonical unit), refused ones apart ----

def nem12(path):
    found, refused = [], 0
    units = {"KWH": ("energy", 1000), "WH": ("energy", 1), "KVARH": ("reactiveEnergy", 1000), "VARH": ("reactiveEnergy", 1)}
    for row in csv.reader(read(path).splitlines()):
        if row[0] == "200":
            entity, (name, factor), minutes = f"nem12-{row[1]}-{row[4]}", units[row[7].upper()], int(row[8])
        elif row[0] == "300":
            day = datetime.strptime(row[1], "%Y%m%d").replace(tzinfo=timezone(timedelta(hours=10)))
            found += [(entity, name, day + timedelta(minutes=minutes * i), Decimal(row[2 + i]) * factor)
                      for i in range(1440 // minutes)]
    return found, refused


def mscons(path):
    found, refused = [], 0
    text = read(path)
    place = re.search(r"LOC\+172\+(\w+)'", text).group(1) + "-" + re.search(r"PIA\+5\+([^']*):SRW'", text).group(1).replace("?", "")
    clock = lambda t: datetime.strptime(t.replace("?", "") + "00", "%Y%m%d%H%M%z")
    for value, begin, end in re.findall(r"QTY\+220:([^']*)'DTM\+163:([^:]*):303'DTM\+164:([^:]*):303'", text):
        if clock(end) <= clock(begin):
            refused += 1
        else:
            found.append(("mscons-" + place, "energy", clock(begin), Decimal(value.replace(",", ".")) * 1000))
    return found, refused


def greenbutton(path):
    espi, found, refused = "{http://naesb.org/espi}", [], 0
    root = xml.etree.ElementTree.fromstring(read(path))
    uom = root.findtext(f".//{espi}ReadingType/{espi}uom")
    atom = "{http://www.w3.org/2005/Atom}"
    [point] = [e.findtext(atom + "id") for e in root.iter(atom + "entry") if e.find(f"{atom}content/{espi}UsagePoint") is not None]
    for reading in root.iter(espi + "IntervalReading"):
        if uom != "72":
            refused += 1
            continue
        start = int(reading.findtext(f"{espi}timePeriod/{espi}start"))
        found.append((f"greenbutton-{point[9:].lower()}-01", "energy", datetime.fromtimestamp(start, UTC),
                      Decimal(reading.findtext(espi + "value"))))
    return found, refused


def rows_of(path):
    return list(csv.reader(read(path).splitlines()))


def wide(path, time, columns, skip=1):
    """columns: (number, entity, property, factor)."""
    found = []
    for row in rows_of(path)[skip:]:
        if row and any(row):
            found += [(entity, name, time(row), Decimal(row[i]) * factor) for i, entity, name, factor in columns if row[i] != ""]
    return found, 0


def in_golden(text):
    """A time of Golden, Colorado, standard time all year."""
    form = "%m/%d/%Y %H:%M" if "/" in text else "%Y-%m-%d %H:%M:%S"
    return datetime.strptime(text, form).replace(tzinfo=timezone(timedelta(hours=-7)))


def first_time(row):
    return in_golden(next(iter(row.values())))


def serf_east(path):
    return wide(path, lambda row: datetime.fromisoformat(row[0]), [(1, "nrel-serf-east", "activePower", 1000)])


def tracebase(path):
    zone = ZoneInfo("Europe/Berlin")
    found = []
    for line in read(path).splitlines():
        time, power, _ = line.split(";")
        found.append(("tracebase-" + path.stem, "activePower", datetime.strptime(time, "%d/%m/%Y %H:%M:%S").replace(tzinfo=zone),
                      Decimal(power)))
    return found, 0


def by_mapping(path, mapping, time):
    """The values that a wide mapping names; times are the caller's. Units that are not canonical go uncompared."""
    plan = json.loads((MAPPINGS / mapping).read_text())
    rows = rows_of(path)
    heads, found = rows[0], []
    for row in rows[1:]:
        if not any(row):
            continue
        for value in plan["values"]:
            text = row[heads.index(value["field"])]
            if text.strip() and text not in plan.get("missing", []) + value.get("missing", []):
                found.append((value.get("entity", plan["entity"]), value["property"], time(dict(zip(heads, row))), None))
    return found, 0


FILES = [
    ("nem12", HERE / "nem12/Example_NEM12_actual_interval.csv", None, nem12),
    ("nem12", HERE / "nem12/Example_NEM12_month_solar.csv", None, nem12),
    ("nem12", HERE / "nem12/Example_NEM12_multiple_meters.csv", None, nem12),
    ("nem12", HERE / "nem12/Example_NEM12_multiple_quality.csv", None, nem12),
    ("mscons", HERE / "mscons/MSCONS_TL_SAMPLE01.txt.gz", None, mscons),
    ("greenbutton", HERE / "greenbutton/TestGBDataHourlyNineDaysBinnedDaily.xml.gz", None, greenbutton),
    ("greenbutton", HERE / "greenbutton/Coastal_Multi_Family_Jan_1_2011_to_Jan_1_2012_RetailCustomer_5.xml.gz", None, greenbutton),
    ("greenbutton", HERE / "greenbutton/ngma_gas_provider_2024-07-16.xml", None, greenbutton),
    ("csv", DEMO / "serf_east_1min_ac_power.csv", "nrel-serf-east.json", serf_east),
    ("csv", DEMO / "nrel_RSF_II.csv", "nrel-rsf.json",
     lambda path: by_mapping(path, "nrel-rsf.json", first_time)),
    ("csv", DEMO / "midc_20181014.csv", "nrel-midc.json",
     lambda path: by_mapping(path, "nrel-midc.json", lambda row: in_golden(row["DATE (MM/DD/YYYY)"] + " " + row["MST"]))),
    ("csv", SHARED / "pv-nrel/serf_west_15min.csv", "nrel-serf-west.json",
     lambda path: by_mapping(path, "nrel-serf-west.json", first_time)),
    ("csv", SHARED / "weather/rmis_weather_data.csv", "nrel-rmis.json",
     lambda path: by_mapping(path, "nrel-rmis.json", first_time)),
    ("csv", SHARED / "tracebase-1s/Refrigerator_dev_D325D9_2012.06.18.csv", "tracebase.json", tracebase),
    ("csv", SHARED / "tracebase-1s/WaterKettle_dev_D33E1F_2012.06.18.csv", "tracebase.json", tracebase),
]


def run(site, kind, *args):
    return json.loads(site.cli("import", kind, *map(str, args), "--json").stdout)


def the_last_of(values):
    """What is to be in the store: of each series and time the last value."""
    return {(entity, name, iso(time)): value for entity, name, time, value in values}


def stored(site, entity, name):
    rows = site.rows(entity=entity, property=name, from_="1990-01-01T00:00:00Z", to="2030-01-01T00:00:00Z")
    return {row[0]: Decimal(row[1]) for row in rows}


def check_file(site, kind, path, mapping, read_otherwise):
    values, refused = read_otherwise(path)
    wanted = the_last_of(values)
    options = ["--map", MAPPINGS / mapping] if mapping else []
    told = run(site, kind, path, *options)
    assert told["readings"] == len(values), (told["readings"], len(values))
    assert told["refused"] == len(told["refusals"]) == refused, told["refusals"][:3]
    assert told["repeated"] == len(values) - len(wanted), (told["repeated"], len(values) - len(wanted))
    assert told["entities"] == sorted({entity for entity, *_ in values})
    if values:
        assert told["from"] == iso(min(time for _, _, time, _ in values))
    for entity in told["entities"]:
        site.wait_count(sum(key[0] == entity for key in wanted), entity=entity)
    for entity, name in sorted({key[:2] for key in wanted}):
        expected = {key[2]: value for key, value in wanted.items() if key[:2] == (entity, name)}
        got = stored(site, entity, name)
        assert got.keys() == expected.keys(), (entity, name)
        if None not in expected.values():
            assert got == expected, (entity, name)
    again = run(site, kind, path, *options)
    assert {k: again[k] for k in ("readings", "refused", "entities", "from", "to")} == \
        {k: told[k] for k in ("readings", "refused", "entities", "from", "to")}
    return told, len(wanted)


def test_every_file_is_stored_as_it_is_counted_here_and_again_changes_nothing(context):
    kafka, site, _ = context
    absent, n_stored = [], 0
    for kind, path, mapping, read_otherwise in FILES:
        if not path.exists():
            absent.append(path.name)
            continue
        try:
            told, n = check_file(site, kind, path, mapping, read_otherwise)
        except AssertionError as error:
            raise AssertionError(f"{path.name}: {error}") from error
        n_stored += n
        print(f"# {path.name}: {told['readings']} readings, {told['repeated']} repeat, {told['refused']} refused", flush=True)
    site.settle(kafka, TOPIC, 2)
    assert site.count() == n_stored + 3, "the repetitions changed something"  # and warm-up, and settled-0 and -1
    if absent:
        print(f"# left out, not there: {', '.join(absent)} (in $ALMANAC_DATA)")


def test_reasons_and_lines_of_what_is_refused(context):
    _, site, _ = context
    [one] = run(site, "mscons", HERE / "mscons/MSCONS_TL_SAMPLE01.txt.gz", "--dry-run")["refusals"]
    assert one["reason"] == "time" and "ends before it begins" in one["detail"], one
    gas = run(site, "greenbutton", HERE / "greenbutton/ngma_gas_provider_2024-07-16.xml", "--dry-run")
    assert gas["refused"] == 36 and {r["reason"] for r in gas["refusals"]} == {"unit"}
    assert "BOBTOWN" not in json.dumps(gas), "a customer's address"
    text = site.cli("import", "mscons", str(HERE / "mscons/MSCONS_TL_SAMPLE01.txt.gz"), "--dry-run")
    assert re.search(r"^readings +2975 \(3 for a time that was there before, 3 of them with another value\)$", text.stdout, re.M)
    assert "MSCONS_TL_SAMPLE01.txt.gz:5676: time: " in text.stderr and "Nothing was sent" in text.stderr


def day_of_nem12(nmi, date="20240101"):
    return f"100,NEM12,202401021200,A,B\n200,{nmi},E1,1,E1,N1,M,kWh,60,\n300,{date}," + ",".join(map(str, range(24))) + ",A,,,,\n900\n"


def test_available_makes_back_tests_honest(context):
    _, site, folder = context
    (folder / "available.csv").write_text(day_of_nem12("HONEST"))
    run(site, "nem12", folder / "available.csv", "--available", "PT15M")
    site.wait_count(24, entity="nem12-HONEST-E1")
    ask = dict(entity="nem12-HONEST-E1", from_="2023-12-31T14:00:00Z", to="2024-01-01T14:00:00Z")
    assert [row[1] for row in site.rows(**ask)] == [1000 * i for i in range(24)]
    assert len(site.rows(asof="2023-12-31T16:15:00Z", **ask)) == 2     # the second hour ends at 16:00
    assert len(site.rows(asof="2023-12-31T16:14:59Z", **ask)) == 1


def test_a_year_of_naive_local_times_with_both_changes(context):
    _, site, folder = context
    zone = ZoneInfo("Europe/Ljubljana")
    begin, end = datetime(2024, 1, 1, tzinfo=zone).astimezone(UTC), datetime(2025, 1, 1, tzinfo=zone).astimezone(UTC)
    times = [begin + timedelta(minutes=15 * i) for i in range((end - begin) // timedelta(minutes=15))]
    (folder / "year.csv").write_text("when;kW\n" + "".join(f"{t.astimezone(zone):%d.%m.%Y %H:%M};{i},5\n" for i, t in enumerate(times)))
    (folder / "year.json").write_text(json.dumps({
        "format": "csv", "csv": {"separator": ";", "decimal": ","}, "fields": {"when": "pass", "kW": "pass"}, "entity": "local-year",
        "type": "Load", "time": {"field": "when", "format": "%d.%m.%Y %H:%M"},
        "values": [{"field": "kW", "property": "activePower", "unit": "kW"}]}))
    wrong = site.cli("import", "csv", str(folder / "year.csv"), "--map", str(folder / "year.json"), check=False)
    assert wrong.returncode == 1 and "zone" in wrong.stderr, wrong.stderr
    told = run(site, "csv", folder / "year.csv", "--map", folder / "year.json", "--tz", "Europe/Ljubljana")
    assert (told["readings"], told["refused"], told["repeated"]) == (len(times), 0, 0) == (35136, 0, 0)
    site.wait_count(len(times), entity="local-year")
    assert stored(site, "local-year", "activePower") == {iso(t): Decimal(1000 * i + 500) for i, t in enumerate(times)}


def places(site):
    return sorted((site.folder / "run").glob("import-*")) if (site.folder / "run").exists() else []


def test_a_stopped_import_goes_on_where_it_was(context):
    kafka, site, folder = context
    topic = "readings.stopped"                                         # which the daemon does not read
    kafka.produce(topic, [("x", "x")])
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    with open(folder / "long.csv", "w") as out:
        out.write("time,a,b\n")
        for i in range(1_000_000):
            out.write(f"{iso(begin + timedelta(seconds=i))},{i},{i % 977}\n")
    (folder / "long.json").write_text(json.dumps({
        "format": "csv", "fields": {"time": "pass", "a": "pass", "b": "pass"}, "entity": "long", "type": "Load", "time": {"field": "time"},
        "values": [{"field": "a", "property": "activePower"}, {"field": "b", "property": "current"}]}))
    command = [str(harness.BUILD / "almanac"), "import", "csv", "--map", str(folder / "long.json"), "--topic", topic, "--json",
               str(folder / "long.csv"), "--dir", str(site.folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: places(site) or process.poll() is not None, 60, 0.002)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 1 and "goes on with message" in error, (process.returncode, error)
    next_message = int(re.search(r"goes on with message (\d+)", error).group(1))
    n_sent = len(kafka.consume(topic)) - 1
    assert 1 < next_message <= n_sent + 1, (next_message, n_sent)
    stopped = json.loads(out)
    told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=120).stdout)
    assert told["readings"] == 2_000_000 > stopped["readings"] > 0
    sent = kafka.consume(topic)[1:]
    assert len(sent) == told["messages"], "what was acknowledged is not sent again"
    times = {}
    for message in sent:
        payload = json.loads(message["payload"])
        times.update(zip(payload["time"], payload["values"]["activePower"]))
    assert len(times) == 1_000_000 and all(times[iso(begin + timedelta(seconds=i))] == i for i in range(0, 1_000_000, 997))
    assert not places(site)


def test_wrong_use_and_what_is_not_there(context):
    _, site, folder = context
    (folder / "good.csv").write_text(day_of_nem12("GOOD"))
    (folder / "bad.csv").write_text("time,value\n1,2\n")
    good = str(folder / "good.csv")
    for code, text, *args in [
            (2, "there is no kind", "nonsense", good), (2, "which files", "nem12"), (2, "needs a mapping", "csv", good),
            (2, "takes no mapping", "nem12", good, "--map", "x"), (2, "time zone", "nem12", good, "--tz", "Mars/Base"),
            (2, "--available", "nem12", good, "--available", "soon"), (2, "topic", "nem12", good, "--topic", "a b"),
            (1, "is no NEM12 file", "nem12", str(folder / "bad.csv")), (1, "cannot read", "nem12", str(folder / "none.csv")),
            (1, "is no file", "nem12", str(folder)), (2, "is missing",)]:
        done = site.cli("import", *args, check=False)
        assert done.returncode == code and text in done.stderr, (args, done.returncode, done.stderr)
    assert "Examples" in site.cli("import", "--help").stdout
    elsewhere = {k: v for k, v in os.environ.items() if k != "ALMANAC_DIR"}
    done = subprocess.run([str(harness.BUILD / "almanac"), "import", "nem12", good, "--dry-run"], cwd=folder, env=elsewhere,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0 and re.search(r"^readings +24$", done.stdout, re.M), done
    (folder / "cut.csv.gz").write_bytes(gzip.compress(day_of_nem12("CUT").encode() * 100)[:-20])
    done = site.cli("import", "nem12", str(folder / "cut.csv.gz"), "--dry-run", check=False)
    assert done.returncode == 1 and "cannot read" in done.stderr, done.stderr


def test_the_embedded_broker_and_none(context):
    _, _, folder = context
    (folder / "embedded.csv").write_text(day_of_nem12("EMBEDDED"))
    site = harness.Site(folder / "embedded")
    done = site.cli("import", "nem12", str(folder / "embedded.csv"), check=False)
    assert done.returncode == 1 and "there is no broker" in done.stderr, done.stderr
    site.start()
    told = run(site, "nem12", folder / "embedded.csv", "--topic", "readings.main")     # it has that one from the start
    assert told["readings"] == 24
    site.wait_count(24, entity="nem12-EMBEDDED-E1")
    site.stop()


sys.exit(harness.main(globals()))

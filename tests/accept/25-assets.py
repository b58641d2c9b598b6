#!/usr/bin/env python3
"""Topic assets (contract section 7) by a real Kafka: what is accepted, refused, declared, expanded, and outlives restarts."""
import datetime
import json
import shutil
import sqlite3

import harness

CHAIN = [
    {"asset": "Customer", "id": "c-1"},
    {"asset": "Location", "id": "l-1", "customer": "c-1"},
    {"asset": "MainDistributionBoard", "id": "b-1", "location": "l-1"},
    {"asset": "MainDistributionBoard", "id": "b-2", "location": "l-1"},
    {"asset": "Sensor", "id": "s-1", "type": "HeatPump", "board": "b-1", "entity": "a-1", "name": "TČ1 OGR",
     "static": {"turnOnCost": 1.5, "isZeroOneAsset": True}},
    {"asset": "Sensor", "id": "s-2", "type": "Solar", "board": "b-2", "entity": "a-2", "static": {"peakPower": 9.5}},
    {"asset": "Sensor", "id": "s-3", "type": "Solar", "board": "b-2", "entity": "a-3"},
    {"asset": "Rate", "id": "r-1", "board": "b-1", "start": "2025-03-01T00:00:00Z", "end": "2025-04-01T00:00:00Z", "buyRateMT": 0.1},
]


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", partitions=2)
    kafka.produce("readings.a", [("w", {"entity": "w", "type": "SmartMeter", "time": 0, "values": {"voltage": 1}})])
    site = harness.Site(folder / "site", kafka, store__seal_after="PT2S",
                        ingest__topics="^(readings\\.|assets|opt)")   # the others have a reader of their own
    site.kafka = kafka
    site.start()
    return site


def teardown(site):
    site.stop()
    site.kafka.stop()


def ask(site, sql):
    path = site.folder / "assets.db"
    if not path.exists():
        return []
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def ids(site, kind):
    return [row[0] for row in ask(site, f"SELECT id FROM asset WHERE kind = '{kind}' ORDER BY id")]


def publish(site, *documents, partition=0):
    site.kafka.produce("assets", [("assets", document) for document in documents], "-p", str(partition))


def letters(site, topic="assets"):
    rows = json.loads(site.cli("deadletter", "list", "--json").stdout)
    return [row for row in rows if row["topic"] == topic]


def series(site, **filters):
    return site.get("/v1/series", **filters)["series"]


def test_documents_come_into_force_with_what_they_refer_to(site):
    assert ask(site, "SELECT 1 FROM sqlite_schema") == [], "there is no file before the first document"
    publish(site, *CHAIN)
    harness.wait_for(lambda: ids(site, "Rate") == ["r-1"])
    assert ids(site, "Sensor") == ["s-1", "s-2", "s-3"] and letters(site) == []
    [(document,)] = ask(site, "SELECT document FROM asset WHERE kind = 'Sensor' AND id = 's-1'")
    assert json.loads(document)["static"]["turnOnCost"] == 1.5
    # the sensor lies in another partition than its board, and comes first
    publish(site, {"asset": "Sensor", "id": "s-9", "type": "Main", "board": "b-9", "entity": "a-9"}, partition=1)
    publish(site, {"asset": "MainDistributionBoard", "id": "b-9", "location": "l-1"})
    harness.wait_for(lambda: "s-9" in ids(site, "Sensor"))
    assert letters(site) == []


def test_wrong_documents_are_refused_by_field_and_id(site):
    publish(site, {"asset": "Customer", "id": "c-2", "name": "Janez Novak"},
            [{"asset": "Sensor", "id": "s-4", "type": "HeatPump", "board": "b-1", "entity": "a-4", "static": {"colour": 1}},
             {"asset": "Customer", "id": "c-3"}, {"asset": "House", "id": "h-1"}],
            {"asset": "Location", "id": "l-2", "customer": "c-99"}, "{broken")
    harness.wait_for(lambda: len(letters(site)) == 5)
    harness.wait_for(lambda: "c-3" in ids(site, "Customer"))
    found = {(row["reason"], row["detail"]) for row in letters(site)}
    assert any(reason == "field" and 'Customer "c-2"' in detail and "vault" in detail for reason, detail in found), found
    assert any(reason == "field" and 'Sensor "s-4"' in detail and '"static.colour"' in detail for reason, detail in found), found
    assert any(reason == "field" and 'Location "l-2"' in detail and '"customer"' in detail and 'Customer "c-99"' in detail
               for reason, detail in found), found
    assert {"type", "json"} < {reason for reason, _ in found}, found
    # nothing that was refused for a name has left it anywhere (I9)
    for path in [*site.folder.glob("assets.db*"), site.log_path]:
        assert b"Novak" not in path.read_bytes(), path
    one = letters(site)[0]
    shown = site.cli("deadletter", "show", "assets", str(one["partition"]), str(one["offset"]))
    assert "refused as" in shown.stderr and "kept in Kafka only" in shown.stderr, shown.stderr
    replayed = json.loads(site.cli("deadletter", "replay", "--all", "--json").stdout)
    assert replayed["replayed"] == 0 and replayed["left_out"] == 5, replayed
    # what was missing comes later, and the letter goes
    publish(site, {"asset": "Customer", "id": "c-99"})
    harness.wait_for(lambda: "l-2" in ids(site, "Location"))
    assert len(letters(site)) == 4


def test_the_last_document_of_an_id_wins(site):
    publish(site, {"asset": "Sensor", "id": "s-2", "type": "Solar", "board": "b-1", "entity": "a-2"})
    harness.wait_for(lambda: ask(site, "SELECT parent FROM asset WHERE kind = 'Sensor' AND id = 's-2'") == [("b-1",)])
    publish(site, {"asset": "Sensor", "id": "s-2", "type": "Solar", "board": "b-2", "entity": "a-2"}, partition=1)
    harness.wait_for(lambda: ask(site, "SELECT parent FROM asset WHERE kind = 'Sensor' AND id = 's-2'") == [("b-2",)])


def test_series_are_declared_before_and_after_their_first_reading(site):
    publish(site, {"asset": "Series", "entity": "a-1", "property": "activePower", "cadence": "PT15M", "maxGap": "PT2H", "step": True})
    harness.wait_for(lambda: "a-1 activePower" in ids(site, "Series"))
    hours = [f"2025-03-01T{hour:02}:00:00Z" for hour in range(6)]
    messages = [{"entity": f"a-{i}", "type": "SmartMeter", "time": hours, "values": {"activePower": [i * 10] * 6}} for i in range(1, 5)]
    messages.append({"entity": "a-1", "type": "SmartMeter", "time": hours,
                     "values": {"activeEnergyImport": [90, 95, 2, 3, 1, 2]}})
    site.kafka.produce("readings.a", [(message["entity"], message) for message in messages])
    site.wait_count(30, entity="a-*")
    [power] = series(site, entity="a-1", property="activePower")
    assert power["cadence"] == "PT15M", power
    [other] = series(site, entity="a-2", property="activePower")
    assert not other["cadence"], other
    question = {"entity": "a-1", "property": "activePower", "from_": hours[0], "to": hours[5], "step": "PT1H", "agg": "covered"}
    assert [row[1] for row in site.rows(**question)] == [3600] * 5
    parameters = {name.rstrip("_"): value for name, value in question.items()} | {"agg": "increase", "property": "activeEnergyImport"}
    status, headers, before = site.request("/v1/range", parameters)
    tag = headers["ETag"]
    assert site.request("/v1/range", parameters, headers={"If-None-Match": tag})[0] == 304
    publish(site, {"asset": "Series", "entity": "a-1", "property": "activeEnergyImport", "registerSize": 100, "epsilon": 0.5},
            {"asset": "MeterChange", "entity": "a-1", "property": "activeEnergyImport", "time": hours[4], "end": 3.25, "start": 0.125})
    harness.wait_for(lambda: len(ids(site, "MeterChange")) == 1)
    status, headers, after = site.request("/v1/range", parameters, headers={"If-None-Match": tag})
    assert status == 200 and headers["ETag"] != tag
    rows = [row[1] for row in json.loads(after)["series"][0]["rows"]]
    # a reading on an edge closes the bucket before it: 90-95, 95-2 over 100, 2-3, 3-1 by the change, 1-2
    assert rows == [5, 7, 1, 1.125, 1], rows
    assert [row[1] for row in json.loads(before)["series"][0]["rows"]] == [5, 2, 1, 1, 1]


def test_groups_by_board_and_location_leave_out_what_has_no_place(site):
    common = {"entity": "a-*", "property": "activePower", "from_": "2025-03-01T00:00:00Z", "to": "2025-03-01T01:00:00Z", "step": "PT1H",
              "over": "sum", "explain": 1}
    answer = site.get("/v1/range", by="board", **common)
    assert sorted((one["by"]["board"], one["rows"][0][1:]) for one in answer["series"]) == [("b-1", [10, 1, 0]), ("b-2", [50, 2, 0])], answer
    assert answer["left_out"] == 1, answer
    [one] = site.get("/v1/range", by="location", **common)["series"]
    assert one["by"]["location"] == "l-1" and one["rows"][0][1:] == [60, 3, 0], one
    _, _, text = site.request("/v1/range", {"entity": "a-*", "property": "activePower", "from": "2025-03-01T00:00:00Z", "over": "sum",
                                            "to": "2025-03-01T01:00:00Z", "step": "PT1H", "by": "board", "format": "csv"})
    assert text.decode().splitlines()[0] == "time,board,unit,mean,series,missing" and b",b-2,W,50,2,0" in text, text
    status, _, arrow = site.request("/v1/range", {"entity": "a-*", "property": "activePower", "from": "2025-03-01T00:00:00Z",
                                                  "to": "2025-03-01T01:00:00Z", "over": "sum", "step": "PT1H", "by": "board",
                                                  "format": "arrow"})
    assert status == 200 and b"b-1" in arrow and b"b-2" in arrow and b"a-1" not in arrow
    nothing = site.problem("/v1/range", 404, "by", by="board", **common | {"entity": "a-4"})
    assert "board" in nothing["detail"], nothing


def test_a_calendar_becomes_a_reading_a_day(site):
    publish(site, {"asset": "Calendar", "id": "SI", "tz": "Europe/Ljubljana",
                   "days": {"2025-01-01": "publicHoliday", "2026-05-02": "bankHoliday"}})
    site.wait_count(730, entity="calendar-SI")
    rows = {row[0]: row[1] for row in site.rows(entity="calendar-SI", from_="2024-12-31T00:00:00Z", to="2027-01-01T00:00:00Z",
                                                  tz="Europe/Ljubljana")}
    day = datetime.date(2025, 1, 1)
    listed = {"2025-01-01": "publicHoliday", "2026-05-02": "bankHoliday"}
    while day.year < 2027:
        kind = listed.get(str(day), "weekend" if day.weekday() >= 5 else "working")
        [found] = [value for time, value in rows.items() if time.startswith(f"{day}T00:00:00")]
        assert found == kind, (day, found)
        day += datetime.timedelta(1)
    n = len(site.kafka.consume("readings.calendar"))
    # the same once more changes nothing
    publish(site, {"asset": "Calendar", "id": "SI", "tz": "Europe/Ljubljana",
                   "days": {"2025-01-01": "publicHoliday", "2026-05-02": "bankHoliday"}}, {"asset": "Customer", "id": "c-5"})
    harness.wait_for(lambda: "c-5" in ids(site, "Customer"))
    site.stop()
    site.start()
    assert len(site.kafka.consume("readings.calendar")) == n
    assert site.count(entity="calendar-SI") == 730


def test_outputs_of_optimizations_are_kept(site):
    site.kafka.produce("optimization", [("o", {"plan": [1, 2.50]}), ("o", "[1]")])
    harness.wait_for(lambda: len(ask(site, "SELECT * FROM optimization")) == 1)
    assert ask(site, "SELECT document FROM optimization") == [('{"plan": [1, 2.5]}',)]
    harness.wait_for(lambda: [row["reason"] for row in letters(site, "optimization")] == ["json"])


def test_files_are_imported_by_the_line_and_the_embedded_broker_carries_them(site):
    own = harness.Site(site.folder.parent / "own")
    own.start()
    good, mixed = site.folder.parent / "good.json", site.folder.parent / "mixed.ndjson"
    good.write_text(json.dumps(CHAIN))
    mixed.write_text(json.dumps(CHAIN[0]) + '\n\n{"asset":"Customer"}\n' + json.dumps({"asset": "Customer", "id": "c-9"}) + "\n{oops\n")
    dry = json.loads(own.cli("import", "assets", str(mixed), "--dry-run", "--json").stdout)
    assert [(one["line"], one["reason"]) for one in dry["refusals"]] == [(3, "field"), (5, "json")] and dry["documents"] == 2, dry
    assert not (own.folder / "assets.db").exists()
    done = json.loads(own.cli("import", "assets", str(good), str(mixed), "--json").stdout)
    assert done["documents"] == len(CHAIN) + 2 and done["refused"] == 2 and "a-1" in done["entities"], done
    harness.wait_for(lambda: ids(own, "Customer") == ["c-1", "c-9"] and ids(own, "Rate") == ["r-1"])
    assert letters(own) == []
    missing = own.cli("import", "assets", str(site.folder / "nothing"), check=False)
    assert missing.returncode == 1 and "nothing" in missing.stderr, missing.stderr
    # the embedded broker begins anew with each start, its offsets too; what is stored stays
    own.stop()
    own.start()
    assert ids(own, "Rate") == ["r-1"]
    own.cli("import", "assets", str(good))
    (site.folder.parent / "one.json").write_text(json.dumps({"asset": "Customer", "id": "c-10"}))
    own.cli("import", "assets", str(site.folder.parent / "one.json"))
    harness.wait_for(lambda: "c-10" in ids(own, "Customer"))
    own.stop()
    assert sorted(path.name for path in own.folder.glob("assets.db*")) == ["assets.db"], "an orderly stop leaves no log"


def test_all_of_it_outlives_kill_restart_backup_and_reading_again(site):
    everything = "SELECT kind, id, document FROM asset ORDER BY 1, 2"
    before = ask(site, everything)
    site.kill()
    site.start()
    assert ask(site, everything) == before
    site.cli("verify")
    backup = site.folder.parent / "backup"
    site.cli("backup", str(backup))
    db = sqlite3.connect(f"file:{backup}/assets.db?mode=ro", uri=True)
    assert db.execute(everything).fetchall() == before
    db.close()
    # without the file all is read again, to the same end
    n_letters = len(letters(site))
    site.stop()
    for path in site.folder.glob("assets.db*"):
        path.unlink()
    site.start()
    harness.wait_for(lambda: ask(site, everything) == before)
    harness.wait_for(lambda: len(letters(site)) == n_letters)
    [power] = series(site, entity="a-1", property="activePower")
    assert power["cadence"] == "PT15M", power
    folder = site.folder.parent / "restored"
    site.cli("restore", str(backup), str(folder))
    db = sqlite3.connect(f"file:{folder}/assets.db?mode=ro", uri=True)
    assert db.execute(everything).fetchall() == before
    db.close()
    shutil.rmtree(folder)


def test_a_topic_that_was_made_anew_is_read_from_its_start(site):
    everything = "SELECT kind, id, document FROM asset ORDER BY 1, 2"
    before = ask(site, everything)
    site.stop()
    site.kafka.topic("--delete", "--topic", "assets")
    harness.wait_for(lambda: site.kafka.consume("assets") == [])
    site.kafka.produce("assets", [("assets", {"asset": "Customer", "id": f"n-{i}"}) for i in range(3)])
    site.start()
    harness.wait_for(lambda: ids(site, "Customer")[-3:] == ["n-0", "n-1", "n-2"])
    assert set(before) < set(ask(site, everything))


if __name__ == "__main__":
    raise SystemExit(harness.main(globals()))

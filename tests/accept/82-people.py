#!/usr/bin/env python3
"""The vault from the outside: rights of people, and that their data lies nowhere in clear (contract section 8).

    SUBJECTS=1000 FIELDS=100 tests/accept/82-people.py
"""
import json
import os
import secrets
import socket
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import harness

SUBJECTS = int(os.environ.get("SUBJECTS", "400"))
FIELDS = int(os.environ.get("FIELDS", "25"))
CANARY = "Qz" + secrets.token_hex(6)                             # begins each of them, so that one search finds all
UNTIL = "2099-01-01T00:00:00Z"
ROWS = {"topics": ["raw.homes"], "to": "readings.homes", "format": "json",
        "fields": {"/who": "substitute", "/owner": "drop", "/at": "pass", "/w": "pass"},
        "entity": "home-{/who}", "type": "SmartMeter", "time": {"field": "/at", "format": "iso"},
        "values": [{"field": "/w", "property": "activePower"}]}


def setup(folder):
    kafka = harness.Kafka(folder / "kafka", cleanup__policy="delete")
    site = harness.Site(folder / "site", kafka, almanac__roles="ingest serve adapt", kafka__topic__metadata__refresh__interval__ms=1000)
    (site.folder / "mappings").mkdir()
    (site.folder / "mappings" / "homes.json").write_text(json.dumps(ROWS))
    for topic in ("raw.homes", "readings.main", "subjects", "assets"):   # they are there before the daemon looks
        kafka.topic("--create", "--topic", topic, "--partitions", "1")
    return site.start(), kafka


def teardown(context):
    context[0].stop()
    context[1].stop()


def ask(site, method, path, body=None, token="", raw=None, **parameters):
    status, headers, answer = site.request(path, parameters, token, method, raw if raw is not None else json.dumps(body).encode() if body is not None else None,
                                           {"Content-Type": "application/json"} if body is not None or raw is not None else {})
    return status, json.loads(answer) if answer else None, headers


def put(site, subject, fields, entities=(), purposes=("billing",), until=UNTIL):
    status, answer, _ = ask(site, "PUT", f"/v1/subjects/{subject}", {
        "fields": fields, "entities": list(entities), "consents": [{"purpose": p, "until": until} for p in purposes]})
    assert status in (200, 201), (status, answer)
    return status


def reading(entity, i, value=230):
    return entity, {"entity": entity, "type": "SmartMeter", "time": f"2025-03-01T00:{i // 60:02d}:{i % 60:02d}Z", "values": {"voltage": value}}


def token(site, scope):
    return site.cli("token", "create", "--name", secrets.token_hex(4), "--scope", scope).stdout.split("token: ")[1].split()[0]


def seal(site, message):
    return site.cli("vault", "seal", "--base64", input=json.dumps(message)).stdout.strip()


def vaults(site):
    """Process ids of the vault of this directory."""
    return subprocess.run(["pgrep", "-f", f"almanac-vaultd.*{site.folder}"], capture_output=True, text=True).stdout.split()


def look(site, subject, purpose="billing", **more):
    return ask(site, "GET", f"/v1/subjects/{subject}", purpose=purpose, **more)


def test_what_is_put_is_read_for_a_purpose_and_by_whom_may(context):
    site, _ = context
    assert put(site, "s-1", {"name": "Zdenka", "email": "z@example.org", "address": "Elm Street 1"}, ["v-meter-1"]) == 201
    assert put(site, "s-1", {"address": None}, ["v-meter-1"]) == 200
    status, answer, headers = look(site, "s-1")
    assert status == 200 and answer["fields"] == {"name": "Zdenka", "email": "z@example.org"} and answer["entities"] == ["v-meter-1"], answer
    assert headers["Cache-Control"] == "no-store"
    status, answer, _ = ask(site, "GET", "/v1/subjects/s-1")
    assert (status, answer["field"]) == (400, "purpose"), answer
    other, absent = look(site, "s-1", "marketing"), look(site, "s-none")
    assert other[0] == absent[0] == 404 and other[1] == absent[1], (other, absent)
    reader, personal = token(site, "read"), token(site, "personal:read")
    for method, path in (("GET", "/v1/subjects/s-1?purpose=billing"), ("GET", "/v1/subjects/s-1/export"), ("GET", "/v1/audit"), ("DELETE", "/v1/subjects/s-1")):
        assert ask(site, method, path, token=reader)[0] == 403, path
    assert look(site, "s-1", token=personal)[0] == 200 and ask(site, "DELETE", "/v1/subjects/s-1", token=personal)[0] == 403
    status, answer, _ = ask(site, "POST", "/v1/subjects/search", {"email": "z@example.org", "purpose": "billing"})
    assert (status, answer["subjects"]) == (200, ["s-1"]), answer
    assert ask(site, "POST", "/v1/subjects/search", {"email": "Z@example.com", "purpose": "billing"})[1] == {"subjects": [], "next": None}


def test_a_search_is_whole_or_says_what_comes_behind(context):
    site, _ = context
    body = {"email": "many@example.org", "purpose": "billing"}
    ids = {f"many-{i}" for i in range(150)}
    for id in sorted(ids):
        assert put(site, id, {"email": body["email"]}) == 201
    status, answer, _ = ask(site, "POST", "/v1/subjects/search", body)
    assert status == 200 and set(answer["subjects"]) == ids and len(answer["subjects"]) == 150 and answer["next"] is None, answer
    found, cursor = [], {}
    for page in range(3):
        answer = ask(site, "POST", "/v1/subjects/search", {**body, "limit": 60, **cursor})[1]
        found += answer["subjects"]
        cursor = {"cursor": answer["next"]}
    assert set(found) == ids and len(found) == 150 and answer["next"] is None, answer
    for wrong, field in (({"limit": 0}, "limit"), ({"limit": "all"}, "limit"), ({"cursor": "x"}, "cursor"), ({"cursor": 5}, "cursor")):
        status, answer, _ = ask(site, "POST", "/v1/subjects/search", {**body, **wrong})
        assert (status, answer["field"]) == (400, field), answer


def test_consents_and_restriction_act_at_once(context):
    site, _ = context
    put(site, "s-2", {"name": "Ivo"})
    assert look(site, "s-2")[0] == 200
    for consents, expected in (([], 404), ([{"purpose": "billing", "until": "2020-01-01T00:00:00Z"}], 404), ([{"purpose": "billing", "until": UNTIL}], 200)):
        assert ask(site, "POST", "/v1/subjects/s-2/consents", {"consents": consents})[0] == 200
        assert look(site, "s-2")[0] == expected, consents
    for restricted, expected in ((True, 404), (False, 200)):
        assert ask(site, "POST", "/v1/subjects/s-2/restrict", {"restricted": restricted})[0] == 200
        assert look(site, "s-2")[0] == expected


def test_export_holds_fields_readings_and_who_read_what(context):
    site, kafka = context
    kafka.produce("readings.main", [reading("v-meter-1", i) for i in range(100)])
    site.wait_count(100, entity="v-meter-1")
    status, export, _ = ask(site, "GET", "/v1/subjects/s-1/export")
    assert status == 200 and export["fields"]["name"] == "Zdenka" and export["consents"][0]["purpose"] == "billing", export
    assert any(access["action"] == "read" and access["purpose"] == "billing" for access in export["accesses"]), export["accesses"]
    (series,) = export["series"]
    lines = series["csv"].split("\r\n")
    assert lines[0].startswith("time,entity,property,unit,value") and lines[1].startswith("2025-03-01T00:00:00Z,v-meter-1,voltage,V,230"), lines[:2]
    assert len(lines) == 102


def test_names_of_customers_come_from_the_vault_where_the_caller_may_see_them(context):
    site, kafka = context
    put(site, "c-1", {"name": "Zdenka Novak"}, purposes=("display",))
    kafka.produce("assets", [("c", {"asset": "Customer", "id": "c-1"}), ("c", {"asset": "Customer", "id": "c-2"})])
    customers = lambda bearer: ask(site, "GET", "/api/Customer/Get", token=bearer)[1]
    harness.wait_for(lambda: len(customers("")) == 2)
    assert customers("") == [{"id": "c-1", "name": "Zdenka Novak"}, {"id": "c-2", "name": "c-2"}]
    assert customers(token(site, "read")) == [{"id": "c-1", "name": "c-1"}, {"id": "c-2", "name": "c-2"}]
    assert ask(site, "GET", "/api/Customer/Get", token=token(site, "read,personal:read"))[1][0]["name"] == "Zdenka Novak"


def test_erased_subject_is_gone_with_its_curves(context):
    site, kafka = context
    put(site, "s-3", {"name": "Erasmus"}, ["v-meter-3"])
    kafka.produce("readings.main", [reading("v-meter-3", i) for i in range(50)])
    site.wait_count(50, entity="v-meter-3")
    status, receipt, _ = ask(site, "DELETE", "/v1/subjects/s-3")
    assert status == 200 and receipt["state"] == "pending" and receipt["by"] and receipt["again"] is False, receipt
    assert [(s["entity"], s["property"]) for s in receipt["series"]] == [("v-meter-3", "voltage")], receipt
    assert "Kafka" in receipt["beyond"], receipt
    assert receipt["kafka"]["readings.main"] == "P1W", receipt  # Kafka's own default
    assert look(site, "s-3")[0] == 404 and site.get("/v1/series", entity="v-meter-3")["series"] == []
    status, again, _ = ask(site, "DELETE", "/v1/subjects/s-3")
    assert status == 200 and again["again"] is True, again
    put(site, "s-4", {"name": "Kept"}, ["v-meter-1"])
    status, receipt, _ = ask(site, "DELETE", "/v1/subjects/s-4", series="keep")
    assert (status, receipt["state"]) == (200, "done") and len(receipt["series"]) == 1, receipt
    assert site.count(entity="v-meter-1") == 100


def test_sealed_messages_about_subjects_arrive_by_kafka(context):
    site, kafka = context
    kafka.produce("subjects", [("k", seal(site, {"do": "put", "subject": "k-1", "fields": {"name": "By Kafka"},
                                                 "consents": [{"purpose": "billing", "until": UNTIL}]})),
                               ("k", "no seal at all"), ("k", seal(site, {"do": "audit"}))])
    assert harness.wait_for(lambda: look(site, "k-1")[0] == 200 and look(site, "k-1"))[1]["fields"]["name"] == "By Kafka"
    letters = harness.wait_for(lambda: len(found := [d for d in json.loads(site.cli("deadletter", "list", "--json").stdout) if d["topic"] == "subjects"]) == 2 and found)
    assert sorted(d["reason"] for d in letters) == ["field", "json"], letters
    kafka.produce("subjects", [("k", seal(site, {"do": "erase", "subject": "k-1", "series": "delete"}))])
    harness.wait_for(lambda: look(site, "k-1")[0] == 404)


def test_dead_letters_are_opened_by_the_vault_alone_and_brought_again(context):
    site, kafka = context
    secret = {"entity": "v-meter-9", "type": "SmartMeter", "time": "2025-03-01T00:00:00Z", "values": {"voltage": CANARY + "-letter"}}
    kafka.produce("readings.main", [("v-meter-9", secret)])
    letter = harness.wait_for(lambda: next((d for d in json.loads(site.cli("deadletter", "list", "--json").stdout) if d["topic"] == "readings.main"), None))
    shown = site.cli("deadletter", "show", "readings.main", str(letter["partition"]), str(letter["offset"])).stdout
    assert json.loads(shown) == secret, shown
    audit = site.get("/v1/audit", limit=1000)["entries"]
    assert any(entry["action"] == "deadletter show" and entry["actor"].startswith("local:") for entry in audit), audit[-5:]
    for _ in range(2):
        site.cli("deadletter", "replay", "--all")
    position = site.position("readings.main", 0)
    harness.wait_for(lambda: site.position("readings.main", 0) >= position)
    letters = harness.wait_for(lambda: [d for d in json.loads(site.cli("deadletter", "list", "--json").stdout) if d["topic"] == "readings.main"])
    assert len(letters) == 1 and letters[0]["offset"] == letter["offset"], "refused again, it stays one letter at its first place"
    copies = harness.wait_for(lambda: [m for m in kafka.consume("almanac.dead") if m["payload"]])
    assert all(CANARY not in json.dumps(m) for m in copies)
    large = secret | {"note": "x" * 950000}  # in base64 more than a message may have
    kafka.produce("readings.main", [("v-meter-9", large)])
    last = harness.wait_for(lambda: next((d["offset"] for d in json.loads(site.cli("deadletter", "list", "--json").stdout)
                                          if d["topic"] == "readings.main" and d["reason"] == "field"), None))
    assert json.loads(site.cli("deadletter", "show", "readings.main", "0", str(last)).stdout) == large


def canaries(subject):
    return {f"field{i}": f"{CANARY}-{subject}-{i}" for i in range(FIELDS - 1)} | {"email": f"{CANARY}-{subject}@example.org"}


def test_no_canary_lies_anywhere(context):
    """Purposes are no place for them: the audit keeps what data was asked for."""
    site, kafka = context
    by_put, by_kafka = range(SUBJECTS // 2), range(SUBJECTS // 2, SUBJECTS)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda i: put(site, f"n-{i}", canaries(i)) == 201, by_put))
    sealer = lambda i: ("k", seal(site, {"do": "put", "subject": f"n-{i}", "fields": canaries(i), "consents": [{"purpose": "billing", "until": UNTIL}]}))
    with ThreadPoolExecutor(2) as pool:
        kafka.produce("subjects", list(pool.map(sealer, by_kafka)))
    letters = [("x", {"entity": CANARY + " entity", "type": "SmartMeter"}), ("x", '{"entity":"' + CANARY), ("x", {"name": CANARY}),
               ("x", {"entity": "v-1", "type": CANARY, "time": "2025-03-01T00:00:00Z", "values": {"voltage": 1}}),
               ("x", {"entity": "v-1", "type": "SmartMeter", "time": CANARY, "values": {"voltage": CANARY}, "units": {"voltage": CANARY}, "quality": CANARY})]
    kafka.produce("readings.main", letters)
    kafka.produce("assets", [("a", {"asset": "Customer", "id": "c-9", "name": CANARY}), ("a", {"asset": CANARY}), ("a", CANARY)])
    kafka.produce("subjects", [("k", seal(site, {"do": CANARY})), ("k", seal(site, {"do": "put", "subject": CANARY + "\u00e9", "fields": {CANARY: 7}}))])
    kafka.produce("raw.homes", [("k", {"who": f"{CANARY} person {i}", "owner": CANARY, "at": f"2025-03-01T00:00:{i % 60:02d}Z", "w": i}) for i in range(300)])
    kafka.produce("raw.homes", [("k", {"who": CANARY, "owner": CANARY, "at": CANARY, "w": 1}), ("k", '{"who":"' + CANARY)])
    for method, path, raw in (("PUT", "/v1/subjects/n-x", '{"fields":{"name":"%s"' % CANARY), ("PUT", "/v1/subjects/n-x", '{"%s":1}' % CANARY),
                              ("PUT", "/v1/subjects/n-x", '{"fields":{"%s":7}}' % CANARY), ("POST", "/v1/subjects/search", '{"%s":"x","purpose":"billing"}' % CANARY),
                              ("POST", "/v1/subjects/search", '{"email":"%s","purpose":"other"}' % CANARY), ("PUT", "/v1/subjects/n-x", CANARY),
                              ("POST", "/v1/subjects/n-x/consents", '{"consents":[{"purpose":"%s","until":"%s"}]}' % (CANARY, CANARY)),
                              ("POST", "/v1/range", '{"from":"%s","entity":"%s"}' % (CANARY, CANARY)), ("POST", "/v1/sql", '{"sql":"SELECT \'%s\'"}' % CANARY)):
        ask(site, method, path, raw=raw.encode())
    for i in (0, SUBJECTS - 1):
        found = harness.wait_for(lambda: ask(site, "POST", "/v1/subjects/search", {"email": f"{CANARY}-{i}@example.org", "purpose": "billing"})[1]["subjects"], 120)
        assert found == [f"n-{i}"] and look(site, f"n-{i}")[1]["fields"] == canaries(i)
    harness.wait_for(lambda: site.count(entity="home-*") == 300)
    for i in range(0, SUBJECTS, max(1, SUBJECTS // 10)):
        assert ask(site, "DELETE", f"/v1/subjects/n-{i}")[0] == 200
    harness.wait_for(lambda: len([m for m in kafka.consume("almanac.dead") if m["payload"]]) >= 8)
    site.cli("backup", str(site.folder.parent / "backup"))
    site.stop()
    harness.wait_for(lambda: not vaults(site))
    places = [site.folder, site.folder.parent / "backup", site.log_path]
    places += [p for t in ("subjects", "almanac.dead", "readings.homes") for p in (kafka.folder / "log").glob(t + "-*")]
    files = [f for p in places for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file()]
    assert len(files) > 20 and any(f.name.endswith(".log") and f.stat().st_size > 10000 for f in files if "subjects-" in str(f))
    held = [str(f) for f in files if CANARY.encode() in f.read_bytes()]
    print(f"# {SUBJECTS * FIELDS} canaries of subjects, {len(files)} files, {sum(f.stat().st_size for f in files)} bytes")
    site.start()
    assert not held, held


def test_audit_is_chained_and_a_killed_vault_comes_back(context):
    site, _ = context
    assert site.cli("vault", "audit", "verify", check=False).returncode == 0
    mine = vaults(site)
    assert mine, "the daemon holds its vault"
    os.kill(int(mine[0]), 9)
    assert look(site, "s-1")[0] == 200
    site.stop()
    harness.wait_for(lambda: not vaults(site))
    (site.folder / "vault" / "public.key").rename(site.folder / "vault" / "public.moved")
    done = subprocess.run([str(harness.BUILD / "almanacd"), "-c", str(site.folder / "almanac.conf")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "public.key" in done.stderr and "vault" in done.stderr, done.stderr
    (site.folder / "vault" / "public.moved").rename(site.folder / "vault" / "public.key")
    site.start()


def ask_vault(site, question, times):
    """The vault's own socket, for what would be slow over HTTPS."""
    frame = json.dumps(question).encode()
    with socket.socket(socket.AF_UNIX) as vault:
        vault.connect(str(site.folder / "run" / "vault.sock"))
        answers = vault.makefile("rb")
        for _ in range(times):
            vault.sendall(struct.pack("<I", len(frame)) + frame)
            assert json.loads(answers.read(struct.unpack("<I", answers.read(4))[0]))["ok"]


def test_export_tells_every_access_however_many(context):
    site, _ = context
    put(site, "s-often", {"name": "Ana"})
    ask_vault(site, {"do": "read", "actor": "often", "subject": "s-often", "purpose": "billing"}, 2500)
    status, export, _ = ask(site, "GET", "/v1/subjects/s-often/export")
    assert status == 200 and "next" not in export, export
    assert sum(access["actor"] == "often" for access in export["accesses"]) == 2500
    assert [access["seq"] for access in export["accesses"]] == sorted({access["seq"] for access in export["accesses"]})


sys.exit(harness.main(globals()))

#!/usr/bin/env python3
"""A Kafka that forbids by default: the ACLs of docs/KAFKA.md suffice, with certificates and with passwords; what is lacking is said
and what was granted is used without a restart; readings of who may not write never arrive."""
import json
import subprocess
import sys
from types import SimpleNamespace

import harness
from certificates import Authority
from harness import TOP, Site, wait_for
from secure_kafka import SecureKafka, acls

GUIDE = (TOP / "docs" / "KAFKA.md").read_text()
OPEN = [("topic", "literal", name, ["READ"]) for name in ("assets", "optimization", "subjects")]


def setup(folder):
    kafka = SecureKafka(folder / "kafka", {"office": "correct horse", "nobody": "staple"})
    kafka.create_topics("readings.main", "readings.one", "readings.two", "readings.calendar", "assets", "optimization", "subjects",
                        "almanac.dead", "raw.meters")
    for role in "role ingest", "role serve", "who sends":
        grant_as_documented(kafka, role)
    return SimpleNamespace(folder=folder, kafka=kafka, meters=kafka.by_certificate("meters"), n=0)


def teardown(context):
    context.kafka.stop()


def grant_as_documented(kafka, role, principal=None, group=None):
    """Runs the commands below a comment of the guide, perhaps for another principal and group."""
    lines = GUIDE.partition(f"\n# {role}")[2].partition("\n\n")[0].splitlines()[1:]
    lines = [line for line in lines if line.startswith("allow ")]
    assert lines, role
    for line in lines:
        if group:
            line = line.replace("almanac-adapt", group + "-adapt").replace("--group almanac", "--group " + group)
        kafka.grant(principal or line.split()[1], *acls(line))


def site(context, name, client, **settings):
    settings = {f"kafka.{key}": value for key, value in client.items()} | {
        "kafka.group.id": name, "kafka.topic.metadata.refresh.interval.ms": 500, "kafka.fetch.error.backoff.ms": 50} | settings
    return Site(context.folder / name, None, **settings)


def reading(entity, second=0):
    return entity, {"entity": entity, "type": "SmartMeter", "time": 1740787200000 + second * 1000, "values": {"voltage": 230 + second}}


def send(context, topic, *messages, client=None):
    context.kafka.produce(topic, messages, client=client or context.meters)


def sensor(name):
    """The documents of a sensor whose entity has that name."""
    return "k", [{"asset": "Customer", "id": "c"}, {"asset": "Location", "id": "l", "customer": "c"},
                 {"asset": "MainDistributionBoard", "id": "b", "location": "l"},
                 {"asset": "Sensor", "id": name, "type": "Main", "board": "b", "entity": name}]


def reasons(site):
    return " ".join(json.loads(site.request("/readyz", token=None)[2])["reasons"])


def denied(what, grant="READ"):
    return f"Kafka denies {what} to this client: grant it {grant}"


def well(site, timeout=30):
    wait_for(lambda: json.loads(site.request("/readyz", token=None)[2])["status"] == "ready", timeout)


def waits_for(site, *sentences):
    """They are all said at once."""
    wait_for(lambda: (said := reasons(site)) and all(sentence in said for sentence in sentences), 30)
    for sentence in sentences:
        wait_for(lambda: sentence.partition(": ")[0] in site.log(), 5)


def has_sensor(site, name):
    return site.request("/v1/entities/" + name)[0] == 200


def check_everything(context, site):
    """What a historian does with Kafka, and that no ACL is lacking for it."""
    well(site)
    send(context, "readings.main", *(reading("meter", second) for second in range(50)), ("k", "{"))
    context.kafka.produce("assets", [sensor("s-" + site.folder.name), ("k", {
        "asset": "Calendar", "id": "SI-" + site.folder.name, "days": {"2025-01-01": "publicHoliday"}})])
    site.wait_count(50, entity="meter")
    rows = site.rows(entity="meter", from_="2025-03-01T00:00:00Z", to="2025-03-01T00:01:00Z")
    assert [row[1] for row in rows] == [230 + second for second in range(50)]
    wait_for(lambda: has_sensor(site, "s-" + site.folder.name))
    wait_for(lambda: site.get("/v1/series", type="Calendar")["series"], 30)
    status, _, body = site.request("/optimization_output", method="POST", body=b'{"plan": 1}', headers={"Content-Type": "application/json"})
    assert status == 202, body
    well(site)
    assert "denies" not in site.log(), site.log()


def test_a_historian_with_a_certificate_needs_no_more_than_is_documented(context):
    context.site = site(context, "almanac", context.kafka.by_certificate("historian"))
    context.site.start()
    check_everything(context, context.site)
    [letter] = wait_for(lambda: context.kafka.consume("almanac.dead"))
    assert "readings.main" in letter["headers"], letter


def test_with_a_password_over_tls_too(context):
    for role in "role ingest", "role serve":
        grant_as_documented(context.kafka, role, "User:office", "office")
    office = site(context, "office", context.kafka.by_password("office"))
    office.start()
    check_everything(context, office)
    office.stop()


def kcat(kafka, client, topic, *messages):
    """kcat as a producer that nobody waits for."""
    process = subprocess.Popen(["kcat", "-P", "-b", client["bootstrap.servers"], "-t", topic, "-X", "message.timeout.ms=3000",
                                *kafka.options(client)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write("".join(json.dumps(value) + "\n" for _, value in messages))
    process.stdin.close()
    return process


def test_readings_of_who_may_not_write_never_arrive(context):
    kafka = context.kafka
    kafka.grant("User:CN=peeper", ("topic", "prefixed", "readings.", ["READ"]))
    strangers = {
        "unlisted": kafka.by_certificate("unlisted"), "peeper": kafka.by_certificate("peeper"), "unknown": kafka.by_nothing(),
        "foreigner": kafka.by_certificate("meters", Authority("Elsewhere")), "nobody": kafka.by_password("nobody"),
        "guesser": kafka.by_password("office", "wrong horse"), "plain": {"bootstrap.servers": kafka.bootstrap}}
    tried = {name: kcat(kafka, client, "readings.main", reading(name)) for name, client in strangers.items()}
    for name, process in tried.items():
        said = process.stderr.read()
        assert process.wait(60) and ("uthoriz" in said or "SSL" in said or "uthentic" in said or "Disconnected" in said), (name, said)
    send(context, "readings.main", reading("afterwards"))
    context.site.wait_count(1, entity="afterwards")
    assert [message["key"] for message in kafka.consume("readings.main") if message["key"] in tried] == []
    for name in tried:
        assert context.site.request("/v1/series", {"entity": name})[2].count(b'"entity"') == 0, name
    context.site.stop()


def test_a_client_that_the_broker_does_not_take_says_so(context):
    stranger = site(context, "stranger", context.kafka.by_certificate("historian", Authority("Elsewhere")))
    guesser = site(context, "guesser", context.kafka.by_password("office", "wrong horse"))
    for one in stranger, guesser:
        one.start(False)
    wait_for(lambda: "uthentication failed" in said(guesser), 30)
    wait_for(lambda: "SSL" in said(stranger) and "no broker" in said(stranger), 30)
    for one in stranger, guesser:
        one.stop()


def said(site):
    try:
        return reasons(site)
    except OSError:
        return ""


def test_what_is_lacking_is_said_all_at_once_and_a_grant_is_used_at_once(context):
    kafka, me = context.kafka, "User:CN=poor"
    poor = context.poor = site(context, "poor", kafka.by_certificate("poor"), ingest__topics="readings.one readings.two")
    kafka.grant(me, ("topic", "literal", "readings.one", ["READ"]))
    send(context, "readings.one", *(reading("one", second) for second in range(10)))
    send(context, "readings.two", *(reading("two", second) for second in range(10)))
    poor.start(False)
    wait_for(lambda: said(poor))
    waits_for(poor, denied('group "poor"'), denied('topic "assets"'), denied('topic "subjects"'))
    kafka.grant(me, ("group", "literal", "poor", ["DESCRIBE"]))
    waits_for(poor, denied('group "poor"'), denied('topic "readings.two"'), denied('topic "assets"'))
    kafka.grant(me, ("group", "literal", "poor", ["READ"]))
    poor.wait_count(10, entity="one")
    waits_for(poor, denied('topic "readings.two"'), denied('topic "optimization"'))
    wait_for(lambda: "group" not in reasons(poor))


def test_documents_are_read_once_they_may_be(context):
    kafka, poor, me = context.kafka, context.poor, "User:CN=poor"
    kafka.grant(me, ("topic", "literal", "assets", ["DESCRIBE"]), ("topic", "literal", "subjects", ["READ"]))
    wait_for(lambda: "subjects" not in reasons(poor) and denied('topic "assets"') in reasons(poor), 30)
    assert not has_sensor(poor, "s-almanac")
    kafka.grant(me, *OPEN)
    wait_for(lambda: has_sensor(poor, "s-almanac"), 30)
    wait_for(lambda: (now := reasons(poor)) and "assets" not in now and "optimization" not in now and denied('topic "readings.two"') in now, 30)


def test_a_topic_is_read_once_it_may_be_and_the_others_meanwhile(context):
    kafka, poor, me = context.kafka, context.poor, "User:CN=poor"
    kafka.grant(me, ("topic", "literal", "readings.two", ["DESCRIBE"]))
    wait_for(lambda: "partition_failed topic=readings.two" in poor.log(), 30)  # now it is assigned, and fetches fail
    waits_for(poor, denied('topic "readings.two"'))
    send(context, "readings.one", reading("one", 10))
    poor.wait_count(11, entity="one")
    kafka.grant(me, ("topic", "literal", "readings.two", ["READ"]))
    poor.wait_count(10, entity="two")
    wait_for(lambda: "readings.two" not in reasons(poor))


def test_dead_letters_wait_for_the_grant(context):
    kafka, poor, me = context.kafka, context.poor, "User:CN=poor"
    before = len(kafka.consume("almanac.dead"))
    send(context, "readings.one", ("k", "nonsense"), reading("one", 11))
    poor.wait_count(12, entity="one")
    waits_for(poor, denied('dead topic "almanac.dead"', "WRITE"))
    send(context, "readings.two", reading("two", 10))
    poor.wait_count(11, entity="two")
    kafka.grant(me, ("topic", "literal", "almanac.dead", ["WRITE"]))
    wait_for(lambda: len(kafka.consume("almanac.dead")) == before + 1, 30)
    wait_for(lambda: "almanac.dead" not in reasons(poor))


def test_calendars_and_outputs_wait_for_the_grant(context):
    kafka, poor, me = context.kafka, context.poor, "User:CN=poor"
    waits_for(poor, denied('topic "readings.calendar"', "WRITE"))
    status, _, body = poor.request("/optimization_output", method="POST", body=b"{}", headers={"Content-Type": "application/json"})
    assert status == 503 and "grant it WRITE" in json.loads(body)["detail"], body
    kafka.grant(me, ("topic", "literal", "readings.calendar", ["WRITE"]), ("topic", "literal", "optimization", ["WRITE"]))
    wait_for(lambda: poor.request("/optimization_output", method="POST", body=b"{}", headers={"Content-Type": "application/json"})[0] == 202, 30)
    well(poor)


def test_what_is_taken_away_is_said(context):
    """One topic with DESCRIBE, so that it goes out of the subscription, the others without, so that it is fetches that fail."""
    kafka, poor, me = context.kafka, context.poor, "User:CN=poor"
    kafka.grant(me, ("topic", "literal", "readings.one", ["DESCRIBE"]))
    kafka.revoke(me, *[("topic", "literal", topic, ["READ"]) for topic in ("readings.one", "readings.two", "assets")],
                 ("topic", "literal", "readings.two", ["DESCRIBE"]))
    waits_for(poor, *[denied(f'topic "{topic}"') for topic in ("readings.one", "readings.two", "assets")])
    send(context, "readings.two", reading("two", 11))
    kafka.grant(me, *[("topic", "literal", topic, ["READ"]) for topic in ("readings.one", "readings.two", "assets")])
    poor.wait_count(12, entity="two")


MAPPING = {"topics": ["raw.meters"], "to": "readings.two", "format": "json", "fields": {"/id": "pass", "/at": "pass", "/v": "pass"},
           "entity": "adapted-{/id}", "type": "SmartMeter", "time": {"field": "/at", "format": "unix_s"},
           "values": [{"field": "/v", "property": "voltage"}]}


def test_role_adapt(context):
    kafka, me = context.kafka, "User:CN=adapter"
    one = site(context, "shop", kafka.by_certificate("adapter"), almanac__roles="adapt serve")
    (one.folder / "mappings").mkdir()
    (one.folder / "mappings" / "all.json").write_text(json.dumps(MAPPING))
    kafka.produce("raw.meters", [("k", {"id": 1, "at": 1740787200 + n, "v": n}) for n in range(20)] + [("k", "nonsense")])
    before = len(kafka.consume("almanac.dead"))
    one.start(False)
    wait_for(lambda: said(one))
    waits_for(one, 'Kafka denies transactional id "shop-adapt-')
    kafka.grant(me, ("transactional-id", "prefixed", "shop-adapt-", ["WRITE"]))
    waits_for(one, denied('group "shop-adapt"'))
    kafka.grant(me, ("group", "literal", "shop-adapt", ["READ"]), ("topic", "literal", "raw.meters", ["READ"]))
    waits_for(one, denied('topic "readings.two"', "WRITE"))
    grant_as_documented(kafka, "role adapt", me, "shop")
    wait_for(lambda: sum(message["payload"].count("adapted-1") for message in kafka.consume("readings.two")) == 20, 40)
    wait_for(lambda: len(kafka.consume("almanac.dead")) == before + 1)
    well(one)
    one.stop()


def test_what_was_given_back_is_well_without_a_new_message(context):
    well(context.poor)
    send(context, "readings.one", reading("one", 12))
    context.poor.wait_count(13, entity="one")
    context.poor.stop()


sys.exit(harness.main(globals()))

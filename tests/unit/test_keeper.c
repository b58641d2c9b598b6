#include <config.h>

#include "../lib/test.h"

#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>

#include "../lib/vault_rig.h"
#include "common/civil.h"
#include "common/clock.h"
#include "vault/seal.h"

static struct vault_rig rig;

static int set_up(void **state)
{
    (void)state;
    vault_rig_make(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_freeze(INT64_MIN);
    vault_rig_remove(&rig);
    return 0;
}

#define PUT_1                                                                                                          \
    "{'do':'put','actor':'a','subject':'s-1','fields':{'name':'Zdenka Novak','email':' "                               \
    "Zdenka@Example.ORG'},'entities':['p2-m-1'],"                                                                      \
    "'consents':[{'purpose':'billing','until':'2099-01-01T00:00:00Z'}]}"
#define READ_1 "{'do':'read','actor':'a','subject':'s-1','purpose':'billing'}"

static const char *field_of(json_t *answer, const char *field)
{
    const char *text = json_string_value(json_object_get(json_object_get(answer, "fields"), field));
    return text ? text : "";
}

static void what_was_put_is_read_after_reopening(void **state)
{
    (void)state;
    json_t *answer = vault_rig_ask(&rig, PUT_1);
    assert_true(json_is_true(json_object_get(answer, "created")));
    assert_int_equal(json_integer_value(json_object_get(answer, "revision")), 1);
    json_decref(answer);
    vault_rig_close(&rig);
    vault_rig_open(&rig);
    answer = vault_rig_ask(&rig, READ_1);
    assert_string_equal(field_of(answer, "name"), "Zdenka Novak");
    assert_int_equal(json_array_size(json_object_get(answer, "entities")), 1);
    json_decref(answer);
}

static void a_member_replaces_null_removes_and_what_is_absent_stays(void **state)
{
    (void)state;
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    assert_string_equal(
        vault_rig_word(&rig, "{'do':'put','actor':'a','subject':'s-1','fields':{'email':null,'town':'X'}}"), "ok");
    json_t *answer = vault_rig_ask(&rig, READ_1);
    assert_string_equal(field_of(answer, "name"), "Zdenka Novak");
    assert_string_equal(field_of(answer, "town"), "X");
    assert_null(json_object_get(json_object_get(answer, "fields"), "email"));
    assert_int_equal(json_array_size(json_object_get(answer, "consents")), 1);
    json_decref(answer);
    answer = vault_rig_ask(
        &rig, "{'do':'search','actor':'a','field':'email','value':'zdenka@example.org','purpose':'billing'}");
    assert_int_equal(json_array_size(json_object_get(answer, "subjects")), 0);
    json_decref(answer);
}

/* So much that it can still be told. */
static void a_subject_has_an_end(void **state)
{
    char text[16000];
    int n = 0;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
#define PUT_NEXT "{'do':'put','actor':'a','subject':'s-1','fields':{'f%d':'%s'}}"
    while (n < 100 && strcmp(vault_rig_word(&rig, PUT_NEXT, n, text), "ok") == 0)
        n++;
    assert_int_equal(n, 65); /* times 16 kB, and no more */
    json_t *answer = vault_rig_ask(&rig, "{'do':'export','actor':'a','subject':'s-1'}");
    assert_int_equal(json_object_size(json_object_get(answer, "fields")), 65);
    json_decref(answer);
    assert_string_equal(vault_rig_word(&rig, PUT_NEXT, n, "x"), "ok"); /* and what is short goes on */
}

static void a_search_finds_equal_values_of_who_consents(void **state)
{
    (void)state;
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    json_t *answer = vault_rig_ask(
        &rig, "{'do':'search','actor':'a','field':'email','value':'zdenka@example.org','purpose':'billing'}");
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "subjects"), 0)), "s-1");
    json_decref(answer);
    answer =
        vault_rig_ask(&rig, "{'do':'search','actor':'a','field':'email','value':'zdenka@example.org','purpose':'ads'}");
    assert_int_equal(json_array_size(json_object_get(answer, "subjects")), 0);
    json_decref(answer);
    assert_string_equal(
        vault_rig_word(&rig, "{'do':'search','actor':'a','field':'name','value':'x','purpose':'billing'}"), "invalid");
}

/* What is denied is answered exactly as what is not there. */
static void denied_is_told_as_absent(void **state)
{
    static const char *const questions[] = {
        "{'do':'read','actor':'a','subject':'%s','purpose':'ads'}",
        "{'do':'read','actor':'a','subject':'%s','purpose':'billing','globs':['q-*']}",
        "{'do':'export','actor':'a','subject':'%s','globs':['q-*']}",
        "{'do':'restrict','actor':'a','subject':'%s','restricted':true,'globs':['q-*']}",
        "{'do':'consents','actor':'a','subject':'%s','consents':[],'globs':['q-*']}",
        "{'do':'erase','actor':'a','subject':'%s','series':'keep','globs':['q-*']}"};
    (void)state;
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        char text[2][256];
        for (int there = 0; there < 2; there++) {
            const char *at = strstr(questions[i], "%s");
            snprintf(text[there], sizeof text[there], "%.*s%s%s", (int)(at - questions[i]), questions[i],
                     there ? "s-1" : "s-9", at + 2);
        }
        json_t *absent = vault_rig_ask(&rig, "%s", text[0]), *denied = vault_rig_ask(&rig, "%s", text[1]);
        assert_string_equal(json_string_value(json_object_get(absent, "error")), "notfound");
        assert_true(json_equal(absent, denied));
        json_decref(absent);
        json_decref(denied);
    }
    assert_string_equal(
        vault_rig_word(&rig, "{'do':'read','actor':'a','subject':'s-1','purpose':'billing','globs':['q-*','p2-*']}"),
        "ok");
}

static void consent_ends_at_its_time_and_when_it_is_withdrawn(void **state)
{
    int64_t now_us = clock_wall_us();
    (void)state;
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    assert_string_equal(vault_rig_word(&rig, READ_1), "ok");
    clock_freeze(INT64_C(4070908799999999)); /* the microsecond before 2099 */
    assert_string_equal(vault_rig_word(&rig, READ_1), "ok");
    clock_freeze(INT64_C(4070908800000000));
    assert_string_equal(vault_rig_word(&rig, READ_1), "notfound");
    clock_freeze(now_us);
    assert_string_equal(vault_rig_word(&rig, READ_1), "ok");
    assert_string_equal(vault_rig_word(&rig, "{'do':'consents','actor':'a','subject':'s-1','consents':[]}"), "ok");
    assert_string_equal(vault_rig_word(&rig, READ_1), "notfound");
}

/* An older vault.db says that the consent is there still: keys.db knows that there are newer ones. */
static void a_withdrawn_consent_does_not_come_back_with_an_older_file(void **state)
{
    char old[400];
    (void)state;
    snprintf(old, sizeof old, "%s/old.db", rig.dir);
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    vault_rig_close(&rig);
    vault_rig_save(&rig, "vault.db", old);
    vault_rig_open(&rig);
    assert_string_equal(vault_rig_word(&rig, "{'do':'put','actor':'a','subject':'s-1','fields':{'name':'Y'}}"), "ok");
    vault_rig_close(&rig);
    vault_rig_load(&rig, old, "vault.db");
    vault_rig_open(&rig);
    assert_string_equal(vault_rig_word(&rig, READ_1), "ok"); /* nobody withdrew it */
    assert_string_equal(vault_rig_word(&rig, "{'do':'consents','actor':'a','subject':'s-1','consents':[]}"), "ok");
    vault_rig_close(&rig);
    vault_rig_load(&rig, old, "vault.db");
    vault_rig_open(&rig);
    assert_string_equal(vault_rig_word(&rig, READ_1), "notfound");
}

static void a_restricted_subject_is_told_in_an_export_only(void **state)
{
    (void)state;
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    assert_string_equal(vault_rig_word(&rig, "{'do':'restrict','actor':'a','subject':'s-1','restricted':true}"), "ok");
    assert_string_equal(vault_rig_word(&rig, READ_1), "restricted");
    json_t *answer =
        vault_rig_ask(&rig, "{'do':'names','actor':'a','purpose':'billing','field':'name','subjects':['s-1']}");
    assert_int_equal(json_object_size(json_object_get(answer, "names")), 0);
    json_decref(answer);
    answer = vault_rig_ask(&rig, "{'do':'export','actor':'a','subject':'s-1'}");
    assert_string_equal(field_of(answer, "name"), "Zdenka Novak");
    assert_int_equal(json_array_size(json_object_get(answer, "accesses")), 5);
    json_decref(answer);
    assert_string_equal(vault_rig_word(&rig, "{'do':'restrict','actor':'a','subject':'s-1','restricted':false}"), "ok");
    answer =
        vault_rig_ask(&rig, "{'do':'names','actor':'a','purpose':'billing','field':'name','subjects':['s-1','s-2']}");
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "names"), "s-1")), "Zdenka Novak");
    assert_int_equal(json_object_size(json_object_get(answer, "names")), 1);
    json_decref(answer);
}

/* Nothing of who read what is left out, however often it was. */
static void an_export_tells_all_accesses_by_pages(void **state)
{
    enum { ROUNDS = 50, TIMES = 50 };
    (void)state;
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    char list[8 * TIMES] = "";
    for (int i = 0; i < TIMES; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s's-1'", i ? "," : "");
    for (int i = 0; i < ROUNDS; i++)
        assert_string_equal(
            vault_rig_word(&rig, "{'do':'names','actor':'a','purpose':'billing','field':'name','subjects':[%s]}", list), "ok");
    int64_t n = 0, last = 0;
    char question[128] = "{'do':'export','actor':'a','subject':'s-1'}";
    for (int page = 1; question[0]; page++) {
        json_t *answer = vault_rig_ask(&rig, "%s", question), *access;
        json_t *next = json_object_get(answer, "next"), *accesses = json_object_get(answer, "accesses");
        size_t i;
        assert_int_equal(json_object_get(answer, "fields") != NULL, page == 1);
        json_array_foreach(accesses, i, access)
        {
            assert_true(json_integer_value(json_object_get(access, "seq")) > last);
            last = json_integer_value(json_object_get(access, "seq"));
        }
        n += (int64_t)i;
        question[0] = '\0';
        if (json_is_integer(next))
            snprintf(question, sizeof question, "{'do':'export','actor':'a','subject':'s-1','after':%lld}",
                     (long long)json_integer_value(next));
        json_decref(answer);
        assert_true(page <= 3);
    }
    assert_int_equal(n, 1 + ROUNDS * TIMES + 3); /* put, names, and a page each */
    assert_string_equal(vault_rig_word(&rig, "{'do':'export','actor':'a','subject':'s-1','after':-1}"), "invalid");
}

static void pseudonyms_are_stable_in_a_domain_and_unlike_across(void **state)
{
    (void)state;
    json_t *one = vault_rig_ask(&rig, "{'do':'pseudonyms','domain':'d','texts':['x','y','x']}");
    json_t *again = vault_rig_ask(&rig, "{'do':'pseudonyms','domain':'d','texts':['x','y','x']}");
    json_t *other = vault_rig_ask(&rig, "{'do':'pseudonyms','domain':'e','texts':['x','y','x']}");
    json_t *texts = json_object_get(one, "pseudonyms");
    (void)state;
    assert_true(json_equal(one, again));
    assert_true(json_equal(json_array_get(texts, 0), json_array_get(texts, 2)));
    assert_false(json_equal(json_array_get(texts, 0), json_array_get(texts, 1)));
    assert_false(json_equal(json_array_get(texts, 0), json_array_get(json_object_get(other, "pseudonyms"), 0)));
    assert_int_equal(json_string_length(json_array_get(texts, 0)), 22);
    /* a subject with that entity is erased: the identity has no pseudonym any more, in no domain */
    assert_string_equal(vault_rig_word(&rig, "{'do':'put','actor':'a','subject':'s-1','entities':['p2-%s']}",
                                       json_string_value(json_array_get(texts, 0))),
                        "ok");
    assert_string_equal(vault_rig_word(&rig, "{'do':'erase','actor':'a','subject':'s-1','series':'delete'}"), "ok");
    json_decref(again);
    again = vault_rig_ask(&rig, "{'do':'pseudonyms','domain':'e','texts':['x','y']}");
    assert_true(json_is_null(json_array_get(json_object_get(again, "pseudonyms"), 0)));
    assert_true(json_equal(json_array_get(json_object_get(again, "pseudonyms"), 1),
                           json_array_get(json_object_get(other, "pseudonyms"), 1)));
    json_decref(one);
    json_decref(again);
    json_decref(other);
}

static void seal_text(const char *text, char *out, size_t size)
{
    uint8_t key[SEAL_KEY_BYTES], sealed[1024];
    char path[400];
    struct err_text error;
    snprintf(path, sizeof path, "%s/public.key", rig.folder);
    assert_int_equal(seal_key_read(path, key, &error), 0);
    assert_int_equal(seal_make(key, text, strlen(text), sealed), 0);
    sodium_bin2base64(out, size, sealed, strlen(text) + SEAL_EXTRA_BYTES, sodium_base64_VARIANT_ORIGINAL);
}

static void what_is_sealed_is_unsealed_and_messages_about_subjects_act(void **state)
{
    char sealed[2048];
    (void)state;
    seal_text("a payload", sealed, sizeof sealed);
    json_t *answer = vault_rig_ask(&rig, "{'do':'unseal','actor':'a','action':'deadletter','sealed':'%s'}", sealed);
    assert_string_equal(json_string_value(json_object_get(answer, "payload")), "YSBwYXlsb2Fk");
    json_decref(answer);
    sealed[20] ^= 1;
    assert_string_equal(vault_rig_word(&rig, "{'do':'unseal','actor':'a','action':'deadletter','sealed':'%s'}", sealed),
                        "invalid");
    seal_text(
        "{\"do\":\"put\",\"subject\":\"s-3\",\"fields\":{\"name\":\"N\"},\"consents\":[{\"purpose\":\"billing\"}]}",
        sealed, sizeof sealed);
    assert_string_equal(vault_rig_word(&rig, "{'do':'subjects','from':'subjects/0/7','sealed':'%s'}", sealed), "ok");
    assert_string_equal(vault_rig_word(&rig, "{'do':'read','actor':'a','subject':'s-3','purpose':'billing'}"), "ok");
    seal_text("{\"do\":\"export\",\"subject\":\"s-3\"}", sealed, sizeof sealed);
    assert_string_equal(vault_rig_word(&rig, "{'do':'subjects','from':'subjects/0/8','sealed':'%s'}", sealed),
                        "invalid");
}

static void every_look_is_in_the_chain_and_the_chain_verifies(void **state)
{
    (void)state;
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    assert_string_equal(vault_rig_word(&rig, READ_1), "ok");
    json_t *answer = vault_rig_ask(&rig, "{'do':'audit','actor':'b','subject':'s-1'}");
    json_t *entries = json_object_get(answer, "entries"), *read = json_array_get(entries, 1);
    assert_int_equal(json_array_size(entries), 3);
    assert_string_equal(json_string_value(json_object_get(read, "action")), "read");
    assert_string_equal(json_string_value(json_object_get(read, "purpose")), "billing");
    assert_string_equal(json_string_value(json_object_get(read, "subject")), "s-1");
    json_decref(answer);
    answer = vault_rig_ask(&rig, "{'do':'verify'}");
    assert_true(json_is_null(json_object_get(answer, "broken")));
    assert_int_equal(json_integer_value(json_object_get(answer, "entries")), 3);
    json_decref(answer);
}

/* G18: no entry, no answer. */
static void where_the_chain_cannot_be_written_nothing_is_told_or_changed(void **state)
{
    static const char *const questions[] = {
        READ_1,
        "{'do':'read','actor':'a','subject':'s-9','purpose':'billing'}",
        "{'do':'export','actor':'a','subject':'s-1'}",
        "{'do':'search','actor':'a','field':'email','value':'zdenka@example.org','purpose':'billing'}",
        "{'do':'names','actor':'a','purpose':'billing','field':'name','subjects':['s-1']}",
        "{'do':'put','actor':'a','subject':'s-1','fields':{'name':'Other'}}",
        "{'do':'restrict','actor':'a','subject':'s-1','restricted':true}",
        "{'do':'consents','actor':'a','subject':'s-1','consents':[]}",
        "{'do':'erase','actor':'a','subject':'s-1','series':'keep'}",
        "{'do':'audit','actor':'a'}",
        "{'do':'rotate','actor':'a'}",
        "{'do':'backup','actor':'a'}"};
    char path[400];
    sqlite3 *db;
    (void)state;
    assert_string_equal(vault_rig_word(&rig, PUT_1), "ok");
    vault_rig_close(&rig);
    snprintf(path, sizeof path, "%s/audit.db", rig.folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "CREATE TRIGGER full BEFORE INSERT ON entry BEGIN SELECT raise(ABORT, 'full'); END",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    vault_rig_open(&rig);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        json_t *answer = vault_rig_ask(&rig, "%s", questions[i]);
        assert_string_equal(json_string_value(json_object_get(answer, "error")), "io");
        assert_int_equal(json_object_size(answer), 2);
        json_decref(answer);
    }
    assert_int_equal(sqlite3_exec(db, "DROP TRIGGER full", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    json_t *answer = vault_rig_ask(&rig, READ_1);
    assert_string_equal(field_of(answer, "name"), "Zdenka Novak");
    json_decref(answer);
    answer = vault_rig_ask(&rig, "{'do':'verify'}");
    assert_true(json_is_null(json_object_get(answer, "broken")));
    assert_int_equal(json_integer_value(json_object_get(answer, "entries")), 2);
    json_decref(answer);
}

static void what_is_wrong_is_named(void **state)
{
    static const char *const questions[][2] = {
        {"{'do':'dance'}", "do"},
        {"{'do':'read','subject':'s','purpose':'p'}", "actor"},
        {"{'do':'read','actor':'a','purpose':'p'}", "subject"},
        {"{'do':'read','actor':'a','subject':'s'}", "purpose"},
        {"{'do':'read','actor':'a','subject':'s','purpose':'p','globs':[1]}", "globs"},
        {"{'do':'put','actor':'a','subject':'s','fields':{'name':7}}", "name"},
        {"{'do':'put','actor':'a','subject':'s','fields':{'na me':'x'}}", "fields"},
        {"{'do':'put','actor':'a','subject':'s','entities':['a b']}", "entities"},
        {"{'do':'put','actor':'a','subject':'s','consents':[{'purpose':'p','until':'tomorrow'}]}", "consents"},
        {"{'do':'erase','actor':'a','subject':'s','series':'some'}", "series"},
        {"{'do':'pseudonyms','texts':[]}", "domain"}};
    (void)state;
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        json_t *answer = vault_rig_ask(&rig, "%s", questions[i][0]);
        assert_string_equal(json_string_value(json_object_get(answer, "error")), "invalid");
        assert_string_equal(json_string_value(json_object_get(answer, "field")), questions[i][1]);
        json_decref(answer);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_put_is_read_after_reopening),
        CASE(a_member_replaces_null_removes_and_what_is_absent_stays),
        CASE(a_subject_has_an_end),
        CASE(a_search_finds_equal_values_of_who_consents),
        CASE(denied_is_told_as_absent),
        CASE(consent_ends_at_its_time_and_when_it_is_withdrawn),
        CASE(a_withdrawn_consent_does_not_come_back_with_an_older_file),
        CASE(a_restricted_subject_is_told_in_an_export_only),
        CASE(an_export_tells_all_accesses_by_pages),
        CASE(pseudonyms_are_stable_in_a_domain_and_unlike_across),
        CASE(what_is_sealed_is_unsealed_and_messages_about_subjects_act),
        CASE(every_look_is_in_the_chain_and_the_chain_verifies),
        CASE(where_the_chain_cannot_be_written_nothing_is_told_or_changed),
        CASE(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

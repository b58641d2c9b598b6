#include <config.h>

#include "../lib/test.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../lib/random.h"
#include "../lib/vault_rig.h"
#include "common/clock.h"
#include "common/files.h"
#include "vault/audit.h"

#define ENTRIES 60

static struct vault_rig rig;

static int set_up(void **state)
{
    (void)state;
    vault_rig_make(&rig);
    vault_rig_word(&rig, "{'do':'put','actor':'a','subject':'s','consents':[{'purpose':'p'}]}");
    for (int i = 1; i < ENTRIES; i++) {
        vault_rig_word(&rig, "{'do':'read','actor':'a%d','subject':'s','purpose':'p'}", i);
        if (i % 20 == 0)
            json_decref(vault_rig_ask(&rig, "{'do':'verify'}")); /* signs */
    }
    vault_rig_close(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_freeze(INT64_MIN);
    vault_rig_remove(&rig);
    return 0;
}

static struct audit_verdict verify(void)
{
    struct audit_verdict verdict = {0};
    struct err_text error = {0};
    if (audit_verify(rig.folder, &verdict, &error) != 0)
        fail_msg("%s", error.text);
    return verdict;
}

static sqlite3 *open_chain(void)
{
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/audit.db", rig.folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void run(sqlite3 *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void run(sqlite3 *db, const char *format, ...)
{
    char sql[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
}

static void a_whole_chain_verifies(void **state)
{
    (void)state;
    struct audit_verdict verdict = verify();
    assert_string_equal(verdict.broken, "");
    assert_int_equal(verdict.entries, ENTRIES);
    assert_int_equal(verdict.covered, ENTRIES);
    assert_true(verdict.heads >= 3);
}

/* Somebody who writes the file with SQLite's own means, and may even put the hash of the changed entry right. */
static void tamper(sqlite3 *db, uint64_t *seed)
{
    static const char *const texts[] = {"actor", "action", "purpose", "result", "detail"};
    int a = 1 + (int)(random_u64(seed) % ENTRIES), b = 1 + (int)(random_u64(seed) % (ENTRIES - 1));
    b += b >= a;
    switch (random_u64(seed) % 7) {
    case 0:
        run(db, "UPDATE entry SET %s = %s || 'x' WHERE seq = %d", texts[random_u64(seed) % 5],
            texts[random_u64(seed) % 5], a);
        break;
    case 1:
        run(db, "UPDATE entry SET t_us = t_us + %d WHERE seq = %d", 1 + (int)(random_u64(seed) % 1000), a);
        break;
    case 2:
        run(db, "UPDATE entry SET %s = randomblob(16) WHERE seq = %d", random_u64(seed) % 2 ? "subject" : "link", a);
        break;
    case 3:
        run(db, "DELETE FROM entry WHERE seq = %d", a);
        break;
    case 4:
        run(db, "DELETE FROM entry WHERE seq >= %d", a);
        break;
    case 5:
        run(db,
            "UPDATE entry SET seq = -1 WHERE seq = %d; UPDATE entry SET seq = %d WHERE seq = %d; UPDATE entry SET seq "
            "= %d WHERE seq = -1",
            a, a, b, b);
        break;
    default:
        run(db, "UPDATE entry SET hash = randomblob(32) WHERE seq = %d", a);
    }
}

static void every_tampering_is_seen(void **state)
{
    char whole[400];
    uint64_t seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : (uint64_t)clock_wall_us();
    int n = getenv("ALMANAC_SOAK") ? 10000 : 1000;
    (void)state;
    print_message("# SEED=%llu\n", (unsigned long long)seed);
    snprintf(whole, sizeof whole, "%s/whole.db", rig.dir);
    vault_rig_save(&rig, "audit.db", whole);
    for (int i = 0; i < n; i++) {
        vault_rig_load(&rig, whole, "audit.db");
        sqlite3 *db = open_chain();
        sqlite3_exec(db, "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; PRAGMA ignore_check_constraints=ON", NULL,
                     NULL, NULL);
        tamper(db, &seed);
        sqlite3_close(db);
        if (!verify().broken[0])
            fail_msg("edit %d was not seen", i);
    }
}

static void heads_that_are_changed_are_seen(void **state)
{
    char path[400], whole[400], text[8192];
    (void)state;
    snprintf(path, sizeof path, "%s/audit.heads", rig.folder);
    snprintf(whole, sizeof whole, "%s/whole.heads", rig.dir);
    vault_rig_save(&rig, "audit.heads", whole);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    assert_true(n > 0 && n < (ssize_t)sizeof text);
    for (ssize_t i = 0; i < n; i += 7) {
        char was = text[i];
        text[i] = was == '1' ? '2' : '1';
        fd = open(path, O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, text, (size_t)n), n);
        close(fd);
        text[i] = was;
        if (!verify().broken[0])
            fail_msg("byte %zd of the heads was not seen", i);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_whole_chain_verifies),
        CASE(every_tampering_is_seen),
        CASE(heads_that_are_changed_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

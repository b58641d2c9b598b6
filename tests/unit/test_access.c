#include <config.h>

#include "../lib/test.h"

#include "store/access.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "db/db.h"

static char dir[64], path[96];

static int set_up(void **state)
{
    struct err_text error = {0};
    (void)state;
    snprintf(dir, sizeof(dir), "%s/almanac-access-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/auth.db", dir);
    assert_int_equal(access_create(dir, &error), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_freeze(INT64_MIN);
    remove(path);
    assert_int_equal(rmdir(dir), 0); /* no journal is left behind */
    return 0;
}

static struct access *open_access(void)
{
    struct access *access;
    struct err_text error = {0};
    if (access_open(dir, &access, &error))
        fail_msg("%s", error.text);
    return access;
}

static int check(struct access *access, const char *token, struct principal *ret_principal)
{
    return access_check_token(access, token, strlen(token), ret_principal);
}

static void a_token_is_known_by_name_and_scopes_after_reopening(void **state)
{
    struct err_text error = {0};
    struct principal principal;
    char token[TOKEN_TEXT_MAX], other[TOKEN_TEXT_MAX];
    struct access *access = open_access();
    (void)state;
    assert_int_equal(access_token_create(access, "grafana", "read, ops", token, &error), 0);
    assert_int_equal(access_token_create(access, "root", "admin", other, &error), 0);
    assert_int_equal(strlen(token), 47);
    assert_int_equal(strspn(token + 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 43);
    assert_string_not_equal(token, other);
    for (int i = 0; i < 2; i++) {
        for (int hit = 0; hit < 2; hit++) {
            assert_int_equal(check(access, token, &principal), 0);
            assert_string_equal(principal.name, "grafana");
            assert_int_equal(principal.grants.scopes, SCOPE_READ | SCOPE_OPS);
            assert_int_equal(check(access, other, &principal), 0);
            assert_int_equal(principal.grants.scopes, SCOPES_ALL);
        }
        access_close(access);
        access = open_access();
    }
    access_close(access);
}

static void nobody_else_is_let_in(void **state)
{
    struct err_text error = {0};
    struct principal principal = {.name = "untouched"};
    char token[TOKEN_TEXT_MAX], text[200];
    struct access *access = open_access();
    (void)state;
    assert_int_equal(access_token_create(access, "a", "read", token, &error), 0);
    assert_int_equal(check(access, "", &principal), ERR_DENIED);
    assert_int_equal(check(access, "alm_", &principal), ERR_DENIED);
    for (size_t i = 0; i < strlen(token); i++) { /* any byte off by one bit, and any prefix */
        memcpy(text, token, sizeof(token));
        text[i] ^= 1;
        assert_int_equal(check(access, text, &principal), ERR_DENIED);
        assert_int_equal(access_check_token(access, token, i, &principal), ERR_DENIED);
    }
    snprintf(text, sizeof(text), "%s%s%s", token, token, token);
    assert_int_equal(check(access, text, &principal), ERR_DENIED);
    assert_string_equal(principal.name, "untouched");
    assert_int_equal(check(access, token, &principal), 0);
    access_close(access);
}

static void a_token_of_another_process_is_valid_at_once(void **state)
{
    struct principal principal;
    struct access *access = open_access();
    (void)state;
    for (int i = 0; i < 3; i++) {
        char token[TOKEN_TEXT_MAX] = "";
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (!child) {
            struct err_text error = {0};
            struct access *own = open_access();
            char name[24];
            snprintf(name, sizeof(name), "child-%d", i);
            int rc = access_token_create(own, name, "read", token, &error);
            access_close(own);
            _exit(rc || write(ends[1], token, sizeof(token)) != sizeof(token));
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], token, sizeof(token)), sizeof(token));
        close(ends[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(check(access, token, &principal), 0);
    }
    access_close(access);
}

static void a_token_taken_out_of_the_file_is_refused_after_a_second(void **state)
{
    struct err_text error = {0};
    struct principal principal;
    char token[TOKEN_TEXT_MAX], *message = NULL;
    struct access *access = open_access();
    sqlite3 *shell;
    (void)state;
    assert_int_equal(access_token_create(access, "a", "read", token, &error), 0);
    int64_t now_us = clock_mono_us();
    clock_freeze(now_us);
    assert_int_equal(check(access, token, &principal), 0);
    assert_int_equal(sqlite3_open(path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "DELETE FROM token WHERE name = 'a'", NULL, NULL, &message), SQLITE_OK);
    sqlite3_close(shell);
    clock_freeze(now_us + 1000001);
    assert_int_equal(check(access, token, &principal), ERR_DENIED);
    access_close(access);
}

static void who_was_let_in_is_asked_for_again(void **state)
{
    struct err_text error = {0};
    struct principal principals[3];
    char tokens[2][TOKEN_TEXT_MAX];
    const uint8_t spki[32] = {9};
    int64_t now_us = clock_mono_us(), versions[3] = {0};
    struct access *access = open_access();
    (void)state;
    assert_int_equal(access_token_create(access, "same", "read", tokens[0], &error), 0);
    assert_int_equal(access_user_add(access, "same", "read", "a long password", &error), 0);
    assert_int_equal(access_certificate_add(access, "same", "read", spki, &error), 0);
    clock_freeze(now_us);
    assert_int_equal(check(access, tokens[0], &principals[ACCESS_TOKENS]), 0);
    assert_int_equal(access_check_password(access, "same", "a long password", true, &principals[ACCESS_USERS]), 0);
    assert_int_equal(access_check_certificate(access, spki, &principals[ACCESS_CERTIFICATES]), 0);
    int64_t version = access_version(access);
    for (int gone = 0; gone < 3; gone++) {
        assert_int_equal(access_remove(access, (enum access_kind)gone, "same", &error), 0);
        clock_freeze(now_us += 1000001);
        assert_true(access_version(access) != version);
        version = access_version(access);
        for (int i = 0; i < 3; i++)
            for (int twice = 0; twice < 2; twice++)
                assert_int_equal(access_check_again(access, &principals[i], &versions[i]), i <= gone ? ERR_DENIED : 0);
    }
    assert_int_equal(access_token_create(access, "same", "read", tokens[1], &error), 0); /* of that name, but another one */
    clock_freeze(now_us += 1000001);
    assert_int_equal(access_check_again(access, &principals[ACCESS_TOKENS], &versions[ACCESS_TOKENS]), ERR_DENIED);
    access_close(access);
}

static void the_file_holds_no_token_and_is_its_owners_alone(void **state)
{
    struct err_text error = {0};
    char token[TOKEN_TEXT_MAX], bytes[65536];
    struct stat status;
    struct access *access = open_access();
    (void)state;
    assert_int_equal(access_token_create(access, "a", "read", token, &error), 0);
    access_close(access);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    FILE *file = fopen(path, "r");
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    assert_in_range(n, 4096, sizeof(bytes) - 1);
    assert_null(memmem(bytes, n, token + 4, 8));
}

/* As the programs of formats 1 and 2 wrote them, before pages had sums. */
static const char older_schema[] =
    "CREATE TABLE secret (id INTEGER PRIMARY KEY CHECK (id = 1), key BLOB NOT NULL CHECK (length(key) = 32));"
    "CREATE TABLE token (hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), name TEXT NOT NULL UNIQUE, "
    "scopes INTEGER NOT NULL, created_us INTEGER NOT NULL);";
static const char users_schema[] = "CREATE TABLE user (name TEXT NOT NULL UNIQUE, password TEXT NOT NULL, "
                                   "scopes INTEGER NOT NULL, created_us INTEGER NOT NULL);";

static int run_sql(void *shell, const char *sql)
{
    return sqlite3_exec(shell, sql, NULL, NULL, NULL);
}

/* Plants the tokens (and users) of the file that is there in a file of an earlier format, in its place. */
static void make_older(int version)
{
    sqlite3 *shell;
    char sql[512], made[128];
    snprintf(made, sizeof(made), "%s.older", path);
    assert_int_equal(sqlite3_open(made, &shell), SQLITE_OK);
    assert_int_equal(run_sql(shell, older_schema), SQLITE_OK);
    if (version > 1)
        assert_int_equal(run_sql(shell, users_schema), SQLITE_OK);
    snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=%d; ATTACH '%s' AS new;"
             "INSERT INTO secret SELECT * FROM new.secret; INSERT INTO token SELECT * FROM new.token", 0x414c4d61, version, path);
    assert_int_equal(run_sql(shell, sql), SQLITE_OK);
    if (version > 1)
        assert_int_equal(run_sql(shell, "INSERT INTO user SELECT * FROM new.user"), SQLITE_OK);
    sqlite3_close(shell);
    assert_int_equal(rename(made, path), 0);
}

static void files_of_earlier_formats_are_brought_up_to_date_where_they_lie(void **state)
{
    struct err_text error = {0};
    struct principal principal;
    char token[TOKEN_TEXT_MAX], copy[128];
    const uint8_t spki[32] = {7};
    (void)state;
    struct access *access = open_access();
    assert_int_equal(access_token_create(access, "old", "read,ops", token, &error), 0);
    assert_int_equal(access_token_create(access, "limited", "read:p2-*", (char[TOKEN_TEXT_MAX]){0}, &error), 0);
    assert_int_equal(access_user_add(access, "anna", "read", "a long password", &error), 0);
    access_close(access);
    for (int version = 2; version >= 1; version--) {
        make_older(version);
        snprintf(copy, sizeof(copy), "%s.copy", path);
        assert_int_equal(access_copy(path, copy, &error), 0); /* a backup of before */
        for (int i = 0; i < 2; i++) { /* the file, and its copy in its place */
            access = open_access();
            assert_int_equal(check(access, token, &principal), 0);
            assert_string_equal(principal.name, "old");
            assert_int_equal(principal.grants.scopes, SCOPE_READ | SCOPE_OPS);
            int rc = access_check_password(access, "anna", "a long password", true, &principal);
            assert_int_equal(rc, version == 2 ? 0 : ERR_DENIED);
            access_close(access);
            if (i == 0)
                assert_int_equal(rename(copy, path), 0);
        }
        access = open_access();
        char name[16];
        snprintf(name, sizeof(name), "c%d", version);
        assert_int_equal(access_certificate_add(access, name, "read:p2-*", spki, &error), 0);
        assert_int_equal(access_remove(access, ACCESS_CERTIFICATES, name, &error), 0);
        access_close(access);
    }
}

static void names_and_scopes_are_checked(void **state)
{
    static const char *const names[] = {"", "a\nb", "\xc3\xa4",
                                        "12345678901234567890123456789012345678901234567890123456789012345"};
    static const char *const scopes[] = {"", " , ", "write", "read,", "readx", "READ", "personal", "read:", "personal:p2-*",
                                         "aggregate@0/15", "aggregate@15", "aggregate@15/101", "aggregate,sql", "read ops;sql"};
    struct err_text error = {0};
    char token[TOKEN_TEXT_MAX] = "untouched";
    struct access *access = open_access();
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        assert_int_equal(access_token_create(access, names[i], "read", token, &error), ERR_INVALID);
        assert_string_equal(error.field, "name");
    }
    for (size_t i = 0; i < sizeof(scopes) / sizeof(*scopes); i++) {
        if (!strcmp(scopes[i], "read,")) /* a separator at the end does no harm */
            continue;
        assert_int_equal(access_token_create(access, "a", scopes[i], token, &error), ERR_INVALID);
        assert_string_equal(error.field, "scope");
    }
    assert_string_equal(token, "untouched");
    assert_int_equal(access_token_create(access, "a", "personal:read,vault:admin", token, &error), 0);
    assert_int_equal(access_token_create(access, "a", "read", token, &error), ERR_EXISTS);
    assert_string_equal(error.field, "name");
    access_close(access);
}

/* I13 */
static void a_limited_scope_shows_what_its_globs_match(void **state)
{
    static const struct {
        const char *scopes, *printed;
        enum scope scope;
        const char *entity;
        bool is_seen;
    } cases[] = {
        {"read:p2-*", "read:p2-*", SCOPE_READ, "p2-meter", true},
        {"read:p2-*", "read:p2-*", SCOPE_READ, "wx-meter", false},
        {"read:p2-*", "read:p2-*", SCOPE_SQL, "p2-meter", false},
        {"read:p2-*,read:wx-?,sql", "sql,read:p2-*,read:wx-?", SCOPE_READ, "wx-1", true},
        {"read:p2-*,read:wx-?,sql", "sql,read:p2-*,read:wx-?", SCOPE_READ, "wx-12", false},
        {"read:p2-*,read:wx-?,sql", "sql,read:p2-*,read:wx-?", SCOPE_SQL, "anything", true},
        {"read:p2-* read", "read", SCOPE_READ, "anything", true},
        {"read:p2-*,admin", "admin", SCOPE_READ, "anything", true},
        {"admin:p2-*", "admin:p2-*", SCOPE_EXPORT, "p2-meter", true},
        {"admin:p2-*", "admin:p2-*", SCOPE_EXPORT, "wx-meter", false},
        {"admin:p2-*", "admin:p2-*", SCOPE_AGGREGATE, "p2-meter", false},
        {"personal:read:p2-*", "personal:read:p2-*", SCOPE_PERSONAL_READ, "p2-meter", true},
        {"personal:read:p2-*", "personal:read:p2-*", SCOPE_READ, "p2-meter", false},
        {"aggregate", "aggregate@15/15", SCOPE_AGGREGATE, "anything", true},
        {"aggregate@20/10:p2-*", "aggregate@20/10:p2-*", SCOPE_AGGREGATE, "p2-meter", true},
        {"aggregate@20/10:p2-*", "aggregate@20/10:p2-*", SCOPE_AGGREGATE, "wx-meter", false},
        {"ops", "ops", (enum scope)0, "anything", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err_text error = {0};
        struct principal principal, again;
        char token[TOKEN_TEXT_MAX], name[16], text[ACCESS_GRANTS_TEXT_MAX];
        struct globs globs;
        struct access *access = open_access();
        snprintf(name, sizeof(name), "t-%zu", i);
        assert_int_equal(access_token_create(access, name, cases[i].scopes, token, &error), 0);
        assert_int_equal(check(access, token, &principal), 0);
        principal_globs(&principal, cases[i].scope, &globs);
        assert_int_equal(globs_match(&globs, cases[i].entity), cases[i].is_seen);
        access_grants_print(&principal.grants, text);
        assert_string_equal(text, cases[i].printed);
        assert_int_equal(access_grants_parse(text, &again.grants, &error), 0);
        assert_memory_equal(&again.grants, &principal.grants, sizeof(again.grants));
        access_close(access);
    }
}

static void a_wrong_file_is_refused_by_name(void **state)
{
    struct err_text error = {0};
    struct access *access;
    char elsewhere[96];
    (void)state;
    assert_int_equal(access_create(dir, &error), ERR_EXISTS);
    snprintf(elsewhere, sizeof(elsewhere), "%s/nowhere", dir);
    assert_int_equal(access_open(elsewhere, &access, &error), ERR_NOTFOUND);
    sqlite3 *shell;
    assert_int_equal(sqlite3_open(path, &shell), SQLITE_OK);
    assert_int_equal(sqlite3_exec(shell, "DELETE FROM secret", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(access_open(dir, &access, &error), ERR_CORRUPT);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(sqlite3_exec(shell, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(shell);
    assert_int_equal(access_open(dir, &access, &error), ERR_VERSION);
    assert_non_null(strstr(error.text, "99"));
}

static int check_user(struct access *access, const char *name, const char *password, bool may_compute)
{
    struct principal principal = {.name = "untouched"};
    int rc = access_check_password(access, name, password, may_compute, &principal);
    assert_string_equal(principal.name, rc ? "untouched" : name);
    if (!rc)
        assert_int_equal(principal.grants.scopes, SCOPE_READ | SCOPE_OPS);
    return rc;
}

static void a_password_is_computed_once_in_five_minutes(void **state)
{
    struct err_text error = {0};
    struct access *access = open_access();
    (void)state;
    assert_int_equal(access_user_add(access, "pilot", "read,ops", "correct: horse", &error), 0);
    int64_t now_us = clock_mono_us();
    clock_freeze(now_us);
    assert_int_equal(check_user(access, "pilot", "correct: horse", false), ERR_BUSY);
    assert_int_equal(check_user(access, "pilot", "correct: horse", true), 0);
    assert_int_equal(check_user(access, "pilot", "correct: horse", false), 0);
    assert_int_equal(check_user(access, "pilot", "correct: hors", false), ERR_BUSY);
    assert_int_equal(check_user(access, "pilot", "correct: hors", true), ERR_DENIED);
    assert_int_equal(check_user(access, "pilot", "correct: hors", false), ERR_BUSY); /* what is wrong is not remembered */
    assert_int_equal(check_user(access, "Pilot", "correct: horse", true), ERR_DENIED);
    assert_int_equal(check_user(access, "pilot:correct", " horse", true), ERR_DENIED);
    assert_int_equal(check_user(access, "", "", true), ERR_DENIED);
    clock_freeze(now_us + 300 * INT64_C(1000000));
    assert_int_equal(check_user(access, "pilot", "correct: horse", false), ERR_BUSY);
    access_close(access);
}

static void a_user_who_was_removed_is_refused_after_a_second(void **state)
{
    struct err_text error = {0};
    struct access *access = open_access();
    (void)state;
    int64_t now_us = clock_mono_us();
    clock_freeze(now_us);
    assert_int_equal(access_user_add(access, "pilot", "read,ops", "correct horse", &error), 0);
    assert_int_equal(check_user(access, "pilot", "correct horse", true), 0);
    assert_int_equal(access_remove(access, ACCESS_USERS, "pilot", &error), 0);
    assert_int_equal(access_remove(access, ACCESS_USERS, "pilot", &error), ERR_NOTFOUND);
    clock_freeze(now_us + 1000001);
    assert_int_equal(check_user(access, "pilot", "correct horse", true), ERR_DENIED);
    assert_int_equal(access_user_add(access, "pilot", "read,ops", "another horse", &error), 0);
    assert_int_equal(check_user(access, "pilot", "correct horse", true), ERR_DENIED);
    assert_int_equal(check_user(access, "pilot", "another horse", true), 0);
    access_close(access);
}

static int print_entry(void *arg, const struct access_entry *entry)
{
    char scopes[ACCESS_GRANTS_TEXT_MAX];
    access_grants_print(entry->grants, scopes);
    buf_printf(arg, "%s=%s;", entry->name, scopes);
    return entry->created_us > 0 ? 0 : -1;
}

static void tokens_and_users_are_listed_by_name_and_taken_back(void **state)
{
    struct err_text error = {0};
    struct principal principal;
    struct buf text = {0};
    char token[TOKEN_TEXT_MAX];
    struct access *access = open_access();
    (void)state;
    assert_int_equal(access_token_create(access, "b", "admin", token, &error), 0);
    assert_int_equal(access_token_create(access, "a", "vault:admin personal:read", token, &error), 0);
    const char *most = "read,export,sql,ops,personal:read,personal:write,vault:admin";
    assert_int_equal(access_user_add(access, "u", most, "12345678", &error), 0);
    assert_int_equal(access_each(access, ACCESS_TOKENS, print_entry, &text, &error), 0);
    assert_int_equal(access_each(access, ACCESS_USERS, print_entry, &text, &error), 0);
    buf_putc(&text, '\0');
    assert_string_equal((char *)text.data, "a=personal:read,vault:admin;b=admin;"
                                           "u=read,export,sql,ops,personal:read,personal:write,vault:admin;");
    buf_free(&text);
    int64_t now_us = clock_mono_us();
    clock_freeze(now_us);
    assert_int_equal(check(access, token, &principal), 0);
    assert_int_equal(access_remove(access, ACCESS_TOKENS, "a", &error), 0);
    clock_freeze(now_us + 1000001);
    assert_int_equal(check(access, token, &principal), ERR_DENIED);
    access_close(access);
}

static void users_names_and_passwords_are_checked_and_no_password_is_in_the_file(void **state)
{
    static const char *const wrong[][3] = {{"a:b", "read", "12345678"}, {"", "read", "12345678"}, {"a", "", "12345678"},
                                           {"a", "read:", "12345678"}, {"a", "read", "1234567"}};
    struct err_text error = {0};
    char long_one[300], bytes[65536];
    struct access *access = open_access();
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(access_user_add(access, wrong[i][0], wrong[i][1], wrong[i][2], &error), ERR_INVALID);
    memset(long_one, 'x', sizeof(long_one));
    long_one[257] = '\0';
    assert_int_equal(access_user_add(access, "a", "read", long_one, &error), ERR_INVALID);
    assert_string_equal(error.field, "password");
    long_one[256] = '\0';
    assert_int_equal(access_user_add(access, "a", "read,ops", long_one, &error), 0);
    assert_int_equal(access_user_add(access, "a", "read", "12345678", &error), ERR_EXISTS);
    assert_int_equal(check_user(access, "a", long_one, true), 0);
    access_close(access);
    FILE *file = fopen(path, "r");
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    assert_null(memmem(bytes, n, long_one, 16));
    assert_non_null(memmem(bytes, n, "$argon2id$", 10));
}

/* Measured, so that the hash that nobody has stays of the same costs. */
static void a_user_who_is_not_there_costs_as_much(void **state)
{
    struct err_text error = {0};
    struct access *access = open_access();
    int64_t least_us[2] = {INT64_MAX, INT64_MAX};
    (void)state;
    assert_int_equal(access_user_add(access, "a", "read,ops", "12345678", &error), 0);
    for (int i = 0; i < 6; i++) {
        int64_t begin_us = clock_mono_us();
        assert_int_equal(check_user(access, i % 2 ? "nobody" : "a", "87654321", true), ERR_DENIED);
        int64_t took_us = clock_mono_us() - begin_us;
        least_us[i % 2] = took_us < least_us[i % 2] ? took_us : least_us[i % 2];
    }
    assert_true(least_us[1] > least_us[0] / 3 && least_us[0] > least_us[1] / 3);
    access_close(access);
}

#define N_THREADS 4
#define N_TOKENS 8
static char tokens[N_TOKENS][TOKEN_TEXT_MAX];

static void *check_often(void *arg)
{
    struct access *access = arg;
    uintptr_t n_wrong = 0;
    for (int i = 0; i < 400; i++) {
        struct principal principal;
        char name[24];
        snprintf(name, sizeof(name), "t%d", i % N_TOKENS);
        n_wrong += check(access, tokens[i % N_TOKENS], &principal) || strcmp(principal.name, name);
        n_wrong += check(access, "alm_nobody", &principal) != ERR_DENIED;
    }
    return (void *)n_wrong;
}

static void threads_share_one_handle_while_tokens_are_made(void **state)
{
    struct err_text error = {0};
    struct access *access = open_access();
    pthread_t threads[N_THREADS];
    char name[24], token[TOKEN_TEXT_MAX];
    (void)state;
    for (int i = 0; i < N_TOKENS; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(access_token_create(access, name, "read", tokens[i], &error), 0);
    }
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, check_often, access), 0);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "more%d", i);
        if (access_token_create(access, name, "read", token, &error))
            fail_msg("%s", error.text);
    }
    for (int i = 0; i < N_THREADS; i++) {
        void *n_wrong;
        pthread_join(threads[i], &n_wrong);
        assert_int_equal((uintptr_t)n_wrong, 0);
    }
    access_close(access);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_token_is_known_by_name_and_scopes_after_reopening),
        CASE(nobody_else_is_let_in),
        CASE(a_token_of_another_process_is_valid_at_once),
        CASE(a_token_taken_out_of_the_file_is_refused_after_a_second),
        CASE(who_was_let_in_is_asked_for_again),
        CASE(the_file_holds_no_token_and_is_its_owners_alone),
        CASE(names_and_scopes_are_checked),
        CASE(a_limited_scope_shows_what_its_globs_match),
        CASE(a_wrong_file_is_refused_by_name),
        CASE(files_of_earlier_formats_are_brought_up_to_date_where_they_lie),
        CASE(a_password_is_computed_once_in_five_minutes),
        CASE(a_user_who_was_removed_is_refused_after_a_second),
        CASE(tokens_and_users_are_listed_by_name_and_taken_back),
        CASE(users_names_and_passwords_are_checked_and_no_password_is_in_the_file),
        CASE(a_user_who_is_not_there_costs_as_much),
        CASE(threads_share_one_handle_while_tokens_are_made),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}

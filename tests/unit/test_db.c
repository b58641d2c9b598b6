#include <config.h>

#include "../lib/fault_vfs.h"
#include "../lib/random.h"
#include "../lib/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"

static const struct db_format format = {"test file", 0x54455354, 3, false}, next_format = {"test file", 0x54455354, 4, false},
                              other_format = {"other file", 0x4f544852, 3, false};
enum { SQL_PUT, SQL_GET, SQL_WRONG, SQL_N };
static const char *const sql[SQL_N] = {"INSERT INTO t (k, v) VALUES (:k, :v)", "SELECT v FROM t WHERE k >= :k ORDER BY k",
                                       "SELECT nothing FROM nowhere"};
static const char schema[] = "CREATE TABLE t (k INTEGER PRIMARY KEY, v)";
static char dir[256], path[300];
static struct err_text error;

static struct db_opts opts_of(enum db_mode mode)
{
    return (struct db_opts){.path = path, .mode = mode, .format = &format, .schema = schema, .sql = sql, .n_sql = SQL_N};
}

static struct db *open_db(enum db_mode mode)
{
    struct db_opts opts = opts_of(mode);
    struct db *db;
    if (db_open(&opts, &db, &error))
        fail_msg("%s", error.text);
    return db;
}

static int put(struct db *db, int64_t k, const char *v)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_PUT);
    db_bind_i64(stmt, ":k", k);
    db_bind_text(stmt, ":v", v);
    return db_run(db, stmt);
}

static int64_t count(struct db *db)
{
    int64_t n = -1;
    assert_int_equal(db_get_i64(db, "SELECT count(*) FROM t", &n), 0);
    return n;
}

static bool beside(const char *end)
{
    char log_path[320];
    snprintf(log_path, sizeof(log_path), "%s%s", path, end);
    return access(log_path, F_OK) == 0;
}

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof(dir), "%.200s/almanac-db-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a file?#%%41.db", dir);
    error = (struct err_text){0};
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const ends[] = {"", "-wal", "-shm", "-journal", ".new"};
    char name[320];
    fault_vfs_disarm();
    fault_vfs_forget();
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        unlink(name);
    }
    return rmdir(dir);
}

static void what_was_committed_is_there_in_every_mode(void **state)
{
    (void)state;
    struct db *db = open_db(DB_CREATE);
    assert_int_equal(put(db, 1, "one"), 0);
    assert_int_equal(db_begin(db), 0);
    assert_int_equal(put(db, 2, "two"), 0);
    db_rollback(db);
    db_rollback(db); /* nothing happens outside a transaction */
    assert_int_equal(count(db), 1);
    db_close_settled(db);
    static const enum db_mode modes[] = {DB_READ, DB_READ_SEALED, DB_WRITE};
    for (size_t i = 0; i < 3; i++) {
        db = open_db(modes[i]);
        sqlite3_stmt *stmt = db_stmt(db, SQL_GET);
        db_bind_i64(stmt, ":k", 0);
        assert_int_equal(db_step(db, stmt), 1);
        assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "one");
        assert_int_equal(db_step(db, stmt), 0);
        assert_string_equal(db_path(db), path);
        db_close(db);
    }
}

static void modes_of_making_and_opening_refuse_what_does_not_fit(void **state)
{
    (void)state;
    struct db_opts opts = opts_of(DB_WRITE);
    struct db *db;
    for (enum db_mode mode = DB_READ; mode <= DB_WRITE; mode++) {
        opts.mode = mode;
        assert_int_equal(db_open(&opts, &db, &error), ERR_NOTFOUND);
        assert_non_null(strstr(error.text, path));
    }
    db_close(open_db(DB_CREATE));
    opts.mode = DB_CREATE;
    assert_int_equal(db_open(&opts, &db, &error), ERR_EXISTS);
    opts.mode = DB_CREATE_PLAIN;
    assert_int_equal(db_open(&opts, &db, &error), ERR_EXISTS);
}

static void files_of_other_kinds_and_versions_are_refused_by_name(void **state)
{
    (void)state;
    struct db_opts opts = opts_of(DB_READ);
    struct db *db;
    db_close(open_db(DB_CREATE_PLAIN));
    opts.format = &other_format;
    assert_int_equal(db_open(&opts, &db, &error), ERR_VERSION);
    assert_non_null(strstr(error.text, "is not an Almanac other file"));
    opts.format = &next_format;
    assert_int_equal(db_open(&opts, &db, &error), ERR_VERSION);
    assert_non_null(strstr(error.text, "of format 3, this program knows format 4"));
}

static void what_is_no_database_is_corrupt(void **state)
{
    (void)state;
    struct db_opts opts = opts_of(DB_READ);
    struct db *db;
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    for (int i = 0; i < 1000; i++)
        fputs("no database ", out);
    fclose(out);
    for (enum db_mode mode = DB_READ; mode <= DB_WRITE; mode++) {
        opts.mode = mode;
        assert_int_equal(db_open(&opts, &db, &error), ERR_CORRUPT);
    }
    assert_int_equal(truncate(path, 0), 0); /* an empty file is a database of no kind */
    opts.mode = DB_READ;
    assert_int_equal(db_open(&opts, &db, &error), ERR_VERSION);
}

static void a_statement_that_does_not_fit_ends_with_a_code(void **state)
{
    (void)state;
    struct db *db = open_db(DB_CREATE);
    sqlite3_stmt *stmt = db_stmt(db, SQL_WRONG);
    int64_t value = 5;
    assert_null(stmt);
    db_bind_i64(stmt, ":k", 1); /* one check at the end is enough */
    db_bind_blob(stmt, ":v", NULL, 0);
    assert_int_equal(db_run(db, stmt), ERR_CORRUPT);
    assert_int_equal(db_step(db, stmt), ERR_CORRUPT);
    assert_int_equal(db_get_i64(db, "SELECT v FROM t", &value), ERR_NOTFOUND);
    assert_int_equal(value, 5);
    assert_int_equal(put(db, 1, "a"), 0);
    assert_int_equal(put(db, 1, "b"), ERR_EXISTS);
    assert_int_equal(db_error(db, &error, ERR_EXISTS, "write"), ERR_EXISTS);
    assert_non_null(strstr(error.text, "cannot write"));
    db_close(db);
}

/* I5: a reader leaves no trace, not even when it is the last to close. */
static void readers_neither_write_nor_checkpoint(void **state)
{
    (void)state;
    struct db *writer = open_db(DB_CREATE);
    assert_int_equal(put(writer, 1, "one"), 0);
    struct db *reader = open_db(DB_READ);
    assert_int_equal(count(reader), 1);
    assert_int_equal(db_exec(reader, "DELETE FROM t") != 0, 1);
    assert_true(beside("-wal"));
    db_close(reader);
    assert_true(beside("-wal"));
    db_close_settled(writer);
    assert_false(beside("-wal"));
    assert_false(beside("-shm"));
    assert_false(beside("-journal"));
}

static void a_log_stays_while_somebody_reads(void **state)
{
    (void)state;
    struct db *writer = open_db(DB_CREATE);
    assert_int_equal(put(writer, 1, "one"), 0);
    struct db *reader = open_db(DB_READ);
    assert_int_equal(db_begin(reader), 0);
    assert_int_equal(count(reader), 1);
    assert_int_equal(put(writer, 2, "two"), 0);
    assert_int_equal(db_leave_wal(writer), ERR_BUSY);
    db_close_settled(writer);
    assert_int_equal(count(reader), 1); /* its own state */
    db_rollback(reader);
    assert_int_equal(count(reader), 2);
    db_close(reader);
    writer = open_db(DB_WRITE);
    assert_int_equal(count(writer), 2);
    db_close_settled(writer);
    assert_false(beside("-wal"));
}

static void a_checkpoint_is_whole_when_nobody_is_in_the_way(void **state)
{
    (void)state;
    struct db *writer = open_db(DB_CREATE);
    bool whole = false;
    assert_int_equal(put(writer, 1, "one"), 0);
    assert_int_equal(db_checkpoint(writer, &whole), 0);
    assert_true(whole);
    struct db *reader = open_db(DB_READ);
    assert_int_equal(db_begin(reader), 0);
    assert_int_equal(count(reader), 1);
    assert_int_equal(put(writer, 2, "two"), 0);
    assert_int_equal(db_checkpoint(writer, &whole), 0);
    assert_false(whole);
    db_close(reader);
    assert_int_equal(db_checkpoint(writer, &whole), 0);
    assert_true(whole);
    db_close(writer);
}

static void failures_of_the_disk_have_codes(void **state)
{
    (void)state;
    struct db *db = open_db(DB_CREATE);
    fault_vfs_arm(FAULT_FULL_ONCE, 1);
    assert_int_equal(put(db, 1, "one"), ERR_FULL);
    fault_vfs_arm(FAULT_IO_ONCE, 1);
    assert_int_equal(put(db, 1, "one"), ERR_IO);
    fault_vfs_disarm();
    assert_int_equal(put(db, 1, "one"), 0);
    assert_int_equal(db_begin(db), 0);
    assert_int_equal(put(db, 2, "two"), 0);
    fault_vfs_arm(FAULT_IO_ONCE, 1);
    assert_int_equal(db_commit(db), ERR_IO);
    fault_vfs_disarm();
    assert_int_equal(count(db), 1);
    assert_int_equal(db_begin(db), 0); /* it was rolled back */
    db_close(db);
}

/* SQLite would take the half that is missing for zeroes, and rows for none. */
static void half_a_page_of_a_sealed_file_is_an_error(void **state)
{
    (void)state;
    enum { N_ROWS = 400 };
    static const struct db_format sealed = {"sealed file", 0x5345414c, 1, true};
    struct db_opts opts = {.path = path, .mode = DB_CREATE_PLAIN, .format = &sealed, .schema = schema, .sql = sql, .n_sql = SQL_N,
                           .page_bytes = 512};
    struct db *db;
    int n_errors = 0;
    assert_int_equal(db_open(&opts, &db, &error), 0);
    for (int64_t k = 0; k < N_ROWS; k++)
        assert_int_equal(put(db, k, "a text that takes some room in its page"), 0);
    db_close(db);
    opts.mode = DB_READ_SEALED;
    bool hit = true;
    for (int64_t n = 1; hit; n++) {
        int64_t n_rows = 0;
        fault_vfs_arm(FAULT_SHORT_ONCE, n);
        int rc = db_open(&opts, &db, &error);
        if (!rc) {
            sqlite3_stmt *stmt = db_stmt(db, SQL_GET);
            db_bind_i64(stmt, ":k", 0);
            while ((rc = db_step(db, stmt)) == 1) {
                const char *text = (const char *)sqlite3_column_text(stmt, 0);
                n_rows += text && strcmp(text, "a text that takes some room in its page") == 0;
            }
            db_close(db);
        }
        hit = fault_vfs_hit();
        fault_vfs_disarm();
        if (!rc && n_rows != N_ROWS)
            fail_msg("read %lld comes short: %lld of %d rows", (long long)n, (long long)n_rows, N_ROWS);
        n_errors += rc < 0;
    }
    assert_true(n_errors > 20); /* that many pages are read */
}

/* What a failure left half way is made good at once: no reader could. */
static void leaving_the_log_is_tried_again_after_a_failure(void **state)
{
    (void)state;
    bool hit = true;
    for (int64_t n = 1; hit; n++) {
        struct db *db = open_db(DB_CREATE);
        assert_int_equal(put(db, 1, "one"), 0);
        fault_vfs_arm(FAULT_FULL_ONCE, n);
        db_close_settled(db);
        hit = fault_vfs_hit();
        fault_vfs_disarm();
        if (beside("-journal"))
            fail_msg("write %lld fails: a journal is left", (long long)n);
        db = open_db(DB_READ);
        assert_int_equal(count(db), 1);
        db_close(db);
        unlink(path);
    }
}

/* A disk with room for a page and none for the 32 KiB of a log's index. */
static void a_file_can_be_read_after_its_writer_found_the_disk_full(void **state)
{
    (void)state;
    struct rlimit before, tight = {16384, RLIM_INFINITY};
    struct db *db = open_db(DB_CREATE);
    assert_int_equal(put(db, 1, "a"), 0);
    db_close_settled(db);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    tight.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    struct db_opts opts = opts_of(DB_WRITE);
    int rc = db_open(&opts, &db, &error);
    struct db *reader = open_db(DB_READ);
    int64_t n = count(reader);
    db_close(reader);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(n, 1);
    db = open_db(DB_WRITE);
    assert_int_equal(put(db, 2, "b"), 0);
    db_close_settled(db);
}

static void creating_fails_without_a_trace(void **state)
{
    (void)state;
    struct db_opts opts = opts_of(DB_CREATE);
    struct db *db;
    bool hit = true;
    for (int64_t n = 1; hit; n++) {
        fault_vfs_arm(FAULT_IO_ONCE, n);
        int rc = db_open(&opts, &db, &error);
        hit = fault_vfs_hit();
        fault_vfs_disarm();
        if (rc && access(path, F_OK) == 0) { /* it was whole already */
            opts.mode = DB_WRITE;
            assert_int_equal(db_open(&opts, &db, &error), 0);
            opts.mode = DB_CREATE;
            rc = 0;
        }
        if (rc)
            continue;
        assert_int_equal(count(db), 0);
        db_close_settled(db);
        unlink(path);
    }
}

/* More pages than SQLite keeps in memory reach the copy before its first one does: each has its sum all the same. What was
 * taken out of the source makes the copy shorter than its file. */
static void a_copy_larger_than_the_cache_is_whole(void **state)
{
    (void)state;
    char to[320];
    struct db *db = open_db(DB_CREATE), *copy;
    struct db_opts opts = opts_of(DB_READ);
    int64_t n_bytes;
    snprintf(to, sizeof(to), "%s/copy.db", dir);
    assert_int_equal(db_exec(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) "
                                 "INSERT INTO t SELECT i, randomblob(1000) FROM n"), 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(db_copy(path, &format, to, &error), 0);
        opts.path = to;
        assert_int_equal(db_open(&opts, &copy, &error), 0);
        assert_int_equal(db_get_i64(copy, "SELECT sum(length(v)) FROM t", &n_bytes), 0);
        assert_int_equal(n_bytes, round ? 5000000 : 6000000);
        db_close(copy);
        assert_int_equal(unlink(to), 0);
        assert_int_equal(db_exec(db, "DELETE FROM t WHERE k > 5000"), 0);
    }
    db_close(db);
}

static int install(void **state)
{
    (void)state;
    fault_vfs_install();
    return 0;
}

static void a_change_counter_tells_of_what_another_commits_to_a_file_without_a_log(void **state)
{
    (void)state;
    struct db_opts opts = opts_of(DB_CREATE);
    struct db *writer, *reader, *logged;
    uint32_t before, after;
    opts.rollback_journal = true;
    assert_int_equal(db_open(&opts, &writer, &error), 0);
    opts.mode = DB_READ;
    assert_int_equal(db_open(&opts, &reader, &error), 0);
    assert_int_equal(db_change_counter(reader, &before), 0);
    assert_int_equal(count(reader), 0);
    assert_int_equal(db_change_counter(reader, &after), 0);
    assert_int_equal(after, before);
    assert_int_equal(put(writer, 1, "one"), 0);
    assert_int_equal(db_change_counter(reader, &after), 0);
    assert_int_not_equal(after, before);
    assert_int_equal(db_begin(writer), 0);
    assert_int_equal(put(writer, 2, "two"), 0);
    db_rollback(writer);
    assert_int_equal(db_change_counter(reader, &before), 0);
    assert_int_equal(after, before);
    db_close(reader);
    db_close(writer);
    logged = open_db(DB_WRITE);
    assert_int_equal(db_change_counter(logged, &before), ERR_NOTFOUND);
    db_close(logged);
}

/* Whether somebody has committed since the last time. */
static int has_news(struct db *reader, struct db_stamp *last)
{
    struct db_stamp now;
    assert_int_equal(db_stamp(reader, &now), 0);
    int differs = !db_stamp_equal(&now, last);
    *last = now;
    return differs;
}

static void check_stamps(bool has_log)
{
    struct db_opts opts = opts_of(DB_CREATE);
    struct db *writer, *reader;
    struct db_stamp last = {0}, zeroed = {0};
    uint64_t dice = 11;
    int n = 0, n_rows = 0;
    opts.rollback_journal = !has_log;
    assert_int_equal(db_open(&opts, &writer, &error), 0);
    opts.mode = DB_READ;
    assert_int_equal(db_open(&opts, &reader, &error), 0);
    assert_true(has_news(reader, &last));
    (void)has_news(reader, &last); /* the first one did not know yet whether there is a log */
    assert_int_equal(last.version == 0, has_log);
    assert_false(db_stamp_equal(&zeroed, &zeroed));
    for (; n < 400; n++) {
        int64_t what = random_below(&dice, 4);
        bool whole;
        if (what == 0 && has_log)
            assert_int_equal(db_checkpoint(writer, &whole), 0);
        if (what == 1) {
            assert_int_equal(db_begin(writer), 0);
            assert_int_equal(put(writer, n, "taken back"), 0);
            db_rollback(writer);
        }
        if (what == 2) {
            assert_int_equal(put(writer, n, "one more"), 0);
            n_rows++;
        }
        assert_int_equal(has_news(reader, &last), what == 2);
        assert_int_equal(count(reader), n_rows);
        assert_false(has_news(reader, &last));
    }
    assert_in_range(n_rows, 50, 200);
    db_close(reader);
    db_close(writer);
}

static void stamps_differ_where_another_has_committed_to_the_log(void **state)
{
    (void)state;
    check_stamps(true);
}

static void stamps_differ_where_another_has_committed_without_a_log(void **state)
{
    (void)state;
    check_stamps(false);
}

/* What a writer left that died while it wrote the head of the log's index. */
static void a_torn_head_of_a_log_s_index_is_no_stamp(void **state)
{
    struct db *writer = open_db(DB_CREATE), *reader = open_db(DB_READ);
    struct db_stamp last = {0};
    char shm[sizeof(path) + 8];
    uint8_t byte;
    (void)state;
    assert_int_equal(put(writer, 1, "one"), 0);
    (void)has_news(reader, &last);
    (void)has_news(reader, &last);
    assert_false(has_news(reader, &last));
    snprintf(shm, sizeof(shm), "%s-shm", path); /* closing it takes locks away, which nobody else wants here */
    int fd = open(shm, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, 48 + 16), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, 48 + 16), 1);
    close(fd);
    assert_true(has_news(reader, &last));
    assert_true(last.version > 0);
    assert_int_equal(count(reader), 1);
    (void)has_news(reader, &last);
    assert_int_equal(last.version, 0); /* it is in order again */
    assert_int_equal(put(writer, 2, "two"), 0);
    assert_true(has_news(reader, &last));
    assert_int_equal(count(reader), 2);
    db_close(reader);
    db_close(writer);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

/* Reads and writes go on, others may read meanwhile and not write, and VACUUM is possible. */
static void a_held_file_is_read_by_others_and_written_by_us_alone(void **state)
{
    struct db *db, *other;
    int64_t n;
    (void)state;
    snprintf(path, sizeof(path), "%s/held.db", dir);
    struct db_opts opts = {.path = path, .mode = DB_CREATE, .format = &format, .schema = "CREATE TABLE t (x)"};
    assert_int_equal(db_open(&opts, &db, &error), 0);
    assert_int_equal(db_leave_wal(db), 0);
    db_close(db);
    opts.mode = DB_WRITE;
    opts.rollback_journal = true;
    assert_int_equal(db_open(&opts, &db, &error), 0);
    assert_int_equal(db_open(&opts, &other, &error), 0);
    assert_int_equal(db_hold(db), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(db_exec(db, "INSERT INTO t VALUES ('a canary in the coal mine')"), 0);
        assert_int_equal(db_get_i64(other, "SELECT count(*) FROM t", &n), 0);
        assert_int_equal(n, i + 1);
        assert_int_equal(db_exec(other, "PRAGMA busy_timeout=1"), 0);
        assert_int_equal(db_exec(other, "DELETE FROM t"), ERR_BUSY);
        if (i == 1)
            assert_int_equal(db_vacuum(db), 0);
        assert_int_equal(db_begin(db), 0);
        assert_int_equal(db_exec(db, "DELETE FROM t"), 0);
        db_rollback(db);
        assert_int_equal(db_contains(db, "a canary in the coal mine", 25), 1);
        assert_int_equal(db_contains(db, "a canary in the gold mine", 25), 0);
    }
    db_close(other);
    db_close(db);
}

/* Also where it lies across two pieces of the reading. */
static void bytes_are_found_wherever_they_are(void **state)
{
    struct db *db;
    char text[64];
    (void)state;
    snprintf(path, sizeof(path), "%s/bytes.db", dir);
    struct db_opts opts = {.path = path, .mode = DB_CREATE, .format = &format, .schema = "CREATE TABLE t (x)"};
    assert_int_equal(db_open(&opts, &db, &error), 0);
    assert_int_equal(db_exec(db, "WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
                                 "INSERT INTO t SELECT printf('number %04d of many', i) FROM n"), 0);
    assert_int_equal(db_leave_wal(db), 0); /* into the file */
    for (int i = 0; i < 10000; i += 3) {
        snprintf(text, sizeof(text), "number %04d of many", i);
        assert_int_equal(db_contains(db, text, strlen(text)), 1);
    }
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_committed_is_there_in_every_mode),
        CASE(modes_of_making_and_opening_refuse_what_does_not_fit),
        CASE(files_of_other_kinds_and_versions_are_refused_by_name),
        CASE(what_is_no_database_is_corrupt),
        CASE(a_statement_that_does_not_fit_ends_with_a_code),
        CASE(readers_neither_write_nor_checkpoint),
        CASE(a_log_stays_while_somebody_reads),
        CASE(a_checkpoint_is_whole_when_nobody_is_in_the_way),
        CASE(failures_of_the_disk_have_codes),
        CASE(half_a_page_of_a_sealed_file_is_an_error),
        CASE(leaving_the_log_is_tried_again_after_a_failure),
        CASE(a_file_can_be_read_after_its_writer_found_the_disk_full),
        CASE(a_held_file_is_read_by_others_and_written_by_us_alone),
        CASE(bytes_are_found_wherever_they_are),
        CASE(creating_fails_without_a_trace),
        CASE(a_copy_larger_than_the_cache_is_whole),
        CASE(a_change_counter_tells_of_what_another_commits_to_a_file_without_a_log),
        CASE(stamps_differ_where_another_has_committed_to_the_log),
        CASE(stamps_differ_where_another_has_committed_without_a_log),
        CASE(a_torn_head_of_a_log_s_index_is_no_stamp),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}

/* The virtual tables on a real store: what is taken over from a WHERE must answer as a plain table of the same rows does. */
#include <config.h>

#include "../lib/random.h"
#include "../lib/stream.h"
#include "../lib/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <sqlite3.h>

#include "common/buf.h"
#include "common/civil.h"
#include "common/clock.h"
#include "model/decimal.h"
#include "vtab/functions.h"
#include "vtab/session.h"
#include "vtab/value.h"
#include "vtab/vtab.h"

static const struct writer_opts opts = {.window = WINDOW_DAY, .seal_after_us = 1000 * US_PER_HOUR};
static uint64_t seed;

static int64_t below(int64_t n)
{
    return random_below(&seed, n);
}

static void random_start(void)
{
    const char *text = getenv("ALMANAC_SEED");
    seed = text ? strtoull(text, NULL, 10) : (uint64_t)getpid() * 104729;
    print_message("# ALMANAC_SEED=%" PRIu64 "\n", seed);
}

static int times(int n)
{
    return getenv("ALMANAC_SOAK") ? n * 50 : n;
}

/* ---- a store with times of every kind ---- */

static struct store store;
static int64_t next_offset;

static void put(uint32_t series, int64_t t_us, int64_t m, int e, enum quality quality)
{
    static const char *const states[] = {"day", "night", "off"};
    struct reading *reading = batch_add(&store.batch);
    assert_non_null(reading);
    *reading = (struct reading){.t_us = t_us, .m = m, .e = (int8_t)e, .quality = (uint8_t)quality, .issued_us = ISSUED_NONE,
                                .period_us = series == 2 ? 15 * US_PER_MINUTE : 0, .known_ms = STREAM_KNOWN_MS + next_offset,
                                .offset = next_offset, .series_i = store_series(&store, series)};
    if (series >= 4) {
        const char *text = states[(uint64_t)m % 3];
        assert_int_equal(texts_intern(&store.batch.texts, text, strlen(text), &reading->m), 0);
        reading->e = 0;
    }
}

static void begin_batch(void)
{
    batch_clear(&store.batch);
    store.batch.first_offset = next_offset;
}

static void take_batch(void)
{
    struct sink *sink = writer_sink(store.writer);
    struct err_text error = {0};
    store.batch.next_offset = ++next_offset;
    store.batch.n_messages = 1;
    store.batch.last_known_ms = STREAM_KNOWN_MS + next_offset;
    if (sink->take(sink, store.handle, &store.batch, &error))
        fail_msg("%s", error.text);
}

/* Few distinct seconds, many fractions: where texts and instants sort differently. */
static int64_t some_time(void)
{
    static const int64_t fractions[] = {0, 0, 0, 1, 250000, 500000, 500001, 999999, 999000};
    int64_t second = below(3) ? below(8) * 900 : below(2 * 86400);
    return STREAM_BEGIN_US + second * US_PER_SECOND + fractions[below(9)];
}

static void put_some(int n)
{
    begin_batch();
    for (int i = 0; i < n; i++)
        put((uint32_t)below(STREAM_SERIES), some_time(), below(2000) - 1000, below(2) ? 0 : -1, (enum quality)below(QUALITY_N));
    take_batch();
}

/* Sealed windows, an open file over one of them, and batches over both. */
static void fill_store(void)
{
    store_make(&store, &opts);
    next_offset = 0;
    for (int part = 0; part < 3; part++) {
        assert_int_equal(store_open(&store), 0);
        put_some(part ? 100 : 600);
        if (part == 2)
            return; /* stays open: not flushed */
        store_close(&store);
        if (part == 0)
            assert_int_equal(store_seal(&store), 0);
    }
}

/* ---- asking ---- */

static sqlite3 *open_tables(const struct vtab_opts *tables)
{
    char path[300];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/catalog.db", store.dir);
    int flags = tables ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    assert_int_equal(sqlite3_open_v2(tables ? ":memory:" : path, &db, flags, NULL), SQLITE_OK);
    assert_int_equal(vtab_register(db, tables ? tables : &(struct vtab_opts){0}), SQLITE_OK);
    return db;
}

static int put_row(void *arg, int n, char **values, char **names)
{
    (void)names;
    for (int i = 0; i < n; i++)
        buf_printf(arg, "%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
    buf_putc(arg, '\n');
    return 0;
}

/* The rows as text; "error: ..." where there is an error. */
static char *ask(sqlite3 *db, const char *sql)
{
    struct buf out = {0};
    char *error = NULL;
    if (sqlite3_exec(db, sql, put_row, &out, &error) != SQLITE_OK) {
        buf_clear(&out);
        buf_printf(&out, "error: %s", error ? error : "?");
    }
    sqlite3_free(error);
    buf_putc(&out, '\0');
    return (char *)out.data;
}

static void assert_rows(sqlite3 *db, const char *sql, const char *expected)
{
    char *found = ask(db, sql);
    if (strcmp(found, expected) != 0)
        fail_msg("%s\ngave %s\nnot  %s", sql, found, expected);
    free(found);
}

static void assert_says(sqlite3 *db, const char *sql, const char *words)
{
    char *found = ask(db, sql);
    if (!strstr(found, words))
        fail_msg("%s\ngave %s\nwithout \"%s\"", sql, found, words);
    free(found);
}

static bool plan_has(sqlite3 *db, const char *sql, const char *words)
{
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    char *found = ask(db, explain);
    bool has = strstr(found, words) != NULL;
    sqlite3_free(explain);
    free(found);
    return has;
}

/* Two connections with the same rows: in one `readings` is the virtual table, in the other an ordinary one. */
struct pair {
    struct reader_dir *reader;
    sqlite3 *tables, *plain;
};

static void copy_rows(sqlite3 *from, sqlite3 *to, const char *select, const char *insert)
{
    sqlite3_stmt *read, *write;
    assert_int_equal(sqlite3_prepare_v2(from, select, -1, &read, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(to, insert, -1, &write, NULL), SQLITE_OK);
    while (sqlite3_step(read) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(read); i++)
            assert_int_equal(sqlite3_bind_value(write, i + 1, sqlite3_column_value(read, i)), SQLITE_OK);
        assert_int_equal(sqlite3_step(write), SQLITE_DONE);
        sqlite3_reset(write);
    }
    sqlite3_finalize(write);
    assert_int_equal(sqlite3_finalize(read), SQLITE_OK);
}

static void open_pair(struct pair *pair)
{
    static const char bounds[] = "CREATE TABLE bounds(a TEXT, b INTEGER, c NUMERIC, d);"
                                 "INSERT INTO bounds VALUES('2024-03-01', 1709251200000000, 7, '2024-03-01T00:15:00Z'),"
                                 "('2024-03-01T00:30:00.500Z', 1709253000500000, '2024', 1709253000500000.5),"
                                 "('m-1', 0, 'm-1', x'6d2d31'), (NULL, NULL, NULL, NULL);";
    fill_store();
    assert_int_equal(reader_dir_open(store.dir, &pair->reader, NULL), 0);
    pair->tables = open_tables(&(struct vtab_opts){.reader = pair->reader});
    assert_int_equal(sqlite3_open(":memory:", &pair->plain), SQLITE_OK);
    assert_int_equal(functions_add(pair->plain), SQLITE_OK);
    assert_rows(pair->tables, bounds, "");
    assert_rows(pair->plain, bounds, "");
    assert_rows(pair->plain, "CREATE TABLE readings(entity TEXT, type TEXT, property TEXT, unit TEXT, time TEXT, t_us INTEGER, "
                             "value, quality TEXT, decimal TEXT, series INTEGER)", "");
    copy_rows(pair->tables, pair->plain, "SELECT *, decimal, series FROM readings",
              "INSERT INTO readings VALUES(?,?,?,?,?,?,?,?,?,?)");
}

static void close_pair(struct pair *pair)
{
    assert_int_equal(sqlite3_close(pair->tables), SQLITE_OK);
    sqlite3_close(pair->plain);
    reader_dir_close(pair->reader);
    store_remove(&store);
}

static void assert_same(struct pair *pair, const char *sql)
{
    char *expected = ask(pair->plain, sql);
    assert_rows(pair->tables, sql, expected);
    free(expected);
}

/* ---- conditions at random ---- */

/* A text that is like a time, or its beginning, or almost. */
static void some_time_text(char *out, size_t size)
{
    static const char *const odd[] = {"",      "2",     "2024-03-01T00:15:00Zz", "2024-03-01 00:15:00", "2024-03-01T00:15:0:",
                                      "9999",  "0001",  "abc", "2024-03-01T00:15:00.5Z", "2024-03-01T00:15:00.500000Z", "/", ":"};
    char text[CIVIL_TEXT_MAX];
    size_t n = civil_print_rfc3339(text, some_time(), 0, true);
    if (below(5) == 0)
        snprintf(out, size, "%s", odd[below(sizeof(odd) / sizeof(*odd))]);
    else
        snprintf(out, size, "%.*s", (int)(below(2) ? (int64_t)n : below((int64_t)n + 1)), text);
}

static void some_condition(char *out, size_t size)
{
    static const char *const comparisons[] = {"=", "<", "<=", ">", ">=", "IS", "<>"};
    static const char *const texts[] = {"entity", "type", "property", "unit"};
    static const char *const names[] = {"m-1", "m-2", "wx", "b-1", "SmartMeter", "voltage", "energy", "V", "Wh", "",
                                        "M-1", "m-1 "};
    static const char *const patterns[] = {"m-%", "M-_", "%e%", "m-[12]", "m-*", "?x", "*", "Smart%", "[!m]*", "voltage"};
    char one[64], two[64];
    const char *comparison = comparisons[below(7)], *column = texts[below(4)];
    some_time_text(one, sizeof(one));
    some_time_text(two, sizeof(two));
    switch (below(16)) {
    case 0: case 1: case 2:
        snprintf(out, size, "r.time %s '%s'", comparison, one);
        break;
    case 3:
        snprintf(out, size, "r.time BETWEEN '%s' AND '%s'", one, two);
        break;
    case 4:
        snprintf(out, size, "r.time %s '%s%s'", below(2) ? "LIKE" : "GLOB", one, below(2) ? "%" : "*");
        break;
    case 5:
        snprintf(out, size, "r.time %s %s", comparison, below(2) ? "2024" : "x'323032342d'");
        break;
    case 6:
        snprintf(out, size, "r.t_us %s %" PRId64 "%s", comparison, some_time(), below(3) ? "" : below(2) ? ".5" : ".0");
        break;
    case 7:
        snprintf(out, size, "r.t_us %s '%s'", comparison, below(2) ? one : "1709251200000000");
        break;
    case 8:
        snprintf(out, size, "r.time IN ('%s', '%s', 7, NULL)", one, two);
        break;
    case 9: case 10:
        snprintf(out, size, "r.%s %s '%s'", column, comparison, names[below(12)]);
        break;
    case 11:
        snprintf(out, size, "r.%s IN ('%s', '%s', '%s'%s)", column, names[below(12)], names[below(12)], names[below(12)],
                 below(3) ? "" : ", 5");
        break;
    case 12:
        snprintf(out, size, "r.%s %s%s '%s'", column, below(4) ? "" : "NOT ", below(2) ? "LIKE" : "GLOB", patterns[below(10)]);
        break;
    case 13:
        snprintf(out, size, "r.%s %s '%s' COLLATE NOCASE", below(2) ? column : "time", comparison, below(2) ? "M-1" : one);
        break;
    case 14:
        snprintf(out, size, "r.%s %s b.%c", below(2) ? column : below(2) ? "time" : "t_us", comparison, (char)('a' + below(4)));
        break;
    default:
        snprintf(out, size, "r.%s IN (SELECT %c FROM bounds)", below(2) ? column : "t_us", (char)('a' + below(4)));
    }
}

static void what_is_taken_over_answers_as_a_plain_table_does(void **state)
{
    (void)state;
    struct pair pair;
    random_start();
    open_pair(&pair);
    for (int i = 0; i < times(1500); i++) {
        char conditions[4][200], sql[1200];
        for (int c = 0; c < 4; c++)
            some_condition(conditions[c], sizeof(conditions[c]));
        int n = (int)below(4);
        snprintf(sql, sizeof(sql), "SELECT r.series, r.t_us, r.time, r.value, b.rowid FROM readings r %s JOIN bounds b ON %s "
                 "WHERE %s AND %s AND (%s) ORDER BY 1, 2, 5 %s", below(2) ? "LEFT" : "CROSS", n > 2 ? conditions[0] : "b.b = 0",
                 n > 1 ? conditions[1] : "1", n ? conditions[2] : "1", conditions[3], below(3) ? "" : "LIMIT 3");
        assert_same(&pair, sql);
    }
    close_pair(&pair);
}

static void constants_may_be_parameters(void **state)
{
    (void)state;
    struct pair pair;
    random_start();
    open_pair(&pair);
    for (int i = 0; i < times(300); i++) {
        static const char *const columns[] = {"time", "t_us", "entity"}, *const comparisons[] = {"=", "<", "<=", ">", ">="};
        char sql[200], text[64];
        int64_t counts[2], kind = below(5), t_us = some_time();
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM readings WHERE %s %s ?", columns[below(3)], comparisons[below(5)]);
        some_time_text(text, sizeof(text));
        for (int side = 0; side < 2; side++) {
            sqlite3_stmt *stmt;
            assert_int_equal(sqlite3_prepare_v2(side ? pair.tables : pair.plain, sql, -1, &stmt, NULL), SQLITE_OK);
            if (kind == 0)
                sqlite3_bind_int64(stmt, 1, t_us);
            else if (kind == 1)
                sqlite3_bind_double(stmt, 1, (double)t_us + 0.5);
            else if (kind == 2)
                sqlite3_bind_blob(stmt, 1, text, (int)strlen(text), SQLITE_STATIC);
            else if (kind == 3)
                sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
            assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
            counts[side] = sqlite3_column_int64(stmt, 0);
            sqlite3_finalize(stmt);
        }
        if (counts[0] != counts[1])
            fail_msg("%s with \"%s\" as %" PRId64 ": %" PRId64 " rows, not %" PRId64, sql, text, kind, counts[1], counts[0]);
    }
    close_pair(&pair);
}

static void rows_come_in_an_order_that_needs_no_sorting(void **state)
{
    static const char *const orders[] = {"entity, property, t_us", "entity, property", "entity"};
    (void)state;
    struct pair pair;
    random_start();
    open_pair(&pair);
    for (size_t i = 0; i < 3; i++) {
        char sql[200];
        snprintf(sql, sizeof(sql), "SELECT entity, property, t_us FROM readings ORDER BY %s", orders[i]);
        assert_false(plan_has(pair.tables, sql, "TEMP B-TREE"));
    }
    assert_same(&pair, "SELECT entity, property, t_us, value FROM readings ORDER BY entity, property, t_us");
    const char *one = "SELECT t_us, value FROM readings WHERE property = 'voltage' AND entity = 'm-1' ORDER BY t_us";
    assert_false(plan_has(pair.tables, one, "TEMP B-TREE"));
    assert_same(&pair, one);
    /* texts of fractions sort otherwise than instants, so that SQLite has to */
    assert_same(&pair, "SELECT time FROM readings WHERE property = 'voltage' AND entity = 'm-1' ORDER BY time");
    assert_same(&pair, "SELECT entity, max(time), min(time), count(DISTINCT time) FROM readings GROUP BY entity");
    assert_same(&pair, "SELECT DISTINCT entity, property FROM readings WHERE entity IN ('wx', 'm-1') ORDER BY 1 DESC, 2");
    close_pair(&pair);
}

static void joins_ctes_and_windows_work(void **state)
{
    (void)state;
    struct pair pair;
    random_start();
    open_pair(&pair);
    assert_same(&pair, "WITH s AS (SELECT DISTINCT entity, property FROM readings WHERE type = 'SmartMeter') "
                       "SELECT s.entity, s.property, count(*), sum(r.value) FROM s JOIN readings r ON r.entity = s.entity AND "
                       "r.property = s.property WHERE r.time < '2024-03-02' GROUP BY 1, 2 ORDER BY 1, 2");
    assert_same(&pair, "SELECT t_us, value - lag(value) OVER (ORDER BY t_us) FROM readings WHERE entity = 'm-1' AND "
                       "property = 'voltage' ORDER BY t_us");
    assert_same(&pair, "SELECT a.t_us FROM readings a JOIN readings b USING (t_us) WHERE a.entity = 'm-1' AND b.entity = 'wx' "
                       "ORDER BY 1");
    assert_same(&pair, "SELECT entity, (SELECT max(value) FROM readings x WHERE x.entity = r.entity AND x.t_us < r.t_us) "
                       "FROM readings r WHERE property = 'voltage' AND time < '2024-03-01T00:40' ORDER BY r.t_us, r.series");
    assert_same(&pair, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, count(r.value) "
                       "FROM n LEFT JOIN readings r ON r.t_us = 1709251200000000 + i * 900000000 GROUP BY i");
    close_pair(&pair);
}

/* ---- last, rollup, revisions ---- */

static void last_is_the_newest_of_each_series(void **state)
{
    (void)state;
    struct pair pair;
    random_start();
    open_pair(&pair);
    char *expected = ask(pair.plain, "SELECT entity, property, time, value, quality FROM readings r WHERE t_us = "
                                     "(SELECT max(t_us) FROM readings x WHERE x.series = r.series) ORDER BY series");
    assert_rows(pair.tables, "SELECT entity, property, time, value, quality FROM last ORDER BY series", expected);
    free(expected);
    expected = ask(pair.plain, "SELECT count(*) FROM (SELECT max(t_us) t FROM readings GROUP BY series) "
                               "WHERE t > 1709251200000000");
    assert_rows(pair.tables, "SELECT count(*) FROM last WHERE t_us > 1709251200000000", expected);
    free(expected);
    close_pair(&pair);
}

/* Buckets are whole whatever the WHERE asks of their time, and equal to what the readings come to. */
static void a_rollup_is_what_its_readings_come_to(void **state)
{
    static const char *const steps[] = {"PT15M", "PT1H", "P1D", "PT1S", "P1M"};
    (void)state;
    struct pair pair;
    random_start();
    open_pair(&pair);
    for (int i = 0; i < times(40); i++) {
        char asked[400], sql[1000], from[64], to[64];
        const char *step = steps[below(5)];
        some_time_text(from, sizeof(from));
        some_time_text(to, sizeof(to));
        if (below(2))
            snprintf(to, sizeof(to), "9");
        snprintf(asked, sizeof(asked), "SELECT entity, property, time, count, min, max, first, last FROM rollup WHERE "
                 "step = '%s' AND property IN ('voltage', 'temperature') AND time >= '%s' AND time < '%s' ORDER BY 1, 2, 3", step,
                 from, to);
        snprintf(sql, sizeof(sql), "WITH sample AS (SELECT *, strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', bucket(t_us, '%s') / 1000000, "
                 "'unixepoch') AS b FROM readings WHERE quality <> 'suspect' AND property IN ('voltage', 'temperature')) "
                 "SELECT DISTINCT entity, property, b, count(*) OVER w, min(value) OVER w, max(value) OVER w, "
                 "first_value(value) OVER (w ORDER BY t_us), first_value(value) OVER (w ORDER BY t_us DESC) FROM sample "
                 "WHERE b >= '%s' AND b < '%s' WINDOW w AS (PARTITION BY series, b) ORDER BY 1, 2, 3", step, from, to);
        char *expected = ask(pair.plain, sql);
        assert_null(strstr(expected, "error:"));
        assert_rows(pair.tables, asked, expected);
        free(expected);
    }
    /* sums and means need exact arithmetic */
    assert_rows(pair.tables, "SELECT count(*) FROM rollup JOIN (SELECT entity e, property p, bucket(t_us, 'P1D') b, count(*) n, "
                             "sum(CAST(round(value * 10) AS INTEGER)) s FROM readings WHERE quality <> 'suspect' AND property IN "
                             "('voltage', 'temperature') GROUP BY 1, 2, 3) ON entity = e AND property = p AND t_us = b "
                             "WHERE step = 'P1D' AND abs(mean - s / 10.0 / n) > 1e-9 * abs(mean)", "0\n");
    assert_rows(pair.tables, "SELECT DISTINCT step, zone FROM rollup WHERE entity = 'm-1'", "PT15M|NULL\n");
    assert_rows(pair.tables, "SELECT time, t_us FROM rollup WHERE entity = 'm-1' AND property = 'voltage' AND step = 'P1D' AND "
                             "zone = 'Europe/Berlin' LIMIT 1", "2024-02-29T23:00:00Z|1709247600000000\n");
    assert_rows(pair.tables, "SELECT step, count(*) > 0 FROM rollup WHERE step IN ('P1D', 'PT1H') AND entity = 'wx' GROUP BY 1",
                "P1D|1\nPT1H|1\n");
    assert_rows(pair.tables, "SELECT s.step, r.time FROM (SELECT 'P1M' AS step UNION SELECT 'P1Y') s JOIN rollup r ON "
                             "r.step = s.step WHERE entity = 'wx' ORDER BY 1",
                "P1M|2024-03-01T00:00:00Z\nP1Y|2024-01-01T00:00:00Z\n");
    assert_rows(pair.tables, "SELECT DISTINCT typeof(mean), typeof(sum), first IN ('day', 'night', 'off') FROM rollup WHERE "
                             "property = 'tariff'", "null|null|1\n");
    assert_rows(pair.tables, "SELECT DISTINCT typeof(mean) <> 'null', typeof(sum) <> 'null' FROM rollup WHERE "
                             "property = 'energy'",
                "1|1\n");
    assert_says(pair.tables, "SELECT * FROM rollup WHERE step = '7 apples'", "\"7 apples\" is no step");
    assert_says(pair.tables, "SELECT * FROM rollup WHERE step = 'P2D'", "no width of buckets");
    assert_says(pair.tables, "SELECT * FROM rollup WHERE zone = 'Berlin'", "no time zone \"Berlin\"");
    assert_rows(pair.tables, "SELECT * FROM rollup WHERE zone = NULL", "");
    close_pair(&pair);
}

static const struct {
    const char *entity, *property;
} stream_series[STREAM_SERIES] = {{"m-1", "voltage"}, {"m-1", "activeEnergyImport"}, {"m-2", "energy"},
                                  {"wx", "temperature"}, {"m-2", "tariff"}, {"b-1", "operationalState"}};

/* What was in force before what is now, of every time and issue, by the naive model. */
static void put_history(sqlite3 *db, const struct naive *naive)
{
    sqlite3_stmt *stmt;
    assert_rows(db, "CREATE TEMP TABLE history(entity, property, t_us, issued_us, value, quality, known_us, until_us)", "");
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO history VALUES(?,?,?,?,?,?,?,?)", -1, &stmt, NULL), SQLITE_OK);
    for (size_t k = 0; k < naive->n; k++) {
        const struct naive_key *key = &naive->keys[k];
        for (size_t i = 0; i + 1 < key->n; i++) {
            const struct naive_value *value = &key->history[i];
            char text[DECIMAL_TEXT_MAX];
            struct decimal decimal = decimal_canonical((struct decimal){value->m, (int8_t)value->e});
            if (value->taken_back)
                continue;
            sqlite3_clear_bindings(stmt);
            sqlite3_bind_text(stmt, 1, stream_series[key->series].entity, -1, SQLITE_STATIC);
            sqlite3_bind_text(stmt, 2, stream_series[key->series].property, -1, SQLITE_STATIC);
            sqlite3_bind_int64(stmt, 3, key->t_us);
            if (key->issued_us != ISSUED_NONE)
                sqlite3_bind_int64(stmt, 4, key->issued_us);
            if (key->series >= 4)
                sqlite3_bind_text(stmt, 5, value->text, -1, SQLITE_STATIC);
            else
                sqlite3_bind_text(stmt, 5, text, (int)decimal_print(text, decimal), SQLITE_STATIC);
            sqlite3_bind_text(stmt, 6, quality_name((enum quality)value->quality), -1, SQLITE_STATIC);
            sqlite3_bind_int64(stmt, 7, value->known_ms * 1000);
            sqlite3_bind_int64(stmt, 8, key->history[i + 1].known_ms * 1000);
            assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
            sqlite3_reset(stmt);
        }
    }
    sqlite3_finalize(stmt);
}

static void revisions_tell_what_was_in_force_and_until_when(void **state)
{
    (void)state;
    random_start();
    for (int round = 0; round < times(5); round++) {
        struct stream stream = {.seed = random_u64(&seed) % 1000000, .n_messages = 150, .n_days = 3};
        struct naive naive = {0};
        store_make(&store, &opts);
        for (int64_t at = 0; at < stream.n_messages;) {
            int64_t to = at + 1 + below(40);
            to = to < stream.n_messages ? to : stream.n_messages;
            assert_int_equal(store_open(&store), 0);
            assert_int_equal(store_take(&store, &stream, at, to), 0);
            at = to;
            if (at == stream.n_messages && below(2))
                break; /* batches are left */
            store_close(&store);
            if (below(2))
                assert_int_equal(store_seal(&store), 0);
        }
        stream_expect(&stream, stream.n_messages, &naive);
        sqlite3 *db = open_tables(NULL);
        put_history(db, &naive);
        const char *columns = "entity, property, t_us, issued_us, %s, quality, known_us, until_us FROM %s";
        char *history = sqlite3_mprintf(columns, "value", "history"), *found = sqlite3_mprintf(columns, "decimal", "revisions");
        char *lost = sqlite3_mprintf("SELECT %s EXCEPT SELECT %s LIMIT 1", history, found);
        char *made_up = sqlite3_mprintf("SELECT %s EXCEPT SELECT %s LIMIT 1", found, history);
        assert_rows(db, lost, "");
        assert_rows(db, made_up, "");
        assert_rows(db, "SELECT (SELECT count(*) FROM history) - (SELECT count(*) FROM revisions)", "0\n");
        assert_rows(db, "SELECT count(*) FROM revisions WHERE unixepoch(known) <> known_us / 1000000 OR "
                        "unixepoch(until) <> until_us / 1000000", "0\n");
        sqlite3_free(history);
        sqlite3_free(found);
        sqlite3_free(lost);
        sqlite3_free(made_up);
        sqlite3_close(db);
        naive_free(&naive);
        store_remove(&store);
    }
}

/* ---- states of the store (I8) ---- */

static void a_statement_sees_one_state_while_readings_arrive(void **state)
{
    (void)state;
    random_start();
    fill_store();
    sqlite3 *db = open_tables(NULL);
    sqlite3_stmt *stmt;
    char *before = ask(db, "SELECT count(*) FROM readings");
    int64_t n = 1, n_before = strtoll(before, NULL, 10);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT (SELECT count(*) FROM readings r WHERE r.entity >= e.a) FROM "
                                            "(SELECT 'a' AS a UNION ALL SELECT 'aa' UNION ALL SELECT 'ab') e", -1, &stmt,
                                        NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t counted = sqlite3_column_int64(stmt, 0);
    begin_batch();
    for (int i = 0; i < 50; i++) /* times that were not there */
        put(0, STREAM_BEGIN_US + 3 * US_PER_DAY + i * US_PER_MINUTE, i, 0, QUALITY_MEASURED);
    take_batch();
    while (sqlite3_step(stmt) == SQLITE_ROW && ++n) /* the cursor is opened anew for each row */
        assert_int_equal(sqlite3_column_int64(stmt, 0), counted);
    assert_int_equal(n, 3);
    assert_int_equal(counted, n_before);
    sqlite3_reset(stmt);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW); /* a new run */
    assert_int_equal(sqlite3_column_int64(stmt, 0), n_before + 50);
    sqlite3_finalize(stmt);
    char expected[32];
    snprintf(expected, sizeof(expected), "%" PRId64 "\n", n_before + 50);
    assert_rows(db, "SELECT count(*) FROM readings", expected);
    free(before);
    sqlite3_close(db);
    store_remove(&store);
}

static void the_directory_is_found_from_any_of_its_files(void **state)
{
    char path[600], found[600];
    (void)state;
    fill_store();
    snprintf(path, sizeof(path), "%s/ingest.db", store.folder);
    assert_int_equal(vtab_find_dir(path, found, sizeof(found)), 0);
    char *real = realpath(store.dir, NULL);
    assert_string_equal(found, real);
    assert_int_equal(vtab_find_dir(path, found, 3), ERR_LIMIT);
    assert_int_equal(vtab_find_dir("", found, sizeof(found)), ERR_NOTFOUND);
    assert_int_equal(vtab_find_dir("/dev/null", found, sizeof(found)), ERR_NOTFOUND);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(vtab_register(db, &(struct vtab_opts){0}), SQLITE_OK);
    unsetenv("ALMANAC_DIR");
    assert_says(db, "SELECT * FROM readings", "there is no data directory");
    setenv("ALMANAC_DIR", store.dir, 1);
    assert_says(db, "SELECT count(*) > 100 FROM readings", "1\n");
    unsetenv("ALMANAC_DIR");
    sqlite3_close(db);
    free(real);
    store_remove(&store);
}

/* ---- what is not his does not exist ---- */

static void other_entities_do_not_exist(void **state)
{
    struct globs globs = {0};
    struct reader_dir *limited;
    static const char *const tables[] = {"readings", "rollup", "last", "revisions"};
    (void)state;
    struct pair pair;
    random_start();
    open_pair(&pair);
    begin_batch();
    for (uint32_t i = 0; i < STREAM_SERIES; i++)
        put(i, STREAM_BEGIN_US, 777777, 0, QUALITY_EDITED);
    take_batch();
    assert_true(globs_add(&globs, "m-*", 3) && globs_add(&globs, "w?", 2));
    assert_int_equal(reader_dir_limit(pair.reader, &globs, NULL, &limited), 0);
    sqlite3 *db = open_tables(&(struct vtab_opts){.reader = limited});
    for (size_t i = 0; i < 4; i++) {
        char sql[100];
        snprintf(sql, sizeof(sql), "SELECT DISTINCT entity FROM %s ORDER BY 1", tables[i]);
        assert_rows(db, sql, "m-1\nm-2\nwx\n");
        snprintf(sql, sizeof(sql), "SELECT * FROM %s WHERE entity = 'b-1' OR entity IN ('b-1', 'b-2')", tables[i]);
        assert_rows(db, sql, "");
        snprintf(sql, sizeof(sql), "SELECT * FROM %s WHERE entity LIKE 'b%%' OR +entity = 'b-1'", tables[i]);
        assert_rows(db, sql, "");
    }
    sqlite3_close(db);
    reader_dir_close(limited);
    close_pair(&pair);
}

/* ---- sessions ---- */

static char *ask_session(const struct session_opts *session_opts, const char *sql, int expected)
{
    static char text[4000];
    struct err_text error = {0};
    struct session *session;
    int rc = session_open(session_opts, sql, &session, &error);
    int64_t n = 0;
    snprintf(text, sizeof(text), "%s", error.text);
    if (!rc) {
        *text = '\0';
        while ((rc = session_next(session, &error)) > 0 && ++n)
            for (size_t i = 0; i < session_n_columns(session) && n < 20; i++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? "|" : n > 1 ? ";" : "",
                         session_value(session, i).text);
        session_close(session);
        if (rc)
            snprintf(text, sizeof(text), "%s", error.text);
    }
    if (rc != expected)
        fail_msg("%s: %s %s", sql, err_name(rc), text);
    if (rc)
        assert_string_equal(error.field, "sql");
    return text;
}

static void a_session_reads_and_nothing_else(void **state)
{
    static const char *const denied[] = {
        "delete from readings", "attach 'x.db' as x", "pragma writable_schema=1", "select load_extension('x')",
        "create table t(a)", "create temp table t(a)", "create view v as select 1", "begin", "savepoint a", "vacuum",
        "vacuum into '/tmp/x'", "detach main", "drop table readings", "insert into readings values(1)", "reindex", "analyze",
        "select * from pragma_table_info('readings')", "explain delete from sqlite_master",
        "create virtual table t using readings",
        "update sqlite_master set sql = ''", "select fts3_tokenizer('simple')", "alter table readings rename to x",
        "create trigger t after insert on readings begin select 1; end", "pragma temp_store_directory", "release a",
    };
    static const char *const invalid[] = {"", " ; -- nothing\n", "select", "select 1; select 2", "select 1; delete from readings",
                                          "select * from nowhere", "select nothing from readings", "select 1; /* */ ; select 2",
                                          "select count(*) from readings where quality = zone('x')", "select 1; nonsense",
                                          "select * from rollup where step = 'x'", "select ?", "select bucket(1, 'x')"};
    (void)state;
    fill_store();
    struct reader_dir *reader;
    assert_int_equal(reader_dir_open(store.dir, &reader, NULL), 0);
    struct session_opts session_opts = {.reader = reader, .time_max_us = 20 * US_PER_SECOND, .memory_max_bytes = 64 << 20};
    for (size_t i = 0; i < sizeof(denied) / sizeof(*denied); i++) {
        struct err_text error = {0};
        struct session *session;
        int rc = session_open(&session_opts, denied[i], &session, &error);
        if (rc != ERR_DENIED && rc != ERR_INVALID) /* what SQLite does not even parse to the point */
            fail_msg("%s: %s %s", denied[i], err_name(rc), error.text);
    }
    for (size_t i = 1; i < 4; i++) /* a DELETE SQLite itself refuses: these tables cannot change */
        assert_non_null(strstr(ask_session(&session_opts, denied[i], ERR_DENIED), "is allowed"));
    for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++)
        (void)ask_session(&session_opts, invalid[i], ERR_INVALID);
    assert_string_equal(ask_session(&session_opts, "select 1 as a, 'b' ; -- only this\n ; /* one */", 0), "1|b");
    assert_string_equal(ask_session(&session_opts, "with t(a) as (values(1),(2)) select sum(a) from t", 0), "3");
    assert_string_equal(ask_session(&session_opts, "select count(*) > 0, local_time(0, 'Europe/Berlin') from readings", 0),
                        "1|1970-01-01T01:00:00+01:00");
    assert_string_equal(ask_session(&session_opts, "select value from json_each('[1,2]')", 0), "1;2");
    assert_int_equal(access("x.db", F_OK), -1);
    reader_dir_close(reader);
    store_remove(&store);
}

static void a_session_is_bounded(void **state)
{
    static const char endless[] = "with recursive n(i) as (select 1 union all select i + 1 from n) ";
    char sql[300];
    (void)state;
    fill_store();
    struct reader_dir *reader;
    assert_int_equal(reader_dir_open(store.dir, &reader, NULL), 0);
    struct session_opts session_opts = {.reader = reader, .time_max_us = 300000, .memory_max_bytes = 64 << 20};
    snprintf(sql, sizeof(sql), "%s select count(*) from n", endless);
    int64_t begin_us = clock_mono_us();
    assert_non_null(strstr(ask_session(&session_opts, sql, ERR_LIMIT), "took longer"));
    assert_true(clock_mono_us() - begin_us < 5 * US_PER_SECOND);
    assert_non_null(strstr(ask_session(&session_opts, "select count(*) from readings a, readings b, readings c, readings d",
                                       ERR_LIMIT), "took longer"));
    session_opts.time_max_us = 60 * US_PER_SECOND;
    session_opts.memory_max_bytes = 4 << 20;
    snprintf(sql, sizeof(sql), "%s select i, randomblob(1000) from n order by 2", endless);
    assert_non_null(strstr(ask_session(&session_opts, sql, ERR_LIMIT), "memory"));
    (void)ask_session(&session_opts, "select length(zeroblob(2000000))", ERR_LIMIT);
    (void)ask_session(&session_opts, "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9999) select "
                                     "group_concat(hex(zeroblob(100))) from n", ERR_LIMIT);
    char *long_sql = malloc(SESSION_SQL_MAX + 2);
    memset(long_sql, ' ', SESSION_SQL_MAX + 1);
    long_sql[SESSION_SQL_MAX + 1] = '\0';
    (void)ask_session(&session_opts, long_sql, ERR_LIMIT);
    free(long_sql);
    reader_dir_close(reader);
    store_remove(&store);
}

/* Over after some looks, of which there are many: in SQLite's machine as in a table whose series have no row. */
static bool is_over(void *arg)
{
    int *left = arg;
    return --*left < 0;
}

static void a_session_ends_when_nobody_waits_for_it(void **state)
{
    static const char *const endless[] = {
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
        "select count(*) from readings a, readings b, readings c, readings d",
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n, readings where t_us < -9e15",
    };
    (void)state;
    fill_store();
    struct reader_dir *reader;
    assert_int_equal(reader_dir_open(store.dir, &reader, NULL), 0);
    for (size_t i = 0; i < sizeof(endless) / sizeof(*endless); i++) {
        int left = 100;
        struct session_opts session_opts = {.reader = reader, .time_max_us = 60 * US_PER_SECOND, .memory_max_bytes = 64 << 20,
                                            .is_over = is_over, .arg = &left};
        assert_non_null(strstr(ask_session(&session_opts, endless[i], ERR_CANCELLED), "broken off"));
        assert_int_equal(left, -1); /* and was not asked again */
    }
    reader_dir_close(reader);
    store_remove(&store);
}

/* ---- values and functions ---- */

static void whole_numbers_are_integers_and_others_reals(void **state)
{
    (void)state;
    store_make(&store, &opts);
    next_offset = 0;
    assert_int_equal(store_open(&store), 0);
    begin_batch();
    put(0, STREAM_BEGIN_US, 2301, -1, QUALITY_MEASURED);
    put(0, STREAM_BEGIN_US + 1, 2300, -1, QUALITY_EDITED);
    put(0, STREAM_BEGIN_US + 2, -999999999999999999, 0, QUALITY_MEASURED);
    put(0, STREAM_BEGIN_US + 3, 5, 15, QUALITY_MEASURED);
    put(0, STREAM_BEGIN_US + 4, 123456789012345678, -17, QUALITY_MEASURED);
    put(0, STREAM_BEGIN_US + 5, 999999999999999999, 15, QUALITY_MEASURED);
    put(4, STREAM_BEGIN_US, 1, 0, QUALITY_MEASURED);
    take_batch();
    sqlite3 *db = open_tables(NULL);
    assert_rows(db, "SELECT typeof(value), value, decimal, quality FROM readings WHERE property = 'voltage'",
                "real|230.1|230.1|measured\ninteger|230|230|edited\ninteger|-999999999999999999|-999999999999999999|measured\n"
                "integer|5000000000000000|5000000000000000|measured\nreal|1.23456789012346|1.23456789012345678|measured\n"
                "real|1.0e+33|999999999999999999000000000000000|measured\n");
    assert_rows(db, "SELECT type, unit, time, value, typeof(value) FROM readings WHERE property = 'tariff'",
                "SmartMeter||2024-03-01T00:00:00Z|night|text\n");
    sqlite3_close(db);
    store_remove(&store);
}

static void functions_know_zones_and_refuse_nonsense(void **state)
{
    (void)state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(functions_add(db), SQLITE_OK);
    assert_rows(db, "SELECT local_time(1743296400000000, 'Europe/Ljubljana'), local_time(1743296399500000, 'Europe/Ljubljana')",
                "2025-03-30T03:00:00+02:00|2025-03-30T01:59:59.500+01:00\n");
    assert_rows(db, "SELECT bucket(1743296400000000, 'PT15M'), bucket(1743296400000001, '15m'), bucket(1743296400000000, 'P1D', "
                    "'Europe/Ljubljana')", "1743296400000000|1743296400000000|1743289200000000\n");
    assert_rows(db, "SELECT bucket(t, step, zone) FROM (SELECT 1743296400000000 t, 'P1D' step, 'UTC' zone UNION ALL "
                    "SELECT 1743296400000000, 'P1M', 'UTC' UNION ALL SELECT 1743296400000000, 'P1D', 'Europe/Berlin')",
                "1743292800000000\n1740787200000000\n1743289200000000\n");
    assert_rows(db, "SELECT bucket(NULL, 'P1D'), bucket(0, NULL), local_time(0, NULL), bucket(0, 'P1D', NULL)",
                "NULL|NULL|NULL|NULL\n");
    assert_says(db, "SELECT bucket(0, 'PT0S')", "no width of buckets");
    assert_says(db, "SELECT bucket('today', 'P1D')", "\"today\" is no t_us");
    assert_says(db, "SELECT bucket(0, 'P1D', '../x')", "no time zone \"../x\"");
    assert_says(db, "SELECT local_time(0, 'Nowhere')", "no time zone \"Nowhere\"");
    assert_says(db, "SELECT local_time(9223372036854775807, 'UTC')", "is no t_us");
    sqlite3_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_over_answers_as_a_plain_table_does),
        cmocka_unit_test(constants_may_be_parameters),
        cmocka_unit_test(rows_come_in_an_order_that_needs_no_sorting),
        cmocka_unit_test(joins_ctes_and_windows_work),
        cmocka_unit_test(last_is_the_newest_of_each_series),
        cmocka_unit_test(a_rollup_is_what_its_readings_come_to),
        cmocka_unit_test(revisions_tell_what_was_in_force_and_until_when),
        cmocka_unit_test(a_statement_sees_one_state_while_readings_arrive),
        cmocka_unit_test(the_directory_is_found_from_any_of_its_files),
        cmocka_unit_test(other_entities_do_not_exist),
        cmocka_unit_test(a_session_reads_and_nothing_else),
        cmocka_unit_test(a_session_is_bounded),
        cmocka_unit_test(a_session_ends_when_nobody_waits_for_it),
        cmocka_unit_test(whole_numbers_are_integers_and_others_reals),
        cmocka_unit_test(functions_know_zones_and_refuse_nonsense),
    };
    return cmocka_run_group_tests_name("vtab", tests, NULL, NULL);
}

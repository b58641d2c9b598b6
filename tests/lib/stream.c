#include <config.h>

#include "stream.h"

#include "random.h"
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/partition.h"
#include "store/seal.h"
#include "store/tier_file.h"
#include "store/window_file.h"

static const struct {
    const char *entity, *type, *property;
} names[STREAM_SERIES] = {{"m-1", "SmartMeter", "voltage"}, {"m-1", "SmartMeter", "activeEnergyImport"},
                          {"m-2", "SmartMeter", "energy"}, {"wx", "Weather", "temperature"},
                          {"m-2", "SmartMeter", "tariff"}, {"b-1", "Battery", "operationalState"}};
bool stream_no_repeats;
static const char *const states[] = {"", "day", "night", "off"};

static bool is_state(uint32_t series)
{
    return series >= 4;
}

/* ---- messages ---- */

struct part {
    uint32_t series;
    enum op op;
    int64_t t_us, issued_us, period_us, m;
    int e;
    uint8_t quality;
    char text[32];
};

#define PARTS_MAX 6

/* The parts of a message; few distinct times and values, so that they meet. */
static size_t make_parts(const struct stream *stream, int64_t offset, struct part parts[static PARTS_MAX])
{
    uint64_t seed = stream->seed * 1000003 + (uint64_t)offset;
    random_u64(&seed);
    size_t n = (size_t)random_below(&seed, PARTS_MAX) + 1;
    int64_t day = offset * stream->n_days / (stream->n_messages ? stream->n_messages : 1);
    if (random_below(&seed, 8) == 0)
        day = random_below(&seed, day + 1); /* late */
    for (size_t i = 0; i < n; i++) {
        struct part *part = &parts[i];
        int64_t slot = random_below(&seed, 40), what = random_below(&seed, 20);
        *part = (struct part){.series = (uint32_t)random_below(&seed, STREAM_SERIES), .issued_us = ISSUED_NONE,
                              .t_us = STREAM_BEGIN_US + day * US_PER_DAY + slot * 36 * US_PER_MINUTE};
        if (random_below(&seed, 4) == 0)
            part->issued_us = STREAM_BEGIN_US - random_below(&seed, 3) * US_PER_HOUR;
        if (what == 0) {
            part->op = OP_DELETE;
            if (part->issued_us == ISSUED_NONE && !stream->with_wide)
                part->issued_us = STREAM_BEGIN_US;
        } else if (what == 1 && stream->with_wide) {
            part->op = OP_DELETE_RANGE;
            part->issued_us = ISSUED_NONE;
            part->period_us = random_below(&seed, 2 * US_PER_DAY) + 1;
        } else {
            part->period_us = part->series == 2 ? 15 * US_PER_MINUTE : 0;
            part->quality = (uint8_t)(random_below(&seed, 5) ? 0 : random_below(&seed, QUALITY_N));
            part->m = random_below(&seed, 4) * (random_below(&seed, 3) ? 1 : 1000001);
            part->e = part->m && random_below(&seed, 3) == 0 ? -3 : 0;
            snprintf(part->text, sizeof(part->text), "%s", states[random_below(&seed, 4)]);
            if (stream_no_repeats) {
                part->m = offset * PARTS_MAX + (int64_t)i + 1;
                snprintf(part->text, sizeof(part->text), "state %lld", (long long)part->m);
            }
        }
    }
    return n;
}

static int64_t known_ms(int64_t offset)
{
    return STREAM_KNOWN_MS + offset * 1000;
}

void stream_apply(const struct stream *stream, int64_t offset, struct naive *naive)
{
    struct part parts[PARTS_MAX];
    size_t n = make_parts(stream, offset, parts);
    for (size_t i = 0; i < n; i++) {
        const struct part *part = &parts[i];
        struct naive_value value = {.quality = part->quality, .period_us = part->period_us, .known_ms = known_ms(offset)};
        if (is_state(part->series))
            snprintf(value.text, sizeof(value.text), "%s", part->text);
        else
            value.m = part->m, value.e = part->e;
        if (part->op == OP_VALUE)
            naive_put(naive, part->series, part->t_us, part->issued_us, &value);
        else
            naive_delete(naive, part->series, part->t_us, part->t_us + (part->op == OP_DELETE ? 1 : part->period_us),
                         part->issued_us, known_ms(offset));
    }
}

void stream_expect(const struct stream *stream, int64_t to, struct naive *ret_naive)
{
    for (int64_t offset = 0; offset < to; offset++)
        stream_apply(stream, offset, ret_naive);
}

/* ---- a store ---- */

void store_make(struct store *store, const struct writer_opts *opts)
{
    const char *tmp = getenv("TMPDIR");
    struct err_text error = {0};
    *store = (struct store){.opts = *opts};
    snprintf(store->dir, sizeof(store->dir), "%.200s/almanac-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(store->dir));
    snprintf(store->folder, sizeof(store->folder), "%s/store/%s/%d", store->dir, STREAM_TOPIC, STREAM_PARTITION);
    store->opts.dir = store->dir;
    if (!opts->revisions_keep_us)
        store->opts.revisions_keep_us = 1000 * 365 * US_PER_DAY; /* messages are of 2024 */
    batch_init(&store->batch);
    if (store_create(store->dir, &error))
        fail_msg("%s", error.text);
}

void store_remove(struct store *store)
{
    store_close(store);
    batch_free(&store->batch);
    files_remove_tree(store->dir);
}

int store_open(struct store *store)
{
    static const struct owner owner = {.generation = 1, .member = "test"};
    struct source source = {"cluster", STREAM_TOPIC, STREAM_PARTITION};
    struct err_text error = {0};
    int rc = writer_open(&store->opts, &store->writer, &error);
    if (!rc) {
        struct sink *sink = writer_sink(store->writer);
        rc = sink->claim(sink, &source, &owner, &store->claim, &store->handle, &error);
    }
    snprintf(store->error, sizeof(store->error), "%s", error.text);
    if (rc)
        store_close(store);
    return rc;
}

void store_close(struct store *store)
{
    if (!store->writer)
        return;
    struct sink *sink = writer_sink(store->writer);
    if (store->handle)
        sink->release(sink, store->handle);
    writer_close(store->writer);
    store->handle = NULL;
    store->writer = NULL;
}

uint32_t store_series(struct store *store, uint32_t number)
{
    struct registry *registry = writer_registry(store->writer);
    struct entity *entity;
    struct series *series;
    const struct unit *from;
    enum refusal_reason reason;
    assert_int_equal(registry_entity(registry, names[number].entity, strlen(names[number].entity), names[number].type,
                                     strlen(names[number].type), &entity, &reason), 0);
    assert_int_equal(registry_series(registry, entity, names[number].property, strlen(names[number].property), NULL, 0,
                                     &series, &from, &reason), 0);
    return series->index;
}

void store_fill(struct store *store, const struct stream *stream, int64_t from, int64_t to)
{
    struct batch *batch = &store->batch;
    struct part parts[PARTS_MAX];
    batch_clear(batch);
    for (int64_t offset = from; offset < to; offset++) {
        size_t n = make_parts(stream, offset, parts);
        for (size_t i = 0; i < n; i++) {
            const struct part *part = &parts[i];
            struct reading *reading = batch_add(batch);
            assert_non_null(reading);
            *reading = (struct reading){.t_us = part->t_us, .issued_us = part->issued_us, .period_us = part->period_us,
                                        .known_ms = known_ms(offset), .offset = offset, .quality = part->quality,
                                        .op = (uint8_t)part->op};
            reading->series_i = store_series(store, part->series);
            if (!is_state(part->series)) {
                reading->m = part->m;
                reading->e = (int8_t)part->e;
            } else if (part->op == OP_VALUE) {
                assert_int_equal(texts_intern(&batch->texts, part->text, strlen(part->text), &reading->m), 0);
            }
        }
    }
    batch->first_offset = from;
    batch->next_offset = to;
    batch->n_messages = to - from;
    batch->last_known_ms = known_ms(to - 1);
    memset(batch->last_hash, (int)(to & 0xff), sizeof(batch->last_hash));
}

int store_take(struct store *store, const struct stream *stream, int64_t from, int64_t to)
{
    struct sink *sink = writer_sink(store->writer);
    struct err_text error = {0};
    store_fill(store, stream, from, to);
    int rc = sink->take(sink, store->handle, &store->batch, &error);
    snprintf(store->error, sizeof(store->error), "%s", error.text);
    return rc;
}

/* An open file of the list, or NULL. */
static const struct file *find_open(const struct file_list *files)
{
    for (size_t i = 0; i < files->n; i++)
        if (files->at[i].kind == FILE_OPEN)
            return &files->at[i];
    return NULL;
}

int store_seal(struct store *store)
{
    struct partition *partition = NULL;
    struct catalog_reader *catalog = NULL;
    struct err_text error = {0};
    int rc = partition_open(store->dir, STREAM_TOPIC, STREAM_PARTITION, &partition, &error);
    rc = rc ? rc : catalog_reader_open(store->dir, &catalog, &error);
    for (bool more = !rc; more && !rc;) {
        struct file_list files = {0};
        rc = partition_files(partition, &files, &error);
        const struct file *open = rc ? NULL : find_open(&files);
        more = open != NULL;
        if (open)
            rc = seal_window(partition, &files,
                             &(struct seal_opts){.window = open->window, .tiers = TIERS_ALL,
                                                 .revisions_before_ms = INT64_MIN, .catalog = catalog}, &error);
        file_list_free(&files);
    }
    if (!rc)
        rc = partition_purge(partition, INT64_MAX, &error);
    if (rc)
        snprintf(store->error, sizeof(store->error), "%s", error.text);
    partition_close(partition);
    catalog_reader_close(catalog);
    return rc;
}

/* ---- reading back ---- */

struct reading_back {
    struct naive *found, *history;
    struct window_file *file;
    const struct file *listed;
    bool is_above;
    const char *wrong;
};

static const char *check_digest(struct store *store, const struct file *file)
{
    char path[600];
    uint8_t digest[32];
    struct stat stat_of;
    snprintf(path, sizeof(path), "%s/%s", store->folder, file->name);
    if (stat(path, &stat_of))
        return "a listed file is not there";
    if (file->kind == FILE_OPEN)
        return NULL;
    if (hash_file(path, digest) || memcmp(digest, file->digest, sizeof(digest)) || stat_of.st_size != file->bytes)
        return "a sealed file has another digest than its row";
    return NULL;
}

static int number_of(const struct series_row *series)
{
    for (int i = 0; i < STREAM_SERIES; i++)
        if (strcmp(names[i].entity, series->entity) == 0 && strcmp(names[i].property, series->property) == 0)
            return i;
    return -1;
}

static struct naive_value point_value(const struct points *points, size_t i, uint32_t number)
{
    struct naive_value value = {.quality = points->quality[i], .period_us = points->period_us[i],
                                .known_ms = points->known_ms[i], .taken_back = points->quality[i] == QUALITY_TAKEN_BACK};
    if (is_state(number))
        snprintf(value.text, sizeof(value.text), "%s", texts_at(&points->texts, points->m[i]));
    else
        value.m = points->m[i], value.e = points->e[i];
    return value;
}

static void read_point(struct reading_back *back, uint32_t number, enum role role, const struct points *points, size_t i)
{
    struct naive_value value = point_value(points, i, number);
    int64_t t_us = points->t_us[i], issued_us = points->issued_us[i];
    if (t_us < back->listed->window.begin_us || t_us >= back->listed->window.end_us)
        back->wrong = "a reading lies in the file of another window";
    naive_append(back->history, number, t_us, issued_us, &value);
    if (role == ROLE_REVISION)
        return;
    if (!back->is_above && naive_now(naive_find(back->found, number, t_us, issued_us)))
        back->wrong = "a reading is there twice";
    if ((issued_us == ISSUED_NONE) != (role == ROLE_PLAIN))
        back->wrong = "a reading stands among those of another role";
    naive_put(back->found, number, t_us, issued_us, &value);
}

static int read_chunks(struct reading_back *back, const struct series_row *series, uint32_t number, enum role role)
{
    struct chunk_rows chunks = {0};
    struct points points = {0};
    int64_t mark = back->listed->kind == FILE_OPEN ? back->listed->mark : INT64_MAX - 1;
    int rc = window_file_chunks(back->file, series->id, role, INT64_MIN, INT64_MAX, mark, &chunks);
    for (size_t c = 0; c < chunks.n && !rc; c++) {
        points_clear(&points);
        rc = window_file_read(back->file, series->id, role, chunks.at[c].id, POINTS_ALL, &points);
        for (size_t i = 0; i < points.n && !rc; i++)
            read_point(back, number, role, &points, i);
    }
    chunk_rows_free(&chunks);
    points_free(&points);
    return rc;
}

/* What an open file takes back of the sealed one below it. */
static int read_deletions(struct reading_back *back, const struct series_row *series, uint32_t number)
{
    struct deletions deletions = {0};
    int rc = window_file_deletions(back->file, series->id, INT64_MIN, INT64_MAX, back->listed->mark, &deletions);
    for (size_t i = 0; i < deletions.n; i++) {
        const struct deletion *deletion = &deletions.at[i];
        struct naive_value mark = {.known_ms = deletion->known_ms, .taken_back = true};
        naive_delete(back->found, number, deletion->begin_us, deletion->end_us, deletion->issued_us, deletion->known_ms);
        if (deletion->issued_us != ISSUED_NONE)
            naive_append(back->history, number, deletion->begin_us, deletion->issued_us, &mark);
    }
    deletions_free(&deletions);
    return rc;
}

static int read_series(void *arg, const struct series_row *series)
{
    struct reading_back *back = arg;
    int number = number_of(series);
    if (number < 0 || (series->kind == KIND_STATE) != is_state((uint32_t)number)) {
        back->wrong = "a series is there that was not sent";
        return ERR_CORRUPT;
    }
    int rc = back->is_above ? read_deletions(back, series, (uint32_t)number) : 0;
    rc = rc ? rc : read_chunks(back, series, (uint32_t)number, ROLE_REVISION);
    for (enum role role = ROLE_PLAIN; role <= ROLE_ISSUED && !rc; role++)
        rc = read_chunks(back, series, (uint32_t)number, role);
    return rc;
}

static bool has_raw(const struct file_list *files, const struct file *open)
{
    for (size_t i = 0; i < files->n; i++)
        if (files->at[i].kind == FILE_RAW && files->at[i].window.begin_us == open->window.begin_us)
            return true;
    return false;
}

static const char *read_file(struct store *store, const struct file_list *files, const struct file *file,
                             struct naive *found, struct naive *history)
{
    char path[600];
    struct err_text error = {0};
    struct reading_back back = {.found = found, .history = history, .listed = file,
                                .is_above = file->kind == FILE_OPEN && has_raw(files, file)};
    snprintf(path, sizeof(path), "%s/%s", store->folder, file->name);
    if (file->kind == FILE_TIER) {
        struct tier_file *tier;
        if (tier_file_open(path, &tier, &error))
            return "a tier file cannot be opened";
        tier_file_close(tier);
        return NULL;
    }
    if (window_file_open_read(path, file->kind, &back.file, &error))
        return "a window file cannot be opened";
    int64_t mark;
    int rc = window_file_series(back.file, read_series, &back);
    if (!rc && file->kind == FILE_OPEN && (window_file_mark(back.file, &mark) || mark < file->mark))
        back.wrong = "an open file has less than its row says";
    window_file_close(back.file);
    return rc && !back.wrong ? "a window file cannot be read" : back.wrong;
}

/* Files that nobody lists. */
static const char *check_folder(struct store *store, const struct file_list *files)
{
    DIR *dir = opendir(store->folder);
    struct dirent *entry;
    const char *wrong = NULL;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        bool known = *entry->d_name == '.' || strcmp(entry->d_name, "ingest.db") == 0;
        for (size_t i = 0; i < files->n && !known; i++)
            known = strcmp(entry->d_name, files->at[i].name) == 0;
        if (!known)
            wrong = strstr(entry->d_name, "-wal") || strstr(entry->d_name, "-shm") ? "a log was left" : "a file is not listed";
    }
    closedir(dir);
    return wrong;
}

static struct db *open_ingest(struct store *store)
{
    char path[600];
    struct err_text error = {0};
    struct db *db;
    snprintf(path, sizeof(path), "%s/ingest.db", store->folder);
    return db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format}, &db, &error) ? NULL : db;
}

const char *store_read(struct store *store, struct naive *ret_found, struct naive *ret_history)
{
    static const enum file_kind order[] = {FILE_RAW, FILE_OPEN, FILE_TIER};
    struct file_list files = {0};
    int64_t n_batches = -1, n_retired = -1;
    struct db *db = open_ingest(store);
    if (!db)
        return "ingest.db cannot be opened";
    const char *wrong = file_list_read(db, &files) ? "the list of files cannot be read" : NULL;
    if (db_get_i64(db, "SELECT count(*) FROM batch", &n_batches) ||
        db_get_i64(db, "SELECT count(*) FROM retired", &n_retired))
        wrong = "ingest.db cannot be read";
    db_close(db);
    if (!wrong && n_batches)
        wrong = "batches are left";
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < files.n && !wrong; i++) {
            if (files.at[i].kind != order[k])
                continue;
            wrong = check_digest(store, &files.at[i]);
            if (!wrong)
                wrong = read_file(store, &files, &files.at[i], ret_found, ret_history);
        }
    if (!wrong && !n_retired)
        wrong = check_folder(store, &files);
    file_list_free(&files);
    return wrong;
}

int store_count(struct store *store, struct store_counts *ret_counts)
{
    struct db *db = open_ingest(store);
    if (!db)
        return ERR_NOTFOUND;
    int64_t n_open, n_raw, n_batches, n_dead;
    int rc = db_get_i64(db, "SELECT count(*) FROM file WHERE kind = 'open'", &n_open);
    rc = rc ? rc : db_get_i64(db, "SELECT count(*) FROM file WHERE kind = 'raw'", &n_raw);
    rc = rc ? rc : db_get_i64(db, "SELECT count(*) FROM batch", &n_batches);
    rc = rc ? rc : db_get_i64(db, "SELECT count(*) FROM dead", &n_dead);
    rc = rc ? rc : db_get_i64(db, "SELECT next_offset FROM source", &ret_counts->next_offset);
    rc = rc ? rc : db_get_i64(db, "SELECT coalesce(max(generation), 0) FROM file WHERE kind = 'raw'",
                              &ret_counts->generation);
    db_close(db);
    if (rc)
        return rc;
    ret_counts->n_open = (int)n_open;
    ret_counts->n_raw = (int)n_raw;
    ret_counts->n_batches = (int)n_batches;
    ret_counts->n_dead = (int)n_dead;
    return 0;
}

void store_compare(struct store *store, const struct stream *stream, int64_t to, char out[static 400])
{
    struct naive expected = {0}, found = {0}, history = {0};
    const char *wrong = store_read(store, &found, &history);
    stream_expect(stream, to, &expected);
    if (wrong)
        snprintf(out, 400, "%s", wrong);
    else
        naive_difference(&expected, &found, out);
    if (!*out && !stream->with_wide)
        naive_history_difference(&expected, &history, out);
    naive_free(&expected);
    naive_free(&found);
    naive_free(&history);
}

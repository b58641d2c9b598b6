#include <config.h>

#include "store/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/clock.h"
#include "common/hash.h"

#define IDLE_MAX 256   /* open files that nobody uses */
#define KNOWN_MAX 4096 /* files of which something is remembered */
#define BUCKETS 1024   /* of the table of known files */
#define PATH_BYTES 4096

struct pooled {
    char path[PATH_BYTES];
    enum file_kind kind;
    struct window_file *window;
    struct tier_file *tier;
    int64_t bytes;       /* of a sealed file, which is mapped; else 0 */
    bool mapped;
    int64_t given_us;    /* when it became idle (monotonic) */
    struct pooled *next; /* of the idle ones, the one used last first */
};

/* What is remembered of a sealed file: that its digest was right, and its counts. */
struct known {
    char *path;
    struct series_counts *counts;
    size_t n, cap;
    bool has_counts;
    uint64_t used; /* when: larger is later */
    struct known *next; /* in its bucket */
};

struct pool {
    pthread_mutex_t lock;
    struct pooled *idle;
    size_t n_idle;
    int64_t mapped_bytes, mapped_max_bytes; /* of idle files */
    int64_t mapped_keep_us;
    struct known *known[BUCKETS]; /* by hash of the path */
    size_t n_known;
    uint64_t clock;
};

struct pool *pool_new(int64_t mapped_max_bytes, int64_t mapped_keep_us)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pool->mapped_max_bytes = mapped_max_bytes;
    pool->mapped_keep_us = mapped_keep_us;
    return pool;
}

static void close_pooled(struct pooled *pooled)
{
    if (!pooled)
        return;
    window_file_close(pooled->window);
    tier_file_close(pooled->tier);
    free(pooled);
}

static void free_known(struct known *known)
{
    free(known->path);
    free(known->counts);
    free(known);
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    for (struct pooled *next, *pooled = pool->idle; pooled; pooled = next) {
        next = pooled->next;
        close_pooled(pooled);
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct known *next, *known = pool->known[i]; known; known = next) {
            next = known->next;
            free_known(known);
        }
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* FOLDER/NAME, cut off where it is too long for any file. */
static void join_path(const char *folder, const char *name, char ret_path[static PATH_BYTES])
{
    char *at = ret_path, *end = ret_path + PATH_BYTES - 1;
    const char *const parts[] = {folder, "/", name};
    for (int i = 0; i < 3; i++) {
        size_t size = strlen(parts[i]);
        at = mempcpy(at, parts[i], size < (size_t)(end - at) ? size : (size_t)(end - at));
    }
    *at = '\0';
}

static struct db *db_of(struct pooled *pooled)
{
    return pooled->window ? window_file_db(pooled->window) : tier_file_db(pooled->tier);
}

static void remove_idle(struct pool *pool, struct pooled **at)
{
    pool->mapped_bytes -= (*at)->mapped ? (*at)->bytes : 0;
    pool->n_idle--;
    *at = (*at)->next;
}

/* Those that were used last stay mapped; the others keep their statements, and are mapped again when they are read. */
static void unmap_oldest(struct pool *pool, int64_t now_us)
{
    while (pool->mapped_bytes > pool->mapped_max_bytes) {
        struct pooled *oldest = NULL;
        for (struct pooled *pooled = pool->idle; pooled; pooled = pooled->next)
            oldest = pooled->mapped && pooled->bytes ? pooled : oldest;
        if (!oldest || now_us - oldest->given_us < pool->mapped_keep_us)
            return;
        db_map(db_of(oldest), false);
        oldest->mapped = false;
        pool->mapped_bytes -= oldest->bytes;
    }
}

static struct pooled *take_idle(struct pool *pool, const char *path)
{
    for (struct pooled **at = &pool->idle; *at; at = &(*at)->next) {
        struct pooled *pooled = *at;
        if (strcmp(pooled->path, path) == 0) {
            remove_idle(pool, at);
            return pooled;
        }
    }
    return NULL;
}

static struct known **bucket_of(struct pool *pool, const char *path)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: the paths are our own */
    for (const char *c = path; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return &pool->known[hash % BUCKETS];
}

/* Finds what is known of a file; the caller holds the lock, here and below. */
static struct known *find_known(struct pool *pool, const char *path)
{
    struct known *known = *bucket_of(pool, path);
    while (known && strcmp(known->path, path) != 0)
        known = known->next;
    if (known)
        known->used = ++pool->clock;
    return known;
}

static void forget_oldest(struct pool *pool)
{
    struct known **oldest = NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct known **at = &pool->known[i]; *at; at = &(*at)->next)
            if (!oldest || (*at)->used < (*oldest)->used)
                oldest = at;
    if (!oldest)
        return;
    struct known *known = *oldest;
    *oldest = known->next;
    free_known(known);
    pool->n_known--;
}

static int add_known(struct pool *pool, const char *path, struct known **ret_known)
{
    struct known *known = calloc(1, sizeof(*known));
    if (!known || !(known->path = strdup(path))) {
        free(known);
        return ERR_NOMEM;
    }
    if (pool->n_known == KNOWN_MAX)
        forget_oldest(pool);
    struct known **bucket = bucket_of(pool, path);
    known->next = *bucket;
    known->used = ++pool->clock;
    *bucket = known;
    pool->n_known++;
    *ret_known = known;
    return 0;
}

/* Hashes a sealed file unless that was done before. Two threads may do it at once: that does no harm. */
static int check_digest(struct pool *pool, const char *path, const struct file *file)
{
    pthread_mutex_lock(&pool->lock);
    struct known *known = find_known(pool, path);
    pthread_mutex_unlock(&pool->lock);
    if (known)
        return 0;
    uint8_t digest[HASH_BYTES];
    int rc = hash_file(path, digest);
    if (!rc && !hash_equal(digest, file->digest))
        rc = ERR_CORRUPT;
    if (rc)
        return rc;
    pthread_mutex_lock(&pool->lock);
    rc = find_known(pool, path) ? 0 : add_known(pool, path, &known);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

static int open_pooled(struct pool *pool, const char *path, const struct file *file, struct pooled **ret_pooled)
{
    int rc = file->kind == FILE_OPEN ? 0 : check_digest(pool, path, file);
    if (rc)
        return rc == ERR_NOTFOUND ? ERR_EXPIRED : rc;
    struct pooled *pooled = calloc(1, sizeof(*pooled));
    if (!pooled)
        return ERR_NOMEM;
    snprintf(pooled->path, sizeof(pooled->path), "%s", path);
    pooled->kind = file->kind;
    pooled->bytes = file->kind == FILE_OPEN ? 0 : file->bytes;
    pooled->mapped = true;
    rc = file->kind == FILE_TIER ? tier_file_open(path, &pooled->tier, NULL)
                                 : window_file_open_read(path, file->kind, &pooled->window, NULL);
    if (rc) {
        free(pooled);
        return rc == ERR_NOTFOUND ? ERR_EXPIRED : rc;
    }
    *ret_pooled = pooled;
    return 0;
}

int pool_take(struct pool *pool, const char *folder, const struct file *file, struct pooled **ret_pooled)
{
    char path[PATH_BYTES];
    join_path(folder, file->name, path);
    pthread_mutex_lock(&pool->lock);
    struct pooled *idle = take_idle(pool, path);
    pthread_mutex_unlock(&pool->lock);
    if (!idle)
        return open_pooled(pool, path, file, ret_pooled);
    if (!idle->mapped)
        db_map(db_of(idle), true);
    idle->mapped = true;
    *ret_pooled = idle;
    return 0;
}

void pool_give(struct pool *pool, struct pooled *pooled)
{
    if (!pooled)
        return;
    struct pooled *oldest = NULL;
    pooled->given_us = clock_mono_us();
    pthread_mutex_lock(&pool->lock);
    pooled->next = pool->idle;
    pool->idle = pooled;
    pool->mapped_bytes += pooled->bytes;
    if (++pool->n_idle > IDLE_MAX) {
        struct pooled **at = &pool->idle;
        while ((*at)->next)
            at = &(*at)->next;
        oldest = *at;
        remove_idle(pool, at);
    }
    unmap_oldest(pool, pooled->given_us);
    pthread_mutex_unlock(&pool->lock);
    close_pooled(oldest);
}

struct window_file *pooled_window(struct pooled *pooled)
{
    return pooled->window;
}

struct tier_file *pooled_tier(struct pooled *pooled)
{
    return pooled->tier;
}

static int add_counts(void *arg, const struct series_counts *counts)
{
    struct known *known = arg;
    if (array_grow(&known->counts, &known->cap, known->n + 1, sizeof(*known->counts)))
        return ERR_NOMEM;
    known->counts[known->n++] = *counts;
    return 0;
}

static const struct series_counts *search_counts(const struct known *known, uint32_t series_id)
{
    size_t low = 0, high = known->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (known->counts[middle].series_id < series_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < known->n && known->counts[low].series_id == series_id ? &known->counts[low] : NULL;
}

/* The counts of a file, where they are in memory: 1, else 0. */
static int look_up_counts(struct pool *pool, const char *path, uint32_t series_id, struct series_counts *ret_counts)
{
    pthread_mutex_lock(&pool->lock);
    struct known *known = find_known(pool, path);
    bool found = known && known->has_counts;
    if (found) {
        const struct series_counts *counts = search_counts(known, series_id);
        *ret_counts = counts ? *counts : (struct series_counts){.series_id = series_id};
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

static int load_counts(struct pool *pool, struct pooled *pooled)
{
    int rc = 0;
    pthread_mutex_lock(&pool->lock);
    struct known *known = find_known(pool, pooled->path);
    if (!known) /* forgotten meanwhile: its digest was right all the same */
        rc = add_known(pool, pooled->path, &known);
    if (!rc && !known->has_counts) {
        known->n = 0;
        rc = window_file_counts(pooled->window, add_counts, known);
        known->has_counts = !rc;
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

int pool_counts(struct pool *pool, const char *folder, const struct file *file, uint32_t series_id,
                struct series_counts *ret_counts)
{
    char path[PATH_BYTES];
    join_path(folder, file->name, path);
    while (!look_up_counts(pool, path, series_id, ret_counts)) {
        struct pooled *pooled;
        int rc = pool_take(pool, folder, file, &pooled);
        if (rc)
            return rc;
        rc = load_counts(pool, pooled);
        pool_give(pool, pooled);
        if (rc)
            return rc;
    }
    return 0;
}

#include <config.h>

#include "store/snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "store/catalog.h"
#include "store/copy.h"
#include "store/rewrite.h"

#define OPEN_MAX 8                        /* each may hold some tens of megabytes of unflushed batches */
#define IDLE_US (10 * US_PER_MINUTE)      /* so long one stays open unused */
#define EXPIRED_KNOWN_US (90 * US_PER_DAY) /* so long "expired" is said of a name, then "unknown" */
#define PART ".part"                      /* store_copy's */
#define GONE ".gone"
#define PATH_BYTES 4096

enum sql { SQL_NOTE, SQL_FACTS, SQL_N };

static const char *const sql[SQL_N] = {
    [SQL_NOTE] = "INSERT OR REPLACE INTO info (name, value) VALUES ('snapshot_created_us', :created_us), "
                 "('snapshot_expires_us', :expires_us), ('snapshot_position', :position)",
    [SQL_FACTS] = "SELECT (SELECT value FROM info WHERE name = 'snapshot_created_us'), "
                  "(SELECT value FROM info WHERE name = 'snapshot_expires_us'), "
                  "(SELECT value FROM info WHERE name = 'snapshot_position')",
};

/* One that is open. */
struct opened {
    struct snapshot_info info;
    struct reader_dir *dir; /* NULL: free */
    struct stat file;       /* its catalog.db, which tells it from a later one of its name */
    int users;
    int64_t used_us;        /* last */
};

struct snapshots {
    char *dir; /* DIR */
    pthread_mutex_t lock;
    struct opened opened[OPEN_MAX];
};

struct snapshots *snapshots_new(const char *dir)
{
    struct snapshots *snapshots = calloc(1, sizeof(*snapshots));
    if (!snapshots || !(snapshots->dir = strdup(dir))) {
        free(snapshots);
        return NULL;
    }
    pthread_mutex_init(&snapshots->lock, NULL);
    return snapshots;
}

void snapshots_free(struct snapshots *snapshots)
{
    if (!snapshots)
        return;
    for (size_t i = 0; i < OPEN_MAX; i++)
        reader_dir_close(snapshots->opened[i].dir);
    pthread_mutex_destroy(&snapshots->lock);
    free(snapshots->dir);
    free(snapshots);
}

/* ---- names and places ---- */

static void path_of(const struct snapshots *snapshots, const char *before, const char *name, const char *after,
                    char out[static PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/snapshots/%s%s%s", snapshots->dir, before, name, after);
}

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), size = strlen(end);
    return n >= size && strcmp(name + n - size, end) == 0;
}

/* A name of nothing else that may lie in the folder. */
static bool is_name(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && n < SNAPSHOT_NAME_MAX && !name[n] && name[0] != '.' && !ends_in(name, PART);
}

static int check_name(const char *name, const char *field, struct err_text *error)
{
    if (is_name(name))
        return 0;
    return err_set_field(error, ERR_INVALID, field, "\"%.64s\" is no name of a snapshot: it has 1 to 64 of A-Z a-z 0-9 . _ - and "
                         "neither begins with a dot nor ends in " PART, name);
}

/* Of a snapshot that expired an empty file is left in its place, so that this can be said for a while. */
static bool is_remembered(const char *path)
{
    struct stat stat_of;
    return lstat(path, &stat_of) == 0 && S_ISREG(stat_of.st_mode);
}

static int refuse_expired(const char *name, const char *field, struct err_text *error)
{
    return err_set_field(error, ERR_EXPIRED, field, "the time of the snapshot \"%s\" is over", name);
}

static int refuse_unknown(const char *name, const char *field, struct err_text *error)
{
    return err_set_field(error, ERR_NOTFOUND, field, "there is no snapshot \"%s\": GET /v1/snapshots lists them", name);
}

/* The folder, made when it is not there, under the lock that who makes or removes one holds; a file to close, or a code. */
static int lock_folder(const struct snapshots *snapshots, bool make, struct err_text *error)
{
    char path[PATH_BYTES];
    path_of(snapshots, "", "", "", path);
    if (make && mkdir(path, 0777) == 0 && files_sync(snapshots->dir))
        return err_set(error, ERR_IO, "cannot sync the folder \"%s\"", snapshots->dir);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot open the folder \"%s\": %s", path,
                       strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        return err_set(error, ERR_BUSY, "another snapshot is being made: try again in a second");
    }
    return fd;
}

/* ---- what a snapshot says of itself ---- */

static int open_catalog(const char *folder, enum db_mode mode, struct db **ret_db, struct err_text *error)
{
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s/catalog.db", folder);
    return db_open(&(struct db_opts){.path = path, .mode = mode, .format = &catalog_format, .sql = sql, .n_sql = SQL_N,
                                     .sync_each_commit = true}, ret_db, error);
}

int snapshot_read(const char *folder, const char *name, struct snapshot_info *ret_info, char **ret_position)
{
    struct db *db;
    int rc = open_catalog(folder, DB_READ, &db, NULL);
    if (rc)
        return rc;
    sqlite3_stmt *stmt = db_stmt(db, SQL_FACTS);
    rc = db_step(db, stmt);
    if (rc == 1) {
        const char *position = (const char *)sqlite3_column_text(stmt, 2);
        *ret_info = (struct snapshot_info){.created_us = sqlite3_column_int64(stmt, 0),
                                           .expires_us = sqlite3_column_int64(stmt, 1)};
        snprintf(ret_info->name, sizeof(ret_info->name), "%s", name);
        *ret_position = position ? strdup(position) : NULL;
        rc = !position ? ERR_CORRUPT : *ret_position ? 0 : ERR_NOMEM;
    } else {
        rc = rc ? rc : ERR_CORRUPT;
    }
    db_close(db); /* with its statements */
    return rc;
}

static int write_info(struct db *db, const struct snapshot_info *info)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_NOTE);
    db_bind_i64(stmt, ":created_us", info->created_us);
    db_bind_i64(stmt, ":expires_us", info->expires_us);
    db_bind_text(stmt, ":position", info->position);
    return db_run(db, stmt);
}

/* store_copy's last step. */
static int note_info(void *arg, const char *folder, struct err_text *error)
{
    struct snapshot_info info = *(const struct snapshot_info *)arg;
    struct reader_dir *dir;
    struct view *view = NULL;
    struct db *db;
    int rc = reader_dir_open(folder, &dir, error);
    if (rc)
        return rc;
    char *position = NULL;
    if (!(rc = view_open(dir, &view, error)) && !(position = strdup(view_position(view))))
        rc = err_set(error, ERR_NOMEM, "out of memory");
    view_close(view);
    reader_dir_close(dir);
    info.position = position;
    if (!rc && !(rc = open_catalog(folder, DB_WRITE, &db, error))) {
        if ((rc = write_info(db, &info)))
            db_error(db, error, rc, "write");
        db_close_settled(db);
    }
    free(position);
    return rc;
}

/* ---- removing; the caller holds the folder's lock, or the snapshot is to be dropped ---- */

/* Renamed first, so that nobody finds half of it; and that is on the disk before anybody is told that it is gone. */
static int remove_one(const struct snapshots *snapshots, const char *name)
{
    char path[PATH_BYTES], gone[PATH_BYTES];
    path_of(snapshots, "", name, "", path);
    path_of(snapshots, ".", name, GONE, gone);
    files_remove_tree(gone); /* of a crash */
    if (rename(path, gone))
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    int rc = files_sync_folder_of(gone);
    files_remove_tree(gone);
    return rc;
}

static void close_one(struct opened *opened)
{
    reader_dir_close(opened->dir);
    *opened = (struct opened){0};
}

/* Closes what is open of that name; whether some of it is in use. */
static bool is_in_use(struct snapshots *snapshots, const char *name)
{
    bool found = false;
    pthread_mutex_lock(&snapshots->lock);
    for (size_t i = 0; i < OPEN_MAX; i++) {
        struct opened *opened = &snapshots->opened[i];
        if (!opened->dir || strcmp(opened->info.name, name) != 0)
            continue;
        found = found || opened->users;
        if (!opened->users)
            close_one(opened);
    }
    pthread_mutex_unlock(&snapshots->lock);
    return found;
}

/* What nobody reads any more holds memory, and after its removal disk, too. */
static void close_idle(struct snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->lock);
    for (size_t i = 0; i < OPEN_MAX; i++) {
        struct opened *opened = &snapshots->opened[i];
        if (opened->dir && !opened->users && clock_mono_us() - opened->used_us > IDLE_US)
            close_one(opened);
    }
    pthread_mutex_unlock(&snapshots->lock);
}

static void expire_one(struct snapshots *snapshots, const char *name, int64_t now_us)
{
    char path[PATH_BYTES], *position = NULL;
    struct snapshot_info info;
    struct stat stat_of;
    path_of(snapshots, "", name, "", path);
    if (ends_in(name, PART) || (name[0] == '.' && ends_in(name, GONE))) {
        files_remove_tree(path); /* of a crash */
    } else if (!is_name(name) || lstat(path, &stat_of)) {
        return;
    } else if (S_ISREG(stat_of.st_mode)) {
        if (now_us - stat_of.st_mtim.tv_sec * US_PER_SECOND > EXPIRED_KNOWN_US)
            unlink(path);
    } else if (snapshot_read(path, name, &info, &position) == 0 && info.expires_us <= now_us && !is_in_use(snapshots, name)) {
        int fd = remove_one(snapshots, name) ? -1 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            close(fd);
    }
    free(position);
}

/* The caller holds the folder's lock. */
static void expire_all(struct snapshots *snapshots)
{
    char path[PATH_BYTES];
    struct dirent **names;
    path_of(snapshots, "", "", "", path);
    int n = scandir(path, &names, NULL, NULL);
    for (int i = 0; i < n; i++) {
        expire_one(snapshots, names[i]->d_name, clock_wall_us());
        free(names[i]);
    }
    if (n >= 0)
        free(names);
}

void snapshots_expire(struct snapshots *snapshots)
{
    close_idle(snapshots);
    int fd = lock_folder(snapshots, false, NULL);
    if (fd < 0)
        return;
    expire_all(snapshots);
    close(fd);
}

int snapshots_drop(struct snapshots *snapshots, const char *name, struct err_text *error)
{
    char path[PATH_BYTES];
    path_of(snapshots, "", name, "", path);
    if (!is_name(name))
        return refuse_unknown(name, "name", error);
    if (is_remembered(path))
        return refuse_expired(name, "name", error);
    int rc = remove_one(snapshots, name);
    (void)is_in_use(snapshots, name);
    if (rc == ERR_NOTFOUND)
        return refuse_unknown(name, "name", error);
    return rc ? err_set(error, rc, "cannot remove \"%s\": %s", path, strerror(errno)) : 0;
}

/* ---- making and listing ---- */

int snapshots_make(struct snapshots *snapshots, const char *name, const struct duration *keep, struct err_text *error)
{
    struct snapshot_info info = {.created_us = clock_wall_us()};
    char path[PATH_BYTES];
    int rc = check_name(name, "name", error);
    if (rc)
        return rc;
    if (civil_add(info.created_us, keep, &info.expires_us) || info.expires_us <= info.created_us)
        return err_set_field(error, ERR_INVALID, "keep", "\"keep\" is not a time in the future that a calendar has");
    int fd = lock_folder(snapshots, true, error);
    if (fd < 0)
        return fd;
    expire_all(snapshots);
    path_of(snapshots, "", name, "", path);
    if (is_remembered(path))
        unlink(path);
    rc = store_copy(&(struct copy_opts){.dir = snapshots->dir, .dest = path, .link = true, .finish = note_info, .arg = &info},
                    error);
    if (rc == ERR_EXISTS)
        err_set_field(error, rc, "name", "there is a snapshot \"%s\" already: choose another name, or remove it first", name);
    close(fd);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct dirent *const *)a)->d_name, (*(struct dirent *const *)b)->d_name);
}

static int list_one(struct snapshots *snapshots, const char *name,
                    int (*row)(void *arg, const struct snapshot_info *info), void *arg)
{
    char path[PATH_BYTES], *position = NULL;
    struct snapshot_info info;
    path_of(snapshots, "", name, "", path);
    int rc = is_name(name) && !is_remembered(path) ? snapshot_read(path, name, &info, &position) : ERR_NOTFOUND;
    if (!rc && info.expires_us > clock_wall_us()) {
        info.position = position;
        rc = row(arg, &info);
    }
    free(position);
    return rc == ERR_NOTFOUND ? 0 : rc; /* no snapshot, or gone meanwhile */
}

int snapshots_list(struct snapshots *snapshots, const char *only,
                   int (*row)(void *arg, const struct snapshot_info *info), void *arg, struct err_text *error)
{
    char path[PATH_BYTES];
    struct dirent **names;
    snapshots_expire(snapshots);
    path_of(snapshots, "", "", "", path);
    int n = scandir(path, &names, NULL, NULL);
    if (n < 0)
        return errno == ENOENT ? 0 : err_set(error, ERR_IO, "cannot read the folder \"%s\": %s", path, strerror(errno));
    qsort(names, (size_t)n, sizeof(*names), by_name);
    int rc = 0;
    for (int i = 0; i < n; i++) {
        if (!rc && (!only || strcmp(only, names[i]->d_name) == 0) &&
            (rc = list_one(snapshots, names[i]->d_name, row, arg)))
            err_set(error, rc, "cannot read the snapshot \"%s\": %s", names[i]->d_name, err_name(rc));
        free(names[i]);
    }
    free(names);
    return rc;
}

/* ---- erased entities ---- */

static int rewrite_one(const struct snapshots *snapshots, const char *name, struct erased *erased, int64_t since_us,
                       struct err_text *error)
{
    char path[PATH_BYTES];
    struct forget_ids series = {0};
    path_of(snapshots, "", name, "", path);
    if (!is_name(name) || is_remembered(path))
        return 0;
    int rc = rewrite_find(path, erased, &series, error);
    if (!rc && series.n)
        rc = rewrite_copy(path, erased, since_us, error);
    forget_ids_free(&series);
    return rc == ERR_NOTFOUND && access(path, F_OK) ? 0 : rc; /* it was dropped meanwhile */
}

static int rewrite_all(struct snapshots *snapshots, struct erased *erased, int64_t since_us, struct err_text *error)
{
    char path[PATH_BYTES];
    struct dirent **names;
    bool left = false;
    int rc = 0;
    path_of(snapshots, "", "", "", path);
    expire_all(snapshots);
    int n = scandir(path, &names, NULL, NULL);
    for (int i = 0; i < n; i++) {
        int code = rc ? 0 : rewrite_one(snapshots, names[i]->d_name, erased, since_us, error);
        rc = code < 0 ? code : rc;
        left = left || code == 1;
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return rc ? rc : left;
}

int snapshots_rewrite(const char *dir, struct erased *erased, int64_t since_us, struct err_text *error)
{
    struct snapshots *snapshots = snapshots_new(dir);
    int fd = snapshots ? lock_folder(snapshots, false, error) : ERR_NOMEM, rc = fd;
    if (fd >= 0) {
        rc = rewrite_all(snapshots, erased, since_us, error);
        close(fd);
    }
    snapshots_free(snapshots);
    return fd == ERR_NOTFOUND ? 0 : fd == ERR_BUSY ? 1 : rc;
}

/* ---- reading ---- */

/* Inodes are used again, with another time. */
static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The open one of that file, or a free place, or NULL when all others are in use. */
static struct opened *find_opened(struct snapshots *snapshots, const struct stat *file)
{
    struct opened *best = NULL;
    for (size_t i = 0; i < OPEN_MAX; i++) {
        struct opened *opened = &snapshots->opened[i];
        if (opened->dir && is_same_file(&opened->file, file))
            return opened;
        if (!opened->users && (!best || opened->used_us < best->used_us))
            best = opened;
    }
    if (best)
        close_one(best);
    return best;
}

static int open_one(struct opened *opened, const char *path, const char *name, struct err_text *error)
{
    char *position = NULL;
    int rc = snapshot_read(path, name, &opened->info, &position);
    free(position);
    if (rc)
        return err_set(error, rc, "cannot read the snapshot \"%s\": %s", name, err_name(rc));
    return reader_dir_open(path, &opened->dir, error);
}

/* The caller holds the lock. */
static int take_locked(struct snapshots *snapshots, const char *path, const char *name, struct opened **ret_opened,
                       struct err_text *error)
{
    char catalog[PATH_BYTES + 16];
    struct stat file;
    snprintf(catalog, sizeof(catalog), "%s/catalog.db", path);
    if (stat(catalog, &file))
        return is_remembered(path) ? refuse_expired(name, "snapshot", error) : refuse_unknown(name, "snapshot", error);
    struct opened *opened = find_opened(snapshots, &file);
    if (!opened)
        return err_set_field(error, ERR_BUSY, "snapshot", "%d other snapshots are being read: try again in a second", OPEN_MAX);
    if (!opened->dir) {
        opened->file = file;
        int rc = open_one(opened, path, name, error);
        if (rc) {
            close_one(opened);
            return rc;
        }
    }
    if (opened->info.expires_us <= clock_wall_us())
        return refuse_expired(name, "snapshot", error);
    *ret_opened = opened;
    return 0;
}

int snapshots_take(struct snapshots *snapshots, const char *name, struct snapshot_info *ret_info,
                   struct reader_dir **ret_dir, struct err_text *error)
{
    struct opened *opened = NULL;
    char path[PATH_BYTES];
    int rc = check_name(name, "snapshot", error);
    if (rc)
        return rc;
    path_of(snapshots, "", name, "", path);
    pthread_mutex_lock(&snapshots->lock);
    rc = take_locked(snapshots, path, name, &opened, error);
    if (!rc) {
        opened->users++;
        *ret_info = opened->info;
        *ret_dir = opened->dir;
    }
    pthread_mutex_unlock(&snapshots->lock);
    return rc;
}

void snapshots_give(struct snapshots *snapshots, struct reader_dir *dir)
{
    pthread_mutex_lock(&snapshots->lock);
    for (size_t i = 0; i < OPEN_MAX; i++) {
        struct opened *opened = &snapshots->opened[i];
        if (opened->dir == dir) {
            opened->users--;
            opened->used_us = clock_mono_us();
        }
    }
    pthread_mutex_unlock(&snapshots->lock);
}

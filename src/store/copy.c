#include <config.h>

#include "store/copy.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/array.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/assets_file.h"
#include "store/catalog.h"
#include "store/erased.h"
#include "store/manifest.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/view.h"
#include "store/window_days.h"
#include "store/window_file.h"

#define PARTITION_TRIES 5 /* a partition is taken again when a file of its list has gone meanwhile */

struct copy {
    const struct copy_opts *opts;
    struct err_text *error;
    char part[3072]; /* DEST.part */
};

/* ---- one partition ---- */

static int tell(struct copy *copy, const char *path)
{
    struct stat stat_of;
    if (!copy->opts->copied || stat(path, &stat_of))
        return 0;
    return copy->opts->copied(copy->opts->arg, stat_of.st_size);
}

struct touched {
    struct series_row *at;
    size_t n, cap;
};

static int note_touched(void *arg, const struct series_row *series)
{
    struct touched *touched = arg;
    if (array_grow(&touched->at, &touched->cap, touched->n + 1, sizeof(*touched->at)))
        return ERR_NOMEM;
    touched->at[touched->n++] = *series;
    return 0;
}

/* Takes the copy of an open window back to its listed mark: a flush may have gone on since the list was copied, and a store
 * that goes on from the copy gives the later batches' numbers to others (I2). */
static int cut_back(struct window_file *window, const struct file *file)
{
    struct touched touched = {0};
    struct in_force days = {0};
    int64_t mark;
    int rc = window_file_mark(window, &mark);
    if (rc || mark == file->mark)
        return rc;
    rc = mark < file->mark ? ERR_CORRUPT : window_file_check_state(window, file->mark);
    if (rc || (rc = db_begin(window_file_db(window))))
        return rc;
    rc = window_file_cut(window, file->mark, note_touched, &touched);
    for (size_t i = 0; i < touched.n && !rc; i++)
        rc = window_days_write(&days, window, &touched.at[i], file->mark, file->window.begin_us, file->window.end_us);
    if (rc)
        db_rollback(window_file_db(window));
    else
        rc = db_commit(window_file_db(window));
    in_force_free(&days);
    free(touched.at);
    return rc;
}

static int copy_open_window(struct copy *copy, const struct file *file, const char *from, const char *to)
{
    struct window_file *window;
    int rc = db_copy(from, &open_format, to, copy->error);
    if (!rc)
        rc = window_file_open(to, &window, copy->error);
    if (rc)
        return rc;
    rc = cut_back(window, file);
    window_file_settle(window);
    if (rc && rc != ERR_EXPIRED)
        err_set(copy->error, rc, "cannot take the copy \"%s\" back to its state: %s", to, err_name(rc));
    return rc ? rc : tell(copy, to);
}

static int copy_sealed(struct copy *copy, const struct file *file, const char *from, const char *to)
{
    if (copy->opts->link && link(from, to) == 0)
        return 0;
    uint8_t digest[HASH_BYTES];
    int rc = files_copy(from, to, copy->opts->copied, copy->opts->arg);
    if (!rc && (rc = hash_file(to, digest)) == 0 && !hash_equal(digest, file->digest))
        rc = ERR_CORRUPT;
    if (rc == ERR_CORRUPT)
        return err_set(copy->error, rc, "\"%s\" is damaged: its digest is not the listed one; run `almanac verify`", from);
    return rc ? err_set(copy->error, rc, "cannot copy \"%s\" to \"%s\": %s", from, to, err_name(rc)) : 0;
}

static int copy_files(struct copy *copy, const char *from_folder, const char *to_folder, const struct file_list *files)
{
    int rc = 0;
    for (size_t i = 0; i < files->n && !rc; i++) {
        const struct file *file = &files->at[i];
        char from[4096], to[4096];
        snprintf(from, sizeof(from), "%s/%s", from_folder, file->name);
        snprintf(to, sizeof(to), "%s/%s", to_folder, file->name);
        rc = file->kind == FILE_OPEN ? copy_open_window(copy, file, from, to) : copy_sealed(copy, file, from, to);
    }
    return rc;
}

static int read_list(const char *path, struct file_list *ret_files, struct err_text *error)
{
    struct db *db;
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format}, &db, error);
    if (rc)
        return rc;
    rc = file_list_read(db, ret_files);
    if (rc)
        db_error(db, error, rc, "read");
    db_close(db);
    return rc;
}

/* The state is that of the copied ingest.db; its files follow. */
static int try_partition(struct copy *copy, const char *from_folder, const char *to_folder)
{
    char from[4096], to[4096];
    struct file_list files = {0};
    snprintf(from, sizeof(from), "%s/ingest.db", from_folder);
    snprintf(to, sizeof(to), "%s/ingest.db", to_folder);
    if (access(from, F_OK) && errno == ENOENT)
        return 0; /* the catalog knows it just before it is made */
    if (mkdir(to_folder, 0777))
        return err_set(copy->error, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot make the folder \"%s\": %s", to_folder,
                       strerror(errno));
    int rc = db_copy(from, &ingest_format, to, copy->error);
    if (!rc)
        rc = tell(copy, to);
    if (!rc)
        rc = read_list(to, &files, copy->error);
    if (!rc)
        rc = copy_files(copy, from_folder, to_folder, &files);
    file_list_free(&files);
    return rc ? rc : files_sync(to_folder);
}

static int copy_partition(struct copy *copy, const struct view_source *source)
{
    char topic_folder[3584], folder[3712];
    snprintf(topic_folder, sizeof(topic_folder), "%s/store/%s", copy->part, source->topic);
    snprintf(folder, sizeof(folder), "%s/%d", topic_folder, source->partition);
    if (mkdir(topic_folder, 0777) && errno != EEXIST)
        return err_set(copy->error, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot make the folder \"%s\": %s", topic_folder,
                       strerror(errno));
    int rc = ERR_NOTFOUND;
    for (int i = 0; i < PARTITION_TRIES && (rc == ERR_NOTFOUND || rc == ERR_EXPIRED); i++) {
        if (i)
            files_remove_tree(folder);
        rc = try_partition(copy, source->folder, folder);
    }
    return rc ? rc : files_sync(topic_folder);
}

/* ---- the whole ---- */

/* Whether an empty folder can be replaced by a rename, where there is anything. */
static int check_dest(const char *dest, struct err_text *error)
{
    char parent[3200];
    struct stat at, above;
    struct dirent **names;
    if (lstat(dest, &at))
        return 0;
    int n = S_ISDIR(at.st_mode) ? scandir(dest, &names, NULL, NULL) : -1;
    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n >= 0)
        free(names);
    if (n != 2) /* . and .. */
        return err_set(error, ERR_EXISTS, "\"%s\" exists already and is no empty folder", dest);
    snprintf(parent, sizeof(parent), "%s/..", dest);
    if (stat(parent, &above) || above.st_dev != at.st_dev)
        return err_set(error, ERR_EXISTS, "\"%s\" is where a file system is mounted: name a folder inside of it", dest);
    return 0;
}

static int begin(struct copy *copy)
{
    char path[3200];
    int rc = check_dest(copy->opts->dest, copy->error);
    if (rc)
        return rc;
    size_t size = strlen(copy->opts->dest);
    while (size > 1 && copy->opts->dest[size - 1] == '/') /* DEST/.part would lie inside */
        size--;
    snprintf(copy->part, sizeof(copy->part), "%.*s.part", (int)size, copy->opts->dest);
    snprintf(path, sizeof(path), "%s/" COPY_INCOMPLETE, copy->part);
    if (access(path, F_OK) == 0)
        files_remove_tree(copy->part); /* of a copy that a crash ended */
    else
        rmdir(copy->part); /* the same, at its very begin: nothing where there is anything in it */
    if (mkdir(copy->part, 0777))
        return err_set(copy->error, errno == EEXIST ? ERR_EXISTS : errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
                       "cannot make the folder \"%s\": %s", copy->part, strerror(errno));
    FILE *mark = fopen(path, "we");
    bool failed = !mark || fclose(mark);
    snprintf(path, sizeof(path), "%s/store", copy->part);
    if (failed || mkdir(path, 0777))
        return err_set(copy->error, ERR_IO, "cannot write into \"%s\": %s", copy->part, strerror(errno));
    return 0;
}

/* A file of the data directory itself, where it is there. */
static int copy_database(struct copy *copy, const char *name, const struct db_format *format)
{
    char from[4096], to[4096];
    snprintf(from, sizeof(from), "%s/%s", copy->opts->dir, name);
    snprintf(to, sizeof(to), "%s/%s", copy->part, name);
    int rc = db_copy(from, format, to, copy->error);
    return rc ? rc : tell(copy, to);
}

static int copy_assets(struct copy *copy)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/assets.db", copy->opts->dir);
    return access(path, F_OK) ? 0 : copy_database(copy, "assets.db", &assets_format); /* no document has come yet */
}

/* Snapshots are read by the list of the directory that they lie in. */
static int copy_erased(struct copy *copy)
{
    char path[4096];
    erased_path(copy->opts->dir, path, sizeof(path));
    return copy->opts->link || access(path, F_OK) ? 0 : copy_database(copy, "erased.db", &erased_format);
}

static int copy_all(struct copy *copy)
{
    struct reader_dir *dir;
    struct view *view = NULL;
    int rc = reader_dir_open(copy->opts->dir, &dir, copy->error);
    if (rc)
        return rc;
    rc = view_open(dir, &view, copy->error);
    for (size_t i = 0; !rc && i < view->n_sources; i++)
        rc = copy_partition(copy, &view->sources[i]);
    rc = rc ? rc : copy_assets(copy);
    rc = rc ? rc : copy_erased(copy);
    rc = rc ? rc : copy_database(copy, "catalog.db", &catalog_format); /* last, so that it knows every series */
    rc = rc ? rc : manifest_write(copy->part, copy->error);
    view_close(view);
    reader_dir_close(dir);
    return rc;
}

static int publish(struct copy *copy)
{
    char path[3200], parent[3200];
    snprintf(path, sizeof(path), "%s/store", copy->part);
    int rc = files_sync(path);
    snprintf(path, sizeof(path), "%s/" COPY_INCOMPLETE, copy->part);
    unlink(path);
    rc = rc ? rc : files_sync(copy->part);
    if (!rc && rename(copy->part, copy->opts->dest))
        rc = ERR_IO;
    snprintf(parent, sizeof(parent), "%s/..", copy->opts->dest);
    rc = rc ? rc : files_sync(parent);
    return rc ? err_set(copy->error, rc, "cannot finish the copy \"%s\": %s", copy->opts->dest, strerror(errno)) : 0;
}

int store_copy(const struct copy_opts *opts, struct err_text *error)
{
    struct copy copy = {.opts = opts, .error = error};
    int rc = begin(&copy);
    if (rc == ERR_EXISTS)
        return rc;
    rc = rc ? rc : copy_all(&copy);
    if (!rc && opts->finish)
        rc = opts->finish(opts->arg, copy.part, error);
    rc = rc ? rc : publish(&copy);
    if (rc)
        files_remove_tree(copy.part);
    if (rc && error && !*error->text)
        err_set(error, rc, "cannot copy the store \"%s\" to \"%s\": %s", opts->dir, opts->dest, err_name(rc));
    return rc;
}

int64_t store_bytes(const char *dir)
{
    char path[4096];
    struct stat stat_of;
    struct reader_dir *reader;
    struct view *view;
    if (reader_dir_open(dir, &reader, NULL))
        return 0;
    int64_t bytes = 0;
    if (view_open(reader, &view, NULL) == 0) {
        for (size_t s = 0; s < view->n_sources; s++) {
            const struct view_source *source = &view->sources[s];
            for (size_t i = 0; source->state && i < source->state->files->list.n; i++) {
                snprintf(path, sizeof(path), "%s/%s", source->folder, source->state->files->list.at[i].name);
                bytes += stat(path, &stat_of) ? 0 : stat_of.st_size;
            }
        }
        view_close(view);
    }
    reader_dir_close(reader);
    return bytes;
}

#include <config.h>

#include "store/verify_inside.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "store/reader.h"
#include "store/snapshots.h"

/* ---- sealed files that snapshots have links to ---- */

static bool find_inode(const struct verify_place *place, const struct file *file, struct stat *ret_stat)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", place->folder, file->name);
    return stat(path, ret_stat) == 0;
}

static const struct checked *find_checked(const struct verify *verify, const struct verify_place *place,
                                          const struct file *file, int64_t *ret_bytes)
{
    struct stat stat_of;
    if (!find_inode(place, file, &stat_of))
        return NULL;
    *ret_bytes = stat_of.st_size;
    for (size_t i = 0; i < verify->checked.n; i++) {
        const struct checked *checked = &verify->checked.at[i];
        if (checked->ino == stat_of.st_ino && checked->dev == stat_of.st_dev && checked->mark == file->mark &&
            stat_of.st_size == file->bytes && hash_equal(checked->digest, file->digest))
            return checked;
    }
    return NULL;
}

static int note_file(struct verify *verify, const struct verify_place *place, const struct file *file, bool is_wrong)
{
    struct checked_list *list = &verify->checked;
    struct stat stat_of;
    if (!file || verify->opts->without_snapshots || !find_inode(place, file, &stat_of))
        return verify->rc;
    if (array_grow(&list->at, &list->cap, list->n + 1, sizeof(*list->at)))
        return verify->rc = ERR_NOMEM;
    struct checked *checked = &list->at[list->n++];
    *checked = (struct checked){.dev = stat_of.st_dev, .ino = stat_of.st_ino, .mark = file->mark, .is_wrong = is_wrong};
    memcpy(checked->digest, file->digest, HASH_BYTES);
    return 0;
}

bool verify_shared(struct verify *verify, const struct verify_place *place, const struct verify_files *window)
{
    const struct file *files[] = {window->raw, window->tier};
    const struct checked *checked[2] = {0};
    int64_t n_bytes[2] = {0};
    if (!verify->folder || (!window->raw && !window->tier))
        return false;
    for (size_t i = 0; i < 2; i++)
        if (files[i] && !(checked[i] = find_checked(verify, place, files[i], &n_bytes[i])))
            return false;
    for (size_t i = 0; i < 2 && !verify->rc; i++) {
        char path[4096];
        verify_progress(verify, n_bytes[i]);
        if (!checked[i] || !checked[i]->is_wrong)
            continue;
        verify_path(verify, place, files[i]->name, path);
        verify_report(verify, path, VERIFY_ACT_SNAPSHOT, "it is the same file as one of which something is said above");
    }
    return true;
}

void verify_note_shared(struct verify *verify, const struct verify_place *place, const struct verify_files *window, bool is_wrong)
{
    if (note_file(verify, place, window->raw, is_wrong) == 0)
        note_file(verify, place, window->tier, is_wrong);
}

/* ---- one snapshot, all of them ---- */

/* What a snapshot says of itself, and whether it shows the state of which its position was handed out. */
void verify_snapshot_facts(struct verify *verify)
{
    char told[4096];
    struct reader_dir *dir = NULL;
    struct view *view = NULL;
    struct snapshot_info info;
    char *position = NULL;
    verify_catalog_path(verify, told);
    int rc = snapshot_read(verify->dir, "", &info, &position);
    if (!rc && info.created_us >= info.expires_us)
        verify_report(verify, told, VERIFY_ACT_SNAPSHOT, "it does not say when it was made and how long it is kept");
    int opened = position ? reader_dir_open(verify->dir, &dir, NULL) : 0;
    opened = opened || !position ? opened : view_open(dir, &view, NULL);
    if (!opened && position && strcmp(position, view_position(view)) != 0)
        verify_report(verify, told, VERIFY_ACT_SNAPSHOT, "it shows another state than when it was made");
    view_close(view);
    reader_dir_close(dir);
    free(position);
    if (rc == ERR_NOMEM || opened == ERR_NOMEM)
        verify->rc = ERR_NOMEM;
    else if (rc)
        verify_report(verify, told, VERIFY_ACT_SNAPSHOT, "what it says of itself cannot be read: %s", err_name(rc));
    else if (opened)
        verify_report(verify, told, VERIFY_ACT_SNAPSHOT, "it cannot be opened: %s", err_name(opened));
}

/* Puts a snapshot at work, and the store again. */
static int check_snapshot(struct verify *verify, const char *name)
{
    char dir[4096], prefix[300];
    struct stat stat_of;
    const char *store_dir = verify->dir;
    struct verify_counts store = verify->counts;
    snprintf(dir, sizeof(dir), "%s/snapshots/%s", store_dir, name);
    snprintf(prefix, sizeof(prefix), "snapshots/%s/", name);
    if (stat(dir, &stat_of) || !S_ISDIR(stat_of.st_mode))
        return 0; /* of one that expired its name is left */
    verify->dir = dir;
    verify->prefix = prefix;
    verify->folder = stat_of.st_ino;
    verify_directory(verify);
    verify->dir = store_dir;
    verify->prefix = "";
    verify->folder = 0;
    store.n_snapshots++;
    store.n_files = verify->counts.n_files;
    store.n_bytes = verify->counts.n_bytes;
    store.n_wrong = verify->counts.n_wrong;
    store.n_remarks = verify->counts.n_remarks;
    verify->counts = store;
    return verify->rc;
}

static int add_snapshot_sizes(struct verify *verify, const char *name)
{
    char dir[4096];
    const char *store_dir = verify->dir;
    snprintf(dir, sizeof(dir), "%s/snapshots/%s", store_dir, name);
    verify->dir = dir;
    verify_add_sizes(verify);
    verify->dir = store_dir;
    return verify->rc;
}

/* Those that are whole: others are being made or removed, or the rest of a crash, which goes with the next one that is made. */
static void walk_snapshots(struct verify *verify, int (*visit)(struct verify *verify, const char *name))
{
    char path[4096];
    struct dirent **names;
    snprintf(path, sizeof(path), "%s/snapshots", verify->dir);
    int n = verify->opts->without_snapshots ? -1 : scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        size_t size = strlen(names[i]->d_name);
        bool is_part = size > 5 && strcmp(names[i]->d_name + size - 5, ".part") == 0;
        if (names[i]->d_name[0] != '.' && !is_part && !verify->rc)
            visit(verify, names[i]->d_name);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    else if (errno == ENOMEM)
        verify->rc = ERR_NOMEM;
}

void verify_snapshots_sizes(struct verify *verify)
{
    walk_snapshots(verify, add_snapshot_sizes);
}

void verify_snapshots(struct verify *verify)
{
    walk_snapshots(verify, check_snapshot);
}

#include <config.h>

#include "store/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/files.h"
#include "common/hash.h"
#include "store/folders.h"
#include "store/partition.h"

struct writing {
    const char *dir;
    FILE *out;
    struct err_text *error;
};

static void put_file(FILE *out, const char *topic, int32_t partition, const struct file *file)
{
    char hex[HASH_HEX_MAX];
    hash_hex(file->digest, hex);
    fprintf(out, "%s %lld %lld %s/%d/%s\n", hex, (long long)file->bytes, (long long)file->mark, topic, partition, file->name);
}

static int put_partition(void *arg, const char *topic, int32_t partition)
{
    struct writing *writing = arg;
    struct file_list files = {0};
    struct db *db;
    char path[4096];
    snprintf(path, sizeof(path), "%s/store/%s/%d/ingest.db", writing->dir, topic, partition);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &ingest_format}, &db, writing->error);
    if (rc)
        return rc;
    rc = file_list_read(db, &files);
    if (rc)
        db_error(db, writing->error, rc, "read");
    for (size_t i = 0; i < files.n; i++)
        if (files.at[i].kind != FILE_OPEN)
            put_file(writing->out, topic, partition, &files.at[i]);
    file_list_free(&files);
    db_close(db);
    return rc;
}

int manifest_write(const char *dir, struct err_text *error)
{
    char path[4096], tmp_path[4096];
    snprintf(path, sizeof(path), "%s/store/manifest", dir);
    snprintf(tmp_path, sizeof(tmp_path), "%s/store/manifest.tmp", dir);
    FILE *out = fopen(tmp_path, "we");
    if (!out)
        return err_set(error, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot write \"%s\": %s", tmp_path,
                       strerror(errno));
    struct writing writing = {dir, out, error};
    int rc = folders_walk(dir, put_partition, &writing);
    bool failed = ferror(out);
    failed = fclose(out) || failed;
    int wrote = rc ? 0 : failed ? (errno == ENOSPC ? ERR_FULL : ERR_IO) : files_sync(tmp_path);
    wrote = rc || wrote ? wrote : files_rename(tmp_path, path);
    wrote = rc || wrote ? wrote : files_sync_folder_of(path);
    if (wrote)
        rc = err_set(error, wrote, "cannot write \"%s\": %s", path, strerror(errno));
    if (rc)
        files_unlink(tmp_path);
    return rc;
}

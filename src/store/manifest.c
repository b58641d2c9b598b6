#include <config.h>

#include "store/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/files.h"
#include "common/hash.h"

static int write_partition(FILE *out, struct partition *partition, struct err_text *error)
{
    struct file_list files = {0};
    int rc = partition_files(partition, &files, error);
    for (size_t i = 0; i < files.n; i++) {
        const struct file *file = &files.at[i];
        char hex[HASH_HEX_MAX];
        if (file->kind == FILE_OPEN)
            continue;
        hash_hex(file->digest, hex);
        fprintf(out, "%s %lld %lld %s/%d/%s\n", hex, (long long)file->bytes, (long long)file->mark,
                partition_topic(partition), partition_number(partition), file->name);
    }
    file_list_free(&files);
    return rc;
}

int manifest_write(const char *dir, struct partition *const *partitions, size_t n, struct err_text *error)
{
    char path[4096], tmp_path[4096];
    snprintf(path, sizeof(path), "%s/store/manifest", dir);
    snprintf(tmp_path, sizeof(tmp_path), "%s/store/manifest.tmp", dir);
    FILE *out = fopen(tmp_path, "we");
    if (!out)
        return err_set(error, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot write \"%s\": %s", tmp_path,
                       strerror(errno));
    int rc = 0;
    for (size_t i = 0; i < n && !rc; i++)
        rc = write_partition(out, partitions[i], error);
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

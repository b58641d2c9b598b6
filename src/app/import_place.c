#include <config.h>

#include "app/import_place.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/files.h"
#include "common/hash.h"

#define FIRST_LINE "almanac import 1\n"

int import_place_find(const char *dir, const char *file, const struct stat *stat, const char *options,
                      struct import_place *ret_place, struct err_text *error)
{
    char real[PATH_MAX], hex[HASH_HEX_MAX], folder[PATH_MAX];
    uint8_t hash[HASH_BYTES];
    struct buf key = {0};
    struct import_place place = {.n_done = 0};
    if (!realpath(file, real))
        snprintf(real, sizeof real, "%s", file);
    buf_printf(&key, "%s\n%ju %ju %jd %jd %ld\n%s", real, (uintmax_t)stat->st_dev, (uintmax_t)stat->st_ino,
               (intmax_t)stat->st_size, (intmax_t)stat->st_mtim.tv_sec, stat->st_mtim.tv_nsec, options);
    if (key.failed) {
        buf_free(&key);
        return ERR_NOMEM;
    }
    hash_bytes(key.data, key.n, hash);
    buf_free(&key);
    hash_hex(hash, hex);
    snprintf(folder, sizeof folder, "%s/run", dir);
    int code = files_make_folder(folder);
    if (code != 0 && code != ERR_EXISTS)
        return err_set(error, code, "cannot make the folder \"%s\": %s", folder, strerror(errno));
    int n = snprintf(place.path, sizeof place.path, "%s/import-%.16s", folder, hex);
    if (n < 0 || (size_t)n >= sizeof place.path)
        return err_set(error, ERR_INVALID, "the name of the data directory is too long");
    FILE *in = fopen(place.path, "re");
    int64_t n_done;
    if (in && fscanf(in, FIRST_LINE "messages %" SCNd64, &n_done) == 1 && n_done > 0)
        place.n_done = n_done;
    if (in)
        fclose(in);
    *ret_place = place;
    return 0;
}

int import_place_keep(struct import_place *place, int64_t n_done, struct err_text *error)
{
    char path[sizeof place->path + 8];
    if (!place->path[0] || n_done == place->n_done)
        return 0;
    snprintf(path, sizeof path, "%s.new", place->path);
    FILE *out = fopen(path, "we");
    bool good = out && fprintf(out, FIRST_LINE "messages %" PRId64 "\n", n_done) > 0;
    good = (!out || fclose(out) == 0) && good && rename(path, place->path) == 0;
    if (!good)
        return err_set(error, ERR_IO, "cannot keep in \"%s\" how far the import is: %s", place->path, strerror(errno));
    place->n_done = n_done;
    return 0;
}

void import_place_forget(struct import_place *place)
{
    if (place->path[0])
        files_unlink(place->path);
}

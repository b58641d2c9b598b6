#include <config.h>

#include "http/export_manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/array.h"
#include "common/jsontext.h"

#define BLOCK_BYTES (1 << 16)

/* ---- writing ---- */

static void put_groups(const struct export_plan *plan, struct buf *out)
{
    struct export_part part;
    buf_puts(out, ",\n\"groups\":[");
    for (size_t group = 0; group < plan->n_groups && plan->n_windows; group++) {
        export_plan_part(plan, group * plan->n_windows, &part);
        buf_printf(out, "%s{\"group\":%zu,\"series\":[", group ? ",\n" : "\n", part.group);
        for (size_t i = 0; i < part.n_ids; i++)
            buf_printf(out, "%s%" PRIu32, i ? "," : "", part.ids[i]);
        buf_puts(out, "]}");
    }
    buf_puts(out, "]");
}

static void put_files(const struct export_plan *plan, const struct export_entry *entries, struct buf *out)
{
    uint64_t n_files = 0, n_rows = 0, n_bytes = 0;
    struct export_part part;
    buf_puts(out, ",\n\"files\":[");
    for (size_t i = 0; i < plan->n_groups * plan->n_windows; i++) {
        const struct export_entry *entry = &entries[i];
        if (!entry->n_rows)
            continue;
        export_plan_part(plan, i, &part);
        buf_printf(out, "%s{\"name\":\"%s\",\"group\":%zu,\"from\":", n_files++ ? ",\n" : "\n", part.name, part.group);
        jsontext_put_time(out, part.from_us);
        buf_puts(out, ",\"to\":");
        jsontext_put_time(out, part.to_us);
        buf_printf(out, ",\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"sha256\":\"%s\"}", entry->n_rows, entry->n_bytes,
                   entry->sha256);
        n_rows += entry->n_rows;
        n_bytes += entry->n_bytes;
    }
    buf_printf(out, "],\n\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n", n_rows, n_bytes);
}

int export_manifest_write(const char *folder, const struct export_request *request, const struct export_plan *plan,
                          const struct export_entry *entries, const char *position, struct err_text *error)
{
    struct buf out = {0};
    buf_puts(&out, "{\"almanac_export\":1,\n\"snapshot\":");
    jsontext_put(&out, request->snapshot);
    buf_puts(&out, ",\n\"position\":");
    jsontext_put(&out, position);
    buf_puts(&out, ",\n\"parameters\":");
    int rc = export_request_put_parameters(&request->parameters, &out);
    if (plan->n_windows) {
        buf_puts(&out, ",\n\"from\":");
        jsontext_put_time(&out, plan->edges_us[0]);
        buf_puts(&out, ",\"to\":");
        jsontext_put_time(&out, plan->edges_us[plan->n_windows]);
    }
    put_groups(plan, &out);
    put_files(plan, entries, &out);
    rc = rc ? rc : export_write_whole(folder, EXPORT_MANIFEST, &out, error);
    buf_free(&out);
    return rc;
}

/* ---- reading ---- */

int export_sum_file(const char *path, char ret_sha256[static HASH_HEX_MAX], uint64_t *ret_bytes)
{
    uint8_t *block = malloc(BLOCK_BYTES), hash[HASH_BYTES];
    struct hash_sha256 sum;
    uint64_t n_bytes = 0;
    ssize_t n = -1;
    int fd = block ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int rc = !block ? ERR_NOMEM : fd < 0 ? errno == ENOENT ? ERR_NOTFOUND : ERR_IO : 0;
    hash_sha256_begin(&sum);
    while (!rc && ((n = read(fd, block, BLOCK_BYTES)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0) {
            hash_sha256_add(&sum, block, (size_t)n);
            n_bytes += (uint64_t)n;
        }
    rc = rc ? rc : n < 0 ? ERR_IO : 0;
    if (fd >= 0)
        close(fd);
    free(block);
    if (rc)
        return rc;
    hash_sha256_end(&sum, hash);
    hash_hex(hash, ret_sha256);
    *ret_bytes = n_bytes;
    return 0;
}

void export_listing_free(struct export_listing *listing)
{
    free(listing->rows);
    *listing = (struct export_listing){0};
}

static int add_file(struct export_listing *listing, const char *name, const char *sha256, uint64_t n_bytes)
{
    struct export_listed listed = {.n_bytes = n_bytes};
    uint8_t hash[HASH_BYTES];
    if (strlen(name) >= sizeof(listed.name) || strchr(name, '/') || *name == '.' || hash_from_hex(sha256, hash))
        return ERR_CORRUPT;
    if (array_grow(&listing->rows, &listing->cap, listing->n + 1, sizeof(*listing->rows)))
        return ERR_NOMEM;
    snprintf(listed.name, sizeof(listed.name), "%s", name);
    hash_hex(hash, listed.sha256);
    listing->rows[listing->n++] = listed;
    return 0;
}

static int add_files(struct export_listing *listing, json_t *files)
{
    size_t i;
    json_t *file;
    int rc = json_is_array(files) ? 0 : ERR_CORRUPT;
    json_array_foreach(files, i, file) {
        const char *name, *sha256;
        json_int_t n_rows, n_bytes;
        if (json_unpack(file, "{s:s, s:s, s:I, s:I}", "name", &name, "sha256", &sha256, "rows", &n_rows, "bytes", &n_bytes))
            return ERR_CORRUPT;
        if ((rc = add_file(listing, name, sha256, (uint64_t)n_bytes)))
            return rc;
        listing->n_rows += (uint64_t)n_rows;
        listing->n_bytes += (uint64_t)n_bytes;
    }
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct export_listed *)a)->name, ((const struct export_listed *)b)->name);
}

int export_listing_read(const char *folder, struct export_listing *ret_listing, struct err_text *error)
{
    struct export_listing listing = {0};
    char path[PATH_MAX], sha256[HASH_HEX_MAX];
    json_error_t why;
    uint64_t n_bytes;
    snprintf(path, sizeof(path), "%.4000s/" EXPORT_MANIFEST, folder);
    int rc = export_sum_file(path, sha256, &n_bytes);
    if (rc)
        return err_set(error, rc, "cannot read \"%s\": %s", path, strerror(errno));
    json_t *json = json_load_file(path, 0, &why);
    rc = json ? add_files(&listing, json_object_get(json, "files")) : ERR_CORRUPT;
    rc = rc ? rc : add_file(&listing, EXPORT_MANIFEST, sha256, n_bytes);
    json_decref(json);
    if (rc) {
        export_listing_free(&listing);
        return err_set(error, rc, "\"%s\" is no manifest of an export", path);
    }
    qsort(listing.rows, listing.n, sizeof(*listing.rows), by_name);
    *ret_listing = listing;
    return 0;
}

const struct export_listed *export_listing_find(const struct export_listing *listing, const char *name)
{
    struct export_listed key;
    if (!listing->n || strlen(name) >= sizeof(key.name))
        return NULL;
    snprintf(key.name, sizeof(key.name), "%s", name);
    return bsearch(&key, listing->rows, listing->n, sizeof(*listing->rows), by_name);
}

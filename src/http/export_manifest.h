/* The manifest of an export: which files there are, their rows, times and SHA-256, and of what state they are. It is written
 * last, so a folder with one is whole. docs/FORMAT.md ("Exports"). */
#ifndef HTTP_EXPORT_MANIFEST_H
#define HTTP_EXPORT_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/hash.h"
#include "http/export_plan.h"
#include "http/export_request.h"

#define EXPORT_MANIFEST "manifest.json"

/* What a file of the plan came to; one without rows is not there. */
struct export_entry {
    bool is_done;
    uint64_t n_rows, n_bytes;
    char sha256[HASH_HEX_MAX];
};

/* entries: of every part of the plan, done. position: view_position of the snapshot. The bytes depend on nothing else. */
MUST_CHECK int export_manifest_write(const char *folder, const struct export_request *request, const struct export_plan *plan,
                                     const struct export_entry *entries, const char *position, struct err_text *error);

/* What is needed of it to hand the files out: the manifest itself among them, by name. */
struct export_listing {
    struct export_listed {
        char name[EXPORT_NAME_MAX], sha256[HASH_HEX_MAX];
        uint64_t n_bytes;
    } *rows;
    size_t n, cap;
    uint64_t n_rows, n_bytes; /* of all files */
};
void export_listing_free(struct export_listing *listing);
/* ERR_NOTFOUND without a manifest; ERR_CORRUPT, ERR_IO, ERR_NOMEM; then nothing is to be freed. */
MUST_CHECK int export_listing_read(const char *folder, struct export_listing *ret_listing, struct err_text *error);
const struct export_listed *export_listing_find(const struct export_listing *listing, const char *name);

/* The SHA-256 and size of a file. ERR_NOTFOUND, ERR_IO. */
MUST_CHECK int export_sum_file(const char *path, char ret_sha256[static HASH_HEX_MAX], uint64_t *ret_bytes);

#endif

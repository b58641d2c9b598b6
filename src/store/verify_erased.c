/* Verify: the list of erased entities, and that the catalog has none of those that are done. A file that has still something of
 * one is found as any other whose series the catalog does not know. */
#include <config.h>

#include "store/verify_inside.h"

#include <stdio.h>
#include <sys/stat.h>

#include "store/erased.h"
#include "store/erasure.h"
#include "store/rewrite.h"

static void check_catalog(struct verify *verify)
{
    char told[4096];
    struct forget_ids ids = {0};
    struct erased *erased;
    int64_t last, since_us;
    if (erased_new(verify->dir, &erased)) {
        verify->rc = ERR_NOMEM;
        return;
    }
    int rc = erasure_pending(verify->dir, &last, &since_us, NULL);
    rc = rc ? rc : erased_follow(erased, NULL, NULL);
    rc = rc || last ? rc : rewrite_find(verify->dir, erased, &ids, NULL);
    verify_catalog_path(verify, told);
    if (!rc && ids.n)
        verify_report(verify, told, VERIFY_ACT_ERASED, "it has %zu series of entities that were erased", ids.n);
    forget_ids_free(&ids);
    erased_free(erased);
    if (rc == ERR_NOMEM)
        verify->rc = rc;
}

void verify_erased(struct verify *verify)
{
    char path[4096], told[4096];
    struct err_text error = {0};
    struct db *db;
    struct stat stat_of;
    erased_path(verify->dir, path, sizeof(path));
    snprintf(told, sizeof(told), "erased.db");
    int rc = erased_open_file(path, DB_READ, &db, &error);
    if (rc == ERR_NOTFOUND) /* nothing was ever erased */
        return;
    if (rc) {
        verify->rc = rc == ERR_NOMEM ? rc : verify_report(verify, told, VERIFY_ACT_ERASED, "%s", error.text);
        return;
    }
    if (!*verify->prefix) {
        verify->counts.n_files++;
        verify_integrity(verify, told, db, VERIFY_ACT_ERASED);
        verify_add_bytes(verify, stat(path, &stat_of) ? 0 : stat_of.st_size);
    }
    db_close(db);
    if (!verify->rc)
        check_catalog(verify);
}

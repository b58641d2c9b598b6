/* Verify: assets.db against itself. */
#include <config.h>

#include "store/verify_inside.h"

#include <stdio.h>
#include <sys/stat.h>

#include "store/assets_file.h"

/* Whatever an asset refers to is there, and each series and meter change is declared as its document says it is. */
static int check_documents(struct verify *verify, const char *told, struct db *db)
{
    int64_t n_dangling = 0, n_declared = 0;
    int rc = db_get_i64(db, "SELECT count(*) FROM asset a WHERE parent <> '' AND NOT EXISTS (SELECT 1 FROM asset p WHERE "
                            "p.kind = a.parent_kind AND p.id = a.parent)", &n_dangling);
    rc = rc ? rc : db_get_i64(db, "SELECT abs((SELECT count(*) FROM asset WHERE kind = 'Series') - (SELECT count(*) FROM "
                                  "declaration)) + abs((SELECT count(*) FROM asset WHERE kind = 'MeterChange') - "
                                  "(SELECT count(*) FROM meter_change))", &n_declared);
    if (rc)
        return verify_fail(verify, told, VERIFY_ACT_ASSETS, rc, "its documents cannot be read");
    if (n_dangling)
        verify_report(verify, told, VERIFY_ACT_ASSETS, "%lld assets belong to something that is not there",
                      (long long)n_dangling);
    if (n_declared)
        verify_report(verify, told, VERIFY_ACT_ASSETS, "%lld declarations more or less than documents", (long long)n_declared);
    return verify->rc;
}

void verify_assets(struct verify *verify)
{
    char path[4096], told[4096];
    struct err_text error = {0};
    struct db *db;
    struct stat stat_of;
    snprintf(path, sizeof(path), "%s/assets.db", verify->dir);
    snprintf(told, sizeof(told), "%sassets.db", verify->prefix);
    int rc = db_open(&(struct db_opts){.path = path, .mode = DB_READ, .format = &assets_format}, &db, &error);
    if (rc == ERR_NOTFOUND) /* no document has come yet */
        return;
    verify->counts.n_files++;
    if (rc) {
        verify->rc = rc == ERR_NOMEM ? rc : verify_report(verify, told, VERIFY_ACT_ASSETS, "%s", error.text);
        return;
    }
    if (!verify_integrity(verify, told, db, VERIFY_ACT_ASSETS))
        check_documents(verify, told, db);
    verify_add_bytes(verify, stat(path, &stat_of) ? 0 : stat_of.st_size);
    db_close(db);
}

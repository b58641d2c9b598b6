#include <config.h>

#include "vault/folder.h"

#include <limits.h>
#include <stdio.h>

static int join(const char *folder, const struct db_opts *file, char out[static PATH_MAX], struct err_text *error)
{
    return snprintf(out, PATH_MAX, "%s/%s", folder, file->path) < PATH_MAX
               ? 0
               : err_set(error, ERR_INVALID, "the name of the vault's folder is too long");
}

int folder_open(const char *folder, const struct db_opts *file, enum db_mode mode, struct db **ret_db,
                struct err_text *error)
{
    char path[PATH_MAX];
    struct db_opts opts = *file;
    int code = join(folder, file, path, error);
    opts.path = path;
    opts.mode = mode;
    return code == 0 ? db_open(&opts, ret_db, error) : code;
}

int folder_create(const char *folder, const struct db_opts *file, struct err_text *error)
{
    struct db *db;
    int code = folder_open(folder, file, DB_CREATE, &db, error);
    if (code != 0)
        return code;
    code = db_leave_wal(db);
    if (code != 0)
        db_error(db, error, code, "make");
    db_close(db);
    return code;
}

/* The databases in the vault's folder, which differ in what is in them alone. */
#ifndef VAULT_FOLDER_H
#define VAULT_FOLDER_H

#include "db/db.h"

/* As db_open; file says what is alike at each opening, its path is the name in the folder. */
MUST_CHECK int folder_open(const char *folder, const struct db_opts *file, enum db_mode mode, struct db **ret_db,
                           struct err_text *error);
/* Makes the file, closed and whole without a log. ERR_EXISTS, ERR_IO, ERR_FULL. */
MUST_CHECK int folder_create(const char *folder, const struct db_opts *file, struct err_text *error);

#endif

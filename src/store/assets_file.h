/* DIR/assets.db for the process that ingests: takes documents in (model/document.h). The file is made by the first of them. */
#ifndef STORE_ASSETS_FILE_H
#define STORE_ASSETS_FILE_H

#include "common/err.h"
#include "db/db.h"
#include "model/document.h"

extern const struct db_format assets_format;

struct assets_file;

/* Opens dir's file where there is one. ERR_VERSION, ERR_CORRUPT, ERR_IO, ERR_NOMEM. */
MUST_CHECK int assets_file_open(const char *dir, struct assets_file **ret_file, struct err_text *error);
/* Leaves the file readable without -wal. */
void assets_file_close(struct assets_file *file);

/* From now on documents that name an erased entity are refused, as `erased`. It must live as long as the file. */
struct erased;
void assets_file_watch(struct assets_file *file, struct erased *erased);

/* Documents that name an erased entity go, and the file is written anew so that nothing is left of them; *ret_whole as of
 * db_forget. From any thread. */
MUST_CHECK int assets_file_forget(struct assets_file *file, struct erased *erased, bool *ret_whole, struct err_text *error);

/* The calls come from one thread; the sink lives as long as the file. */
struct documents_sink *assets_file_sink(struct assets_file *file);

#endif

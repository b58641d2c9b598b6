/* Inside of the read side: what assets.db declares of series, kept in memory and brought up when another connection has written
 * (store/reader.c asks for it). */
#ifndef STORE_ASSETS_READER_H
#define STORE_ASSETS_READER_H

#include "store/assets.h"

struct assets_reader;

MUST_CHECK int assets_reader_new(const char *dir, struct assets_reader **ret_reader);
void assets_reader_free(struct assets_reader *reader);

/* Takes in what was written since. Errors of the file. */
MUST_CHECK int assets_reader_follow(struct assets_reader *reader, struct err_text *error);
/* Fills in what is declared of the series, as it was last taken in. */
void assets_reader_declare(struct assets_reader *reader, struct series_info *info);
/* As assets_version, of what was taken in. */
int64_t assets_reader_version(struct assets_reader *reader);
/* The refused documents. */
MUST_CHECK int assets_reader_refused(struct assets_reader *reader, int (*row)(void *arg, const struct dead_letter *letter),
                                     void *arg);

/* The reader's. */
struct assets_reader *reader_dir_assets(struct reader_dir *dir);

#endif

/* What the catalog says of series that were asked for lately: their rows, and the sources that hold them. Asking SQLite takes
 * ten times as long as looking here, most of it for the locks of the file, and a small query asks several times.
 *
 * It holds as long as nobody else changes the catalog: the owner watches that (db_stamp) and clears it. One thread
 * at a time. Where memory is short, less is kept. */
#ifndef STORE_MEMO_H
#define STORE_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/reader.h"

struct memo;
struct memo *memo_new(void); /* NULL: out of memory */
void memo_free(struct memo *memo);
void memo_clear(struct memo *memo);

/* The row of a series, without what is declared; its texts are the memo's, until the next memo_keep_row or memo_clear. */
bool memo_row(const struct memo *memo, uint32_t series_id, struct series_info *ret_row);
void memo_keep_row(struct memo *memo, const struct series_info *row);

/* Kind, and ids of the sources; these are the memo's, until the next memo_keep_places or memo_clear. */
struct memo_places {
    enum kind kind;
    const int64_t *sources;
    size_t n;
};
bool memo_places(const struct memo *memo, uint32_t series_id, struct memo_places *ret_places);
void memo_keep_places(struct memo *memo, uint32_t series_id, const struct memo_places *places);

#endif

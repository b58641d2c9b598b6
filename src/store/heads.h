/* What is not flushed yet of series that were asked for lately, settled: of one state of a source, shared by its views and by
 * threads. A head is put together from every batch that has something of the series, one a second while a slow series fills, and
 * a query asks for it several times. */
#ifndef STORE_HEADS_H
#define STORE_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/rows.h"

/* Larger heads are not kept: putting them together again is not dearer than reading them. */
#define HEADS_ROWS_MAX 1024

struct head {
    _Atomic int refs;
    uint32_t series_id;
    bool has_replayed; /* some rows are replayed dead letters: the layers below have their say */
    struct settled settled;
};
struct head *head_new(uint32_t series_id); /* held once; NULL: out of memory */
void head_drop(struct head *head);         /* NULL is fine */

struct heads;
struct heads *heads_new(void); /* NULL: out of memory */
void heads_free(struct heads *heads); /* NULL is fine; heads that are held live on */

/* The head of a series, held once more, or NULL. */
struct head *heads_take(struct heads *heads, uint32_t series_id);
/* Keeps a head, which does not change from here on, in place of another one. */
void heads_keep(struct heads *heads, struct head *head);

#endif

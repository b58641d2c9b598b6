/* Erased entities leave an SQLite file of the store: which rows are theirs, and that no page keeps what was deleted. */
#ifndef STORE_FORGET_H
#define STORE_FORGET_H

#include <stdbool.h>
#include <stdint.h>

#include "db/db.h"
#include "store/erased.h"

/* Ids of the series that a statement text finds: rows of id and entity's name. */
struct forget_ids {
    int64_t *at;
    size_t n, cap;
};
void forget_ids_free(struct forget_ids *ids);
MUST_CHECK int forget_find(struct db *db, const char *sql, struct erased *erased, struct forget_ids *ids);

/* The same of rows of id and a text that names an erased entity. */
MUST_CHECK int forget_find_named(struct db *db, const char *sql, struct erased *erased, struct forget_ids *ids);

/* Runs a statement text with the only parameter :id for each. */
MUST_CHECK int forget_each(struct db *db, const struct forget_ids *ids, const char *sql);

/* Makes temp.gone (id) of them. */
MUST_CHECK int forget_table(struct db *db, const struct forget_ids *ids);

#endif

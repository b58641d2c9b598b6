/* The tier file of a sealed window (sql/tier.sql): cells and the rows for people. docs/FORMAT.md ("Tier file"). */
#ifndef STORE_TIER_FILE_H
#define STORE_TIER_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/points.h"
#include "common/err.h"
#include "rollup/cell.h"
#include "store/catalog.h"
#include "store/retention.h"
#include "store/window_file.h"

extern const struct db_format tier_format;

/* What the CRC of a block covers beside its bytes. */
static inline uint64_t tier_file_key(uint32_t series_id, enum tier tier)
{
    return UINT64_C(1) << 40 | (uint64_t)tier << 32 | series_id;
}

/* Replaces cells by those of a series' readings in force, in time order, where they belong into a tier file (*ret_worth): a
 * tier is written where its cells condense min_readings (TIER_MIN_READINGS) or more on average, and no interval reaches over
 * a cell's edge. ERR_NOMEM. */
MUST_CHECK int tier_compute(const struct series_row *series, const struct points *points, enum tier tier,
                            size_t min_readings, struct cells *cells, bool *ret_worth);

struct tier_file;

MUST_CHECK int tier_file_create(const char *path, const struct file_facts *facts, struct tier_file **ret_file,
                                struct err_text *error);
MUST_CHECK int tier_file_open(const char *path, struct tier_file **ret_file, struct err_text *error);
void tier_file_close(struct tier_file *file);
struct db *tier_file_db(struct tier_file *file);

/* Before anything is put: only these tiers are written (a bit each), and the rows for people only with 15 min. With sparse,
 * 15 min is written also where its cells condense nothing: they stand for readings that expire. */
void tier_file_limit(struct tier_file *file, unsigned tiers, bool sparse);

/* Derives and writes everything about one series from its readings in force, in time order. */
MUST_CHECK int tier_file_put(struct tier_file *file, const struct series_row *series, const struct points *points);

/* Copies what from has of these tiers to a new file, blocks as they are. */
MUST_CHECK int tier_file_copy(struct tier_file *from, unsigned tiers, struct tier_file *to);

/* Walks over all series, by id. */
MUST_CHECK int tier_file_series(struct tier_file *file, int (*row)(void *arg, const struct series_row *series), void *arg);

/* Which tiers a series has here: bit i for tier i. ERR_NOTFOUND: it had no readings in this window. */
MUST_CHECK int tier_file_tiers(struct tier_file *file, uint32_t series_id, unsigned *ret_tiers);

/* Appends the cells of a series in [begin_us, end_us). */
MUST_CHECK int tier_file_read(struct tier_file *file, uint32_t series_id, enum tier tier, int64_t begin_us,
                              int64_t end_us, struct cells *cells);

#endif

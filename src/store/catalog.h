/* DIR/catalog.db for the writer: models into the registry, series out of it. */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "db/db.h"
#include "model/registry.h"

#define UUID_TEXT_MAX 37

extern const struct db_format catalog_format;

/* What a series is, as every file says it. */
struct series_row {
    uint32_t id;
    char entity[LIMIT_ENTITY_BYTES + 1], type[LIMIT_NAME_BYTES + 1], property[LIMIT_NAME_BYTES + 1];
    char unit[LIMIT_UNIT_BYTES + 1];
    enum kind kind;
    bool step;
};

struct catalog;

/* Makes catalog.db with the models of sql/models.sql and a new uuid. ERR_EXISTS. */
MUST_CHECK int catalog_create(const char *dir, struct err_text *error);

/* Its calls come from any thread. Opens it for writing, adds models that this version brings and the file lacks, and
 * fills registry. */
MUST_CHECK int catalog_open(const char *dir, struct registry *registry, struct catalog **ret_catalog,
                            struct err_text *error);
/* Fills registry with the models and series of the catalog, and only reads. */
MUST_CHECK int catalog_load(const char *dir, struct registry *registry, struct err_text *error);
/* Leaves the file readable without -wal. */
void catalog_close(struct catalog *catalog);
const char *catalog_uuid(const struct catalog *catalog);
/* Keeps how many partitions other members of the consumer group have. */
MUST_CHECK int catalog_elsewhere(struct catalog *catalog, int32_t n_partitions, struct err_text *error);
bool catalog_is_restored(const struct catalog *catalog);

/* Makes the copy of a store in dir a store of its own, with a new uuid: a position or a commit of the one that it was copied
 * from says nothing about it. Its sources are told, too. Nobody has it open. */
MUST_CHECK int catalog_restore(const char *dir, struct err_text *error);

/* The catalog's id of a topic-partition, made when new. */
MUST_CHECK int catalog_source(struct catalog *catalog, const char *topic, int32_t partition, int64_t *ret_source,
                              struct err_text *error);

/* Persists, synced, the series that the registry has made since, and that series_ids have readings in source. */
MUST_CHECK int catalog_persist(struct catalog *catalog, struct registry *registry, int64_t source,
                               const uint32_t *series_i, size_t n_series, struct err_text *error);

/* Takes erased entities and their series out, and writes the file anew so that nothing is left of them; *ret_whole as of
 * db_forget. Their ids are never given again. */
struct erased;
MUST_CHECK int catalog_forget(struct catalog *catalog, struct erased *erased, bool *ret_whole, struct err_text *error);
/* The same in a copy that nobody writes. */
MUST_CHECK int catalog_forget_in(const char *dir, struct erased *erased, struct err_text *error);

/* ---- for other threads: a reading connection of their own ---- */

struct catalog_reader;
MUST_CHECK int catalog_reader_open(const char *dir, struct catalog_reader **ret_reader, struct err_text *error);
void catalog_reader_close(struct catalog_reader *reader);
MUST_CHECK int catalog_reader_series(struct catalog_reader *reader, uint32_t series_id, struct series_row *ret_series,
                                     struct err_text *error);
/* Whether more than one source has, or had, readings of the series. */
MUST_CHECK int catalog_reader_is_shared(struct catalog_reader *reader, uint32_t series_id, bool *ret_shared,
                                        struct err_text *error);

#endif

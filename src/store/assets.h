/* The read side of DIR/assets.db (docs/FORMAT.md): what is known of the things that readings are about. Customers, locations,
 * boards, sensors, rates, declarations of series, meter changes and calendars are documents of topic `assets` (contract
 * section 7), checked by ingest before they are here; outputs of optimizations are documents of topic `optimization`.
 *
 * Any thread; nothing is locked while a row function runs. A store that no document has reached yet has none. */
#ifndef STORE_ASSETS_H
#define STORE_ASSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/limits.h"
#include "store/reader.h"

/* Strings are valid during the call that hands them out; "" where there is none. */
struct asset {
    const char *kind;     /* "Customer" "Location" "MainDistributionBoard" "Sensor" "Rate" "Series" "MeterChange" "Calendar" */
    const char *id;       /* unique within its kind; of a Series "ENTITY PROPERTY", of a MeterChange "ENTITY PROPERTY TIME" */
    const char *type;     /* of a Sensor: "Main" "HeatPump" ... */
    const char *entity;   /* of a Sensor, a Series and a MeterChange: whose readings */
    const char *parent_kind, *parent; /* the Customer of a Location, the Location of a board, the MainDistributionBoard of a
                                       * Sensor, the MainDistributionBoard or Sensor of a Rate */
    const char *document; /* the JSON object as it was sent: numbers have their digits */
    int64_t start_us;     /* of a Rate, 0 else */
    int64_t known_ms;     /* Kafka timestamp of the message */
};

struct asset_filter {     /* NULL: any; kind as in struct asset */
    const char *kind, *id, *parent_kind, *parent, *entity;
};

/* Calls row for each asset that fits, by kind, and within a kind by id (rates by start, then id); a non-zero answer of row ends
 * the walk and is returned. */
MUST_CHECK int assets_each(struct reader_dir *dir, const struct asset_filter *filter,
                           int (*row)(void *arg, const struct asset *asset), void *arg, struct err_text *error);

/* Where an entity's sensor is: 1 with ids, 0 no sensor of that entity, or a code. Of several sensors the first by id counts. */
struct asset_place {
    char board[LIMIT_ENTITY_BYTES + 1], location[LIMIT_ENTITY_BYTES + 1];
};
MUST_CHECK int assets_place(struct reader_dir *dir, const char *entity, struct asset_place *ret_place, struct err_text *error);

/* A number that is another one whenever any asset has changed (not: an output of an optimization). 0: there are none. */
MUST_CHECK int assets_version(struct reader_dir *dir, int64_t *ret_version, struct err_text *error);

/* An output of an optimization. */
struct optimization {
    int64_t received_us;  /* its Kafka timestamp */
    int32_t partition;
    int64_t offset;
    const char *document; /* the JSON object as it was sent; valid during the call */
};

struct optimization_filter {
    int64_t from_us, to_us; /* received in [from_us, to_us); INT64_MIN and INT64_MAX: any time */
    int64_t limit;          /* at most so many; 0: all */
};

/* Calls row for each, the newest first; as assets_each. */
MUST_CHECK int optimization_each(struct reader_dir *dir, const struct optimization_filter *filter,
                                 int (*row)(void *arg, const struct optimization *output), void *arg, struct err_text *error);

#endif

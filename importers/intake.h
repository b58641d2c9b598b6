/* What importers hand over, on its way to Kafka: gathered into messages, decoded as the daemon will, counted.
 *
 * What the decoder refuses is told as a misfit with its line, and left out of the message: so it is no dead letter, and the
 * rest is stored. Messages are made in an order that the values alone decide, so that a second run makes the same ones. */
#ifndef IMPORTERS_INTAKE_H
#define IMPORTERS_INTAKE_H

#include "importers/importer.h"
#include "model/registry.h"

struct intake_opts {
    struct registry *registry; /* borrowed */
    int64_t now_ms;            /* what the decoder takes for Kafka's timestamp */
    int64_t future_max_us;
    int64_t oldest_us;         /* older readings are refused as `expired`; INT64_MIN: none */
    int64_t available_us;      /* each value's `issued` is its end and this; below 0: none */
    /* A message is complete, its key is the entity; a code that is not 0 ends the import. i: how many were gathered before it,
     * those of which nothing was left counted, too. */
    int (*message)(void *arg, int64_t i, const char *entity, const void *json, size_t size);
    int (*misfit)(void *arg, const struct misfit *misfit);
    void *arg;
};

struct intake_counts {
    int64_t rows, readings, refused;
    int64_t repeated; /* readings of a series and time that was met before (importers/tally.h) */
    int64_t replaced; /* of these, the ones with another value */
    int64_t n_gathered, n_messages; /* messages, and of these the ones of which something was left */
    int64_t from_us, to_us; /* the first time, and the last or the end of the last period; valid with readings */
};

struct intake;
MUST_CHECK int intake_new(const struct intake_opts *opts, struct intake **ret_intake);
void intake_free(struct intake *intake);
/* For struct importing, with the intake as arg. */
int intake_row(void *intake);
int intake_value(void *intake, const struct observation *observation);
int intake_misfit(void *intake, const struct misfit *misfit);
/* Makes messages of what is still open: at the end of each file. */
MUST_CHECK int intake_flush(struct intake *intake);

const struct intake_counts *intake_counts(const struct intake *intake);
/* The entities that readings were taken of, by name. The list is the caller's to free, the names are the registry's. */
MUST_CHECK int intake_entities(const struct intake *intake, const char ***ret_names, size_t *ret_n);

#endif

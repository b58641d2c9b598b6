/* Foreign files to values: what an importer of one kind gets, and what it hands over.
 *
 * An importer reads its source in a stream and needs bounded memory, however long it is. It hands over values one by one
 * (adapt/observation.h), in the order of the file, and tells of what does not fit; the rest (entities gathered into messages, the
 * decoder's own refusals, counts, Kafka) is of importers/intake. A value is refused alone; the values beside it are taken. */
#ifndef IMPORTERS_IMPORTER_H
#define IMPORTERS_IMPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapt/observation.h"
#include "common/err.h"
#include "common/zone.h"
#include "model/reading.h"
#include "model/registry.h"

#define IMPORT_LINE_BYTES (1 << 20) /* the longest line or segment; longer ones are refused as `size` */

struct import_opts {
    const char *map;          /* path of a mapping file; NULL none */
    struct pseudonyms *pseudonyms; /* where a mapping substitutes; NULL none */
    const char *zone_name;    /* as --tz has it; NULL */
    const struct zone *zone;  /* of local times without an offset; NULL: not named */
    bool own_zone;            /* ... are as the file says of itself (--tz file) */
    const char *user, *password, *token, *ca; /* of kinds that pull */
    int64_t from_us, to_us, step_us; /* of kinds that pull: [from, to), whole steps */
};

/* What the framework offers. Every function gives 0 or a code that ends the import and is passed on. */
struct importing {
    const struct import_opts *opts;
    const char *source; /* the file's path, or the URL */
    /* Some bytes, at most size; *ret_n 0 at the end. ERR_CORRUPT where a packed file is broken. */
    int (*read)(void *arg, void *out, size_t size, size_t *ret_n, struct err_text *error);
    int (*rewind)(void *arg, struct err_text *error); /* to the first byte, for a second pass */
    int (*row)(void *arg);                            /* one more row, reading or record was met */
    int (*value)(void *arg, const struct observation *observation);
    int (*misfit)(void *arg, const struct misfit *misfit);
    void *arg;
};

struct importer {
    const char *kind, *summary;
    bool needs_map;
    bool pulls;   /* its operand is a URL, not a file */
    int n_passes; /* over the file */
    /* ERR_INVALID: the source is no such file at all, or an option is wrong; what is wrong in parts of it is told as misfits. */
    int (*run)(const struct importing *importing, struct err_text *error);
};

extern const struct importer importer_csv;
extern const struct importer importer_greenbutton;
extern const struct importer importer_influx;
extern const struct importer importer_json;
extern const struct importer importer_mscons;
extern const struct importer importer_nem12;
extern const struct importer importer_pilot2;

/* NULL when there is no such kind. */
const struct importer *importer_find(const char *kind);
/* The kinds in order; NULL behind the last. */
const struct importer *importer_at(size_t i);

/* Tells of a misfit. */
MUST_CHECK int importing_refuse(const struct importing *importing, int64_t line, enum refusal_reason reason,
                                const char *format, ...) PRINTF_LIKE(4, 5);

/* ---- what several of them need ---- */

/* An entity's name: the kind, "-", and text; bytes that no entity may have become `_`. Where that changed something, or the name
 * was too long, "." and 8 digits of a hash of text follow, so that different texts stay different names. */
void importer_entity(const char *kind, const char *text, char ret_name[static LIMIT_ENTITY_BYTES + 1]);

/* Writes a number of a file as JSON has it: blanks around it and a plus sign go, digits missing before or behind the mark
 * become 0, mark is the decimal mark. ERR_INVALID: it is no number, or longer than IMPORT_NUMBER_BYTES. */
#define IMPORT_NUMBER_BYTES 64
MUST_CHECK int importer_number(const char *text, size_t size, char mark, char ret_number[static IMPORT_NUMBER_BYTES]);

#endif

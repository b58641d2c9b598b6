/* What the files of the mapper share; mapper.h is the outside. A reader of a format (records_*.c) finds the fields of
 * each record and calls mapper_record. */
#ifndef ADAPT_MAPPER_INSIDE_H
#define ADAPT_MAPPER_INSIDE_H

#include "adapt/mapper.h"
#include "adapt/wall.h"
#include "common/csv.h"
#include "normalise/scan.h"

/* What a field has in the record at hand. */
enum cell_kind {
    CELL_ABSENT, /* not there, or null */
    CELL_TEXT,
    CELL_MANY /* an array or object */
};
struct cell {
    const char *at;
    size_t size;
    enum cell_kind kind;
};

/* The parts of the document that a record has once: whether they are known, or have been refused. */
enum part_state { PART_UNKNOWN, PART_GOOD, PART_REFUSED };

/* Bytes of a text that is taken apart once it is whole. */
struct json_reader {
    struct buf text;
    struct scanner scanner;
    uint64_t arrays; /* which of the open containers are arrays; the innermost is the lowest bit */
    int depth;
    bool in_string, escaped, too_large;
    char before; /* the last byte that is no white space, outside of strings */
    int64_t line, begin_line;
    uint32_t *tokens; /* of each field, in the record at hand; 0 none */
    const char *star; /* of the record: the member or index of the last *; NULL none */
    size_t star_size;
};

struct csv_reader {
    struct csv csv;
    uint32_t *columns;          /* of each field; UINT32_MAX none */
    size_t n_columns, n_needed; /* of the header; those that are not unnamed at its end */
    size_t n_bom;               /* bytes of a byte order mark so far */
    bool begun, bound;
};

struct line_reader {
    struct buf text;
    bool too_large;
    int64_t line;
};

struct mapper {
    struct mapper_opts opts;
    const struct mapping *mapping;
    struct wall time_wall, issued_wall;
    bool has_time_wall, has_issued_wall;
    uint64_t seed;
    int64_t known_us;
    struct buf source;  /* the texts of @ fields */
    struct cell *cells; /* of the record at hand, by field */
    struct mapper_counts counts;
    bool deaf;    /* the rest of the source cannot be read */
    int64_t line; /* of the record at hand */
    struct buf entity, own_entity, type, property, unit, value, stamp;
    enum part_state entity_state, type_state, period_state, quality_state;
    struct csv_reader csv;
    struct json_reader json;
    struct line_reader lines;
};

/* Tells a misfit of the record at hand. 0, or what the callback answers. */
int mapper_refuse(struct mapper *mapper, enum refusal_reason reason, const char *format, ...) PRINTF_LIKE(3, 4);

/* Makes observations of the cells. 0, ERR_NOMEM, or what a callback answered. */
MUST_CHECK int mapper_record(struct mapper *mapper, int64_t line);

/* What an observation's parts become (texts.c). 1: it has them, 0: refused, and told; ERR_NOMEM or a callback's answer.
 */
int mapper_entity(struct mapper *mapper, const struct phrase *phrase, struct buf *out);
int mapper_choice(struct mapper *mapper, const struct choice *choice, enum refusal_reason reason, size_t bytes_max,
                  struct buf *out, const char **ret_text, int64_t *ret_number);
bool mapper_is_plain(const char *text, size_t size); /* UTF-8 without control characters */

MUST_CHECK int csv_reader_feed(struct mapper *mapper, const char *data, size_t size);
MUST_CHECK int csv_reader_end(struct mapper *mapper);
void csv_reader_begin(struct mapper *mapper);
void csv_reader_done(struct mapper *mapper);

MUST_CHECK int json_reader_feed(struct mapper *mapper, const char *data, size_t size);
MUST_CHECK int json_reader_end(struct mapper *mapper);
void json_reader_begin(struct mapper *mapper);
void json_reader_done(struct mapper *mapper);

MUST_CHECK int influx_reader_feed(struct mapper *mapper, const char *data, size_t size);
MUST_CHECK int influx_reader_end(struct mapper *mapper);

#endif

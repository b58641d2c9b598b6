/* Messages of the Arrow IPC streaming format, as the Arrow columnar format 1.5 has it
 * (arrow.apache.org/docs/format/Columnar.html, section "Serialization and Interprocess Communication"; tables of
 * Schema.fbs and Message.fbs; flatbuffers.dev/internals).
 *
 * A stream is the schema, a dictionary for each field that has one, record batches, and an end. Each message is
 *
 *     ff ff ff ff | u32 size of the metadata, filled up to 8 | metadata: a flatbuffer | body
 *
 * and the body is buffers one after the other, each filled up to 8 bytes. This module writes metadata; the caller
 * appends the body after it, in pieces as he likes, with arrow_pad after each buffer. All is little endian, as are
 * the machines this runs on. */
#ifndef HTTP_ARROW_H
#define HTTP_ARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define ARROW_TYPE "application/vnd.apache.arrow.stream"

enum arrow_type { ARROW_INT64, ARROW_DOUBLE, ARROW_DECIMAL128, ARROW_TIME_US, ARROW_UTF8 };

struct arrow_field {
    const char *name;
    enum arrow_type type;
    const char *zone;         /* of ARROW_TIME_US: its name */
    int precision, scale;     /* of ARROW_DECIMAL128 */
    int index_bits;           /* 8, 16 or 32: the column has indexes into a dictionary of `type`; 0: it has the values */
    int64_t dictionary;       /* its id */
    const char *keys[4], *values[4]; /* metadata of the field, ended by a NULL key */
};

/* One column of a batch: its buffers are validity (one bit a row, absent when no_nulls), offsets (of ARROW_UTF8 only)
 * and data. */
struct arrow_column {
    int64_t n_nulls;
    int64_t validity_bytes, offsets_bytes, data_bytes; /* before they are filled up; offsets_bytes 0: the column has none */
};

void arrow_put_schema(struct buf *out, const struct arrow_field *fields, size_t n_fields);
void arrow_put_dictionary(struct buf *out, int64_t id, int64_t n_rows, const struct arrow_column *column);
void arrow_put_batch(struct buf *out, int64_t n_rows, const struct arrow_column *columns, size_t n_columns);
void arrow_put_end(struct buf *out);

/* Appends what fills up a buffer of that size. */
void arrow_pad(struct buf *out, int64_t size);

#endif

/* Growable bytes with a sticky out-of-memory flag: make any number of calls, check `failed` once at the end. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct buf {
    uint8_t *data;
    size_t n;    /* bytes in use */
    size_t cap;  /* bytes allocated */
    bool failed; /* an allocation failed; later calls do nothing */
};

/* A zeroed struct is an empty buffer. buf_free leaves it empty and usable again; buf_clear keeps the memory. */
void buf_free(struct buf *buf);
void buf_clear(struct buf *buf);

/* Makes room for size more bytes and returns where they go, or NULL. The caller writes them and adds to n. */
uint8_t *buf_reserve(struct buf *buf, size_t size);

void buf_put(struct buf *buf, const void *data, size_t size);
void buf_putc(struct buf *buf, char c);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Little-endian integers, and LEB128 varints; signed varints are zigzag-mapped first (small magnitudes stay short). */
void buf_put_u16(struct buf *buf, uint16_t v);
void buf_put_u32(struct buf *buf, uint32_t v);
void buf_put_u64(struct buf *buf, uint64_t v);
void buf_put_varint(struct buf *buf, uint64_t v);
void buf_put_svarint(struct buf *buf, int64_t v);

/* A bounded reader over foreign bytes. After a read past the end `failed` is set and every read gives 0. */
struct reader {
    const uint8_t *at, *end;
    bool failed;
};
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
uint64_t reader_varint(struct reader *r);
int64_t reader_svarint(struct reader *r);
/* The next size bytes, or NULL (and failed) when there are fewer. */
const uint8_t *reader_bytes(struct reader *r, size_t size);

#endif

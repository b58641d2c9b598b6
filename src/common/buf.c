#include <config.h>

#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_free(struct buf *buf)
{
    if (!buf)
        return;
    free(buf->data);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
    buf->n = 0;
    buf->failed = false;
}

uint8_t *buf_reserve(struct buf *buf, size_t size)
{
    if (buf->failed)
        return NULL;
    if (size > buf->cap - buf->n || !buf->data) {
        size_t need, cap = buf->cap < 64 ? 64 : buf->cap;
        uint8_t *data = NULL;
        if (!__builtin_add_overflow(buf->n, size, &need)) {
            while (cap < need && cap <= SIZE_MAX / 2)
                cap *= 2;
            if (cap >= need)
                data = realloc(buf->data, cap);
        }
        if (!data) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->cap = cap;
    }
    return buf->data + buf->n;
}

void buf_put(struct buf *buf, const void *data, size_t size)
{
    uint8_t *at = buf_reserve(buf, size);
    if (!at || !size)
        return;
    memcpy(at, data, size);
    buf->n += size;
}

void buf_putc(struct buf *buf, char c)
{
    buf_put(buf, &c, 1);
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *at = n < 0 ? NULL : buf_reserve(buf, (size_t)n + 1);
    if (at) {
        vsnprintf((char *)at, (size_t)n + 1, format, again);
        buf->n += (size_t)n;
    } else {
        buf->failed = true;
    }
    va_end(again);
}

static void put_little_endian(struct buf *buf, uint64_t v, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    buf_put(buf, bytes, size);
}

void buf_put_u16(struct buf *buf, uint16_t v)
{
    put_little_endian(buf, v, 2);
}

void buf_put_u32(struct buf *buf, uint32_t v)
{
    put_little_endian(buf, v, 4);
}

void buf_put_u64(struct buf *buf, uint64_t v)
{
    put_little_endian(buf, v, 8);
}

void buf_put_varint(struct buf *buf, uint64_t v)
{
    uint8_t *at = buf_reserve(buf, 10);
    if (!at)
        return;
    size_t n = 0;
    while (v >= 0x80) {
        at[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    at[n++] = (uint8_t)v;
    buf->n += n;
}

void buf_put_svarint(struct buf *buf, int64_t v)
{
    buf_put_varint(buf, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

const uint8_t *reader_bytes(struct reader *r, size_t size)
{
    if (r->failed || size > (size_t)(r->end - r->at)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    r->at += size;
    return at;
}

static uint64_t read_little_endian(struct reader *r, size_t size)
{
    const uint8_t *at = reader_bytes(r, size);
    uint64_t v = 0;
    for (size_t i = 0; at && i < size; i++)
        v |= (uint64_t)at[i] << (8 * i);
    return v;
}

uint8_t reader_u8(struct reader *r)
{
    return (uint8_t)read_little_endian(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
    return (uint16_t)read_little_endian(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
    return (uint32_t)read_little_endian(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
    return read_little_endian(r, 8);
}

uint64_t reader_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; !r->failed && r->at < r->end; shift += 7) {
        uint8_t byte = *r->at++;
        if (shift == 63 && byte > 1) /* more than 64 bits */
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    r->failed = true;
    return 0;
}

int64_t reader_svarint(struct reader *r)
{
    uint64_t v = reader_varint(r);
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

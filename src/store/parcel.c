#include <config.h>

#include "store/parcel.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PARCEL_VERSION 1
/* The readings of a series lie apart in a batch that is larger than the nearer caches. What comes at even distances the
 * processor fetches early by itself; what came late it has to wait for, unless it is asked for this many rows before. */
#define ROWS_AHEAD 8

/* Flags of a row: what follows it, since most rows have none of it. */
enum {
    ROW_OP = 0x03,       /* enum op */
    ROW_QUALITY = 0x04,  /* a quality byte other than the previous row's */
    ROW_PERIOD = 0x08,   /* another period than the previous row's */
    ROW_ISSUED = 0x10,   /* a stated issue, as a difference to the time */
    ROW_EXPONENT = 0x20, /* another exponent than the previous row's */
    ROW_KNOWN = 0x40,    /* another known-at than the previous row's */
    ROW_REPLAYED = 0x80  /* of a dead letter that was replayed */
};

/* What the previous row of the run had. */
struct state {
    int64_t t_us, step_us, m, period_us, known_ms;
    uint8_t quality;
    int8_t e;
};

static int64_t difference(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t sum(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static void encode_row(const struct reading *reading, const struct texts *texts, bool is_state, struct state *state,
                       struct buf *out)
{
    uint8_t flags = reading->op & ROW_OP;
    flags |= reading->quality != state->quality ? ROW_QUALITY : 0;
    flags |= reading->period_us != state->period_us ? ROW_PERIOD : 0;
    flags |= reading->issued_us != ISSUED_NONE ? ROW_ISSUED : 0;
    flags |= reading->e != state->e ? ROW_EXPONENT : 0;
    flags |= reading->known_ms != state->known_ms ? ROW_KNOWN : 0;
    flags |= reading->replayed ? ROW_REPLAYED : 0;
    buf_putc(out, (char)flags);
    int64_t step_us = difference(reading->t_us, state->t_us);
    buf_put_svarint(out, difference(step_us, state->step_us));
    if (flags & ROW_QUALITY)
        buf_putc(out, (char)reading->quality);
    if (flags & ROW_PERIOD)
        buf_put_svarint(out, reading->period_us);
    if (flags & ROW_ISSUED)
        buf_put_svarint(out, difference(reading->t_us, reading->issued_us));
    if (flags & ROW_EXPONENT)
        buf_putc(out, (char)reading->e);
    if (flags & ROW_KNOWN)
        buf_put_svarint(out, difference(reading->known_ms, state->known_ms));
    if (is_state) {
        const char *text = texts_at(texts, reading->op == OP_VALUE ? reading->m : 0);
        buf_put_varint(out, strlen(text));
        buf_puts(out, text);
    } else {
        buf_put_svarint(out, difference(reading->m, state->m));
    }
    *state = (struct state){reading->t_us, step_us, is_state ? 0 : reading->m, reading->period_us, reading->known_ms,
                            reading->quality, reading->e};
}

/* A reading and the id of its series, to be sorted by series while readings of one series keep their order. */
struct item {
    uint32_t series_id, reading_i;
};

/* A stable sort by series id, byte by byte from the lowest one: as many passes as the largest id has bytes. The result is in
 * items; scratch has room for n as well. */
static void sort_items(struct item *items, size_t n, uint32_t id_max, struct item *scratch)
{
    for (unsigned shift = 0; shift < 32 && id_max >> shift; shift += 8) {
        size_t at[256] = {0};
        for (size_t i = 0; i < n; i++)
            at[items[i].series_id >> shift & 0xff]++;
        for (size_t byte = 0, end = 0; byte < 256; byte++) {
            size_t n_byte = at[byte];
            at[byte] = end;
            end += n_byte;
        }
        for (size_t i = 0; i < n; i++)
            scratch[at[items[i].series_id >> shift & 0xff]++] = items[i];
        memcpy(items, scratch, n * sizeof(*items));
    }
}

/* Asks for the reading of item i, which is needed soon. */
static void fetch_reading(const struct batch *batch, const struct item *items, size_t n, size_t i)
{
    if (i >= n)
        return;
    const struct reading *reading = &batch->readings[items[i].reading_i];
    __builtin_prefetch(reading);
    __builtin_prefetch(&reading->replayed); /* the last byte: it may lie in the next cache line */
}

static void encode_runs(const struct batch *batch, const struct registry *registry, const struct item *items, size_t n,
                        struct buf *directory, struct buf *rows)
{
    uint32_t previous_id = 0;
    for (size_t i = 0, end; i < n; i = end) {
        size_t at = rows->n;
        bool is_state = registry_at(registry, batch->readings[items[i].reading_i].series_i)->kind == KIND_STATE;
        struct state state = {0};
        for (end = i; end < n && items[end].series_id == items[i].series_id; end++) {
            fetch_reading(batch, items, n, end + ROWS_AHEAD);
            encode_row(&batch->readings[items[end].reading_i], &batch->texts, is_state, &state, rows);
        }
        buf_put_varint(directory, items[i].series_id - previous_id);
        buf_put_varint(directory, end - i);
        buf_put_varint(directory, rows->n - at);
        previous_id = items[i].series_id;
    }
}

int parcel_encode(const struct batch *batch, size_t begin, const struct registry *registry, struct buf *out)
{
    size_t n = batch->n_readings - begin;
    struct item *items = malloc((2 * n + 1) * sizeof(*items));
    if (!items)
        return ERR_NOMEM;
    uint32_t id_max = 0;
    bool sorted = true;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = registry_at(registry, batch->readings[begin + i].series_i)->id;
        items[i] = (struct item){id, (uint32_t)(begin + i)};
        sorted = sorted && id >= id_max;
        id_max = id > id_max ? id : id_max;
    }
    if (!sorted)
        sort_items(items, n, id_max, items + n);
    size_t n_runs = 0;
    for (size_t i = 0; i < n; i++)
        n_runs += !i || items[i].series_id != items[i - 1].series_id;
    struct buf directory = {0}, rows = {0};
    encode_runs(batch, registry, items, n, &directory, &rows);
    free(items);
    size_t at = out->n;
    buf_putc(out, PARCEL_VERSION);
    buf_put_varint(out, n_runs);
    buf_put(out, directory.data, directory.n);
    buf_put(out, rows.data, rows.n);
    if (!out->failed)
        buf_put_u32(out, (uint32_t)crc32_z(0, out->data + at, out->n - at));
    int rc = out->failed || directory.failed || rows.failed ? ERR_NOMEM : 0;
    buf_free(&directory);
    buf_free(&rows);
    return rc;
}

int parcel_open(const void *data, size_t size, struct parcel *ret_parcel)
{
    const uint8_t *bytes = data;
    if (size < 6)
        return ERR_CORRUPT;
    struct reader crc = {bytes + size - 4, bytes + size, false};
    if (reader_u32(&crc) != (uint32_t)crc32_z(0, bytes, size - 4))
        return ERR_CORRUPT;
    struct reader in = {bytes, bytes + size - 4, false};
    if (reader_u8(&in) != PARCEL_VERSION)
        return ERR_VERSION;
    uint64_t n_runs = reader_varint(&in);
    if (in.failed || n_runs > (size_t)(in.end - in.at) / 3) /* a run has at least three bytes in the directory */
        return ERR_CORRUPT;
    struct parcel parcel = {.data = bytes, .size = size, .runs = calloc(n_runs + 1, sizeof(struct parcel_run))};
    if (!parcel.runs)
        return ERR_NOMEM;
    uint64_t id = 0, at = 0;
    for (size_t i = 0; i < n_runs; i++) {
        uint64_t step = reader_varint(&in), n = reader_varint(&in), run_size = reader_varint(&in);
        if (in.failed || !step || step > UINT32_MAX - id || run_size > size - at || !n || n > run_size)
            break;
        id += step;
        parcel.runs[i] = (struct parcel_run){(uint32_t)id, (uint32_t)n, at, run_size};
        at += run_size;
        parcel.n_runs = i + 1;
    }
    if (in.failed || parcel.n_runs != n_runs || at != (size_t)(in.end - in.at)) {
        parcel_close(&parcel);
        return ERR_CORRUPT;
    }
    size_t rows_at = (size_t)(in.at - bytes);
    for (size_t i = 0; i < n_runs; i++)
        parcel.runs[i].at += rows_at;
    *ret_parcel = parcel;
    return 0;
}

void parcel_close(struct parcel *parcel)
{
    free(parcel->runs);
    *parcel = (struct parcel){0};
}

const struct parcel_run *parcel_find(const struct parcel *parcel, uint32_t series_id)
{
    size_t low = 0, high = parcel->n_runs;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (parcel->runs[middle].series_id < series_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < parcel->n_runs && parcel->runs[low].series_id == series_id ? &parcel->runs[low] : NULL;
}

static int decode_value(struct reader *in, struct rows *rows, struct row *row, struct state *state)
{
    if (!rows->is_state) {
        row->m = sum(state->m, reader_svarint(in));
        return 0;
    }
    uint64_t size = reader_varint(in);
    const uint8_t *text = size > LIMIT_STATE_BYTES ? NULL : reader_bytes(in, size);
    if (!text || memchr(text, '\0', size))
        return ERR_CORRUPT;
    return texts_intern(&rows->texts, (const char *)text, size, &row->m);
}

static int decode_row(struct reader *in, struct rows *rows, struct row *row, struct state *state)
{
    uint8_t flags = reader_u8(in);
    state->step_us = sum(state->step_us, reader_svarint(in));
    state->t_us = sum(state->t_us, state->step_us);
    state->quality = flags & ROW_QUALITY ? reader_u8(in) : state->quality;
    state->period_us = flags & ROW_PERIOD ? reader_svarint(in) : state->period_us;
    row->issued_us = flags & ROW_ISSUED ? difference(state->t_us, reader_svarint(in)) : ISSUED_NONE;
    state->e = flags & ROW_EXPONENT ? (int8_t)reader_u8(in) : state->e;
    state->known_ms = flags & ROW_KNOWN ? sum(state->known_ms, reader_svarint(in)) : state->known_ms;
    row->t_us = state->t_us;
    row->quality = state->quality;
    row->period_us = state->period_us;
    row->e = state->e;
    row->known_ms = state->known_ms;
    row->op = flags & ROW_OP;
    row->replayed = flags & ROW_REPLAYED;
    int rc = decode_value(in, rows, row, state);
    state->m = rows->is_state ? 0 : row->m;
    return rc ? rc : in->failed || row->op > OP_DELETE_RANGE ? ERR_CORRUPT : 0;
}

int parcel_rows(const struct parcel *parcel, const struct parcel_run *run, uint64_t order, struct rows *rows)
{
    struct reader in = {parcel->data + run->at, parcel->data + run->at + run->size, false};
    struct state state = {0};
    size_t n_before = rows->n;
    int rc = 0;
    for (uint32_t i = 0; i < run->n && !rc; i++) {
        struct row *row = rows_add(rows);
        rc = row ? decode_row(&in, rows, row, &state) : ERR_NOMEM;
        if (row)
            row->order = order + i;
    }
    if (!rc && in.at != in.end)
        rc = ERR_CORRUPT;
    if (rc)
        rows->n = n_before;
    return rc;
}

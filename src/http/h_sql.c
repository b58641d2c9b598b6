/* POST /v1/sql: one statement that reads.
 *
 * The answer is made as a whole before its first byte goes out, so that whatever a statement runs into has a status of its own;
 * that is why it is bounded. */
#include <config.h>

#include "http/handlers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/jsontext.h"
#include "http/render.h"
#include "vtab/session.h"

#define TIME_MAX_US (10 * INT64_C(1000000))
#define MEMORY_MAX_BYTES (INT64_C(256) << 20)
#define ROWS_MAX 100000
#define BYTES_MAX (16 << 20)
#define HELD_MAX 6 /* answers that are being made or wait for their clients */

static atomic_int n_held;

/* ---- rows as text ---- */

static void put_hex(struct buf *out, const struct session_value *value)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < value->size; i++)
        buf_printf(out, "%02x", (unsigned char)value->text[i]);
    buf_putc(out, '"');
}

static void put_json(struct buf *out, const struct session_value *value)
{
    switch (value->type) {
    case SESSION_INTEGER:
        buf_puts(out, value->text);
        break;
    case SESSION_REAL: /* an infinity is no number of JSON */
        buf_puts(out, strpbrk(value->text, "IN") ? "null" : value->text);
        break;
    case SESSION_TEXT:
        jsontext_put(out, value->text);
        break;
    case SESSION_BLOB:
        put_hex(out, value);
        break;
    default:
        buf_puts(out, "null");
    }
}

static void begin_json(struct session *session, struct buf *out)
{
    buf_puts(out, "{\"columns\":[");
    for (size_t i = 0; i < session_n_columns(session); i++) {
        buf_puts(out, i ? "," : "");
        jsontext_put(out, session_column(session, i));
    }
    buf_puts(out, "],\"rows\":[");
}

static void row_json(struct session *session, int64_t row, struct buf *out)
{
    buf_puts(out, row ? ",\n[" : "\n[");
    for (size_t i = 0; i < session_n_columns(session); i++) {
        struct session_value value = session_value(session, i);
        buf_puts(out, i ? "," : "");
        put_json(out, &value);
    }
    buf_putc(out, ']');
}

static void end_json(int64_t n_rows, struct buf *out)
{
    buf_puts(out, n_rows ? "\n]}\n" : "]}\n");
}

static void row_ndjson(struct session *session, int64_t row, struct buf *out)
{
    (void)row;
    for (size_t i = 0; i < session_n_columns(session); i++) {
        struct session_value value = session_value(session, i);
        buf_putc(out, i ? ',' : '{');
        jsontext_put(out, session_column(session, i));
        buf_putc(out, ':');
        put_json(out, &value);
    }
    buf_puts(out, "}\n");
}

static void begin_csv(struct session *session, struct buf *out)
{
    for (size_t i = 0; i < session_n_columns(session); i++) {
        buf_puts(out, i ? "," : "");
        render_csv_field(out, session_column(session, i), ',');
    }
    buf_puts(out, "\r\n");
}

static void row_csv(struct session *session, int64_t row, struct buf *out)
{
    (void)row;
    for (size_t i = 0; i < session_n_columns(session); i++) {
        struct session_value value = session_value(session, i);
        buf_puts(out, i ? "," : "");
        if (value.type == SESSION_BLOB)
            put_hex(out, &value);
        else if (value.type != SESSION_NULL)
            render_csv_field(out, value.text, ',');
    }
    buf_puts(out, "\r\n");
}

static void begin_nothing(struct session *session, struct buf *out)
{
    (void)session;
    (void)out;
}

static void end_nothing(int64_t n_rows, struct buf *out)
{
    (void)n_rows;
    (void)out;
}

static const struct form {
    const char *name, *type;
    void (*begin)(struct session *session, struct buf *out);
    void (*row)(struct session *session, int64_t row, struct buf *out);
    void (*end)(int64_t n_rows, struct buf *out);
} forms[] = {
    {"json", "application/json", begin_json, row_json, end_json},
    {"csv", "text/csv; charset=utf-8; header=present", begin_csv, row_csv, end_nothing},
    {"ndjson", "application/x-ndjson", begin_nothing, row_ndjson, end_nothing},
};

/* ---- the answer, once it is whole ---- */

struct sql_stream {
    struct stream stream;
    struct buf body;
    size_t sent;
};

static int fill_sql(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct sql_stream *sql = (struct sql_stream *)stream;
    size_t left = sql->body.n - sql->sent, n = left < STREAM_BYTES ? left : STREAM_BYTES;
    (void)error;
    buf_put(out, sql->body.data + sql->sent, n);
    sql->sent += n;
    return sql->sent < sql->body.n;
}

static void close_sql(struct stream *stream)
{
    struct sql_stream *sql = (struct sql_stream *)stream;
    buf_free(&sql->body);
    free(sql);
    atomic_fetch_sub(&n_held, 1);
}

static int put_rows(struct session *session, const struct form *form, struct buf *out, struct err_text *error)
{
    int64_t n_rows = 0;
    int rc;
    form->begin(session, out);
    while ((rc = session_next(session, error)) > 0) {
        if (n_rows == ROWS_MAX || out->n > BYTES_MAX)
            return err_set_field(error, ERR_LIMIT, "sql", "the answer has more than %d rows or %d MB: put a LIMIT, aggregate, or "
                                 "take GET /v1/range, which streams answers of any length", ROWS_MAX, BYTES_MAX >> 20);
        form->row(session, n_rows++, out);
    }
    form->end(n_rows, out);
    return rc ? rc : out->failed ? ERR_NOMEM : 0;
}

static bool is_over(void *arg)
{
    return request_is_over(arg);
}

static int run_statement(struct request *request, const char *text, const struct form *form, struct reply *reply,
                         struct buf *out, struct err_text *error)
{
    struct session_opts opts = {.reader = request->dir, .time_max_us = TIME_MAX_US, .memory_max_bytes = MEMORY_MAX_BYTES,
                                .is_over = is_over, .arg = request};
    struct session *session;
    int rc = session_open(&opts, text, &session, error);
    if (rc)
        return rc;
    rc = put_rows(session, form, out, error);
    if (quota_is_over(&request->quota))
        quota_blame(&request->quota, "sql");
    if (!rc)
        reply_header(reply, "Almanac-Position", "%s", session_position(session));
    session_close(session);
    return rc;
}

int h_sql(struct request *request, struct reply *reply, struct err_text *error)
{
    const struct form *form = forms;
    const char *text;
    int rc = parameters_one(&request->parameters, "sql", &text, error);
    if (rc)
        return rc;
    if (!text)
        return err_set_field(error, ERR_INVALID, "sql", "\"sql\" is missing: send {\"sql\":\"select ...\"}");
    while (strcmp(form->name, request->media->name) != 0)
        form++;
    struct sql_stream *sql = calloc(1, sizeof(*sql));
    if (!sql)
        return ERR_NOMEM;
    sql->stream = (struct stream){.fill = fill_sql, .close = close_sql};
    if (atomic_fetch_add(&n_held, 1) < HELD_MAX)
        rc = run_statement(request, text, form, reply, &sql->body, error);
    else
        rc = err_set(error, ERR_BUSY, "the clients of %d other statements have not taken their answers yet: try again", HELD_MAX);
    if (rc) {
        close_sql(&sql->stream);
        return rc;
    }
    reply_header(reply, "Cache-Control", "no-store");
    return reply_stream(reply, form->type, &sql->stream, error);
}

#include <config.h>

#include "http/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/jsontext.h"
#include "common/log.h"
#include "store/reader.h"

/* And the file. */
static void close_stream(struct reply *reply)
{
    if (reply->stream)
        reply->stream->close(reply->stream);
    reply->stream = NULL;
    if (reply->file.is_there)
        close(reply->file.fd);
    reply->file.is_there = false;
}

void reply_done(struct reply *reply)
{
    close_stream(reply);
    buf_free(&reply->body);
    for (size_t i = 0; i < reply->n_headers; i++)
        free(reply->headers[i].value);
    *reply = (struct reply){0};
}

void reply_header(struct reply *reply, const char *name, const char *format, ...)
{
    char *value = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&value, format, args) < 0)
        value = NULL;
    va_end(args);
    if (!value || reply->n_headers == REPLY_HEADERS_MAX) {
        free(value);
        return;
    }
    reply->headers[reply->n_headers++] = (struct header){name, value};
}

void reply_json(struct reply *reply)
{
    reply_header(reply, "Cache-Control", "private, no-cache");
    reply->status = 200;
    reply->type = "application/json";
}

void reply_view(struct reply *reply, const struct view *view)
{
    reply_header(reply, "Almanac-Position", "%s", view_position(view));
    if (view_is_partial(view))
        reply_header(reply, "Almanac-Coverage", "partial");
}

const char *reply_header_value(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_headers; i++)
        if (!strcmp(reply->headers[i].name, name))
            return reply->headers[i].value;
    return NULL;
}

void reply_protect(struct reply *reply)
{
    static const struct {
        const char *name, *value;
    } headers[] = {
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        if (!reply_header_value(reply, headers[i].name))
            reply_header(reply, headers[i].name, "%s", headers[i].value);
}

const char *status_title(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"},
        {405, "Method Not Allowed"}, {406, "Not Acceptable"}, {409, "Conflict"}, {410, "Gone"}, {413, "Content Too Large"},
        {415, "Unsupported Media Type"}, {416, "Range Not Satisfiable"},
        {422, "Unprocessable Content"}, {429, "Too Many Requests"},
        {500, "Internal Server Error"}, {503, "Service Unavailable"}, {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

void reply_problem(struct reply *reply, unsigned status, const char *field, const char *format, ...)
{
    char detail[640];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    close_stream(reply);
    buf_clear(&reply->body);
    reply->status = status;
    reply->type = "application/problem+json";
    buf_printf(&reply->body, "{\"status\":%u,\"title\":\"%s\",\"detail\":", status, status_title(status));
    jsontext_put(&reply->body, detail);
    if (*field) {
        buf_puts(&reply->body, ",\"field\":");
        jsontext_put(&reply->body, field);
    }
    buf_puts(&reply->body, "}\n");
}

void reply_error(struct reply *reply, int code, const struct err_text *error)
{
    unsigned status = 500;
    switch (code) {
    case ERR_INVALID:
    case ERR_LIMIT:
        status = 400;
        break;
    case ERR_MEANING:
        status = 422;
        break;
    case ERR_DENIED:
        status = 403;
        break;
    case ERR_NOTFOUND:
        status = 404;
        break;
    case ERR_EXISTS:
        status = 409;
        break;
    case ERR_EXPIRED:
        status = 410;
        break;
    case ERR_FULL:
        status = 507;
        break;
    case ERR_BUSY:
        status = 503;
        reply_header(reply, "Retry-After", "1");
        break;
    case ERR_QUOTA: /* the text says whether waiting helps */
        status = 429;
        reply_header(reply, "Retry-After", "1");
        break;
    case ERR_CANCELLED: /* nobody waits for it */
        status = 503;
        break;
    default:
        break;
    }
    const char *text = *error->text ? error->text : err_name(code);
    if (status == 500) {
        log_event(LOG_ERROR, "answer_failed", "code=%d text=\"%s\"", code, text);
        text = "the answer could not be made; the server's log says why";
    }
    reply_problem(reply, status, error->field, "%s", text);
}

int reply_stream(struct reply *reply, const char *type, struct stream *stream, struct err_text *error)
{
    reply->stream = stream;
    int rc;
    while ((rc = stream->fill(stream, &reply->body, error)) > 0 && reply->body.n < STREAM_BYTES)
        ;
    if (rc >= 0 && reply->body.failed)
        rc = ERR_NOMEM;
    if (rc < 0)
        return rc;
    if (!rc)
        close_stream(reply);
    reply->status = 200;
    reply->type = type;
    return 0;
}

void reply_file(struct reply *reply, const char *type, int fd, uint64_t offset, uint64_t size)
{
    reply->file = (struct reply_file){true, fd, offset, size};
    reply->status = 200;
    reply->type = type;
}

#include <config.h>

#include "app/ask.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/encode.h"
#include "http/route.h"
#include "store/reader.h"

#define PATH "/v1/range"
#define NEXT "Almanac-Next"
#define PROBLEM_BYTES 65536
#define CONNECT_TIMEOUT_S 10L

void ask_parameter(struct buf *query, const char *name, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:*,";
    buf_printf(query, "%s%s=", query->n ? "&" : "", name);
    for (; *value; value++)
        if (strchr(plain, *value))
            buf_putc(query, *value);
        else
            buf_printf(query, "%%%02X", (unsigned char)*value);
}

/* What a problem (RFC 9457) says, as a code and a sentence. */
static int take_problem(unsigned status, const void *body, size_t size, struct err_text *error)
{
    json_t *json = size ? json_loadb(body, size, 0, NULL) : NULL;
    const char *detail = json_string_value(json_object_get(json, "detail"));
    const char *field = json_string_value(json_object_get(json, "field"));
    int code = status == 400                    ? ERR_INVALID
               : status == 422                  ? ERR_MEANING
               : status == 404                  ? ERR_NOTFOUND
               : status == 410                  ? ERR_EXPIRED
               : status == 401 || status == 403 ? ERR_DENIED
                                                : ERR_IO;
    if (detail)
        code = err_set_field(error, code, field ? field : "", "%s", detail);
    else
        code = err_set(error, code, "the server answered with status %u and said no more", status);
    json_decref(json);
    return code;
}

static int copy_next(const char *next, char **ret_next)
{
    *ret_next = next ? strdup(next) : NULL;
    return next && !*ret_next ? ERR_NOMEM : 0;
}

/* ---- in this process ---- */

static int drain(struct reply *reply, ask_bytes_fn *bytes, void *arg, struct err_text *error)
{
    struct buf part = {0};
    int code = reply->body.n ? bytes(arg, reply->body.data, reply->body.n) : 0;
    int more = reply->stream != NULL;
    while (code == 0 && more) {
        buf_clear(&part);
        more = reply->stream->fill(reply->stream, &part, error);
        if (more < 0)
            code = more;
        else if (part.failed)
            code = ERR_NOMEM;
        else if (part.n > 0)
            code = bytes(arg, part.data, part.n);
    }
    buf_free(&part);
    return code;
}

/* What a stream gives, on its way to the packing. */
struct passing {
    struct stream stream;
    struct stream *source; /* owned; NULL: all of the answer is in the body */
    ask_bytes_fn *plain;   /* sees it; or NULL */
    void *arg;
};

static int fill_passing(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct passing *passing = (struct passing *)stream;
    size_t n = out->n;
    int more = passing->source ? passing->source->fill(passing->source, out, error) : 0;
    if (more < 0 || !passing->plain || out->n == n)
        return more;
    int code = passing->plain(passing->arg, out->data + n, out->n - n);
    return code != 0 ? code : more;
}

static void close_passing(struct stream *stream)
{
    struct passing *passing = (struct passing *)stream;
    if (passing->source)
        passing->source->close(passing->source);
    free(passing);
}

/* Packs an answer, however short. */
static int pack(struct reply *reply, const char *coding, ask_bytes_fn *plain, void *arg)
{
    struct passing *passing = calloc(1, sizeof *passing);
    if (!passing)
        return ERR_NOMEM;
    *passing =
        (struct passing){{.fill = fill_passing, .close = close_passing}, reply->stream, plain, arg};
    reply->stream = &passing->stream;
    int code = plain && reply->body.n ? plain(arg, reply->body.data, reply->body.n) : 0;
    if (code != 0 || !coding)
        return code;
    reply_encode(reply, coding);
    return reply->stream == &passing->stream ? ERR_NOMEM : 0;
}

static const char *find_header(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_headers; i++)
        if (strcmp(reply->headers[i].name, name) == 0)
            return reply->headers[i].value;
    return NULL;
}

int ask_files(const char *dir, const char *query, ask_bytes_fn *bytes, void *arg, char **ret_next, struct err_text *error)
{
    return ask_files_packed(dir, query, NULL, NULL, bytes, arg, ret_next, error);
}

int ask_files_packed(const char *dir, const char *query, const char *coding, ask_bytes_fn *plain,
                     ask_bytes_fn *bytes, void *arg, char **ret_next, struct err_text *error)
{
    struct server_opts opts = {0};
    struct reply reply = {0};
    char *target = NULL;
    struct request *request = calloc(1, sizeof *request);
    int code = request && asprintf(&target, PATH "?%s", query) >= 0 ? 0 : ERR_NOMEM;
    if (code == 0)
        code = reader_dir_open(dir, &opts.dir, error);
    if (code == 0 && !(opts.snapshots = snapshots_new(dir)))
        code = ERR_NOMEM;
    if (code == 0) {
        *request = (struct request){
            .opts = &opts, .dir = opts.dir, .method = "GET", .version = "HTTP/1.1", .target = target, .path = PATH};
        for (const struct route *route = routes; route->method; route++)
            if (strcmp(route->path, PATH) == 0 && strcmp(route->method, "GET") == 0)
                request->route = route;
        route_answer(request, &reply);
        if (reply.status != 200)
            code = take_problem(reply.status, reply.body.data, reply.body.n, error);
        else if (coding || plain)
            code = pack(&reply, coding, plain, arg);
        if (code == 0)
            code = drain(&reply, bytes, arg, error);
        if (code == 0 && ret_next)
            code = copy_next(find_header(&reply, NEXT), ret_next);
        reply_done(&reply);
        request_done(request);
    }
    snapshots_free(opts.snapshots);
    reader_dir_close(opts.dir);
    free(target);
    free(request);
    return code;
}

/* ---- over HTTPS ---- */

struct transfer {
    CURL *curl;
    ask_bytes_fn *bytes;
    void *arg;
    struct buf problem;
    int code; /* what bytes answered */
};

static size_t take_cb(char *data, size_t one, size_t size, void *arg)
{
    struct transfer *transfer = arg;
    long status = 0;
    (void)one;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200)
        transfer->code = transfer->bytes(transfer->arg, data, size);
    else if (transfer->problem.n + size <= PROBLEM_BYTES)
        buf_put(&transfer->problem, data, size);
    return transfer->code == 0 ? size : 0;
}

static bool set_options(struct transfer *transfer, const struct ask_server *server, const char *url,
                        const struct curl_slist *headers, char *why)
{
    CURL *curl = transfer->curl;
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_cb) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           (!server->ca || curl_easy_setopt(curl, CURLOPT_CAINFO, server->ca) == CURLE_OK) &&
           (!server->direct || curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK);
}

static int perform(struct transfer *transfer, const struct ask_server *server, const char *url,
                   const struct curl_slist *headers, struct err_text *error)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    if (!set_options(transfer, server, url, headers, why))
        return err_set(error, ERR_NOMEM, "the request cannot be made");
    CURLcode curl_code = curl_easy_perform(transfer->curl);
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->code != 0)
        return transfer->code;
    if (curl_code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(
            error, ERR_IO,
            "the certificate of \"%s\" is not trusted (%s); name the right one with --ca",
            server->url, why);
    if (curl_code != CURLE_OK)
        return err_set(error, ERR_IO, "\"%s\" did not answer well: %s", server->url,
                       why[0] ? why : curl_easy_strerror(curl_code));
    return status == 200
               ? 0
               : take_problem((unsigned)status, transfer->problem.data, transfer->problem.n, error);
}

int ask_server(const struct ask_server *server, const char *query, ask_bytes_fn *bytes, void *arg, char **ret_next,
               struct err_text *error)
{
    struct curl_header *next = NULL;
    struct transfer transfer = {.bytes = bytes, .arg = arg};
    char *url = NULL, *header = NULL;
    int code = ERR_NOMEM;
    struct curl_slist *headers = NULL;
    size_t size = strlen(server->url);
    if (strncmp(server->url, "https://", 8) != 0)
        return err_set(error, ERR_INVALID, "\"%s\" does not begin with https://", server->url);
    while (size > 0 && server->url[size - 1] == '/')
        size--;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK &&
        (transfer.curl = curl_easy_init()) != NULL &&
        asprintf(&url, "%.*s" PATH "?%s", (int)size, server->url, query) >= 0 &&
        asprintf(&header, "Authorization: Bearer %s", server->token) >= 0 &&
        (headers = curl_slist_append(NULL, header)) != NULL)
        code = perform(&transfer, server, url, headers, error);
    if (code == 0 && ret_next) {
        (void)curl_easy_header(transfer.curl, NEXT, 0, CURLH_HEADER, -1, &next);
        code = copy_next(next ? next->value : NULL, ret_next);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(transfer.curl);
    buf_free(&transfer.problem);
    free(url);
    free(header);
    return code;
}

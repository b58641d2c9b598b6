/* POST and GET /optimization_output: what an optimizer made of the data (D4.1, section 4.2; contract section 7). */
#include <config.h>

#include "http/handlers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/jsontext.h"
#include "common/log.h"
#include "http/filter.h"
#include "query/when.h"
#include "store/assets.h"

#define OUTPUT_BYTES_MAX 1000000 /* with its envelope it fits into a message of Kafka's default size */
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000
#define PAGE_BYTES (4 << 20)     /* a page ends behind the output that passes this */

/* ---- what answers look like ---- */

#define PLACE FIELD("partition", FORM_WHOLE, false, "0"), FIELD("offset", FORM_WHOLE, false, "17")

const struct shape optimization_taken_shape = {.fields = FIELDS(FIELD("topic", FORM_TEXT, false, "\"optimization\""), PLACE)};
static const struct shape output_shape = {
    .fields = FIELDS(FIELD("received", FORM_TIME, false, NULL), PLACE, FIELD("output", FORM_OBJECT, false, "{}"))};
const struct shape optimization_outputs_shape = {
    .fields = FIELDS({.name = "outputs", .form = FORM_LIST, .of = &output_shape}, FIELD("next", FORM_TEXT, true, "null"))};

/* ---- taking one ---- */

static int check_output(const struct request *request, struct reply *reply, struct err_text *error)
{
    json_error_t at;
    if (request->body_size > OUTPUT_BYTES_MAX) {
        reply_problem(reply, 413, "", "the output has %zu bytes, at most %d are taken", request->body_size, OUTPUT_BYTES_MAX);
        return 0;
    }
    json_t *output = json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, &at);
    bool is_object = json_is_object(output);
    json_decref(output);
    if (!output)
        return err_set(error, ERR_INVALID, "the body is not JSON: line %d, column %d: %s", at.line, at.column, at.text);
    return is_object ? 0 : err_set(error, ERR_INVALID, "the body is JSON, but not an object");
}

int h_optimization_take(struct request *request, struct reply *reply, struct err_text *error)
{
    const struct server_opts *opts = request->opts;
    struct published place;
    int rc = check_output(request, reply, error);
    if (rc || reply->status)
        return rc;
    rc = opts->publish ? opts->publish(opts->publish_arg, request->body, request->body_size, &place, error)
                       : err_set(error, ERR_BUSY, "this process has no broker to give the output to");
    if (rc == ERR_BUSY || rc == ERR_IO) {
        reply_header(reply, "Retry-After", "5");
        reply_problem(reply, 503, "", "the output was not taken: %s", error->text);
        return 0;
    }
    if (rc)
        return rc;
    log_event(LOG_INFO, "optimization_output", "topic=%s partition=%" PRId32 " offset=%" PRId64 " by=\"%s\"", place.topic,
              place.partition, place.offset, request->principal.name);
    buf_puts(&reply->body, "{\"topic\":");
    jsontext_put(&reply->body, place.topic);
    buf_printf(&reply->body, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64 "}\n", place.partition, place.offset);
    reply_header(reply, "Cache-Control", "no-store");
    reply->status = 202;
    reply->type = "application/json";
    return 0;
}

/* ---- giving them back ---- */

/* The row behind which a page begins. */
struct place {
    int64_t received_us, offset;
    int32_t partition;
};

struct page {
    struct buf *out;
    struct place after, last;
    bool has_after; /* and it has not been met yet */
    int64_t left;
    size_t n;
    bool has_more;
};

static int put_output(void *arg, const struct optimization *output)
{
    struct page *page = arg;
    const struct place *after = &page->after;
    if (page->has_after && output->received_us == after->received_us) {
        page->has_after = output->partition != after->partition || output->offset != after->offset;
        return 0;
    }
    page->has_after = false;
    page->has_more = !page->left || page->out->n > PAGE_BYTES;
    if (page->has_more)
        return 1;
    buf_puts(page->out, page->n++ ? ",\n{\"received\":" : "\n{\"received\":");
    jsontext_put_time(page->out, output->received_us);
    buf_printf(page->out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"output\":", output->partition, output->offset);
    buf_puts(page->out, output->document);
    buf_putc(page->out, '}');
    page->last = (struct place){output->received_us, output->offset, output->partition};
    page->left--;
    return 0;
}

static int parse_place(const char *text, struct place *ret_place, struct err_text *error)
{
    struct place place;
    int n = 0;
    if (sscanf(text, "%" SCNd64 ".%" SCNd32 ".%" SCNd64 "%n", &place.received_us, &place.partition, &place.offset, &n) == 3 &&
        !text[n] && place.received_us >= CIVIL_MIN_US && place.received_us < CIVIL_END_US) {
        *ret_place = place;
        return 0;
    }
    return err_set_field(error, ERR_INVALID, "cursor", "\"%.40s\" is no cursor: give \"next\" of an earlier answer", text);
}

static int parse_time(const struct parameters *parameters, const char *name, int64_t *t_us, struct err_text *error)
{
    const char *text;
    int rc = parameters_one(parameters, name, &text, error);
    return rc || !text ? rc : when_parse(text, name, clock_wall_us(), NULL, t_us, error);
}

static int parse_page(const struct parameters *parameters, struct optimization_filter *filter, struct page *page,
                      struct err_text *error)
{
    const char *limit, *cursor;
    uint64_t number = LIMIT_DEFAULT;
    int rc = parse_time(parameters, "from", &filter->from_us, error);
    rc = rc ? rc : parse_time(parameters, "to", &filter->to_us, error);
    rc = rc ? rc : parameters_one(parameters, "limit", &limit, error);
    rc = rc ? rc : parameters_one(parameters, "cursor", &cursor, error);
    if (rc)
        return rc;
    if (filter->to_us < filter->from_us)
        return err_set_field(error, ERR_INVALID, "to", "\"to\" lies before \"from\"");
    if (limit && filter_number(limit, LIMIT_MAX, &number))
        return err_set_field(error, ERR_INVALID, "limit", "\"%.40s\" is no limit: give a whole number from 1 to %d", limit,
                             LIMIT_MAX);
    page->left = (int64_t)number;
    page->has_after = cursor != NULL;
    rc = cursor ? parse_place(cursor, &page->after, error) : 0;
    if (!rc && cursor && page->after.received_us < filter->to_us)
        filter->to_us = page->after.received_us + 1;
    return rc;
}

int h_optimization_list(struct request *request, struct reply *reply, struct err_text *error)
{
    struct optimization_filter filter = {.from_us = INT64_MIN, .to_us = INT64_MAX};
    struct page page = {.out = &reply->body};
    int rc = parse_page(&request->parameters, &filter, &page, error);
    if (rc)
        return rc;
    buf_puts(page.out, "{\"outputs\":[");
    rc = optimization_each(request->dir, &filter, put_output, &page, error);
    if (rc < 0)
        return rc;
    buf_puts(page.out, page.n ? "\n],\"next\":" : "],\"next\":");
    if (page.has_more)
        buf_printf(page.out, "\"%" PRId64 ".%" PRId32 ".%" PRId64 "\"}\n", page.last.received_us, page.last.partition,
                   page.last.offset);
    else
        buf_puts(page.out, "null}\n");
    reply_json(reply);
    return 0;
}

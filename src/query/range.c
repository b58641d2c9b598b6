#include <config.h>

#include "query/range.h"

#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/limits.h"
#include "query/agg.h"
#include "query/cursor.h"
#include "query/when.h"

/* Series, globs or names in one list: more are asked for by a glob. */
#define LIST_MAX 1024

/* The parameters of the range, lists first. Those before TIME are the question, whose hash a cursor carries; the others say
 * how to hand the answer out. */
enum name {
    SERIES, ENTITY, TYPE, PROPERTY, AGG, N_LISTS, FROM = N_LISTS, TO, STEP, TZ, FILL, SNAPSHOT, TIME, LIMIT, CURSOR, N_NAMES
};

static const char *const names[N_NAMES] = {
    "series", "entity", "type", "property", "agg", "from", "to", "step", "tz", "fill", "snapshot", "time", "limit", "cursor",
};

static const char *const passed_over[] = {"format", "layout"};

/* Of the contract, and not there yet. */
static const char *const later[] = {
    "over",   "by",     "bounds", "unit",    "quality", "asof",    "lead_min", "reduce",
    "points", "max_gap", "sep",   "decimal", "bom",     "numbers", "explain",
};

/* A request being read. */
struct draft {
    const char *single[N_NAMES];            /* of those that are no lists */
    struct list {
        const char **at;                    /* NUL-terminated, in the range's memory */
        size_t n;
    } lists[N_LISTS];
    uint32_t *ids;
};

/* ---- names ---- */

static bool is_one_of(const char *name, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, texts[i]))
            return true;
    return false;
}

static enum name find_name(const char *name)
{
    int i = 0;
    while (i < N_NAMES && strcmp(name, names[i]) != 0)
        i++;
    return (enum name)i;
}

static int refuse_name(const char *name, struct err_text *error)
{
    if (is_one_of(name, later, sizeof(later) / sizeof(*later)))
        return err_set_field(error, ERR_INVALID, name, "the parameter \"%s\" is not there yet in this version", name);
    return err_set_field(error, ERR_INVALID, name,
                         "there is no parameter \"%.64s\"; take series, entity, type, property, from, to, step, agg, tz, "
                         "fill, snapshot, time, limit, cursor, format or layout",
                         name);
}

/* ---- lists ---- */

static size_t count_items(const char *text)
{
    size_t n = 1;
    for (; *text; text++)
        n += *text == ',';
    return n;
}

/* Cuts the copy at text into items without blanks around them. */
static int add_items(struct list *list, char *text, const char *name, struct err_text *error)
{
    for (char *next = text; text; text = next) {
        next = strchr(text, ',');
        if (next)
            *next++ = '\0';
        text += strspn(text, " ");
        size_t size = strlen(text);
        while (size && text[size - 1] == ' ')
            text[--size] = '\0';
        if (!size)
            return err_set_field(error, ERR_INVALID, name, "\"%s\" has an empty item; leave it out", name);
        list->at[list->n++] = text;
    }
    return 0;
}

/* Where the lists of a request go: one block with pointers, ids and texts. */
static int make_room(const struct parameter *parameters, size_t n, struct draft *draft, void **ret_memory, char **ret_text,
                     struct err_text *error)
{
    size_t n_items[N_LISTS] = {0}, n_pointers = 0, n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        enum name name = find_name(parameters[i].name);
        if (name >= N_LISTS)
            continue;
        n_items[name] += count_items(parameters[i].value);
        n_bytes += strlen(parameters[i].value) + 1;
    }
    for (int list = 0; list < N_LISTS; list++) {
        n_pointers += n_items[list];
        if (n_items[list] > LIST_MAX)
            return err_set_field(error, ERR_LIMIT, names[list], "\"%s\" has %zu items, at most %d are possible; use a glob",
                                 names[list], n_items[list], LIST_MAX);
    }
    char *memory = malloc(n_pointers * sizeof(char *) + n_items[SERIES] * sizeof(*draft->ids) + n_bytes + 1);
    if (!memory)
        return ERR_NOMEM;
    const char **at = (const char **)memory;
    for (int list = 0; list < N_LISTS; at += n_items[list++])
        draft->lists[list].at = at;
    draft->ids = (uint32_t *)at;
    *ret_text = (char *)(draft->ids + n_items[SERIES]);
    *ret_memory = memory;
    return 0;
}

/* ---- what was given ---- */

static int read_parameters(const struct parameter *parameters, size_t n, struct draft *draft, void **ret_memory,
                           struct err_text *error)
{
    char *text = NULL;
    int rc = make_room(parameters, n, draft, ret_memory, &text, error);
    for (size_t i = 0; i < n && !rc; i++) {
        const struct parameter *given = &parameters[i];
        enum name name = find_name(given->name);
        if (name < N_LISTS) {
            size_t size = strlen(given->value) + 1;
            memcpy(text, given->value, size);
            rc = add_items(&draft->lists[name], text, names[name], error);
            text += size;
        } else if (name < N_NAMES) {
            if (draft->single[name])
                rc = err_set_field(error, ERR_INVALID, names[name], "\"%s\" is given twice", names[name]);
            draft->single[name] = given->value;
        } else if (!is_one_of(given->name, passed_over, sizeof(passed_over) / sizeof(*passed_over))) {
            rc = refuse_name(given->name, error);
        }
    }
    return rc;
}

/* The order of different parameters is not a part of the question. */
static int hash_question(const struct parameter *parameters, size_t n, uint32_t *ret_question)
{
    struct buf text = {0};
    uint8_t hash[HASH_BYTES];
    for (int name = 0; name < TIME; name++) {
        buf_puts(&text, names[name]);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(parameters[i].name, names[name]) != 0)
                continue;
            buf_putc(&text, '\0');
            buf_puts(&text, parameters[i].value);
        }
        buf_putc(&text, '\n');
    }
    if (text.failed)
        return ERR_NOMEM;
    hash_bytes(text.data, text.n, hash);
    buf_free(&text);
    memcpy(ret_question, hash, sizeof(*ret_question));
    return 0;
}

/* A whole number from min to max in plain digits. */
static bool read_number(const char *text, int64_t min, int64_t max, int64_t *ret_number)
{
    int64_t number = 0;
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *text - '0', &number))
            return false;
    *ret_number = number;
    return number >= min && number <= max;
}

static int read_filter(struct draft *draft, struct range *range, struct err_text *error)
{
    const struct list *lists = draft->lists;
    for (size_t i = 0; i < lists[SERIES].n; i++) {
        int64_t id;
        if (!read_number(lists[SERIES].at[i], 1, UINT32_MAX, &id))
            return err_set_field(error, ERR_INVALID, "series", "\"%.64s\" is no id of a series; ids are whole numbers from 1 on",
                                 lists[SERIES].at[i]);
        draft->ids[i] = (uint32_t)id;
    }
    range->filter = (struct series_filter){
        .ids = draft->ids, .n_ids = lists[SERIES].n,
        .entities = lists[ENTITY].at, .n_entities = lists[ENTITY].n,
        .types = lists[TYPE].at, .n_types = lists[TYPE].n,
        .properties = lists[PROPERTY].at, .n_properties = lists[PROPERTY].n,
    };
    return 0;
}

static int read_zone(const char *name, struct range *range, struct err_text *error)
{
    int rc = name ? zone_open(name, &range->zone) : 0;
    if (!rc || rc == ERR_NOMEM || rc == ERR_IO)
        return rc;
    return err_set_field(error, ERR_INVALID, "tz", "there is no time zone \"%.64s\"; take a name of the IANA list such as "
                         "Europe/Berlin", name);
}

static int read_step(const char *text, struct range *range, struct err_text *error)
{
    range->raw = !text || !strcmp(text, "raw");
    if (range->raw)
        return 0;
    if (!strcmp(text, "auto"))
        return err_set_field(error, ERR_INVALID, "step", "the step \"auto\" is not there yet in this version");
    if (civil_parse_duration(text, strlen(text), true, &range->step))
        return err_set_field(error, ERR_INVALID, "step", "\"%.64s\" is no step; take raw, or a duration such as PT15M, P1D "
                             "or 15m", text);
    return grid_init(&range->grid, &range->step, range->zone, error);
}

static int read_aggs(const struct list *list, struct range *range, struct err_text *error)
{
    if (list->n && range->raw)
        return err_set_field(error, ERR_INVALID, "agg", "raw readings are not aggregated; \"agg\" needs a step such as PT15M");
    for (size_t i = 0; i < list->n; i++) {
        enum agg agg;
        int rc = agg_parse(list->at[i], &agg, error);
        if (rc)
            return rc;
        for (size_t before = 0; before < i; before++)
            if (range->aggs[before] == agg)
                return err_set_field(error, ERR_INVALID, "agg", "\"%s\" is given twice", agg_name[agg]);
        range->aggs[range->n_aggs++] = agg; /* each once, so that they fit */
    }
    return 0;
}

/* ---- how the answer is handed out ---- */

static int read_fill(const char *text, struct range *range, struct err_text *error)
{
    range->fill = FILL_NULL;
    if (!text || !strcmp(text, "null"))
        return 0;
    range->fill = FILL_NONE;
    if (!strcmp(text, "none"))
        return 0;
    bool is_later = !strcmp(text, "previous") || !strcmp(text, "linear");
    return err_set_field(error, ERR_INVALID, "fill", "%s \"%.64s\"%s; take null or none",
                         is_later ? "the fill" : "there is no fill", text,
                         is_later ? " is not there yet in this version" : "");
}

static int read_time_form(const char *text, struct range *range, struct err_text *error)
{
    static const char *const forms[] = {[TIME_ISO] = "iso", [TIME_MS] = "ms", [TIME_LOCAL] = "local"};
    for (int form = TIME_ISO; form <= TIME_LOCAL; form++) {
        if (!text || !strcmp(text, forms[form])) {
            range->time = (enum time_form)form;
            return 0;
        }
    }
    return err_set_field(error, ERR_INVALID, "time", "there is no form of time \"%.64s\"; take iso, ms or local", text);
}

static int read_limit(const char *text, struct range *range, struct err_text *error)
{
    if (!text || read_number(text, 1, INT64_MAX, &range->limit))
        return 0;
    return err_set_field(error, ERR_INVALID, "limit", "\"%.64s\" is no limit; it is a number of rows from 1 on", text);
}

static int read_cursor(const char *text, struct range *range, struct err_text *error)
{
    struct cursor cursor;
    if (cursor_parse(text, &cursor))
        return err_set_field(error, ERR_INVALID, "cursor", "this is no cursor of an answer; take it as it was given");
    if (cursor.question != range->question)
        return err_set_field(error, ERR_INVALID, "cursor", "the cursor belongs to another question; send the same "
                             "parameters with it");
    range->has_cursor = true;
    range->after_id = cursor.series_id;
    range->after_us = cursor.t_us;
    range->last_id = cursor.last_id;
    range->from_us = cursor.from_us;
    range->to_us = cursor.to_us;
    return 0;
}

static int read_when(const struct draft *draft, enum name name, int64_t now_us, struct range *range, int64_t *ret_t_us,
                     struct err_text *error)
{
    if (!draft->single[name])
        return err_set_field(error, ERR_INVALID, names[name], "\"%s\" is missing; an answer covers the time from \"from\" up "
                             "to, not including, \"to\"", names[name]);
    return when_parse(draft->single[name], names[name], now_us, range->zone, ret_t_us, error);
}

static int read_span(const struct draft *draft, int64_t now_us, struct range *range, struct err_text *error)
{
    int rc = read_when(draft, FROM, now_us, range, &range->from_us, error);
    if (!rc)
        rc = read_when(draft, TO, now_us, range, &range->to_us, error);
    if (!rc && range->from_us > range->to_us)
        rc = err_set_field(error, ERR_INVALID, "to", "\"to\" lies before \"from\": %.64s is earlier than %.64s",
                           draft->single[TO], draft->single[FROM]);
    return rc;
}

/* ---- all of it ---- */

static int read_all(struct draft *draft, int64_t now_us, struct range *range, struct err_text *error)
{
    int rc = read_filter(draft, range, error);
    if (!rc)
        rc = read_zone(draft->single[TZ], range, error);
    if (!rc)
        rc = read_span(draft, now_us, range, error);
    if (!rc)
        rc = read_step(draft->single[STEP], range, error);
    if (!rc)
        rc = read_aggs(&draft->lists[AGG], range, error);
    if (!rc)
        rc = read_fill(draft->single[FILL], range, error);
    if (!rc)
        rc = read_time_form(draft->single[TIME], range, error);
    if (!rc)
        rc = read_limit(draft->single[LIMIT], range, error);
    if (!rc && draft->single[CURSOR])
        rc = read_cursor(draft->single[CURSOR], range, error);
    return rc;
}

int range_parse(const struct parameter *parameters, size_t n, int64_t now_us, struct range *ret_range,
                struct err_text *error)
{
    struct draft draft = {0};
    struct range range = {0};
    int rc = read_parameters(parameters, n, &draft, &range.memory, error);
    if (!rc)
        rc = hash_question(parameters, n, &range.question);
    if (!rc)
        rc = read_all(&draft, now_us, &range, error);
    if (rc) {
        range_free(&range);
        return rc;
    }
    *ret_range = range;
    return 0;
}

void range_free(struct range *range)
{
    free(range->memory);
    *range = (struct range){0};
}

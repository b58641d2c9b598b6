#include <config.h>

#include "query/range.h"

#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/limits.h"
#include "query/cursor.h"
#include "query/draft.h"
#include "query/when.h"

/* Series, globs or names in one list: more are asked for by a glob. */
#define LIST_MAX 1024

const char *const draft_name[N_NAMES] = {
    [SERIES] = "series", [ENTITY] = "entity", [TYPE] = "type", [PROPERTY] = "property", [AGG] = "agg", [FROM] = "from",
    [TO] = "to", [STEP] = "step", [TZ] = "tz", [FILL] = "fill", [MAX_GAP] = "max_gap", [OVER] = "over", [BY] = "by",
    [BOUNDS] = "bounds", [UNIT] = "unit", [QUALITY] = "quality", [ASOF] = "asof", [LEAD_MIN] = "lead_min", [REDUCE] = "reduce",
    [POINTS] = "points", [LAYOUT] = "layout", [AVAILABLE] = "available", [SNAPSHOT] = "snapshot", [TIME] = "time",
    [EXPLAIN] = "explain",
    [LIMIT] = "limit", [CURSOR] = "cursor",
};

static const char *const passed_over[] = {"format", "sep", "decimal", "bom", "numbers"};

/* ---- names ---- */

static bool is_one_of(const char *name, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, texts[i]))
            return true;
    return false;
}

static enum draft_name find_name(const char *name)
{
    int i = 0;
    while (i < N_NAMES && strcmp(name, draft_name[i]) != 0)
        i++;
    return (enum draft_name)i;
}

static int refuse_name(const char *name, struct err_text *error)
{
    struct buf text = {0};
    for (int i = 0; i < N_NAMES; i++)
        buf_printf(&text, "%s, ", draft_name[i]);
    int rc = text.failed ? ERR_NOMEM
                         : err_set_field(error, ERR_INVALID, name, "there is no parameter \"%.64s\"; take %.*sor format", name,
                                         (int)text.n, (const char *)text.data);
    buf_free(&text);
    return rc;
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
static int add_items(struct draft_list *list, char *text, const char *name, struct err_text *error)
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
        enum draft_name name = find_name(parameters[i].name);
        if (name >= N_LISTS)
            continue;
        n_items[name] += count_items(parameters[i].value);
        n_bytes += strlen(parameters[i].value) + 1;
    }
    for (int list = 0; list < N_LISTS; list++) {
        n_pointers += n_items[list];
        if (n_items[list] > LIST_MAX)
            return err_set_field(error, ERR_LIMIT, draft_name[list], "\"%s\" has %zu items, at most %d are possible; use a "
                                 "glob", draft_name[list], n_items[list], LIST_MAX);
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
        enum draft_name name = find_name(given->name);
        if (name < N_LISTS) {
            size_t size = strlen(given->value) + 1;
            memcpy(text, given->value, size);
            rc = add_items(&draft->lists[name], text, draft_name[name], error);
            text += size;
        } else if (name < N_NAMES) {
            if (draft->single[name])
                rc = err_set_field(error, ERR_INVALID, draft_name[name], "\"%s\" is given twice", draft_name[name]);
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
        buf_puts(&text, draft_name[name]);
        for (size_t i = 0; i < n; i++) {
            if (strcmp(parameters[i].name, draft_name[name]) != 0)
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

bool draft_number(const char *text, int64_t min, int64_t max, int64_t *ret_number)
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
    const struct draft_list *lists = draft->lists;
    for (size_t i = 0; i < lists[SERIES].n; i++) {
        int64_t id;
        if (!draft_number(lists[SERIES].at[i], 1, UINT32_MAX, &id))
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

/* ---- how the answer is handed out ---- */

static int read_limit(const char *text, struct range *range, struct err_text *error)
{
    if (!text || draft_number(text, 1, INT64_MAX, &range->limit))
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
    range->asof_us = cursor.asof_us;
    return 0;
}

static int read_when(const struct draft *draft, enum draft_name name, int64_t now_us, struct range *range, int64_t *ret_t_us,
                     struct err_text *error)
{
    if (!draft->single[name])
        return err_set_field(error, ERR_INVALID, draft_name[name], "\"%s\" is missing; an answer covers the time from \"from\" "
                             "up to, not including, \"to\"", draft_name[name]);
    return when_parse(draft->single[name], draft_name[name], now_us, range->zone, ret_t_us, error);
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
        rc = draft_read_options(draft, now_us, range, error);
    if (!rc)
        rc = read_limit(draft->single[LIMIT], range, error);
    if (!rc && draft->single[CURSOR])
        rc = read_cursor(draft->single[CURSOR], range, error);
    if (!rc && range->is_auto)
        rc = draft_choose_step(range, error);
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

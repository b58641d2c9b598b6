#include <config.h>

#include "http/render.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/jsontext.h"
#include "query/shown.h"

/* "+01:00" */
/* Room is made for the longest of this many rows, which is some ten times what they take. */
#define ROWS_AT_A_TIME 64
#define OFFSET_CHARS 6

static void add_key(struct keys *keys, const char *name, const char *value)
{
    keys->names[keys->n] = name;
    keys->values[keys->n++] = value;
}

struct keys render_keys(const struct range *range, const struct series_info *info)
{
    struct keys keys = {0};
    struct shown_columns columns = shown_columns(range);
    if (!range->over)
        add_key(&keys, "entity", info->entity);
    if (range->by == BY_TYPE)
        add_key(&keys, "type", info->type);
    if (!range->over || range->by == BY_PROPERTY)
        add_key(&keys, "property", info->property);
    if (range->by == BY_LOCATION || range->by == BY_BOARD)
        add_key(&keys, range->by == BY_BOARD ? "board" : "location", info->entity);
    add_key(&keys, "unit", info->unit);
    if (columns.has_values && columns.has_integrals) {
        const char *unit = info->unit ? shown_integral_unit(range, info->unit) : NULL;
        add_key(&keys, "integral_unit", unit ? unit : "");
    }
    return keys;
}

const char *const *render_counts(const struct range *range)
{
    static const char *const names[] = {"series", "missing", NULL}, *const guarded[] = {"series", "missing", "suppressed", NULL};
    return !range->over ? &names[2] : range->guard_k ? guarded : names;
}

int render_know(struct render *render, const struct series_info *info)
{
    struct keys keys = render_keys(render->range, info);
    int64_t index;
    int rc = 0;
    for (size_t i = 0; i < keys.n && !rc; i++)
        rc = texts_intern(&render->known.names[i], keys.values[i], strlen(keys.values[i]), &index);
    render->known.has_texts |= info->kind == KIND_STATE;
    render->known.has_numbers |= info->kind != KIND_STATE;
    return rc;
}

void render_done(struct render *render)
{
    buf_free(&render->prefix);
    buf_free(&render->shapes);
    for (size_t i = 0; i < KEYS_MAX; i++)
        texts_free(&render->known.names[i]);
    gather_free(render->gather);
    render->gather = NULL;
    buf_free(&render->explain);
}

/* ---- times ---- */

static char *put_digits(char *at, int32_t number, size_t n)
{
    for (size_t i = n; i-- > 0; number /= 10)
        at[i] = (char)('0' + number % 10);
    return at + n;
}

/* The next minute of the same day differs in hour and minute only: "...Thh:mm:" */
static bool enter_minute_of_day(const struct range *range, struct minute *minute, int64_t begin_us)
{
    if (range->zone || !minute->n_before || begin_us < minute->day_us || begin_us >= minute->day_us + US_PER_DAY)
        return false;
    int32_t of_day = (int32_t)((begin_us - minute->day_us) / US_PER_MINUTE);
    put_digits(minute->before + minute->n_before - 6, of_day / 60, 2);
    put_digits(minute->before + minute->n_before - 3, of_day % 60, 2);
    minute->begin_us = begin_us;
    minute->end_us = begin_us + US_PER_MINUTE;
    return true;
}

/* All times of a minute are alike but for their seconds, unless the zone's offset changes within it, or has seconds. */
static void enter_minute(const struct range *range, struct minute *minute, int64_t t_us)
{
    int64_t past_us = t_us % US_PER_MINUTE, begin_us = t_us - (past_us < 0 ? past_us + US_PER_MINUTE : past_us);
    bool local = range->time == TIME_LOCAL, zulu = !range->zone && !local;
    int32_t offset_s = range->zone ? zone_offset_s(range->zone, t_us) : 0;
    char text[CIVIL_TEXT_MAX];
    if (enter_minute_of_day(range, minute, begin_us))
        return;
    minute->begin_us = minute->end_us = t_us;
    if (offset_s % 60 || (range->zone && (zone_offset_s(range->zone, begin_us) != offset_s ||
                                          zone_offset_s(range->zone, begin_us + US_PER_MINUTE - 1) != offset_s)))
        return;
    size_t n = civil_print_rfc3339(text, begin_us, offset_s, zulu), n_behind = zulu ? 1 : OFFSET_CHARS;
    minute->n_before = n - n_behind - 2;
    minute->n_behind = local ? 0 : n_behind;
    memcpy(minute->before, text, minute->n_before);
    memcpy(minute->behind, text + n - n_behind, minute->n_behind);
    minute->begin_us = begin_us;
    minute->end_us = begin_us + US_PER_MINUTE;
    int64_t of_day_us = begin_us % US_PER_DAY;
    minute->day_us = begin_us - (of_day_us < 0 ? of_day_us + US_PER_DAY : of_day_us);
}

static size_t print_in_minute(const struct minute *minute, int64_t t_us, char *out)
{
    int32_t us = (int32_t)(t_us - minute->begin_us), fraction = us % (int32_t)US_PER_SECOND;
    memcpy(out, minute->before, sizeof(minute->before)); /* a fixed size is faster, and there is room */
    char *at = out + minute->n_before;
    at = put_digits(at, us / (int32_t)US_PER_SECOND, 2);
    if (fraction) {
        *at++ = '.';
        at = fraction % 1000 ? put_digits(at, fraction, 6) : put_digits(at, fraction / 1000, 3);
    }
    memcpy(at, minute->behind, sizeof(minute->behind));
    return (size_t)(at - out) + minute->n_behind;
}

/* At least TIME_ROOM bytes are free at `at`. */
#define TIME_ROOM DECIMAL_TEXT_MAX
static_assert(TIME_ROOM >= 2 * CIVIL_TEXT_MAX, "a time, and what is copied too much");

static size_t print_time(const struct range *range, struct minute *minute, int64_t t_us, char *at)
{
    if (range->time == TIME_MS) /* microseconds stand behind a point */
        return decimal_print(at, decimal_canonical((struct decimal){t_us, -3}));
    if (t_us < minute->begin_us || t_us >= minute->end_us)
        enter_minute(range, minute, t_us);
    if (t_us < minute->end_us)
        return print_in_minute(minute, t_us, at);
    bool local = range->time == TIME_LOCAL;
    size_t n = civil_print_rfc3339(at, t_us, range->zone ? zone_offset_s(range->zone, t_us) : 0, !range->zone && !local);
    return local ? n - OFFSET_CHARS : n;
}

void render_time(const struct range *range, struct minute *minute, int64_t t_us, struct buf *out)
{
    char *at = (char *)buf_reserve(out, TIME_ROOM);
    if (at)
        out->n += print_time(range, minute, t_us, at);
}

void render_json_time(const struct range *range, struct minute *minute, int64_t t_us, struct buf *out)
{
    bool quoted = range->time != TIME_MS;
    if (quoted)
        buf_putc(out, '"');
    render_time(range, minute, t_us, out);
    if (quoted)
        buf_putc(out, '"');
}

/* ---- values ---- */

void render_number(const struct value *value, struct buf *out)
{
    static_assert(EXACT_TEXT_MAX >= DECIMAL_TEXT_MAX, "one reservation fits both");
    char *at = (char *)buf_reserve(out, EXACT_TEXT_MAX);
    if (!at)
        return;
    if (value->type == VALUE_DECIMAL)
        out->n += decimal_print(at, value->decimal);
    else if (value->type == VALUE_EXACT)
        out->n += exact_print(at, value->exact);
    else
        buf_printf(out, "%" PRIu64, value->count);
}

void render_json_value(struct render *render, const struct value *value, struct buf *out)
{
    if (value->type == VALUE_NULL)
        buf_puts(out, "null");
    else if (value->type == VALUE_TEXT)
        jsontext_put(out, value->text);
    else if (value->type == VALUE_TIME)
        render_json_time(render->range, &render->minute, value->t_us, out);
    else
        render_number(value, out);
}

struct value render_point(const struct render *render, const struct points *points, size_t i)
{
    if (render->info->kind == KIND_STATE)
        return (struct value){.type = VALUE_TEXT, .text = texts_at(&points->texts, points->m[i])};
    return (struct value){.type = VALUE_DECIMAL, .decimal = {points->m[i], points->e[i]}};
}

void render_tails(struct frame *frame, const char *before, bool no_names, const char *behind)
{
    for (int i = 0; i <= QUALITY_N; i++) {
        struct frame_tail *tail = &frame->tails[i];
        int n = snprintf(tail->text, sizeof(tail->text), "%s%s%s", before, no_names ? "" : quality_name((enum quality)i), behind);
        tail->n = (size_t)n;
    }
}

static void put_rows(struct render *render, const struct frame *frame, const struct points *points, size_t begin, size_t end,
                     size_t row_max, struct buf *out)
{
    char *start = (char *)buf_reserve(out, row_max * (end - begin)), *at = start;
    if (!at)
        return;
    for (size_t i = begin; i < end; i++) {
        uint8_t class = points->quality[i] & QUALITY_CLASS_MASK;
        const struct frame_tail *tail = &frame->tails[class < QUALITY_N ? class : QUALITY_N];
        at = mempcpy(at, frame->head, frame->n_head);
        at += print_time(render->range, &render->minute, points->t_us[i], at);
        at = mempcpy(at, frame->middle, frame->n_middle);
        size_t n = decimal_print(at, (struct decimal){points->m[i], points->e[i]});
        char *point = render->dialect.decimal == '.' ? NULL : memchr(at, '.', n);
        if (point)
            *point = render->dialect.decimal;
        at += n;
        memcpy(at, tail->text, sizeof(tail->text));
        at += tail->n;
    }
    out->n += (size_t)(at - start);
}

void render_rows(struct render *render, const struct frame *frame, const struct points *points, size_t begin, size_t end,
                 struct buf *out)
{
    size_t row_max = frame->n_head + TIME_ROOM + frame->n_middle + DECIMAL_TEXT_MAX + sizeof(frame->tails->text);
    for (size_t next; begin < end; begin = next) {
        next = end - begin > ROWS_AT_A_TIME ? begin + ROWS_AT_A_TIME : end;
        put_rows(render, frame, points, begin, next, row_max, out);
    }
}

/* ---- columns ---- */

void render_columns(struct render *render)
{
    render->n_series++;
    render->n_rows = 0;
    for (size_t column = 0; column < render->n_columns; column++) {
        size_t i = 0;
        while (i < render->n_aggs && render->aggs[i] != render->columns[column])
            i++;
        render->sources[column] = i;
    }
}

const struct value *render_column(const struct render *render, const struct row *row, size_t i)
{
    static const struct value nothing = {.type = VALUE_NULL};
    return render->sources[i] < render->n_aggs ? &row->values[render->sources[i]] : &nothing;
}

void render_wide_name(const struct render *render, size_t column, struct buf *out)
{
    const struct wide_column *wide = &render->wide[column];
    buf_puts(out, wide->info->entity);
    buf_putc(out, '.');
    buf_puts(out, wide->info->property);
    if (render->range->n_aggs > 1 || (render->range->is_auto && !render->range->n_aggs))
        buf_printf(out, ".%s", agg_name[wide->agg]);
}

void render_json_wide_name(struct render *render, size_t column, struct buf *out)
{
    struct buf *name = &render->prefix;
    buf_clear(name);
    render_wide_name(render, column, name);
    buf_putc(name, '\0');
    if (name->failed)
        out->failed = true;
    else
        jsontext_put(out, (const char *)name->data);
}

struct value render_cell(const struct render *render, const struct sheet *sheet, size_t column, size_t row)
{
    int64_t m = sheet->columns[column].m[row];
    int8_t e = sheet->columns[column].e[row];
    if (e == SHEET_OTHER)
        return m ? (struct value){.type = VALUE_EXACT, .exact = &sheet->exacts[m - 1]} : (struct value){.type = VALUE_NULL};
    switch (render->wide[column].type) {
    case SHEET_COUNT:
        return (struct value){.type = VALUE_COUNT, .count = (uint64_t)m};
    case SHEET_TEXT:
        return (struct value){.type = VALUE_TEXT, .text = texts_at(sheet->texts, m)};
    case SHEET_TIME:
        return (struct value){.type = VALUE_TIME, .t_us = m};
    default:
        return (struct value){.type = VALUE_DECIMAL, .decimal = {m, e}};
    }
}

bool render_sheet_rows(struct render *render, const struct sheet *sheet, const struct row_text *text, struct buf *out)
{
    while (render->sheet_at < sheet->n && out->n < STREAM_BYTES) {
        size_t row = render->sheet_at++;
        text->begin(render, sheet->t_us[row], out);
        for (size_t i = 0; i < sheet->n_columns; i++) {
            struct value value = render_cell(render, sheet, i, row);
            text->cell(render, i, &value, out);
        }
        buf_puts(out, text->end);
    }
    return render->sheet_at < sheet->n;
}

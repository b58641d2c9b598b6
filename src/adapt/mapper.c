#include <config.h>

#include "adapt/mapper.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/mapper_inside.h"
#include "common/civil.h"
#include "common/hash.h"
#include "common/limits.h"
#include "common/mix.h"

int mapper_refuse(struct mapper *mapper, enum refusal_reason reason, const char *format, ...)
{
    struct misfit misfit = {.line = mapper->line, .reason = reason};
    va_list list;
    va_start(list, format);
    vsnprintf(misfit.detail, sizeof(misfit.detail), format, list);
    va_end(list);
    mapper->counts.refused++;
    return mapper->opts.refuse(mapper->opts.arg, &misfit);
}

static const char *field_name(const struct mapper *mapper, int field)
{
    return mapper->mapping->fields[field].name;
}

/* ---- when ---- */

/* Which series a record is of, as far as can be told before it is read: its entity, and the texts that choose among
 * values. */
static uint64_t key_of(const struct mapper *mapper)
{
    const struct mapping *mapping = mapper->mapping;
    uint64_t key = mapper->seed;
    for (size_t i = 0; i < mapping->n_fields; i++) {
        const struct cell *cell = &mapper->cells[i];
        if (mapping->fields[i].tells && cell->kind == CELL_TEXT)
            key = mix_hash(key ^ i, cell->at, cell->size);
    }
    return key;
}

/* The text of a time: of one field as it is, of several joined by blanks. */
static struct cell join(struct mapper *mapper, const struct instant *instant)
{
    struct cell joined = mapper->cells[instant->fields[0]];
    buf_clear(&mapper->stamp);
    for (size_t i = 0; i < instant->n_fields && instant->n_fields > 1; i++) {
        const struct cell *cell = &mapper->cells[instant->fields[i]];
        if (cell->kind != CELL_TEXT)
            return *cell;
        if (i > 0)
            buf_putc(&mapper->stamp, ' ');
        buf_put(&mapper->stamp, cell->at, cell->size);
    }
    if (instant->n_fields > 1)
        joined = (struct cell){(const char *)mapper->stamp.data, mapper->stamp.n, CELL_TEXT};
    return joined;
}

static void trim(struct cell *cell)
{
    while (cell->size > 0 && (cell->at[0] == ' ' || cell->at[0] == '\t')) {
        cell->at++;
        cell->size--;
    }
    while (cell->size > 0 && (cell->at[cell->size - 1] == ' ' || cell->at[cell->size - 1] == '\t'))
        cell->size--;
}

/* The instant of a record. 1, or 0 when it was refused, or a code. */
static int read_instant(struct mapper *mapper, const struct instant *instant, struct wall *wall, int64_t *ret_t_us)
{
    struct stamp stamp;
    struct cell cell = join(mapper, instant);
    const char *name = field_name(mapper, instant->fields[0]);
    if (mapper->stamp.failed)
        return ERR_NOMEM;
    trim(&cell);
    if (cell.kind != CELL_TEXT || cell.size == 0)
        return mapper_refuse(mapper, REFUSED_TIME, "field \"%.60s\" has no time", name);
    if (stamp_parse(&instant->format, cell.at, cell.size, &stamp) < 0)
        return mapper_refuse(mapper, REFUSED_TIME, "field \"%.60s\" is no time of the format", name);
    if (!stamp.is_local) {
        *ret_t_us = stamp.t_us;
        return 1;
    }
    if (!wall)
        return mapper_refuse(mapper, REFUSED_TIME, "field \"%.60s\" has no offset, and no zone is given", name);
    int rc = wall_instant(wall, key_of(mapper), stamp.t_us, mapper->known_us, ret_t_us);
    if (rc == ERR_NOTFOUND)
        return mapper_refuse(mapper, REFUSED_TIME,
                             "the time in field \"%.60s\" does not exist: clocks were put forward", name);
    if (rc == ERR_LIMIT)
        return mapper_refuse(mapper, REFUSED_LIMIT, "more than %d series with local times", WALL_SERIES_MAX);
    return rc < 0 ? rc : 1;
}

static int64_t floor_to(int64_t t_us, int64_t granularity_us)
{
    int64_t rest = granularity_us ? t_us % granularity_us : 0;
    return t_us - (rest < 0 ? rest + granularity_us : rest);
}

/* ---- values ---- */

static bool is_text(const struct cell *cell, const char *text)
{
    return cell->size == strlen(text) && memcmp(cell->at, text, cell->size) == 0;
}

static bool is_met(const struct mapper *mapper, const struct value *value)
{
    for (size_t i = 0; i < value->n_when; i++) {
        const struct condition *condition = &value->when[i];
        struct cell cell = mapper->cells[condition->field];
        bool met = false;
        if (cell.kind != CELL_TEXT)
            cell = (struct cell){"", 0, CELL_TEXT};
        for (size_t j = 0; j < condition->n && !met; j++)
            met = is_text(&cell, condition->texts[j]);
        if (!met)
            return false;
    }
    return true;
}

static bool is_missing_text(const struct missing *missing, const struct cell *cell)
{
    for (size_t i = 0; i < missing->n; i++)
        if (is_text(cell, missing->texts[i]))
            return true;
    return false;
}

static bool is_missing_number(const struct missing *missing, const char *text, size_t size)
{
    struct decimal number;
    bool rounded;
    if (missing->n == 0 || decimal_parse(text, size, &number, &rounded) < 0)
        return false;
    for (size_t i = 0; i < missing->n; i++)
        if (missing->is_number[i] && decimal_compare(missing->numbers[i], number) == 0)
            return true;
    return false;
}

/* The number of a value. 1, 0: refused, or 2: it says that there is none. */
static int read_number(struct mapper *mapper, const struct value *value, const struct cell *cell,
                       struct observation *observation)
{
    const struct mapping_csv *csv = &mapper->mapping->csv;
    const struct number_form form = {csv->decimal, csv->thousands};
    char *out = (char *)mapper->value.data;
    size_t size;
    if (number_plain(&form, cell->at, cell->size, out, &size) < 0)
        return mapper_refuse(mapper, REFUSED_NUMBER, "field \"%.60s\" is no number", field_name(mapper, value->field));
    if (is_missing_number(&mapper->mapping->missing, out, size) || is_missing_number(&value->missing, out, size))
        return 2;
    if (value->scaled && number_scale(out, size, value->scale, out, &size) < 0)
        return mapper_refuse(mapper, REFUSED_NUMBER, "field \"%.60s\" is too large or too small",
                             field_name(mapper, value->field));
    out[size] = '\0';
    observation->value = out;
    return 1;
}

/* As read_number. */
static int read_text(struct mapper *mapper, const struct value *value, struct observation *observation)
{
    int64_t number;
    buf_clear(&mapper->value);
    observation->state = true;
    return mapper_choice(mapper, &value->states, REFUSED_FIELD, LIMIT_STATE_BYTES, &mapper->value, &observation->value,
                         &number);
}

static int read_value(struct mapper *mapper, const struct value *value, struct observation *observation)
{
    struct cell cell = mapper->cells[value->field];
    trim(&cell);
    if (cell.kind == CELL_ABSENT || (cell.kind == CELL_TEXT && cell.size == 0 && !value->states.coded))
        return 2;
    if (cell.kind == CELL_MANY)
        return mapper_refuse(mapper, value->is_state ? REFUSED_FIELD : REFUSED_NUMBER,
                             "field \"%.60s\" has more than one value in it", field_name(mapper, value->field));
    if (is_missing_text(&mapper->mapping->missing, &cell) || is_missing_text(&value->missing, &cell))
        return 2;
    return value->is_state ? read_text(mapper, value, observation) : read_number(mapper, value, &cell, observation);
}

/* A part of the document that a record has once is refused once: the values after it go with it. */
static int note(enum part_state *state, int rc)
{
    if (state)
        *state = rc == 1 ? PART_GOOD : rc == 0 ? PART_REFUSED : PART_UNKNOWN;
    return rc;
}

static int read_entity(struct mapper *mapper, const struct value *value, struct observation *observation)
{
    bool shared = value->entity == &mapper->mapping->entity;
    struct buf *out = shared ? &mapper->entity : &mapper->own_entity;
    if (!shared || mapper->entity_state == PART_UNKNOWN) {
        int rc = note(shared ? &mapper->entity_state : NULL, mapper_entity(mapper, value->entity, out));
        if (rc <= 0)
            return rc;
    }
    observation->entity = (const char *)out->data;
    return shared ? mapper->entity_state == PART_GOOD : 1;
}

/* A field without codes says it itself. */
static bool read_meaning(const char *text, bool is_period, int64_t *ret_number)
{
    struct duration duration;
    enum quality quality;
    if (is_period)
        return civil_parse_duration(text, strlen(text), false, &duration) == 0 &&
               civil_fixed_us(&duration, ret_number) == 0 && *ret_number > 0;
    if (quality_parse(text, strlen(text), &quality) < 0)
        return false;
    *ret_number = quality;
    return true;
}

/* A period or a quality. */
static int read_choice(struct mapper *mapper, const struct choice *choice, const struct choice *shared,
                       enum part_state *state, int64_t *ret_number)
{
    bool is_period = shared == &mapper->mapping->period;
    const char *text;
    if (!choice->given)
        return 1;
    if (choice == shared && *state == PART_REFUSED)
        return 0;
    int rc = mapper_choice(mapper, choice, is_period ? REFUSED_TIME : REFUSED_FIELD, LIMIT_NAME_BYTES, &mapper->unit,
                           &text, ret_number);
    if (rc == 1 && !choice->constant && !choice->coded && !read_meaning(text, is_period, ret_number))
        rc = mapper_refuse(mapper, is_period ? REFUSED_TIME : REFUSED_FIELD, "field \"%.60s\" is no %s",
                           field_name(mapper, choice->field),
                           is_period ? "fixed ISO 8601 duration above zero" : "quality");
    return note(choice == shared ? state : NULL, rc);
}

/* Everything of an observation but its value and time. */
static int read_parts(struct mapper *mapper, const struct value *value, struct observation *observation)
{
    const struct mapping *mapping = mapper->mapping;
    int64_t quality = QUALITY_MEASURED, number;
    int rc = read_entity(mapper, value, observation);
    if (rc == 1 && value->type == &mapping->type && mapper->type_state == PART_REFUSED)
        return 0;
    if (rc == 1)
        rc = note(value->type == &mapping->type ? &mapper->type_state : NULL,
                  mapper_choice(mapper, value->type, REFUSED_TYPE, LIMIT_NAME_BYTES, &mapper->type, &observation->type,
                                &number));
    if (rc == 1)
        rc = read_choice(mapper, value->period, &mapping->period, &mapper->period_state, &observation->period_us);
    if (rc == 1)
        rc = read_choice(mapper, value->quality, &mapping->quality, &mapper->quality_state, &quality);
    if (rc == 1)
        rc = mapper_choice(mapper, &value->property, REFUSED_PROPERTY, LIMIT_NAME_BYTES, &mapper->property,
                           &observation->property, &number);
    observation->unit = "";
    if (rc == 1 && value->unit.given)
        rc = mapper_choice(mapper, &value->unit, REFUSED_UNIT, LIMIT_UNIT_BYTES, &mapper->unit, &observation->unit,
                           &number);
    observation->quality = (enum quality)quality;
    return rc;
}

static int take_value(struct mapper *mapper, const struct value *value, int64_t t_us, int64_t issued_us)
{
    const struct instant *time = &mapper->mapping->time;
    struct observation observation = {.time_us = t_us, .issued_us = issued_us, .line = mapper->line};
    int rc = read_value(mapper, value, &observation);
    if (rc == 2) {
        mapper->counts.missing++;
        return 0;
    }
    if (rc == 1)
        rc = read_parts(mapper, value, &observation);
    if (rc != 1)
        return rc;
    if (time->end)
        observation.time_us -= observation.period_us;
    observation.time_us = floor_to(observation.time_us, time->granularity_us);
    if (observation.time_us < CIVIL_MIN_US)
        return mapper_refuse(mapper, REFUSED_TIME, "the time is before the year 1");
    mapper->counts.values++;
    return mapper->opts.observe(mapper->opts.arg, &observation);
}

/* Issued is not stated where its fields are empty. 1, 0 or a code. */
static int read_issued(struct mapper *mapper, int64_t *ret_issued_us)
{
    const struct instant *issued = &mapper->mapping->issued;
    const struct cell *cell = issued->given ? &mapper->cells[issued->fields[0]] : NULL;
    if (!cell || cell->kind == CELL_ABSENT || cell->size == 0) {
        *ret_issued_us = ISSUED_NONE;
        return 1;
    }
    int rc = read_instant(mapper, issued, mapper->has_issued_wall ? &mapper->issued_wall : NULL, ret_issued_us);
    if (rc == 1)
        *ret_issued_us = floor_to(*ret_issued_us, issued->granularity_us);
    return rc;
}

int mapper_record(struct mapper *mapper, int64_t line)
{
    const struct mapping *mapping = mapper->mapping;
    int64_t t_us, issued_us = ISSUED_NONE;
    bool met = false;
    mapper->line = line;
    mapper->counts.records++;
    mapper->entity_state = mapper->type_state = mapper->period_state = mapper->quality_state = PART_UNKNOWN;
    int rc = read_instant(mapper, &mapping->time, mapper->has_time_wall ? &mapper->time_wall : NULL, &t_us);
    if (rc == 1)
        rc = read_issued(mapper, &issued_us);
    if (rc != 1)
        return rc;
    rc = 0;
    for (size_t i = 0; i < mapping->n_values && rc == 0; i++) {
        if (!is_met(mapper, &mapping->values[i]))
            continue;
        met = true;
        rc = take_value(mapper, &mapping->values[i], t_us, issued_us);
    }
    if (rc == 0 && !met && !mapping->drops_unmatched)
        rc = mapper_refuse(mapper, REFUSED_PROPERTY, "no value of the mapping is for this record: no \"when\" is met");
    return rc;
}

/* ---- making and freeing ---- */

static int set_up_wall(const struct mapper *mapper, const struct instant *instant, struct wall *wall, bool *ret_has,
                       struct err_text *error)
{
    const char *zone = mapper->opts.zone ? mapper->opts.zone : instant->zone;
    if (!instant->given || !stamp_format_is_local(&instant->format) || !zone)
        return 0;
    int rc = wall_init(wall, zone, instant->descending, error);
    *ret_has = rc == 0;
    return rc;
}

static int set_up(struct mapper *mapper, struct err_text *error)
{
    const struct mapping *mapping = mapper->mapping;
    if (mapping->substitutes && !mapper->opts.pseudonyms)
        return err_set(error, ERR_INVALID,
                       "the mapping \"%.200s\" substitutes pseudonyms, and there is no vault to ask for them", mapping->name);
    if (!mapper->opts.zone && mapping_needs_zone(mapping))
        return err_set(error, ERR_INVALID,
                       "the mapping \"%.200s\" has local times, and no zone: give \"zone\" there, or --tz",
                       mapping->name);
    mapper->cells = calloc(mapping->n_fields, sizeof(*mapper->cells));
    mapper->csv.columns = calloc(mapping->n_fields, sizeof(*mapper->csv.columns));
    mapper->json.tokens = calloc(mapping->n_fields, sizeof(*mapper->json.tokens));
    buf_reserve(&mapper->value, NUMBER_TEXT_MAX + 1);
    if (!mapper->cells || !mapper->csv.columns || !mapper->json.tokens || mapper->value.failed)
        return ERR_NOMEM;
    hash_random(&mapper->seed, sizeof(mapper->seed));
    int rc = set_up_wall(mapper, &mapping->time, &mapper->time_wall, &mapper->has_time_wall, error);
    if (rc == 0)
        rc = set_up_wall(mapper, &mapping->issued, &mapper->issued_wall, &mapper->has_issued_wall, error);
    return rc;
}

int mapper_new(const struct mapper_opts *opts, struct mapper **ret_mapper, struct err_text *error)
{
    struct mapper *mapper = calloc(1, sizeof(*mapper));
    if (!mapper)
        return err_set(error, ERR_NOMEM, "no memory for the mapping \"%.200s\"", opts->mapping->name);
    mapper->opts = *opts;
    mapper->mapping = opts->mapping;
    int rc = set_up(mapper, error);
    if (rc < 0) {
        mapper_free(mapper);
        return rc;
    }
    *ret_mapper = mapper;
    return 0;
}

void mapper_free(struct mapper *mapper)
{
    if (!mapper)
        return;
    struct buf *bufs[] = {&mapper->source, &mapper->entity,   &mapper->own_entity, &mapper->type,
                          &mapper->unit,   &mapper->property, &mapper->value,      &mapper->stamp};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        buf_free(bufs[i]);
    wall_done(&mapper->time_wall);
    wall_done(&mapper->issued_wall);
    csv_reader_done(mapper);
    json_reader_done(mapper);
    buf_free(&mapper->lines.text);
    free(mapper->cells);
    free(mapper->csv.columns);
    free(mapper->json.tokens);
    free(mapper);
}

/* ---- a source ---- */

/* The name of a file without its folder and its last ending. */
static struct cell base_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return (struct cell){name, dot && dot > name ? (size_t)(dot - name) : strlen(name), CELL_TEXT};
}

static struct cell cell_of_source(const struct mapper_source *source, const char *name)
{
    if (strcmp(name, "@file") == 0 && source->file)
        return base_of(source->file);
    if (strcmp(name, "@topic") == 0 && source->topic)
        return (struct cell){source->topic, strlen(source->topic), CELL_TEXT};
    if (strcmp(name, "@key") == 0 && source->key)
        return (struct cell){source->key, source->key_size, CELL_TEXT};
    return (struct cell){0};
}

/* Keeps the texts of @ fields: their cells stay as they are from record to record. */
static int keep_source(struct mapper *mapper, const struct mapper_source *source)
{
    const struct mapping *mapping = mapper->mapping;
    size_t size = 0;
    buf_clear(&mapper->source);
    for (size_t i = 0; i < mapping->n_fields; i++) {
        mapper->cells[i] =
            mapping->fields[i].name[0] == '@' ? cell_of_source(source, mapping->fields[i].name) : (struct cell){0};
        size += mapper->cells[i].size;
    }
    if (!buf_reserve(&mapper->source, size + 1))
        return ERR_NOMEM;
    for (size_t i = 0; i < mapping->n_fields; i++) {
        struct cell *cell = &mapper->cells[i];
        const char *at = (const char *)mapper->source.data + mapper->source.n;
        buf_put(&mapper->source, cell->at ? cell->at : "", cell->size);
        cell->at = at;
    }
    return 0;
}

int mapper_begin(struct mapper *mapper, const struct mapper_source *source)
{
    mapper->counts = (struct mapper_counts){0};
    mapper->known_us = source->known_us;
    mapper->deaf = false;
    mapper->line = 1;
    wall_begin(&mapper->time_wall);
    wall_begin(&mapper->issued_wall);
    csv_reader_begin(mapper);
    json_reader_begin(mapper);
    mapper->lines.line = 1;
    mapper->lines.too_large = false;
    buf_clear(&mapper->lines.text);
    return keep_source(mapper, source);
}

int mapper_feed(struct mapper *mapper, const void *data, size_t size)
{
    if (mapper->deaf)
        return 0;
    switch (mapper->mapping->format) {
    case MAPPING_CSV:
        return csv_reader_feed(mapper, data, size);
    case MAPPING_JSON:
        return json_reader_feed(mapper, data, size);
    case MAPPING_INFLUX:
    default:
        return influx_reader_feed(mapper, data, size);
    }
}

int mapper_end(struct mapper *mapper)
{
    if (mapper->deaf)
        return 0;
    switch (mapper->mapping->format) {
    case MAPPING_CSV:
        return csv_reader_end(mapper);
    case MAPPING_JSON:
        return json_reader_end(mapper);
    case MAPPING_INFLUX:
    default:
        return influx_reader_end(mapper);
    }
}

struct mapper_counts mapper_counts(const struct mapper *mapper)
{
    return mapper->counts;
}

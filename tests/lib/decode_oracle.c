#include <config.h>

#include "decode_oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"
#include "oracle_json.h"

/* A part of contract section 3, written down a second time. */
static const struct model {
    const char *type, *property, *unit;
    enum kind kind;
    bool phases;
} models[] = {
    {"SmartMeter", "activeEnergyImport", "Wh", KIND_COUNTER, true},
    {"SmartMeter", "activeEnergyExport", "Wh", KIND_COUNTER, true},
    {"SmartMeter", "energy", "Wh", KIND_INTERVAL, true},
    {"SmartMeter", "activePower", "W", KIND_GAUGE, true},
    {"SmartMeter", "voltage", "V", KIND_GAUGE, true},
    {"SmartMeter", "current", "A", KIND_GAUGE, true},
    {"SmartMeter", "tariff", "", KIND_STATE, false},
    {"Load", "activeEnergyImport", "Wh", KIND_COUNTER, true},
    {"Load", "energy", "Wh", KIND_INTERVAL, true},
    {"Load", "activePower", "W", KIND_GAUGE, true},
    {"Load", "current", "A", KIND_GAUGE, true},
    {"Weather", "temperature", "degC", KIND_GAUGE, false},
    {"Weather", "precipitation", "mm", KIND_INTERVAL, false},
    {"Weather", "humidity", "%", KIND_GAUGE, false},
    {"Weather", "windDirection", "deg", KIND_GAUGE, false},
    {"Weather", "windSpeed", "m/s", KIND_GAUGE, false},
    {"Weather", "solarRadiation", "W/m2", KIND_GAUGE, false},
    {"Weather", "uvIndex", "1", KIND_GAUGE, false},
    {"Battery", "stateOfCharge", "%", KIND_GAUGE, false},
    {"Battery", "chargePower", "W", KIND_GAUGE, true},
    {"Battery", "dischargePower", "W", KIND_GAUGE, true},
    {"Battery", "operationalState", "", KIND_STATE, false},
    {"Property", NULL, NULL, KIND_GAUGE, false},
};

struct known_series {
    char entity[LIMIT_ENTITY_BYTES + 1], type[LIMIT_NAME_BYTES + 1], property[LIMIT_NAME_BYTES + 1];
    char unit[LIMIT_UNIT_BYTES];
};

struct oracle {
    const struct unit_table *units;
    int64_t future_max_us, oldest_us;
    struct known_series *series;
    size_t n_series;
    /* of the message */
    int64_t latest_us;
    size_t n_values, n_refused;
    enum refusal_reason reason_over;
    const char *part;
    size_t part_size;
    struct buf readings, refusals;
};

struct oracle *oracle_new(const struct unit_table *units, int64_t future_max_us, int64_t oldest_us)
{
    struct oracle *oracle = calloc(1, sizeof *oracle);
    if (!oracle)
        abort();
    oracle->units = units;
    oracle->future_max_us = future_max_us;
    oracle->oldest_us = oldest_us;
    return oracle;
}

void oracle_free(struct oracle *oracle)
{
    free(oracle->series);
    buf_free(&oracle->readings);
    buf_free(&oracle->refusals);
    free(oracle);
}

size_t oracle_n_series(const struct oracle *oracle)
{
    return oracle->n_series;
}

/* ---- what a line of the comparison looks like ---- */

static void print_refusal(struct buf *out, enum refusal_reason reason, const char *property, size_t property_size,
                          long slot, const char *payload, size_t size)
{
    buf_printf(out, "refused %s '%.*s' %ld <", refusal_name(reason), (int)property_size, property, slot);
    buf_put(out, payload, size);
    buf_puts(out, ">\n");
}

static void print_reading(struct buf *out, const struct reading *reading, const char *entity, const char *property,
                          const char *state)
{
    buf_printf(out, "%d %s %s t=%" PRId64 " ", reading->op, entity, property, reading->t_us);
    if (state)
        buf_printf(out, "'%s'", state);
    else
        buf_printf(out, "%" PRId64 "e%d", reading->m, reading->e);
    buf_printf(out, " period=%" PRId64 " issued=%" PRId64 " quality=%x known=%" PRId64 "\n", reading->period_us,
               reading->issued_us, reading->quality, reading->known_ms);
}

void oracle_print(const struct batch *batch, const struct registry *registry, struct buf *out)
{
    for (size_t i = 0; i < batch->n_readings; i++) {
        const struct reading *reading = &batch->readings[i];
        const struct series *series = registry_at(registry, reading->series_i);
        print_reading(out, reading, entity_name(series->entity), series->property->name,
                      series->kind == KIND_STATE && reading->op == OP_VALUE ? texts_at(&batch->texts, reading->m)
                                                                            : NULL);
    }
    for (size_t i = 0; i < batch->n_refusals; i++) {
        const struct refusal *refusal = &batch->refusals[i];
        print_refusal(out, refusal->reason, refusal->property, strlen(refusal->property), refusal->slot,
                      (const char *)batch->payloads.data + refusal->payload_at, refusal->payload_size);
    }
}

/* Returns 1, so that a check can end with it. */
static int refuse(struct oracle *oracle, enum refusal_reason reason, const struct node *property, long slot)
{
    const char *name = property ? json_string_value(property->string) : "";
    if (oracle->n_refused++ >= LIMIT_MESSAGE_REFUSALS) {
        if (!oracle->reason_over)
            oracle->reason_over = reason;
        return 1;
    }
    if (strlen(name) > LIMIT_NAME_BYTES ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")])
        name = "";
    print_refusal(&oracle->refusals, reason, name, strlen(name), slot, oracle->part, oracle->part_size);
    return 1;
}

/* ---- JSON ---- */

static size_t skip_space(const char *text, size_t at)
{
    return at + strspn(text + at, " \t\r\n");
}

static const char *string_of(const struct node *node)
{
    return json_string_value(node->string);
}

static const struct node *member(const struct node *object, const char *name)
{
    for (size_t i = 0; object && i < object->n; i += 2)
        if (strcmp(string_of(&object->children[i]), name) == 0)
            return object->children[i + 1].type == 'n' ? NULL : &object->children[i + 1];
    return NULL;
}

static bool has_twice(const struct node *object)
{
    for (size_t i = 0; object && i < object->n; i += 2)
        for (size_t k = 0; k < i; k += 2)
            if (strcmp(string_of(&object->children[i]), string_of(&object->children[k])) == 0)
                return true;
    return false;
}

/* ---- series ---- */

static const char *type_of(const struct oracle *oracle, const char *entity)
{
    for (size_t i = 0; i < oracle->n_series; i++)
        if (strcmp(oracle->series[i].entity, entity) == 0)
            return oracle->series[i].type;
    return NULL;
}

static const struct known_series *find_known(const struct oracle *oracle, const char *entity, const char *property)
{
    for (size_t i = 0; i < oracle->n_series; i++)
        if (strcmp(oracle->series[i].entity, entity) == 0 && strcmp(oracle->series[i].property, property) == 0)
            return &oracle->series[i];
    return NULL;
}

struct column {
    const char *entity, *property;
    char type[LIMIT_NAME_BYTES + 1], unit_text[LIMIT_UNIT_BYTES];
    const struct unit *from, *to;
    enum kind kind;
};

static bool is_property(const struct model *model, const char *property)
{
    size_t size = model->property ? strlen(model->property) : 0;
    if (strncmp(model->property ? model->property : "", property, size) != 0)
        return false;
    property += size;
    return !model->property || !*property ||
           (model->phases && property[0] == 'L' && strchr("123", property[1]) && property[1] && !property[2]);
}

static const struct model *find_model(const char *type, const char *property)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strcmp(models[i].type, type) == 0 && is_property(&models[i], property))
            return &models[i];
    return NULL;
}

static const struct unit *unit_of(const struct oracle *oracle, const char *text)
{
    return unit_find(oracle->units, text, strlen(text));
}

static bool is_clean(const char *text, size_t size_max)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            return false;
    return *text && strlen(text) <= size_max;
}

static enum refusal_reason find_column(const struct oracle *oracle, const char *stated, struct column *column)
{
    const struct known_series *known = find_known(oracle, column->entity, column->property);
    const struct model *model = find_model(column->type, column->property);
    if (!model)
        return REFUSED_PROPERTY;
    column->kind = model->kind;
    if (!known && !model->property) {
        if (!is_clean(column->property, LIMIT_NAME_BYTES))
            return REFUSED_PROPERTY;
        if (!stated || !is_clean(stated, LIMIT_UNIT_BYTES - 1))
            return REFUSED_UNIT;
        const struct unit *unit = unit_of(oracle, stated);
        snprintf(column->unit_text, sizeof column->unit_text, "%s", unit ? unit->name : stated);
        return 0;
    }
    snprintf(column->unit_text, sizeof column->unit_text, "%s", known ? known->unit : model->unit);
    if (!stated || strcmp(stated, column->unit_text) == 0)
        return 0;
    column->to = unit_of(oracle, column->unit_text);
    column->from = unit_of(oracle, stated);
    if (!column->from || !column->to || strcmp(column->from->dimension, column->to->dimension) != 0)
        return REFUSED_UNIT;
    return 0;
}

static void remember(struct oracle *oracle, const struct column *column)
{
    if (find_known(oracle, column->entity, column->property))
        return;
    oracle->series = realloc(oracle->series, (oracle->n_series + 1) * sizeof *oracle->series);
    if (!oracle->series)
        abort();
    struct known_series *series = &oracle->series[oracle->n_series++];
    snprintf(series->entity, sizeof series->entity, "%s", column->entity);
    snprintf(series->type, sizeof series->type, "%s", column->type);
    snprintf(series->property, sizeof series->property, "%s", column->property);
    snprintf(series->unit, sizeof series->unit, "%s", column->unit_text);
}

/* ---- objects ---- */

struct slots {
    bool lists;
    size_t n;
    int64_t *t_us; /* INT64_MIN is out */
    uint8_t *quality;
    struct reading like; /* what the readings of the object have in common */
};

static int take_number(const struct column *column, const struct node *value,
                       struct reading *reading)
{
    struct decimal number;
    bool rounded, converted = false;
    if (value->type != '0' || !node_number(value, &number, &rounded))
        return -1;
    if (column->from && (unit_convert(column->from, column->to, number, &number, &converted) < 0 ||
                         number.e < -24 || number.e > 15))
        return -1;
    reading->m = number.m;
    reading->e = number.e;
    reading->quality = (uint8_t)(reading->quality | (rounded ? 8 : 0) | (converted ? 16 : 0));
    return 0;
}

static void take_value(struct oracle *oracle, const struct column *column, const struct slots *slots,
                       const struct node *name, const struct node *value, size_t i)
{
    struct reading reading = slots->like;
    const char *state = NULL;
    long slot = slots->lists ? (long)i : -1;
    if (slots->t_us[i] == INT64_MIN || (value && value->type == 'n'))
        return;
    reading.t_us = slots->t_us[i];
    if (value) {
        reading.quality = slots->quality[i];
        if (column->kind == KIND_STATE && value->type != '"') {
            refuse(oracle, REFUSED_FIELD, name, slot);
            return;
        }
        if (column->kind == KIND_STATE && strlen(string_of(value)) > 64) {
            refuse(oracle, REFUSED_LIMIT, name, slot);
            return;
        }
        if (column->kind == KIND_STATE)
            state = string_of(value);
        else if (take_number(column, value, &reading) < 0) {
            refuse(oracle, REFUSED_NUMBER, name, slot);
            return;
        }
    }
    remember(oracle, column);
    print_reading(&oracle->readings, &reading, column->entity, column->property, state);
}

static void take_column(struct oracle *oracle, const struct node *object, struct column *column,
                        const struct slots *slots, const struct node *name)
{
    const struct node *value = slots->like.op == OP_VALUE ? name + 1 : NULL;
    const struct node *unit = member(member(object, "units"), column->property);
    enum refusal_reason reason = REFUSED_UNIT;
    if (!unit || unit->type == '"')
        reason = find_column(oracle, unit ? string_of(unit) : NULL, column);
    if (reason) {
        refuse(oracle, reason, name, -1);
        return;
    }
    if (value && value->type == 'n')
        return;
    if (value && column->kind == KIND_INTERVAL && !slots->like.period_us)
        refuse(oracle, REFUSED_FIELD, name, -1);
    else if (value && (slots->lists != (value->type == '[') || (slots->lists && value->n != slots->n)))
        refuse(oracle, REFUSED_LENGTH, name, -1);
    else
        for (size_t i = 0; i < slots->n; i++)
            take_value(oracle, column, slots, name, value && slots->lists ? &value->children[i] : value, i);
}

static int take_quality(const struct node *node, uint8_t *ret_quality)
{
    static const char *const names[] = {"measured", "edited", "derived", "estimated", "suspect"};
    for (uint8_t i = 0; node->type == '"' && i < 5; i++) {
        if (strcmp(names[i], string_of(node)) == 0) {
            *ret_quality = i;
            return 0;
        }
    }
    return -1;
}

static int take_qualities(struct oracle *oracle, const struct node *quality, struct slots *slots)
{
    uint8_t all = 0;
    if (quality && quality->type != '[' && take_quality(quality, &all) < 0)
        return refuse(oracle, REFUSED_FIELD, NULL, -1);
    if (quality && quality->type == '[' && (!slots->lists || quality->n != slots->n))
        return refuse(oracle, REFUSED_LENGTH, NULL, -1);
    for (size_t i = 0; i < slots->n; i++) {
        slots->quality[i] = all;
        if (!quality || quality->type != '[' || quality->children[i].type == 'n' || slots->t_us[i] == INT64_MIN)
            continue;
        if (take_quality(&quality->children[i], &slots->quality[i]) < 0) {
            slots->t_us[i] = INT64_MIN;
            refuse(oracle, REFUSED_FIELD, NULL, (long)i);
        }
    }
    return 0;
}

static enum refusal_reason judge_time(const struct oracle *oracle, const struct node *node,
                                      const struct reading *like, int64_t *ret_t_us)
{
    if (!node_time(node, ret_t_us))
        return REFUSED_TIME;
    if (*ret_t_us > oracle->latest_us && like->issued_us == ISSUED_NONE && like->op == OP_VALUE)
        return REFUSED_FUTURE;
    if (*ret_t_us + (__int128)like->period_us > INT64_C(253402300800) * 1000000)
        return REFUSED_TIME;
    return *ret_t_us < oracle->oldest_us ? REFUSED_EXPIRED : 0;
}

static int take_times(struct oracle *oracle, const struct node *time, struct slots *slots)
{
    for (size_t i = 0; i < slots->n; i++) {
        enum refusal_reason reason =
            judge_time(oracle, slots->lists ? &time->children[i] : time, &slots->like, &slots->t_us[i]);
        if (!reason)
            continue;
        slots->t_us[i] = INT64_MIN;
        refuse(oracle, reason, NULL, slots->lists ? (long)i : -1);
        if (!slots->lists)
            return 1;
    }
    return 0;
}

static int take_period_and_issued(struct oracle *oracle, const struct node *object, struct reading *like)
{
    const struct node *period = member(object, "period"), *issued = member(object, "issued");
    struct duration duration;
    like->issued_us = ISSUED_NONE;
    if (period && (period->type != '"' ||
                   civil_parse_duration(string_of(period), strlen(string_of(period)), false, &duration) < 0 ||
                   civil_fixed_us(&duration, &like->period_us) < 0 || like->period_us <= 0))
        return refuse(oracle, REFUSED_TIME, NULL, -1);
    if (!issued)
        return 0;
    if (!node_time(issued, &like->issued_us))
        return refuse(oracle, REFUSED_TIME, NULL, -1);
    return like->issued_us > oracle->latest_us ? refuse(oracle, REFUSED_FUTURE, NULL, -1) : 0;
}

static void take_slots(struct oracle *oracle, const struct node *object, struct column *column, bool deletes)
{
    const struct node *time = member(object, "time"), *values = member(object, "values");
    struct slots slots = {.lists = time->type == '[', .n = time->type == '[' ? time->n : 1,
                          .like = {.known_ms = 0, .op = deletes ? OP_DELETE : OP_VALUE}};
    slots.like.known_ms = (oracle->latest_us - oracle->future_max_us) / 1000;
    slots.t_us = calloc(slots.n + 1, sizeof *slots.t_us);
    slots.quality = calloc(slots.n + 1, 1);
    if (take_period_and_issued(oracle, object, &slots.like) == 0 && take_times(oracle, time, &slots) == 0 &&
        take_qualities(oracle, member(object, "quality"), &slots) == 0) {
        if (deletes)
            slots.like.period_us = 0;
        for (size_t i = 0; i < values->n; i += 2) {
            struct column one = *column;
            one.property = string_of(&values->children[i]);
            take_column(oracle, object, &one, &slots, &values->children[i]);
        }
    }
    free(slots.t_us);
    free(slots.quality);
}

static void take_range(struct oracle *oracle, const struct node *object, struct column *column)
{
    struct reading reading = {.op = OP_DELETE_RANGE, .issued_us = ISSUED_NONE};
    const struct node *property = member(object, "property");
    const struct node *unit = member(member(object, "units"), string_of(property));
    int64_t to_us;
    enum refusal_reason reason = 0;
    reading.known_ms = (oracle->latest_us - oracle->future_max_us) / 1000;
    column->property = string_of(property);
    if (!node_time(member(object, "from"), &reading.t_us) || !node_time(member(object, "to"), &to_us) ||
        reading.t_us >= to_us)
        reason = REFUSED_TIME;
    else if (to_us <= oracle->oldest_us)
        reason = REFUSED_EXPIRED;
    else if (unit && unit->type != '"')
        reason = REFUSED_UNIT;
    else
        reason = find_column(oracle, unit ? string_of(unit) : NULL, column);
    if (reason) {
        refuse(oracle, reason, property, -1);
        return;
    }
    reading.period_us = to_us - reading.t_us;
    remember(oracle, column);
    print_reading(&oracle->readings, &reading, column->entity, column->property, NULL);
}

static bool any_of(const struct node *object, const char *const *names)
{
    for (; *names; names++)
        if (member(object, *names))
            return true;
    return false;
}

static bool is_string(const struct node *node)
{
    return node && node->type == '"';
}

/* `json` or `field` where the object has not the shape of the contract; 0 where it has. */
static enum refusal_reason judge_shape(const struct node *object, bool *ret_deletes, bool *ret_ranges)
{
    static const char *const fields[] = {"entity", "type", "time", "values", "period", "units", "quality", "issued",
                                         "delete", "property", "from", "to", NULL};
    static const char *const of_ranges[] = {"property", "from", "to", NULL};
    static const char *const not_of_ranges[] = {"time", "values", "period", "quality", "issued", NULL};
    for (size_t i = 0; i < object->n; i += 2) {
        const char *const *name = fields;
        while (*name && strcmp(*name, string_of(&object->children[i])) != 0)
            name++;
        if (!*name)
            return REFUSED_FIELD;
        for (size_t k = 0; k < i; k += 2)
            if (strcmp(*name, string_of(&object->children[k])) == 0)
                return REFUSED_JSON;
    }
    const struct node *delete = member(object, "delete"), *units = member(object, "units");
    *ret_deletes = delete && delete->type == 't';
    *ret_ranges = *ret_deletes && any_of(object, of_ranges);
    if ((delete && delete->type != 't' && delete->type != 'f') || !is_string(member(object, "entity")) ||
        !is_string(member(object, "type")) || (units && units->type != '{'))
        return REFUSED_FIELD;
    if (*ret_ranges) {
        if (!is_string(member(object, "property")) || !member(object, "from") || !member(object, "to") ||
            any_of(object, not_of_ranges))
            return REFUSED_FIELD;
    } else if (!member(object, "time") || !member(object, "values") || member(object, "values")->type != '{' ||
               any_of(object, of_ranges)) {
        return REFUSED_FIELD;
    }
    return has_twice(units) || (!*ret_ranges && has_twice(member(object, "values"))) ? REFUSED_JSON : 0;
}

static bool is_too_much(struct oracle *oracle, const struct node *object, bool deletes)
{
    const struct node *time = member(object, "time"), *values = member(object, "values");
    size_t n_slots = time->type == '[' ? time->n : 1;
    for (size_t i = 0; i < values->n; i += 2) {
        const struct node *value = &values->children[i + 1];
        oracle->n_values += deletes ? n_slots : value->type == '[' ? value->n : 1;
    }
    return n_slots > 65536 || oracle->n_values > 65536;
}

static void take_object(struct oracle *oracle, const struct node *object)
{
    bool deletes, ranges;
    struct column column = {0};
    enum refusal_reason reason = judge_shape(object, &deletes, &ranges);
    if (!reason && !ranges && is_too_much(oracle, object, deletes))
        reason = REFUSED_LIMIT;
    if (!reason) {
        const char *entity = string_of(member(object, "entity")), *type = string_of(member(object, "type"));
        const char *has = type_of(oracle, entity);
        size_t size = strlen(entity);
        if (size == 0 || size > 128 ||
            entity[strspn(entity, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-")])
            reason = REFUSED_ENTITY;
        else if (has && strcmp(has, type) != 0)
            reason = REFUSED_TYPE;
        for (size_t i = 0; !reason && !column.entity && i < sizeof models / sizeof *models; i++)
            if (strcmp(models[i].type, type) == 0)
                column.entity = entity;
        if (!reason && !column.entity)
            reason = REFUSED_TYPE;
        if (!reason)
            snprintf(column.type, sizeof column.type, "%s", type);
    }
    if (reason)
        refuse(oracle, reason, NULL, -1);
    else if (ranges)
        take_range(oracle, object, &column);
    else
        take_slots(oracle, object, &column, deletes);
}

/* ---- lines ---- */

static void set_part(struct oracle *oracle, const char *part, size_t size)
{
    while (size && strchr(" \t\r\n", part[size - 1]) && part[size - 1])
        size--;
    oracle->part = part;
    oracle->part_size = size;
}

static size_t next_line(const char *text, size_t size, size_t at)
{
    while (at < size) {
        if (text[at++] != '\n')
            continue;
        at += strspn(text + at, " \t\r");
        if (text[at] == '{' || text[at] == '[')
            return at;
    }
    return size;
}

static void take_line(struct oracle *oracle, const struct node *line, const char *text, size_t size)
{
    set_part(oracle, text, size);
    if (line->type == '{') {
        take_object(oracle, line);
    } else if (line->type == '[') {
        for (size_t i = 0; i < line->n; i++) {
            if (line->children[i].type == '{') {
                set_part(oracle, line->children[i].text, line->children[i].size);
                take_object(oracle, &line->children[i]);
            } else {
                set_part(oracle, text, size);
                refuse(oracle, REFUSED_JSON, NULL, -1);
            }
        }
    } else {
        refuse(oracle, REFUSED_JSON, NULL, -1);
    }
}

/* Takes the line that text begins with. Returns the bytes it took. */
static size_t decode_line(struct oracle *oracle, const char *text, size_t size)
{
    struct node line;
    size_t end = 0;
    enum json_verdict verdict = json_take(text, size, &line, &end);
    if (verdict == JSON_GOOD) {
        size_t behind = end + strspn(text + end, " \t\r");
        bool alone = behind == size || text[behind] == '\n';
        if (alone)
            take_line(oracle, &line, text, end);
        json_drop(&line);
        if (alone)
            return behind;
    }
    end = next_line(text, size, 0);
    set_part(oracle, text, end);
    refuse(oracle, verdict == JSON_DEEP ? REFUSED_LIMIT : REFUSED_JSON, NULL, -1);
    return end;
}

void oracle_decode(struct oracle *oracle, const char *value, size_t size, int64_t known_ms, struct buf *out)
{
    char *text = malloc(size + 1);
    memcpy(text, value, size);
    text[size] = '\0';
    oracle->latest_us = known_ms * 1000 + oracle->future_max_us;
    oracle->n_values = oracle->n_refused = 0;
    oracle->reason_over = REFUSED_NOT;
    buf_clear(&oracle->readings);
    buf_clear(&oracle->refusals);
    oracle->part = text;
    oracle->part_size = size;
    size_t at = skip_space(text, 0);
    if (at == size)
        refuse(oracle, REFUSED_JSON, NULL, -1);
    while (at < size)
        at = skip_space(text, at + decode_line(oracle, text + at, size - at));
    if (oracle->n_refused > LIMIT_MESSAGE_REFUSALS)
        print_refusal(&oracle->refusals, oracle->reason_over, "", 0, -1, text, size);
    buf_put(out, oracle->readings.data, oracle->readings.n);
    buf_put(out, oracle->refusals.data, oracle->refusals.n);
    free(text);
}

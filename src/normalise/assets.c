/* One asset: its fields by the rules of its kind. */
#include <config.h>

#include "normalise/checker.h"

#include <stdio.h>
#include <string.h>

#include "common/array.h"
#include "common/civil.h"
#include "common/zone.h"
#include "normalise/asset_rules.h"

#define DURATION_MAX_US (36525 * US_PER_DAY)
#define CALENDAR_ID_MAX (LIMIT_ENTITY_BYTES - (int)sizeof("calendar-") + 1)

/* Where a field is looked at: for people, `static.power`. */
struct field {
    const struct rule *rule;
    uint32_t token;
    const char *inside; /* "static." or "" */
};

static const struct token *token_of(const struct asset_checker *checker, const struct field *field)
{
    return &checker->scanner.tokens[field->token];
}

static const char *text_of(const struct asset_checker *checker, const struct field *field)
{
    return token_text(&checker->scanner, token_of(checker, field));
}

static int refuse_field(struct asset_checker *checker, const struct field *field, enum refusal_reason reason, const char *what)
{
    return checker_refuse(checker, reason, "the field \"%s%s\" is %s", field->inside, field->rule->name, what);
}

/* Whether a name from outside may be shown: one that looks like a name, not like a sentence about somebody. */
static bool is_shown(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!((name[i] >= '0' && name[i] <= '9') || (name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= 'a' && name[i] <= 'z') ||
              name[i] == '_'))
            return false;
    return size > 0 && size <= LIMIT_NAME_BYTES;
}

/* ---- values ---- */

static int take_name(struct asset_checker *checker, const struct field *field, char *out)
{
    const struct token *token = token_of(checker, field);
    enum refusal_reason reason = field->rule->type == RULE_ENTITY ? REFUSED_ENTITY : REFUSED_FIELD;
    if (token->type != TOKEN_STRING || !entity_is_name(text_of(checker, field), token->size))
        return refuse_field(checker, field, reason, "no text of 1 to 128 bytes of A-Z a-z 0-9 . _ : / -");
    memcpy(out, text_of(checker, field), token->size);
    out[token->size] = '\0';
    return 0;
}

static int add_reference(struct asset_checker *checker, const struct field *field, const char *id)
{
    struct documents *documents = checker->documents;
    if (array_grow(&documents->references, &documents->references_cap, documents->n_references + 1,
                   sizeof *documents->references))
        return ERR_NOMEM;
    struct document_reference *reference = &documents->references[documents->n_references++];
    *reference = (struct document_reference){.kind = field->rule->refers, .field = field->rule->name};
    snprintf(reference->id, sizeof reference->id, "%s", id);
    checker->row->n_references++;
    return 0;
}

static int take_parent(struct asset_checker *checker, const struct field *field)
{
    struct document *row = checker->row;
    if (row->parent_kind)
        return checker_refuse(checker, REFUSED_FIELD, "it has a \"board\" or a \"sensor\", not both");
    int r = take_name(checker, field, row->parent);
    if (r == 0) {
        row->parent_kind = field->rule->refers;
        r = add_reference(checker, field, row->parent);
    }
    return r;
}

static int take_list(struct asset_checker *checker, const struct field *field)
{
    const struct token *tokens = checker->scanner.tokens;
    char id[LIMIT_ENTITY_BYTES + 1];
    if (tokens[field->token].type != TOKEN_ARRAY)
        return refuse_field(checker, field, REFUSED_FIELD, "no list of ids");
    for (uint32_t i = field->token + 1; i < tokens[field->token].next; i = tokens[i].next) {
        struct field element = {field->rule, i, field->inside};
        if (tokens[i].type != TOKEN_STRING || !entity_is_name(text_of(checker, &element), tokens[i].size))
            return refuse_field(checker, field, REFUSED_FIELD, "no list of ids, which are texts");
        snprintf(id, sizeof id, "%.*s", (int)tokens[i].size, text_of(checker, &element));
        if (add_reference(checker, field, id))
            return ERR_NOMEM;
    }
    return 0;
}

static int take_number(struct asset_checker *checker, const struct field *field)
{
    const struct token *token = token_of(checker, field);
    enum rule_type type = field->rule->type;
    struct decimal value;
    bool rounded;
    if (token->type != TOKEN_NUMBER)
        return refuse_field(checker, field, REFUSED_FIELD, "no number");
    if (decimal_parse(text_of(checker, field), token->size, &value, &rounded) < 0)
        return refuse_field(checker, field, REFUSED_NUMBER, "a number beyond the exponents -24 to 15");
    if (rounded && field->rule->at)
        return refuse_field(checker, field, REFUSED_NUMBER, "a number of more than 18 digits");
    if (type == RULE_SIZE && value.m <= 0)
        return refuse_field(checker, field, REFUSED_NUMBER, "a number that is not above zero; null means none");
    if (type == RULE_SMALL && value.m < 0)
        return refuse_field(checker, field, REFUSED_NUMBER, "a number below zero");
    if (field->rule->at)
        memcpy((char *)checker->row + field->rule->at, &value, sizeof value);
    return 0;
}

static int take_bool(struct asset_checker *checker, const struct field *field)
{
    uint8_t type = token_of(checker, field)->type;
    int value = type == TOKEN_TRUE;
    if (type != TOKEN_TRUE && type != TOKEN_FALSE)
        return refuse_field(checker, field, REFUSED_FIELD, "neither true nor false");
    if (field->rule->at)
        memcpy((char *)checker->row + field->rule->at, &value, sizeof value);
    return 0;
}

static int take_duration(struct asset_checker *checker, const struct field *field)
{
    const struct token *token = token_of(checker, field);
    struct duration duration;
    int64_t us;
    if (token->type != TOKEN_STRING || civil_parse_duration(text_of(checker, field), token->size, false, &duration) < 0 ||
        civil_fixed_us(&duration, &us) < 0 || us <= 0 || us > DURATION_MAX_US)
        return refuse_field(checker, field, REFUSED_TIME, "no ISO 8601 duration of a fixed length above zero, of a century at "
                            "most");
    memcpy((char *)checker->row + field->rule->at, &us, sizeof us);
    return 0;
}

static int take_time(struct asset_checker *checker, const struct field *field)
{
    const struct token *token = token_of(checker, field);
    int64_t t_us;
    if (token->type != TOKEN_STRING || civil_parse_rfc3339(text_of(checker, field), token->size, &t_us) < 0)
        return refuse_field(checker, field, REFUSED_TIME, "no RFC 3339 time with an offset");
    memcpy((char *)checker->row + field->rule->at, &t_us, sizeof t_us);
    return 0;
}

static int take_text(struct asset_checker *checker, const struct field *field)
{
    const struct token *token = token_of(checker, field);
    char name[LIMIT_ZONE_NAME_BYTES + 1];
    const struct zone *zone;
    switch (field->rule->type) {
    case RULE_NAME:
        return token->type == TOKEN_STRING && token->size <= LIMIT_ENTITY_BYTES
                   ? 0 : refuse_field(checker, field, REFUSED_FIELD, "no text of up to 128 bytes");
    case RULE_PROPERTY:
        if (token->type != TOKEN_STRING || !entity_is_name(text_of(checker, field), token->size) ||
            token->size > LIMIT_NAME_BYTES)
            return refuse_field(checker, field, REFUSED_PROPERTY, "no name of a property");
        memcpy(checker->row->property, text_of(checker, field), token->size);
        return 0;
    case RULE_OWN_ID:
        return checker_is(checker, field->token, checker->row->id)
                   ? 0 : refuse_field(checker, field, REFUSED_FIELD, "not the sensor's own id");
    default: /* RULE_ZONE */
        if (token->type == TOKEN_STRING && token->size < sizeof name) {
            snprintf(name, sizeof name, "%.*s", (int)token->size, text_of(checker, field));
            if (zone_open(name, &zone) == 0)
                return 0;
        }
        return refuse_field(checker, field, REFUSED_FIELD, "no time zone that is known here, such as \"Europe/Ljubljana\"");
    }
}

static int take_sensor_type(struct asset_checker *checker, const struct field *field)
{
    const struct token *token = token_of(checker, field);
    if (token->type != TOKEN_STRING || !asset_static_rules(text_of(checker, field), token->size))
        return refuse_field(checker, field, REFUSED_TYPE, "none of Main HeatPump HeatStorage DistrictHeating Solar Temperature "
                            "ChargingStation");
    memcpy(checker->row->type, text_of(checker, field), token->size);
    return 0;
}

static int refuse_personal(struct asset_checker *checker, const struct field *field)
{
    return checker_refuse(checker, REFUSED_FIELD, "the field \"%s\" is personal and goes to the vault: leave it out, and send "
                          "PUT /v1/subjects/%.64s", field->rule->name, checker->row->id);
}

static int take_fields(struct asset_checker *checker, const struct rules *rules, uint32_t object, const char *inside);

static int take_static(struct asset_checker *checker, const struct field *field)
{
    const struct rules *rules = asset_static_rules(checker->row->type, strlen(checker->row->type));
    if (token_of(checker, field)->type != TOKEN_OBJECT)
        return refuse_field(checker, field, REFUSED_FIELD, "no object");
    return take_fields(checker, rules, field->token, "static.");
}

static int take_days(struct asset_checker *checker, const struct field *field)
{
    struct calendar_span span;
    if (token_of(checker, field)->type != TOKEN_OBJECT)
        return refuse_field(checker, field, REFUSED_FIELD, "no object of dates");
    return checker_days(checker, field->token, &span);
}

static int take_field(struct asset_checker *checker, const struct field *field)
{
    switch (field->rule->type) {
    case RULE_ASSET: return 0;
    case RULE_ID: return take_name(checker, field, checker->row->id);
    case RULE_ENTITY: return take_name(checker, field, checker->row->entity);
    case RULE_PARENT: return take_parent(checker, field);
    case RULE_LIST: return take_list(checker, field);
    case RULE_NUMBER:
    case RULE_SIZE:
    case RULE_SMALL: return take_number(checker, field);
    case RULE_BOOL: return take_bool(checker, field);
    case RULE_DURATION: return take_duration(checker, field);
    case RULE_TIME: return take_time(checker, field);
    case RULE_SENSOR: return take_sensor_type(checker, field);
    case RULE_STATIC: return take_static(checker, field);
    case RULE_DAYS: return take_days(checker, field);
    case RULE_PERSONAL: return refuse_personal(checker, field);
    default: return take_text(checker, field);
    }
}

/* ---- objects ---- */

static int find_fields(struct asset_checker *checker, const struct rules *rules, uint32_t object, const char *inside,
                       uint32_t ret_tokens[static RULES_MAX])
{
    const struct token *tokens = checker->scanner.tokens;
    unsigned seen = 0;
    for (uint32_t i = object + 1; i < tokens[object].next; i = tokens[i + 1].next) {
        size_t k = 0;
        while (k < rules->n && !checker_is(checker, i, rules->at[k].name))
            k++;
        const char *name = token_text(&checker->scanner, &tokens[i]);
        if (k == rules->n && is_shown(name, tokens[i].size))
            return checker_refuse(checker, REFUSED_FIELD, "there is no field \"%s%.*s\"", inside, (int)tokens[i].size, name);
        if (k == rules->n)
            return checker_refuse(checker, REFUSED_FIELD, "it has a field of an unknown name");
        if (seen & 1U << k)
            return checker_refuse(checker, REFUSED_JSON, "the field \"%s%s\" is there twice", inside, rules->at[k].name);
        seen |= 1U << k;
        ret_tokens[k] = tokens[i + 1].type == TOKEN_NULL ? 0 : i + 1;
    }
    return 0;
}

static int take_fields(struct asset_checker *checker, const struct rules *rules, uint32_t object, const char *inside)
{
    uint32_t tokens[RULES_MAX] = {0};
    int r = 0;
    /* the id first, so that every refusal can name it */
    uint32_t id = *inside ? 0 : checker_find(checker, object, "id");
    const char *text = id ? token_text(&checker->scanner, &checker->scanner.tokens[id]) : "";
    if (id && checker->scanner.tokens[id].type == TOKEN_STRING && entity_is_name(text, checker->scanner.tokens[id].size))
        memcpy(checker->row->id, text, checker->scanner.tokens[id].size);
    r = find_fields(checker, rules, object, inside, tokens);
    for (size_t i = 0; i < rules->n && r == 0; i++) {
        struct field field = {&rules->at[i], tokens[i], inside};
        if (tokens[i])
            r = take_field(checker, &field);
        else if (rules->at[i].is_required)
            r = checker_refuse(checker, REFUSED_FIELD, "the field \"%s%s\" is missing", inside, rules->at[i].name);
    }
    return r;
}

/* Board and district heating have rates of their own fields. */
static int check_rate(struct asset_checker *checker, uint32_t object)
{
    static const char *const of_board[] = {"buyRateMT", "buyRateVT", "sellRateMT", "sellRateVT"};
    static const char *const of_sensor[] = {"buyRate", "sellRate"};
    const struct document *row = checker->row;
    bool is_board = row->parent_kind == ASSET_BOARD;
    if (!row->parent_kind)
        return checker_refuse(checker, REFUSED_FIELD, "the field \"board\" or \"sensor\" is missing");
    if (row->end_us <= row->start_us)
        return checker_refuse(checker, REFUSED_TIME, "the field \"end\" is not later than \"start\"");
    for (size_t i = 0; i < (is_board ? 2 : 4); i++) {
        const char *name = is_board ? of_sensor[i] : of_board[i];
        if (checker_find(checker, object, name))
            return checker_refuse(checker, REFUSED_FIELD, "the field \"%s\" does not go with \"%s\"", name,
                                  is_board ? "board" : "sensor");
    }
    return 0;
}

/* What has no id of its own is named after its series. */
static void name_series(struct document *row)
{
    char time[CIVIL_TEXT_MAX];
    int size = snprintf(row->id, sizeof row->id, "%s %s", row->entity, row->property);
    if (row->kind == ASSET_METER_CHANGE)
        snprintf(row->id + size, sizeof row->id - (size_t)size, " %.*s",
                 (int)civil_print_rfc3339(time, row->change.t_us, 0, true), time);
}

static int check_whole(struct asset_checker *checker, uint32_t object)
{
    struct document *row = checker->row;
    if (row->kind == ASSET_RATE)
        return check_rate(checker, object);
    if (row->kind == ASSET_SERIES || row->kind == ASSET_METER_CHANGE)
        name_series(row);
    if (row->kind == ASSET_CALENDAR && strlen(row->id) > CALENDAR_ID_MAX)
        return checker_refuse(checker, REFUSED_FIELD, "the field \"id\" has more than %d bytes", CALENDAR_ID_MAX);
    return 0;
}

static int read_kind(struct asset_checker *checker, uint32_t object, enum asset_kind *ret_kind)
{
    uint32_t i = checker_find(checker, object, "asset");
    const struct token *token = &checker->scanner.tokens[i];
    if (!i)
        return checker_refuse(checker, REFUSED_FIELD, "the field \"asset\" is missing");
    if (token->type != TOKEN_STRING || asset_kind_parse(token_text(&checker->scanner, token), token->size, ret_kind) < 0)
        return checker_refuse(checker, REFUSED_TYPE, "the field \"asset\" is none of Customer Location MainDistributionBoard "
                              "Sensor Rate Series MeterChange Calendar");
    return 0;
}

int checker_asset(struct asset_checker *checker, uint32_t object)
{
    struct documents *documents = checker->documents;
    const struct token *token = &checker->scanner.tokens[object];
    size_t n_references = documents->n_references;
    enum asset_kind kind;
    int r = read_kind(checker, object, &kind);
    if (r)
        return r;
    if (!(checker->row = documents_add(documents)))
        return ERR_NOMEM;
    checker->row->kind = kind;
    checker->row->place = checker->message->place;
    checker->row->place.part = checker->part;
    r = take_fields(checker, &asset_rules[kind], object, "");
    r = r ? r : check_whole(checker, object);
    if (r == 0) {
        checker->row->text_at = documents->bytes.n;
        checker->row->text_size = token->size;
        buf_put(&documents->bytes, checker->scanner.text + token->at, token->size);
        return documents->bytes.failed ? ERR_NOMEM : 0;
    }
    documents->n--;
    documents->n_references = n_references;
    return r;
}

#include <config.h>

#include "importers/intake.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/civil.h"
#include "common/hash.h"
#include "common/limits.h"
#include "importers/compose.h"
#include "importers/tally.h"
#include "normalise/decode.h"

struct intake {
    struct intake_opts opts;
    struct grouping *grouping;
    struct decoder *decoder;
    struct tally *tally;
    struct batch batch;
    struct buf message, object;
    struct intake_counts counts;
    uint8_t *met; /* by series: whether readings were taken */
    size_t met_cap;
    struct composed composed;
};

int intake_row(void *arg)
{
    struct intake *intake = arg;
    intake->counts.rows++;
    return 0;
}

int intake_misfit(void *arg, const struct misfit *misfit)
{
    struct intake *intake = arg;
    intake->counts.refused++;
    return intake->opts.misfit(intake->opts.arg, misfit);
}

/* ---- what the decoder says ---- */

static int refuse_cell(struct intake *intake, struct column *column, size_t slot, const struct refusal *refusal)
{
    struct cell *cell = slot < column->n && column->cells[slot].size != UINT32_MAX ? &column->cells[slot] : NULL;
    struct misfit misfit = {.reason = refusal->reason};
    if (!cell)
        return 0;
    misfit.line = cell->line;
    memcpy(misfit.detail, refusal->detail, sizeof misfit.detail);
    cell->size = UINT32_MAX;
    return intake_misfit(intake, &misfit);
}

/* Takes what a refusal names out of the group: a value, a slot, a property, or all of the object. */
static int take_out(struct intake *intake, struct group *group, const struct refusal *refusal)
{
    const struct composed *composed = &intake->composed;
    for (size_t k = 0; k < group->n_columns; k++) {
        if (*refusal->property && strcmp(refusal->property, group->columns[k].property) != 0)
            continue;
        for (size_t i = 0; i < composed->n_slots; i++) {
            if (refusal->slot >= 0 && (size_t)refusal->slot != i)
                continue;
            int code = refuse_cell(intake, &group->columns[k], composed->slots[i], refusal);
            if (code != 0)
                return code;
        }
    }
    return 0;
}

static int take_refusals(struct intake *intake, struct group *group)
{
    size_t n = intake->batch.n_refusals;
    /* The one above LIMIT_MESSAGE_REFUSALS stands for many; they are told by themselves the next time. */
    for (size_t i = 0; i < n && i < LIMIT_MESSAGE_REFUSALS; i++) {
        int code = take_out(intake, group, &intake->batch.refusals[i]);
        if (code != 0)
            return code;
    }
    return 0;
}

/* ---- counting what it takes ---- */

static uint64_t hash_value(const struct intake *intake, const struct reading *reading)
{
    struct {
        int64_t m, period_us;
        int64_t e_quality;
    } said = {reading->m, reading->period_us, reading->e * 256 + reading->quality};
    if (registry_at(intake->opts.registry, reading->series_i)->kind == KIND_STATE) {
        const char *text = texts_at(&intake->batch.texts, reading->m);
        said.m = (int64_t)hash_short(2, text, strlen(text));
    }
    return hash_short(0, &said, sizeof said);
}

static int count_reading(struct intake *intake, const struct reading *reading)
{
    struct intake_counts *counts = &intake->counts;
    int64_t key[3] = {reading->series_i, reading->t_us, reading->issued_us};
    int64_t end_us = reading->t_us + reading->period_us;
    enum tally_found found = tally_meet(intake->tally, hash_short(1, key, sizeof key), hash_value(intake, reading));
    if (counts->readings == 0 || reading->t_us < counts->from_us)
        counts->from_us = reading->t_us;
    if (counts->readings == 0 || end_us > counts->to_us)
        counts->to_us = end_us;
    counts->readings++;
    counts->repeated += found != TALLY_NEW;
    counts->replaced += found == TALLY_OTHER;
    size_t had = intake->met_cap;
    if (array_grow(&intake->met, &intake->met_cap, reading->series_i + 1, 1) < 0)
        return ERR_NOMEM;
    memset(intake->met + had, 0, intake->met_cap - had);
    intake->met[reading->series_i] = 1;
    return 0;
}

/* ---- messages ---- */

/* Slots [begin, end) as one object that the decoder takes whole, appended to the message: what it refuses is taken out, until
 * nothing is refused. */
static int add_object(struct intake *intake, struct group *group, size_t begin, size_t end, int64_t issued_us)
{
    for (;;) {
        buf_clear(&intake->object);
        compose_object(group, begin, end, issued_us, &intake->object, &intake->composed);
        if (intake->object.failed)
            return ERR_NOMEM;
        if (intake->composed.n_slots == 0)
            return 0;
        const struct message message = {
            .value = intake->object.data, .size = intake->object.n, .known_ms = intake->opts.now_ms};
        batch_clear(&intake->batch);
        int code = decode_message(intake->decoder, &message, &intake->batch);
        int64_t refused = intake->counts.refused;
        if (code == 0 && intake->batch.n_refusals > 0)
            code = take_refusals(intake, group);
        if (code == 0 && intake->batch.n_refusals > 0 && intake->counts.refused == refused)
            code = ERR_CORRUPT; /* a refusal of nothing that is there: we have written something wrong */
        if (code != 0)
            return code;
        if (intake->batch.n_refusals == 0)
            break;
    }
    for (size_t i = 0; i < intake->batch.n_readings; i++)
        if (count_reading(intake, &intake->batch.readings[i]) < 0)
            return ERR_NOMEM;
    if (intake->message.n)
        buf_putc(&intake->message, '\n');
    buf_put(&intake->message, intake->object.data, intake->object.n);
    return intake->message.failed ? ERR_NOMEM : 0;
}

/* A group becomes a message of one object; where each value has an issue time of its own, of one a slot. */
static int send_group(void *arg, struct group *group)
{
    struct intake *intake = arg;
    bool single = intake->opts.available_us >= 0 && group->issued_us == ISSUED_NONE;
    int code = 0;
    buf_clear(&intake->message);
    for (size_t slot = 0; single && code == 0 && slot < group->n_slots; slot++)
        code = add_object(intake, group, slot, slot + 1,
                          group->times_us[slot] + group->period_us + intake->opts.available_us);
    if (!single)
        code = add_object(intake, group, 0, group->n_slots, group->issued_us);
    int64_t i = intake->counts.n_gathered++;
    if (code != 0 || intake->message.n == 0)
        return code;
    intake->counts.n_messages++;
    return intake->opts.message(intake->opts.arg, i, group->entity, intake->message.data, intake->message.n);
}

static int refuse_value(struct intake *intake, const struct observation *observation, enum refusal_reason reason,
                        const char *detail)
{
    struct misfit misfit = {.line = observation->line, .reason = reason};
    memcpy(misfit.detail, detail, strlen(detail) + 1);
    return intake_misfit(intake, &misfit);
}

/* Whether a text may stand in JSON (RFC 3629). */
static bool is_utf8(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    while (*at) {
        unsigned n = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : *at >= 0xe0 && *at < 0xf0 ? 2
                   : *at >= 0xf0 && *at < 0xf5 ? 3 : 4;
        if (n == 4 || (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0) || (*at == 0xf0 && at[1] < 0x90) ||
            (*at == 0xf4 && at[1] >= 0x90))
            return false;
        for (at++; n > 0; n--, at++)
            if ((*at & 0xc0) != 0x80)
                return false;
    }
    return true;
}

/* What a message could not even hold is refused here: it would cost the values beside it. */
int intake_value(void *arg, const struct observation *observation)
{
    struct intake *intake = arg;
    struct decimal value;
    bool rounded;
    if (strlen(observation->entity) > LIMIT_ENTITY_BYTES)
        return refuse_value(intake, observation, REFUSED_ENTITY, "the entity's name is too long");
    if (strlen(observation->type) > LIMIT_NAME_BYTES)
        return refuse_value(intake, observation, REFUSED_TYPE, "the type's name is too long");
    if (strlen(observation->property) > LIMIT_NAME_BYTES)
        return refuse_value(intake, observation, REFUSED_PROPERTY, "the property's name is too long");
    if (strlen(observation->unit) > LIMIT_UNIT_BYTES)
        return refuse_value(intake, observation, REFUSED_UNIT, "the unit is too long");
    if (observation->state && strlen(observation->value) > LIMIT_STATE_BYTES)
        return refuse_value(intake, observation, REFUSED_LIMIT, "the state is too long");
    if (!is_utf8(observation->entity) || !is_utf8(observation->type) || !is_utf8(observation->property) ||
        !is_utf8(observation->unit) || (observation->state && !is_utf8(observation->value)))
        return refuse_value(intake, observation, REFUSED_JSON, "a text that is not in UTF-8");
    if (!observation->state && decimal_parse(observation->value, strlen(observation->value), &value, &rounded) == ERR_INVALID)
        return refuse_value(intake, observation, REFUSED_NUMBER, "the value is no number");
    if (observation->time_us < CIVIL_MIN_US || observation->time_us >= CIVIL_END_US || observation->period_us < 0 ||
        observation->period_us >= CIVIL_END_US)
        return refuse_value(intake, observation, REFUSED_TIME, "outside the years 1 to 9999");
    return grouping_add(intake->grouping, observation);
}

int intake_flush(struct intake *intake)
{
    return grouping_flush(intake->grouping);
}

const struct intake_counts *intake_counts(const struct intake *intake)
{
    return &intake->counts;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int intake_entities(const struct intake *intake, const char ***ret_names, size_t *ret_n)
{
    const struct registry *registry = intake->opts.registry;
    size_t n = 0, n_distinct = 0;
    const char **names = calloc(registry_n_series(registry) + 1, sizeof *names);
    if (!names)
        return ERR_NOMEM;
    for (size_t i = 0; i < registry_n_series(registry) && i < intake->met_cap; i++)
        if (intake->met[i])
            names[n++] = entity_name(registry_at(registry, i)->entity);
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[n_distinct - 1]) != 0)
            names[n_distinct++] = names[i];
    *ret_names = names;
    *ret_n = n_distinct;
    return 0;
}

int intake_new(const struct intake_opts *opts, struct intake **ret_intake)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (!intake)
        return ERR_NOMEM;
    struct decoder_opts decoder = {opts->registry, opts->future_max_us, opts->oldest_us};
    intake->opts = *opts;
    batch_init(&intake->batch);
    intake->grouping = grouping_new(send_group, intake);
    intake->decoder = decoder_new(&decoder);
    intake->tally = tally_new();
    if (!intake->grouping || !intake->decoder || !intake->tally) {
        intake_free(intake);
        return ERR_NOMEM;
    }
    *ret_intake = intake;
    return 0;
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    grouping_free(intake->grouping);
    decoder_free(intake->decoder);
    tally_free(intake->tally);
    batch_free(&intake->batch);
    buf_free(&intake->message);
    buf_free(&intake->object);
    free(intake->met);
    free(intake);
}

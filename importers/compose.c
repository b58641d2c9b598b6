#include <config.h>

#include "importers/compose.h"

#include <string.h>

#include "common/civil.h"
#include "common/jsontext.h"

static bool has_cell(const struct group *group, size_t slot)
{
    for (size_t i = 0; i < group->n_columns; i++)
        if (group_cell(&group->columns[i], slot))
            return true;
    return false;
}

static bool is_used(const struct column *column, const struct composed *composed)
{
    for (size_t i = 0; i < composed->n_slots; i++)
        if (group_cell(column, composed->slots[i]))
            return true;
    return false;
}

static void put_values(const struct group *group, const struct column *column, const struct composed *composed,
                       struct buf *out)
{
    jsontext_put_bytes(out, column->property, strlen(column->property));
    buf_puts(out, ":[");
    for (size_t i = 0; i < composed->n_slots; i++) {
        const struct cell *cell = group_cell(column, composed->slots[i]);
        if (i > 0)
            buf_putc(out, ',');
        if (!cell)
            buf_puts(out, "null");
        else if (column->state)
            jsontext_put_bytes(out, (const char *)group->texts.data + cell->at, cell->size);
        else
            buf_put(out, group->texts.data + cell->at, cell->size);
    }
    buf_putc(out, ']');
}

static void put_columns(const struct group *group, const struct composed *composed, struct buf *out)
{
    const char *comma = "";
    buf_puts(out, ",\"values\":{");
    for (size_t i = 0; i < group->n_columns; i++) {
        if (!is_used(&group->columns[i], composed))
            continue;
        buf_puts(out, comma);
        put_values(group, &group->columns[i], composed, out);
        comma = ",";
    }
    buf_putc(out, '}');
}

static void put_units(const struct group *group, const struct composed *composed, struct buf *out)
{
    const char *before = ",\"units\":{", *after = "";
    for (size_t i = 0; i < group->n_columns; i++) {
        const struct column *column = &group->columns[i];
        if (!*column->unit || !is_used(column, composed))
            continue;
        buf_puts(out, before);
        jsontext_put_bytes(out, column->property, strlen(column->property));
        buf_putc(out, ':');
        jsontext_put_bytes(out, column->unit, strlen(column->unit));
        before = ",";
        after = "}";
    }
    buf_puts(out, after);
}

static void put_quality(const struct group *group, const struct composed *composed, struct buf *out)
{
    enum quality first = group->qualities[composed->slots[0]];
    bool same = true;
    for (size_t i = 1; i < composed->n_slots; i++)
        same = same && group->qualities[composed->slots[i]] == first;
    if (same && first == QUALITY_MEASURED)
        return;
    buf_puts(out, same ? ",\"quality\":" : ",\"quality\":[");
    for (size_t i = 0; i < (same ? 1 : composed->n_slots); i++)
        buf_printf(out, "%s\"%s\"", i ? "," : "", quality_name(group->qualities[composed->slots[i]]));
    buf_puts(out, same ? "" : "]");
}

void compose_object(const struct group *group, size_t begin, size_t end, int64_t issued_us, struct buf *out,
                    struct composed *ret_composed)
{
    struct composed *composed = ret_composed;
    composed->n_slots = 0;
    for (size_t slot = begin; slot < end; slot++)
        if (has_cell(group, slot))
            composed->slots[composed->n_slots++] = slot;
    if (composed->n_slots == 0)
        return;
    buf_puts(out, "{\"entity\":");
    jsontext_put_bytes(out, group->entity, strlen(group->entity));
    buf_puts(out, ",\"type\":");
    jsontext_put_bytes(out, group->type, strlen(group->type));
    buf_puts(out, ",\"time\":[");
    for (size_t i = 0; i < composed->n_slots; i++) {
        if (i > 0)
            buf_putc(out, ',');
        jsontext_put_time(out, group->times_us[composed->slots[i]]);
    }
    buf_putc(out, ']');
    put_columns(group, composed, out);
    if (group->period_us) {
        char text[CIVIL_TEXT_MAX];
        struct duration period = {.us = group->period_us};
        size_t n = civil_print_duration(text, &period);
        buf_printf(out, ",\"period\":\"%.*s\"", (int)n, text);
    }
    put_units(group, composed, out);
    put_quality(group, composed, out);
    if (issued_us != ISSUED_NONE) {
        buf_puts(out, ",\"issued\":");
        jsontext_put_time(out, issued_us);
    }
    buf_putc(out, '}');
}

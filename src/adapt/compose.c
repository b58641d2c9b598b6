#include <config.h>

#include "adapt/compose.h"

#include <stdio.h>
#include <string.h>

#include "common/civil.h"
#include "common/jsontext.h"

static void put_text(struct buf *out, const char *text)
{
    jsontext_put_bytes(out, text, strlen(text));
}

static void end_object(struct composer *composer)
{
    struct buf *json = &composer->json;
    char text[CIVIL_TEXT_MAX];
    if (!composer->has_open)
        return;
    buf_putc(json, '}');
    if (composer->open.period_us) {
        struct duration period = {.us = composer->open.period_us};
        buf_printf(json, ",\"period\":\"%.*s\"", (int)civil_print_duration(text, &period), text);
    }
    if (composer->units.n > 0) {
        buf_puts(json, ",\"units\":{");
        buf_put(json, composer->units.data, composer->units.n);
        buf_putc(json, '}');
    }
    if (composer->open.quality != QUALITY_MEASURED)
        buf_printf(json, ",\"quality\":\"%s\"", quality_name(composer->open.quality));
    if (composer->open.issued_us != ISSUED_NONE) {
        buf_puts(json, ",\"issued\":");
        jsontext_put_time(json, composer->open.issued_us);
    }
    buf_putc(json, '}');
    composer->has_open = false;
}

static int end_message(struct composer *composer)
{
    end_object(composer);
    struct buf *json = &composer->json;
    if (json->failed || composer->names.failed || composer->units.failed)
        return ERR_NOMEM;
    int rc = json->n > 0 ? composer->message(composer->arg, composer->entity, json->data, json->n) : 0;
    buf_clear(json);
    return rc;
}

/* Whether the open object has a value of that property: names are kept with the NUL behind them. */
static bool has_property(const struct composer *composer, const char *property)
{
    const char *at = (const char *)composer->names.data, *end = at + composer->names.n;
    for (; composer->names.n > 0 && at < end; at += strlen(at) + 1)
        if (strcmp(at, property) == 0)
            return true;
    return false;
}

static bool belongs(const struct composer *composer, const struct observation *observation)
{
    const struct observation *open = &composer->open;
    return composer->has_open && open->time_us == observation->time_us && open->period_us == observation->period_us &&
           open->issued_us == observation->issued_us && open->quality == observation->quality &&
           strcmp(composer->type, observation->type) == 0 && !has_property(composer, observation->property);
}

static void begin_object(struct composer *composer, const struct observation *observation)
{
    struct buf *json = &composer->json;
    end_object(composer);
    if (json->n > 0)
        buf_putc(json, '\n');
    snprintf(composer->entity, sizeof(composer->entity), "%s", observation->entity);
    snprintf(composer->type, sizeof(composer->type), "%s", observation->type);
    composer->open = *observation;
    composer->has_open = true;
    buf_clear(&composer->names);
    buf_clear(&composer->units);
    buf_puts(json, "{\"entity\":");
    put_text(json, observation->entity);
    buf_puts(json, ",\"type\":");
    put_text(json, observation->type);
    buf_puts(json, ",\"time\":");
    jsontext_put_time(json, observation->time_us);
    buf_puts(json, ",\"values\":{");
}

int compose_add(struct composer *composer, const struct observation *observation)
{
    struct buf *json = &composer->json;
    bool same = json->n > 0 && json->n < COMPOSE_BYTES && strcmp(composer->entity, observation->entity) == 0;
    int rc = same ? 0 : end_message(composer);
    if (rc != 0)
        return rc;
    if (!belongs(composer, observation))
        begin_object(composer, observation);
    if (composer->names.n > 0)
        buf_putc(json, ',');
    put_text(json, observation->property);
    buf_putc(json, ':');
    if (observation->state)
        put_text(json, observation->value);
    else
        buf_puts(json, observation->value);
    buf_put(&composer->names, observation->property, strlen(observation->property) + 1);
    if (observation->unit[0]) {
        if (composer->units.n > 0)
            buf_putc(&composer->units, ',');
        put_text(&composer->units, observation->property);
        buf_putc(&composer->units, ':');
        put_text(&composer->units, observation->unit);
    }
    return json->failed || composer->names.failed || composer->units.failed ? ERR_NOMEM : 0;
}

int compose_end(struct composer *composer)
{
    return end_message(composer);
}

void compose_clear(struct composer *composer)
{
    buf_clear(&composer->json);
    composer->has_open = false;
}

void compose_done(struct composer *composer)
{
    buf_free(&composer->json);
    buf_free(&composer->names);
    buf_free(&composer->units);
    composer->has_open = false;
}

#include <config.h>

#include "importers/edifact.h"

#include <string.h>

#define UNA_BYTES 9

/* The next byte: 1, 0 at the end, or a code. */
static int next_byte(struct edifact *edifact, char *ret_byte, struct err_text *error)
{
    const struct importing *importing = edifact->importing;
    if (edifact->begin == edifact->end) {
        size_t n;
        int code = importing->read(importing->arg, edifact->bytes, sizeof edifact->bytes, &n, error);
        if (code != 0)
            return code;
        edifact->begin = 0;
        edifact->end = n;
        if (n == 0)
            return 0;
    }
    *ret_byte = edifact->bytes[edifact->begin++];
    return 1;
}

/* The service characters: six bytes behind UNA, or the standard ones. What was read and is no UNA is read again. */
static int start(struct edifact *edifact, struct err_text *error)
{
    char una[UNA_BYTES], *at = una;
    size_t n = 0;
    int more = 1;
    edifact->component = ':';
    edifact->element = '+';
    edifact->decimal = '.';
    edifact->release = '?';
    edifact->terminator = '\'';
    edifact->started = true;
    while (n < sizeof una && more == 1) {
        more = next_byte(edifact, &una[n], error);
        n += more == 1;
    }
    if (more < 0)
        return more;
    if (n == sizeof una && memcmp(una, "UNA", 3) == 0) {
        edifact->component = at[3];
        edifact->element = at[4];
        edifact->decimal = at[5];
        edifact->release = at[6];
        edifact->terminator = at[8];
        return 0;
    }
    memmove(edifact->bytes + n, edifact->bytes + edifact->begin, edifact->end - edifact->begin);
    memcpy(edifact->bytes, una, n);
    edifact->end = edifact->end - edifact->begin + n;
    edifact->begin = 0;
    return 0;
}

static void begin_component(struct edifact *edifact)
{
    int *n = &edifact->n_components[edifact->n_elements - 1];
    if (*n == EDIFACT_COMPONENTS)
        edifact->too_long = true;
    else
        edifact->at[edifact->n_elements - 1][(*n)++] = (uint32_t)edifact->text.n;
}

static void begin_element(struct edifact *edifact)
{
    if (edifact->n_elements == EDIFACT_ELEMENTS) {
        edifact->too_long = true;
        return;
    }
    edifact->n_components[edifact->n_elements++] = 0;
    begin_component(edifact);
}

static void put(struct edifact *edifact, char c)
{
    if (edifact->text.n >= EDIFACT_SEGMENT_BYTES)
        edifact->too_long = true;
    else if (!edifact->too_long)
        buf_putc(&edifact->text, c ? c : ' ');
}

static void take_byte(struct edifact *edifact, char c)
{
    if (edifact->too_long || (c != edifact->element && c != edifact->component)) {
        put(edifact, c);
        return;
    }
    buf_putc(&edifact->text, '\0');
    if (c == edifact->element)
        begin_element(edifact);
    else
        begin_component(edifact);
}

/* Blanks and ends of lines between segments are no part of them. */
static int skip_blanks(struct edifact *edifact, char *ret_byte, struct err_text *error)
{
    int more;
    do
        more = next_byte(edifact, ret_byte, error);
    while (more == 1 && (*ret_byte == '\n' || *ret_byte == '\r' || *ret_byte == ' ' || *ret_byte == '\t'));
    return more;
}

int edifact_next(struct edifact *edifact, struct err_text *error)
{
    char c;
    int more = edifact->started ? 0 : start(edifact, error);
    if (more == 0)
        more = skip_blanks(edifact, &c, error);
    if (more <= 0)
        return more;
    buf_clear(&edifact->text);
    edifact->n_elements = 0;
    edifact->too_long = false;
    edifact->segment++;
    begin_element(edifact);
    while (more == 1 && c != edifact->terminator) {
        bool released = c == edifact->release;
        if (released)
            more = next_byte(edifact, &c, error);
        if (more == 1 && released)
            put(edifact, c);
        else if (more == 1)
            take_byte(edifact, c);
        if (more == 1)
            more = next_byte(edifact, &c, error);
    }
    if (more == 0)
        return err_set(error, ERR_CORRUPT, "\"%s\" ends within segment %lld", edifact->importing->source,
                       (long long)edifact->segment);
    buf_putc(&edifact->text, '\0');
    return edifact->text.failed ? ERR_NOMEM : more;
}

void edifact_done(struct edifact *edifact)
{
    buf_free(&edifact->text);
}

const char *edifact_get(const struct edifact *edifact, int element, int component)
{
    if (element >= edifact->n_elements || component >= edifact->n_components[element])
        return "";
    return (const char *)edifact->text.data + edifact->at[element][component];
}

bool edifact_is(const struct edifact *edifact, const char *name)
{
    return strcmp(edifact_get(edifact, 0, 0), name) == 0;
}

#include <config.h>

#include "query/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"

/* Hexadecimal digits of the numbers. */
#define SHORT 8
#define LONG 16

void cursor_print(const struct cursor *cursor, char out[static CURSOR_TEXT_MAX])
{
    snprintf(out, CURSOR_TEXT_MAX,
             "%08" PRIx32 "%08" PRIx32 "%08" PRIx32 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
             cursor->question, cursor->series_id, cursor->last_id, (uint64_t)cursor->t_us, (uint64_t)cursor->from_us,
             (uint64_t)cursor->to_us, (uint64_t)cursor->asof_us);
}

static uint64_t take_number(const char **text, size_t n_digits)
{
    char digits[LONG + 1] = "";
    memcpy(digits, *text, n_digits);
    *text += n_digits;
    return strtoull(digits, NULL, 16);
}

int cursor_parse(const char *text, struct cursor *ret_cursor)
{
    size_t size = 3 * SHORT + 4 * LONG;
    if (strlen(text) != size || strspn(text, "0123456789abcdef") != size)
        return ERR_INVALID;
    struct cursor cursor = {.question = (uint32_t)take_number(&text, SHORT)};
    cursor.series_id = (uint32_t)take_number(&text, SHORT);
    cursor.last_id = (uint32_t)take_number(&text, SHORT);
    cursor.t_us = (int64_t)take_number(&text, LONG);
    cursor.from_us = (int64_t)take_number(&text, LONG);
    cursor.to_us = (int64_t)take_number(&text, LONG);
    cursor.asof_us = (int64_t)take_number(&text, LONG);
    if (cursor.from_us < CIVIL_MIN_US || cursor.from_us > cursor.to_us || cursor.to_us >= CIVIL_END_US)
        return ERR_INVALID;
    if (cursor.t_us != INT64_MAX && cursor.t_us >= cursor.to_us)
        return ERR_INVALID;
    *ret_cursor = cursor;
    return 0;
}

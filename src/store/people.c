#include <config.h>

#include "store/people.h"

#include "common/civil.h"
#include "model/decimal.h"

#define SLOTS_PER_DAY 96
#define SLOT_US (15 * US_PER_MINUTE)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static enum quality worse(enum quality a, unsigned quality_byte)
{
    enum quality b = (enum quality)(quality_byte & QUALITY_CLASS_MASK);
    return b > a && b < QUALITY_N ? b : a;
}

/* Whatever the exponent under which it was stored, the same number is the same text. */
static void put_decimal(struct buf *out, struct decimal value)
{
    char text[DECIMAL_TEXT_MAX];
    buf_put(out, text, decimal_print(text, decimal_canonical(value)));
}

/* A JSON string; states are bounded UTF-8 texts. */
static void put_text(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\' || *c < 0x20)
            buf_printf(out, "\\u%04x", *c);
        else
            buf_putc(out, (char)*c);
    }
    buf_putc(out, '"');
}

static bool is_suspect(const struct points *points, size_t i)
{
    return (points->quality[i] & QUALITY_CLASS_MASK) == QUALITY_SUSPECT;
}

/* The whole number that a reading is, where int64 has it, whatever the exponent under which it was stored. */
static bool whole_value(const struct points *points, size_t i, int64_t *ret_value)
{
    struct decimal value = decimal_canonical((struct decimal){points->m[i], points->e[i]});
    return !value.m ? (*ret_value = 0, true)
                    : value.e >= 0 && value.e <= 18 && !__builtin_mul_overflow(value.m, decimal_pow10[value.e], ret_value);
}

/* A register's long numbers differ little within a day: where all of rows [begin, end) are whole, they are written as distances
 * from the first one, which is returned; else 0. */
static int64_t day_base(const struct series_row *series, const struct points *points, size_t begin, size_t end)
{
    int64_t base = 0, value, distance;
    bool whole = series->kind == KIND_COUNTER && whole_value(points, begin, &base);
    for (size_t i = begin; i < end && whole; i++)
        whole = whole_value(points, i, &value) && !__builtin_sub_overflow(value, base, &distance);
    return whole ? base : 0;
}

/* The value of rows [begin, end), which lie in one quarter of an hour; suspect readings do not count where others do. */
static void put_slot(const struct series_row *series, const struct points *points, size_t begin, size_t end, int64_t base,
                     struct buf *out, enum quality *ret_quality)
{
    struct exact sum = {0};
    uint64_t n = 0;
    size_t last = end - 1;
    enum quality quality = QUALITY_MEASURED;
    bool all_suspect = true;
    for (size_t i = begin; i < end; i++)
        all_suspect = all_suspect && is_suspect(points, i);
    for (size_t i = begin; i < end; i++) {
        if (is_suspect(points, i) && !all_suspect)
            continue;
        quality = worse(quality, points->quality[i]);
        if (series->kind == KIND_GAUGE || series->kind == KIND_INTERVAL)
            exact_add(&sum, (struct decimal){points->m[i], points->e[i]});
        last = i;
        n++;
    }
    struct decimal value = {points->m[last], points->e[last]};
    *ret_quality = quality;
    if (series->kind == KIND_STATE) {
        put_text(out, texts_at(&points->texts, points->m[last]));
    } else if (base && whole_value(points, last, &value.m)) {
        put_decimal(out, (struct decimal){value.m - base, 0});
    } else if (series->kind == KIND_COUNTER || end - begin == 1) {
        put_decimal(out, value);
    } else if (exact_divide(&sum, series->kind == KIND_GAUGE ? n : 1, 15, &value)) {
        buf_puts(out, "null");
    } else {
        put_decimal(out, value);
    }
}

/* One array element for rows [begin, end) that stand at t_us. */
struct day {
    struct buf at, value, quality;
    int64_t base;
    bool plain_grid, all_measured;
    size_t n;
};

static void put_element(struct day *day, const struct series_row *series, const struct points *points, size_t begin,
                        size_t end, int64_t of_day_us)
{
    static const char letters[QUALITY_N] = {'m', 'e', 'd', 'i', 's'};
    enum quality quality;
    buf_putc(&day->value, day->n ? ',' : '[');
    put_slot(series, points, begin, end, day->base, &day->value, &quality);
    buf_putc(&day->quality, letters[quality]);
    buf_putc(&day->at, day->n ? ',' : '[');
    put_decimal(&day->at, (struct decimal){of_day_us, -6});
    day->plain_grid = day->plain_grid && of_day_us == (int64_t)day->n * SLOT_US;
    day->all_measured = day->all_measured && quality == QUALITY_MEASURED;
    day->n++;
}

static int put_day(const struct series_row *series, const struct points *points, size_t begin, size_t end,
                   struct day *day, int (*put)(void *arg, const struct series_row *series, const struct day_row *row),
                   void *arg)
{
    int64_t number = floor_div(points->t_us[begin], US_PER_DAY);
    buf_clear(&day->at);
    buf_clear(&day->value);
    buf_clear(&day->quality);
    day->plain_grid = day->all_measured = true;
    day->n = 0;
    day->base = day_base(series, points, begin, end);
    bool condense = end - begin > SLOTS_PER_DAY;
    for (size_t i = begin, next; i < end; i = next) {
        int64_t slot = floor_div(points->t_us[i], SLOT_US);
        for (next = i + 1; condense && next < end && floor_div(points->t_us[next], SLOT_US) == slot;)
            next++;
        put_element(day, series, points, i, next,
                    (condense ? slot * SLOT_US : points->t_us[i]) - number * US_PER_DAY);
    }
    buf_puts(&day->at, "]");
    buf_puts(&day->value, "]");
    buf_putc(&day->at, '\0');
    buf_putc(&day->value, '\0');
    buf_putc(&day->quality, '\0');
    if (day->at.failed || day->value.failed || day->quality.failed)
        return ERR_NOMEM;
    return put(arg, series, &(struct day_row){number, day->base, day->plain_grid ? NULL : (const char *)day->at.data,
                                              (const char *)day->value.data,
                                              day->all_measured ? NULL : (const char *)day->quality.data});
}

int people_days(const struct series_row *series, const struct points *points,
                int (*put)(void *arg, const struct series_row *series, const struct day_row *row), void *arg)
{
    struct day day = {0};
    int rc = 0;
    for (size_t i = 0, end; i < points->n && !rc; i = end) {
        int64_t number = floor_div(points->t_us[i], US_PER_DAY);
        for (end = i + 1; end < points->n && floor_div(points->t_us[end], US_PER_DAY) == number;)
            end++;
        rc = put_day(series, points, i, end, &day, put, arg);
    }
    buf_free(&day.at);
    buf_free(&day.value);
    buf_free(&day.quality);
    return rc;
}

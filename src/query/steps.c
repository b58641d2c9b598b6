/* The step that the server picks, and how many buckets are too many. */
#include <config.h>

#include "query/draft.h"

#include <inttypes.h>
#include <string.h>

/* What people read a plot by, finest first. */
static const char *const steps[] = {"PT1S", "PT5S", "PT10S", "PT15S", "PT30S", "PT1M", "PT5M", "PT10M", "PT15M", "PT30M",
                                    "PT1H", "PT3H", "PT6H",  "PT12H", "P1D",   "P1W",  "P1M",  "P3M",   "P1Y"};
#define N_STEPS (sizeof(steps) / sizeof(*steps))

/* The finest step with at most n buckets in the range; N_STEPS where none has so few. */
static size_t find_step(const struct range *range, int64_t n, struct duration *ret_step, struct grid *ret_grid)
{
    size_t i = 0;
    for (; i < N_STEPS; i++) {
        int64_t width_us;
        if (civil_parse_duration(steps[i], strlen(steps[i]), false, ret_step) ||
            grid_init(ret_grid, ret_step, range->zone, NULL))
            continue;
        bool fixed = !civil_fixed_us(ret_step, &width_us);
        if (fixed && (range->to_us - range->from_us) / width_us > n)
            continue; /* so that only a few steps are counted out */
        if (grid_count(ret_grid, range->from_us, range->to_us, n + 1) <= n)
            break;
    }
    return i;
}

int draft_choose_step(struct range *range, struct err_text *error)
{
    if (find_step(range, range->points, &range->step, &range->grid) < N_STEPS)
        return 0;
    int64_t n_years = grid_count(&range->grid, range->from_us, range->to_us, INT64_MAX); /* of the last one */
    return err_set_field(error, ERR_INVALID, "points", "the longest step is %s, and the range has %" PRId64 " of them: take at "
                         "least so many points", steps[N_STEPS - 1], n_years);
}

const char *steps_fitting(const struct range *range, int64_t n)
{
    struct duration step;
    struct grid grid;
    size_t i = find_step(range, n, &step, &grid);
    return i < N_STEPS ? steps[i] : NULL;
}

int range_check_rows(const struct range *range, int64_t rows_max, struct err_text *error)
{
    struct duration step;
    struct grid grid;
    char text[CIVIL_TEXT_MAX];
    if (range->raw || range->fill == FILL_NONE || (range->limit && range->limit <= rows_max))
        return 0;
    int64_t n = grid_count(&range->grid, range->from_us, range->to_us, rows_max + 1);
    if (n <= rows_max)
        return 0;
    if (range->grid.unit == GRID_FIXED) /* else counting all of them takes too long */
        n = (range->to_us - range->from_us) / range->grid.width_us;
    size_t size = civil_print_duration(text, &range->step), i = find_step(range, rows_max, &step, &grid);
    return err_set_field(error, ERR_LIMIT, "step", "the range has %s %" PRId64 " steps of %.*s, and an answer as one "
                         "JSON document has at most %" PRId64 " rows a series: take %s or longer, or fill=none, or pages with a "
                         "limit, or csv or ndjson, which stream any number", range->grid.unit == GRID_FIXED ? "about" : "over", n,
                         (int)size, text, rows_max, i < N_STEPS ? steps[i] : "a longer step");
}

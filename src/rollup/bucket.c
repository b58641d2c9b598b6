#include <config.h>

#include "rollup/bucket.h"

/* The longest fixed width: all instants that the store accepts lie within it, and sums with it cannot overflow. */
#define WIDTH_MAX_US (CIVIL_END_US - CIVIL_MIN_US)

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static bool is_calendar_months(int32_t n)
{
    return n == 1 || n == 3 || n == 6 || n == 12;
}

static int refuse(const struct duration *step, struct err_text *error)
{
    char text[CIVIL_TEXT_MAX];
    size_t size = civil_print_duration(text, step);

    return err_set_field(error, ERR_INVALID, "step",
                         "step \"%.*s\" is no width of buckets; take P1D, P1W, P1M, P3M, P6M, P1Y, or a fixed width "
                         "such as PT15M from PT1S up",
                         (int)size, text);
}

int grid_init(struct grid *grid, const struct duration *step, const struct zone *zone, struct err_text *error)
{
    struct grid made = {.zone = zone};
    bool has_months = step->months != 0, has_days = step->days != 0, has_us = step->us != 0;

    if (has_months + has_days + has_us != 1)
        return refuse(step, error);
    if (has_months) {
        if (!is_calendar_months(step->months))
            return refuse(step, error);
        made.unit = GRID_MONTH;
        made.n_months = step->months;
    } else if (has_days) {
        if (step->days != 1 && step->days != 7)
            return refuse(step, error);
        made.unit = step->days == 1 ? GRID_DAY : GRID_WEEK;
    } else {
        if (step->us < US_PER_SECOND || step->us > WIDTH_MAX_US)
            return refuse(step, error);
        made.unit = zone != NULL && step->us < US_PER_DAY ? GRID_FIXED_LOCAL : GRID_FIXED;
        made.width_us = step->us;
    }
    *grid = made;
    return 0;
}

static int64_t day_start_us(const struct grid *grid, int64_t day)
{
    return grid->zone == NULL ? day * US_PER_DAY : zone_day_start_us(grid->zone, day);
}

/* The local day that t_us belongs to by definition 2. Where clocks go back over midnight, the evening that comes a second
 * time belongs to the new day, though the clock shows the old date again. */
static int64_t day_of(const struct grid *grid, int64_t t_us)
{
    if (grid->zone == NULL)
        return floor_div(t_us, US_PER_DAY);

    int64_t day = zone_local_day(grid->zone, t_us);
    while (zone_day_start_us(grid->zone, day + 1) <= t_us)
        day++;
    return day;
}

/* First days of the calendar bucket that holds a day, and of the one after it. */
struct day_range {
    int64_t begin, end;
};

static struct day_range calendar_bucket(const struct grid *grid, int64_t day)
{
    if (grid->unit == GRID_DAY || grid->unit == GRID_FIXED_LOCAL)
        return (struct day_range){day, day + 1};
    if (grid->unit == GRID_WEEK) {
        int64_t monday = day - civil_weekday(day);
        return (struct day_range){monday, monday + 7};
    }

    int year, month, month_day;
    civil_from_days(day, &year, &month, &month_day);
    int first = month - (month - 1) % grid->n_months;
    int next = first + grid->n_months;
    return (struct day_range){civil_days(year, first, 1),
                              next > 12 ? civil_days(year + 1, 1, 1) : civil_days(year, next, 1)};
}

int64_t grid_start_us(const struct grid *grid, int64_t t_us)
{
    if (grid->unit == GRID_FIXED)
        return floor_div(t_us, grid->width_us) * grid->width_us;

    int64_t start = day_start_us(grid, calendar_bucket(grid, day_of(grid, t_us)).begin);
    if (grid->unit == GRID_FIXED_LOCAL)
        start += (t_us - start) / grid->width_us * grid->width_us;
    return start;
}

/* A skipped date begins when the next one does. day_of gives the last day that begins at or before start_us, so the end
 * lies behind start_us whatever the zone did. */
int64_t grid_next_us(const struct grid *grid, int64_t start_us)
{
    if (grid->unit == GRID_FIXED)
        return start_us + grid->width_us;

    int64_t end = day_start_us(grid, calendar_bucket(grid, day_of(grid, start_us)).end);
    if (grid->unit == GRID_FIXED_LOCAL && end - start_us > grid->width_us)
        end = start_us + grid->width_us;
    return end;
}

/* The part of a grid in which edges lie at even distances: all of a fixed grid, a local day of a local one, else a
 * bucket. It keeps counting and checking quick for narrow buckets. */
struct stretch {
    int64_t begin_us, end_us, width_us;
};

static struct stretch stretch_at(const struct grid *grid, int64_t t_us)
{
    if (grid->unit == GRID_FIXED)
        return (struct stretch){grid_start_us(grid, t_us), INT64_MAX, grid->width_us};

    struct day_range days = calendar_bucket(grid, day_of(grid, t_us));
    struct stretch s = {day_start_us(grid, days.begin), day_start_us(grid, days.end), 0};
    s.width_us = grid->unit == GRID_FIXED_LOCAL ? grid->width_us : s.end_us - s.begin_us;
    return s;
}

int64_t grid_count(const struct grid *grid, int64_t begin_us, int64_t end_us, int64_t max)
{
    int64_t n = 0;

    while (begin_us < end_us && n < max) {
        struct stretch s = stretch_at(grid, begin_us);
        int64_t end = end_us < s.end_us ? end_us : s.end_us;
        n += (end - 1 - s.begin_us) / s.width_us - (begin_us - s.begin_us) / s.width_us + 1;
        begin_us = end;
    }
    return n < max ? n : max;
}

bool grid_fits(const struct grid *grid, int64_t begin_us, int64_t end_us, int64_t width_us)
{
    while (begin_us < end_us) {
        struct stretch s = stretch_at(grid, begin_us);
        int64_t end = end_us < s.end_us ? end_us : s.end_us;
        int64_t edge = s.begin_us + (begin_us - s.begin_us + s.width_us - 1) / s.width_us * s.width_us;
        if (edge < end && edge % width_us != 0)
            return false;
        if (edge < end && s.width_us < end - edge && s.width_us % width_us != 0)
            return false;
        begin_us = end;
    }
    return true;
}

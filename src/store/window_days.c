#include <config.h>

#include "store/window_days.h"

#include "common/civil.h"
#include "store/people.h"

static int put_day(void *arg, const struct series_row *series, const struct day_row *row)
{
    return window_file_put_day(arg, series->id, row);
}

int window_days_write(struct in_force *in_force, struct window_file *file, const struct series_row *series, int64_t mark,
                      int64_t begin_us, int64_t end_us)
{
    int64_t begin = begin_us / US_PER_DAY - (begin_us % US_PER_DAY < 0);
    int64_t end = (end_us - 1) / US_PER_DAY + ((end_us - 1) % US_PER_DAY >= 0);
    int rc = in_force_read(in_force, file, series, (struct window){begin * US_PER_DAY, end * US_PER_DAY}, mark);
    rc = rc ? rc : window_file_drop_days(file, series->id, begin, end);
    return rc ? rc : people_days(series, &in_force->points, put_day, file);
}

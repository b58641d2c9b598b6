#include <config.h>

#include "store/verify_inside.h"

#include "common/civil.h"
#include "model/reading.h"

const char *verify_changes_wrong(const struct changes *changes, const struct window *window, int64_t mark)
{
    if (!changes->n || changes->n > CHANGES_MAX)
        return "a note of what changed with none or too many entries";
    for (size_t i = 0; i < changes->n; i++) {
        const struct change *change = &changes->at[i];
        /* it may end behind the window, as the period of an amount may */
        if (change->begin_s < window->begin_us / US_PER_SECOND - (window->begin_us % US_PER_SECOND < 0) ||
            change->begin_s > (window->end_us - 1) / US_PER_SECOND)
            return "a note of what changed outside of the window";
        if (change->batch > mark)
            return "a note of what changed with a batch that is not there";
        if (i && change->begin_s < changes->at[i - 1].begin_s)
            return "a note of what changed that is not in the order of time";
    }
    return NULL;
}

static bool covers(const struct change *change, int64_t begin_us, int64_t end_us)
{
    return change->begin_s <= begin_us / US_PER_SECOND - (begin_us % US_PER_SECOND < 0) &&
           change->end_s > (end_us - 1) / US_PER_SECOND - ((end_us - 1) % US_PER_SECOND < 0);
}

/* An entry only ever grows, or is united with others: what was noted at once is in one. */
bool verify_changes_cover(const struct changes *changes, const struct points *points, bool whole)
{
    size_t last = 0; /* neighbours are mostly in the same one */
    for (size_t i = 0; i < points->n; i++) {
        int64_t t_us = points->t_us[i], length_us = whole && points->period_us[i] > 1 ? points->period_us[i] : 1;
        int64_t end_us = length_us < CIVIL_END_US - t_us ? t_us + length_us : CIVIL_END_US;
        if (last < changes->n && covers(&changes->at[last], t_us, end_us))
            continue;
        for (last = 0; last < changes->n && !covers(&changes->at[last], t_us, end_us);)
            last++;
        if (last == changes->n)
            return false;
    }
    return true;
}

int64_t verify_changes_newest(const struct changes *changes)
{
    int64_t newest = 0;
    for (size_t i = 0; i < changes->n; i++)
        newest = changes->at[i].batch > newest ? changes->at[i].batch : newest;
    return newest;
}

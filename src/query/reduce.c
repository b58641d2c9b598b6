#include <config.h>

#include "query/reduce.h"

int64_t reduction_column(const struct reduction *reduction, int64_t t_us)
{
    return (int64_t)((__int128)(t_us - reduction->from_us) * reduction->n_columns / (reduction->to_us - reduction->from_us));
}

int64_t reduction_begin_us(const struct reduction *reduction, int64_t column)
{
    __int128 span_us = reduction->to_us - reduction->from_us;
    return reduction->from_us + (int64_t)((column * span_us + reduction->n_columns - 1) / reduction->n_columns);
}

static int compare(struct decimal a, struct decimal b)
{
    return a.e == b.e ? (a.m > b.m) - (a.m < b.m) : decimal_compare(a, b);
}

void reduction_add(struct reduction *reduction, const struct pixel *pixel)
{
    if (!reduction->any)
        reduction->first = reduction->min = reduction->max = *pixel;
    else if (compare(pixel->value, reduction->min.value) < 0)
        reduction->min = *pixel;
    else if (compare(pixel->value, reduction->max.value) > 0)
        reduction->max = *pixel;
    reduction->last = *pixel;
    reduction->any = true;
}

size_t reduction_end(struct reduction *reduction, struct pixel ret_pixels[static 4])
{
    bool min_first = reduction->min.t_us <= reduction->max.t_us, ends = reduction->reduce == REDUCE_M4;
    const struct pixel *order[] = {ends ? &reduction->first : NULL, min_first ? &reduction->min : &reduction->max,
                                   min_first ? &reduction->max : &reduction->min, ends ? &reduction->last : NULL};
    size_t n = 0;
    for (size_t i = 0; i < 4 && reduction->any; i++)
        if (order[i] && (!n || order[i]->t_us != ret_pixels[n - 1].t_us))
            ret_pixels[n++] = *order[i];
    reduction->any = false;
    return n;
}

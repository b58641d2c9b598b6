#include <config.h>

#include "vtab/instants.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

#define SECOND_TEXT_SIZE (sizeof("2025-03-01T00:00:00") - 1) /* what the texts of a second begin with */
#define SECOND_MIN (CIVIL_MIN_US / US_PER_SECOND)
#define SECOND_END (CIVIL_END_US / US_PER_SECOND)

void instants_init(struct instants *instants)
{
    *instants = (struct instants){.begin_us = CIVIL_MIN_US, .end_us = CIVIL_END_US};
}

void instants_done(struct instants *instants)
{
    for (size_t i = 0; i < instants->n_edges; i++)
        free(instants->edges[i].text);
    free(instants->edges);
    *instants = (struct instants){0};
}

static void narrow(struct instants *instants, int64_t begin_us, int64_t end_us)
{
    instants->begin_us = begin_us > instants->begin_us ? begin_us : instants->begin_us;
    instants->end_us = end_us < instants->end_us ? end_us : instants->end_us;
}

/* ---- texts ---- */

/* How the texts of a second compare with text: below 0 all before it, above 0 all behind it, 0 it depends on the fraction. */
static int compare_second(int64_t second, const char *text, size_t size)
{
    char begin[CIVIL_TEXT_MAX];
    civil_print_rfc3339(begin, second * US_PER_SECOND, 0, true);
    int order = memcmp(begin, text, size < SECOND_TEXT_SIZE ? size : SECOND_TEXT_SIZE);
    return order ? order : size <= SECOND_TEXT_SIZE;
}

/* The first second whose texts do not all stand before text, or (behind) all stand behind it. */
static int64_t find_second(const char *text, size_t size, bool behind)
{
    int64_t low = SECOND_MIN, high = SECOND_END;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = compare_second(middle, text, size);
        if (order < 0 || (behind && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int add_edge(struct instants *instants, int64_t begin_us, enum comparison comparison, const char *text, size_t size)
{
    if (array_grow(&instants->edges, &instants->cap, instants->n_edges + 1, sizeof(*instants->edges)))
        return ERR_NOMEM;
    struct edge edge = {begin_us, comparison, malloc(size + 1), size};
    if (!edge.text)
        return ERR_NOMEM;
    memcpy(edge.text, text, size);
    instants->edges[instants->n_edges++] = edge;
    return 0;
}

int instants_compare_text(struct instants *instants, enum comparison comparison, const char *text, size_t size)
{
    int64_t begin_us = find_second(text, size, false) * US_PER_SECOND, end_us = find_second(text, size, true) * US_PER_SECOND;
    bool from = comparison == COMPARE_GT || comparison == COMPARE_GE, to = comparison == COMPARE_LT || comparison == COMPARE_LE;
    narrow(instants, to ? CIVIL_MIN_US : begin_us, from ? CIVIL_END_US : end_us);
    return begin_us < end_us ? add_edge(instants, begin_us, comparison, text, size) : 0;
}

bool compare_holds(enum comparison comparison, int order)
{
    switch (comparison) {
    case COMPARE_EQ:
        return order == 0;
    case COMPARE_LT:
        return order < 0;
    case COMPARE_LE:
        return order <= 0;
    case COMPARE_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

bool instants_check_edges(const struct instants *instants, int64_t t_us)
{
    char text[CIVIL_TEXT_MAX];
    size_t size = 0;
    for (size_t i = 0; i < instants->n_edges; i++) {
        const struct edge *edge = &instants->edges[i];
        if (t_us < edge->begin_us || t_us >= edge->begin_us + US_PER_SECOND)
            continue;
        if (!size)
            size = civil_print_rfc3339(text, t_us, 0, true);
        int order = memcmp(text, edge->text, size < edge->size ? size : edge->size);
        order = order ? order : size < edge->size ? -1 : size > edge->size;
        if (!compare_holds(edge->comparison, order))
            return false;
    }
    return true;
}

/* ---- numbers ---- */

void instants_compare_i64(struct instants *instants, enum comparison comparison, int64_t number)
{
    if (number < CIVIL_MIN_US - 1)
        number = CIVIL_MIN_US - 1;
    if (number > CIVIL_END_US)
        number = CIVIL_END_US;
    switch (comparison) {
    case COMPARE_EQ:
        narrow(instants, number, number + 1);
        break;
    case COMPARE_LT:
        narrow(instants, CIVIL_MIN_US, number);
        break;
    case COMPARE_LE:
        narrow(instants, CIVIL_MIN_US, number + 1);
        break;
    case COMPARE_GT:
        narrow(instants, number + 1, CIVIL_END_US);
        break;
    default:
        narrow(instants, number, CIVIL_END_US);
    }
}

void instants_compare_double(struct instants *instants, enum comparison comparison, double number)
{
    if (isnan(number)) {
        narrow(instants, CIVIL_END_US, CIVIL_MIN_US);
        return;
    }
    double low = floor(number);
    bool whole = low == number;
    low = fmax(fmin(low, (double)CIVIL_END_US), (double)CIVIL_MIN_US - 64); /* neighbours of doubles lie 32 apart there */
    if (!whole && comparison == COMPARE_EQ)
        narrow(instants, CIVIL_END_US, CIVIL_MIN_US);
    else if (!whole) /* between two numbers: below or behind both */
        comparison = comparison == COMPARE_LT || comparison == COMPARE_LE ? COMPARE_LE : COMPARE_GT;
    instants_compare_i64(instants, comparison, (int64_t)low);
}

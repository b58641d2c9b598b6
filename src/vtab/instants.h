/* Conditions on the columns `time` and `t_us` as a range of instants. The texts of `time` sort as their instants do, but for
 * fractions of a second ("…:00.500Z" stands before "…:00Z"): there the texts themselves are compared. Private to vtab. */
#ifndef VTAB_INSTANTS_H
#define VTAB_INSTANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/civil.h"
#include "common/err.h"

/* How a column is compared with a constant. */
enum comparison { COMPARE_EQ, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };

bool compare_holds(enum comparison comparison, int order); /* order: below, equal or above 0 */

/* A condition that the second [begin_us, begin_us + 1 s) fulfils in part. */
struct edge {
    int64_t begin_us;
    enum comparison comparison;
    char *text;
    size_t size;
};

struct instants {
    int64_t begin_us, end_us; /* nothing outside fulfils the conditions */
    struct edge *edges;
    size_t n_edges, cap;
};

void instants_init(struct instants *instants); /* every instant */
void instants_done(struct instants *instants);

/* Narrows to what the text of the instant fulfils; exact together with instants_have. ERR_NOMEM. */
MUST_CHECK int instants_compare_text(struct instants *instants, enum comparison comparison, const char *text, size_t size);
/* t_us compared with a number; exact. */
void instants_compare_i64(struct instants *instants, enum comparison comparison, int64_t number);
void instants_compare_double(struct instants *instants, enum comparison comparison, double number);

/* Whether an instant inside of [begin_us, end_us) fulfils all conditions. */
bool instants_check_edges(const struct instants *instants, int64_t t_us);
static inline bool instants_have(const struct instants *instants, int64_t t_us)
{
    return !instants->n_edges || instants_check_edges(instants, t_us);
}

#endif

#include <config.h>

#include "query/gain.h"

#include <stddef.h>

bool gain_is_plain(const struct declared *declared)
{
    return !declared || (!declared->register_size.m && declared->epsilon.m <= 0 && !declared->n_changes);
}

static struct exact difference(struct decimal from, struct decimal to)
{
    struct exact sum = {0};
    exact_add(&sum, to);
    exact_add_i128(&sum, -(__int128)from.m, from.e);
    return sum;
}

static struct exact after_decrease(const struct declared *declared, struct exact step, struct seen from, struct seen to,
                                   struct findings *findings)
{
    struct exact sum = step, rest = step;
    if (declared && declared->register_size.m > 0 && decimal_compare(declared->register_size, from.value) >= 0) {
        exact_add(&sum, declared->register_size);
        findings->rollovers++;
        return sum;
    }
    if (declared)
        exact_add(&rest, declared->epsilon);
    if (exact_compare(&rest, &(struct exact){0}) >= 0) {
        findings->jitters++;
        return sum;
    }
    findings->resets++;
    return difference((struct decimal){0, 0}, to.value);
}

struct exact gain_between(const struct declared *declared, struct seen from, struct seen to, struct findings *findings)
{
    struct exact sum = {0}, zero = {0};
    struct decimal at = from.value;
    uint64_t n_changes = 0;
    for (size_t i = 0; declared && i < declared->n_changes; i++) {
        const struct meter_change *change = &declared->changes[i];
        if (change->t_us <= from.t_us || change->t_us > to.t_us)
            continue;
        struct exact piece = difference(at, change->end);
        exact_add_exact(&sum, &piece);
        at = change->start;
        n_changes++;
    }
    struct exact last = difference(at, to.value);
    exact_add_exact(&sum, &last);
    findings->changes += n_changes;
    if (n_changes || exact_compare(&last, &zero) >= 0)
        return sum;
    return after_decrease(declared, last, from, to, findings);
}

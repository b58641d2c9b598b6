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

/* One register, without a change in between. */
static void add_piece(const struct declared *declared, struct decimal from, struct decimal to, struct exact *sum,
                      struct findings *findings)
{
    struct exact step = difference(from, to), epsilon = {0};
    if (decimal_compare(to, from) >= 0) {
        exact_add_exact(sum, &step);
        return;
    }
    if (declared && declared->register_size.m > 0 && decimal_compare(declared->register_size, from) >= 0) {
        exact_add_exact(sum, &step);
        exact_add(sum, declared->register_size);
        findings->rollovers++;
        return;
    }
    if (declared)
        exact_add(&epsilon, declared->epsilon);
    exact_add_exact(&epsilon, &step);
    if (declared && declared->epsilon.m > 0 && exact_compare(&epsilon, &(struct exact){0}) >= 0) {
        exact_add_exact(sum, &step);
        findings->jitters++;
        return;
    }
    exact_add(sum, to);
    findings->resets++;
}

struct exact gain_between(const struct declared *declared, struct seen from, struct seen to, struct findings *findings)
{
    struct exact sum = {0};
    struct decimal at = from.value;
    for (size_t i = 0; declared && i < declared->n_changes; i++) {
        const struct meter_change *change = &declared->changes[i];
        if (change->t_us <= from.t_us || change->t_us > to.t_us)
            continue;
        add_piece(declared, at, change->end, &sum, findings);
        at = change->start;
        findings->changes++;
    }
    add_piece(declared, at, to.value, &sum, findings);
    return sum;
}

#include <config.h>

#include "query/direction.h"

#include <math.h>

#include "query/tally.h"

#define DEGREES_PER_RADIAN 57.295779513082320876798154814105170332L
#define MEAN_EXPONENT (-12)
/* A sum of unit vectors shorter than this a reading is what rounding leaves of nothing. */
#define LENGTH_MIN 1e-15L

/* 10^n of 0 to 24, beyond which no exponent goes. */
static __int128 power_of_ten(int n)
{
    __int128 power = 1;
    for (n = n < -DECIMAL_EXP_MIN ? n : -DECIMAL_EXP_MIN; n > 0; n--)
        power *= 10;
    return power;
}

static void add(struct direction *direction, struct decimal value)
{
    __int128 unit = value.e < 0 ? power_of_ten(-value.e) : 1; /* one degree */
    __int128 angle = value.e > 0 ? value.m % 360 * (power_of_ten(value.e) % 360) : value.m;
    angle = (angle % (360 * unit) + 360 * unit) % (360 * unit);
    __int128 axis = (angle + 45 * unit) / (90 * unit);
    long double rest = (long double)(angle - axis * 90 * unit) / (long double)unit / DEGREES_PER_RADIAN;
    long double c = cosl(rest), s = sinl(rest);
    direction->x += axis == 1 ? -s : axis == 2 ? -c : axis == 3 ? s : c;
    direction->y += axis == 1 ? c : axis == 2 ? -s : axis == 3 ? -c : s;
    direction->count++;
}

void direction_add_points(struct direction *direction, const struct points *points, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        if (!tally_leaves_out(points->quality[i]))
            add(direction, (struct decimal){points->m[i], points->e[i]});
}

bool direction_mean(const struct direction *direction, struct decimal *ret_mean)
{
    if (hypotl(direction->x, direction->y) <= LENGTH_MIN * (long double)direction->count)
        return false;
    int64_t circle = 360 * decimal_pow10[-MEAN_EXPONENT];
    long double degrees = atan2l(direction->y, direction->x) * DEGREES_PER_RADIAN;
    int64_t mean = llrintl(degrees * (long double)decimal_pow10[-MEAN_EXPONENT]);
    *ret_mean = decimal_canonical((struct decimal){(mean + circle) % circle, MEAN_EXPONENT});
    return true;
}

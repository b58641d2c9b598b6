/* The only place that asks for the time. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void); /* microseconds since the Unix epoch, UTC */
int64_t clock_mono_us(void); /* microseconds on a clock that never goes back */

/* Tests: both clocks answer t_us from now on; INT64_MIN gives the real ones back. */
void clock_freeze(int64_t t_us);

#endif

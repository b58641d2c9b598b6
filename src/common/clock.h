/* The only place that asks for the time. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void); /* microseconds since the Unix epoch, UTC */
int64_t clock_mono_us(void); /* microseconds on a clock that never goes back */
int64_t clock_boot_us(void); /* the same, and it counts the time that the machine sleeps */

/* Tests: all clocks answer t_us from now on; INT64_MIN gives the real ones back. */
void clock_freeze(int64_t t_us);

#endif

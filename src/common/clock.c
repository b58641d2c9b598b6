#include <config.h>

#include "common/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t frozen_us = INT64_MIN;

static int64_t read_clock(clockid_t id)
{
    int64_t at_us = atomic_load_explicit(&frozen_us, memory_order_relaxed);
    if (at_us != INT64_MIN)
        return at_us;
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_boot_us(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

void clock_freeze(int64_t t_us)
{
    atomic_store(&frozen_us, t_us);
}

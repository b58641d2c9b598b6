#include <config.h>

#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/clock.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static _Atomic int level_max = LOG_INFO;

void log_level_set(enum log_level level)
{
    atomic_store(&level_max, (int)level);
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed))
        return;
    char line[1024];
    char *time_end = line + civil_print_rfc3339(line, clock_wall_us() / 1000 * 1000, 0, true);
    size_t room = sizeof(line) - (size_t)(time_end - line) - 1; /* one byte stays for the newline */
    int n = snprintf(time_end, room, " %s %s ", level_names[level], event);
    size_t used = n < 0 ? 0 : (size_t)n;
    va_list args;
    va_start(args, format);
    n = vsnprintf(time_end + used, room - used, format, args);
    va_end(args);
    used += n < 0 ? 0 : (size_t)n;
    if (used > room - 1) /* a longer line is cut off */
        used = room - 1;
    for (size_t i = 0; i < used; i++) /* one event, one line */
        if (time_end[i] == '\n' || time_end[i] == '\r')
            time_end[i] = ' ';
    time_end[used++] = '\n';
    /* one write: lines of several threads do not mix; stderr that is gone is nobody's concern */
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)(time_end - line) + used);
    (void)ignored;
}

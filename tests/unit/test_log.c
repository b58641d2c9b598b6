#include <config.h>

#include "common/log.h"

#include <fcntl.h>
#include <unistd.h>

#include "../lib/test.h"
#include "common/clock.h"

/* What log_event wrote to stderr. The pipe holds more than the longest line, so nothing waits. */
static char captured[4096];

static void log_and_capture(enum log_level level, const char *text)
{
    int ends[2], saved = dup(STDERR_FILENO);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    clock_freeze(1740787200123456); /* 2025-03-01T00:00:00.123456Z */
    log_event(level, "broker_away", "text=%s", text);
    clock_freeze(INT64_MIN);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(ends[0], captured + n, sizeof(captured) - 1 - n)) > 0)
        n += (size_t)got;
    captured[n] = '\0';
    close(ends[0]);
}

static void line_has_time_level_event_and_pairs(void **state)
{
    (void)state;
    log_and_capture(LOG_WARNING, "a");
    assert_string_equal(captured, "2025-03-01T00:00:00.123Z warning broker_away text=a\n");
}

static void level_above_the_set_one_is_dropped(void **state)
{
    (void)state;
    log_and_capture(LOG_DEBUG, "a");
    assert_string_equal(captured, "");
    log_level_set(LOG_DEBUG);
    log_and_capture(LOG_DEBUG, "a");
    assert_string_equal(captured, "2025-03-01T00:00:00.123Z debug broker_away text=a\n");
    log_level_set(LOG_ERROR);
    log_and_capture(LOG_WARNING, "a");
    assert_string_equal(captured, "");
    log_level_set(LOG_INFO);
}

static void newline_inside_does_not_forge_a_line(void **state)
{
    (void)state;
    log_and_capture(LOG_ERROR, "a\r\n2025 error forged x=1\n");
    assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
    assert_null(strchr(captured, '\r'));
}

static void long_line_is_cut_off_with_its_newline(void **state)
{
    (void)state;
    static char text[3000];
    for (size_t size = 900; size < sizeof(text); size += size < 1100 ? 1 : 500) {
        memset(text, 'x', size);
        text[size] = '\0';
        log_and_capture(LOG_ERROR, text);
        size_t n = strlen(captured);
        assert_true(n <= 1024);
        assert_ptr_equal(strchr(captured, '\n'), captured + n - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_has_time_level_event_and_pairs),
        cmocka_unit_test(level_above_the_set_one_is_dropped),
        cmocka_unit_test(newline_inside_does_not_forge_a_line),
        cmocka_unit_test(long_line_is_cut_off_with_its_newline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

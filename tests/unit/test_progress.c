#include <config.h>

#include "app/progress.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../lib/test.h"
#include "app/stop.h"
#include "common/clock.h"

#define START_US INT64_C(1000000000)
#define MS 1000

/* stderr on a terminal of our own, columns wide; what was written to it since the last look is in seen. */
static int terminal, kept_stderr;
static char seen[4096];

static void set_width(unsigned short columns)
{
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
}

static const char *look(void)
{
    ssize_t n = read(terminal, seen, sizeof seen - 1);
    seen[n > 0 ? n : 0] = '\0';
    return seen;
}

static int open_terminal(void **state)
{
    int slave;
    (void)state;
    assert_int_equal(openpty(&terminal, &slave, NULL, NULL, NULL), 0);
    assert_int_equal(fcntl(terminal, F_SETFL, O_NONBLOCK), 0);
    set_width(80);
    kept_stderr = dup(STDERR_FILENO);
    dup2(slave, STDERR_FILENO);
    close(slave);
    setenv("NO_COLOR", "1", 1);
    setenv("TERM", "xterm", 1);
    clock_freeze(START_US);
    return 0;
}

static int close_terminal(void **state)
{
    (void)state;
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    close(terminal);
    clock_freeze(INT64_MIN);
    return 0;
}

static void after(int64_t ms)
{
    clock_freeze(START_US + ms * MS);
}

static void nothing_is_shown_in_the_first_second(void **state)
{
    struct progress progress;
    (void)state;
    progress_start(&progress, "verifying", 1000);
    progress_add(&progress, 500);
    after(999);
    progress_add(&progress, 499);
    assert_string_equal(look(), "");
    progress_done(&progress);
    assert_string_equal(look(), "");
}

static void it_shows_share_amounts_rate_and_time_left(void **state)
{
    struct progress progress;
    (void)state;
    progress_start(&progress, "verifying", 4000000);
    after(2000);
    progress_add(&progress, 1000000);
    look();
    assert_non_null(strstr(seen, "\rverifying  ["));
    assert_non_null(strstr(seen, " 25%  1.0 M of 4.0 M  500 k/s  0:06 left"));
    assert_null(strchr(seen, '\n'));
    assert_null(strchr(seen, '\033')); /* NO_COLOR */
    after(9000);
    progress_add(&progress, 3000000);
    assert_non_null(strstr(look(), "100%  4.0 M of 4.0 M  444 k/s  0:00 left"));
}

static void it_is_drawn_at_most_ten_times_a_second(void **state)
{
    struct progress progress;
    int n_drawn = 0;
    (void)state;
    progress_start(&progress, "copying", 100000);
    for (int ms = 1; ms <= 3000; ms++) {
        after(ms);
        progress_add(&progress, 1);
        n_drawn += *look() != '\0';
    }
    assert_in_range(n_drawn, 15, 21);
}

static void a_line_never_reaches_the_last_column(void **state)
{
    (void)state;
    for (unsigned short width = 1; width < 220; width++) {
        struct progress progress;
        set_width(width);
        clock_freeze(START_US);
        progress_start(&progress, "exporting", INT64_C(123456789012));
        after(70000);
        progress_add(&progress, INT64_C(98765432101));
        size_t n = strlen(look());
        assert_true(n <= width); /* the carriage return is one of them */
        if (width > 20)
            assert_non_null(strstr(seen, " 80%"));
        progress_done(&progress);
        assert_true(strlen(look()) <= width + 1u);
    }
}

static void without_a_total_it_shows_what_is_done(void **state)
{
    struct progress progress;
    (void)state;
    progress_start(&progress, "exporting", 0);
    after(4000);
    progress_add(&progress, 10000);
    assert_non_null(strstr(look(), "\rexporting  10 k  2.5 k/s"));
    assert_null(strchr(seen, '%'));
    assert_null(strchr(seen, '['));
}

static void the_line_is_gone_at_the_end(void **state)
{
    struct progress progress;
    (void)state;
    progress_start(&progress, "verifying", 10);
    after(1500);
    progress_add(&progress, 5);
    assert_string_not_equal(look(), "");
    progress_done(&progress);
    look();
    assert_int_equal(seen[0], '\r');
    assert_int_equal(strspn(seen + 1, " "), 79);
    assert_string_equal(seen + 80, "\r");
    progress_done(&progress);
    assert_string_equal(look(), "");
    progress_done(&(struct progress){0});
    assert_string_equal(look(), "");
    progress_add(&progress, 1); /* after a message in between it comes again */
    assert_string_not_equal(look(), "");
}

static void the_bar_is_coloured_where_that_is_wanted(void **state)
{
    struct progress progress;
    (void)state;
    unsetenv("NO_COLOR");
    progress_start(&progress, "verifying", 10);
    after(1500);
    progress_add(&progress, 5);
    look();
    assert_non_null(strstr(seen, "\033[32m#"));
    assert_non_null(strstr(seen, "#\033[0m-"));
    setenv("NO_COLOR", "", 1); /* no-color.org: an empty one does not count */
    progress_start(&progress, "verifying", 10);
    assert_true(progress.colour);
    setenv("TERM", "dumb", 1);
    progress_start(&progress, "verifying", 10);
    assert_false(progress.colour);
}

static void nothing_is_shown_where_stderr_is_no_terminal(void **state)
{
    struct progress progress;
    int ends[2];
    char byte;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    int kept = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    progress_start(&progress, "verifying", 10);
    after(5000);
    progress_add(&progress, 5);
    progress_done(&progress);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void the_first_signal_asks_and_the_second_ends(void **state)
{
    int status;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        stop_catch();
        if (stop_asked())
            _exit(1);
        raise(SIGINT);
        if (!stop_asked())
            _exit(2);
        raise(SIGINT);
        _exit(3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_terminal, close_terminal)
    const struct CMUnitTest tests[] = {
        CASE(nothing_is_shown_in_the_first_second),
        CASE(it_shows_share_amounts_rate_and_time_left),
        CASE(it_is_drawn_at_most_ten_times_a_second),
        CASE(a_line_never_reaches_the_last_column),
        CASE(without_a_total_it_shows_what_is_done),
        CASE(the_line_is_gone_at_the_end),
        CASE(the_bar_is_coloured_where_that_is_wanted),
        CASE(nothing_is_shown_where_stderr_is_no_terminal),
        cmocka_unit_test(the_first_signal_asks_and_the_second_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <config.h>

#include "app/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"

#define QUIET_US 1000000  /* work that is done sooner shows nothing */
#define REDRAW_US 100000
#define WIDTH_MAX 200
#define BAR_MAX 40
#define BAR_MIN 8

void progress_start(struct progress *progress, const char *what, int64_t total)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    bool dumb = terminal && strcmp(terminal, "dumb") == 0;
    *progress = (struct progress){.what = what, .total = total, .begin_us = clock_mono_us(),
                                  .on = isatty(STDERR_FILENO) == 1, .colour = !dumb && !(no_colour && *no_colour)};
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

/* "950", "1.2 k", "31 M": two digits or more, never more than three and a point. */
static void print_amount(double n, char out[static 16])
{
    static const char *const prefixes[] = {"", " k", " M", " G", " T", " P"};
    size_t i = 0;
    for (; n >= 999.5 && i + 1 < sizeof prefixes / sizeof *prefixes; i++)
        n /= 1000;
    snprintf(out, 16, "%.*f%s", i > 0 && n < 9.95, n, prefixes[i]);
}

/* "0:07", "12:40", "3:05:00" */
static void print_duration(int64_t s, char out[static 24])
{
    if (s < 3600)
        snprintf(out, 24, "%d:%02d", (int)(s / 60), (int)(s % 60));
    else
        snprintf(out, 24, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

/* What stands right of the bar: the longest form that leaves room for it. */
static void print_figures(const struct progress *progress, int64_t now_us, int room, char *out, size_t size)
{
    char done[16], total[16], rate[16], left[24];
    double elapsed_s = (double)(now_us - progress->begin_us) / 1e6, n = (double)progress->done;
    print_amount(n, done);
    print_amount(elapsed_s > 0 ? n / elapsed_s : 0, rate);
    if (progress->total <= 0) {
        if (snprintf(out, size, "%s  %s/s", done, rate) > room)
            snprintf(out, size, "%s", done);
        return;
    }
    double left_s = n > 0 ? ((double)progress->total - n) * elapsed_s / n : 0;
    int percent = progress->done >= progress->total ? 100 : (int)(n * 100 / (double)progress->total);
    print_amount((double)progress->total, total);
    print_duration(left_s < 1e9 ? (int64_t)(left_s + 0.5) : 0, left);
    int width = snprintf(out, size, "%3d%%  %s of %s  %s/s  %s left", percent, done, total, rate, n > 0 ? left : "?");
    if (width > room)
        width = snprintf(out, size, "%3d%%  %s left", percent, n > 0 ? left : "?");
    if (width > room)
        snprintf(out, size, "%3d%%", percent);
}

/* Appends to line what fits; gives the bytes in use. */
static size_t put(char *line, size_t at, size_t size, const char *text)
{
    size_t n = strlen(text);
    n = n < size - at ? n : size - at;
    memcpy(line + at, text, n);
    return at + n;
}

static void draw(struct progress *progress, int64_t now_us)
{
    char figures[128], line[WIDTH_MAX * 2];
    int room = terminal_width() - 1; /* the last column would make some terminals begin a new line */
    int what = (int)strlen(progress->what);
    print_figures(progress, now_us, room - what - 2, figures, sizeof figures);
    int bar = room - what - (int)strlen(figures) - 6; /* two blanks on each side, two brackets */
    bar = progress->total <= 0 || bar < BAR_MIN ? 0 : bar < BAR_MAX ? bar : BAR_MAX;
    int full = bar && progress->done < progress->total
                   ? (int)((double)bar * (double)progress->done / (double)progress->total) : bar;
    int width = what + 2 + (int)strlen(figures) + (bar ? bar + 4 : 0);
    size_t n = put(line, 0, sizeof line, "\r");
    n = put(line, n, sizeof line, progress->what);
    n = put(line, n, sizeof line, bar ? "  [" : "  ");
    n = put(line, n, sizeof line, bar && progress->colour ? "\033[32m" : "");
    for (int i = 0; i < bar; i++) {
        n = put(line, n, sizeof line, i == full && progress->colour ? "\033[0m" : "");
        n = put(line, n, sizeof line, i < full ? "#" : "-");
    }
    n = put(line, n, sizeof line, bar && full == bar && progress->colour ? "\033[0m" : "");
    n = put(line, n, sizeof line, bar ? "]  " : "");
    n = put(line, n, sizeof line, figures);
    for (; width < room; width++) /* over the rest of a longer line */
        n = put(line, n, sizeof line, " ");
    if (width > room || write(STDERR_FILENO, line, n) < 0)
        progress->on = false; /* too narrow for anything, or nobody there: it is only a nicety */
    progress->drawn = progress->on;
    progress->drawn_us = now_us;
}

void progress_add(struct progress *progress, int64_t n)
{
    progress->done += n;
    if (!progress->on)
        return;
    int64_t now_us = clock_mono_us();
    if (now_us - progress->begin_us >= QUIET_US && now_us - progress->drawn_us >= REDRAW_US)
        draw(progress, now_us);
}

void progress_done(struct progress *progress)
{
    char blank[WIDTH_MAX + 2];
    if (!progress->drawn)
        return;
    int room = terminal_width() - 1;
    memset(blank, ' ', sizeof blank);
    blank[0] = blank[room + 1] = '\r';
    if (write(STDERR_FILENO, blank, (size_t)room + 2) < 0)
        progress->on = false;
    progress->drawn = false;
    progress->drawn_us = 0;
}

/* A line on the terminal that shows how far a long command is.
 *
 * Shown on stderr only where that is a terminal, only after a second of work, drawn anew at most ten times a second, and
 * gone at the end, so that what a command prints afterwards stands on a clean line. Coloured unless NO_COLOR is set. For
 * one thread. */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* borrowed */
    int64_t total, done;
    int64_t begin_us, drawn_us; /* on the monotonic clock */
    bool on, drawn, colour;
};

/* what: the work as a word, "verifying"; total: how much there is of whatever is counted (bytes, readings), 0 when that is
 * not known: then only what is done and the rate are shown. Writing to fields is not needed, but total may be corrected. */
void progress_start(struct progress *progress, const char *what, int64_t total);
/* n more are done. Cheap enough for every chunk or row group (one clock reading), not for every byte. */
void progress_add(struct progress *progress, int64_t n);
/* The end of the work, good or bad: takes the line away. May be called again, and without a start on a zeroed struct. Call
 * it before a message is printed, too: the next progress_add draws the line again. */
void progress_done(struct progress *progress);

#endif

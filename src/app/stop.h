/* Ctrl-C for commands with work that must not be left half done: from stop_catch on, SIGINT and SIGTERM only raise a flag,
 * which loops look at. The second signal ends the process at once. */
#ifndef APP_STOP_H
#define APP_STOP_H

#include <stdbool.h>

void stop_catch(void);
/* Whether to stop: leave the loop with ERR_CANCELLED, and what was begun is undone as after any failure. */
bool stop_asked(void);

#endif

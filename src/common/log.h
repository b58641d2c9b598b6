/* The programs' log: one line an event on stderr, `time level event key=value ...`.
 * Libraries below the daemon (common to query) do not log: they return codes and texts.
 * Never log payloads, field values of subjects, tokens or keys (I9). */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/err.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Lines above this level are dropped; LOG_INFO at start. */
void log_level_set(enum log_level level);

/* event is one fixed word ("broker_away"); the rest is formatted as it is: write key=value pairs. Thread-safe. */
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#endif

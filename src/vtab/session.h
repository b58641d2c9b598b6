/* One SQL statement from outside on the virtual tables, in a database of its own that is otherwise empty: it may read and
 * compute, and nothing else; time, memory and sizes are bounded. Nothing here needs SQLite's header. */
#ifndef VTAB_SESSION_H
#define VTAB_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/reader.h"

struct session_opts {
    struct reader_dir *reader;          /* borrowed; a limited one shows its entities alone (reader_dir_limit) */
    int64_t time_max_us;                /* from session_open on */
    bool (*is_over)(void *arg);         /* asked often: true ends the statement with ERR_CANCELLED; or NULL */
    void *arg;
    int64_t memory_max_bytes;           /* by which SQLite may grow in the whole process: it does not count by connection */
};

#define SESSION_SQL_MAX 65536           /* bytes of a statement */
#define SESSION_VALUE_MAX (1 << 20)     /* bytes of a text or blob */

struct session;

/* ERR_INVALID: no statement, more than one, or one with a fault; ERR_DENIED: it wants more than
 * to read; ERR_LIMIT. */
MUST_CHECK int session_open(const struct session_opts *opts, const char *sql, struct session **ret_session,
                            struct err_text *error);
void session_close(struct session *session);

size_t session_n_columns(const struct session *session);
const char *session_column(const struct session *session, size_t i);
const char *session_position(const struct session *session); /* the state that it sees (view_position) */

/* The next row: 1, 0 behind the last one, or a code; ERR_LIMIT where a bound was reached, ERR_CANCELLED. */
MUST_CHECK int session_next(struct session *session, struct err_text *error);

enum session_type { SESSION_NULL, SESSION_INTEGER, SESSION_REAL, SESSION_TEXT, SESSION_BLOB };
struct session_value {
    enum session_type type; /* a text with a NUL in it: a blob */
    const char *text; /* the number as text, or the bytes; valid until session_next */
    size_t size;
};
struct session_value session_value(struct session *session, size_t i);

#endif

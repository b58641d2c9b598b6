#include <config.h>

#include "vtab/session.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "vtab/vtab.h"

#define OPS_BETWEEN_LOOKS 1000 /* of SQLite's machine; some ten microseconds */

struct session {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    struct view *view;
    int64_t end_us;              /* of the monotonic clock */
    int64_t memory_end_bytes;    /* of what SQLite has in the process */
    double time_max_s, memory_max_mb;
    bool (*is_over)(void *arg);
    void *arg;
    enum { END_NONE, END_OVER, END_TIME, END_MEMORY } end; /* what ended the statement */
    char denied[80];             /* what it may not do */
};

/* ---- bounds ---- */

static int look(void *arg)
{
    struct session *session = arg;
    if (session->is_over && session->is_over(session->arg))
        session->end = END_OVER;
    else if (clock_mono_us() > session->end_us)
        session->end = END_TIME;
    else if (sqlite3_memory_used() > session->memory_end_bytes)
        session->end = END_MEMORY;
    return session->end != END_NONE;
}

static void set_limits(struct session *session)
{
    static const struct {
        int id, max;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, SESSION_VALUE_MAX}, {SQLITE_LIMIT_SQL_LENGTH, SESSION_SQL_MAX},
        {SQLITE_LIMIT_COLUMN, 200},               {SQLITE_LIMIT_EXPR_DEPTH, 100},
        {SQLITE_LIMIT_COMPOUND_SELECT, 50},       {SQLITE_LIMIT_VDBE_OP, 100000},
        {SQLITE_LIMIT_FUNCTION_ARG, 50},          {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000}, {SQLITE_LIMIT_VARIABLE_NUMBER, 0},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 0},          {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        sqlite3_limit(session->db, limits[i].id, limits[i].max);
    sqlite3_progress_handler(session->db, OPS_BETWEEN_LOOKS, look, session);
}

/* ---- what is allowed ---- */

static const char *action_name(int action)
{
    switch (action) {
    case SQLITE_ATTACH:
        return "attach files";
    case SQLITE_DETACH:
        return "detach files";
    case SQLITE_PRAGMA:
        return "use pragmas";
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return "begin transactions";
    default:
        return "change anything";
    }
}

static int authorize(void *arg, int action, const char *first, const char *second, const char *database, const char *trigger)
{
    struct session *session = arg;
    (void)first;
    (void)database;
    (void)trigger;
    if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE)
        return SQLITE_OK;
    bool is_function = action == SQLITE_FUNCTION;
    if (is_function && second && sqlite3_stricmp(second, "load_extension") != 0 && sqlite3_stricmp(second, "fts3_tokenizer") != 0)
        return SQLITE_OK;
    if (is_function)
        sqlite3_snprintf(sizeof(session->denied), session->denied, "use the function %s", second ? second : "");
    else
        sqlite3_snprintf(sizeof(session->denied), session->denied, "%s", action_name(action));
    return SQLITE_DENY;
}

static int refuse(const struct session *session, struct err_text *error)
{
    return err_set_field(error, ERR_DENIED, "sql", "the statement may not %s; a SELECT (or WITH ... SELECT, VALUES) on the "
                         "tables readings, rollup, last and revisions is allowed", session->denied);
}

/* ---- faults ---- */

static int fail(const struct session *session, int code, struct err_text *error)
{
    const char *text = sqlite3_errmsg(session->db);
    if (*session->denied)
        return refuse(session, error);
    if (session->end == END_OVER)
        return err_set_field(error, ERR_CANCELLED, "sql", "the statement was broken off");
    if (session->end == END_TIME)
        return err_set_field(error, ERR_LIMIT, "sql", "the statement took longer than %.0f s: ask for less time or fewer series, "
                             "or run it with `almanac sql`, which has no limit", session->time_max_s);
    if (session->end == END_MEMORY)
        return err_set_field(error, ERR_LIMIT, "sql", "the statement needs more than %.0f MB of memory: sort and group less, or "
                             "run it with `almanac sql`, which has no limit", session->memory_max_mb);
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return ERR_NOMEM;
    case SQLITE_TOOBIG:
        return err_set_field(error, ERR_LIMIT, "sql", "%s: a statement may have %d bytes, a value of it %d", text,
                             SESSION_SQL_MAX, SESSION_VALUE_MAX);
    case SQLITE_CORRUPT:
        return err_set(error, ERR_CORRUPT, "%s", text);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return err_set(error, ERR_IO, "%s", text);
    default:
        return err_set_field(error, ERR_INVALID, "sql", "%s", text);
    }
}

/* ---- opening ---- */

static int open_database(struct session *session, const struct session_opts *opts, struct err_text *error)
{
    int rc = view_open(opts->reader, &session->view, error);
    if (rc)
        return rc;
    struct vtab_opts tables = {.reader = opts->reader, .view = session->view, .look = look, .look_arg = session};
    int code = sqlite3_open_v2(":memory:", &session->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(session->db, "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(session->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (code == SQLITE_OK)
        code = vtab_register(session->db, &tables);
    if (code == SQLITE_OK) /* makes SQLite know their columns, by statements that later nobody may run */
        code = sqlite3_exec(session->db, "SELECT 1 FROM readings, rollup, last, revisions, json_each(1), json_tree(1) LIMIT 0",
                            NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return session->db ? fail(session, code, error) : ERR_NOMEM;
    set_limits(session);
    sqlite3_set_authorizer(session->db, authorize, session);
    return 0;
}

/* The tail of a statement may be blanks, semicolons and comments. */
static int check_alone(struct session *session, const char *tail, struct err_text *error)
{
    sqlite3_stmt *second = NULL;
    while (*tail && (isspace((unsigned char)*tail) || *tail == ';'))
        tail++;
    int code = *tail ? sqlite3_prepare_v2(session->db, tail, -1, &second, &tail) : SQLITE_OK;
    bool is_one = second || code != SQLITE_OK;
    sqlite3_finalize(second);
    if (is_one)
        return err_set_field(error, ERR_INVALID, "sql", "there is more than one statement; send each in a request of its own");
    return *tail ? check_alone(session, tail, error) : 0; /* behind a comment */
}

static int prepare(struct session *session, const char *sql, struct err_text *error)
{
    const char *tail = "";
    if (strlen(sql) > SESSION_SQL_MAX)
        return err_set_field(error, ERR_LIMIT, "sql", "the statement has more than %d bytes", SESSION_SQL_MAX);
    int code = sqlite3_prepare_v2(session->db, sql, -1, &session->stmt, &tail);
    if (code != SQLITE_OK)
        return fail(session, code, error);
    if (!session->stmt)
        return err_set_field(error, ERR_INVALID, "sql", "there is no statement; send a SELECT");
    int rc = check_alone(session, tail, error);
    if (!rc && !sqlite3_column_count(session->stmt)) { /* such as REINDEX of nothing, which nobody has to authorize */
        sqlite3_snprintf(sizeof(session->denied), session->denied, "%s", action_name(0));
        rc = refuse(session, error);
    }
    return rc;
}

int session_open(const struct session_opts *opts, const char *sql, struct session **ret_session, struct err_text *error)
{
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        return ERR_NOMEM;
    session->end_us = clock_mono_us() + opts->time_max_us;
    session->memory_end_bytes = sqlite3_memory_used() + opts->memory_max_bytes;
    session->is_over = opts->is_over;
    session->arg = opts->arg;
    session->time_max_s = (double)opts->time_max_us / 1e6;
    session->memory_max_mb = (double)opts->memory_max_bytes / 1e6;
    int rc = open_database(session, opts, error);
    rc = rc ? rc : prepare(session, sql, error);
    if (rc) {
        session_close(session);
        return rc;
    }
    *ret_session = session;
    return 0;
}

void session_close(struct session *session)
{
    if (!session)
        return;
    sqlite3_finalize(session->stmt);
    sqlite3_close(session->db);
    view_close(session->view);
    free(session);
}

/* ---- reading ---- */

size_t session_n_columns(const struct session *session)
{
    return (size_t)sqlite3_column_count(session->stmt);
}

const char *session_column(const struct session *session, size_t i)
{
    const char *name = sqlite3_column_name(session->stmt, (int)i);
    return name ? name : "";
}

const char *session_position(const struct session *session)
{
    return view_position(session->view);
}

int session_next(struct session *session, struct err_text *error)
{
    int code = sqlite3_step(session->stmt);
    return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : fail(session, code, error);
}

struct session_value session_value(struct session *session, size_t i)
{
    static const enum session_type types[] = {[SQLITE_INTEGER] = SESSION_INTEGER, [SQLITE_FLOAT] = SESSION_REAL,
                                              [SQLITE_TEXT] = SESSION_TEXT, [SQLITE_BLOB] = SESSION_BLOB,
                                              [SQLITE_NULL] = SESSION_NULL};
    struct session_value value = {.type = types[sqlite3_column_type(session->stmt, (int)i)]};
    const void *bytes = value.type == SESSION_BLOB ? sqlite3_column_blob(session->stmt, (int)i)
                                                   : (const void *)sqlite3_column_text(session->stmt, (int)i);
    value.text = bytes ? bytes : "";
    value.size = (size_t)sqlite3_column_bytes(session->stmt, (int)i);
    if (value.type == SESSION_TEXT && memchr(value.text, '\0', value.size))
        value.type = SESSION_BLOB;
    return value;
}

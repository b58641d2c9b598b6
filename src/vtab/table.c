#include <config.h>

#include "vtab/table.h"

#include <stdlib.h>


struct virtual_table {
    sqlite3_vtab base;
    const struct table *table;
    struct connection *connection;
};

/* What a module hands to xConnect. */
struct module {
    const struct table *table;
    struct connection *connection;
};

static int sqlite_code(int code)
{
    return code == ERR_NOMEM ? SQLITE_NOMEM : code == ERR_CORRUPT ? SQLITE_CORRUPT_VTAB
           : code == ERR_CANCELLED ? SQLITE_INTERRUPT : SQLITE_ERROR;
}

/* ---- the table ---- */

static int connect_table(sqlite3 *db, void *arg, int argc, const char *const *argv, sqlite3_vtab **ret_vtab, char **ret_text)
{
    const struct module *module = arg;
    struct err_text error = {0};
    (void)argc;
    (void)argv;
    int rc = connection_open(module->connection, &error);
    if (rc) {
        *ret_text = sqlite3_mprintf("%s", error.text);
        return sqlite_code(rc);
    }
    rc = sqlite3_declare_vtab(db, module->table->columns);
    if (rc != SQLITE_OK)
        return rc;
    struct virtual_table *made = calloc(1, sizeof(*made));
    if (!made)
        return SQLITE_NOMEM;
    made->table = module->table;
    made->connection = module->connection;
    *ret_vtab = &made->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *vtab)
{
    free(vtab);
    return SQLITE_OK;
}

static int plan_table(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    struct virtual_table *virtual = (struct virtual_table *)vtab;
    connection_plan(virtual->connection);
    return question_plan(&virtual->table->asked, info);
}

/* ---- the cursor ---- */

static const struct table *table_of(const struct cursor *cursor)
{
    return ((const struct virtual_table *)cursor->base.pVtab)->table;
}

static int fail(struct cursor *cursor, int code, const struct err_text *error)
{
    sqlite3_vtab *vtab = cursor->base.pVtab;
    sqlite3_free(vtab->zErrMsg);
    vtab->zErrMsg = NULL;
    cursor->info = NULL;
    if (code == ERR_EXPIRED && !*error->text)
        vtab->zErrMsg = sqlite3_mprintf("the state that the running statements see is older than 15 minutes and gone: "
                                        "finish them, and ask again");
    else if (code != ERR_NOMEM)
        vtab->zErrMsg = sqlite3_mprintf("\"%s\" cannot be read: %s", table_of(cursor)->name,
                                        *error->text ? error->text : err_name(code));
    return sqlite_code(code);
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret_cursor)
{
    struct virtual_table *virtual = (struct virtual_table *)vtab;
    struct err_text error = {0};
    struct cursor *cursor = calloc(1, virtual->table->cursor_size);
    if (!cursor)
        return SQLITE_NOMEM;
    cursor->base.pVtab = vtab;
    cursor->connection = virtual->connection;
    int rc = connection_begin(cursor->connection, &error);
    if (rc) {
        rc = fail(cursor, rc, &error);
        free(cursor);
        return rc;
    }
    *ret_cursor = &cursor->base;
    return SQLITE_OK;
}

static void clear_cursor(struct cursor *cursor)
{
    table_of(cursor)->end(cursor);
    question_close(&cursor->question);
    cursor->info = NULL;
    cursor->next_series = 0;
    cursor->in_series = false;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    clear_cursor(cursor);
    table_of(cursor)->done(cursor);
    connection_end(cursor->connection);
    free(cursor);
    return SQLITE_OK;
}

/* Begins with the next series; 0 behind the last one. */
static int next_series(struct cursor *cursor, struct err_text *error)
{
    const struct table *table = table_of(cursor);
    if (cursor->in_series)
        table->end(cursor);
    cursor->in_series = false;
    cursor->info = NULL;
    if (cursor->next_series == cursor->question.n_series)
        return 0;
    if (cursor->connection->look && cursor->connection->look(cursor->connection->look_arg))
        return ERR_CANCELLED; /* SQLite asks only between rows */
    cursor->info = &cursor->question.series[cursor->next_series++]->info;
    cursor->in_series = true;
    int rc = table->begin(cursor, error);
    return rc ? rc : 1;
}

static int next_row(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    const struct table *table = table_of(cursor);
    struct err_text error = {0};
    int rc = 0;
    while (!rc && cursor->info) {
        rc = table->next(cursor, &error);
        if (!rc && (rc = next_series(cursor, &error)) == 1)
            rc = 0; /* now its first row */
    }
    cursor->rowid++;
    return rc < 0 ? fail(cursor, rc, &error) : SQLITE_OK;
}

static int filter_rows(sqlite3_vtab_cursor *base, int number, const char *encoded, int argc, sqlite3_value **argv)
{
    struct cursor *cursor = (struct cursor *)base;
    const struct table *table = table_of(cursor);
    struct err_text error = {0};
    (void)argc;
    clear_cursor(cursor);
    int rc = question_open(cursor->connection, encoded, number, argv, &cursor->question, &error);
    if (!rc && table->asked.by_time) {
        const struct instants *instants = &cursor->question.instants;
        rc = quota_check_span(view_quota(cursor->connection->view), instants->begin_us, instants->end_us, "sql");
    }
    if (!rc && table->check)
        rc = table->check(cursor, &error);
    if (!rc)
        rc = next_series(cursor, &error);
    return rc < 0 ? fail(cursor, rc, &error) : rc ? next_row(base) : SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    return !((struct cursor *)base)->info;
}

static int give_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct cursor *cursor = (struct cursor *)base;
    table_of(cursor)->column(cursor, context, column);
    return SQLITE_OK;
}

static int give_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
    *ret_rowid = ((struct cursor *)base)->rowid;
    return SQLITE_OK;
}

void cursor_series_column(const struct cursor *cursor, sqlite3_context *context, enum meaning meaning)
{
    const struct series_info *info = cursor->info;
    value_text(context, meaning == MEANS_ENTITY ? info->entity : meaning == MEANS_TYPE ? info->type
                        : meaning == MEANS_PROPERTY ? info->property : info->unit);
}

/* ---- adding it ---- */

static void free_module(void *arg)
{
    struct module *module = arg;
    connection_drop(module->connection);
    free(module);
}

int table_add(struct connection *connection, const struct table *table)
{
    /* Without xCreate a table needs no CREATE VIRTUAL TABLE. */
    static const sqlite3_module methods = {
        .xConnect = connect_table, .xDisconnect = disconnect_table, .xBestIndex = plan_table, .xOpen = open_cursor,
        .xClose = close_cursor, .xFilter = filter_rows, .xNext = next_row, .xEof = is_at_end, .xColumn = give_column,
        .xRowid = give_rowid,
    };
    struct module *module = malloc(sizeof(*module));
    if (!module)
        return SQLITE_NOMEM;
    *module = (struct module){table, connection};
    connection->refs++;
    return sqlite3_create_module_v2(connection->db, table->name, &methods, module, free_module); /* frees it on failure, too */
}

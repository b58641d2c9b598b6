#include <config.h>

#include "store/file_rows.h"

#include <stdio.h>

static int add_fact(struct db *db, int i, const char *name, const char *text, int64_t value)
{
    sqlite3_stmt *stmt = db_stmt(db, i);
    db_bind_text(stmt, ":name", name);
    if (text)
        db_bind_text(stmt, ":value", text);
    else
        db_bind_i64(stmt, ":value", value);
    return db_run(db, stmt);
}

int file_put_facts(struct db *db, int i, enum file_kind kind, const struct file_facts *facts)
{
    int rc = add_fact(db, i, "kind", file_kind_name[kind], 0);
    rc = rc ? rc : add_fact(db, i, "topic", facts->topic, 0);
    rc = rc ? rc : add_fact(db, i, "partition", NULL, facts->partition);
    rc = rc ? rc : add_fact(db, i, "begin_us", NULL, facts->window.begin_us);
    rc = rc ? rc : add_fact(db, i, "end_us", NULL, facts->window.end_us);
    return rc ? rc : add_fact(db, i, "generation", NULL, facts->generation);
}

void file_bind_series(sqlite3_stmt *stmt, const struct series_row *series)
{
    db_bind_i64(stmt, ":id", series->id);
    db_bind_text(stmt, ":entity", series->entity);
    db_bind_text(stmt, ":type", series->type);
    db_bind_text(stmt, ":property", series->property);
    db_bind_text(stmt, ":unit", series->unit);
    db_bind_text(stmt, ":kind", kind_name(series->kind));
    db_bind_i64(stmt, ":step", series->step);
}

int file_read_series(sqlite3_stmt *stmt, struct series_row *row)
{
    const char *texts[5];
    for (int i = 0; i < 5; i++)
        if (!(texts[i] = (const char *)sqlite3_column_text(stmt, i + 1)))
            return ERR_CORRUPT;
    row->id = (uint32_t)sqlite3_column_int64(stmt, 0);
    row->step = sqlite3_column_int(stmt, 6) != 0;
    snprintf(row->entity, sizeof(row->entity), "%s", texts[0]);
    snprintf(row->type, sizeof(row->type), "%s", texts[1]);
    snprintf(row->property, sizeof(row->property), "%s", texts[2]);
    snprintf(row->unit, sizeof(row->unit), "%s", texts[3]);
    return kind_parse(texts[4], &row->kind) ? ERR_CORRUPT : 0;
}

void file_bind_day(sqlite3_stmt *stmt, uint32_t series_id, const struct day_row *row)
{
    db_bind_i64(stmt, ":series", series_id);
    db_bind_i64(stmt, ":day", row->day);
    db_bind_i64(stmt, ":base", row->base);
    if (row->at_s)
        db_bind_text(stmt, ":at_s", row->at_s);
    db_bind_text(stmt, ":value", row->value);
    if (row->quality)
        db_bind_text(stmt, ":quality", row->quality);
}

int file_walk_series(struct db *db, sqlite3_stmt *stmt, int (*row)(void *arg, const struct series_row *series), void *arg)
{
    int rc;
    while ((rc = db_step(db, stmt)) == 1) {
        struct series_row series;
        if ((rc = file_read_series(stmt, &series)) || (rc = row(arg, &series))) {
            sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

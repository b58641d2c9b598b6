#include <config.h>

#include "vtab/question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"

/* A plan is encoded as the mask of columns in hexadecimal, a colon, and three letters for each constant: what its column means,
 * how it is compared, and whether capitals count (c) or not (n).
 *
 * LIKE and GLOB come as the ranges that SQLite makes of them; it offers them as such, too, but also where they stand in the ON of
 * a LEFT JOIN and must not be used (SQLite 3.40). */
static const char meaning_letters[MEANS_N + 1] = "-etpuTUsz";

static const struct operation {
    char letter;
    unsigned char op; /* SQLite's */
    enum comparison comparison;
    double share; /* of the rows that it leaves, roughly */
} operations[] = {
    {'=', SQLITE_INDEX_CONSTRAINT_EQ, COMPARE_EQ, 1e-5}, {'<', SQLITE_INDEX_CONSTRAINT_LT, COMPARE_LT, 0.2},
    {'l', SQLITE_INDEX_CONSTRAINT_LE, COMPARE_LE, 0.2},  {'>', SQLITE_INDEX_CONSTRAINT_GT, COMPARE_GT, 0.2},
    {'g', SQLITE_INDEX_CONSTRAINT_GE, COMPARE_GE, 0.2},  {'i', 0, COMPARE_EQ, 1e-4}, /* all of an IN at once */
};
#define N_OPERATIONS (sizeof(operations) / sizeof(*operations))

#define WALK_COST 1000.0 /* of looking at all series */

/* ---- planning ---- */

static const struct operation *find_operation(unsigned char op)
{
    for (size_t i = 0; i < N_OPERATIONS; i++)
        if (operations[i].op == op && op)
            return &operations[i];
    return NULL;
}

static bool is_text(enum meaning meaning)
{
    return meaning >= MEANS_ENTITY && meaning <= MEANS_TIME;
}

/* Whether the table can make use of the condition. */
static bool takes(const struct question_table *table, enum meaning meaning, const struct operation *operation)
{
    if (meaning == MEANS_TIME || meaning == MEANS_T_US)
        return table->by_time;
    if (meaning == MEANS_STEP || meaning == MEANS_ZONE)
        return operation->letter == '=';
    return meaning != MEANS_NOTHING;
}

/* Whether the constant is known and of the type for which question_open is exact, so that SQLite need not check again. */
static bool is_exact(sqlite3_index_info *info, int i, enum meaning meaning)
{
    sqlite3_value *value;
    if (sqlite3_vtab_rhs_value(info, i, &value) != SQLITE_OK)
        return false;
    return sqlite3_value_type(value) == (meaning == MEANS_T_US ? SQLITE_INTEGER : SQLITE_TEXT);
}

/* How many rows of the table pass. */
static double share_of(enum meaning meaning, const struct operation *operation)
{
    if (meaning == MEANS_TYPE || meaning == MEANS_UNIT)
        return 0.3;
    if (meaning == MEANS_PROPERTY)
        return 0.1;
    if (meaning == MEANS_ENTITY)
        return operation->letter == '=' ? 1e-4 : 0.2;
    return meaning == MEANS_STEP || meaning == MEANS_ZONE ? 1 : operation->share;
}

/* Rows come by entity, property, time; a column that equals a constant may be missing among the terms. */
static bool comes_in_order(const struct question_table *table, const sqlite3_index_info *info, unsigned fixed)
{
    static const enum meaning order[] = {MEANS_ENTITY, MEANS_PROPERTY, MEANS_T_US};
    size_t next = 0;
    for (int i = 0; i < info->nOrderBy; i++) {
        int column = info->aOrderBy[i].iColumn;
        enum meaning meaning = column < 0 ? MEANS_NOTHING : table->meanings[column];
        while (next < 3 && order[next] != meaning && fixed >> order[next] & 1)
            next++;
        if (next == 3 || order[next] != meaning || info->aOrderBy[i].desc || (next == 2 && !table->in_order))
            return false;
        next++;
    }
    return info->nOrderBy > 0;
}

struct draft {
    char text[512];
    size_t n;
    int n_values;
    double rows;
    unsigned fixed; /* meanings that equal one constant */
};

static void take(struct draft *draft, sqlite3_index_info *info, int i, enum meaning meaning, const struct operation *operation)
{
    bool nocase = is_text(meaning) && sqlite3_stricmp(sqlite3_vtab_collation(info, i), "NOCASE") == 0;
    bool exact = !nocase && is_exact(info, i, meaning);
    if (operation->letter == '=' && meaning <= MEANS_UNIT && sqlite3_vtab_in(info, i, -1)) {
        sqlite3_vtab_in(info, i, 1);
        operation = &operations[N_OPERATIONS - 1];
    }
    if (operation->letter == '=' && !nocase)
        draft->fixed |= 1U << meaning;
    info->aConstraintUsage[i].argvIndex = ++draft->n_values;
    info->aConstraintUsage[i].omit = exact;
    draft->text[draft->n++] = meaning_letters[meaning];
    draft->text[draft->n++] = operation->letter;
    draft->text[draft->n++] = nocase ? 'n' : 'c';
    draft->text[draft->n] = '\0';
    draft->rows *= share_of(meaning, operation);
}

static bool knows_collation(sqlite3_index_info *info, int i)
{
    const char *name = sqlite3_vtab_collation(info, i);
    return sqlite3_stricmp(name, "BINARY") == 0 || sqlite3_stricmp(name, "NOCASE") == 0;
}

int question_plan(const struct question_table *table, sqlite3_index_info *info)
{
    struct draft draft = {.rows = table->rows};
    draft.n = (size_t)snprintf(draft.text, sizeof(draft.text), "%llx:", (unsigned long long)info->colUsed);
    for (int i = 0; i < info->nConstraint && draft.n + 4 < sizeof(draft.text); i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        const struct operation *operation = find_operation(constraint->op);
        enum meaning meaning = constraint->iColumn < 0 ? MEANS_NOTHING : table->meanings[constraint->iColumn];
        if (!operation || !takes(table, meaning, operation))
            continue;
        if (!constraint->usable && (meaning == MEANS_STEP || meaning == MEANS_ZONE))
            return SQLITE_CONSTRAINT; /* without it the rows would be others */
        if (!constraint->usable || (is_text(meaning) && !knows_collation(info, i)))
            continue;
        take(&draft, info, i, meaning, operation);
    }
    info->idxStr = sqlite3_mprintf("%s", draft.text);
    info->needToFreeIdxStr = 1;
    info->orderByConsumed = comes_in_order(table, info, draft.fixed);
    info->idxNum = info->orderByConsumed;
    info->estimatedRows = draft.rows < 1 ? 1 : (sqlite3_int64)draft.rows;
    info->estimatedCost = draft.rows + (draft.fixed >> MEANS_ENTITY & 1 ? 10 : WALK_COST);
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* ---- texts that a column may be ---- */

struct texts_list {
    char **rows;
    size_t n, cap;
};

static void free_list(struct texts_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->rows[i]);
    free(list->rows);
    *list = (struct texts_list){0};
}

static int add_text(struct texts_list *list, sqlite3_value *value)
{
    const char *text = (const char *)sqlite3_value_text(value);
    char *copy = text ? strdup(text) : NULL;
    if (!copy || array_grow(&list->rows, &list->cap, list->n + 1, sizeof(char *))) {
        free(copy);
        return ERR_NOMEM;
    }
    list->rows[list->n++] = copy;
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has_text(const struct texts_list *list, const char *text)
{
    return list->n && bsearch(&text, list->rows, list->n, sizeof(char *), compare_texts);
}

/* ---- the conditions on series ---- */

/* A condition: equal to one of some texts, or less or more than the only one. */
struct term {
    enum meaning meaning;
    enum comparison comparison;
    bool nocase;
    struct texts_list texts; /* sorted */
};

struct search {
    struct connection *connection;
    struct question *question;
    struct term terms[256]; /* a plan has at most as many letters */
    size_t n_terms;
    bool nothing;           /* a condition that no row meets */
};

static const char *text_of(const struct series_info *info, enum meaning meaning)
{
    return meaning == MEANS_ENTITY ? info->entity : meaning == MEANS_TYPE ? info->type
           : meaning == MEANS_PROPERTY ? info->property : info->unit;
}

static bool meets(const struct term *term, const struct series_info *info)
{
    const char *text = text_of(info, term->meaning);
    if (term->comparison == COMPARE_EQ && !term->nocase)
        return has_text(&term->texts, text);
    for (size_t i = 0; i < term->texts.n; i++)
        if (compare_holds(term->comparison, term->nocase ? sqlite3_stricmp(text, term->texts.rows[i])
                                                         : strcmp(text, term->texts.rows[i])))
            return true;
    return false;
}

static int keep_series(void *arg, const struct series_info *info)
{
    struct search *search = arg;
    struct question *question = search->question;
    const char *texts[4] = {info->entity, info->type, info->property, info->unit};
    size_t size = sizeof(struct question_series);
    for (size_t i = 0; i < search->n_terms; i++)
        if (!meets(&search->terms[i], info))
            return 0;
    for (int i = 0; i < 4; i++)
        size += strlen(texts[i]) + 1;
    struct question_series *series = malloc(size);
    if (!series || array_grow(&question->series, &question->cap, question->n_series + 1, sizeof(*question->series))) {
        free(series);
        return ERR_NOMEM;
    }
    char *at = (char *)(series + 1);
    for (int i = 0; i < 4; i++) {
        size = strlen(texts[i]) + 1;
        memcpy(at, texts[i], size);
        texts[i] = at;
        at += size;
    }
    series->info = *info;
    series->info.entity = texts[0];
    series->info.type = texts[1];
    series->info.property = texts[2];
    series->info.unit = texts[3];
    question->series[question->n_series++] = series;
    return 0;
}

#define LOOKUPS_MAX 256 /* more entities than this are found by one walk over all series */

/* Where entities are named, the catalog is asked for them one by one. */
static int find_series(struct search *search)
{
    struct reader_dir *reader = search->connection->reader;
    const struct term *named = NULL;
    int rc = 0;
    for (size_t i = 0; i < search->n_terms; i++)
        if (search->terms[i].meaning == MEANS_ENTITY && search->terms[i].comparison == COMPARE_EQ && !search->terms[i].nocase &&
            (!named || search->terms[i].texts.n < named->texts.n))
            named = &search->terms[i];
    if (!named || named->texts.n > LOOKUPS_MAX)
        return reader_series(reader, &(struct series_filter){0}, keep_series, search);
    for (size_t i = 0; i < named->texts.n && !rc; i++) {
        const char *entity = named->texts.rows[i];
        if (!strpbrk(entity, "*?") && (!i || strcmp(entity, named->texts.rows[i - 1]) != 0)) /* no entity has such a name */
            rc = reader_series(reader, &(struct series_filter){.entities = &entity, .n_entities = 1}, keep_series, search);
    }
    return rc;
}

static int compare_series(const void *a, const void *b)
{
    const struct series_info *x = &(*(struct question_series *const *)a)->info, *y = &(*(struct question_series *const *)b)->info;
    int order = strcmp(x->entity, y->entity);
    return order ? order : strcmp(x->property, y->property);
}

/* ---- constants ---- */

static const struct operation *operation_of(char letter)
{
    size_t i = 0;
    while (operations[i].letter != letter)
        i++;
    return &operations[i];
}

/* Numbers are left to SQLite, which may compare them as texts or not, depending on where they come from. */
static int read_term(struct search *search, enum meaning meaning, const char *letters, sqlite3_value *value)
{
    struct term *term = &search->terms[search->n_terms];
    *term = (struct term){.meaning = meaning, .comparison = operation_of(letters[1])->comparison, .nocase = letters[2] == 'n'};
    int rc = 0;
    if (letters[1] == 'i') {
        sqlite3_value *item;
        int code = sqlite3_vtab_in_first(value, &item);
        for (; code == SQLITE_OK && !rc; code = sqlite3_vtab_in_next(value, &item)) {
            if (sqlite3_value_type(item) != SQLITE_TEXT && sqlite3_value_type(item) != SQLITE_NULL) {
                free_list(&term->texts);
                return 0;
            }
            if (sqlite3_value_type(item) == SQLITE_TEXT)
                rc = add_text(&term->texts, item);
        }
        if (term->texts.n)
            qsort(term->texts.rows, term->texts.n, sizeof(char *), compare_texts);
    } else if (sqlite3_value_type(value) == SQLITE_TEXT) {
        rc = add_text(&term->texts, value);
    } else {
        return 0;
    }
    if (rc)
        free_list(&term->texts);
    else
        search->n_terms++;
    return rc;
}

static int read_time(struct question *question, const char *letters, sqlite3_value *value)
{
    if (sqlite3_value_type(value) != SQLITE_TEXT)
        return 0;
    const char *text = (const char *)sqlite3_value_text(value);
    if (!text)
        return ERR_NOMEM;
    if (letters[2] == 'n' && text[strspn(text, "0123456789-:.")]) /* only these sort alike against T and t */
        return 0;
    return instants_compare_text(&question->instants, operation_of(letters[1])->comparison, text,
                                 (size_t)sqlite3_value_bytes(value));
}

static void read_t_us(struct question *question, char letter, sqlite3_value *value)
{
    enum comparison comparison = operation_of(letter)->comparison;
    if (sqlite3_value_type(value) == SQLITE_INTEGER)
        instants_compare_i64(&question->instants, comparison, sqlite3_value_int64(value));
    else if (sqlite3_value_type(value) == SQLITE_FLOAT)
        instants_compare_double(&question->instants, comparison, sqlite3_value_double(value));
}

static int read_parameter(enum meaning meaning, sqlite3_value *value, char **text, struct err_text *error)
{
    const char *name = meaning == MEANS_STEP ? "step" : "zone";
    if (sqlite3_value_type(value) != SQLITE_TEXT)
        return err_set(error, ERR_INVALID, "\"%s\" is compared with something that is no text; take a text such as %s", name,
                       meaning == MEANS_STEP ? "'PT15M'" : "'Europe/Berlin'");
    const char *given = (const char *)sqlite3_value_text(value);
    if (*text && given && strcmp(*text, given) != 0)
        return err_set(error, ERR_INVALID, "\"%s\" is compared with two texts; take one, or a statement for each", name);
    free(*text);
    *text = given ? strdup(given) : NULL;
    return *text ? 0 : ERR_NOMEM;
}

static int read_value(struct search *search, const char *letters, sqlite3_value *value, struct err_text *error)
{
    struct question *question = search->question;
    enum meaning meaning = (enum meaning)(strchr(meaning_letters, letters[0]) - meaning_letters);
    if (letters[1] != 'i' && sqlite3_value_type(value) == SQLITE_NULL)
        search->nothing = true;
    else if (meaning == MEANS_STEP || meaning == MEANS_ZONE)
        return read_parameter(meaning, value, meaning == MEANS_STEP ? &question->step : &question->zone, error);
    else if (meaning == MEANS_T_US)
        read_t_us(question, letters[1], value);
    else if (meaning == MEANS_TIME)
        return read_time(question, letters, value);
    else
        return read_term(search, meaning, letters, value);
    return 0;
}

int question_open(struct connection *connection, const char *encoded, int order, sqlite3_value **values,
                  struct question *ret_question, struct err_text *error)
{
    struct question question = {0};
    char *letters;
    question.columns = strtoull(encoded, &letters, 16);
    instants_init(&question.instants);
    struct search *search = calloc(1, sizeof(*search));
    if (!search)
        return ERR_NOMEM;
    *search = (struct search){.connection = connection, .question = &question};
    int rc = 0;
    for (letters++; *letters && !rc; letters += 3)
        rc = read_value(search, letters, *values++, error);
    if (!rc && !search->nothing && question.instants.begin_us < question.instants.end_us)
        rc = find_series(search);
    if (!rc && order && question.n_series)
        qsort(question.series, question.n_series, sizeof(*question.series), compare_series);
    for (size_t i = 0; i < search->n_terms; i++)
        free_list(&search->terms[i].texts);
    free(search);
    if (rc) {
        question_close(&question);
        return rc;
    }
    *ret_question = question;
    return 0;
}

void question_close(struct question *question)
{
    for (size_t i = 0; i < question->n_series; i++)
        free(question->series[i]);
    free(question->series);
    free(question->step);
    free(question->zone);
    instants_done(&question->instants);
    *question = (struct question){0};
}

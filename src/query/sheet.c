#include <config.h>

#include "query/sheet.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "query/range.h"

void sheet_store_free(struct sheet_store *store)
{
    texts_free(&store->texts);
    free(store->exacts);
    *store = (struct sheet_store){0};
}

void sheet_store_clear(struct sheet_store *store)
{
    texts_clear(&store->texts);
    store->n_exacts = 0;
}

/* Sums are seldom so wide that they need a place of their own. */
static int store_exact(struct sheet_store *store, const struct exact *exact, int64_t *ret_m, int8_t *ret_e)
{
    if (exact->e > INT8_MIN && exact->e <= INT8_MAX && exact_at(exact, exact->e, ret_m)) {
        *ret_e = (int8_t)exact->e;
        return 0;
    }
    if (array_grow(&store->exacts, &store->exacts_cap, store->n_exacts + 1, sizeof(*exact)))
        return ERR_NOMEM;
    store->exacts[store->n_exacts++] = *exact;
    *ret_m = (int64_t)store->n_exacts;
    *ret_e = SHEET_OTHER;
    return 0;
}

int sheet_store_value(struct sheet_store *store, const struct value *value, int64_t *ret_m, int8_t *ret_e)
{
    *ret_m = 0;
    *ret_e = value->type == VALUE_NULL ? SHEET_OTHER : 0;
    switch (value->type) {
    case VALUE_DECIMAL:
        *ret_m = value->decimal.m;
        *ret_e = value->decimal.e;
        return 0;
    case VALUE_EXACT:
        return store_exact(store, value->exact, ret_m, ret_e);
    case VALUE_COUNT:
        *ret_m = (int64_t)value->count;
        return 0;
    case VALUE_TEXT:
        return texts_intern(&store->texts, value->text, strlen(value->text), ret_m);
    case VALUE_TIME:
        *ret_m = value->t_us;
        return 0;
    default:
        return 0;
    }
}

enum sheet_type sheet_type(int agg, enum kind kind)
{
    if (agg == AGG_COUNT)
        return SHEET_COUNT;
    if (agg == AGG_MINTIME || agg == AGG_MAXTIME)
        return SHEET_TIME;
    bool is_value = agg == AGG_N || agg == AGG_FIRST || agg == AGG_LAST;
    return is_value && kind == KIND_STATE ? SHEET_TEXT : SHEET_NUMBER;
}

#include <config.h>

#include "http/filter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int filter_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (!*text)
        return ERR_INVALID;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || number > max)
            return ERR_INVALID;
        number = number * 10 + (uint64_t)(*text - '0');
    }
    if (!number || number > max)
        return ERR_INVALID;
    *ret_number = number;
    return 0;
}

/* Cuts every value of the parameter at the separators; empty pieces are passed over. */
static int split(struct parameters *parameters, const char *name, const char *separators, struct texts_list *list)
{
    for (size_t i = 0; i < parameters->n; i++) {
        if (strcmp(parameters->rows[i].name, name))
            continue;
        char *rest = NULL;
        for (char *piece = strtok_r((char *)parameters->rows[i].value, separators, &rest); piece;
             piece = strtok_r(NULL, separators, &rest)) {
            const char **rows = realloc(list->rows, (list->n + 1) * sizeof(*rows));
            if (!rows)
                return ERR_NOMEM;
            list->rows = rows;
            rows[list->n++] = piece;
        }
    }
    return 0;
}

static int read_ids(struct filter *filter, struct err_text *error)
{
    filter->numbers = calloc(filter->ids.n + 1, sizeof(*filter->numbers));
    if (!filter->numbers)
        return ERR_NOMEM;
    for (size_t i = 0; i < filter->ids.n; i++) {
        uint64_t number;
        if (filter_number(filter->ids.rows[i], UINT32_MAX, &number))
            return err_set_field(error, ERR_INVALID, "series",
                                 "\"%.64s\" is no id of a series; ids are whole numbers from 1 on", filter->ids.rows[i]);
        filter->numbers[i] = (uint32_t)number;
    }
    return 0;
}

int filter_init(struct filter *filter, struct parameters *parameters, struct err_text *error)
{
    *filter = (struct filter){.parameters = *parameters};
    parameters->n = 0;
    parameters = &filter->parameters;
    if (split(parameters, "series", ",", &filter->ids) || split(parameters, "entity", ",", &filter->entities) ||
        split(parameters, "type", ",", &filter->types) || split(parameters, "property", ",", &filter->properties) ||
        split(parameters, "unit", ",", &filter->units) || split(parameters, "q", " ", &filter->words))
        return ERR_NOMEM;
    int rc = read_ids(filter, error);
    filter->series = (struct series_filter){
        .ids = filter->numbers, .n_ids = filter->ids.n,
        .entities = filter->entities.rows, .n_entities = filter->entities.n,
        .types = filter->types.rows, .n_types = filter->types.n,
        .properties = filter->properties.rows, .n_properties = filter->properties.n,
        .units = filter->units.rows, .n_units = filter->units.n,
        .words = filter->words.rows, .n_words = filter->words.n,
    };
    return rc;
}

void filter_free(struct filter *filter)
{
    free(filter->ids.rows);
    free(filter->entities.rows);
    free(filter->types.rows);
    free(filter->properties.rows);
    free(filter->units.rows);
    free(filter->words.rows);
    free(filter->numbers);
    parameters_free(&filter->parameters);
}

struct taking {
    struct quota *quota;
    int64_t left;
};

static int take_series(void *arg, const struct series_info *info)
{
    struct taking *taking = arg;
    int rc = taking->left ? quota_take_series(taking->quota, info->id, "entity") : 1;
    taking->left -= taking->left > 0;
    return rc;
}

int filter_take_series(struct reader_dir *dir, const struct series_filter *filter, int64_t max)
{
    struct taking taking = {reader_dir_quota(dir), max};
    if (!taking.quota || !taking.quota->limits.series)
        return 0;
    int rc = reader_series(dir, filter, take_series, &taking);
    return rc < 0 ? rc : 0;
}

/* The parameters that say which series are meant, as /v1/series and /v1/changes take them. */
#ifndef HTTP_FILTER_H
#define HTTP_FILTER_H

#include "http/parameters.h"
#include "store/reader.h"

struct filter {
    struct series_filter series;  /* points into the rest */
    struct parameters parameters; /* taken over from the request: the lists point into it */
    struct texts_list {
        const char **rows;
        size_t n;
    } ids, entities, types, properties, units, words;
    uint32_t *numbers;
};

/* Reads `series entity type property unit q` where they are given (values cut at commas, those of q at blanks) and takes the
 * parameters over, from which others may be read: on failure too filter_free is due. ERR_INVALID, ERR_NOMEM. */
MUST_CHECK int filter_init(struct filter *filter, struct parameters *parameters, struct err_text *error);
void filter_free(struct filter *filter);

/* Takes the series that match, the first max of them (-1: all), from what the request may read, so that it is refused at once
 * where they are too many. ERR_QUOTA; errors of the catalog. */
MUST_CHECK int filter_take_series(struct reader_dir *dir, const struct series_filter *filter, int64_t max);

/* A whole number from 1 to max without sign or blanks. ERR_INVALID. */
MUST_CHECK int filter_number(const char *text, uint64_t max, uint64_t *ret_number);

#endif

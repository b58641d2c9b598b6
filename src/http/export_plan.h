/* How a bulk export is cut into files: groups of series, windows of time. Of the same snapshot the same parameters give the same
 * plan, so that an export can go on where it was broken off. */
#ifndef HTTP_EXPORT_PLAN_H
#define HTTP_EXPORT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/accept.h"
#include "http/parameters.h"
#include "query/range.h"
#include "store/reader.h"

#define EXPORT_FILES_MAX 20000
#define EXPORT_NAME_MAX 64     /* of a file, and NUL */
#define EXPORT_GROUP_DEFAULT 1000

/* What the parameters of an export say beyond those of a range. */
struct export_form {
    const struct media *media; /* csv, ndjson or arrow, as a range has them */
    const char *coding;        /* "gzip" or "zstd"; NULL: as they are */
    struct duration window, keep;
    size_t per_group;          /* series in a file; 0: all of them */
};
/* ERR_INVALID and ERR_MEANING with the field. */
MUST_CHECK int export_form_read(const struct parameters *parameters, struct export_form *ret_form, struct err_text *error);

struct export_plan {
    struct export_form form;
    struct range range;        /* as it is asked for; its ends are those of the first and the last file */
    bool parsed;
    uint32_t *ids;             /* of the series, ascending */
    size_t n_ids, ids_cap;
    int64_t *edges_us;         /* where windows begin, and where the last one ends */
    size_t n_edges, edges_cap;
    size_t n_groups, n_windows;
};

/* now_us is what relative times refer to: when the snapshot was made. dir is the snapshot's. ERR_INVALID, ERR_MEANING (too many
 * files, too), ERR_LIMIT, ERR_NOTFOUND when no series matches; ERR_CANCELLED as soon as is_over(arg) says so. export_plan_free
 * is due in any case. */
struct export_source {
    struct reader_dir *dir;
    int64_t now_us;
    bool (*is_over)(void *arg);
    void *arg;
};
MUST_CHECK int export_plan_make(const struct parameters *parameters, const struct export_source *source,
                                struct export_plan *ret_plan, struct err_text *error);
void export_plan_free(struct export_plan *plan);

/* One of the n_groups * n_windows files: group after group, each with its windows in time order. */
struct export_part {
    char name[EXPORT_NAME_MAX];
    size_t group;              /* from 1 */
    const uint32_t *ids;       /* of its series */
    size_t n_ids;
    int64_t from_us, to_us;
};
void export_plan_part(const struct export_plan *plan, size_t i, struct export_part *ret_part);

/* The parameters of the range request whose answer is the part's file. They are freed by parameters_free, on failure too. */
MUST_CHECK int export_plan_ask(const struct export_plan *plan, const struct parameters *parameters,
                               const struct export_part *part, struct parameters *ret_asked, struct err_text *error);

#endif

/* `almanac export --folder`: the files and the manifest that POST /v1/exports makes, in a folder of the caller's. */
#ifndef APP_EXPORT_FOLDER_H
#define APP_EXPORT_FOLDER_H

#include <stddef.h>

#include "app/args.h"
#include "app/conf.h"
#include "common/err.h"
#include "query/range.h"

struct export_folder {
    struct parameter *parameters; /* borrowed; as POST /v1/exports takes them */
    size_t n_parameters;
    const char *folder;
    bool was_whole;                     /* out: nothing was left to do */
    uint64_t n_rows, n_files;           /* out */
};

/* Goes on with what is in the folder if it was begun with the same parameters; else makes it. A folder with anything else in it
 * is ERR_EXISTS. ERR_BUSY while another process writes there. Stops early for stop_asked: ERR_CANCELLED. Errors as of an
 * export. */
MUST_CHECK int export_folder(struct export_folder *export, const struct conf *conf, struct err_text *error);

#endif

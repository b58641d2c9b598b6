/* What an importer makes of a text: its values and misfits as lines, in their order. */
#ifndef TESTS_LIB_IMPORTED_H
#define TESTS_LIB_IMPORTED_H

#include "common/buf.h"
#include "importers/importer.h"

struct imported {
    struct buf values;  /* lines "ENTITY TYPE PROPERTY TIME PERIOD_s VALUE UNIT QUALITY @LINE\n", NUL behind the last */
    struct buf misfits; /* lines "LINE REASON DETAIL\n", NUL behind the last */
    int64_t n_rows, n_values, n_misfits;
    int code;
    struct err_text error;
    size_t part; /* so many bytes are read at once; 0: as many as wanted */
    struct import_opts opts;
    /* its own */
    const char *text;
    size_t size, at;
};

/* Runs the importer on a text; results of before are forgotten, opts and part are kept. Gives the code. */
int imported_run(struct imported *imported, const struct importer *importer, const void *text, size_t size);
const char *imported_values(const struct imported *imported);
const char *imported_misfits(const struct imported *imported);
void imported_done(struct imported *imported);

#endif

/* What an import tells at its end, and what it refused meanwhile. */
#ifndef APP_IMPORT_REPORT_H
#define APP_IMPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "importers/intake.h"

struct import_report {
    bool json;
    FILE *refusals; /* with json: their list, on disk, as there may be many */
    int64_t n, n_by_reason[REFUSED_N];
};

/* ERR_IO: no temporary file can be made. */
MUST_CHECK int import_report_begin(struct import_report *report, bool json, struct err_text *error);
void import_report_done(struct import_report *report);

/* Notes a refusal; for people the first ones are shown on stderr at once. */
MUST_CHECK int import_report_refusal(struct import_report *report, const char *file, const struct misfit *misfit);

/* The summary on stdout: a JSON object, or lines for people. topic NULL: nothing was sent. n_before: messages that an earlier
 * run has sent. */
MUST_CHECK int import_report_print(struct import_report *report, const struct intake *intake, const char *topic,
                                   int64_t n_before);

#endif

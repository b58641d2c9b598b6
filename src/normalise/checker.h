/* What the files of the checker share; assets.h is its outside. */
#ifndef NORMALISE_CHECKER_H
#define NORMALISE_CHECKER_H

#include <stdbool.h>

#include "normalise/assets.h"
#include "normalise/names.h"
#include "normalise/scan.h"

struct asset_checker {
    struct scanner scanner;
    struct names names;

    /* of the message being checked */
    const struct document_message *message;
    struct documents *documents;
    size_t size_max;
    int32_t part;           /* counts its documents, good and bad */
    size_t n_refused;
    enum refusal_reason reason_over; /* of the first refusal that was one too many */

    /* of the document */
    size_t at;              /* where it begins */
    struct document *row;
};

/* These return 0, or 1 when what they look at was refused (and told), or ERR_NOMEM. */

/* Tells a refusal of the current document, which is named first. */
int checker_refuse(struct asset_checker *checker, enum refusal_reason reason, const char *format, ...) PRINTF_LIKE(3, 4);

/* An object of the scanner's tokens, as a document of topic `assets`. */
MUST_CHECK int checker_asset(struct asset_checker *checker, uint32_t token); /* assets.c */

/* `days` of a Calendar. */
struct calendar_span {
    int first_year, last_year;
};
MUST_CHECK int checker_days(struct asset_checker *checker, uint32_t token, struct calendar_span *ret_span); /* calendar.c */

/* The value of a member of an object, 0 where there is none or null. */
uint32_t checker_find(const struct asset_checker *checker, uint32_t object, const char *name);
bool checker_is(const struct asset_checker *checker, uint32_t token, const char *text);

#endif

/* Documents of topics `assets` and `optimization` (contract section 7), checked: every kind of asset with its fields, and of a
 * Sensor what `static` has for its type. Numbers stay decimals.
 *
 * D4.1 section 4.2.5 names the fields of `static`. The body of DistrictHeatingStatic is lost in the scan; after its siblings it
 * is taken to be maxPower and minPower. `id` in `static` must be the sensor's own. Where the contract leaves room:
 * - An id is 1 to 128 bytes of A-Z a-z 0-9 . _ : / -, as an entity: a pseudonym, never a name.
 * - A Sensor may have a `name` of up to 128 bytes (D4.1 shows "main_meter"): the name of a thing is not personal. That of a
 *   Customer or a Location is, and is refused with the way to the vault.
 * - A field that is null is as if it were not there. A name twice in an object is refused.
 * - A Rate has either a `board` or a `sensor`; `end` is behind `start`.
 * - A Calendar lists at least one day, and days no more than CALENDAR_YEARS_MAX years apart; `tz` (default UTC) is a zone that
 *   this machine knows.
 * - A message is one object, an array of them, or lines of either; what is refused are the parts that are wrong, one by one. */
#ifndef NORMALISE_ASSETS_H
#define NORMALISE_ASSETS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "model/document.h"

#define CALENDAR_YEARS_MAX 200
#define ASSETS_FILE_BYTES_MAX (64 << 20) /* of an imported file */

struct asset_checker;
struct asset_checker *asset_checker_new(void); /* NULL without memory */
void asset_checker_free(struct asset_checker *checker);

/* A message of a topic; place.part is left to us. */
struct document_message {
    const char *topic; /* borrowed by the refusals */
    struct document_place place;
    const void *value; /* need not end in NUL */
    size_t size;
    size_t size_max;   /* 0: LIMIT_MESSAGE_BYTES */
};

/* Appends the message's documents, references and refusals. Bad input is never an error; ERR_NOMEM is, and then documents
 * is as it was. What is referred to is not looked for here. */
MUST_CHECK int assets_check(struct asset_checker *checker, const struct document_message *message, struct documents *documents);

/* The same of an output of an optimization: one JSON object, whatever it has. */
MUST_CHECK int assets_check_output(struct asset_checker *checker, const struct document_message *message,
                                   struct documents *documents);

/* The readings of a checked Calendar (type Calendar, property dayType) as messages, one a year: a reading a day at local
 * midnight, from January 1 of the first listed year to December 31 of the last. Days that are not listed are `weekend` on
 * Saturday and Sunday, else `working`. since_ms is stated as their issue, since days lie ahead; so the same document always
 * gives the same bytes. ERR_INVALID: it is no Calendar. ERR_NOMEM, or what message answers. */
MUST_CHECK int assets_calendar(struct asset_checker *checker, const struct calendar_due *due,
                               int (*message)(void *arg, const char *entity, const void *value, size_t size), void *arg);

#endif

/* What the files that read a mapping share; mapping.h is the outside. */
#ifndef ADAPT_MAPPING_READ_H
#define ADAPT_MAPPING_READ_H

#include <jansson.h>

#include "adapt/mapping.h"

/* A mapping that is being read. */
struct mapping_reading {
    struct mapping *mapping;
    struct err_text *error;
};

/* A place of the document, for messages: "/values/3/scale". */
struct place_text {
    char text[160];
};
struct place_text place_in(const struct place_text *outer, const char *member);
struct place_text place_at(const struct place_text *outer, size_t i);

/* What a field is used for; its rule has to go with that. */
enum field_use { USE_TEXT, USE_NUMBER, USE_TIME, USE_LOOK };

/* What the texts of a choice mean. */
enum meaning { MEANS_TEXT, MEANS_STATE, MEANS_PERIOD, MEANS_QUALITY };

/* ERR_INVALID with the place in front of the sentence. */
int mapping_wrong(struct mapping_reading *in, const struct place_text *where, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* These read one part each. ERR_INVALID, ERR_NOMEM; what was made is freed with the mapping. */
MUST_CHECK int mapping_members(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                               const char *const *names);
MUST_CHECK int mapping_text(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                            size_t bytes_max, char **ret_text);
MUST_CHECK int mapping_texts(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                             char ***ret_texts, size_t *ret_n);
MUST_CHECK int mapping_field(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                             enum field_use use, int *ret_field);
MUST_CHECK int mapping_phrase(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                              struct phrase *phrase);
MUST_CHECK int mapping_choice(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                              enum meaning meaning, struct choice *choice);
MUST_CHECK int mapping_codes(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                             enum meaning meaning, struct choice *choice);
MUST_CHECK int mapping_instant(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                               struct instant *instant);
MUST_CHECK int mapping_missing(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                               struct missing *missing);
MUST_CHECK int mapping_value(struct mapping_reading *in, const struct place_text *where, const json_t *json,
                             struct value *value);

void mapping_free_texts(char **texts, size_t n);
void mapping_free_choice(struct choice *choice);
void mapping_free_value(struct value *value);

#endif

/* What ought to be in force, said as simply as can be: values and deletions are applied one after the other to a list. The
 * oracle of the store's tests; it shares no code with src/store. */
#ifndef TESTS_LIB_NAIVE_H
#define TESTS_LIB_NAIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct naive_value {
    int64_t m;
    int e;
    char text[65]; /* of states; then m and e are 0 */
    uint8_t quality;
    int64_t period_us, known_ms;
    bool taken_back; /* nothing is in force from known_ms on */
};

/* One time and issue of a series with everything that was in force there, oldest first. */
struct naive_key {
    uint32_t series;
    int64_t t_us, issued_us;
    struct naive_value *history;
    size_t n;
};

/* A zeroed struct is empty. Without memory the program ends. */
struct naive {
    struct naive_key *keys; /* in no order */
    size_t n;
};

void naive_free(struct naive *naive);
void naive_put(struct naive *naive, uint32_t series, int64_t t_us, int64_t issued_us, const struct naive_value *value);
/* Appends to the history whatever was there before. */
void naive_append(struct naive *naive, uint32_t series, int64_t t_us, int64_t issued_us,
                  const struct naive_value *value);
/* Takes back [begin_us, end_us) of one issue, or of all issues and the plain readings (ISSUED_NONE). */
void naive_delete(struct naive *naive, uint32_t series, int64_t begin_us, int64_t end_us, int64_t issued_us,
                  int64_t known_ms);

const struct naive_key *naive_find(const struct naive *naive, uint32_t series, int64_t t_us, int64_t issued_us);
/* What is in force at the key, or NULL. */
const struct naive_value *naive_now(const struct naive_key *key);
size_t naive_n_in_force(const struct naive *naive);

/* Equal as values: numbers by what they are worth, not by how they are written; known_ms is left out. */
bool naive_equal(const struct naive_value *a, const struct naive_value *b);
/* What was in force when known_ms was the newest that was known, or NULL: of the values known until then the last one. The
 * history need not be in order of known_ms. */
const struct naive_value *naive_as_of(const struct naive_key *key, int64_t known_ms);
/* Writes the first difference of what is in force, or "" when there is none. */
void naive_difference(const struct naive *expected, const struct naive *found, char out[static 400]);
/* The same of what was in force at any time. */
void naive_history_difference(const struct naive *expected, const struct naive *found, char out[static 400]);

#endif

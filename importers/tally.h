/* How many readings repeat one that was met before, and how many of these say something else.
 *
 * A memory of at least the newest TALLY_READINGS readings; repeats that stand further apart are not seen as such. */
#ifndef IMPORTERS_TALLY_H
#define IMPORTERS_TALLY_H

#include <stdint.h>

#include "common/err.h"

#define TALLY_READINGS (1 << 19)

struct tally;
struct tally *tally_new(void); /* NULL without memory */
void tally_free(struct tally *tally);

/* key names the reading (series, time, issue), value is a hash of what it says; keys are taken to be distinct. 0 new, 1 said
 * before, 2 said before with another value. */
enum tally_found { TALLY_NEW, TALLY_SAME, TALLY_OTHER };
enum tally_found tally_meet(struct tally *tally, uint64_t key, uint64_t value);

#endif

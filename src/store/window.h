/* Windows: the days, weeks or months into which a partition's time is cut, and the names of their files. */
#ifndef STORE_WINDOW_H
#define STORE_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "store/writer.h"

struct window {
    int64_t begin_us, end_us;
};

/* From since_us on windows have this length (WINDOW_DAY, _WEEK or _MONTH). */
struct window_rule {
    int64_t since_us;
    enum window_length length;
};

/* The window that holds t_us: rules are ordered by since_us, and the first one holds for all earlier times, too. UTC; weeks
 * begin on Monday. A window ends where the next rule begins. */
struct window window_at(const struct window_rule *rules, size_t n_rules, int64_t t_us);

const char *window_length_name(enum window_length length); /* "day" "week" "month" */
MUST_CHECK int window_length_parse(const char *text, enum window_length *ret_length);

/* The length that suits readings at this distance: about 100,000 readings of a series in a window at most. */
enum window_length window_length_for(int64_t cadence_us);

enum file_kind { FILE_OPEN, FILE_RAW, FILE_TIER };
extern const char *const file_kind_name[3]; /* "open" "raw" "tier" */

/* "2025-03-01.open.g1.db", "2025-W09.raw.g2.db", "2025-03.tier.g2.db": by the rule's length of the window's begin. */
#define FILE_NAME_MAX 64
void file_name(char out[static FILE_NAME_MAX], enum window_length length, int64_t begin_us, enum file_kind kind,
               int64_t generation);
/* The rule's length at a time. */
enum window_length window_length_at(const struct window_rule *rules, size_t n_rules, int64_t t_us);

#endif

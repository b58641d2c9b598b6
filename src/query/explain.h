/* What the buckets of a series were made of (explain=1): a second pass over the readings, beside the one that computes. Private
 * to query. */
#ifndef QUERY_EXPLAIN_H
#define QUERY_EXPLAIN_H

#include <stdint.h>

#include "query/feed.h"
#include "query/range.h"

struct explainer;

/* feed is that of the answer; where readings of its time have expired, cells tell what they know. view must outlive it. */
MUST_CHECK int explainer_open(struct view *view, const struct feed_options *feed, struct explainer **ret_explainer);
void explainer_close(struct explainer *explainer);

/* Counts what lies in [begin_us, end_us), no earlier than the buckets asked for before: fills in what explained says of
 * readings. */
MUST_CHECK int explainer_take(struct explainer *explainer, int64_t begin_us, int64_t end_us, struct explained *explained);

#endif

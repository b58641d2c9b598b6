/* Counters, gauges and histograms of the process, printed in the Prometheus text format (version
 * 0.0.4). A metric is a static struct in the module that counts, registered at first use; counting
 * is lock-free. */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
    const char *name; /* almanac_readings_total */
    const char *help;
    /* As it is printed: `reason="json"`, or NULL; metrics of one name with different labels are one
     * family, whose first label in the order of bytes gives HELP and TYPE. A value from outside has
     * no place here. */
    const char *labels;
    enum metric_type type;
    _Atomic int64_t value;
    _Atomic int registered;
    struct metric *next;
};

/* Thread-safe; the struct lives as long as the process. A first add of 0 makes a counter visible
 * before it counts. */
void metric_add(struct metric *metric, int64_t n);
void metric_set(struct metric *metric, int64_t value);

/* A histogram of durations with fixed bounds from 100 us to 100 s, one decade in 1-2-5 steps. */
#define HISTOGRAM_N_BUCKETS 19
struct histogram {
    const char *name; /* almanac_request_seconds */
    const char *help;
    const char *labels;
    _Atomic int64_t buckets[HISTOGRAM_N_BUCKETS + 1];
    _Atomic int64_t sum_us;
    _Atomic int registered;
    struct histogram *next;
};
void histogram_observe_us(struct histogram *histogram, int64_t us);

/* Appends every registered metric by name and labels, families together, each with HELP and TYPE
 * once. */
void metrics_print(struct buf *out);

#endif

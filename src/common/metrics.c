#include <config.h>

#include "common/metrics.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Each list only grows at its head and a registered node never changes its next: readers need no
 * lock. */
static struct metric *_Atomic metrics;
static struct histogram *_Atomic histograms;

static const struct {
    int64_t us;
    const char *seconds; /* as text, since a double would print 0.0001 as it likes */
} bounds[HISTOGRAM_N_BUCKETS] = {
    {100, "0.0001"},  {200, "0.0002"},  {500, "0.0005"},  {1000, "0.001"},    {2000, "0.002"},
    {5000, "0.005"},  {10000, "0.01"},  {20000, "0.02"},  {50000, "0.05"},    {100000, "0.1"},
    {200000, "0.2"},  {500000, "0.5"},  {1000000, "1"},   {2000000, "2"},     {5000000, "5"},
    {10000000, "10"}, {20000000, "20"}, {50000000, "50"}, {100000000, "100"},
};

/* True for the one caller that is to push it on its list. */
static bool claim(_Atomic int *registered)
{
    int no = 0;
    return !atomic_load_explicit(registered, memory_order_relaxed) &&
           atomic_compare_exchange_strong(registered, &no, 1);
}

static void register_metric(struct metric *metric)
{
    if (!claim(&metric->registered))
        return;
    metric->next = atomic_load(&metrics);
    while (!atomic_compare_exchange_weak(&metrics, &metric->next, metric))
        ;
}

static void register_histogram(struct histogram *histogram)
{
    if (!claim(&histogram->registered))
        return;
    histogram->next = atomic_load(&histograms);
    while (!atomic_compare_exchange_weak(&histograms, &histogram->next, histogram))
        ;
}

void metric_add(struct metric *metric, int64_t n)
{
    register_metric(metric);
    atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    register_metric(metric);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void histogram_observe_us(struct histogram *histogram, int64_t us)
{
    register_histogram(histogram);
    int i = 0;
    while (i < HISTOGRAM_N_BUCKETS && us > bounds[i].us)
        i++;
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_us, us, memory_order_relaxed);
}

/* One of the two, for sorting metrics and histograms into one text. */
struct entry {
    const char *name, *help, *labels;
    const struct metric *metric;
    const struct histogram *histogram;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    int rc = strcmp(left->name, right->name);
    return rc ? rc : strcmp(left->labels, right->labels);
}

/* HELP takes a whole line: the two characters that would break it are escaped. */
static void put_help(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            buf_puts(out, "\\\\");
        else if (*text == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *text);
    }
}

static void print_head(struct buf *out, const struct entry *entry)
{
    const char *type = entry->histogram                      ? "histogram"
                       : entry->metric->type == METRIC_GAUGE ? "gauge"
                                                             : "counter";
    buf_printf(out, "# HELP %s ", entry->name);
    put_help(out, entry->help);
    buf_printf(out, "\n# TYPE %s %s\n", entry->name, type);
}

static void print_metric(struct buf *out, const struct entry *entry)
{
    bool labelled = *entry->labels;
    buf_printf(out, "%s%s%s%s %lld\n", entry->name, labelled ? "{" : "", entry->labels,
               labelled ? "}" : "",
               (long long)atomic_load_explicit(&entry->metric->value, memory_order_relaxed));
}

/* The count is the sum of the buckets as they were read, so that a text never contradicts itself.
 */
static void print_histogram(struct buf *out, const struct entry *entry)
{
    const struct histogram *histogram = entry->histogram;
    bool labelled = *entry->labels;
    long long count = 0;
    for (int i = 0; i <= HISTOGRAM_N_BUCKETS; i++) {
        count += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %lld\n", entry->name, entry->labels,
                   labelled ? "," : "", i < HISTOGRAM_N_BUCKETS ? bounds[i].seconds : "+Inf",
                   count);
    }
    int64_t sum_us = atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
    const char *open = labelled ? "{" : "", *close = labelled ? "}" : "";
    uint64_t magnitude_us = sum_us < 0 ? 0 - (uint64_t)sum_us : (uint64_t)sum_us;
    buf_printf(out, "%s_sum%s%s%s %s%llu.%06llu\n", entry->name, open, entry->labels, close,
               sum_us < 0 ? "-" : "", (unsigned long long)magnitude_us / 1000000,
               (unsigned long long)magnitude_us % 1000000);
    buf_printf(out, "%s_count%s%s%s %lld\n", entry->name, open, entry->labels, close, count);
}

static void print_sorted(struct buf *out, struct entry *entries, size_t n)
{
    qsort(entries, n, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(entries[i].name, entries[i - 1].name) != 0)
            print_head(out, &entries[i]);
        if (entries[i].histogram)
            print_histogram(out, &entries[i]);
        else
            print_metric(out, &entries[i]);
    }
}

void metrics_print(struct buf *out)
{
    const struct metric *first_metric = atomic_load(&metrics);
    const struct histogram *first_histogram = atomic_load(&histograms);
    size_t n = 0;
    for (const struct metric *m = first_metric; m; m = m->next)
        n++;
    for (const struct histogram *h = first_histogram; h; h = h->next)
        n++;
    if (n == 0)
        return;
    struct entry *entries = calloc(n, sizeof(*entries));
    if (!entries) {
        out->failed = true;
        return;
    }
    struct entry *entry = entries;
    for (const struct metric *m = first_metric; m; m = m->next)
        *entry++ = (struct entry){m->name, m->help, m->labels ? m->labels : "", m, NULL};
    for (const struct histogram *h = first_histogram; h; h = h->next)
        *entry++ = (struct entry){h->name, h->help, h->labels ? h->labels : "", NULL, h};
    print_sorted(out, entries, n);
    free(entries);
}

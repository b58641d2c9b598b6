#include <config.h>

#include "app/import_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/civil.h"

#define SHOWN_MAX 20

static const char *reason_name(enum refusal_reason reason)
{
    return reason == REFUSED_NOT ? "format" : refusal_name(reason);
}

int import_report_begin(struct import_report *report, bool json, struct err_text *error)
{
    *report = (struct import_report){.json = json, .refusals = json ? tmpfile() : NULL};
    return json && !report->refusals ? err_set(error, ERR_IO, "cannot make a temporary file for the refusals") : 0;
}

void import_report_done(struct import_report *report)
{
    if (report->refusals)
        fclose(report->refusals);
    report->refusals = NULL;
}

int import_report_refusal(struct import_report *report, const char *file, const struct misfit *misfit)
{
    report->n_by_reason[misfit->reason]++;
    if (report->n++ >= SHOWN_MAX && !report->json)
        return 0;
    if (!report->json) {
        fprintf(stderr, "%s:%" PRId64 ": %s: %s\n", file, misfit->line, reason_name(misfit->reason), misfit->detail);
        return 0;
    }
    json_t *row = json_pack("{s:s, s:I, s:s, s:s}", "file", file, "line", (json_int_t)misfit->line, "reason",
                            reason_name(misfit->reason), "detail", misfit->detail);
    bool good = row && fputs(report->n > 1 ? "," : "", report->refusals) >= 0 &&
                json_dumpf(row, report->refusals, JSON_COMPACT) == 0;
    json_decref(row);
    return good ? 0 : ERR_IO;
}

static void print_time(int64_t t_us, char out[static CIVIL_TEXT_MAX + 1])
{
    out[civil_print_rfc3339(out, t_us, 0, true)] = '\0';
}

/* ---- JSON ---- */

static int copy_refusals(struct import_report *report)
{
    char part[4096];
    size_t n;
    rewind(report->refusals);
    while ((n = fread(part, 1, sizeof part, report->refusals)) > 0)
        fwrite(part, 1, n, stdout);
    return ferror(report->refusals) ? ERR_IO : 0;
}

static int print_json(struct import_report *report, const struct intake_counts *counts, const char *const *entities, size_t n)
{
    char from[CIVIL_TEXT_MAX + 1], to[CIVIL_TEXT_MAX + 1];
    printf("{\"rows\":%" PRId64 ",\"readings\":%" PRId64 ",\"repeated\":%" PRId64 ",\"replaced\":%" PRId64
           ",\"refused\":%" PRId64 ",\"messages\":%" PRId64 ",\"refusals\":[",
           counts->rows, counts->readings, counts->repeated, counts->replaced, counts->refused, counts->n_messages);
    int code = copy_refusals(report);
    printf("],\"entities\":[");
    for (size_t i = 0; i < n; i++) /* an entity has no byte that JSON escapes */
        printf("%s\"%s\"", i ? "," : "", entities[i]);
    if (counts->readings) {
        print_time(counts->from_us, from);
        print_time(counts->to_us, to);
        printf("],\"from\":\"%s\",\"to\":\"%s\"}\n", from, to);
    } else {
        printf("],\"from\":null,\"to\":null}\n");
    }
    return code;
}

/* ---- for people ---- */

static void print_refused(const struct import_report *report, int64_t refused)
{
    const char *before = " (";
    printf("refused   %" PRId64, refused);
    for (unsigned i = 0; i < REFUSED_N; i++)
        if (report->n_by_reason[i]) {
            printf("%s%" PRId64 " %s", before, report->n_by_reason[i], reason_name((enum refusal_reason)i));
            before = ", ";
        }
    printf("%s\n", refused ? ")" : "");
    if (report->n > SHOWN_MAX)
        fprintf(stderr, "%" PRId64 " more are refused; --json lists all of them\n", report->n - SHOWN_MAX);
}

static void print_text(const struct import_report *report, const struct intake_counts *counts, const char *const *entities,
                       size_t n)
{
    char from[CIVIL_TEXT_MAX + 1], to[CIVIL_TEXT_MAX + 1];
    printf("rows      %" PRId64 "\nreadings  %" PRId64, counts->rows, counts->readings);
    if (counts->repeated)
        printf(" (%" PRId64 " for a time that was there before, %" PRId64 " of them with another value)", counts->repeated,
               counts->replaced);
    printf("\n");
    print_refused(report, counts->refused);
    printf("entities  %zu%s", n, n ? ": " : "");
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++)
        printf("%s%s", i ? ", " : "", entities[i]);
    printf("%s\n", n > SHOWN_MAX ? ", ..." : "");
    if (counts->readings) {
        print_time(counts->from_us, from);
        print_time(counts->to_us, to);
        printf("from      %s\nto        %s\n", from, to);
    }
}

int import_report_print(struct import_report *report, const struct intake *intake, const char *topic, int64_t n_before)
{
    const struct intake_counts *counts = intake_counts(intake);
    const char **entities = NULL;
    size_t n = 0;
    int code = intake_entities(intake, &entities, &n);
    if (code == 0 && report->json)
        code = print_json(report, counts, entities, n);
    else if (code == 0)
        print_text(report, counts, entities, n);
    free(entities);
    if (code == 0 && topic)
        fprintf(stderr, "%" PRId64 " messages lie in topic \"%s\"", counts->n_messages, topic);
    if (code == 0 && topic && n_before)
        fprintf(stderr, ", %" PRId64 " of them from the run before", n_before);
    if (code == 0)
        fprintf(stderr, topic ? "\n" : "Nothing was sent.\n");
    return code;
}

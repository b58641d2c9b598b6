/* What the fuzzers of importers share: a file of any bytes, read in parts of any size; what is handed over must be within the
 * bounds that the intake counts on, and must not depend on the parts. */
#ifndef TESTS_FUZZ_FUZZ_IMPORT_H
#define TESTS_FUZZ_FUZZ_IMPORT_H

#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "importers/importer.h"
#include "importers/intake.h"
#include "models.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_import {
    const uint8_t *data;
    size_t size, at, part;
    struct intake *intake;
    uint64_t sum; /* over all that was handed over */
};

static void fuzz_check(bool holds)
{
    if (!holds)
        abort();
}

static int fuzz_read(void *arg, void *out, size_t size, size_t *ret_n, struct err_text *error)
{
    struct fuzz_import *fuzz = arg;
    size_t left = fuzz->size - fuzz->at, n = size < left ? size : left;
    (void)error;
    n = n < fuzz->part ? n : fuzz->part;
    if (n)
        memcpy(out, fuzz->data + fuzz->at, n);
    fuzz->at += n;
    *ret_n = n;
    return 0;
}

static int fuzz_rewind(void *arg, struct err_text *error)
{
    (void)error;
    ((struct fuzz_import *)arg)->at = 0;
    return 0;
}

static int fuzz_row(void *arg)
{
    return intake_row(((struct fuzz_import *)arg)->intake);
}

static int fuzz_value(void *arg, const struct observation *observation)
{
    struct fuzz_import *fuzz = arg;
    fuzz_check(observation->quality < QUALITY_N && observation->line > 0);
    fuzz->sum = hash_short(fuzz->sum, observation->value, strlen(observation->value)) + (uint64_t)observation->time_us;
    return intake_value(fuzz->intake, observation);
}

static int fuzz_misfit(void *arg, const struct misfit *misfit)
{
    struct fuzz_import *fuzz = arg;
    fuzz_check(misfit->reason < REFUSED_N && misfit->line >= 0 && memchr(misfit->detail, '\0', sizeof misfit->detail));
    fuzz->sum = hash_short(fuzz->sum, misfit->detail, strlen(misfit->detail));
    return intake_misfit(fuzz->intake, misfit);
}

static int fuzz_message(void *arg, int64_t i, const char *entity, const void *json, size_t size)
{
    (void)arg;
    (void)json;
    fuzz_check(i >= 0 && *entity && size <= LIMIT_MESSAGE_BYTES);
    return 0;
}

static int fuzz_refused(void *arg, const struct misfit *misfit)
{
    (void)arg;
    (void)misfit;
    return 0;
}

static uint64_t fuzz_run(const struct importer *importer, const struct import_opts *opts, const uint8_t *data, size_t size,
                         size_t part)
{
    static struct registry *registry; /* both are dear to make */
    static struct intake *intake;
    struct fuzz_import fuzz = {.data = data, .size = size, .part = part};
    if (registry && registry_n_series(registry) > 10000) {
        intake_free(intake);
        registry_free(registry);
        registry = NULL;
    }
    bool made = registry != NULL;
    registry = made ? registry : models_registry();
    const struct intake_opts opts_of_intake = {.registry = registry, .now_ms = 1740873600000, .future_max_us = 3600000000,
                                       .oldest_us = INT64_MIN, .available_us = -1, .message = fuzz_message,
                                       .misfit = fuzz_refused};
    fuzz_check(made || (hash_init() == 0 && intake_new(&opts_of_intake, &intake) == 0));
    fuzz.intake = intake;
    const struct importing importing = {.opts = opts, .source = "file", .read = fuzz_read, .rewind = fuzz_rewind,
                                        .row = fuzz_row, .value = fuzz_value, .misfit = fuzz_misfit, .arg = &fuzz};
    struct err_text error = {0};
    int code = importer->run(&importing, &error);
    fuzz_check(code == 0 || code == ERR_INVALID || code == ERR_CORRUPT || code == ERR_LIMIT);
    fuzz_check(intake_flush(fuzz.intake) == 0);
    return fuzz.sum + (uint64_t)code;
}

static int fuzz_both(const struct importer *importer, const struct import_opts *opts, const uint8_t *data, size_t size)
{
    size_t part = size ? 1 + data[0] % 13 : 1;
    fuzz_check(fuzz_run(importer, opts, data, size, 65536) == fuzz_run(importer, opts, data, size, part));
    return 0;
}

#endif

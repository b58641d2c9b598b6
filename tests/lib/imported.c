#include <config.h>

#include "tests/lib/imported.h"

#include <inttypes.h>
#include <string.h>

#include "common/civil.h"

static int read_text(void *arg, void *out, size_t size, size_t *ret_n, struct err_text *error)
{
    struct imported *imported = arg;
    size_t left = imported->size - imported->at, n = size < left ? size : left;
    (void)error;
    if (imported->part && n > imported->part)
        n = imported->part;
    if (n)
        memcpy(out, imported->text + imported->at, n);
    imported->at += n;
    *ret_n = n;
    return 0;
}

static int rewind_text(void *arg, struct err_text *error)
{
    (void)error;
    ((struct imported *)arg)->at = 0;
    return 0;
}

static int count_row(void *arg)
{
    ((struct imported *)arg)->n_rows++;
    return 0;
}

static int print_value(void *arg, const struct observation *observation)
{
    struct imported *imported = arg;
    char time[CIVIL_TEXT_MAX];
    size_t n = civil_print_rfc3339(time, observation->time_us, 0, true);
    imported->n_values++;
    buf_printf(&imported->values, "%s %s %s %.*s %" PRId64 " %s %s %s @%" PRId64 "\n", observation->entity, observation->type,
               observation->property, (int)n, time, observation->period_us / US_PER_SECOND, observation->value,
               observation->unit, quality_name(observation->quality), observation->line);
    return imported->values.failed ? ERR_NOMEM : 0;
}

static int print_misfit(void *arg, const struct misfit *misfit)
{
    struct imported *imported = arg;
    imported->n_misfits++;
    buf_printf(&imported->misfits, "%" PRId64 " %s %s\n", misfit->line,
               misfit->reason == REFUSED_NOT ? "format" : refusal_name(misfit->reason), misfit->detail);
    return imported->misfits.failed ? ERR_NOMEM : 0;
}

int imported_run(struct imported *imported, const struct importer *importer, const void *text, size_t size)
{
    const struct importing importing = {.opts = &imported->opts, .source = "file", .read = read_text, .rewind = rewind_text,
                                        .row = count_row, .value = print_value, .misfit = print_misfit, .arg = imported};
    buf_clear(&imported->values);
    buf_clear(&imported->misfits);
    imported->n_rows = imported->n_values = imported->n_misfits = 0;
    imported->text = text;
    imported->size = size;
    imported->at = 0;
    imported->error = (struct err_text){.text = ""};
    imported->code = importer->run(&importing, &imported->error);
    buf_putc(&imported->values, '\0');
    buf_putc(&imported->misfits, '\0');
    return imported->code;
}

const char *imported_values(const struct imported *imported)
{
    return (const char *)imported->values.data;
}

const char *imported_misfits(const struct imported *imported)
{
    return (const char *)imported->misfits.data;
}

void imported_done(struct imported *imported)
{
    buf_free(&imported->values);
    buf_free(&imported->misfits);
}

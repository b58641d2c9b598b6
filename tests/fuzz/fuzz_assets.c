/* Documents from any bytes: refused in words, or whole, with names of the right grammar and with what they refer to. A
 * calendar that was accepted can be expanded, twice to the same. */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "normalise/assets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

struct years {
    size_t n_bytes, n;
    uint64_t sum;
};

static int note_year(void *arg, const char *entity, const void *value, size_t size)
{
    struct years *years = arg;
    demand(entity_is_name(entity, strlen(entity)));
    years->n_bytes += size;
    years->sum = hash_short(years->sum, value, size);
    years->n++;
    return 0;
}

static void expand(struct asset_checker *checker, const struct documents *documents, const struct document *row)
{
    char *text = strndup((const char *)documents->bytes.data + row->text_at, row->text_size);
    struct calendar_due due = {row->id, text, 1740787200000};
    struct years first = {0}, second = {0};
    demand(assets_calendar(checker, &due, note_year, &first) == 0);
    demand(assets_calendar(checker, &due, note_year, &second) == 0);
    demand(first.n > 0 && first.n <= CALENDAR_YEARS_MAX && !memcmp(&first, &second, sizeof(first)));
    free(text);
}

static void look_at(const struct documents *documents, const struct document *row)
{
    demand(row->kind > ASSET_NONE && row->kind < ASSET_N && *row->id && strlen(row->id) < sizeof(row->id));
    demand(row->text_at + row->text_size <= documents->bytes.n && documents->bytes.data[row->text_at] == '{');
    demand(row->references_at + row->n_references <= documents->n_references);
    demand(!row->parent_kind == !*row->parent && (!*row->entity || entity_is_name(row->entity, strlen(row->entity))));
    demand(row->declaration.cadence_us >= 0 && row->declaration.max_gap_us >= 0 && row->declaration.epsilon.m >= 0 &&
           row->declaration.register_size.m >= 0);
    for (size_t i = 0; i < row->n_references; i++)
        demand(*documents->references[row->references_at + i].id != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct asset_checker *checker;
    static struct documents documents;
    struct document_message message = {.topic = "assets", .value = data, .size = size};
    if (!checker)
        demand(hash_init() == 0 && (checker = asset_checker_new()) != NULL);
    documents_clear(&documents);
    demand(assets_check(checker, &message, &documents) == 0);
    for (size_t i = 0; i < documents.n_refusals; i++)
        demand(*documents.refusals[i].detail && documents.refusals[i].at <= size);
    size_t n_calendars = 0;
    for (size_t i = 0; i < documents.n; i++)
        look_at(&documents, &documents.rows[i]);
    for (size_t i = 0; i < documents.n; i++)
        if (documents.rows[i].kind == ASSET_CALENDAR && n_calendars++ < 2)
            expand(checker, &documents, &documents.rows[i]);
    documents_clear(&documents);
    demand(assets_check_output(checker, &message, &documents) == 0);
    demand(documents.n_outputs + documents.n_refusals == 1);
    return 0;
}

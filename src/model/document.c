#include <config.h>

#include "model/document.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"

static const char *const names[ASSET_N] = {
    [ASSET_NONE] = "", [ASSET_CUSTOMER] = "Customer", [ASSET_LOCATION] = "Location",
    [ASSET_BOARD] = "MainDistributionBoard", [ASSET_SENSOR] = "Sensor", [ASSET_RATE] = "Rate", [ASSET_SERIES] = "Series",
    [ASSET_METER_CHANGE] = "MeterChange", [ASSET_CALENDAR] = "Calendar",
};

const char *asset_kind_name(enum asset_kind kind)
{
    return names[kind];
}

int asset_kind_parse(const char *text, size_t size, enum asset_kind *ret_kind)
{
    for (int kind = ASSET_NONE + 1; kind < ASSET_N; kind++) {
        if (strlen(names[kind]) == size && memcmp(names[kind], text, size) == 0) {
            *ret_kind = (enum asset_kind)kind;
            return 0;
        }
    }
    return ERR_INVALID;
}

void documents_free(struct documents *documents)
{
    free(documents->rows);
    free(documents->references);
    free(documents->refusals);
    free(documents->outputs);
    free(documents->marks);
    buf_free(&documents->bytes);
    *documents = (struct documents){0};
}

void documents_clear(struct documents *documents)
{
    documents->n = documents->n_references = documents->n_refusals = documents->n_outputs = documents->n_marks = 0;
    documents->at_end = false;
    buf_clear(&documents->bytes);
}

struct document *documents_add(struct documents *documents)
{
    if (array_grow(&documents->rows, &documents->cap, documents->n + 1, sizeof(*documents->rows)))
        return NULL;
    struct document *row = &documents->rows[documents->n++];
    *row = (struct document){.declaration = {.step = STEP_UNDECLARED}, .references_at = documents->n_references};
    return row;
}

int documents_mark(struct documents *documents, const struct document_mark *mark)
{
    size_t i = 0;
    while (i < documents->n_marks && (documents->marks[i].partition != mark->partition ||
                                      strcmp(documents->marks[i].topic, mark->topic) != 0))
        i++;
    if (array_grow(&documents->marks, &documents->marks_cap, i + 1, sizeof(*documents->marks)))
        return ERR_NOMEM;
    documents->marks[i] = *mark;
    documents->n_marks += i == documents->n_marks;
    return 0;
}

int documents_refuse(struct documents *documents, const struct document_refusal *refusal)
{
    if (array_grow(&documents->refusals, &documents->refusals_cap, documents->n_refusals + 1, sizeof(*documents->refusals)))
        return ERR_NOMEM;
    documents->refusals[documents->n_refusals++] = *refusal;
    return 0;
}

int documents_add_output(struct documents *documents, const struct document_place *place, size_t text_at)
{
    if (documents->bytes.failed || array_grow(&documents->outputs, &documents->outputs_cap, documents->n_outputs + 1,
                                              sizeof(*documents->outputs))) {
        documents->bytes.n = text_at;
        documents->bytes.failed = false;
        return ERR_NOMEM;
    }
    documents->outputs[documents->n_outputs++] = (struct document_output){*place, text_at, documents->bytes.n - text_at};
    return 0;
}

#include <config.h>

#include "store/memo.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 8192 /* a power of two; series whose ids end alike take turns */

struct row {
    struct series_info info;
    char texts[];
};

struct sources {
    uint32_t series_id;
    enum kind kind;
    size_t n;
    int64_t at[];
};

struct memo {
    struct row *rows[SLOTS];
    struct sources *sources[SLOTS];
};

static size_t slot_of(uint32_t series_id)
{
    return series_id & (SLOTS - 1);
}

struct memo *memo_new(void)
{
    return calloc(1, sizeof(struct memo));
}

void memo_clear(struct memo *memo)
{
    for (size_t i = 0; i < SLOTS; i++) {
        free(memo->rows[i]);
        free(memo->sources[i]);
    }
    *memo = (struct memo){0};
}

void memo_free(struct memo *memo)
{
    if (memo)
        memo_clear(memo);
    free(memo);
}

bool memo_row(const struct memo *memo, uint32_t series_id, struct series_info *ret_row)
{
    const struct row *row = memo->rows[slot_of(series_id)];
    if (!row || row->info.id != series_id)
        return false;
    *ret_row = row->info;
    return true;
}

void memo_keep_row(struct memo *memo, const struct series_info *info)
{
    const char *const texts[] = {info->entity, info->type, info->property, info->unit};
    const char *copies[4];
    struct row **slot = &memo->rows[slot_of(info->id)];
    size_t size = 0;
    if (*slot && (*slot)->info.id == info->id)
        return;
    for (int i = 0; i < 4; i++)
        size += strlen(texts[i]) + 1;
    struct row *row = malloc(sizeof(*row) + size);
    if (!row)
        return;
    char *at = row->texts;
    for (int i = 0; i < 4; i++) {
        copies[i] = at;
        at = mempcpy(at, texts[i], strlen(texts[i]) + 1);
    }
    row->info = *info;
    row->info.entity = copies[0];
    row->info.type = copies[1];
    row->info.property = copies[2];
    row->info.unit = copies[3];
    row->info.declared = NULL;
    free(*slot);
    *slot = row;
}

bool memo_places(const struct memo *memo, uint32_t series_id, struct memo_places *ret_places)
{
    const struct sources *sources = memo->sources[slot_of(series_id)];
    if (!sources || sources->series_id != series_id)
        return false;
    *ret_places = (struct memo_places){sources->kind, sources->at, sources->n};
    return true;
}

void memo_keep_places(struct memo *memo, uint32_t series_id, const struct memo_places *places)
{
    struct sources *sources = malloc(sizeof(*sources) + places->n * sizeof(*places->sources));
    struct sources **slot = &memo->sources[slot_of(series_id)];
    if (!sources)
        return;
    *sources = (struct sources){series_id, places->kind, places->n};
    if (places->n)
        memcpy(sources->at, places->sources, places->n * sizeof(*places->sources));
    free(*slot);
    *slot = sources;
}

#include <config.h>

#include "importers/tally.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS (2 * TALLY_READINGS) /* half full at the most */

/* Two generations: where the younger is full, the older one is forgotten. A key of 0 is an empty slot. */
struct entry {
    uint64_t key, value;
};

struct tally {
    struct entry *young, *old;
    size_t n; /* in young */
};

struct tally *tally_new(void)
{
    struct tally *tally = calloc(1, sizeof *tally);
    if (!tally)
        return NULL;
    tally->young = calloc(SLOTS, sizeof *tally->young);
    tally->old = calloc(SLOTS, sizeof *tally->old);
    if (!tally->young || !tally->old) {
        tally_free(tally);
        return NULL;
    }
    return tally;
}

void tally_free(struct tally *tally)
{
    if (!tally)
        return;
    free(tally->young);
    free(tally->old);
    free(tally);
}

/* Where the key is, or would be put. */
static struct entry *find(struct entry *entries, uint64_t key)
{
    size_t i = key & (SLOTS - 1);
    while (entries[i].key != 0 && entries[i].key != key)
        i = (i + 1) & (SLOTS - 1);
    return &entries[i];
}

enum tally_found tally_meet(struct tally *tally, uint64_t key, uint64_t value)
{
    key = key ? key : 1;
    struct entry *young = find(tally->young, key), *met = young;
    if (!met->key)
        met = find(tally->old, key);
    enum tally_found found = !met->key ? TALLY_NEW : met->value == value ? TALLY_SAME : TALLY_OTHER;
    if (young->key) {
        young->value = value;
        return found;
    }
    if (tally->n == TALLY_READINGS) {
        struct entry *full = tally->young;
        tally->young = tally->old;
        tally->old = full;
        memset(tally->young, 0, SLOTS * sizeof *tally->young);
        tally->n = 0;
        young = find(tally->young, key);
    }
    *young = (struct entry){key, value};
    tally->n++;
    return found;
}

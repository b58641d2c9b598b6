#include <config.h>

#include "normalise/names.h"

#include <stdlib.h>
#include <string.h>

#include "common/mix.h"

#define FEW 8 /* so many members are compared one by one */

void names_done(struct names *names)
{
    free(names->slots);
    *names = (struct names){0};
}

static bool is_name(const struct scanner *scanner, uint32_t token, const char *text, size_t size)
{
    const struct token *name = &scanner->tokens[token];
    return name->size == size && memcmp(token_text(scanner, name), text, size) == 0;
}

/* The name token among the members from `from` on, before `end`; 0 when there is none. */
static uint32_t find_among(const struct scanner *scanner, uint32_t from, uint32_t end, const char *text, size_t size)
{
    for (uint32_t i = from; i < end; i = scanner->tokens[i + 1].next)
        if (is_name(scanner, i, text, size))
            return i;
    return 0;
}

static int clear_slots(struct names *names, size_t n_members)
{
    size_t n_slots = 4 * FEW;
    while (n_slots < 2 * n_members)
        n_slots *= 2;
    if (n_slots > names->cap) {
        uint32_t *slots = malloc(n_slots * sizeof *slots);
        if (!slots)
            return ERR_NOMEM;
        free(names->slots);
        names->slots = slots;
        names->cap = n_slots;
    }
    names->n_slots = n_slots;
    memset(names->slots, 0, n_slots * sizeof *names->slots);
    return 0;
}

static uint32_t *find_slot(const struct names *names, const struct scanner *scanner, const char *text, size_t size)
{
    size_t slot = mix_hash(names->seed, text, size) & (names->n_slots - 1);
    while (names->slots[slot] && !is_name(scanner, names->slots[slot], text, size))
        slot = (slot + 1) & (names->n_slots - 1);
    return &names->slots[slot];
}

int names_index(struct names *names, const struct scanner *scanner, uint32_t object)
{
    const struct token *tokens = scanner->tokens;
    uint32_t end = tokens[object].next;
    bool few = tokens[object].n <= FEW;
    if (!few && clear_slots(names, tokens[object].n) < 0)
        return ERR_NOMEM;
    for (uint32_t i = object + 1; i < end; i = tokens[i + 1].next) {
        const char *text = token_text(scanner, &tokens[i]);
        if (few) {
            if (find_among(scanner, object + 1, i, text, tokens[i].size))
                return ERR_EXISTS;
        } else {
            uint32_t *slot = find_slot(names, scanner, text, tokens[i].size);
            if (*slot)
                return ERR_EXISTS;
            *slot = i;
        }
    }
    return 0;
}

uint32_t names_find(const struct names *names, const struct scanner *scanner, uint32_t object, const char *text,
                    size_t size)
{
    const struct token *token = &scanner->tokens[object];
    uint32_t name = token->n <= FEW ? find_among(scanner, object + 1, token->next, text, size)
                                    : *find_slot(names, scanner, text, size);
    return name ? name + 1 : 0;
}

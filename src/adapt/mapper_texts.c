#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "adapt/mapper_inside.h"
#include "common/limits.h"

/* Where the first n characters of a UTF-8 text end; a byte that is none counts as one. */
static size_t cut(const char *text, size_t size, uint32_t n)
{
    size_t at = 0;
    while (at < size && n-- > 0)
        for (at++; at < size && ((unsigned char)text[at] & 0xC0) == 0x80;)
            at++;
    return at;
}

/* A text that may not leave becomes its pseudonym, or is refused. */
static int put_pseudonym(struct mapper *mapper, const struct field *field, const struct cell *cell, enum refusal_reason reason,
                         struct buf *out)
{
    int rc = mapper_is_plain(cell->at, cell->size)
                 ? pseudonyms_put(mapper->opts.pseudonyms, mapping_domain(mapper->mapping), cell->at, cell->size, out)
                 : ERR_INVALID;
    if (rc == ERR_EXPIRED)
        return mapper_refuse(mapper, REFUSED_ERASED, "the identity in field \"%.60s\" is erased", field->name);
    if (rc == ERR_LIMIT)
        return mapper_refuse(mapper, REFUSED_LIMIT, "field \"%.60s\" is longer than %d bytes", field->name, PSEUDONYM_TEXT_MAX);
    if (rc == ERR_INVALID)
        return mapper_refuse(mapper, reason, "field \"%.60s\" is no UTF-8 text", field->name);
    return rc < 0 ? rc : 1;
}

/* 1, 0 where it was refused, or a code. */
static int put_text(struct mapper *mapper, int field, enum refusal_reason reason, struct buf *out)
{
    const struct field *rules = &mapper->mapping->fields[field];
    const struct cell *cell = &mapper->cells[field];
    if (cell->kind != CELL_TEXT || cell->size == 0) /* nothing has no pseudonym */
        return 1;
    if (rules->rule == RULE_SUBSTITUTE)
        return put_pseudonym(mapper, rules, cell, reason, out);
    buf_put(out, cell->at, rules->characters ? cut(cell->at, cell->size, rules->characters) : cell->size);
    return 1;
}

/* The length of the UTF-8 sequence that begins there; 0: none does. */
static size_t sequence(const unsigned char *text, size_t size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = text[0] < 0x80   ? 1
               : text[0] < 0xC2 ? 0
               : text[0] < 0xE0 ? 2
               : text[0] < 0xF0 ? 3
               : text[0] < 0xF5 ? 4
                                : 0;
    if (n < 2 || n > size)
        return n > size ? 0 : n;
    uint32_t point = text[0] & (0x7FU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3FU);
    }
    return point < least[n] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000) ? 0 : n;
}

bool mapper_is_plain(const char *text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t i = 0; i < size;) {
        size_t n = sequence(at + i, size - i);
        if (n == 0 || at[i] < 0x20 || at[i] == 0x7F)
            return false;
        i += n;
    }
    return true;
}

int mapper_entity(struct mapper *mapper, const struct phrase *phrase, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < phrase->n; i++) {
        const struct piece *piece = &phrase->pieces[i];
        size_t before = out->n;
        if (piece->field < 0) {
            buf_puts(out, piece->text);
            continue;
        }
        int rc = put_text(mapper, piece->field, REFUSED_ENTITY, out);
        if (rc != 1)
            return rc;
        if (out->n == before)
            return mapper_refuse(mapper, REFUSED_ENTITY, "field \"%.60s\", which names the entity, is empty",
                                 mapper->mapping->fields[piece->field].name);
    }
    if (!out->failed && !entity_is_name((const char *)out->data, out->n))
        return mapper_refuse(mapper, REFUSED_ENTITY, "no entity: 1 to %d of A-Z a-z 0-9 . _ : / -", LIMIT_ENTITY_BYTES);
    buf_putc(out, '\0');
    return out->failed ? ERR_NOMEM : 1;
}

static int compare_code(const void *key, const void *code)
{
    const struct cell *cell = key;
    const char *from = ((const struct code *)code)->from;
    size_t size = strlen(from), least = cell->size < size ? cell->size : size;
    int order = memcmp(cell->at, from, least);
    return order ? order : (cell->size > size) - (cell->size < size);
}

static int look_up(struct mapper *mapper, const struct choice *choice, enum refusal_reason reason,
                   const char **ret_text, int64_t *ret_number)
{
    struct cell cell = mapper->cells[choice->field];
    if (cell.kind != CELL_TEXT)
        cell = (struct cell){"", 0, CELL_TEXT};
    const struct code *code = bsearch(&cell, choice->codes, choice->n_codes, sizeof(*choice->codes), compare_code);
    if (!code && !choice->otherwise)
        return mapper_refuse(mapper, reason, "what field \"%.60s\" says is not among the codes",
                             mapper->mapping->fields[choice->field].name);
    *ret_text = code ? code->to : choice->otherwise;
    *ret_number = code ? code->number : choice->otherwise_number;
    return 1;
}

int mapper_choice(struct mapper *mapper, const struct choice *choice, enum refusal_reason reason, size_t bytes_max,
                  struct buf *out, const char **ret_text, int64_t *ret_number)
{
    if (choice->constant) {
        *ret_text = choice->constant;
        *ret_number = choice->number;
        return 1;
    }
    if (choice->coded)
        return look_up(mapper, choice, reason, ret_text, ret_number);
    buf_clear(out);
    int rc = put_text(mapper, choice->field, reason, out);
    if (rc != 1)
        return rc;
    const char *name = mapper->mapping->fields[choice->field].name;
    if (out->n == 0)
        return mapper_refuse(mapper, reason, "field \"%.60s\" is empty", name);
    if (out->n > bytes_max)
        return mapper_refuse(mapper, REFUSED_LIMIT, "field \"%.60s\" is longer than %zu bytes", name, bytes_max);
    if (!out->failed && !mapper_is_plain((const char *)out->data, out->n))
        return mapper_refuse(mapper, reason, "field \"%.60s\" is no UTF-8 text", name);
    buf_putc(out, '\0');
    if (out->failed)
        return ERR_NOMEM;
    *ret_text = (const char *)out->data;
    *ret_number = 0;
    return 1;
}

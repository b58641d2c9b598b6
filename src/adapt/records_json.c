/* JSON, one value after the other; records in it by pointers. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapt/mapper_inside.h"
#include "common/limits.h"

/* ---- pointers (RFC 6901) ---- */

/* The next part of a pointer, its escapes undone; *at moves behind it. 1, 0 at the end, ERR_LIMIT. */
static int next_part(const char **at, char out[static LIMIT_TOPIC_BYTES + 1], size_t *ret_size)
{
    const char *in = *at;
    size_t n = 0;
    if (*in != '/')
        return 0;
    for (in++; *in && *in != '/' && n < LIMIT_TOPIC_BYTES; in++) {
        if (in[0] == '~' && (in[1] == '0' || in[1] == '1'))
            out[n++] = *++in == '0' ? '~' : '/';
        else
            out[n++] = *in;
    }
    if (*in && *in != '/')
        return ERR_LIMIT;
    *at = in;
    *ret_size = n;
    return 1;
}

/* The element or member of that name; 0 none. */
static uint32_t child_of(const struct scanner *scanner, uint32_t token, const char *name, size_t size)
{
    const struct token *tokens = scanner->tokens;
    if (tokens[token].type == TOKEN_OBJECT) {
        for (uint32_t i = token + 1; i < tokens[token].next; i = tokens[i + 1].next)
            if (tokens[i].size == size && memcmp(token_text(scanner, &tokens[i]), name, size) == 0)
                return i + 1;
        return 0;
    }
    uint32_t index = 0, at = token + 1;
    if (tokens[token].type != TOKEN_ARRAY || size == 0 || size > 6 || (size > 1 && name[0] == '0'))
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        index = index * 10 + (uint32_t)(name[i] - '0');
    }
    for (; at < tokens[token].next && index > 0; index--)
        at = tokens[at].next;
    return at < tokens[token].next ? at : 0;
}

/* The token that a pointer leads to from another; 0 none. from: the token, which is 0 for the document. */
static uint32_t follow(const struct scanner *scanner, uint32_t from, const char *pointer, bool *ret_found)
{
    char part[LIMIT_TOPIC_BYTES + 1];
    size_t size;
    int rc;
    *ret_found = true;
    while (*ret_found && (rc = next_part(&pointer, part, &size)) == 1) {
        uint32_t child = child_of(scanner, from, part, size);
        *ret_found = child != 0;
        from = child;
    }
    *ret_found = *ret_found && !*pointer;
    return from;
}

/* ---- records ---- */

static struct cell cell_of(const struct scanner *scanner, uint32_t token)
{
    const struct token *at = &scanner->tokens[token];
    if (at->type == TOKEN_NULL)
        return (struct cell){0};
    return (struct cell){token_text(scanner, at), at->size, at->type >= TOKEN_ARRAY ? CELL_MANY : CELL_TEXT};
}

/* Finds the fields of a record. */
static void find_fields(struct mapper *mapper, uint32_t record)
{
    const struct mapping *mapping = mapper->mapping;
    struct json_reader *reader = &mapper->json;
    for (size_t i = 0; i < mapping->n_fields; i++) {
        const char *name = mapping->fields[i].name;
        bool of_document = name[0] == '#', found;
        reader->tokens[i] = 0;
        if (name[0] == '@' || !mapping->fields[i].used)
            continue;
        mapper->cells[i] = (struct cell){0};
        if (strcmp(name, "*") == 0) {
            mapper->cells[i] = (struct cell){reader->star, reader->star_size, reader->star ? CELL_TEXT : CELL_ABSENT};
            continue;
        }
        uint32_t token = follow(&reader->scanner, of_document ? 0 : record, name + of_document, &found);
        if (!found)
            continue;
        reader->tokens[i] = token;
        mapper->cells[i] = cell_of(&reader->scanner, token);
    }
}

/* A record whose time is an array: other fields that are arrays go with it, element by element. */
static int take_columns(struct mapper *mapper, int time_field)
{
    const struct mapping *mapping = mapper->mapping;
    struct json_reader *reader = &mapper->json;
    const struct token *tokens = reader->scanner.tokens;
    uint32_t n = tokens[reader->tokens[time_field]].n;
    int rc = 0;
    for (size_t i = 0; i < mapping->n_fields && rc == 0; i++) {
        uint32_t token = reader->tokens[i];
        if (mapper->cells[i].kind != CELL_MANY || tokens[token].type != TOKEN_ARRAY) {
            reader->tokens[i] = 0;
        } else if (tokens[token].n != n) {
            reader->tokens[i] = 0;
            mapper->cells[i] = (struct cell){0};
            rc = mapper_refuse(mapper, REFUSED_LENGTH, "field \"%.60s\" is not as long as the time",
                               mapping->fields[i].name);
        } else {
            reader->tokens[i] = token + 1;
        }
    }
    for (uint32_t at = 0; at < n && rc == 0; at++) {
        for (size_t i = 0; i < mapping->n_fields; i++) {
            if (reader->tokens[i] == 0)
                continue;
            mapper->cells[i] = cell_of(&reader->scanner, reader->tokens[i]);
            reader->tokens[i] = tokens[reader->tokens[i]].next;
        }
        rc = mapper_record(mapper, reader->begin_line);
    }
    return rc;
}

static int take_record(struct mapper *mapper, uint32_t record)
{
    struct json_reader *reader = &mapper->json;
    int time_field = mapper->mapping->time.fields[0];
    find_fields(mapper, record);
    if (mapper->cells[time_field].kind == CELL_MANY &&
        reader->scanner.tokens[reader->tokens[time_field]].type == TOKEN_ARRAY)
        return take_columns(mapper, time_field);
    return mapper_record(mapper, reader->begin_line);
}

static int take_records(struct mapper *mapper, uint32_t token, const char *pointer, int depth);

/* Every member or element of a token, for a * or at the end of the pointer. */
static int take_children(struct mapper *mapper, uint32_t token, const char *pointer, int depth)
{
    struct json_reader *reader = &mapper->json;
    const struct scanner *scanner = &reader->scanner;
    bool is_object = scanner->tokens[token].type == TOKEN_OBJECT;
    uint32_t index = 0;
    int rc = 0;
    for (uint32_t i = token + 1; i < scanner->tokens[token].next && rc == 0; i = scanner->tokens[i].next, index++) {
        char number[16];
        if (is_object) {
            reader->star = token_text(scanner, &scanner->tokens[i]);
            reader->star_size = scanner->tokens[i].size;
            i++;
        } else {
            reader->star_size = (size_t)snprintf(number, sizeof(number), "%u", index);
            reader->star = number;
        }
        rc = take_records(mapper, i, pointer, depth + 1);
        reader->star = NULL;
    }
    return rc;
}

/* The records that the rest of a pointer means from a token on: each element, where that is an array. */
static int take_records(struct mapper *mapper, uint32_t token, const char *pointer, int depth)
{
    const struct scanner *scanner = &mapper->json.scanner;
    const struct token *tokens = scanner->tokens;
    char part[LIMIT_TOPIC_BYTES + 1];
    size_t size;
    while (*pointer) {
        const char *before = pointer;
        if (next_part(&pointer, part, &size) != 1)
            break;
        if (size == 1 && part[0] == '*' && before[1] == '*')
            return tokens[token].type >= TOKEN_ARRAY && depth < LIMIT_MESSAGE_DEPTH
                       ? take_children(mapper, token, pointer, depth)
                       : 0;
        uint32_t child = child_of(scanner, token, part, size);
        if (!child) /* below a * some have it, and some have not */
            return depth > 0 ? 0 : mapper_refuse(mapper, REFUSED_FIELD, "\"records\" leads nowhere in it");
        token = child;
    }
    if (tokens[token].type == TOKEN_ARRAY && depth < LIMIT_MESSAGE_DEPTH)
        return take_children(mapper, token, "", depth);
    if (tokens[token].type == TOKEN_OBJECT)
        return take_record(mapper, token);
    return mapper_refuse(mapper, REFUSED_FIELD, "a record is an object");
}

/* ---- values one after the other ---- */

static int take_value(struct mapper *mapper)
{
    struct json_reader *reader = &mapper->json;
    int rc;
    mapper->line = reader->begin_line;
    if (reader->too_large) {
        mapper->counts.records++;
        rc = mapper_refuse(mapper, REFUSED_SIZE, "a value of more than %d bytes", LIMIT_MESSAGE_BYTES);
    } else {
        reader->scanner.text = reader->text.data;
        reader->scanner.size = reader->text.n;
        reader->scanner.at = 0;
        reader->star = NULL;
        rc = scan_value(&reader->scanner);
        if (rc == ERR_NOMEM)
            return rc;
        bool whole = reader->scanner.at == reader->text.n;
        if (rc < 0 || !whole) {
            mapper->counts.records++;
            const char *why = rc == 0                 ? "more than a value"
                              : reader->scanner.error ? reader->scanner.error
                                                      : "nested too deep";
            rc = mapper_refuse(mapper, REFUSED_JSON, "%s at byte %zu", why,
                               rc < 0 ? reader->scanner.error_at : reader->scanner.at);
        } else {
            rc = take_records(mapper, 0, mapper->mapping->records ? mapper->mapping->records : "", 0);
        }
    }
    buf_clear(&reader->text);
    reader->too_large = reader->in_string = reader->escaped = false;
    reader->depth = 0;
    reader->before = 0;
    return rc;
}

static void keep(struct json_reader *reader, const char *data, size_t size)
{
    reader->too_large = reader->too_large || reader->text.n + size > LIMIT_MESSAGE_BYTES;
    if (!reader->too_large)
        buf_put(&reader->text, data, size);
}

/* Whether a container may begin here; else the value at hand is broken, and another one begins. */
static bool may_open(const struct json_reader *reader)
{
    return reader->before == ':' || reader->before == '[' || (reader->before == ',' && (reader->arrays & 1)) ||
           reader->depth > 60;
}

/* What a byte does to the nesting. *ret_ends: 1 the value ends with it, 2 it ended before it. */
static void note_byte(struct json_reader *reader, char c, int *ret_ends)
{
    *ret_ends = 0;
    if (reader->in_string) {
        if (c == '\n')
            *ret_ends = 2; /* no string has one: it is broken */
        else if (reader->escaped)
            reader->escaped = false;
        else if (c == '\\')
            reader->escaped = true;
        else
            reader->in_string = c != '"';
        return;
    }
    if (c == '"') {
        reader->in_string = true;
    } else if (c == '{' || c == '[') {
        if (reader->depth > 0 && !may_open(reader)) {
            *ret_ends = 2;
            return;
        }
        reader->depth++;
        reader->arrays = reader->arrays << 1 | (c == '[');
    } else if (c == '}' || c == ']') {
        reader->depth--;
        reader->arrays >>= 1;
        *ret_ends = reader->depth <= 0;
    }
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
        reader->before = c;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int json_reader_feed(struct mapper *mapper, const char *data, size_t size)
{
    struct json_reader *reader = &mapper->json;
    size_t kept = 0; /* bytes of data before this are in reader->text, or passed over */
    for (size_t i = 0; i < size; i++) {
        int ends;
        bool begun = reader->text.n > 0 || reader->too_large || kept < i;
        if (!begun && is_space(data[i])) {
            reader->line += data[i] == '\n';
            kept = i + 1;
            continue;
        }
        if (!begun)
            reader->begin_line = reader->line;
        if (reader->depth == 0 && data[i] != '{' && data[i] != '[' && data[i] == '\n' && begun)
            ends = 2; /* no container: a line that is none */
        else
            note_byte(reader, data[i], &ends);
        if (ends) {
            size_t end = ends == 1 ? i + 1 : i;
            keep(reader, data + kept, end - kept);
            kept = end;
            if (reader->text.failed)
                return ERR_NOMEM;
            int rc = take_value(mapper);
            if (rc != 0)
                return rc;
            i = end - 1; /* looked at again where it ended before it */
            if (ends == 2)
                continue;
        }
        reader->line += data[i] == '\n';
    }
    keep(reader, data + kept, size - kept);
    return reader->text.failed ? ERR_NOMEM : 0;
}

int json_reader_end(struct mapper *mapper)
{
    struct json_reader *reader = &mapper->json;
    return reader->text.n > 0 || reader->too_large ? take_value(mapper) : 0;
}

void json_reader_begin(struct mapper *mapper)
{
    struct json_reader *reader = &mapper->json;
    buf_clear(&reader->text);
    reader->too_large = reader->in_string = reader->escaped = false;
    reader->depth = 0;
    reader->before = 0;
    reader->arrays = 0;
    reader->line = reader->begin_line = 1;
}

void json_reader_done(struct mapper *mapper)
{
    buf_free(&mapper->json.text);
    scanner_done(&mapper->json.scanner);
}

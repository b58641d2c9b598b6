/* Messages of documents: lines, arrays and objects, and what is refused of them. */
#include <config.h>

#include "normalise/checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"

struct asset_checker *asset_checker_new(void)
{
    struct asset_checker *checker = calloc(1, sizeof *checker);
    if (checker)
        hash_random(&checker->names.seed, sizeof checker->names.seed);
    return checker;
}

void asset_checker_free(struct asset_checker *checker)
{
    if (!checker)
        return;
    scanner_done(&checker->scanner);
    names_done(&checker->names);
    free(checker);
}

/* ---- refusals ---- */

static int refuse_part(struct asset_checker *checker, enum refusal_reason reason, const char *detail)
{
    struct document_refusal refusal = {.topic = checker->message->topic, .place = checker->message->place, .reason = reason,
                                       .at = checker->at};
    refusal.place.part = checker->part;
    snprintf(refusal.detail, sizeof refusal.detail, "%s", detail);
    return documents_refuse(checker->documents, &refusal) < 0 ? ERR_NOMEM : 1;
}

int checker_refuse(struct asset_checker *checker, enum refusal_reason reason, const char *format, ...)
{
    char detail[sizeof(struct document_refusal){0}.detail];
    const struct document *row = checker->row;
    size_t size = 0;
    if (checker->n_refused++ >= LIMIT_MESSAGE_REFUSALS) {
        checker->reason_over = checker->reason_over == REFUSED_NOT ? reason : checker->reason_over;
        return 1;
    }
    if (row && row->kind && *row->id)
        size = (size_t)snprintf(detail, sizeof detail, "%s \"%s\": ", asset_kind_name(row->kind), row->id);
    else if (row && row->kind)
        size = (size_t)snprintf(detail, sizeof detail, "%s: ", asset_kind_name(row->kind));
    va_list arguments;
    va_start(arguments, format);
    if (size < sizeof detail)
        vsnprintf(detail + size, sizeof detail - size, format, arguments);
    va_end(arguments);
    return refuse_part(checker, reason, detail);
}

/* What was refused beyond LIMIT_MESSAGE_REFUSALS is told in one. */
static int tell_rest(struct asset_checker *checker)
{
    char detail[120];
    if (checker->n_refused <= LIMIT_MESSAGE_REFUSALS)
        return 0;
    snprintf(detail, sizeof detail, "%zu more parts of the message are refused, this is the reason of the first",
             checker->n_refused - LIMIT_MESSAGE_REFUSALS);
    return refuse_part(checker, checker->reason_over, detail);
}

/* ---- parts ---- */

static int check_object(struct asset_checker *checker, uint32_t i)
{
    const struct token *token = &checker->scanner.tokens[i];
    checker->at = token->at;
    checker->row = NULL;
    int r;
    if (token->type != TOKEN_OBJECT)
        r = checker_refuse(checker, REFUSED_JSON, "an asset is an object, alone or in an array");
    else if (token->size > LIMIT_MESSAGE_BYTES)
        r = checker_refuse(checker, REFUSED_SIZE, "the document has more than %d bytes", LIMIT_MESSAGE_BYTES);
    else
        r = checker_asset(checker, i);
    checker->part++;
    return r;
}

static int check_value(struct asset_checker *checker)
{
    const struct token *tokens = checker->scanner.tokens;
    if (tokens[0].type != TOKEN_ARRAY)
        return check_object(checker, 0);
    int r = 0;
    for (uint32_t i = 1; i < tokens[0].next && r >= 0; i = tokens[i].next)
        r = check_object(checker, i);
    return r;
}

static int refuse_line(struct asset_checker *checker, size_t begin, int error)
{
    const struct scanner *scanner = &checker->scanner;
    checker->at = begin;
    checker->row = NULL;
    int r = error == ERR_LIMIT ? checker_refuse(checker, REFUSED_LIMIT, "nested deeper than %d, at byte %zu",
                                                LIMIT_MESSAGE_DEPTH, scanner->error_at - begin)
                               : checker_refuse(checker, REFUSED_JSON, "%s, at byte %zu", scanner->error,
                                                scanner->error_at - begin);
    checker->part++;
    return r;
}

static int check_line(struct asset_checker *checker)
{
    size_t begin = checker->scanner.at, end;
    int r = scan_line(&checker->scanner, &end);
    if (r < 0)
        return r == ERR_NOMEM ? r : refuse_line(checker, begin, r);
    return check_value(checker);
}

static int check_lines(struct asset_checker *checker)
{
    int r = 0;
    if (!scan_has_line(&checker->scanner))
        return checker_refuse(checker, REFUSED_JSON, "the message is empty");
    while (r >= 0 && scan_has_line(&checker->scanner))
        r = check_line(checker);
    return r;
}

/* ---- messages ---- */

static void begin_message(struct asset_checker *checker, const struct document_message *message, struct documents *documents)
{
    checker->message = message;
    checker->documents = documents;
    checker->size_max = message->size_max ? message->size_max : LIMIT_MESSAGE_BYTES;
    checker->part = 0;
    checker->n_refused = 0;
    checker->reason_over = REFUSED_NOT;
    checker->at = 0;
    checker->row = NULL;
    checker->scanner.text = message->value;
    checker->scanner.size = message->size;
    checker->scanner.at = 0;
}

static int refuse_size(struct asset_checker *checker)
{
    return checker_refuse(checker, REFUSED_SIZE, "the message has %zu bytes, more than %zu", checker->message->size,
                          checker->size_max);
}

int assets_check(struct asset_checker *checker, const struct document_message *message, struct documents *documents)
{
    struct documents before = *documents;
    begin_message(checker, message, documents);
    int r = message->size > checker->size_max ? refuse_size(checker) : check_lines(checker);
    if (r >= 0)
        r = tell_rest(checker);
    if (r >= 0)
        return 0;
    documents->n = before.n;
    documents->n_references = before.n_references;
    documents->n_refusals = before.n_refusals;
    documents->bytes.n = before.bytes.n;
    documents->bytes.failed = false;
    return r;
}

int assets_check_output(struct asset_checker *checker, const struct document_message *message, struct documents *documents)
{
    struct scanner *scanner = &checker->scanner;
    size_t bytes = documents->bytes.n;
    begin_message(checker, message, documents);
    int r = 0;
    if (message->size > checker->size_max)
        r = refuse_size(checker);
    else if ((r = scan_value(scanner)) == ERR_NOMEM)
        return r;
    else if (r < 0)
        r = checker_refuse(checker, REFUSED_JSON, "%s, at byte %zu", scanner->error, scanner->error_at);
    else if (scan_has_line(scanner) || scanner->tokens[0].type != TOKEN_OBJECT)
        r = checker_refuse(checker, REFUSED_JSON, "an output of an optimization is one JSON object");
    if (r)
        return r < 0 ? r : 0;
    const struct token *token = &scanner->tokens[0];
    buf_put(&documents->bytes, scanner->text + token->at, token->size);
    return documents_add_output(documents, &message->place, bytes);
}

uint32_t checker_find(const struct asset_checker *checker, uint32_t object, const char *name)
{
    const struct token *tokens = checker->scanner.tokens;
    for (uint32_t i = object + 1; i < tokens[object].next; i = tokens[i + 1].next)
        if (checker_is(checker, i, name))
            return tokens[i + 1].type == TOKEN_NULL ? 0 : i + 1;
    return 0;
}

bool checker_is(const struct asset_checker *checker, uint32_t token, const char *text)
{
    const struct token *found = &checker->scanner.tokens[token];
    return found->type == TOKEN_STRING && found->size == strlen(text) &&
           memcmp(token_text(&checker->scanner, found), text, found->size) == 0;
}

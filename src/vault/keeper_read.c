/* Telling what is known of subjects: read, export, search, names, audit. */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "common/civil.h"
#include "common/hash.h"
#include "vault/keeper_inside.h"

#define ENTRIES_MAX 1000
#define NAMES_MAX 10000

/* What asking comes to: a result for the chain, and whether to tell. */
static const char *judge(const struct asked *asked)
{
    if (!asked_may_see(asked))
        return "notfound";
    if (!asked_consents(asked))
        return "denied";
    return asked->key.restricted ? "restricted" : "done";
}

static json_t *tell_whole(struct asked *asked)
{
    json_t *answer = json_pack("{s:b, s:O, s:O, s:O, s:b}", "ok", 1, "fields", json_object_get(asked->whole, "fields"),
                               "entities", json_object_get(asked->whole, "entities"), "consents",
                               json_object_get(asked->whole, "consents"), "restricted", asked->key.restricted);
    return answer;
}

json_t *keeper_read(struct keeper *keeper, const json_t *question)
{
    struct asked asked;
    json_t *answer = asked_begin(&asked, keeper, question, true);
    if (!answer) {
        const char *result = judge(&asked);
        int code = asked_note(&asked, result);
        if (code != 0)
            answer = answer_code(ERR_IO);
        else if (strcmp(result, "done") == 0)
            answer = tell_whole(&asked);
        else if (strcmp(result, "restricted") == 0)
            answer =
                server_error("restricted", "subject", "the subject's data may be kept and not used: it is restricted");
        else
            answer = answer_absent();
    }
    asked_end(&asked);
    return answer;
}

/* ---- the chain ---- */

/* The id of an entry's subject, while its key is there. */
static json_t *open_link(struct keeper *keeper, const struct audit_entry *entry)
{
    struct keys_subject key;
    struct buf plain = {0};
    json_t *id = NULL;
    if (!entry->subject || entry->link_size == 0 || keys_find(keeper->keys, entry->subject, &key) != 1)
        return json_null();
    struct crypt_place place = {.kind = CRYPT_LINK, .subject = entry->subject, .field = "", .key_id = key.id};
    if (crypt_open(key.key, &place, entry->link, entry->link_size, &plain) == 0)
        id = json_stringn((char *)plain.data, plain.n);
    crypt_buf_drop(&plain);
    sodium_memzero(&key, sizeof key);
    return id ? id : json_null();
}

static json_t *tell_entry(struct keeper *keeper, const struct audit_entry *entry)
{
    char time[CIVIL_TEXT_MAX], hex[2 * AUDIT_NAME_BYTES + 1] = "";
    size_t n = civil_print_rfc3339(time, entry->t_us, 0, true);
    if (entry->subject)
        sodium_bin2hex(hex, sizeof hex, entry->subject, AUDIT_NAME_BYTES);
    return json_pack("{s:I, s:s%, s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "seq", (json_int_t)entry->seq, "time", time, n,
                     "actor", entry->actor, "action", entry->action, "purpose", entry->purpose, "result", entry->result,
                     "detail", entry->detail, "subject", open_link(keeper, entry), "pseudonym", hex);
}

/* Appends entries of the range to list, so many at most; *after is the last one's number, *more whether there are
 * others. */
static int list_entries(struct keeper *keeper, struct audit_range *range, int64_t limit, json_t *list, bool *more)
{
    struct audit_entry entry;
    int code = 0;
    *more = false;
    for (int64_t n = 0; (code = audit_next(keeper->audit, range, &entry)) == 1; n++) {
        if (n == limit) {
            *more = true;
            return 0;
        }
        if (json_array_append_new(list, tell_entry(keeper, &entry)) != 0)
            return ERR_NOMEM;
        range->after = entry.seq;
    }
    return code;
}

/* Accesses come by pages: the first stands with all that is known, others are asked for with the number after which they are. */
static json_t *tell_page(struct asked *asked, bool is_first)
{
    const json_t *after = json_object_get(asked->question, "after");
    struct audit_range range = {.subject = asked->name, .to_us = INT64_MAX, .after = json_integer_value(after)};
    bool more = false;
    json_t *accesses = json_array();
    int code = accesses ? list_entries(asked->keeper, &range, ENTRIES_MAX, accesses, &more) : ERR_NOMEM;
    json_t *answer = code != 0 ? answer_code(ERR_IO) : is_first ? tell_whole(asked) : answer_good();
    if (code == 0 && (json_object_set(answer, "accesses", accesses) |
                      json_object_set_new(answer, "next", more ? json_integer(range.after) : json_null())) != 0) {
        json_decref(answer);
        answer = NULL;
    }
    json_decref(accesses);
    return answer;
}

json_t *keeper_export(struct keeper *keeper, const json_t *question)
{
    struct asked asked;
    const json_t *after = json_object_get(question, "after");
    json_t *answer = asked_begin(&asked, keeper, question, false);
    if (!answer && after && (!json_is_integer(after) || json_integer_value(after) < 0))
        answer = server_error("invalid", "after", "after: the number of an entry");
    if (!answer) {
        bool may = asked_may_see(&asked);
        int code = asked_note(&asked, may ? "done" : "notfound");
        answer = code != 0 ? answer_code(ERR_IO) : may ? tell_page(&asked, !after) : answer_absent();
    }
    asked_end(&asked);
    return answer;
}

json_t *keeper_audit(struct keeper *keeper, const json_t *question)
{
    const char *actor = json_string_value(json_object_get(question, "actor"));
    const char *subject = json_string_value(json_object_get(question, "subject"));
    const char *from = json_string_value(json_object_get(question, "from")),
               *to = json_string_value(json_object_get(question, "to"));
    json_int_t limit = json_integer_value(json_object_get(question, "limit"));
    struct audit_range range = {.to_us = INT64_MAX, .after = json_integer_value(json_object_get(question, "after"))};
    uint8_t name[CRYPT_NAME_BYTES];
    bool more;
    if (!actor || !actor[0])
        return server_error("invalid", "actor", "actor: a text");
    if (from && civil_parse_rfc3339(from, strlen(from), &range.from_us) != 0)
        return server_error("invalid", "from", "from: a time with an offset");
    if (to && civil_parse_rfc3339(to, strlen(to), &range.to_us) != 0)
        return server_error("invalid", "to", "to: a time with an offset");
    if (subject) {
        asked_name(keeper, subject, name);
        range.subject = name;
    }
    struct audit_entry entry = {
        .actor = actor, .action = "audit", .purpose = "", .result = "done", .detail = "", .subject = range.subject};
    json_t *list = json_array();
    int code = list ? audit_add(keeper->audit, &entry) : ERR_NOMEM;
    if (code == 0)
        code = list_entries(keeper, &range, limit > 0 && limit < ENTRIES_MAX ? limit : ENTRIES_MAX, list, &more);
    if (code != 0) {
        json_decref(list);
        return answer_code(ERR_IO);
    }
    return json_pack("{s:b, s:o, s:o}", "ok", 1, "entries", list, "next",
                     more ? json_integer(range.after) : json_null());
}

/* ---- many at once: one transaction of the chain ---- */

static int note_all(struct keeper *keeper, struct asked *asked, size_t n, const char *const *results)
{
    int code = n > 0 ? db_begin(audit_db(keeper->audit)) : 0;
    for (size_t i = 0; i < n && code == 0; i++)
        code = asked_note(&asked[i], results[i]);
    if (n > 0 && code == 0)
        code = db_commit(audit_db(keeper->audit));
    if (code != 0)
        db_rollback(audit_db(keeper->audit));
    int rc = audit_settle(keeper->audit, code == 0);
    return code != 0 ? code : rc;
}

#define PAGE_MAX 1000 /* subjects of one answer */
#define BATCH 64      /* looked at in one transaction of the chain */

struct search {
    const struct asked *base;
    const char *field;
    uint8_t hash[CRYPT_NAME_BYTES], after[CRYPT_NAME_BYTES]; /* of the value; the subject that was looked at last */
    uint8_t names[BATCH][CRYPT_NAME_BYTES];
    size_t n_names, limit;
    json_t *subjects;
    uint8_t told[CRYPT_NAME_BYTES]; /* the last of subjects */
    bool more;                      /* there is another one that might be told */
};

static int add_found(void *arg, const uint8_t *name)
{
    struct search *search = arg;
    memcpy(search->names[search->n_names++], name, CRYPT_NAME_BYTES);
    return 0;
}

/* Tells one of them, where the page is not full; the first for whom it is ends the search. */
static int tell_found(struct search *search, const struct asked *found)
{
    if (json_array_size(search->subjects) == search->limit) {
        search->more = true;
        return 0;
    }
    memcpy(search->told, found->name, CRYPT_NAME_BYTES);
    return json_array_append_new(search->subjects, json_string(found->subject)) == 0 ? 0 : ERR_NOMEM;
}

/* Looks at the names that were found, and writes down what it came to; not of the one that is left for the next page. */
static int tell_batch(struct search *search)
{
    struct keeper *keeper = search->base->keeper;
    struct asked all[BATCH];
    const char *results[BATCH];
    size_t n = 0;
    int code = 0;
    for (; n < search->n_names && code == 0 && !search->more; n++) {
        all[n] = *search->base;
        memcpy(all[n].name, search->names[n], CRYPT_NAME_BYTES);
        code = asked_load_named(&all[n]);
        results[n] = judge(&all[n]);
        all[n].has_subject = all[n].has_subject && all[n].subject;
        if (code == 0 && strcmp(results[n], "done") == 0)
            code = tell_found(search, &all[n]);
    }
    if (code == 0)
        code = note_all(keeper, all, n - search->more, results);
    for (size_t i = 0; i < n; i++)
        asked_end(&all[i]);
    return code;
}

static int search_all(struct search *search)
{
    struct records *records = search->base->keeper->records;
    int code, looked_at = 0;
    do {
        search->n_names = 0;
        code = records_search(records, search->field, search->hash, search->after, BATCH, add_found, search);
        if (code == 0 && search->n_names > 0) {
            memcpy(search->after, search->names[search->n_names - 1], CRYPT_NAME_BYTES);
            code = tell_batch(search);
            looked_at = 1;
        }
    } while (code == 0 && search->n_names == BATCH && !search->more);
    if (code == 0 && !looked_at) {
        struct asked nobody = *search->base;
        code = asked_note(&nobody, "notfound");
    }
    return code;
}

static json_t *search(struct search *search)
{
    char next[2 * CRYPT_NAME_BYTES + 1];
    search->subjects = json_array();
    int code = search->subjects ? search_all(search) : ERR_NOMEM;
    if (code != 0) {
        json_decref(search->subjects);
        return answer_code(code);
    }
    sodium_bin2hex(next, sizeof next, search->told, sizeof search->told);
    return json_pack("{s:b, s:o, s:o}", "ok", 1, "subjects", search->subjects, "next",
                     search->more ? json_string(next) : json_null());
}

/* Fills in what search and names have in common. */
static json_t *begin_many(struct asked *base, struct keeper *keeper, const json_t *question, const char **ret_field)
{
    *base = (struct asked){.keeper = keeper, .question = question, .detail = ""};
    base->action = json_string_value(json_object_get(question, "do"));
    base->actor = json_string_value(json_object_get(question, "actor"));
    base->purpose = json_string_value(json_object_get(question, "purpose"));
    *ret_field = json_string_value(json_object_get(question, "field"));
    if (!base->actor || !base->actor[0])
        return server_error("invalid", "actor", "actor: a text");
    if (!base->purpose || !base->purpose[0])
        return server_error("invalid", "purpose", "purpose: a text");
    if (!*ret_field || !(*ret_field)[0])
        return server_error("invalid", "field", "field: the name of a field");
    base->detail = *ret_field;
    return NULL;
}

json_t *keeper_search(struct keeper *keeper, const json_t *question)
{
    struct asked base;
    struct search found = {.base = &base, .limit = PAGE_MAX};
    const char *value = json_string_value(json_object_get(question, "value")),
               *cursor = json_string_value(json_object_get(question, "cursor"));
    const json_t *limit = json_object_get(question, "limit");
    size_t size;
    json_t *bad = begin_many(&base, keeper, question, &found.field);
    if (bad)
        return bad;
    if (!value || !value[0])
        return server_error("invalid", "value", "value: a text");
    if (!is_searchable(keeper, found.field))
        return server_error("invalid", "field", "\"%s\" cannot be searched for: vault.searchable names the fields",
                            found.field);
    if (limit && (!json_is_integer(limit) || json_integer_value(limit) < 1 || json_integer_value(limit) > PAGE_MAX))
        return server_error("invalid", "limit", "limit: a whole number from 1 to %d", PAGE_MAX);
    if (cursor && (sodium_hex2bin(found.after, sizeof found.after, cursor, strlen(cursor), NULL, &size, NULL) != 0 ||
                   size != sizeof found.after))
        return server_error("invalid", "cursor", "cursor: the \"next\" of the page before");
    if (limit)
        found.limit = (size_t)json_integer_value(limit);
    name_value(keeper, found.field, value, found.hash);
    return search(&found);
}

static int tell_name(struct keeper *keeper, const struct asked *base, const char *subject, const char *field,
                     json_t *names)
{
    struct asked one = *base;
    one.subject = subject;
    int code = asked_load(&one);
    const char *result = code == 0 ? judge(&one) : "io";
    json_t *text = json_object_get(json_object_get(one.whole, "fields"), field);
    if (code == 0)
        code = asked_note(&one, result);
    if (code == 0 && text && strcmp(result, "done") == 0)
        code = json_object_set(names, subject, text) == 0 ? 0 : ERR_NOMEM;
    asked_end(&one);
    (void)keeper;
    return code;
}

json_t *keeper_names(struct keeper *keeper, const json_t *question)
{
    struct asked base;
    const char *field;
    size_t i;
    json_t *subject, *subjects = json_object_get(question, "subjects"), *names,
                     *bad = begin_many(&base, keeper, question, &field);
    if (bad)
        return bad;
    if (!json_is_array(subjects) || json_array_size(subjects) > NAMES_MAX)
        return server_error("invalid", "subjects", "subjects: a list of at most %d subjects", NAMES_MAX);
    names = json_object();
    int code = names ? db_begin(audit_db(keeper->audit)) : ERR_NOMEM;
    json_array_foreach(subjects, i, subject)
        if (code == 0)
            code = json_is_string(subject) ? tell_name(keeper, &base, json_string_value(subject), field, names) : ERR_INVALID;
    code = code == 0 ? db_commit(audit_db(keeper->audit)) : code;
    if (code != 0)
        db_rollback(audit_db(keeper->audit));
    int rc = audit_settle(keeper->audit, code == 0);
    if (code == 0)
        code = rc;
    if (code == 0)
        return json_pack("{s:b, s:o}", "ok", 1, "names", names);
    json_decref(names);
    return answer_code(code);
}

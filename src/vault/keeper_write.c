/* Putting what is known of subjects: put, consents, restrict, and the messages of topic subjects. */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "common/civil.h"
#include "common/limits.h"
#include "vault/keeper_inside.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
#define ENTITY_CHARACTERS NAME_CHARACTERS "/"

static bool is_name(const char *text, size_t max, const char *characters)
{
    size_t n = text ? strlen(text) : 0;
    return n > 0 && n <= max && strspn(text, characters) == n;
}

/* ---- what a question may say ---- */

static json_t *check_fields(json_t *fields)
{
    const char *field;
    json_t *value;
    if (fields && !json_is_object(fields))
        return server_error("invalid", "fields", "fields: an object of texts");
    json_object_foreach(fields, field, value)
    {
        if (!is_name(field, LIMIT_NAME_BYTES, NAME_CHARACTERS))
            return server_error("invalid", "fields", "fields: a name has 1 to %d letters, digits and . _ : -",
                                LIMIT_NAME_BYTES);
        if (!json_is_null(value) && (!json_is_string(value) || json_string_length(value) > KEEPER_TEXT_MAX))
            return server_error("invalid", field, "\"%s\" is no text of at most %d bytes, and not null", field,
                                KEEPER_TEXT_MAX);
    }
    return NULL;
}

static json_t *check_entities(json_t *entities)
{
    size_t i;
    json_t *entity;
    if (entities && !json_is_array(entities))
        return server_error("invalid", "entities", "entities: a list of entities");
    if (json_array_size(entities) > KEEPER_ENTITIES_MAX)
        return server_error("invalid", "entities", "entities: a subject has at most %d", KEEPER_ENTITIES_MAX);
    json_array_foreach(entities, i, entity)
        if (!is_name(json_string_value(entity), LIMIT_ENTITY_BYTES, ENTITY_CHARACTERS))
            return server_error("invalid", "entities", "entities: item %zu is no name of an entity", i);
    return NULL;
}

static json_t *check_consents(json_t *consents)
{
    size_t i;
    json_t *consent;
    if (consents && !json_is_array(consents))
        return server_error("invalid", "consents", "consents: a list of {\"purpose\":…,\"until\":…}");
    json_array_foreach(consents, i, consent)
    {
        json_t *until = json_object_get(consent, "until");
        const char *text = json_string_value(until);
        int64_t t_us;
        if (!is_name(json_string_value(json_object_get(consent, "purpose")), LIMIT_NAME_BYTES, NAME_CHARACTERS))
            return server_error("invalid", "consents",
                                "consents: item %zu has no purpose of letters, digits and . _ : -", i);
        if (until && !json_is_null(until) && (!text || civil_parse_rfc3339(text, strlen(text), &t_us) != 0))
            return server_error("invalid", "consents", "consents: until of item %zu is no time with an offset", i);
    }
    return NULL;
}

/* ---- writing ---- */

static int put_fields(struct asked *asked, const struct records_subject *subject, json_t *fields, int64_t revision)
{
    const char *field;
    json_t *value;
    int code = 0;
    json_object_foreach(fields, field, value)
    {
        uint8_t hash[CRYPT_NAME_BYTES];
        bool is_there = json_is_string(value), searched = is_searchable(asked->keeper, field);
        code = is_there ? records_put(asked->keeper->records, subject, CRYPT_FIELD, field, revision, value)
                        : records_delete_field(asked->keeper->records, asked->name, field);
        if (code == 0 && searched && is_there)
            name_value(asked->keeper, field, json_string_value(value), hash);
        if (code == 0 && searched)
            code = records_index(asked->keeper->records, asked->name, field, is_there ? hash : NULL);
        if (code != 0)
            break;
    }
    return code;
}

/* The records are one transaction of vault.db; keys.db follows, so that what it knows of is there. */
static int write_subject(struct asked *asked, json_t *fields, json_t *entities, json_t *consents)
{
    struct keeper *keeper = asked->keeper;
    struct records_subject subject = {asked->name, asked->key.key, asked->key.id};
    int64_t revision = asked->key.revision + 1;
    int code = db_begin(records_db(keeper->records));
    if (code == 0 && !asked->whole) {
        json_t *id = json_string(asked->subject);
        code = id ? records_put(keeper->records, &subject, CRYPT_ID, "", revision, id) : ERR_NOMEM;
        json_decref(id);
    }
    if (code == 0)
        code = put_fields(asked, &subject, fields, revision);
    if (code == 0 && entities)
        code = records_put(keeper->records, &subject, CRYPT_ENTITIES, "", revision, entities);
    if (code == 0 && consents)
        code = records_put(keeper->records, &subject, CRYPT_CONSENTS, "", revision, consents);
    code = code == 0 ? db_commit(records_db(keeper->records)) : code;
    if (code != 0) {
        db_rollback(records_db(keeper->records));
        return code;
    }
    asked->key.revision = revision;
    if (consents)
        asked->key.consents = revision;
    return keys_update(keeper->keys, asked->name, &asked->key);
}

/* What the asker may not see he may not change; and he may not give it entities that he would not see. */
static bool may_put(struct asked *asked, const json_t *entities)
{
    bool is_new = !asked->whole;
    if (!is_new && !asked_may_see(asked))
        return false;
    if (!json_object_get(asked->question, "globs") || (!is_new && !entities))
        return true;
    struct asked after = *asked;
    after.whole = json_pack("{s:O}", "entities", entities ? entities : json_null());
    bool may = after.whole && json_is_array(entities) && asked_may_see(&after);
    json_decref(after.whole);
    return may;
}

/* What is replaced counts, too. */
static json_t *check_whole(const struct asked *asked, const json_t *fields, const json_t *entities, const json_t *consents)
{
    const json_t *parts[] = {asked->whole, fields, entities, consents};
    size_t size = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        size += parts[i] ? json_dumpb(parts[i], NULL, 0, JSON_COMPACT) : 0;
    if (size <= KEEPER_WHOLE_MAX)
        return NULL;
    return server_error("invalid", "fields", "all of a subject has at most %d bytes: this would be %zu", KEEPER_WHOLE_MAX, size);
}

static json_t *put(struct keeper *keeper, const json_t *question, struct asked *asked)
{
    json_t *fields = json_object_get(question, "fields"), *entities = json_object_get(question, "entities");
    json_t *consents = json_object_get(question, "consents"), *bad = asked_begin(asked, keeper, question, false);
    struct keys_tomb tomb;
    if (!bad)
        bad = check_fields(fields);
    if (!bad)
        bad = check_entities(entities);
    if (!bad)
        bad = check_consents(consents);
    if (bad)
        return bad;
    bool created = !asked->whole, may = may_put(asked, entities);
    if (may && (bad = check_whole(asked, fields, entities, consents)) != NULL)
        return bad;
    int code = keys_tomb(keeper->keys, asked->name, &tomb);
    const char *result = code == 1 ? "erased" : may ? "done" : "notfound";
    if (code == 0 && may && !asked->has_subject) {
        code = keys_add(keeper->keys, asked->name);
        if (code == 0)
            code = keys_find(keeper->keys, asked->name, &asked->key);
        asked->has_subject = code == 1;
        code = code == 1 ? 0 : code == 0 ? ERR_CORRUPT : code;
    }
    if (code >= 0 && asked_note(asked, result) != 0)
        code = ERR_IO;
    if (code == 1)
        return server_error("erased", "subject", "this subject has been erased; what comes of it later is refused");
    if (code == 0 && !may)
        return answer_absent();
    if (code == 0)
        code = write_subject(asked, fields, entities, consents);
    return code == 0
               ? json_pack("{s:b, s:b, s:I}", "ok", 1, "created", created, "revision", (json_int_t)asked->key.revision)
               : answer_code(code);
}

json_t *keeper_put(struct keeper *keeper, const json_t *question)
{
    struct asked asked = {0};
    json_t *answer = put(keeper, question, &asked);
    asked_end(&asked);
    return answer;
}

static json_t *change(struct asked *asked, json_t *consents, const json_t *restricted)
{
    bool may = asked_may_see(asked);
    int code = asked_note(asked, may ? "done" : "notfound");
    if (code == 0 && !may)
        return answer_absent();
    if (code == 0 && restricted) {
        asked->key.restricted = json_is_true(restricted);
        code = keys_update(asked->keeper->keys, asked->name, &asked->key);
    } else if (code == 0) {
        code = write_subject(asked, NULL, NULL, consents);
    }
    return code == 0 ? answer_good() : answer_code(code);
}

json_t *keeper_consents(struct keeper *keeper, const json_t *question)
{
    struct asked asked;
    json_t *consents = json_object_get(question, "consents"), *answer = asked_begin(&asked, keeper, question, false);
    if (!answer && !consents)
        answer = server_error("invalid", "consents", "consents: a list of {\"purpose\":…,\"until\":…}");
    if (!answer)
        answer = check_consents(consents);
    if (!answer)
        answer = change(&asked, consents, NULL);
    asked_end(&asked);
    return answer;
}

json_t *keeper_restrict(struct keeper *keeper, const json_t *question)
{
    struct asked asked;
    json_t *restricted = json_object_get(question, "restricted"),
           *answer = asked_begin(&asked, keeper, question, false);
    if (!answer && !json_is_boolean(restricted))
        answer = server_error("invalid", "restricted", "restricted: true or false");
    asked.detail = json_is_true(restricted) ? "on" : "off";
    if (!answer)
        answer = change(&asked, NULL, restricted);
    asked_end(&asked);
    return answer;
}

/* ---- topic subjects ---- */

json_t *keeper_subjects(struct keeper *keeper, const json_t *question)
{
    static const char *const allowed[] = {"put", "consents", "restrict", "erase"};
    const char *from = json_string_value(json_object_get(question, "from")), *what;
    struct buf plain = {0};
    json_t *answer = unseal_member(keeper, question, &plain);
    if (answer)
        return answer;
    json_t *inside = json_loadb((char *)plain.data, plain.n, JSON_REJECT_DUPLICATES, NULL);
    crypt_buf_drop(&plain);
    what = json_string_value(json_object_get(inside, "do"));
    bool known = false;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        known = known || (what && strcmp(what, allowed[i]) == 0);
    json_t *actor = from && from[0] ? json_string(from) : NULL;
    if (!actor)
        answer = server_error("invalid", "from", "from: topic/partition/offset");
    else if (!known)
        answer = server_error("invalid", "do",
                              "the message is no JSON object whose \"do\" is put, consents, restrict or erase");
    else if (json_object_del(inside, "globs"), json_object_set(inside, "actor", actor) != 0)
        answer = NULL;
    else
        answer = keeper_answer(keeper, inside);
    json_decref(actor);
    json_decref(inside);
    return answer;
}

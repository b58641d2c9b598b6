/* What every question about a subject needs: who asks, whether he may, and that it is written down. */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/globs.h"
#include "vault/keeper_inside.h"

/* ---- answers ---- */

json_t *answer_absent(void)
{
    return server_error("notfound", "subject", "there is no such subject");
}

json_t *answer_good(void)
{
    return json_pack("{s:b}", "ok", 1);
}

json_t *answer_code(int code)
{
    switch (code) {
    case ERR_NOTFOUND:
        return answer_absent();
    case ERR_BUSY:
        return server_error("busy", NULL, "the vault's files are held by somebody else: ask again");
    case ERR_LIMIT:
        return server_error("invalid", NULL, "a value is longer than the vault takes");
    case ERR_INVALID:
        return server_error("invalid", NULL, "the question breaks its grammar");
    case ERR_NOMEM:
        return server_error("io", NULL, "out of memory");
    default:
        return server_error("io", NULL, "the vault's files cannot be read or written: %s", err_name(code));
    }
}

/* ---- names ---- */

void asked_name(struct keeper *keeper, const char *subject, uint8_t ret_name[static CRYPT_NAME_BYTES])
{
    crypt_name(keys_own(keeper->keys, KEYS_INDEX), "subject", subject, strlen(subject), ret_name);
}

bool is_searchable(const struct keeper *keeper, const char *field)
{
    size_t size = strlen(field);
    for (const char *at = keeper->searchable; *(at += strspn(at, " \t,"));) {
        size_t n = strcspn(at, " \t,");
        if (n == size && memcmp(at, field, n) == 0)
            return true;
        at += n;
    }
    return false;
}

/* Case of ASCII letters and blanks around do not count. */
void name_value(struct keeper *keeper, const char *field, const char *value, uint8_t ret_hash[static CRYPT_NAME_BYTES])
{
    char text[KEEPER_TEXT_MAX + 1];
    size_t n = 0;
    value += strspn(value, " \t\r\n");
    for (; *value && n < sizeof text - 1; value++)
        text[n++] = (char)(*value >= 'A' && *value <= 'Z' ? *value + 32 : *value);
    while (n > 0 && strchr(" \t\r\n", text[n - 1]))
        n--;
    uint8_t key[CRYPT_NAME_BYTES], both[2 * CRYPT_NAME_BYTES];
    crypt_name(keys_own(keeper->keys, KEYS_INDEX), "field", field, strlen(field), key);
    memcpy(both, key, sizeof key);
    crypt_name(keys_own(keeper->keys, KEYS_INDEX), "value", text, n, both + CRYPT_NAME_BYTES);
    crypt_name(keys_own(keeper->keys, KEYS_INDEX), "field and value", both, sizeof both, ret_hash);
    sodium_memzero(text, n);
}

/* ---- the question ---- */

static const char *text_of(const json_t *question, const char *member, size_t max)
{
    const json_t *value = json_object_get(question, member);
    const char *text = json_string_value(value);
    return text && text[0] && json_string_length(value) <= max && strlen(text) == json_string_length(value) ? text
                                                                                                            : NULL;
}

static bool are_texts(const json_t *list)
{
    size_t i;
    json_t *item;
    if (list && !json_is_array(list))
        return false;
    json_array_foreach((json_t *)list, i, item)
        if (!json_is_string(item))
            return false;
    return true;
}

static int load(struct asked *asked)
{
    int code = keys_find(asked->keeper->keys, asked->name, &asked->key);
    asked->has_subject = code == 1;
    if (code != 1)
        return code;
    struct records_subject subject = {asked->name, asked->key.key, asked->key.id};
    code = records_read(asked->keeper->records, &subject, &asked->whole, &asked->consents);
    return code == ERR_NOTFOUND ? 0 : code; /* an older vault.db does not know it */
}

int asked_load(struct asked *asked)
{
    asked_name(asked->keeper, asked->subject, asked->name);
    return load(asked);
}

int asked_load_named(struct asked *asked)
{
    int code = load(asked);
    asked->subject = json_string_value(json_object_get(asked->whole, "id"));
    return code;
}

json_t *asked_begin(struct asked *asked, struct keeper *keeper, const json_t *question, bool needs_purpose)
{
    *asked = (struct asked){.keeper = keeper, .question = question, .detail = ""};
    asked->action = json_string_value(json_object_get(question, "do"));
    asked->actor = text_of(question, "actor", KEEPER_SUBJECT_MAX);
    asked->subject = text_of(question, "subject", KEEPER_SUBJECT_MAX);
    asked->purpose = text_of(question, "purpose", KEEPER_SUBJECT_MAX);
    if (!asked->actor)
        return server_error("invalid", "actor", "actor: a text of 1 to %d bytes", KEEPER_SUBJECT_MAX);
    if (!asked->subject)
        return server_error("invalid", "subject", "subject: a text of 1 to %d bytes", KEEPER_SUBJECT_MAX);
    if (needs_purpose && !asked->purpose)
        return server_error("invalid", "purpose", "purpose: a text of 1 to %d bytes", KEEPER_SUBJECT_MAX);
    if (!are_texts(json_object_get(question, "globs")))
        return server_error("invalid", "globs", "globs: a list of texts");
    if (!asked->purpose)
        asked->purpose = "";
    int code = asked_load(asked);
    return code == 0 ? NULL : answer_code(code);
}

void asked_end(struct asked *asked)
{
    json_decref(asked->whole);
    sodium_memzero(&asked->key, sizeof asked->key);
}

bool asked_may_see(const struct asked *asked)
{
    const json_t *globs = json_object_get(asked->question, "globs"),
                 *entities = json_object_get(asked->whole, "entities");
    size_t i, j;
    json_t *entity, *glob;
    if (!asked->whole)
        return false;
    if (!globs)
        return true;
    if (json_array_size(entities) == 0)
        return false;
    json_array_foreach((json_t *)entities, i, entity)
    {
        bool matches = false;
        json_array_foreach((json_t *)globs, j, glob)
            matches = matches || glob_matches(json_string_value(glob), json_string_value(entity));
        if (!matches)
            return false;
    }
    return true;
}

/* Consents that are older than the newest are of a vault.db that was put back: they may have been withdrawn since. */
bool asked_consents(const struct asked *asked)
{
    size_t i;
    json_t *consent;
    if (asked->consents < asked->key.consents)
        return false;
    json_array_foreach(json_object_get(asked->whole, "consents"), i, consent)
    {
        const char *purpose = json_string_value(json_object_get(consent, "purpose"));
        const char *until = json_string_value(json_object_get(consent, "until"));
        int64_t until_us = INT64_MAX;
        if (!purpose || strcmp(purpose, asked->purpose) != 0)
            continue;
        if (!until || (civil_parse_rfc3339(until, strlen(until), &until_us) == 0 && clock_wall_us() < until_us))
            return true;
    }
    return false;
}

/* ---- the chain ---- */

static int seal_link(struct asked *asked, struct buf *out)
{
    struct crypt_place place = {.kind = CRYPT_LINK, .subject = asked->name, .field = "", .key_id = asked->key.id};
    return crypt_seal(asked->key.key, &place, asked->subject, strlen(asked->subject), out);
}

int asked_note(struct asked *asked, const char *result)
{
    struct buf link = {0};
    struct audit_entry entry = {.actor = asked->actor,
                                .action = asked->action,
                                .purpose = asked->purpose,
                                .result = result,
                                .detail = asked->detail,
                                .subject = asked->subject ? asked->name : NULL};
    int code = asked->has_subject ? seal_link(asked, &link) : 0;
    entry.link = link.data;
    entry.link_size = link.n;
    if (code == 0)
        code = audit_add(asked->keeper->audit, &entry);
    buf_free(&link);
    return code;
}

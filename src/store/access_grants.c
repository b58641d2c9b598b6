/* Scopes, their globs, and how they are written. */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "store/access_inside.h"

#define READINGS (SCOPE_READ | SCOPE_EXPORT | SCOPE_SQL)

static const struct {
    const char *name;
    unsigned scopes;
} scope_names[] = {
    {"read", SCOPE_READ},
    {"export", SCOPE_EXPORT},
    {"sql", SCOPE_SQL},
    {"ops", SCOPE_OPS},
    {"personal:read", SCOPE_PERSONAL_READ},
    {"personal:write", SCOPE_PERSONAL_WRITE},
    {"vault:admin", SCOPE_VAULT_ADMIN},
    {"admin", SCOPES_ALL},
    {"aggregate", SCOPE_AGGREGATE},
};
#define N_SCOPES (sizeof(scope_names) / sizeof(*scope_names))

/* ---- one grant: NAME, NAME:GLOB, aggregate@K/SHARE, aggregate@K/SHARE:GLOB ---- */

struct grant {
    unsigned scopes;
    unsigned k, share_percent;
    const char *glob; /* NULL: not limited */
    size_t glob_size;
};

/* A whole number of 1 to max, up to a byte of ends or the end of the text; 0 where there is none. */
static unsigned parse_number(const char **at, const char *end, unsigned max)
{
    unsigned number = 0;
    while (*at < end && **at >= '0' && **at <= '9' && number <= max)
        number = number * 10 + (unsigned)(*(*at)++ - '0');
    return number <= max ? number : 0;
}

/* What follows the name `aggregate`; false where it is none of it. */
static bool parse_needs(const char **at, const char *end, struct grant *grant)
{
    if (*at == end || **at != '@')
        return true;
    ++*at;
    grant->k = parse_number(at, end, 1000000);
    if (!grant->k || *at == end || *(*at)++ != '/')
        return false;
    grant->share_percent = parse_number(at, end, 100);
    return grant->share_percent > 0;
}

static bool parse_grant(const char *text, size_t size, struct grant *ret_grant)
{
    const char *end = text + size;
    for (size_t i = 0; i < N_SCOPES; i++) {
        size_t name_size = strlen(scope_names[i].name);
        struct grant grant = {.scopes = scope_names[i].scopes, .k = AGGREGATE_K, .share_percent = AGGREGATE_SHARE_PERCENT};
        const char *at = text + name_size;
        if (size < name_size || memcmp(text, scope_names[i].name, name_size))
            continue;
        if (grant.scopes == SCOPE_AGGREGATE && !parse_needs(&at, end, &grant))
            continue;
        if (at < end && (*at != ':' || at + 1 == end))
            continue;
        grant.glob = at < end ? at + 1 : NULL;
        grant.glob_size = at < end ? (size_t)(end - grant.glob) : 0;
        *ret_grant = grant;
        return true;
    }
    return false;
}

/* The next one of a list; false at its end. */
static bool next_grant(const char **at, const char **ret_text, size_t *ret_size)
{
    *at += strspn(*at, ", ");
    *ret_text = *at;
    *ret_size = strcspn(*at, ", ");
    *at += *ret_size;
    return *ret_size > 0;
}

/* ---- all of them ---- */

/* Notes what a grant says of aggregates, the stricter of two. */
static void note_needs(struct grants *grants, const struct grant *grant)
{
    if (!(grant->scopes & SCOPE_AGGREGATE))
        return;
    grants->k = grant->k > grants->k ? grant->k : grants->k;
    if (!grants->share_percent || grant->share_percent < grants->share_percent)
        grants->share_percent = grant->share_percent;
}

static bool add_limit(struct grants *grants, const char *text, size_t size)
{
    size_t n = strlen(grants->limits);
    int more = snprintf(grants->limits + n, sizeof(grants->limits) - n, "%s%.*s", n ? "," : "", (int)size, text);
    return more > 0 && (size_t)more < sizeof(grants->limits) - n;
}

/* The first pass finds what is held and what is not limited, */
static int note_scopes(const char *list, struct grants *grants, struct err_text *error)
{
    const char *text;
    size_t size;
    while (next_grant(&list, &text, &size)) {
        struct grant grant;
        if (!parse_grant(text, size, &grant))
            return err_set_field(error, ERR_INVALID, "scope",
                                 "\"%.*s\" is no scope: use read, export, sql, ops, personal:read, personal:write, vault:admin, "
                                 "aggregate or admin, each for all entities or with a glob, as in read:p2-*",
                                 size < 64 ? (int)size : 64, text);
        note_needs(grants, &grant);
        grants->scopes |= grant.scopes;
        grants->whole |= grant.glob ? 0 : grant.scopes;
    }
    return 0;
}

/* and the second keeps the limits that still mean something. */
static int note_limits(const char *list, struct grants *grants, struct err_text *error)
{
    const char *text;
    size_t size;
    while (next_grant(&list, &text, &size)) {
        struct grant grant = {0};
        bool is_one = parse_grant(text, size, &grant) && grant.glob && (grant.scopes & ~grants->whole);
        if (is_one && !add_limit(grants, text, size))
            return err_set_field(error, ERR_INVALID, "scope", "the scopes with globs have more than %d bytes: use fewer globs",
                                 ACCESS_LIMITS_MAX - 1);
    }
    return 0;
}

int access_grants_parse(const char *text, struct grants *ret_grants, struct err_text *error)
{
    struct grants grants = {0};
    int rc = note_scopes(text, &grants, error);
    rc = rc ? rc : note_limits(text, &grants, error);
    if (rc)
        return rc;
    if (!grants.scopes)
        return err_set_field(error, ERR_INVALID, "scope", "without a scope nothing may be done: give one, such as read");
    if ((grants.scopes & SCOPE_AGGREGATE) && (grants.scopes & READINGS))
        return err_set_field(error, ERR_INVALID, "scope", "\"aggregate\" does not go with read, export, sql or admin: who may "
                             "read the series needs no protection from their sums");
    *ret_grants = grants;
    return 0;
}

void principal_globs(const struct principal *principal, enum scope scope, struct globs *ret_globs)
{
    const struct grants *grants = &principal->grants;
    struct globs globs = {.is_all = scope && (grants->whole & scope) == (unsigned)scope};
    const char *list = grants->limits, *text;
    size_t size;
    while (!globs.is_all && next_grant(&list, &text, &size)) {
        struct grant grant;
        if (parse_grant(text, size, &grant) && (grant.scopes & scope) == (unsigned)scope &&
            !globs_add(&globs, grant.glob, grant.glob_size))
            break; /* cannot be: there is more room than for all limits */
    }
    *ret_globs = globs;
}

/* ---- as text ---- */

void access_scopes_print(unsigned scopes, char out[static ACCESS_SCOPES_TEXT_MAX])
{
    size_t n = 0;
    out[0] = '\0';
    if ((scopes & SCOPES_ALL) == SCOPES_ALL) {
        snprintf(out, ACCESS_SCOPES_TEXT_MAX, "admin");
        return;
    }
    for (size_t i = 0; i < N_SCOPES; i++)
        if (scope_names[i].scopes & scopes && scope_names[i].scopes != SCOPES_ALL)
            n += (size_t)snprintf(out + n, ACCESS_SCOPES_TEXT_MAX - n, "%s%s", n ? "," : "", scope_names[i].name);
}

void access_grants_print(const struct grants *grants, char out[static ACCESS_GRANTS_TEXT_MAX])
{
    char scopes[ACCESS_SCOPES_TEXT_MAX];
    access_scopes_print(grants->whole & ~(unsigned)SCOPE_AGGREGATE, scopes);
    size_t n = (size_t)snprintf(out, ACCESS_GRANTS_TEXT_MAX, "%s", scopes);
    if (grants->whole & SCOPE_AGGREGATE)
        n += (size_t)snprintf(out + n, ACCESS_GRANTS_TEXT_MAX - n, "%saggregate@%u/%u", n ? "," : "", grants->k,
                              grants->share_percent);
    if (*grants->limits)
        snprintf(out + n, ACCESS_GRANTS_TEXT_MAX - n, "%s%s", n ? "," : "", grants->limits);
}

/* ---- in the file ---- */

void access_bind_grants(sqlite3_stmt *stmt, const struct grants *grants, char text[static ACCESS_GRANTS_TEXT_MAX])
{
    access_grants_print(grants, text);
    if (grants->whole == grants->scopes && !(grants->scopes & SCOPE_AGGREGATE))
        db_bind_i64(stmt, ":scopes", grants->scopes);
    else
        db_bind_text(stmt, ":scopes", text);
}

int access_read_grants(sqlite3_stmt *stmt, int column, struct grants *ret_grants)
{
    struct err_text error = {0};
    if (sqlite3_column_type(stmt, column) == SQLITE_INTEGER) {
        unsigned scopes = (unsigned)sqlite3_column_int64(stmt, column) & SCOPES_ALL;
        *ret_grants = (struct grants){.scopes = scopes, .whole = scopes};
        return 0;
    }
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text && !access_grants_parse(text, ret_grants, &error) ? 0 : ERR_CORRUPT;
}

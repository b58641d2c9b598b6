/* The table of options, and how each type of value is read. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/conf.h"
#include "common/civil.h"
#include "common/limits.h"

static int set_text(const char *text, void *field)
{
    if (!field)
        return 0;
    char *copy = strdup(text);
    if (!copy)
        return ERR_NOMEM;
    char **slot = field;
    free(*slot);
    *slot = copy;
    return 0;
}

static int parse_path(const struct conf *conf, const char *text, void *field,
                      struct err_text *error)
{
    if (!text[0])
        return err_set(error, ERR_INVALID, "empty");
    if (text[0] == '/')
        return set_text(text, field);
    /* "." stays the folder itself, so that messages do not say "/etc/almanac/." */
    bool here = strcmp(text, ".") == 0;
    char *joined = NULL;
    if (asprintf(&joined, here ? "%s" : "%s/%s", conf->base, text) < 0)
        return ERR_NOMEM;
    int code = set_text(joined, field);
    free(joined);
    return code;
}

static int parse_path_or_none(const struct conf *conf, const char *text, void *field,
                              struct err_text *error)
{
    return text[0] ? parse_path(conf, text, field, error) : set_text("", field);
}

/* Calls word for each part between blanks and commas. */
static int each_word(const char *text, int (*word)(void *arg, const char *text, size_t size),
                     void *arg)
{
    int n = 0;
    while (*(text += strspn(text, " \t,"))) {
        size_t size = strcspn(text, " \t,");
        int code = word(arg, text, size);
        if (code < 0)
            return code;
        text += size;
        n++;
    }
    return n;
}

static int add_role(void *arg, const char *text, size_t size)
{
    static const struct {
        const char *name;
        enum role role;
    } roles[] = {{"ingest", ROLE_INGEST}, {"serve", ROLE_SERVE}, {"adapt", ROLE_ADAPT}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strlen(roles[i].name) == size && memcmp(roles[i].name, text, size) == 0) {
            *(unsigned *)arg |= roles[i].role;
            return 0;
        }
    return ERR_INVALID;
}

static int parse_roles(const struct conf *conf, const char *text, void *field,
                       struct err_text *error)
{
    (void)conf;
    unsigned roles = 0;
    int n = each_word(text, add_role, &roles);
    if (n <= 0)
        return err_set(error, ERR_INVALID, "no such role");
    if (field)
        *(unsigned *)field = roles;
    return 0;
}

static int check_topic(void *arg, const char *text, size_t size)
{
    (void)arg;
    if (size > LIMIT_TOPIC_BYTES)
        return ERR_INVALID;
    for (size_t i = 0; i < size; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", text[i]))
            return ERR_INVALID;
    return 0;
}

static int parse_topics(const struct conf *conf, const char *text, void *field,
                        struct err_text *error)
{
    (void)conf;
    if (text[0] != '^' && each_word(text, check_topic, NULL) <= 0)
        return err_set(error, ERR_INVALID, "not a list of topics");
    return set_text(text, field);
}

bool conf_is_topic(const char *text)
{
    return !strpbrk(text, " \t,") && each_word(text, check_topic, NULL) >= 0;
}

static int parse_topic_or_none(const struct conf *conf, const char *text, void *field,
                               struct err_text *error)
{
    (void)conf;
    if (!conf_is_topic(text))
        return err_set(error, ERR_INVALID, "not the name of a topic");
    return set_text(text, field);
}

static int parse_duration(const struct conf *conf, const char *text, void *field,
                          struct err_text *error)
{
    (void)conf;
    struct duration duration;
    int64_t us;
    if (civil_parse_duration(text, strlen(text), true, &duration) != 0 ||
        civil_fixed_us(&duration, &us) != 0 || us <= 0)
        return err_set(error, ERR_INVALID, "not a fixed duration above zero");
    if (field)
        *(int64_t *)field = us;
    return 0;
}

static int parse_retention(const struct conf *conf, const char *text, void *field,
                           struct err_text *error)
{
    struct duration duration = {0};
    (void)conf;
    if (strcmp(text, "none") != 0 &&
        (civil_parse_duration(text, strlen(text), false, &duration) != 0 || duration.months < 0 ||
         duration.days < 0 || duration.us < 0 ||
         (duration.months | duration.days | duration.us) == 0))
        return err_set(error, ERR_INVALID, "not a duration above zero");
    if (field)
        *(struct duration *)field = duration;
    return 0;
}

static int parse_window(const struct conf *conf, const char *text, void *field,
                        struct err_text *error)
{
    (void)conf;
    static const struct {
        const char *name;
        enum window_length window;
    } windows[] = {
        {"auto", WINDOW_AUTO}, {"day", WINDOW_DAY}, {"week", WINDOW_WEEK}, {"month", WINDOW_MONTH}};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        if (strcmp(windows[i].name, text) == 0) {
            if (field)
                *(enum window_length *)field = windows[i].window;
            return 0;
        }
    return err_set(error, ERR_INVALID, "no such window");
}

static int parse_size(const struct conf *conf, const char *text, void *field,
                      struct err_text *error)
{
    (void)conf;
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"kB", 1000},
                 {"KB", 1000},
                 {"MB", 1000000},
                 {"GB", 1000000000},
                 {"TB", 1000000000000},
                 {"KiB", 1024},
                 {"MiB", 1 << 20},
                 {"GiB", 1 << 30},
                 {"TiB", INT64_C(1) << 40}};
    size_t n_digits = strspn(text, "0123456789");
    const char *unit = text + n_digits + strspn(text + n_digits, " ");
    int64_t value = 0;
    bool fits = n_digits > 0;
    for (size_t i = 0; i < n_digits && fits; i++)
        fits = !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, text[i] - '0', &value);
    for (size_t i = 0; i < sizeof units / sizeof *units && fits; i++)
        if (strcmp(units[i].name, unit) == 0 &&
            !__builtin_mul_overflow(value, units[i].factor, &value)) {
            if (field)
                *(int64_t *)field = value;
            return 0;
        }
    return err_set(error, ERR_INVALID, "not a size");
}

static int parse_count(const struct conf *conf, const char *text, void *field, struct err_text *error)
{
    int64_t value = 0;
    bool fits = text[0] && !text[strspn(text, "0123456789")];
    (void)conf;
    for (size_t i = 0; fits && text[i]; i++)
        fits = !__builtin_mul_overflow(value, 10, &value) && !__builtin_add_overflow(value, text[i] - '0', &value);
    if (!fits)
        return err_set(error, ERR_INVALID, "not a number");
    if (field)
        *(int64_t *)field = value;
    return 0;
}

static int parse_places(const struct conf *conf, const char *text, void *field, struct err_text *error)
{
    int64_t n = 0;
    if (parse_count(conf, text, &n, NULL) || n < 8 || n > LIMIT_CONNECTIONS)
        return err_set(error, ERR_INVALID, "not such a number");
    if (field)
        *(unsigned *)field = (unsigned)n;
    return 0;
}

static int parse_span(const struct conf *conf, const char *text, void *field, struct err_text *error)
{
    return strcmp(text, "0") == 0 ? parse_count(conf, text, field, error) : parse_duration(conf, text, field, error);
}

static int parse_listen(const struct conf *conf, const char *text, void *field,
                        struct err_text *error)
{
    (void)conf;
    const char *colon = strrchr(text, ':');
    size_t n_digits = colon ? strspn(colon + 1, "0123456789") : 0;
    bool port = n_digits >= 1 && n_digits <= 5 && !colon[1 + n_digits] &&
                strtol(colon + 1, NULL, 10) <= 65535;
    bool bracketed = colon && text[0] == '[' && colon > text + 2 && colon[-1] == ']';
    bool plain = colon && colon > text && !memchr(text, ':', (size_t)(colon - text)) &&
                 !strpbrk(text, "[] \t");
    if (!port || !(bracketed || plain))
        return err_set(error, ERR_INVALID, "not an address with a port");
    return set_text(text, field);
}

static int parse_yes_no(const struct conf *conf, const char *text, void *field,
                        struct err_text *error)
{
    (void)conf, (void)field; /* no field of this type acts yet */
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return err_set(error, ERR_INVALID, "neither yes nor no");
    return 0;
}

/* What follows file: is a path as any other. */
static int parse_vault_key(const struct conf *conf, const char *text, void *field, struct err_text *error)
{
    char *path = NULL, *joined = NULL;
    if (strcmp(text, "passphrase") == 0 || (strncmp(text, "credential:", 11) == 0 && text[11] && !strchr(text, '/')))
        return set_text(text, field);
    if (strncmp(text, "file:", 5) != 0)
        return err_set(error, ERR_INVALID, "no such place for a key");
    int code = parse_path(conf, text + 5, field ? &path : NULL, error);
    if (code == 0 && field)
        code = asprintf(&joined, "file:%s", path) < 0 ? ERR_NOMEM : set_text(joined, field);
    free(joined);
    free(path);
    return code;
}

static int parse_fields(const struct conf *conf, const char *text, void *field, struct err_text *error)
{
    (void)conf;
    if (each_word(text, check_topic, NULL) < 0)
        return err_set(error, ERR_INVALID, "not a list of names");
    return set_text(text, field);
}

static int parse_certificates(const struct conf *conf, const char *text, void *field,
                              struct err_text *error)
{
    (void)conf;
    bool required = strcmp(text, "required") == 0;
    if (!required && strcmp(text, "optional") != 0)
        return err_set(error, ERR_INVALID, "neither required nor optional");
    if (field)
        *(bool *)field = required;
    return 0;
}

static const struct option_type
    type_path = {"a path, from the folder of this file on", parse_path, true},
    type_path_or_none = {"a path, from the folder of this file on, or nothing", parse_path_or_none,
                         true},
    type_roles = {"ingest serve adapt, one or several", parse_roles, false},
    type_topics = {"names of topics, or one regular expression beginning with ^", parse_topics,
                   true},
    type_topic_or_none = {"the name of a topic, or nothing", parse_topic_or_none, true},
    type_duration = {"a fixed ISO 8601 duration above zero such as PT10M, or 90s, 15m, 2h, 7d",
                     parse_duration, false},
    type_retention = {"none, or an ISO 8601 duration such as P30D", parse_retention, false},
    type_window = {"day, week, month or auto", parse_window, false},
    type_size = {"a number of bytes with B, KB, MB, GB, TB or KiB, MiB, GiB, TiB", parse_size,
                 false},
    type_places = {"a number from 8 to 65536", parse_places, false},
    type_count = {"a whole number; 0 for no limit", parse_count, false},
    type_span = {"a fixed ISO 8601 duration such as P31D, or 0 for no limit", parse_span, false},
    type_rate = {"a number of bytes with B, KB, MB, GB, TB or KiB, MiB, GiB, TiB; 0 for no limit", parse_size, false},
    type_listen = {"HOST:PORT such as 127.0.0.1:8443 or [::1]:8443", parse_listen, true},
    type_vault_key = {"file:PATH, credential:NAME or passphrase", parse_vault_key, true},
    type_fields = {"names with blanks or commas between", parse_fields, true},
    type_certificates = {"required or optional", parse_certificates, false},
    type_yes_no = {"yes or no", parse_yes_no, false};

#define ACTS(field) offsetof(struct conf, field), OPTION_ACTS
#define ACTS_FOR_TOPIC(field) offsetof(struct topic_opts, field), OPTION_ACTS
#define LATER 0, OPTION_LATER
#define IDLE 0, OPTION_IDLE

/* man/almanac.conf.5 says the same: tests/unit/test_conf.c compares them. */
const struct option conf_options[] = {
    {"almanac", "data", &type_path, "/var/lib/almanac", "the data directory", ACTS(data)},
    {"almanac", "roles", &type_roles, "ingest serve", "what this process does", ACTS(roles)},
    {"ingest", "topics", &type_topics, "^readings\\.", "topics of normalized readings",
     ACTS(topics)},
    {"ingest", "future_max", &type_duration, "PT1H",
     "a time later than its message by more than this must state issued", ACTS(future_max_us)},
    {"ingest", "raw_topics", &type_topics, "^raw\\.", "topics that role adapt normalizes",
     ACTS(raw_topics)},
    {"ingest", "dead_topic", &type_topic_or_none, "almanac.dead",
     "where refused messages are copied to", ACTS(dead_topic)},
    {"ingest", "assets_topic", &type_topic_or_none, "assets",
     "documents about customers, locations, sensors, series; read whole", ACTS(assets_topic)},
    {"ingest", "optimization_topic", &type_topic_or_none, "optimization",
     "outputs of optimizations, kept as they are", ACTS(optimization_topic)},
    {"ingest", "calendar_topic", &type_topic_or_none, "readings.calendar",
     "where the days of calendars are produced as readings", ACTS(calendar_topic)},
    {"ingest", "subjects_topic", &type_topic_or_none, "subjects",
     "messages about people, sealed to the vault", ACTS(subjects_topic)},
    {"ingest", "ready_lag", &type_duration, "PT1M", "more lag than this is reported as degraded",
     ACTS(ready_lag_us)},
    {"store", "window", &type_window, "auto", "time span of one sealed file", ACTS(window)},
    {"store", "seal_after", &type_duration, "PT10M",
     "a finished window is sealed when nothing has arrived for it this long", ACTS(seal_after_us)},
    {"store", "retention_raw", &type_retention, "none", "how long readings are kept",
     ACTS(retention.raw)},
    {"store", "retention_1s", &type_retention, "none", "how long the 1 s tier is kept",
     ACTS(retention.tier[TIER_1S])},
    {"store", "retention_1m", &type_retention, "none", "how long the 1 min tier is kept",
     ACTS(retention.tier[TIER_1M])},
    {"store", "retention_15m", &type_retention, "none", "how long the 15 min tier is kept",
     ACTS(retention.tier[TIER_15M])},
    {"store", "revisions_keep", &type_duration, "P90D",
     "how long replaced values are kept at least", ACTS(revisions_keep_us)},
    {"store", "erase_within", &type_duration, "P1D", "how soon an erasure reaches the files",
     ACTS(erase_within_us)},
    {"store", "free_min", &type_size, "1GB", "less free disk than this pauses ingest",
     ACTS(free_min_bytes)},
    {"store", "readable", &type_yes_no, "yes", "rows for people in the tier files", LATER},
    {"topic", "window", &type_window, "", "as in [store], for this topic",
     ACTS_FOR_TOPIC(window)},
    {"topic", "retention_raw", &type_retention, "", "as in [store], for this topic",
     ACTS_FOR_TOPIC(retention.raw)},
    {"topic", "retention_1s", &type_retention, "", "as in [store], for this topic",
     ACTS_FOR_TOPIC(retention.tier[TIER_1S])},
    {"topic", "retention_1m", &type_retention, "", "as in [store], for this topic",
     ACTS_FOR_TOPIC(retention.tier[TIER_1M])},
    {"topic", "retention_15m", &type_retention, "", "as in [store], for this topic",
     ACTS_FOR_TOPIC(retention.tier[TIER_15M])},
    {"http", "listen", &type_listen, "127.0.0.1:8443",
     "where HTTPS is served; port 0 takes a free one", ACTS(listen)},
    {"http", "certificate", &type_path, "tls/server.pem", "certificate chain (PEM)",
     ACTS(certificate)},
    {"http", "key", &type_path, "tls/server.key", "its private key (PEM)", ACTS(key)},
    {"http", "client_ca", &type_path_or_none, "",
     "authorities that client certificates are verified by", ACTS(client_ca)},
    {"http", "client_certificates", &type_certificates, "required",
     "whether a client may do without, once client_ca is set", ACTS(client_required)},
    {"http", "client_revoked", &type_path_or_none, "",
     "SHA-256 of keys whose certificates are refused, one a line", ACTS(client_revoked)},
    {"http", "connections", &type_places, "512", "connections that are held at a time",
     ACTS(connections)},
    {"http", "connections_per_address", &type_places, "256", "of these, of one address",
     ACTS(connections_per_address)},
    {"limits", "points", &type_count, "0", "readings and buckets that one request may read", ACTS(quota.points)},
    {"limits", "series", &type_count, "0", "series that one request may read", ACTS(quota.series)},
    {"limits", "span", &type_span, "0", "how long a stretch of time one request may ask for", ACTS(quota.span_us)},
    {"limits", "concurrent", &type_count, "0", "requests of one principal that may run at once", ACTS(limits.concurrent)},
    {"limits", "bytes_per_s", &type_rate, "0", "bytes a second that one principal is answered", ACTS(limits.bytes_per_s)},
    {"adapt", "mappings", &type_path, "mappings/*.json", "the mapping files of role adapt, a pattern", ACTS(mappings)},
    {"vault", "dir", &type_path, "vault", "where the vault's files lie", ACTS(vault_dir)},
    {"vault", "key", &type_vault_key, "file:keys/vault.key", "the key that unlocks the vault's keys", ACTS(vault_key)},
    {"vault", "searchable", &type_fields, "email", "fields of subjects that can be searched for", ACTS(vault_searchable)},
    {"vault", "user", &type_fields, "almanac-vault", "what almanac-vaultd becomes where root starts it", ACTS(vault_user)},
    {"vault", "tombstones", &type_path_or_none, "",
     "a second copy of the list of erased entities, which restore reads", ACTS(tombstones)},
};
const size_t conf_n_options = sizeof conf_options / sizeof *conf_options;

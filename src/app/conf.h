/* The configuration: an INI file read by libinih and checked against one table of options
 * (conf_options.c).
 *
 * Every key has a default; an unknown key or a bad value is an error that names file, line and what
 * is allowed. Section [kafka] passes librdkafka's properties through. Relative paths start at the
 * file's folder. No other module reads the configuration: the programs fill the options of each
 * module from this struct. */
#ifndef APP_CONF_H
#define APP_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/quota.h"
#include "http/limits.h"
#include "ingest/consumer.h"
#include "store/writer.h"

#define CONF_FILE "almanac.conf"

enum role { ROLE_INGEST = 1, ROLE_SERVE = 2, ROLE_ADAPT = 4 };

struct conf {
    char *file; /* as it was named */
    char *base; /* its folder, absolute */

    /* One field an option that acts; the table names their places. */
    char *data;
    unsigned roles; /* enum role */
    char *topics, *dead_topic, *raw_topics, *assets_topic, *optimization_topic, *calendar_topic, *subjects_topic;
    int64_t future_max_us, ready_lag_us;
    enum window_length window;
    struct retention retention;
    int64_t seal_after_us, free_min_bytes, revisions_keep_us, erase_within_us;
    char *listen, *certificate, *key, *client_ca, *client_revoked;
    bool client_required;
    unsigned connections, connections_per_address;
    struct quota_limits quota;
    struct limits_opts limits;
    char *mappings;
    char *vault_dir, *vault_key, *vault_searchable, *vault_user;
    char *tombstones;

    struct topic_opts *per_topic; /* what the sections [topic NAME] say */
    size_t n_per_topic;
    struct kafka_property *kafka; /* what section [kafka] says, by name and value */
    size_t n_kafka;
    char **warnings; /* settings that are accepted and do nothing in this version */
    size_t n_warnings;
};

/* Reads file, then the settings ("section.key=value", which win over the file). ERR_NOTFOUND,
 * ERR_IO, ERR_INVALID, ERR_NOMEM. */
MUST_CHECK int conf_load(const char *file, const char *const *settings, size_t n_settings,
                         struct conf **ret_conf, struct err_text *error);
void conf_free(struct conf *conf);

/* A librdkafka property that was given, or NULL. */
const char *conf_kafka(const struct conf *conf, const char *name);

/* The text of a new configuration file: every option as a comment with its default and help, and
 * the settings as live lines. The settings are not checked: load what was written. ERR_INVALID when
 * one has not the form section.key=value. */
MUST_CHECK int conf_print(const char *const *settings, size_t n_settings, struct buf *out,
                          struct err_text *error);

/* ---- the table ---- */

enum option_state {
    OPTION_ACTS,
    OPTION_LATER, /* checked; anything but the default is refused, since going on without it would
                     break a promise */
    OPTION_IDLE /* checked; has no effect here and earns a warning: it belongs to a program or role
                   of a later version */
};

struct option_type {
    const char *allowed; /* what a value may be, for people */
    /* Checks text and writes the value to field (NULL: only checks). An old text in the field is
     * freed. */
    int (*parse)(const struct conf *conf, const char *text, void *field, struct err_text *error);
    bool text; /* the field is a char * of the conf's */
};

struct option {
    const char *section, *key;
    const struct option_type *type;
    const char *standard; /* the default, as it would stand in the file */
    const char *help;
    size_t at; /* place of the field in struct conf (of section topic: in struct topic_opts); unused
                  unless it acts */
    enum option_state state;
};

/* Whether text is the name of one topic, or empty. */
bool conf_is_topic(const char *text);

extern const struct option conf_options[];
extern const size_t conf_n_options;

#endif

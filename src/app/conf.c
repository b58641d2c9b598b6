#include <config.h>

#include "app/conf.h"

#include <errno.h>
#include <ini.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"

/* libinih's line buffer holds 200 bytes, which a list of brokers passes. Longer lines are handed to
 * it in pieces, the later ones as continuation lines, which call the handler with the same name
 * again. */
#define PIECE_BYTES 150

/* A setting as it was read, before it is checked. */
struct setting {
    char *section, *key, *value;
    size_t line; /* 0: from --set */
};

struct settings {
    struct setting *rows;
    size_t n, cap;
};

struct ini {
    FILE *file;
    const char *path;
    char *line; /* what getline gave, then cut down to what libinih shall see */
    size_t line_cap;
    char *rest;     /* the part of line that libinih has not seen yet, or NULL */
    size_t line_i;  /* from 1 */
    bool continued; /* the piece it has now belongs to the setting before */
    char section[LIMIT_TOPIC_BYTES + 16];
    struct settings *settings;
    int code; /* the first error; nothing is read after it */
    struct err_text *error;
};

static void settings_free(struct settings *settings)
{
    for (size_t i = 0; i < settings->n; i++) {
        free(settings->rows[i].section);
        free(settings->rows[i].key);
        free(settings->rows[i].value);
    }
    free(settings->rows);
}

static int settings_add(struct settings *settings, const char *section, const char *key,
                        const char *value, size_t line)
{
    if (settings->n == settings->cap) {
        size_t cap = settings->cap ? 2 * settings->cap : 32;
        struct setting *rows = reallocarray(settings->rows, cap, sizeof *rows);
        if (!rows)
            return ERR_NOMEM;
        settings->rows = rows;
        settings->cap = cap;
    }
    struct setting *row = &settings->rows[settings->n++];
    *row = (struct setting){strdup(section), strdup(key), strdup(value), line};
    return row->section && row->key && row->value ? 0 : ERR_NOMEM;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* `[NAME]`: checked and kept here, because libinih cuts names off after 49 bytes and says nothing
 * about empty sections. */
static int take_section(struct ini *ini, char *text)
{
    char *end = strchr(text, ']');
    if (!end)
        return err_set(ini->error, ERR_INVALID, "%s:%zu: the section's ] is missing", ini->path,
                       ini->line_i);
    *end = 0;
    const char *name = text + 1;
    bool known = strcmp(name, "kafka") == 0 || (strncmp(name, "topic ", 6) == 0 && name[6]);
    for (size_t i = 0; i < conf_n_options && !known; i++)
        known = strcmp(conf_options[i].section, name) == 0 && strcmp(name, "topic") != 0;
    if (!known)
        return err_set(ini->error, ERR_INVALID,
                       "%s:%zu: unknown section \"%s\"; allowed: almanac, kafka, ingest, store, "
                       "topic NAME, http, limits, adapt, vault",
                       ini->path, ini->line_i, name);
    if (strlen(name) >= sizeof ini->section)
        return err_set(ini->error, ERR_INVALID,
                       "%s:%zu: the section's name is longer than a topic's may be", ini->path,
                       ini->line_i);
    memcpy(ini->section, name, strlen(name) + 1);
    return 0;
}

/* Reads lines until one has a setting in it; 1, 0 at the end of the file, or a code. */
static int next_line(struct ini *ini)
{
    for (;;) {
        if (getline(&ini->line, &ini->line_cap, ini->file) < 0)
            return ferror(ini->file) ? err_set(ini->error, ERR_IO, "cannot read \"%s\": %s",
                                               ini->path, strerror(errno))
                                     : 0;
        ini->line_i++;
        char *text = ini->line;
        if (ini->line_i == 1 && strncmp(text, "\xEF\xBB\xBF", 3) == 0)
            text += 3;
        while (is_blank(*text))
            text++;
        char *end = text + strlen(text);
        while (end > text && is_blank(end[-1]))
            *--end = 0;
        if (!*text || *text == ';' || *text == '#')
            continue;
        if (*text == '[') {
            int code = take_section(ini, text);
            if (code != 0)
                return code;
            continue;
        }
        /* A comment behind a value may be in a later piece than its beginning: it goes here. */
        for (char *at = text + 1; *at; at++)
            if (*at == ';' && is_blank(at[-1])) {
                *at = 0;
                break;
            }
        size_t key_size = strcspn(text, "=:");
        if (key_size == 0 || key_size >= PIECE_BYTES || !text[key_size])
            return err_set(ini->error, ERR_INVALID, "%s:%zu: neither \"key = value\" nor [section]",
                           ini->path, ini->line_i);
        if (!ini->section[0])
            return err_set(ini->error, ERR_INVALID, "%s:%zu: a setting before the first [section]",
                           ini->path, ini->line_i);
        ini->rest = text;
        return 1;
    }
}

/* How much of text goes into one piece: the cut must not lie beside a blank or before a comment
 * sign. */
static size_t piece_size(const char *text)
{
    size_t size = strlen(text);
    if (size <= PIECE_BYTES)
        return size;
    for (size = PIECE_BYTES; size > 1; size--)
        if (!is_blank(text[size - 1]) && !is_blank(text[size]) && !strchr(";#", text[size]))
            break;
    return size;
}

/* ini_reader: like fgets. */
static char *read_piece(char *out, int out_size, void *arg)
{
    struct ini *ini = arg;
    if (ini->code != 0)
        return NULL;
    if (!ini->rest) {
        ini->continued = false;
        int code = next_line(ini);
        if (code <= 0) {
            ini->code = code;
            return NULL;
        }
    }
    size_t size = piece_size(ini->rest);
    if (size + 3 > (size_t)out_size) /* a libinih built with a still smaller buffer */
        size = (size_t)out_size - 3;
    snprintf(out, (size_t)out_size, "%s%.*s\n", ini->continued ? "\t" : "", (int)size, ini->rest);
    ini->rest = ini->rest[size] ? ini->rest + size : NULL;
    return out;
}

/* ini_handler: 1 is success. */
static int take_piece(void *arg, const char *section, const char *key, const char *value)
{
    struct ini *ini = arg;
    (void)section; /* our own is not cut off */
    int code = 0;
    if (ini->continued) {
        struct setting *last = &ini->settings->rows[ini->settings->n - 1];
        size_t size = strlen(last->value);
        char *longer = realloc(last->value, size + strlen(value) + 1);
        if (longer) {
            memcpy(longer + size, value, strlen(value) + 1);
            last->value = longer;
        } else {
            code = ERR_NOMEM;
        }
    } else {
        code = settings_add(ini->settings, ini->section, key, value, ini->line_i);
    }
    ini->continued = true; /* until the next line begins */
    if (ini->code == 0)
        ini->code = code;
    return 1;
}

static int read_file(const char *path, struct settings *settings, struct err_text *error)
{
    struct ini ini = {.path = path, .settings = settings, .error = error};
    ini.file = fopen(path, "re");
    if (!ini.file)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
                       "cannot read the configuration \"%s\": %s", path, strerror(errno));
    ini_parse_stream(read_piece, &ini, take_piece, &ini);
    fclose(ini.file);
    free(ini.line);
    return ini.code;
}

/* "section.key=value"; in `topic NAME.key` the name has dots itself, in `kafka.` the key has. */
static int split_setting(const char *text, struct settings *settings, struct err_text *error)
{
    const char *equals = strchr(text, '=');
    char *left = equals ? strndup(text, (size_t)(equals - text)) : NULL;
    if (equals && !left)
        return ERR_NOMEM;
    char *dot = !left                             ? NULL
                : strncmp(left, "topic ", 6) == 0 ? strrchr(left, '.')
                                                  : strchr(left, '.');
    int code;
    if (!dot || dot == left || !dot[1]) {
        code = err_set(error, ERR_INVALID, "--set \"%s\": not of the form section.key=value", text);
    } else {
        *dot = 0;
        code = settings_add(settings, left, dot + 1, equals + 1, 0);
    }
    free(left);
    return code;
}

/* Where a setting came from, for messages: `almanac.conf:12` or `--set store.window`. */
static const char *origin(const struct conf *conf, const struct setting *setting,
                          char out[static 400])
{
    if (setting->line)
        snprintf(out, 400, "%s:%zu", conf->file, setting->line);
    else
        snprintf(out, 400, "--set %s.%s", setting->section, setting->key);
    return out;
}

static int add_warning(struct conf *conf, const char *where, const struct option *option)
{
    char **warnings = reallocarray(conf->warnings, conf->n_warnings + 1, sizeof *warnings);
    if (!warnings)
        return ERR_NOMEM;
    conf->warnings = warnings;
    char *text;
    if (asprintf(&text, "%s: \"%s\" has no effect in this version (%s)", where, option->key,
                 option->help) < 0)
        return ERR_NOMEM;
    conf->warnings[conf->n_warnings++] = text;
    return 0;
}

static int set_kafka(struct conf *conf, const struct setting *setting, struct err_text *error)
{
    struct kafka_property property = {setting->key, setting->value};
    struct err_text why = {0};
    char where[400];
    if (consumer_check(&property, 1, &why) != 0)
        return err_set(error, ERR_INVALID, "%s: %s", origin(conf, setting, where), why.text);
    char *value = strdup(setting->value);
    if (!value)
        return ERR_NOMEM;
    for (size_t i = 0; i < conf->n_kafka; i++)
        if (strcmp(conf->kafka[i].name, setting->key) == 0) {
            free((char *)conf->kafka[i].value);
            conf->kafka[i].value = value;
            return 0;
        }
    struct kafka_property *rows = reallocarray(conf->kafka, conf->n_kafka + 1, sizeof *rows);
    char *name = strdup(setting->key);
    if (rows)
        conf->kafka = rows;
    if (!rows || !name) {
        free(name);
        free(value);
        return ERR_NOMEM;
    }
    conf->kafka[conf->n_kafka++] = (struct kafka_property){name, value};
    return 0;
}

/* `window, seal_after, ...`: what a section may hold. */
static const char *keys_of(const char *section, char out[static 300])
{
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < conf_n_options && n < 300; i++)
        if (strcmp(conf_options[i].section, section) == 0)
            n += (size_t)snprintf(out + n, 300 - n, "%s%s", n ? ", " : "", conf_options[i].key);
    return out;
}

/* The row of a topic; a new one begins with what [store] says. NULL without memory. */
static struct topic_opts *topic_row(struct conf *conf, const char *topic)
{
    for (size_t i = 0; i < conf->n_per_topic; i++)
        if (strcmp(conf->per_topic[i].topic, topic) == 0)
            return &conf->per_topic[i];
    struct topic_opts *rows = reallocarray(conf->per_topic, conf->n_per_topic + 1, sizeof *rows);
    char *copy = strdup(topic);
    if (rows)
        conf->per_topic = rows;
    if (!rows || !copy) {
        free(copy);
        return NULL;
    }
    rows[conf->n_per_topic] = (struct topic_opts){copy, conf->window, conf->retention};
    return &rows[conf->n_per_topic++];
}

static bool is_topic(const struct setting *setting)
{
    return strncmp(setting->section, "topic ", 6) == 0;
}

static int set_option(struct conf *conf, const struct setting *setting, struct err_text *error)
{
    char where[400], keys[300];
    bool topic = is_topic(setting);
    const char *section = topic ? "topic" : setting->section;
    const struct option *option = NULL;
    for (size_t i = 0; i < conf_n_options && !option; i++)
        if (strcmp(conf_options[i].section, section) == 0 &&
            strcmp(conf_options[i].key, setting->key) == 0)
            option = &conf_options[i];
    origin(conf, setting, where);
    if (!option)
        return err_set(error, ERR_INVALID, "%s: unknown key \"%s\" in section \"%s\"; allowed: %s",
                       where, setting->key, section,
                       *keys_of(section, keys)
                           ? keys
                           : "sections almanac, kafka, ingest, store, topic NAME, http, limits, adapt, vault");
    struct err_text why = {0};
    bool acts = option->state == OPTION_ACTS;
    if (topic && !conf_is_topic(setting->section + 6))
        return err_set(error, ERR_INVALID,
                       "%s: \"%.80s\" is not the name of a topic (no expressions or lists here)", where,
                       setting->section + 6);
    char *fields = topic ? (char *)topic_row(conf, setting->section + 6) : (char *)conf;
    if (!fields)
        return ERR_NOMEM;
    int code = option->type->parse(conf, setting->value, acts ? fields + option->at : NULL, &why);
    if (code == ERR_NOMEM)
        return code;
    if (code != 0)
        return err_set(error, ERR_INVALID, "%s: bad value \"%.80s\" for \"%s\" (%s); allowed: %s",
                       where, setting->value, setting->key, why.text, option->type->allowed);
    if (option->state == OPTION_LATER && strcmp(setting->value, option->standard) != 0)
        return err_set(error, ERR_INVALID, "%s: \"%s = %.80s\" is not in this version; %s%s", where,
                       setting->key, setting->value,
                       option->standard[0] ? "allowed: " : "leave the key out", option->standard);
    return option->state == OPTION_IDLE ? add_warning(conf, where, option) : 0;
}

/* In one file, a key stands once in a section: the second would win silently. */
static int check_repeats(const struct conf *conf, const struct settings *settings,
                         struct err_text *error)
{
    char where[400];
    for (size_t i = 0; i < settings->n; i++)
        for (size_t k = 0; k < i && settings->rows[i].line; k++)
            if (strcmp(settings->rows[i].section, settings->rows[k].section) == 0 &&
                strcmp(settings->rows[i].key, settings->rows[k].key) == 0)
                return err_set(error, ERR_INVALID,
                               "%s: \"%s\" was set before, in line %zu; remove one of them",
                               origin(conf, &settings->rows[i], where), settings->rows[i].key,
                               settings->rows[k].line);
    return 0;
}

/* Whether the option has a field in struct conf. */
static bool has_field(const struct option *option)
{
    return option->state == OPTION_ACTS && strcmp(option->section, "topic") != 0;
}

static int apply(struct conf *conf, const struct settings *settings, struct err_text *error)
{
    int code = check_repeats(conf, settings, error);
    for (size_t i = 0; i < conf_n_options && code == 0; i++)
        if (has_field(&conf_options[i]))
            code = conf_options[i].type->parse(conf, conf_options[i].standard,
                                               (char *)conf + conf_options[i].at, error);
    /* topics last: they begin with what [store] says */
    for (size_t i = 0; i < 2 * settings->n && code == 0; i++) {
        const struct setting *setting = &settings->rows[i % settings->n];
        if (is_topic(setting) == (i >= settings->n))
            code = strcmp(setting->section, "kafka") == 0 ? set_kafka(conf, setting, error)
                                                          : set_option(conf, setting, error);
    }
    return code;
}

/* The absolute folder of a file that may be named relatively. */
static char *folder_of(const char *file)
{
    char *copy = strdup(file);
    char *folder = copy ? realpath(dirname(copy), NULL) : NULL;
    free(copy);
    return folder;
}

int conf_load(const char *file, const char *const *texts, size_t n_texts, struct conf **ret_conf,
              struct err_text *error)
{
    struct settings settings = {0};
    struct conf *conf = calloc(1, sizeof *conf);
    int code = conf && (conf->file = strdup(file)) ? 0 : ERR_NOMEM;
    if (code == 0)
        code = read_file(file, &settings, error);
    for (size_t i = 0; i < n_texts && code == 0; i++)
        code = split_setting(texts[i], &settings, error);
    if (code == 0 && !(conf->base = folder_of(file)))
        code = ERR_NOMEM;
    if (code == 0)
        code = apply(conf, &settings, error);
    settings_free(&settings);
    if (code != 0) {
        conf_free(conf);
        return code;
    }
    *ret_conf = conf;
    return 0;
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    for (size_t i = 0; i < conf_n_options; i++)
        if (has_field(&conf_options[i]) && conf_options[i].type->text)
            free(*(char **)((char *)conf + conf_options[i].at));
    for (size_t i = 0; i < conf->n_per_topic; i++)
        free(conf->per_topic[i].topic);
    free(conf->per_topic);
    for (size_t i = 0; i < conf->n_kafka; i++) {
        free((char *)conf->kafka[i].name);
        free((char *)conf->kafka[i].value);
    }
    for (size_t i = 0; i < conf->n_warnings; i++)
        free(conf->warnings[i]);
    free(conf->kafka);
    free(conf->warnings);
    free(conf->file);
    free(conf->base);
    free(conf);
}

const char *conf_kafka(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->n_kafka; i++)
        if (strcmp(conf->kafka[i].name, name) == 0)
            return conf->kafka[i].value;
    return NULL;
}

/* The live lines of one section, later settings of a key winning. */
static void print_live(const struct settings *settings, const char *section, struct buf *out)
{
    for (size_t i = 0; i < settings->n; i++) {
        const struct setting *row = &settings->rows[i];
        bool replaced = strcmp(row->section, section) != 0;
        for (size_t k = i + 1; k < settings->n && !replaced; k++)
            replaced = strcmp(settings->rows[k].section, section) == 0 &&
                       strcmp(settings->rows[k].key, row->key) == 0;
        if (!replaced)
            buf_printf(out, "%s = %s\n", row->key, row->value);
    }
}

static void print_comments(const char *section, struct buf *out)
{
    for (size_t i = 0; i < conf_n_options; i++) {
        const struct option *option = &conf_options[i];
        if (strcmp(option->section, section) == 0 && option->state == OPTION_ACTS)
            buf_printf(out, "; %s = %s\n;     %s: %s\n", option->key, option->standard,
                       option->help, option->type->allowed);
    }
}

static void print_topics(const struct settings *settings, struct buf *out)
{
    for (size_t i = 0; i < settings->n; i++) {
        bool seen = strncmp(settings->rows[i].section, "topic ", 6) != 0;
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(settings->rows[k].section, settings->rows[i].section) == 0;
        if (!seen) {
            buf_printf(out, "\n[%s]\n", settings->rows[i].section);
            print_live(settings, settings->rows[i].section, out);
        }
    }
}

int conf_print(const char *const *texts, size_t n_texts, struct buf *out, struct err_text *error)
{
    static const char *const sections[] = {"almanac", "kafka", "ingest", "store", "http", "limits", "adapt", "vault"};
    struct settings settings = {0};
    int code = 0;
    for (size_t i = 0; i < n_texts && code == 0; i++)
        code = split_setting(texts[i], &settings, error);
    buf_puts(out, "; Almanac's configuration: almanac.conf(5). A line behind ; shows a default.\n"
                  "; `almanacd -c FILE --check` says whether it is right.\n");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        buf_printf(out, "\n[%s]\n", sections[i]);
        if (strcmp(sections[i], "kafka") == 0)
            buf_puts(out, "; every property of librdkafka by its own name; without brokers an "
                          "embedded one is started, for\n"
                          "; first steps: its address is in run/broker\n; bootstrap.servers = "
                          "kafka-1:9093,kafka-2:9093\n"
                          "; group.id = almanac\n");
        print_comments(sections[i], out);
        print_live(&settings, sections[i], out);
    }
    print_topics(&settings, out);
    settings_free(&settings);
    return code != 0 ? code : out->failed ? ERR_NOMEM : 0;
}

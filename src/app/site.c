#include <config.h>

#include "app/site.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/tls.h"
#include "app/vault_site.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/writer.h"

#define DEFAULT_DIR "/var/lib/almanac"

size_t site_settings(const struct args *args, const char *ret_settings[static ARGS_MAX])
{
    size_t n = 0, position = 0;
    while ((ret_settings[n] = args_each(args, "set", &position)) != NULL)
        if (++n == ARGS_MAX)
            break;
    return n;
}

int site_conf_path(const char *dir, char *out, size_t size, struct err_text *error)
{
    if (!dir)
        dir = getenv("ALMANAC_DIR");
    if (!dir || !dir[0])
        dir = access(CONF_FILE, F_OK) == 0 ? "." : DEFAULT_DIR;
    int n = snprintf(out, size, "%s/" CONF_FILE, dir);
    if (n < 0 || (size_t)n >= size)
        return err_set(error, ERR_INVALID,
                       "the name of the data directory is longer than %zu bytes", size);
    return 0;
}

int site_conf(const struct args *args, struct conf **ret_conf, struct err_text *error)
{
    const char *settings[ARGS_MAX];
    char path[PATH_MAX];
    size_t n = site_settings(args, settings);
    int code = site_conf_path(args_get(args, "dir"), path, sizeof path, error);
    if (code == 0)
        code = conf_load(path, settings, n, ret_conf, error);
    if (code == ERR_NOTFOUND)
        return err_set(error, code,
                       "\"%s\" is not there: name the data directory with --dir, or make one with "
                       "`almanac init DIR`",
                       path);
    return code;
}

int site_write_file(const char *path, mode_t mode, const void *data, size_t size,
                    struct err_text *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set(error, errno == EEXIST ? ERR_EXISTS : ERR_IO, "cannot make \"%s\": %s", path,
                       strerror(errno));
    const char *at = data;
    bool good = true;
    while (good && size > 0) {
        ssize_t n = write(fd, at, size);
        good = n > 0 || (n < 0 && errno == EINTR);
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    good = good && fsync(fd) == 0;
    int why = errno;
    good = close(fd) == 0 && good;
    if (good)
        return 0;
    unlink(path);
    return err_set(error, why == ENOSPC ? ERR_FULL : ERR_IO, "cannot write \"%s\": %s", path,
                   strerror(why));
}

/* What a data directory is made of; none of it may be there when one is made. */
static const char *const parts[] = {
    CONF_FILE, CONF_FILE ".new", "catalog.db", "store", "auth.db", "tls", "vault", "keys", "run", "lock"};

static int check_empty(const char *dir, struct err_text *error)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, parts[i]) >= (int)sizeof path)
            return err_set(error, ERR_INVALID, "the name of the data directory is too long");
        if (access(path, F_OK) == 0)
            return err_set(error, ERR_EXISTS,
                           "\"%s\" is there already: choose another folder, or remove it first",
                           path);
    }
    return 0;
}

/* Writes almanac.conf. It is first written without the settings and loaded with them, so that a bad
 * one is reported as the
 * --set it was and not as a line of a file. */
static int write_conf(const char *dir, const char *const *settings, size_t n_settings,
                      struct conf **ret_conf, struct err_text *error)
{
    static const char here[] = "almanac.data=.";
    const char *all[ARGS_MAX + 1] = {here};
    char path[PATH_MAX], new_path[PATH_MAX + 8];
    struct buf text = {0};
    struct conf *conf = NULL;
    if (n_settings > ARGS_MAX)
        return err_set(error, ERR_LIMIT, "more than %d settings", ARGS_MAX);
    for (size_t i = 0; i < n_settings; i++)
        all[i + 1] = settings[i];
    snprintf(path, sizeof path, "%s/" CONF_FILE, dir);
    snprintf(new_path, sizeof new_path, "%s.new", path);
    int code = conf_print(all, 1, &text, error);
    if (code == 0)
        code = site_write_file(path, 0640, text.data, text.n, error);
    if (code == 0)
        code = conf_load(path, settings, n_settings, &conf, error);
    conf_free(conf);
    buf_clear(&text);
    if (code == 0)
        code = conf_print(all, n_settings + 1, &text, error);
    if (code == 0)
        code = site_write_file(new_path, 0640, text.data, text.n, error);
    if (code == 0 && rename(new_path, path) != 0)
        code = err_set(error, ERR_IO, "cannot write \"%s\": %s", path, strerror(errno));
    if (code == 0)
        code = conf_load(path, NULL, 0, ret_conf, error);
    buf_free(&text);
    return code;
}

static int make_folder(const char *path, struct err_text *error)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return 0;
    return err_set(error, ERR_IO, "cannot make the folder \"%s\": %s", path, strerror(errno));
}

int site_make_certificate(const struct conf *conf, struct err_text *error)
{
    if (access(conf->certificate, F_OK) == 0 && access(conf->key, F_OK) == 0)
        return 0; /* settings named a pair that is there */
    char *copy = strdup(conf->certificate), *key_copy = strdup(conf->key);
    int code = copy && key_copy ? make_folder(dirname(copy), error) : ERR_NOMEM;
    if (code == 0)
        code = make_folder(dirname(key_copy), error);
    free(copy);
    free(key_copy);
    return code == 0 ? tls_create(conf->listen, conf->certificate, conf->key, error) : code;
}

static int make_token(const struct conf *conf, char ret_token[static TOKEN_TEXT_MAX],
                      struct err_text *error)
{
    struct access *tokens = NULL;
    int code = access_create(conf->data, error);
    if (code == 0)
        code = access_open(conf->data, &tokens, error);
    if (code == 0)
        code = access_token_create(tokens, "admin", "admin", ret_token, error);
    access_close(tokens);
    return code;
}

int site_create(const char *dir, const char *const *settings, size_t n_settings,
                char ret_token[static TOKEN_TEXT_MAX], struct err_text *error)
{
    struct conf *conf = NULL;
    int code = hash_init();
    if (code == 0)
        code = check_empty(dir, error);
    if (code != 0)
        return code;
    bool made = mkdir(dir, 0755) == 0;
    if (!made && errno != EEXIST)
        return err_set(error, ERR_IO, "cannot make the folder \"%s\": %s", dir, strerror(errno));
    code = write_conf(dir, settings, n_settings, &conf, error);
    if (code == 0)
        code = make_folder(conf->data, error);
    if (code == 0)
        code = site_make_certificate(conf, error);
    if (code == 0)
        code = vault_site_create(conf, error);
    if (code == 0)
        code = store_create(conf->data, error);
    if (code == 0)
        code = make_token(conf, ret_token, error);
    conf_free(conf);
    if (code != 0) {
        char path[PATH_MAX];
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            if (snprintf(path, sizeof path, "%s/%s", dir, parts[i]) < (int)sizeof path)
                files_remove_tree(path);
        if (made)
            rmdir(dir);
    }
    return code;
}

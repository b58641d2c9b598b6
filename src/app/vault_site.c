#include <config.h>

#include "app/vault_site.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "vault/keeper.h"

static int make_folder(const char *path, mode_t mode, struct err_text *error)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    return err_set(error, ERR_IO, "cannot make the folder \"%s\": %s", path, strerror(errno));
}

static int make_key_folder(const struct conf *conf, struct err_text *error)
{
    if (strncmp(conf->vault_key, "file:", 5) != 0)
        return 0;
    char *copy = strdup(conf->vault_key + 5);
    int code = copy ? make_folder(dirname(copy), 0700, error) : ERR_NOMEM;
    free(copy);
    return code;
}

/* The user that the process becomes owns what it opens; others may look up what is public. */
static int give_away(const struct conf *conf, struct err_text *error)
{
    static const char *const names[] = {"", "vault.db", "keys.db", "audit.db", "epoch.1", "public.key", "audit.pub"};
    struct passwd *who = geteuid() == 0 ? getpwnam(conf->vault_user) : NULL;
    char path[PATH_MAX];
    bool good = true;
    if (!who)
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", conf->vault_dir, names[i]);
        good = good && chown(path, who->pw_uid, who->pw_gid) == 0;
    }
    good = good && chmod(conf->vault_dir, 0711) == 0;
    if (strncmp(conf->vault_key, "file:", 5) == 0) {
        snprintf(path, sizeof path, "%s", conf->vault_key + 5);
        good =
            good && chown(path, who->pw_uid, who->pw_gid) == 0 && chown(dirname(path), who->pw_uid, who->pw_gid) == 0;
    }
    return good ? 0
                : err_set(error, ERR_IO, "the vault cannot be given to the user \"%s\": %s", conf->vault_user,
                          strerror(errno));
}

int vault_site_create(const struct conf *conf, struct err_text *error)
{
    char passphrase[VAULT_SITE_PASSPHRASE_MAX];
    bool asks = strcmp(conf->vault_key, "passphrase") == 0;
    struct keeper_opts opts = {.folder = conf->vault_dir, .key = conf->vault_key, .searchable = conf->vault_searchable};
    int code = asks ? vault_site_passphrase(passphrase, error) : 0;
    if (code == 0)
        code = make_folder(conf->vault_dir, 0700, error);
    if (code == 0)
        code = make_key_folder(conf, error);
    mode_t before = umask(077);
    if (code == 0)
        code = keeper_create(&opts, asks ? passphrase : NULL, error);
    umask(before);
    explicit_bzero(passphrase, sizeof passphrase);
    return code == 0 ? give_away(conf, error) : code;
}

int vault_site_open(const struct conf *conf, const char *role, struct vault **ret_vault, struct err_text *error)
{
    struct vault_opts opts = {.dir = conf->data,
                              .folder = conf->vault_dir,
                              .role = role,
                              .key = conf->vault_key,
                              .searchable = conf->vault_searchable,
                              .user = conf->vault_user};
    return vault_open(&opts, ret_vault, error);
}

int vault_site_passphrase(char ret_text[static VAULT_SITE_PASSPHRASE_MAX], struct err_text *error)
{
    const char *path = getenv("ALMANAC_PASSPHRASE_FILE");
    FILE *file = path ? fopen(path, "re") : stdin;
    struct termios shown, hidden;
    if (!file)
        return err_set(error, ERR_IO, "\"%s\" cannot be read: %s", path, strerror(errno));
    bool is_terminal = !path && tcgetattr(STDIN_FILENO, &shown) == 0;
    if (is_terminal) {
        hidden = shown;
        hidden.c_lflag &= (tcflag_t)~ECHO;
        tcsetattr(STDIN_FILENO, TCSANOW, &hidden);
        fputs("passphrase of the vault: ", stderr);
    }
    bool good = fgets(ret_text, VAULT_SITE_PASSPHRASE_MAX, file) != NULL;
    if (is_terminal) {
        tcsetattr(STDIN_FILENO, TCSANOW, &shown);
        fputc('\n', stderr);
    }
    if (path)
        fclose(file);
    size_t n = good ? strlen(ret_text) : 0;
    if (n > 0 && ret_text[n - 1] == '\n')
        ret_text[--n] = 0;
    return n > 0 && n < VAULT_SITE_PASSPHRASE_MAX - 1
               ? 0
               : err_set(error, ERR_INVALID, "no passphrase was given, or too long a one");
}

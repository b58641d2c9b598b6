#include <config.h>

#include "app/vault_site.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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

/* Of a vault, in the order in which they are made: where the last one is, nothing was broken off. */
static const char *const files[] = {"vault.db", "audit.db", "keys.db", "epoch.1", "audit.pub", "public.key"};
#define N_FILES (sizeof files / sizeof *files)

/* The user that the process becomes owns what it opens, else the one whose data directory it is. False: nothing has to be
 * given. */
static bool find_owner(const struct conf *conf, uid_t *ret_uid, gid_t *ret_gid)
{
    const struct passwd *user = getpwnam(conf->vault_user);
    struct stat owner;
    if (geteuid() != 0 || (!user && stat(conf->data, &owner) != 0))
        return false;
    *ret_uid = user ? user->pw_uid : owner.st_uid;
    *ret_gid = user ? user->pw_gid : owner.st_gid;
    return true;
}

static int fail_to_give(const struct conf *conf, struct err_text *error)
{
    return err_set(error, ERR_IO, "the vault cannot be given to the user \"%s\" or the owner of \"%s\": %s", conf->vault_user,
                   conf->data, strerror(errno));
}

int vault_site_give_key(const struct conf *conf, struct err_text *error)
{
    char path[PATH_MAX];
    uid_t uid;
    gid_t gid;
    if (strncmp(conf->vault_key, "file:", 5) != 0 || !find_owner(conf, &uid, &gid))
        return 0;
    snprintf(path, sizeof path, "%s", conf->vault_key + 5);
    return chown(path, uid, gid) == 0 ? 0 : fail_to_give(conf, error);
}

/* Others may look up what is public. */
static int give_away(const struct conf *conf, struct err_text *error)
{
    char path[PATH_MAX];
    uid_t uid;
    gid_t gid;
    if (!find_owner(conf, &uid, &gid))
        return 0;
    bool good = chown(conf->vault_dir, uid, gid) == 0;
    for (size_t i = 0; i < N_FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", conf->vault_dir, files[i]);
        good = good && chown(path, uid, gid) == 0;
    }
    good = good && chmod(conf->vault_dir, 0711) == 0;
    if (strncmp(conf->vault_key, "file:", 5) == 0) {
        snprintf(path, sizeof path, "%s", conf->vault_key + 5);
        good = good && chown(dirname(path), uid, gid) == 0;
    }
    return good ? vault_site_give_key(conf, error) : fail_to_give(conf, error);
}

static int check_none(const struct conf *conf, struct err_text *error)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < N_FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", conf->vault_dir, files[N_FILES - 1 - i]);
        if (access(path, F_OK) != 0)
            continue;
        return err_set(error, ERR_EXISTS,
                       i == 0 ? "\"%s\" is there already, and what was sealed to it only its own vault opens: where that "
                                "is lost, put its backups back (docs/VAULT.md, \"When files are lost\")"
                              : "\"%s\" is there, of a vault that lost public.key or was never made to its end: put "
                                "the file back, or remove the folder where nothing has been in it",
                       path);
    }
    return 0;
}

static void take_back(const struct conf *conf, bool has_key)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < N_FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", conf->vault_dir, files[i]);
        unlink(path);
    }
    if (!has_key && strncmp(conf->vault_key, "file:", 5) == 0)
        unlink(conf->vault_key + 5);
}

static int create(const struct conf *conf, const char *passphrase, struct err_text *error)
{
    struct keeper_opts opts = {.folder = conf->vault_dir, .key = conf->vault_key, .searchable = conf->vault_searchable};
    bool has_key = strncmp(conf->vault_key, "file:", 5) != 0 || access(conf->vault_key + 5, F_OK) == 0;
    mode_t before = umask(077);
    int code = keeper_create(&opts, passphrase, error);
    umask(before);
    if (code == 0)
        code = give_away(conf, error);
    if (code != 0)
        take_back(conf, has_key);
    return code;
}

int vault_site_create(const struct conf *conf, struct err_text *error)
{
    char passphrase[VAULT_SITE_PASSPHRASE_MAX];
    bool asks = strcmp(conf->vault_key, "passphrase") == 0;
    int lock, code = vault_site_hold(conf, &lock, error);
    if (code != 0)
        return code;
    code = check_none(conf, error);
    if (code == 0 && asks)
        code = vault_site_new_passphrase(passphrase, error);
    if (code == 0)
        code = make_folder(conf->vault_dir, 0700, error);
    if (code == 0)
        code = make_key_folder(conf, error);
    if (code == 0)
        code = create(conf, asks ? passphrase : NULL, error);
    explicit_bzero(passphrase, sizeof passphrase);
    close(lock);
    return code;
}

/* What root made here the daemon has to open. */
static void give_run(const struct conf *conf, int lock)
{
    char path[PATH_MAX];
    struct stat owner;
    snprintf(path, sizeof path, "%s/run", conf->data);
    if (geteuid() == 0 && stat(conf->data, &owner) == 0 && (fchown(lock, owner.st_uid, owner.st_gid) != 0 ||
                                                            chown(path, owner.st_uid, owner.st_gid) != 0))
        errno = 0; /* it will say so itself */
}

int vault_site_hold(const struct conf *conf, int *ret_lock, struct err_text *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/run", conf->data);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/run/vault.lock", conf->data);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        give_run(conf, fd);
        *ret_lock = fd;
        return 0;
    }
    int why = errno;
    if (fd >= 0)
        close(fd);
    return err_set(error, why == EWOULDBLOCK ? ERR_BUSY : ERR_IO,
                   why == EWOULDBLOCK ? "the vault is in use (\"%s\"): stop almanacd first" : "\"%s\" cannot be locked: %s", path,
                   strerror(why));
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

int vault_site_new_passphrase(char ret_text[static VAULT_SITE_PASSPHRASE_MAX], struct err_text *error)
{
    char again[VAULT_SITE_PASSPHRASE_MAX];
    int code = vault_site_passphrase(ret_text, error);
    if (code != 0 || getenv("ALMANAC_PASSPHRASE_FILE") || !isatty(STDIN_FILENO))
        return code;
    fputs("once more, the ", stderr);
    code = vault_site_passphrase(again, error);
    if (code == 0 && strcmp(again, ret_text) != 0)
        code = err_set(error, ERR_INVALID, "the two passphrases differ: nothing was changed");
    explicit_bzero(again, sizeof again);
    return code;
}

int vault_site_ask(const struct conf *conf, json_t *question, json_t **ret_answer, struct err_text *error)
{
    struct vault *vault = NULL;
    int code = vault_site_open(conf, "almanac vault", &vault, error);
    if (code == 0)
        code = vault_ask(vault, question, ret_answer, error);
    else
        json_decref(question);
    vault_close(vault);
    return code;
}

const char *vault_site_operator(char out[static VAULT_SITE_OPERATOR_MAX])
{
    snprintf(out, VAULT_SITE_OPERATOR_MAX, "uid %u", (unsigned)getuid());
    return out;
}

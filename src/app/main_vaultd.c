/* almanac-vaultd: the process that holds the keys of personal data. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/args.h"
#include "common/err.h"
#include "common/hash.h"
#include "common/log.h"
#include "vault/guard.h"
#include "vault/keeper.h"
#include "vault/server.h"

#define READY_FD 3 /* of --started: "ok" or the failure is written there */
#define LOCK_FD 4  /* and this is run/vault.lock, locked */
#define BACKLOG 64
#define DEFAULT_USER "almanac-vault"

struct vaultd {
    const struct args *args;
    char run[PATH_MAX], folder[PATH_MAX], key[PATH_MAX + 16];
    int lock_fd, run_fd, listen_fd, signal_fd, ready_fd;
    bool became;
    struct server_opts server;
};

static int fill_paths(struct vaultd *v, struct err_text *error)
{
    const char *dir = args_get(v->args, "dir"), *folder = args_get(v->args, "vault"), *key = args_get(v->args, "key");
    if (!dir)
        return err_set(error, ERR_INVALID, "--dir DIR names the data directory");
    if (snprintf(v->run, sizeof v->run, "%s/run", dir) >= (int)sizeof v->run ||
        snprintf(v->folder, sizeof v->folder, "%s%s", folder ? folder : dir, folder ? "" : "/vault") >=
            (int)sizeof v->folder ||
        snprintf(v->key, sizeof v->key, "%s%s", key ? key : "file:", key ? "" : dir) >= (int)sizeof v->key ||
        (!key && strlen(v->key) + 16 >= sizeof v->key))
        return err_set(error, ERR_INVALID, "the name of the data directory is too long");
    if (!key)
        strncpy(v->key + strlen(v->key), "/keys/vault.key", 16);
    return 0;
}

static int take_lock(struct vaultd *v, struct err_text *error)
{
    if ((mkdir(v->run, 0755) != 0 && errno != EEXIST) ||
        (v->run_fd = open(v->run, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
        return err_set(error, ERR_IO, "the folder \"%s\" cannot be used: %s", v->run, strerror(errno));
    if (args_has(v->args, "started")) {
        v->lock_fd = LOCK_FD;
        fcntl(LOCK_FD, F_SETFD, FD_CLOEXEC);
        return 0;
    }
    v->lock_fd = openat(v->run_fd, "vault.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (v->lock_fd < 0 || flock(v->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return err_set(error, errno == EWOULDBLOCK ? ERR_BUSY : ERR_IO, "\"%s/vault.lock\" cannot be locked: %s",
                       v->run, errno == EWOULDBLOCK ? "the vault's process is running already" : strerror(errno));
    return 0;
}

/* Whoever holds the lock may take away what a killed process left. */
static int bind_socket(struct vaultd *v, struct err_text *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat run;
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/vault.sock", v->run_fd);
    unlinkat(v->run_fd, "vault.sock", 0);
    v->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (v->listen_fd < 0 || bind(v->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        fstat(v->run_fd, &run) != 0 ||
        fchmodat(v->run_fd, "vault.sock", run.st_uid == getuid() || getuid() == 0 ? 0600 : 0660, 0) != 0)
        return err_set(error, ERR_IO, "the socket \"%s/vault.sock\" cannot be made: %s", v->run, strerror(errno));
    v->server.users[v->server.n_users++] = getuid();
    v->server.users[v->server.n_users++] = run.st_uid;
    return 0;
}

/* With a user of its own the group of run/ may connect, too; peers are checked by their user. */
static int leave_root(struct vaultd *v, struct err_text *error)
{
    const char *user = args_get(v->args, "user");
    struct stat run;
    if (getuid() == 0 && fstat(v->run_fd, &run) == 0 &&
        (fchmodat(v->run_fd, "vault.sock", 0660, 0) != 0 ||
         fchownat(v->run_fd, "vault.sock", run.st_uid, run.st_gid, 0) != 0))
        return err_set(error, ERR_IO, "the rights of \"%s/vault.sock\" cannot be set: %s", v->run, strerror(errno));
    int code = guard_become(user ? user : DEFAULT_USER, &v->became, error);
    if (code == 0 && getuid() == 0)
        log_event(LOG_WARNING, "vault_is_root", "user=\"%s\" why=\"there is no such user\"",
                  user ? user : DEFAULT_USER);
    v->server.users[v->server.n_users++] = getuid();
    return code;
}

static int shut_in(struct vaultd *v, struct err_text *error)
{
    bool held;
    const char *key = strncmp(v->key, "file:", 5) == 0 ? v->key + 5 : NULL;
    char credential[PATH_MAX];
    if (strncmp(v->key, "credential:", 11) == 0 && getenv("CREDENTIALS_DIRECTORY") &&
        snprintf(credential, sizeof credential, "%s/%s", getenv("CREDENTIALS_DIRECTORY"), v->key + 11) < PATH_MAX)
        key = credential;
    int code = guard_files(v->folder, key, v->run, &held, error);
    if (code == 0 && !held)
        log_event(LOG_WARNING, "no_landlock", "why=\"the kernel does not offer it\"");
    return code;
}

#if defined(__SANITIZE_ADDRESS__)
/* The search for leaks traces the process, which nobody may; the same code is searched in the unit tests of the keeper. */
int __lsan_is_turned_off(void);
__attribute__((visibility("default"))) int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

/* Sanitizers use system calls that the filter does not let through. */
static int shut_calls(struct err_text *error)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)error;
    return 0;
#else
    return guard_calls(error);
#endif
}

static int catch_signals(struct vaultd *v, struct err_text *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    if (!args_has(v->args, "started"))
        ; /* in a terminal, Ctrl-C ends it */
    else
        sigdelset(&set, SIGINT), sigdelset(&set, SIGHUP), signal(SIGINT, SIG_IGN), signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    v->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return v->signal_fd >= 0 ? 0 : err_set(error, ERR_IO, "signals cannot be awaited: %s", strerror(errno));
}

static void tell_ready(struct vaultd *v, int code, const struct err_text *error)
{
    char text[sizeof error->text + 16] = "ok";
    if (v->ready_fd < 0)
        return;
    if (code != 0)
        snprintf(text, sizeof text, "%d %s", code, error->text);
    ssize_t ignored = write(v->ready_fd, text, strlen(text));
    (void)ignored;
    close(v->ready_fd);
    v->ready_fd = -1;
}

static json_t *answer(void *arg, json_t *question)
{
    return keeper_answer(arg, question);
}

static void tick(void *arg)
{
    keeper_tick(arg);
}

static int serve(struct vaultd *v, struct err_text *error)
{
    struct keeper *keeper = NULL;
    const char *searchable = args_get(v->args, "searchable");
    struct keeper_opts opts = {.folder = v->folder, .key = v->key, .searchable = searchable ? searchable : "email"};
    int code = leave_root(v, error);
    if (code == 0)
        code = catch_signals(v, error);
    if (code == 0)
        code = shut_in(v, error);
    if (code == 0)
        code = keeper_open(&opts, &keeper, error);
    if (code == 0)
        code = shut_calls(error);
    if (code == 0 && listen(v->listen_fd, BACKLOG) != 0)
        code = err_set(error, ERR_IO, "nobody can be listened to: %s", strerror(errno));
    if (code == 0) {
        tell_ready(v, 0, NULL);
        log_event(args_has(v->args, "started") ? LOG_DEBUG : LOG_INFO, "vault_open", "folder=\"%s\"", v->folder);
        v->server.listen_fd = v->listen_fd;
        v->server.signal_fd = v->signal_fd;
        v->server.stays = args_has(v->args, "stay");
        v->server.answer = answer;
        v->server.tick = tick;
        v->server.arg = keeper;
        code = server_run(&v->server);
    }
    keeper_close(keeper);
    return code;
}

/* What was inherited beyond our own is closed; the starter's child leaves one behind, so that nobody has to wait for
 * it. */
static int begin(struct vaultd *v, struct err_text *error)
{
    bool started = args_has(v->args, "started");
    close_range(started ? LOCK_FD + 1 : READY_FD, ~0U, 0);
    int code = guard_begin(error);
    if (started) {
        v->ready_fd = READY_FD;
        fcntl(READY_FD, F_SETFD, FD_CLOEXEC);
        pid_t pid = fork();
        if (pid > 0)
            _exit(EXIT_DONE);
        if (pid < 0)
            return err_set(error, ERR_NOMEM, "the vault's process cannot be started: %s", strerror(errno));
    }
    if (code == 0)
        code = hash_init();
    return code;
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct vaultd v = {.args = args, .lock_fd = -1, .run_fd = -1, .listen_fd = -1, .signal_fd = -1, .ready_fd = -1};
    if (args_has(args, "version")) {
        puts("almanac-vaultd " PACKAGE_VERSION);
        return EXIT_DONE;
    }
    int code = fill_paths(&v, &error);
    if (code != 0)
        return args_fail(args, code, &error);
    code = begin(&v, &error);
    if (code == 0)
        code = take_lock(&v, &error);
    if (code == 0)
        code = bind_socket(&v, &error);
    if (code == 0)
        code = serve(&v, &error);
    if (v.listen_fd >= 0) {
        close(v.listen_fd);
        unlinkat(v.run_fd, "vault.sock", 0); /* the lock is held until the very end */
    }
    if (code != 0) {
        if (v.ready_fd < 0)
            return args_fail(args, code, &error);
        tell_ready(&v, code, &error);
        return EXIT_FAILED;
    }
    log_event(args_has(args, "started") ? LOG_DEBUG : LOG_INFO, "vault_closed", "folder=\"%s\"", v.folder);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    static const struct arg args[] = {
        {"dir", 0, "DIR", "the data directory: the socket is DIR/run/vault.sock"},
        {"vault", 0, "DIR", "where the vault's files lie (DIR/vault)"},
        {"key", 0, "WHERE", "the unlocking key: file:PATH, credential:NAME or passphrase (file:DIR/keys/vault.key)"},
        {"searchable", 0, "FIELDS", "fields that can be searched for (email)"},
        {"user", 0, "NAME", "the user that it becomes when root starts it (" DEFAULT_USER ")"},
        {"stay", 0, NULL, "goes on when the last connection ends: for a service"},
        {"started", 0, NULL, "for the programs that start it: descriptors 3 and 4 are theirs"},
        {"version", 0, NULL, "prints the version"},
    };
    static const struct command command = {.name = "almanac-vaultd",
                                           .summary = "holds the keys of personal data; started by whoever needs it",
                                           .examples = "  almanac-vaultd --dir /var/lib/almanac --stay\n",
                                           .operands = "",
                                           .args = args,
                                           .n_args = sizeof args / sizeof *args,
                                           .run = run};
    return args_run("almanac-vaultd", &command, argc - 1, argv + 1);
}

#include <config.h>

#include "vault/client.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "vault/frame.h"

#define WAIT_US INT64_C(10000000)
#define RETRY_MS 10
#define STARTS_MAX 3 /* one that ends at once is not started for ever */
#define FD_ABOVE 10  /* descriptors for the process are moved above those that they get there */

extern char **environ;

struct vault {
    char *dir, *folder, *program, *role, *key, *searchable, *user;
    int folder_fd; /* of DIR/run */
    int fd;        /* the connection, or -1 */
    pthread_mutex_t lock;
};

/* ---- finding the program ---- */

static char *find_program(void)
{
    char self[PATH_MAX], *path = NULL;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        char *slash = strrchr(self, '/');
        if (slash && asprintf(&path, "%.*s/almanac-vaultd", (int)(slash - self), self) < 0)
            return NULL;
        if (path && access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return strdup("almanac-vaultd");
}

/* ---- starting it ---- */

static int take_lock(struct vault *vault, int *ret_fd)
{
    int fd = openat(vault->folder_fd, "vault.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0660);
    if (fd < 0)
        return ERR_IO;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int code = errno == EWOULDBLOCK || errno == EINTR ? ERR_BUSY : ERR_IO;
        close(fd);
        return code;
    }
    *ret_fd = fd;
    return 0;
}

static int spawn(struct vault *vault, int lock_fd, int ready_fd, pid_t *ret_pid)
{
    char *argv[] = {vault->program,
                    (char *)"--started",
                    (char *)"--dir",
                    vault->dir,
                    (char *)"--vault",
                    vault->folder,
                    (char *)"--key",
                    vault->key,
                    (char *)"--searchable",
                    vault->searchable,
                    (char *)"--user",
                    vault->user,
                    NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ERR_NOMEM;
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ready_fd, 3);
    posix_spawn_file_actions_adddup2(&actions, lock_fd, 4);
    int rc = posix_spawnp(ret_pid, vault->program, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    errno = rc;
    return rc == 0 ? 0 : rc == ENOENT ? ERR_NOTFOUND : ERR_IO;
}

/* The process writes "ok", or its failure, and closes the pipe. */
static int await_ready(int fd, int64_t deadline_us, struct err_text *error)
{
    char text[sizeof error->text + 16];
    size_t n = 0;
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int64_t left_ms = (deadline_us - clock_mono_us()) / 1000;
        int rc = left_ms > 0 ? poll(&one, 1, (int)left_ms) : 0;
        if (rc == 0)
            return err_set(error, ERR_BUSY, "the vault's process does not begin to listen");
        ssize_t got = rc < 0 ? -1 : read(fd, text + n, sizeof text - 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    text[n] = 0;
    if (strcmp(text, "ok") == 0)
        return 0;
    char *end = text;
    long code = strtol(text, &end, 10);
    return err_set(error, code < 0 && code >= ERR_LAST ? (int)code : ERR_IO, "%s",
                   *end ? end + strspn(end, " ") : "the vault's process ended before it listened");
}

static int start(struct vault *vault, int lock_fd, int64_t deadline_us, struct err_text *error)
{
    int pipe_fds[2], high_lock = fcntl(lock_fd, F_DUPFD_CLOEXEC, FD_ABOVE), high_ready = -1;
    pid_t pid = -1;
    if (high_lock < 0 || pipe2(pipe_fds, O_CLOEXEC) != 0) {
        if (high_lock >= 0)
            close(high_lock);
        return err_set(error, ERR_IO, "the vault's process cannot be started: %s", strerror(errno));
    }
    high_ready = fcntl(pipe_fds[1], F_DUPFD_CLOEXEC, FD_ABOVE);
    close(pipe_fds[1]);
    int code = high_ready < 0 ? ERR_IO : spawn(vault, high_lock, high_ready, &pid);
    if (code != 0)
        err_set(error, code, "\"%s\" cannot be started: %s", vault->program, strerror(errno));
    if (high_ready >= 0)
        close(high_ready);
    close(high_lock);
    if (code == 0) {
        code = await_ready(pipe_fds[0], deadline_us, error);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ; /* it left a child behind and has ended */
    }
    close(pipe_fds[0]);
    return code;
}

/* ---- the connection ---- */

static void hang_up(struct vault *vault)
{
    if (vault->fd >= 0)
        close(vault->fd);
    vault->fd = -1;
}

/* The folder's descriptor stands for its path, which may be longer than the 107 bytes of an address. */
static int dial(struct vault *vault)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/vault.sock", vault->folder_fd);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int code = errno == ENOENT || errno == ECONNREFUSED ? ERR_NOTFOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
        close(fd);
        return code;
    }
    vault->fd = fd;
    return 0;
}

/* 0 and an answer; ERR_NOTFOUND: the process has ended. */
static int exchange(struct vault *vault, const char *text, size_t size, int64_t deadline_us, json_t **ret_answer)
{
    char *answer;
    size_t answer_size;
    int code = frame_send(vault->fd, text, size, deadline_us);
    if (code == ERR_LIMIT)
        return code;
    if (code == 0)
        code = frame_receive(vault->fd, deadline_us, &answer, &answer_size);
    if (code == 1) {
        json_t *json = json_loadb(answer, answer_size, JSON_REJECT_DUPLICATES, NULL);
        frame_drop(answer, answer_size);
        if (json_is_object(json)) {
            *ret_answer = json;
            return 0;
        }
        json_decref(json);
        code = ERR_CORRUPT;
    }
    hang_up(vault);
    return code == 0 || code == ERR_IO ? ERR_NOTFOUND : code;
}

static int greet(struct vault *vault, int64_t deadline_us)
{
    size_t size;
    json_t *answer = NULL, *question = json_pack("{s:s, s:s}", "do", "hello", "role", vault->role);
    char *text = question ? frame_text(question, &size) : NULL;
    int code = text ? exchange(vault, text, size, deadline_us, &answer) : ERR_NOMEM;
    if (code == 0 && !json_is_true(json_object_get(answer, "ok")))
        code = ERR_DENIED;
    if (text)
        frame_drop(text, size);
    json_decref(question);
    json_decref(answer);
    if (code != 0)
        hang_up(vault);
    return code;
}

/* Until somebody answers hello: dials; starts the process where nobody listens and nobody else is starting it. Whoever
 * has the lock is the process, or starts it; it is held as long as the process lives, so that only one listens. */
static int connect_to(struct vault *vault, struct err_text *error)
{
    int64_t deadline_us = clock_mono_us() + WAIT_US;
    for (int starts = 0; starts < STARTS_MAX;) {
        int lock_fd, code = dial(vault);
        if (code == 0)
            code = greet(vault, deadline_us);
        if (code == 0)
            return 0;
        if (code == ERR_DENIED)
            return err_set(error, code, "the vault's process of \"%s\" does not answer this user", vault->dir);
        if (code != ERR_NOTFOUND)
            return err_set(error, code, "the vault's process of \"%s\" cannot be asked: %s", vault->dir,
                           err_name(code));
        code = take_lock(vault, &lock_fd);
        if (code == ERR_IO)
            return err_set(error, code, "\"%s/run/vault.lock\" cannot be locked: %s", vault->dir, strerror(errno));
        if (code == 0) {
            starts++;
            code = start(vault, lock_fd, deadline_us, error);
            close(lock_fd);
            if (code != 0)
                return code;
        } else {
            poll(NULL, 0, RETRY_MS); /* another one is starting or ending it */
        }
        if (clock_mono_us() > deadline_us)
            break;
    }
    return err_set(error, ERR_BUSY, "the vault's process of \"%s\" does not answer", vault->dir);
}

/* ---- for callers ---- */

static char *copy_or(const char *text, const char *otherwise)
{
    return strdup(text ? text : otherwise);
}

static char *join(const char *before, const char *dir, const char *after)
{
    char *text;
    return asprintf(&text, "%s%s%s", before, dir, after) < 0 ? NULL : text;
}

static int open_run_folder(struct vault *vault, struct err_text *error)
{
    char *path = join("", vault->dir, "/run");
    if (!path)
        return err_set(error, ERR_NOMEM, "out of memory");
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        vault->folder_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int code = vault->folder_fd >= 0
                   ? 0
                   : err_set(error, ERR_IO, "the folder \"%s\" cannot be used: %s", path, strerror(errno));
    free(path);
    return code;
}

int vault_open(const struct vault_opts *opts, struct vault **ret_vault, struct err_text *error)
{
    struct vault *vault = calloc(1, sizeof *vault);
    if (!vault)
        return err_set(error, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&vault->lock, NULL);
    vault->folder_fd = vault->fd = -1;
    vault->dir = strdup(opts->dir);
    vault->folder = opts->folder ? strdup(opts->folder) : join("", opts->dir, "/vault");
    vault->key = opts->key ? strdup(opts->key) : join("file:", opts->dir, "/keys/vault.key");
    vault->program = opts->program ? strdup(opts->program) : find_program();
    vault->role = copy_or(opts->role, "");
    vault->searchable = copy_or(opts->searchable, "email");
    vault->user = copy_or(opts->user, "almanac-vault");
    bool whole =
        vault->dir && vault->folder && vault->key && vault->program && vault->role && vault->searchable && vault->user;
    int code = whole ? open_run_folder(vault, error) : err_set(error, ERR_NOMEM, "out of memory");
    if (code == 0)
        code = connect_to(vault, error);
    if (code != 0) {
        vault_close(vault);
        return code;
    }
    *ret_vault = vault;
    return 0;
}

void vault_close(struct vault *vault)
{
    if (!vault)
        return;
    hang_up(vault);
    if (vault->folder_fd >= 0)
        close(vault->folder_fd);
    pthread_mutex_destroy(&vault->lock);
    free(vault->dir);
    free(vault->folder);
    free(vault->program);
    free(vault->role);
    free(vault->key);
    free(vault->searchable);
    free(vault->user);
    free(vault);
}

bool vault_await_end(const char *dir)
{
    int64_t deadline_us = clock_mono_us() + WAIT_US;
    char *path = join("", dir, "/run/vault.lock");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    free(path);
    bool is_held = fd >= 0;
    while (is_held && clock_mono_us() < deadline_us) {
        is_held = flock(fd, LOCK_EX | LOCK_NB) != 0;
        if (is_held)
            poll(NULL, 0, RETRY_MS);
    }
    if (fd >= 0)
        close(fd);
    return !is_held;
}

static int code_of(const char *name)
{
    static const struct {
        const char *name;
        int code;
    } codes[] = {{"invalid", ERR_INVALID}, {"denied", ERR_DENIED}, {"notfound", ERR_NOTFOUND},
                 {"exists", ERR_EXISTS},   {"locked", ERR_BUSY},   {"restricted", ERR_DENIED},
                 {"erased", ERR_EXPIRED},  {"busy", ERR_BUSY},     {"io", ERR_IO}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strcmp(codes[i].name, name) == 0)
            return codes[i].code;
    return ERR_IO;
}

static int read_error(const json_t *answer, struct err_text *error)
{
    const char *name = json_string_value(json_object_get(answer, "error"));
    const char *text = json_string_value(json_object_get(answer, "text"));
    const char *field = json_string_value(json_object_get(answer, "field"));
    return err_set_field(error, code_of(name ? name : "io"), field ? field : "", "%s",
                         text ? text : "the vault's process gives no reason");
}

/* A process that has ended is started again once; what it had been asked may have been done already, and does no harm
 * twice. */
static int ask_text(struct vault *vault, const char *text, size_t size, json_t **ret_answer, struct err_text *error)
{
    int code = ERR_NOTFOUND;
    for (int attempt = 0; attempt < 2 && code == ERR_NOTFOUND; attempt++) {
        int rc = vault->fd >= 0 ? 0 : connect_to(vault, error);
        if (rc != 0)
            return rc;
        code = exchange(vault, text, size, clock_mono_us() + WAIT_US, ret_answer);
    }
    if (code == 0)
        return 0;
    if (code == ERR_LIMIT)
        return err_set(error, code, "a question to the vault is longer than %d bytes", FRAME_BYTES_MAX);
    return err_set(error, code == ERR_NOTFOUND ? ERR_IO : code, "the vault's process does not answer: %s",
                   err_name(code));
}

int vault_ask(struct vault *vault, json_t *question, json_t **ret_answer, struct err_text *error)
{
    json_t *answer = NULL;
    size_t size;
    char *text = question ? frame_text(question, &size) : NULL;
    json_decref(question);
    if (!text)
        return err_set(error, ERR_NOMEM, "out of memory");
    pthread_mutex_lock(&vault->lock);
    int code = ask_text(vault, text, size, &answer, error);
    pthread_mutex_unlock(&vault->lock);
    frame_drop(text, size);
    if (code == 0 && !json_is_true(json_object_get(answer, "ok"))) {
        code = read_error(answer, error);
        json_decref(answer);
        return code;
    }
    if (code == 0)
        *ret_answer = answer;
    return code;
}

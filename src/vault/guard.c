#include <config.h>

#include "vault/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- jansson's memory: the size stands before each piece ---- */

#define SIZE_ROOM 16

static void *wiped_malloc(size_t size)
{
    uint8_t *piece = size < SIZE_MAX - SIZE_ROOM ? malloc(size + SIZE_ROOM) : NULL;
    if (!piece)
        return NULL;
    memcpy(piece, &size, sizeof size);
    return piece + SIZE_ROOM;
}

static void wiped_free(void *at)
{
    size_t size;
    if (!at)
        return;
    uint8_t *piece = (uint8_t *)at - SIZE_ROOM;
    memcpy(&size, piece, sizeof size);
    explicit_bzero(piece, size + SIZE_ROOM);
    free(piece);
}

int guard_begin(struct err_text *error)
{
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return err_set(error, ERR_IO, "the vault's process cannot be shielded: %s", strerror(errno));
    umask(077);
    json_set_alloc_funcs(wiped_malloc, wiped_free);
    return 0;
}

int guard_become(const char *user, bool *ret_became, struct err_text *error)
{
    struct passwd *who = geteuid() == 0 ? getpwnam(user) : NULL;
    *ret_became = who != NULL;
    if (!who)
        return 0;
    if (setgroups(0, NULL) != 0 || setresgid(who->pw_gid, who->pw_gid, who->pw_gid) != 0 ||
        setresuid(who->pw_uid, who->pw_uid, who->pw_uid) != 0 || setuid(0) == 0)
        return err_set(error, ERR_DENIED, "the vault's process cannot become the user \"%s\": %s", user, strerror(errno));
    return 0;
}

/* ---- files ---- */

static int allow_below(int rules, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return errno == ENOENT ? 0 : -1;
    int rc = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(rule.parent_fd);
    return rc;
}

int guard_files(const char *folder, const char *key, const char *run, bool *ret_held, struct err_text *error)
{
    const uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE,
                   make = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                          LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    struct landlock_ruleset_attr attr = {.handled_access_fs = read | make | LANDLOCK_ACCESS_FS_EXECUTE |
                                                              LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                                              LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                                              LANDLOCK_ACCESS_FS_MAKE_SYM};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    *ret_held = rules >= 0;
    if (rules < 0)
        return 0;
    bool good = allow_below(rules, folder, read | make) == 0 && (!key || allow_below(rules, key, read) == 0) &&
                allow_below(rules, run, LANDLOCK_ACCESS_FS_REMOVE_FILE) == 0 &&
                syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    int why = errno;
    close(rules);
    return good ? 0 : err_set(error, ERR_IO, "the vault's process cannot shut itself in: %s", strerror(why));
}

/* ---- system calls ---- */

int guard_calls(struct err_text *error)
{
    static const int allowed[] = {
        SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
        SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(fstat), SCMP_SYS(lstat),
        SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fsync),
        SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir),
        SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(getdents64),
        SCMP_SYS(copy_file_range), SCMP_SYS(sendfile), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fchown),
        SCMP_SYS(fcntl), SCMP_SYS(flock), SCMP_SYS(fstatfs), SCMP_SYS(getcwd), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
        SCMP_SYS(umask), SCMP_SYS(utimensat), SCMP_SYS(pipe2),
        SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg),
        SCMP_SYS(sendmsg), SCMP_SYS(getsockopt), SCMP_SYS(shutdown), SCMP_SYS(listen),
        SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mlock),
        SCMP_SYS(munlock), SCMP_SYS(getrandom),
        SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
        SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack),
        SCMP_SYS(restart_syscall), SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
        SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(tgkill), SCMP_SYS(prlimit64), SCMP_SYS(sysinfo), SCMP_SYS(uname),
        SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(exit), SCMP_SYS(exit_group)};
    /* asked by libraries at times; they go on without */
    static const int refused[] = {SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(ptrace),
                                  SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ioctl), SCMP_SYS(prctl), SCMP_SYS(clone),
                                  SCMP_SYS(clone3), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(process_vm_readv)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int rc = filter ? 0 : -ENOMEM;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed && rc == 0; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < sizeof refused / sizeof *refused && rc == 0; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
    /* pages of memory may be protected, never be made to run */
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc == 0 ? 0 : err_set(error, ERR_IO, "the filter of system calls cannot be set: %s", strerror(-rc));
}

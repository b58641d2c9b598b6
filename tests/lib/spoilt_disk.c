/* Preloaded into a real program: while the file $SPOILT_SWITCH exists, whatever would change the disk below $SPOILT_DIR fails,
 * as on a disk that was remounted read-only (EROFS), or, when the file says "full", as on one that is full (ENOSPC). */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* 0, or the errno that a change of this path meets now. */
static int fault_of(const char *path)
{
    const char *dir = getenv("SPOILT_DIR"), *spoilt = getenv("SPOILT_SWITCH");
    struct stat info;
    if (!dir || !spoilt || !path || strncmp(path, dir, strlen(dir)) != 0 || stat(spoilt, &info) != 0)
        return 0;
    return info.st_size > 0 ? ENOSPC : EROFS;
}

static bool fails(int fault)
{
    if (fault)
        errno = fault;
    return fault != 0;
}

static bool fails_by_path(const char *path)
{
    return fails(fault_of(path));
}

static bool fails_by_fd(int fd)
{
    char link[32], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    errno = before;
    return fails_by_path(path);
}

static int fault_of_open(const char *path, int flags)
{
    int fault = flags & (O_WRONLY | O_RDWR | O_CREAT) ? fault_of(path) : 0;
    return fault == ENOSPC && access(path, F_OK) == 0 ? 0 : fault; /* a file that is there takes no more room */
}

#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        va_list arguments;                                                                                             \
        va_start(arguments, flags);                                                                                    \
        mode_t mode = va_arg(arguments, mode_t);                                                                       \
        va_end(arguments);                                                                                             \
        return fails(fault_of_open(path, flags)) ? -1 : REAL(name)(path, flags, mode);                                 \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *data, size_t size)
{
    return fails_by_fd(fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return fails_by_fd(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    return fails_by_fd(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}

int ftruncate(int fd, off_t size)
{
    return fails_by_fd(fd) ? -1 : REAL(ftruncate)(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return fails_by_fd(fd) ? -1 : REAL(ftruncate64)(fd, size);
}

int unlink(const char *path)
{
    return fault_of(path) == EROFS && fails_by_path(path) ? -1 : REAL(unlink)(path);
}

int rename(const char *from, const char *to)
{
    return fails_by_path(to) ? -1 : REAL(rename)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return fails_by_path(path) ? -1 : REAL(mkdir)(path, mode);
}

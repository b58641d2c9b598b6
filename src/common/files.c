#include <config.h>

#include "common/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_STEP (1 << 20)
#define FOLDERS_OPEN_MAX 16

static int code_of(int number)
{
    switch (number) {
    case ENOENT: return ERR_NOTFOUND;
    case EEXIST: return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT: return ERR_FULL;
    default: return ERR_IO;
    }
}

int files_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    int rc = fsync(fd) == 0 ? 0 : ERR_IO;
    close(fd);
    return rc;
}

static int copy_bytes(int in, int out, int64_t size, int (*moved)(void *arg, int64_t bytes), void *arg)
{
    int rc = 0;
    while (!rc && size > 0) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, COPY_STEP, 0);
        if (n <= 0)
            return n == 0 ? ERR_IO : code_of(errno); /* it became shorter meanwhile */
        size -= n;
        rc = moved ? moved(arg, n) : 0;
    }
    return rc;
}

int files_copy(const char *from, const char *to, int (*moved)(void *arg, int64_t bytes), void *arg)
{
    struct stat stat_of;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return code_of(errno);
    int out = fstat(in, &stat_of) ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, stat_of.st_mode & 0777);
    int rc = out < 0 ? code_of(errno) : copy_bytes(in, out, stat_of.st_size, moved, arg);
    if (!rc && fsync(out))
        rc = code_of(errno);
    close(in);
    if (out >= 0) {
        close(out);
        if (rc)
            unlink(to);
    }
    return rc;
}

static int remove_one(const char *path, const struct stat *stat_of, int type, struct FTW *ftw)
{
    (void)stat_of;
    (void)type;
    (void)ftw;
    remove(path); /* what cannot be removed stays; the caller has a failure to report already */
    return 0;
}

void files_remove_tree(const char *path)
{
    nftw(path, remove_one, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}

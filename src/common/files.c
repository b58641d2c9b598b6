#include <config.h>

#include "common/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* ---- single steps ---- */

static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd), cause = errno;
    close(fd);
    errno = cause;
    return rc;
}

static int make_folder(const char *path)
{
    return mkdir(path, 0777);
}

static const struct files_calls system_calls = {sync_path, rename, make_folder, unlink};
static const struct files_calls *calls = &system_calls;

void files_replace(const struct files_calls *others)
{
    calls = others ? others : &system_calls;
}

int files_sync(const char *path)
{
    return calls->sync(path) ? code_of(errno) : 0;
}

int files_sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    return files_sync(slash ? folder : ".");
}

int files_rename(const char *from, const char *to)
{
    return calls->rename(from, to) ? code_of(errno) : 0;
}

int files_make_folder(const char *path)
{
    return calls->make_folder(path) ? code_of(errno) : 0;
}

int files_unlink(const char *path)
{
    return calls->unlink(path) ? code_of(errno) : 0;
}

/* ---- copies and trees ---- */

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

int files_make_temporary(const char *name, char *path, size_t size)
{
    const char *scratch = getenv("TMPDIR");
    int n = snprintf(path, size, "%s/%s-XXXXXX", scratch && *scratch ? scratch : "/tmp", name);
    if (n < 0 || (size_t)n >= size)
        return ERR_LIMIT;
    return mkdtemp(path) ? 0 : code_of(errno);
}

void files_remove_tree(const char *path)
{
    nftw(path, remove_one, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}

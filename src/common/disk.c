#include <config.h>

#include "common/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);
    int cause = errno;
    if (fd >= 0)
        close(fd);
    errno = cause;
    return rc;
}

static int make_folder(const char *path)
{
    return mkdir(path, 0777);
}

static const struct disk_calls system_calls = {sync_path, rename, unlink, make_folder};
static const struct disk_calls *calls = &system_calls;

void disk_replace(const struct disk_calls *others)
{
    calls = others ? others : &system_calls;
}

static int code_of(int result)
{
    if (result == 0)
        return 0;
    return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : errno == ENOENT ? ERR_NOTFOUND : errno == EEXIST ? ERR_EXISTS : ERR_IO;
}

int disk_sync(const char *path)
{
    return code_of(calls->sync(path));
}

int disk_sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    return disk_sync(slash ? folder : ".");
}

int disk_rename(const char *from, const char *to)
{
    return code_of(calls->rename(from, to));
}

int disk_make_folder(const char *path)
{
    return code_of(calls->make_folder(path));
}

int disk_unlink(const char *path)
{
    return code_of(calls->unlink(path));
}

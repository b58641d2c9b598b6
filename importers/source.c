#include <config.h>

#include "importers/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BUFFER_BYTES (256 * 1024)

struct source_file {
    gzFile file;
    char *path;
    struct stat stat;
};

int source_open(const char *path, struct source_file **ret_source, struct err_text *error)
{
    struct source_file *source = calloc(1, sizeof *source);
    if (!source || !(source->path = strdup(path))) {
        free(source);
        return ERR_NOMEM;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC), code = 0;
    if (fd < 0 || fstat(fd, &source->stat) != 0)
        code = err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot read \"%s\": %s", path, strerror(errno));
    else if (!S_ISREG(source->stat.st_mode))
        code = err_set(error, ERR_INVALID, "\"%s\" is no file; save what is to be imported in one", path);
    else if (!(source->file = gzdopen(fd, "rb")))
        code = ERR_NOMEM;
    if (code != 0) {
        if (fd >= 0)
            close(fd);
        source_close(source);
        return code;
    }
    gzbuffer(source->file, BUFFER_BYTES);
    *ret_source = source;
    return 0;
}

void source_close(struct source_file *source)
{
    if (!source)
        return;
    if (source->file)
        gzclose_r(source->file);
    free(source->path);
    free(source);
}

const struct stat *source_stat(const struct source_file *source)
{
    return &source->stat;
}

static int say_broken(struct source_file *source, struct err_text *error)
{
    int number = Z_OK;
    const char *why = gzerror(source->file, &number);
    if (number == Z_MEM_ERROR)
        return ERR_NOMEM;
    return err_set(error, number == Z_ERRNO ? ERR_IO : ERR_CORRUPT, "cannot read \"%s\": %s", source->path,
                   number == Z_ERRNO ? strerror(errno) : number == Z_BUF_ERROR ? "the packed file ends too early" : why);
}

int source_read(struct source_file *source, void *out, size_t size, size_t *ret_n, struct err_text *error)
{
    int n = gzread(source->file, out, size < INT_MAX ? (unsigned)size : INT_MAX), number = Z_OK;
    gzerror(source->file, &number);
    if (n < 0 || (n == 0 && number != Z_OK)) /* a cut file gives what there is first, and then the error */
        return say_broken(source, error);
    *ret_n = (size_t)n;
    return 0;
}

int source_rewind(struct source_file *source, struct err_text *error)
{
    return gzrewind(source->file) == 0 ? 0 : say_broken(source, error);
}

int64_t source_position(const struct source_file *source)
{
    z_off_t at = gzoffset(source->file);
    return at > 0 ? at : 0;
}

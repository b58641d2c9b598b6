/* A file that is imported: plain, or packed with gzip. */
#ifndef IMPORTERS_SOURCE_H
#define IMPORTERS_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"

struct source_file;

/* ERR_NOTFOUND, ERR_IO, ERR_INVALID (no file that can be read twice). */
MUST_CHECK int source_open(const char *path, struct source_file **ret_source, struct err_text *error);
void source_close(struct source_file *source);
const struct stat *source_stat(const struct source_file *source);

/* Some bytes, unpacked; *ret_n 0 at the end. ERR_CORRUPT: the packed file is broken or cut. */
MUST_CHECK int source_read(struct source_file *source, void *out, size_t size, size_t *ret_n, struct err_text *error);
MUST_CHECK int source_rewind(struct source_file *source, struct err_text *error);
int64_t source_position(const struct source_file *source); /* bytes of the file as it lies on disk that were read */

#endif

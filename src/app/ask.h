/* Asking a range: over HTTPS, or in this process on the files of a data directory through the same
 * handler, so that both give the same bytes. */
#ifndef APP_ASK_H
#define APP_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

/* Appends name=value to a query string, percent-encoded, with the & that is due. */
void ask_parameter(struct buf *query, const char *name, const char *value);

/* The bytes of an answer as they come; a code that is not 0 stops it and is passed on. */
typedef int ask_bytes_fn(void *arg, const void *data, size_t size);

/* dir: the data directory. ret_next (may be NULL): the cursor that goes on where a limited answer ended, for the caller to free;
 * NULL where that was all, and with JSON, which says it in its text. Errors as from the server: ERR_INVALID with error->field,
 * ERR_MEANING, ERR_NOTFOUND, ... */
MUST_CHECK int ask_files(const char *dir, const char *query, ask_bytes_fn *bytes, void *arg, char **ret_next,
                         struct err_text *error);

/* The same, packed as coding says ("gzip", "zstd", or NULL); plain (may be NULL) sees the bytes before that. */
MUST_CHECK int ask_files_packed(const char *dir, const char *query, const char *coding, ask_bytes_fn *plain,
                                ask_bytes_fn *bytes, void *arg, char **ret_next, struct err_text *error);

struct ask_server {
    const char *url; /* "https://host:port" */
    const char *token;
    const char *ca; /* PEM file of who is trusted; NULL: the system's */
    bool direct;    /* past any proxy of the environment */
};
/* ERR_IO when the server cannot be reached or its certificate is not trusted; ERR_DENIED for 401
 * and 403. */
MUST_CHECK int ask_server(const struct ask_server *server, const char *query, ask_bytes_fn *bytes,
                          void *arg, char **ret_next, struct err_text *error);

#endif

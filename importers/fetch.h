/* Asking another server for JSON over HTTPS. */
#ifndef IMPORTERS_FETCH_H
#define IMPORTERS_FETCH_H

#include "importers/importer.h"
#include "normalise/scan.h"

struct fetch;
/* The rights of opts: user with password, or token. ERR_INVALID: not https. */
MUST_CHECK int fetch_open(const char *url, const struct import_opts *opts, struct fetch **ret_fetch, struct err_text *error);
void fetch_close(struct fetch *fetch);

/* GET of url and path; the answer's tokens lie in *ret_scanner until the next one. ERR_NOTFOUND, ERR_DENIED, ERR_IO, ERR_LIMIT
 * (more than LIMIT_MESSAGE_BYTES), ERR_CORRUPT (no JSON). */
MUST_CHECK int fetch_json(struct fetch *fetch, const char *path, const struct scanner **ret_scanner, struct err_text *error);

/* Appends text percent-encoded, as one part of a path or as a value of a parameter. */
void fetch_put(struct buf *out, const char *text);

/* The token of a member of an object; 0 where there is none, or the object is none. */
uint32_t fetch_member(const struct scanner *scanner, uint32_t object, const char *name);
/* Copies a text or a number; false when it is neither, or too long. */
bool fetch_text(const struct scanner *scanner, uint32_t token, char *out, size_t size);

#endif

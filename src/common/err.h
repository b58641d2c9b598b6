/* Error codes and error texts.
 *
 * Functions return 0 or one of these negative codes; iterators return 1 for a row, 0 at the end, or a code.
 * A text for people is written once, at the border where the cause is known, into a struct the caller owns. */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stddef.h>

enum err {
    ERR_NOMEM = -1,     /* memory was refused */
    ERR_IO = -2,        /* a read, write, sync or connection failed */
    ERR_FULL = -3,      /* no space left on the disk, or a quota */
    ERR_CORRUPT = -4,   /* stored bytes do not match their checksum or format */
    ERR_BUSY = -5,      /* held by somebody else for now; trying again may help */
    ERR_NOTFOUND = -6,  /* the named thing does not exist */
    ERR_EXISTS = -7,    /* the thing to be made is there already */
    ERR_INVALID = -8,   /* an input breaks its grammar */
    ERR_MEANING = -9,   /* well formed, but it makes no sense (the sum of a gauge) */
    ERR_LIMIT = -10,    /* a limit of limits.h or of the configuration was reached */
    ERR_VERSION = -11,  /* a file of another kind, or of a later version */
    ERR_OWNER = -12,    /* another process owns this partition now */
    ERR_DENIED = -13,   /* the caller may not do this */
    ERR_EXPIRED = -14,  /* it was there, and is gone by its retention or lease */
    ERR_CANCELLED = -15, /* the caller asked to stop */
    ERR_QUOTA = -16     /* more than one caller, or one request, may have */
};
#define ERR_LAST ERR_QUOTA /* of the codes, which have no holes */

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_i, first_i) __attribute__((format(printf, format_i, first_i)))

/* A sentence for people: the failure first, its subject in quotes, then what to do; no full stop.
 * field names the one input at fault ("step"), or is empty. Zero-initialise before use. */
struct err_text {
    char text[480];
    char field[32];
};

/* Writes the sentence (cut off when too long) and returns code, so that `return err_set(...)` reads well.
 * error may be NULL. err_set_field also names the input at fault. */
int err_set(struct err_text *error, int code, const char *format, ...) PRINTF_LIKE(3, 4);
int err_set_field(struct err_text *error, int code, const char *field, const char *format, ...) PRINTF_LIKE(4, 5);

/* A short fixed text for a code ("no space left"); never NULL. */
const char *err_name(int code);

#endif

#include <config.h>

#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err_text *error, int code, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
        error->field[0] = '\0';
    }
    return code;
}

int err_set_field(struct err_text *error, int code, const char *field, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
        snprintf(error->field, sizeof error->field, "%s", field);
    }
    return code;
}

static const char *const names[] = {
    [-ERR_NOMEM] = "out of memory",
    [-ERR_IO] = "input or output failed",
    [-ERR_FULL] = "no space left",
    [-ERR_CORRUPT] = "damaged data",
    [-ERR_BUSY] = "busy",
    [-ERR_NOTFOUND] = "not found",
    [-ERR_EXISTS] = "exists already",
    [-ERR_INVALID] = "invalid",
    [-ERR_MEANING] = "makes no sense",
    [-ERR_LIMIT] = "over a limit",
    [-ERR_VERSION] = "other kind or later version",
    [-ERR_OWNER] = "owned by another process",
    [-ERR_DENIED] = "not allowed",
    [-ERR_EXPIRED] = "gone",
    [-ERR_CANCELLED] = "cancelled",
    [-ERR_QUOTA] = "more than one may have",
};

const char *err_name(int code)
{
    if (code == 0)
        return "done";
    if (code > 0 || (size_t)-code >= sizeof names / sizeof *names || names[-code] == NULL)
        return "unknown error";
    return names[-code];
}

/* A data directory with its configuration: finding it, making it. */
#ifndef APP_SITE_H
#define APP_SITE_H

#include <stddef.h>
#include <sys/types.h>

#include "app/args.h"
#include "app/conf.h"
#include "common/err.h"
#include "store/access.h"

/* The option rows that every command on a data directory has. */
#define SITE_ARG_DIR                                                                               \
    {                                                                                              \
        "dir", 0, "DIR", "the data directory ($ALMANAC_DIR, the current folder, /var/lib/almanac)" \
    }
#define SITE_ARG_SET                                                                               \
    {                                                                                              \
        "set", 0, "SECTION.KEY=VALUE", "a setting that wins over almanac.conf; may be repeated"    \
    }

/* The settings of --set, in order. Gives how many; ret_settings borrows from args. */
size_t site_settings(const struct args *args, const char *ret_settings[static ARGS_MAX]);

/* Writes the path of the configuration: DIR/almanac.conf of dir, else of $ALMANAC_DIR, else of the
 * current folder if it has one, else of /var/lib/almanac. ERR_INVALID when it is too long. */
MUST_CHECK int site_conf_path(const char *dir, char *out, size_t size, struct err_text *error);

/* The configuration that a command works with: --dir and the rules above, and --set. */
MUST_CHECK int site_conf(const struct args *args, struct conf **ret_conf, struct err_text *error);

/* Makes dir (when it is not there) with almanac.conf, an empty store, tokens, a certificate, and
 * gives out the admin token. On failure everything it made is gone again. ERR_EXISTS when dir holds
 * a store already; ERR_INVALID for bad settings. */
MUST_CHECK int site_create(const char *dir, const char *const *settings, size_t n_settings,
                           char ret_token[static TOKEN_TEXT_MAX], struct err_text *error);

/* Makes a self-signed pair where certificate and key that conf names are not both there. */
MUST_CHECK int site_make_certificate(const struct conf *conf, struct err_text *error);

/* Writes a new file and syncs it; ERR_EXISTS when it is there. */
MUST_CHECK int site_write_file(const char *path, mode_t mode, const void *data, size_t size,
                               struct err_text *error);

#endif

/* The self-signed certificate of a new data directory. */
#ifndef APP_TLS_H
#define APP_TLS_H

#include "common/err.h"

/* Writes a certificate (PEM, ten years, EC P-256) for localhost, 127.0.0.1, ::1 and the host of
 * listen ("HOST:PORT"), and its key, which only the owner may read. It signs nothing but itself:
 * whoever trusts it trusts this one server. ERR_EXISTS when a file is there already; ERR_IO. */
MUST_CHECK int tls_create(const char *listen, const char *certificate_path, const char *key_path,
                          struct err_text *error);

#endif

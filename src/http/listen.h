/* What the server needs before it starts: the listening socket and the certificate. */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"

/* Opens a non-blocking listening socket on "HOST:PORT", "[IPV6]:PORT" or ":PORT" (every address); port 0 is a free one.
 * ERR_INVALID (the text), ERR_NOTFOUND (the host), ERR_BUSY (the port is in use), ERR_DENIED, ERR_IO. */
MUST_CHECK int listen_open(const char *address, int *ret_fd, uint16_t *ret_port, struct err_text *error);

/* Whether the peer is this machine: 127.0.0.0/8, ::1, or the first mapped into IPv6. */
bool address_is_loopback(const struct sockaddr *address);

/* The PEM texts of a certificate (with its chain) and its key, checked to belong together; owned by the caller.
 * ERR_NOTFOUND, ERR_IO: a file cannot be read; ERR_INVALID: it is no PEM, or the two are no pair. */
struct pem_pair {
    char *certificate, *key;
};
/* A file of at most 1 MiB as a text, for the caller to free; what: for messages. */
MUST_CHECK int pem_read(const char *path, const char *what, char **ret_text, struct err_text *error);
MUST_CHECK int pem_pair_load(const char *certificate_path, const char *key_path, struct pem_pair *ret_pair,
                             struct err_text *error);
void pem_pair_free(struct pem_pair *pair); /* wipes the key */

#endif

/* Who may open a connection: the server's certificate and key, and of clients' certificates the authorities and the revoked
 * keys. The files are read anew when they change; connections that are open go on with what they began with, except that a
 * revoked key is answered nothing more.
 *
 * libmicrohttpd 0.9.75 asks for a client's certificate and verifies nothing, so each session of GnuTLS is given credentials
 * and the check of ours before its first byte. */
#ifndef HTTP_TRUST_H
#define HTTP_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include <gnutls/gnutls.h>

#include "common/err.h"
#include "common/hash.h"

/* What a chain may have: the client's certificate, two authorities between, and the one that signs itself. */
#define TRUST_DEPTH_MAX 4

struct trust_opts {
    const char *certificate, *key; /* PEM files; borrowed while the trust lives, as all of these */
    const char *client_ca;         /* PEM: authorities of clients; NULL or "": no client is asked for a certificate */
    const char *client_revoked;    /* a SHA-256 of a public key (SubjectPublicKeyInfo) in hexadecimal a line; NULL or "": none */
    bool client_required;          /* without a certificate no handshake is finished */
};

struct trust;
struct trust_set; /* one state of the files */

/* A client as its certificate names it; zeroed: none. */
struct peer {
    bool is_verified;
    uint8_t spki[HASH_BYTES]; /* SHA-256 of its public key */
    int64_t until_s;          /* Unix time: the first end among the certificates that it sent */
    struct trust_set *set;    /* what it was verified by */
};

/* ERR_NOTFOUND, ERR_IO, ERR_INVALID: one of the files cannot be used; each with one clear sentence. */
MUST_CHECK int trust_open(const struct trust_opts *opts, struct trust **ret_trust, struct err_text *error);
/* After every peer was dismissed. */
void trust_close(struct trust *trust);

/* Looks whether a file was changed: 1 and the new ones are in force, 0 nothing new, or a code with a sentence: what was read
 * before goes on, and the same broken state is told once. always: reads them anyhow, and tells anyhow. One thread at a time. */
MUST_CHECK int trust_look(struct trust *trust, bool always, struct err_text *error);

/* Readies a session before its handshake: in it the client's certificate is verified, and written to peer, which is zeroed and
 * lives until trust_dismiss. must_have: here a handshake without one fails. From any thread. */
void trust_greet(struct trust *trust, gnutls_session_t session, bool must_have, struct peer *peer);
void trust_dismiss(struct peer *peer);

/* Whether the peer was verified and stands: its time is not over, its key is not revoked since. From any thread. */
bool trust_stands(struct trust *trust, const struct peer *peer);

/* SHA-256 of the public key of the first certificate in a PEM file, for whoever lists it. ERR_INVALID where no client could be
 * let in with it. */
MUST_CHECK int trust_file_spki(const char *path, uint8_t ret_spki[static HASH_BYTES], struct err_text *error);

#endif

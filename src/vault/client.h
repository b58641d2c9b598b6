/* Asking almanac-vaultd, the process that holds the keys of personal data. Questions and answers: docs/VAULT.md. */
#ifndef VAULT_CLIENT_H
#define VAULT_CLIENT_H

#include <jansson.h>
#include <stdbool.h>

#include "common/err.h"

struct vault_opts {
    const char *dir;     /* the data directory: the socket is in its folder run, which is made where it is not there */
    const char *folder;  /* of the vault's files; NULL: DIR/vault */
    const char *program; /* almanac-vaultd; NULL: the one beside this program, else the one of PATH */
    const char *role;    /* who asks, for the vault's log: "almanacd" */
    const char *key;     /* where the unlocking key is (docs/VAULT.md); NULL: file:DIR/keys/vault.key */
    const char *searchable; /* fields with a blind index, with blanks or commas between; NULL: email */
    const char *user;       /* that the process becomes where it is started by root; NULL: almanac-vault */
};

struct vault;

/* Connects, and starts the process where nobody listens. The strings of opts are copied. ERR_NOTFOUND: no vault there;
 * ERR_BUSY, ERR_IO, ERR_NOMEM; the text says what the process said. */
MUST_CHECK int vault_open(const struct vault_opts *opts, struct vault **ret_vault, struct err_text *error);

/* The process ends when it was the last connection. NULL is accepted. */
void vault_close(struct vault *vault);

/* The process of dir, to which nobody is connected any more, puts its files in order and ends: waits for that, 10 s at most.
 * Whether it has ended; so also where there was none. For who removes the directory, or moves it. */
bool vault_await_end(const char *dir);

/* Asks one question, which is stolen (NULL gives ERR_NOMEM), and waits for the answer, 10 s at most; any thread, one
 * question at a time. Where the process has ended it is started, and asked, once more. *ret_answer is the caller's
 * (json_decref). Errors of the answer: invalid ERR_INVALID, denied and restricted ERR_DENIED, notfound ERR_NOTFOUND,
 * exists ERR_EXISTS, erased ERR_EXPIRED, locked and busy ERR_BUSY, io ERR_IO; error->field names what was wrong. */
MUST_CHECK int vault_ask(struct vault *vault, json_t *question, json_t **ret_answer, struct err_text *error);

#endif

/* The vault itself: its files opened, its keys in locked memory, and an answer to each question (docs/VAULT.md). One
 * thread. */
#ifndef VAULT_KEEPER_H
#define VAULT_KEEPER_H

#include <jansson.h>

#include "common/err.h"

struct keeper_opts {
    const char *folder;     /* of the vault's files */
    const char *key;        /* file:PATH, credential:NAME or passphrase */
    const char *searchable; /* fields with a blind index */
};

struct keeper;

/* Makes a vault with fresh keys in a folder that is there, and the file of the unlocking key where there is none.
 * passphrase: for `passphrase`, else NULL. ERR_EXISTS, ERR_IO. */
MUST_CHECK int keeper_create(const struct keeper_opts *opts, const char *passphrase, struct err_text *error);

/* Opens the files and finishes what a process that died had begun. With `passphrase` it stays locked until `unlock`.
 * ERR_NOTFOUND, ERR_DENIED (the key does not fit), ERR_CORRUPT, ERR_IO, ERR_LIMIT (no memory may be locked). */
MUST_CHECK int keeper_open(const struct keeper_opts *opts, struct keeper **ret_keeper, struct err_text *error);
void keeper_close(struct keeper *keeper);

/* The answer to a question, the caller's; NULL without memory. */
json_t *keeper_answer(struct keeper *keeper, json_t *question);

/* Now and then: signs the head of the chain where something came and 60 s have passed. */
void keeper_tick(struct keeper *keeper);

#endif

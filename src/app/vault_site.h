/* The vault of a data directory: making it, and asking its process. */
#ifndef APP_VAULT_SITE_H
#define APP_VAULT_SITE_H

#include "app/conf.h"
#include "common/err.h"
#include "vault/client.h"

/* Makes the vault's folder with fresh keys, and the file of the unlocking key. A passphrase comes from the file that
 * $ALMANAC_PASSPHRASE_FILE names. As root, for the vault's own user. ERR_EXISTS: something of a vault is there; ERR_BUSY. */
MUST_CHECK int vault_site_create(const struct conf *conf, struct err_text *error);

/* Gives the file of the unlocking key, where there is one, to whom the vault is, where root works. */
MUST_CHECK int vault_site_give_key(const struct conf *conf, struct err_text *error);

/* Takes run/vault.lock, so that no process of the vault begins; one that runs would go on with the files as they were. The caller
 * closes it. ERR_BUSY: one runs. */
MUST_CHECK int vault_site_hold(const struct conf *conf, int *ret_lock, struct err_text *error);

/* Connects to the vault's process; role tells its log who asks. As vault_open. */
MUST_CHECK int vault_site_open(const struct conf *conf, const char *role, struct vault **ret_vault,
                               struct err_text *error);

/* Asks one question of the vault's process; question is stolen, the answer is the caller's. */
MUST_CHECK int vault_site_ask(const struct conf *conf, json_t *question, json_t **ret_answer, struct err_text *error);

/* Who works on this machine, for the chain. */
#define VAULT_SITE_OPERATOR_MAX 32
const char *vault_site_operator(char out[static VAULT_SITE_OPERATOR_MAX]);

/* Reads a passphrase from standard input, without showing it where that is a terminal, or from
 * $ALMANAC_PASSPHRASE_FILE: the first line. The caller wipes it. ERR_INVALID: empty or too long. A new one is
 * asked for twice where it is typed. */
#define VAULT_SITE_PASSPHRASE_MAX 1024
MUST_CHECK int vault_site_passphrase(char ret_text[static VAULT_SITE_PASSPHRASE_MAX], struct err_text *error);
MUST_CHECK int vault_site_new_passphrase(char ret_text[static VAULT_SITE_PASSPHRASE_MAX], struct err_text *error);

#endif

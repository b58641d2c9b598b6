/* The vault of a data directory: making it, and asking its process. */
#ifndef APP_VAULT_SITE_H
#define APP_VAULT_SITE_H

#include "app/conf.h"
#include "common/err.h"
#include "vault/client.h"

/* Makes the vault's folder with fresh keys, and the file of the unlocking key. A passphrase comes from the file that
 * $ALMANAC_PASSPHRASE_FILE names. As root, for the vault's own user. */
MUST_CHECK int vault_site_create(const struct conf *conf, struct err_text *error);

/* Connects to the vault's process; role tells its log who asks. As vault_open. */
MUST_CHECK int vault_site_open(const struct conf *conf, const char *role, struct vault **ret_vault,
                               struct err_text *error);

/* Reads a passphrase from standard input, without showing it where that is a terminal, or from
 * $ALMANAC_PASSPHRASE_FILE: the first line. The caller wipes it. ERR_INVALID: empty or too long. */
#define VAULT_SITE_PASSPHRASE_MAX 1024
MUST_CHECK int vault_site_passphrase(char ret_text[static VAULT_SITE_PASSPHRASE_MAX], struct err_text *error);

#endif

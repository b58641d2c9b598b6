/* What the vault's process gives up, so that nothing in it can be read or reached from outside. */
#ifndef VAULT_GUARD_H
#define VAULT_GUARD_H

#include <stdbool.h>

#include "common/err.h"

/* No core files, no ptrace and no /proc/PID/mem for others, no privileges by exec; files are made for their owner
 * alone; memory of jansson is wiped when it is freed. First of all. */
MUST_CHECK int guard_begin(struct err_text *error);

/* Becomes that user where the process is root's and the user exists; *ret_became says so. ERR_DENIED. */
MUST_CHECK int guard_become(const char *user, bool *ret_became, struct err_text *error);

/* Files: from now on only what is below folder can be reached, key can be read, and names in run be removed (Landlock;
 * a kernel without it is no failure, *ret_held says so). key may be NULL. */
MUST_CHECK int guard_files(const char *folder, const char *key, const char *run, bool *ret_held,
                           struct err_text *error);

/* System calls: from now on no socket is made, nothing is run, nobody is traced (seccomp); another call kills the
 * process. */
MUST_CHECK int guard_calls(struct err_text *error);

#endif

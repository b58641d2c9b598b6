/* A vault in a folder of its own, asked without a process: for tests of what the process does. */
#ifndef TESTS_LIB_VAULT_RIG_H
#define TESTS_LIB_VAULT_RIG_H

#include <jansson.h>

#include "vault/keeper.h"

struct vault_rig {
    char dir[256], folder[300], key[320];
    struct keeper *keeper;
};

void vault_rig_make(struct vault_rig *rig);
void vault_rig_open(struct vault_rig *rig);
void vault_rig_close(struct vault_rig *rig);
void vault_rig_remove(struct vault_rig *rig); /* closes, too */

/* Asks a question written as JSON with ' for ", and gives the answer, which is the caller's. */
json_t *vault_rig_ask(struct vault_rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same; the error's word, or "ok". Static memory. */
const char *vault_rig_word(struct vault_rig *rig, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies a file of the vault to PATH, and back. */
void vault_rig_save(struct vault_rig *rig, const char *name, const char *path);
void vault_rig_load(struct vault_rig *rig, const char *path, const char *name);

#endif

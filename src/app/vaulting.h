/* The vault of a data directory as the parts of a program reach it: answers, pseudonyms, seals, and what it erased. The process
 * that holds its keys is started when it is first asked (vault/client.h), and again after it has ended. */
#ifndef APP_VAULTING_H
#define APP_VAULTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/conf.h"
#include "common/buf.h"
#include "common/err.h"

struct json_t;
struct vaulting;

/* Reads the public key; asks nothing yet. role: who it is, for the vault's log. After hash_init. ERR_NOTFOUND: there is
 * no vault in the directory, with what to do. conf is borrowed. */
MUST_CHECK int vaulting_open(const struct conf *conf, const char *role, struct vaulting **ret_vaulting, struct err_text *error);
/* Where the vault's public key lies. */
void vaulting_key_path(const struct conf *conf, char *out, size_t size);
/* Ends the thread, and the connection. NULL is accepted. */
void vaulting_close(struct vaulting *vaulting);

/* Starts a thread that holds a connection, so that the vault's process lives as long as we do, and carries over each minute. */
MUST_CHECK int vaulting_hold(struct vaulting *vaulting, struct err_text *error);

/* The functions below may be called from any thread; arg is the struct vaulting, so that they can be handed to others. */

/* As vault_ask; the question is stolen. ERR_BUSY too where there is no vault's process to be had. */
MUST_CHECK int vaulting_ask(void *arg, struct json_t *question, struct json_t **ret_answer, struct err_text *error);

/* Appends what only the vault opens again; asks nobody. */
MUST_CHECK int vaulting_seal(void *arg, const void *data, size_t size, struct buf *out);
/* Appends what was sealed; written down as action of the actor before. ERR_INVALID: sealed to another key, or not at all. */
MUST_CHECK int vaulting_unseal(struct vaulting *vaulting, const char *action, const void *sealed, size_t size, struct buf *out,
                               struct err_text *error);

/* Hands over a message of topic subjects, as struct documents_opts has it. */
MUST_CHECK int vaulting_subject(void *arg, const char *sealed, const char *from, struct err_text *error);

/* Pseudonyms, as struct pseudonyms_opts has it. */
MUST_CHECK int vaulting_pseudonyms(void *arg, const char *domain, const char *const *texts, size_t n, char **ret_pseudonyms,
                                   struct err_text *error);

/* Hides the entities that the vault erased and the store does not know yet, and tells the vault so. */
MUST_CHECK int vaulting_carry_over(void *arg, struct err_text *error);
/* Whether files still hold something of these entities. */
MUST_CHECK int vaulting_is_pending(void *arg, const char *const *entities, size_t n, bool *ret_pending, struct err_text *error);

/* How long Kafka keeps the topics that the store has readings of, as struct vault_door has it: some seconds at most. */
struct json_t *vaulting_retentions(void *arg);

/* Who asks from the command line: "local:" and the name of the user. */
#define VAULTING_ACTOR_MAX 72
void vaulting_actor(char out[static VAULTING_ACTOR_MAX]);

#endif

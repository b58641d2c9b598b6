/* What the parts of the keeper share. */
#ifndef VAULT_KEEPER_INSIDE_H
#define VAULT_KEEPER_INSIDE_H

#include <stdbool.h>

#include "vault/audit.h"
#include "vault/keeper.h"
#include "vault/keys.h"
#include "vault/records.h"
#include "vault/server.h"

struct keeper {
    char *folder, *searchable;
    struct keys *keys;
    struct records *records;
    struct audit *audit;
    bool unfinished;        /* a subject's key is gone, and what follows on it failed */
    int64_t finish_next_us; /* when that is tried again */
};

#define KEEPER_SUBJECT_MAX 256
#define KEEPER_TEXT_MAX 16384
#define KEEPER_ENTITIES_MAX 4096
#define KEEPER_WHOLE_MAX (1 << 20) /* all of a subject as JSON: it fits an answer */

/* A question of somebody about a subject. */
struct asked {
    struct keeper *keeper;
    const json_t *question;
    const char *action, *actor, *subject, *purpose, *detail;
    uint8_t name[CRYPT_NAME_BYTES]; /* of the subject */
    bool has_subject;               /* there is one of that name: key and what follows are filled in */
    struct keys_subject key;
    json_t *whole;    /* its records; NULL where there are none */
    int64_t consents; /* the revision of the consents that were found */
};

/* Reads actor, subject and purpose, and what there is of the subject. NULL, or the answer that says what is wrong. */
json_t *asked_begin(struct asked *asked, struct keeper *keeper, const json_t *question, bool needs_purpose);
void asked_end(struct asked *asked);
void asked_name(struct keeper *keeper, const char *subject, uint8_t ret_name[static CRYPT_NAME_BYTES]);
/* Reads the subject of that name; ERR_NOTFOUND is no failure, has_subject tells. */
MUST_CHECK int asked_load(struct asked *asked);

/* Whether the asker's globs let him see the subject; whether it consents to the purpose at this moment. */
bool asked_may_see(const struct asked *asked);
bool asked_consents(const struct asked *asked);

/* Writes down what was asked and what it came to. */
MUST_CHECK int asked_note(struct asked *asked, const char *result);

json_t *answer_absent(void);   /* the one answer for denied and for absent */
json_t *answer_code(int code); /* of an ERR_ code */
json_t *answer_good(void);
bool is_searchable(const struct keeper *keeper, const char *field);
void name_value(struct keeper *keeper, const char *field, const char *value, uint8_t ret_hash[static CRYPT_NAME_BYTES]);

json_t *keeper_put(struct keeper *keeper, const json_t *question);
json_t *keeper_consents(struct keeper *keeper, const json_t *question);
json_t *keeper_restrict(struct keeper *keeper, const json_t *question);
json_t *keeper_subjects(struct keeper *keeper, const json_t *question);

json_t *keeper_read(struct keeper *keeper, const json_t *question);
json_t *keeper_export(struct keeper *keeper, const json_t *question);
json_t *keeper_search(struct keeper *keeper, const json_t *question);
json_t *keeper_names(struct keeper *keeper, const json_t *question);
json_t *keeper_audit(struct keeper *keeper, const json_t *question);

json_t *keeper_erase(struct keeper *keeper, const json_t *question);
json_t *keeper_erasures(struct keeper *keeper, const json_t *question);
json_t *keeper_erased(struct keeper *keeper, const json_t *question);
/* What a process that died had begun, or a disk that was full stopped. */
MUST_CHECK int keeper_finish(struct keeper *keeper, struct err_text *error);

json_t *keeper_unseal(struct keeper *keeper, const json_t *question);
json_t *keeper_pseudonyms(struct keeper *keeper, const json_t *question);
json_t *keeper_verify(struct keeper *keeper, const json_t *question);
json_t *keeper_status(struct keeper *keeper, const json_t *question);
json_t *keeper_rotate(struct keeper *keeper, const json_t *question);
json_t *keeper_backup(struct keeper *keeper, const json_t *question);

/* The bytes of base64 in a member, unsealed; the caller drops them. NULL, or the answer that says what is wrong. */
json_t *unseal_member(struct keeper *keeper, const json_t *question, struct buf *ret_plain);

#endif

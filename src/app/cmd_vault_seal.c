/* almanac vault seal, almanac vault open */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cmd.h"
#include "app/site.h"
#include "app/vaulting.h"
#include "common/hash.h"
#include "common/limits.h"
#include "vault/seal.h"

/* All of standard input; at most a message and what sealing adds, in base64 at the most. */
#define INPUT_BYTES_MAX HASH_BASE64_MAX(LIMIT_MESSAGE_BYTES + SEAL_EXTRA_BYTES)

static int read_input(struct buf *out, struct err_text *error)
{
    size_t n = 1;
    while (n > 0 && out->n <= INPUT_BYTES_MAX) {
        uint8_t *room = buf_reserve(out, 65536);
        if (!room)
            return ERR_NOMEM;
        n = fread(room, 1, 65536, stdin);
        out->n += n;
    }
    if (ferror(stdin))
        return err_set(error, ERR_IO, "standard input cannot be read: %s", strerror(errno));
    return out->n > INPUT_BYTES_MAX ? err_set(error, ERR_LIMIT, "the message is longer than %d bytes", LIMIT_MESSAGE_BYTES) : 0;
}

static void wipe(struct buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->cap);
    buf_free(buf);
}

static int find_key(const struct args *args, uint8_t key[static SEAL_KEY_BYTES], struct err_text *error)
{
    const char *path = args_get(args, "key");
    struct conf *conf = NULL;
    char own[4200];
    if (path)
        return seal_key_read(path, key, error);
    int code = site_conf(args, &conf, error);
    if (code == 0) {
        vaulting_key_path(conf, own, sizeof own);
        code = seal_key_read(own, key, error);
    }
    conf_free(conf);
    return code;
}

static int put_sealed(const struct args *args, const struct buf *message, const uint8_t key[static SEAL_KEY_BYTES],
                      struct err_text *error)
{
    size_t size = message->n + SEAL_EXTRA_BYTES;
    uint8_t *sealed = malloc(size);
    char *text = malloc(HASH_BASE64_MAX(size));
    int code = sealed && text ? seal_make(key, message->data ? message->data : (const uint8_t *)"", message->n, sealed)
                              : ERR_NOMEM;
    bool as_text = args_has(args, "base64");
    if (code == 0 && as_text)
        hash_base64(sealed, size, text);
    if (code == 0 && (as_text ? puts(text) < 0 : fwrite(sealed, 1, size, stdout) != size))
        code = err_set(error, ERR_IO, "standard output cannot be written: %s", strerror(errno));
    free(sealed);
    free(text);
    return code;
}

static int run_seal(const struct args *args)
{
    struct err_text error = {0};
    struct buf message = {0};
    uint8_t key[SEAL_KEY_BYTES];
    int code = hash_init();
    if (code == 0)
        code = find_key(args, key, &error);
    if (code == 0)
        code = read_input(&message, &error);
    if (code == 0 && message.n > LIMIT_MESSAGE_BYTES)
        code = err_set(&error, ERR_LIMIT, "the message is longer than %d bytes", LIMIT_MESSAGE_BYTES);
    if (code == 0)
        code = put_sealed(args, &message, key, &error);
    wipe(&message);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static int run_open(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    struct vaulting *vaulting = NULL;
    struct buf sealed = {0}, message = {0};
    int code = hash_init();
    if (code == 0)
        code = site_conf(args, &conf, &error);
    if (code == 0)
        code = vaulting_open(conf, "almanac vault open", &vaulting, &error);
    if (code == 0)
        code = read_input(&sealed, &error);
    if (code == 0 && args_has(args, "base64")) {
        while (sealed.n > 0 && strchr("\r\n ", sealed.data[sealed.n - 1]))
            sealed.n--;
        if (hash_from_base64((const char *)sealed.data, sealed.n, sealed.data, &sealed.n) != 0)
            code = err_set(&error, ERR_INVALID, "standard input is not base64");
    }
    if (code == 0)
        code = vaulting_unseal(vaulting, "vault open", sealed.data, sealed.n, &message, &error);
    if (code == 0 && message.n > 0 && fwrite(message.data, 1, message.n, stdout) != message.n)
        code = err_set(&error, ERR_IO, "standard output cannot be written: %s", strerror(errno));
    wipe(&message);
    buf_free(&sealed);
    vaulting_close(vaulting);
    conf_free(conf);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg seal_args[] = {
    {"base64", 0, NULL, "prints base64, for tools that cannot take bytes; topic subjects takes both"},
    {"key", 0, "FILE", "the vault's public key, where no data directory is at hand"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};
static const struct arg open_args[] = {{"base64", 0, NULL, "the input is base64"}, SITE_ARG_DIR, SITE_ARG_SET};

const struct command cmd_vault_seal = {
    .name = "vault seal",
    .summary = "seals a message to the vault, for topic subjects: what goes through Kafka nobody else can read",
    .operands = "",
    .examples = "  almanac vault seal --base64 < subject.json | kcat -P -t subjects\n"
                "  almanac vault seal --key public.key < subject.json > subject.sealed\n",
    .args = seal_args,
    .n_args = sizeof seal_args / sizeof *seal_args,
    .run = run_seal};

const struct command cmd_vault_open = {
    .name = "vault open",
    .summary = "opens what was sealed to the vault, such as a message of the dead topic; written down there",
    .operands = "",
    .examples = "  kcat -C -t almanac.dead -o 17 -c 1 -D '' | almanac vault open\n",
    .args = open_args,
    .n_args = sizeof open_args / sizeof *open_args,
    .run = run_open};

/* Any bytes as what a peer sends to the vault's process: frames, and the questions in them. Each question is answered
 * by one JSON object that says ok or an error, whatever was asked before; nothing outside of the vault's folder
 * changes. */
#include <config.h>

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/files.h"
#include "common/hash.h"
#include "vault/frame.h"
#include "vault/keeper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void remove_dir(void)
{
    files_remove_tree(dir);
}

static struct keeper *make_keeper(void)
{
    static char folder[96], key[96];
    struct keeper *keeper = NULL;
    struct err_text error = {0};
    struct keeper_opts opts = {.folder = folder, .key = key, .searchable = "email"};
    snprintf(dir, sizeof dir, "%s/fuzz-vault-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (hash_init() != 0 || !mkdtemp(dir))
        abort();
    atexit(remove_dir);
    snprintf(folder, sizeof folder, "%s/vault", dir);
    snprintf(key, sizeof key, "file:%s/key", dir);
    if (mkdir(folder, 0700) != 0 || keeper_create(&opts, NULL, &error) != 0 || keeper_open(&opts, &keeper, &error) != 0)
        abort();
    return keeper;
}

static void ask(struct keeper *keeper, const uint8_t *text, size_t size)
{
    json_t *question = json_loadb((const char *)text, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *answer = json_is_object(question) ? keeper_answer(keeper, question) : NULL;
    if (json_is_object(question) &&
        json_is_true(json_object_get(answer, "ok")) == json_is_string(json_object_get(answer, "error")))
        abort();
    json_decref(question);
    json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keeper *keeper;
    size_t length;
    if (!keeper)
        keeper = make_keeper();
    ask(keeper, data, size); /* a bare question too, so that dictionaries and corpora are readable */
    while (size >= FRAME_HEAD_BYTES && frame_length(data, &length) == 0 && length <= size - FRAME_HEAD_BYTES) {
        ask(keeper, data + FRAME_HEAD_BYTES, length);
        data += FRAME_HEAD_BYTES + length;
        size -= FRAME_HEAD_BYTES + length;
    }
    return 0;
}

#include <config.h>

#include "test.h"

#include "vault_rig.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/files.h"
#include "common/hash.h"

void vault_rig_make(struct vault_rig *rig)
{
    struct err_text error = {0};
    *rig = (struct vault_rig){.keeper = NULL};
    /* hundreds of synced writes: in memory where there is such a folder, since no test here cuts the power */
    const char *scratch = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    snprintf(rig->dir, sizeof rig->dir, "%s/almanac-vault-XXXXXX", scratch ? scratch : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->folder, sizeof rig->folder, "%s/vault", rig->dir);
    snprintf(rig->key, sizeof rig->key, "file:%s/vault.key", rig->dir);
    assert_int_equal(mkdir(rig->folder, 0700), 0);
    assert_int_equal(hash_init(), 0);
    struct keeper_opts opts = {.folder = rig->folder, .key = rig->key, .searchable = "email"};
    if (keeper_create(&opts, NULL, &error) != 0)
        fail_msg("%s", error.text);
    vault_rig_open(rig);
}

void vault_rig_open(struct vault_rig *rig)
{
    struct err_text error = {0};
    struct keeper_opts opts = {.folder = rig->folder, .key = rig->key, .searchable = "email"};
    if (keeper_open(&opts, &rig->keeper, &error) != 0)
        fail_msg("%s", error.text);
}

void vault_rig_close(struct vault_rig *rig)
{
    keeper_close(rig->keeper);
    rig->keeper = NULL;
}

void vault_rig_remove(struct vault_rig *rig)
{
    vault_rig_close(rig);
    files_remove_tree(rig->dir);
}

__attribute__((format(printf, 2, 0))) static json_t *ask(struct vault_rig *rig, const char *format, va_list args)
{
    char text[65536];
    json_error_t error;
    vsnprintf(text, sizeof text, format, args);
    for (char *at = text; *at; at++)
        if (*at == '\'')
            *at = '"';
    json_t *question = json_loads(text, 0, &error);
    if (!question)
        fail_msg("%s: %s", error.text, text);
    json_t *answer = keeper_answer(rig->keeper, question);
    json_decref(question);
    assert_non_null(answer);
    return answer;
}

json_t *vault_rig_ask(struct vault_rig *rig, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_t *answer = ask(rig, format, args);
    va_end(args);
    return answer;
}

const char *vault_rig_word(struct vault_rig *rig, const char *format, ...)
{
    static char word[32];
    va_list args;
    va_start(args, format);
    json_t *answer = ask(rig, format, args);
    va_end(args);
    const char *error = json_string_value(json_object_get(answer, "error"));
    snprintf(word, sizeof word, "%s", error ? error : "ok");
    json_decref(answer);
    return word;
}

void vault_rig_save(struct vault_rig *rig, const char *name, const char *path)
{
    char from[400];
    snprintf(from, sizeof from, "%s/%s", rig->folder, name);
    unlink(path);
    assert_int_equal(files_copy(from, path, NULL, NULL), 0);
}

void vault_rig_load(struct vault_rig *rig, const char *path, const char *name)
{
    char to[400];
    snprintf(to, sizeof to, "%s/%s", rig->folder, name);
    unlink(to);
    assert_int_equal(files_copy(path, to, NULL, NULL), 0);
}

/* What the vault costs: a read and pseudonyms, without the socket and through it, with and without the disk's sync.
 *
 *     bench_vault PROGRAM FOLDER NAME    PROGRAM: almanac-vaultd; FOLDER: on a disk, or in memory (/dev/shm)
 *
 * Prints one figure a line, in microseconds; NAME tells which folder it was. */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "common/hash.h"
#include "vault/client.h"
#include "vault/keeper.h"

#define READS 2000
#define TEXTS 1000

static void die(const char *why)
{
    fprintf(stderr, "bench_vault: %s\n", why);
    exit(1);
}

static json_t *read_question(int i)
{
    char subject[32];
    snprintf(subject, sizeof subject, "s-%d", i % 100);
    return json_pack("{s:s, s:s, s:s, s:s}", "do", "read", "actor", "bench", "subject", subject, "purpose", "billing");
}

static json_t *put_question(int i)
{
    char subject[32];
    snprintf(subject, sizeof subject, "s-%d", i);
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:[s], s:[{s:s}]}", "do", "put", "actor", "bench", "subject",
                     subject, "fields", "name", "A Name", "email", "a@example.org", "address", "A Street 1, A Town",
                     "entities", "m-1", "consents", "purpose", "billing");
}

static json_t *pseudonyms_question(void)
{
    json_t *texts = json_array();
    for (int i = 0; i < TEXTS; i++) {
        char text[32];
        snprintf(text, sizeof text, "meter-%d", i);
        json_array_append_new(texts, json_string(text));
    }
    return json_pack("{s:s, s:s, s:o}", "do", "pseudonyms", "domain", "d", "texts", texts);
}

/* Of this process: what a busy machine does not change. */
static double cpu_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

typedef json_t *ask_fn(void *arg, json_t *question);

static json_t *ask_keeper(void *arg, json_t *question)
{
    json_t *answer = keeper_answer(arg, question);
    json_decref(question);
    return answer;
}

static json_t *ask_process(void *arg, json_t *question)
{
    struct err_text error = {0};
    json_t *answer = NULL;
    if (vault_ask(arg, question, &answer, &error) != 0)
        die(error.text);
    return answer;
}

static void must(json_t *answer)
{
    if (!json_is_true(json_object_get(answer, "ok")))
        die("a question was refused");
    json_decref(answer);
}

static void measure(const char *name, const char *way, ask_fn *ask, void *arg)
{
    for (int i = 0; i < 100; i++)
        must(ask(arg, put_question(i)));
    double cpu = cpu_us();
    int64_t begin_us = clock_mono_us();
    for (int i = 0; i < READS; i++)
        must(ask(arg, read_question(i)));
    printf("vault read %s %s: %.1f us, %.1f us of it processor time here\n", name, way,
           (double)(clock_mono_us() - begin_us) / READS, (cpu_us() - cpu) / READS);
    must(ask(arg, pseudonyms_question()));
    cpu = cpu_us();
    begin_us = clock_mono_us();
    for (int i = 0; i < 100; i++)
        must(ask(arg, pseudonyms_question()));
    printf("vault pseudonym %s %s, %d a question: %.2f us, %.2f us of it processor time here\n", name, way, TEXTS,
           (double)(clock_mono_us() - begin_us) / (100 * TEXTS), (cpu_us() - cpu) / (100 * TEXTS));
}

int main(int argc, char **argv)
{
    char dir[4096], folder[4200], key[4300], keys[4200];
    struct err_text error = {0};
    struct keeper *keeper = NULL;
    struct vault *vault = NULL;
    if (argc != 4 || hash_init() != 0)
        die("bench_vault PROGRAM FOLDER NAME");
    snprintf(dir, sizeof dir, "%s/bench-vault-XXXXXX", argv[2]);
    if (!mkdtemp(dir))
        die("no scratch folder");
    snprintf(folder, sizeof folder, "%s/vault", dir);
    snprintf(keys, sizeof keys, "%s/keys", dir);
    snprintf(key, sizeof key, "file:%s/vault.key", keys);
    struct keeper_opts opts = {.folder = folder, .key = key, .searchable = "email"};
    if (mkdir(folder, 0700) != 0 || mkdir(keys, 0700) != 0 || keeper_create(&opts, NULL, &error) != 0 ||
        keeper_open(&opts, &keeper, &error) != 0)
        die(error.text);
    measure(argv[3], "without socket", ask_keeper, keeper);
    keeper_close(keeper);
    struct vault_opts process = {.dir = dir, .program = argv[1], .role = "bench"};
    if (vault_open(&process, &vault, &error) != 0)
        die(error.text);
    measure(argv[3], "through the socket", ask_process, vault);
    vault_close(vault);
    files_remove_tree(dir);
    return 0;
}

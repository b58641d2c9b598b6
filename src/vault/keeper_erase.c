/* Erasing a subject, in the order of docs/VAULT.md, and finishing what a process that died had begun. */
#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/clock.h"
#include "common/limits.h"
#include "vault/keeper_inside.h"
#include "vault/step.h"

/* ---- looking for what must be gone ---- */

/* Whether a file that SQLite has not open holds the bytes; one that went away meanwhile does not. */
static int file_holds(const char *path, const void *bytes, size_t size)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int found = fstat(fd, &info) != 0 ? ERR_IO : 0;
    if (found == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
        void *map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        found = map == MAP_FAILED ? ERR_IO : memmem(map, (size_t)info.st_size, bytes, size) != NULL;
        if (map != MAP_FAILED)
            munmap(map, (size_t)info.st_size);
    }
    close(fd);
    return found;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), size = strlen(end);
    return n >= size && strcmp(text + n - size, end) == 0;
}

/* The databases by their connections; and all other files but the logs' indices, which hold no page. */
static int vault_holds(struct keeper *keeper, const void *bytes, size_t size)
{
    struct db *const databases[] = {keys_db(keeper->keys), records_db(keeper->records), audit_db(keeper->audit)};
    char path[PATH_MAX];
    DIR *dir = opendir(keeper->folder);
    int found = dir ? 0 : ERR_IO;
    for (size_t i = 0; found == 0 && i < sizeof databases / sizeof *databases; i++)
        found = db_contains(databases[i], bytes, size);
    for (struct dirent *entry; found == 0 && (entry = readdir(dir)) != NULL;)
        if (!ends_with(entry->d_name, ".db") && !ends_with(entry->d_name, "-shm") &&
            snprintf(path, sizeof path, "%s/%s", keeper->folder, entry->d_name) < (int)sizeof path)
            found = file_holds(path, bytes, size);
    if (dir)
        closedir(dir);
    return found;
}

/* The ciphertext and tag; where they are found, the free pages that hold them are given up, and it is looked once more.
 */
static int check_gone(struct keeper *keeper, const uint8_t wrapped[static CRYPT_WRAPPED_BYTES])
{
    const uint8_t *bytes = wrapped + CRYPT_WRAPPED_BYTES - CRYPT_KEY_BYTES;
    int found = vault_holds(keeper, bytes, CRYPT_KEY_BYTES);
    if (found == 1 && (found = db_vacuum(keys_db(keeper->keys))) == 0)
        found = vault_holds(keeper, bytes, CRYPT_KEY_BYTES);
    return found == 1 ? ERR_CORRUPT : found;
}

/* ---- the steps ---- */

static int erase_records(struct keeper *keeper, const uint8_t name[static CRYPT_NAME_BYTES])
{
    int code = db_begin(records_db(keeper->records));
    if (code == 0)
        code = records_erase(keeper->records, name);
    code = code == 0 ? db_commit(records_db(keeper->records)) : code;
    if (code != 0)
        db_rollback(records_db(keeper->records));
    return code;
}

static int note_done(struct keeper *keeper, const char *actor, const uint8_t name[static CRYPT_NAME_BYTES])
{
    struct audit_entry entry = {
        .actor = actor, .action = "erase-done", .purpose = "", .result = "done", .detail = "", .subject = name};
    return audit_add(keeper->audit, &entry);
}

static int erase_key(struct asked *asked, bool deletes_series, int64_t erased_us)
{
    struct keeper *keeper = asked->keeper;
    struct crypt_place place = {.kind = CRYPT_PENDING, .subject = asked->name, .field = ""};
    const char *entities[KEEPER_ENTITIES_MAX];
    struct keys_erasing erasing = {.name = asked->name,
                                   .ground = asked->actor,
                                   .erased_us = erased_us,
                                   .deletes_series = deletes_series,
                                   .entities = entities};
    struct buf sealed = {0};
    json_t *list = json_object_get(asked->whole, "entities"), *entity;
    size_t i;
    json_array_foreach(list, i, entity)
        if (erasing.n_entities < KEEPER_ENTITIES_MAX)
            entities[erasing.n_entities++] = json_string_value(entity);
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    int code =
        crypt_seal(keys_own(keeper->keys, KEYS_TOMB), &place, text ? text : "[]", text ? strlen(text) : 2, &sealed);
    json_free_t wipe;
    json_get_alloc_funcs(NULL, &wipe);
    wipe(text);
    erasing.pending = sealed.data;
    erasing.pending_size = sealed.n;
    if (code == 0)
        code = keys_erase(keeper->keys, &erasing);
    buf_free(&sealed);
    return code;
}

static int erase(struct asked *asked, bool deletes_series, int64_t erased_us)
{
    struct keeper *keeper = asked->keeper;
    struct err_text error;
    int64_t n;
    step("before erase-begin");
    asked->action = "erase-begin";
    int code = asked_note(asked, "done");
    step("erase-begin noted");
    if (code == 0)
        code = erase_key(asked, deletes_series, erased_us);
    step("key gone");
    keeper->unfinished |= code == 0;
    if (code == 0)
        code = erase_records(keeper, asked->name);
    step("records gone");
    if (code == 0)
        code = keys_rotate(keeper->keys, &n, &error);
    if (code == 0)
        code = check_gone(keeper, asked->key.wrapped);
    step("looked for");
    if (code == 0)
        code = note_done(keeper, asked->actor, asked->name);
    step("erase-done noted");
    code = code == 0 ? keys_done(keeper->keys, asked->name) : code;
    if (code == 0)
        keeper->unfinished = false;
    return code;
}

int keeper_erase_named(struct keeper *keeper, const uint8_t name[static CRYPT_NAME_BYTES], const char *series)
{
    struct asked asked = {.keeper = keeper, .actor = "almanac-vaultd", .purpose = "", .detail = series};
    memcpy(asked.name, name, CRYPT_NAME_BYTES);
    int code = asked_load_named(&asked);
    bool has_key = asked.has_subject;
    asked.has_subject = has_key && asked.subject; /* else there is nothing that the chain's entry could be linked with */
    if (code == 0 && has_key)
        code = erase(&asked, strcmp(series, "keep") != 0, clock_wall_us());
    asked_end(&asked);
    return code;
}

static json_t *tell_erased(const struct asked *asked, int64_t erased_us, bool again)
{
    char time[CIVIL_TEXT_MAX];
    size_t n = civil_print_rfc3339(time, erased_us, 0, true);
    json_t *entities = json_object_get(asked->whole, "entities");
    return json_pack("{s:b, s:o, s:s%, s:I, s:b}", "ok", 1, "entities", entities ? json_incref(entities) : json_array(),
                     "erased_at", time, n, "epoch", (json_int_t)keys_epoch(asked->keeper->keys), "again", again);
}

static json_t *erase_asked(struct asked *asked, const char *series)
{
    struct keys_tomb tomb;
    struct err_text error;
    bool limited = json_object_get(asked->question, "globs") != NULL;
    bool may = asked->has_subject && (!limited || asked_may_see(asked));
    int64_t erased_us = clock_wall_us();
    int code = may ? 0 : keys_tomb(asked->keeper->keys, asked->name, &tomb);
    if (code < 0)
        return answer_code(code);
    bool again = code == 1 && !limited;
    if (may) {
        code = erase(asked, strcmp(series, "delete") == 0, erased_us);
    } else {
        code = asked_note(asked, again ? "again" : "notfound");
        if (code == 0 && !again)
            return answer_absent();
        if (code == 0 && asked->keeper->unfinished)
            code = keeper_finish(asked->keeper, &error);
        erased_us = tomb.erased_us;
    }
    return code == 0 ? tell_erased(asked, erased_us, again) : answer_code(code);
}

json_t *keeper_erase(struct keeper *keeper, const json_t *question)
{
    struct asked asked;
    const char *series = json_string_value(json_object_get(question, "series"));
    json_t *answer = asked_begin(&asked, keeper, question, false);
    if (!series)
        series = "delete";
    asked.detail = series;
    if (!answer && strcmp(series, "delete") != 0 && strcmp(series, "keep") != 0)
        answer = server_error("invalid", "series", "series: delete or keep");
    if (!answer)
        answer = erase_asked(&asked, series);
    asked_end(&asked);
    return answer;
}

/* ---- what the store has to do ---- */

static int add_pending(struct keeper *keeper, const struct keys_pending *pending, json_t *list)
{
    struct crypt_place place = {.kind = CRYPT_PENDING, .subject = pending->name, .field = ""};
    struct buf plain = {0};
    char time[CIVIL_TEXT_MAX];
    size_t n = civil_print_rfc3339(time, pending->erased_us, 0, true);
    int code = crypt_open(keys_own(keeper->keys, KEYS_TOMB), &place, pending->sealed, pending->size, &plain);
    json_t *entities = code == 0 ? json_loadb((char *)plain.data, plain.n, 0, NULL) : NULL;
    crypt_buf_drop(&plain);
    if (!entities)
        return code != 0 ? code : ERR_CORRUPT;
    json_t *one = json_pack("{s:I, s:o, s:s, s:s%}", "id", (json_int_t)pending->id, "entities", entities, "series",
                            pending->deletes_series ? "delete" : "keep", "erased_at", time, n);
    return json_array_append_new(list, one) == 0 ? 0 : ERR_NOMEM;
}

json_t *keeper_erasures(struct keeper *keeper, const json_t *question)
{
    struct keys_pending pending = {.id = 0};
    json_t *list = json_array();
    int code;
    (void)question;
    while ((code = keys_pending_next(keeper->keys, pending.id, &pending)) == 1)
        if ((code = add_pending(keeper, &pending, list)) != 0)
            break;
    if (code == 0)
        return json_pack("{s:b, s:o}", "ok", 1, "pending", list);
    json_decref(list);
    return answer_code(code);
}

json_t *keeper_erased(struct keeper *keeper, const json_t *question)
{
    json_t *id = json_object_get(question, "id");
    if (!json_is_integer(id))
        return server_error("invalid", "id", "id: the number of an erasure");
    int code = keys_confirm(keeper->keys, json_integer_value(id));
    if (code == ERR_NOTFOUND)
        return server_error("notfound", "id", "there is no such erasure");
    return code == 0 ? answer_good() : answer_code(code);
}

/* ---- after a crash, and of a vault.db that was put back ---- */

static int has_no_key(void *arg, const uint8_t *name)
{
    struct keeper *keeper = arg;
    struct keys_subject key;
    int code = keys_find(keeper->keys, name, &key);
    sodium_memzero(&key, sizeof key);
    return code < 0 ? code : code == 0;
}

int keeper_finish(struct keeper *keeper, struct err_text *error)
{
    struct keys_tomb tomb;
    int64_t n, removed = 0;
    int code = records_sweep(keeper->records, has_no_key, keeper, &removed);
    keeper->n_swept += removed;
    int rc = code == 0 ? keys_undone(keeper->keys, &tomb) : 0;
    if (rc == 1) {
        code = keys_rotate(keeper->keys, &n, error);
        if (code == 0)
            code = db_vacuum(keys_db(keeper->keys)); /* which key it was nobody knows any more: no free page stays */
    }
    for (; rc == 1 && code == 0; rc = keys_undone(keeper->keys, &tomb)) {
        code = note_done(keeper, "almanac-vaultd", tomb.name);
        if (code == 0)
            code = keys_done(keeper->keys, tomb.name);
    }
    if (code == 0 && rc < 0)
        code = rc;
    keeper->unfinished = code != 0;
    return code == 0 ? 0 : err_set(error, code, "what was being erased cannot be finished: %s", err_name(code));
}

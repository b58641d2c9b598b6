#include <config.h>

#include "app/backup.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/site.h"
#include "app/stop.h"
#include "common/files.h"
#include "common/hash.h"
#include "store/access.h"
#include "store/catalog.h"
#include "store/copy.h"
#include "store/erasure.h"
#include "store/rewrite.h"

#define MANIFEST "manifest"
#define AUTH "auth.db"
#define VAULT_PUBLIC "vault.public" /* what dead letters are sealed to: no secret */

/* One backup or restore under way. */
struct work {
    const struct conf *conf;   /* of a backup */
    const char *from;          /* of a restore: the backup */
    const char *erased;        /* and the list that was named, or NULL */
    struct progress *progress;
    struct backup_counts counts;
};

static int copied_cb(void *arg, int64_t bytes)
{
    struct work *work = arg;
    progress_add(work->progress, bytes);
    return stop_asked() ? ERR_CANCELLED : 0;
}

static int copy_auth(const char *from_dir, const char *folder, struct err_text *error)
{
    char from[PATH_MAX], to[PATH_MAX];
    snprintf(from, sizeof from, "%s/" AUTH, from_dir);
    snprintf(to, sizeof to, "%s/" AUTH, folder);
    if (access(from, F_OK) != 0 && errno == ENOENT)
        return 0;
    int code = access_copy(from, to, error);
    if (code == 0 && chmod(to, S_IRUSR | S_IWUSR) != 0)
        code = err_set(error, ERR_IO, "the access rights of \"%s\" cannot be set", to);
    return code;
}

static bool lies_below(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && path[size] == '/';
}

/* The vault has backups of its own. What is needed to go on without it is its public key, where it lies in the directory: so a
 * restored one stores what comes, and its people are told of when the vault is there, too. */
static int copy_public_key(const struct conf *conf, const char *folder, struct err_text *error)
{
    char from[PATH_MAX], to[PATH_MAX];
    snprintf(from, sizeof from, "%s/public.key", conf->vault_dir);
    snprintf(to, sizeof to, "%s/" VAULT_PUBLIC, folder);
    int code = lies_below(conf->vault_dir, conf->base) ? files_copy(from, to, NULL, NULL) : 0;
    return code == 0 || code == ERR_NOTFOUND
               ? 0
               : err_set(error, code, "cannot copy \"%s\" to \"%s\": %s", from, to, err_name(code));
}

/* ---- files below a folder ---- */

typedef int file_fn(void *arg, const char *root, const char *path, int64_t bytes, struct err_text *error);

/* Calls file for each file below root; below is the folder's path in it, "" or ending in a slash. */
static int walk(const char *root, const char *below, file_fn *file, void *arg, struct err_text *error)
{
    char path[PATH_MAX], name[PATH_MAX];
    struct dirent **entries;
    snprintf(path, sizeof path, "%s/%s", root, below);
    int n = scandir(path, &entries, NULL, alphasort), code = 0;
    if (n < 0)
        return err_set(error, ERR_IO, "cannot read the folder \"%s\": %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        struct stat info;
        bool dots = strcmp(entries[i]->d_name, ".") == 0 || strcmp(entries[i]->d_name, "..") == 0;
        if (snprintf(name, sizeof name - 1, "%s%s", below, entries[i]->d_name) >= (int)sizeof name - 1 ||
            snprintf(path, sizeof path, "%s/%s", root, name) >= (int)sizeof path)
            code = err_set(error, ERR_INVALID, "the names below \"%s\" are too long", root);
        free(entries[i]);
        if (code != 0 || dots)
            continue;
        if (lstat(path, &info) != 0) {
            code = err_set(error, ERR_IO, "cannot read \"%s\": %s", path, strerror(errno));
        } else if (S_ISDIR(info.st_mode)) {
            size_t size = strlen(name); /* snprintf left room */
            memcpy(name + size, "/", 2);
            code = walk(root, name, file, arg, error);
        } else {
            code = file(arg, root, name, info.st_size, error);
        }
    }
    free(entries);
    return code;
}

/* ---- the manifest: a line a file, digest, bytes and path ---- */

struct manifest {
    struct work *work;
    FILE *out;
};

static int add_line(void *arg, const char *root, const char *path, int64_t bytes, struct err_text *error)
{
    struct manifest *manifest = arg;
    char full[PATH_MAX], hex[HASH_HEX_MAX];
    uint8_t digest[HASH_BYTES];
    if (strcmp(path, MANIFEST) == 0 || strcmp(path, COPY_INCOMPLETE) == 0)
        return 0;
    snprintf(full, sizeof full, "%s/%s", root, path);
    int code = hash_file(full, digest);
    if (code != 0)
        return err_set(error, code, "cannot read \"%s\": %s", full, err_name(code));
    hash_hex(digest, hex);
    fprintf(manifest->out, "%s %" PRId64 " %s\n", hex, bytes, path);
    manifest->work->counts.n_files++;
    manifest->work->counts.n_bytes += bytes;
    return copied_cb(manifest->work, bytes);
}

static int write_manifest(struct work *work, const char *folder, struct err_text *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" MANIFEST, folder);
    struct manifest manifest = {work, fopen(path, "wxe")};
    if (!manifest.out)
        return err_set(error, ERR_IO, "cannot write \"%s\": %s", path, strerror(errno));
    int code = walk(folder, "", add_line, &manifest, error);
    bool failed = ferror(manifest.out) || fflush(manifest.out) || fsync(fileno(manifest.out));
    failed = fclose(manifest.out) || failed;
    if (code == 0 && failed)
        code = err_set(error, errno == ENOSPC ? ERR_FULL : ERR_IO, "cannot write \"%s\": %s", path, strerror(errno));
    return code;
}

/* One line's file. */
static int check_line(struct work *work, const char *line, struct err_text *error)
{
    char path[PATH_MAX], hex[HASH_HEX_MAX], name[PATH_MAX];
    uint8_t listed[HASH_BYTES], digest[HASH_BYTES];
    int64_t bytes;
    struct stat info;
    if (sscanf(line, "%64[0-9a-f] %" SCNd64 " %4095[^\n]", hex, &bytes, name) != 3 || hash_from_hex(hex, listed) != 0 ||
        strstr(name, "..") || name[0] == '/' ||
        snprintf(path, sizeof path, "%s/%s", work->from, name) >= (int)sizeof path)
        return err_set(error, ERR_CORRUPT, "the manifest of \"%s\" is damaged: a line of it makes no sense", work->from);
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return err_set(error, ERR_CORRUPT, "the backup is damaged: \"%s\" is missing", path);
    if (info.st_size != bytes || hash_file(path, digest) != 0 || !hash_equal(digest, listed))
        return err_set(error, ERR_CORRUPT, "the backup is damaged: \"%s\" is not the file that was backed up", path);
    work->counts.n_files++;
    work->counts.n_bytes += bytes;
    return copied_cb(work, bytes);
}

static int count_file(void *arg, const char *root, const char *path, int64_t bytes, struct err_text *error)
{
    int64_t *n = arg;
    (void)root, (void)bytes, (void)error;
    *n += strcmp(path, MANIFEST) != 0;
    return 0;
}

/* Every digest before anything is made; a file that the manifest does not have is as wrong as one that is missing. */
static int check_manifest(struct work *work, struct err_text *error)
{
    char path[PATH_MAX], *line = NULL;
    size_t size = 0;
    int64_t n = 0;
    int code = 0;
    snprintf(path, sizeof path, "%s/" COPY_INCOMPLETE, work->from);
    bool incomplete = access(path, F_OK) == 0;
    snprintf(path, sizeof path, "%s/" MANIFEST, work->from);
    FILE *in = incomplete ? NULL : fopen(path, "re");
    if (!in)
        return err_set(error, ERR_NOTFOUND, "\"%s\" is no whole backup: %s", work->from,
                       incomplete ? "it was broken off" : "it has no manifest, which `almanac backup` writes last");
    while (code == 0 && getline(&line, &size, in) > 0)
        code = check_line(work, line, error);
    free(line);
    fclose(in);
    if (code == 0)
        code = walk(work->from, "", count_file, &n, error);
    if (code == 0 && n != work->counts.n_files)
        code = err_set(error, ERR_CORRUPT, "the backup \"%s\" is damaged: it has %" PRId64 " files, and its manifest %" PRId64,
                       work->from, n, work->counts.n_files);
    return code;
}

/* ---- making one ---- */

static int finish_backup(void *arg, const char *folder, struct err_text *error)
{
    struct work *work = arg;
    char path[PATH_MAX];
    progress_add(work->progress, 0);
    snprintf(path, sizeof path, "%s/" CONF_FILE, folder);
    int code = files_copy(work->conf->file, path, NULL, NULL);
    if (code != 0)
        return err_set(error, code, "cannot copy \"%s\" to \"%s\": %s", work->conf->file, path, err_name(code));
    code = copy_auth(work->conf->data, folder, error);
    if (code == 0)
        code = copy_public_key(work->conf, folder, error);
    return code == 0 ? write_manifest(work, folder, error) : code;
}

int backup_make(const struct conf *conf, const char *dest, struct progress *progress, struct backup_counts *ret_counts,
                struct err_text *error)
{
    struct work work = {.conf = conf, .progress = progress};
    int code = hash_init();
    progress_start(progress, "backing up", 2 * store_bytes(conf->data)); /* copied, and read once more */
    if (code == 0)
        code = store_copy(&(struct copy_opts){.dir = conf->data, .dest = dest, .copied = copied_cb, .finish = finish_backup,
                                              .arg = &work}, error);
    progress_done(progress);
    *ret_counts = work.counts;
    return code;
}

/* ---- putting one back ---- */

/* The configuration of a data directory that lies where its file does: key data of section almanac says so. */
static int write_conf(FILE *in, FILE *out)
{
    static const char here[] = "data = .\n";
    char *line = NULL;
    size_t size = 0;
    bool inside = false, said = false;
    while (getline(&line, &size, in) > 0) {
        const char *text = line + strspn(line, " \t");
        size_t key = strcspn(text, " \t=:\n");
        if (inside && key == 4 && strncasecmp(text, "data", 4) == 0)
            continue;
        fputs(line, out);
        if (*text != '[')
            continue;
        inside = strncasecmp(text, "[almanac]", 9) == 0;
        if (inside && !said)
            fputs(here, out);
        said = said || inside;
    }
    free(line);
    if (!said)
        fprintf(out, "\n[almanac]\n%s", here);
    return ferror(in) || ferror(out) ? ERR_IO : 0;
}

static int restore_conf(const struct work *work, const char *folder, struct err_text *error)
{
    char from[PATH_MAX], to[PATH_MAX], *text = NULL;
    size_t size = 0;
    snprintf(from, sizeof from, "%s/" CONF_FILE, work->from);
    snprintf(to, sizeof to, "%s/" CONF_FILE, folder);
    FILE *in = fopen(from, "re"), *out = open_memstream(&text, &size);
    int code = in && out ? write_conf(in, out) : ERR_IO;
    if (in)
        fclose(in);
    if (out && fclose(out) != 0)
        code = ERR_NOMEM;
    if (code != 0)
        err_set(error, code, "cannot read \"%s\": %s", from, err_name(code));
    else
        code = site_write_file(to, 0640, text, size, error);
    free(text);
    return code;
}

/* Only where the configuration names files below the new directory; others are the operator's to put there. */
static int restore_certificate(const char *folder, struct err_text *error)
{
    char path[PATH_MAX];
    struct conf *conf = NULL;
    snprintf(path, sizeof path, "%s/" CONF_FILE, folder);
    int code = conf_load(path, NULL, 0, &conf, error);
    if (code != 0)
        return code;
    size_t size = strlen(conf->base);
    if (strncmp(conf->certificate, conf->base, size) == 0 && strncmp(conf->key, conf->base, size) == 0)
        code = site_make_certificate(conf, error);
    conf_free(conf);
    return code;
}

static int restore_public_key(const struct work *work, const char *folder, struct err_text *error)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct conf *conf = NULL;
    snprintf(from, sizeof from, "%s/" VAULT_PUBLIC, work->from);
    snprintf(to, sizeof to, "%s/" CONF_FILE, folder);
    int code = conf_load(to, NULL, 0, &conf, error);
    if (code == 0 && lies_below(conf->vault_dir, conf->base) && access(from, F_OK) == 0) {
        snprintf(to, sizeof to, "%s/public.key", conf->vault_dir);
        code = mkdir(conf->vault_dir, S_IRWXU) != 0 && errno != EEXIST ? ERR_IO : files_copy(from, to, NULL, NULL);
        if (code != 0)
            err_set(error, code, "cannot make \"%s\": %s", to, err_name(code));
    }
    conf_free(conf);
    return code;
}

/* The configuration's second copy of the list is the newer one, where it names one. */
static int merge_tombstones(const char *folder, struct err_text *error)
{
    char path[PATH_MAX];
    struct conf *conf = NULL;
    snprintf(path, sizeof path, "%s/" CONF_FILE, folder);
    int code = conf_load(path, NULL, 0, &conf, error);
    if (code == 0 && *conf->tombstones)
        code = erasure_merge(folder, conf->tombstones, error);
    conf_free(conf);
    return code;
}

/* What was erased is not in the directory when anybody opens it. */
static int remove_erased(const struct work *work, const char *folder, struct err_text *error)
{
    int code = work->erased ? erasure_merge(folder, work->erased, error) : merge_tombstones(folder, error);
    if (code == ERR_NOTFOUND)
        err_set(error, code, "the list of erased entities \"%s\" is not there: name the newest erased.db with --erased, "
                "as that of the directory that was backed up", work->erased ? work->erased : "vault.tombstones");
    return code == 0 ? rewrite_restored(folder, error) : code;
}

static int finish_restore(void *arg, const char *folder, struct err_text *error)
{
    struct work *work = arg;
    int code = restore_conf(work, folder, error);
    if (code == 0)
        code = copy_auth(work->from, folder, error);
    if (code == 0)
        code = restore_certificate(folder, error);
    if (code == 0)
        code = restore_public_key(work, folder, error);
    if (code == 0)
        code = catalog_restore(folder, error);
    return code == 0 ? remove_erased(work, folder, error) : code;
}

int backup_restore(const struct restore_opts *opts, struct progress *progress, struct backup_counts *ret_counts,
                   struct err_text *error)
{
    struct work work = {.from = opts->backup, .erased = opts->erased, .progress = progress};
    int code = hash_init();
    progress_start(progress, "restoring", 2 * store_bytes(opts->backup));
    if (code == 0)
        code = check_manifest(&work, error);
    if (code == 0)
        code = store_copy(&(struct copy_opts){.dir = opts->backup, .dest = opts->dir, .copied = copied_cb,
                                              .finish = finish_restore,
                                              .arg = &work}, error);
    progress_done(progress);
    *ret_counts = work.counts;
    return code;
}

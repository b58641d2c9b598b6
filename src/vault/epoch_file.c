#include <config.h>

#include "vault/epoch_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/files.h"
#include "vault/step.h"

void (*step_hook)(const char *name);

static const char magic[8] = {'A', 'L', 'M', 'e', 'p', 'o', 'c', '1'};

#define HEAD_BYTES (8 + 8 + EPOCH_SALT_BYTES + 16) /* magic, kind, salt, costs */
#define FILE_BYTES (HEAD_BYTES + CRYPT_WRAPPED_BYTES)

void epoch_lock_new(struct epoch_lock *ret_lock)
{
    *ret_lock = (struct epoch_lock){.is_passphrase = true, .ops = 3, .memory_bytes = 64 << 20};
    randombytes_buf(ret_lock->salt, sizeof ret_lock->salt);
}

int epoch_derive(const struct epoch_lock *lock, const char *passphrase, uint8_t ret_key[static CRYPT_KEY_BYTES])
{
    return crypto_pwhash(ret_key, CRYPT_KEY_BYTES, passphrase, strlen(passphrase), lock->salt, lock->ops,
                         lock->memory_bytes, crypto_pwhash_ALG_ARGON2ID13) == 0
               ? 0
               : ERR_NOMEM;
}

static int read_whole(const char *path, void *data, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : errno == EACCES ? ERR_DENIED : ERR_IO;
    uint8_t more;
    ssize_t n = read(fd, data, size);
    bool good = n == (ssize_t)size && read(fd, &more, 1) == 0;
    close(fd);
    return good ? 0 : n < 0 ? ERR_IO : ERR_CORRUPT;
}

int epoch_read_unlocking(const char *spec, uint8_t ret_key[static CRYPT_KEY_BYTES], struct err_text *error)
{
    char path[PATH_MAX];
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    if (strcmp(spec, "passphrase") == 0)
        return err_set_field(error, ERR_DENIED, "vault.key",
                             "the vault is unlocked by a file or a credential, not by a passphrase: name it in vault.key");
    if (strncmp(spec, "file:", 5) == 0)
        snprintf(path, sizeof path, "%s", spec + 5);
    else if (strncmp(spec, "credential:", 11) != 0)
        return err_set_field(error, ERR_INVALID, "vault.key",
                             "\"%s\" is neither file:PATH nor credential:NAME nor passphrase", spec);
    else if (!folder || snprintf(path, sizeof path, "%s/%s", folder, spec + 11) >= (int)sizeof path)
        return err_set(error, ERR_NOTFOUND, "there is no credential \"%s\": name it with LoadCredential= in the unit",
                       spec + 11);
    int code = read_whole(path, ret_key, CRYPT_KEY_BYTES);
    if (code == ERR_CORRUPT)
        return err_set(error, ERR_INVALID, "the vault's unlocking key \"%s\" has not 32 bytes", path);
    return code == 0
               ? 0
               : err_set(error, code, "the vault's unlocking key \"%s\" cannot be read: %s", path, err_name(code));
}

int epoch_make_unlocking(const char *spec, uint8_t ret_key[static CRYPT_KEY_BYTES], struct err_text *error)
{
    if (strncmp(spec, "file:", 5) != 0 || access(spec + 5, F_OK) == 0)
        return epoch_read_unlocking(spec, ret_key, error);
    randombytes_buf(ret_key, CRYPT_KEY_BYTES);
    int code = epoch_write_file(spec + 5, 0600, ret_key, CRYPT_KEY_BYTES);
    return code == 0 ? 0
                     : err_set(error, code, "the vault's unlocking key \"%s\" cannot be written: %s", spec + 5, strerror(errno));
}

int epoch_range(const char *folder, int64_t *ret_first, int64_t *ret_last)
{
    int64_t first = INT64_MAX, last = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char *end = NULL;
        if (strncmp(entry->d_name, "epoch.", 6) != 0 || strlen(entry->d_name) > 6 + 18)
            continue;
        int64_t epoch = strtoll(entry->d_name + 6, &end, 10);
        if (epoch <= 0 || *end)
            continue;
        first = epoch < first ? epoch : first;
        last = epoch > last ? epoch : last;
    }
    closedir(dir);
    if (last == 0)
        return ERR_NOTFOUND;
    *ret_first = first;
    *ret_last = last;
    return 0;
}

int epoch_write_file(const char *path, unsigned mode, const void *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return errno == EEXIST ? ERR_EXISTS : errno == ENOSPC ? ERR_FULL : ERR_IO;
    bool good = write(fd, data, size) == (ssize_t)size && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    if (!good)
        unlink(path);
    return good ? files_sync_folder_of(path) : ERR_IO;
}

int epoch_write(const char *folder, int64_t epoch, const struct epoch_lock *lock,
                const uint8_t unlocking[static CRYPT_KEY_BYTES], const uint8_t key[static CRYPT_KEY_BYTES])
{
    char path[PATH_MAX], other[PATH_MAX + 8];
    uint8_t file[FILE_BYTES] = {0};
    uint64_t kind = lock->is_passphrase;
    memcpy(file, magic, 8);
    memcpy(file + 8, &kind, 8);
    memcpy(file + 16, lock->salt, EPOCH_SALT_BYTES);
    memcpy(file + 32, &lock->ops, 8);
    memcpy(file + 40, &lock->memory_bytes, 8);
    crypt_wrap(unlocking, key, "epoch", file, HEAD_BYTES, epoch, file + HEAD_BYTES);
    if (snprintf(path, sizeof path, "%s/epoch.%" PRId64, folder, epoch) >= (int)sizeof path)
        return ERR_INVALID;
    snprintf(other, sizeof other, "%s.new", path);
    unlink(other);
    int code = epoch_write_file(other, 0600, file, sizeof file);
    step("epoch written");
    if (code == 0)
        code = files_rename(other, path);
    return code == 0 ? files_sync_folder_of(path) : code;
}

static int read_file(const char *folder, int64_t epoch, uint8_t ret_file[static FILE_BYTES])
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/epoch.%" PRId64, folder, epoch) >= (int)sizeof path)
        return ERR_INVALID;
    int code = read_whole(path, ret_file, FILE_BYTES);
    return code == 0 && memcmp(ret_file, magic, 8) != 0 ? ERR_CORRUPT : code;
}

int epoch_read_lock(const char *folder, int64_t epoch, struct epoch_lock *ret_lock)
{
    uint8_t file[FILE_BYTES];
    struct epoch_lock lock = {0};
    int code = read_file(folder, epoch, file);
    if (code != 0)
        return code;
    lock.is_passphrase = file[8];
    memcpy(lock.salt, file + 16, EPOCH_SALT_BYTES);
    memcpy(&lock.ops, file + 32, 8);
    memcpy(&lock.memory_bytes, file + 40, 8);
    if (lock.is_passphrase && (lock.ops > 64 || lock.memory_bytes > UINT64_C(4) << 30))
        return ERR_CORRUPT;
    *ret_lock = lock;
    return 0;
}

int epoch_read(const char *folder, int64_t epoch, const uint8_t unlocking[static CRYPT_KEY_BYTES],
               uint8_t ret_key[static CRYPT_KEY_BYTES])
{
    uint8_t file[FILE_BYTES];
    int code = read_file(folder, epoch, file);
    if (code != 0)
        return code;
    return crypt_unwrap(unlocking, file + HEAD_BYTES, "epoch", file, HEAD_BYTES, epoch, ret_key) == 0 ? 0 : ERR_DENIED;
}

/* Overwrites, syncs and closes. */
static int overwrite(int fd)
{
    uint8_t noise[FILE_BYTES];
    randombytes_buf(noise, sizeof noise);
    bool good = write(fd, noise, sizeof noise) == (ssize_t)sizeof noise && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    return good ? 0 : ERR_IO;
}

int epoch_replace(const char *folder, int64_t epoch, const struct epoch_lock *lock,
                  const uint8_t unlocking[static CRYPT_KEY_BYTES], const uint8_t key[static CRYPT_KEY_BYTES])
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/epoch.%" PRId64, folder, epoch) >= (int)sizeof path)
        return ERR_INVALID;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return ERR_IO;
    int code = epoch_write(folder, epoch, lock, unlocking, key);
    step("epoch replaced");
    if (code == 0)
        return overwrite(fd);
    close(fd);
    return code;
}

int epoch_destroy(const char *folder, int64_t epoch)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/epoch.%" PRId64, folder, epoch) >= (int)sizeof path)
        return ERR_INVALID;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : ERR_IO;
    int code = overwrite(fd);
    step("old epoch overwritten");
    if (code == 0)
        code = files_unlink(path);
    return code == 0 ? files_sync_folder_of(path) : code;
}

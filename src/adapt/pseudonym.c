#include <config.h>

#include "adapt/pseudonym.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int pseudonym_key_read(const char *path, struct pseudonym_key *ret_key, struct err_text *error)
{
    struct pseudonym_key key;
    struct stat info;
    char more;
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
                       "the key for pseudonyms \"%.200s\" cannot be read: %s", path, strerror(errno));
    bool open_to_all = fstat(fileno(file), &info) != 0 || (info.st_mode & S_IRWXO) != 0;
    bool whole = fread(key.bytes, sizeof(key.bytes), 1, file) == 1 && fread(&more, 1, 1, file) == 0 && !ferror(file);
    fclose(file);
    if (open_to_all)
        return err_set(error, ERR_INVALID, "the key for pseudonyms \"%.200s\" is open to everybody: chmod 600", path);
    if (!whole)
        return err_set(error, ERR_INVALID,
                       "the key for pseudonyms \"%.200s\" has not %d bytes; "
                       "`head -c %d /dev/urandom` makes a new one, under which every pseudonym is another",
                       path, HASH_KEY_BYTES, HASH_KEY_BYTES);
    *ret_key = key;
    return 0;
}

void pseudonym_make(const struct pseudonym_key *key, const char *text, size_t size,
                    char out[static PSEUDONYM_CHARACTERS])
{
    uint8_t hash[HASH_BYTES];
    char characters[4 * ((HASH_BYTES / 2 + 2) / 3) + 1];
    hash_keyed(key->bytes, text, size, hash);
    hash_base64url(hash, HASH_BYTES / 2, characters);
    memcpy(out, characters, PSEUDONYM_CHARACTERS);
}

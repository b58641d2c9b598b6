#include <config.h>

#include "store/erased_exports.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/files.h"

static int read_text(const char *path, struct buf *text)
{
    char piece[65536];
    size_t n;
    FILE *in = fopen(path, "re");
    if (!in)
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    while ((n = fread(piece, 1, sizeof(piece), in)))
        buf_put(text, piece, n);
    int rc = ferror(in) ? ERR_IO : text->failed ? ERR_NOMEM : 0;
    fclose(in);
    return rc;
}

/* Whether the file names an erased entity: 1, 0, or a code. */
static int names_erased(const char *folder, const char *name, struct erased *erased)
{
    char path[4200];
    struct buf text = {0};
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int rc = read_text(path, &text);
    if (!rc)
        rc = erased_is_named(erased, (const char *)text.data, text.n);
    buf_free(&text);
    return rc;
}

/* What an unfinished export has written is in no manifest yet. */
int erased_exports_has(const char *folder, struct erased *erased)
{
    char path[4200];
    struct stat made;
    int rc = names_erased(folder, "manifest.json", erased);
    if (rc != ERR_NOTFOUND)
        return rc ? rc : names_erased(folder, "request.json", erased);
    snprintf(path, sizeof(path), "%s/request.json", folder);
    if (stat(path, &made))
        return ERR_NOTFOUND;
    return made.st_mtim.tv_sec * INT64_C(1000000) + made.st_mtim.tv_nsec / 1000 < erased_newest_us(erased);
}

static int remove_if_erased(const char *path, struct erased *erased)
{
    char gone[4200];
    size_t size = strlen(path);
    if (size > 5 && !strcmp(path + size - 5, ".gone")) {
        files_remove_tree(path);
        return 0;
    }
    int rc = erased_exports_has(path, erased);
    snprintf(gone, sizeof(gone), "%s.gone", path);
    if (rc == 1 && rename(path, gone))
        rc = errno == ENOENT ? 0 : ERR_IO;
    rc = rc == ERR_NOTFOUND ? 0 : rc; /* half made, or being removed: its owner does that */
    if (rc == 1 && (rc = files_sync_folder_of(gone)) == 0)
        files_remove_tree(gone);
    return rc;
}

int erased_exports_remove(const char *dir, struct erased *erased, struct err_text *error)
{
    char path[4096];
    struct dirent **names;
    int rc = 0;
    snprintf(path, sizeof(path), "%s/exports", dir);
    int n = scandir(path, &names, NULL, NULL);
    if (n < 0)
        return errno == ENOENT ? 0 : err_set(error, ERR_IO, "cannot read the folder \"%s\": %s", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/exports/%s", dir, names[i]->d_name);
        int code = rc || *names[i]->d_name == '.' ? 0 : remove_if_erased(path, erased);
        if (code < 0)
            rc = err_set(error, code, "cannot remove the export \"%s\": %s", path, err_name(code));
        free(names[i]);
    }
    free(names);
    return rc;
}

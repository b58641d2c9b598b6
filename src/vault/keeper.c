#include <config.h>

#include "vault/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vault/server.h"

struct keeper {
    char *folder;
};

int keeper_open(const struct keeper_opts *opts, struct keeper **ret_keeper, struct err_text *error)
{
    struct stat info;
    if (stat(opts->folder, &info) != 0)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "the vault \"%s\" cannot be used: %s", opts->folder,
                       strerror(errno));
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (keeper)
        keeper->folder = strdup(opts->folder);
    if (!keeper || !keeper->folder) {
        keeper_close(keeper);
        return err_set(error, ERR_NOMEM, "out of memory");
    }
    *ret_keeper = keeper;
    return 0;
}

void keeper_close(struct keeper *keeper)
{
    if (keeper)
        free(keeper->folder);
    free(keeper);
}

json_t *keeper_answer(struct keeper *keeper, json_t *question)
{
    const char *operation = json_string_value(json_object_get(question, "do"));
    (void)keeper;
    if (operation && strcmp(operation, "hello") == 0)
        return json_pack("{s:b, s:s}", "ok", 1, "version", PACKAGE_VERSION);
    return server_error("invalid", "do", "no such operation");
}

void keeper_tick(struct keeper *keeper)
{
    (void)keeper;
}

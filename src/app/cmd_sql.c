/* almanac sql: the stock sqlite3 shell on the data directory, with the extension loaded */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cmd.h"
#include "app/site.h"
#include "common/buf.h"

#define EXTENSION "almanac.so"

static const struct arg options[] = {SITE_ARG_DIR, SITE_ARG_SET};

/* Beside the program, as after `make`; else where `make install` puts it. */
static int find_extension(char *out, size_t size, struct err_text *error)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program));
    char *slash = n > 0 && n < (ssize_t)sizeof(program) ? memrchr(program, '/', (size_t)n) : NULL;
    if (slash && snprintf(out, size, "%.*s" EXTENSION, (int)(slash + 1 - program), program) < (int)size &&
        access(out, R_OK) == 0)
        return 0;
    if (snprintf(out, size, "%s/" EXTENSION, EXTENSIONDIR) < (int)size && access(out, R_OK) == 0)
        return 0;
    return err_set(error, ERR_NOTFOUND, "\"" EXTENSION "\" is neither beside this program nor in \"%s\": install Almanac again",
                   EXTENSIONDIR);
}

/* A word of the shell's dot-commands: in double quotes, where a backslash escapes. */
static void put_quoted(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
    buf_putc(out, '"');
}

/* Becomes the shell; comes back only when that fails. */
static int become_shell(const char *dir, const char *extension, const char *sql, struct err_text *error)
{
    struct buf load = {0}, file = {0}, text = {0};
    buf_puts(&load, ".load ");
    put_quoted(&load, extension);
    buf_putc(&load, '\0');
    buf_printf(&file, "%s%s/catalog.db", *dir == '-' ? "./" : "", dir); /* what begins with a dash is an option there, */
    buf_putc(&file, '\0');
    buf_printf(&text, "%s%s", sql && *sql == '-' ? " " : "", sql ? sql : ""); /* wherever it stands */
    buf_putc(&text, '\0');
    if (!load.failed && !file.failed && !text.failed) {
        execlp("sqlite3", "sqlite3", "-readonly", "-cmd", (char *)load.data, (char *)file.data, sql ? (char *)text.data : NULL,
               NULL);
        if (errno == ENOENT)
            err_set(error, ERR_NOTFOUND, "the program sqlite3 is not installed: install it (apt install sqlite3), or ask "
                    "POST /v1/sql");
        else
            err_set(error, ERR_IO, "the program sqlite3 cannot be run: %s", strerror(errno));
    }
    buf_free(&load);
    buf_free(&file);
    buf_free(&text);
    return *error->text ? ERR_IO : ERR_NOMEM;
}

static int check_dir(const char *dir, struct err_text *error)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s/catalog.db", dir) >= (int)sizeof(path))
        return err_set(error, ERR_INVALID, "the path of the data directory is too long");
    if (access(path, R_OK))
        return err_set(error, ERR_IO, "\"%s\" cannot be read: %s", path, strerror(errno));
    return 0;
}

static int run(const struct args *args)
{
    char extension[PATH_MAX];
    struct err_text error = {0};
    struct conf *conf = NULL;
    int code = site_conf(args, &conf, &error);
    code = code ? code : check_dir(conf->data, &error);
    code = code ? code : find_extension(extension, sizeof(extension), &error);
    code = code ? code : become_shell(conf->data, extension, args->n_operands ? args->operands[0] : NULL, &error);
    conf_free(conf);
    return args_fail(args, code, &error);
}

const struct command cmd_sql = {.name = "sql",
                                .summary = "opens the sqlite3 shell on readings, rollups and the newest values",
                                .operands = "[SQL]",
                                .n_operands = 1,
                                .n_optional = 1,
                                .examples =
                                    "  almanac sql\n"
                                    "  almanac sql \"select * from last where entity = 'p2-meter-0142'\"\n"
                                    "  almanac sql \"select time, value from readings where entity = 'p2-meter-0142' and "
                                    "property = 'activePower' and time >= '2025-03-02' and time < '2025-03-03'\"\n"
                                    "  almanac sql \"select time, mean, max from rollup where property = 'activePower' and "
                                    "step = 'P1D' and zone = 'Europe/Ljubljana'\"\n",
                                .args = options,
                                .n_args = sizeof options / sizeof *options,
                                .run = run};

/* almanacd: the daemon. */
#include <config.h>

#include <limits.h>
#include <stdio.h>

#include "app/args.h"
#include "app/adapting.h"
#include "app/conf.h"
#include "app/daemon.h"
#include "app/site.h"
#include "common/log.h"
#include "db/db.h"

static int load(const struct args *args, struct conf **ret_conf, struct err_text *error)
{
    const char *settings[ARGS_MAX], *file = args_get(args, "config");
    char path[PATH_MAX];
    size_t n = site_settings(args, settings);
    int code = file ? 0 : site_conf_path(NULL, path, sizeof path, error);
    return code == 0 ? conf_load(file ? file : path, settings, n, ret_conf, error) : code;
}

static int run_daemon(const struct conf *conf, struct err_text *error)
{
    struct daemon_opts opts = {.conf = conf};
    struct daemon *daemon = NULL;
    daemon_block_signals();
    int code = daemon_start(&opts, &daemon, error);
    if (code != 0)
        return code;
    daemon_wait(daemon, -1);
    daemon_stop(daemon);
    log_event(LOG_INFO, "stopped", "data=\"%s\"", conf->data);
    return 0;
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    if (args_has(args, "version")) {
        puts("almanacd " PACKAGE_VERSION);
        return EXIT_DONE;
    }
    int code = load(args, &conf, &error);
    if (code != 0) {
        args_fail(args, code, &error);
        return EXIT_FAILED;
    }
    for (size_t i = 0; i < conf->n_warnings; i++)
        fprintf(stderr, "almanacd: %s\n", conf->warnings[i]);
    if (args_has(args, "check") && conf->roles & ROLE_ADAPT)
        code = adapting_check(conf, &error);
    if (args_has(args, "check") && code == 0)
        printf("%s: good\n", conf->file);
    else if (code == 0)
        code = run_daemon(conf, &error);
    conf_free(conf);
    if (code == 0)
        return EXIT_DONE;
    args_fail(args, code, &error);
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static const struct arg args[] = {
        {"config", 'c', "FILE", "the configuration, almanac.conf(5)"},
        {"check", 0, NULL, "checks the configuration, says what is wrong with it, and ends"},
        SITE_ARG_SET,
        {"version", 0, NULL, "prints the version"},
    };
    static const struct command command = {
        .name = "almanacd",
        .summary = "the historian: reads Kafka, keeps readings, answers over HTTPS",
        .examples = "  almanacd -c /var/lib/almanac/almanac.conf\n"
                    "  almanacd -c almanac.conf --check\n"
                    "  almanacd -c almanac.conf --set http.listen=127.0.0.1:9443 --set "
                    "almanac.roles=serve\n",
        .operands = "",
        .args = args,
        .n_args = sizeof args / sizeof *args,
        .run = run};
    db_expect_many();
    return args_run("almanacd", &command, argc - 1, argv + 1);
}

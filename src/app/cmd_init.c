/* almanac init DIR */
#include <config.h>

#include <stdio.h>

#include "app/cmd.h"
#include "app/site.h"

static int run(const struct args *args)
{
    const char *settings[ARGS_MAX], *dir = args->operands[0];
    char token[TOKEN_TEXT_MAX];
    struct err_text error = {0};
    int code = site_create(dir, settings, site_settings(args, settings), token, &error);
    if (code != 0)
        return args_fail(args, code, &error);
    printf("token: %s\n", token);
    fprintf(stderr,
            "The token is shown only now; it may do everything. Start the daemon: almanacd -c "
            "%s/" CONF_FILE "\n",
            dir);
    return EXIT_DONE;
}

static const struct arg options[] = {SITE_ARG_SET};

const struct command cmd_init = {
    .name = "init",
    .summary = "makes a data directory with its configuration, certificate and first token",
    .operands = "DIR",
    .n_operands = 1,
    .examples = "  almanac init /var/lib/almanac\n"
                "  almanac init site --set http.listen=0.0.0.0:8443 --set "
                "kafka.bootstrap.servers=kafka-1:9092\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};

/* almanac version */
#include <config.h>

#include <stdio.h>

#include "app/cmd.h"

static int run(const struct args *args)
{
    (void)args;
    puts("almanac " PACKAGE_VERSION);
    return EXIT_DONE;
}

const struct command cmd_version = {.name = "version",
                                    .summary = "prints the version",
                                    .operands = "",
                                    .examples = "  almanac version\n",
                                    .run = run};

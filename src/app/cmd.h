/* The commands of `almanac`: one a file, each exports one table entry. */
#ifndef APP_CMD_H
#define APP_CMD_H

#include "app/args.h"

extern const struct command cmd_init, cmd_demo, cmd_query, cmd_sql, cmd_token_create, cmd_deadletter_list,
    cmd_deadletter_show, cmd_verify, cmd_version;

#endif

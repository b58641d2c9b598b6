/* The commands of `almanac`: one a file, each exports one table entry. */
#ifndef APP_CMD_H
#define APP_CMD_H

#include "app/args.h"

extern const struct command cmd_init;
extern const struct command cmd_demo;
extern const struct command cmd_adapt;
extern const struct command cmd_query;
extern const struct command cmd_rebuild;
extern const struct command cmd_replay;
extern const struct command cmd_sql;
extern const struct command cmd_token_create;
extern const struct command cmd_token_list;
extern const struct command cmd_token_revoke;
extern const struct command cmd_user_add;
extern const struct command cmd_user_list;
extern const struct command cmd_user_remove;
extern const struct command cmd_cert_add;
extern const struct command cmd_cert_list;
extern const struct command cmd_cert_remove;
extern const struct command cmd_deadletter_list;
extern const struct command cmd_deadletter_show;
extern const struct command cmd_deadletter_replay;
extern const struct command cmd_export;
extern const struct command cmd_import_assets;
extern const struct command cmd_import;
extern const struct command cmd_vault_seal;
extern const struct command cmd_vault_open;
extern const struct command cmd_verify;
extern const struct command cmd_backup;
extern const struct command cmd_restore;
extern const struct command cmd_vault_init;
extern const struct command cmd_vault_rewrap;
extern const struct command cmd_vault_status;
extern const struct command cmd_vault_rotate;
extern const struct command cmd_vault_unlock;
extern const struct command cmd_vault_audit_verify;
extern const struct command cmd_vault_backup;
extern const struct command cmd_vault_restore;
extern const struct command cmd_version;

#endif

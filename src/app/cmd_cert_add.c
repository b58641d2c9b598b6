/* almanac cert add --name N --scope S FILE */
#include <config.h>

#include <stdio.h>

#include "app/cmd.h"
#include "app/site.h"
#include "common/hash.h"
#include "http/trust.h"

static int add(const struct conf *conf, const struct args *args, struct err_text *error)
{
    uint8_t spki[HASH_BYTES];
    char hex[HASH_HEX_MAX];
    struct access *access = NULL;
    int code = hash_init();
    if (code == 0)
        code = trust_file_spki(args->operands[0], spki, error);
    if (code == 0)
        code = access_open(conf->data, &access, error);
    if (code == 0)
        code = access_certificate_add(access, args_get(args, "name"), args_get(args, "scope"), spki, error);
    access_close(access);
    if (code != 0)
        return code;
    hash_hex(spki, hex);
    printf("key: %s\n", hex);
    if (!conf->client_ca[0])
        fputs("http.client_ca is not set: no client is asked for a certificate yet\n", stderr);
    return 0;
}

static int run(const struct args *args)
{
    struct err_text error = {0};
    struct conf *conf = NULL;
    if (!args_get(args, "name") || !args_get(args, "scope"))
        return args_wrong(args, "--%s is missing", args_get(args, "name") ? "scope" : "name");
    int code = site_conf(args, &conf, &error);
    if (code == 0)
        code = add(conf, args, &error);
    conf_free(conf);
    return code == 0 ? EXIT_DONE : args_fail(args, code, &error);
}

static const struct arg options[] = {
    {"name", 0, "NAME", "whose certificate this is, for the log and the audit"},
    {"scope", 0, "SCOPE",
     "read, export, sql, ops, personal:read, personal:write, vault:admin, admin; several with "
     "commas"},
    SITE_ARG_DIR,
    SITE_ARG_SET,
};

const struct command cmd_cert_add = {
    .name = "cert add",
    .summary = "lets in who has the key of this certificate (PEM), signed by http.client_ca; prints the key's SHA-256",
    .operands = "FILE",
    .n_operands = 1,
    .examples = "  almanac cert add --name grafana --scope read grafana.pem\n"
                "  almanac cert add --dir /var/lib/almanac --name scada --scope read,export scada.pem\n",
    .args = options,
    .n_args = sizeof options / sizeof *options,
    .run = run};

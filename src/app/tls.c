#include <config.h>

#include "app/tls.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/site.h"
#include "common/civil.h"
#include "common/clock.h"
#include "common/hash.h"

#define VALID_DAYS 3650

static int add_name(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 4,
                                                    GNUTLS_FSAN_APPEND);
    if (inet_pton(AF_INET6, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, 16,
                                                    GNUTLS_FSAN_APPEND);
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
                                                (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

/* The host of "HOST:PORT"; of an address that means every interface, the machine's name instead. */
static void host_of(const char *listen, char out[static 256])
{
    const char *colon = strrchr(listen, ':');
    size_t size = colon ? (size_t)(colon - listen) : strlen(listen);
    if (size >= 2 && listen[0] == '[') {
        listen++;
        size -= 2;
    }
    snprintf(out, 256, "%.*s", (int)(size < 255 ? size : 255), listen);
    if (strcmp(out, "0.0.0.0") == 0 || strcmp(out, "::") == 0) {
        if (gethostname(out, 256) != 0)
            out[0] = 0;
        out[255] = 0;
    }
}

static int add_names(gnutls_x509_crt_t crt, const char *listen)
{
    static const char *const always[] = {"localhost", "127.0.0.1", "::1"};
    char host[256];
    int code = 0;
    bool known = false;
    host_of(listen, host);
    for (size_t i = 0; i < sizeof always / sizeof *always && code == 0; i++) {
        known = known || strcmp(always[i], host) == 0;
        code = add_name(crt, always[i]);
    }
    return code == 0 && !known && host[0] ? add_name(crt, host) : code;
}

/* Fills and signs the certificate; a GnuTLS code. */
static int fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *listen)
{
    time_t now = (time_t)(clock_wall_us() / US_PER_SECOND);
    uint8_t serial[16], id[20];
    size_t id_size = sizeof id;
    hash_random(serial, sizeof serial);
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and of full length */
    int code = gnutls_x509_crt_set_version(crt, 3);
    if (code == 0)
        code = gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
    if (code == 0)
        code = gnutls_x509_crt_set_activation_time(crt, now - 3600);
    if (code == 0)
        code = gnutls_x509_crt_set_expiration_time(crt, now + VALID_DAYS * (time_t)86400);
    if (code == 0)
        code = gnutls_x509_crt_set_dn(crt, "CN=Almanac", NULL);
    if (code == 0)
        code = gnutls_x509_crt_set_key(crt, key);
    if (code == 0)
        code = add_names(crt, listen);
    if (code == 0)
        code = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
    if (code == 0)
        code = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    if (code == 0)
        code = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
    if (code == 0)
        code = gnutls_x509_crt_get_key_id(crt, 0, id, &id_size);
    if (code == 0)
        code = gnutls_x509_crt_set_subject_key_id(crt, id, id_size);
    if (code == 0)
        code = gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
    return code;
}

int tls_create(const char *listen, const char *certificate_path, const char *key_path,
               struct err_text *error)
{
    gnutls_x509_privkey_t key = NULL;
    gnutls_x509_crt_t crt = NULL;
    gnutls_datum_t key_pem = {0}, crt_pem = {0};
    int result = 0;
    int code = gnutls_x509_privkey_init(&key);
    if (code == 0)
        code = gnutls_x509_crt_init(&crt);
    if (code == 0)
        code = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                            GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (code == 0)
        code = fill(crt, key, listen);
    if (code == 0)
        code = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &crt_pem);
    if (code == 0)
        code = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                                 &key_pem);
    if (code != 0)
        result = err_set(error, ERR_IO, "cannot make a certificate for \"%s\": %s", listen,
                         gnutls_strerror(code));
    if (result == 0)
        result = site_write_file(key_path, 0600, key_pem.data, key_pem.size, error);
    if (result == 0) {
        result = site_write_file(certificate_path, 0644, crt_pem.data, crt_pem.size, error);
        if (result != 0)
            unlink(key_path);
    }
    if (key_pem.data)
        gnutls_memset(key_pem.data, 0, key_pem.size);
    gnutls_free(key_pem.data);
    gnutls_free(crt_pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return result;
}

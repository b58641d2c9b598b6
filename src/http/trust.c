#include <config.h>

#include "http/trust.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <gnutls/x509.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "http/listen.h"

#define KEY_BITS_MAX 16384  /* a larger RSA key costs us more than the client */
#define TOLD_EVERY_US 100000 /* refused clients in the log, so that they do not fill it; the metric counts all */

#define N_FILES 4

struct trust_set {
    gnutls_certificate_credentials_t credentials;
    uint8_t (*revoked)[HASH_BYTES]; /* sorted */
    size_t n_revoked;
    bool asks;                      /* clients for a certificate */
    _Atomic int n_refs;
};

/* What tells that a file was changed. */
struct stamp {
    struct timespec modified;
    uint64_t size, inode;
};

struct trust {
    struct trust_opts opts;
    pthread_mutex_t lock;       /* guards set */
    struct trust_set *set;
    struct stamp seen[N_FILES]; /* when they were read last, with success or not */
};

static struct metric n_refused = {
    .name = "almanac_http_client_certificates_refused_total",
    .help = "Handshakes that were refused for the client's certificate",
    .type = METRIC_COUNTER,
};

/* ---- reading the files ---- */

static void release(struct trust_set *set)
{
    if (!set || atomic_fetch_sub(&set->n_refs, 1) > 1)
        return;
    if (set->credentials)
        gnutls_certificate_free_credentials(set->credentials);
    free(set->revoked);
    free(set);
}

static int compare_spki(const void *a, const void *b)
{
    return memcmp(a, b, HASH_BYTES);
}

static bool is_revoked(const struct trust_set *set, const uint8_t spki[static HASH_BYTES])
{
    return set->n_revoked && bsearch(spki, set->revoked, set->n_revoked, HASH_BYTES, compare_spki);
}

/* One line: blank, a comment, or a hash; anything behind it is a remark. 1 a hash, 0 none, below 0 neither. */
static int parse_line(const char *line, uint8_t ret_spki[static HASH_BYTES])
{
    char hex[HASH_HEX_MAX];
    line += strspn(line, " \t\r");
    if (!*line || *line == '#')
        return 0;
    if (!strncmp(line, "sha256:", 7))
        line += 7;
    size_t size = strcspn(line, " \t\r");
    if (size != sizeof(hex) - 1)
        return ERR_INVALID;
    for (size_t i = 0; i < size; i++)
        hex[i] = (char)tolower((unsigned char)line[i]);
    hex[size] = '\0';
    return hash_from_hex(hex, ret_spki) ? ERR_INVALID : 1;
}

static int parse_revoked(struct trust_set *set, char *text, const char *path, struct err_text *error)
{
    size_t line = 1;
    for (char *at = text, *end; at; at = end ? end + 1 : NULL, line++) {
        uint8_t spki[HASH_BYTES];
        end = strchr(at, '\n');
        if (end)
            *end = '\0';
        int rc = parse_line(at, spki);
        if (rc < 0)
            return err_set(error, ERR_INVALID, "line %zu of the revoked keys \"%s\" is no SHA-256 of a public key: write 64 "
                           "hexadecimal digits, as `almanac cert list` shows them", line, path);
        if (!rc)
            continue;
        void *more = reallocarray(set->revoked, set->n_revoked + 1, HASH_BYTES);
        if (!more)
            return err_set(error, ERR_NOMEM, "out of memory");
        set->revoked = more;
        memcpy(set->revoked[set->n_revoked++], spki, HASH_BYTES);
    }
    if (set->n_revoked)
        qsort(set->revoked, set->n_revoked, HASH_BYTES, compare_spki);
    return 0;
}

static int load_revoked(struct trust_set *set, const char *path, struct err_text *error)
{
    char *text;
    int rc = pem_read(path, "list of revoked keys", &text, error);
    if (rc)
        return rc;
    rc = parse_revoked(set, text, path, error);
    free(text);
    return rc;
}

static int load_pair(struct trust_set *set, const struct trust_opts *opts, struct err_text *error)
{
    struct pem_pair pair;
    int rc = pem_pair_load(opts->certificate, opts->key, &pair, error);
    if (rc)
        return rc;
    gnutls_datum_t certificate = {(unsigned char *)pair.certificate, (unsigned)strlen(pair.certificate)};
    gnutls_datum_t key = {(unsigned char *)pair.key, (unsigned)strlen(pair.key)};
    if (gnutls_certificate_set_x509_key_mem(set->credentials, &certificate, &key, GNUTLS_X509_FMT_PEM) < 0)
        rc = err_set(error, ERR_NOMEM, "out of memory"); /* it was tried by pem_pair_load */
    pem_pair_free(&pair);
    return rc;
}

static int verify(gnutls_session_t session);

static int load_authorities(struct trust_set *set, const char *path, struct err_text *error)
{
    char *text;
    int rc = pem_read(path, "authorities of clients", &text, error);
    if (rc)
        return rc;
    gnutls_datum_t pem = {(unsigned char *)text, (unsigned)strlen(text)};
    int n = gnutls_certificate_set_x509_trust_mem(set->credentials, &pem, GNUTLS_X509_FMT_PEM);
    free(text);
    if (n <= 0)
        return err_set(error, ERR_INVALID, "the authorities of clients \"%s\" cannot be used: name a PEM file with the "
                       "certificates of those who sign them", path);
    gnutls_certificate_set_verify_limits(set->credentials, KEY_BITS_MAX, TRUST_DEPTH_MAX);
    gnutls_certificate_set_verify_function(set->credentials, verify);
    set->asks = true;
    return 0;
}

static bool is_named(const char *path)
{
    return path && *path;
}

static int load(const struct trust_opts *opts, struct trust_set **ret_set, struct err_text *error)
{
    struct trust_set *set = calloc(1, sizeof(*set));
    if (!set)
        return err_set(error, ERR_NOMEM, "out of memory");
    atomic_store(&set->n_refs, 1);
    int rc = gnutls_certificate_allocate_credentials(&set->credentials) ? err_set(error, ERR_NOMEM, "out of memory")
                                                                        : load_pair(set, opts, error);
    if (!rc && is_named(opts->client_ca))
        rc = load_authorities(set, opts->client_ca, error);
    if (!rc && is_named(opts->client_revoked))
        rc = load_revoked(set, opts->client_revoked, error);
    if (rc)
        release(set);
    else
        *ret_set = set;
    return rc;
}

static void look_at(const struct trust_opts *opts, struct stamp ret_stamps[static N_FILES])
{
    const char *const paths[N_FILES] = {opts->certificate, opts->key, opts->client_ca, opts->client_revoked};
    memset(ret_stamps, 0, N_FILES * sizeof(*ret_stamps));
    for (size_t i = 0; i < N_FILES; i++) {
        struct stat status;
        if (is_named(paths[i]) && !stat(paths[i], &status))
            ret_stamps[i] = (struct stamp){status.st_mtim, (uint64_t)status.st_size, status.st_ino};
    }
}

int trust_open(const struct trust_opts *opts, struct trust **ret_trust, struct err_text *error)
{
    struct trust *trust = calloc(1, sizeof(*trust));
    if (!trust)
        return err_set(error, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&trust->lock, NULL);
    trust->opts = *opts;
    look_at(opts, trust->seen); /* before they are read: a change meanwhile is seen the next time */
    int rc = load(opts, &trust->set, error);
    if (rc) {
        trust_close(trust);
        return rc;
    }
    metric_add(&n_refused, 0);
    *ret_trust = trust;
    return 0;
}

void trust_close(struct trust *trust)
{
    if (!trust)
        return;
    release(trust->set);
    pthread_mutex_destroy(&trust->lock);
    free(trust);
}

int trust_look(struct trust *trust, bool always, struct err_text *error)
{
    struct stamp now[N_FILES];
    struct trust_set *set, *old;
    look_at(&trust->opts, now);
    if (!always && !memcmp(now, trust->seen, sizeof(now)))
        return 0;
    memcpy(trust->seen, now, sizeof(now));
    int rc = load(&trust->opts, &set, error);
    if (rc)
        return rc;
    pthread_mutex_lock(&trust->lock);
    old = trust->set;
    trust->set = set;
    pthread_mutex_unlock(&trust->lock);
    release(old);
    return 1;
}

/* ---- a client's certificate ---- */

static int spki_of(gnutls_x509_crt_t crt, uint8_t ret_spki[static HASH_BYTES])
{
    size_t size = HASH_BYTES;
    return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, ret_spki, &size) || size != HASH_BYTES ? ERR_INVALID : 0;
}

/* What GnuTLS lets pass: an authority as a client, and a certificate that does not say what it is for. */
static const char *why_no_client(gnutls_x509_crt_t crt)
{
    char oid[128];
    if (gnutls_x509_crt_get_basic_constraints(crt, NULL, NULL, NULL) > 0 || gnutls_x509_crt_get_ca_status(crt, NULL) > 0)
        return "it is an authority's";
    for (unsigned i = 0;; i++) {
        size_t size = sizeof(oid);
        int rc = gnutls_x509_crt_get_key_purpose_oid(crt, i, oid, &size, NULL);
        if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue;
        if (rc < 0)
            return "its purpose (extended key usage) is not clientAuth";
        if (!strcmp(oid, GNUTLS_KP_TLS_WWW_CLIENT))
            return NULL;
    }
}

/* One certificate of those that the client sent; the first is its own. */
static const char *check_certificate(const struct trust_set *set, const gnutls_datum_t *der, bool is_first, struct peer *peer)
{
    gnutls_x509_crt_t crt;
    uint8_t spki[HASH_BYTES];
    const char *why = NULL;
    if (gnutls_x509_crt_init(&crt))
        return "there is no memory";
    if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) || spki_of(crt, spki))
        why = "it cannot be read";
    else if (is_revoked(set, spki))
        why = "its key, or that of an authority of it, is revoked";
    else if (is_first)
        why = why_no_client(crt);
    if (!why) {
        time_t end = gnutls_x509_crt_get_expiration_time(crt);
        if (is_first)
            memcpy(peer->spki, spki, HASH_BYTES);
        if (is_first || end < peer->until_s)
            peer->until_s = end;
    }
    gnutls_x509_crt_deinit(crt);
    return why;
}

static const char *why_chain(unsigned status)
{
    return status & GNUTLS_CERT_EXPIRED                ? "it has expired"
           : status & GNUTLS_CERT_NOT_ACTIVATED        ? "it is not valid yet"
           : status & GNUTLS_CERT_SIGNER_NOT_FOUND     ? "none of the authorities has signed it"
           : status & GNUTLS_CERT_SIGNER_NOT_CA        ? "who signed it is no authority"
           : status & GNUTLS_CERT_INSECURE_ALGORITHM   ? "its key or its signature is too weak"
           : status & GNUTLS_CERT_SIGNATURE_FAILURE    ? "its signature is wrong"
           : status & GNUTLS_CERT_PURPOSE_MISMATCH     ? "its purpose (extended key usage) is not clientAuth"
                                                       : "its chain cannot be verified";
}

static const char *check_chain(gnutls_session_t session, const struct trust_set *set, struct peer *peer)
{
    unsigned n = 0, status = 0;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
    if (gnutls_certificate_type_get(session) != GNUTLS_CRT_X509)
        return "it is not of X.509";
    if (n > TRUST_DEPTH_MAX)
        return "its chain is too long";
    for (unsigned i = 0; i < n; i++) {
        const char *why = check_certificate(set, &chain[i], i == 0, peer);
        if (why)
            return why;
    }
    if (gnutls_certificate_verify_peers(session, &purpose, 1, &status))
        return "its chain cannot be verified";
    return status ? why_chain(status) : NULL;
}

static void tell_refused(const char *why, const struct peer *peer)
{
    static _Atomic int64_t told_us = INT64_MIN / 2;
    char hex[HASH_HEX_MAX];
    int64_t now_us = clock_mono_us(), last_us = atomic_load(&told_us);
    metric_add(&n_refused, 1);
    if (now_us - last_us < TOLD_EVERY_US || !atomic_compare_exchange_strong(&told_us, &last_us, now_us))
        return;
    hash_hex(peer->spki, hex);
    log_event(LOG_WARNING, "client_certificate_refused", "key=%s why=\"%s\"", hex, why);
}

/* GnuTLS calls this in the handshake when a client has answered our request for a certificate; anything but 0 ends that. Who sent
 * none is not verified; GnuTLS itself ends the handshake where one must be had. */
static int verify(gnutls_session_t session)
{
    struct peer *peer = gnutls_session_get_ptr(session), found = {0};
    unsigned n = 0;
    if (!gnutls_certificate_get_peers(session, &n) || !n)
        return 0;
    const char *why = check_chain(session, peer->set, &found);
    if (why) {
        tell_refused(why, &found);
        (void)gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
        return GNUTLS_E_CERTIFICATE_ERROR;
    }
    memcpy(peer->spki, found.spki, HASH_BYTES);
    peer->until_s = found.until_s;
    peer->is_verified = true;
    return 0;
}

/* ---- connections ---- */

static struct trust_set *hold(struct trust *trust)
{
    pthread_mutex_lock(&trust->lock);
    struct trust_set *set = trust->set;
    atomic_fetch_add(&set->n_refs, 1);
    pthread_mutex_unlock(&trust->lock);
    return set;
}

void trust_greet(struct trust *trust, gnutls_session_t session, bool must_have, struct peer *peer)
{
    peer->set = hold(trust);
    gnutls_session_set_ptr(session, peer);
    if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, peer->set->credentials))
        return; /* the session stays without a certificate: its handshake fails */
    if (peer->set->asks)
        gnutls_certificate_server_set_request(session, must_have ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
}

void trust_dismiss(struct peer *peer)
{
    release(peer->set);
    *peer = (struct peer){0};
}

bool trust_stands(struct trust *trust, const struct peer *peer)
{
    if (!peer->is_verified || clock_wall_us() / 1000000 > peer->until_s)
        return false;
    struct trust_set *set = hold(trust);
    bool stands = !is_revoked(set, peer->spki);
    release(set);
    return stands;
}

int trust_file_spki(const char *path, uint8_t ret_spki[static HASH_BYTES], struct err_text *error)
{
    char *text;
    gnutls_x509_crt_t crt;
    int rc = pem_read(path, "certificate", &text, error);
    if (rc)
        return rc;
    gnutls_datum_t pem = {(unsigned char *)text, (unsigned)strlen(text)};
    if (gnutls_x509_crt_init(&crt)) {
        free(text);
        return err_set(error, ERR_NOMEM, "out of memory");
    }
    if (gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM) || spki_of(crt, ret_spki)) {
        rc = err_set(error, ERR_INVALID, "there is no certificate in \"%s\": name a PEM file that begins with the client's",
                     path);
    } else {
        const char *why = why_no_client(crt);
        if (why)
            rc = err_set(error, ERR_INVALID, "no client can be let in with the certificate \"%s\": %s", path, why);
    }
    gnutls_x509_crt_deinit(crt);
    free(text);
    return rc;
}

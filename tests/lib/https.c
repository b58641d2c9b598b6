#include <config.h>

#include "test.h"

#include "https.h"

#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include <curl/curl.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#define ANSWER_MAX_S 60L

/* ---- the certificate ---- */

static void write_pem(const char *path, const gnutls_datum_t *pem)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(pem->data, 1, pem->size, file), pem->size);
    assert_int_equal(fclose(file), 0);
}

void https_make_certificate(const char *certificate_path, const char *key_path)
{
    static const unsigned char local_4[] = {127, 0, 0, 1}, local_6[16] = {[15] = 1}, serial[] = {1};
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_datum_t pem;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    gnutls_x509_crt_set_version(crt, 3);
    gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
    gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL);
    gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
    gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, local_4, sizeof(local_4), GNUTLS_FSAN_APPEND);
    gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, local_6, sizeof(local_6), GNUTLS_FSAN_APPEND);
    gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
    gnutls_x509_crt_set_key(crt, key);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(certificate_path, &pem);
    gnutls_free(pem.data);
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem), 0);
    write_pem(key_path, &pem);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
}

/* ---- requests ---- */

struct taken {
    struct buf *out;
    const struct https_request *request; /* NULL: of no concern */
};

static size_t take(char *data, size_t size, size_t n, void *arg)
{
    struct taken *taken = arg;
    const struct https_request *request = taken->request;
    buf_put(taken->out, data, size * n);
    if (request && request->on_data)
        request->on_data(request->on_data_arg);
    return request && request->stop_after && taken->out->n >= request->stop_after ? 0 : size * n;
}

/* What the system keeps of an answer that is not taken. */
static int keep_little(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    int bytes = 16 << 10;
    (void)arg;
    (void)purpose;
    return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

/* The body of a chunked request. */
struct source {
    const char *at;
    size_t left;
};

static size_t give(char *out, size_t size, size_t n, void *arg)
{
    struct source *source = arg;
    size_t part = size * n < source->left ? size * n : source->left;
    if (part)
        memcpy(out, source->at, part);
    source->at += part;
    source->left -= part;
    return part;
}

static struct curl_slist *make_headers(const struct https_request *request)
{
    struct curl_slist *list = curl_slist_append(NULL, request->expect ? "Expect: 100-continue" : "Expect:");
    if (request->token) {
        char text[256];
        snprintf(text, sizeof(text), "Authorization: Bearer %s", request->token);
        list = curl_slist_append(list, text);
    }
    for (size_t i = 0; request->headers && request->headers[i]; i++)
        list = curl_slist_append(list, request->headers[i]);
    if (request->chunked)
        list = curl_slist_append(list, "Transfer-Encoding: chunked");
    return list;
}

static void set_method(CURL *curl, const struct https_request *request, struct source *source)
{
    if (request->body && request->chunked) {
        *source = (struct source){request->body, request->body_size};
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(curl, CURLOPT_READDATA, source);
    } else if (request->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body_size);
    }
    if (request->method && !strcmp(request->method, "HEAD"))
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (request->method)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION,
                     (long)(request->http_1_0 ? CURL_HTTP_VERSION_1_0 : CURL_HTTP_VERSION_1_1));
    if (request->unpack) /* the header itself is the caller's */
        curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    if (request->tls_max_1_1)
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_0 | CURL_SSLVERSION_MAX_TLSv1_1);
    if (request->tls_max_1_2)
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2 | CURL_SSLVERSION_MAX_TLSv1_2);
}

void https_ask(const struct https_request *request, struct https_answer *ret_answer)
{
    char url[4096];
    struct source source;
    struct https_answer answer = {0};
    struct taken body = {&answer.body, request}, headers = {&answer.headers, NULL};
    struct curl_slist *list = make_headers(request);
    CURL *curl = curl_easy_init();
    assert_non_null(curl);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u%s", request->port, request->path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else all of the system's are parsed each time */
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_MAX_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (request->on_data)
        curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, keep_little);
    set_method(curl, request, &source);
    answer.failed = (int)curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(list);
    buf_putc(&answer.headers, '\0');
    buf_putc(&answer.body, '\0');
    answer.headers.n--;
    answer.body.n--;
    *ret_answer = answer;
}

void https_answer_free(struct https_answer *answer)
{
    buf_free(&answer->headers);
    buf_free(&answer->body);
}

const char *https_header(const struct https_answer *answer, const char *name)
{
    static _Thread_local char value[512];
    size_t size = strlen(name);
    for (const char *line = (const char *)answer->headers.data; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, size) || line[size] != ':')
            continue;
        line += size + 1 + strspn(line + size + 1, " ");
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r\n"), line);
        return value;
    }
    return "";
}

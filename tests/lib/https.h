/* A client for tests: a certificate of its own making, and requests with libcurl. */
#ifndef TESTS_LIB_HTTPS_H
#define TESTS_LIB_HTTPS_H

#include <stdint.h>

#include "common/buf.h"

/* A fresh self-signed certificate for localhost, 127.0.0.1 and ::1 with its key, as two PEM files. Asserts. */
void https_make_certificate(const char *certificate_path, const char *key_path);

struct https_request {
    uint16_t port;
    const char *ca;             /* the certificate to trust */
    const char *method;         /* NULL: GET, or POST with a body */
    const char *path;           /* with the query */
    const char *token;          /* NULL: none */
    const char *const *headers; /* more of them, ended by NULL; or NULL */
    const void *body;           /* NULL: none */
    size_t body_size;
    int http_1_0, tls_max_1_1, tls_max_1_2, chunked, unpack, expect; /* flags */
    size_t stop_after;          /* hang up after that many bytes of the body; 0 never */
    void (*on_data)(void *arg); /* called at each piece of the body, of which the system then keeps little; or NULL */
    void *on_data_arg;
};

struct https_answer {
    int failed;        /* CURLE_ code: 0 when the answer came whole */
    long status;
    struct buf headers, body; /* each ended by a NUL that is not counted */
};

void https_ask(const struct https_request *request, struct https_answer *ret_answer);
void https_answer_free(struct https_answer *answer);

/* The value of the answer's header, "" when it is not there; valid until the next call in this thread. */
const char *https_header(const struct https_answer *answer, const char *name);

#endif

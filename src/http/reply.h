/* An answer before it is sent: status, headers, and its bytes at once, as a stream or from a file. Nothing here knows the HTTP
 * library. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define REPLY_HEADERS_MAX 16

/* Puts a connection to sleep, from the thread that sends its answer, and wakes it, from any thread and once for each
 * sleep. */
struct sleeper {
    void (*sleep)(void *arg);
    void (*wake)(void *arg);
    void *arg;
};

/* Bytes that are made while they are sent, in constant memory. fill appends some to out and answers 1 when there may be
 * more, 0 when that was all, or a code: then the connection is broken, so that nobody takes half an answer for a whole
 * one. close frees the stream; it is called once, by reply_done or by the server. */
struct stream {
    /* Of a route that computes for long in a worker, a piece ahead of the client; of others in a thread that all share. */
    int (*fill)(struct stream *stream, struct buf *out, struct err_text *error);
    void (*close)(struct stream *stream);
    /* Only of streams that wait for something to happen: asked when fill has made nothing. 0: ask fill again; 1: the
     * connection sleeps, and wake comes; a code: the stream is over, and ends well. Never in a worker. */
    int (*wait)(struct stream *stream, const struct sleeper *sleeper);
};

struct reply {
    unsigned status;        /* 0: not answered yet */
    const char *type;       /* media type; NULL: no body */
    struct buf body;        /* the first bytes, and all of them without a stream */
    struct stream *stream;  /* owned; what comes after body */
    struct reply_file {     /* instead of both */
        bool is_there;
        int fd;             /* owned */
        uint64_t offset, size;
    } file;
    struct header {
        const char *name;   /* a literal */
        char *value;        /* owned */
    } headers[REPLY_HEADERS_MAX];
    size_t n_headers;
};

/* A zeroed struct is an empty reply. */
void reply_done(struct reply *reply);

void reply_header(struct reply *reply, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
/* Its body, which is JSON, is the answer: 200, the caller's own and to be asked for anew. */
void reply_json(struct reply *reply);

struct view;
/* The headers of every answer from a view: the state it shows, and whether there is more elsewhere. */
void reply_view(struct reply *reply, const struct view *view);
/* The headers that tell a browser what an answer may not be used for, on every one; a page has set a policy of its own. There is
 * no Strict-Transport-Security: nothing is served without TLS, and for a name such as localhost, with a certificate that signs
 * itself, it would shut people out of what else runs there. */
void reply_protect(struct reply *reply);
const char *reply_header_value(const struct reply *reply, const char *name); /* or NULL */

/* Makes the reply a problem (RFC 9457), dropping what it held; field may be "". Headers set before stay. */
void reply_problem(struct reply *reply, unsigned status, const char *field, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* The problem that a library's code and text amount to. Faults of ours (500) are logged and told without their text. */
void reply_error(struct reply *reply, int code, const struct err_text *error);

const char *status_title(unsigned status);

/* Answers with a stream, of which the first bytes are made now: a failure among them is returned instead, with
 * its own status, and a short answer goes out with its length. The stream is the reply's from here on. */
MUST_CHECK int reply_stream(struct reply *reply, const char *type, struct stream *stream, struct err_text *error);

/* Answers with size bytes of a file from offset on. fd is the reply's from here on. */
void reply_file(struct reply *reply, const char *type, int fd, uint64_t offset, uint64_t size);

/* How much a stream makes at a time. */
#define STREAM_BYTES (64 << 10)

#endif

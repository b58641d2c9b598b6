/* The running historian: opens the parts that its roles need, watches over them, stops them in
 * order. almanacd runs one for its life; `almanac demo` runs one in its own process. */
#ifndef APP_DAEMON_H
#define APP_DAEMON_H

#include <stdint.h>

#include "app/conf.h"
#include "common/err.h"
#include "http/server.h"

struct daemon;

struct daemon_opts {
    const struct conf *conf; /* borrowed */
    int64_t flush_bytes;     /* 0: the store's default */
};

/* Call before the first thread is started: SIGTERM, SIGINT and SIGHUP are blocked, for daemon_wait
 * to take. */
void daemon_block_signals(void);

/* One clear sentence for what can be wrong: missing directory, later version, held by another
 * daemon, unreadable certificate, port in use. A broker that is away is no error: it serves, and
 * reading goes on when it comes back. */
MUST_CHECK int daemon_start(const struct daemon_opts *opts, struct daemon **ret_daemon,
                            struct err_text *error);

/* Watches for up to timeout_ms (-1: for ever), and reads certificates anew at SIGHUP: 1 when a
 * signal asked to stop, 0 when the time is over. */
int daemon_wait(struct daemon *daemon, int timeout_ms);

/* What /readyz shows. From any thread. */
void daemon_health(struct daemon *daemon, struct health *ret_health);

uint16_t daemon_port(const struct daemon *daemon); /* 0 without the role serve */
const char *
daemon_bootstrap(const struct daemon *daemon); /* "host:port" of the embedded broker, or NULL */
struct reader_dir *daemon_reader(struct daemon *daemon); /* NULL without the role serve */

/* Orderly stop. Accepts NULL and one half started. */
void daemon_stop(struct daemon *daemon);

#endif

/* An HTTPS client that costs little, for benches: it keeps its connections, and reads answers without looking at them.
 *
 *     bench_client ADDRESS:PORT CERTIFICATE TOKEN time N PATH...        one request after the other, the paths in turn
 *     bench_client ADDRESS:PORT CERTIFICATE TOKEN load CONNECTIONS SECONDS PATH...
 *
 * `time` prints a line a path: median, first and best milliseconds, and the bytes of an answer. `load` keeps one request in
 * flight on each connection, takes the paths in turn, and prints requests a second and the microseconds of its own CPU that
 * each of them took. */
#include <config.h>

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

#define RUNS_MAX 10000
#define CONNECTIONS_MAX 512
#define RECORD_BYTES 16384 /* what one record of TLS holds at most */

static gnutls_certificate_credentials_t credentials;
static struct sockaddr_in server;
static const char *token;

struct client {
    gnutls_session_t tls;
    int fd;
    char in[4 * RECORD_BYTES];
    size_t at, n; /* what is read and not used yet */
};

static void die(const char *what, const char *subject)
{
    fprintf(stderr, "bench_client: %s: %s\n", what, subject);
    exit(1);
}

/* ---- a connection ---- */

static void parse_address(const char *text)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t size = colon ? (size_t)(colon - text) : sizeof(host);
    if (size >= sizeof(host))
        die("no ADDRESS:PORT", text);
    memcpy(host, text, size);
    host[size] = '\0';
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    if (inet_pton(AF_INET, host, &server.sin_addr) != 1)
        die("no IPv4 address", host);
}

static struct client *connect_client(void)
{
    struct client *client = calloc(1, sizeof(*client));
    int rc, on = 1;
    if (!client || (client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 ||
        connect(client->fd, (struct sockaddr *)&server, sizeof(server)))
        die("cannot connect", "is the daemon there?");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (gnutls_init(&client->tls, GNUTLS_CLIENT) || gnutls_set_default_priority(client->tls) ||
        gnutls_credentials_set(client->tls, GNUTLS_CRD_CERTIFICATE, credentials))
        die("no TLS", "out of memory");
    gnutls_transport_set_int(client->tls, client->fd);
    do
        rc = gnutls_handshake(client->tls);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    if (rc < 0)
        die("no TLS", gnutls_strerror(rc));
    return client;
}

static void close_client(struct client *client)
{
    gnutls_deinit(client->tls);
    close(client->fd);
    free(client);
}

/* More bytes into client->in, behind those that are not used yet. */
static void receive(struct client *client)
{
    ssize_t n;
    memmove(client->in, client->in + client->at, client->n - client->at);
    client->n -= client->at;
    client->at = 0;
    do
        n = gnutls_record_recv(client->tls, client->in + client->n, sizeof(client->in) - 1 - client->n);
    while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
    if (n <= 0)
        die("the answer broke off", n ? gnutls_strerror((int)n) : "closed");
    client->n += (size_t)n;
    client->in[client->n] = '\0';
}

/* ---- an answer ---- */

/* The next line, without its end; valid until more is received. */
static char *read_line(struct client *client)
{
    for (;;) {
        char *line = client->in + client->at, *end = client->n > client->at ? strstr(line, "\r\n") : NULL;
        if (end) {
            *end = '\0';
            client->at = (size_t)(end + 2 - client->in);
            return line;
        }
        if (client->n - client->at > sizeof(client->in) / 2)
            die("a line too long", line);
        receive(client);
    }
}

static void skip(struct client *client, size_t n)
{
    while (n) {
        if (client->at == client->n)
            receive(client);
        size_t some = client->n - client->at < n ? client->n - client->at : n;
        client->at += some;
        n -= some;
    }
}

/* Reads a body in chunks: its size. */
static size_t read_chunks(struct client *client)
{
    size_t bytes = 0, n;
    do {
        n = strtoul(read_line(client), NULL, 16);
        skip(client, n);
        bytes += n;
        while (*read_line(client)) /* the end of a chunk, or what follows the last one */
            ;
    } while (n);
    return bytes;
}

/* Sends a request and reads its answer: the size of the body. */
static size_t ask(struct client *client, const char *path)
{
    char request[8192];
    int n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", path,
                     token);
    if (n >= (int)sizeof(request) || gnutls_record_send(client->tls, request, (size_t)n) != n)
        die("cannot send", path);
    const char *status = read_line(client), *line;
    size_t length = 0;
    bool chunked = false;
    if (strncmp(status, "HTTP/1.1 200", 12))
        die(path, status);
    while (*(line = read_line(client))) {
        if (!strncasecmp(line, "Content-Length: ", 16))
            length = strtoul(line + 16, NULL, 10);
        chunked = chunked || !strcasecmp(line, "Transfer-Encoding: chunked");
    }
    if (chunked)
        return read_chunks(client);
    skip(client, length);
    return length;
}

/* ---- time ---- */

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(struct client *client, const char *path, size_t runs)
{
    static int64_t took_us[RUNS_MAX];
    size_t bytes = 0;
    for (size_t i = 0; i < runs; i++) {
        int64_t begin_us = clock_mono_us();
        bytes = ask(client, path);
        took_us[i] = clock_mono_us() - begin_us;
    }
    int64_t first_us = took_us[0];
    qsort(took_us, runs, sizeof(*took_us), compare_times);
    printf("%.3f %.3f %.3f %zu\n", (double)took_us[runs / 2] / 1e3, (double)first_us / 1e3, (double)took_us[0] / 1e3, bytes);
    fflush(stdout);
}

static void measure_all(size_t runs, char **paths)
{
    struct client *client = connect_client();
    if (!runs || runs > RUNS_MAX)
        die("no number of runs", "1 to 10000");
    for (; *paths; paths++)
        measure(client, *paths, runs);
    close_client(client);
}

/* ---- load ---- */

static struct {
    char **paths;
    size_t n_paths;
    _Atomic size_t next;
    _Atomic int64_t n_answers;
    _Atomic bool over;
} load;

static void *keep_asking(void *arg)
{
    struct client *client = connect_client();
    (void)arg;
    while (!atomic_load(&load.over)) {
        ask(client, load.paths[atomic_fetch_add(&load.next, 1) % load.n_paths]);
        atomic_fetch_add(&load.n_answers, 1);
    }
    close_client(client);
    return NULL;
}

static int64_t own_cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void put_load(size_t n, unsigned seconds, char **paths)
{
    pthread_t threads[CONNECTIONS_MAX];
    if (!n || n > CONNECTIONS_MAX)
        die("no number of connections", "1 to 512");
    for (load.paths = paths; paths[load.n_paths]; load.n_paths++)
        ;
    for (size_t i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, keep_asking, NULL))
            die("no thread", "are there too many?");
    while (atomic_load(&load.n_answers) < (int64_t)(2 * n)) /* all are connected, and warm */
        usleep(1000);
    int64_t begin_us = clock_mono_us(), cpu_us = own_cpu_us(), before = atomic_load(&load.n_answers);
    sleep(seconds);
    int64_t answers = atomic_load(&load.n_answers) - before, took_us = clock_mono_us() - begin_us;
    cpu_us = own_cpu_us() - cpu_us;
    atomic_store(&load.over, true);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    printf("%.0f %.1f\n", (double)answers * 1e6 / (double)took_us, (double)cpu_us / (double)answers);
}

int main(int argc, char **argv)
{
    bool times = argc > 6 && !strcmp(argv[4], "time"), loads = argc > 7 && !strcmp(argv[4], "load");
    if (!times && !loads) {
        fprintf(stderr, "usage: bench_client ADDRESS:PORT CERTIFICATE TOKEN (time N | load CONNECTIONS SECONDS) PATH...\n");
        return 2;
    }
    parse_address(argv[1]);
    token = argv[3];
    if (gnutls_certificate_allocate_credentials(&credentials) ||
        gnutls_certificate_set_x509_trust_file(credentials, argv[2], GNUTLS_X509_FMT_PEM) < 1)
        die("no certificate", argv[2]);
    if (times)
        measure_all(strtoul(argv[5], NULL, 10), argv + 6);
    else
        put_load(strtoul(argv[5], NULL, 10), (unsigned)strtoul(argv[6], NULL, 10), argv + 7);
    return 0;
}

#include <config.h>

#include "http/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#define PEM_BYTES_MAX (1 << 20)
#define LISTEN_BACKLOG 4096 /* whoever finds it full tries again after a second; the kernel may have less */

/* ---- the socket ---- */

/* Cuts "HOST:PORT" into its parts; brackets of an IPv6 address are taken off. */
static int cut_address(const char *address, char host[static 256], const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    const char *begin = address, *end = colon;
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) || strlen(colon + 1) > 5 ||
        strtol(colon + 1, NULL, 10) > UINT16_MAX)
        return ERR_INVALID;
    if (*begin == '[') {
        if (end - begin < 3 || end[-1] != ']')
            return ERR_INVALID;
        begin++;
        end--;
    } else if (memchr(begin, ':', (size_t)(end - begin))) {
        return ERR_INVALID; /* an IPv6 address without brackets: which colon starts the port? */
    }
    if (end - begin > 255)
        return ERR_INVALID;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &size))
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* Of an answer that is not taken the kernel would otherwise hold megabytes a connection. What is on its way does not count. */
#define UNSENT_BYTES (128 << 10)

static int listen_on(const struct addrinfo *info, const char *address, int *ret_fd, struct err_text *error)
{
    int on = 1, off = 0, unsent = UNSENT_BYTES;
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
    if (fd < 0)
        return err_set(error, ERR_IO, "no socket for \"%s\": %s", address, strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* a restart need not wait for old connections */
    if (info->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    /* Connections inherit both. Nagle's algorithm would hold the end of a handshake's flight until its beginning is acknowledged,
     * for which clients take 40 ms; the HTTP library turns it off for its answers alone. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
    if (!bind(fd, info->ai_addr, info->ai_addrlen) && !listen(fd, LISTEN_BACKLOG)) {
        *ret_fd = fd;
        return 0;
    }
    int cause = errno;
    close(fd);
    if (cause == EADDRINUSE)
        return err_set(error, ERR_BUSY, "\"%s\" is in use by another process: stop it, or choose another http.listen",
                       address);
    if (cause == EACCES)
        return err_set(error, ERR_DENIED, "this user may not listen on \"%s\": choose a port from 1024 on", address);
    return err_set(error, ERR_IO, "cannot listen on \"%s\": %s", address, strerror(cause));
}

int listen_open(const char *address, int *ret_fd, uint16_t *ret_port, struct err_text *error)
{
    char host[256];
    const char *port;
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (cut_address(address, host, &port))
        return err_set(error, ERR_INVALID, "\"%s\" is no address to listen on: write HOST:PORT or [IPV6]:PORT", address);
    int rc = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (rc)
        return err_set(error, ERR_NOTFOUND, "the host of \"%s\" is not known: %s", address, gai_strerror(rc));
    rc = ERR_IO;
    for (const struct addrinfo *info = list; info && rc; info = info->ai_next)
        rc = listen_on(info, address, ret_fd, error);
    freeaddrinfo(list);
    if (!rc)
        *ret_port = bound_port(*ret_fd);
    return rc;
}

bool address_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

/* ---- certificate and key ---- */

int pem_read(const char *path, const char *what, char **ret_text, struct err_text *error)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(error, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "the %s \"%s\" cannot be read: %s", what, path,
                       strerror(errno));
    char *text = NULL;
    ssize_t n = -1;
    if (!fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size > 0 && status.st_size < PEM_BYTES_MAX &&
        (text = calloc(1, (size_t)status.st_size + 1)))
        n = read(fd, text, (size_t)status.st_size);
    close(fd);
    if (n <= 0) {
        free(text);
        return err_set(error, ERR_IO, "the %s \"%s\" is not a file of 1 byte to 1 MiB that can be read", what, path);
    }
    *ret_text = text;
    return 0;
}

static int check_pair(const struct pem_pair *pair, const char *certificate_path, const char *key_path,
                      struct err_text *error)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t certificate = {(unsigned char *)pair->certificate, (unsigned)strlen(pair->certificate)};
    gnutls_datum_t key = {(unsigned char *)pair->key, (unsigned)strlen(pair->key)};
    if (gnutls_certificate_allocate_credentials(&credentials))
        return err_set(error, ERR_NOMEM, "out of memory");
    int rc = gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    if (rc < 0) {
        const char *why = gnutls_strerror(rc); /* a sentence with a full stop */
        return err_set(error, ERR_INVALID,
                       "the certificate \"%s\" and the key \"%s\" cannot be used: %.*s; name two PEM files that belong "
                       "together", certificate_path, key_path, (int)strcspn(why, "."), why);
    }
    return 0;
}

int pem_pair_load(const char *certificate_path, const char *key_path, struct pem_pair *ret_pair,
                  struct err_text *error)
{
    struct pem_pair pair = {0};
    int rc = pem_read(certificate_path, "certificate", &pair.certificate, error);
    if (!rc)
        rc = pem_read(key_path, "key", &pair.key, error);
    if (!rc)
        rc = check_pair(&pair, certificate_path, key_path, error);
    if (rc) {
        pem_pair_free(&pair);
        return rc;
    }
    *ret_pair = pair;
    return 0;
}

void pem_pair_free(struct pem_pair *pair)
{
    free(pair->certificate);
    if (pair->key)
        explicit_bzero(pair->key, strlen(pair->key));
    free(pair->key);
    *pair = (struct pem_pair){0};
}

#include <config.h>

#include "vault/frame.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/clock.h"

#define MOSTLY_BYTES 2000 /* enough for most texts, which are then printed once instead of measured first */

int frame_length(const uint8_t head[static FRAME_HEAD_BYTES], size_t *ret_size)
{
    size_t size = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (size == 0 || size > FRAME_BYTES_MAX)
        return ERR_LIMIT;
    *ret_size = size;
    return 0;
}

static int wait_for(int fd, short what, int64_t deadline_us)
{
    for (;;) {
        int64_t left_ms = (deadline_us - clock_mono_us() + 999) / 1000;
        if (left_ms <= 0)
            return ERR_BUSY;
        struct pollfd one = {.fd = fd, .events = what};
        int n = poll(&one, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return ERR_IO;
    }
}

/* Head and text leave together: who waits for them is woken once. */
int frame_send(int fd, const char *text, size_t size, int64_t deadline_us)
{
    if (size == 0 || size > FRAME_BYTES_MAX)
        return ERR_LIMIT;
    uint8_t head[FRAME_HEAD_BYTES] = {(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16),
                                      (uint8_t)(size >> 24)};
    for (size_t sent = 0; sent < sizeof head + size;) {
        size_t of_head = sent < sizeof head ? sent : sizeof head, of_text = sent - of_head;
        struct iovec parts[] = {{head + of_head, sizeof head - of_head}, {(char *)text + of_text, size - of_text}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            sent += (size_t)n;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return ERR_IO;
        int code = wait_for(fd, POLLOUT, deadline_us);
        if (code != 0)
            return code;
    }
    return 0;
}

/* 1 when all came, 0 when it ended before the first byte. */
static int receive_bytes(int fd, void *data, size_t size, int64_t deadline_us)
{
    char *at = data;
    size_t had = 0;
    while (had < size) {
        ssize_t n = recv(fd, at + had, size - had, MSG_DONTWAIT);
        if (n > 0) {
            had += (size_t)n;
            continue;
        }
        if (n == 0)
            return had == 0 ? 0 : ERR_IO;
        if (errno != EAGAIN && errno != EINTR)
            return ERR_IO;
        int code = wait_for(fd, POLLIN, deadline_us);
        if (code != 0)
            return code;
    }
    return 1;
}

int frame_receive(int fd, int64_t deadline_us, char **ret_text, size_t *ret_size)
{
    uint8_t head[FRAME_HEAD_BYTES];
    size_t size;
    int code = receive_bytes(fd, head, sizeof head, deadline_us);
    if (code <= 0)
        return code;
    code = frame_length(head, &size);
    if (code != 0)
        return code;
    char *text = malloc(size + 1);
    if (!text)
        return ERR_NOMEM;
    code = receive_bytes(fd, text, size, deadline_us);
    if (code != 1) {
        frame_drop(text, size);
        return code == 0 ? ERR_IO : code;
    }
    text[size] = 0;
    *ret_text = text;
    *ret_size = size;
    return 1;
}

char *frame_text(const json_t *json, size_t *ret_size)
{
    size_t room = MOSTLY_BYTES, size = 0;
    char *text;
    for (;;) {
        text = malloc(room + 1);
        size = text ? json_dumpb(json, text, room, JSON_COMPACT) : 0;
        if (size > 0 && size <= room)
            break;
        frame_drop(text, room);
        if (size <= room)
            return NULL;
        room = size;
    }
    text[size] = 0;
    *ret_size = size;
    return text;
}

void frame_drop(char *text, size_t size)
{
    if (text)
        explicit_bzero(text, size);
    free(text);
}

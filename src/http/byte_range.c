#include <config.h>

#include "http/byte_range.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Digits up to another character; beyond 64 bits as much as fits. */
static bool read_number(const char **at, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *begin = *at;
    for (; **at >= '0' && **at <= '9'; ++*at)
        if (__builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, (uint64_t)(**at - '0'), &number))
            number = UINT64_MAX / 10;
    *ret_number = number;
    return *at > begin;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

enum byte_range byte_range_parse(const char *header, uint64_t size, uint64_t *ret_offset, uint64_t *ret_n)
{
    uint64_t first, last;
    *ret_offset = 0;
    *ret_n = size;
    if (!header || strncasecmp(header, "bytes=", 6) != 0)
        return BYTES_ALL;
    const char *at = skip_blanks(header + 6);
    bool has_first = read_number(&at, &first);
    if (*at++ != '-')
        return BYTES_ALL;
    bool has_last = read_number(&at, &last);
    if (*skip_blanks(at) || (!has_first && !has_last) || (has_first && has_last && last < first))
        return BYTES_ALL;
    if (has_first ? first >= size : !last || !size)
        return BYTES_NONE;
    if (!has_first) { /* so many at the end */
        first = last < size ? size - last : 0;
        last = size - 1;
    } else if (!has_last || last >= size) {
        last = size - 1;
    }
    *ret_offset = first;
    *ret_n = last - first + 1;
    return BYTES_SOME;
}

int byte_range_applies(const char *if_range, const char *etag)
{
    return !if_range || !strcmp(if_range, etag);
}

/* Which bytes of a file a request asks for (RFC 9110 section 14). */
#ifndef HTTP_BYTE_RANGE_H
#define HTTP_BYTE_RANGE_H

#include <stdint.h>

enum byte_range {
    BYTES_ALL,   /* no range, or one that is to be passed over: another unit, several ranges, not understood */
    BYTES_SOME,  /* [offset, offset + n) */
    BYTES_NONE,  /* it lies beyond the end: 416 */
};

/* header: the value of Range, or NULL; size: of the file. Offset and n are those of the whole unless BYTES_SOME. */
enum byte_range byte_range_parse(const char *header, uint64_t size, uint64_t *ret_offset, uint64_t *ret_n);

/* Whether Range counts: no If-Range (NULL), or just this strong entity tag (with its quotes). A date never does, since nothing
 * here has one. */
int byte_range_applies(const char *if_range, const char *etag);

#endif

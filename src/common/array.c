#include <config.h>

#include "common/array.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN 16

int array_grow(void *pointer, size_t *cap, size_t n, size_t size)
{
    if (n <= *cap)
        return 0;
    size_t more = *cap ? *cap * 2 : CAP_MIN, bytes;
    more = more < n ? n : more;
    void *at;
    memcpy(&at, pointer, sizeof(at)); /* whatever its type, it is a pointer to an object */
    void *moved = __builtin_mul_overflow(more, size, &bytes) ? NULL : realloc(at, bytes);
    if (!moved)
        return ERR_NOMEM;
    memcpy(pointer, &moved, sizeof(moved));
    *cap = more;
    return 0;
}

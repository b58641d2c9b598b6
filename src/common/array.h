/* Growing arrays: a pointer, the number of elements in use and the number there is room for. */
#ifndef COMMON_ARRAY_H
#define COMMON_ARRAY_H

#include <stddef.h>

#include "common/err.h"

/* Makes room for n elements of size bytes, doubling. pointer is the address of the array's pointer. ERR_NOMEM: the array is as
 * it was. */
MUST_CHECK int array_grow(void *pointer, size_t *cap, size_t n, size_t size);

#endif

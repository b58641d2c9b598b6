/* Views that wait for the next page of their answer, so that paging shows one state (I8). A view waits LEASE_US after it was
 * used last; of too many the one used longest ago goes. */
#ifndef HTTP_LEASES_H
#define HTTP_LEASES_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "store/reader.h"

#define LEASE_US (10 * INT64_C(60000000)) /* contract section 5: a cursor left for 10 minutes */
#define LEASES_MAX 64
#define LEASE_OWNER_MAX 65 /* the name of a principal, NUL */
#define LEASE_NAME_MAX 23 /* 128 random bits in base64url, NUL */

struct leases;
struct leases *leases_new(void); /* NULL without memory */
void leases_free(struct leases *leases); /* nobody uses a view any more */

/* Takes the view over under a new name, which is good for its owner alone; it counts as in use until leases_give. ERR_LIMIT when
 * all leases are in use: then the view stays the caller's. */
MUST_CHECK int leases_put(struct leases *leases, struct view *view, const char *owner, char ret_name[static LEASE_NAME_MAX]);

/* The view of that name, for use until leases_give, by several requests at once if need be. ERR_EXPIRED, as well where
 * it is somebody else's. */
MUST_CHECK int leases_take(struct leases *leases, const char *owner, const char *name, size_t size, struct view **ret_view);
void leases_give(struct leases *leases, struct view *view);

#endif

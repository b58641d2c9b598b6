/* Where a request is answered from: the store as it is now, or the snapshot that the parameter `snapshot` names. */
#ifndef HTTP_ORIGIN_H
#define HTTP_ORIGIN_H

#include <stdint.h>

#include "http/route.h"
#include "store/reader.h"
#include "store/snapshots.h"

struct origin {
    struct reader_dir *dir;      /* as the request may see it */
    struct reader_dir *snapshot; /* of which dir may show a part, */
    struct snapshots *snapshots; /* to be given back to these; NULL: the store as it is now */
    int64_t now_us;              /* what relative times refer to: of a snapshot, when it was made */
    int64_t expires_us;          /* of a snapshot */
};

/* ERR_NOTFOUND, ERR_EXPIRED, ERR_INVALID, ERR_BUSY. */
MUST_CHECK int origin_take(const struct request *request, struct origin *ret_origin, struct err_text *error);
/* The views on it are closed. A zeroed struct is fine. */
void origin_give(struct origin *origin);

/* What the answer's headers say of the state: Almanac-Position and Cache-Control. */
void origin_headers(const struct origin *origin, const struct view *view, struct reply *reply);

#endif

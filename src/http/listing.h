/* The list of series that /v1/series answers with, a page of the catalog at a time; /v1/last tells more of each. */
#ifndef HTTP_LISTING_H
#define HTTP_LISTING_H

#include "http/filter.h"
#include "http/origin.h"

struct listing {
    struct stream stream;
    /* Appends more members of a series; or NULL. */
    int (*put_more)(struct listing *listing, const struct series_info *info, const struct series_stats *stats,
                    struct buf *out, struct err_text *error);
    struct origin origin;
    struct view *view;
    struct filter filter;
    int64_t left;       /* rows that may still be given; -1 all */
    bool started, full; /* full: the limit was reached and there is more */
};

/* Of size bytes, which begin with a listing. Reads the filter and the parameters of paging and opens the view. */
MUST_CHECK int listing_new(struct request *request, size_t size, struct listing **ret_listing, struct err_text *error);
void listing_free(struct listing *listing); /* unless it was replied with; NULL is fine */
/* Takes the listing over. */
MUST_CHECK int listing_reply(struct listing *listing, struct reply *reply, struct err_text *error);

/* One series as a JSON object without the closing brace, so that more members may follow. */
void listing_put_series(struct buf *out, const struct series_info *info, const struct series_stats *stats);

#endif

/* What the client likes best: the headers Accept and Accept-Encoding (RFC 9110 sections 12.5.1 and 12.5.3). */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

struct media {
    const char *name; /* as in format=csv */
    const char *type; /* as in Accept and Content-Type */
};

/* The media type of a list (ended by a NULL name) that is liked best, the earlier one of equals; NULL for none of them.
 * Without the header (NULL) it is the first. */
const struct media *accept_media(const struct media *list, const char *accept);

/* The best of the content codings in list (ended by NULL), or NULL: send it as it is. header may be NULL. */
const char *accept_coding(const char *const *list, const char *header);

#endif

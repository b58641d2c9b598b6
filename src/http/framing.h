/* Where the body of a request ends: what a proxy in front of us could read in another way than we is refused, since the rest
 * would be a request of somebody else to one of the two. */
#ifndef HTTP_FRAMING_H
#define HTTP_FRAMING_H

struct MHD_Connection;

/* Why the end of this request's body is in doubt, for people; NULL where it is not. */
const char *framing_doubt(struct MHD_Connection *connection);

#endif

#include <config.h>

#include "http/framing.h"

#include <string.h>
#include <strings.h>

#include <microhttpd.h>

struct framing {
    int n_lengths, n_encodings;
    const char *length, *encoding;
};

static enum MHD_Result see(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct framing *framing = arg;
    (void)kind;
    if (!strcasecmp(name, "Content-Length")) {
        framing->n_lengths++;
        framing->length = value ? value : "";
    } else if (!strcasecmp(name, "Transfer-Encoding")) {
        framing->n_encodings++;
        framing->encoding = value ? value : "";
    }
    return MHD_YES;
}

const char *framing_doubt(struct MHD_Connection *connection)
{
    struct framing framing = {0};
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, see, &framing);
    if (framing.n_lengths && framing.n_encodings)
        return "the request has Content-Length and Transfer-Encoding: send one of them";
    if (framing.n_lengths > 1 || framing.n_encodings > 1)
        return "the request has two Content-Length or two Transfer-Encoding: send one";
    if (framing.n_encodings && strcasecmp(framing.encoding, "chunked") != 0)
        return "the only Transfer-Encoding that is understood is chunked";
    if (framing.n_lengths && (!*framing.length || strspn(framing.length, "0123456789") != strlen(framing.length)))
        return "Content-Length is no whole number";
    return NULL;
}

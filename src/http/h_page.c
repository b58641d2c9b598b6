/* GET / and what it needs: a page that searches series and plots ranges of them, as any client of /v1 could. */
#include <config.h>

#include "http/handlers.h"

#include <string.h>

#include "common/hash.h"
#include "data/page/index.html.h"
#include "data/page/page.css.h"
#include "data/page/page.js.h"
#include "http/etag.h"

#define TAG_BYTES 12
#define TAG_TEXT_MAX (4 * ((TAG_BYTES + 2) / 3) + 1)

/* Nothing is loaded from elsewhere, nothing runs that is not the file page.js, nobody frames the page. */
#define POLICY                                                                                                                   \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "              \
    "form-action 'none'; frame-ancestors 'none'"

static const struct page_file {
    const char *path, *type, *text;
} files[] = {
    {"/", "text/html; charset=utf-8", page_index_html},
    {"/page.css", "text/css; charset=utf-8", page_page_css},
    {"/page.js", "text/javascript; charset=utf-8", page_page_js},
};

int h_page(struct request *request, struct reply *reply, struct err_text *error)
{
    const struct page_file *file = files;
    uint8_t hash[HASH_BYTES];
    char tag[TAG_TEXT_MAX];
    (void)error;
    while (strcmp(file->path, request->route->path) != 0)
        file++;
    hash_bytes(file->text, strlen(file->text), hash);
    hash_base64url(hash, TAG_BYTES, tag);
    reply_header(reply, "Content-Security-Policy", "%s", POLICY);
    reply_header(reply, "Cache-Control", "no-cache");
    reply_header(reply, "ETag", "W/\"%s\"", tag);
    if (etag_is_listed(request->if_none_match, tag)) {
        reply->status = 304;
        return 0;
    }
    buf_puts(&reply->body, file->text);
    reply->status = 200;
    reply->type = file->type;
    return 0;
}

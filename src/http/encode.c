#include <config.h>

#include "http/encode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "http/accept.h"

/* Speed before size: the figures of an answer pack well at any level, and a server has other things to do. */
#define GZIP_LEVEL 1
#define ZSTD_LEVEL 1
#define GZIP_WINDOW (15 + 16) /* zlib's way to say: the largest window, in a gzip wrapper */

struct encoder {
    struct stream stream;
    struct stream *source; /* owned; NULL: plain is all there is */
    struct buf plain;      /* made, not packed yet */
    bool source_done;
    z_stream gzip;
    ZSTD_CCtx *zstd;       /* NULL: gzip */
};

static int pack_gzip(struct encoder *encoder, bool last, struct buf *out)
{
    z_stream *z = &encoder->gzip;
    int rc;
    z->next_in = encoder->plain.data;
    z->avail_in = (uInt)encoder->plain.n;
    do {
        uint8_t *at = buf_reserve(out, STREAM_BYTES);
        if (!at)
            return ERR_NOMEM;
        z->next_out = at;
        z->avail_out = STREAM_BYTES;
        rc = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
        out->n += STREAM_BYTES - z->avail_out;
    } while (!z->avail_out && rc == Z_OK);
    assert(!z->avail_in);
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR ? 0 : ERR_IO;
}

static int pack_zstd(struct encoder *encoder, bool last, struct buf *out)
{
    ZSTD_inBuffer in = {encoder->plain.data, encoder->plain.n, 0};
    size_t left;
    do {
        uint8_t *at = buf_reserve(out, STREAM_BYTES);
        if (!at)
            return ERR_NOMEM;
        ZSTD_outBuffer packed = {at, STREAM_BYTES, 0};
        left = ZSTD_compressStream2(encoder->zstd, &packed, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        out->n += packed.pos;
    } while (!ZSTD_isError(left) && (last ? left > 0 : in.pos < in.size));
    return ZSTD_isError(left) ? ERR_NOMEM : 0;
}

static int fill_packed(struct stream *stream, struct buf *out, struct err_text *error)
{
    struct encoder *encoder = (struct encoder *)stream;
    if (!encoder->source_done && encoder->plain.n < STREAM_BYTES) {
        int rc = encoder->source->fill(encoder->source, &encoder->plain, error);
        if (rc < 0 || encoder->plain.failed)
            return rc < 0 ? rc : ERR_NOMEM;
        encoder->source_done = !rc;
    }
    bool last = encoder->source_done;
    int rc = encoder->zstd ? pack_zstd(encoder, last, out) : pack_gzip(encoder, last, out);
    buf_clear(&encoder->plain);
    if (rc)
        return err_set(error, rc, "the answer could not be packed: %s", err_name(rc));
    return !last;
}

static void close_encoder(struct stream *stream)
{
    struct encoder *encoder = (struct encoder *)stream;
    if (encoder->source)
        encoder->source->close(encoder->source);
    if (encoder->zstd)
        ZSTD_freeCCtx(encoder->zstd);
    else
        deflateEnd(&encoder->gzip);
    buf_free(&encoder->plain);
    free(encoder);
}

static struct encoder *new_encoder(const char *coding)
{
    struct encoder *encoder = calloc(1, sizeof(*encoder));
    if (!encoder)
        return NULL;
    encoder->stream = (struct stream){.fill = fill_packed, .close = close_encoder};
    bool ready;
    if (!strcmp(coding, "zstd")) {
        encoder->zstd = ZSTD_createCCtx();
        ready = encoder->zstd &&
                !ZSTD_isError(ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL));
    } else {
        ready = deflateInit2(&encoder->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL,
                             Z_DEFAULT_STRATEGY) == Z_OK;
    }
    if (ready)
        return encoder;
    ZSTD_freeCCtx(encoder->zstd);
    free(encoder);
    return NULL;
}

static int put_before(struct reply *reply, struct encoder *encoder, struct err_text *error)
{
    encoder->plain = reply->body;
    encoder->source = reply->stream;
    encoder->source_done = !reply->stream;
    reply->body = (struct buf){0};
    return reply_stream(reply, reply->type, &encoder->stream, error);
}

int reply_pack(struct reply *reply, const char *coding, struct err_text *error)
{
    struct encoder *encoder = new_encoder(coding);
    return encoder ? put_before(reply, encoder, error) : ERR_NOMEM;
}

void reply_encode(struct reply *reply, const char *accept_encoding)
{
    static const char *const codings[] = {"zstd", "gzip", NULL};
    struct err_text error = {0};
    reply_header(reply, "Vary", "Accept, Accept-Encoding");
    const char *coding = accept_coding(codings, accept_encoding);
    if (reply->stream && reply->stream->wait) /* what is new would wait in the encoder */
        return;
    if (!coding || (!reply->stream && reply->body.n <= ENCODE_BYTES_MIN))
        return;
    struct encoder *encoder = new_encoder(coding);
    if (!encoder)
        return;
    int rc = put_before(reply, encoder, &error);
    if (rc)
        reply_error(reply, rc, &error);
    else
        reply_header(reply, "Content-Encoding", "%s", coding);
}

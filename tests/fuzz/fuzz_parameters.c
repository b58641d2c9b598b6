/* What a client can write into a request: query strings, forms, JSON bodies, paths, Accept headers. The first byte chooses.
 * Whatever is taken holds no NUL and stays within the limits; whatever is repeated in an answer is JSON. */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/jsontext.h"
#include "http/accept.h"
#include "http/byte_range.h"
#include "http/parameters.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void repeat_as_json(const char *text)
{
    struct buf out = {0};
    jsontext_put(&out, text);
    json_t *json = json_loadb((const char *)out.data, out.n, JSON_DECODE_ANY, NULL);
    check(json != NULL);
    json_decref(json);
    buf_free(&out);
}

static void take_parameters(int json, const char *text, size_t size)
{
    static struct parameters parameters;
    struct err_text error = {0};
    int rc = json ? parameters_from_json(&parameters, text, size, &error)
                  : parameters_from_form(&parameters, text, size, &error);
    check(!rc || *error.text);
    check(parameters.n <= LIMIT_URL_PARAMETERS);
    for (size_t i = 0; i < parameters.n; i++)
        repeat_as_json(parameters.rows[i].value);
    repeat_as_json(error.text);
    parameters_free(&parameters);
}

static void take_accept(const char *text)
{
    static const struct media media[] = {
        {"json", "application/json"}, {"csv", "text/csv"}, {NULL, NULL},
    };
    static const char *const codings[] = {"zstd", "gzip", NULL};
    const struct media *chosen = accept_media(media, text);
    const char *coding = accept_coding(codings, text);
    check(!chosen || chosen == &media[0] || chosen == &media[1]);
    check(!coding || coding == codings[0] || coding == codings[1]);
}

static void take_range(const char *text)
{
    static const uint64_t sizes[] = {0, 1, 10000, UINT64_MAX};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint64_t offset, n;
        enum byte_range found = byte_range_parse(text, sizes[i], &offset, &n);
        check(offset <= sizes[i] && n <= sizes[i] - offset);
        check(found == BYTES_SOME ? n > 0 : !offset && n == sizes[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    char *text = malloc(size); /* its last byte becomes the NUL, so that a read beyond it is seen */
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (*data % 4) {
    case 0:
    case 1:
        take_parameters(*data % 4, text, size - 1);
        break;
    case 2:
        take_accept(text);
        take_range(text);
        break;
    default:
        if (!percent_decode(text, size - 1, 0))
            check(strlen(text) < size);
    }
    free(text);
    return 0;
}

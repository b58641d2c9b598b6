#include <config.h>

#include "importers/fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"

#define CONNECT_TIMEOUT_S 10L
#define ANSWER_TIMEOUT_S 120L

struct fetch {
    CURL *curl;
    struct curl_slist *headers;
    char *url; /* without a slash at its end */
    const struct import_opts *opts;
    struct buf path, answer;
    struct scanner scanner;
    bool too_long;
};

static size_t take_cb(char *data, size_t one, size_t size, void *arg)
{
    struct fetch *fetch = arg;
    (void)one;
    fetch->too_long = fetch->answer.n + size > LIMIT_MESSAGE_BYTES;
    if (!fetch->too_long)
        buf_put(&fetch->answer, data, size);
    return fetch->too_long || fetch->answer.failed ? 0 : size;
}

static bool set_options(struct fetch *fetch)
{
    CURL *curl = fetch->curl;
    const struct import_opts *opts = fetch->opts;
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_cb) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_TIMEOUT_S) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
           (!fetch->headers || curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fetch->headers) == CURLE_OK) &&
           (!opts->user || (curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
                            curl_easy_setopt(curl, CURLOPT_USERNAME, opts->user) == CURLE_OK &&
                            curl_easy_setopt(curl, CURLOPT_PASSWORD, opts->password ? opts->password : "") == CURLE_OK)) &&
           (!opts->ca || curl_easy_setopt(curl, CURLOPT_CAINFO, opts->ca) == CURLE_OK);
}

int fetch_open(const char *url, const struct import_opts *opts, struct fetch **ret_fetch, struct err_text *error)
{
    if (strncmp(url, "https://", 8) != 0)
        return err_set(error, ERR_INVALID, "\"%s\" does not begin with https://", url);
    struct fetch *fetch = calloc(1, sizeof *fetch);
    char *header = NULL;
    if (!fetch)
        return ERR_NOMEM;
    fetch->opts = opts;
    fetch->url = strdup(url);
    for (size_t size = fetch->url ? strlen(fetch->url) : 0; size > 0 && fetch->url[size - 1] == '/';)
        fetch->url[--size] = '\0';
    bool good = fetch->url && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK && (fetch->curl = curl_easy_init()) != NULL;
    if (good && opts->token)
        good = asprintf(&header, "Authorization: Bearer %s", opts->token) >= 0 &&
               (fetch->headers = curl_slist_append(NULL, header)) != NULL;
    free(header);
    if (!good || !set_options(fetch)) {
        fetch_close(fetch);
        return ERR_NOMEM;
    }
    *ret_fetch = fetch;
    return 0;
}

void fetch_close(struct fetch *fetch)
{
    if (!fetch)
        return;
    curl_easy_cleanup(fetch->curl);
    curl_slist_free_all(fetch->headers);
    buf_free(&fetch->path);
    buf_free(&fetch->answer);
    scanner_done(&fetch->scanner);
    free(fetch->url);
    free(fetch);
}

static int say_status(const struct fetch *fetch, const char *path, long status, struct err_text *error)
{
    if (status == 401 || status == 403)
        return err_set(error, ERR_DENIED, "\"%s\" does not let us in (status %ld): name --user with $ALMANAC_PASSWORD, or "
                       "$ALMANAC_TOKEN", fetch->url, status);
    if (status == 404)
        return err_set(error, ERR_NOTFOUND, "\"%s\" has no \"%s\"", fetch->url, path);
    return err_set(error, ERR_IO, "\"%s\" answered \"%s\" with status %ld", fetch->url, path, status);
}

static int perform(struct fetch *fetch, const char *path, struct err_text *error)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    buf_clear(&fetch->answer);
    buf_clear(&fetch->path);
    buf_printf(&fetch->path, "%s%s", fetch->url, path);
    buf_putc(&fetch->path, '\0');
    if (fetch->path.failed || curl_easy_setopt(fetch->curl, CURLOPT_URL, (const char *)fetch->path.data) != CURLE_OK ||
        curl_easy_setopt(fetch->curl, CURLOPT_ERRORBUFFER, why) != CURLE_OK)
        return ERR_NOMEM;
    CURLcode curl_code = curl_easy_perform(fetch->curl);
    curl_easy_setopt(fetch->curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
    if (fetch->too_long)
        return err_set(error, ERR_LIMIT, "\"%s\" answered \"%s\" with more than %d bytes; a longer --step makes it less",
                       fetch->url, path, LIMIT_MESSAGE_BYTES);
    if (curl_code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(error, ERR_IO, "the certificate of \"%s\" is not trusted (%s); name the right one with --ca", fetch->url,
                       why);
    if (curl_code != CURLE_OK)
        return err_set(error, ERR_IO, "\"%s\" did not answer well: %s", fetch->url,
                       why[0] ? why : curl_easy_strerror(curl_code));
    return status == 200 ? 0 : say_status(fetch, path, status, error);
}

int fetch_json(struct fetch *fetch, const char *path, const struct scanner **ret_scanner, struct err_text *error)
{
    int code = perform(fetch, path, error);
    if (code != 0)
        return code;
    fetch->scanner.text = fetch->answer.data;
    fetch->scanner.size = fetch->answer.n;
    fetch->scanner.at = 0;
    code = fetch->answer.n ? scan_value(&fetch->scanner) : ERR_INVALID;
    if (code == ERR_NOMEM)
        return code;
    if (code != 0)
        return err_set(error, ERR_CORRUPT, "\"%s\" answered \"%s\" with something that is no JSON", fetch->url, path);
    *ret_scanner = &fetch->scanner;
    return 0;
}

void fetch_put(struct buf *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:";
    for (; *text; text++)
        if (strchr(plain, *text))
            buf_putc(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
}

uint32_t fetch_member(const struct scanner *scanner, uint32_t object, const char *name)
{
    const struct token *tokens = scanner->tokens;
    if (tokens[object].type != TOKEN_OBJECT)
        return 0;
    for (uint32_t i = object + 1; i < tokens[object].next; i = tokens[i + 1].next)
        if (tokens[i].size == strlen(name) && memcmp(token_text(scanner, &tokens[i]), name, tokens[i].size) == 0)
            return i + 1;
    return 0;
}

bool fetch_text(const struct scanner *scanner, uint32_t token, char *out, size_t size)
{
    const struct token *found = &scanner->tokens[token];
    if (!token || (found->type != TOKEN_STRING && found->type != TOKEN_NUMBER) || found->size >= size)
        return false;
    memcpy(out, token_text(scanner, found), found->size);
    out[found->size] = '\0';
    return true;
}

/* GET /docs: Swagger UI, from a folder beside the program; nothing is loaded from elsewhere. */
#include <config.h>

#include "http/handlers.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* Everything comes from here; its style sheet has pictures in it. */
#define POLICY                                                                                                         \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "              \
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

static const char page[] = "<!DOCTYPE html>\n"
                           "<html lang=\"en\">\n"
                           "<head>\n"
                           "<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                           "<title>Almanac: Swagger UI</title>\n"
                           "<link rel=\"stylesheet\" href=\"/docs/swagger-ui.css\">\n"
                           "<link rel=\"icon\" href=\"/docs/favicon-32x32.png\">\n"
                           "</head>\n"
                           "<body>\n"
                           "<div id=\"swagger-ui\"></div>\n"
                           "<script src=\"/docs/swagger-ui-bundle.js\"></script>\n"
                           "<script src=\"/docs/start.js\"></script>\n"
                           "</body>\n"
                           "</html>\n";
static const char missing[] = "<!DOCTYPE html>\n"
                              "<html lang=\"en\">\n"
                              "<head><meta charset=\"utf-8\"><title>Almanac: no Swagger UI</title></head>\n"
                              "<body>\n"
                              "<h1>Swagger UI is not installed here</h1>\n"
                              "<p>In a clone of the repository run <code>contrib/swagger.sh fetch</code>, then\n"
                              "<code>make</code>, or <code>make install</code>, and start the server again.\n"
                              "What the page would show is in <a href=\"/openapi.json\">/openapi.json</a>.</p>\n"
                              "</body>\n"
                              "</html>\n";
static const char start[] = "SwaggerUIBundle({\n"
                            "    url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, docExpansion: 'none',\n"
                            "    validatorUrl: null, tryItOutEnabled: true\n"
                            "});\n";

static const struct file {
    const char *name, *type, *text; /* NULL: it is in the folder */
} files[] = {
    {"start.js", "text/javascript; charset=utf-8", start},
    {"swagger-ui-bundle.js", "text/javascript; charset=utf-8", NULL},
    {"swagger-ui.css", "text/css; charset=utf-8", NULL},
    {"favicon-32x32.png", "image/png", NULL},
    {NULL, NULL, NULL},
};

static void put_headers(struct reply *reply)
{
    reply_header(reply, "Content-Security-Policy", "%s", POLICY);
    reply_header(reply, "Cache-Control", "public, max-age=3600");
}

int h_docs(struct request *request, struct reply *reply, struct err_text *error)
{
    (void)error;
    buf_puts(&reply->body, request->opts->docs ? page : missing);
    put_headers(reply);
    reply->status = 200;
    reply->type = "text/html; charset=utf-8";
    return 0;
}

/* Answers with a file of the folder. */
static int give(const struct request *request, const struct file *file, struct reply *reply, struct err_text *error)
{
    char path[PATH_SIZE];
    struct stat status;
    int fd = -1;
    if (request->opts->docs && (size_t)snprintf(path, sizeof(path), "%s/%s", request->opts->docs, file->name) < sizeof(path))
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(error, ERR_NOTFOUND, "\"%s\" is not installed here: /docs says how to get it", file->name);
    if (fstat(fd, &status)) {
        close(fd);
        return err_set(error, ERR_IO, "\"%s\" cannot be read", path);
    }
    put_headers(reply);
    reply_file(reply, file->type, fd, 0, (uint64_t)status.st_size);
    return 0;
}

int h_docs_file(struct request *request, struct reply *reply, struct err_text *error)
{
    const struct file *file = files;
    while (file->name && strcmp(file->name, request->file))
        file++;
    if (!file->name)
        return err_set(error, ERR_NOTFOUND, "there is nothing at \"%.200s\"", request->path);
    if (!file->text)
        return give(request, file, reply, error);
    buf_puts(&reply->body, file->text);
    put_headers(reply);
    reply->status = 200;
    reply->type = file->type;
    return 0;
}

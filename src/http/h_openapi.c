/* GET /openapi.json: the routes as other programs read them. */
#include <config.h>

#include "http/handlers.h"
#include "http/openapi.h"

int h_openapi(struct request *request, struct reply *reply, struct err_text *error)
{
    (void)request;
    (void)error;
    int rc = openapi_print(routes, &reply->body);
    if (rc)
        return rc;
    reply->status = 200;
    reply->type = "application/json";
    return 0;
}

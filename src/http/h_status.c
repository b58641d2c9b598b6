#include <config.h>

#include "common/jsontext.h"
#include "common/metrics.h"
#include "http/handlers.h"

int h_healthz(struct request *request, struct reply *reply, struct err_text *error)
{
    (void)request;
    (void)error;
    buf_puts(&reply->body, "{\"status\":\"alive\"}\n");
    reply->status = 200;
    reply->type = "application/json";
    return 0;
}

/* The sentences of what is wrong, at most one of each. */
struct complaints {
    const char *texts[4];
    size_t n;
};

static void complain(struct complaints *complaints, bool wrong, const char *text)
{
    if (wrong)
        complaints->texts[complaints->n++] = text;
}

/* Contract section 4: 503 while starting, and until ingest has once caught up; later a lag or a broker that is away is 200
 * and "degraded" where queries are served, 503 for a process that only ingests. */
static const char *judge(const struct health *health, int64_t ready_lag_us, struct complaints *complaints)
{
    bool late = health->ingesting && health->lag_us > ready_lag_us;
    bool starting = health->ingesting ? !health->caught_up : !health->serving;
    bool away = health->ingesting && !health->connected;
    complain(complaints, starting && health->ingesting, "ingest has not yet reached the ends of its partitions");
    complain(complaints, !health->serving && !health->ingesting, "queries cannot be answered yet");
    complain(complaints, away, "the broker does not answer");
    complain(complaints, late, "ingest lags behind");
    complain(complaints, *health->reason, health->reason);
    if (starting)
        return "starting";
    return complaints->n ? "degraded" : "ready";
}

int h_readyz(struct request *request, struct reply *reply, struct err_text *error)
{
    struct health health = {.lag = -1, .lag_us = -1};
    struct complaints complaints = {0};
    struct buf *out = &reply->body;
    (void)error;
    request->opts->health(request->opts->health_arg, &health);
    const char *status = judge(&health, request->opts->ready_lag_us, &complaints);
    bool ready = *status != 's' && (health.serving || !complaints.n);
    buf_printf(out, "{\"status\":\"%s\",\"lag\":", status);
    if (health.lag >= 0)
        buf_printf(out, "%lld", (long long)health.lag);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"lag_seconds\":");
    if (health.lag_us >= 0)
        buf_printf(out, "%lld.%03d", (long long)(health.lag_us / 1000000), (int)(health.lag_us / 1000 % 1000));
    else
        buf_puts(out, "null");
    buf_printf(out, ",\"embedded\":%s,\"reasons\":[", health.embedded ? "true" : "false");
    for (size_t i = 0; i < complaints.n; i++) {
        if (i)
            buf_putc(out, ',');
        jsontext_put(out, complaints.texts[i]);
    }
    buf_puts(out, "]}\n");
    if (!ready)
        reply_header(reply, "Retry-After", "5");
    reply->status = ready ? 200 : 503;
    reply->type = "application/json";
    return 0;
}

static struct metric lag_messages = {
    .name = "almanac_lag_messages",
    .help = "Messages that wait in the topics, -1 while unknown",
    .type = METRIC_GAUGE,
};
static struct metric serving = {
    .name = "almanac_serving",
    .help = "1 while queries can be answered",
    .type = METRIC_GAUGE,
};

int h_metrics(struct request *request, struct reply *reply, struct err_text *error)
{
    struct health health = {.lag = -1, .lag_us = -1};
    (void)error;
    request->opts->health(request->opts->health_arg, &health);
    metric_set(&lag_messages, health.lag);
    metric_set(&serving, health.serving);
    metrics_print(&reply->body);
    if (reply->body.failed)
        return ERR_NOMEM;
    reply->status = 200;
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    return 0;
}

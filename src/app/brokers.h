/* Which brokers a command talks to. */
#ifndef APP_BROKERS_H
#define APP_BROKERS_H

#include "app/conf.h"
#include "ingest/producer.h"

/* A producer for the brokers of the configuration, or else for the embedded one of a daemon that runs. ERR_NOTFOUND when there
 * is neither. */
MUST_CHECK int brokers_producer(const struct conf *conf, struct producer **ret_producer, struct err_text *error);

#endif

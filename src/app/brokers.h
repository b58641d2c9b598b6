/* A producer for commands on a data directory. */
#ifndef APP_BROKERS_H
#define APP_BROKERS_H

#include "app/conf.h"
#include "ingest/producer.h"

/* To the brokers of the configuration, or else to the embedded one of a daemon that runs on the directory. ERR_NOTFOUND: there is
 * neither. */
MUST_CHECK int brokers_producer(const struct conf *conf, struct producer **ret_producer, struct err_text *error);

#endif

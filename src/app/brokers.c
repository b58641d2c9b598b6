#include <config.h>

#include "app/brokers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int brokers_producer(const struct conf *conf, struct producer **ret_producer, struct err_text *error)
{
    char path[4096], address[256] = "";
    if (conf_kafka(conf, "bootstrap.servers"))
        return producer_open(conf->kafka, conf->n_kafka, ret_producer, error);
    snprintf(path, sizeof path, "%s/run/broker", conf->data);
    FILE *file = fopen(path, "r");
    bool found = file && fgets(address, sizeof address, file);
    if (file)
        fclose(file);
    address[strcspn(address, "\n")] = '\0';
    if (!found || !*address)
        return err_set(error, ERR_NOTFOUND,
                       "there is no broker: \"bootstrap.servers\" is not set, and no daemon with an "
                       "embedded broker runs on \"%s\"",
                       conf->data);
    struct kafka_property *properties = calloc(conf->n_kafka + 1, sizeof *properties);
    if (!properties)
        return ERR_NOMEM;
    if (conf->n_kafka)
        memcpy(properties, conf->kafka, conf->n_kafka * sizeof *properties);
    properties[conf->n_kafka] = (struct kafka_property){"bootstrap.servers", address};
    int code = producer_open(properties, conf->n_kafka + 1, ret_producer, error);
    free(properties);
    return code;
}

/* The bundled real data (data/demo) as normalized messages. */
#ifndef APP_DEMO_DATA_H
#define APP_DEMO_DATA_H

#include <stddef.h>

#include "common/err.h"

/* A message of contract section 2; a code that is not 0 ends the loading and is passed on. */
typedef int demo_message_fn(void *arg, const char *entity, const void *json, size_t size);

/* Gives out every message. *ret_readings: how many values they hold. */
MUST_CHECK int demo_data_load(demo_message_fn *message, void *arg, size_t *ret_readings);

#endif

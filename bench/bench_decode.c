/* How many messages a core decodes: bench_decode [MESSAGES [ENTITIES]]. One line a number. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "models.h"
#include "normalise/decode.h"

#define MESSAGE_BYTES 256

static char *make_messages(size_t n_entities)
{
    char *messages = calloc(n_entities, MESSAGE_BYTES);
    if (!messages)
        exit(1);
    for (size_t i = 0; i < n_entities; i++)
        snprintf(messages + i * MESSAGE_BYTES, MESSAGE_BYTES,
                 "{\"entity\":\"p2-meter-%06zu\",\"type\":\"SmartMeter\",\"time\":\"2025-03-01T%02zu:%02zu:%02zuZ\","
                 "\"values\":{\"voltageL1\":%zu.%zu,\"activePower\":%zu,\"activeEnergyImport\":%zu.5}}",
                 i, i / 3600 % 24, i / 60 % 60, i % 60, 225 + i % 10, i % 10, i % 5000, 48231000 + i);
    return messages;
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000000;
    size_t n_entities = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    struct registry *registry = models_registry();
    const struct decoder_opts opts = {.registry = registry, .future_max_us = 3600000000, .oldest_us = INT64_MIN};
    struct decoder *decoder = decoder_new(&opts);
    char *messages = make_messages(n_entities);
    struct batch batch;
    size_t bytes = 0, n_readings = 0;
    batch_init(&batch);
    int64_t begin_us = clock_mono_us();
    for (size_t i = 0; i < n; i++) {
        const char *text = messages + i % n_entities * MESSAGE_BYTES;
        struct message message = {.value = text, .size = strlen(text), .offset = (int64_t)i, .known_ms = 1740873600000};
        bytes += message.size;
        if (decode_message(decoder, &message, &batch) < 0 || batch.n_refusals)
            return 1;
        if (batch.n_readings > 60000) {
            n_readings += batch.n_readings;
            batch_clear(&batch);
        }
    }
    double s = (double)(clock_mono_us() - begin_us) / 1e6;
    n_readings += batch.n_readings;
    printf("messages_per_s %.0f\nreadings_per_s %.0f\nmb_per_s %.1f\nbytes_per_message %.1f\n", (double)n / s,
           (double)n_readings / s, (double)bytes / s / 1e6, (double)bytes / (double)n);
    printf("registry_bytes_per_series %.1f\n",
           (double)registry_memory_bytes(registry) / (double)registry_n_series(registry));
    batch_free(&batch);
    decoder_free(decoder);
    registry_free(registry);
    free(messages);
    return 0;
}

/* Instants and durations from any bytes: refused, or printed to a text that is read as the same. */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>

#include "common/civil.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char out[CIVIL_TEXT_MAX];
    int64_t t_us, again_us;
    if (civil_parse_rfc3339(text, size, &t_us) == 0) {
        size_t n = civil_print_rfc3339(out, t_us, 0, true);
        if (civil_parse_rfc3339(out, n, &again_us) < 0 || again_us != t_us)
            abort();
    }
    struct duration d, again;
    if (civil_parse_duration(text, size, true, &d) == 0) {
        size_t n = civil_print_duration(out, &d);
        if (civil_parse_duration(out, n, false, &again) < 0 || again.months != d.months ||
            again.days != d.days || again.us != d.us)
            abort();
    }
    return 0;
}

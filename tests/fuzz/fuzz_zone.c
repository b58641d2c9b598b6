/* The bytes of a time zone file: any of them are refused or give a zone whose answers keep their
 * promises. */
#include <config.h>

#include <stdint.h>
#include <stdlib.h>

#include "common/civil.h"
#include "common/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_day(const struct zone *zone, int64_t day)
{
    int64_t start_us = zone_day_start_us(zone, day);
    if (zone_local_day(zone, start_us) < day || zone_local_day(zone, start_us - 1) >= day)
        abort();
}

static void check_instant(const struct zone *zone, int64_t t_us)
{
    int64_t first_us, second_us, local_us = t_us + zone_offset_s(zone, t_us) * US_PER_SECOND;
    if (zone_instant(zone, local_us, 0, &first_us) < 0 ||
        zone_instant(zone, local_us, 1, &second_us) < 0 || first_us > t_us || second_us < t_us)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zone *zone;
    if (zone_from_bytes("Fuzz", data, size, &zone) < 0)
        return 0;
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, CIVIL_MIN_US, CIVIL_END_US};
    for (size_t i = 0; i < sizeof(extremes) / sizeof(*extremes); i++) {
        int64_t t_us;
        zone_offset_s(zone, extremes[i]);
        zone_day_start_us(zone, zone_local_day(zone, extremes[i]));
        if (zone_instant(zone, extremes[i], 0, &t_us) == 0 &&
            t_us + zone_offset_s(zone, t_us) * US_PER_SECOND != extremes[i])
            abort();
    }
    for (int64_t day = -800000; day < 3000000; day += 9973) {
        check_day(zone, day);
        check_instant(zone, day * US_PER_DAY);
    }
    for (int64_t day = 0; day < 366; day++)
        check_day(zone, day);
    zone_free(zone);
    return 0;
}

/* What a Green Button file (NAESB REQ.21, ESPI) says about its readings: usage points, meter readings, reading types and local
 * time, found by the links between them. */
#ifndef IMPORTERS_ESPI_H
#define IMPORTERS_ESPI_H

#include "common/buf.h"
#include "importers/importer.h"

#define ESPI_TEXT_BYTES 512     /* of a link or an id; longer ones are taken as absent */
#define ESPI_RESOURCES 65536    /* of each kind in a file */
#define ESPI_UNSTATED INT32_MIN

struct espi_type {
    char *href;
    int32_t uom, power, flow, accumulation, interval_s, quality; /* ESPI_UNSTATED where the file does not say */
};

/* One list a kind. An href is the self link, "" where there is none. */
struct espi {
    struct espi_point {
        char *href, *id;
    } *points;
    struct espi_meter {
        char *href, *related; /* the related links, each with a newline */
        char entity[LIMIT_ENTITY_BYTES + 1];
        const struct espi_type *type; /* NULL: none is named that is there */
    } *meters;
    struct espi_type *types;
    uint32_t *blocks; /* by the number of the entry: the index of its meter reading and 1; 0 none */
    char **block_hrefs; /* meters' hrefs as blocks name them; until espi_resolve */
    size_t n_points, points_cap, n_meters, meters_cap, n_types, types_cap, n_blocks, blocks_cap, n_block_hrefs,
        block_hrefs_cap;
    bool has_local_time;
    int32_t tz_offset_s, dst_offset_s;
    uint32_t dst_start, dst_end;
};

void espi_done(struct espi *espi);
/* The texts are copied. ERR_LIMIT: too many; ERR_NOMEM. */
MUST_CHECK int espi_add_point(struct espi *espi, const char *href, const char *id);
MUST_CHECK int espi_add_meter(struct espi *espi, const char *href, const char *related);
MUST_CHECK int espi_add_type(struct espi *espi, const char *href, const struct espi_type *type);
/* An entry with interval blocks: links are its self and up link. */
MUST_CHECK int espi_add_block(struct espi *espi, const char *self, const char *up);

/* After the last: follows the links. Where there is one usage point or one reading type only, it is meant even if no link
 * says so. */
MUST_CHECK int espi_resolve(struct espi *espi);
/* The meter reading of the entry with that number among those with blocks, from 0; NULL none. */
const struct espi_meter *espi_meter_of(const struct espi *espi, size_t block);

/* How values of a reading type become readings. */
struct espi_meaning {
    const char *type, *property, *unit;
    int64_t factor_m; /* value * factor_m * 10^factor_e is in unit */
    int factor_e;
    bool is_register; /* what was counted up to the end of the time, not in it */
};
/* ERR_NOTFOUND with what is not represented in ret_why. */
MUST_CHECK int espi_meaning(const struct espi_type *type, struct espi_meaning *ret_meaning, char *ret_why, size_t why_size);

/* Quality codes to ours. */
enum quality espi_quality(int32_t code);

/* The instant of a local time in seconds since 1970-01-01T00:00 local, by the file's offset and daylight saving rules; of an hour
 * that comes twice the second with second_time. ERR_NOTFOUND: there is no such time that day. */
MUST_CHECK int espi_instant(const struct espi *espi, int64_t local_us, int second_time, int64_t *ret_t_us);

#endif

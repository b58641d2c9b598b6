/* The Pilot 2 API of BRIGHT deliverable D4.1, section 4.2 (contract section 7): its objects, and the assets that they are
 * made of. Every field and its case is D4.1's; ids are texts. */
#ifndef HTTP_PILOT_H
#define HTTP_PILOT_H

#include <stdint.h>

#include "common/buf.h"
#include "http/route.h"
#include "http/shape.h"
#include "store/assets.h"

/* What `/api/Sensor/{id}/NAME` answers with. */
struct pilot_object {
    const char *name; /* "HeatPumpStatic" */
    const char *type; /* of the sensors that have it */
    const struct shape *shape;
};
extern const struct pilot_object pilot_objects[]; /* ended by a NULL name */

extern const struct shape pilot_names, pilot_boards, pilot_sensors, pilot_rates, pilot_heating_rates;
extern const struct shape pilot_heat_pump_static, pilot_heat_pump_dynamic, pilot_heat_storage_static, pilot_heat_storage_dynamic,
    pilot_district_heating_static, pilot_district_heating_dynamic, pilot_solar_static, pilot_solar_dynamic,
    pilot_temperature_static, pilot_temperature_dynamic, pilot_charging_station_static, pilot_charging_station_dynamic,
    pilot_main_meter_static, pilot_main_meter;

/* An asset of its own: texts and document are copies. */
struct pilot_asset {
    struct asset asset;
    char *memory; /* owned */
};
/* The asset of a kind and id: 1, 0 there is none, or a code. */
MUST_CHECK int pilot_find(struct reader_dir *dir, const char *kind, const char *id, struct pilot_asset *ret_asset,
                          struct err_text *error);
/* The first of a kind and, unless NULL, of a type (of sensors); as pilot_find. */
MUST_CHECK int pilot_first(struct reader_dir *dir, const char *kind, const char *type, struct pilot_asset *ret_asset,
                           struct err_text *error);
void pilot_free(struct pilot_asset *asset);
/* The sensor of a request for `/api/Sensor/{id}/NAME`, and what NAME is. ERR_NOTFOUND: there is none, or one of another type. */
MUST_CHECK int pilot_take_sensor(const struct request *request, const struct pilot_object **ret_object,
                                 struct pilot_asset *ret_sensor, struct err_text *error);

/* Names of customers and locations, which are personal: id to text, as the vault gave them; those that it did not give have their
 * pseudonym in place, that is, the id. */
struct json_t;

/* Appends the name of an asset as a JSON text. names: of customers and locations; NULL none. */
void pilot_put_name(struct buf *out, const struct asset *asset, const struct json_t *names);

/* An instant as D4.1 has it, quoted: "2025-03-01T00:00:00.000Z". */
void pilot_put_time(struct buf *out, int64_t t_us);

/* Appends `{"id":...,"field":...}`: fields that stand in the JSON object of size bytes have their value there digit for
 * digit (times in UTC), others are null, or empty lists. The field "id" is that of the asset, "name" its name: of names, which
 * may be NULL. object NULL: nothing stands. */
struct pilot_body {
    const char *object;
    size_t size;
    const struct json_t *names;
};
void pilot_put_object(struct buf *out, const struct shape *shape, const struct asset *asset, struct pilot_body body);

/* The text of a member's value in a JSON object that is known to be well formed; NULL where it has no such member. */
const char *pilot_member(const char *object, size_t size, const char *name, size_t *ret_size);

#endif

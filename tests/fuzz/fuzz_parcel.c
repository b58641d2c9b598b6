/* libFuzzer entry: the input is a parcel whose CRC is made right first, so that the fuzzer gets behind it. Every run is read
 * as numbers and as states. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "store/parcel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_run(const struct parcel *parcel, const struct parcel_run *run, bool is_state)
{
    struct rows rows = {.is_state = is_state};
    int rc = parcel_rows(parcel, run, 1, &rows);
    if (rows.n != (rc ? 0 : run->n))
        abort();
    for (size_t i = 0; i < rows.n; i++)
        if (rows.at[i].op > OP_DELETE_RANGE || rows.at[i].order != 1 + i ||
            (is_state && strlen(texts_at(&rows.texts, rows.at[i].m)) > LIMIT_STATE_BYTES))
            abort();
    rows_free(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parcel parcel;
    if (size < 5 || size > 1 << 16)
        return 0;
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    uint32_t crc = (uint32_t)crc32_z(0, bytes, size - 4);
    for (int i = 0; i < 4; i++)
        bytes[size - 4 + (size_t)i] = (uint8_t)(crc >> (8 * i));
    if (parcel_open(bytes, size, &parcel) == 0) {
        for (size_t i = 0; i < parcel.n_runs; i++) {
            if (!parcel_find(&parcel, parcel.runs[i].series_id))
                abort();
            try_run(&parcel, &parcel.runs[i], false);
            try_run(&parcel, &parcel.runs[i], true);
        }
        parcel_close(&parcel);
    }
    free(bytes);
    return 0;
}

/* A mscons file of any bytes. */
#include <config.h>

#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct import_opts opts = {.map = NULL};
    return fuzz_both(&importer_mscons, &opts, data, size);
}

#include <config.h>

#include "ingest/place.h"

#include <string.h>

int64_t place_start(const struct place *place)
{
    return place->verifying ? place->last : place->next;
}

static bool is_same_message(const struct place *place, const void *value, size_t size)
{
    uint8_t hash[HASH_BYTES];
    hash_bytes(value, size, hash);
    return hash_equal(hash, place->last_hash);
}

/* Of what was read before we went back. */
static bool is_left_over(const struct place *place, uint64_t round)
{
    return place->went_back && place->back_round == round;
}

enum place_step place_meet(struct place *place, int64_t offset, const void *value, size_t size, uint64_t round)
{
    if (place->verifying) {
        if (offset < place->last)
            return PLACE_SKIP;
        if (offset == place->last && !is_same_message(place, value, size))
            return PLACE_OTHER;
        place->verifying = false; /* the same, or no longer there to be compared */
    }
    if (place->next >= 0 && offset < place->next)
        return PLACE_SKIP;
    if (place->next < 0 || offset == place->next) {
        place->went_back = false;
        return PLACE_TAKE;
    }
    if (is_left_over(place, round))
        return PLACE_SKIP;
    if (place->sparse || place->went_back) {
        place->went_back = false;
        return PLACE_HOLE;
    }
    place->went_back = true;
    place->back_round = round;
    return PLACE_GO_BACK;
}

bool place_meets_end(const struct place *place, int64_t end, uint64_t round)
{
    return !place->verifying && !is_left_over(place, round) && end >= place->next;
}

void place_taken(struct place *place, int64_t offset)
{
    place->next = offset + 1;
}

void place_stored(struct place *place, int64_t last, const uint8_t hash[static HASH_BYTES])
{
    place->last = last;
    memcpy(place->last_hash, hash, HASH_BYTES);
}

void place_doubt(struct place *place, int64_t next)
{
    place->next = next;
    place->verifying = place->last >= 0;
    place->went_back = false;
}

void place_move(struct place *place, int64_t next)
{
    place->next = next;
    place->last = -1;
    place->verifying = false;
    place->went_back = false;
}

#include <config.h>

#include "common/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/civil.h"
#include "common/limits.h"
#include "common/tzif.h"

#define DEFAULT_DIRECTORY "/usr/share/zoneinfo"

struct zone {
    char name[LIMIT_ZONE_NAME_BYTES + 1];
    struct tzif tzif;
    struct zone *next;
};

static pthread_mutex_t opened_lock = PTHREAD_MUTEX_INITIALIZER;
static struct zone *opened; /* every zone of zone_open */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* ---- opening ---- */

static int check_name(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > LIMIT_ZONE_NAME_BYTES || name[0] == '/' || name[size - 1] == '/' ||
        strstr(name, "//"))
        return ERR_INVALID;
    for (const char *c = name; *c; c++) {
        bool letter = (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z');
        if (!letter && !(*c >= '0' && *c <= '9') && !strchr("_+-/", *c))
            return ERR_INVALID;
    }
    return 0;
}

/* Reads a whole file below bytes_max into memory of the caller. */
static int read_bytes(const char *path, uint8_t *bytes, size_t bytes_max, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG ? ERR_NOTFOUND : ERR_IO;
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ERR_NOTFOUND; /* `Europe` is a directory */
    }
    size_t size = 0;
    ssize_t n = 1;
    while (n > 0 && size < bytes_max) {
        n = read(fd, bytes + size, bytes_max - size);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            size += (size_t)n;
    }
    close(fd);
    if (n < 0)
        return ERR_IO;
    if (size == bytes_max)
        return ERR_CORRUPT;
    *ret_size = size;
    return 0;
}

int zone_from_bytes(const char *name, const uint8_t *data, size_t size, struct zone **ret_zone)
{
    if (check_name(name) < 0)
        return ERR_INVALID;
    struct zone *zone = calloc(1, sizeof(*zone));
    if (!zone)
        return ERR_NOMEM;
    memcpy(zone->name, name, strlen(name));
    int rc = tzif_parse(data, size, &zone->tzif);
    if (rc < 0) {
        zone_free(zone);
        return rc;
    }
    *ret_zone = zone;
    return 0;
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    tzif_done(&zone->tzif);
    free(zone);
}

static int load(const char *name, struct zone **ret_zone)
{
    char path[PATH_MAX];
    const char *directory = getenv("TZDIR");
    int n = snprintf(path, sizeof(path), "%s/%s",
                     directory && *directory ? directory : DEFAULT_DIRECTORY, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return ERR_NOTFOUND;
    uint8_t *bytes = malloc(LIMIT_ZONE_FILE_BYTES);
    if (!bytes)
        return ERR_NOMEM;
    size_t size;
    int rc = read_bytes(path, bytes, LIMIT_ZONE_FILE_BYTES, &size);
    if (rc == 0)
        rc = zone_from_bytes(name, bytes, size, ret_zone);
    free(bytes);
    return rc;
}

int zone_open(const char *name, const struct zone **ret_zone)
{
    if (check_name(name) < 0)
        return ERR_INVALID;
    /* the lock is held while a file is read: two threads never load one zone twice, and it happens
     * once a zone */
    pthread_mutex_lock(&opened_lock);
    int rc = 0;
    struct zone *zone = opened;
    while (zone && strcmp(zone->name, name) != 0)
        zone = zone->next;
    if (!zone) {
        rc = load(name, &zone);
        if (rc == 0) {
            zone->next = opened;
            opened = zone;
        }
    }
    pthread_mutex_unlock(&opened_lock);
    if (rc == 0)
        *ret_zone = zone;
    return rc;
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

/* ---- looking up ----
 * A stretch is the time between two steps, where the offset is constant: local time is a sawtooth
 * of stretches. */

/* What to subtract from s, so that the table of steps speaks of it and of a year behind it. */
static int64_t period_shift(const struct tzif *tzif, int64_t s)
{
    if (!tzif->repeats || (s <= tzif->base_s && !tzif->repeats_before))
        return 0;
    return floor_div(s - tzif->base_s - 1, TZIF_PERIOD_S) * TZIF_PERIOD_S;
}

/* The number of steps at or before s: the index of the stretch that s lies in. */
static size_t find_stretch(const struct tzif *tzif, int64_t s)
{
    size_t low = 0, high = tzif->n_steps;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tzif->steps[middle].at_s <= s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t stretch_offset_s(const struct tzif *tzif, size_t i)
{
    return i == 0 ? tzif->first_offset_s : tzif->steps[i - 1].offset_s;
}

static int64_t stretch_begin_s(const struct tzif *tzif, size_t i)
{
    return i == 0 ? INT64_MIN : tzif->steps[i - 1].at_s;
}

static int64_t stretch_end_s(const struct tzif *tzif, size_t i)
{
    return i == tzif->n_steps ? INT64_MAX : tzif->steps[i].at_s;
}

static int32_t offset_at(const struct tzif *tzif, int64_t s)
{
    return stretch_offset_s(tzif, find_stretch(tzif, s - period_shift(tzif, s)));
}

int32_t zone_offset_s(const struct zone *zone, int64_t t_us)
{
    return offset_at(&zone->tzif, floor_div(t_us, US_PER_SECOND));
}

int64_t zone_local_day(const struct zone *zone, int64_t t_us)
{
    int64_t s = floor_div(t_us, US_PER_SECOND);
    return floor_div(s + offset_at(&zone->tzif, s), 86400);
}

int64_t zone_day_start_us(const struct zone *zone, int64_t local_day)
{
    /* 100 million days are 273,000 years: further days cannot be told in microseconds */
    const int64_t day_max = 100000000;
    if (local_day > day_max)
        local_day = day_max;
    if (local_day < -day_max)
        local_day = -day_max;
    const struct tzif *tzif = &zone->tzif;
    int64_t local_s = local_day * 86400;
    int64_t shift_s = period_shift(
        tzif, local_s - TZIF_OFFSET_MAX_S); /* whole days: 400 years have no fraction */
    local_s -= shift_s;
    /* before the stretch that this begins with no offset is large enough; the first stretch that
     * gets there wins */
    size_t i = find_stretch(tzif, local_s - TZIF_OFFSET_MAX_S);
    while (local_s - stretch_offset_s(tzif, i) >= stretch_end_s(tzif, i))
        i++;
    int64_t s = local_s - stretch_offset_s(tzif, i);
    if (s < stretch_begin_s(tzif, i)) /* the clock jumped over midnight, or over days */
        s = stretch_begin_s(tzif, i);
    return (s + shift_s) * US_PER_SECOND;
}

int zone_instant(const struct zone *zone, int64_t local_us, int second_time, int64_t *ret_t_us)
{
    const struct tzif *tzif = &zone->tzif;
    int64_t local_s = floor_div(local_us, US_PER_SECOND);
    int64_t shift_s = period_shift(tzif, local_s - TZIF_OFFSET_MAX_S);
    int64_t shifted_s = local_s - shift_s;
    bool found = false;
    int32_t offset_s = 0;
    for (size_t i = find_stretch(tzif, shifted_s - TZIF_OFFSET_MAX_S);
         i <= tzif->n_steps && stretch_begin_s(tzif, i) <= shifted_s + TZIF_OFFSET_MAX_S; i++) {
        int64_t s = shifted_s - stretch_offset_s(tzif, i);
        if (s < stretch_begin_s(tzif, i) || s >= stretch_end_s(tzif, i) || (found && !second_time))
            continue;
        found = true;
        offset_s = stretch_offset_s(tzif, i);
    }
    int64_t t_us;
    if (!found || __builtin_sub_overflow(local_us, offset_s * US_PER_SECOND, &t_us))
        return ERR_NOTFOUND;
    *ret_t_us = t_us;
    return 0;
}

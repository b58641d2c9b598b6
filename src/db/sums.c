#include <config.h>

#include "db/sums.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sqlite3.h>

#include "common/hash.h"

/* The last 8 bytes of a page: u32 sum over the page's place and the bytes before, u32 copy of the file's change counter (only of
 * page 1 it means something). Whoever writes without this VFS raises the counter and leaves the copy: that is how a site's own
 * sqlite3 shell is told from a flipped bit. */

#define PAGE_MAX 65536
#define COUNTER_AT 24 /* in page 1; as is the number of bytes that a page leaves, at 20 */
#define ROOM_AT 20

struct sums_file {
    sqlite3_file base;
    sqlite3_file *real; /* the file of the VFS below, in the memory behind this struct */
    bool has_room;      /* pages leave SUMS_BYTES */
    bool strange;       /* somebody else wrote it last */
};

static sqlite3_vfs *below, sums_vfs, whole_vfs;

static struct sums_file *of(sqlite3_file *file)
{
    return (struct sums_file *)file;
}

static uint32_t sum_of(const uint8_t *page, int size, sqlite3_int64 at)
{
    return (uint32_t)hash_short((uint64_t)at, page, (size_t)size - SUMS_BYTES);
}

static bool is_page(int size, sqlite3_int64 at)
{
    return size >= 512 && size <= PAGE_MAX && !(size & (size - 1)) && at % size == 0;
}

static bool is_blank(const uint8_t *page, int size)
{
    return !page[0] && memcmp(page, page + 1, (size_t)size - 1) == 0;
}

static void note_head(struct sums_file *file, const uint8_t *bytes, int size, sqlite3_int64 at)
{
    if (at == 0 && size > ROOM_AT)
        file->has_room = bytes[ROOM_AT] == SUMS_BYTES;
}

/* A page that was never written (free space) is blank. */
static int check_page(struct sums_file *file, const uint8_t *page, int size, sqlite3_int64 at)
{
    const uint8_t *end = page + size - SUMS_BYTES;
    uint32_t sum = sum_of(page, size, at);
    bool good = memcmp(end, &sum, sizeof(sum)) == 0 || is_blank(page, size);
    if (at == 0)
        file->strange = !good && memcmp(end + 4, page + COUNTER_AT, 4) != 0;
    return good || file->strange ? SQLITE_OK : SQLITE_CORRUPT;
}

/* SQLite takes what a short read leaves out for zeros, which is right behind the end of a file only: half a page is none. */
static int whole_read(sqlite3_file *base, void *to, int size, sqlite3_int64 at)
{
    struct sums_file *file = of(base);
    sqlite3_int64 file_size;
    int rc = file->real->pMethods->xRead(file->real, to, size, at);
    return rc == SQLITE_IOERR_SHORT_READ && is_page(size, at) &&
                   file->real->pMethods->xFileSize(file->real, &file_size) == SQLITE_OK && file_size > at
               ? SQLITE_IOERR_READ
               : rc;
}

static int file_read(sqlite3_file *base, void *to, int size, sqlite3_int64 at)
{
    struct sums_file *file = of(base);
    int rc = whole_read(base, to, size, at);
    if (rc != SQLITE_OK)
        return rc;
    note_head(file, to, size, at);
    return is_page(size, at) ? check_page(file, to, size, at) : SQLITE_OK;
}

static int file_write(sqlite3_file *base, const void *from, int size, sqlite3_int64 at)
{
    static _Thread_local uint8_t page[PAGE_MAX];
    struct sums_file *file = of(base);
    note_head(file, from, size, at);
    if (!file->has_room || !is_page(size, at))
        return file->real->pMethods->xWrite(file->real, from, size, at);
    memcpy(page, from, (size_t)size);
    uint32_t sum = sum_of(page, size, at);
    memcpy(page + size - SUMS_BYTES, &sum, sizeof(sum));
    memcpy(page + size - 4, page + COUNTER_AT, 4);
    return file->real->pMethods->xWrite(file->real, page, size, at);
}

static int file_control(sqlite3_file *base, int op, void *arg)
{
    struct sums_file *file = of(base);
    if (op != SUMS_FCNTL_STRANGE)
        return file->real->pMethods->xFileControl(file->real, op, arg);
    *(int *)arg = file->strange && file->has_room;
    return SQLITE_OK;
}

/* ---- handed on ---- */

static int file_close(sqlite3_file *file)
{
    return of(file)->real->pMethods->xClose(of(file)->real);
}

static int file_write_through(sqlite3_file *file, const void *from, int size, sqlite3_int64 at)
{
    return of(file)->real->pMethods->xWrite(of(file)->real, from, size, at);
}

static int file_control_through(sqlite3_file *file, int op, void *arg)
{
    return of(file)->real->pMethods->xFileControl(of(file)->real, op, arg);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return of(file)->real->pMethods->xTruncate(of(file)->real, size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    return of(file)->real->pMethods->xSync(of(file)->real, flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return of(file)->real->pMethods->xFileSize(of(file)->real, ret_size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return of(file)->real->pMethods->xLock(of(file)->real, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return of(file)->real->pMethods->xUnlock(of(file)->real, level);
}

static int file_check_lock(sqlite3_file *file, int *ret)
{
    return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, ret);
}

static int file_sector_size(sqlite3_file *file)
{
    return of(file)->real->pMethods->xSectorSize(of(file)->real);
}

static int file_traits(sqlite3_file *file)
{
    return of(file)->real->pMethods->xDeviceCharacteristics(of(file)->real);
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return of(file)->real->pMethods->xShmMap(of(file)->real, page, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return of(file)->real->pMethods->xShmLock(of(file)->real, offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    of(file)->real->pMethods->xShmBarrier(of(file)->real);
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return of(file)->real->pMethods->xShmUnmap(of(file)->real, remove);
}

static int file_fetch(sqlite3_file *file, sqlite3_int64 at, int size, void **ret)
{
    return of(file)->real->pMethods->xFetch(of(file)->real, at, size, ret);
}

static int file_unfetch(sqlite3_file *file, sqlite3_int64 at, void *from)
{
    return of(file)->real->pMethods->xUnfetch(of(file)->real, at, from);
}

#define HANDED_ON                                                                                                           \
    .xClose = file_close, .xTruncate = file_truncate, .xSync = file_sync, .xFileSize = file_size, .xLock = file_lock,       \
    .xUnlock = file_unlock, .xCheckReservedLock = file_check_lock, .xSectorSize = file_sector_size,                         \
    .xDeviceCharacteristics = file_traits, .xShmMap = file_shm_map, .xShmLock = file_shm_lock,                              \
    .xShmBarrier = file_shm_barrier, .xShmUnmap = file_shm_unmap, .xFetch = file_fetch, .xUnfetch = file_unfetch

/* Version 2: nothing is mapped, each page passes file_read. */
static const sqlite3_io_methods sums_methods = {
    .iVersion = 2, .xRead = file_read, .xWrite = file_write, .xFileControl = file_control, HANDED_ON};
static const sqlite3_io_methods whole_methods = {
    .iVersion = 2, .xRead = whole_read, .xWrite = file_write_through, .xFileControl = file_control_through, HANDED_ON};
static const sqlite3_io_methods whole_mapped_methods = {
    .iVersion = 3, .xRead = whole_read, .xWrite = file_write_through, .xFileControl = file_control_through, HANDED_ON};

static const sqlite3_io_methods *methods_of(const sqlite3_vfs *vfs, const sqlite3_file *real)
{
    if (vfs == &sums_vfs)
        return &sums_methods;
    return real->pMethods->iVersion >= 3 ? &whole_mapped_methods : &whole_methods;
}

/* Logs and journals have sums of their own and are the business of the VFS below alone. */
static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *ret_flags)
{
    if (!(flags & SQLITE_OPEN_MAIN_DB))
        return below->xOpen(below, path, base, flags, ret_flags);
    struct sums_file *file = of(base);
    *file = (struct sums_file){.real = (sqlite3_file *)(file + 1)};
    int rc = below->xOpen(below, path, file->real, flags, ret_flags);
    if (file->real->pMethods)
        file->base.pMethods = methods_of(vfs, file->real);
    return rc;
}

static sqlite3_vfs over_below(const char *name)
{
    sqlite3_vfs vfs = *below; /* what is not below works on paths and needs no change */
    vfs.pNext = NULL;
    vfs.zName = name;
    vfs.szOsFile = (int)sizeof(struct sums_file) + below->szOsFile;
    vfs.xOpen = vfs_open;
    return vfs;
}

static void make_vfs(void)
{
    below = sqlite3_vfs_find(NULL);
    if (!below)
        return;
    sums_vfs = over_below(SUMS_VFS);
    whole_vfs = over_below(WHOLE_VFS);
}

int sums_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_vfs);
    if (!below)
        return SQLITE_ERROR;
    int rc = sqlite3_vfs_find(SUMS_VFS) ? SQLITE_OK : sqlite3_vfs_register(&sums_vfs, 0);
    return rc == SQLITE_OK && !sqlite3_vfs_find(WHOLE_VFS) ? sqlite3_vfs_register(&whole_vfs, 0) : rc;
}

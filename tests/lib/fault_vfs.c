#include <config.h>

#include "fault_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "random.h"

#include "common/files.h"

/* A change that no sync has made sure yet: what was there before. */
struct undo {
    char *path;
    int64_t at, size;        /* the bytes that were written */
    int64_t size_before;     /* of the file */
    size_t n;                /* bytes in before */
    uint8_t *before;
    bool lost;               /* a sync failed: the system believes them to be on disk, and no later sync writes them */
};

/* A change of a folder's names that no sync of the folder has made sure yet: by it path came, or went. */
struct name {
    ino_t folder;
    char *path;
    char *from;      /* it came by a rename from here; NULL: it was made, or went */
    char *before;    /* a link to what was there under the name before; NULL: nothing */
    bool is_gone, is_lost;
};

/* The default VFS's file lies behind this one. */
struct fault_file {
    sqlite3_file base;
    sqlite3_file *real;
    char *path; /* NULL: a temporary file, which nobody reads after a crash */
    bool syncs_folder; /* SQLite's VFS syncs the folder with the first sync of a journal that was made; here only its own name */
};

static sqlite3_vfs *real_vfs, fault_vfs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum fault armed;
static int64_t n_until, n_counted, n_until_death;
static bool hit;
static struct undo *undos;
static size_t n_undos, undos_cap;
static struct name *names;
static size_t n_names, names_cap, n_names_lost;
static char attic[300]; /* a folder for the links */

static void die(const char *what)
{
    fprintf(stderr, "fault_vfs: %s\n", what);
    exit(99);
}

/* ---- counting ---- */

enum change { CHANGE_WRITE, CHANGE_SYNC, CHANGE_OTHER, CHANGE_READ };

/* 0, or the code with which this change fails. */
static int count_change(enum change change, int code)
{
    pthread_mutex_lock(&lock);
    int rc = SQLITE_OK;
    if (hit && armed == FAULT_SYNC_ONCE && n_until_death-- == 0)
        armed = FAULT_DEAD;
    bool counts = (armed != FAULT_SYNC_ONCE && armed != FAULT_CUT) || change == CHANGE_SYNC;
    counts = counts && (armed != FAULT_FULL_ONCE || change != CHANGE_SYNC);
    counts = counts && (change == CHANGE_READ) == (armed == FAULT_READ_ONCE || armed == FAULT_SHORT_ONCE);
    if (counts && ++n_counted >= n_until && armed != FAULT_NONE && (armed == FAULT_DEAD || !hit)) {
        hit = true;
        rc = armed == FAULT_FULL_ONCE ? SQLITE_FULL : code;
        armed = armed == FAULT_CUT ? FAULT_DEAD : armed;
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

void fault_vfs_arm(enum fault fault, int64_t n)
{
    pthread_mutex_lock(&lock);
    armed = fault;
    n_until = n;
    n_until_death = -1;
    n_counted = 0;
    hit = false;
    pthread_mutex_unlock(&lock);
}

void fault_vfs_die_after(int64_t n)
{
    pthread_mutex_lock(&lock);
    n_until_death = n;
    pthread_mutex_unlock(&lock);
}

int64_t fault_vfs_disarm(void)
{
    pthread_mutex_lock(&lock);
    armed = FAULT_NONE;
    int64_t n = n_counted;
    pthread_mutex_unlock(&lock);
    return n;
}

int fault_vfs_hit(void)
{
    pthread_mutex_lock(&lock);
    bool was_hit = hit;
    pthread_mutex_unlock(&lock);
    return was_hit;
}

/* ---- what is not synced ---- */

/* Remembers the bytes [at, at + size) of the file as they are; the lock is held. */
static void remember(struct fault_file *file, int64_t at, int64_t size)
{
    sqlite3_int64 file_size;
    if (!file->path)
        return;
    if (file->real->pMethods->xFileSize(file->real, &file_size))
        die("a size cannot be had");
    int64_t n = file_size > at ? file_size - at : 0;
    n = n < size ? n : size;
    if (n_undos == undos_cap) {
        undos_cap = undos_cap ? undos_cap * 2 : 256;
        undos = realloc(undos, undos_cap * sizeof(*undos));
    }
    struct undo undo = {strdup(file->path), at, size, file_size, (size_t)n, malloc((size_t)n + 1), false};
    if (!undos || !undo.path || !undo.before)
        die("no memory");
    if (n && file->real->pMethods->xRead(file->real, undo.before, (int)n, at))
        die("old bytes cannot be read");
    undos[n_undos++] = undo;
}

/* Forgets undos of the file (NULL: of all), with lost also those that a failed sync made hopeless. */
static void forget_path(const char *path, bool lost)
{
    size_t n = 0;
    for (size_t i = 0; i < n_undos; i++) {
        if ((!path || strcmp(undos[i].path, path) == 0) && (lost || !undos[i].lost)) {
            free(undos[i].path);
            free(undos[i].before);
        } else {
            undos[n++] = undos[i];
        }
    }
    n_undos = n;
    if (!n) {
        free(undos);
        undos = NULL;
        undos_cap = 0;
    }
}

/* What is written again is not lost any more; the lock is held. */
static void find_again(const char *path, int64_t at, int64_t size)
{
    for (size_t i = 0; path && i < n_undos; i++)
        if (strcmp(undos[i].path, path) == 0 && undos[i].at >= at && undos[i].at + undos[i].size <= at + size)
            undos[i].lost = false;
}

/* ---- names that are not synced; the lock is held ---- */

static ino_t inode_of(const char *path, bool parent)
{
    char folder[4096];
    struct stat stat_of;
    snprintf(folder, sizeof(folder), "%s", path);
    char *slash = parent ? strrchr(folder, '/') : NULL;
    if (slash)
        *slash = '\0';
    return stat(folder, &stat_of) ? 0 : stat_of.st_ino;
}

/* What is not synced of a file goes where the file goes. */
static void move_undos(const char *from, const char *to)
{
    for (size_t i = 0; i < n_undos; i++)
        if (strcmp(undos[i].path, from) == 0) {
            free(undos[i].path);
            if (!(undos[i].path = strdup(to)))
                die("no memory");
        }
}

/* A link to the file under another name, or NULL where there is none. */
static char *keep_link(const char *path)
{
    static int64_t n_links;
    char link_path[400];
    struct stat stat_of;
    if (stat(path, &stat_of) || !S_ISREG(stat_of.st_mode))
        return NULL;
    if (!*attic) {
        const char *tmp = getenv("TMPDIR");
        snprintf(attic, sizeof(attic), "%.200s/almanac-attic-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        if (!mkdtemp(attic))
            die("no folder for links");
    }
    snprintf(link_path, sizeof(link_path), "%s/%lld", attic, (long long)++n_links);
    char *kept = link(path, link_path) ? NULL : strdup(link_path);
    if (!kept)
        die("a link cannot be made");
    move_undos(path, kept);
    return kept;
}

static void note_name(const char *path, const char *from, char *before, bool is_gone)
{
    if (n_names == names_cap) {
        names_cap = names_cap ? names_cap * 2 : 64;
        names = realloc(names, names_cap * sizeof(*names));
    }
    struct name name = {inode_of(path, true), strdup(path), from ? strdup(from) : NULL, before, is_gone, false};
    if (!names || !name.path || (from && !name.from))
        die("no memory");
    names[n_names++] = name;
}

static void end_name(struct name *name)
{
    if (name->before) {
        forget_path(name->before, true);
        unlink(name->before);
    }
    free(name->path);
    free(name->from);
    free(name->before);
}

/* The folder (0: every one) was synced. */
static void forget_names(ino_t folder)
{
    size_t n = 0;
    for (size_t i = 0; i < n_names; i++)
        if (!folder || names[i].folder == folder)
            end_name(&names[i]);
        else
            names[n++] = names[i];
    n_names = n;
    if (n)
        return;
    free(names);
    names = NULL;
    names_cap = 0;
    if (*attic)
        rmdir(attic);
    *attic = '\0';
}

/* The name of a file is sure, whatever else is in its folder: no more is to be relied on where SQLite syncs a folder. */
static void forget_name(const char *path)
{
    size_t n = 0;
    for (size_t i = 0; i < n_names; i++)
        if (strcmp(names[i].path, path) == 0)
            end_name(&names[i]);
        else
            names[n++] = names[i];
    n_names = n;
}

static void take_back(const struct name *name)
{
    n_names_lost++;
    if (name->from)
        rename(name->path, name->from);
    else if (!name->is_gone)
        files_remove_tree(name->path);
    if (name->before)
        rename(name->before, name->path);
}

/* Of each folder the changes up to some point reached the disk: they get there in order. The point is that of the dice. */
static void lose_names(uint64_t *seed)
{
    for (size_t i = n_names; i-- > 0;) {
        size_t n_before = 0;
        bool lost = false;
        for (size_t k = i + 1; k < n_names; k++) /* a later one is there, so this one is, too */
            n_before += names[k].folder == names[i].folder && !names[k].is_lost;
        lost = !n_before && random_below(seed, 3) != 0;
        names[i].is_lost = lost;
        if (lost)
            take_back(&names[i]);
    }
}

size_t fault_vfs_names_lost(void)
{
    return n_names_lost;
}

void fault_vfs_forget(void)
{
    pthread_mutex_lock(&lock);
    forget_names(0);
    forget_path(NULL, true);
    pthread_mutex_unlock(&lock);
}

/* Space that was given to a file and never written; the file keeps its size. */
static void blank(int fd, int64_t at, int64_t size)
{
    static const uint8_t zeros[4096];
    off_t end = lseek(fd, 0, SEEK_END);
    for (int64_t done = 0; done < size && at + done < end;) {
        int64_t n = size - done < (int64_t)sizeof(zeros) ? size - done : (int64_t)sizeof(zeros);
        n = at + done + n > end ? end - at - done : n;
        if (pwrite(fd, zeros, (size_t)n, at + done) != n)
            die("lost bytes cannot be blanked");
        done += n;
    }
}

/* ---- a loss of power ---- */

#define SECTOR 512

/* The sectors of a file whose contents are settled: some write to them reached the disk, and no older one matters. */
struct fate {
    const char *path;
    uint8_t *settled; /* a byte a sector */
    int64_t n;
};
static struct fate fates[64];
static size_t n_fates;

static struct fate *fate_of(const char *path, int64_t sector)
{
    size_t i = 0;
    while (i < n_fates && strcmp(fates[i].path, path) != 0)
        i++;
    if (i == sizeof(fates) / sizeof(*fates))
        die("too many files were written");
    if (i == n_fates)
        fates[n_fates++] = (struct fate){.path = path};
    if (sector >= fates[i].n) {
        int64_t n = 2 * sector + 64;
        fates[i].settled = realloc(fates[i].settled, (size_t)n);
        if (!fates[i].settled)
            die("no memory");
        memset(fates[i].settled + fates[i].n, 0, (size_t)(n - fates[i].n));
        fates[i].n = n;
    }
    return &fates[i];
}

static void forget_fates(void)
{
    for (size_t i = 0; i < n_fates; i++)
        free(fates[i].settled);
    n_fates = 0;
}

/* Writes back [at, at + size) of what was there before the change; what the change added is zeroes. */
static void restore(int fd, const struct undo *undo, int64_t at, int64_t size)
{
    int64_t had = undo->at + (int64_t)undo->n - at;
    had = had < 0 ? 0 : had < size ? had : size;
    if (had && pwrite(fd, undo->before + (at - undo->at), (size_t)had, at) != had)
        die("old bytes cannot be written");
    blank(fd, at + had, size - had);
}

/* Each sector of the change for itself: it reached the disk, or not. */
static void tear(int fd, const struct undo *undo, uint64_t *seed)
{
    int64_t end = undo->at + (undo->size == INT32_MAX ? (int64_t)undo->n : undo->size);
    for (int64_t at = undo->at, next; at < end; at = next) {
        next = (at / SECTOR + 1) * SECTOR;
        next = next < end ? next : end;
        uint8_t *settled = &fate_of(undo->path, at / SECTOR)->settled[at / SECTOR];
        if (!undo->lost && !*settled && random_below(seed, 2))
            *settled = 1;
        if (!*settled)
            restore(fd, undo, at, next - at);
    }
}

/* Newest first, so that what is there in the end is an older state of each place. */
void fault_vfs_lose_power(uint64_t seed)
{
    fault_vfs_disarm();
    pthread_mutex_lock(&lock);
    for (size_t i = n_undos; i-- > 0;) {
        const struct undo *undo = &undos[i];
        int fd = open(undo->path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            continue; /* the file is gone */
        if (seed) {
            tear(fd, undo, &seed);
        } else {
            if (undo->lost)
                blank(fd, undo->at, undo->size);
            if (undo->n && pwrite(fd, undo->before, undo->n, undo->at) != (ssize_t)undo->n)
                die("old bytes cannot be written");
            if (!undo->lost && ftruncate(fd, undo->size_before))
                die("a file cannot be cut");
        }
        close(fd);
    }
    forget_fates();
    if (seed)
        lose_names(&seed);
    forget_names(0);
    forget_path(NULL, true);
    pthread_mutex_unlock(&lock);
}

/* ---- a file ---- */

static struct fault_file *of(sqlite3_file *file)
{
    return (struct fault_file *)file;
}

static int file_close(sqlite3_file *file)
{
    int rc = of(file)->real->pMethods->xClose(of(file)->real);
    free(of(file)->path);
    return rc;
}

static int file_read(sqlite3_file *file, void *to, int size, sqlite3_int64 at)
{
    int rc = count_change(CHANGE_READ, SQLITE_IOERR_READ);
    if (rc && armed != FAULT_SHORT_ONCE)
        return rc;
    int real_rc = of(file)->real->pMethods->xRead(of(file)->real, to, size, at);
    if (!rc)
        return real_rc;
    memset((char *)to + size / 2, 0, (size_t)(size - size / 2));
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 at)
{
    int rc = count_change(CHANGE_WRITE, SQLITE_IOERR_WRITE);
    if (rc)
        return rc;
    pthread_mutex_lock(&lock);
    remember(of(file), at, size);
    find_again(of(file)->path, at, size);
    rc = of(file)->real->pMethods->xWrite(of(file)->real, from, size, at);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = count_change(CHANGE_WRITE, SQLITE_IOERR_TRUNCATE);
    if (rc)
        return rc;
    pthread_mutex_lock(&lock);
    remember(of(file), size, INT32_MAX);
    rc = of(file)->real->pMethods->xTruncate(of(file)->real, size);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags; /* real syncs would only wear the disk: what would be lost is known here */
    int rc = count_change(CHANGE_SYNC, SQLITE_IOERR_FSYNC);
    pthread_mutex_lock(&lock);
    if (!rc && of(file)->path)
        forget_path(of(file)->path, false);
    if (!rc && of(file)->syncs_folder)
        forget_name(of(file)->path);
    of(file)->syncs_folder = of(file)->syncs_folder && rc;
    for (size_t i = 0; i < n_undos && rc && armed != FAULT_DEAD && of(file)->path; i++)
        undos[i].lost = undos[i].lost || strcmp(undos[i].path, of(file)->path) == 0;
    pthread_mutex_unlock(&lock);
    return rc;
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

static int file_control(sqlite3_file *file, int op, void *arg)
{
    return of(file)->real->pMethods->xFileControl(of(file)->real, op, arg);
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

/* Version 2: without xFetch a sealed file is read instead of mapped. */
static const sqlite3_io_methods methods = {
    .iVersion = 2, .xClose = file_close, .xRead = file_read, .xWrite = file_write, .xTruncate = file_truncate,
    .xSync = file_sync, .xFileSize = file_size, .xLock = file_lock, .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock, .xFileControl = file_control, .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_traits, .xShmMap = file_shm_map, .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier, .xShmUnmap = file_shm_unmap};

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *ret_flags)
{
    (void)vfs;
    struct fault_file *file = of(base);
    *file = (struct fault_file){.real = (sqlite3_file *)(file + 1)};
    bool is_new = flags & SQLITE_OPEN_CREATE && path && access(path, F_OK);
    if (is_new) {
        int rc = count_change(CHANGE_OTHER, SQLITE_CANTOPEN);
        if (rc)
            return rc;
        pthread_mutex_lock(&lock);
        forget_path(path, true); /* another file that had this name */
        pthread_mutex_unlock(&lock);
    }
    if (path && !(file->path = strdup(path)))
        return SQLITE_NOMEM;
    int rc = real_vfs->xOpen(real_vfs, path, file->real, flags, ret_flags);
    if (is_new && rc == SQLITE_OK) {
        pthread_mutex_lock(&lock);
        note_name(path, NULL, NULL, false);
        file->syncs_folder = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL);
        pthread_mutex_unlock(&lock);
    }
    if (file->real->pMethods)
        file->base.pMethods = &methods;
    else
        free(file->path);
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    if (access(path, F_OK))
        return SQLITE_IOERR_DELETE_NOENT;
    int rc = count_change(CHANGE_OTHER, SQLITE_IOERR_DELETE);
    if (rc)
        return rc;
    pthread_mutex_lock(&lock);
    note_name(path, NULL, keep_link(path), true);
    rc = real_vfs->xDelete(real_vfs, path, 0);
    if (sync_folder && rc == SQLITE_OK)
        forget_names(inode_of(path, true));
    pthread_mutex_unlock(&lock);
    return rc;
}

/* ---- what the program does itself ---- */

static int fail_call(enum change change)
{
    int rc = count_change(change, SQLITE_IOERR);
    errno = rc == SQLITE_FULL ? ENOSPC : EIO;
    return rc ? -1 : 0;
}

static int call_sync(const char *path)
{
    int rc = fail_call(CHANGE_SYNC);
    pthread_mutex_lock(&lock);
    if (!rc) {
        forget_path(path, false);
        forget_names(inode_of(path, false));
    }
    for (size_t i = 0; i < n_undos && rc && armed != FAULT_DEAD; i++)
        undos[i].lost = undos[i].lost || strcmp(undos[i].path, path) == 0;
    pthread_mutex_unlock(&lock);
    return rc;
}

/* What was not synced under the old name is lost under the new one. */
static int call_rename(const char *from, const char *to)
{
    int rc = fail_call(CHANGE_OTHER);
    if (rc)
        return rc;
    pthread_mutex_lock(&lock);
    if (access(from, F_OK) == 0)
        note_name(to, from, keep_link(to), false);
    rc = rename(from, to);
    move_undos(from, to);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int call_unlink(const char *path)
{
    if (access(path, F_OK)) {
        errno = ENOENT;
        return -1;
    }
    int rc = fail_call(CHANGE_OTHER);
    if (rc)
        return rc;
    pthread_mutex_lock(&lock);
    note_name(path, NULL, keep_link(path), true);
    rc = unlink(path);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int call_make_folder(const char *path)
{
    if (access(path, F_OK) == 0) {
        errno = EEXIST;
        return -1;
    }
    if (fail_call(CHANGE_OTHER) || mkdir(path, 0777))
        return -1;
    pthread_mutex_lock(&lock);
    note_name(path, NULL, NULL, false);
    pthread_mutex_unlock(&lock);
    return 0;
}

static const struct files_calls calls = {call_sync, call_rename, call_make_folder, call_unlink};

void fault_vfs_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    if (!real_vfs)
        die("SQLite has no VFS");
    fault_vfs = *real_vfs; /* what is not below works on paths and needs no change */
    fault_vfs.pNext = NULL;
    fault_vfs.zName = "fault";
    fault_vfs.szOsFile = (int)sizeof(struct fault_file) + real_vfs->szOsFile;
    fault_vfs.xOpen = vfs_open;
    fault_vfs.xDelete = vfs_delete;
    if (sqlite3_vfs_register(&fault_vfs, 1))
        die("SQLite does not take the VFS");
    files_replace(&calls);
}

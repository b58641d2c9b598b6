/* An SQLite VFS for tests that makes the disk fail: it stands before the default one, counts what changes files (writes, syncs,
 * truncates, deletes and new files), and fails from the n-th of them on. It can also take back what was not synced, as a loss
 * of power does.
 *
 * What the program does itself (sync, rename, unlink, new folders: common/files.h) is counted and fails alike. -shm files are
 * memory and not counted. */
#ifndef TESTS_LIB_FAULT_VFS_H
#define TESTS_LIB_FAULT_VFS_H

#include <stddef.h>
#include <stdint.h>

enum fault {
    FAULT_NONE,
    FAULT_IO_ONCE,   /* SQLITE_IOERR_WRITE, _FSYNC, ... once, then all is well */
    FAULT_FULL_ONCE, /* SQLITE_FULL where a write or truncate is due (a sync passes) */
    FAULT_READ_ONCE, /* the n-th read alone fails: SQLITE_IOERR_READ; only reads are counted */
    FAULT_SHORT_ONCE, /* the n-th read alone gives half of what was asked for, zeroes behind it, and says so */
    FAULT_SYNC_ONCE, /* the n-th sync alone fails; what it should have synced is lost, unless it is written again */
    FAULT_CUT,       /* at the n-th sync the power fails: neither it nor anything after it has an effect; only syncs count */
    FAULT_DEAD       /* from the n-th change on nothing reaches the disk: the process is as good as killed */
};

/* Makes it the default VFS; once. Ends the program when that fails. */
void fault_vfs_install(void);

/* Counts from 1 anew and fails at the n-th change. */
void fault_vfs_arm(enum fault fault, int64_t n);
/* After FAULT_SYNC_ONCE: n changes later the process dies. */
void fault_vfs_die_after(int64_t n);
/* No more faults; how many changes were counted since fault_vfs_arm. */
int64_t fault_vfs_disarm(void);
/* Whether the fault came. */
int fault_vfs_hit(void);

/* Loses power: what was not synced is taken back, all of it (seed 0) or a random part: each sector of 512 bytes is as it was
 * after some of the writes to it since the last sync, so that pages are torn and writes reordered. With a seed names are lost,
 * too: of what was made, renamed and unlinked in a folder since that was synced the last steps, however many, did not happen.
 * Every database must be closed; -shm files below dir are the caller's to remove. Disarms. */
void fault_vfs_lose_power(uint64_t seed);
/* How many such steps were taken back since the begin. */
size_t fault_vfs_names_lost(void);
/* Everything written so far counts as synced. */
void fault_vfs_forget(void);

#endif

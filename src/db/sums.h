/* Page sums: an SQLite VFS that ends each page of a database with a checksum when it is written, and compares it when the page is
 * read, so that a flipped bit in a file that still changes is an error and never an answer. docs/FORMAT.md ("SQLite"). */
#ifndef DB_SUMS_H
#define DB_SUMS_H

#define SUMS_VFS "almanac" /* the name to open with */
#define SUMS_BYTES 8       /* that each page leaves to it */

/* A second VFS, for sealed files, whose digest is compared as a whole and whose pages have no sums: it takes no part of a page
 * for the page. */
#define WHOLE_VFS "almanac-whole"

/* For sqlite3_file_control, with an int: 1 when somebody without this VFS wrote the file last. Then no page of it can be
 * compared until all were written anew (VACUUM). */
#define SUMS_FCNTL_STRANGE 0x414c4d73

/* Registers both, over the one that is the default at the first call. Any thread, any number of times. An SQLite code. */
int sums_register(void);

#endif

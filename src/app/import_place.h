/* How far an import of a file has come, kept in DIR/run, so that the same command goes on where it was stopped.
 *
 * The place is the number of messages of the file that Kafka has acknowledged: importers make the same messages of the same file
 * each time. It holds for the same file (path, inode, size, time of its last change), kind, topic and options. */
#ifndef APP_IMPORT_PLACE_H
#define APP_IMPORT_PLACE_H

#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"

struct import_place {
    char path[4096]; /* of the file with the place; "" where none is kept */
    int64_t n_done;  /* messages that need not be sent again */
};

/* Finds the place of a file; n_done 0 when there is none. options: whatever decides which messages are made. */
MUST_CHECK int import_place_find(const char *dir, const char *file, const struct stat *stat, const char *options,
                                 struct import_place *ret_place, struct err_text *error);
/* Keeps n_done. Not synced: when it is lost, messages are sent twice, which changes nothing. */
MUST_CHECK int import_place_keep(struct import_place *place, int64_t n_done, struct err_text *error);
void import_place_forget(struct import_place *place);

#endif

/* Inside of seal.h: how sealed files come to be, for seal.c, which settles windows, and seal_without.c, which leaves out
 * series. */
#ifndef STORE_SEAL_INSIDE_H
#define STORE_SEAL_INSIDE_H

#include "store/seal.h"

/* Compares the digest of a sealed file: what is read from it gets a new one. */
MUST_CHECK int seal_check_digest(const char *path, const struct file *file, struct err_text *error);

/* "2025-03.open.g7.db" is sealed as "2025-03.raw.g7.db" and "2025-03.tier.g7.db"; model is any file of the window. */
void seal_name(const struct file *model, enum file_kind kind, int64_t generation, struct file *file);
/* Where a file is written before it gets its name; of a seal that a crash ended one may be left. */
void seal_name_tmp(struct partition *partition, const struct file *file, char out[static 4096]);

/* Syncs, hashes and names a written file. */
MUST_CHECK int seal_publish(const char *tmp_path, struct file *file, struct err_text *error);
MUST_CHECK int seal_sync_folder(struct partition *partition, struct err_text *error);

#endif

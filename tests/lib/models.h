/* The models of sql/models.sql in a registry, read through SQLite as the store reads them. */
#ifndef TESTS_LIB_MODELS_H
#define TESTS_LIB_MODELS_H

#include "model/registry.h"

/* From $TEST_SRCDIR/sql/models.sql; ends the program with a message when that fails. */
struct registry *models_registry(void);

#endif

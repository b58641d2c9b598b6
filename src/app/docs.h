/* Where Swagger UI lies: beside the program in a build folder, else where `make install` puts it. */
#ifndef APP_DOCS_H
#define APP_DOCS_H

#include <stddef.h>

/* Writes the folder's path to out and gives it, or NULL where it is in neither place. */
const char *docs_find(char *out, size_t size);

#endif

/* JSON for the oracle: jansson judges the text and unescapes its strings; numbers stay the text they are. */
#ifndef TESTS_LIB_ORACLE_JSON_H
#define TESTS_LIB_ORACLE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "model/decimal.h"

/* A JSON value: its own text, and what jansson made of it. */
struct node {
    char type; /* { [ " 0 N(aN) n t f */
    const char *text;
    size_t size;
    json_t *string;
    struct node *children; /* elements, or names and values in turn */
    size_t n;
};

enum json_verdict { JSON_GOOD, JSON_BAD, JSON_DEEP };

/* The value that text (followed by a NUL) begins with, and where it ends. Only a good one is to be dropped. */
enum json_verdict json_take(const char *text, size_t size, struct node *ret_node, size_t *ret_end);
void json_drop(struct node *node);

/* The value of a number, its digits kept as a string and rounded on paper; false when its exponent is out of range. */
bool node_number(const struct node *node, struct decimal *ret_value, bool *ret_rounded);
/* The instant that a string or a number says; false when it says none. */
bool node_time(const struct node *node, int64_t *ret_t_us);

#endif

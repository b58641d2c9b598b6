/* What the JSON of an answer looks like. Handlers print objects from these rows, and /openapi.json is written from them, so that
 * neither has a field that the other has not. */
#ifndef HTTP_SHAPE_H
#define HTTP_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

enum shape_form {
    FORM_TEXT,
    FORM_NUMBER,  /* a decimal */
    FORM_WHOLE,
    FORM_BOOLEAN,
    FORM_TIME,    /* RFC 3339 */
    FORM_TEXTS,   /* a list of texts */
    FORM_LIST,    /* a list of objects: of */
    FORM_OBJECT   /* of; any one where that is NULL */
};

struct shape;
struct shape_field {
    const char *name;
    enum shape_form form;
    bool may_be_null;       /* the field is there all the same */
    const char *example;    /* JSON; NULL: that of the form */
    const struct shape *of;
};

struct shape {
    bool is_list;           /* the whole is a list of such objects */
    const struct shape_field *fields; /* all are there; ended by a NULL name */
};

#define FIELDS(...) ((const struct shape_field[]){__VA_ARGS__, {.name = NULL}})
#define FIELD(name_, form_, null_, example_) {.name = name_, .form = form_, .may_be_null = null_, .example = example_}
#define SHAPE_LIST(name_, of_) {.name = name_, .form = FORM_LIST, .of = of_}

#endif

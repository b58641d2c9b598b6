#include <config.h>

#include "app/json_print.h"

#include <stdio.h>
#include <stdlib.h>

static int print(json_t *value, size_t flags, const char *before, const char *behind)
{
    char *text = value ? json_dumps(value, flags) : NULL;
    json_decref(value);
    if (!text)
        return ERR_NOMEM;
    printf("%s%s%s", before, text, behind);
    free(text);
    return 0;
}

int json_print(json_t *value)
{
    return print(value, JSON_INDENT(1), "", "\n");
}

int json_print_element(json_t *value, size_t n)
{
    return print(value, JSON_COMPACT, n ? ",\n " : "", "");
}

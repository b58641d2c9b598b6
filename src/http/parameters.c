#include <config.h>

#include "http/parameters.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

void parameters_free(struct parameters *parameters)
{
    for (size_t i = 0; i < parameters->n; i++) {
        free((char *)parameters->rows[i].name);
        free((char *)parameters->rows[i].value);
    }
    parameters->n = 0;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int percent_decode(char *text, size_t size, int plus_is_blank)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < size ? digit_value(text[i + 1]) : -1;
            int low = high >= 0 ? digit_value(text[i + 2]) : -1;
            if (low < 0)
                return ERR_INVALID;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        if (!c)
            return ERR_INVALID;
        text[n++] = c;
    }
    text[n] = '\0';
    return 0;
}

/* Parameters that are an instant. */
static bool is_time(const char *name)
{
    static const char *const names[] = {"from", "to", "at", "asof", "start", "end", "time"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

/* `2025-03-01T00:00:00 01:00` was typed with a plus: a time of day stands before the blank, hours and minutes after it. */
static void restore_plus(char *value)
{
    char *blank = strrchr(value, ' ');
    if (!blank || !memchr(value, ':', (size_t)(blank - value)))
        return;
    const char *at = blank + 1;
    if (isdigit((unsigned char)at[0]) && isdigit((unsigned char)at[1]) && at[2] == ':' &&
        isdigit((unsigned char)at[3]) && isdigit((unsigned char)at[4]) && !at[5])
        *blank = '+';
}

/* Takes over name and value, also when it fails. */
static int add_owned(struct parameters *parameters, char *name, char *value, struct err_text *error)
{
    int rc = 0;
    if (!name || !value)
        rc = err_set(error, ERR_NOMEM, "out of memory");
    else if (parameters->n == LIMIT_URL_PARAMETERS)
        rc = err_set(error, ERR_LIMIT, "more than %d parameters", LIMIT_URL_PARAMETERS);
    if (rc) {
        free(name);
        free(value);
        return rc;
    }
    parameters->rows[parameters->n++] = (struct parameter){name, value};
    return 0;
}

int parameters_add(struct parameters *parameters, const char *name, const char *value, struct err_text *error)
{
    return add_owned(parameters, strdup(name), strdup(value), error);
}

static int add_pair(struct parameters *parameters, const char *text, size_t size, struct err_text *error)
{
    const char *equals = memchr(text, '=', size);
    size_t name_size = equals ? (size_t)(equals - text) : size;
    char *name = strndup(text, name_size);
    char *value = equals ? strndup(equals + 1, size - name_size - 1) : strdup("");
    int rc = name ? percent_decode(name, name_size, 1) : 0;
    if (!rc && value)
        rc = percent_decode(value, strlen(value), 1);
    if (rc) {
        rc = err_set_field(error, rc, name ? name : "",
                           "parameter \"%.64s\" has a broken escape: write %%XX with two hexadecimal digits, not %%00",
                           name ? name : "");
        free(name);
        free(value);
        return rc;
    }
    if (name && value && is_time(name))
        restore_plus(value);
    return add_owned(parameters, name, value, error);
}

int parameters_from_form(struct parameters *parameters, const char *text, size_t size, struct err_text *error)
{
    if (memchr(text, 0, size))
        return err_set(error, ERR_INVALID, "the parameters contain a NUL byte");
    while (size) {
        const char *end = memchr(text, '&', size);
        size_t pair_size = end ? (size_t)(end - text) : size;
        if (pair_size) {
            int rc = add_pair(parameters, text, pair_size, error);
            if (rc)
                return rc;
        }
        if (!end)
            break;
        size -= pair_size + 1;
        text = end + 1;
    }
    return 0;
}

static int add_json(struct parameters *parameters, const char *name, const json_t *value, struct err_text *error)
{
    char number[32];
    const char *text;
    switch (json_typeof(value)) {
    case JSON_NULL:
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        text = json_is_true(value) ? "1" : "0";
        break;
    case JSON_INTEGER:
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = number;
        break;
    case JSON_STRING:
        text = json_string_value(value);
        break;
    default:
        return err_set_field(error, ERR_INVALID, name,
                             "\"%.64s\" is neither a text nor a whole number nor a list of them", name);
    }
    return add_owned(parameters, strdup(name), strdup(text), error);
}

static int add_json_object(struct parameters *parameters, json_t *object, struct err_text *error)
{
    const char *name;
    json_t *value, *element;
    size_t i;
    json_object_foreach(object, name, value) {
        int rc = 0;
        if (json_is_array(value)) {
            json_array_foreach(value, i, element)
                if ((rc = add_json(parameters, name, element, error)))
                    return rc;
        } else {
            rc = add_json(parameters, name, value, error);
        }
        if (rc)
            return rc;
    }
    return 0;
}

int parameters_from_json(struct parameters *parameters, const char *text, size_t size, struct err_text *error)
{
    json_error_t at;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &at);
    if (!object)
        return err_set(error, ERR_INVALID, "the body is not JSON: line %d, column %d: %s", at.line, at.column, at.text);
    int rc = json_is_object(object) ? add_json_object(parameters, object, error)
                                    : err_set(error, ERR_INVALID, "the body is not a JSON object of parameters");
    json_decref(object);
    return rc;
}

int parameters_one(const struct parameters *parameters, const char *name, const char **ret_value,
                   struct err_text *error)
{
    const char *found = NULL;
    for (size_t i = 0; i < parameters->n; i++) {
        if (strcmp(parameters->rows[i].name, name))
            continue;
        if (found)
            return err_set_field(error, ERR_INVALID, name, "\"%s\" is given twice", name);
        found = parameters->rows[i].value;
    }
    *ret_value = found;
    return 0;
}

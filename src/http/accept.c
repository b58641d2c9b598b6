#include <config.h>

#include "http/accept.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* How well one range of a header fits a media type or a content coding: 0 not, 1 any, 2 its family, 3 exactly. */
static int fit(const char *range, size_t size, const char *type)
{
    const char *slash = strchr(type, '/'); /* a coding has none */
    const char *any = slash ? "*/*" : "*";
    if (size == strlen(any) && !memcmp(range, any, size))
        return 1;
    size_t family = slash ? (size_t)(slash - type) + 1 : 0;
    if (slash && size == family + 1 && range[family] == '*' && !strncasecmp(range, type, family))
        return 2;
    return size == strlen(type) && !strncasecmp(range, type, size) ? 3 : 0;
}

/* The weight of a range's `;q=0.5` in thousandths. */
static int weight(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at != ';')
            continue;
        do
            at++;
        while (at < end && (*at == ' ' || *at == '\t'));
        if (end - at < 3 || (at[0] != 'q' && at[0] != 'Q') || at[1] != '=')
            continue;
        int q = at[2] == '1' ? 1000 : 0;
        int unit = 100;
        for (at += 4; !q && at < end && unit && isdigit((unsigned char)*at); at++, unit /= 10)
            q += (*at - '0') * unit;
        return q;
    }
    return 1000;
}

/* The weight that accept gives to type: that of the range that fits best. */
static int accept_weight(const char *accept, const char *type)
{
    int best_fit = 0, q = 0;
    while (*accept) {
        const char *end = accept + strcspn(accept, ",");
        accept += strspn(accept, " \t");
        size_t size = strcspn(accept, "; \t,");
        int how = fit(accept, size, type);
        if (how > best_fit) {
            best_fit = how;
            q = weight(accept + size, end);
        }
        accept = *end ? end + 1 : end;
    }
    return q;
}

const struct media *accept_media(const struct media *list, const char *accept)
{
    const struct media *best = NULL;
    int best_q = 0;
    if (!accept || !*accept)
        return list;
    for (; list->name; list++) {
        int q = accept_weight(accept, list->type);
        if (q > best_q) {
            best = list;
            best_q = q;
        }
    }
    return best;
}

const char *accept_coding(const char *const *list, const char *header)
{
    const char *best = NULL;
    int best_q = 0;
    for (; header && *list; list++) {
        int q = accept_weight(header, *list);
        if (q > best_q) {
            best = *list;
            best_q = q;
        }
    }
    return best;
}

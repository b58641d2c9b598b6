#include <config.h>

#include "common/jsontext.h"

#include <string.h>

#include "common/civil.h"

/* The length of the UTF-8 sequence at text (RFC 3629: no overlong forms, no surrogates), or 0. */
static size_t sequence_size(const uint8_t *text)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t n;
    if (text[0] < 0x80)
        return 1;
    if (text[0] >= 0xc2 && text[0] <= 0xdf)
        n = 2;
    else if (text[0] >= 0xe0 && text[0] <= 0xef)
        n = 3;
    else if (text[0] >= 0xf0 && text[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (text[0] == 0xe0)
        low = 0xa0;
    else if (text[0] == 0xed)
        high = 0x9f;
    else if (text[0] == 0xf0)
        low = 0x90;
    else if (text[0] == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) /* a NUL ends the text here too */
        if (text[i] < 0x80 || text[i] > 0xbf)
            return 0;
    return n;
}

static void put_escaped(struct buf *out, uint8_t c)
{
    static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (const char *at = short_forms; *at; at += 2) {
        if ((uint8_t)*at == c) {
            buf_putc(out, '\\');
            buf_putc(out, at[1]);
            return;
        }
    }
    buf_printf(out, "\\u%04x", c);
}

void jsontext_put(struct buf *out, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    buf_putc(out, '"');
    while (*at) {
        const uint8_t *plain = at;
        while (*at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
            at++;
        buf_put(out, plain, (size_t)(at - plain));
        if (!*at)
            break;
        if (*at < 0x80) {
            put_escaped(out, *at++);
            continue;
        }
        size_t n = sequence_size(at);
        if (n)
            buf_put(out, at, n);
        else
            buf_puts(out, "\xef\xbf\xbd");
        at += n ? n : 1;
    }
    buf_putc(out, '"');
}

void jsontext_put_bytes(struct buf *out, const char *text, size_t size)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < size; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c == '"' || c == '\\')
            buf_putc(out, '\\');
        if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, '"');
}

void jsontext_put_member(struct buf *out, const char *name, const char *text)
{
    buf_puts(out, ",\"");
    buf_puts(out, name);
    buf_puts(out, "\":");
    jsontext_put(out, text);
}

void jsontext_put_time(struct buf *out, int64_t t_us)
{
    char text[CIVIL_TEXT_MAX];
    size_t n = civil_print_rfc3339(text, t_us, 0, true);
    buf_putc(out, '"');
    buf_put(out, text, n);
    buf_putc(out, '"');
}

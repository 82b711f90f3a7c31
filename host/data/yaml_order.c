/* The order in which go-yaml writes keys. */
#include "data/yaml_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define FEW 12 /* up to which Go sorts by insertion, too */

typedef struct text {
    const char *s;
    size_t n;
} text;

static int is_digit(uint32_t rune)
{
    return rune >= '0' && rune <= '9';
}

/* Letters past ASCII, by blocks: everything but Latin-1 signs, punctuation, symbols and emoji. */
static int is_letter(uint32_t rune)
{
    if (rune < 0x80) return (rune | 0x20) >= 'a' && (rune | 0x20) <= 'z';
    if (rune < 0xC0) return rune == 0xAA || rune == 0xB5 || rune == 0xBA;
    if (rune == 0xD7 || rune == 0xF7) return 0;
    static const struct {
        uint32_t first, last;
    } others[] = {{0x300, 0x36F},   {0x2000, 0x2BFF}, {0x3000, 0x3004}, {0x3008, 0x3030}, {0xE000, 0xF8FF},
                  {0xFE00, 0xFE6F}, {0xFEFF, 0xFF20}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (rune >= others[i].first && rune <= others[i].last) return 0;
    return 1;
}

static uint32_t rune_at(text t, size_t i)
{
    size_t width;
    return tl_utf8_decode(t.s + i, t.n - i, &width);
}

/* The number that starts with the digits at *i, after `start`; wraps as Go's int64 does. */
static int64_t read_digits(text t, size_t *i, uint64_t start)
{
    for (; *i < t.n && is_digit((unsigned char)t.s[*i]); ++*i) start = start * 10 + (uint64_t)(t.s[*i] - '0');
    return (int64_t)start;
}

/* Whether a sorts before b; their first difference is at byte i, which starts a rune in both. */
static int less_at(text a, text b, size_t i, tl_yaml_style style)
{
    uint32_t ar = rune_at(a, i), br = rune_at(b, i);
    int a_letter = is_letter(ar), b_letter = is_letter(br), after_digit = i && is_digit((unsigned char)a.s[i - 1]);
    if (a_letter && b_letter) return ar < br;
    if (a_letter || b_letter) return style == TL_YAML_PRETTY && after_digit ? a_letter : b_letter;
    uint64_t start = 0;
    if (ar == '0' || br == '0') {
        for (size_t j = i; j > 0 && is_digit((unsigned char)a.s[j - 1]); j--) {
            if (a.s[j - 1] != '0') {
                start = 1;
                break;
            }
        }
    }
    size_t a_end = i, b_end = i;
    int64_t an = read_digits(a, &a_end, start), bn = read_digits(b, &b_end, start);
    if (an != bn) return an < bn;
    if (a_end != b_end) return a_end < b_end;
    return ar < br;
}

static int less(text a, text b, tl_yaml_style style)
{
    size_t shorter = a.n < b.n ? a.n : b.n, i = 0;
    while (i < shorter && a.s[i] == b.s[i]) i++;
    if (i == shorter) return a.n < b.n;
    while (i > 0 && ((unsigned char)a.s[i] & 0xC0) == 0x80) i--;
    return less_at(a, b, i, style);
}

static int precedes(const tl_entry *a, const tl_entry *b, tl_yaml_style style)
{
    return less((text){a->key, a->key_len}, (text){b->key, b->key_len}, style);
}

static int compare(const void *x, const void *y, tl_yaml_style style)
{
    const tl_entry *a = *(tl_entry *const *)x, *b = *(tl_entry *const *)y;
    return precedes(a, b, style) ? -1 : precedes(b, a, style);
}

static int compare_sigs(const void *x, const void *y)
{
    return compare(x, y, TL_YAML_SIGS);
}

static int compare_pretty(const void *x, const void *y)
{
    return compare(x, y, TL_YAML_PRETTY);
}

void tl_yaml_sort(tl_entry **out, const tl_map *map, tl_yaml_style style)
{
    uint32_t cursor = 0, n = 0;
    for (tl_entry *e; (e = tl_map_next(map, &cursor));) out[n++] = e;
    if (n > FEW) {
        qsort(out, n, sizeof *out, style == TL_YAML_PRETTY ? compare_pretty : compare_sigs);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        tl_entry *moved = out[i];
        uint32_t to = i;
        for (; to && precedes(moved, out[to - 1], style); to--) out[to] = out[to - 1];
        out[to] = moved;
    }
}

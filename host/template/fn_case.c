/* Functions on strings that change their letters: case, words, initials. */
#include <string.h>

#include "base/utf8.h"
#include "template/internal.h"
#include "template/unicode.h"

static void add_rune(tl_buf *out, uint32_t rune)
{
    char utf8[4];
    tl_buf_add(out, utf8, tl_utf8_encode(rune, utf8));
}

static int is_upper(uint32_t rune)
{
    return tl_rune_lower(rune) != rune;
}

static int map_runes(tl_exec *x, tl_value text, uint32_t (*map)(uint32_t), tl_value *out)
{
    tl_buf made = tl_text_buf(x);
    for (size_t i = 0, width; i < text.len; i += width)
        add_rune(&made, map(tl_utf8_decode(text.as.s + i, text.len - i, &width)));
    return tl_take_string(x, &made, out);
}

TL_FUNCTION(fn_upper)
{
    return map_runes(x, args[0], tl_rune_upper, out);
}

TL_FUNCTION(fn_lower)
{
    return map_runes(x, args[0], tl_rune_lower, out);
}

static int is_separator(uint32_t rune)
{
    if (rune < 0x80) return !(tl_rune_is_letter(rune) || tl_rune_is_digit(rune) || rune == '_');
    return !tl_rune_is_letter(rune) && !tl_rune_is_digit(rune) && tl_rune_is_space(rune);
}

TL_FUNCTION(fn_title)
{
    tl_buf made = tl_text_buf(x);
    uint32_t before = ' ';
    for (size_t i = 0, width; i < args[0].len; i += width) {
        uint32_t rune = tl_utf8_decode(args[0].as.s + i, args[0].len - i, &width);
        add_rune(&made, is_separator(before) ? tl_rune_upper(rune) : rune);
        before = rune;
    }
    return tl_take_string(x, &made, out);
}

TL_FUNCTION(fn_untitle)
{
    tl_buf made = tl_text_buf(x);
    int next = 1;
    for (size_t i = 0, width; i < args[0].len; i += width) {
        uint32_t rune = tl_utf8_decode(args[0].as.s + i, args[0].len - i, &width);
        if (tl_rune_is_space(rune)) {
            next = 1;
        } else if (next) {
            rune = tl_rune_lower(rune);
            next = 0;
        }
        add_rune(&made, rune);
    }
    return tl_take_string(x, &made, out);
}

static uint32_t swapped(uint32_t rune)
{
    return is_upper(rune) ? tl_rune_lower(rune) : tl_rune_upper(rune);
}

TL_FUNCTION(fn_swapcase)
{
    return map_runes(x, args[0], swapped, out);
}

/* The library looks at bytes as if they were runes: text past ASCII changes, as it does in helm. */
static int byte_is_space(unsigned char c)
{
    return tl_rune_is_space(c);
}

TL_FUNCTION(fn_nospace)
{
    size_t spaces = 0;
    for (size_t i = 0; i < args[0].len; i++) spaces += (size_t)byte_is_space((unsigned char)args[0].as.s[i]);
    *out = args[0];
    if (!spaces) return 0;
    tl_buf made = tl_text_buf(x);
    for (size_t i = 0; i < args[0].len; i++) {
        unsigned char c = (unsigned char)args[0].as.s[i];
        if (!byte_is_space(c)) add_rune(&made, c);
    }
    return tl_take_string(x, &made, out);
}

TL_FUNCTION(fn_initials)
{
    tl_buf made = tl_text_buf(x);
    int gap = 1;
    for (size_t i = 0; i < args[0].len; i++) {
        unsigned char c = (unsigned char)args[0].as.s[i];
        if (byte_is_space(c)) {
            gap = 1;
        } else if (gap) {
            add_rune(&made, c);
            gap = 0;
        }
    }
    return tl_take_string(x, &made, out);
}

/* ---- words, as huandu/xstrings splits them ---- */

typedef enum word { W_INVALID, W_NUMBER, W_UPPER, W_ALPHABET, W_CONNECTOR, W_PUNCT, W_OTHER } word;

static int is_connector(uint32_t rune)
{
    return rune == '-' || rune == '_' || tl_rune_is_space(rune);
}

static int is_alphabet(uint32_t rune)
{
    if (!tl_rune_is_letter(rune)) return 0;
    return !((rune >= 0x4E00 && rune <= 0x9FCC) || (rune >= 0x3400 && rune <= 0x4D85) ||
             (rune >= 0x20000 && rune <= 0x2B81D));
}

static int is_punct(uint32_t rune)
{
    if (rune < 0x80) return rune && strchr("!\"#%&'()*,-./:;?@[\\]_{}", (int)rune) != NULL;
    return rune == 0xA1 || rune == 0xA7 || rune == 0xAB || rune == 0xB6 || rune == 0xB7 || rune == 0xBB ||
           rune == 0xBF || (rune >= 0x2010 && rune <= 0x2027) || (rune >= 0x2030 && rune <= 0x205E && rune != 0x2044 &&
           rune != 0x2052) || (rune >= 0x3001 && rune <= 0x3003) || (rune >= 0x3008 && rune <= 0x3011);
}

static uint32_t valid_rune(tl_span text, uint32_t before, size_t *size)
{
    *size = 0;
    while (*size < text.len) {
        size_t width;
        uint32_t rune = tl_utf8_decode(text.s + *size, text.len - *size, &width);
        *size += width;
        if (rune != TL_UTF8_BAD) return rune;
    }
    return before;
}

static int lower_alphabet(uint32_t rune)
{
    return is_alphabet(rune) && !is_upper(rune);
}

static int is_number(uint32_t rune)
{
    return tl_rune_is_digit(rune);
}

static int is_other(uint32_t rune)
{
    return !(is_connector(rune) || is_alphabet(rune) || is_number(rune) || is_punct(rune));
}

/* Bytes of runes that belong to the class, from `from` on. */
static size_t run_of(tl_span text, size_t from, uint32_t rune, int (*class)(uint32_t))
{
    while (from < text.len) {
        size_t size;
        rune = valid_rune((tl_span){text.s + from, text.len - (uint32_t)from}, rune, &size);
        if (!size || !class(rune)) break;
        from += size;
    }
    return from;
}

static size_t upper_word(tl_span text, size_t size, uint32_t rune)
{
    if (size >= text.len) return size;
    size_t second;
    rune = valid_rune((tl_span){text.s + size, text.len - (uint32_t)size}, rune, &second);
    if (!is_upper(rune)) return is_alphabet(rune) ? run_of(text, size + second, rune, lower_alphabet) : size;
    size_t offset = size + second, last = second;
    while (offset < text.len) {
        size_t next;
        rune = valid_rune((tl_span){text.s + offset, text.len - (uint32_t)offset}, rune, &next);
        if (!is_upper(rune)) break;
        last = next;
        offset += next;
    }
    /* "HTTPStatus": the S belongs to the next word. */
    return offset < text.len && is_alphabet(rune) ? offset - last : offset;
}

static word next_word(tl_span *rest, tl_span *out)
{
    tl_span text = *rest;
    size_t size, end;
    word type;
    out->s = text.s;
    out->len = 0;
    if (!text.len) return W_INVALID;
    uint32_t rune = valid_rune(text, TL_UTF8_BAD, &size);
    if (rune == TL_UTF8_BAD) {
        type = W_INVALID;
        end = size;
    } else if (is_connector(rune)) {
        type = W_CONNECTOR;
        end = run_of(text, size, rune, is_connector);
    } else if (is_punct(rune)) {
        type = W_PUNCT;
        end = run_of(text, size, rune, is_punct);
    } else if (is_upper(rune)) {
        type = W_UPPER;
        end = upper_word(text, size, rune);
    } else if (is_alphabet(rune)) {
        type = W_ALPHABET;
        end = run_of(text, size, rune, lower_alphabet);
    } else if (is_number(rune)) {
        type = W_NUMBER;
        end = run_of(text, size, rune, is_number);
    } else {
        type = W_OTHER;
        end = run_of(text, size, rune, is_other);
    }
    out->len = (uint32_t)end;
    rest->s += end;
    rest->len -= (uint32_t)end;
    return type;
}

static void add_lower(tl_buf *out, word type, tl_span text, char connector)
{
    if (type != W_UPPER && type != W_CONNECTOR) {
        tl_buf_add(out, text.s, text.len);
        return;
    }
    for (size_t i = 0, width; i < text.len; i += width) {
        uint32_t rune = tl_utf8_decode(text.s + i, text.len - i, &width);
        if (is_connector(rune))
            tl_buf_addc(out, connector);
        else
            add_rune(out, tl_rune_lower(rune));
    }
}

static int joins(word type)
{
    return type != W_CONNECTOR && type != W_PUNCT;
}

typedef struct words {
    tl_buf *out;
    tl_span rest, text;
    word type;
    char connector;
} words;

static void add_number_tail(words *w)
{
    while (w->type == W_ALPHABET || w->type == W_NUMBER) {
        add_lower(w->out, w->type, w->text, w->connector);
        w->type = next_word(&w->rest, &w->text);
    }
    if (w->type != W_INVALID && joins(w->type)) tl_buf_addc(w->out, w->connector);
}

/* A word of letters is past, and w->type follows it. */
static void after_letters(words *w)
{
    if (w->type != W_NUMBER) {
        if (joins(w->type)) tl_buf_addc(w->out, w->connector);
        return;
    }
    if (!w->rest.len) return;
    tl_span number = w->text;
    w->type = next_word(&w->rest, &w->text);
    if (w->type != W_ALPHABET) {
        add_lower(w->out, W_NUMBER, number, w->connector);
        if (joins(w->type)) tl_buf_addc(w->out, w->connector);
        return;
    }
    tl_buf_addc(w->out, w->connector);
    add_lower(w->out, W_NUMBER, number, w->connector);
    add_number_tail(w);
}

static int lower_words(tl_exec *x, tl_value text, char connector, tl_value *out)
{
    tl_buf made = tl_text_buf(x);
    words w = {.out = &made, .rest = {text.as.s, text.len}, .connector = connector};
    w.type = next_word(&w.rest, &w.text);
    while (w.rest.len) {
        if (w.type != W_CONNECTOR) add_lower(&made, w.type, w.text, connector);
        word before = w.type;
        tl_span last = w.text;
        w.type = next_word(&w.rest, &w.text);
        if (before == W_NUMBER)
            add_number_tail(&w);
        else if (before == W_CONNECTOR)
            add_lower(&made, before, last, connector);
        else if (before != W_PUNCT)
            after_letters(&w);
    }
    add_lower(&made, w.type, w.text, connector);
    return tl_take_string(x, &made, out);
}

TL_FUNCTION(fn_snakecase)
{
    return lower_words(x, args[0], '_', out);
}

TL_FUNCTION(fn_kebabcase)
{
    return lower_words(x, args[0], '-', out);
}

TL_FUNCTION(fn_camelcase)
{
    tl_buf made = tl_text_buf(x);
    const char *text = args[0].as.s, *end = text + args[0].len;
    uint32_t rune = 0;
    int first_upper = 0, some = 0;
    for (size_t width; text < end;) {
        rune = tl_utf8_decode(text, (size_t)(end - text), &width);
        text += width;
        some = 1;
        if (!is_connector(rune)) {
            first_upper = is_upper(rune);
            rune = tl_rune_upper(rune);
            break;
        }
        add_rune(&made, rune);
    }
    for (size_t width; text < end; text += width) {
        uint32_t before = rune;
        rune = tl_utf8_decode(text, (size_t)(end - text), &width);
        if (is_connector(rune) && is_connector(before)) {
            add_rune(&made, before);
        } else if (is_connector(before)) {
            first_upper = is_upper(rune);
            rune = tl_rune_upper(rune);
        } else {
            if (first_upper && is_upper(rune))
                rune = tl_rune_lower(rune);
            else
                first_upper = 0;
            add_rune(&made, before);
        }
    }
    if (some) add_rune(&made, rune);
    return tl_take_string(x, &made, out);
}

const tl_function tl_functions_case[] = {
    {"upper", "s", fn_upper},         {"lower", "s", fn_lower},         {"title", "s", fn_title},
    {"untitle", "s", fn_untitle},     {"swapcase", "s", fn_swapcase},   {"nospace", "s", fn_nospace},
    {"initials", "s", fn_initials},   {"snakecase", "s", fn_snakecase}, {"kebabcase", "s", fn_kebabcase},
    {"camelcase", "s", fn_camelcase}, {NULL, NULL, NULL}};

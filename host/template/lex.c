/* Splits a template's text into tokens, as Go's text/template/parse lexer does. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "template/internal.h"
#include "template/unicode.h"

#define END_OF_TEXT UINT32_MAX

enum { SPACE = 1, WORD = 2, DIGIT = 4, ENDS_WORD = 8, LETTER = 16 };

/* What each ASCII byte may be. Others are letters, digits or neither as Unicode says. */
static const unsigned char classes[256] = {
    [' '] = SPACE | ENDS_WORD, ['\t'] = SPACE | ENDS_WORD, ['\r'] = SPACE | ENDS_WORD, ['\n'] = SPACE | ENDS_WORD,
    ['.'] = ENDS_WORD, [','] = ENDS_WORD, ['|'] = ENDS_WORD, [':'] = ENDS_WORD, ['('] = ENDS_WORD, [')'] = ENDS_WORD,
    ['0' ... '9'] = WORD | DIGIT, ['A' ... 'Z'] = WORD | LETTER, ['a' ... 'z'] = WORD | LETTER, ['_'] = WORD | LETTER,
};

static const struct {
    const char *word;
    size_t length;
    tl_token_type type;
} keywords[] = {{"block", 5, TL_TOKEN_BLOCK}, {"break", 5, TL_TOKEN_BREAK}, {"continue", 8, TL_TOKEN_CONTINUE},
                {"define", 6, TL_TOKEN_DEFINE}, {"else", 4, TL_TOKEN_ELSE}, {"end", 3, TL_TOKEN_END},
                {"false", 5, TL_TOKEN_BOOL}, {"if", 2, TL_TOKEN_IF}, {"nil", 3, TL_TOKEN_NIL},
                {"range", 5, TL_TOKEN_RANGE}, {"template", 8, TL_TOKEN_TEMPLATE}, {"true", 4, TL_TOKEN_BOOL},
                {"with", 4, TL_TOKEN_WITH}};
#define LONGEST_KEYWORD 8

void tl_lexer_init(tl_lexer *l, const char *input, size_t length, tl_arena *arena)
{
    *l = (tl_lexer){.input = input, .length = length, .arena = arena};
}

static int is_class(const tl_lexer *l, size_t pos, int class)
{
    return pos < l->length && classes[(unsigned char)l->input[pos]] & class;
}

/* The place at or after pos where the run of a class ends. */
static size_t end_of_run(const tl_lexer *l, size_t pos, int class)
{
    const char *input = l->input; /* not read again and again, as it would be through the lexer */
    const size_t length = l->length;
    while (pos < length && classes[(unsigned char)input[pos]] & class) pos++;
    return pos;
}

static uint32_t rune_at(const tl_lexer *l, size_t pos, size_t *width)
{
    *width = 0;
    if (pos >= l->length) return END_OF_TEXT;
    *width = 1;
    unsigned char c = (unsigned char)l->input[pos];
    return c < 0x80 ? c : tl_utf8_decode(l->input + pos, l->length - pos, width);
}

static void emit(tl_lexer *l, tl_token_type type)
{
    l->token = (tl_token){(uint16_t)type, (uint16_t)l->spaced, (uint32_t)l->start,
                           {l->input + l->start, (uint32_t)(l->pos - l->start)}};
    l->spaced = 0;
    l->has_token = 1;
    l->start = l->pos;
}

static void fail(tl_lexer *l, const char *text)
{
    l->token = (tl_token){TL_TOKEN_ERROR, (uint16_t)l->spaced, (uint32_t)l->start, {text, (uint32_t)strlen(text)}};
    l->has_token = 1;
    l->start = l->pos = l->length = 0;
}

static void fail_rune(tl_lexer *l, const char *what, uint32_t rune)
{
    char utf8[5] = "";
    if (rune == END_OF_TEXT) { /* %#U of -1 */
        fail(l, tl_arena_printf(l->arena, "%s U+FFFFFFFFFFFFFFFF", what));
        return;
    }
    if (tl_rune_is_print(rune)) {
        utf8[tl_utf8_encode(rune, utf8)] = 0;
        fail(l, tl_arena_printf(l->arena, "%s U+%04X '%s'", what, rune, utf8));
    } else {
        fail(l, tl_arena_printf(l->arena, "%s U+%04X", what, rune));
    }
}

static int is_word(uint32_t rune)
{
    if (rune < 0x80) return classes[rune] & WORD;
    return rune != END_OF_TEXT && (tl_rune_is_letter(rune) || tl_rune_is_digit(rune));
}

static int at(const tl_lexer *l, size_t pos, const char *text)
{
    size_t length = strlen(text);
    return pos + length <= l->length && !memcmp(l->input + pos, text, length);
}

static int left_trim_marker(const tl_lexer *l, size_t pos)
{
    return is_class(l, pos + 1, SPACE) && l->input[pos] == '-';
}

static int at_braces(const tl_lexer *l, size_t pos)
{
    return pos + 2 <= l->length && l->input[pos] == '}' && l->input[pos + 1] == '}';
}

/* " -}}" */
static int at_trimming_delim(const tl_lexer *l, size_t pos)
{
    return is_class(l, pos, SPACE) && at_braces(l, pos + 2) && l->input[pos + 1] == '-';
}

static void skip_space(tl_lexer *l)
{
    l->start = l->pos = end_of_run(l, l->pos, SPACE);
}

static void lex_comment(tl_lexer *l)
{
    l->pos += 2;
    const char *end = l->pos < l->length ? memmem(l->input + l->pos, l->length - l->pos, "*/", 2) : NULL;
    if (!end) {
        fail(l, "unclosed comment");
        return;
    }
    l->pos = (size_t)(end - l->input) + 2;
    int trim = at_trimming_delim(l, l->pos);
    if (!trim && !at_braces(l, l->pos)) {
        fail(l, "comment ends before closing delimiter");
        return;
    }
    l->start = l->pos += trim ? 4 : 2;
    if (trim) skip_space(l);
}

static void lex_left_delim(tl_lexer *l)
{
    l->pos += 2;
    size_t marker = left_trim_marker(l, l->pos) ? 2 : 0;
    if (at(l, l->pos + marker, "/*")) {
        l->start = l->pos += marker;
        lex_comment(l);
        return;
    }
    emit(l, TL_TOKEN_LEFT_DELIM);
    l->inside = 1;
    l->start = l->pos += marker;
    l->paren_depth = 0;
}

static const char *find_braces(const char *from, const char *end)
{
    while (from < end && (from = memchr(from, '{', (size_t)(end - from)))) {
        if (from + 1 < end && from[1] == '{') return from;
        from++;
    }
    return NULL;
}

/* Emits text up to the next action, or enters the action. */
static void lex_text(tl_lexer *l)
{
    const char *brace = find_braces(l->input + l->pos, l->input + l->length);
    size_t found = brace ? (size_t)(brace - l->input) : l->length;
    l->pos = found;
    if (left_trim_marker(l, found + 2))
        while (l->pos > l->start && is_class(l, l->pos - 1, SPACE)) l->pos--;
    if (l->pos > l->start)
        emit(l, TL_TOKEN_TEXT);
    else if (!brace)
        emit(l, TL_TOKEN_EOF);
    l->start = l->pos = found;
    if (!l->has_token) lex_left_delim(l);
}

static void lex_right_delim(tl_lexer *l)
{
    int trim = at_trimming_delim(l, l->pos);
    if (l->paren_depth) {
        fail(l, "unclosed left paren");
        return;
    }
    if (trim) l->start = l->pos += 2;
    l->pos += 2;
    emit(l, TL_TOKEN_RIGHT_DELIM);
    if (trim) skip_space(l);
    l->inside = 0;
}

/* The last of the spaces may belong to the delimiter behind them. */
static void lex_space(tl_lexer *l)
{
    l->pos = end_of_run(l, l->pos, SPACE);
    if (at_trimming_delim(l, l->pos - 1)) l->pos--;
    l->start = l->pos;
    l->spaced = 1;
}

static int at_terminator(const tl_lexer *l)
{
    return l->pos >= l->length || is_class(l, l->pos, ENDS_WORD) || at_braces(l, l->pos);
}

/* To the end of a word; 0 with the error where something else than a word's end follows. */
static int skip_word(tl_lexer *l)
{
    size_t width;
    for (;;) {
        l->pos = end_of_run(l, l->pos, WORD);
        if (l->pos >= l->length || (unsigned char)l->input[l->pos] < 0x80) break;
        if (!is_word(rune_at(l, l->pos, &width))) break;
        l->pos += width;
    }
    if (at_terminator(l)) return 1;
    fail_rune(l, "bad character", rune_at(l, l->pos, &width));
    return 0;
}

static void lex_word(tl_lexer *l)
{
    if (!skip_word(l)) return;
    const char *word = l->input + l->start;
    size_t length = l->pos - l->start;
    tl_token_type type = TL_TOKEN_IDENTIFIER;
    if (length <= LONGEST_KEYWORD)
        for (size_t i = 0; i < sizeof keywords / sizeof keywords[0] && *keywords[i].word <= *word; i++)
            if (*word == *keywords[i].word && length == keywords[i].length && !memcmp(word, keywords[i].word, length))
                type = keywords[i].type;
    emit(l, type);
}

/* The '.' or '$' is past; `alone` is what it is where no name follows. */
static void lex_field_or_variable(tl_lexer *l, tl_token_type alone, tl_token_type type)
{
    if (at_terminator(l))
        emit(l, alone);
    else if (skip_word(l))
        emit(l, type);
}

/* A constant in `quote`s whose opening one is past. */
static void lex_quoted(tl_lexer *l, char quote, tl_token_type type, const char *error)
{
    for (char c = 0; l->pos < l->length && (c = l->input[l->pos++]) != '\n';) {
        if (c == quote) {
            emit(l, type);
            return;
        }
        if (c == '\\' && (l->pos == l->length || l->input[l->pos++] == '\n')) break;
    }
    fail(l, error);
}

static void lex_raw_quoted(tl_lexer *l)
{
    const char *end = l->pos < l->length ? memchr(l->input + l->pos, '`', l->length - l->pos) : NULL;
    if (!end) {
        fail(l, "unterminated raw quoted string");
        return;
    }
    l->pos = (size_t)(end - l->input) + 1;
    emit(l, TL_TOKEN_RAW_STRING);
}

static int accept(tl_lexer *l, const char *valid)
{
    int fits = l->pos < l->length && l->input[l->pos] && strchr(valid, l->input[l->pos]);
    l->pos += (size_t)fits;
    return fits;
}

static void accept_run(tl_lexer *l, const char *valid)
{
    while (accept(l, valid)) continue;
}

static int scan_number(tl_lexer *l)
{
    const char *digits = "0123456789_";
    int decimal = 1, hexadecimal = 0;
    accept(l, "+-");
    if (accept(l, "0")) {
        if (accept(l, "xX")) {
            digits = "0123456789abcdefABCDEF_";
            decimal = 0;
            hexadecimal = 1;
        } else if (accept(l, "oO")) {
            digits = "01234567_";
            decimal = 0;
        } else if (accept(l, "bB")) {
            digits = "01_";
            decimal = 0;
        }
    }
    accept_run(l, digits);
    if (accept(l, ".")) accept_run(l, digits);
    if ((decimal && accept(l, "eE")) || (hexadecimal && accept(l, "pP"))) {
        accept(l, "+-");
        accept_run(l, "0123456789_");
    }
    accept(l, "i");
    size_t width;
    if (!is_word(rune_at(l, l->pos, &width))) return 1;
    l->pos += width;
    return 0;
}

static void bad_number(tl_lexer *l)
{
    tl_buf text = TL_BUF_INIT(4096);
    tl_go_quote(&text, l->input + l->start, l->pos - l->start);
    fail(l, tl_arena_printf(l->arena, "bad number syntax: %s", text.data));
    tl_buf_dispose(&text);
}

static void lex_number(tl_lexer *l)
{
    if (!scan_number(l)) {
        bad_number(l);
        return;
    }
    if (l->pos < l->length && (l->input[l->pos] == '+' || l->input[l->pos] == '-')) {
        if (!scan_number(l) || l->input[l->pos - 1] != 'i')
            bad_number(l);
        else
            emit(l, TL_TOKEN_COMPLEX);
        return;
    }
    emit(l, TL_TOKEN_NUMBER);
}

static void lex_paren(tl_lexer *l, char c)
{
    l->paren_depth += c == '(' ? 1 : -1;
    if (l->paren_depth < 0)
        fail(l, "unexpected right paren");
    else
        emit(l, c == '(' ? TL_TOKEN_LEFT_PAREN : TL_TOKEN_RIGHT_PAREN);
}

static void lex_declare(tl_lexer *l)
{
    if (l->pos >= l->length || l->input[l->pos++] != '=')
        fail(l, "expected :=");
    else
        emit(l, TL_TOKEN_DECLARE);
}

/* Anything whose first rune does not tell alone what it is. */
static void lex_other(tl_lexer *l)
{
    size_t width;
    uint32_t rune = rune_at(l, l->pos, &width);
    size_t after = l->pos + width;
    if (rune == '.' && after < l->length && !is_class(l, after, DIGIT)) {
        l->pos = after;
        lex_field_or_variable(l, TL_TOKEN_DOT, TL_TOKEN_FIELD);
    } else if (rune == '.' || rune == '+' || rune == '-' || is_class(l, l->pos, DIGIT)) {
        lex_number(l);
    } else if (is_word(rune)) {
        lex_word(l);
    } else {
        l->pos = after;
        if (rune < 0x80 && tl_rune_is_print(rune))
            emit(l, TL_TOKEN_CHAR);
        else
            fail_rune(l, "unrecognized character in action:", rune);
    }
}

static void lex_inside(tl_lexer *l)
{
    if (l->pos >= l->length) {
        fail(l, "unclosed action");
        return;
    }
    char c = l->input[l->pos];
    if (is_class(l, l->pos, LETTER)) {
        lex_word(l);
        return;
    }
    int blank = is_class(l, l->pos, SPACE);
    if (blank ? at_trimming_delim(l, l->pos) : at_braces(l, l->pos)) {
        lex_right_delim(l);
        return;
    }
    if (blank) {
        lex_space(l);
        return;
    }
    l->pos++;
    switch (c) {
    case '=': emit(l, TL_TOKEN_ASSIGN); break;
    case ':': lex_declare(l); break;
    case '|': emit(l, TL_TOKEN_PIPE); break;
    case '"': lex_quoted(l, '"', TL_TOKEN_STRING, "unterminated quoted string"); break;
    case '`': lex_raw_quoted(l); break;
    case '\'': lex_quoted(l, '\'', TL_TOKEN_CHAR_CONSTANT, "unterminated character constant"); break;
    case '$': lex_field_or_variable(l, TL_TOKEN_VARIABLE, TL_TOKEN_VARIABLE); break;
    case '(':
    case ')': lex_paren(l, c); break;
    default:
        l->pos--;
        lex_other(l);
    }
}

void tl_lexer_next(tl_lexer *l, tl_token *out)
{
    l->has_token = 0;
    while (!l->has_token) {
        if (l->inside)
            lex_inside(l);
        else
            lex_text(l);
    }
    *out = l->token;
}

int tl_lexer_line(const char *input, uint32_t pos)
{
    int line = 1;
    for (const char *at = input; (at = memchr(at, '\n', (size_t)(input + pos - at))); at++) line++;
    return line;
}

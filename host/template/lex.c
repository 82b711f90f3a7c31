/* Splits a template's text into tokens, as Go's text/template/parse lexer does. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "template/internal.h"
#include "template/unicode.h"

#define END_OF_TEXT UINT32_MAX

static const struct {
    const char *word;
    tl_token_type type;
} keywords[] = {{".", TL_TOKEN_DOT},           {"block", TL_TOKEN_BLOCK}, {"break", TL_TOKEN_BREAK},
                {"continue", TL_TOKEN_CONTINUE}, {"define", TL_TOKEN_DEFINE}, {"else", TL_TOKEN_ELSE},
                {"end", TL_TOKEN_END},           {"if", TL_TOKEN_IF},         {"range", TL_TOKEN_RANGE},
                {"nil", TL_TOKEN_NIL},           {"template", TL_TOKEN_TEMPLATE}, {"with", TL_TOKEN_WITH}};

void tl_lexer_init(tl_lexer *l, const char *input, size_t length, tl_arena *arena)
{
    memset(l, 0, sizeof *l);
    l->input = input;
    l->length = length;
    l->arena = arena;
    l->line = l->start_line = 1;
}

static int count_lines(const char *from, const char *to)
{
    int lines = 0;
    while ((from = memchr(from, '\n', (size_t)(to - from)))) lines++, from++;
    return lines;
}

static uint32_t next_rune(tl_lexer *l)
{
    if (l->pos >= l->length) {
        l->at_end = 1;
        return END_OF_TEXT;
    }
    unsigned char c = (unsigned char)l->input[l->pos];
    if (c < 0x80) {
        l->pos++;
        if (c == '\n') l->line++;
        return c;
    }
    size_t width;
    uint32_t rune = tl_utf8_decode(l->input + l->pos, l->length - l->pos, &width);
    l->pos += width;
    return rune;
}

static void back_rune(tl_lexer *l)
{
    if (l->at_end || !l->pos) return;
    size_t from = l->pos - 1;
    if ((unsigned char)l->input[from] < 0x80) {
        l->pos = from;
        l->line -= l->input[from] == '\n';
        return;
    }
    while (from > 0 && l->pos - from < 4 && ((unsigned char)l->input[from] & 0xC0) == 0x80) from--;
    size_t width;
    tl_utf8_decode(l->input + from, l->pos - from, &width);
    if (from + width != l->pos) from = l->pos - 1;
    l->pos = from;
}

static uint32_t peek_rune(tl_lexer *l)
{
    if (l->pos < l->length && (unsigned char)l->input[l->pos] < 0x80) return (unsigned char)l->input[l->pos];
    uint32_t rune = next_rune(l);
    back_rune(l);
    return rune;
}

static void emit(tl_lexer *l, tl_token_type type)
{
    l->token = (tl_token){type, (uint32_t)l->start, {l->input + l->start, (uint32_t)(l->pos - l->start)}, l->start_line};
    l->has_token = 1;
    l->start = l->pos;
    l->start_line = l->line;
}

/* Skips text that next_rune has not seen. */
static void ignore(tl_lexer *l)
{
    l->line += count_lines(l->input + l->start, l->input + l->pos);
    l->start = l->pos;
    l->start_line = l->line;
}

static void fail(tl_lexer *l, const char *text)
{
    l->token = (tl_token){TL_TOKEN_ERROR, (uint32_t)l->start, {text, (uint32_t)strlen(text)}, l->start_line};
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

static int is_space(uint32_t rune)
{
    return rune == ' ' || rune == '\t' || rune == '\r' || rune == '\n';
}

static int is_ascii_word(unsigned char c)
{
    return (c | 32u) - (unsigned)'a' < 26u || c - (unsigned)'0' < 10u || c == '_';
}

static int is_word(uint32_t rune)
{
    if (rune < 0x80) return is_ascii_word((unsigned char)rune);
    return rune != END_OF_TEXT && (tl_rune_is_letter(rune) || tl_rune_is_digit(rune));
}

static int at(const tl_lexer *l, size_t pos, const char *text)
{
    size_t length = strlen(text);
    return pos + length <= l->length && !memcmp(l->input + pos, text, length);
}

static int left_trim_marker(const tl_lexer *l, size_t pos)
{
    return pos + 2 <= l->length && l->input[pos] == '-' && is_space((unsigned char)l->input[pos + 1]);
}

static int right_trim_marker(const tl_lexer *l, size_t pos)
{
    return pos + 2 <= l->length && is_space((unsigned char)l->input[pos]) && l->input[pos + 1] == '-';
}

static int at_braces(const tl_lexer *l, size_t pos)
{
    return pos + 2 <= l->length && l->input[pos] == '}' && l->input[pos + 1] == '}';
}

static int at_right_delim(const tl_lexer *l, int *trim)
{
    *trim = right_trim_marker(l, l->pos) && at_braces(l, l->pos + 2);
    return *trim || at_braces(l, l->pos);
}

static void skip_space(tl_lexer *l)
{
    while (l->pos < l->length && is_space((unsigned char)l->input[l->pos])) l->pos++;
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
    int trim;
    if (!at_right_delim(l, &trim)) {
        fail(l, "comment ends before closing delimiter");
        return;
    }
    l->pos += trim ? 4 : 2;
    if (trim) skip_space(l);
    ignore(l);
}

static void lex_left_delim(tl_lexer *l)
{
    l->pos += 2;
    size_t marker = left_trim_marker(l, l->pos) ? 2 : 0;
    if (at(l, l->pos + marker, "/*")) {
        l->pos += marker;
        ignore(l);
        lex_comment(l);
        return;
    }
    emit(l, TL_TOKEN_LEFT_DELIM);
    l->inside = 1;
    l->pos += marker;
    ignore(l);
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
    if (!brace) {
        l->pos = l->length;
        if (l->pos > l->start) {
            l->line += count_lines(l->input + l->start, l->input + l->pos);
            emit(l, TL_TOKEN_TEXT);
        } else {
            emit(l, TL_TOKEN_EOF);
        }
        return;
    }
    size_t found = (size_t)(brace - l->input);
    if (found > l->pos) {
        size_t end = found;
        if (left_trim_marker(l, found + 2))
            while (end > l->start && is_space((unsigned char)l->input[end - 1])) end--;
        l->pos = end;
        l->line += count_lines(l->input + l->start, l->input + l->pos);
        int some = l->pos > l->start;
        if (some) emit(l, TL_TOKEN_TEXT);
        l->pos = found;
        ignore(l);
        if (some) return;
    }
    lex_left_delim(l);
}

static void lex_right_delim(tl_lexer *l)
{
    int trim;
    at_right_delim(l, &trim);
    if (trim) {
        l->pos += 2;
        ignore(l);
    }
    l->pos += 2;
    emit(l, TL_TOKEN_RIGHT_DELIM);
    if (trim) {
        skip_space(l);
        ignore(l);
    }
    l->inside = 0;
}

static void lex_space(tl_lexer *l)
{
    size_t from = l->pos;
    for (; l->pos < l->length && is_space((unsigned char)l->input[l->pos]); l->pos++)
        l->line += l->input[l->pos] == '\n';
    if (l->pos == l->length) l->at_end = 1;
    size_t spaces = l->pos - from;
    if (right_trim_marker(l, l->pos - 1) && at_braces(l, l->pos + 1)) {
        back_rune(l);
        if (spaces == 1) {
            lex_right_delim(l);
            return;
        }
    }
    emit(l, TL_TOKEN_SPACE);
}

static int at_terminator(tl_lexer *l)
{
    uint32_t rune = peek_rune(l);
    if (is_space(rune)) return 1;
    switch (rune) {
    case END_OF_TEXT:
    case '.':
    case ',':
    case '|':
    case ':':
    case ')':
    case '(': return 1;
    default: return at_braces(l, l->pos);
    }
}

/* To the end of a word; returns the rune that ends it. */
static uint32_t skip_word(tl_lexer *l)
{
    uint32_t rune;
    do {
        while (l->pos < l->length && is_ascii_word((unsigned char)l->input[l->pos])) l->pos++;
        rune = next_rune(l);
    } while (is_word(rune));
    back_rune(l);
    return rune;
}

static int is_text(const char *word, size_t length, const char *text)
{
    return !strncmp(word, text, length) && !text[length];
}

static void lex_word(tl_lexer *l)
{
    uint32_t rune = skip_word(l);
    const char *word = l->input + l->start;
    size_t length = l->pos - l->start;
    if (!at_terminator(l)) {
        fail_rune(l, "bad character", rune);
        return;
    }
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (*word == *keywords[i].word && is_text(word, length, keywords[i].word)) {
            emit(l, keywords[i].type);
            return;
        }
    }
    if (length && word[0] == '.')
        emit(l, TL_TOKEN_FIELD);
    else if (is_text(word, length, "true") || is_text(word, length, "false"))
        emit(l, TL_TOKEN_BOOL);
    else
        emit(l, TL_TOKEN_IDENTIFIER);
}

/* The '.' or '$' is past. */
static void lex_field_or_variable(tl_lexer *l, tl_token_type type)
{
    if (at_terminator(l)) {
        emit(l, type == TL_TOKEN_VARIABLE ? TL_TOKEN_VARIABLE : TL_TOKEN_DOT);
        return;
    }
    uint32_t rune = skip_word(l);
    if (!at_terminator(l))
        fail_rune(l, "bad character", rune);
    else
        emit(l, type);
}

static int is_plain(unsigned char c, char quote)
{
    return c != (unsigned char)quote && c != '\\' && c != '\n';
}

/* A constant in `quote`s whose opening one is past. */
static void lex_quoted(tl_lexer *l, char quote, tl_token_type type, const char *error)
{
    for (;;) {
        while (l->pos < l->length && is_plain((unsigned char)l->input[l->pos], quote)) l->pos++;
        uint32_t rune = next_rune(l);
        if (rune == '\\' && quote != '`') {
            rune = next_rune(l);
            if (rune != END_OF_TEXT && rune != '\n') continue;
        }
        if (rune == END_OF_TEXT || (rune == '\n' && quote != '`')) {
            fail(l, error);
            return;
        }
        if (rune == (uint32_t)quote) break;
    }
    emit(l, type);
}

static int accept(tl_lexer *l, const char *valid)
{
    uint32_t rune = next_rune(l);
    if (rune && rune < 0x80 && strchr(valid, (int)rune)) return 1;
    back_rune(l);
    return 0;
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
    if (is_word(peek_rune(l))) {
        next_rune(l);
        return 0;
    }
    return 1;
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
    uint32_t sign = peek_rune(l);
    if (sign == '+' || sign == '-') {
        if (!scan_number(l) || l->input[l->pos - 1] != 'i')
            bad_number(l);
        else
            emit(l, TL_TOKEN_COMPLEX);
        return;
    }
    emit(l, TL_TOKEN_NUMBER);
}

static void lex_paren(tl_lexer *l, uint32_t rune)
{
    l->paren_depth += rune == '(' ? 1 : -1;
    if (l->paren_depth < 0)
        fail(l, "unexpected right paren");
    else
        emit(l, rune == '(' ? TL_TOKEN_LEFT_PAREN : TL_TOKEN_RIGHT_PAREN);
}

static void lex_other(tl_lexer *l, uint32_t rune)
{
    int digit_follows = l->pos < l->length && l->input[l->pos] >= '0' && l->input[l->pos] <= '9';
    if (rune == '.' && l->pos < l->length && !digit_follows) {
        lex_field_or_variable(l, TL_TOKEN_FIELD);
    } else if (rune == '.' || rune == '+' || rune == '-' || (rune >= '0' && rune <= '9')) {
        back_rune(l);
        lex_number(l);
    } else if (is_word(rune)) {
        back_rune(l);
        lex_word(l);
    } else if (rune < 0x80 && tl_rune_is_print(rune)) {
        emit(l, TL_TOKEN_CHAR);
    } else {
        fail_rune(l, "unrecognized character in action:", rune);
    }
}

static void lex_inside(tl_lexer *l)
{
    int trim;
    if (at_right_delim(l, &trim)) {
        if (l->paren_depth)
            fail(l, "unclosed left paren");
        else
            lex_right_delim(l);
        return;
    }
    uint32_t rune = next_rune(l);
    switch (rune) {
    case END_OF_TEXT: fail(l, "unclosed action"); break;
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        back_rune(l);
        lex_space(l);
        break;
    case '=': emit(l, TL_TOKEN_ASSIGN); break;
    case ':':
        if (next_rune(l) != '=')
            fail(l, "expected :=");
        else
            emit(l, TL_TOKEN_DECLARE);
        break;
    case '|': emit(l, TL_TOKEN_PIPE); break;
    case '"': lex_quoted(l, '"', TL_TOKEN_STRING, "unterminated quoted string"); break;
    case '`': lex_quoted(l, '`', TL_TOKEN_RAW_STRING, "unterminated raw quoted string"); break;
    case '\'': lex_quoted(l, '\'', TL_TOKEN_CHAR_CONSTANT, "unterminated character constant"); break;
    case '$': lex_field_or_variable(l, TL_TOKEN_VARIABLE); break;
    case '(':
    case ')': lex_paren(l, rune); break;
    default: lex_other(l, rune);
    }
}

tl_token tl_lexer_next(tl_lexer *l)
{
    l->has_token = 0;
    while (!l->has_token) {
        if (l->inside)
            lex_inside(l);
        else
            lex_text(l);
    }
    return l->token;
}

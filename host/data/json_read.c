/* The pull reader of JSON; tl_json_parse is the same reader on a text that is there as a whole. */
#include "data/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/number.h"

typedef enum state {
    WANT_VALUE,
    WANT_ITEM_OR_END, /* after [ */
    WANT_KEY_OR_END,  /* after { */
    WANT_KEY,         /* after a comma in an object */
    WANT_COLON,
    WANT_COMMA_OR_END,
    COMPLETE
} state;

typedef struct frame {
    tl_list *list; /* one of the two */
    tl_map *map;
} frame;

struct tl_json_reader {
    tl_json_options options;
    const char *text; /* the unread bytes start at text[at]; `held` owns them where they were fed */
    size_t length, at;
    tl_buf held, scratch, key;
    size_t scanned;      /* bytes of an unfinished string that need no second look */
    size_t line, column; /* of text[0], from 0 */
    int ended, documents;
    state state;
    char *nesting; /* '{' or '[' for each open container */
    int depth, room;
    frame *frames; /* containers that tl_json_reader_value has open */
    int open, frame_room;
};

static const tl_json_options defaults = {0};

static void reader_init(tl_json_reader *r, const tl_json_options *options)
{
    memset(r, 0, sizeof *r);
    r->options = options ? *options : defaults;
    if (r->options.max_depth <= 0) r->options.max_depth = TL_JSON_DEPTH;
    tl_buf_init(&r->held, r->options.max_bytes ? r->options.max_bytes : SIZE_MAX);
    tl_buf_init(&r->scratch, SIZE_MAX);
    tl_buf_init(&r->key, SIZE_MAX);
    r->text = "";
}

static void reader_dispose(tl_json_reader *r)
{
    tl_buf_dispose(&r->held);
    tl_buf_dispose(&r->scratch);
    tl_buf_dispose(&r->key);
    free(r->nesting);
    free(r->frames);
}

tl_json_reader *tl_json_reader_new(const tl_json_options *options)
{
    tl_json_reader *r = tl_malloc(sizeof *r);
    reader_init(r, options);
    r->options.borrow = 0;
    return r;
}

void tl_json_reader_free(tl_json_reader *reader)
{
    if (!reader) return;
    reader_dispose(reader);
    free(reader);
}

static void count_place(const tl_json_reader *r, size_t upto, size_t *line, size_t *column)
{
    *line = r->line;
    *column = r->column;
    for (size_t i = 0; i < upto; i++) {
        if (r->text[i] == '\n') {
            ++*line;
            *column = 0;
        } else {
            ++*column;
        }
    }
}

static int fail_at(tl_json_reader *r, size_t at, tl_error *err, const char *message)
{
    if (r->options.go_messages) return tl_error_set(err, "parse", "%s", message);
    size_t line, column;
    count_place(r, at, &line, &column);
    const char *name = r->options.name;
    return tl_error_set(err, "parse", "%s%s%zu:%zu: %s", name ? name : "", name ? ":" : "JSON ", line + 1, column + 1,
                        message);
}

static int fail_end(tl_json_reader *r, tl_error *err)
{
    return fail_at(r, r->length, err, "unexpected end of JSON input");
}

/* "invalid character 'x' in …", the character quoted as Go quotes it. */
static int fail_char(tl_json_reader *r, size_t at, const char *context, tl_error *err)
{
    unsigned c = (unsigned char)r->text[at];
    char shown[16], message[160];
    static const char named[] = "abtnvfr"; /* from 7 */
    if (c == '\'' || c == '\\')
        snprintf(shown, sizeof shown, "\\%c", (int)c);
    else if (c >= 7 && c <= 13)
        snprintf(shown, sizeof shown, "\\%c", named[c - 7]);
    else if (c < 0x20 || c == 0x7F)
        snprintf(shown, sizeof shown, "\\x%02x", c);
    else if ((c >= 0x80 && c <= 0xA0) || c == 0xAD)
        snprintf(shown, sizeof shown, "\\u%04x", c);
    else
        shown[tl_utf8_encode(c, shown)] = 0;
    snprintf(message, sizeof message, "invalid character '%s' %s", shown, context);
    return fail_at(r, at, err, message);
}

/* The text ends inside a token. Go then says that a space does not fit. */
static int fail_cut(tl_json_reader *r, const char *context, tl_error *err)
{
    if (!r->options.go_messages) return fail_end(r, err);
    return tl_error_set(err, "parse", "invalid character ' ' %s", context);
}

int tl_json_reader_feed(tl_json_reader *reader, const char *bytes, size_t length, tl_error *err)
{
    if (reader->at) {
        count_place(reader, reader->at, &reader->line, &reader->column);
        tl_buf_consume(&reader->held, reader->at);
        reader->at = 0;
    }
    tl_buf_add(&reader->held, bytes, length);
    reader->text = reader->held.data;
    reader->length = reader->held.len;
    if (reader->held.over)
        return tl_error_set(err, "limit", "the JSON text is larger than %zu bytes", reader->options.max_bytes);
    return 0;
}

void tl_json_reader_end(tl_json_reader *reader)
{
    reader->ended = 1;
}

void tl_json_reader_again(tl_json_reader *reader)
{
    reader->state = WANT_VALUE;
    reader->depth = reader->open = 0;
    reader->documents++;
}

static int hex4(const char *s)
{
    int code = 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)s[i], low = c | 0x20;
        int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0) return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* One \u escape, or a pair of them, at s; returns the bytes read. The four digits have been checked. */
static size_t unescape_unicode(const char *s, const char *end, tl_buf *out)
{
    uint32_t rune = (uint32_t)hex4(s + 2);
    size_t used = 6;
    if (rune >= 0xD800 && rune <= 0xDBFF && end - s >= 12 && s[6] == '\\' && s[7] == 'u') {
        int low = hex4(s + 8);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            rune = 0x10000 + ((rune - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
            used = 12;
        }
    }
    char bytes[4];
    tl_buf_add(out, bytes, tl_utf8_encode(rune, bytes));
    return used;
}

static void unescape(const char *s, const char *end, tl_buf *out)
{
    tl_buf_clear(out);
    while (s < end) {
        const char *plain = s;
        while (s < end && *s != '\\' && !(*s & 0x80)) s++;
        tl_buf_add(out, plain, (size_t)(s - plain));
        if (s == end) return;
        if (*s & 0x80) {
            size_t width;
            char bytes[4];
            uint32_t rune = tl_utf8_decode(s, (size_t)(end - s), &width);
            tl_buf_add(out, bytes, tl_utf8_encode(rune, bytes));
            s += width;
            continue;
        }
        static const char names[] = "bfnrt\"\\/", meanings[] = "\b\f\n\r\t\"\\/";
        const char *name = s[1] == 'u' ? NULL : strchr(names, s[1]);
        if (name) tl_buf_addc(out, meanings[name - names]);
        s += name ? 2 : unescape_unicode(s, end, out);
    }
}

/* Checks the escape at text[i]. 1 with *used set, 0 where more bytes are needed, -1. */
static int check_escape(tl_json_reader *r, size_t i, size_t *used, tl_error *err)
{
    if (i + 1 >= r->length) return r->ended ? fail_cut(r, "in string escape code", err) : 0;
    *used = 2;
    if (strchr("bfnrt\"\\/", r->text[i + 1]) && r->text[i + 1]) return 1;
    if (r->text[i + 1] != 'u') return fail_char(r, i + 1, "in string escape code", err);
    *used = 6;
    for (size_t k = i + 2; k < i + 6; k++) {
        static const char context[] = "in \\u hexadecimal character escape";
        if (k >= r->length) return r->ended ? fail_cut(r, context, err) : 0;
        char four[5] = {r->text[k], '0', '0', '0', 0};
        if (hex4(four) < 0) return fail_char(r, k, context, err);
    }
    return 1;
}

/* Reads the string whose quote is at text[at]. 1, 0 (more bytes needed) or -1. */
static int read_string(tl_json_reader *r, tl_value *out, tl_error *err)
{
    const unsigned char *s = (const unsigned char *)r->text;
    size_t i = r->at + 1 + r->scanned;
    int special = r->scanned != 0;
    for (;;) {
        while (i < r->length && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && s[i] < 0x80) i++;
        size_t used = 1;
        if (i >= r->length) {
            r->scanned = i - r->at - 1;
            return r->ended ? fail_end(r, err) : 0;
        }
        if (s[i] == '"') break;
        if (s[i] < 0x20) return fail_char(r, i, "in string literal", err);
        special = 1;
        if (s[i] == '\\') {
            int status = check_escape(r, i, &used, err);
            if (status == 0) {
                r->scanned = i - r->at - 1;
                return 0;
            }
            if (status < 0) return -1;
        }
        i += used;
    }
    const char *start = r->text + r->at + 1;
    size_t length = i - r->at - 1;
    if (special && (memchr(start, '\\', length) || !tl_utf8_valid(start, length))) {
        unescape(start, start + length, &r->scratch);
        *out = tl_string_ref(r->scratch.data, r->scratch.len);
    } else {
        *out = tl_string_ref(start, length);
    }
    r->at = i + 1;
    r->scanned = 0;
    return 1;
}

static size_t skip_digits(const tl_json_reader *r, size_t i)
{
    while (i < r->length && r->text[i] >= '0' && r->text[i] <= '9') i++;
    return i;
}

/* The end of the number at text[at] goes to *end, whether it has a fraction or exponent to *fraction. 1, 0, -1. */
static int scan_number(tl_json_reader *r, size_t *end, int *fraction, tl_error *err)
{
    size_t i = r->at + (r->text[r->at] == '-');
    const char *context = "in numeric literal";
    *fraction = 0;
    for (int part = 0; part < 3; part++) {
        if (i >= r->length) return r->ended ? fail_cut(r, context, err) : 0;
        if (r->text[i] < '0' || r->text[i] > '9') return fail_char(r, i, context, err);
        i = part == 0 && r->text[i] == '0' ? i + 1 : skip_digits(r, i);
        if (i >= r->length) break;
        if (part == 0 && r->text[i] == '.') {
            context = "after decimal point in numeric literal";
            *fraction = 1;
            i++;
            continue;
        }
        if (part == 2 || (r->text[i] | 0x20) != 'e') break;
        context = "in exponent of numeric literal";
        *fraction = 1;
        part = 1;
        i++;
        if (i < r->length && (r->text[i] == '+' || r->text[i] == '-')) i++;
    }
    *end = i;
    return i >= r->length && !r->ended ? 0 : 1;
}

static int read_number(tl_json_reader *r, tl_value *out, tl_error *err)
{
    size_t end = r->at;
    int fraction, status = scan_number(r, &end, &fraction, err);
    if (status != 1) return status;
    const char *s = r->text + r->at;
    size_t length = end - r->at;
    int64_t integer;
    double number;
    int floats = r->options.numbers == TL_JSON_FLOATS;
    if (!fraction && (!floats || length <= 15) && *s != '-' && tl_number_parse_int(s, length, 10, &integer) == 0) {
        *out = floats ? tl_float((double)integer) : tl_int(integer);
    } else if (!fraction && !floats && tl_number_parse_int(s, length, 10, &integer) == 0) {
        *out = tl_int(integer);
    } else if (tl_number_parse_float(s, length, &number) == 0) {
        *out = tl_float(number);
    } else {
        char message[128];
        snprintf(message, sizeof message, "json: cannot unmarshal number %.*s into Go value of type float64",
                 (int)(length > 40 ? 40 : length), s);
        return fail_at(r, r->at, err, message);
    }
    r->at = end;
    return 1;
}

static int read_literal(tl_json_reader *r, tl_value *out, tl_error *err)
{
    char first = r->text[r->at];
    const char *word = first == 't' ? "true" : first == 'f' ? "false" : "null";
    for (size_t k = 1; word[k]; k++) {
        size_t i = r->at + k;
        if (i < r->length && r->text[i] == word[k]) continue;
        if (i >= r->length && !r->ended) return 0;
        char context[64];
        snprintf(context, sizeof context, "in literal %s (expecting '%c')", word, word[k]);
        return i >= r->length ? fail_cut(r, context, err) : fail_char(r, i, context, err);
    }
    r->at += strlen(word);
    *out = first == 'n' ? tl_null() : tl_bool(first == 't');
    return 1;
}

static int open_container(tl_json_reader *r, tl_json_token *token, tl_error *err)
{
    char kind = r->text[r->at];
    if (r->depth >= r->options.max_depth) return fail_at(r, r->at, err, "exceeded max depth");
    if (r->depth == r->room) {
        r->room = r->room ? r->room * 2 : 16;
        r->nesting = tl_realloc(r->nesting, (size_t)r->room);
    }
    r->nesting[r->depth++] = kind;
    r->at++;
    r->state = kind == '{' ? WANT_KEY_OR_END : WANT_ITEM_OR_END;
    token->event = kind == '{' ? TL_JSON_OBJECT : TL_JSON_LIST;
    return 0;
}

static int close_container(tl_json_reader *r, tl_json_token *token)
{
    token->event = r->nesting[--r->depth] == '{' ? TL_JSON_OBJECT_END : TL_JSON_LIST_END;
    r->at++;
    r->state = r->depth ? WANT_COMMA_OR_END : COMPLETE;
    return 0;
}

static int next_value(tl_json_reader *r, tl_json_token *token, tl_error *err)
{
    char c = r->text[r->at];
    int status;
    if (c == '{' || c == '[') return open_container(r, token, err);
    if (c == '"')
        status = read_string(r, &token->value, err);
    else if (c == '-' || (c >= '0' && c <= '9'))
        status = read_number(r, &token->value, err);
    else if (c == 't' || c == 'f' || c == 'n')
        status = read_literal(r, &token->value, err);
    else
        return fail_char(r, r->at, "looking for beginning of value", err);
    if (status < 0) return -1;
    token->event = status ? TL_JSON_SCALAR : TL_JSON_MORE;
    if (status) r->state = r->depth ? WANT_COMMA_OR_END : COMPLETE;
    return 0;
}

static int next_key(tl_json_reader *r, tl_json_token *token, tl_error *err)
{
    if (r->text[r->at] != '"') return fail_char(r, r->at, "looking for beginning of object key string", err);
    int status = read_string(r, &token->value, err);
    if (status < 0) return -1;
    token->event = status ? TL_JSON_KEY : TL_JSON_MORE;
    if (status) r->state = WANT_COLON;
    return 0;
}

/* A comma or a colon is consumed silently; 1 where a token was produced. */
static int next_separator(tl_json_reader *r, tl_json_token *token, tl_error *err)
{
    char c = r->text[r->at];
    if (r->state == WANT_COLON) {
        if (c != ':') return fail_char(r, r->at, "after object key", err);
        r->at++;
        r->state = WANT_VALUE;
        return 0;
    }
    int object = r->nesting[r->depth - 1] == '{';
    if (c == (object ? '}' : ']')) {
        close_container(r, token);
        return 1;
    }
    if (c != ',') return fail_char(r, r->at, object ? "after object key:value pair" : "after array element", err);
    r->at++;
    r->state = object ? WANT_KEY : WANT_VALUE;
    return 0;
}

static int at_end(tl_json_reader *r, tl_json_token *token, tl_error *err)
{
    token->event = TL_JSON_MORE;
    if (!r->ended) return 0;
    if (r->state != COMPLETE && !(r->documents && r->state == WANT_VALUE && !r->depth)) return fail_end(r, err);
    token->event = TL_JSON_END;
    return 0;
}

static int is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int tl_json_reader_next(tl_json_reader *reader, tl_json_token *token, tl_error *err)
{
    tl_json_reader *r = reader;
    token->value = tl_null();
    for (;;) {
        while (r->at < r->length && is_space(r->text[r->at])) r->at++;
        if (r->at >= r->length) return at_end(r, token, err);
        switch (r->state) {
        case COMPLETE: return fail_char(r, r->at, "after top-level value", err);
        case WANT_ITEM_OR_END:
            if (r->text[r->at] == ']') return close_container(r, token);
            return next_value(r, token, err);
        case WANT_VALUE: return next_value(r, token, err);
        case WANT_KEY_OR_END:
            if (r->text[r->at] == '}') return close_container(r, token);
            return next_key(r, token, err);
        case WANT_KEY: return next_key(r, token, err);
        default: {
            int status = next_separator(r, token, err);
            if (status) return status < 0 ? -1 : 0;
        }
        }
    }
}

static void put(tl_json_reader *r, tl_arena *arena, tl_value value)
{
    frame *top = &r->frames[r->open - 1];
    if (top->list)
        tl_list_push(arena, top->list, value);
    else
        tl_map_set(top->map, r->key.data, r->key.len, value);
}

static void enter(tl_json_reader *r, tl_arena *arena, tl_json_event event, tl_value *out)
{
    frame new = {0};
    tl_value value;
    if (event == TL_JSON_OBJECT)
        value = tl_map_value(new.map = tl_map_new(arena, 0));
    else
        value = tl_list_value(new.list = tl_list_new(arena, 0));
    if (r->open)
        put(r, arena, value);
    else
        *out = value;
    if (r->open == r->frame_room) {
        r->frame_room = r->frame_room ? r->frame_room * 2 : 16;
        r->frames = tl_realloc(r->frames, (size_t)r->frame_room * sizeof *r->frames);
    }
    r->frames[r->open++] = new;
}

static tl_value keep(tl_json_reader *r, tl_arena *arena, tl_value value)
{
    int in_text = value.type == TL_STRING && value.as.s != r->scratch.data;
    if (value.type != TL_STRING || (r->options.borrow && in_text)) return value;
    return tl_string(arena, value.as.s, value.len);
}

int tl_json_reader_value(tl_json_reader *reader, tl_arena *arena, tl_value *out, tl_error *err)
{
    tl_json_reader *r = reader;
    for (;;) {
        tl_json_token token;
        if (tl_json_reader_next(r, &token, err)) return -1;
        if (tl_arena_over(arena)) return tl_error_set(err, "limit", "the JSON document is too large");
        switch (token.event) {
        case TL_JSON_MORE: return 0;
        case TL_JSON_END: return 2;
        case TL_JSON_OBJECT:
        case TL_JSON_LIST: enter(r, arena, token.event, out); break;
        case TL_JSON_KEY:
            tl_buf_clear(&r->key);
            tl_buf_add(&r->key, token.value.as.s, token.value.len);
            if (!r->open) return tl_error_set(err, "usage", "a value was asked for where a key comes next");
            break;
        case TL_JSON_SCALAR:
            if (!r->open) {
                *out = keep(r, arena, token.value);
                return 1;
            }
            put(r, arena, keep(r, arena, token.value));
            break;
        default:
            if (!r->open) return 2;
            if (--r->open == 0) return 1;
        }
    }
}

int tl_json_parse(tl_arena *arena, const char *text, size_t length, const tl_json_options *options, tl_value *out,
                  tl_error *err)
{
    tl_json_reader r;
    tl_json_token token;
    int status = -1;
    *out = tl_null();
    reader_init(&r, options);
    if (r.options.max_bytes && length > r.options.max_bytes) {
        tl_error_set(err, "limit", "the JSON text is larger than %zu bytes", r.options.max_bytes);
        goto out;
    }
    r.text = text;
    r.length = length;
    r.ended = 1;
    if (tl_json_reader_value(&r, arena, out, err) != 1) goto out;
    status = tl_json_reader_next(&r, &token, err);
out:
    reader_dispose(&r);
    return status;
}

/* TOML as values. */
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "template/toml_reader.h"

#define MAX_DEPTH 200
#define TOO_DEEP "values are nested too deeply"
#define DEFINED "has already been defined."

static int read_value(tl_toml_reader *r, tl_value *out);

/* ---- errors ---- */

void tl_toml_context(const tl_toml_reader *r, const tl_list *context, tl_buf *text)
{
    tl_toml_key(text, r->prefix);
    if (context->len && text->len) tl_buf_addc(text, '.');
    tl_toml_key(text, context);
}

int tl_toml_fail(tl_toml_reader *r, const char *place, const char *format, ...)
{
    int line = 1;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (const char *c = r->start; c < place; c++) line += *c == '\n';
    tl_buf last = TL_BUF_INIT(1u << 16), quoted = TL_BUF_INIT(1u << 18);
    tl_toml_context(r, r->context, &last);
    if (r->key->len && last.len) tl_buf_addc(&last, '.');
    if (r->key->len) tl_buf_add(&last, r->key->items[0].as.s, r->key->items[0].len);
    tl_go_quote(&quoted, last.data, last.len);
    if (last.len)
        tl_error_set(r->err, "toml", "toml: line %d (last key %s): %s", line, quoted.data, text);
    else
        tl_error_set(r->err, "toml", "toml: line %d: %s", line, text);
    tl_buf_dispose(&last);
    tl_buf_dispose(&quoted);
    return -1;
}

/* `what` with the rune that stands here, quoted; "" behind it. */
int tl_toml_fail_rune(tl_toml_reader *r, const char *what, const char *after)
{
    tl_buf quoted = TL_BUF_INIT(64);
    size_t width;
    uint32_t rune = r->at < r->end ? tl_utf8_decode(r->at, (size_t)(r->end - r->at), &width) : 0;
    tl_go_quote_rune(&quoted, rune, 0);
    tl_toml_fail(r, r->at, "%s%s%s", what, quoted.data, after);
    tl_buf_dispose(&quoted);
    return -1;
}

/* ---- characters ---- */

static void skip_comment(tl_toml_reader *r)
{
    while (!tl_toml_at_end(r) && *r->at != '\n') r->at++;
}

/* Blanks, line ends and comments. */
static void skip_space(tl_toml_reader *r)
{
    for (;;) {
        tl_toml_skip_blanks(r);
        if (tl_toml_at_newline(r))
            r->at += *r->at == '\r' ? 2 : 1;
        else if (tl_toml_is(r, '#'))
            skip_comment(r);
        else
            return;
    }
}

/* ---- tables ---- */

static const char *key_text(tl_toml_reader *r, const tl_list *context, const tl_value *last, size_t *length)
{
    tl_buf text = TL_BUF_INIT(1u << 20);
    tl_toml_context(r, context, &text);
    if (last) {
        tl_list one = {.items = (tl_value *)last, .len = 1, .cap = 1};
        if (text.len) tl_buf_addc(&text, '.');
        tl_toml_key(&text, &one);
    }
    char *copy = tl_arena_strndup(r->arena, text.data, text.len);
    *length = text.len;
    tl_buf_dispose(&text);
    return copy;
}

static void set_implicit(tl_toml_reader *r, const tl_list *context)
{
    size_t length;
    const char *text = key_text(r, context, NULL, &length);
    tl_map_set(r->implicit, text, length, tl_bool(1));
}

/* The table at the end of a list of tables, or the table; NULL for anything else. */
static tl_map *table_of(tl_value value)
{
    if (value.type == TL_MAP) return value.as.map;
    if (value.type == TL_LIST && value.go == TL_GO_MAPS) return value.as.list->items[value.as.list->len - 1].as.map;
    return NULL;
}

/* The table that the context names; with `make`, what is missing is made. */
static tl_map *enter(tl_toml_reader *r, const tl_list *context, int make, const char *fault)
{
    tl_map *table = r->root;
    tl_list so_far = {.items = context->items, .cap = context->cap};
    for (size_t i = 0; i < context->len; i++) {
        const tl_value *part = &context->items[i];
        so_far.len = i + 1;
        tl_value *found = tl_map_get(table, part->as.s, part->len);
        if (!found && make) {
            set_implicit(r, &so_far);
            tl_map_set(table, part->as.s, part->len, tl_map_value(tl_map_new(r->arena, 0)));
            found = tl_map_get(table, part->as.s, part->len);
        }
        table = found ? table_of(*found) : NULL;
        if (table) continue;
        size_t length;
        tl_toml_fail(r, r->at, "Key '%s' %s", key_text(r, &so_far, NULL, &length), fault);
        return NULL;
    }
    return table;
}

static int set_value(tl_toml_reader *r, tl_value name, tl_value value)
{
    tl_map *table = enter(r, r->context, 0, DEFINED);
    size_t length;
    if (!table) return -1;
    if (!tl_map_get(table, name.as.s, name.len)) {
        tl_map_set(table, name.as.s, name.len, value);
        return 0;
    }
    const char *key = key_text(r, r->context, &name, &length);
    if (tl_map_delete(r->implicit, key, length)) return 0; /* now it is defined */
    return tl_toml_fail(r, r->at, "Key '%s' " DEFINED, key);
}

/* Makes `key` below the root the context: a table, or one more of a list of tables. */
static int open_table(tl_toml_reader *r, const tl_list *key, int in_list)
{
    tl_value last = key->items[key->len - 1];
    tl_list *parent = tl_list_new(r->arena, key->len);
    for (size_t i = 0; i + 1 < key->len; i++) tl_list_push(r->arena, parent, key->items[i]);
    tl_map *table = enter(r, parent, 1, "was already created as a hash.");
    if (!table) return -1;
    r->context = parent;
    if (in_list) {
        tl_value *list = tl_map_get(table, last.as.s, last.len);
        size_t length;
        if (list && (list->type != TL_LIST || list->go != TL_GO_MAPS))
            return tl_toml_fail(r, r->at, "Key '%s' was already created and cannot be used as an array.",
                           key_text(r, key, NULL, &length));
        if (!list) {
            tl_map_set(table, last.as.s, last.len, tl_as_go(tl_list_value(tl_list_new(r->arena, 0)), TL_GO_MAPS));
            list = tl_map_get(table, last.as.s, last.len);
        }
        tl_list_push(r->arena, list->as.list, tl_map_value(tl_map_new(r->arena, 0)));
    } else if (set_value(r, last, tl_map_value(tl_map_new(r->arena, 0)))) {
        return -1;
    }
    tl_list_push(r->arena, parent, last);
    return 0;
}

/* ---- keys ---- */

static int read_key_part(tl_toml_reader *r, tl_list *parts)
{
    tl_value part;
    if (tl_toml_is(r, '"') || tl_toml_is(r, '\'')) {
        if (tl_toml_string(r, 0, &part)) return -1;
    } else {
        const char *from = r->at;
        tl_toml_skip_any(r, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
        part = tl_string(r->arena, from, (size_t)(r->at - from));
    }
    tl_list_push(r->arena, parts, part);
    if (parts->len > MAX_DEPTH) return tl_toml_fail(r, r->at, TOO_DEEP);
    tl_toml_skip_blanks(r);
    return 0;
}

/* "a.b =" up to behind the equals sign. */
static tl_list *read_key(tl_toml_reader *r)
{
    tl_list *parts = tl_list_new(r->arena, 2);
    tl_toml_skip_blanks(r);
    if (tl_toml_at_end(r) || tl_toml_is(r, '=')) return tl_toml_fail(r, r->at, "unexpected '=': key name appears blank"), NULL;
    if (tl_toml_is(r, '.')) return tl_toml_fail(r, r->at, "unexpected '.': keys cannot start with a '.'"), NULL;
    for (;;) {
        if (read_key_part(r, parts)) return NULL;
        if (tl_toml_is(r, '=')) break;
        if (tl_toml_at_end(r)) return tl_toml_fail(r, r->at, "unexpected EOF; expected key separator '='"), NULL;
        if (!tl_toml_is(r, '.')) return tl_toml_fail_rune(r, "expected '.' or '=', but got ", " instead"), NULL;
        r->at++;
        tl_toml_skip_blanks(r);
        if (tl_toml_at_end(r) || tl_toml_is(r, '=')) return tl_toml_fail(r, r->at, "unexpected '='"), NULL;
        if (tl_toml_is(r, '.')) return tl_toml_fail(r, r->at, "unexpected '.'"), NULL;
    }
    r->at++;
    return parts;
}

/* "key = value" in the table in work; dotted keys name tables below it. */
static int read_pair(tl_toml_reader *r)
{
    tl_list *outer = r->context, *key = read_key(r);
    tl_value value, last;
    if (!key) return -1;
    last = key->items[key->len - 1];
    tl_list *context = tl_list_new(r->arena, outer->len + key->len);
    for (size_t i = 0; i < outer->len; i++) tl_list_push(r->arena, context, outer->items[i]);
    for (size_t i = 0; i + 1 < key->len; i++) {
        tl_list_push(r->arena, context, key->items[i]);
        set_implicit(r, context);
    }
    r->context = context;
    r->key->len = 0;
    tl_list_push(r->arena, r->key, last);
    if (!enter(r, context, 1, DEFINED)) return -1;
    if (read_value(r, &value) || set_value(r, last, value)) return -1;
    r->context = outer;
    return 0;
}

static int read_header(tl_toml_reader *r)
{
    tl_list *parts = tl_list_new(r->arena, 2);
    int in_list = r->at + 1 < r->end && r->at[1] == '[';
    r->at += in_list ? 2 : 1;
    for (;;) {
        tl_toml_skip_blanks(r);
        if (tl_toml_at_end(r) || tl_toml_is(r, ']'))
            return tl_toml_fail(r, r->at, "unexpected end of table name (table names cannot be empty)");
        if (tl_toml_is(r, '.')) return tl_toml_fail(r, r->at, "unexpected table separator (table names cannot be empty)");
        if (read_key_part(r, parts)) return -1;
        if (tl_toml_is(r, ']')) break;
        if (!tl_toml_is(r, '.')) return tl_toml_fail_rune(r, "expected '.' or ']' to end table name, but got ", " instead");
        r->at++;
    }
    r->at++;
    if (in_list && !tl_toml_is(r, ']'))
        return tl_toml_fail_rune(r, "expected end of table array name delimiter ']', but got ", " instead");
    r->at += in_list;
    return open_table(r, parts, in_list);
}

/* ---- values ---- */

static int read_list(tl_toml_reader *r, tl_value *out)
{
    tl_list *list = tl_list_new(r->arena, 2);
    *out = tl_list_value(list);
    r->at++;
    for (;;) {
        tl_value item;
        skip_space(r);
        if (tl_toml_is(r, ',')) return tl_toml_fail(r, r->at, "unexpected comma");
        if (tl_toml_is(r, ']')) break;
        if (read_value(r, &item)) return -1;
        tl_list_push(r->arena, list, item);
        skip_space(r);
        if (tl_toml_is(r, ',')) {
            r->at++;
            continue;
        }
        if (tl_toml_is(r, ']')) break;
        return tl_toml_fail(r, r->at, "expected a comma (',') or array terminator (']'), but got %s%.*s%s",
                       tl_toml_at_end(r) ? "end of file" : "'", !tl_toml_at_end(r), tl_toml_at_end(r) ? "" : r->at, tl_toml_at_end(r) ? "" : "'");
    }
    r->at++;
    return 0;
}

/* A table of its own, whose keys are known to nobody outside it. */
static int read_inline_table(tl_toml_reader *r, tl_value *out)
{
    tl_toml_reader inner = *r;
    inner.root = tl_map_new(r->arena, 2);
    inner.implicit = tl_map_new(r->arena, 0);
    inner.prefix = tl_list_new(r->arena, 0);
    for (size_t i = 0; i < r->prefix->len; i++) tl_list_push(r->arena, inner.prefix, r->prefix->items[i]);
    for (size_t i = 0; i < r->context->len; i++) tl_list_push(r->arena, inner.prefix, r->context->items[i]);
    for (size_t i = 0; i < r->key->len; i++) tl_list_push(r->arena, inner.prefix, r->key->items[i]);
    inner.context = tl_list_new(r->arena, 0);
    inner.key = tl_list_new(r->arena, 1);
    inner.at++;
    *out = tl_map_value(inner.root);
    for (;;) {
        skip_space(&inner);
        if (tl_toml_is(&inner, ',')) return tl_toml_fail(&inner, inner.at, "unexpected comma");
        if (tl_toml_is(&inner, '}')) break;
        if (read_pair(&inner)) return -1;
        skip_space(&inner);
        if (tl_toml_is(&inner, ',')) {
            inner.at++;
            continue;
        }
        if (tl_toml_is(&inner, '}')) break;
        return tl_toml_fail(&inner, inner.at, "expected a comma or an inline table terminator '}', but got %s%.*s%s instead",
                       tl_toml_at_end(&inner) ? "end of file" : "'", !tl_toml_at_end(&inner), tl_toml_at_end(&inner) ? "" : inner.at,
                       tl_toml_at_end(&inner) ? "" : "'");
    }
    r->at = inner.at + 1;
    return 0;
}

static int read_value(tl_toml_reader *r, tl_value *out)
{
    int status;
    tl_toml_skip_blanks(r);
    if (tl_toml_at_end(r)) return tl_toml_fail(r, r->at, "unexpected EOF; expected value");
    if (++r->depth > MAX_DEPTH || tl_arena_over(r->arena)) return tl_toml_fail(r, r->at, TOO_DEEP);
    switch (*r->at) {
    case '[': status = read_list(r, out); break;
    case '{': status = read_inline_table(r, out); break;
    case '"':
    case '\'': status = tl_toml_string(r, 1, out); break;
    case '.': status = tl_toml_fail(r, r->at, "floats must start with a digit, not '.'"); break;
    case '+':
    case '-': status = tl_toml_signed(r, out); break;
    default: status = tl_toml_is_digit(*r->at) ? tl_toml_number(r, out) : tl_toml_word(r, out);
    }
    r->depth--;
    return status;
}

int tl_toml_read(tl_value *out, tl_arena *arena, const char *text, size_t length, tl_error *err)
{
    tl_toml_reader r = {.start = text, .at = text, .end = text + length, .arena = arena, .err = err};
    if (length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) r.at += 3;
    r.root = tl_map_new(arena, 0);
    r.implicit = tl_map_new(arena, 0);
    r.prefix = tl_list_new(arena, 0);
    r.context = tl_list_new(arena, 0);
    r.key = tl_list_new(arena, 1);
    *out = tl_map_value(r.root);
    for (;;) {
        skip_space(&r);
        if (tl_toml_at_end(&r)) return 0;
        if (*r.at == '[' ? read_header(&r) : read_pair(&r)) return -1;
        r.key->len = 0;
        tl_toml_skip_blanks(&r);
        if (tl_toml_is(&r, '#')) skip_comment(&r);
        if (!tl_toml_at_end(&r) && !tl_toml_at_newline(&r))
            return tl_toml_fail_rune(&r, "expected a top-level item to end with a newline, comment, or EOF, but got ", " instead");
    }
}

/* YAML as charts are mostly written, from text to values in one pass. Ten times faster than libyaml's events, which took
 * two thirds of a render; whatever is rare or wrong is left to them. */
#include "data/yaml_quick.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "data/yaml_quick_scalar.h"
#include "data/yaml_scalar.h"

#define MAX_DEPTH 200
#define MAX_TEXT (8u << 20)
#define MAX_KEY 1000 /* libyaml's own limit for a key on one line is 1024 */

/* All functions return 0, or -1 where the text is not for this reader. After a value the reader stands at the next
 * content, `column` being its place in the line, or -1 at the end of the document. */
static int read_value(tl_yaml_reader *r, int indent, int in_map, tl_value *out);

#define CHUNK 64

/* Nothing but printable ASCII, LF and tabs; without branches, so that the compiler takes many bytes at once. */
static int is_plain_chunk(const char *text)
{
    unsigned char odd = 0;
    for (int i = 0; i < CHUNK; i++) {
        unsigned char c = (unsigned char)text[i];
        odd |= (unsigned char)(((unsigned char)(c - 0x20) > 0x5e) & (c != '\n') & (c != '\t'));
    }
    return !odd;
}

/* Every byte is one that libyaml takes as it is; line breaks are LF alone. */
static int is_clean(const char *text, size_t length)
{
    for (size_t i = 0, width; i < length; i += width) {
        width = CHUNK;
        if (length - i >= CHUNK && is_plain_chunk(text + i)) continue;
        unsigned char c = (unsigned char)text[i];
        width = 1;
        if (c >= 0x20 && c < 0x7f) continue;
        if (c == '\n' || c == '\t') continue;
        if (c < 0x80) return 0;
        uint32_t code = tl_utf8_decode(text + i, length - i, &width);
        if (width == 1 || code < 0xa0 || code == 0x2028 || code == 0x2029 || code == 0xfeff || code == 0xfffe ||
            code == 0xffff)
            return 0;
    }
    return 1;
}

static int is_marker(const tl_yaml_reader *r, const char *at)
{
    if (r->end - at < 3 || (memcmp(at, "---", 3) && memcmp(at, "...", 3))) return 0;
    return tl_yaml_ends_word(r, at + 3);
}

int tl_yaml_seek(tl_yaml_reader *r)
{
    const char *at = r->at, *end = r->end;
    for (;;) {
        r->line = at;
        while (at < end && *at == ' ') at++;
        if (at == end) break;
        if (*at == '\n') {
            at++;
        } else if (*at == '#') {
            const char *newline = memchr(at, '\n', (size_t)(end - at));
            at = newline ? newline + 1 : end;
        } else {
            r->at = at;
            r->column = (int)(at - r->line);
            if (r->column || !is_marker(r, at)) return 0;
            r->column = -1;
            return *at == '-' ? 0 : -1;
        }
    }
    r->at = end;
    r->column = -1;
    return 0;
}

int tl_yaml_end_line(tl_yaml_reader *r)
{
    const char *at = r->at, *end = r->end;
    while (at < end && *at == ' ') at++;
    if (at < end && *at == '#' && at > r->at) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at) at = end;
    }
    if (at < end && *at != '\n') return -1;
    r->at = at < end ? at + 1 : at;
    return 0;
}

static int is_item(const tl_yaml_reader *r)
{
    return r->at < r->end && *r->at == '-' && tl_yaml_ends_word(r, r->at + 1);
}

/* Whether a key stands here: a plain or quoted scalar before a colon. Fills its text and moves behind the colon. */
static int take_key(tl_yaml_reader *r, tl_value *key)
{
    const char *from = r->at, *at = from, *end = r->end;
    if (*at == '"' || *at == '\'') {
        int status = tl_yaml_quoted(r, key);
        at = r->at;
        r->at = from;
        if (status || memchr(from, '\n', (size_t)(at - from))) return -1;
        while (at < end && *at == ' ') at++;
        if (at >= end || *at != ':' || !tl_yaml_ends_word(r, at + 1)) return -1;
    } else {
        if (!tl_yaml_starts_plain(r)) return -1;
        for (; (at = tl_yaml_plain_run(at, end)) < end && !(*at == ':' && tl_yaml_ends_word(r, at + 1)); at++)
            if (*at == '\n' || *at == '\t' || (*at == '#' && at[-1] == ' ')) return -1;
        if (at == end) return -1;
        size_t length = (size_t)(at - from);
        while (length && from[length - 1] == ' ') length--;
        tl_yaml_tag tag = tl_yaml_resolve(from, length, r->options->flavour, 1, key);
        if ((tag != TL_YAML_STR && tag != TL_YAML_TIMESTAMP) || (length == 2 && !memcmp(from, "<<", 2))) return -1;
    }
    if (at - from > MAX_KEY) return -1;
    r->at = at + 1;
    return 0;
}

static int deeper(tl_yaml_reader *r)
{
    return ++r->depth > MAX_DEPTH || tl_arena_over(r->arena) ? -1 : 0;
}

static int read_list(tl_yaml_reader *r, int column, tl_value *out)
{
    tl_list *list = r->unkept ? NULL : tl_list_new(r->arena, 0);
    *out = tl_list_value(list);
    if (deeper(r)) return -1;
    do {
        tl_value item;
        r->at++;
        if (read_value(r, column, 0, &item)) return -1;
        if (list) tl_list_push(r->arena, list, item);
    } while (r->column == column && is_item(r));
    r->depth--;
    return 0;
}

/* Equal keys are rare, and what they mean is libyaml's reader's affair where it is not simply the last one. */
static int put(tl_yaml_reader *r, tl_map *map, tl_value key, tl_value value)
{
    if ((r->options->strict || r->options->flavour == TL_YAML_CORE) && tl_map_get(map, key.as.s, key.len)) return -1;
    tl_map_set(map, key.as.s, key.len, value);
    return 0;
}

/* Whether the caller wants the value of a key of the document's map. Names in Go's JSON match in any case, and some letters
 * outside of ASCII fold into it. */
static int is_kept(const tl_yaml_reader *r, tl_value key)
{
    for (uint32_t i = 0; i < key.len; i++)
        if (key.as.s[i] & 0x80) return 1;
    for (const char *const *name = r->options->keep; *name; name++)
        if (strlen(*name) == key.len && !strncasecmp(*name, key.as.s, key.len)) return 1;
    return 0;
}

/* A map whose first key was taken already. */
static int read_map(tl_yaml_reader *r, int column, tl_value key, tl_value *out)
{
    tl_map *map = r->unkept ? NULL : tl_map_new(r->arena, 0);
    int chooses = map && r->options->keep && !r->depth;
    *out = tl_map_value(map);
    if (deeper(r)) return -1;
    for (;;) {
        tl_value value;
        int unkept = chooses && !is_kept(r, key);
        r->unkept += unkept;
        if (read_value(r, column, 1, &value)) return -1;
        r->unkept -= unkept;
        if (map && put(r, map, key, unkept ? tl_null() : value)) return -1;
        if (r->column != column) break;
        if (take_key(r, &key)) return -1;
    }
    r->depth--;
    return r->column > column ? -1 : 0;
}

/* What starts at the reader's place, inside a collection at `indent`. */
static int read_node(tl_yaml_reader *r, int indent, int column, tl_value *out)
{
    tl_value key;
    if (is_item(r)) return read_list(r, column, out);
    if (!take_key(r, &key)) return read_map(r, column, key, out);
    return indent < 0 ? -1 : tl_yaml_scalar(r, indent, out);
}

static int read_value(tl_yaml_reader *r, int indent, int in_map, tl_value *out)
{
    const char *colon = r->at;
    while (r->at < r->end && *r->at == ' ') r->at++;
    if (r->at < r->end && *r->at != '\n' && (*r->at != '#' || r->at == colon)) {
        if (in_map) return is_item(r) ? -1 : tl_yaml_scalar(r, indent, out);
        return read_node(r, indent, (int)(r->at - r->line), out);
    }
    r->at = colon;
    if (tl_yaml_end_line(r) || tl_yaml_seek(r)) return -1;
    if (r->column > indent) return read_node(r, indent, r->column, out);
    if (in_map && r->column == indent && is_item(r)) return read_list(r, indent, out);
    *out = tl_null();
    return 0;
}

static int read_document(tl_yaml_reader *r, tl_value *out)
{
    if (tl_yaml_seek(r)) return -1;
    if (r->column < 0 && r->at < r->end) { /* the document's start is written out */
        r->at += 3;
        if (tl_yaml_end_line(r) || tl_yaml_seek(r)) return -1;
    }
    if (r->column < 0 || read_node(r, -1, r->column, out)) return -1;
    return r->column < 0 ? 0 : -1;
}

int tl_yaml_quick(tl_arena *arena, const char *text, size_t length, const tl_yaml_options *options, tl_value *out)
{
    tl_yaml_reader r = {.at = text, .end = text + length, .arena = arena, .options = options};
    if (length > MAX_TEXT || options->lines || options->max_nodes || !is_clean(text, length)) return 0;
    tl_buf_init(&r.scratch, SIZE_MAX);
    int done = !read_document(&r, out);
    tl_buf_dispose(&r.scratch);
    return done;
}

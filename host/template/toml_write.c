/* Values as TOML. */
#include "template/toml.h"

#include <math.h>
#include <string.h>

#include "data/number.h"
#include "template/gotime.h"
#include "template/internal.h"

#define MAX_DEPTH 200
#define MAX_STEPS 10000000 /* values may be shared, so that a small one has many parts */

typedef struct writer {
    tl_buf *out;
    tl_arena *arena; /* sorted keys */
    tl_list *key;    /* of the table in work */
    int depth;
    long steps;
    tl_error *err;
} writer;

static int write_element(writer *w, tl_value value);
static int write_map(writer *w, tl_value map, int inlined);

static void add_quoted(tl_buf *out, const char *text, size_t length)
{
    static const char from[] = "\"\\\b\t\n\f\r", to[] = "\"\\btnfr";
    tl_buf_addc(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *at = c ? strchr(from, c) : NULL;
        if (at) {
            tl_buf_addc(out, '\\');
            tl_buf_addc(out, to[at - from]);
        } else if (c < 0x20 || c == 0x7f) {
            tl_buf_addf(out, "\\u%04x", c);
        } else {
            tl_buf_addc(out, (char)c);
        }
    }
    tl_buf_addc(out, '"');
}

static void add_key_part(tl_buf *out, const char *text, size_t length)
{
    int bare = length > 0;
    for (size_t i = 0; bare && i < length; i++) {
        char c = text[i];
        bare = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    }
    if (bare)
        tl_buf_add(out, text, length);
    else
        add_quoted(out, text, length);
}

void tl_toml_key(tl_buf *out, const tl_list *parts)
{
    for (size_t i = 0; i < parts->len; i++) {
        if (i) tl_buf_addc(out, '.');
        add_key_part(out, parts->items[i].as.s, parts->items[i].len);
    }
}

/* An object of a collection's kind is that collection; others (times, versions) are texts. */
static tl_value plain(tl_value value)
{
    if (value.type == TL_LIST && value.as.list->nil) return tl_null();
    return value.type == TL_OBJECT && tl_object_content(value.as.object).type != TL_NULL && !value.as.object->type->print
               ? tl_object_content(value.as.object)
               : value;
}

/* Whether all items are tables; *fault where one is nil, however deep in lists. */
static int is_table_list(writer *w, tl_value value, int depth, int *fault)
{
    const tl_list *list = value.as.list;
    int all = list->len > 0;
    if (depth > MAX_DEPTH || ++w->steps > MAX_STEPS) *fault = 1;
    for (size_t i = 0; i < list->len && !*fault; i++) {
        tl_value item = plain(list->items[i]);
        if (item.type == TL_NULL) *fault = 1;
        if (item.type == TL_LIST) is_table_list(w, item, depth + 1, fault);
        if (item.type != TL_MAP) all = 0;
    }
    return all && !*fault;
}

static int nil_fault(writer *w)
{
    return tl_error_set(w->err, "toml", "toml: cannot encode array with nil element");
}

static void indent(writer *w)
{
    for (size_t i = 1; i < w->key->len; i++) tl_buf_adds(w->out, "  ");
}

static void newline(writer *w)
{
    if (w->out->len) tl_buf_addc(w->out, '\n');
}

static void write_float(writer *w, double number)
{
    char text[TL_NUMBER_MAX];
    if (isnan(number) || isinf(number)) {
        tl_buf_adds(w->out, isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
        return;
    }
    tl_number_format(number, 'g', -1, 64, text);
    tl_buf_adds(w->out, text);
    if (!strpbrk(text, ".e")) tl_buf_adds(w->out, ".0");
}

static int write_list(writer *w, tl_value value)
{
    tl_buf_addc(w->out, '[');
    for (size_t i = 0; i < value.as.list->len; i++) {
        if (i) tl_buf_adds(w->out, ", ");
        if (write_element(w, plain(value.as.list->items[i]))) return -1;
    }
    tl_buf_addc(w->out, ']');
    return 0;
}

static int write_object(writer *w, tl_value value)
{
    tl_buf text = TL_BUF_INIT(1u << 20);
    if (value.as.object->type == &tl_time_type) {
        const tl_gotime *time = value.as.object->data;
        tl_gotime_format(time, "2006-01-02T15:04:05.999999999Z07:00", 35, w->out);
        return 0;
    }
    if (value.as.object->type->kind == TL_KIND_COMPLEX)
        return tl_error_set(w->err, "usage", "unsupported type: %s", value.as.object->type->go_name);
    if (value.as.object->type->print) value.as.object->type->print(value.as.object, &text);
    add_quoted(w->out, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

static int too_large(writer *w)
{
    if (w->steps > MAX_STEPS || w->out->over) return tl_error_set(w->err, "limit", "the value is too large for TOML");
    return 0;
}

static int write_element(writer *w, tl_value value)
{
    if (too_large(w)) return -1;
    if (w->depth > MAX_DEPTH) return tl_error_set(w->err, "limit", "the value is nested too deeply for TOML");
    switch (value.type) {
    case TL_BOOL: tl_buf_adds(w->out, value.as.b ? "true" : "false"); return 0;
    case TL_INT:
        if (value.go == TL_GO_DURATION) {
            tl_buf_addc(w->out, '"');
            tl_duration_print(value.as.i, w->out);
            tl_buf_addc(w->out, '"');
        } else {
            tl_buf_addf(w->out, value.go == TL_GO_UINT64 ? "%llu" : "%lld", (long long)value.as.i);
        }
        return 0;
    case TL_FLOAT: write_float(w, value.as.d); return 0;
    case TL_STRING: add_quoted(w->out, value.as.s, value.len); return 0;
    case TL_BYTES:
        tl_buf_addc(w->out, '[');
        for (uint32_t i = 0; i < value.len; i++)
            tl_buf_addf(w->out, i ? ", %u" : "%u", (unsigned char)value.as.s[i]);
        tl_buf_addc(w->out, ']');
        return 0;
    case TL_LIST: {
        w->depth++;
        int status = write_list(w, value);
        w->depth--;
        return status;
    }
    case TL_MAP: return write_map(w, value, 1);
    case TL_OBJECT: return write_object(w, value);
    default: return nil_fault(w);
    }
}

static int write_pair(writer *w, tl_value value)
{
    if (w->key->len) {
        const tl_value *name = &w->key->items[w->key->len - 1];
        indent(w);
        add_key_part(w->out, name->as.s, name->len);
        tl_buf_adds(w->out, " = ");
    }
    if (write_element(w, value)) return -1;
    if (w->key->len) tl_buf_addc(w->out, '\n');
    return 0;
}

static int write_tables(writer *w, tl_value list)
{
    if (!w->key->len) return tl_error_set(w->err, "toml", "toml: top-level values must be Go maps or structs");
    for (size_t i = 0; i < list.as.list->len; i++) {
        newline(w);
        indent(w);
        tl_buf_adds(w->out, "[[");
        tl_toml_key(w->out, w->key);
        tl_buf_adds(w->out, "]]\n");
        if (write_map(w, plain(list.as.list->items[i]), 0)) return -1;
    }
    return 0;
}

static int write_value(writer *w, tl_value value)
{
    int fault = 0;
    if (value.type == TL_MAP) {
        if (w->key->len == 1) newline(w);
        if (w->key->len) {
            indent(w);
            tl_buf_addc(w->out, '[');
            tl_toml_key(w->out, w->key);
            tl_buf_adds(w->out, "]\n");
        }
        return write_map(w, value, 0);
    }
    if (value.type == TL_LIST && is_table_list(w, value, 0, &fault)) return write_tables(w, value);
    return fault ? nil_fault(w) : write_pair(w, value);
}

/* One of a map's two groups, the plain values or the tables. */
typedef struct group {
    tl_entry **entries;
    size_t len;
} group;

static int write_group(writer *w, const group *g, int inlined, int more_follow)
{
    for (size_t i = 0; i < g->len; i++) {
        tl_value value = plain(g->entries[i]->value);
        if (value.type == TL_NULL) continue;
        if (inlined) {
            add_key_part(w->out, g->entries[i]->key, g->entries[i]->key_len);
            tl_buf_adds(w->out, " = ");
            if (write_element(w, value)) return -1;
            if (more_follow || i + 1 < g->len) tl_buf_adds(w->out, ", ");
            continue;
        }
        tl_list_push(w->arena, w->key, tl_string_ref(g->entries[i]->key, g->entries[i]->key_len));
        if (write_value(w, value)) return -1;
        w->key->len--;
    }
    return 0;
}

static int write_map(writer *w, tl_value map, int inlined)
{
    uint32_t count = map.as.map->count;
    tl_entry **sorted = tl_map_sorted(map.as.map, w->arena);
    group direct = {tl_arena_alloc(w->arena, (count + 1) * sizeof *sorted), 0};
    group below = {tl_arena_alloc(w->arena, (count + 1) * sizeof *sorted), 0};
    int fault = 0;
    if (too_large(w)) return -1;
    if (++w->depth > MAX_DEPTH) return tl_error_set(w->err, "limit", "the value is nested too deeply for TOML");
    for (uint32_t i = 0; i < count; i++) {
        tl_value value = plain(sorted[i]->value);
        int table = value.type == TL_MAP || (value.type == TL_LIST && is_table_list(w, value, 0, &fault));
        group *g = table ? &below : &direct;
        g->entries[g->len++] = sorted[i];
    }
    if (fault) return nil_fault(w);
    if (inlined) tl_buf_addc(w->out, '{');
    if (write_group(w, &direct, inlined, below.len > 0) || write_group(w, &below, inlined, 0)) return -1;
    if (inlined) tl_buf_addc(w->out, '}');
    w->depth--;
    return 0;
}

int tl_toml_write(tl_buf *out, tl_value value, tl_error *err)
{
    tl_arena *arena = tl_arena_new(0);
    writer w = {.out = out, .arena = arena, .key = tl_list_new(arena, 8), .err = err};
    int status = write_value(&w, plain(value));
    tl_arena_free(arena);
    return status;
}

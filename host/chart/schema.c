/* Values against values.schema.json: JSON Schema, draft 4 to 2020-12 (helm.sh/helm/v3/pkg/chartutil/jsonschema.go). */
#include "chart/schema.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "chart/schema_fault.h"
#include "chart/schema_format.h"
#include "chart/schema_meta.h"
#include "chart/schema_ref.h"
#include "chart/text.h"
#include "data/json.h"
#include "template/regex.h"

#define MAX_DEPTH 256
#define MAX_STEPS 5000000

typedef struct checker {
    tl_arena *arena;
    tl_value root; /* the schema document */
    int draft;     /* 4, 6, 7, 2019, 2020 */
    int depth;
    long steps;
    int formats;   /* formats are asserted, as drafts up to 7 do */
    const char *broken; /* the schema itself is wrong: what helm says of it */
} checker;

/* Which parts of one value some keyword has looked at, for unevaluatedProperties and unevaluatedItems. */
typedef struct seen {
    tl_map *props;
    unsigned char *items;
} seen;

/* One schema applied to one value. */
typedef struct frame {
    checker *c;
    const tl_map *schema;
    tl_value value;
    const char *path;
    seen *seen;
    tl_fault *faults; /* a group */
} frame;

static tl_fault *check(checker *c, tl_value schema, tl_value value, const char *path, seen *outer);

static tl_value *keyword(const frame *f, const char *name)
{
    return tl_map_gets(f->schema, name);
}

static void fail(frame *f, const char *text)
{
    tl_fault_add(f->faults, tl_fault_new(f->c->arena, f->path, text));
}

static double number_of(tl_value value)
{
    return value.type == TL_INT ? (value.go == TL_GO_UINT64 ? (double)(uint64_t)value.as.i : (double)value.as.i) : value.as.d;
}

static int is_number(tl_value value)
{
    return value.type == TL_INT || value.type == TL_FLOAT;
}

static int equal(tl_value a, tl_value b)
{
    if (is_number(a) && is_number(b)) return number_of(a) == number_of(b);
    if (a.type != b.type) return 0;
    if (a.type == TL_LIST) {
        if (a.as.list->len != b.as.list->len) return 0;
        for (size_t i = 0; i < a.as.list->len; i++)
            if (!equal(a.as.list->items[i], b.as.list->items[i])) return 0;
        return 1;
    }
    if (a.type != TL_MAP) return tl_value_equal(a, b);
    if (a.as.map->count != b.as.map->count) return 0;
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(a.as.map, &cursor));) {
        tl_value *other = tl_map_get(b.as.map, e->key, e->key_len);
        if (!other || !equal(e->value, *other)) return 0;
    }
    return 1;
}

/* A token of a JSON pointer behind a path. */
static const char *below(frame *f, const char *key, size_t length)
{
    char *token = tl_arena_alloc(f->c->arena, length * 2 + 1), *at = token;
    for (size_t i = 0; i < length; i++) {
        if (key[i] == '~' || key[i] == '/') *at++ = '~';
        *at++ = key[i] == '~' ? '0' : key[i] == '/' ? '1' : key[i];
    }
    *at = 0;
    return tl_arena_printf(f->c->arena, "%s/%s", f->path, token);
}

static const char *below_index(frame *f, size_t index)
{
    return tl_arena_printf(f->c->arena, "%s/%zu", f->path, index);
}

/* ---- type, const, enum, format: the first that fails ends the check ---- */

static const char *const type_names[] = {"null", "boolean", "number", "integer", "string", "array", "object"};

static const char *type_of(tl_value value)
{
    switch (value.type) {
    case TL_NULL: return "null";
    case TL_BOOL: return "boolean";
    case TL_INT:
    case TL_FLOAT: return "number";
    case TL_LIST: return "array";
    case TL_MAP: return "object";
    default: return "string";
    }
}

static int wants_type(tl_value types, const char *name)
{
    if (types.type == TL_STRING) return tl_value_is(types, name);
    for (size_t i = 0; types.type == TL_LIST && i < types.as.list->len; i++)
        if (tl_value_is(types.as.list->items[i], name)) return 1;
    return 0;
}

static const char *type_fault(frame *f, tl_value types)
{
    const char *got = type_of(f->value), *wanted = NULL;
    if (wants_type(types, got)) return NULL;
    if (is_number(f->value) && wants_type(types, "integer") &&
        floor(number_of(f->value)) == number_of(f->value)) return NULL;
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (wants_type(types, type_names[i]))
            wanted = wanted ? tl_arena_printf(f->c->arena, "%s or %s", wanted, type_names[i]) : type_names[i];
    return wanted ? tl_arena_printf(f->c->arena, "got %s, want %s", got, wanted) : NULL;
}

static const char *enum_fault(frame *f, const tl_list *values)
{
    const char *list = NULL;
    int plain = 1;
    for (size_t i = 0; i < values->len; i++) {
        tl_value item = values->items[i];
        if (equal(f->value, item)) return NULL;
        if (item.type == TL_LIST || item.type == TL_MAP) plain = 0;
        const char *shown = tl_fault_display(f->c->arena, item);
        list = list ? tl_arena_printf(f->c->arena, "%s, %s", list, shown) : shown;
    }
    if (!plain || !list) return "'enum' failed";
    return tl_arena_printf(f->c->arena, "value must be %s%s", values->len == 1 ? "" : "one of ", list);
}

static const char *const_fault(frame *f, tl_value wanted)
{
    if (equal(f->value, wanted)) return NULL;
    if (wanted.type == TL_LIST || wanted.type == TL_MAP) return "'const' failed";
    return tl_arena_printf(f->c->arena, "value must be %s", tl_fault_display(f->c->arena, wanted));
}

static const char *format_fault(frame *f, tl_value name)
{
    if ((f->c->draft > 7 && !f->c->formats) || name.type != TL_STRING || f->value.type != TL_STRING) return NULL;
    const char *format = tl_arena_strndup(f->c->arena, name.as.s, name.len);
    const char *why = tl_schema_format_fault(f->c->arena, format, tl_arena_strndup(f->c->arena, f->value.as.s,
            f->value.len));
    if (!why) return NULL;
    return tl_arena_printf(f->c->arena, "%s is not valid %s: %s", tl_fault_display(f->c->arena, f->value), format, why);
}

static const char *first_fault(frame *f)
{
    const char *text = NULL;
    tl_value *k;
    if ((k = keyword(f, "type"))) text = type_fault(f, *k);
    if (!text && (k = keyword(f, "const"))) text = const_fault(f, *k);
    if (!text && (k = keyword(f, "enum")) && k->type == TL_LIST) text = enum_fault(f, k->as.list);
    if (!text && (k = keyword(f, "format"))) text = format_fault(f, *k);
    return text;
}

/* ---- $ref ---- */

static tl_fault *check_ref(frame *f, tl_value ref)
{
    if (ref.type != TL_STRING) return NULL;
    const char *name = tl_arena_strndup(f->c->arena, ref.as.s, ref.len);
    tl_value *target = tl_schema_resolve(f->c->arena, &f->c->root, name, &f->c->broken);
    if (!target) return NULL;
    tl_fault *fault = check(f->c, *target, f->value, f->path, f->seen);
    if (!fault) return NULL;
    tl_fault *wrapped = tl_fault_new(f->c->arena, f->path, NULL);
    wrapped->is_ref = 1;
    if (fault->text || fault->is_ref)
        tl_fault_add(wrapped, fault);
    else
        wrapped->causes = fault->causes;
    return wrapped;
}

/* ---- objects ---- */

static int matches(checker *c, const char *pattern, size_t length, const char *text, size_t size)
{
    char why[256];
    long bounds[2];
    tl_regex *regex = tl_regex_new(pattern, length, why, sizeof why);
    if (!regex) {
        if (!c->broken) c->broken = tl_arena_strdup(c->arena, why);
        return 0;
    }
    int found = tl_regex_match(regex, text, size, 0, bounds, 0);
    tl_regex_free(regex);
    return found;
}

/* The names of `required` that the object lacks, quoted and joined; NULL for none. */
static const char *missing_names(frame *f, tl_value required, int *count)
{
    const char *names = NULL;
    *count = 0;
    for (size_t i = 0; required.type == TL_LIST && i < required.as.list->len; i++) {
        tl_value name = required.as.list->items[i];
        if (name.type != TL_STRING || tl_map_get(f->value.as.map, name.as.s, name.len)) continue;
        const char *quoted = tl_fault_quote(f->c->arena, name.as.s, name.len);
        names = names ? tl_arena_printf(f->c->arena, "%s, %s", names, quoted) : quoted;
        ++*count;
    }
    return names;
}

static void mark_prop(frame *f, const tl_entry *e)
{
    if (f->seen->props) tl_map_set(f->seen->props, e->key, e->key_len, tl_bool(1));
}

/* One property against properties, patternProperties, additionalProperties; 0 where it is refused as additional. */
static int check_property(frame *f, const tl_entry *e)
{
    tl_value *props = keyword(f, "properties"), *patterns = keyword(f, "patternProperties");
    tl_value *additional = keyword(f, "additionalProperties"), *own = NULL;
    int evaluated = 0;
    if (props && props->type == TL_MAP) own = tl_map_get(props->as.map, e->key, e->key_len);
    if (own) {
        tl_fault_add(f->faults, check(f->c, *own, e->value, below(f, e->key, e->key_len), NULL));
        evaluated = 1;
    }
    uint32_t cursor = 0;
    for (tl_entry *p; patterns && patterns->type == TL_MAP && (p = tl_map_next(patterns->as.map, &cursor));) {
        if (!matches(f->c, p->key, p->key_len, e->key, e->key_len)) continue;
        tl_fault_add(f->faults, check(f->c, p->value, e->value, below(f, e->key, e->key_len), NULL));
        evaluated = 1;
    }
    if (!evaluated && additional) {
        if (additional->type == TL_BOOL && !additional->as.b) return 0;
        tl_fault_add(f->faults, check(f->c, *additional, e->value, below(f, e->key, e->key_len), NULL));
        evaluated = 1;
    }
    if (evaluated) mark_prop(f, e);
    return 1;
}

static void check_properties(frame *f)
{
    const char *extra = NULL;
    for (tl_entry **e = tl_map_sorted(f->value.as.map, f->c->arena); *e; e++) {
        if (check_property(f, *e)) continue;
        const char *quoted = tl_fault_quote(f->c->arena, (*e)->key, (*e)->key_len);
        extra = extra ? tl_arena_printf(f->c->arena, "%s, %s", extra, quoted) : quoted;
        mark_prop(f, *e);
    }
    if (extra) fail(f, tl_arena_printf(f->c->arena, "additional properties %s not allowed", extra));
}

/* dependencies, dependentRequired, dependentSchemas: name → names or schema. */
static void check_dependents(frame *f, const char *name)
{
    tl_value *map = keyword(f, name);
    uint32_t cursor = 0;
    for (tl_entry *e; map && map->type == TL_MAP && (e = tl_map_next(map->as.map, &cursor));) {
        int count;
        if (!tl_map_get(f->value.as.map, e->key, e->key_len)) continue;
        if (e->value.type != TL_LIST) {
            tl_fault_add(f->faults, check(f->c, e->value, f->value, f->path, f->seen));
            continue;
        }
        const char *missing = missing_names(f, e->value, &count);
        if (missing)
            fail(f, tl_arena_printf(f->c->arena, "properties %s required, if %s exists", missing,
                                    tl_fault_quote(f->c->arena, e->key, e->key_len)));
    }
}

static void check_names(frame *f)
{
    tl_value *names = keyword(f, "propertyNames");
    for (tl_entry **e = tl_map_sorted(f->value.as.map, f->c->arena); names && *e; e++) {
        tl_fault *why = check(f->c, *names, tl_string_ref((*e)->key, (*e)->key_len), "", NULL);
        if (!why) continue;
        tl_fault *fault = tl_fault_new(f->c->arena, f->path,
                                       tl_arena_printf(f->c->arena, "invalid propertyName %s",
                                                       tl_fault_quote(f->c->arena, (*e)->key, (*e)->key_len)));
        if (why->text || why->is_ref)
            tl_fault_add(fault, why);
        else
            fault->causes = why->causes;
        tl_fault_add(f->faults, fault);
    }
}

/* A count against a bound: "minItems: got 1, want 2". */
static void check_count(frame *f, const char *name, size_t got, int is_minimum)
{
    tl_value *bound = keyword(f, name);
    if (!bound || !is_number(*bound)) return;
    if (is_minimum ? (double)got >= number_of(*bound) : (double)got <= number_of(*bound)) return;
    fail(f, tl_arena_printf(f->c->arena, "%s: got %s, want %s", name, tl_fault_number(f->c->arena, (double)got),
                            tl_fault_number(f->c->arena, number_of(*bound))));
}

static void check_object(frame *f)
{
    int count;
    tl_value *required = keyword(f, "required");
    check_count(f, "minProperties", f->value.as.map->count, 1);
    check_count(f, "maxProperties", f->value.as.map->count, 0);
    const char *missing = required ? missing_names(f, *required, &count) : NULL;
    if (missing) fail(f, tl_arena_printf(f->c->arena, "missing propert%s %s", count == 1 ? "y" : "ies", missing));
    check_dependents(f, "dependencies");
    check_properties(f);
    check_names(f);
    check_dependents(f, "dependentSchemas");
    check_dependents(f, "dependentRequired");
}

/* ---- lists ---- */

static void mark_item(frame *f, size_t index)
{
    if (f->seen->items) f->seen->items[index] = 1;
}

static void check_item(frame *f, tl_value schema, size_t index)
{
    tl_fault_add(f->faults, check(f->c, schema, f->value.as.list->items[index], below_index(f, index), NULL));
    mark_item(f, index);
}

static void check_unique(frame *f, const tl_list *list)
{
    tl_value *unique = keyword(f, "uniqueItems");
    if (!unique || unique->type != TL_BOOL || !unique->as.b) return;
    for (size_t i = 1; i < list->len; i++)
        for (size_t j = 0; j < i; j++)
            if (++f->c->steps < MAX_STEPS && equal(list->items[i], list->items[j])) {
                fail(f, tl_arena_printf(f->c->arena, "items at %zu and %zu are equal", j, i));
                return;
            }
}

static void check_contains(frame *f, const tl_list *list)
{
    tl_value *contains = keyword(f, "contains"), *least = keyword(f, "minContains"), *most = keyword(f, "maxContains");
    const char *hits = "";
    size_t count = 0;
    tl_fault *fault = tl_fault_new(f->c->arena, f->path, "no items match contains schema");
    if (!contains) return;
    for (size_t i = 0; i < list->len; i++) {
        tl_fault *why = check(f->c, *contains, list->items[i], below_index(f, i), NULL);
        tl_fault_add(fault, why);
        if (why) continue;
        if (f->c->draft >= 2020) mark_item(f, i);
        hits = tl_arena_printf(f->c->arena, "%s%s%zu", hits, count++ ? " " : "", i);
    }
    if (least && is_number(*least)) {
        long want = (long)number_of(*least);
        fault->text = count ? tl_arena_printf(f->c->arena,
                                              "min %ld items required to match contains schema, but matched %zu items "
                                              "at %s", want, count, hits)
                            : tl_arena_printf(f->c->arena,
                                              "min %ld items required to match contains schema, but none matched",
                                                  want);
        if ((long)count < want) tl_fault_add(f->faults, fault);
    } else if (!count) {
        tl_fault_add(f->faults, fault);
    }
    if (most && is_number(*most) && (double)count > number_of(*most))
        fail(f, tl_arena_printf(f->c->arena,
                                "max %ld items required to match contains schema, but matched %zu items at %s",
                                (long)number_of(*most), count, hits));
}

static void check_list(frame *f)
{
    const tl_list *list = f->value.as.list;
    tl_value *items = keyword(f, "items"), *prefix = keyword(f, "prefixItems"), *rest = keyword(f, "additionalItems");
    size_t done = 0;
    check_count(f, "minItems", list->len, 1);
    check_count(f, "maxItems", list->len, 0);
    check_unique(f, list);
    if (f->c->draft < 2020) { /* before 2020-12 a list of items was what prefixItems is now */
        prefix = items && items->type == TL_LIST ? items : NULL;
        items = prefix ? rest : items;
        if (!prefix && items) rest = NULL;
    }
    for (; prefix && prefix->type == TL_LIST && done < prefix->as.list->len && done < list->len; done++)
        check_item(f, prefix->as.list->items[done], done);
    if (items && f->c->draft < 2020 && items == rest && items->type == TL_BOOL && !items->as.b) {
        if (done < list->len)
            fail(f, tl_arena_printf(f->c->arena, "last %zu additionalItem(s) not allowed", list->len - done));
    } else if (items) {
        for (; done < list->len; done++) check_item(f, *items, done);
    }
    check_contains(f, list);
}

/* ---- strings, numbers ---- */

static void check_string(frame *f)
{
    tl_value *pattern = keyword(f, "pattern");
    size_t length = tl_utf8_count(f->value.as.s, f->value.len);
    check_count(f, "minLength", length, 1);
    check_count(f, "maxLength", length, 0);
    if (!pattern || pattern->type != TL_STRING) return;
    if (!matches(f->c, pattern->as.s, pattern->len, f->value.as.s, f->value.len))
        fail(f, tl_arena_printf(f->c->arena, "%s does not match pattern %s", tl_fault_display(f->c->arena, f->value),
                                tl_fault_quote(f->c->arena, pattern->as.s, pattern->len)));
}

static void check_number(frame *f)
{
    static const char *const names[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"};
    double got = number_of(f->value);
    for (int i = 0; i < 5; i++) {
        tl_value *bound = keyword(f, names[i]);
        const char *name = names[i];
        if (!bound || !is_number(*bound)) continue;
        double want = number_of(*bound), parts = want != 0 ? got / want : 0;
        int strict = i == 2 || i == 3;
        if (i < 2 && f->c->draft == 4) { /* there the bound's strictness is a keyword of its own */
            tl_value *exclusive = keyword(f, names[i + 2]);
            strict = exclusive && exclusive->type == TL_BOOL && exclusive->as.b;
            if (strict) name = names[i + 2];
        }
        int bad = i == 4 ? floor(parts) != parts : i % 2 == 0 ? (strict ? got <= want : got < want)
                                                              : (strict ? got >= want : got > want);
        if (bad)
            fail(f, tl_arena_printf(f->c->arena, "%s: got %s, want %s", name, tl_fault_number(f->c->arena, got),
                                    tl_fault_number(f->c->arena, want)));
    }
}

/* ---- combinations ---- */

/* allOf, anyOf, oneOf. */
static void check_combined(frame *f, const char *name, const char *text)
{
    tl_value *list = keyword(f, name);
    size_t passed = 0, first = 0;
    if (!list || list->type != TL_LIST || !list->as.list->len) return;
    tl_fault *fault = tl_fault_new(f->c->arena, f->path, text);
    for (size_t i = 0; i < list->as.list->len; i++) {
        tl_fault *why = check(f->c, list->as.list->items[i], f->value, f->path, f->seen);
        tl_fault_add(fault, why);
        if (why) continue;
        if (*name == 'o' && passed) {
            fail(f, tl_arena_printf(f->c->arena, "'oneOf' failed, subschemas %zu, %zu matched", first, i));
            return;
        }
        if (!passed++) first = i;
    }
    if (*name == 'a' && name[1] == 'l' ? passed < list->as.list->len : !passed) tl_fault_add(f->faults, fault);
}

static void check_conditions(frame *f)
{
    tl_value *not = keyword(f, "not"), *condition = keyword(f, "if"), *branch;
    seen unused = {0};
    if (not && !check(f->c, *not, f->value, f->path, &unused)) fail(f, "'not' failed");
    check_combined(f, "allOf", "'allOf' failed");
    check_combined(f, "anyOf", "'anyOf' failed");
    check_combined(f, "oneOf", "'oneOf' failed, none matched");
    if (!condition || f->c->draft < 7) return;
    branch = keyword(f, check(f->c, *condition, f->value, f->path, f->seen) ? "else" : "then");
    if (branch) tl_fault_add(f->faults, check(f->c, *branch, f->value, f->path, f->seen));
}

static void check_unevaluated(frame *f)
{
    tl_value *props = keyword(f, "unevaluatedProperties"), *items = keyword(f, "unevaluatedItems");
    if (props && f->value.type == TL_MAP)
        for (tl_entry **e = tl_map_sorted(f->value.as.map, f->c->arena); *e; e++) {
            if (tl_map_get(f->seen->props, (*e)->key, (*e)->key_len)) continue;
            tl_fault_add(f->faults, check(f->c, *props, (*e)->value, below(f, (*e)->key, (*e)->key_len), NULL));
            mark_prop(f, *e);
        }
    if (items && f->value.type == TL_LIST)
        for (size_t i = 0; i < f->value.as.list->len; i++)
            if (!f->seen->items[i]) check_item(f, *items, i);
}

static void check_keywords(frame *f)
{
    tl_value *ref = keyword(f, "$ref");
    if (ref) tl_fault_add(f->faults, check_ref(f, *ref));
    if (ref && f->c->draft < 2019) return; /* there it stands alone */
    if (f->value.type == TL_MAP) check_object(f);
    if (f->value.type == TL_LIST) check_list(f);
    if (f->value.type == TL_STRING) check_string(f);
    if (is_number(f->value)) check_number(f);
    if ((ref = keyword(f, "$recursiveRef")) || (ref = keyword(f, "$dynamicRef")))
        tl_fault_add(f->faults, check_ref(f, *ref));
    check_conditions(f);
    if (f->c->draft >= 2019) check_unevaluated(f);
}

static void share_seen(seen *outer, const seen *inner, tl_value value)
{
    uint32_t cursor = 0;
    if (outer->props && inner->props)
        for (tl_entry *e; (e = tl_map_next(inner->props, &cursor));) tl_map_set(outer->props, e->key, e->key_len,
                                                                                e->value);
    if (outer->items && inner->items)
        for (size_t i = 0; i < value.as.list->len; i++) outer->items[i] |= inner->items[i];
}

/* NULL where the value satisfies the schema. `outer`: what the schema around it has seen of the same value; NULL
 * where the value is a part. */
static tl_fault *check(checker *c, tl_value schema, tl_value value, const char *path, seen *outer)
{
    seen own = {0};
    if (schema.type == TL_BOOL) return schema.as.b ? NULL : tl_fault_new(c->arena, path, "false schema");
    if (schema.type != TL_MAP || c->broken) return NULL;
    if (c->depth >= MAX_DEPTH || ++c->steps > MAX_STEPS || tl_arena_over(c->arena)) {
        c->broken = "the schema refers to itself without end, or is too large";
        return NULL;
    }
    if (value.type == TL_MAP) own.props = tl_map_new(c->arena, 0);
    if (value.type == TL_LIST) own.items = tl_arena_zalloc(c->arena, value.as.list->len + 1);
    frame f = {c, schema.as.map, value, path, &own, tl_fault_new(c->arena, path, NULL)};
    int alone = c->draft < 2019 && keyword(&f, "$ref");
    const char *text = alone ? NULL : first_fault(&f);
    if (text) return tl_fault_new(c->arena, path, text);
    c->depth++;
    check_keywords(&f);
    c->depth--;
    if (!f.faults->causes) {
        if (outer) share_seen(outer, &own, value);
        return NULL;
    }
    return f.faults->causes->next ? f.faults : f.faults->causes;
}

/* -1 with what is wrong between two other texts. */
static int refuse(const checker *c, tl_fault *fault, const char *before, const char *after, tl_error *err)
{
    tl_fault *whole = fault;
    if (fault->text || fault->is_ref) {
        whole = tl_fault_new(c->arena, "", NULL);
        tl_fault_add(whole, fault);
    }
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_fault_print(&text, whole);
    tl_error_set(err, "chart", "%s%s%s", before, text.data, after);
    tl_buf_dispose(&text);
    return -1;
}

/* Whether the document is a schema. */
static int check_meta(tl_arena *arena, tl_value root, const tl_schema_draft *draft, tl_error *err)
{
    if (tl_schema_is_plain(arena, root, draft)) return 0;
    checker c = {.arena = arena, .draft = draft->number, .root = tl_schema_meta(arena, draft), .formats = 1};
    tl_fault *fault = check(&c, c.root, root, "", NULL);
    if (!fault) return 0;
    const char *before = tl_arena_printf(arena, "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema "
                                         "validation failed with '%s#'\n", draft->url);
    return refuse(&c, fault, before, "", err);
}

static int read_schema(checker *c, const char *schema, size_t size, tl_error *err)
{
    tl_json_options options = {.numbers = TL_JSON_EXACT, .go_messages = 1};
    if (!tl_json_parse(c->arena, schema, size, &options, &c->root, err)) return 0;
    if (err && err->message && strstr(err->message, " after top-level value")) {
        tl_error_set(err, "chart", "invalid character after top-level value");
    } else if (err && err->message && !strcmp(err->message, "unexpected end of JSON input")) {
        size_t blank = 0;
        while (blank < size && strchr(" \t\r\n", schema[blank])) blank++;
        tl_error_set(err, "chart", "%s", blank == size ? "EOF" : "unexpected EOF");
    }
    return -1;
}

static int unknown_draft(tl_value root, tl_error *err)
{
    const tl_value *url = tl_map_gets(root.as.map, "$schema");
    int is_web = url->len > 4 && !memcmp(url->as.s, "http", 4);
    return tl_error_set(err, "chart", is_web ? "failing loading \"%.*s\": schemas of schemas are not fetched here"
                                             : "failing loading \"%.*s\": no URLLoader registered for \"%.*s\"",
                        (int)url->len, url->as.s, (int)url->len, url->as.s);
}

int tl_schema_check(tl_arena *arena, const char *schema, size_t size, const tl_map *values, tl_error *err)
{
    checker c = {.arena = arena};
    if (read_schema(&c, schema, size, err)) return -1;
    const tl_schema_draft *draft = tl_schema_draft_of(c.root);
    if (!draft) return unknown_draft(c.root, err);
    if (check_meta(arena, c.root, draft, err)) return -1;
    c.draft = draft->number;
    tl_fault *fault = check(&c, c.root, tl_map_value((tl_map *)values), "", NULL);
    if (c.broken) return tl_error_set(err, "chart", "%s", c.broken);
    return fault ? refuse(&c, fault, "", "\n", err) : 0;
}

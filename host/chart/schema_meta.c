/* What the drafts of JSON Schema say of schemas themselves. */
#include "chart/schema_meta.h"

#include <string.h>

#include "chart/schema_format.h"
#include "data/json.h"

#define TYPES "'enum':['array','boolean','integer','null','number','object','string']"
#define STRING "{'type':'string'}"
#define NUMBER "{'type':'number'}"
#define BOOL "{'type':'boolean'}"
#define ARRAY "{'type':'array'}"
#define SELF "{'$ref':'#'}"
#define REGEX "{'type':'string','format':'regex'}"
#define MAP_OF(schema) "{'type':'object','additionalProperties':" schema "}"
#define EITHER(one, other) "{'anyOf':[" one "," other "]}"
#define PART(folder, name) "{'$ref':'#/" folder "/" name "'}"
#define TYPE(folder)                                                                                                     \
    EITHER(PART(folder, "simpleTypes"),                                                                                  \
           "{'type':'array','items':" PART(folder, "simpleTypes") ",'minItems':1,'uniqueItems':true}")

/* Drafts 4 to 7 are one document each. */
#define OLD(name) PART("definitions", name)
#define OLD_PARTS(strings)                                                                                               \
    "'definitions':{'schemaArray':{'type':'array','minItems':1,'items':" SELF "},"                                       \
    "'count':{'type':'integer','minimum':0},'count0':{'allOf':[" OLD("count") ",{}]},"                                   \
    "'simpleTypes':{" TYPES "},'stringArray':{'type':'array','items':" STRING "," strings "'uniqueItems':true}}"
#define OLD_COUNTS                                                                                                       \
    "'maxLength':" OLD("count") ",'minLength':" OLD("count0") ",'maxItems':" OLD("count") ",'minItems':" OLD("count0")   \
    ",'maxProperties':" OLD("count") ",'minProperties':" OLD("count0") ",'uniqueItems':" BOOL ",'pattern':" REGEX
#define OLD_COMMON                                                                                                       \
    "'title':" STRING ",'description':" STRING ",'maximum':" NUMBER ",'minimum':" NUMBER "," OLD_COUNTS                  \
    ",'items':" EITHER(SELF, OLD("schemaArray")) ",'required':" OLD("stringArray") ",'definitions':" MAP_OF(SELF)        \
    ",'properties':" MAP_OF(SELF) ",'dependencies':" MAP_OF(EITHER(SELF, OLD("stringArray")))                            \
    ",'enum':{'type':'array','minItems':1,'uniqueItems':true},'type':" TYPE("definitions")                               \
    ",'allOf':" OLD("schemaArray") ",'anyOf':" OLD("schemaArray") ",'oneOf':" OLD("schemaArray") ",'not':" SELF          \
    ",'format':" STRING ",'$ref':" STRING ",'$schema':" STRING

#define DRAFT_4                                                                                                          \
    "{" OLD_PARTS("'minItems':1,") ",'type':'object','properties':{" OLD_COMMON ",'id':" STRING                          \
    ",'multipleOf':{'type':'number','minimum':0,'exclusiveMinimum':true},'exclusiveMaximum':" BOOL                       \
    ",'exclusiveMinimum':" BOOL ",'patternProperties':" MAP_OF(SELF) ",'additionalItems':" EITHER(BOOL, SELF)            \
    ",'additionalProperties':" EITHER(BOOL, SELF) "},"                                                                   \
    "'dependencies':{'exclusiveMaximum':['maximum'],'exclusiveMinimum':['minimum']}}"
#define OLD_NEWER                                                                                                        \
    OLD_COMMON ",'$id':" STRING ",'multipleOf':{'type':'number','exclusiveMinimum':0},'exclusiveMaximum':" NUMBER        \
    ",'exclusiveMinimum':" NUMBER ",'additionalItems':" SELF ",'contains':" SELF ",'additionalProperties':" SELF         \
    ",'propertyNames':" SELF
#define DRAFT_6                                                                                                          \
    "{" OLD_PARTS("") ",'type':['object','boolean'],'properties':{" OLD_NEWER ",'patternProperties':" MAP_OF(SELF) "}}"
#define DRAFT_7                                                                                                          \
    "{" OLD_PARTS("") ",'type':['object','boolean'],'properties':{" OLD_NEWER                                            \
    ",'patternProperties':{'type':'object','additionalProperties':" SELF ",'propertyNames':{'format':'regex'}}"          \
    ",'$comment':" STRING ",'readOnly':" BOOL ",'writeOnly':" BOOL ",'examples':" ARRAY ",'contentMediaType':" STRING    \
    ",'contentEncoding':" STRING ",'if':" SELF ",'then':" SELF ",'else':" SELF "}}"

/* Later drafts are made of vocabularies, which all look at the same document. */
#define NEW(name) PART("$defs", name)
#define VOCABULARY(properties) "{'type':['object','boolean'],'properties':{" properties "}}"
#define REFERENCE "'type':'string','format':'uri-reference'"
#define CORE(anchor, more)                                                                                               \
    VOCABULARY("'$id':{" REFERENCE ",'pattern':'^[^#]*#?$'},'$schema':" STRING ",'$ref':{" REFERENCE "},"               \
               "'$anchor':{'type':'string','pattern':'" anchor "'},'$comment':" STRING ",'$defs':" MAP_OF(SELF)         \
               ",'$vocabulary':" MAP_OF(BOOL) "," more)
#define APPLICATOR(more)                                                                                                 \
    VOCABULARY("'contains':" SELF ",'additionalProperties':" SELF ",'properties':" MAP_OF(SELF)                          \
               ",'patternProperties':{'type':'object','additionalProperties':" SELF                                     \
               ",'propertyNames':{'format':'regex'}},'dependentSchemas':" MAP_OF(SELF) ",'propertyNames':" SELF          \
               ",'if':" SELF ",'then':" SELF ",'else':" SELF ",'allOf':" NEW("schemaArray") ",'anyOf':"                 \
               NEW("schemaArray") ",'oneOf':" NEW("schemaArray") ",'not':" SELF "," more)
#define VALIDATION                                                                                                       \
    VOCABULARY("'type':" TYPE("$defs") ",'enum':" ARRAY ",'multipleOf':{'type':'number','exclusiveMinimum':0}"          \
               ",'maximum':" NUMBER ",'exclusiveMaximum':" NUMBER ",'minimum':" NUMBER ",'exclusiveMinimum':" NUMBER     \
               ",'maxLength':" NEW("count") ",'minLength':" NEW("count") ",'pattern':" REGEX ",'maxItems':" NEW("count") \
               ",'minItems':" NEW("count") ",'uniqueItems':" BOOL ",'maxContains':" NEW("count") ",'minContains':"       \
               NEW("count") ",'maxProperties':" NEW("count") ",'minProperties':" NEW("count") ",'required':"             \
               NEW("stringArray") ",'dependentRequired':" MAP_OF(NEW("stringArray")))
#define META_DATA                                                                                                        \
    VOCABULARY("'title':" STRING ",'description':" STRING ",'deprecated':" BOOL ",'readOnly':" BOOL ",'writeOnly':"      \
               BOOL ",'examples':" ARRAY)
#define CONTENT VOCABULARY("'contentMediaType':" STRING ",'contentEncoding':" STRING ",'contentSchema':" SELF)
#define NEW_PARTS                                                                                                        \
    "'validation':" VALIDATION ",'meta-data':" META_DATA ",'format':" VOCABULARY("'format':" STRING) ",'content':"       \
    CONTENT ",'schemaArray':{'type':'array','minItems':1,'items':" SELF "},'count':{'type':'integer','minimum':0},"      \
    "'simpleTypes':{" TYPES "},'stringArray':{'type':'array','items':" STRING ",'uniqueItems':true}"
#define NEW_PROPERTIES                                                                                                   \
    "'definitions':" MAP_OF(SELF) ",'dependencies':" MAP_OF(EITHER(SELF, NEW("stringArray")))

#define DRAFT_2019                                                                                                       \
    "{'allOf':[" NEW("core") "," NEW("applicator") "," NEW("validation") "," NEW("meta-data") "," NEW("format") ","      \
    NEW("content") "],'type':['object','boolean'],'properties':{" NEW_PROPERTIES "},'$defs':{'core':"                    \
    CORE("^[A-Za-z][-A-Za-z0-9.:_]*$", "'$recursiveRef':{" REFERENCE "},'$recursiveAnchor':" BOOL) ",'applicator':"      \
    APPLICATOR("'additionalItems':" SELF ",'unevaluatedItems':" SELF ",'items':" EITHER(SELF, NEW("schemaArray"))        \
               ",'unevaluatedProperties':" SELF) "," NEW_PARTS "}}"
#define ANCHOR "^[A-Za-z_][-A-Za-z0-9._]*$"
#define DRAFT_2020                                                                                                       \
    "{'allOf':[" NEW("core") "," NEW("applicator") "," NEW("unevaluated") "," NEW("validation") "," NEW("meta-data") "," \
    NEW("format") "," NEW("content") "],'type':['object','boolean'],'properties':{" NEW_PROPERTIES                       \
    ",'$recursiveAnchor':{'type':'string','pattern':'" ANCHOR "'},'$recursiveRef':{" REFERENCE "}},'$defs':{'core':"     \
    CORE(ANCHOR, "'$dynamicRef':{" REFERENCE "},'$dynamicAnchor':{'type':'string','pattern':'" ANCHOR "'}")              \
    ",'applicator':" APPLICATOR("'prefixItems':" NEW("schemaArray") ",'items':" SELF) ",'unevaluated':"                  \
    VOCABULARY("'unevaluatedItems':" SELF ",'unevaluatedProperties':" SELF) "," NEW_PARTS "}}"

static const tl_schema_draft drafts[] = {
    {"https://json-schema.org/draft/2020-12/schema", 2020, DRAFT_2020},
    {"https://json-schema.org/draft/2019-09/schema", 2019, DRAFT_2019},
    {"http://json-schema.org/draft-07/schema", 7, DRAFT_7},
    {"http://json-schema.org/draft-06/schema", 6, DRAFT_6},
    {"http://json-schema.org/draft-04/schema", 4, DRAFT_4},
};

const tl_schema_draft *tl_schema_draft_of(tl_value root)
{
    tl_value *named = root.type == TL_MAP ? tl_map_gets(root.as.map, "$schema") : NULL;
    if (!named || named->type != TL_STRING) return &drafts[0];
    size_t length = named->len && named->as.s[named->len - 1] == '#' ? named->len - 1 : named->len;
    static const char newest[] = "://json-schema.org/schema";
    const char *url = memmem(named->as.s, length, "://", 3);
    length -= url ? (size_t)(url - named->as.s) : 0;
    if (url && length == strlen(newest) && !memcmp(url, newest, length)) return &drafts[0];
    for (size_t i = 0; url && i < sizeof drafts / sizeof *drafts; i++) {
        const char *known = strstr(drafts[i].url, "://");
        if (strlen(known) == length && !memcmp(known, url, length)) return &drafts[i];
    }
    return NULL;
}

tl_value tl_schema_meta(tl_arena *arena, const tl_schema_draft *draft)
{
    tl_value meta = tl_null();
    size_t length = strlen(draft->meta);
    char *text = tl_arena_strndup(arena, draft->meta, length);
    for (char *c = text; *c; c++)
        if (*c == '\'') *c = '"';
    tl_json_parse(arena, text, length, NULL, &meta, NULL);
    return meta;
}

/* ---- schemas of the usual kind ---- */

typedef enum kind { ANY, TEXT, REGEX_TEXT, NUMERIC, COUNT, SWITCH, LIST, NAMES, ENUM, TYPE_NAMES, SCHEMA, SCHEMAS, SCHEMA_MAP,
                    PATTERN_MAP, DOUBT } kind;

/* Sorted by name. */
static const struct {
    const char *name;
    kind kind;
} keywords[] = {
    {"$anchor", DOUBT},           {"$comment", TEXT},          {"$defs", SCHEMA_MAP},         {"$dynamicAnchor", DOUBT},
    {"$dynamicRef", DOUBT},       {"$id", DOUBT},              {"$recursiveAnchor", DOUBT},   {"$recursiveRef", DOUBT},
    {"$ref", TEXT},               {"$schema", TEXT},           {"$vocabulary", DOUBT},        {"additionalItems", SCHEMA},
    {"additionalProperties", SCHEMA}, {"allOf", SCHEMAS},      {"anyOf", SCHEMAS},            {"contains", SCHEMA},
    {"contentEncoding", TEXT},    {"contentMediaType", TEXT},  {"contentSchema", SCHEMA},     {"definitions", SCHEMA_MAP},
    {"dependencies", DOUBT},      {"dependentRequired", DOUBT}, {"dependentSchemas", SCHEMA_MAP}, {"deprecated", SWITCH},
    {"description", TEXT},        {"else", SCHEMA},            {"enum", ENUM},                {"examples", LIST},
    {"exclusiveMaximum", NUMERIC}, {"exclusiveMinimum", NUMERIC}, {"format", TEXT},           {"id", DOUBT},
    {"if", SCHEMA},               {"items", SCHEMA},           {"maxContains", COUNT},        {"maxItems", COUNT},
    {"maxLength", COUNT},         {"maxProperties", COUNT},    {"maximum", NUMERIC},          {"minContains", COUNT},
    {"minItems", COUNT},          {"minLength", COUNT},        {"minProperties", COUNT},      {"minimum", NUMERIC},
    {"multipleOf", DOUBT},        {"not", SCHEMA},             {"oneOf", SCHEMAS},            {"pattern", REGEX_TEXT},
    {"patternProperties", PATTERN_MAP}, {"prefixItems", SCHEMAS}, {"properties", SCHEMA_MAP}, {"propertyNames", SCHEMA},
    {"readOnly", SWITCH},         {"required", NAMES},         {"then", SCHEMA},              {"title", TEXT},
    {"type", TYPE_NAMES},         {"unevaluatedItems", SCHEMA}, {"unevaluatedProperties", SCHEMA}, {"uniqueItems", SWITCH},
    {"writeOnly", SWITCH},
};

typedef struct walk {
    tl_arena *arena;
    int depth;
} walk;

static kind kind_of(const char *name)
{
    size_t low = 0, high = sizeof keywords / sizeof *keywords;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, keywords[middle].name);
        if (!order) return keywords[middle].kind;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return ANY;
}

static int is_type_name(tl_value value)
{
    static const char *const names[] = {"array", "boolean", "integer", "null", "number", "object", "string"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tl_value_is(value, names[i])) return 1;
    return 0;
}

static int all_differ(const tl_list *list)
{
    if (list->len > 64) return 0;
    for (size_t i = 0; i < list->len; i++)
        for (size_t j = 0; j < i; j++)
            if (tl_value_equal(list->items[i], list->items[j])) return 0;
    return 1;
}

static int all_strings(const tl_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->items[i].type != TL_STRING) return 0;
    return all_differ(list);
}

static int all_types(const tl_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        if (!is_type_name(list->items[i])) return 0;
    return list->len && all_differ(list);
}

/* Scalars of an enumeration that differ from each other. */
static int is_enumeration(const tl_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->items[i].type == TL_LIST || list->items[i].type == TL_MAP || list->items[i].type == TL_FLOAT) return 0;
    return list->len && all_differ(list);
}

static int is_plain(walk *w, tl_value schema);

static int all_plain(walk *w, const tl_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        if (!is_plain(w, list->items[i])) return 0;
    return list->len > 0;
}

static int is_regex(walk *w, const char *text, size_t length)
{
    return !tl_schema_format_fault(w->arena, "regex", tl_arena_strndup(w->arena, text, length));
}

static int map_is_plain(walk *w, const tl_map *map, int patterns)
{
    uint32_t cursor = 0;
    for (tl_entry *e; (e = tl_map_next(map, &cursor));)
        if (!is_plain(w, e->value) || (patterns && !is_regex(w, e->key, e->key_len))) return 0;
    return 1;
}

static int keyword_is_plain(walk *w, kind kind, tl_value value)
{
    int is_list = value.type == TL_LIST, is_map = value.type == TL_MAP;
    switch (kind) {
    case ANY: return 1;
    case TEXT: return value.type == TL_STRING;
    case REGEX_TEXT: return value.type == TL_STRING && is_regex(w, value.as.s, value.len);
    case NUMERIC: return value.type == TL_INT || value.type == TL_FLOAT;
    case COUNT: return value.type == TL_INT && value.go != TL_GO_UINT64 && value.as.i >= 0;
    case SWITCH: return value.type == TL_BOOL;
    case LIST: return is_list;
    case NAMES: return is_list && all_strings(value.as.list);
    case ENUM: return is_list && is_enumeration(value.as.list);
    case TYPE_NAMES: return is_list ? all_types(value.as.list) : is_type_name(value);
    case SCHEMA: return is_plain(w, value);
    case SCHEMAS: return is_list && all_plain(w, value.as.list);
    case SCHEMA_MAP: return is_map && map_is_plain(w, value.as.map, 0);
    case PATTERN_MAP: return is_map && map_is_plain(w, value.as.map, 1);
    default: return 0;
    }
}

static int is_plain(walk *w, tl_value schema)
{
    if (schema.type == TL_BOOL) return 1;
    if (schema.type != TL_MAP || w->depth > 64) return 0;
    uint32_t cursor = 0;
    int plain = 1;
    w->depth++;
    for (tl_entry *e; plain && (e = tl_map_next(schema.as.map, &cursor));)
        plain = keyword_is_plain(w, kind_of(e->key), e->value);
    w->depth--;
    return plain;
}

int tl_schema_is_plain(tl_arena *arena, tl_value root, const tl_schema_draft *draft)
{
    walk w = {arena, 0};
    return draft->number > 4 && is_plain(&w, root);
}

/* What the drafts of JSON Schema say of schemas themselves. */
#include "chart/schema_meta.h"

#include <string.h>

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

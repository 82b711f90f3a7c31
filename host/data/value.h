#ifndef TL_DATA_VALUE_H
#define TL_DATA_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"

/* The one tree for YAML, JSON, chart values, Kubernetes bodies and template data. A tl_value is 16 bytes, passed by
 * value; strings, lists and maps live in an arena and are freed with it. Lists and maps are shared references, as in
 * Go: a copy of the tl_value is the same list. */

typedef enum tl_type {
    TL_NULL, /* JSON null, Go nil */
    TL_BOOL,
    TL_INT,    /* any Go integer type, held as int64 (uint64 above INT64_MAX: go type TL_GO_UINT64, bits in i) */
    TL_FLOAT,  /* float64, float32 */
    TL_STRING, /* bytes with a length; a NUL inside is kept; UTF-8 is not guaranteed */
    TL_BYTES,  /* Go []byte */
    TL_LIST,
    TL_MAP,   /* keys are strings */
    TL_OBJECT /* a value with methods or of a foreign type: .Files, a time, a semver; see tl_object */
} tl_type;

/* The Go type a template sees; TL_GO_DEFAULT is what encoding/json and YAML values give: bool, int64 for TL_INT,
 * float64, string, []byte, []interface{}, map[string]interface{}. */
typedef enum tl_go {
    TL_GO_DEFAULT,
    TL_GO_INT,
    TL_GO_INT32,
    TL_GO_INT64, /* the same as the default of TL_INT */
    TL_GO_UINT,
    TL_GO_UINT8,
    TL_GO_UINT32,
    TL_GO_UINT64,
    TL_GO_RUNE,
    TL_GO_FLOAT32,
    TL_GO_STRINGS,    /* []string */
    TL_GO_INTS,       /* []int */
    TL_GO_STRING_MAP, /* map[string]string */
    TL_GO_NAMED_MAP,  /* common.Values and other named map[string]interface{} types */
    TL_GO_MAPS,       /* []map[string]interface{} */
    TL_GO_LISTS,      /* [][]interface{} */
    TL_GO_BOOL_MAP,   /* map[string]bool */
    TL_GO_DURATION,   /* time.Duration, nanoseconds in TL_INT */
    TL_GO_MONTH,      /* time.Month and time.Weekday in TL_INT */
    TL_GO_WEEKDAY,
    TL_GO_NO_VALUE    /* TL_NULL only: the absent map key of a template (prints <no value>) */
} tl_go;

typedef struct tl_list tl_list;
typedef struct tl_map tl_map;
typedef struct tl_object tl_object;

typedef struct tl_value {
    uint8_t type; /* tl_type */
    uint8_t go;   /* tl_go */
    uint16_t tag; /* free for the layer that owns the tree (source layer of a chart value …); copies keep it */
    uint32_t len; /* bytes of TL_STRING and TL_BYTES */
    union {
        int b;
        int64_t i;
        double d;
        const char *s; /* not NUL-ended in general */
        tl_list *list;
        tl_map *map;
        tl_object *object;
    } as;
} tl_value;

struct tl_list {
    tl_value *items;
    size_t len, cap;
    int nil; /* Go's nil slice: empty, but null in JSON */
};

typedef struct tl_entry {
    const char *key; /* NUL-ended for convenience; may hold NULs inside, key_len counts; NULL: deleted */
    uint32_t key_len;
    uint32_t hash;
    tl_value value;
} tl_entry;

/* Insertion order is kept in `entries` (deleted ones stay as holes until the map is rebuilt); `count` is the number of
 * live ones. Use tl_map_next to walk, never the array itself. */
struct tl_map {
    tl_entry *entries;
    uint32_t used, cap, count;
    uint32_t *index; /* open addressing, 0 = empty, else entry + 1; NULL while the map is small */
    uint32_t index_size;
    int nil; /* Go's nil map: empty, but null in JSON */
    tl_arena *arena;
};

/* One call of a method of an object. The arguments have been checked against the method's parameters; results are made
 * in `arena`. */
typedef struct tl_method_call {
    tl_object *self;
    tl_arena *arena;
    const tl_value *args;
    size_t count;
} tl_method_call;

/* A method as templates see it. `params` has one letter for each parameter: s string, i int, f float64, b bool,
 * a interface{}, m map[string]interface{}, l []interface{}; a final '*' makes the last one variadic ("sa*"). */
typedef struct tl_method {
    const char *name;
    const char *params;
    /* 0, or -1 with *err: its message follows "error calling NAME: ". */
    int (*call)(const tl_method_call *call, tl_value *out, tl_error *err);
} tl_method;

/* What Go's reflection says of a foreign type. */
typedef enum tl_object_kind {
    TL_KIND_STRUCT,  /* content is a map of the fields in the order of declaration */
    TL_KIND_POINTER, /* a pointer to such a struct: prints as &{…} */
    TL_KIND_COMPLEX, /* a complex128 */
    TL_KIND_MAP,     /* content is a map: len, range, index and key access go there */
    TL_KIND_SLICE    /* content is a list */
} tl_object_kind;

/* Values of foreign types carry a table of operations; tables are static. */
typedef struct tl_object_type {
    const char *go_name; /* as %T prints it: "time.Time", "engine.files" */
    tl_object_kind kind;
    const tl_method *methods; /* ended by a NULL name; or NULL */
    /* String() of Go, used wherever the value is printed; NULL: printed as its kind prints. */
    void (*print)(const tl_object *self, tl_buf *out);
    /* The plain data that toYaml and toJson write (json names, omitted fields); NULL: the content. */
    int (*plain)(const tl_object *self, tl_arena *arena, tl_value *out);
    /* Makes the content when it is first asked for; NULL: it is there from the start. */
    tl_value (*open)(const tl_object *self);
} tl_object_type;

struct tl_object {
    const tl_object_type *type;
    void *data;       /* belongs to the arena or to the table's owner */
    tl_value content; /* by kind: map or list; null where the type has neither fields nor items, or is not open yet */
};

tl_value tl_null(void);
tl_value tl_bool(int b);
tl_value tl_int(int64_t i);
tl_value tl_float(double d);
/* Borrows the bytes: they must live as long as the value. */
tl_value tl_string_ref(const char *text, size_t length);
tl_value tl_cstring_ref(const char *text);
/* Copies the bytes into the arena. */
tl_value tl_string(tl_arena *arena, const char *text, size_t length);
tl_value tl_cstring(tl_arena *arena, const char *text);
tl_value tl_list_value(tl_list *list);
tl_value tl_map_value(tl_map *map);
tl_value tl_object_value(tl_arena *arena, const tl_object_type *type, void *data, tl_value content);
/* The content, made now where nobody asked for it before. */
tl_value tl_object_content(tl_object *object);
/* The same value with another Go type. */
tl_value tl_as_go(tl_value value, tl_go go);

tl_list *tl_list_new(tl_arena *arena, size_t capacity);
void tl_list_push(tl_arena *arena, tl_list *list, tl_value value);

tl_map *tl_map_new(tl_arena *arena, size_t capacity);
/* NULL where the key is absent. The pointer is valid until the next set or delete. */
tl_value *tl_map_get(const tl_map *map, const char *key, size_t length);
tl_value *tl_map_gets(const tl_map *map, const char *key);
/* Replaces in place or appends; the key is copied. */
void tl_map_set(tl_map *map, const char *key, size_t length, tl_value value);
void tl_map_sets(tl_map *map, const char *key, tl_value value);
/* 1 where the key was there. */
int tl_map_delete(tl_map *map, const char *key, size_t length);
/* Walks in insertion order: start with *cursor = 0; NULL at the end. */
tl_entry *tl_map_next(const tl_map *map, uint32_t *cursor);
/* The live entries sorted by key bytes, in an arena array of map->count pointers. */
tl_entry **tl_map_sorted(const tl_map *map, tl_arena *arena);

/* Deep copy into `arena` (strings too). Objects are shared. Past the arena's limit lists and maps are cut short. */
tl_value tl_value_copy(tl_arena *arena, tl_value value);
/* The same for a value that lives as long as the copy: the bytes of strings and keys are shared, lists and maps copied. */
tl_value tl_value_fork(tl_arena *arena, tl_value value);
/* Deep equality of type and content, Go types ignored; 2 and 2.0 differ. */
int tl_value_equal(tl_value a, tl_value b);
/* Walks maps by keys: tl_value_path(v, "metadata", "name", NULL); NULL where a step is absent or no map. */
tl_value *tl_value_path(const tl_value *value, ...);
/* The NUL-ended string at a path as above, copied into the arena; `fallback` where absent or no string. */
const char *tl_value_text(tl_arena *arena, const tl_value *value, const char *fallback);
/* "null", "bool", "int", "float", "string", "bytes", "list", "map", "object" */
const char *tl_type_name(tl_type type);
int tl_value_is(tl_value value, const char *text); /* a string equal to `text` */

#endif

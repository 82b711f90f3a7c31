#ifndef TL_TEMPLATE_TEMPLATE_H
#define TL_TEMPLATE_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "data/value.h"

/* Go's text/template with the functions of helm 3.22 (Sprig 3.3 without env and expandenv, and helm's own). A set of
 * templates is parsed once; a render executes them, with memory and state of its own.
 *
 * Go types of the root value: the root and .Values are TL_GO_NAMED_MAP (chartutil.Values), tables inside plain maps;
 * .Files, .Capabilities and .Chart are objects (tl_object_value with a static tl_object_type). */

typedef struct tl_template_set tl_template_set;
typedef struct tl_template_render tl_template_render;

/* Free with tl_template_set_free, after the renders that use it. */
tl_template_set *tl_template_set_new(void);
void tl_template_set_free(tl_template_set *set);

/* Whose templates a set has: helm's, where an absent key is nil and "<no value>" is left out; or text/template's own, with
 * Sprig's functions or without. Helm until it is set, before the first template. */
typedef enum tl_template_language { TL_TEMPLATE_HELM, TL_TEMPLATE_SPRIG, TL_TEMPLATE_GO } tl_template_language;
void tl_template_set_language(tl_template_set *set, tl_template_language language);

/* A function that a caller adds to helm's, with any number of arguments. It fills *out, in the arena, and returns 0, or -1
 * with *err. */
typedef struct tl_template_function tl_template_function;
struct tl_template_function {
    const char *name;
    int (*call)(const tl_template_function *self, const tl_value *args, size_t count, tl_arena *arena, tl_value *out,
                tl_error *err);
    void *context;
};

/* Texts that are parsed from now on may call these, too: an array that ends with a NULL name and outlives the set, or
 * NULL. A function of helm's is never replaced. */
void tl_template_set_functions(tl_template_set *set, const tl_template_function *functions);
/* Whether helm has a function of that name. */
int tl_template_has_function(const char *name);

/* Parses `text`, which must outlive the set, under `name` (for a chart "CHART/templates/FILE"), with the templates
 * it defines; a template of a name that is there already is replaced unless the new one is empty, as in Go. -1 with kind
 * "template" and helm's message: "parse error at (FILE:LINE): …". */
int tl_template_parse(tl_template_set *set, const char *name, const char *text, size_t length, tl_error *err);

/* A text parsed ahead, on any thread, with memory from `arena`; `text` must outlive it. NULL where it has an error, or calls
 * what is no function of helm's: tl_template_parse says so when the text is parsed in its set. */
typedef struct tl_template_text tl_template_text;
tl_template_text *tl_template_text_new(tl_arena *arena, const char *text, size_t length);
/* As tl_template_parse of the text, which may be in any number of sets and must outlive them. */
int tl_template_add(tl_template_set *set, const char *name, const tl_template_text *text, tl_error *err);
/* 1 where a template of that name exists. */
int tl_template_defined(const tl_template_set *set, const char *name);

/* What a render needs from outside. Any callback may be NULL. */
typedef struct tl_template_outside {
    void *context;
    /* lookup APIVERSION KIND NAMESPACE NAME: query holds these four strings. 1 with *out (the object, its list, or an
     * empty map where there is none); 0 where the answer is not known yet: the render stops with kind "lookup"
     * and the caller fetches it and renders anew; -1 with *err. NULL: an empty map, as helm without a cluster. */
    int (*lookup)(void *context, const tl_value query[4], tl_arena *arena, tl_value *out, tl_error *err);
    /* getHostByName: 1 with *out, a list of the host's addresses; 0 where they are not known yet: "" is given for now, and
     * the caller renders anew. NULL: "", as helm without --enable-dns. */
    int (*resolve)(void *context, tl_value host, tl_value *out);
    /* Nanoseconds since 1970 in UTC. NULL: the system's clock. */
    int64_t (*now)(void *context);
    /* Random bytes. NULL: the system's. */
    int (*random)(void *context, void *out, size_t length, tl_error *err);
    /* Lint mode only: a line such as "Missing required value: …". */
    void (*notice)(void *context, const char *line);
    /* Asked every now and then: not 0 ends the render with kind "cancelled". */
    int (*stop)(void *context);
} tl_template_outside;

/* Asks where a line of an output comes from; a render that is asked is slower. */
typedef struct tl_template_wanted {
    const char *name; /* of the executed template */
    int line;         /* of its output, from 1 */
    tl_buf *places;   /* once it was executed: "FILE:LINE", then, where include or tpl gave the line, ", included in
                         FILE:LINE" and so on; nothing where there is no such line */
} tl_template_wanted;

typedef struct tl_template_options {
    tl_template_outside outside;
    const tl_template_wanted *wanted; /* or NULL */
    int lint;           /* required and fail give "" instead of an error; lookup is not asked */
    int strict;         /* an absent key of a map is an error */
    size_t max_output;  /* bytes of one template's output and of any string made; 0: 64 MiB */
    uint64_t max_steps; /* nodes executed by the render; 0: 500 million */
    uint64_t max_time;  /* milliseconds of the render; 0: no limit */
} tl_template_options;

/* A render takes its memory from `arena`, which must outlive it and whose limit bounds it; values that templates `set`
 * into shared maps live in the map's arena or in this one. options may be NULL and are copied. Free with
 * tl_template_render_free. */
tl_template_render *tl_template_render_new(tl_template_set *set, tl_arena *arena, const tl_template_options *options);
void tl_template_render_free(tl_template_render *render);

/* Appends the output of the named template with `root` as its dot and $; every "<no value>" is left out, as helm
 * does. Templates of one render share the maps they are given: what one sets, the next sees. Errors are of kind
 * "template" with helm's text ("template: FILE:LINE:COLUMN: executing "x" at <.a.b>: …", "execution error at
 * (FILE:LINE:COLUMN): …" of required and fail), "limit", or "lookup" (see above), "cancelled". Where a nil value stopped it, the hint
 * names the first absent key of the path and the nearest spelling. */
int tl_template_execute(tl_template_render *render, const char *name, tl_value root, tl_buf *out, tl_error *err);

/* Functions outside of templates that share the engine's meaning. */

/* 1 where the version satisfies the constraint ("^1.2", ">=1.19.0-0"), as Masterminds/semver; 0; -1 with kind "semver". */
int tl_semver_check(const char *constraint, const char *version, tl_error *err);
/* <0, 0, >0 by precedence; -2 where one of them is no version. */
int tl_semver_compare(const char *a, const char *b);
/* 1 where `name` matches the pattern as gobwas/glob with '/' as separator (.Files.Glob). */
int tl_glob_match(const char *pattern, const char *name, size_t length);
/* A time of Go from RFC 3339; the year 1 where the text is none. */
tl_value tl_go_time(tl_arena *arena, const char *text, size_t length);
/* Appends `value` as fmt's %v prints it. */
void tl_go_print(tl_buf *out, tl_value value);
/* Appends what fmt's Sprintf gives. */
void tl_go_sprintf(tl_buf *out, const char *format, size_t length, const tl_value *args, size_t count);
/* Appends the text as strconv.Quote gives it. */
void tl_go_quote(tl_buf *out, const char *text, size_t length);

#endif

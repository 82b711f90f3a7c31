#ifndef TL_TEMPLATE_INTERNAL_H
#define TL_TEMPLATE_INTERNAL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "template/gotime.h"
#include "template/template.h"

/* What the files of the engine share. Nobody outside host/template includes this. */

typedef struct tl_exec tl_exec;

/* While a value is evaluated this bit of tl_value.go says that Go's static type is interface{}: an element of
 * a map[string]interface{} or []interface{} that no pipeline has passed yet. A null with the bit is a nil interface, one
 * without it is Go's invalid value. Values stored in maps and lists and handed to functions do not carry it. */
#define TL_BOXED 0x80u

static inline tl_value tl_unboxed(tl_value value)
{
    value.go &= (uint8_t)~TL_BOXED;
    return value;
}

/* A function of templates: fills *out and returns 0, or -1 after tl_fail. `args` fit the parameters. */
typedef int (*tl_function_call)(tl_exec *x, const tl_value *args, size_t count, tl_value *out);

/* `params` as in tl_method, and: v any value, as reflect.Value; t time.Time; u uint32; c a certificate. */
typedef struct tl_function {
    const char *name;
    const char *params;
    tl_function_call call;
} tl_function;

/* The head of a function of that shape. */
#define TL_UNUSED __attribute__((unused))
#define TL_FUNCTION(name)                                                                                              \
    static int name(TL_UNUSED tl_exec *x, TL_UNUSED const tl_value *args, TL_UNUSED size_t count,                      \
                    TL_UNUSED tl_value *out)

/* One that a caller added; its `call` is NULL. */
typedef struct tl_added_function {
    tl_function base;
    const tl_template_function *added;
} tl_added_function;

/* NULL where there is none of that name. */
const tl_function *tl_function_find(const char *name, size_t length);
/* As above, in a language: NULL for what it has not. */
const tl_function *tl_function_find_in(tl_template_language language, const char *name, size_t length);
size_t tl_function_count(void);

/* ---- the parsed form ---- */

typedef enum tl_node_type {
    TL_NODE_TEXT,
    TL_NODE_ACTION, /* a pipe whose value is printed */
    TL_NODE_IF,
    TL_NODE_WITH,
    TL_NODE_RANGE,
    TL_NODE_TEMPLATE,
    TL_NODE_BREAK,
    TL_NODE_CONTINUE,
    TL_NODE_LIST,
    TL_NODE_PIPE,
    TL_NODE_COMMAND,
    TL_NODE_FIELD,
    TL_NODE_CHAIN,
    TL_NODE_VARIABLE,
    TL_NODE_IDENT,
    TL_NODE_DOT,
    TL_NODE_NIL,
    TL_NODE_BOOL,
    TL_NODE_NUMBER,
    TL_NODE_STRING,
    TL_NODE_END,
    TL_NODE_ELSE
} tl_node_type;

enum { TL_NUM_INT = 1, TL_NUM_UINT = 2, TL_NUM_FLOAT = 4, TL_NUM_COMPLEX = 8 };

typedef struct tl_span {
    const char *s;
    uint32_t len;
} tl_span;

typedef struct tl_node tl_node;
struct tl_node {
    uint8_t type;
    uint8_t flags; /* number: TL_NUM_*; pipe: 1 = assignment; bool: its value */
    uint16_t declared; /* pipe: number of variables in `vars` */
    uint32_t pos;      /* byte offset in the source, as Go's node has it */
    uint32_t count;    /* children in `items`, or parts in `names` */
    int32_t slot;      /* variable: its place in the frame, -1 where none was declared */
    /* Charts have very many nodes: each ends behind the last member that its type has. */
    union {
        struct {
            union {
                tl_node **items; /* list, command (arguments), pipe and action (commands; operands where they stand alone) */
                tl_span *names;  /* field, variable (without its own name), chain */
                tl_span written; /* text; string as written */
                struct {
                    int64_t i;
                    double d;
                } number;
                const tl_function *function; /* ident */
                tl_node *pipe;               /* template, or NULL */
            } as;
            union {
                tl_span text;   /* string unquoted, number as written, name of template, function, variable */
                tl_node **vars; /* pipe and action */
                tl_node *term;  /* chain */
            };
        };
        struct {
            tl_node *pipe, *body, *otherwise;
        } branch; /* if, with, range */
    };
};

typedef struct tl_source {
    const char *name; /* for messages: the file */
    const char *text;
    size_t length;
    const tl_template_function *functions; /* that it may call beside helm's, or NULL */
    tl_template_language language;
} tl_source;

typedef struct tl_template {
    tl_span name;
    const tl_source *source;
    tl_node *root; /* a list */
    uint32_t slots; /* variables a frame needs, $ included */
} tl_template;

/* Named templates; a tpl text has a scope of its own whose parent is the one it was called in. */
typedef struct tl_scope {
    struct tl_scope *parent;
    tl_map *index; /* name -> TL_INT position in `templates` */
    tl_template **templates;
    size_t count, cap;
    tl_arena *arena;
    tl_map *parsed; /* tpl texts called in this scope -> TL_INT position in `tpls` */
    struct tl_tpl *tpls;
    size_t tpl_count, tpl_cap;
} tl_scope;

typedef struct tl_tpl {
    tl_scope *scope;
    tl_template *main;
} tl_tpl;

tl_scope *tl_scope_new(tl_arena *arena, tl_scope *parent);
tl_template *tl_scope_find(const tl_scope *scope, const char *name, size_t length);
/* A text that was parsed and is in no scope yet. */
typedef struct tl_parsed {
    tl_arena *arena;
    tl_map *defined; /* names that the text defines -> TL_INT position in `own` */
    tl_template **own, *main;
    size_t count, cap;
} tl_parsed;

/* Parses with memory from `arena`. On errors returns -1 with Go's message in *message ("template: NAME:LINE: …"), made in
 * the arena. */
int tl_parse_text(tl_parsed *out, tl_arena *arena, const tl_source *source, const char **message);
/* Adds what was parsed to the scope, as coming from `source`; *main is the text's own template. Errors as above. */
int tl_scope_add(tl_scope *scope, const tl_parsed *parsed, const tl_source *source, tl_template **main,
                 const char **message);
/* Both. */
int tl_parse_source(tl_scope *scope, const tl_source *source, tl_template **main, const char **message);

/* Appends the node as Go's String() writes it. */
void tl_node_print(tl_buf *out, const tl_node *node);
/* The same of a node that is executed: of an action that is its pipeline. */
void tl_node_print_executed(tl_buf *out, const tl_node *node);

/* What a command of a pipe calls or gives. */
static inline const tl_node *tl_node_first(const tl_node *command)
{
    return command->type == TL_NODE_COMMAND ? command->as.items[0] : command;
}

/* ---- the lexer ---- */

typedef enum tl_token_type {
    TL_TOKEN_ERROR,
    TL_TOKEN_BOOL,
    TL_TOKEN_CHAR,
    TL_TOKEN_CHAR_CONSTANT,
    TL_TOKEN_COMPLEX,
    TL_TOKEN_ASSIGN,
    TL_TOKEN_DECLARE,
    TL_TOKEN_EOF,
    TL_TOKEN_FIELD,
    TL_TOKEN_IDENTIFIER,
    TL_TOKEN_LEFT_DELIM,
    TL_TOKEN_LEFT_PAREN,
    TL_TOKEN_NUMBER,
    TL_TOKEN_PIPE,
    TL_TOKEN_RAW_STRING,
    TL_TOKEN_RIGHT_DELIM,
    TL_TOKEN_RIGHT_PAREN,
    TL_TOKEN_STRING,
    TL_TOKEN_TEXT,
    TL_TOKEN_VARIABLE,
    TL_TOKEN_KEYWORD, /* keywords follow */
    TL_TOKEN_BLOCK,
    TL_TOKEN_BREAK,
    TL_TOKEN_CONTINUE,
    TL_TOKEN_DOT,
    TL_TOKEN_DEFINE,
    TL_TOKEN_ELSE,
    TL_TOKEN_END,
    TL_TOKEN_IF,
    TL_TOKEN_NIL,
    TL_TOKEN_RANGE,
    TL_TOKEN_TEMPLATE,
    TL_TOKEN_WITH
} tl_token_type;

typedef struct tl_token {
    uint16_t type;   /* tl_token_type */
    uint16_t spaced; /* blanks stand before it, which are a token of their own in Go */
    uint32_t pos;    /* from which tl_lexer_line makes the line that Go's tokens carry */
    tl_span val;
} tl_token;

typedef struct tl_lexer {
    const char *input;
    size_t length, pos, start;
    int paren_depth, inside, has_token, spaced;
    tl_arena *arena; /* error texts */
    tl_token token;
} tl_lexer;

void tl_lexer_init(tl_lexer *lexer, const char *input, size_t length, tl_arena *arena);
void tl_lexer_next(tl_lexer *lexer, tl_token *out);
/* The line, from 1, of a place in the input. */
int tl_lexer_line(const char *input, uint32_t pos);

/* ---- execution ---- */

struct tl_template_set {
    tl_arena *arena;
    tl_template_language language;
    const tl_template_function *functions;
    tl_scope *scope;
};

typedef enum tl_failure {
    TL_FAIL_NONE,
    TL_FAIL_TEMPLATE,
    TL_FAIL_PLAIN,
    TL_FAIL_LIMIT,
    TL_FAIL_LOOKUP,
    TL_FAIL_STOP
} tl_failure;

/* What wrote the output of the template that a render was asked for. */
typedef struct tl_trace tl_trace;

struct tl_template_render {
    tl_template_set *set;
    tl_arena *arena;
    tl_template_options options;
    tl_failure failure;
    const char *message; /* in the arena */
    const char *hint;
    uint64_t steps, next_check; /* and the step at which memory and clock are looked at again */
    double deadline; /* of tl_clock_ms; 0: none */
    const char *stack_base;
    tl_map *included; /* name -> depth */
    tl_scope *scope;  /* the set's templates, with this render's tpl texts */
    tl_trace *trace;  /* or NULL */
    tl_value *stack;  /* frames of variables */
    size_t stack_used, stack_cap;
    tl_map *regexes; /* pattern -> TL_INT position in `patterns` */
    struct tl_regex **patterns;
    size_t pattern_count, pattern_cap;
    tl_buf yaml; /* what toYaml writes into, kept since it is called so often */
};

/* One running template. */
struct tl_exec {
    tl_template_render *render;
    tl_arena *arena;
    const tl_template *tmpl;
    const tl_node *node; /* the current one, for errors */
    tl_scope *scope;
    size_t frame; /* first variable in render->stack */
    tl_buf *out;
    int depth;
};

/* Runs a template found in x->scope with a new frame. */
int tl_exec_template(tl_exec *x, const tl_template *tmpl, tl_value dot, tl_buf *out);
/* Sets the plain message of a failed function; returns -1. */
int tl_fail(tl_exec *x, const char *format, ...) TL_PRINTF(2, 3);
/* Sets the message of a failed node, with place and context; returns -1. */
int tl_exec_error(tl_exec *x, const char *format, ...) TL_PRINTF(2, 3);
/* A bound was met: stops the whole render. A function that goes on nevertheless gives a result that nobody sees. */
int tl_limit(tl_exec *x, const char *format, ...) TL_PRINTF(2, 3);
/* Books work that the number of executed nodes does not show, in steps; -1 where a bound of the render is met. */
int tl_spend(tl_exec *x, uint64_t steps);
/* Work of one call that is slow by itself, such as a key: the clock is looked at. */
#define TL_SLOW 1024
/* The items of a list, or the comparisons, that one call may make. */
#define TL_MAX_ITEMS 1000000

/* ---- where output comes from (trace.c); only tl_trace_begin may be called where the render has no trace ---- */

typedef struct tl_trace_mark {
    size_t segments, texts;
} tl_trace_mark;

tl_trace *tl_trace_new(tl_arena *arena, const tl_template_wanted *wanted);
/* What x->out holds from `from` on was written by the node. */
void tl_trace_wrote(tl_exec *x, const tl_node *node, size_t from);
/* Around a template whose output is written behind that of its caller, at `from`, and then taken from there. */
tl_trace_mark tl_trace_begin(const tl_exec *x);
void tl_trace_end(tl_exec *x, tl_trace_mark mark, size_t from);
/* Appends the places of the wanted line of what `out` holds from `from` on. */
void tl_trace_report(const tl_trace *trace, const tl_buf *out, size_t from);

/* What stands after the first word of a command. */
typedef struct tl_operands {
    tl_value dot;
    tl_node *const *args; /* without the first word */
    size_t count;
    int has_final;
    tl_value final; /* what the pipeline hands on */
} tl_operands;

/* A function, or a method of `self`; `node` is the place of its errors. */
typedef struct tl_callee {
    const char *name, *params;
    const tl_function *function;
    const tl_method *method;
    tl_object *self;
    const tl_node *node;
} tl_callee;

int tl_eval_call(tl_exec *x, const tl_callee *callee, const tl_operands *operands, tl_value *out);
/* The value of an argument for a parameter (0: of any type). */
int tl_eval_arg(tl_exec *x, tl_value dot, char param, const tl_node *node, tl_value *out);
int tl_eval_pipeline(tl_exec *x, tl_value dot, const tl_node *pipe, tl_value *out);
int tl_eval_field(tl_exec *x, const tl_node *node, const tl_operands *operands, tl_value *out);
int tl_eval_chain(tl_exec *x, const tl_node *node, const tl_operands *operands, tl_value *out);
int tl_eval_variable(tl_exec *x, const tl_node *node, const tl_operands *operands, tl_value *out);
int tl_eval_function(tl_exec *x, const tl_node *ident, const tl_node *command, const tl_operands *operands,
                     tl_value *out);
/* The value of a number whose type is not known. */
int tl_ideal_constant(tl_exec *x, const tl_node *node, tl_value *out);

/* ---- values as Go sees them ---- */

static inline tl_value tl_go_int(int64_t i)
{
    return tl_as_go(tl_int(i), TL_GO_INT);
}

/* %T: "int64", "map[string]interface {}"; "<nil>" of nil. */
const char *tl_go_type(tl_value value);
/* As tl_go_type, but "interface {}" for a boxed value. */
const char *tl_go_static_type(tl_value value);
/* reflect's Kind().String(): "map", "slice", "invalid" … */
const char *tl_go_kind(tl_value value);
/* The truth of if, with, and, or, not. */
int tl_truth(tl_value value);
/* Sprig's empty(). */
int tl_empty(tl_value value);
/* Objects of kind map or slice stand for their content; everything else is itself. */
tl_value tl_content(tl_value value);
/* The Go type of the items of a list, or of the values of a map; TL_BOXED is set where they are interfaces. */
tl_value tl_item(tl_value list, size_t position);
tl_value tl_map_item(tl_value map, const tl_value *found);
/* reflect.DeepEqual. */
int tl_deep_equal(tl_exec *x, tl_value a, tl_value b);
tl_value tl_make_string(tl_exec *x, const char *text, size_t length);
/* Takes over the buffer's content into the arena and disposes the buffer. */
int tl_take_string(tl_exec *x, tl_buf *buf, tl_value *out);
/* A buffer bounded by the render's limit. */
tl_buf tl_text_buf(const tl_exec *x);

/* %v of one value, Sprig's strval, and Sprint. */
void tl_go_print_nested(tl_buf *out, tl_value value, int depth);
void tl_go_sprint(tl_buf *out, const tl_value *args, size_t count, int line);
/* The bytes of strval(value): borrowed from strings, else made in the arena. */
tl_span tl_strval(tl_exec *x, tl_value value);
/* toStrings: nil items are left out. */
int tl_to_strings(tl_exec *x, tl_value value, tl_list **out);
/* strings.SplitN; a negative limit: all parts, of which TL_MAX_ITEMS are allowed. */
tl_list *tl_split(tl_exec *x, tl_value text, tl_value separator, int64_t limit);
/* spf13/cast's conversions, errors giving 0. */
int64_t tl_cast_int(tl_value value);
double tl_cast_float(tl_value value);

/* For the JSON and YAML writers: the plain data of an object; the context is an arena. */
int tl_plain_object(void *context, tl_value object, tl_value *out, tl_error *err);

/* Time values (date.c). */
extern const tl_object_type tl_time_type;
tl_value tl_time_value(tl_arena *arena, tl_gotime time);
/* Whether a value is an integer of a named type (time.Duration, time.Month, time.Weekday); *self is then what its
 * methods and its String() take. */
int tl_named_int(tl_object *self, tl_value value);
int64_t tl_now(tl_exec *x); /* nanoseconds */
int tl_random(tl_exec *x, void *out, size_t length);
/* A number below `limit`, all equally likely. */
int tl_random_below(tl_exec *x, uint64_t limit, uint64_t *out);
/* What deepCopy makes of a version: its fields are private, so that none is copied. Other values stay as they are. */
tl_value tl_semver_copy(tl_arena *arena, tl_value value);
extern const tl_object_type tl_certificate_type;
/* Maps of TL_GO_NAMED_MAP have this type's methods. */
extern const tl_object_type tl_values_type;

/* As tl_go_quote, with another quote, or with escapes for all that is not ASCII. */
void tl_go_quote_with(tl_buf *out, const char *text, size_t length, char quote, int ascii);
void tl_go_quote_rune(tl_buf *out, uint32_t rune, int ascii);

/* Edits between two words, counted up to `limit`. */
size_t tl_edit_distance(const char *a, size_t a_length, const char *b, size_t b_length, size_t limit);

/* Reads Go's quoted forms ("…", `…`), into the arena where the bytes are not those of the text; -1 where the syntax is
 * wrong. */
int tl_unquote(tl_arena *arena, const char *text, size_t length, tl_span *out);
/* A character constant with its quotes; -1 where it is wrong. */
int tl_unquote_char(const char *text, size_t length, uint32_t *out);

#endif

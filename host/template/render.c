/* Sets of templates and their renders: the public face of the engine. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "template/internal.h"
#include "template/regex.h"

#define DEFAULT_OUTPUT (64u << 20)
#define DEFAULT_STEPS 500000000u
#define WARN_START "HELM_ERR_START"
#define WARN_END "HELM_ERR_END"

tl_template_set *tl_template_set_new(void)
{
    tl_template_set *set = tl_calloc(1, sizeof *set);
    set->arena = tl_arena_new(0);
    set->scope = tl_scope_new(set->arena, NULL);
    return set;
}

void tl_template_set_free(tl_template_set *set)
{
    if (!set) return;
    tl_arena_free(set->arena);
    free(set);
}

void tl_template_set_functions(tl_template_set *set, const tl_template_function *functions)
{
    set->functions = functions;
}

void tl_template_set_language(tl_template_set *set, tl_template_language language)
{
    set->language = language;
}

int tl_template_has_function(const char *name)
{
    return tl_function_find(name, strlen(name)) != NULL;
}

/* "template: FILE:LINE: a: b: text" becomes "parse error at (FILE:LINE): text". */
static void clean_parse_error(const char *message, tl_error *err)
{
    const char *place = strstr(message, ": "), *text = NULL;
    if (place) place += 2;
    for (const char *at = place; at && (at = strstr(at, ": ")); at += 2) text = at;
    if (!text) {
        tl_error_set(err, "template", "parse error in (%s)", message);
        return;
    }
    const char *end = strstr(place, ": ");
    tl_error_set(err, "template", "parse error at (%.*s): %s", (int)(end - place), place, text + 2);
}

#define MAX_TEXT (UINT32_MAX / 2)

static tl_source *source_of(tl_template_set *set, const char *name, const char *text, size_t length)
{
    tl_source *source = tl_arena_alloc(set->arena, sizeof *source);
    *source = (tl_source){tl_arena_strdup(set->arena, name), text, length, set->functions, set->language};
    return source;
}

int tl_template_parse(tl_template_set *set, const char *name, const char *text, size_t length, tl_error *err)
{
    tl_template *main;
    const char *message;
    if (length > MAX_TEXT) return tl_error_set(err, "limit", "the template \"%s\" is too large", name);
    if (!tl_parse_source(set->scope, source_of(set, name, text, length), &main, &message)) return 0;
    if (set->language != TL_TEMPLATE_HELM) return tl_error_set(err, "template", "%s", message);
    clean_parse_error(message, err);
    return -1;
}

struct tl_template_text {
    tl_source source; /* without a name */
    tl_parsed parsed;
};

tl_template_text *tl_template_text_new(tl_arena *arena, const char *text, size_t length)
{
    const char *message;
    tl_template_text *made = tl_arena_alloc(arena, sizeof *made);
    made->source = (tl_source){.name = "", .text = text, .length = length};
    return length > MAX_TEXT || tl_parse_text(&made->parsed, arena, &made->source, &message) ? NULL : made;
}

int tl_template_add(tl_template_set *set, const char *name, const tl_template_text *text, tl_error *err)
{
    tl_template *main;
    const char *message;
    const tl_source *source = source_of(set, name, text->source.text, text->source.length);
    if (!tl_scope_add(set->scope, &text->parsed, source, &main, &message)) return 0;
    clean_parse_error(message, err);
    return -1;
}

int tl_template_defined(const tl_template_set *set, const char *name)
{
    return tl_scope_find(set->scope, name, strlen(name)) != NULL;
}

tl_template_render *tl_template_render_new(tl_template_set *set, tl_arena *arena, const tl_template_options *options)
{
    tl_template_render *render = tl_calloc(1, sizeof *render);
    render->set = set;
    render->arena = arena;
    if (options) render->options = *options;
    if (!render->options.max_output) render->options.max_output = DEFAULT_OUTPUT;
    if (!render->options.max_steps) render->options.max_steps = DEFAULT_STEPS;
    if (render->options.max_time) render->deadline = tl_clock_ms() + (double)render->options.max_time;
    tl_buf_init(&render->yaml, render->options.max_output);
    render->scope = tl_scope_new(arena, set->scope);
    render->included = tl_map_new(arena, 0);
    return render;
}

void tl_template_render_free(tl_template_render *render)
{
    if (!render) return;
    for (size_t i = 0; i < render->pattern_count; i++) tl_regex_free(render->patterns[i]);
    tl_buf_dispose(&render->yaml);
    free(render->patterns);
    free(render->stack);
    free(render);
}

/* Helm writes "<no value>" as nothing. */
static void drop_no_value(tl_buf *out, size_t from)
{
    static const char mark[] = "<no value>";
    const size_t width = sizeof mark - 1;
    char *data = out->data, *end = data + out->len;
    char *found = out->len > from ? memchr(data + from, '<', out->len - from) : NULL; /* faster where there is none */
    if (found) found = memmem(found, (size_t)(end - found), mark, width);
    if (!found) return;
    char *to = found;
    while (found) {
        char *next_part = found + width;
        found = memmem(next_part, (size_t)(end - next_part), mark, width);
        size_t length = (size_t)((found ? found : end) - next_part);
        memmove(to, next_part, length);
        to += length;
    }
    out->len = (size_t)(to - data);
    *to = 0;
}

/* Errors of required and fail lose the chain: "execution error at (FILE:LINE:COLUMN): text". */
static void clean_exec_error(const char *name, const char *message, tl_error *err)
{
    const char *place = strstr(message, ": "), *rest = place ? strstr(place + 2, ": ") : NULL;
    if (!rest) {
        tl_error_set(err, "template", "execution error in (%s): %s", name, message);
        return;
    }
    place += 2;
    const char *start = strstr(rest, WARN_START), *end = NULL;
    for (const char *at = start; at && (at = strstr(at, WARN_END)); at++) end = at;
    if (!start || !end) {
        tl_error_set(err, "template", "%s", message);
        return;
    }
    start += strlen(WARN_START);
    tl_error_set(err, "template", "execution error at (%.*s): %.*s", (int)(rest - place), place, (int)(end - start), start);
}

static int report(tl_template_render *r, const char *name, tl_error *err)
{
    switch (r->failure) {
    case TL_FAIL_LIMIT: return tl_error_set(err, "limit", "%s", r->message);
    case TL_FAIL_LOOKUP: return tl_error_set(err, "lookup", "%s", r->message);
    case TL_FAIL_STOP: return tl_error_set(err, "cancelled", "%s", r->message);
    default:
        if (r->set->language != TL_TEMPLATE_HELM)
            tl_error_set(err, "template", "%s", r->message);
        else
            clean_exec_error(name, r->message, err);
    }
    if (r->hint) tl_error_hint(err, "%s", r->hint);
    return -1;
}

int tl_template_execute(tl_template_render *r, const char *name, tl_value root, tl_buf *out, tl_error *err)
{
    char here;
    const tl_template *tmpl = tl_scope_find(r->scope, name, strlen(name));
    if (!tmpl) return tl_error_set(err, "template", "template: no template \"%s\" associated with template \"gotpl\"", name);
    tl_exec x = {.render = r, .arena = r->arena, .tmpl = tmpl, .scope = r->scope, .out = out};
    r->stack_base = &here;
    r->stack_used = 0;
    r->failure = TL_FAIL_NONE;
    r->hint = NULL;
    size_t from = out->len;
    const tl_template_wanted *wanted = r->options.wanted;
    r->trace = wanted && !strcmp(wanted->name, name) ? tl_trace_new(r->arena, wanted) : NULL;
    root.go &= (uint8_t)~TL_BOXED;
    size_t room = out->max;
    if (room > from && room - from > r->options.max_output) out->max = from + r->options.max_output;
    int status = tl_exec_template(&x, tmpl, root, out);
    out->max = room;
    if (status) return report(r, name, err);
    if (r->trace) tl_trace_report(r->trace, out, from);
    if (r->set->language == TL_TEMPLATE_HELM) drop_no_value(out, from);
    if (out->over) return tl_error_set(err, "limit", "the output of \"%s\" is too large", name);
    return 0;
}

/* ---- include, tpl, required, fail ---- */

#define INCLUDE_DEPTH 1000

static int fn_include(tl_exec *x, const tl_value *args, size_t count, tl_value *out)
{
    (void)count;
    const char *name = args[0].as.s;
    size_t length = args[0].len;
    const tl_template *tmpl = tl_scope_find(x->scope, name, length);
    tl_value *depth = tl_map_get(x->render->included, name, length);
    if (depth && depth->as.i > INCLUDE_DEPTH)
        return tl_fail(x, "rendering template has a nested reference name: %.*s: unable to execute template",
                       (int)length, name);
    tl_map_set(x->render->included, name, length, tl_int((depth ? depth->as.i : 0) + 1));
    int status;
    if (!tmpl) {
        tl_buf quoted = tl_text_buf(x);
        tl_go_quote(&quoted, name, length);
        status = tl_fail(x, "template: no template %s associated with template \"gotpl\"", quoted.data);
        tl_buf_dispose(&quoted);
    } else {
        /* The caller has written nothing of this action yet, so the text can be made at the end of its output. */
        size_t from = x->out->len;
        tl_trace_mark mark = tl_trace_begin(x);
        status = tl_exec_template(x, tmpl, args[1], x->out);
        if (x->render->trace && !status) tl_trace_end(x, mark, from);
        if (!status) *out = tl_string(x->arena, x->out->data + from, x->out->len - from);
        x->out->len = from;
        if (x->out->cap) x->out->data[from] = 0;
    }
    depth = tl_map_get(x->render->included, name, length);
    depth->as.i--;
    return status;
}

static int tpl_error(tl_exec *x, const char *what, tl_value text, const char *cause)
{
    tl_buf quoted = tl_text_buf(x);
    tl_go_quote(&quoted, text.as.s, text.len);
    tl_fail(x, "%s %s: %s", what, quoted.data, cause);
    tl_buf_dispose(&quoted);
    return -1;
}

/* The parsed form of a tpl text in the scope it is called in; each text is parsed once there. */
static tl_tpl *find_tpl(tl_exec *x, tl_value text)
{
    tl_scope *scope = x->scope;
    const tl_template_function *functions = x->tmpl->source->functions; /* the next chart may have others */
    tl_value *at = scope->parsed && !functions ? tl_map_get(scope->parsed, text.as.s, text.len) : NULL;
    if (at) return &scope->tpls[at->as.i];
    tl_source *source = tl_arena_alloc(x->arena, sizeof *source);
    *source = (tl_source){"gotpl", tl_arena_strndup(x->arena, text.as.s, text.len), text.len, functions, TL_TEMPLATE_HELM};
    tl_tpl made = {.scope = tl_scope_new(x->arena, scope)};
    const char *message;
    if (tl_parse_source(made.scope, source, &made.main, &message)) {
        tpl_error(x, "cannot parse template", text, message);
        return NULL;
    }
    if (!made.scope->count) made.scope = scope;
    if (!scope->parsed) scope->parsed = tl_map_new(scope->arena, 0);
    if (scope->tpl_count == scope->tpl_cap) {
        size_t cap = scope->tpl_cap ? scope->tpl_cap * 2 : 8;
        scope->tpls = tl_arena_grow(scope->arena, scope->tpls, scope->tpl_cap * sizeof made, cap * sizeof made);
        scope->tpl_cap = cap;
    }
    if (!functions) tl_map_set(scope->parsed, text.as.s, text.len, tl_int((int64_t)scope->tpl_count));
    scope->tpls[scope->tpl_count] = made;
    return &scope->tpls[scope->tpl_count++];
}

static int fn_tpl(tl_exec *x, const tl_value *args, size_t count, tl_value *out)
{
    (void)count;
    *out = args[0];
    if (!args[0].len || !memmem(args[0].as.s, args[0].len, "{{", 2)) {
        if (!args[0].len || !memmem(args[0].as.s, args[0].len, "<no value>", 10)) return 0;
        tl_buf text = tl_text_buf(x);
        tl_buf_add(&text, args[0].as.s, args[0].len);
        drop_no_value(&text, 0);
        return tl_take_string(x, &text, out);
    }
    tl_tpl *found = find_tpl(x, args[0]);
    if (!found) return -1;
    tl_scope *outer = x->scope;
    const tl_template *main = found->main;
    x->scope = found->scope;
    size_t from = x->out->len;
    tl_trace_mark mark = tl_trace_begin(x);
    int status = tl_exec_template(x, main, args[1], x->out);
    x->scope = outer;
    if (!status) {
        drop_no_value(x->out, from);
        if (x->render->trace) tl_trace_end(x, mark, from);
        *out = tl_string(x->arena, x->out->data + from, x->out->len - from);
    }
    x->out->len = from;
    if (x->out->cap) x->out->data[from] = 0;
    if (!status) return 0;
    if (x->render->failure > TL_FAIL_TEMPLATE) return -1;
    return tpl_error(x, "error during tpl function execution for", args[0], x->render->message);
}

static int warn(tl_exec *x, const char *what, tl_value text, tl_value *out)
{
    tl_template_render *r = x->render;
    *out = tl_cstring_ref("");
    if (r->set->language != TL_TEMPLATE_HELM) return tl_fail(x, "%.*s", (int)text.len, text.as.s);
    if (!r->options.lint) return tl_fail(x, WARN_START "%.*s" WARN_END, (int)text.len, text.as.s);
    if (r->options.outside.notice)
        r->options.outside.notice(r->options.outside.context,
                                  tl_arena_printf(x->arena, "%s: %.*s", what, (int)text.len, text.as.s));
    return 0;
}

static int fn_required(tl_exec *x, const tl_value *args, size_t count, tl_value *out)
{
    (void)count;
    if (args[1].type == TL_NULL || (args[1].type == TL_STRING && !args[1].len))
        return warn(x, "Missing required value", args[0], out);
    *out = args[1];
    return 0;
}

static int fn_fail(tl_exec *x, const tl_value *args, size_t count, tl_value *out)
{
    (void)count;
    return warn(x, "Fail", args[0], out);
}

static int fn_lookup(tl_exec *x, const tl_value *args, size_t count, tl_value *out)
{
    (void)count;
    tl_template_render *r = x->render;
    *out = tl_map_value(tl_map_new(x->arena, 0));
    if (r->options.lint || !r->options.outside.lookup) return 0;
    tl_error err = {0};
    int status = r->options.outside.lookup(r->options.outside.context, args, x->arena, out, &err);
    if (status < 0) {
        tl_fail(x, "%s", err.message ? err.message : "lookup failed");
        tl_error_dispose(&err);
        return -1;
    }
    if (status) return 0;
    tl_fail(x, "lookup of %.*s %.*s %.*s/%.*s is not answered yet", (int)args[0].len, args[0].as.s, (int)args[1].len,
            args[1].as.s, (int)args[2].len, args[2].as.s, (int)args[3].len, args[3].as.s);
    r->failure = TL_FAIL_LOOKUP;
    return -1;
}

static int fn_get_host(tl_exec *x, const tl_value *args, size_t count, tl_value *out)
{
    (void)count;
    const tl_template_outside *outside = &x->render->options.outside;
    tl_value addresses;
    *out = tl_cstring_ref("");
    if (!outside->resolve || !outside->resolve(outside->context, args[0], &addresses)) return 0;
    if (addresses.type != TL_LIST || !addresses.as.list->len)
        return tl_fail(x, "invalid argument to Intn"); /* what Sprig's choice among none comes to */
    uint64_t index;
    if (tl_random_below(x, addresses.as.list->len, &index)) return -1;
    *out = addresses.as.list->items[index];
    return 0;
}

const tl_function tl_functions_render[] = {{"include", "sa", fn_include},   {"tpl", "sa", fn_tpl},
                                           {"required", "sa", fn_required}, {"fail", "s", fn_fail},
                                           {"lookup", "ssss", fn_lookup},   {"getHostByName", "s", fn_get_host},
                                           {NULL, NULL, NULL}};

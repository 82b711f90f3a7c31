/* Evaluates operands: fields, methods, arguments, calls. */
#include <string.h>

#include "template/internal.h"

#define FEW_ARGS 8

static const char *param_type(char param)
{
    switch (param) {
    case 's': return "string";
    case 'i': return "int";
    case 'f': return "float64";
    case 'b': return "bool";
    case 'm': return "map[string]interface {}";
    case 'l': return "[]interface {}";
    case 't': return "time.Time";
    case 'd': return "time.Duration";
    case 'u': return "uint32";
    case 'c': return "sprig.certificate";
    case 'v': return "reflect.Value";
    default: return "interface {}";
    }
}

static int can_be_nil(char param)
{
    return !param || strchr("amlv", param) != NULL;
}

static int assignable(tl_value value, char param)
{
    switch (param) {
    case 's': return value.type == TL_STRING;
    case 'i': return value.type == TL_INT && value.go == TL_GO_INT;
    case 'd': return value.type == TL_INT && value.go == TL_GO_DURATION;
    case 'u': return value.type == TL_INT && value.go == TL_GO_UINT32;
    case 'f': return value.type == TL_FLOAT && value.go != TL_GO_FLOAT32;
    case 'b': return value.type == TL_BOOL;
    case 'm': return value.type == TL_MAP && (value.go == TL_GO_DEFAULT || value.go == TL_GO_NAMED_MAP);
    case 'l': return value.type == TL_LIST && value.go == TL_GO_DEFAULT;
    case 't': return value.type == TL_OBJECT && value.as.object->type == &tl_time_type;
    case 'c': return value.type == TL_OBJECT && value.as.object->type == &tl_certificate_type;
    default: return 1;
    }
}

static int validate(tl_exec *x, tl_value value, char param, tl_value *out)
{
    *out = tl_unboxed(value);
    if (value.type == TL_NULL) {
        if (!(value.go & TL_BOXED)) {
            if (can_be_nil(param)) return 0;
            return tl_exec_error(x, "invalid value; expected %s", param_type(param));
        }
        if (!param || param == 'v') *out = value;
        if (!param || param == 'a' || param == 'v') return 0;
        return tl_exec_error(x, "wrong type for value; expected %s; got interface {}", param_type(param));
    }
    if (!param || param == 'v') {
        *out = value;
        return 0;
    }
    if (assignable(*out, param)) return 0;
    return tl_exec_error(x, "wrong type for value; expected %s; got %s", param_type(param), tl_go_type(*out));
}

static int expected(tl_exec *x, const char *what, const tl_node *node)
{
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_node_print(&text, node);
    tl_exec_error(x, "expected %s; found %s", what, text.data);
    tl_buf_dispose(&text);
    return -1;
}

static int eval_literal(tl_exec *x, char param, const tl_node *node, tl_value *out)
{
    int number = node->type == TL_NODE_NUMBER;
    switch (param) {
    case 'b':
        if (node->type != TL_NODE_BOOL) return expected(x, "bool", node);
        *out = tl_bool(node->flags);
        return 0;
    case 'f':
        if (!number || !(node->flags & TL_NUM_FLOAT)) return expected(x, "float", node);
        *out = tl_float(node->as.number.d);
        return 0;
    case 'i':
    case 'd':
        if (!number || !(node->flags & TL_NUM_INT)) return expected(x, "integer", node);
        *out = tl_as_go(tl_int(node->as.number.i), param == 'i' ? TL_GO_INT : TL_GO_DURATION);
        return 0;
    case 'u':
        if (!number || !(node->flags & TL_NUM_UINT)) return expected(x, "unsigned integer", node);
        *out = tl_as_go(tl_int((int64_t)(uint32_t)node->as.number.i), TL_GO_UINT32);
        return 0;
    case 's':
        if (node->type != TL_NODE_STRING) return expected(x, "string", node);
        *out = tl_string_ref(node->text.s, node->text.len);
        return 0;
    case 'a':
    case 'v':
        if (number) return tl_ideal_constant(x, node, out);
        *out = node->type == TL_NODE_BOOL ? tl_bool(node->flags) : tl_string_ref(node->text.s, node->text.len);
        return 0;
    default: break;
    }
    tl_buf text = TL_BUF_INIT(1 << 20);
    tl_node_print(&text, node);
    tl_exec_error(x, "can't handle %s for arg of type %s", text.data, param_type(param));
    tl_buf_dispose(&text);
    return -1;
}

int tl_eval_arg(tl_exec *x, tl_value dot, char param, const tl_node *node, tl_value *out)
{
    tl_operands none = {.dot = dot};
    tl_value value;
    x->node = node;
    switch (node->type) {
    case TL_NODE_DOT: return validate(x, dot, param, out);
    case TL_NODE_NIL:
        if (!can_be_nil(param)) return tl_exec_error(x, "cannot assign nil to %s", param_type(param));
        *out = tl_null();
        return 0;
    case TL_NODE_FIELD:
        value = dot;
        if (tl_eval_field(x, node, &none, &value)) return -1;
        return validate(x, value, param, out);
    case TL_NODE_VARIABLE:
        if (tl_eval_variable(x, node, &none, &value)) return -1;
        return validate(x, value, param, out);
    case TL_NODE_PIPE:
        if (tl_eval_pipeline(x, dot, node, &value)) return -1;
        return validate(x, value, param, out);
    case TL_NODE_IDENT:
        if (tl_eval_function(x, node, node, &none, &value)) return -1;
        return validate(x, value, param, out);
    case TL_NODE_CHAIN:
        if (tl_eval_chain(x, node, &none, &value)) return -1;
        return validate(x, value, param, out);
    default: return eval_literal(x, param, node, out);
    }
}

/* ---- calls ---- */

static size_t fixed_params(const char *params, int *variadic)
{
    size_t length = strlen(params);
    *variadic = length && params[length - 1] == '*';
    return *variadic ? length - 2 : length;
}

static char param_at(const char *params, size_t fixed, int variadic, size_t position)
{
    return variadic && position >= fixed ? params[fixed] : params[position];
}

/* and, or: arguments are evaluated until one decides. */
static int eval_short_circuit(tl_exec *x, const tl_operands *operands, int until, tl_value *out)
{
    *out = tl_null();
    for (size_t i = 0; i < operands->count; i++) {
        if (tl_eval_arg(x, operands->dot, 'v', operands->args[i], out)) return -1;
        if (tl_truth(*out) == until) return 0;
    }
    if (operands->has_final) *out = operands->final;
    return 0;
}

static int check_count(tl_exec *x, const tl_callee *callee, const tl_operands *operands, size_t fixed, int variadic)
{
    size_t given = operands->count + (size_t)operands->has_final;
    if (variadic && given < fixed)
        return tl_exec_error(x, "wrong number of args for %s: want at least %zu got %zu", callee->name, fixed,
                             operands->count);
    if (!variadic && given != fixed)
        return tl_exec_error(x, "wrong number of args for %s: want %zu got %zu", callee->name, fixed, given);
    return 0;
}

static int invoke(tl_exec *x, const tl_callee *callee, const tl_value *args, size_t count, tl_value *out)
{
    tl_error err = {0};
    if (callee->function && callee->function->call) return callee->function->call(x, args, count, out);
    if (callee->function) {
        const tl_template_function *added = ((const tl_added_function *)callee->function)->added;
        if (!added->call(added, args, count, x->arena, out, &err)) return 0;
    } else {
        tl_method_call call = {callee->self, x->arena, args, count};
        if (!callee->method->call(&call, out, &err)) return 0;
    }
    tl_fail(x, "%s", err.message ? err.message : "failed");
    tl_error_dispose(&err);
    return -1;
}

/* Long texts and lists take time that no node shows. */
static uint64_t weight(tl_value value)
{
    switch (value.type) {
    case TL_STRING:
    case TL_BYTES: return value.len / 256;
    case TL_LIST: return value.as.list->len / 16;
    case TL_MAP: return value.as.map->count / 16;
    default: return 0;
    }
}

static int book(tl_exec *x, const tl_value *args, size_t count, tl_value result)
{
    uint64_t steps = weight(result);
    for (size_t i = 0; i < count; i++) steps += weight(args[i]);
    return tl_spend(x, steps);
}

int tl_eval_call(tl_exec *x, const tl_callee *callee, const tl_operands *operands, tl_value *out)
{
    int variadic;
    size_t fixed = fixed_params(callee->params, &variadic);
    size_t count = operands->count + (size_t)operands->has_final;
    if (check_count(x, callee, operands, fixed, variadic)) return -1;
    if (callee->function && callee->params[0] == 'v' && callee->name[0] != 'n') {
        if (!strcmp(callee->name, "and")) return eval_short_circuit(x, operands, 0, out);
        if (!strcmp(callee->name, "or")) return eval_short_circuit(x, operands, 1, out);
    }
    tl_value few[FEW_ARGS], *args = count <= FEW_ARGS ? few : tl_arena_alloc(x->arena, count * sizeof *args);
    for (size_t i = 0; i < operands->count; i++)
        if (tl_eval_arg(x, operands->dot, param_at(callee->params, fixed, variadic, i), operands->args[i], &args[i]))
            return -1;
    if (operands->has_final) {
        char param = param_at(callee->params, fixed, variadic, count - 1);
        if (validate(x, operands->final, param, &args[count - 1])) return -1;
    }
    const tl_node *last = x->node;
    x->node = callee->node;
    if (!invoke(x, callee, args, count, out)) {
        x->node = last;
        return x->render->failure == TL_FAIL_LIMIT || book(x, args, count, *out) ? -1 : 0;
    }
    return tl_exec_error(x, "error calling %s: %s", callee->name, x->render->message);
}

int tl_eval_function(tl_exec *x, const tl_node *ident, const tl_node *command, const tl_operands *operands,
                     tl_value *out)
{
    x->node = ident;
    tl_callee callee = {.name = ident->as.function->name, .params = ident->as.function->params,
                        .function = ident->as.function, .node = command};
    return tl_eval_call(x, &callee, operands, out);
}

/* ---- fields ---- */

static const tl_method *find_method(const tl_object *object, tl_span name)
{
    for (const tl_method *m = object->type->methods; m && m->name; m++)
        if (strlen(m->name) == name.len && !memcmp(m->name, name.s, name.len)) return m;
    return NULL;
}

static int map_field(tl_exec *x, tl_value map, tl_span name, const tl_operands *operands, tl_value *out)
{
    if (operands && (operands->count || operands->has_final))
        return tl_exec_error(x, "%.*s is not a method but has arguments", (int)name.len, name.s);
    const tl_value *found = tl_map_get(map.as.map, name.s, name.len);
    if (!found && x->render->options.strict)
        return tl_exec_error(x, "map has no entry for key \"%.*s\"", (int)name.len, name.s);
    if (!found && x->render->set->language != TL_TEMPLATE_HELM) {
        *out = tl_null(); /* no value at all: what is asked of it is none either */
        return 0;
    }
    *out = tl_map_item(map, found);
    return 0;
}

static int cannot_evaluate(tl_exec *x, tl_span name, const char *type)
{
    return tl_exec_error(x, "can't evaluate field %.*s in type %s", (int)name.len, name.s, type);
}

static int object_field(tl_exec *x, const tl_node *node, tl_span name, const tl_operands *operands, tl_value *value)
{
    tl_object *object = value->as.object;
    const tl_method *method = find_method(object, name);
    if (method) {
        static const tl_operands none;
        tl_callee callee = {.name = method->name, .params = method->params, .method = method, .self = object,
                            .node = node};
        return tl_eval_call(x, &callee, operands ? operands : &none, value);
    }
    if (object->type->kind == TL_KIND_MAP && tl_object_content(object).type == TL_MAP)
        return map_field(x, object->content, name, operands, value);
    const tl_value *found = NULL;
    if (object->type->kind != TL_KIND_SLICE && tl_object_content(object).type == TL_MAP)
        found = tl_map_get(object->content.as.map, name.s, name.len);
    if (!found) return cannot_evaluate(x, name, tl_go_static_type(*value));
    if (operands && (operands->count || operands->has_final))
        return tl_exec_error(x, "%.*s has arguments but cannot be invoked as function", (int)name.len, name.s);
    *value = *found;
    return 0;
}

static int field(tl_exec *x, const tl_node *node, tl_span name, const tl_operands *operands, tl_value *value)
{
    switch (value->type) {
    case TL_NULL:
        if (value->go & TL_BOXED)
            return tl_exec_error(x, "nil pointer evaluating interface {}.%.*s", (int)name.len, name.s);
        if (x->render->options.strict)
            return tl_exec_error(x, "nil data; no entry for key \"%.*s\"", (int)name.len, name.s);
        return 0;
    case TL_MAP:
        if ((value->go & ~TL_BOXED) == TL_GO_NAMED_MAP && name.len && name.s[0] >= 'A' && name.s[0] <= 'Z') {
            tl_object self = {&tl_values_type, NULL, tl_unboxed(*value)};
            if (find_method(&self, name)) {
                *value = (tl_value){.type = TL_OBJECT, .as.object = &self};
                return object_field(x, node, name, operands, value);
            }
        }
        return map_field(x, tl_unboxed(*value), name, operands, value);
    case TL_OBJECT: return object_field(x, node, name, operands, value);
    case TL_INT: {
        tl_object self;
        if (!tl_named_int(&self, *value) || !find_method(&self, name))
            return cannot_evaluate(x, name, tl_go_static_type(*value));
        *value = (tl_value){.type = TL_OBJECT, .as.object = &self};
        return object_field(x, node, name, operands, value);
    }
    default: return cannot_evaluate(x, name, tl_go_static_type(*value));
    }
}

/* The hint of a nil path: the first absent key, and the spelling nearest to it among its neighbours. */
static void hint_absent(tl_exec *x, tl_value map, const tl_node *node, uint32_t position)
{
    tl_span name = node->as.names[position];
    const tl_entry *nearest = NULL;
    uint32_t cursor = 0;
    size_t best = 3;
    for (const tl_entry *e; map.type == TL_MAP && (e = tl_map_next(map.as.map, &cursor));) {
        size_t distance = tl_edit_distance(name.s, name.len, e->key, e->key_len, best);
        if (distance >= best) continue;
        best = distance;
        nearest = e;
    }
    tl_buf path = TL_BUF_INIT(1 << 16);
    if (node->type == TL_NODE_VARIABLE) tl_buf_add(&path, node->text.s, node->text.len);
    for (uint32_t i = 0; i <= position; i++) tl_buf_addf(&path, ".%.*s", (int)node->as.names[i].len, node->as.names[i].s);
    const tl_value *there = map.type == TL_MAP ? tl_map_get(map.as.map, name.s, name.len) : NULL;
    tl_buf_adds(&path, there ? " is null" : " is not set");
    if (nearest && !there) tl_buf_addf(&path, "; did you mean %s?", nearest->key);
    x->render->hint = tl_arena_strndup(x->arena, path.data, path.len);
    tl_buf_dispose(&path);
}

int tl_eval_field(tl_exec *x, const tl_node *node, const tl_operands *operands, tl_value *value)
{
    tl_value before = tl_null();
    for (uint32_t i = 0; i < node->count; i++) {
        tl_value receiver = *value;
        if (field(x, node, node->as.names[i], i + 1 == node->count ? operands : NULL, value)) {
            int nil = receiver.type == TL_NULL && (receiver.go & TL_BOXED) && i > 0;
            if (nil && !x->render->hint) hint_absent(x, before, node, i - 1);
            return -1;
        }
        before = receiver;
    }
    return 0;
}

int tl_eval_chain(tl_exec *x, const tl_node *node, const tl_operands *operands, tl_value *out)
{
    x->node = node;
    if (node->term->type == TL_NODE_NIL) {
        tl_buf text = TL_BUF_INIT(1 << 16);
        tl_node_print(&text, node);
        tl_exec_error(x, "indirection through explicit nil in %s", text.data);
        tl_buf_dispose(&text);
        return -1;
    }
    if (tl_eval_arg(x, operands->dot, 0, node->term, out)) return -1;
    return tl_eval_field(x, node, operands, out);
}

/* semver and semverCompare, and the version object with its methods. */
#include <string.h>

#include "template/semver.h"

static const tl_version *version_of(const tl_object *object)
{
    return object->data;
}

static void add_span(tl_buf *out, const char *before, tl_span span)
{
    if (!span.len) return;
    tl_buf_adds(out, before);
    tl_buf_add(out, span.s, span.len);
}

static void print_version(const tl_object *self, tl_buf *out)
{
    const tl_version *v = version_of(self);
    tl_buf_addf(out, "%llu.%llu.%llu", (unsigned long long)v->major, (unsigned long long)v->minor,
                (unsigned long long)v->patch);
    add_span(out, "-", v->pre);
    add_span(out, "+", v->metadata);
}

#define METHOD(name)                                                                                                   \
    static int name(TL_UNUSED const tl_method_call *call, tl_value *out, TL_UNUSED tl_error *err)

static tl_value uint64_value(uint64_t n)
{
    return tl_as_go(tl_int((int64_t)n), TL_GO_UINT64);
}

METHOD(m_major)
{
    *out = uint64_value(version_of(call->self)->major);
    return 0;
}

METHOD(m_minor)
{
    *out = uint64_value(version_of(call->self)->minor);
    return 0;
}

METHOD(m_patch)
{
    *out = uint64_value(version_of(call->self)->patch);
    return 0;
}

METHOD(m_prerelease)
{
    *out = tl_string_ref(version_of(call->self)->pre.s, version_of(call->self)->pre.len);
    return 0;
}

METHOD(m_metadata)
{
    *out = tl_string_ref(version_of(call->self)->metadata.s, version_of(call->self)->metadata.len);
    return 0;
}

METHOD(m_original)
{
    *out = tl_string_ref(version_of(call->self)->original.s, version_of(call->self)->original.len);
    return 0;
}

METHOD(m_string)
{
    tl_buf text = TL_BUF_INIT(4096);
    print_version(call->self, &text);
    *out = tl_string(call->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

static int compared(const tl_method_call *call, int *order, tl_error *err);

METHOD(m_compare)
{
    int order;
    if (compared(call, &order, err)) return -1;
    *out = tl_go_int((order > 0) - (order < 0));
    return 0;
}

METHOD(m_less)
{
    int order;
    if (compared(call, &order, err)) return -1;
    *out = tl_bool(order < 0);
    return 0;
}

METHOD(m_greater)
{
    int order;
    if (compared(call, &order, err)) return -1;
    *out = tl_bool(order > 0);
    return 0;
}

METHOD(m_equal)
{
    int order;
    if (compared(call, &order, err)) return -1;
    *out = tl_bool(order == 0);
    return 0;
}

static tl_value next_version(const tl_method_call *call, tl_version next);

METHOD(m_inc_major)
{
    *out = next_version(call, (tl_version){.major = version_of(call->self)->major + 1});
    return 0;
}

METHOD(m_inc_minor)
{
    const tl_version *v = version_of(call->self);
    *out = next_version(call, (tl_version){.major = v->major, .minor = v->minor + 1});
    return 0;
}

METHOD(m_inc_patch)
{
    const tl_version *v = version_of(call->self);
    *out = next_version(call, (tl_version){.major = v->major, .minor = v->minor, .patch = v->patch + !v->pre.len});
    return 0;
}

static const tl_method methods[] = {
    {"Major", "", m_major},           {"Minor", "", m_minor},         {"Patch", "", m_patch},
    {"Prerelease", "", m_prerelease}, {"Metadata", "", m_metadata},   {"Original", "", m_original},
    {"String", "", m_string},         {"Compare", "a", m_compare},    {"LessThan", "a", m_less},
    {"GreaterThan", "a", m_greater},  {"Equal", "a", m_equal},        {"IncMajor", "", m_inc_major},
    {"IncMinor", "", m_inc_minor},    {"IncPatch", "", m_inc_patch},  {NULL, NULL, NULL}};

static int plain_version(const tl_object *self, tl_arena *arena, tl_value *out)
{
    tl_buf text = TL_BUF_INIT(4096);
    print_version(self, &text);
    *out = tl_string(arena, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

static const tl_object_type pointer_type = {"*semver.Version", TL_KIND_POINTER, methods, print_version, plain_version, NULL};
static const tl_object_type struct_type = {"semver.Version", TL_KIND_STRUCT, methods, print_version, plain_version, NULL};

tl_value tl_semver_copy(tl_arena *arena, tl_value value)
{
    value = tl_unboxed(value);
    if (value.type != TL_OBJECT) return value;
    const tl_object_type *type = value.as.object->type;
    if (type != &pointer_type && type != &struct_type) return value;
    return tl_object_value(arena, type, tl_arena_zalloc(arena, sizeof(tl_version)), tl_null());
}

static int compared(const tl_method_call *call, int *order, tl_error *err)
{
    tl_value other = call->args[0];
    if (other.type != TL_OBJECT || other.as.object->type != &pointer_type)
        return tl_error_set(err, "template", "wrong type for value; expected *semver.Version; got %s", tl_go_type(other));
    *order = tl_version_compare(version_of(call->self), version_of(other.as.object));
    return 0;
}

static tl_value next_version(const tl_method_call *call, tl_version next)
{
    tl_version *made = tl_arena_alloc(call->arena, sizeof *made);
    *made = next;
    made->pre = made->metadata = (tl_span){"", 0};
    const tl_span *original = &version_of(call->self)->original;
    char *text = tl_arena_printf(call->arena, "%s%llu.%llu.%llu", original->len && original->s[0] == 'v' ? "v" : "",
                                 (unsigned long long)next.major, (unsigned long long)next.minor,
                                 (unsigned long long)next.patch);
    made->original = (tl_span){text, (uint32_t)strlen(text)};
    return tl_object_value(call->arena, &struct_type, made, tl_null());
}

TL_FUNCTION(fn_semver)
{
    tl_version *version = tl_arena_alloc(x->arena, sizeof *version);
    char error[512];
    if (tl_version_parse(args[0].as.s, args[0].len, version, error, sizeof error)) return tl_fail(x, "%s", error);
    *out = tl_object_value(x->arena, &pointer_type, version, tl_null());
    return 0;
}

TL_FUNCTION(fn_semver_compare)
{
    tl_version version;
    char error[2 * 2048];
    const tl_version none = {0};
    int status = tl_constraint_check(args[0].as.s, args[0].len, &none, error, sizeof error);
    if (status >= 0) status = tl_version_parse(args[1].as.s, args[1].len, &version, error, sizeof error);
    if (status >= 0) status = tl_constraint_check(args[0].as.s, args[0].len, &version, error, sizeof error);
    if (status < 0) return tl_fail(x, "%s", error);
    *out = tl_bool(status);
    return 0;
}

const tl_function tl_functions_semver[] = {
    {"semver", "s", fn_semver}, {"semverCompare", "ss", fn_semver_compare}, {NULL, NULL, NULL}};

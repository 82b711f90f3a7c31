/* Integers of package time that have names and methods: Duration, Month, Weekday. */
#include <string.h>

#include "template/gotime.h"
#include "template/internal.h"

#define SECOND 1000000000LL

static int64_t number_of(const tl_object *object)
{
    return object->content.as.i;
}

static void print_duration(const tl_object *self, tl_buf *out)
{
    tl_duration_print(number_of(self), out);
}

static void print_month(const tl_object *self, tl_buf *out)
{
    tl_buf_adds(out, tl_month_names[number_of(self) - 1]);
}

static void print_weekday(const tl_object *self, tl_buf *out)
{
    tl_buf_adds(out, tl_day_names[number_of(self)]);
}

#define METHOD(name)                                                                                                   \
    static int name(TL_UNUSED const tl_method_call *call, tl_value *out, TL_UNUSED tl_error *err)

#define DURATION_METHOD(name, expression)                                                                              \
    METHOD(name)                                                                                                       \
    {                                                                                                                  \
        int64_t d = number_of(call->self);                                                                             \
        *out = expression;                                                                                             \
        return 0;                                                                                                      \
    }

/* As package time adds whole units and their rest. */
static tl_value in_units(int64_t d, int64_t unit)
{
    return tl_float((double)(d / unit) + (double)(d % unit) / (double)unit);
}

static tl_value duration(int64_t d)
{
    return tl_as_go(tl_int(d), TL_GO_DURATION);
}

static int64_t rounded(int64_t d, int64_t m)
{
    if (m <= 0) return d;
    __int128 rest = d % m, up = d < 0 ? (__int128)d - m - rest : (__int128)d + m - rest;
    __int128 size = rest < 0 ? -rest : rest;
    if (size + size < m) return d - (int64_t)rest;
    return up > INT64_MAX ? INT64_MAX : up < INT64_MIN ? INT64_MIN : (int64_t)up;
}

static int64_t argument(const tl_method_call *call)
{
    return call->args[0].as.i;
}

DURATION_METHOD(m_nanoseconds, tl_int(d))
DURATION_METHOD(m_microseconds, tl_int(d / 1000))
DURATION_METHOD(m_milliseconds, tl_int(d / 1000000))
DURATION_METHOD(m_seconds, in_units(d, SECOND))
DURATION_METHOD(m_minutes, in_units(d, 60 * SECOND))
DURATION_METHOD(m_hours, in_units(d, 3600 * SECOND))
DURATION_METHOD(m_abs, duration(d == INT64_MIN ? INT64_MAX : d < 0 ? -d : d))
DURATION_METHOD(m_round, duration(rounded(d, argument(call))))
DURATION_METHOD(m_truncate, duration(argument(call) <= 0 ? d : d - d % argument(call)))

METHOD(m_string)
{
    tl_buf text = TL_BUF_INIT(256);
    call->self->type->print(call->self, &text);
    *out = tl_string(call->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

static const tl_method duration_methods[] = {
    {"Nanoseconds", "", m_nanoseconds}, {"Microseconds", "", m_microseconds}, {"Milliseconds", "", m_milliseconds},
    {"Seconds", "", m_seconds},         {"Minutes", "", m_minutes},           {"Hours", "", m_hours},
    {"Abs", "", m_abs},                 {"Round", "d", m_round},              {"Truncate", "d", m_truncate},
    {"String", "", m_string},           {NULL, NULL, NULL}};

static const tl_method name_methods[] = {{"String", "", m_string}, {NULL, NULL, NULL}};

static const tl_object_type types[] = {
    {"time.Duration", TL_KIND_STRUCT, duration_methods, print_duration, NULL, NULL},
    {"time.Month", TL_KIND_STRUCT, name_methods, print_month, NULL, NULL},
    {"time.Weekday", TL_KIND_STRUCT, name_methods, print_weekday, NULL, NULL},
};

int tl_named_int(tl_object *self, tl_value value)
{
    int go = value.go & ~TL_BOXED;
    if (value.type != TL_INT || go < TL_GO_DURATION || go > TL_GO_WEEKDAY) return 0;
    *self = (tl_object){&types[go - TL_GO_DURATION], NULL, tl_unboxed(value)};
    return 1;
}

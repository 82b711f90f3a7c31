/* Dates and durations, and the time object with its methods. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "data/number.h"
#include "template/gotime.h"
#include "template/internal.h"

#define SECOND 1000000000LL

static const tl_gotime *time_of(const tl_object *object)
{
    return object->data;
}

static void print_time(const tl_object *self, tl_buf *out)
{
    static const char layout[] = "2006-01-02 15:04:05.999999999 -0700 MST";
    tl_gotime_format(time_of(self), layout, strlen(layout), out);
}

static int plain_time(const tl_object *self, tl_arena *arena, tl_value *out)
{
    static const char layout[] = "2006-01-02T15:04:05.999999999Z07:00";
    tl_buf text = TL_BUF_INIT(256);
    tl_gotime_format(time_of(self), layout, strlen(layout), &text);
    *out = tl_string(arena, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

tl_value tl_time_value(tl_arena *arena, tl_gotime time)
{
    tl_gotime *copy = tl_arena_alloc(arena, sizeof *copy);
    *copy = time;
    return tl_object_value(arena, &tl_time_type, copy, tl_null());
}

tl_value tl_go_time(tl_arena *arena, const char *text, size_t length)
{
    static const char layout[] = "2006-01-02T15:04:05.999999999Z07:00";
    tl_gotime time = {0};
    tl_buf fault = TL_BUF_INIT(1 << 10);
    if (tl_gotime_parse(layout, sizeof layout - 1, text, length, &time, &fault))
        time = (tl_gotime){.seconds = -TL_GOTIME_YEAR_ONE, .zone = "UTC"};
    tl_buf_dispose(&fault);
    return tl_time_value(arena, time);
}

#define METHOD(name)                                                                                                   \
    static int name(TL_UNUSED const tl_method_call *call, tl_value *out, TL_UNUSED tl_error *err)

METHOD(m_format)
{
    tl_buf text = TL_BUF_INIT(1 << 16);
    tl_gotime_format(time_of(call->self), call->args[0].as.s, call->args[0].len, &text);
    *out = tl_string(call->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

METHOD(m_string)
{
    tl_buf text = TL_BUF_INIT(256);
    print_time(call->self, &text);
    *out = tl_string(call->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

METHOD(m_go_string)
{
    tl_buf text = TL_BUF_INIT(1 << 10);
    tl_gotime_go_string(time_of(call->self), &text);
    *out = tl_string(call->arena, text.data, text.len);
    tl_buf_dispose(&text);
    return 0;
}

METHOD(m_unix)
{
    *out = tl_int(time_of(call->self)->seconds);
    return 0;
}

/* Since 1970; wraps as Go's integers do. */
static tl_value in_parts(const tl_object *self, int64_t per_second)
{
    const tl_gotime *time = time_of(self);
    return tl_int((int64_t)((uint64_t)time->seconds * (uint64_t)per_second +
                            (uint64_t)(time->nanoseconds / (SECOND / per_second))));
}

METHOD(m_unix_milli)
{
    *out = in_parts(call->self, 1000);
    return 0;
}

METHOD(m_unix_nano)
{
    *out = in_parts(call->self, SECOND);
    return 0;
}

#define CIVIL_METHOD(name, expression)                                                                                 \
    METHOD(name)                                                                                                       \
    {                                                                                                                  \
        tl_civil c = tl_gotime_civil(time_of(call->self));                                                             \
        *out = expression;                                                                                             \
        return 0;                                                                                                      \
    }

CIVIL_METHOD(m_year, tl_go_int(c.year))
CIVIL_METHOD(m_month, tl_as_go(tl_int(c.month), TL_GO_MONTH))
CIVIL_METHOD(m_day, tl_go_int(c.day))
CIVIL_METHOD(m_hour, tl_go_int(c.hour))
CIVIL_METHOD(m_minute, tl_go_int(c.minute))
CIVIL_METHOD(m_second, tl_go_int(c.second))
CIVIL_METHOD(m_weekday, tl_as_go(tl_int(c.weekday), TL_GO_WEEKDAY))
CIVIL_METHOD(m_yearday, tl_go_int(c.yearday))

METHOD(m_nanosecond)
{
    *out = tl_go_int(time_of(call->self)->nanoseconds);
    return 0;
}

METHOD(m_utc)
{
    tl_gotime time = *time_of(call->self);
    tl_gotime_set_zone(&time, "UTC", 3);
    *out = tl_time_value(call->arena, time);
    return 0;
}

METHOD(m_local)
{
    tl_gotime time = *time_of(call->self);
    tl_gotime_set_zone(&time, "Local", 5);
    *out = tl_time_value(call->arena, time);
    return 0;
}

METHOD(m_add_date)
{
    tl_gotime time = *time_of(call->self);
    tl_civil c = tl_gotime_civil(&time);
    c.year += call->args[0].as.i;
    c.month += (int)call->args[1].as.i;
    c.day += (int)call->args[2].as.i;
    time.seconds = tl_gotime_from_civil(&c) - time.offset;
    *out = tl_time_value(call->arena, time);
    return 0;
}

METHOD(m_unix_micro)
{
    *out = in_parts(call->self, 1000000);
    return 0;
}

/* From one time to another, in nanoseconds. */
static __int128 difference(const tl_gotime *from, const tl_gotime *to)
{
    return (__int128)(to->seconds - from->seconds) * SECOND + to->nanoseconds - from->nanoseconds;
}

static tl_value duration_value(__int128 d)
{
    return tl_as_go(tl_int(d > INT64_MAX ? INT64_MAX : d < INT64_MIN ? INT64_MIN : (int64_t)d), TL_GO_DURATION);
}

#define COMPARING_METHOD(name, expression)                                                                             \
    METHOD(name)                                                                                                       \
    {                                                                                                                  \
        __int128 d = difference(time_of(call->args[0].as.object), time_of(call->self));                                \
        *out = expression;                                                                                             \
        return 0;                                                                                                      \
    }

COMPARING_METHOD(m_after, tl_bool(d > 0))
COMPARING_METHOD(m_before, tl_bool(d < 0))
COMPARING_METHOD(m_equal, tl_bool(d == 0))
COMPARING_METHOD(m_compare, tl_go_int((d > 0) - (d < 0)))
COMPARING_METHOD(m_sub, duration_value(d))

static tl_gotime moved(tl_gotime time, int64_t d)
{
    int64_t nanoseconds = time.nanoseconds + d % SECOND;
    time.seconds += d / SECOND + (nanoseconds >= SECOND) - (nanoseconds < 0);
    time.nanoseconds = (int32_t)((nanoseconds + SECOND) % SECOND);
    return time;
}

METHOD(m_add)
{
    *out = tl_time_value(call->arena, moved(*time_of(call->self), call->args[0].as.i));
    return 0;
}

/* What a time is beyond the last multiple of a duration since the year 1. */
static int64_t rest_of(const tl_gotime *time, int64_t unit)
{
    __int128 since = (__int128)(time->seconds + TL_GOTIME_YEAR_ONE) * SECOND + time->nanoseconds;
    int64_t rest = (int64_t)(since % unit);
    return rest < 0 ? rest + unit : rest;
}

METHOD(m_truncate)
{
    int64_t unit = call->args[0].as.i;
    const tl_gotime *time = time_of(call->self);
    *out = tl_time_value(call->arena, unit <= 0 ? *time : moved(*time, -rest_of(time, unit)));
    return 0;
}

METHOD(m_round)
{
    int64_t unit = call->args[0].as.i, rest = unit <= 0 ? 0 : rest_of(time_of(call->self), unit);
    int down = (uint64_t)rest + (uint64_t)rest < (uint64_t)unit;
    *out = tl_time_value(call->arena, moved(*time_of(call->self), unit <= 0 ? 0 : down ? -rest : unit - rest));
    return 0;
}

METHOD(m_is_zero)
{
    *out = tl_bool(time_of(call->self)->seconds == -TL_GOTIME_YEAR_ONE && !time_of(call->self)->nanoseconds);
    return 0;
}

static const tl_method methods[] = {
    {"Format", "s", m_format},     {"String", "", m_string},         {"Unix", "", m_unix},
    {"UnixMilli", "", m_unix_milli}, {"UnixNano", "", m_unix_nano},  {"Year", "", m_year},
    {"Month", "", m_month},        {"Day", "", m_day},               {"Hour", "", m_hour},
    {"Minute", "", m_minute},      {"Second", "", m_second},         {"Nanosecond", "", m_nanosecond},
    {"Weekday", "", m_weekday},    {"YearDay", "", m_yearday},       {"UTC", "", m_utc},
    {"Local", "", m_local},        {"AddDate", "iii", m_add_date},   {"IsZero", "", m_is_zero},
    {"UnixMicro", "", m_unix_micro}, {"GoString", "", m_go_string},
    {"After", "t", m_after},        {"Before", "t", m_before},
    {"Equal", "t", m_equal},       {"Compare", "t", m_compare},      {"Sub", "t", m_sub},
    {"Add", "d", m_add},           {"Round", "d", m_round},          {"Truncate", "d", m_truncate},
    {NULL, NULL, NULL}};

const tl_object_type tl_time_type = {"time.Time", TL_KIND_STRUCT, methods, print_time, plain_time, NULL};

int64_t tl_now(tl_exec *x)
{
    const tl_template_outside *outside = &x->render->options.outside;
    if (outside->now) return outside->now(outside->context);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static tl_gotime from_nanoseconds(int64_t n)
{
    int64_t seconds = n / SECOND, rest = n % SECOND;
    if (rest < 0) {
        rest += SECOND;
        seconds--;
    }
    return (tl_gotime){.seconds = seconds, .nanoseconds = (int32_t)rest, .zone = "UTC"};
}

TL_FUNCTION(fn_now)
{
    tl_gotime time = from_nanoseconds(tl_now(x));
    tl_gotime_set_zone(&time, "Local", 5);
    *out = tl_time_value(x->arena, time);
    return 0;
}

/* A time, or seconds since 1970; anything else is now. `wide`: int32 counts too. */
static tl_gotime to_time(tl_exec *x, tl_value value, int wide)
{
    if (value.type == TL_OBJECT && value.as.object->type == &tl_time_type) return *time_of(value.as.object);
    int int_type = value.type == TL_INT && (value.go == TL_GO_DEFAULT || value.go == TL_GO_INT || value.go == TL_GO_INT64 ||
                                            (wide && (value.go == TL_GO_INT32 || value.go == TL_GO_RUNE)));
    if (int_type) return (tl_gotime){.seconds = value.as.i, .zone = "UTC"};
    return from_nanoseconds(tl_now(x));
}

static int format_in(tl_exec *x, tl_value layout, tl_value date, tl_value zone, tl_value *out)
{
    tl_gotime time = to_time(x, date, 1);
    tl_gotime_set_zone(&time, zone.as.s, zone.len);
    tl_buf text = tl_text_buf(x);
    tl_gotime_format(&time, layout.as.s, layout.len, &text);
    return tl_take_string(x, &text, out);
}

TL_FUNCTION(fn_date)
{
    return format_in(x, args[0], args[1], tl_cstring_ref("Local"), out);
}

TL_FUNCTION(fn_date_in_zone)
{
    return format_in(x, args[0], args[1], args[2], out);
}

TL_FUNCTION(fn_html_date)
{
    return format_in(x, tl_cstring_ref("2006-01-02"), args[0], tl_cstring_ref("Local"), out);
}

TL_FUNCTION(fn_html_date_in_zone)
{
    return format_in(x, tl_cstring_ref("2006-01-02"), args[0], args[1], out);
}

static int modify(tl_exec *x, const tl_value *args, int must, tl_value *out)
{
    int64_t d;
    tl_buf error = TL_BUF_INIT(1 << 16);
    *out = args[1];
    int status = tl_duration_parse(args[0].as.s, args[0].len, &d, &error);
    if (status && must) tl_fail(x, "%s", error.data);
    tl_buf_dispose(&error);
    if (status) return must ? -1 : 0;
    *out = tl_time_value(x->arena, moved(*time_of(args[1].as.object), d));
    return 0;
}

TL_FUNCTION(fn_date_modify)
{
    return modify(x, args, 0, out);
}

TL_FUNCTION(fn_must_date_modify)
{
    return modify(x, args, 1, out);
}

static int parse_date(tl_exec *x, const tl_value *args, int must, tl_value *out)
{
    tl_gotime time;
    tl_buf error = TL_BUF_INIT(1 << 16);
    int status = tl_gotime_parse(args[0].as.s, args[0].len, args[1].as.s, args[1].len, &time, &error);
    if (status) time = (tl_gotime){.seconds = -TL_GOTIME_YEAR_ONE, .zone = "UTC"};
    if (status && must) tl_fail(x, "%s", error.data);
    tl_buf_dispose(&error);
    *out = tl_time_value(x->arena, time);
    return status && must ? -1 : 0;
}

TL_FUNCTION(fn_to_date)
{
    return parse_date(x, args, 0, out);
}

TL_FUNCTION(fn_must_to_date)
{
    return parse_date(x, args, 1, out);
}

TL_FUNCTION(fn_unix_epoch)
{
    *out = tl_cstring_ref(tl_arena_printf(x->arena, "%lld", (long long)time_of(args[0].as.object)->seconds));
    return 0;
}

static int print_duration(tl_exec *x, int64_t d, tl_value *out)
{
    tl_buf text = tl_text_buf(x);
    tl_duration_print(d, &text);
    return tl_take_string(x, &text, out);
}

static int64_t since(tl_exec *x, tl_gotime time)
{
    tl_gotime now = from_nanoseconds(tl_now(x));
    return duration_value(difference(&time, &now)).as.i;
}

TL_FUNCTION(fn_ago)
{
    int64_t d = since(x, to_time(x, args[0], 0)), rest = d % SECOND;
    d -= rest;
    if (rest >= SECOND / 2 && d <= INT64_MAX - SECOND) d += SECOND;
    if (rest <= -SECOND / 2 && d >= INT64_MIN + SECOND) d -= SECOND;
    return print_duration(x, d, out);
}

TL_FUNCTION(fn_duration)
{
    int64_t n = 0;
    if (args[0].type == TL_STRING) {
        int status = tl_number_parse_int(args[0].as.s, args[0].len, 10, &n);
        if (status == -1) n = 0;
        if (status == -2) n = args[0].as.s[0] == '-' ? INT64_MIN : INT64_MAX;
    }
    if (args[0].type == TL_INT && (args[0].go == TL_GO_DEFAULT || args[0].go == TL_GO_INT64)) n = args[0].as.i;
    return print_duration(x, (int64_t)((uint64_t)n * (uint64_t)SECOND), out);
}

TL_FUNCTION(fn_duration_round)
{
    static const struct {
        uint64_t seconds;
        const char *unit;
    } units[] = {{365 * 86400, "y"}, {30 * 86400, "mo"}, {86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    int64_t d = 0;
    if (args[0].type == TL_STRING && tl_duration_parse(args[0].as.s, args[0].len, &d, NULL)) d = 0;
    if (args[0].type == TL_INT && (args[0].go == TL_GO_DEFAULT || args[0].go == TL_GO_INT64)) d = args[0].as.i;
    if (args[0].type == TL_OBJECT && args[0].as.object->type == &tl_time_type)
        d = since(x, *time_of(args[0].as.object));
    uint64_t u = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
    *out = tl_cstring_ref("0s");
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        uint64_t unit = units[i].seconds * (uint64_t)SECOND;
        if (u <= unit) continue;
        *out = tl_cstring_ref(tl_arena_printf(x->arena, "%llu%s", (unsigned long long)(u / unit), units[i].unit));
        break;
    }
    return 0;
}

const tl_function tl_functions_date[] = {
    {"now", "", fn_now},
    {"date", "sa", fn_date},
    {"dateInZone", "sas", fn_date_in_zone},
    {"date_in_zone", "sas", fn_date_in_zone},
    {"htmlDate", "a", fn_html_date},
    {"htmlDateInZone", "as", fn_html_date_in_zone},
    {"dateModify", "st", fn_date_modify},
    {"date_modify", "st", fn_date_modify},
    {"mustDateModify", "st", fn_must_date_modify},
    {"must_date_modify", "st", fn_must_date_modify},
    {"toDate", "ss", fn_to_date},
    {"mustToDate", "ss", fn_must_to_date},
    {"unixEpoch", "t", fn_unix_epoch},
    {"ago", "a", fn_ago},
    {"duration", "a", fn_duration},
    {"durationRound", "a", fn_duration_round},
    {NULL, NULL, NULL}};

/* Calendar arithmetic, time zones, durations. */
#include "template/gotime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "template/template.h"

const char *const tl_month_names[12] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};
const char *const tl_day_names[7] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

/* Days since 1970 of the first of March based calendar (proleptic Gregorian). */
static int64_t days_from(int64_t year, int64_t month, int64_t day)
{
    year += (month - 1) / 12;
    month = (month - 1) % 12;
    if (month < 0) {
        month += 12;
        year--;
    }
    month += 1;
    if (month <= 2) year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + day_of_year - 719468;
}

int64_t tl_gotime_from_civil(const tl_civil *c)
{
    return ((days_from(c->year, c->month, c->day) * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
}

tl_civil tl_gotime_civil(const tl_gotime *time)
{
    int64_t seconds = time->seconds + time->offset, days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, in_era = z - era * 146097;
    int64_t year_of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t day_of_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    tl_civil c = {.year = year_of_era + era * 400, .day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1)};
    c.month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    c.year += c.month <= 2;
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.second = (int)(rest % 60);
    c.weekday = (int)(((days + 4) % 7 + 7) % 7);
    c.yearday = (int)(days - days_from(c.year, 1, 1)) + 1;
    return c;
}

static void local_zone(tl_gotime *time)
{
    struct tm tm;
    time_t seconds = (time_t)time->seconds;
    localtime_r(&seconds, &tm);
    time->offset = (int32_t)tm.tm_gmtoff;
    snprintf(time->zone, sizeof time->zone, "%s", tm.tm_zone ? tm.tm_zone : "UTC");
    if (!strcmp(time->zone, "GMT") && !time->offset) snprintf(time->zone, sizeof time->zone, "UTC");
}

int tl_gotime_set_zone(tl_gotime *time, const char *name, size_t length)
{
    char path[256];
    time->offset = 0;
    snprintf(time->zone, sizeof time->zone, "UTC");
    if (!length || (length == 3 && !memcmp(name, "UTC", 3))) return 0;
    if (length == 5 && !memcmp(name, "Local", 5)) {
        local_zone(time);
        return 0;
    }
    if (length > 64 || memchr(name, 0, length) || memmem(name, length, "..", 2) || name[0] == '/' ||
        memchr(name, '\\', length))
        return -1;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", (int)length, name);
    if (access(path, R_OK)) return -1;
    /* libc knows one zone at a time; nobody else reads TZ while the one Lua thread is here. */
    const char *before = getenv("TZ");
    char *held = before ? tl_strdup(before) : NULL;
    setenv("TZ", path, 1);
    tzset();
    struct tm tm;
    time_t seconds = (time_t)time->seconds;
    localtime_r(&seconds, &tm);
    time->offset = (int32_t)tm.tm_gmtoff;
    snprintf(time->zone, sizeof time->zone, "%s", tm.tm_zone ? tm.tm_zone : "UTC");
    if (held)
        setenv("TZ", held, 1);
    else
        unsetenv("TZ");
    free(held);
    tzset();
    return 0;
}

void tl_gotime_go_string(const tl_gotime *time, tl_buf *out)
{
    tl_civil c = tl_gotime_civil(time);
    tl_buf_addf(out, "time.Date(%lld, time.%s, %d, %d, %d, %d, %d, time.%s)", (long long)c.year,
                tl_month_names[c.month - 1], c.day, c.hour, c.minute, c.second, (int)time->nanoseconds,
                strcmp(time->zone, "UTC") ? "Local" : "UTC");
}

/* ---- durations ---- */

void tl_duration_print(int64_t d, tl_buf *out)
{
    uint64_t u = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;
    char fraction[16] = "";
    if (!u) {
        tl_buf_adds(out, "0s");
        return;
    }
    if (d < 0) tl_buf_addc(out, '-');
    uint64_t unit = u < 1000 ? 1 : u < 1000000 ? 1000 : u < 1000000000 ? 1000000 : 1000000000;
    uint64_t rest = u % unit;
    if (rest) {
        int digits = unit == 1000 ? 3 : unit == 1000000 ? 6 : 9;
        int n = snprintf(fraction, sizeof fraction, ".%0*llu", digits, (unsigned long long)rest);
        while (n > 0 && fraction[n - 1] == '0') fraction[--n] = 0;
    }
    if (unit < 1000000000) {
        tl_buf_addf(out, "%llu%s%s", (unsigned long long)(u / unit), fraction,
                    unit == 1 ? "ns" : unit == 1000 ? "\xC2\xB5s" : "ms");
        return;
    }
    uint64_t seconds = u / unit;
    if (seconds >= 3600) tl_buf_addf(out, "%lluh", (unsigned long long)(seconds / 3600));
    if (seconds >= 60) tl_buf_addf(out, "%llum", (unsigned long long)(seconds / 60 % 60));
    tl_buf_addf(out, "%llu%ss", (unsigned long long)(seconds % 60), fraction);
}

void tl_gotime_quote(tl_buf *out, const char *text, size_t length)
{
    tl_buf_addc(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 || c < ' ')
            tl_buf_addf(out, "\\x%02x", c);
        else
            tl_buf_addf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    tl_buf_addc(out, '"');
}

static int duration_error(tl_buf *error, const char *what, const char *text, size_t length)
{
    if (!error) return -1;
    tl_buf_addf(error, "time: %s", what);
    tl_gotime_quote(error, text, length);
    return -1;
}

static int64_t unit_of(const char *unit, size_t length)
{
    static const struct {
        const char *name;
        int64_t nanoseconds;
    } units[] = {{"ns", 1},         {"us", 1000},         {"\xC2\xB5s", 1000},     {"\xCE\xBCs", 1000},
                 {"ms", 1000000},   {"s", 1000000000},    {"m", 60000000000},      {"h", 3600000000000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].name) == length && !memcmp(units[i].name, unit, length)) return units[i].nanoseconds;
    return 0;
}

int tl_duration_parse(const char *text, size_t length, int64_t *out, tl_buf *error)
{
    size_t i = 0;
    int negative = 0;
    uint64_t total = 0;
    *out = 0;
    if (length && (text[0] == '-' || text[0] == '+')) negative = text[i++] == '-';
    if (length - i == 1 && text[i] == '0') return 0;
    if (i == length) return duration_error(error, "invalid duration ", text, length);
    while (i < length) {
        uint64_t whole = 0, scale = 1, fraction = 0;
        size_t from = i;
        for (; i < length && text[i] >= '0' && text[i] <= '9'; i++) {
            if (whole > (1ull << 63) / 10) return duration_error(error, "invalid duration ", text, length);
            whole = whole * 10 + (uint64_t)(text[i] - '0');
        }
        size_t digits = i - from;
        if (i < length && text[i] == '.') {
            for (i++; i < length && text[i] >= '0' && text[i] <= '9'; i++, digits++) {
                if (scale > 100000000000000000ull) continue;
                fraction = fraction * 10 + (uint64_t)(text[i] - '0');
                scale *= 10;
            }
        }
        if (!digits) return duration_error(error, "invalid duration ", text, length);
        size_t unit_at = i;
        while (i < length && text[i] != '.' && (text[i] < '0' || text[i] > '9')) i++;
        if (i == unit_at) return duration_error(error, "missing unit in duration ", text, length);
        int64_t unit = unit_of(text + unit_at, i - unit_at);
        if (!unit) {
            tl_buf what = TL_BUF_INIT(4096);
            tl_buf_adds(&what, "unknown unit ");
            tl_gotime_quote(&what, text + unit_at, i - unit_at);
            tl_buf_adds(&what, " in duration ");
            duration_error(error, what.data, text, length);
            tl_buf_dispose(&what);
            return -1;
        }
        if (whole > (1ull << 63) / (uint64_t)unit) return duration_error(error, "invalid duration ", text, length);
        total += whole * (uint64_t)unit + (uint64_t)((double)fraction * ((double)unit / (double)scale));
        if (total > 1ull << 63) return duration_error(error, "invalid duration ", text, length);
    }
    if (!negative && total > INT64_MAX) return duration_error(error, "invalid duration ", text, length);
    *out = negative ? (int64_t)(0 - total) : (int64_t)total;
    return 0;
}

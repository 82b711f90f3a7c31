/* Go's time layouts: formatting and parsing. */
#include <stdio.h>
#include <string.h>

#include "template/gotime.h"
#include "template/template.h"

typedef enum chunk {
    C_NONE, C_LONG_MONTH, C_MONTH, C_NUM_MONTH, C_ZERO_MONTH, C_LONG_WEEKDAY, C_WEEKDAY, C_DAY, C_UNDER_DAY, C_ZERO_DAY,
    C_UNDER_YEARDAY, C_ZERO_YEARDAY, C_HOUR, C_HOUR12, C_ZERO_HOUR12, C_MINUTE, C_ZERO_MINUTE, C_SECOND, C_ZERO_SECOND,
    C_LONG_YEAR, C_YEAR, C_UPPER_PM, C_LOWER_PM, C_TZ, C_ISO_TZ, C_ISO_SECONDS_TZ, C_ISO_SHORT_TZ, C_ISO_COLON_TZ,
    C_ISO_COLON_SECONDS_TZ, C_NUM_TZ, C_NUM_SECONDS_TZ, C_NUM_SHORT_TZ, C_NUM_COLON_TZ, C_NUM_COLON_SECONDS_TZ,
    C_FRACTION_0, C_FRACTION_9
} chunk;

/* The longest forms stand first. */
static const struct {
    const char *text;
    chunk type;
} forms[] = {
    {"January", C_LONG_MONTH}, {"Jan", C_MONTH}, {"Monday", C_LONG_WEEKDAY}, {"Mon", C_WEEKDAY}, {"MST", C_TZ},
    {"01", C_ZERO_MONTH}, {"02", C_ZERO_DAY}, {"03", C_ZERO_HOUR12}, {"04", C_ZERO_MINUTE}, {"05", C_ZERO_SECOND},
    {"06", C_YEAR}, {"002", C_ZERO_YEARDAY}, {"15", C_HOUR}, {"1", C_NUM_MONTH}, {"2006", C_LONG_YEAR}, {"2", C_DAY},
    {"__2", C_UNDER_YEARDAY}, {"_2", C_UNDER_DAY}, {"3", C_HOUR12}, {"4", C_MINUTE}, {"5", C_SECOND},
    {"PM", C_UPPER_PM}, {"pm", C_LOWER_PM}, {"-070000", C_NUM_SECONDS_TZ}, {"-07:00:00", C_NUM_COLON_SECONDS_TZ},
    {"-0700", C_NUM_TZ}, {"-07:00", C_NUM_COLON_TZ}, {"-07", C_NUM_SHORT_TZ}, {"Z070000", C_ISO_SECONDS_TZ},
    {"Z07:00:00", C_ISO_COLON_SECONDS_TZ}, {"Z0700", C_ISO_TZ}, {"Z07:00", C_ISO_COLON_TZ}, {"Z07", C_ISO_SHORT_TZ}};

typedef struct layout {
    const char *text;
    size_t length;
    const char *prefix;  /* literal text before the chunk */
    size_t prefix_length;
    const char *form;    /* the chunk as written */
    size_t form_length;
    int digits;          /* of a fraction */
} layout;

static int starts(const char *text, size_t length, const char *with)
{
    size_t n = strlen(with);
    return length >= n && !memcmp(text, with, n);
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static chunk chunk_at(const char *text, size_t length, size_t *width)
{
    if ((text[0] == '.' || text[0] == ',') && length > 1 && (text[1] == '0' || text[1] == '9')) {
        size_t i = 1;
        while (i < length && text[i] == text[1]) i++;
        *width = i;
        if (i >= length || !is_digit(text[i])) return text[1] == '0' ? C_FRACTION_0 : C_FRACTION_9;
        return C_NONE;
    }
    if (starts(text, length, "_2006")) return C_NONE; /* "_" and the year */
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (!starts(text, length, forms[i].text)) continue;
        *width = strlen(forms[i].text);
        int word = forms[i].type == C_MONTH || forms[i].type == C_WEEKDAY;
        if (word && length > 3 && text[3] >= 'a' && text[3] <= 'z') continue;
        return forms[i].type;
    }
    return C_NONE;
}

/* The next chunk of the layout, which is consumed with the text before it. */
static chunk next_chunk(layout *l)
{
    for (size_t i = 0; i < l->length; i++) {
        size_t width = 0;
        chunk type = chunk_at(l->text + i, l->length - i, &width);
        if (type == C_NONE) continue;
        l->prefix = l->text;
        l->prefix_length = i;
        l->form = l->text + i;
        l->form_length = width;
        l->digits = (int)width - 1;
        l->text += i + width;
        l->length -= i + width;
        return type;
    }
    l->prefix = l->text;
    l->prefix_length = l->length;
    l->text += l->length;
    l->length = 0;
    return C_NONE;
}

static void add_zone(tl_buf *out, chunk type, int32_t offset)
{
    int iso = type >= C_ISO_TZ && type <= C_ISO_COLON_SECONDS_TZ;
    if (iso && !offset) {
        tl_buf_addc(out, 'Z');
        return;
    }
    int colon = type == C_ISO_COLON_TZ || type == C_NUM_COLON_TZ || type == C_ISO_COLON_SECONDS_TZ ||
                type == C_NUM_COLON_SECONDS_TZ;
    int seconds = type == C_ISO_SECONDS_TZ || type == C_NUM_SECONDS_TZ || type == C_ISO_COLON_SECONDS_TZ ||
                  type == C_NUM_COLON_SECONDS_TZ;
    int32_t size = offset < 0 ? -offset : offset;
    tl_buf_addf(out, "%c%02d", offset < 0 ? '-' : '+', size / 3600);
    if (type != C_NUM_SHORT_TZ && type != C_ISO_SHORT_TZ) tl_buf_addf(out, colon ? ":%02d" : "%02d", size / 60 % 60);
    if (seconds) tl_buf_addf(out, colon ? ":%02d" : "%02d", size % 60);
}

static void add_zone_name(tl_buf *out, const tl_gotime *time)
{
    if (time->zone[0] && time->zone[0] != '+' && time->zone[0] != '-') {
        tl_buf_adds(out, time->zone);
        return;
    }
    int32_t minutes = time->offset / 60, size = minutes < 0 ? -minutes : minutes;
    tl_buf_addf(out, "%c%02d", minutes < 0 ? '-' : '+', size / 60);
    if (size % 60) tl_buf_addf(out, "%02d", size % 60);
}

static void add_fraction(tl_buf *out, const layout *l, chunk type, int32_t nanoseconds)
{
    char digits[12];
    snprintf(digits, sizeof digits, "%09d", nanoseconds);
    int count = l->digits > 9 ? 9 : l->digits;
    if (type == C_FRACTION_9)
        while (count > 0 && digits[count - 1] == '0') count--;
    if (!count) return;
    tl_buf_addc(out, l->form[0]);
    tl_buf_add(out, digits, (size_t)count);
    for (int i = 9; type == C_FRACTION_0 && i < l->digits; i++) tl_buf_addc(out, '0');
}

static void add_clock(tl_buf *out, chunk type, const tl_civil *c)
{
    int hour12 = c->hour % 12 ? c->hour % 12 : 12;
    switch (type) {
    case C_HOUR: tl_buf_addf(out, "%02d", c->hour); break;
    case C_HOUR12: tl_buf_addf(out, "%d", hour12); break;
    case C_ZERO_HOUR12: tl_buf_addf(out, "%02d", hour12); break;
    case C_MINUTE: tl_buf_addf(out, "%d", c->minute); break;
    case C_ZERO_MINUTE: tl_buf_addf(out, "%02d", c->minute); break;
    case C_SECOND: tl_buf_addf(out, "%d", c->second); break;
    case C_ZERO_SECOND: tl_buf_addf(out, "%02d", c->second); break;
    case C_UPPER_PM: tl_buf_adds(out, c->hour >= 12 ? "PM" : "AM"); break;
    default: tl_buf_adds(out, c->hour >= 12 ? "pm" : "am");
    }
}

static void add_date(tl_buf *out, chunk type, const tl_civil *c)
{
    long long year = c->year, short_year = year % 100 < 0 ? -(year % 100) : year % 100;
    switch (type) {
    case C_LONG_YEAR: tl_buf_addf(out, year < 0 ? "-%04lld" : "%04lld", year < 0 ? -year : year); break;
    case C_YEAR: tl_buf_addf(out, "%02lld", short_year); break;
    case C_LONG_MONTH: tl_buf_adds(out, tl_month_names[c->month - 1]); break;
    case C_MONTH: tl_buf_add(out, tl_month_names[c->month - 1], 3); break;
    case C_NUM_MONTH: tl_buf_addf(out, "%d", c->month); break;
    case C_ZERO_MONTH: tl_buf_addf(out, "%02d", c->month); break;
    case C_LONG_WEEKDAY: tl_buf_adds(out, tl_day_names[c->weekday]); break;
    case C_WEEKDAY: tl_buf_add(out, tl_day_names[c->weekday], 3); break;
    case C_DAY: tl_buf_addf(out, "%d", c->day); break;
    case C_UNDER_DAY: tl_buf_addf(out, "%2d", c->day); break;
    case C_ZERO_DAY: tl_buf_addf(out, "%02d", c->day); break;
    case C_UNDER_YEARDAY: tl_buf_addf(out, "%3d", c->yearday); break;
    default: tl_buf_addf(out, "%03d", c->yearday);
    }
}

static int is_clock(chunk type)
{
    return (type >= C_HOUR && type <= C_ZERO_SECOND) || type == C_UPPER_PM || type == C_LOWER_PM;
}

void tl_gotime_format(const tl_gotime *time, const char *text, size_t length, tl_buf *out)
{
    tl_civil civil = tl_gotime_civil(time);
    layout l = {.text = text, .length = length};
    for (;;) {
        chunk type = next_chunk(&l);
        tl_buf_add(out, l.prefix, l.prefix_length);
        if (type == C_NONE) return;
        if (type == C_FRACTION_0 || type == C_FRACTION_9)
            add_fraction(out, &l, type, time->nanoseconds);
        else if (type == C_TZ)
            add_zone_name(out, time);
        else if (type >= C_ISO_TZ)
            add_zone(out, type, time->offset);
        else if (is_clock(type))
            add_clock(out, type, &civil);
        else
            add_date(out, type, &civil);
    }
}

/* ---- parsing ---- */

typedef struct reader {
    const char *text;
    size_t length;
    tl_civil civil;
    int32_t nanoseconds, offset;
    int has_offset, pm, am, has_yearday, has_month, has_day;
    char zone[16];
    const char *range; /* what is out of range */
} reader;

/* One or two digits (exactly two where `fixed`); -1. */
static int two_digits(reader *r, int fixed, int *out)
{
    if (!r->length || !is_digit(r->text[0])) return -1;
    int two = r->length > 1 && is_digit(r->text[1]);
    if (!two && fixed) return -1;
    *out = two ? (r->text[0] - '0') * 10 + (r->text[1] - '0') : r->text[0] - '0';
    r->text += 1 + two;
    r->length -= 1 + (size_t)two;
    return 0;
}

static int many_digits(reader *r, int count, int *out)
{
    *out = 0;
    if (r->length < (size_t)count) return -1;
    for (int i = 0; i < count; i++) {
        if (!is_digit(r->text[i])) return -1;
        *out = *out * 10 + (r->text[i] - '0');
    }
    r->text += count;
    r->length -= (size_t)count;
    return 0;
}

static int read_name(reader *r, const char *const *names, int count, size_t width)
{
    for (int i = 0; i < count; i++) {
        size_t n = width ? width : strlen(names[i]);
        if (r->length < n || strncasecmp(r->text, names[i], n) != 0) continue;
        r->text += n;
        r->length -= n;
        return i;
    }
    return -1;
}

static int read_fraction(reader *r, size_t digits)
{
    int32_t value = 0, scale = 100000000;
    for (size_t i = 0; i < digits; i++, scale /= 10) value += (r->text[1 + i] - '0') * scale;
    r->nanoseconds = value;
    r->text += 1 + digits;
    r->length -= 1 + digits;
    return 0;
}

static size_t fraction_digits(const reader *r)
{
    size_t n = 0;
    if (r->length < 2 || (r->text[0] != '.' && r->text[0] != ',')) return 0;
    while (n + 1 < r->length && is_digit(r->text[n + 1])) n++;
    return n;
}

static int read_offset(reader *r, chunk type)
{
    int iso = type >= C_ISO_TZ && type <= C_ISO_COLON_SECONDS_TZ, hours, minutes = 0, seconds = 0;
    if (iso && r->length && r->text[0] == 'Z') {
        r->text++;
        r->length--;
        r->has_offset = 1;
        snprintf(r->zone, sizeof r->zone, "UTC");
        return 0;
    }
    if (!r->length || (r->text[0] != '+' && r->text[0] != '-')) return -1;
    int sign = r->text[0] == '-' ? -1 : 1;
    r->text++;
    r->length--;
    int colon = type == C_ISO_COLON_TZ || type == C_NUM_COLON_TZ || type == C_ISO_COLON_SECONDS_TZ ||
                type == C_NUM_COLON_SECONDS_TZ;
    int parts = type == C_NUM_SHORT_TZ || type == C_ISO_SHORT_TZ ? 1
                : type == C_ISO_SECONDS_TZ || type == C_NUM_SECONDS_TZ || type == C_ISO_COLON_SECONDS_TZ ||
                          type == C_NUM_COLON_SECONDS_TZ
                    ? 3
                    : 2;
    int *const fields[3] = {&hours, &minutes, &seconds};
    for (int i = 0; i < parts; i++) {
        if (i && colon) {
            if (!r->length || r->text[0] != ':') return -1;
            r->text++;
            r->length--;
        }
        if (many_digits(r, 2, fields[i])) return -1;
    }
    if (hours > 24) r->range = "time zone offset hour";
    if (minutes > 60) r->range = "time zone offset minute";
    r->offset = sign * ((hours * 60 + minutes) * 60 + seconds);
    r->has_offset = 1;
    return 0;
}

static int read_zone_name(reader *r)
{
    size_t n = 0;
    while (n < r->length && n < 6 && r->text[n] >= 'A' && r->text[n] <= 'Z') n++;
    if (n < 3 || n > 5) return -1;
    snprintf(r->zone, sizeof r->zone, "%.*s", (int)n, r->text);
    if (!strcmp(r->zone, "UTC")) r->has_offset = 1;
    r->text += n;
    r->length -= n;
    return 0;
}

static int read_year(reader *r, chunk type)
{
    int year;
    if (type == C_LONG_YEAR) {
        if (many_digits(r, 4, &year)) return -1;
    } else {
        if (many_digits(r, 2, &year)) return -1;
        year += year >= 69 ? 1900 : 2000;
    }
    r->civil.year = year;
    return 0;
}

static int read_day(reader *r, chunk type)
{
    if (type == C_UNDER_DAY && r->length && r->text[0] == ' ') {
        r->text++;
        r->length--;
    }
    r->has_day = 1;
    return two_digits(r, type == C_ZERO_DAY, &r->civil.day);
}

static int read_yearday(reader *r, chunk type)
{
    for (int i = 0; i < 2; i++) {
        if (type != C_UNDER_YEARDAY || !r->length || r->text[0] != ' ') continue;
        r->text++;
        r->length--;
    }
    r->has_yearday = 1;
    return many_digits(r, 3, &r->civil.yearday);
}

static int read_month(reader *r, chunk type)
{
    if (type == C_NUM_MONTH || type == C_ZERO_MONTH) {
        if (two_digits(r, type == C_ZERO_MONTH, &r->civil.month)) return -1;
        if (r->civil.month < 1 || r->civil.month > 12) r->range = "month";
    } else {
        int month = read_name(r, tl_month_names, 12, type == C_MONTH ? 3 : 0);
        if (month < 0) return -1;
        r->civil.month = month + 1;
    }
    r->has_month = 1;
    return 0;
}

static int read_second(reader *r, chunk type, const layout *l)
{
    if (two_digits(r, type == C_ZERO_SECOND, &r->civil.second)) return -1;
    if (r->civil.second > 59) r->range = "second";
    /* A fraction may follow even where the layout has none. */
    size_t width;
    size_t digits = fraction_digits(r);
    int named = l->length && (l->text[0] == '.' || l->text[0] == ',') &&
                chunk_at(l->text, l->length, &width) >= C_FRACTION_0;
    return digits && !named ? read_fraction(r, digits) : 0;
}

static int read_pm(reader *r, chunk type)
{
    const char *pm = type == C_UPPER_PM ? "PM" : "pm", *am = type == C_UPPER_PM ? "AM" : "am";
    if (starts(r->text, r->length, pm))
        r->pm = 1;
    else if (starts(r->text, r->length, am))
        r->am = 1;
    else
        return -1;
    r->text += 2;
    r->length -= 2;
    return 0;
}

static int read_chunk(reader *r, chunk type, const layout *l)
{
    switch (type) {
    case C_LONG_YEAR:
    case C_YEAR: return read_year(r, type);
    case C_LONG_MONTH:
    case C_MONTH:
    case C_NUM_MONTH:
    case C_ZERO_MONTH: return read_month(r, type);
    case C_LONG_WEEKDAY:
    case C_WEEKDAY: return read_name(r, tl_day_names, 7, type == C_WEEKDAY ? 3 : 0) < 0 ? -1 : 0;
    case C_DAY:
    case C_UNDER_DAY:
    case C_ZERO_DAY: return read_day(r, type);
    case C_UNDER_YEARDAY:
    case C_ZERO_YEARDAY: return read_yearday(r, type);
    case C_HOUR:
    case C_HOUR12:
    case C_ZERO_HOUR12:
        if (two_digits(r, type == C_ZERO_HOUR12, &r->civil.hour)) return -1;
        if (r->civil.hour > (type == C_HOUR ? 23 : 12)) r->range = "hour";
        return 0;
    case C_MINUTE:
    case C_ZERO_MINUTE:
        if (two_digits(r, type == C_ZERO_MINUTE, &r->civil.minute)) return -1;
        if (r->civil.minute > 59) r->range = "minute";
        return 0;
    case C_SECOND:
    case C_ZERO_SECOND: return read_second(r, type, l);
    case C_UPPER_PM:
    case C_LOWER_PM: return read_pm(r, type);
    case C_TZ: return read_zone_name(r);
    case C_FRACTION_0: {
        size_t digits = fraction_digits(r);
        return digits >= (size_t)l->digits ? read_fraction(r, (size_t)l->digits) : -1;
    }
    case C_FRACTION_9: {
        size_t digits = fraction_digits(r);
        return digits ? read_fraction(r, digits > 9 ? 9 : digits) : 0;
    }
    default: return read_offset(r, type);
    }
}

static int month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

static int parse_error(tl_buf *error, const char *const *quoted, const size_t *lengths, const char *range)
{
    tl_buf_adds(error, "parsing time ");
    tl_gotime_quote(error, quoted[0], lengths[0]);
    if (range) {
        tl_buf_addf(error, "%s%s", range[0] == ':' ? "" : ": ", range);
        return -1;
    }
    tl_buf_adds(error, " as ");
    tl_gotime_quote(error, quoted[1], lengths[1]);
    tl_buf_adds(error, ": cannot parse ");
    tl_gotime_quote(error, quoted[2], lengths[2]);
    tl_buf_adds(error, " as ");
    tl_gotime_quote(error, quoted[3], lengths[3]);
    return -1;
}

static const char *check_date(reader *r)
{
    if (r->pm && r->civil.hour < 12) r->civil.hour += 12;
    if (r->am && r->civil.hour == 12) r->civil.hour = 0;
    if (r->has_yearday) {
        tl_civil first = {.year = r->civil.year, .month = 1, .day = r->civil.yearday};
        tl_gotime time = {.seconds = tl_gotime_from_civil(&first)};
        tl_civil day = tl_gotime_civil(&time);
        if (r->civil.yearday < 1 || day.year != r->civil.year) return "day-of-year out of range";
        if (r->has_month && day.month != r->civil.month) return "day-of-year does not match month";
        if (r->has_day && day.day != r->civil.day) return "day-of-year does not match day";
        r->civil.month = day.month;
        r->civil.day = day.day;
    }
    if (r->civil.day < 1 || r->civil.day > month_days(r->civil.year, r->civil.month)) return "day out of range";
    return NULL;
}

static void set_result(const reader *r, tl_gotime *out)
{
    *out = (tl_gotime){.seconds = tl_gotime_from_civil(&r->civil), .nanoseconds = r->nanoseconds};
    if (r->has_offset) {
        out->seconds -= r->offset;
        out->offset = r->offset;
        snprintf(out->zone, sizeof out->zone, "%s", r->zone[0] ? r->zone : r->offset ? "" : "UTC");
        return;
    }
    /* Local time: the offset at the guessed instant, then at the corrected one. */
    int64_t wall = out->seconds;
    tl_gotime_set_zone(out, "Local", 5);
    out->seconds = wall - out->offset;
    tl_gotime_set_zone(out, "Local", 5);
    out->seconds = wall - out->offset;
    if (r->zone[0] && strcmp(r->zone, out->zone) != 0) {
        out->seconds = wall;
        out->offset = 0;
        snprintf(out->zone, sizeof out->zone, "%s", r->zone);
    }
}

int tl_gotime_parse(const char *layout_text, size_t layout_length, const char *text, size_t length, tl_gotime *out,
                    tl_buf *error)
{
    layout l = {.text = layout_text, .length = layout_length};
    reader r = {.text = text, .length = length, .civil = {.month = 1, .day = 1}};
    for (;;) {
        chunk type = next_chunk(&l);
        if (r.length < l.prefix_length || memcmp(r.text, l.prefix, l.prefix_length) != 0)
            return parse_error(error, (const char *[]){text, layout_text, r.text, l.prefix},
                               (size_t[]){length, layout_length, r.length, l.prefix_length}, NULL);
        r.text += l.prefix_length;
        r.length -= l.prefix_length;
        if (type == C_NONE) break;
        const char *at = r.text;
        size_t left = r.length;
        if (read_chunk(&r, type, &l))
            return parse_error(error, (const char *[]){text, layout_text, at, l.form},
                               (size_t[]){length, layout_length, left, l.form_length}, NULL);
        if (r.range) {
            char range[64];
            snprintf(range, sizeof range, "%s out of range", r.range);
            return parse_error(error, (const char *[]){text}, (size_t[]){length}, range);
        }
    }
    const char *wrong = check_date(&r);
    if (r.length) {
        tl_buf extra = TL_BUF_INIT(4096);
        tl_buf_adds(&extra, "extra text: ");
        tl_gotime_quote(&extra, r.text, r.length);
        parse_error(error, (const char *[]){text}, (size_t[]){length}, extra.data);
        tl_buf_dispose(&extra);
        return -1;
    }
    if (wrong) return parse_error(error, (const char *[]){text}, (size_t[]){length}, wrong);
    set_result(&r, out);
    return 0;
}

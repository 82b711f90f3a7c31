/* What plain YAML scalars mean. */
#include "data/yaml_scalar.h"

#include <math.h>
#include <string.h>

#include "data/number.h"

typedef struct word {
    const char *text;
    char kind; /* t, f (booleans), n (null), a (nan), i, I (infinities), m (merge) */
    char core; /* in the core schema too */
} word;

static const word words[] = {
    {"y", 't', 0},     {"Y", 't', 0},     {"yes", 't', 0},   {"Yes", 't', 0},   {"YES", 't', 0},   {"true", 't', 1},
    {"True", 't', 1},  {"TRUE", 't', 1},  {"on", 't', 0},    {"On", 't', 0},    {"ON", 't', 0},    {"n", 'f', 0},
    {"N", 'f', 0},     {"no", 'f', 0},    {"No", 'f', 0},    {"NO", 'f', 0},    {"false", 'f', 1}, {"False", 'f', 1},
    {"FALSE", 'f', 1}, {"off", 'f', 0},   {"Off", 'f', 0},   {"OFF", 'f', 0},   {"~", 'n', 1},     {"null", 'n', 1},
    {"Null", 'n', 1},  {"NULL", 'n', 1},  {".nan", 'a', 1},  {".NaN", 'a', 1},  {".NAN", 'a', 1},  {".inf", 'i', 1},
    {".Inf", 'i', 1},  {".INF", 'i', 1},  {"+.inf", 'i', 1}, {"+.Inf", 'i', 1}, {"+.INF", 'i', 1}, {"-.inf", 'I', 1},
    {"-.Inf", 'I', 1}, {"-.INF", 'I', 1}, {"<<", 'm', 1},
};

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int find_word(const char *text, size_t length, tl_yaml_flavour flavour)
{
    if (!length) return 'n';
    static const unsigned char starts[256] = {
        ['y'] = 1, ['Y'] = 1, ['n'] = 1, ['N'] = 1, ['t'] = 1, ['T'] = 1, ['f'] = 1, ['F'] = 1,
        ['o'] = 1, ['O'] = 1, ['~'] = 1, ['.'] = 1, ['+'] = 1, ['-'] = 1, ['<'] = 1,
    };
    if (length > 5 || !starts[(unsigned char)text[0]]) return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].text[0] == text[0] && strlen(words[i].text) == length && !memcmp(words[i].text, text, length))
            return flavour == TL_YAML_HELM || words[i].core ? words[i].kind : 0;
    return 0;
}

static tl_yaml_tag word_value(int kind, const char *text, size_t length, tl_value *out)
{
    switch (kind) {
    case 't':
    case 'f': *out = tl_bool(kind == 't'); return TL_YAML_BOOL;
    case 'n': *out = tl_null(); return TL_YAML_NULL;
    case 'a': *out = tl_float(NAN); return TL_YAML_FLOAT;
    case 'i':
    case 'I': *out = tl_float(kind == 'i' ? INFINITY : -INFINITY); return TL_YAML_FLOAT;
    default: *out = tl_string_ref(text, length); return TL_YAML_MERGE;
    }
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static int float_shape(const char *s, size_t n)
{
    size_t i = n && (*s == '-' || *s == '+') ? 1 : 0, before = i;
    while (i < n && is_digit(s[i])) i++;
    size_t whole = i - before;
    if (i < n && s[i] == '.') {
        size_t point = i++;
        while (i < n && is_digit(s[i])) i++;
        if (!whole && i == point + 1) return 0;
    } else if (!whole) {
        return 0;
    }
    if (i < n && (s[i] | 0x20) == 'e') {
        i++;
        if (i < n && (s[i] == '-' || s[i] == '+')) i++;
        if (i >= n || !is_digit(s[i])) return 0;
        while (i < n && is_digit(s[i])) i++;
    }
    return i == n;
}

/* One or two digits at *s. */
static int take_number(const char **s, const char *end, int *out)
{
    if (*s >= end || !is_digit(**s)) return 0;
    *out = *(*s)++ - '0';
    if (*s < end && is_digit(**s)) *out = *out * 10 + (*(*s)++ - '0');
    return 1;
}

static int take_char(const char **s, const char *end, char c)
{
    if (*s >= end || **s != c) return 0;
    ++*s;
    return 1;
}

static int days_in(int month, int year)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* "15:4:5.999999999" */
static int take_clock(const char **s, const char *end)
{
    int hour, minute, second;
    if (!take_number(s, end, &hour) || !take_char(s, end, ':') || !take_number(s, end, &minute) ||
        !take_char(s, end, ':') || !take_number(s, end, &second))
        return 0;
    if (hour > 23 || minute > 59 || second > 59) return 0;
    if (end - *s >= 2 && (**s == '.' || **s == ',') && is_digit((*s)[1])) {
        ++*s;
        while (*s < end && is_digit(**s)) ++*s;
    }
    return 1;
}

/* "Z07:00" */
static int take_zone(const char **s, const char *end)
{
    if (take_char(s, end, 'Z')) return 1;
    if (end - *s < 6 || !strchr("+-", **s) || !is_digit((*s)[1]) || !is_digit((*s)[2]) || (*s)[3] != ':' ||
        !is_digit((*s)[4]) || !is_digit((*s)[5]))
        return 0;
    int hour = ((*s)[1] - '0') * 10 + (*s)[2] - '0', minute = ((*s)[4] - '0') * 10 + (*s)[5] - '0';
    *s += 6;
    return hour <= 24 && minute <= 60;
}

/* The four forms that go-yaml tries, read as Go's time.Parse reads them. */
static int is_timestamp(const char *text, size_t length)
{
    const char *s = text, *end = text + length;
    int year = 0, month, day;
    for (int i = 0; i < 4; i++, s++) {
        if (s >= end || !is_digit(*s)) return 0;
        year = year * 10 + (*s - '0');
    }
    if (!take_char(&s, end, '-') || !take_number(&s, end, &month) || month < 1 || month > 12) return 0;
    if (!take_char(&s, end, '-') || !take_number(&s, end, &day) || day < 1 || day > days_in(month, year)) return 0;
    if (s == end) return 1;
    if (take_char(&s, end, 'T') || take_char(&s, end, 't'))
        return take_clock(&s, end) && take_zone(&s, end) && s == end;
    if (!take_char(&s, end, ' ')) return 0;
    while (take_char(&s, end, ' '))
        ;
    return take_clock(&s, end) && s == end;
}

static int read_integer(const char *s, size_t n, int base, tl_value *out)
{
    int64_t integer;
    uint64_t large;
    if (tl_number_parse_int(s, n, base, &integer) == 0) {
        *out = tl_int(integer);
        return TL_YAML_INT;
    }
    if (tl_number_parse_uint(s, n, base, &large) == 0) {
        *out = tl_as_go(tl_int((int64_t)large), TL_GO_UINT64);
        return TL_YAML_UINT;
    }
    return TL_YAML_STR;
}

/* "0b" with a sign behind it, which only go-yaml accepts; plain binary numbers were read before. */
static int read_odd_binary(const char *s, size_t n, tl_value *out)
{
    char text[72];
    if (n > 2 && s[0] == '0' && s[1] == 'b') return read_integer(s + 2, n - 2, 2, out);
    if (n > 3 && n < sizeof text && s[0] == '-' && s[1] == '0' && s[2] == 'b') {
        text[0] = '-';
        memcpy(text + 1, s + 3, n - 3);
        int64_t integer;
        if (tl_number_parse_int(text, n - 2, 2, &integer)) return TL_YAML_STR;
        *out = tl_int(integer);
        return TL_YAML_INT;
    }
    return TL_YAML_STR;
}

static tl_yaml_tag helm_number(const char *text, size_t length, int timestamps, tl_value *out)
{
    char plain[512];
    double number;
    size_t n = 0;
    if (timestamps && is_timestamp(text, length)) return TL_YAML_TIMESTAMP;
    if (length > sizeof plain) return TL_YAML_STR;
    for (size_t i = 0; i < length; i++)
        if (text[i] != '_') plain[n++] = text[i];
    int tag = read_integer(plain, n, 0, out);
    if (tag != TL_YAML_STR) return (tl_yaml_tag)tag;
    if (float_shape(plain, n) && tl_number_parse_float(plain, n, &number) == 0) {
        *out = tl_float(number);
        return TL_YAML_FLOAT;
    }
    return (tl_yaml_tag)read_odd_binary(plain, n, out);
}

static tl_yaml_tag core_number(const char *s, size_t n, tl_value *out)
{
    size_t sign = *s == '-' || *s == '+', digits = sign;
    double number;
    while (digits < n && is_digit(s[digits])) digits++;
    if (digits == n && n > sign) {
        int tag = read_integer(s, n, 10, out);
        if (tag != TL_YAML_STR) return (tl_yaml_tag)tag;
    }
    if (n > 2 && s[0] == '0' && (s[1] == 'o' || s[1] == 'x') && !memchr(s, '_', n)) {
        int tag = read_integer(s + 2, n - 2, s[1] == 'o' ? 8 : 16, out);
        if (tag != TL_YAML_STR && s[2] != '-' && s[2] != '+') return (tl_yaml_tag)tag;
    }
    if (!float_shape(s, n)) return TL_YAML_STR;
    tl_number_parse_float(s, n, &number);
    *out = tl_float(number);
    return TL_YAML_FLOAT;
}

tl_yaml_tag tl_yaml_resolve(const char *text, size_t length, tl_yaml_flavour flavour, int timestamps, tl_value *out)
{
    tl_yaml_tag tag = TL_YAML_STR;
    int kind = find_word(text, length, flavour);
    if (kind == 'm' && flavour == TL_YAML_HELM) kind = 0; /* "<" is no hint in go-yaml's table */
    if (kind) return word_value(kind, text, length, out);
    char first = text[0];
    if (flavour == TL_YAML_CORE) {
        if (is_digit(first) || strchr("+-.", first)) tag = core_number(text, length, out);
    } else if (first == '.') {
        double number;
        if (tl_number_parse_float(text, length, &number) == 0) {
            *out = tl_float(number);
            return TL_YAML_FLOAT;
        }
    } else if (is_digit(first) || first == '+' || first == '-') {
        tag = helm_number(text, length, timestamps, out);
    }
    if (tag == TL_YAML_STR || tag == TL_YAML_TIMESTAMP) *out = tl_string_ref(text, length);
    return tag;
}

tl_value tl_yaml_number(tl_value value, int floats)
{
    if (value.type != TL_INT) return value;
    if (value.go == TL_GO_UINT64) return tl_float((double)(uint64_t)value.as.i);
    return floats ? tl_float((double)value.as.i) : value;
}

const char *tl_yaml_tag_name(tl_yaml_tag tag)
{
    static const char *const names[] = {"!!str",   "!!null",  "!!bool",      "!!int",
                                        "!!int",   "!!float", "!!timestamp", "!!merge"};
    return names[tag];
}

/* [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)? */
int tl_yaml_base60(const char *text, size_t length)
{
    size_t i = length && (*text == '-' || *text == '+') ? 1 : 0, groups = 0;
    if (i >= length || !is_digit(text[i])) return 0;
    while (i < length && (is_digit(text[i]) || text[i] == '_')) i++;
    while (i < length && text[i] == ':') {
        size_t digits = 0;
        for (i++; i < length && digits < 2 && is_digit(text[i]); i++) digits++;
        if (!digits || (digits == 2 && text[i - 2] > '5')) return 0;
        groups++;
    }
    if (i < length && text[i] == '.')
        for (i++; i < length && (is_digit(text[i]) || text[i] == '_'); i++)
            ;
    return groups && i == length;
}

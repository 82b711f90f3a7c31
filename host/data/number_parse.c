/* Numbers read from text as Go's strconv reads them. */
#include "data/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

static int lower(int c)
{
    return c | ('x' - 'X');
}

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Underscores stand between digits, or between a base prefix and a digit. */
static int underscores_fine(const char *s, size_t n)
{
    int saw = '^', hex = 0;
    size_t i = 0;
    if (n && (*s == '-' || *s == '+')) {
        s++;
        n--;
    }
    if (n >= 2 && s[0] == '0' && strchr("box", lower(s[1]))) {
        i = 2;
        saw = '0';
        hex = lower(s[1]) == 'x';
    }
    for (; i < n; i++) {
        if (is_digit(s[i]) || (hex && lower(s[i]) >= 'a' && lower(s[i]) <= 'f')) {
            saw = '0';
        } else if (s[i] == '_') {
            if (saw != '0') return 0;
            saw = '_';
        } else {
            if (saw == '_') return 0;
            saw = '!';
        }
    }
    return saw != '_';
}

static int read_base(const char **s, size_t *n)
{
    if (**s != '0') return 10;
    if (*n >= 3) {
        int letter = lower((*s)[1]), base = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 0;
        if (base) {
            *s += 2;
            *n -= 2;
            return base;
        }
    }
    *s += 1;
    *n -= 1;
    return 8;
}

int tl_number_parse_uint(const char *text, size_t length, int base, uint64_t *out)
{
    const char *s = text;
    size_t n = length;
    int any_base = base == 0, underscores = 0;
    *out = 0;
    if (!n) return -1;
    if (any_base) base = read_base(&s, &n);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)s[i], digit;
        if (c == '_' && any_base) {
            underscores = 1;
            continue;
        }
        if (is_digit(c))
            digit = c - '0';
        else if (lower(c) >= 'a' && lower(c) <= 'z')
            digit = lower(c) - 'a' + 10;
        else
            return -1;
        if (digit >= base) return -1;
        if (sum > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base) {
            *out = UINT64_MAX;
            return -2;
        }
        sum = sum * (uint64_t)base + (uint64_t)digit;
    }
    if (underscores && !underscores_fine(text, length)) return -1;
    *out = sum;
    return 0;
}

int tl_number_parse_int(const char *text, size_t length, int base, int64_t *out)
{
    *out = 0;
    if (!length) return -1;
    int negative = *text == '-';
    if (negative || *text == '+') {
        text++;
        length--;
    }
    uint64_t size;
    int status = tl_number_parse_uint(text, length, base, &size);
    if (status == -1) return -1;
    if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        *out = negative ? INT64_MIN : INT64_MAX;
        return -2;
    }
    *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return 0;
}

static int is_word(const char *s, size_t n, const char *word)
{
    return strlen(word) == n && !strncasecmp(s, word, n);
}

static int read_word(const char *s, size_t n, double *out)
{
    if (is_word(s, n, "nan")) {
        *out = NAN;
        return 0;
    }
    int negative = n && *s == '-';
    if (n && (*s == '-' || *s == '+')) {
        s++;
        n--;
    }
    if (!is_word(s, n, "inf") && !is_word(s, n, "infinity")) return -1;
    *out = negative ? -INFINITY : INFINITY;
    return 0;
}

static int exponent_fine(const char *s, size_t n)
{
    size_t i = n && (*s == '+' || *s == '-') ? 1 : 0;
    if (i >= n || !is_digit(s[i])) return 0;
    for (; i < n; i++)
        if (!is_digit(s[i]) && s[i] != '_') return 0;
    return 1;
}

/* Go's grammar of floating-point literals, with an optional sign. */
static int float_fine(const char *s, size_t n)
{
    size_t i = n && (*s == '+' || *s == '-') ? 1 : 0;
    int hex = i + 2 < n && s[i] == '0' && lower(s[i + 1]) == 'x', digits = 0, dot = 0;
    if (hex) i += 2;
    for (; i < n; i++) {
        if (s[i] == '.') {
            if (dot++) return 0;
        } else if (is_digit(s[i]) || (hex && lower(s[i]) >= 'a' && lower(s[i]) <= 'f')) {
            digits = 1;
        } else if (s[i] != '_') {
            break;
        }
    }
    if (!digits) return 0;
    if (i == n) return !hex;
    return lower(s[i]) == (hex ? 'p' : 'e') && exponent_fine(s + i + 1, n - i - 1);
}

int tl_number_parse_float(const char *text, size_t length, double *out)
{
    *out = 0;
    if (!float_fine(text, length)) return read_word(text, length, out);
    char small[64], *copy = length < sizeof small ? small : tl_malloc(length + 1);
    size_t n = 0;
    for (size_t i = 0; i < length; i++)
        if (text[i] != '_') copy[n++] = text[i];
    copy[n] = 0;
    int fine = n == length || underscores_fine(text, length);
    if (fine) *out = strtod(copy, NULL);
    if (copy != small) free(copy);
    if (!fine) return -1;
    return isinf(*out) ? -2 : 0;
}

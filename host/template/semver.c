/* Semantic versions and constraints. */
#include "template/semver.h"

#include <stdio.h>
#include <string.h>

#include "data/number.h"

#define MAX_VERSION 256
#define MAX_CONSTRAINT 512
#define MAX_GROUPS 32

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_ident(char c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-';
}

static int fail(char *error, size_t size, const char *text)
{
    snprintf(error, size, "%s", text);
    return -1;
}

/* "a.b.c" of identifiers; returns the bytes it takes, 0 where there is none. */
static size_t dotted(const char *text, size_t length)
{
    size_t i = 0, taken = 0;
    while (i < length && is_ident(text[i])) {
        while (i < length && is_ident(text[i])) i++;
        taken = i;
        if (i >= length || text[i] != '.') break;
        i++;
    }
    return taken;
}

/* "-pre" and "+meta" at the end of a version. */
static size_t scan_tail(const char *text, size_t length, char mark, tl_span *out)
{
    *out = (tl_span){"", 0};
    if (!length || text[0] != mark) return 0;
    size_t taken = dotted(text + 1, length - 1);
    if (!taken) return 0;
    *out = (tl_span){text + 1, (uint32_t)taken};
    return taken + 1;
}

static int parse_segment(tl_span text, uint64_t *out, char *error, size_t size)
{
    if (!tl_number_parse_uint(text.s, text.len, 10, out)) return 0;
    snprintf(error, size, "error parsing version segment: strconv.ParseUint: parsing \"%.*s\": value out of range",
             (int)text.len, text.s);
    return -1;
}

static int check_pre(tl_span pre, char *error, size_t size)
{
    for (uint32_t i = 0; i < pre.len;) {
        uint32_t end = i;
        int number = 1;
        for (; end < pre.len && pre.s[end] != '.'; end++) number &= is_digit(pre.s[end]);
        if (number && end - i > 1 && pre.s[i] == '0') return fail(error, size, "version segment starts with 0");
        i = end + 1;
    }
    return 0;
}

int tl_version_parse(const char *text, size_t length, tl_version *out, char *error, size_t size)
{
    tl_span parts[3] = {{"0", 1}, {"0", 1}, {"0", 1}};
    size_t i = 0;
    *out = (tl_version){.original = {text, (uint32_t)length}};
    if (length > MAX_VERSION) return fail(error, size, "version string is too long (max 256 bytes)");
    if (i < length && text[i] == 'v') i++;
    for (int part = 0; part < 3; part++) {
        size_t from = i + (part > 0);
        if (part && (i >= length || text[i] != '.')) break;
        size_t end = from;
        while (end < length && is_digit(text[end])) end++;
        if (end == from) return fail(error, size, "invalid semantic version");
        parts[part] = (tl_span){text + from, (uint32_t)(end - from)};
        i = end;
    }
    i += scan_tail(text + i, length - i, '-', &out->pre);
    i += scan_tail(text + i, length - i, '+', &out->metadata);
    if (i != length) return fail(error, size, "invalid semantic version");
    if (parse_segment(parts[0], &out->major, error, size) || parse_segment(parts[1], &out->minor, error, size) ||
        parse_segment(parts[2], &out->patch, error, size))
        return -1;
    return check_pre(out->pre, error, size);
}

/* ---- order ---- */

static tl_span next_part(tl_span *rest)
{
    const char *dot = rest->len ? memchr(rest->s, '.', rest->len) : NULL;
    tl_span part = {rest->s, dot ? (uint32_t)(dot - rest->s) : rest->len};
    uint32_t used = part.len + (dot != NULL);
    rest->s += used;
    rest->len -= used;
    return part;
}

static int compare_text(tl_span a, tl_span b)
{
    int order = memcmp(a.s, b.s, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_part(tl_span a, tl_span b)
{
    uint64_t x, y;
    if (!compare_text(a, b)) return 0;
    if (!a.len || !b.len) return a.len ? 1 : -1;
    int text_a = tl_number_parse_uint(a.s, a.len, 10, &x) != 0, text_b = tl_number_parse_uint(b.s, b.len, 10, &y) != 0;
    if (text_a && text_b) return compare_text(a, b) > 0 ? 1 : -1;
    if (text_b) return -1;
    if (text_a) return 1;
    return x > y ? 1 : -1;
}

static int compare_pre(tl_span a, tl_span b)
{
    while (a.len || b.len) {
        tl_span x = next_part(&a), y = next_part(&b);
        int order = compare_part(x, y);
        if (order) return order;
    }
    return 0;
}

int tl_version_compare(const tl_version *a, const tl_version *b)
{
    if (a->major != b->major) return a->major < b->major ? -1 : 1;
    if (a->minor != b->minor) return a->minor < b->minor ? -1 : 1;
    if (a->patch != b->patch) return a->patch < b->patch ? -1 : 1;
    if (!a->pre.len || !b->pre.len) return (a->pre.len == 0) - (b->pre.len == 0);
    return compare_pre(a->pre, b->pre);
}

/* ---- constraints ---- */

typedef struct constraint {
    char op; /* '=', '!', '>', '<', 'g' (>=), 'l' (<=), '~', '^' */
    int dirty, minor_dirty, patch_dirty;
    tl_version version;
} constraint;

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static size_t skip_space(const char *text, size_t length)
{
    size_t i = 0;
    while (i < length && is_space(text[i])) i++;
    return i;
}

static int is_part(char c)
{
    return is_digit(c) || c == '|' || c == 'x' || c == 'X' || c == '*';
}

/* A version of a constraint, whose parts may be x; returns the bytes it takes. */
static size_t scan_version(const char *text, size_t length, tl_span parts[3], tl_span *pre)
{
    size_t i = length && text[0] == 'v';
    tl_span metadata;
    for (int part = 0; part < 3; part++) {
        parts[part] = (tl_span){"", 0};
        size_t from = i + (part > 0), end;
        if (part && (i >= length || text[i] != '.')) break;
        for (end = from; end < length && is_part(text[end]); end++) continue;
        if (end == from) {
            if (!part) return 0;
            break;
        }
        parts[part] = (tl_span){text + from, (uint32_t)(end - from)};
        i = end;
    }
    i += scan_tail(text + i, length - i, '-', pre);
    return i + scan_tail(text + i, length - i, '+', &metadata);
}

static size_t scan_op(const char *text, size_t length, char *op)
{
    static const struct {
        const char *text;
        char op;
    } ops[] = {{"!=", '!'}, {">=", 'g'}, {"=>", 'g'}, {"<=", 'l'}, {"=<", 'l'}, {"~>", '~'},
               {"=", '='},  {">", '>'},  {"<", '<'},  {"~", '~'},  {"^", '^'}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        size_t n = strlen(ops[i].text);
        if (n > length || memcmp(text, ops[i].text, n) != 0) continue;
        *op = ops[i].op;
        return n;
    }
    *op = '=';
    return 0;
}

static int any_part(tl_span part)
{
    return !part.len || (part.len == 1 && strchr("xX*", part.s[0]));
}

static int set_number(tl_span part, uint64_t *out)
{
    return tl_number_parse_uint(part.s, part.len, 10, out);
}

/* Fills the constraint's version from its parts. */
static int set_version(constraint *c, const tl_span parts[3], tl_span pre)
{
    tl_version *v = &c->version;
    char ignored[64];
    *v = (tl_version){.pre = pre};
    c->dirty = c->minor_dirty = c->patch_dirty = 0;
    if (any_part(parts[0])) {
        c->dirty = 1;
    } else if (any_part(parts[1])) {
        c->dirty = c->minor_dirty = 1;
        if (set_number(parts[0], &v->major)) return -1;
    } else if (any_part(parts[2])) {
        c->dirty = c->patch_dirty = 1;
        if (set_number(parts[0], &v->major) || set_number(parts[1], &v->minor)) return -1;
    } else if (set_number(parts[0], &v->major) || set_number(parts[1], &v->minor) || set_number(parts[2], &v->patch)) {
        return -1;
    }
    return check_pre(pre, ignored, sizeof ignored);
}

static int at_most(const tl_version *v, const constraint *c)
{
    if (!c->dirty) return tl_version_compare(v, &c->version) <= 0;
    if (v->major > c->version.major) return 0;
    return !(v->major == c->version.major && v->minor > c->version.minor && !c->minor_dirty);
}

static int greater(const tl_version *v, const constraint *c)
{
    if (!c->dirty) return tl_version_compare(v, &c->version) > 0;
    if (v->major != c->version.major) return v->major > c->version.major;
    if (c->minor_dirty) return 0;
    if (c->patch_dirty) return v->minor > c->version.minor;
    return tl_version_compare(v, &c->version) > 0;
}

static int tilde(const tl_version *v, const constraint *c)
{
    const tl_version *w = &c->version;
    if (tl_version_compare(v, w) < 0) return 0;
    if (!w->major && !w->minor && !w->patch && !c->minor_dirty && !c->patch_dirty) return 1;
    return v->major == w->major && (v->minor == w->minor || c->minor_dirty);
}

static int caret(const tl_version *v, const constraint *c)
{
    const tl_version *w = &c->version;
    if (tl_version_compare(v, w) < 0) return 0;
    if (w->major > 0 || c->minor_dirty) return v->major == w->major;
    if (v->major > 0) return 0;
    if (w->minor > 0 || c->patch_dirty) return v->minor == w->minor;
    return !v->minor && v->patch == w->patch;
}

static int not_equal(const tl_version *v, const constraint *c)
{
    const tl_version *w = &c->version;
    if (!c->dirty) return tl_version_compare(v, w) != 0;
    if (w->major != v->major) return 1;
    if (w->minor != v->minor && !c->minor_dirty) return 1;
    if (c->minor_dirty) return 0;
    if (w->patch != v->patch && !c->patch_dirty) return 1;
    if (c->patch_dirty) return (v->pre.len || w->pre.len) && compare_pre(v->pre, w->pre) != 0;
    return tl_version_compare(v, w) != 0;
}

static int satisfies(const tl_version *v, const constraint *c, int with_pre)
{
    if (v->pre.len && !with_pre) return 0;
    switch (c->op) {
    case '=': return c->dirty ? tilde(v, c) : tl_version_compare(v, &c->version) == 0;
    case '!': return not_equal(v, c);
    case '>': return greater(v, c);
    case '<': return tl_version_compare(v, &c->version) < 0;
    case 'g': return tl_version_compare(v, &c->version) >= 0;
    case 'l': return at_most(v, c);
    case '~': return tilde(v, c);
    default: return caret(v, c);
    }
}

static int improper(const char *text, size_t length, char *error, size_t size)
{
    tl_buf quoted = TL_BUF_INIT(4 * MAX_CONSTRAINT);
    tl_go_quote(&quoted, text, length);
    snprintf(error, size, "improper constraint: %s", quoted.data);
    tl_buf_dispose(&quoted);
    return -1;
}

/* One group of constraints, all of which must hold, separated by spaces or commas. */
static int check_group(const char *text, size_t length, const tl_version *version, char *error, size_t size)
{
    constraint all[MAX_CONSTRAINT / 2];
    size_t n = 0, i = skip_space(text, length);
    int with_pre = 0;
    for (;;) {
        constraint *c = &all[n];
        tl_span parts[3], pre;
        i += scan_op(text + i, length - i, &c->op);
        i += skip_space(text + i, length - i);
        size_t used = scan_version(text + i, length - i, parts, &pre);
        if (!used) return improper(text, length, error, size);
        i += used;
        if (set_version(c, parts, pre)) return fail(error, size, "constraint parser error");
        with_pre |= pre.len > 0;
        n++;
        size_t space = skip_space(text + i, length - i);
        i += space;
        if (i == length) break;
        if (text[i] == ',') {
            i++;
            i += skip_space(text + i, length - i);
        } else if (!space) {
            return improper(text, length, error, size);
        }
    }
    for (size_t k = 0; k < n; k++)
        if (!satisfies(version, &all[k], with_pre)) return 0;
    return 1;
}

/* "1.2 - 1.5" becomes ">= 1.2, <= 1.5 ". */
static void rewrite_ranges(const char *text, size_t length, tl_buf *out)
{
    size_t i = 0;
    while (i < length) {
        tl_span parts[3], pre;
        size_t from = i + skip_space(text + i, length - i);
        size_t low = scan_version(text + from, length - from, parts, &pre), at = from + low;
        size_t before = low ? skip_space(text + at, length - at) : 0;
        size_t dash = at + before;
        size_t after = before && dash < length && text[dash] == '-' ? skip_space(text + dash + 1, length - dash - 1) : 0;
        size_t high_at = dash + 1 + after;
        size_t high = after ? scan_version(text + high_at, length - high_at, parts, &pre) : 0;
        if (!high) {
            tl_buf_addc(out, text[i++]);
            continue;
        }
        tl_buf_addf(out, ">= %.*s, <= %.*s ", (int)low, text + from, (int)high, text + high_at);
        i = high_at + high;
        i += skip_space(text + i, length - i);
    }
}

int tl_constraint_check(const char *text, size_t length, const tl_version *version, char *error, size_t size)
{
    if (length > MAX_CONSTRAINT) return fail(error, size, "constraint string is too long (max 512 bytes)");
    tl_buf rewritten = TL_BUF_INIT(8 * MAX_CONSTRAINT);
    rewrite_ranges(text, length, &rewritten);
    const char *at = rewritten.data, *end = at + rewritten.len;
    int groups = 1, result = 0;
    for (const char *bar = at; (bar = memmem(bar, (size_t)(end - bar), "||", 2)); bar += 2) groups++;
    if (groups > MAX_GROUPS) result = fail(error, size, "too many constraint groups (max 32)");
    while (result >= 0 && at <= end) {
        const char *bar = memmem(at, (size_t)(end - at), "||", 2);
        int status = check_group(at, (size_t)((bar ? bar : end) - at), version, error, size);
        result = status < 0 ? -1 : result | status;
        if (!bar) break;
        at = bar + 2;
    }
    tl_buf_dispose(&rewritten);
    return result;
}

/* ---- outside of templates ---- */

int tl_semver_check(const char *constraint_text, const char *version, tl_error *err)
{
    tl_version v;
    char error[2048], unused[256];
    const tl_version none = {0};
    /* As helm: the constraint's error comes before the version's. */
    int status = tl_constraint_check(constraint_text, strlen(constraint_text), &none, error, sizeof error);
    if (status >= 0) status = tl_version_parse(version, strlen(version), &v, error, sizeof error);
    if (status < 0) return tl_error_set(err, "semver", "%s", error);
    return tl_constraint_check(constraint_text, strlen(constraint_text), &v, unused, sizeof unused);
}

int tl_semver_compare(const char *a, const char *b)
{
    tl_version x, y;
    char error[256];
    if (tl_version_parse(a, strlen(a), &x, error, sizeof error)) return -2;
    if (tl_version_parse(b, strlen(b), &y, error, sizeof error)) return -2;
    int order = tl_version_compare(&x, &y);
    return (order > 0) - (order < 0);
}

/* urlParse and urlJoin, as Go's net/url. */
#include <arpa/inet.h>
#include <string.h>

#include "template/internal.h"

typedef enum mode { M_PATH, M_USER, M_FRAGMENT, M_HOST } mode;

static int is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static int one_of(unsigned char c, const char *set)
{
    return c && strchr(set, c) != NULL;
}

static int must_escape(unsigned char c, mode m)
{
    if (is_alnum(c) || one_of(c, "-_.~")) return 0;
    if (m == M_HOST) return !one_of(c, "!$&'()*+,;=:[]<>\"");
    if (one_of(c, "$&+,/:;=?@")) return m == M_PATH ? c == '?' : m == M_USER ? one_of(c, "@/?:") : 0;
    return !(m == M_FRAGMENT && one_of(c, "!()*"));
}

static void escape(tl_buf *out, const char *text, size_t length, mode m)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (must_escape(c, m))
            tl_buf_addf(out, "%%%02X", c);
        else
            tl_buf_addc(out, (char)c);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

typedef struct url {
    tl_arena *arena;
    tl_span scheme, opaque, host, path, query, fragment, user, password;
    int has_user, has_password;
    const char *error;
} url;

static int fail(url *u, const char *format, const char *text, size_t length)
{
    tl_buf quoted = TL_BUF_INIT(1 << 20);
    tl_go_quote(&quoted, text, length);
    u->error = tl_arena_printf(u->arena, format, quoted.data);
    tl_buf_dispose(&quoted);
    return -1;
}

static int unescape(url *u, tl_span text, mode m, tl_span *out)
{
    char *made = tl_arena_alloc(u->arena, text.len + 1), *to = made;
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.s[i];
        if (c == '%') {
            uint32_t left = text.len - i;
            int high = left > 2 ? hex_digit(text.s[i + 1]) : -1, low = left > 2 ? hex_digit(text.s[i + 2]) : -1;
            int wrong = high < 0 || low < 0 || (m == M_HOST && high < 8 && memcmp(text.s + i, "%25", 3) != 0);
            if (wrong) return fail(u, "invalid URL escape %s", text.s + i, left < 3 ? left : 3);
            *to++ = (char)(high << 4 | low);
            i += 2;
        } else {
            if (m == M_HOST && c < 0x80 && must_escape(c, m))
                return fail(u, "invalid character %s in host name", text.s + i, 1);
            *to++ = (char)c;
        }
    }
    *out = (tl_span){made, (uint32_t)(to - made)};
    return 0;
}

/* The text before `mark`; *rest is what follows it (empty where it is not there). */
static tl_span cut(tl_span text, char mark, tl_span *rest)
{
    const char *at = text.len ? memchr(text.s, mark, text.len) : NULL;
    if (!at) {
        if (rest) *rest = (tl_span){"", 0};
        return text;
    }
    uint32_t before = (uint32_t)(at - text.s);
    if (rest) *rest = (tl_span){at + 1, text.len - before - 1};
    return (tl_span){text.s, before};
}

static int parse_scheme(url *u, tl_span *rest)
{
    for (uint32_t i = 0; i < rest->len; i++) {
        unsigned char c = (unsigned char)rest->s[i];
        if ((c | 32) >= 'a' && (c | 32) <= 'z') continue;
        if ((c >= '0' && c <= '9') || one_of(c, "+-.")) {
            if (!i) return 0;
            continue;
        }
        if (c != ':') return 0;
        if (!i) {
            u->error = "missing protocol scheme";
            return -1;
        }
        char *lower = tl_arena_strndup(u->arena, rest->s, i);
        for (char *p = lower; *p; p++)
            if (*p >= 'A' && *p <= 'Z') *p += 32;
        u->scheme = (tl_span){lower, i};
        *rest = (tl_span){rest->s + i + 1, rest->len - i - 1};
        return 0;
    }
    return 0;
}

static int valid_port(const char *text, size_t length)
{
    if (!length) return 1;
    if (text[0] != ':') return 0;
    for (size_t i = 1; i < length; i++)
        if (text[i] < '0' || text[i] > '9') return 0;
    return 1;
}

static int parse_literal(url *u, tl_span host)
{
    const char *close = memrchr(host.s, ']', host.len);
    if (!close) {
        u->error = "missing ']' in host";
        return -1;
    }
    size_t inner = (size_t)(close - host.s), tail = host.len - inner - 1;
    if (!valid_port(close + 1, tail)) return fail(u, "invalid port %s after host", close + 1, tail);
    tl_span name;
    if (unescape(u, (tl_span){host.s + 1, (uint32_t)inner - 1}, M_HOST, &name)) return -1;
    char address[64] = "";
    const char *zone = name.len ? memchr(name.s, '%', name.len) : NULL;
    size_t length = zone ? (size_t)(zone - name.s) : name.len;
    unsigned char bytes[16];
    memcpy(address, name.s, length < sizeof address - 1 ? length : sizeof address - 1);
    if (inet_pton(AF_INET, address, bytes) == 1) {
        u->error = "invalid IP-literal";
        return -1;
    }
    if (inet_pton(AF_INET6, address, bytes) != 1) {
        fail(u, "invalid host: ParseAddr(%s): unable to parse IP", name.s, name.len);
        return -1;
    }
    char *text = tl_arena_printf(u->arena, "[%.*s]%.*s", (int)name.len, name.s, (int)tail, close + 1);
    u->host = (tl_span){text, (uint32_t)strlen(text)};
    return 0;
}

static int span_is(tl_span span, const char *text)
{
    return span.len == strlen(text) && !memcmp(span.s, text, span.len);
}

static int parse_host(url *u, tl_span host)
{
    const char *open = host.len ? memrchr(host.s, '[', host.len) : NULL;
    if (open && open > host.s) {
        u->error = "invalid IP-literal";
        return -1;
    }
    if (open) return parse_literal(u, host);
    const char *colon = host.len ? memchr(host.s, ':', host.len) : NULL;
    /* Lists of hosts with ports are allowed, but not in http URLs. */
    if (colon && !span_is(u->scheme, "http") && !span_is(u->scheme, "https")) colon = memrchr(host.s, ':', host.len);
    if (colon) {
        size_t tail = host.len - (size_t)(colon - host.s);
        if (!valid_port(colon, tail)) return fail(u, "invalid port %s after host", colon, tail);
    }
    return unescape(u, host, M_HOST, &u->host);
}

static int parse_authority(url *u, tl_span authority)
{
    const char *at = authority.len ? memrchr(authority.s, '@', authority.len) : NULL;
    uint32_t user = at ? (uint32_t)(at - authority.s) : 0;
    tl_span host = at ? (tl_span){at + 1, authority.len - user - 1} : authority;
    if (parse_host(u, host)) return -1;
    if (!at) return 0;
    for (uint32_t i = 0; i < user; i++) {
        unsigned char c = (unsigned char)authority.s[i];
        if (is_alnum(c) || one_of(c, "-._:~!$&'()*+,;=%@")) continue;
        u->error = "net/url: invalid userinfo";
        return -1;
    }
    tl_span password, name = cut((tl_span){authority.s, user}, ':', &password);
    u->has_user = 1;
    u->has_password = name.len < user;
    if (unescape(u, name, M_USER, &u->user)) return -1;
    return u->has_password ? unescape(u, password, M_USER, &u->password) : 0;
}

static int parse_rest(url *u, tl_span rest)
{
    if (parse_scheme(u, &rest)) return -1;
    rest = cut(rest, '?', &u->query);
    if (!rest.len || rest.s[0] != '/') {
        if (u->scheme.len) {
            u->opaque = rest;
            return 0;
        }
        tl_span segment = cut(rest, '/', NULL);
        if (segment.len && memchr(segment.s, ':', segment.len)) {
            u->error = "first path segment in URL cannot contain colon";
            return -1;
        }
    }
    int slashes = rest.len >= 2 && rest.s[1] == '/' && rest.s[0] == '/';
    int three = slashes && rest.len >= 3 && rest.s[2] == '/';
    if (slashes && (u->scheme.len || !three)) {
        tl_span authority = {rest.s + 2, rest.len - 2};
        const char *slash = authority.len ? memchr(authority.s, '/', authority.len) : NULL;
        rest = slash ? (tl_span){slash, authority.len - (uint32_t)(slash - authority.s)} : (tl_span){"", 0};
        authority.len -= rest.len;
        if (parse_authority(u, authority)) return -1;
    }
    return unescape(u, rest, M_PATH, &u->path);
}

static int parse(url *u, tl_span text)
{
    tl_span fragment, before = cut(text, '#', &fragment);
    *u = (url){.arena = u->arena, .scheme = {"", 0}, .opaque = {"", 0}, .host = {"", 0}, .path = {"", 0},
               .query = {"", 0}, .fragment = {"", 0}};
    for (uint32_t i = 0; i < before.len; i++) {
        unsigned char c = (unsigned char)before.s[i];
        if (c >= 32 && c != 127) continue;
        u->error = "net/url: invalid control character in URL";
        return -1;
    }
    if (span_is(before, "*"))
        u->path = before;
    else if (parse_rest(u, before))
        return -1;
    return fragment.len ? unescape(u, fragment, M_FRAGMENT, &u->fragment) : 0;
}

static void print_user(tl_buf *out, const url *u)
{
    escape(out, u->user.s, u->user.len, M_USER);
    if (!u->has_password) return;
    tl_buf_addc(out, ':');
    escape(out, u->password.s, u->password.len, M_USER);
}

static int parse_failed(tl_exec *x, const url *u, const char *what, tl_span text)
{
    tl_buf quoted = tl_text_buf(x);
    tl_go_quote(&quoted, text.s, text.len);
    tl_fail(x, "%s: parse %s: %s", what, quoted.data, u->error);
    tl_buf_dispose(&quoted);
    return -1;
}

static tl_value host_name(tl_span host)
{
    const char *colon = host.len ? memrchr(host.s, ':', host.len) : NULL;
    if (colon && valid_port(colon, host.len - (size_t)(colon - host.s))) host.len = (uint32_t)(colon - host.s);
    if (host.len >= 2 && host.s[0] == '[' && host.s[host.len - 1] == ']') return tl_string_ref(host.s + 1, host.len - 2);
    return tl_string_ref(host.s, host.len);
}

TL_FUNCTION(fn_parse)
{
    url u = {.arena = x->arena};
    tl_span text = {args[0].as.s, args[0].len};
    if (parse(&u, text)) return parse_failed(x, &u, "unable to parse url", text);
    tl_map *map = tl_map_new(x->arena, 8);
    tl_value user;
    tl_buf printed = tl_text_buf(x);
    if (u.has_user) print_user(&printed, &u);
    if (tl_take_string(x, &printed, &user)) return -1;
    tl_map_sets(map, "scheme", tl_string_ref(u.scheme.s, u.scheme.len));
    tl_map_sets(map, "host", tl_string_ref(u.host.s, u.host.len));
    tl_map_sets(map, "hostname", host_name(u.host));
    tl_map_sets(map, "path", tl_string_ref(u.path.s, u.path.len));
    tl_map_sets(map, "query", tl_string_ref(u.query.s, u.query.len));
    tl_map_sets(map, "opaque", tl_string_ref(u.opaque.s, u.opaque.len));
    tl_map_sets(map, "fragment", tl_string_ref(u.fragment.s, u.fragment.len));
    tl_map_sets(map, "userinfo", user);
    *out = tl_map_value(map);
    return 0;
}

static int text_of(tl_exec *x, tl_value map, const char *key, tl_span *out)
{
    const tl_value *found = map.type == TL_MAP ? tl_map_gets(map.as.map, key) : NULL;
    *out = (tl_span){"", 0};
    if (!found) return 0;
    if (found->type == TL_NULL) return tl_fail(x, "runtime error: invalid memory address or nil pointer dereference");
    if (found->type != TL_STRING)
        return tl_fail(x, "unable to parse %s key, must be of type string, but %s found", key, tl_go_kind(*found));
    *out = (tl_span){found->as.s, found->len};
    return 0;
}

static void print_url(tl_buf *out, const url *u)
{
    if (u->scheme.len) tl_buf_addf(out, "%.*s:", (int)u->scheme.len, u->scheme.s);
    if (u->opaque.len) {
        tl_buf_add(out, u->opaque.s, u->opaque.len);
    } else {
        if ((u->scheme.len || u->host.len || u->has_user) && (u->host.len || u->path.len || u->has_user))
            tl_buf_adds(out, "//");
        if (u->has_user) {
            print_user(out, u);
            tl_buf_addc(out, '@');
        }
        escape(out, u->host.s, u->host.len, M_HOST);
        if (u->path.len && u->path.s[0] != '/' && u->host.len) tl_buf_addc(out, '/');
        tl_span segment = cut(u->path, '/', NULL);
        if (!out->len && segment.len && memchr(segment.s, ':', segment.len)) tl_buf_adds(out, "./");
        if (span_is(u->path, "*"))
            tl_buf_addc(out, '*');
        else
            escape(out, u->path.s, u->path.len, M_PATH);
    }
    if (u->query.len) tl_buf_addf(out, "?%.*s", (int)u->query.len, u->query.s);
    if (!u->fragment.len) return;
    tl_buf_addc(out, '#');
    escape(out, u->fragment.s, u->fragment.len, M_FRAGMENT);
}

TL_FUNCTION(fn_join)
{
    url u = {.arena = x->arena}, other = {.arena = x->arena};
    tl_span user;
    if (text_of(x, args[0], "scheme", &u.scheme) || text_of(x, args[0], "host", &u.host) ||
        text_of(x, args[0], "path", &u.path) || text_of(x, args[0], "query", &u.query) ||
        text_of(x, args[0], "opaque", &u.opaque) || text_of(x, args[0], "fragment", &u.fragment) ||
        text_of(x, args[0], "userinfo", &user))
        return -1;
    if (user.len) {
        char *text = tl_arena_printf(x->arena, "proto://%.*s@host", (int)user.len, user.s);
        tl_span span = {text, (uint32_t)strlen(text)};
        if (parse(&other, span)) return parse_failed(x, &other, "unable to parse userinfo in dict", span);
        u.user = other.user;
        u.password = other.password;
        u.has_user = other.has_user;
        u.has_password = other.has_password;
    }
    tl_buf text = tl_text_buf(x);
    print_url(&text, &u);
    return tl_take_string(x, &text, out);
}

const tl_function tl_functions_url[] = {{"urlParse", "s", fn_parse}, {"urlJoin", "m", fn_join}, {NULL, NULL, NULL}};

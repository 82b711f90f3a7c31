/* The formats of JSON schemas up to draft 7, which assert them. */
#include "chart/schema_format.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart/lint_names.h"
#include "chart/text.h"
#include "template/regex.h"

static const char *ipv4_fault(tl_arena *arena, const char *text)
{
    int dots = 0;
    for (const char *c = text; *c; c++) dots += *c == '.';
    if (dots != 3) return "expected four decimals";
    for (int i = 0; i < 4; i++) {
        size_t length = strcspn(text, "."), digits = strspn(text, "0123456789");
        if (length > 1 && *text == '0') return "leading zeros not allowed";
        if (!length || digits != length)
            return tl_arena_printf(arena, "strconv.Atoi: parsing %s: invalid syntax", tl_text_quote(arena, text,
                    length));
        if (length > 3 || atoi(text) > 255) return "decimal must be between 0 and 255";
        text += length + 1;
    }
    return NULL;
}

static const char *ipv6_fault(const char *text)
{
    unsigned char address[16];
    if (!strchr(text, ':')) return "missing colon";
    return inet_pton(AF_INET6, text, address) == 1 ? NULL : "invalid address";
}

static const char *hostname_fault(const char *text)
{
    size_t length = strlen(text);
    if (length && text[length - 1] == '.') length--;
    if (length > 253) return "more than 253 characters long";
    for (size_t label = 0, i = 0; i <= length; i++) {
        if (i == length || text[i] == '.') {
            if (!label || label > 63) return "label must be 1 to 63 characters long";
            if (text[i - 1] == '-' || text[i - label] == '-') return "label starts or ends with hyphen";
            label = 0;
        } else {
            if (!isalnum((unsigned char)text[i]) && text[i] != '-') return "invalid character";
            label++;
        }
    }
    return NULL;
}

static const char *date_fault(const char *text)
{
    int year, month, day, used = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || used != 10) return "not in YYYY-MM-DD form";
    int leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
    int days = month == 2 ? 28 + leap : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
    return month < 1 || month > 12 || day < 1 || day > days ? "day out of range" : NULL;
}

static const char *time_fault(const char *text)
{
    int hour, minute, second, used = 0;
    if (sscanf(text, "%2d:%2d:%2d%n", &hour, &minute, &second, &used) != 3 || used != 8) return "not in HH:MM:SS form";
    if (hour > 23 || minute > 59 || second > 60) return "out of range";
    text += used;
    if (*text == '.') text += 1 + strspn(text + 1, "0123456789");
    if (!strcmp(text, "Z") || !strcmp(text, "z")) return NULL;
    return (*text == '+' || *text == '-') && strlen(text) == 6 && text[3] == ':' ? NULL : "no time zone";
}

static const char *date_time_fault(tl_arena *arena, const char *text)
{
    if (strlen(text) < 20 || (text[10] != 'T' && text[10] != 't')) return "less than 20 characters long";
    const char *why = date_fault(tl_arena_strndup(arena, text, 10));
    return why ? why : time_fault(text + 11);
}

static const char *uuid_fault(const char *text)
{
    for (int i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return "not 8-4-4-4-12 hexadecimal digits";
    return text[36] ? "not 8-4-4-4-12 hexadecimal digits" : NULL;
}

static const char *regex_fault(tl_arena *arena, const char *text)
{
    char why[256];
    tl_regex *regex = tl_regex_new(text, strlen(text), why, sizeof why);
    if (!regex) return tl_arena_strdup(arena, why);
    tl_regex_free(regex);
    return NULL;
}

const char *tl_schema_format_fault(tl_arena *arena, const char *format, const char *text)
{
    if (!strcmp(format, "ipv4")) return ipv4_fault(arena, text);
    if (!strcmp(format, "ipv6")) return ipv6_fault(text);
    if (!strcmp(format, "hostname")) return hostname_fault(text);
    if (!strcmp(format, "date")) return date_fault(text);
    if (!strcmp(format, "time")) return time_fault(text);
    if (!strcmp(format, "date-time")) return date_time_fault(arena, text);
    if (!strcmp(format, "email")) return tl_lint_is_email(text) ? NULL : "missing @";
    if (!strcmp(format, "uri")) return tl_lint_is_request_url(text) ? NULL : "relative url";
    if (!strcmp(format, "uuid")) return uuid_fault(text);
    if (!strcmp(format, "regex")) return regex_fault(arena, text);
    return NULL;
}

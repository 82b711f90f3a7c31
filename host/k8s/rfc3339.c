/* Reads the times that Kubernetes writes. */
#include "k8s/rfc3339.h"

#include <ctype.h>
#include <time.h>

/* `count` digits as a number, or -1. */
static int digits(const char **at, int count)
{
    int number = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!isdigit((unsigned char)**at)) return -1;
        number = number * 10 + (**at - '0');
    }
    return number;
}

/* A number of `count` digits followed by the separator. */
static int part(const char **at, int count, char after)
{
    int number = digits(at, count);
    if (number < 0 || **at != after) return -1;
    (*at)++;
    return number;
}

static int64_t fraction(const char **at)
{
    int64_t nanos = 0, unit = 100000000;
    if (**at != '.') return 0;
    for ((*at)++; isdigit((unsigned char)**at); (*at)++, unit /= 10) nanos += (**at - '0') * unit;
    return nanos;
}

/* Seconds east of UTC; *bad where there is no offset. */
static int offset(const char **at, int *bad)
{
    char sign = **at;
    (*at)++;
    *bad = 0;
    if (sign == 'Z' || sign == 'z') return 0;
    int hours = sign == '+' || sign == '-' ? part(at, 2, ':') : -1;
    int minutes = hours < 0 ? -1 : digits(at, 2);
    *bad = minutes < 0;
    return (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

int64_t tl_rfc3339(const char *text, size_t *length)
{
    const char *at = text;
    struct tm tm = {0};
    if ((tm.tm_year = part(&at, 4, '-')) < 1970 || tm.tm_year > 2261) return -1;
    if ((tm.tm_mon = part(&at, 2, '-')) < 1 || (tm.tm_mday = part(&at, 2, 'T')) < 1) return -1;
    if ((tm.tm_hour = part(&at, 2, ':')) < 0 || (tm.tm_min = part(&at, 2, ':')) < 0 || (tm.tm_sec = digits(&at, 2)) < 0)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t nanos = fraction(&at);
    int bad, east = offset(&at, &bad);
    if (bad || (!length && *at)) return -1;
    if (length) *length = (size_t)(at - text);
    return ((int64_t)timegm(&tm) - east) * 1000000000 + nanos;
}

#ifndef TL_TEMPLATE_GOTIME_H
#define TL_TEMPLATE_GOTIME_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Points in time, formatted and read with Go's layouts ("2006-01-02T15:04:05Z07:00"). */

typedef struct tl_gotime {
    int64_t seconds; /* since 1970 in UTC */
    int32_t nanoseconds, offset; /* offset: seconds east of UTC where the time is shown */
    char zone[16];
} tl_gotime;

#define TL_GOTIME_YEAR_ONE 62135596800LL /* seconds from the year 1 to 1970: Go counts from there */

typedef struct tl_civil {
    int64_t year;
    int month, day, hour, minute, second, weekday, yearday; /* month and day from 1, weekday 0 is Sunday */
} tl_civil;

/* Sets offset and zone for "Local", "UTC" (or "") and names of the time zone database. -1 where there is none. */
int tl_gotime_set_zone(tl_gotime *time, const char *name, size_t length);
tl_civil tl_gotime_civil(const tl_gotime *time);
/* Seconds since 1970 of a date in UTC; numbers out of range are carried over. */
int64_t tl_gotime_from_civil(const tl_civil *civil);
void tl_gotime_format(const tl_gotime *time, const char *layout, size_t length, tl_buf *out);
/* What %#v prints: time.Date(2006, time.January, 2, 15, 4, 5, 0, time.UTC). */
void tl_gotime_go_string(const tl_gotime *time, tl_buf *out);
/* time.ParseInLocation in the local zone. -1 with Go's message in `error`. */
int tl_gotime_parse(const char *layout, size_t layout_length, const char *text, size_t length, tl_gotime *out,
                    tl_buf *error);
/* Appends the text as package time quotes it in errors: bytes that are no printable ASCII as \xNN. */
void tl_gotime_quote(tl_buf *out, const char *text, size_t length);
/* time.Duration's String(). */
void tl_duration_print(int64_t nanoseconds, tl_buf *out);
/* time.ParseDuration; -1 with Go's message in `error` (may be NULL). */
int tl_duration_parse(const char *text, size_t length, int64_t *out, tl_buf *error);

extern const char *const tl_month_names[12], *const tl_day_names[7];

#endif

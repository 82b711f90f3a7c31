#ifndef TL_TEMPLATE_REGEX_H
#define TL_TEMPLATE_REGEX_H

#include <stddef.h>

/* Regular expressions with the meaning of Go's regexp, by RE2. */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_regex tl_regex;

/* NULL with Go's message ("error parsing regexp: …") in `error` (NUL-ended) where the pattern is wrong. Free with
 * tl_regex_free. */
tl_regex *tl_regex_new(const char *pattern, size_t length, char *error, size_t error_size);
void tl_regex_free(tl_regex *regex);
/* Number of groups, without the whole match. */
int tl_regex_groups(const tl_regex *regex);
/* The leftmost-first match that starts at or after `from`. 1 with the bounds of the match and of its groups in `out`
 * (2 * (count + 1) numbers; -1 where a group took no part), else 0. */
int tl_regex_match(const tl_regex *regex, const char *text, size_t length, size_t from, long *out, int count);
/* The number of a named group, or -1. */
int tl_regex_group(const tl_regex *regex, const char *name, size_t length);

#ifdef __cplusplus
}
#endif

#endif

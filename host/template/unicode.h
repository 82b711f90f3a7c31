#ifndef TL_TEMPLATE_UNICODE_H
#define TL_TEMPLATE_UNICODE_H

#include <stdint.h>

/* Go's unicode.IsLetter, IsDigit, IsSpace and strconv.IsPrint; unicode.ToUpper and ToLower. */
int tl_rune_is_letter(uint32_t rune);
int tl_rune_is_digit(uint32_t rune);
int tl_rune_is_space(uint32_t rune);
int tl_rune_is_print(uint32_t rune);
uint32_t tl_rune_upper(uint32_t rune);
uint32_t tl_rune_lower(uint32_t rune);

#endif

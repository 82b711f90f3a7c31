#ifndef TL_DATA_NUMBER_H
#define TL_DATA_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Numbers as Go's strconv writes and reads them. */

/* Room that always suffices for the shortest form; a fixed precision needs TL_NUMBER_MAX + precision bytes. */
#define TL_NUMBER_MAX 352

/* Writes `number` as strconv.FormatFloat(number, verb, precision, bits) does: verb 'e', 'E', 'f', 'g' or 'G', precision
 * -1 for the fewest digits that read back as the same value, bits 64 or 32. `out` holds TL_NUMBER_MAX bytes plus
 * the precision. Returns the length; a NUL follows. Infinities are "+Inf" and "-Inf", "NaN". */
size_t tl_number_format(double number, char verb, int precision, int bits, char *out);

/* As encoding/json writes a float (the form of ECMAScript 6): 'e' below 1e-6 and from 1e21. `out` holds TL_NUMBER_MAX
 * bytes. The number must be finite. */
size_t tl_number_json(double number, int bits, char *out);

/* Reads text as strconv.ParseInt(text, base, 64): base 0 takes the prefixes 0x, 0o, 0b and 0 and underscores between
 * digits. 0; -1 where it is no number; -2 where it is out of range. */
int tl_number_parse_int(const char *text, size_t length, int base, int64_t *out);
/* The same as strconv.ParseUint(text, base, 64). */
int tl_number_parse_uint(const char *text, size_t length, int base, uint64_t *out);
/* Reads text as strconv.ParseFloat(text, 64), "inf", "nan" and hexadecimal forms included. 0; -1 where it is no number;
 * -2 where it overflows (*out is then an infinity, as Go's). */
int tl_number_parse_float(const char *text, size_t length, double *out);

#endif

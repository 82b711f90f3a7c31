#ifndef TL_BASE_CLOCK_H
#define TL_BASE_CLOCK_H

/* Milliseconds of a clock that only goes forward. */
double tl_clock_ms(void);

#endif

#ifndef TL_TESTS_FUZZ_H
#define TL_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The entry of a libFuzzer target. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif

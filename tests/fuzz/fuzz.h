/* fuzz.h: what a fuzz target is: libFuzzer's entry, and a valid input to begin with. */
#ifndef SLUICE_TESTS_FUZZ_FUZZ_H
#define SLUICE_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's name for the test of one input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes an input that is fine into buf; how many bytes, 0 when it does not fit. */
size_t fuzz_seed(uint8_t *buf, size_t bytes);

#endif

/* libfuzzer.c: begins libFuzzer's corpus with the target's valid input. */
#include "fuzz.h"

#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t whole = size < 64 || seed % 64 == 0 ? fuzz_seed(data, max_size) : 0;

	return LLVMFuzzerMutate(data, whole ? whole : size, max_size);
}

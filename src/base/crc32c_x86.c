/* crc32c_x86.c - CRC-32C by the crc32 instruction of SSE 4.2, where the processor has it. */
#include <string.h>

#include "base/crc32c.h"

__attribute__((target("sse4.2"))) static uint32_t run(uint32_t state, const unsigned char *bytes,
						      size_t len)
{
	uint64_t wide = state;

	for (; len >= 8; len -= 8, bytes += 8) {
		uint64_t word;

		memcpy(&word, bytes, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	state = (uint32_t)wide;
	for (; len; len--)
		state = __builtin_ia32_crc32qi(state, *bytes++);
	return state;
}

bool sl_crc32c_fast(uint32_t *state, const void *data, size_t len)
{
	if (!__builtin_cpu_supports("sse4.2"))
		return false;
	*state = run(*state, data, len);
	return true;
}

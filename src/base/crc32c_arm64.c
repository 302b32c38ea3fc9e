/* crc32c_arm64.c - CRC-32C by the crc32c instructions of ARMv8, where the processor has them. */
#include <string.h>
#include <sys/auxv.h>

#include "base/crc32c.h"

/* HWCAP_CRC32 of <asm/hwcap.h>. */
#define CAP_CRC32 (1ul << 7)

static uint32_t step8(uint32_t state, uint64_t word)
{
	__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(state) : "r"(word));
	return state;
}

static uint32_t step1(uint32_t state, uint32_t byte)
{
	__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(state) : "r"(byte));
	return state;
}

bool sl_crc32c_fast(uint32_t *state, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	if (!(getauxval(AT_HWCAP) & CAP_CRC32))
		return false;
	for (; len >= 8; len -= 8, bytes += 8) {
		uint64_t word;

		memcpy(&word, bytes, sizeof(word));
		*state = step8(*state, word);
	}
	for (; len; len--)
		*state = step1(*state, *bytes++);
	return true;
}

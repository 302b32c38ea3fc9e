/* crc32c_none.c - a processor without an instruction for CRC-32C that we know of. */
#include "base/crc32c.h"

bool sl_crc32c_fast(uint32_t *state, const void *data, size_t len)
{
	(void)state;
	(void)data;
	(void)len;
	return false;
}

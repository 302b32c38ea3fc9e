/* SPDX-License-Identifier: MIT */
/* version.c - the version of the library that is running. */
#include <sluice/sluice.h>

uint32_t sl_version(void)
{
	return SL_VERSION;
}

/* SPDX-License-Identifier: MIT */
/* call.h - the answer of a libc system call wrapper as >= 0 or -errno. */
#ifndef SL_SYS_CALL_H
#define SL_SYS_CALL_H

#include <errno.h>
#include <stdint.h>

static inline int64_t sl_sys_answer(int64_t ret)
{
	return ret < 0 ? -errno : ret;
}

#endif

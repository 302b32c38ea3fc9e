/* SPDX-License-Identifier: MIT */
/* function.h - a checker that is a function of a shared object. */
#ifndef SLUICE_CRASH_FUNCTION_H
#define SLUICE_CRASH_FUNCTION_H

#include <stddef.h>

typedef int check_function(const char *dir, const char *acks);

/**
 * check_function_load - the function of "lib.so:function", until the process ends.
 *
 * A library without a slash is looked for in this directory first.
 * Return: 0; -EINVAL, -ENOENT: why in ret_why.
 */
int check_function_load(const char *check_so, check_function **ret_function, char *ret_why,
			size_t why_bytes);

#endif

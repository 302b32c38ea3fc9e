/* SPDX-License-Identifier: MIT */
/* function.c - loads a checker's function. */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crash/function.h"

int check_function_load(const char *check_so, check_function **ret_function, char *ret_why,
			size_t why_bytes)
{
	const char *colon = strrchr(check_so, ':'), *why, *here = "";
	void *library, *symbol = NULL;
	char path[4096];

	if (!colon || (size_t)(colon - check_so) >= sizeof(path) - 2) {
		snprintf(ret_why, why_bytes, "%s: not of the form lib.so:function", check_so);
		return -EINVAL;
	}
	snprintf(path, sizeof(path), "%.*s", (int)(colon - check_so), check_so);
	if (!strchr(path, '/') && access(path, R_OK) == 0)
		here = "./"; /* dlopen(3) looks elsewhere */
	snprintf(path, sizeof(path), "%s%.*s", here, (int)(colon - check_so), check_so);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (library)
		symbol = dlsym(library, colon + 1);
	if (symbol) {
		*ret_function = (check_function *)(uintptr_t)symbol;
		return 0;
	}
	why = dlerror();
	snprintf(ret_why, why_bytes, "the checker cannot be loaded: %s",
		 why ? why : "no such symbol");
	return -ENOENT;
}

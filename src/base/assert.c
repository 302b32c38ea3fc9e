/* SPDX-License-Identifier: MIT */
/* assert.c - where a failed assertion goes: a settable hook, or standard error and abort. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

static void print_and_abort(const char *file, int line, const char *what)
{
	fprintf(stderr, "sluice: %s:%d: assertion failed: %s\n", file, line, what);
	abort();
}

/* The one mutable global: a bug is reported per process, not per ring. */
static sl_assert_fn *assert_fn = print_and_abort;

sl_assert_fn *sl_assert_hook(sl_assert_fn *fn)
{
	/* Pairs with the load in sl_assert_fail(). */
	return __atomic_exchange_n(&assert_fn, fn ? fn : print_and_abort, __ATOMIC_ACQ_REL);
}

void sl_assert_fail(const char *file, int line, const char *what)
{
	__atomic_load_n(&assert_fn, __ATOMIC_ACQUIRE)(file, line, what);
	abort();
}

void sl_assert_fail_values(const char *file, int line, const char *what, long long left,
			   long long right)
{
	char text[256];

	snprintf(text, sizeof(text), "%s (%lld, %lld)", what, left, right);
	sl_assert_fail(file, line, text);
}

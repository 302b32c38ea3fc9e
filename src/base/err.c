/* SPDX-License-Identifier: MIT */
/* err.c - names and texts of errors. */
#include <string.h>

#include <sluice/err.h>

static int positive(int err)
{
	return err < 0 ? -(unsigned)err : (unsigned)err;
}

const char *sl_err_name(int err)
{
	const char *name = err ? strerrorname_np(positive(err)) : "0";

	return name ? name : "E?";
}

const char *sl_err_text(int err)
{
	const char *text = strerrordesc_np(positive(err));

	return text ? text : "Unknown error";
}

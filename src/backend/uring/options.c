/* The options of the uring backend: the text after the colon of its name. */
#include <errno.h>
#include <string.h>

#include "backend/uring/uring.h"

int uring_options(const char *text, uint32_t *ret_setup_flags)
{
	static const struct {
		const char *name;
		uint32_t flags;
	} options[] = {
		{ "", 0 },
		{ "sqpoll", SL_URING_SETUP_SQPOLL },
		{ "iopoll", SL_URING_SETUP_IOPOLL },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (!strcmp(text ? text : "", options[i].name)) {
			*ret_setup_flags = options[i].flags;
			return 0;
		}
	}
	return -EINVAL;
}

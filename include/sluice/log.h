/* SPDX-License-Identifier: MIT */
/* log.h - what the library has to say, told to a callback and never printed. */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <sluice/err.h>

SL_BEGIN_DECLS

/* How much a report matters. */
enum sl_log_level {
	SL_LOG_ERROR = 0, /* something was lost or cannot work */
	SL_LOG_WARN = 1,  /* it works, but worse than asked: the text has the fix */
	SL_LOG_INFO = 2,  /* a choice that was made, and why */
};

/**
 * typedef sl_log_fn - told of choices, degradations and stalls
 * @ctx: the log_ctx given beside the callback
 * @level: an enum sl_log_level
 * @text: one line without a newline, valid during the call only
 *
 * Runs on the thread that owns the object, inside the call that found it out.
 * It may not call back into the object.
 */
typedef void sl_log_fn(void *ctx, int level, const char *text);

SL_END_DECLS

#endif

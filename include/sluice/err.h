/* SPDX-License-Identifier: MIT */
/* err.h - how sluice says that something went wrong, and what every header needs. */
#ifndef SLUICE_ERR_H
#define SLUICE_ERR_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SL_BEGIN_DECLS extern "C" {
#define SL_END_DECLS   }
#else
#define SL_BEGIN_DECLS
#define SL_END_DECLS
#endif

#if defined(__GNUC__)
#define SL_EXPORT	      __attribute__((visibility("default")))
#define SL_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define SL_NORETURN	      __attribute__((noreturn))
#else
#define SL_EXPORT
#define SL_PRINTF(fmt, first)
#define SL_NORETURN
#endif

SL_BEGIN_DECLS

/*
 * Every call answers >= 0 or -errno; errno itself is neither read nor set for
 * the caller. The vocabulary is closed where sluice speaks for itself:
 *
 *   -EINVAL      the caller's mistake (unknown flag, bad length, op not idle)
 *   -ENOSYS      the kernel is too old for it
 *   -EOPNOTSUPP  this file, device or backend cannot do it
 *   -EAGAIN      a bounded queue is full: run the ring, then try again
 *   -ECANCELED   cancelled before it ended; done_len says how far it got
 *   -ETIMEDOUT   its deadline passed
 *   -ESHUTDOWN   the ring is draining or closing
 *   -EPERM       called from a thread that does not own the ring
 *   -ESTALE      the ring belongs to the parent process (after fork)
 *   -EBADMSG     a checksum does not match
 *   -EILSEQ      the format is malformed
 *   -ENODATA     a torn tail, or a medium error of a device
 *
 * Every other value is what the kernel said about the descriptor or path.
 */

/**
 * typedef sl_assert_fn - told of a failed internal assertion
 * @file: source file, a constant string
 * @line: line in it
 * @what: the condition and, where known, both values
 *
 * Called on the thread that failed, before the library would go on with broken
 * state. It must not return into the library: abort, exit or longjmp away.
 */
typedef void sl_assert_fn(const char *file, int line, const char *what);

/**
 * sl_assert_hook - choose who is told of a failed assertion
 * @fn: the new hook, or NULL for the default, which prints the condition on
 *	standard error and calls abort(3)
 *
 * A failed assertion is a bug in sluice or a broken rule of ring.h, never an
 * event of the outside world.
 *
 * Context: any thread; one hook for the whole process, best set at start.
 * Return: the hook that was set before.
 */
SL_EXPORT sl_assert_fn *sl_assert_hook(sl_assert_fn *fn);

/**
 * sl_assert_fail - report a failed assertion through the hook
 * @file: source file
 * @line: line in it
 * @what: the condition
 *
 * What SL_ASSERT() calls; aborts if the hook returns.
 *
 * Context: any thread.
 */
SL_EXPORT void sl_assert_fail(const char *file, int line, const char *what) SL_NORETURN;

/**
 * sl_err_name - the symbol of an error
 * @err: an error as the library returns it (-EINVAL) or as errno (EINVAL)
 *
 * Context: any thread, async-signal-safe.
 * Return: a constant string such as "EINVAL", "0" for 0, or "E?" for a number
 * that this system does not know.
 */
SL_EXPORT const char *sl_err_name(int err);

/**
 * sl_err_text - what an error means
 * @err: an error as the library returns it (-EINVAL) or as errno (EINVAL)
 *
 * Context: any thread, async-signal-safe.
 * Return: a constant string in English, such as "Invalid argument".
 */
SL_EXPORT const char *sl_err_text(int err);

SL_END_DECLS

#endif

/* io_setup(2) and its family: the kernel's older asynchronous I/O, without libaio. */
#ifndef SL_SYS_AIO_H
#define SL_SYS_AIO_H

#include <linux/aio_abi.h>
#include <stdint.h>
#include <time.h>

/**
 * sl_sys_aio_setup - make a context.
 * @nr: most requests in flight, at least 1.
 * @ret_context: must be 0 before; written on success.
 *
 * Context: any thread; may sleep.
 * Return: 0, or -errno: -EAGAIN beyond fs.aio-max-nr, -ENOMEM, -ENOSYS where it is compiled out,
 * -EINVAL.
 */
int sl_sys_aio_setup(unsigned int nr, aio_context_t *ret_context);

/**
 * sl_sys_aio_destroy - cancel what can be cancelled, wait for the rest, free the context.
 * @context: from sl_sys_aio_setup().
 *
 * Context: any thread; sleeps until every request has ended.
 * Return: 0 or -EINVAL.
 */
int sl_sys_aio_destroy(aio_context_t context);

/**
 * sl_sys_aio_submit - submit requests.
 * @context: from sl_sys_aio_setup().
 * @nr: entries of @requests.
 * @requests: borrowed for the call; their buffers until completion.
 *
 * Context: any thread; sleeps on buffered files, which it reads synchronously.
 * Return: requests taken, maybe fewer than @nr, or -errno: -EAGAIN with no room, -EINVAL, -EBADF.
 */
int sl_sys_aio_submit(aio_context_t context, long nr, struct iocb *const *requests);

/**
 * sl_sys_aio_getevents - collect completions.
 * @context: from sl_sys_aio_setup().
 * @min_nr: wait for so many.
 * @max_nr: entries of @ret_events.
 * @ret_events: written.
 * @timeout: relative; NULL waits without limit.
 *
 * Context: any thread; may sleep.
 * Return: completions written, or -errno: -EINTR, -EINVAL.
 */
int sl_sys_aio_getevents(aio_context_t context, long min_nr, long max_nr,
			 struct io_event *ret_events, const struct timespec *timeout);

#endif

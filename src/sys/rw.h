/* preadv2(2), pwritev2(2) and their per-call flags. */
#ifndef SL_SYS_RW_H
#define SL_SYS_RW_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Flags by ABI value: the newest are unknown to Debian 12's headers. */
enum {
	SL_RWF_HIPRI = 0x00000001,
	SL_RWF_DSYNC = 0x00000002,
	SL_RWF_SYNC = 0x00000004,
	SL_RWF_NOWAIT = 0x00000008,
	SL_RWF_APPEND = 0x00000010,
	SL_RWF_NOAPPEND = 0x00000020, /* 6.9 */
	SL_RWF_ATOMIC = 0x00000040,   /* 6.11 */
	SL_RWF_DONTCACHE = 0x00000080 /* 6.14 */
};

/**
 * sl_sys_preadv2 - read into several buffers at an offset, with flags.
 * @fd: open for reading.
 * @iov: borrowed for the call.
 * @nr: entries, 1..IOV_MAX.
 * @off: byte offset, or -1 for the file's own position.
 * @flags: SL_RWF_*.
 *
 * Context: any thread; sleeps unless SL_RWF_NOWAIT is honoured.
 * Return: bytes read (0 at end of file), or -errno: -EOPNOTSUPP for a flag this file cannot
 * honour, -EAGAIN with SL_RWF_NOWAIT, -EINVAL for a misaligned direct request, -EINTR.
 */
ssize_t sl_sys_preadv2(int fd, const struct iovec *iov, int nr, int64_t off, int flags);

/**
 * sl_sys_pwritev2 - write from several buffers at an offset, with flags.
 * @fd: open for writing.
 * @iov: borrowed for the call.
 * @nr: entries, 1..IOV_MAX.
 * @off: byte offset, or -1 for the file's own position.
 * @flags: SL_RWF_*.
 *
 * Context: any thread; may sleep.
 * Return: bytes written, or -errno: -EOPNOTSUPP for a flag this file cannot honour,
 * -EINVAL for a misaligned direct or atomic request, -EAGAIN with SL_RWF_NOWAIT, -ENOSPC, -EINTR.
 */
ssize_t sl_sys_pwritev2(int fd, const struct iovec *iov, int nr, int64_t off, int flags);

/**
 * sl_sys_pread - sl_sys_preadv2() into one buffer.
 * @fd: open for reading.
 * @buf: at least @len bytes.
 * @len: bytes wanted.
 * @off: byte offset, or -1 for the file's own position.
 * @flags: SL_RWF_*; 0 makes it pread(2).
 *
 * Context: any thread; sleeps unless SL_RWF_NOWAIT is honoured.
 * Return: as sl_sys_preadv2().
 */
ssize_t sl_sys_pread(int fd, void *buf, size_t len, int64_t off, int flags);

/**
 * sl_sys_pwrite - sl_sys_pwritev2() from one buffer.
 * @fd: open for writing.
 * @buf: borrowed for the call.
 * @len: bytes to write.
 * @off: byte offset, or -1 for the file's own position.
 * @flags: SL_RWF_*; 0 makes it pwrite(2).
 *
 * Context: any thread; may sleep.
 * Return: as sl_sys_pwritev2().
 */
ssize_t sl_sys_pwrite(int fd, const void *buf, size_t len, int64_t off, int flags);

#endif

/* mechanisms.h: every mechanism there is, and what their files share. */
#ifndef SLUICE_TOOLS_BENCH_MECHANISMS_H
#define SLUICE_TOOLS_BENCH_MECHANISMS_H

#include "contender.h"

/**
 * mechanisms_all - every mechanism, in the order of the report's lists.
 *
 * Return: a static array ended by NULL.
 */
const struct mechanism *const *mechanisms_all(void);

/**
 * contender_lacks_errno - contender_lacks() for a call that failed.
 * @c: the contender.
 * @call: what was called.
 * @err: -errno.
 *
 * Return: -ENOSYS.
 */
int contender_lacks_errno(struct contender *c, const char *call, int err);

/**
 * contender_lacks_uring - contender_lacks() for a ring that could not be made.
 * @c: the contender.
 * @err: -errno of uring_queue_open() or of a registration.
 *
 * Return: -ENOSYS.
 */
int contender_lacks_uring(struct contender *c, int err);

/**
 * stream_stamp - make a block ready to be written at an offset: its tags.
 * @c: the contender.
 * @buf: the block.
 * @off: where it goes.
 */
void stream_stamp(const struct contender *c, unsigned char *buf, uint64_t off);

/**
 * stream_settle - end a block that wrote: one fdatasync(2), so that every contender pays for
 * bringing its data to the device.
 * @c: the contender; its call is counted.
 *
 * Return: 0 or -errno.
 */
int stream_settle(struct contender *c);

extern const struct mechanism mechanism_read;
extern const struct mechanism mechanism_pread;
extern const struct mechanism mechanism_preadv;
extern const struct mechanism mechanism_dontcache;
extern const struct mechanism mechanism_mmap;
extern const struct mechanism mechanism_posix_aio;
extern const struct mechanism mechanism_libaio;
extern const struct mechanism mechanism_uring;
extern const struct mechanism mechanism_uring_registered;
extern const struct mechanism mechanism_uring_sqpoll;
extern const struct mechanism mechanism_own_uring;
extern const struct mechanism mechanism_own_epoll;
extern const struct mechanism mechanism_write_fsync;
extern const struct mechanism mechanism_write_fdatasync;
extern const struct mechanism mechanism_overwrite;
extern const struct mechanism mechanism_dsync;
extern const struct mechanism mechanism_direct_dsync;
extern const struct mechanism mechanism_rwf_dsync;
extern const struct mechanism mechanism_uring_linked_fsync;
extern const struct mechanism mechanism_uring_dsync;
extern const struct mechanism mechanism_own_append_uring;
extern const struct mechanism mechanism_own_append_epoll;
extern const struct mechanism mechanism_read_write;
extern const struct mechanism mechanism_mmap_write;
extern const struct mechanism mechanism_sendfile;
extern const struct mechanism mechanism_sendfile_ktls;
extern const struct mechanism mechanism_splice;
extern const struct mechanism mechanism_msg_zerocopy;
extern const struct mechanism mechanism_uring_send;
extern const struct mechanism mechanism_uring_send_fixed;
extern const struct mechanism mechanism_uring_send_zc;
extern const struct mechanism mechanism_uring_send_zc_fixed;
extern const struct mechanism mechanism_own_sendfile_uring;
extern const struct mechanism mechanism_own_sendfile_epoll;
extern const struct mechanism mechanism_own_send_uring;
extern const struct mechanism mechanism_own_send_epoll;
extern const struct mechanism mechanism_select;
extern const struct mechanism mechanism_poll;
extern const struct mechanism mechanism_epoll;
extern const struct mechanism mechanism_epoll_edge;
extern const struct mechanism mechanism_uring_poll;
extern const struct mechanism mechanism_uring_read;
extern const struct mechanism mechanism_own_watch_uring;
extern const struct mechanism mechanism_own_watch_epoll;

#endif

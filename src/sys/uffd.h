/* userfaultfd(2) and its ioctls, with what is newer than Debian 12's headers. */
#ifndef SL_SYS_UFFD_H
#define SL_SYS_UFFD_H

#include <stddef.h>
#include <stdint.h>

/* Features by ABI value (include/uapi/linux/userfaultfd.h); the first release in the comment. */
enum {
	SL_UFFD_FEATURE_MISSING_SHMEM = 1 << 5,	  /* 4.11 */
	SL_UFFD_FEATURE_SIGBUS = 1 << 7,	  /* 4.14 */
	SL_UFFD_FEATURE_THREAD_ID = 1 << 8,	  /* 4.14 */
	SL_UFFD_FEATURE_PAGEFAULT_WP = 1 << 0,	  /* 5.7 */
	SL_UFFD_FEATURE_MINOR_SHMEM = 1 << 10,	  /* 5.14 */
	SL_UFFD_FEATURE_EXACT_ADDRESS = 1 << 11,  /* 5.18 */
	SL_UFFD_FEATURE_WP_SHMEM = 1 << 12,	  /* 5.19 */
	SL_UFFD_FEATURE_WP_UNPOPULATED = 1 << 13, /* 6.4 */
	SL_UFFD_FEATURE_POISON = 1 << 14,	  /* 6.6 */
	SL_UFFD_FEATURE_WP_ASYNC = 1 << 15,	  /* 6.7 */
	SL_UFFD_FEATURE_MOVE = 1 << 16		  /* 6.8 */
};

/* Modes of sl_sys_uffd_register(). */
enum {
	SL_UFFD_MODE_MISSING = 1 << 0,
	SL_UFFD_MODE_WP = 1 << 1,
	SL_UFFD_MODE_MINOR = 1 << 2
};

/* Flag of the open functions: faults taken inside the kernel fail instead of waiting (5.11). */
#define SL_UFFD_USER_MODE_ONLY 1

/**
 * sl_sys_uffd_open - userfaultfd(2).
 * @flags: O_CLOEXEC, O_NONBLOCK, SL_UFFD_USER_MODE_ONLY.
 *
 * Context: any thread.
 * Return: a descriptor, or -errno: -ENOSYS when not built in, -EPERM without privilege
 * (vm.unprivileged_userfaultfd is 0 and SL_UFFD_USER_MODE_ONLY was not given).
 */
int sl_sys_uffd_open(int flags);

/**
 * sl_sys_uffd_open_device - the same through /dev/userfaultfd (6.1), whose mode is the permission.
 * @flags: O_CLOEXEC, O_NONBLOCK.
 *
 * Context: any thread.
 * Return: a descriptor, or -errno: -ENOENT when there is no such device, -EACCES.
 */
int sl_sys_uffd_open_device(int flags);

/**
 * sl_sys_uffd_api - agree on features; once per descriptor.
 * @fd: a fresh descriptor.
 * @features: SL_UFFD_FEATURE_* wanted.
 * @ret_features: all the kernel has.
 *
 * Context: any thread.
 * Return: 0, or -errno: -EINVAL when a feature is unknown or it was called before, -EPERM.
 */
int sl_sys_uffd_api(int fd, uint64_t features, uint64_t *ret_features);

/**
 * sl_sys_uffd_register - let faults of a range be handled.
 * @fd: the descriptor.
 * @addr: page-aligned.
 * @len: bytes, a multiple of the page size.
 * @modes: SL_UFFD_MODE_*.
 *
 * Context: any thread.
 * Return: 0, or -errno: -EINVAL for a mapping or mode that is not supported, -EBUSY.
 */
int sl_sys_uffd_register(int fd, void *addr, size_t len, unsigned modes);

/**
 * sl_sys_uffd_copy - fill missing pages and wake whoever waits for them.
 * @fd: the descriptor.
 * @target: page-aligned, registered.
 * @source: readable, @len bytes.
 * @len: a multiple of the page size.
 *
 * Context: any thread.
 * Return: bytes copied, or -errno: -EEXIST when the page is there already, -ENOENT, -EAGAIN.
 */
int64_t sl_sys_uffd_copy(int fd, void *target, const void *source, size_t len);

/**
 * sl_sys_uffd_continue - map pages that are in the page cache already (minor faults).
 * @fd: the descriptor.
 * @addr: page-aligned, registered with SL_UFFD_MODE_MINOR.
 * @len: a multiple of the page size.
 *
 * Context: any thread.
 * Return: bytes mapped, or -errno: -EFAULT when the page is not in the cache, -EEXIST.
 */
int64_t sl_sys_uffd_continue(int fd, void *addr, size_t len);

/**
 * sl_sys_uffd_poison - make touching pages a SIGBUS (6.6).
 * @fd: the descriptor.
 * @addr: page-aligned, registered.
 * @len: a multiple of the page size.
 *
 * Context: any thread.
 * Return: bytes marked, or -errno: -EINVAL before 6.6, -EEXIST.
 */
int64_t sl_sys_uffd_poison(int fd, void *addr, size_t len);

/**
 * sl_sys_uffd_move - move pages without copying them (6.8).
 * @fd: the descriptor.
 * @target: page-aligned, registered, missing.
 * @source: page-aligned, private anonymous memory of this process.
 * @len: a multiple of the page size.
 *
 * Context: any thread.
 * Return: bytes moved, or -errno: -EINVAL before 6.8, -EBUSY for a shared or pinned page.
 */
int64_t sl_sys_uffd_move(int fd, void *target, void *source, size_t len);

/**
 * sl_sys_uffd_protect - write-protect a range, or lift that and wake writers.
 * @fd: the descriptor.
 * @addr: page-aligned, registered with SL_UFFD_MODE_WP.
 * @len: a multiple of the page size.
 * @protect: nonzero to protect.
 *
 * Context: any thread.
 * Return: 0, or -errno: -ENOENT when it is not registered so.
 */
int sl_sys_uffd_protect(int fd, void *addr, size_t len, int protect);

#endif

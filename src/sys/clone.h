/* Shared extents: FICLONE, which makes one file's blocks another's as well (a reflink). */
#ifndef SL_SYS_CLONE_H
#define SL_SYS_CLONE_H

/**
 * sl_sys_clone - make the target share all of the source's blocks.
 * @target_fd: open for writing; its content is replaced.
 * @source_fd: open for reading, on the same file system.
 *
 * Context: any thread; may sleep.
 * Return: 0, or -errno: -EOPNOTSUPP or -ENOTTY where the file system has no reflinks,
 * -EXDEV on different file systems, -EINVAL for misaligned or incompatible files, -ETXTBSY.
 */
int sl_sys_clone(int target_fd, int source_fd);

#endif

/* SPDX-License-Identifier: MIT */
/* kernel.h - what a socket can be told only by the kernel itself, once, at start. */
#ifndef SLUICE_NET_KERNEL_H
#define SLUICE_NET_KERNEL_H

#include <sluice/sock.h>

/* The permissions that the file of a unix socket will have; nothing to do where
 * there is no kernel. */
int net_kernel_permissions(struct sl_ring *ring, int fd, unsigned permissions);

/* Makes a pipe hold so many bytes, if it may; how many it holds, or -errno. */
int net_kernel_pipe_bytes(struct sl_ring *ring, int fd, unsigned bytes);

#endif

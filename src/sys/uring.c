/* The three system calls of io_uring; uring.h holds the interface. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/uring.h"

/* One number on every architecture but alpha, for headers older than Linux 5.1. */
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup    425
#define SYS_io_uring_enter    426
#define SYS_io_uring_register 427
#endif

int sl_sys_uring_setup(uint32_t entries, struct sl_uring_params *params)
{
	long ret = syscall(SYS_io_uring_setup, entries, params);

	return ret < 0 ? -errno : (int)ret;
}

int sl_sys_uring_enter(int fd, uint32_t submit_nr, uint32_t complete_min, uint32_t flags,
		       const void *arg, size_t arg_size)
{
	long ret = syscall(SYS_io_uring_enter, fd, submit_nr, complete_min, flags, arg, arg_size);

	return ret < 0 ? -errno : (int)ret;
}

int sl_sys_uring_register(int fd, uint32_t opcode, void *arg, uint32_t arg_nr)
{
	long ret = syscall(SYS_io_uring_register, fd, opcode, arg, arg_nr);

	return ret < 0 ? -errno : (int)ret;
}

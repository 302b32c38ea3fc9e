/* What io_uring can do here: operations asked of the kernel, and one thing tried. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "backend/uring/uring.h"
#include "sys/rw.h"
#include "sys/sigpipe.h"

/* Which operations of the kernel an operation of ours stands on. Opening,
 * names, status and the set-up of sockets are left out on purpose: through the
 * ring they cost several times the plain call, or always take a kernel thread. */
static const struct {
	uint8_t code;
	uint8_t ops[3];
} needs[] = {
	{ SL_OP_NOP, { SL_URING_OP_NOP } },
	{ SL_OP_POLL, { SL_URING_OP_POLL_ADD } },
	{ SL_OP_READ, { SL_URING_OP_READ, SL_URING_OP_READV, SL_URING_OP_READ_FIXED } },
	{ SL_OP_WRITE, { SL_URING_OP_WRITE, SL_URING_OP_WRITEV, SL_URING_OP_WRITE_FIXED } },
	{ SL_OP_FSYNC, { SL_URING_OP_FSYNC } },
	{ SL_OP_FDATASYNC, { SL_URING_OP_FSYNC } },
	{ SL_OP_ALLOCATE, { SL_URING_OP_FALLOCATE } },
	{ SL_OP_TRUNCATE, { SL_URING_OP_FTRUNCATE } },
	{ SL_OP_CLOSE, { SL_URING_OP_CLOSE } },
	{ SL_OP_ACCEPT, { SL_URING_OP_ACCEPT } },
	{ SL_OP_CONNECT, { SL_URING_OP_CONNECT } },
	{ SL_OP_RECV, { SL_URING_OP_RECV, SL_URING_OP_RECVMSG } },
	{ SL_OP_SEND, { SL_URING_OP_SEND, SL_URING_OP_SENDMSG } },
	{ SL_OP_RECVMSG, { SL_URING_OP_RECVMSG } },
	{ SL_OP_SENDMSG, { SL_URING_OP_SENDMSG } },
	{ SL_OP_SPLICE, { SL_URING_OP_SPLICE } },
	{ SL_OP_TEE, { SL_URING_OP_TEE } },
	{ SL_OP_SENDFILE, { SL_URING_OP_NOP } }, /* made here and now, see turn.c */
};

uint64_t uring_native(const struct uring_ops *ops)
{
	uint64_t native = 0;

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		bool has = true;

		for (size_t k = 0; k < 3; k++)
			has = has && uring_ops_has(ops, needs[i].ops[k]);
		if (has)
			native |= (uint64_t)1 << needs[i].code;
	}
	return native;
}

/* A write to a pipe without a reader, with the flag against the signal. */
bool uring_writes_quietly(void)
{
	struct sl_sigpipe_guard guard;
	bool raised;
	ssize_t res;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	close(ends[0]);
	sl_sigpipe_begin(&guard);
	res = sl_sys_pwrite(ends[1], "", 1, -1, SL_URING_RWF_NOSIGNAL);
	raised = sl_sigpipe_end(&guard);
	close(ends[1]);
	return res == -EPIPE && !raised;
}

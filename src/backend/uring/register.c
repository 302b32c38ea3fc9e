/* What can be registered with a raw ring, and what can be asked of it; see queue.h. */
#include <errno.h>
#include <string.h>

#include "backend/uring/queue.h"

#define NS_PER_SEC 1000000000LL
#define OPS_MAX	   256

int uring_queue_register(struct uring_queue *q, uint32_t opcode, void *arg, uint32_t arg_nr)
{
	return sl_sys_uring_register(q->fd, opcode, arg, arg_nr);
}

static int register_sparse(struct uring_queue *q, uint32_t opcode, uint32_t nr)
{
	struct sl_uring_rsrc_register arg = { .nr = nr, .flags = SL_URING_RSRC_REGISTER_SPARSE };

	return uring_queue_register(q, opcode, &arg, sizeof(arg));
}

static int register_update(struct uring_queue *q, uint32_t opcode,
			   struct sl_uring_rsrc_update2 update)
{
	return uring_queue_register(q, opcode, &update, sizeof(update));
}

int uring_queue_buffers_sparse(struct uring_queue *q, uint32_t nr)
{
	return register_sparse(q, SL_URING_REGISTER_BUFFERS2, nr);
}

int uring_queue_buffers_update(struct uring_queue *q, uint32_t idx, const struct iovec *iov,
			       const uint64_t *tags, uint32_t nr)
{
	return register_update(
		q, SL_URING_REGISTER_BUFFERS_UPDATE,
		(struct sl_uring_rsrc_update2){
			.offset = idx, .data = (uintptr_t)iov, .tags = (uintptr_t)tags, .nr = nr });
}

int uring_queue_files_sparse(struct uring_queue *q, uint32_t nr)
{
	return register_sparse(q, SL_URING_REGISTER_FILES2, nr);
}

int uring_queue_files_update(struct uring_queue *q, uint32_t idx, const int *fds,
			     const uint64_t *tags, uint32_t nr)
{
	return register_update(
		q, SL_URING_REGISTER_FILES_UPDATE2,
		(struct sl_uring_rsrc_update2){
			.offset = idx, .data = (uintptr_t)fds, .tags = (uintptr_t)tags, .nr = nr });
}

int uring_queue_file_alloc_range(struct uring_queue *q, uint32_t idx, uint32_t nr)
{
	struct sl_uring_file_index_range range = { .off = idx, .len = nr };

	return uring_queue_register(q, SL_URING_REGISTER_FILE_ALLOC_RANGE, &range, 0);
}

int uring_queue_buf_ring_register(struct uring_queue *q, struct sl_uring_buf *ring,
				  uint32_t entries, uint16_t group, uint16_t flags)
{
	struct sl_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)ring,
		.ring_entries = entries,
		.bgid = group,
		.flags = flags,
	};

	return uring_queue_register(q, SL_URING_REGISTER_PBUF_RING, &reg, 1);
}

int uring_queue_buf_ring_unregister(struct uring_queue *q, uint16_t group)
{
	struct sl_uring_buf_reg reg = { .bgid = group };

	return uring_queue_register(q, SL_URING_UNREGISTER_PBUF_RING, &reg, 1);
}

int uring_queue_iowq_max_workers(struct uring_queue *q, uint32_t bounded, uint32_t unbounded,
				 uint32_t ret_old[2])
{
	uint32_t nr[2] = { bounded, unbounded };
	int err = uring_queue_register(q, SL_URING_REGISTER_IOWQ_MAX_WORKERS, nr, 2);

	if (err < 0)
		return err;
	if (ret_old)
		memcpy(ret_old, nr, sizeof(nr));
	return 0;
}

int uring_queue_ops(struct uring_queue *q, struct uring_ops *ret_ops)
{
	union {
		struct sl_uring_probe probe;
		uint8_t room[sizeof(struct sl_uring_probe) +
			     OPS_MAX * sizeof(struct sl_uring_probe_op)];
	} answer;
	struct uring_ops ops = { 0 };
	int err;

	/* The kernel insists on zeroes, also behind the header. */
	memset(&answer, 0, sizeof(answer));
	err = uring_queue_register(q, SL_URING_REGISTER_PROBE, &answer, OPS_MAX);
	if (err < 0)
		return err;
	for (uint32_t i = 0; i < answer.probe.ops_len && i < OPS_MAX; i++)
		if (answer.probe.ops[i].flags & SL_URING_OP_SUPPORTED)
			ops.mask[i / 64] |= 1ULL << (i % 64);
	*ret_ops = ops;
	return 0;
}

int uring_queue_cancel_sync(struct uring_queue *q, uint64_t user_data, int fd, uint32_t flags,
			    int64_t timeout_ns)
{
	struct sl_uring_sync_cancel_reg reg = { .addr = user_data, .fd = fd, .flags = flags };

	reg.timeout = (struct sl_uring_timespec){ -1, -1 };
	if (timeout_ns >= 0)
		reg.timeout = (struct sl_uring_timespec){ timeout_ns / NS_PER_SEC,
							  timeout_ns % NS_PER_SEC };
	return uring_queue_register(q, SL_URING_REGISTER_SYNC_CANCEL, &reg, 1);
}

int uring_msg_send(int target_fd, uint64_t user_data, int32_t res)
{
	struct sl_uring_sqe request = {
		.opcode = SL_URING_OP_MSG_RING,
		.fd = target_fd,
		.addr = SL_URING_MSG_DATA,
		.off = user_data,
		.len = (uint32_t)res,
	};

	return sl_sys_uring_register(-1, SL_URING_REGISTER_SEND_MSG_RING, &request, 1);
}

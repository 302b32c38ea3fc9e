/* Our io_uring constants and layouts are those of the kernel's header, where it has them. */
#include <linux/io_uring.h>

#include "harness.h"
#include "sys/uring.h"

struct pair {
	const char *name;
	uint64_t ours;
	uint64_t theirs;
};

#define SAME(ours, theirs)                                  \
	{                                                   \
#ours, (uint64_t)(ours), (uint64_t)(theirs) \
	}
#define SAME_SIZE(ours, theirs) SAME(sizeof(struct ours), sizeof(struct theirs))
#define SAME_PLACE(ours, theirs, member) \
	SAME(offsetof(struct ours, member), offsetof(struct theirs, member))
#define SAME_MEMBER(ours, our_member, theirs, their_member) \
	SAME(offsetof(struct ours, our_member), offsetof(struct theirs, their_member))

static void check(const struct pair *pairs, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (pairs[i].ours != pairs[i].theirs)
			fail_msg("%s: ours is %#llx, the kernel's %#llx", pairs[i].name,
				 (unsigned long long)pairs[i].ours,
				 (unsigned long long)pairs[i].theirs);
}

#define CHECK(pairs) check(pairs, sizeof(pairs) / sizeof((pairs)[0]))

static const struct pair constants[] = {
	SAME(SL_URING_SQE_FIXED_FILE, IOSQE_FIXED_FILE),
	SAME(SL_URING_SQE_IO_DRAIN, IOSQE_IO_DRAIN),
	SAME(SL_URING_SQE_IO_LINK, IOSQE_IO_LINK),
	SAME(SL_URING_SQE_IO_HARDLINK, IOSQE_IO_HARDLINK),
	SAME(SL_URING_SQE_ASYNC, IOSQE_ASYNC),
	SAME(SL_URING_SQE_BUFFER_SELECT, IOSQE_BUFFER_SELECT),
	SAME(SL_URING_SQE_CQE_SKIP_SUCCESS, IOSQE_CQE_SKIP_SUCCESS),
	SAME(SL_URING_FILE_INDEX_ALLOC, IORING_FILE_INDEX_ALLOC),
	SAME(SL_URING_FSYNC_DATASYNC, IORING_FSYNC_DATASYNC),
	SAME(SL_URING_TIMEOUT_ABS, IORING_TIMEOUT_ABS),
	SAME(SL_URING_TIMEOUT_UPDATE, IORING_TIMEOUT_UPDATE),
	SAME(SL_URING_TIMEOUT_BOOTTIME, IORING_TIMEOUT_BOOTTIME),
	SAME(SL_URING_TIMEOUT_REALTIME, IORING_TIMEOUT_REALTIME),
	SAME(SL_URING_LINK_TIMEOUT_UPDATE, IORING_LINK_TIMEOUT_UPDATE),
	SAME(SL_URING_TIMEOUT_ETIME_SUCCESS, IORING_TIMEOUT_ETIME_SUCCESS),
	SAME(SL_URING_SPLICE_FD_IN_FIXED, SPLICE_F_FD_IN_FIXED),
	SAME(SL_URING_POLL_ADD_MULTI, IORING_POLL_ADD_MULTI),
	SAME(SL_URING_POLL_UPDATE_EVENTS, IORING_POLL_UPDATE_EVENTS),
	SAME(SL_URING_POLL_UPDATE_USER_DATA, IORING_POLL_UPDATE_USER_DATA),
	SAME(SL_URING_POLL_ADD_LEVEL, IORING_POLL_ADD_LEVEL),
	SAME(SL_URING_CANCEL_ALL, IORING_ASYNC_CANCEL_ALL),
	SAME(SL_URING_CANCEL_FD, IORING_ASYNC_CANCEL_FD),
	SAME(SL_URING_CANCEL_ANY, IORING_ASYNC_CANCEL_ANY),
	SAME(SL_URING_CANCEL_FD_FIXED, IORING_ASYNC_CANCEL_FD_FIXED),
	SAME(SL_URING_CANCEL_USERDATA, IORING_ASYNC_CANCEL_USERDATA),
	SAME(SL_URING_CANCEL_OP, IORING_ASYNC_CANCEL_OP),
	SAME(SL_URING_RECVSEND_POLL_FIRST, IORING_RECVSEND_POLL_FIRST),
	SAME(SL_URING_RECV_MULTISHOT, IORING_RECV_MULTISHOT),
	SAME(SL_URING_RECVSEND_FIXED_BUF, IORING_RECVSEND_FIXED_BUF),
	SAME(SL_URING_SEND_ZC_REPORT_USAGE, IORING_SEND_ZC_REPORT_USAGE),
	SAME(SL_URING_NOTIF_USAGE_ZC_COPIED, IORING_NOTIF_USAGE_ZC_COPIED),
	SAME(SL_URING_ACCEPT_MULTISHOT, IORING_ACCEPT_MULTISHOT),
	SAME(SL_URING_MSG_DATA, IORING_MSG_DATA),
	SAME(SL_URING_MSG_SEND_FD, IORING_MSG_SEND_FD),
	SAME(SL_URING_MSG_RING_CQE_SKIP, IORING_MSG_RING_CQE_SKIP),
	SAME(SL_URING_CMD_FIXED, IORING_URING_CMD_FIXED),
	SAME(SL_URING_CQE_F_BUFFER, IORING_CQE_F_BUFFER),
	SAME(SL_URING_CQE_F_MORE, IORING_CQE_F_MORE),
	SAME(SL_URING_CQE_F_SOCK_NONEMPTY, IORING_CQE_F_SOCK_NONEMPTY),
	SAME(SL_URING_CQE_F_NOTIF, IORING_CQE_F_NOTIF),
	SAME(SL_URING_CQE_BUFFER_SHIFT, IORING_CQE_BUFFER_SHIFT),
	SAME(SL_URING_SETUP_IOPOLL, IORING_SETUP_IOPOLL),
	SAME(SL_URING_SETUP_SQPOLL, IORING_SETUP_SQPOLL),
	SAME(SL_URING_SETUP_SQ_AFF, IORING_SETUP_SQ_AFF),
	SAME(SL_URING_SETUP_CQSIZE, IORING_SETUP_CQSIZE),
	SAME(SL_URING_SETUP_CLAMP, IORING_SETUP_CLAMP),
	SAME(SL_URING_SETUP_ATTACH_WQ, IORING_SETUP_ATTACH_WQ),
	SAME(SL_URING_SETUP_R_DISABLED, IORING_SETUP_R_DISABLED),
	SAME(SL_URING_SETUP_SUBMIT_ALL, IORING_SETUP_SUBMIT_ALL),
	SAME(SL_URING_SETUP_COOP_TASKRUN, IORING_SETUP_COOP_TASKRUN),
	SAME(SL_URING_SETUP_TASKRUN_FLAG, IORING_SETUP_TASKRUN_FLAG),
	SAME(SL_URING_SETUP_SQE128, IORING_SETUP_SQE128),
	SAME(SL_URING_SETUP_CQE32, IORING_SETUP_CQE32),
	SAME(SL_URING_SETUP_SINGLE_ISSUER, IORING_SETUP_SINGLE_ISSUER),
	SAME(SL_URING_SETUP_DEFER_TASKRUN, IORING_SETUP_DEFER_TASKRUN),
	SAME(SL_URING_FEAT_SINGLE_MMAP, IORING_FEAT_SINGLE_MMAP),
	SAME(SL_URING_FEAT_NODROP, IORING_FEAT_NODROP),
	SAME(SL_URING_FEAT_SUBMIT_STABLE, IORING_FEAT_SUBMIT_STABLE),
	SAME(SL_URING_FEAT_RW_CUR_POS, IORING_FEAT_RW_CUR_POS),
	SAME(SL_URING_FEAT_CUR_PERSONALITY, IORING_FEAT_CUR_PERSONALITY),
	SAME(SL_URING_FEAT_FAST_POLL, IORING_FEAT_FAST_POLL),
	SAME(SL_URING_FEAT_POLL_32BITS, IORING_FEAT_POLL_32BITS),
	SAME(SL_URING_FEAT_SQPOLL_NONFIXED, IORING_FEAT_SQPOLL_NONFIXED),
	SAME(SL_URING_FEAT_EXT_ARG, IORING_FEAT_EXT_ARG),
	SAME(SL_URING_FEAT_NATIVE_WORKERS, IORING_FEAT_NATIVE_WORKERS),
	SAME(SL_URING_FEAT_RSRC_TAGS, IORING_FEAT_RSRC_TAGS),
	SAME(SL_URING_FEAT_CQE_SKIP, IORING_FEAT_CQE_SKIP),
	SAME(SL_URING_FEAT_LINKED_FILE, IORING_FEAT_LINKED_FILE),
	SAME(SL_URING_OFF_SQ_RING, IORING_OFF_SQ_RING),
	SAME(SL_URING_OFF_CQ_RING, IORING_OFF_CQ_RING),
	SAME(SL_URING_OFF_SQES, IORING_OFF_SQES),
	SAME(SL_URING_SQ_NEED_WAKEUP, IORING_SQ_NEED_WAKEUP),
	SAME(SL_URING_SQ_CQ_OVERFLOW, IORING_SQ_CQ_OVERFLOW),
	SAME(SL_URING_SQ_TASKRUN, IORING_SQ_TASKRUN),
	SAME(SL_URING_CQ_EVENTFD_DISABLED, IORING_CQ_EVENTFD_DISABLED),
	SAME(SL_URING_ENTER_GETEVENTS, IORING_ENTER_GETEVENTS),
	SAME(SL_URING_ENTER_SQ_WAKEUP, IORING_ENTER_SQ_WAKEUP),
	SAME(SL_URING_ENTER_SQ_WAIT, IORING_ENTER_SQ_WAIT),
	SAME(SL_URING_ENTER_EXT_ARG, IORING_ENTER_EXT_ARG),
	SAME(SL_URING_ENTER_REGISTERED_RING, IORING_ENTER_REGISTERED_RING),
	SAME(SL_URING_RSRC_REGISTER_SPARSE, IORING_RSRC_REGISTER_SPARSE),
	SAME(SL_URING_REGISTER_FILES_SKIP, IORING_REGISTER_FILES_SKIP),
	SAME(SL_URING_OP_SUPPORTED, IO_URING_OP_SUPPORTED),
	SAME(SL_URING_OP_NOP, IORING_OP_NOP),
	SAME(SL_URING_OP_READV, IORING_OP_READV),
	SAME(SL_URING_OP_WRITEV, IORING_OP_WRITEV),
	SAME(SL_URING_OP_FSYNC, IORING_OP_FSYNC),
	SAME(SL_URING_OP_READ_FIXED, IORING_OP_READ_FIXED),
	SAME(SL_URING_OP_WRITE_FIXED, IORING_OP_WRITE_FIXED),
	SAME(SL_URING_OP_POLL_ADD, IORING_OP_POLL_ADD),
	SAME(SL_URING_OP_POLL_REMOVE, IORING_OP_POLL_REMOVE),
	SAME(SL_URING_OP_SYNC_FILE_RANGE, IORING_OP_SYNC_FILE_RANGE),
	SAME(SL_URING_OP_SENDMSG, IORING_OP_SENDMSG),
	SAME(SL_URING_OP_RECVMSG, IORING_OP_RECVMSG),
	SAME(SL_URING_OP_TIMEOUT, IORING_OP_TIMEOUT),
	SAME(SL_URING_OP_TIMEOUT_REMOVE, IORING_OP_TIMEOUT_REMOVE),
	SAME(SL_URING_OP_ACCEPT, IORING_OP_ACCEPT),
	SAME(SL_URING_OP_ASYNC_CANCEL, IORING_OP_ASYNC_CANCEL),
	SAME(SL_URING_OP_LINK_TIMEOUT, IORING_OP_LINK_TIMEOUT),
	SAME(SL_URING_OP_CONNECT, IORING_OP_CONNECT),
	SAME(SL_URING_OP_FALLOCATE, IORING_OP_FALLOCATE),
	SAME(SL_URING_OP_OPENAT, IORING_OP_OPENAT),
	SAME(SL_URING_OP_CLOSE, IORING_OP_CLOSE),
	SAME(SL_URING_OP_FILES_UPDATE, IORING_OP_FILES_UPDATE),
	SAME(SL_URING_OP_STATX, IORING_OP_STATX),
	SAME(SL_URING_OP_READ, IORING_OP_READ),
	SAME(SL_URING_OP_WRITE, IORING_OP_WRITE),
	SAME(SL_URING_OP_FADVISE, IORING_OP_FADVISE),
	SAME(SL_URING_OP_MADVISE, IORING_OP_MADVISE),
	SAME(SL_URING_OP_SEND, IORING_OP_SEND),
	SAME(SL_URING_OP_RECV, IORING_OP_RECV),
	SAME(SL_URING_OP_OPENAT2, IORING_OP_OPENAT2),
	SAME(SL_URING_OP_EPOLL_CTL, IORING_OP_EPOLL_CTL),
	SAME(SL_URING_OP_SPLICE, IORING_OP_SPLICE),
	SAME(SL_URING_OP_PROVIDE_BUFFERS, IORING_OP_PROVIDE_BUFFERS),
	SAME(SL_URING_OP_REMOVE_BUFFERS, IORING_OP_REMOVE_BUFFERS),
	SAME(SL_URING_OP_TEE, IORING_OP_TEE),
	SAME(SL_URING_OP_SHUTDOWN, IORING_OP_SHUTDOWN),
	SAME(SL_URING_OP_RENAMEAT, IORING_OP_RENAMEAT),
	SAME(SL_URING_OP_UNLINKAT, IORING_OP_UNLINKAT),
	SAME(SL_URING_OP_MKDIRAT, IORING_OP_MKDIRAT),
	SAME(SL_URING_OP_SYMLINKAT, IORING_OP_SYMLINKAT),
	SAME(SL_URING_OP_LINKAT, IORING_OP_LINKAT),
	SAME(SL_URING_OP_MSG_RING, IORING_OP_MSG_RING),
	SAME(SL_URING_OP_FSETXATTR, IORING_OP_FSETXATTR),
	SAME(SL_URING_OP_SETXATTR, IORING_OP_SETXATTR),
	SAME(SL_URING_OP_FGETXATTR, IORING_OP_FGETXATTR),
	SAME(SL_URING_OP_GETXATTR, IORING_OP_GETXATTR),
	SAME(SL_URING_OP_SOCKET, IORING_OP_SOCKET),
	SAME(SL_URING_OP_URING_CMD, IORING_OP_URING_CMD),
	SAME(SL_URING_OP_SEND_ZC, IORING_OP_SEND_ZC),
	SAME(SL_URING_OP_SENDMSG_ZC, IORING_OP_SENDMSG_ZC),
	SAME(SL_URING_REGISTER_BUFFERS, IORING_REGISTER_BUFFERS),
	SAME(SL_URING_UNREGISTER_BUFFERS, IORING_UNREGISTER_BUFFERS),
	SAME(SL_URING_REGISTER_FILES, IORING_REGISTER_FILES),
	SAME(SL_URING_UNREGISTER_FILES, IORING_UNREGISTER_FILES),
	SAME(SL_URING_REGISTER_EVENTFD, IORING_REGISTER_EVENTFD),
	SAME(SL_URING_UNREGISTER_EVENTFD, IORING_UNREGISTER_EVENTFD),
	SAME(SL_URING_REGISTER_FILES_UPDATE, IORING_REGISTER_FILES_UPDATE),
	SAME(SL_URING_REGISTER_EVENTFD_ASYNC, IORING_REGISTER_EVENTFD_ASYNC),
	SAME(SL_URING_REGISTER_PROBE, IORING_REGISTER_PROBE),
	SAME(SL_URING_REGISTER_PERSONALITY, IORING_REGISTER_PERSONALITY),
	SAME(SL_URING_UNREGISTER_PERSONALITY, IORING_UNREGISTER_PERSONALITY),
	SAME(SL_URING_REGISTER_RESTRICTIONS, IORING_REGISTER_RESTRICTIONS),
	SAME(SL_URING_REGISTER_ENABLE_RINGS, IORING_REGISTER_ENABLE_RINGS),
	SAME(SL_URING_REGISTER_FILES2, IORING_REGISTER_FILES2),
	SAME(SL_URING_REGISTER_FILES_UPDATE2, IORING_REGISTER_FILES_UPDATE2),
	SAME(SL_URING_REGISTER_BUFFERS2, IORING_REGISTER_BUFFERS2),
	SAME(SL_URING_REGISTER_BUFFERS_UPDATE, IORING_REGISTER_BUFFERS_UPDATE),
	SAME(SL_URING_REGISTER_IOWQ_AFF, IORING_REGISTER_IOWQ_AFF),
	SAME(SL_URING_UNREGISTER_IOWQ_AFF, IORING_UNREGISTER_IOWQ_AFF),
	SAME(SL_URING_REGISTER_IOWQ_MAX_WORKERS, IORING_REGISTER_IOWQ_MAX_WORKERS),
	SAME(SL_URING_REGISTER_RING_FDS, IORING_REGISTER_RING_FDS),
	SAME(SL_URING_UNREGISTER_RING_FDS, IORING_UNREGISTER_RING_FDS),
	SAME(SL_URING_REGISTER_PBUF_RING, IORING_REGISTER_PBUF_RING),
	SAME(SL_URING_UNREGISTER_PBUF_RING, IORING_UNREGISTER_PBUF_RING),
	SAME(SL_URING_REGISTER_SYNC_CANCEL, IORING_REGISTER_SYNC_CANCEL),
	SAME(SL_URING_REGISTER_FILE_ALLOC_RANGE, IORING_REGISTER_FILE_ALLOC_RANGE),
};

static const struct pair sqe[] = {
	SAME_SIZE(sl_uring_sqe, io_uring_sqe),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, opcode),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, flags),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, ioprio),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, fd),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, off),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, addr),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, len),
	SAME_MEMBER(sl_uring_sqe, op_flags, io_uring_sqe, rw_flags),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, user_data),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, buf_index),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, personality),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, splice_fd_in),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, file_index),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, addr_len),
	SAME_PLACE(sl_uring_sqe, io_uring_sqe, addr3),
};

static const struct pair rings[] = {
	SAME_SIZE(sl_uring_cqe, io_uring_cqe),
	SAME_PLACE(sl_uring_cqe, io_uring_cqe, res),
	SAME_PLACE(sl_uring_cqe, io_uring_cqe, flags),
	SAME_SIZE(sl_uring_params, io_uring_params),
	SAME_PLACE(sl_uring_params, io_uring_params, cq_entries),
	SAME_PLACE(sl_uring_params, io_uring_params, flags),
	SAME_PLACE(sl_uring_params, io_uring_params, sq_thread_cpu),
	SAME_PLACE(sl_uring_params, io_uring_params, sq_thread_idle),
	SAME_PLACE(sl_uring_params, io_uring_params, features),
	SAME_PLACE(sl_uring_params, io_uring_params, wq_fd),
	SAME_PLACE(sl_uring_params, io_uring_params, sq_off),
	SAME_PLACE(sl_uring_params, io_uring_params, cq_off),
	SAME_SIZE(sl_uring_sq_offsets, io_sqring_offsets),
	SAME_PLACE(sl_uring_sq_offsets, io_sqring_offsets, tail),
	SAME_PLACE(sl_uring_sq_offsets, io_sqring_offsets, flags),
	SAME_PLACE(sl_uring_sq_offsets, io_sqring_offsets, dropped),
	SAME_PLACE(sl_uring_sq_offsets, io_sqring_offsets, array),
	SAME_SIZE(sl_uring_cq_offsets, io_cqring_offsets),
	SAME_PLACE(sl_uring_cq_offsets, io_cqring_offsets, tail),
	SAME_PLACE(sl_uring_cq_offsets, io_cqring_offsets, overflow),
	SAME_PLACE(sl_uring_cq_offsets, io_cqring_offsets, cqes),
	SAME_PLACE(sl_uring_cq_offsets, io_cqring_offsets, flags),
	SAME_SIZE(sl_uring_getevents_arg, io_uring_getevents_arg),
	SAME_PLACE(sl_uring_getevents_arg, io_uring_getevents_arg, sigmask_sz),
	SAME_PLACE(sl_uring_getevents_arg, io_uring_getevents_arg, ts),
	SAME_SIZE(sl_uring_timespec, __kernel_timespec),
	SAME_PLACE(sl_uring_timespec, __kernel_timespec, tv_nsec),
};

static const struct pair registered[] = {
	SAME_SIZE(sl_uring_files_update, io_uring_files_update),
	SAME_PLACE(sl_uring_files_update, io_uring_files_update, fds),
	SAME_SIZE(sl_uring_rsrc_register, io_uring_rsrc_register),
	SAME_PLACE(sl_uring_rsrc_register, io_uring_rsrc_register, flags),
	SAME_PLACE(sl_uring_rsrc_register, io_uring_rsrc_register, data),
	SAME_PLACE(sl_uring_rsrc_register, io_uring_rsrc_register, tags),
	SAME_SIZE(sl_uring_rsrc_update, io_uring_rsrc_update),
	SAME_PLACE(sl_uring_rsrc_update, io_uring_rsrc_update, data),
	SAME_SIZE(sl_uring_rsrc_update2, io_uring_rsrc_update2),
	SAME_PLACE(sl_uring_rsrc_update2, io_uring_rsrc_update2, data),
	SAME_PLACE(sl_uring_rsrc_update2, io_uring_rsrc_update2, tags),
	SAME_PLACE(sl_uring_rsrc_update2, io_uring_rsrc_update2, nr),
	SAME_SIZE(sl_uring_probe, io_uring_probe),
	SAME_PLACE(sl_uring_probe, io_uring_probe, ops_len),
	SAME_PLACE(sl_uring_probe, io_uring_probe, ops),
	SAME_SIZE(sl_uring_probe_op, io_uring_probe_op),
	SAME_PLACE(sl_uring_probe_op, io_uring_probe_op, flags),
	SAME_SIZE(sl_uring_buf, io_uring_buf),
	SAME_PLACE(sl_uring_buf, io_uring_buf, len),
	SAME_PLACE(sl_uring_buf, io_uring_buf, bid),
	SAME_MEMBER(sl_uring_buf, resv, io_uring_buf_ring, tail),
	SAME_SIZE(sl_uring_buf_reg, io_uring_buf_reg),
	SAME_PLACE(sl_uring_buf_reg, io_uring_buf_reg, ring_entries),
	SAME_PLACE(sl_uring_buf_reg, io_uring_buf_reg, bgid),
	SAME_PLACE(sl_uring_buf_reg, io_uring_buf_reg, resv),
	SAME_SIZE(sl_uring_sync_cancel_reg, io_uring_sync_cancel_reg),
	SAME_PLACE(sl_uring_sync_cancel_reg, io_uring_sync_cancel_reg, fd),
	SAME_PLACE(sl_uring_sync_cancel_reg, io_uring_sync_cancel_reg, flags),
	SAME_PLACE(sl_uring_sync_cancel_reg, io_uring_sync_cancel_reg, timeout),
	SAME_SIZE(sl_uring_file_index_range, io_uring_file_index_range),
	SAME_SIZE(sl_uring_recvmsg_out, io_uring_recvmsg_out),
};

static void constants_are_those_of_the_kernel_header(void **state)
{
	(void)state;
	CHECK(constants);
}

static void submission_entry_has_the_kernel_layout(void **state)
{
	(void)state;
	CHECK(sqe);
}

static void ring_structures_have_the_kernel_layout(void **state)
{
	(void)state;
	CHECK(rings);
}

static void registration_structures_have_the_kernel_layout(void **state)
{
	(void)state;
	CHECK(registered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(constants_are_those_of_the_kernel_header),
		TEST(submission_entry_has_the_kernel_layout),
		TEST(ring_structures_have_the_kernel_layout),
		TEST(registration_structures_have_the_kernel_layout),
	};

	return RUN_TESTS(tests);
}

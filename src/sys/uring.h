/*
 * The kernel interface of io_uring: constants, structures, three system calls.
 *
 * The constants and layouts are our own because a distribution's kernel headers
 * are often years older than its kernel. They follow io_uring_setup(2),
 * io_uring_enter(2) and io_uring_register(2) up to Linux 6.18; a comment names
 * the first release for whatever is newer than 6.1. They describe what may be
 * asked, never what the running kernel can do: that is tried, not assumed.
 * tests/unit/test_uring_abi.c compares those up to 6.1 with <linux/io_uring.h>.
 *
 * The functions are the bare system calls: they never retry, allocate or log.
 */
#ifndef SL_SYS_URING_H
#define SL_SYS_URING_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct sl_uring_sqe - one submission queue entry, 64 bytes
 * @opcode: enum sl_uring_op
 * @flags: SL_URING_SQE_...
 * @ioprio: I/O priority, or SL_URING_RECVSEND_... or SL_URING_ACCEPT_...
 * @fd: descriptor, or slot of the file table with SL_URING_SQE_FIXED_FILE
 * @off: byte offset; second address (addr2); low half: uring_cmd operation
 * @addr: first address; splice: input offset
 * @len: bytes or number of iovecs; poll: SL_URING_POLL_...; open: mode
 * @op_flags: the flags word of the operation (rw, fsync, poll events, msg,
 *            timeout, accept, cancel, open, statx, splice, rename, ...)
 * @user_data: comes back in the completion
 * @buf_index: registered buffer, or the group with SL_URING_SQE_BUFFER_SELECT
 * @personality: registered credentials, 0 = the caller's
 * @splice_fd_in: input descriptor of splice and tee
 * @file_index: direct operations: slot + 1, or SL_URING_FILE_INDEX_ALLOC
 * @addr_len: length of the address in @off for zero-copy sends
 * @pad_addr_len: must be 0
 * @addr3: third address
 * @pad: must be 0 (URING_CMD on sockets: optval lies in @addr3)
 */
struct sl_uring_sqe {
	uint8_t opcode;
	uint8_t flags;
	uint16_t ioprio;
	int32_t fd;
	uint64_t off;
	uint64_t addr;
	uint32_t len;
	uint32_t op_flags;
	uint64_t user_data;
	uint16_t buf_index;
	uint16_t personality;
	union {
		int32_t splice_fd_in;
		uint32_t file_index;
		struct {
			uint16_t addr_len;
			uint16_t pad_addr_len;
		};
	};
	uint64_t addr3;
	uint64_t pad;
};

/**
 * struct sl_uring_cqe - one completion queue entry, 16 bytes
 * @user_data: the submission's
 * @res: result of the operation, or -errno; a flag word in notifications
 * @flags: SL_URING_CQE_F_..., buffer id in the upper 16 bits
 */
struct sl_uring_cqe {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};

enum sl_uring_op {
	SL_URING_OP_NOP,
	SL_URING_OP_READV,
	SL_URING_OP_WRITEV,
	SL_URING_OP_FSYNC,
	SL_URING_OP_READ_FIXED,
	SL_URING_OP_WRITE_FIXED,
	SL_URING_OP_POLL_ADD,
	SL_URING_OP_POLL_REMOVE,
	SL_URING_OP_SYNC_FILE_RANGE,
	SL_URING_OP_SENDMSG,
	SL_URING_OP_RECVMSG,
	SL_URING_OP_TIMEOUT,
	SL_URING_OP_TIMEOUT_REMOVE,
	SL_URING_OP_ACCEPT,
	SL_URING_OP_ASYNC_CANCEL,
	SL_URING_OP_LINK_TIMEOUT,
	SL_URING_OP_CONNECT,
	SL_URING_OP_FALLOCATE,
	SL_URING_OP_OPENAT,
	SL_URING_OP_CLOSE,
	SL_URING_OP_FILES_UPDATE,
	SL_URING_OP_STATX,
	SL_URING_OP_READ,
	SL_URING_OP_WRITE,
	SL_URING_OP_FADVISE,
	SL_URING_OP_MADVISE,
	SL_URING_OP_SEND,
	SL_URING_OP_RECV,
	SL_URING_OP_OPENAT2,
	SL_URING_OP_EPOLL_CTL,
	SL_URING_OP_SPLICE,
	SL_URING_OP_PROVIDE_BUFFERS,
	SL_URING_OP_REMOVE_BUFFERS,
	SL_URING_OP_TEE,
	SL_URING_OP_SHUTDOWN,
	SL_URING_OP_RENAMEAT,
	SL_URING_OP_UNLINKAT,
	SL_URING_OP_MKDIRAT,
	SL_URING_OP_SYMLINKAT,
	SL_URING_OP_LINKAT,
	SL_URING_OP_MSG_RING,
	SL_URING_OP_FSETXATTR,
	SL_URING_OP_SETXATTR,
	SL_URING_OP_FGETXATTR,
	SL_URING_OP_GETXATTR,
	SL_URING_OP_SOCKET,
	SL_URING_OP_URING_CMD,
	SL_URING_OP_SEND_ZC,
	SL_URING_OP_SENDMSG_ZC,
	SL_URING_OP_READ_MULTISHOT,   /* 6.7 */
	SL_URING_OP_WAITID,	      /* 6.7 */
	SL_URING_OP_FUTEX_WAIT,	      /* 6.7 */
	SL_URING_OP_FUTEX_WAKE,	      /* 6.7 */
	SL_URING_OP_FUTEX_WAITV,      /* 6.7 */
	SL_URING_OP_FIXED_FD_INSTALL, /* 6.8 */
	SL_URING_OP_FTRUNCATE,	      /* 6.9 */
	SL_URING_OP_BIND,	      /* 6.11 */
	SL_URING_OP_LISTEN,	      /* 6.11 */
	SL_URING_OP_RECV_ZC,	      /* 6.15 */
	SL_URING_OP_EPOLL_WAIT,	      /* 6.15 */
	SL_URING_OP_READV_FIXED,      /* 6.15 */
	SL_URING_OP_WRITEV_FIXED,     /* 6.15 */
	SL_URING_OP_PIPE,	      /* 6.16 */
	SL_URING_OP_NR
};

/* sqe.flags */
#define SL_URING_SQE_FIXED_FILE	      (1U << 0)
#define SL_URING_SQE_IO_DRAIN	      (1U << 1)
#define SL_URING_SQE_IO_LINK	      (1U << 2)
#define SL_URING_SQE_IO_HARDLINK      (1U << 3)
#define SL_URING_SQE_ASYNC	      (1U << 4)
#define SL_URING_SQE_BUFFER_SELECT    (1U << 5)
#define SL_URING_SQE_CQE_SKIP_SUCCESS (1U << 6)

/* sqe.file_index of operations that make a direct descriptor: pick a slot */
#define SL_URING_FILE_INDEX_ALLOC (~0U)

/* sqe.op_flags of NOP; INJECT_RESULT takes the result from sqe.len (6.10) */
#define SL_URING_NOP_INJECT_RESULT (1U << 0)

/* sqe.op_flags of READ and WRITE, beside SL_RWF_... of sys/rw.h: EPIPE without SIGPIPE */
#define SL_URING_RWF_NOSIGNAL (1U << 8) /* 6.18 */

/* sqe.op_flags of FSYNC */
#define SL_URING_FSYNC_DATASYNC (1U << 0)

/* sqe.op_flags of TIMEOUT */
#define SL_URING_TIMEOUT_ABS	       (1U << 0)
#define SL_URING_TIMEOUT_UPDATE	       (1U << 1)
#define SL_URING_TIMEOUT_BOOTTIME      (1U << 2)
#define SL_URING_TIMEOUT_REALTIME      (1U << 3)
#define SL_URING_LINK_TIMEOUT_UPDATE   (1U << 4)
#define SL_URING_TIMEOUT_ETIME_SUCCESS (1U << 5)
#define SL_URING_TIMEOUT_MULTISHOT     (1U << 6) /* 6.4 */

/* sqe.op_flags of SPLICE and TEE, beside those of splice(2) */
#define SL_URING_SPLICE_FD_IN_FIXED (1U << 31)

/* sqe.len of POLL_ADD and POLL_REMOVE; sqe.op_flags holds the poll events,
 * whose 16-bit halves are swapped on big-endian machines */
#define SL_URING_POLL_ADD_MULTI	       (1U << 0)
#define SL_URING_POLL_UPDATE_EVENTS    (1U << 1)
#define SL_URING_POLL_UPDATE_USER_DATA (1U << 2)
#define SL_URING_POLL_ADD_LEVEL	       (1U << 3)

/* sqe.op_flags of ASYNC_CANCEL; flags of the synchronous cancel */
#define SL_URING_CANCEL_ALL	 (1U << 0)
#define SL_URING_CANCEL_FD	 (1U << 1)
#define SL_URING_CANCEL_ANY	 (1U << 2)
#define SL_URING_CANCEL_FD_FIXED (1U << 3)
#define SL_URING_CANCEL_USERDATA (1U << 4) /* 6.6 */
#define SL_URING_CANCEL_OP	 (1U << 5) /* 6.6 */

/* sqe.ioprio of sends and receives */
#define SL_URING_RECVSEND_POLL_FIRST  (1U << 0)
#define SL_URING_RECV_MULTISHOT	      (1U << 1)
#define SL_URING_RECVSEND_FIXED_BUF   (1U << 2)
#define SL_URING_SEND_ZC_REPORT_USAGE (1U << 3) /* 6.2 */
#define SL_URING_RECVSEND_BUNDLE      (1U << 4) /* 6.10 */

/* cqe.res of a notification when usage was to be reported: a flag word */
#define SL_URING_NOTIF_USAGE_ZC_COPIED (1U << 31)

/* sqe.ioprio of ACCEPT */
#define SL_URING_ACCEPT_MULTISHOT  (1U << 0)
#define SL_URING_ACCEPT_DONTWAIT   (1U << 1) /* 6.10 */
#define SL_URING_ACCEPT_POLL_FIRST (1U << 2) /* 6.10 */

/* sqe.addr and sqe.op_flags of MSG_RING */
#define SL_URING_MSG_DATA	     0
#define SL_URING_MSG_SEND_FD	     1
#define SL_URING_MSG_RING_CQE_SKIP   (1U << 0)
#define SL_URING_MSG_RING_FLAGS_PASS (1U << 1) /* 6.3 */

/* sqe.op_flags of FIXED_FD_INSTALL (6.8) */
#define SL_URING_FIXED_FD_NO_CLOEXEC (1U << 0)

/* sqe.op_flags of URING_CMD: sqe.buf_index names a registered buffer */
#define SL_URING_CMD_FIXED (1U << 0)

/* low half of sqe.off of URING_CMD on a socket (6.7) */
#define SL_URING_SOCKET_SIOCINQ	   0
#define SL_URING_SOCKET_SIOCOUTQ   1
#define SL_URING_SOCKET_GETSOCKOPT 2
#define SL_URING_SOCKET_SETSOCKOPT 3

/* cqe.flags */
#define SL_URING_CQE_F_BUFFER	     (1U << 0)
#define SL_URING_CQE_F_MORE	     (1U << 1)
#define SL_URING_CQE_F_SOCK_NONEMPTY (1U << 2)
#define SL_URING_CQE_F_NOTIF	     (1U << 3)
#define SL_URING_CQE_F_BUF_MORE	     (1U << 4)	/* 6.12 */
#define SL_URING_CQE_F_SKIP	     (1U << 5)	/* 6.18 */
#define SL_URING_CQE_F_32	     (1U << 15) /* 6.18 */
#define SL_URING_CQE_BUFFER_SHIFT    16

/* io_uring_setup(2) flags: bits are numbered in the order kernels learned
 * them, which uring_queue_open() relies upon */
#define SL_URING_SETUP_IOPOLL		  (1U << 0)
#define SL_URING_SETUP_SQPOLL		  (1U << 1)
#define SL_URING_SETUP_SQ_AFF		  (1U << 2)
#define SL_URING_SETUP_CQSIZE		  (1U << 3)
#define SL_URING_SETUP_CLAMP		  (1U << 4)
#define SL_URING_SETUP_ATTACH_WQ	  (1U << 5)
#define SL_URING_SETUP_R_DISABLED	  (1U << 6)
#define SL_URING_SETUP_SUBMIT_ALL	  (1U << 7)
#define SL_URING_SETUP_COOP_TASKRUN	  (1U << 8)
#define SL_URING_SETUP_TASKRUN_FLAG	  (1U << 9)
#define SL_URING_SETUP_SQE128		  (1U << 10)
#define SL_URING_SETUP_CQE32		  (1U << 11)
#define SL_URING_SETUP_SINGLE_ISSUER	  (1U << 12)
#define SL_URING_SETUP_DEFER_TASKRUN	  (1U << 13)
#define SL_URING_SETUP_NO_MMAP		  (1U << 14) /* 6.5 */
#define SL_URING_SETUP_REGISTERED_FD_ONLY (1U << 15) /* 6.5 */
#define SL_URING_SETUP_NO_SQARRAY	  (1U << 16) /* 6.6 */
#define SL_URING_SETUP_HYBRID_IOPOLL	  (1U << 17) /* 6.13 */
#define SL_URING_SETUP_CQE_MIXED	  (1U << 18) /* 6.18 */
#define SL_URING_SETUP_SQE_MIXED	  (1U << 19) /* after 6.18 */

/* params.features */
#define SL_URING_FEAT_SINGLE_MMAP     (1U << 0)
#define SL_URING_FEAT_NODROP	      (1U << 1)
#define SL_URING_FEAT_SUBMIT_STABLE   (1U << 2)
#define SL_URING_FEAT_RW_CUR_POS      (1U << 3)
#define SL_URING_FEAT_CUR_PERSONALITY (1U << 4)
#define SL_URING_FEAT_FAST_POLL	      (1U << 5)
#define SL_URING_FEAT_POLL_32BITS     (1U << 6)
#define SL_URING_FEAT_SQPOLL_NONFIXED (1U << 7)
#define SL_URING_FEAT_EXT_ARG	      (1U << 8)
#define SL_URING_FEAT_NATIVE_WORKERS  (1U << 9)
#define SL_URING_FEAT_RSRC_TAGS	      (1U << 10)
#define SL_URING_FEAT_CQE_SKIP	      (1U << 11)
#define SL_URING_FEAT_LINKED_FILE     (1U << 12)
#define SL_URING_FEAT_REG_REG_RING    (1U << 13) /* 6.3 */
#define SL_URING_FEAT_RECVSEND_BUNDLE (1U << 14) /* 6.10 */
#define SL_URING_FEAT_MIN_TIMEOUT     (1U << 15) /* 6.12 */
#define SL_URING_FEAT_RW_ATTR	      (1U << 16) /* 6.14 */
#define SL_URING_FEAT_NO_IOWAIT	      (1U << 17) /* 6.15 */

/* offsets for mmap(2) of the ring descriptor */
#define SL_URING_OFF_SQ_RING   0x0ULL
#define SL_URING_OFF_CQ_RING   0x8000000ULL
#define SL_URING_OFF_SQES      0x10000000ULL
#define SL_URING_OFF_PBUF_RING 0x80000000ULL /* 6.4 */
#define SL_URING_PBUF_SHIFT    16	     /* 6.4 */

/* the flags word of the submission queue */
#define SL_URING_SQ_NEED_WAKEUP (1U << 0)
#define SL_URING_SQ_CQ_OVERFLOW (1U << 1)
#define SL_URING_SQ_TASKRUN	(1U << 2)

/* the flags word of the completion queue */
#define SL_URING_CQ_EVENTFD_DISABLED (1U << 0)

/* io_uring_enter(2) flags */
#define SL_URING_ENTER_GETEVENTS       (1U << 0)
#define SL_URING_ENTER_SQ_WAKEUP       (1U << 1)
#define SL_URING_ENTER_SQ_WAIT	       (1U << 2)
#define SL_URING_ENTER_EXT_ARG	       (1U << 3)
#define SL_URING_ENTER_REGISTERED_RING (1U << 4)
#define SL_URING_ENTER_ABS_TIMER       (1U << 5) /* 6.12 */
#define SL_URING_ENTER_EXT_ARG_REG     (1U << 6) /* 6.13 */
#define SL_URING_ENTER_NO_IOWAIT       (1U << 7) /* 6.15 */

/* io_uring_register(2) operations */
enum sl_uring_register_op {
	SL_URING_REGISTER_BUFFERS = 0,
	SL_URING_UNREGISTER_BUFFERS = 1,
	SL_URING_REGISTER_FILES = 2,
	SL_URING_UNREGISTER_FILES = 3,
	SL_URING_REGISTER_EVENTFD = 4,
	SL_URING_UNREGISTER_EVENTFD = 5,
	SL_URING_REGISTER_FILES_UPDATE = 6,
	SL_URING_REGISTER_EVENTFD_ASYNC = 7,
	SL_URING_REGISTER_PROBE = 8,
	SL_URING_REGISTER_PERSONALITY = 9,
	SL_URING_UNREGISTER_PERSONALITY = 10,
	SL_URING_REGISTER_RESTRICTIONS = 11,
	SL_URING_REGISTER_ENABLE_RINGS = 12,
	SL_URING_REGISTER_FILES2 = 13,
	SL_URING_REGISTER_FILES_UPDATE2 = 14,
	SL_URING_REGISTER_BUFFERS2 = 15,
	SL_URING_REGISTER_BUFFERS_UPDATE = 16,
	SL_URING_REGISTER_IOWQ_AFF = 17,
	SL_URING_UNREGISTER_IOWQ_AFF = 18,
	SL_URING_REGISTER_IOWQ_MAX_WORKERS = 19,
	SL_URING_REGISTER_RING_FDS = 20,
	SL_URING_UNREGISTER_RING_FDS = 21,
	SL_URING_REGISTER_PBUF_RING = 22,
	SL_URING_UNREGISTER_PBUF_RING = 23,
	SL_URING_REGISTER_SYNC_CANCEL = 24,
	SL_URING_REGISTER_FILE_ALLOC_RANGE = 25,
	SL_URING_REGISTER_PBUF_STATUS = 26,   /* 6.8 */
	SL_URING_REGISTER_NAPI = 27,	      /* 6.9 */
	SL_URING_UNREGISTER_NAPI = 28,	      /* 6.9 */
	SL_URING_REGISTER_CLOCK = 29,	      /* 6.12 */
	SL_URING_REGISTER_CLONE_BUFFERS = 30, /* 6.12 */
	SL_URING_REGISTER_SEND_MSG_RING = 31, /* 6.13 */
	SL_URING_REGISTER_ZCRX_IFQ = 32,      /* 6.15 */
	SL_URING_REGISTER_RESIZE_RINGS = 33,  /* 6.13 */
	SL_URING_REGISTER_MEM_REGION = 34,    /* 6.13 */
	SL_URING_REGISTER_QUERY = 35,	      /* 6.18 */
};

/* or-ed to the operation: the descriptor is a registered ring's index (6.3) */
#define SL_URING_REGISTER_USE_REGISTERED_RING (1U << 31)

#define SL_URING_RSRC_REGISTER_SPARSE (1U << 0)
#define SL_URING_REGISTER_FILES_SKIP  (-2)
#define SL_URING_OP_SUPPORTED	      (1U << 0)
#define SL_URING_RING_FDS_MAX	      16 /* registered rings per thread */

/* buf_reg.flags */
#define SL_URING_PBUF_RING_MMAP (1U << 0) /* 6.4 */
#define SL_URING_PBUF_RING_INC	(1U << 1) /* 6.12 */

/* clone_buffers.flags */
#define SL_URING_CLONE_SRC_REGISTERED (1U << 0)
#define SL_URING_CLONE_DST_REPLACE    (1U << 1) /* 6.13 */

#define SL_URING_MEM_REGION_TYPE_USER	 1
#define SL_URING_MEM_REGION_REG_WAIT_ARG 1
#define SL_URING_REG_WAIT_TS		 (1U << 0)

/** struct sl_uring_sq_offsets - where the submission queue's words lie */
struct sl_uring_sq_offsets {
	uint32_t head;
	uint32_t tail;
	uint32_t ring_mask;
	uint32_t ring_entries;
	uint32_t flags;
	uint32_t dropped;
	uint32_t array;
	uint32_t resv1;
	uint64_t user_addr; /* 6.5, with NO_MMAP */
};

/** struct sl_uring_cq_offsets - where the completion queue's words lie */
struct sl_uring_cq_offsets {
	uint32_t head;
	uint32_t tail;
	uint32_t ring_mask;
	uint32_t ring_entries;
	uint32_t overflow;
	uint32_t cqes;
	uint32_t flags;
	uint32_t resv1;
	uint64_t user_addr; /* 6.5, with NO_MMAP */
};

/** struct sl_uring_params - asked of and answered by io_uring_setup(2) */
struct sl_uring_params {
	uint32_t sq_entries;
	uint32_t cq_entries;
	uint32_t flags;
	uint32_t sq_thread_cpu;
	uint32_t sq_thread_idle; /* ms; 0 = one second, not "never" */
	uint32_t features;
	uint32_t wq_fd;
	uint32_t resv[3];
	struct sl_uring_sq_offsets sq_off;
	struct sl_uring_cq_offsets cq_off;
};

/** struct sl_uring_timespec - seconds and nanoseconds, 64 bits each */
struct sl_uring_timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};

/** struct sl_uring_getevents_arg - the argument of ENTER_EXT_ARG */
struct sl_uring_getevents_arg {
	uint64_t sigmask;
	uint32_t sigmask_sz;
	uint32_t min_wait_usec; /* 6.12; must be 0 before */
	uint64_t ts;		/* address of a struct sl_uring_timespec */
};

/** struct sl_uring_reg_wait - one registered wait argument (6.13) */
struct sl_uring_reg_wait {
	struct sl_uring_timespec ts;
	uint32_t min_wait_usec;
	uint32_t flags;
	uint64_t sigmask;
	uint32_t sigmask_sz;
	uint32_t pad[3];
	uint64_t pad2[2];
};

/** struct sl_uring_region_desc - memory of a region (6.13) */
struct sl_uring_region_desc {
	uint64_t user_addr;
	uint64_t size;
	uint32_t flags;
	uint32_t id;
	uint64_t mmap_offset;
	uint64_t resv[4];
};

/** struct sl_uring_mem_region_reg - argument of REGISTER_MEM_REGION (6.13) */
struct sl_uring_mem_region_reg {
	uint64_t region_uptr; /* address of a struct sl_uring_region_desc */
	uint64_t flags;
	uint64_t resv[2];
};

/** struct sl_uring_files_update - argument of REGISTER_FILES_UPDATE */
struct sl_uring_files_update {
	uint32_t offset;
	uint32_t resv;
	uint64_t fds;
};

/** struct sl_uring_rsrc_register - argument of FILES2 and BUFFERS2 */
struct sl_uring_rsrc_register {
	uint32_t nr;
	uint32_t flags;
	uint64_t resv2;
	uint64_t data;
	uint64_t tags;
};

/** struct sl_uring_rsrc_update - argument of REGISTER_RING_FDS */
struct sl_uring_rsrc_update {
	uint32_t offset;
	uint32_t resv;
	uint64_t data;
};

/** struct sl_uring_rsrc_update2 - argument of the tagged updates */
struct sl_uring_rsrc_update2 {
	uint32_t offset;
	uint32_t resv;
	uint64_t data;
	uint64_t tags;
	uint32_t nr;
	uint32_t resv2;
};

/** struct sl_uring_probe_op - what REGISTER_PROBE says of one operation */
struct sl_uring_probe_op {
	uint8_t op;
	uint8_t resv;
	uint16_t flags; /* SL_URING_OP_SUPPORTED */
	uint32_t resv2;
};

/** struct sl_uring_probe - argument of REGISTER_PROBE */
struct sl_uring_probe {
	uint8_t last_op;
	uint8_t ops_len;
	uint16_t resv;
	uint32_t resv2[3];
	struct sl_uring_probe_op ops[];
};

/** struct sl_uring_buf - one provided buffer in a buffer ring */
struct sl_uring_buf {
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
	uint16_t resv; /* the ring's tail, in the first entry */
};

/** struct sl_uring_buf_reg - argument of (UN)REGISTER_PBUF_RING */
struct sl_uring_buf_reg {
	uint64_t ring_addr;
	uint32_t ring_entries;
	uint16_t bgid;
	uint16_t flags; /* 6.4; must be 0 before */
	uint64_t resv[3];
};

/** struct sl_uring_buf_status - argument of REGISTER_PBUF_STATUS (6.8) */
struct sl_uring_buf_status {
	uint32_t buf_group;
	uint32_t head;
	uint32_t resv[8];
};

/** struct sl_uring_sync_cancel_reg - argument of REGISTER_SYNC_CANCEL */
struct sl_uring_sync_cancel_reg {
	uint64_t addr; /* user data of the target */
	int32_t fd;
	uint32_t flags;
	struct sl_uring_timespec timeout; /* -1, -1: none */
	uint8_t opcode;			  /* 6.6, with CANCEL_OP */
	uint8_t pad[7];
	uint64_t pad2[3];
};

/** struct sl_uring_file_index_range - argument of REGISTER_FILE_ALLOC_RANGE */
struct sl_uring_file_index_range {
	uint32_t off;
	uint32_t len;
	uint64_t resv;
};

/** struct sl_uring_recvmsg_out - heads a buffer of a multishot recvmsg */
struct sl_uring_recvmsg_out {
	uint32_t namelen;
	uint32_t controllen;
	uint32_t payloadlen;
	uint32_t flags;
};

/** struct sl_uring_clock_register - argument of REGISTER_CLOCK (6.12) */
struct sl_uring_clock_register {
	uint32_t clockid;
	uint32_t resv[3];
};

/** struct sl_uring_clone_buffers - argument of REGISTER_CLONE_BUFFERS (6.12) */
struct sl_uring_clone_buffers {
	uint32_t src_fd;
	uint32_t flags;
	uint32_t src_off;
	uint32_t dst_off;
	uint32_t nr;
	uint32_t pad[3];
};

/** struct sl_uring_napi - argument of (UN)REGISTER_NAPI (6.9) */
struct sl_uring_napi {
	uint32_t busy_poll_to_us;
	uint8_t prefer_busy_poll;
	uint8_t opcode; /* 6.13 */
	uint8_t pad[2];
	uint32_t op_param; /* 6.13 */
	uint32_t resv;
};

/** struct sl_uring_query_hdr - argument of REGISTER_QUERY (6.18) */
struct sl_uring_query_hdr {
	uint64_t next_entry;
	uint64_t query_data;
	uint32_t query_op; /* 0 = struct sl_uring_query_opcode */
	uint32_t size;
	int32_t result;
	uint32_t resv[3];
};

/** struct sl_uring_query_opcode - the answer to query 0 (6.18) */
struct sl_uring_query_opcode {
	uint32_t request_op_nr;
	uint32_t register_op_nr;
	uint64_t feature_flags;
	uint64_t setup_flags;
	uint64_t enter_flags;
	uint64_t sqe_flags;
	uint32_t query_op_nr;
	uint32_t pad;
};

_Static_assert(sizeof(struct sl_uring_sqe) == 64, "ABI");
_Static_assert(offsetof(struct sl_uring_sqe, user_data) == 32, "ABI");
_Static_assert(offsetof(struct sl_uring_sqe, addr3) == 48, "ABI");
_Static_assert(sizeof(struct sl_uring_cqe) == 16, "ABI");
_Static_assert(sizeof(struct sl_uring_params) == 120, "ABI");
_Static_assert(sizeof(struct sl_uring_getevents_arg) == 24, "ABI");
_Static_assert(sizeof(struct sl_uring_reg_wait) == 64, "ABI");
_Static_assert(sizeof(struct sl_uring_region_desc) == 64, "ABI");
_Static_assert(sizeof(struct sl_uring_mem_region_reg) == 32, "ABI");
_Static_assert(sizeof(struct sl_uring_buf) == 16, "ABI");
_Static_assert(sizeof(struct sl_uring_buf_reg) == 40, "ABI");
_Static_assert(sizeof(struct sl_uring_buf_status) == 40, "ABI");
_Static_assert(sizeof(struct sl_uring_sync_cancel_reg) == 64, "ABI");
_Static_assert(sizeof(struct sl_uring_clone_buffers) == 32, "ABI");
_Static_assert(sizeof(struct sl_uring_napi) == 16, "ABI");
_Static_assert(sizeof(struct sl_uring_query_hdr) == 40, "ABI");
_Static_assert(sizeof(struct sl_uring_query_opcode) == 48, "ABI");

/**
 * sl_sys_uring_setup - io_uring_setup(2)
 * @entries: submission queue entries, 1 to 32768, rounded up to a power of two
 * @params: asked and answered; borrowed
 *
 * Context: any thread; may sleep.
 *
 * Return: the ring's descriptor (close-on-exec), or -ENOSYS: the kernel has no
 * io_uring; -EPERM: forbidden by seccomp, kernel.io_uring_disabled or a missing
 * privilege; -EINVAL: a flag or a size; -ENOMEM: memory or RLIMIT_MEMLOCK;
 * -EMFILE, -ENFILE: descriptors.
 */
int sl_sys_uring_setup(uint32_t entries, struct sl_uring_params *params);

/**
 * sl_sys_uring_enter - io_uring_enter(2)
 * @fd: the ring, or its registered index with SL_URING_ENTER_REGISTERED_RING
 * @submit_nr: entries to submit
 * @complete_min: completions to wait for, with SL_URING_ENTER_GETEVENTS
 * @flags: SL_URING_ENTER_...
 * @arg: a signal mask, or with SL_URING_ENTER_EXT_ARG the extended argument
 * @arg_size: its size in bytes
 *
 * Context: the ring's thread if it is a single-issuer ring; may sleep.
 *
 * Return: entries consumed, else -errno as the manual page lists them; an error
 * of the wait (-ETIME, -EINTR) shows only when no entry was consumed.
 */
int sl_sys_uring_enter(int fd, uint32_t submit_nr, uint32_t complete_min, uint32_t flags,
		       const void *arg, size_t arg_size);

/**
 * sl_sys_uring_register - io_uring_register(2)
 * @fd: the ring, its registered index, or -1 for operations without a ring
 * @opcode: enum sl_uring_register_op, maybe with USE_REGISTERED_RING
 * @arg: as the operation says
 * @arg_nr: as the operation says
 *
 * Context: the ring's thread if it is a single-issuer ring; may sleep.
 *
 * Return: >= 0 as the operation says, else -errno.
 */
int sl_sys_uring_register(int fd, uint32_t opcode, void *arg, uint32_t arg_nr);

#endif

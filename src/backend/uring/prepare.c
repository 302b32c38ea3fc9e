/* One submission entry from one slot: a function per operation, each fills all of it. */
#include <sys/socket.h>

#include "backend/uring/uring.h"
#include "sys/rw.h"

static uint8_t file_flags(const struct sl_slot *slot)
{
	return slot->fixed_fd >= 0 ? SL_URING_SQE_FIXED_FILE : 0;
}

static int32_t file_of(const struct sl_slot *slot)
{
	return slot->fixed_fd >= 0 ? slot->fixed_fd : slot->fd;
}

static uint64_t address(const void *ptr)
{
	return (uintptr_t)ptr;
}

static int prepare_nop(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_NOP,
				    .user_data = slot->id,
			    });
	return uring_started(u, slot, 0);
}

/* Waiting for a readiness that the engine wants may be on another descriptor than the op's. */
static int prepare_poll(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	bool fixed = slot->fixed_fd >= 0 && slot->fd == slot->op->fd;
	uint32_t events = (uint32_t)slot->len;

	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		events = events << 16 | events >> 16;
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_POLL_ADD,
				    .flags = fixed ? SL_URING_SQE_FIXED_FILE : 0,
				    .fd = fixed ? slot->fixed_fd : slot->fd,
				    .op_flags = events,
				    .user_data = slot->id,
			    });
	return uring_started(u, slot, 0);
}

/* A stream's wait is its peer's, not the disk's. */
static uint64_t disk_note(const struct sl_slot *slot)
{
	return slot->off != SL_OFF_CURRENT ? URING_NOTE_DISK : 0;
}

static int prepare_read(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	bool provided = slot->pool && slot->pool_id >= 0;
	bool vector = slot->flags & SL_OP_VEC;
	bool fixed = slot->fixed_buf >= 0 && !vector && !provided;
	uint64_t notes = disk_note(slot);
	uint8_t opcode = vector ? SL_URING_OP_READV : SL_URING_OP_READ;

	if (slot->pool && !provided)
		notes |= URING_NOTE_TOOK;
	uring_sqe_fill(sqe,
		       &(struct sl_uring_sqe){
			       .opcode = fixed ? SL_URING_OP_READ_FIXED : opcode,
			       .flags = file_flags(slot) |
					(provided ? SL_URING_SQE_BUFFER_SELECT : 0),
			       .fd = file_of(slot),
			       .off = slot->off,
			       .addr = provided ? 0 : address(slot->buf),
			       .len = provided ? 0 : (uint32_t)slot->len,
			       .op_flags = slot->flags & SL_OP_DONTCACHE ? SL_RWF_DONTCACHE : 0,
			       .user_data = slot->id | notes,
			       .buf_index = provided ? (uint16_t)slot->pool_id :
					    fixed    ? (uint16_t)slot->fixed_buf :
						       0,
		       });
	return uring_started(u, slot, notes);
}

static uint32_t write_flags(const struct uring *u, const struct sl_slot *slot)
{
	uint32_t flags = u->write_quietly ? SL_URING_RWF_NOSIGNAL : 0;

	if (slot->flags & SL_OP_DSYNC)
		flags |= SL_RWF_DSYNC;
	if (slot->flags & SL_OP_DONTCACHE)
		flags |= SL_RWF_DONTCACHE;
	return flags;
}

static int prepare_write(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	bool vector = slot->flags & SL_OP_VEC;
	bool fixed = slot->fixed_buf >= 0 && !vector;
	uint64_t notes = disk_note(slot);
	uint8_t opcode = vector ? SL_URING_OP_WRITEV : SL_URING_OP_WRITE;

	if (!u->write_quietly)
		notes |= URING_NOTE_RAISES;
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = fixed ? SL_URING_OP_WRITE_FIXED : opcode,
				    .flags = file_flags(slot),
				    .fd = file_of(slot),
				    .off = slot->off,
				    .addr = address(slot->buf),
				    .len = (uint32_t)slot->len,
				    .op_flags = write_flags(u, slot),
				    .user_data = slot->id | notes,
				    .buf_index = fixed ? (uint16_t)slot->fixed_buf : 0,
			    });
	return uring_started(u, slot, notes);
}

static int prepare_sync(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	bool data_only = slot->code == SL_OP_FDATASYNC;

	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_FSYNC,
				    .flags = file_flags(slot),
				    .fd = file_of(slot),
				    .op_flags = data_only ? SL_URING_FSYNC_DATASYNC : 0,
				    .user_data = slot->id | URING_NOTE_DISK,
			    });
	return uring_started(u, slot, URING_NOTE_DISK);
}

static int prepare_allocate(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_FALLOCATE,
				    .flags = file_flags(slot),
				    .fd = file_of(slot),
				    .off = slot->off,
				    .addr = slot->len,
				    .len = (uint32_t)(uintptr_t)slot->op->arg,
				    .user_data = slot->id | URING_NOTE_DISK,
			    });
	return uring_started(u, slot, URING_NOTE_DISK);
}

static int prepare_truncate(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_FTRUNCATE,
				    .flags = file_flags(slot),
				    .fd = file_of(slot),
				    .off = slot->len,
				    .user_data = slot->id | URING_NOTE_DISK,
			    });
	return uring_started(u, slot, URING_NOTE_DISK);
}

static int prepare_close(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_CLOSE,
				    .fd = slot->fd,
				    .user_data = slot->id,
			    });
	return uring_started(u, slot, 0);
}

static int prepare_accept(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	bool multi = u->multishot && slot->flags & SL_OP_MULTI;

	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_ACCEPT,
				    .flags = file_flags(slot),
				    .ioprio = multi ? SL_URING_ACCEPT_MULTISHOT : 0,
				    .fd = file_of(slot),
				    .off = address(slot->op->arg),
				    .addr = address(slot->buf),
				    .op_flags = (uint32_t)slot->off,
				    .user_data = slot->id,
			    });
	return uring_started(u, slot, 0);
}

static int prepare_connect(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_CONNECT,
				    .flags = file_flags(slot),
				    .fd = file_of(slot),
				    .off = slot->len,
				    .addr = address(slot->buf),
				    .user_data = slot->id,
			    });
	return uring_started(u, slot, 0);
}

/* The message header of a vector; it must live until the slot's last event. */
static uint64_t message_of(struct uring *u, const struct sl_slot *slot)
{
	struct msghdr *msg = &u->messages[(uint32_t)slot->id];

	*msg = (struct msghdr){ .msg_iov = slot->buf, .msg_iovlen = slot->len };
	return address(msg);
}

/* A buffer picked by the kernel when there is data; its length is the limit. */
static int prepare_recv_provided(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	bool multi = u->multishot && slot->flags & SL_OP_MULTI;

	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_RECV,
				    .flags = file_flags(slot) | SL_URING_SQE_BUFFER_SELECT,
				    .ioprio = multi ? SL_URING_RECV_MULTISHOT : 0,
				    .fd = file_of(slot),
				    .op_flags = (uint32_t)slot->off,
				    .user_data = slot->id,
				    .buf_index = (uint16_t)slot->pool_id,
			    });
	return uring_started(u, slot, 0);
}

static int prepare_recv(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	bool vector = slot->flags & SL_OP_VEC;
	uint64_t notes = 0;

	if (slot->pool && slot->pool_id >= 0)
		return prepare_recv_provided(u, slot, sqe);
	if (slot->pool)
		notes |= URING_NOTE_TOOK;
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = vector ? SL_URING_OP_RECVMSG : SL_URING_OP_RECV,
				    .flags = file_flags(slot),
				    .fd = file_of(slot),
				    .addr = vector ? message_of(u, slot) : address(slot->buf),
				    .len = vector ? 1 : (uint32_t)slot->len,
				    .op_flags = (uint32_t)slot->off,
				    .user_data = slot->id | notes,
			    });
	return uring_started(u, slot, notes);
}

/* How a send in zero-copy mode is carried out: with, or by a plain one that says it copied. */
static uint64_t zc_note(const struct uring *u, struct sl_slot *slot, bool message)
{
	if (!(slot->flags & SL_OP_ZC))
		return 0;
	uring_mark(slot)->res = 0;
	if (uring_refused(slot) || !(message ? u->zc_vector : u->zc))
		return URING_NOTE_COPY;
	return URING_NOTE_ZC;
}

static int prepare_send(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	bool vector = slot->flags & SL_OP_VEC;
	uint64_t note = zc_note(u, slot, vector);
	bool zc = note == URING_NOTE_ZC;
	bool fixed = zc && slot->fixed_buf >= 0 && !vector;
	uint8_t plain = vector ? SL_URING_OP_SENDMSG : SL_URING_OP_SEND;
	uint8_t zero_copy = vector ? SL_URING_OP_SENDMSG_ZC : SL_URING_OP_SEND_ZC;

	uring_sqe_fill(sqe,
		       &(struct sl_uring_sqe){
			       .opcode = zc ? zero_copy : plain,
			       .flags = file_flags(slot),
			       .ioprio = (zc && u->zc_report ? SL_URING_SEND_ZC_REPORT_USAGE : 0) |
					 (fixed ? SL_URING_RECVSEND_FIXED_BUF : 0),
			       .fd = file_of(slot),
			       .addr = vector ? message_of(u, slot) : address(slot->buf),
			       .len = vector ? 1 : (uint32_t)slot->len,
			       .op_flags = (uint32_t)slot->off | MSG_NOSIGNAL,
			       .user_data = slot->id | note,
			       .buf_index = fixed ? (uint16_t)slot->fixed_buf : 0,
		       });
	return uring_started(u, slot, note);
}

static int prepare_recvmsg(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = SL_URING_OP_RECVMSG,
				    .flags = file_flags(slot),
				    .fd = file_of(slot),
				    .addr = address(slot->buf),
				    .len = 1,
				    .op_flags = (uint32_t)slot->off,
				    .user_data = slot->id,
			    });
	return uring_started(u, slot, 0);
}

static int prepare_sendmsg(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	uint64_t note = zc_note(u, slot, true);
	bool zc = note == URING_NOTE_ZC;

	uring_sqe_fill(sqe,
		       &(struct sl_uring_sqe){
			       .opcode = zc ? SL_URING_OP_SENDMSG_ZC : SL_URING_OP_SENDMSG,
			       .flags = file_flags(slot),
			       .ioprio = zc && u->zc_report ? SL_URING_SEND_ZC_REPORT_USAGE : 0,
			       .fd = file_of(slot),
			       .addr = address(slot->buf),
			       .len = 1,
			       .op_flags = (uint32_t)slot->off | MSG_NOSIGNAL,
			       .user_data = slot->id | note,
		       });
	return uring_started(u, slot, note);
}

/* Only with a file at one end: between streams turn.c has moved the bytes itself. */
static int prepare_splice(struct uring *u, struct sl_slot *slot, struct sl_uring_sqe *sqe)
{
	const struct sl_splice_ends *ends = slot->buf;
	bool tee = slot->code == SL_OP_TEE;

	uring_sqe_fill(sqe, &(struct sl_uring_sqe){
				    .opcode = tee ? SL_URING_OP_TEE : SL_URING_OP_SPLICE,
				    .flags = file_flags(slot),
				    .fd = file_of(slot),
				    .off = tee ? 0 : ends->target_off,
				    .addr = tee ? 0 : ends->source_off,
				    .len = (uint32_t)slot->len,
				    .op_flags = ends->flags,
				    .user_data = slot->id,
				    .splice_fd_in = ends->source_fd,
			    });
	return uring_started(u, slot, 0);
}

uring_prepare_fn *const uring_prepare[SL_OP_CODES] = {
	[SL_OP_NOP] = prepare_nop,	     [SL_OP_POLL] = prepare_poll,
	[SL_OP_READ] = prepare_read,	     [SL_OP_WRITE] = prepare_write,
	[SL_OP_FSYNC] = prepare_sync,	     [SL_OP_FDATASYNC] = prepare_sync,
	[SL_OP_ALLOCATE] = prepare_allocate, [SL_OP_TRUNCATE] = prepare_truncate,
	[SL_OP_CLOSE] = prepare_close,	     [SL_OP_ACCEPT] = prepare_accept,
	[SL_OP_CONNECT] = prepare_connect,   [SL_OP_RECV] = prepare_recv,
	[SL_OP_SEND] = prepare_send,	     [SL_OP_RECVMSG] = prepare_recvmsg,
	[SL_OP_SENDMSG] = prepare_sendmsg,   [SL_OP_SPLICE] = prepare_splice,
	[SL_OP_TEE] = prepare_splice,
};

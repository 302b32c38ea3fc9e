/*
 * memory_world.c - files, streams and listeners in memory, behaving as Linux's do.
 *
 * One table of objects. A stream is one end of a pair: what is written to an
 * end arrives in its peer's queue. A socket becomes a listener by LISTEN or an
 * end by CONNECT, whose other end waits in the listener's backlog for ACCEPT.
 */
#include "tests/contract/memory_world.h"
#include "tests/contract/memory_backend.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define OBJECTS_MAX 1024
#define FILE_MAX    (1 << 20)
#define QUEUE_MAX   65536
#define BACKLOG_MAX 512
#define ADDRESS_MAX 128
#define NOBODY	    (-1)

enum kind {
	GONE,
	REGULAR,
	STREAM,
	SOCKET,
	LISTENER
};

struct object {
	enum kind kind;
	int fail;	       /* -errno for every transfer, or 0 */
	unsigned char *bytes;  /* a file's content, or the bytes to be received */
	size_t len;	       /* of them */
	uint64_t position;     /* of a file */
	uint32_t align;	       /* of a direct file, else 0 */
	int peer;	       /* of a stream: idx or NOBODY */
	bool sealed;	       /* the peer sends no more */
	bool no_send, no_recv; /* after SHUTDOWN */
	char address[ADDRESS_MAX];
	size_t address_len;
	int waiting[BACKLOG_MAX];
	unsigned nr_waiting;
	int reuse;
};

static struct object objects[OBJECTS_MAX];

static struct object *find(int handle)
{
	int idx = handle - MEMORY_HANDLE_BASE;

	if (handle < MEMORY_HANDLE_BASE || idx >= OBJECTS_MAX || objects[idx].kind == GONE)
		return NULL;
	return &objects[idx];
}

static int create(enum kind kind)
{
	for (int i = 0; i < OBJECTS_MAX; i++) {
		struct object *object = &objects[i];

		if (object->kind != GONE)
			continue;
		free(object->bytes);
		*object = (struct object){ .kind = kind, .peer = NOBODY };
		object->bytes = calloc(1, kind == REGULAR ? FILE_MAX : QUEUE_MAX);
		return object->bytes ? i : -ENOMEM;
	}
	return -ENFILE;
}

int memory_file(void)
{
	int idx = create(REGULAR);

	return idx < 0 ? idx : MEMORY_HANDLE_BASE + idx;
}

static int create_pair(int ret_idx[2])
{
	ret_idx[0] = create(STREAM);
	ret_idx[1] = create(STREAM);
	if (ret_idx[0] < 0 || ret_idx[1] < 0)
		return -ENFILE;
	objects[ret_idx[0]].peer = ret_idx[1];
	objects[ret_idx[1]].peer = ret_idx[0];
	return 0;
}

void memory_pair(int ret_handles[2])
{
	int idx[2];

	if (create_pair(idx) != 0)
		abort();
	ret_handles[0] = MEMORY_HANDLE_BASE + idx[0];
	ret_handles[1] = MEMORY_HANDLE_BASE + idx[1];
}

void memory_close(int handle)
{
	struct object *object = find(handle);

	if (!object)
		abort();
	if (object->peer != NOBODY) {
		objects[object->peer].sealed = true;
		objects[object->peer].peer = NOBODY;
	}
	object->kind = GONE;
}

void memory_fail(int handle, int err)
{
	struct object *object = find(handle);

	if (!object)
		abort();
	object->fail = -err;
}

void memory_direct(int handle, uint32_t align)
{
	struct object *object = find(handle);

	if (!object)
		abort();
	object->align = align;
}

uint32_t memory_sector(const struct sl_slot *slot)
{
	const struct object *object = find(slot->fd);

	return object && object->align ? object->align : 1;
}

/* ---- bytes ---------------------------------------------------------------------- */

static int64_t queue_push(struct object *object, const void *buf, size_t len)
{
	size_t room = QUEUE_MAX - object->len;

	if (len > room)
		len = room;
	memcpy(object->bytes + object->len, buf, len);
	object->len += len;
	return (int64_t)len;
}

static size_t queue_peek(const struct object *object, void *buf, size_t len, size_t at)
{
	if (len > object->len - at)
		len = object->len - at;
	memcpy(buf, object->bytes + at, len);
	return len;
}

static size_t queue_pull(struct object *object, void *buf, size_t len)
{
	len = queue_peek(object, buf, len, 0);
	object->len -= len;
	memmove(object->bytes, object->bytes + len, object->len);
	return len;
}

int64_t memory_put(int handle, const void *buf, size_t len)
{
	struct object *object = find(handle);
	int64_t n;

	if (!object || object->peer == NOBODY)
		return -EPIPE;
	n = queue_push(&objects[object->peer], buf, len);
	return n == 0 && len > 0 ? -EAGAIN : n;
}

size_t memory_take(int handle, void *buf, size_t len)
{
	struct object *object = find(handle);

	return object ? queue_pull(object, buf, len) : 0;
}

static int64_t file_read(struct object *file, void *buf, size_t len, uint64_t off)
{
	if (off >= file->len)
		return 0;
	if (len > file->len - off)
		len = file->len - (size_t)off;
	memcpy(buf, file->bytes + off, len);
	return (int64_t)len;
}

static int64_t file_write(struct object *file, const void *buf, size_t len, uint64_t off)
{
	if (len == 0)
		return 0;
	if (off >= FILE_MAX)
		return -ENOSPC;
	if (len > FILE_MAX - off)
		len = FILE_MAX - (size_t)off;
	memcpy(file->bytes + off, buf, len);
	if (off + len > file->len)
		file->len = (size_t)off + len;
	return (int64_t)len;
}

/* The memory of a transfer as an array of vectors. */
struct pieces {
	struct iovec one;
	const struct iovec *iov;
	size_t nr;
};

static void pieces_of(const struct sl_slot *slot, struct pieces *pieces)
{
	const struct msghdr *msg = slot->buf;

	pieces->one = (struct iovec){ slot->buf, slot->len };
	pieces->iov = &pieces->one;
	pieces->nr = 1;
	if (slot->code == SL_OP_RECVMSG || slot->code == SL_OP_SENDMSG) {
		pieces->iov = msg->msg_iov;
		pieces->nr = msg->msg_iovlen;
	} else if (slot->flags & SL_OP_VEC) {
		pieces->iov = slot->buf;
		pieces->nr = slot->len;
	}
}

uint64_t memory_asked(const struct sl_slot *slot)
{
	struct pieces pieces;
	uint64_t total = 0;

	pieces_of(slot, &pieces);
	for (size_t i = 0; i < pieces.nr; i++)
		total += pieces.iov[i].iov_len;
	return total;
}

/* off: in a file, or for a peek in the queue. */
static int64_t move_piece(struct object *object, const struct sl_slot *slot, void *buf, size_t len,
			  uint64_t off)
{
	bool out = slot->code == SL_OP_WRITE || slot->code == SL_OP_SEND ||
		   slot->code == SL_OP_SENDMSG;
	bool peek = slot->code == SL_OP_RECV && slot->off & MSG_PEEK;

	if (object->kind == REGULAR)
		return out ? file_write(object, buf, len, off) : file_read(object, buf, len, off);
	if (out)
		return queue_push(&objects[object->peer], buf, len);
	if (peek)
		return (int64_t)queue_peek(object, buf, len, (size_t)off);
	return (int64_t)queue_pull(object, buf, len);
}

static int64_t move(struct object *object, const struct sl_slot *slot, uint64_t limit)
{
	bool own_position = object->kind == REGULAR && slot->off == SL_OFF_CURRENT;
	uint64_t off = own_position ? object->position : object->kind == REGULAR ? slot->off : 0;
	struct pieces pieces;
	int64_t total = 0;

	pieces_of(slot, &pieces);
	for (size_t i = 0; i < pieces.nr && limit > 0; i++) {
		uint64_t len = pieces.iov[i].iov_len < limit ? pieces.iov[i].iov_len : limit;
		int64_t n = move_piece(object, slot, pieces.iov[i].iov_base, (size_t)len,
				       off + (uint64_t)total);

		if (n < 0)
			return total ? total : n;
		total += n;
		limit -= (uint64_t)n;
		if ((uint64_t)n < pieces.iov[i].iov_len)
			break;
	}
	if (own_position)
		object->position += (uint64_t)total;
	return total;
}

/* ---- operations ------------------------------------------------------------------- */

static bool can_send(const struct object *object)
{
	return object->peer == NOBODY || object->no_send || objects[object->peer].len < QUEUE_MAX;
}

static bool can_recv(const struct object *object)
{
	return object->len > 0 || object->sealed || object->no_recv || object->peer == NOBODY;
}

static uint32_t events_of(const struct object *object)
{
	uint32_t events = 0;

	if (object->kind == REGULAR)
		return POLLIN | POLLOUT;
	if (object->kind == LISTENER)
		return object->nr_waiting ? POLLIN : 0;
	if (can_recv(object))
		events |= POLLIN;
	if (can_send(object))
		events |= POLLOUT;
	if (object->peer == NOBODY)
		events |= POLLHUP;
	return events;
}

bool memory_ready(const struct sl_slot *slot)
{
	const struct object *object = find(slot->fd);

	if (!object || object->fail)
		return true;
	switch (slot->code) {
	case SL_OP_READ:
	case SL_OP_RECV:
	case SL_OP_RECVMSG:
		return object->kind != STREAM || can_recv(object) ||
		       (slot->code == SL_OP_RECV && slot->off & MSG_DONTWAIT);
	case SL_OP_WRITE:
	case SL_OP_SEND:
	case SL_OP_SENDMSG:
		return object->kind != STREAM || can_send(object) ||
		       (slot->code == SL_OP_SEND && slot->off & MSG_DONTWAIT);
	case SL_OP_SENDFILE:
		return object->kind != STREAM || can_send(object) || slot->flags & SL_OP_NOWAIT;
	case SL_OP_ACCEPT:
		return object->kind != LISTENER || object->nr_waiting > 0;
	case SL_OP_POLL:
		return events_of(object) & ((uint32_t)slot->len | POLLHUP | POLLERR);
	default:
		return true;
	}
}

static bool misaligned(const struct object *file, const struct sl_slot *slot)
{
	struct pieces pieces;
	uint64_t bits = slot->off;

	pieces_of(slot, &pieces);
	for (size_t i = 0; i < pieces.nr; i++)
		bits |= (uintptr_t)pieces.iov[i].iov_base | pieces.iov[i].iov_len;
	return file->align && bits & (file->align - 1);
}

static int64_t transfer(struct object *object, struct sl_slot *slot, uint64_t limit)
{
	bool on_socket = slot->code != SL_OP_READ && slot->code != SL_OP_WRITE;
	bool out = slot->code == SL_OP_WRITE || slot->code == SL_OP_SEND ||
		   slot->code == SL_OP_SENDMSG;

	if (object->kind == REGULAR && misaligned(object, slot))
		return -EINVAL;
	if (object->kind == REGULAR)
		return on_socket ? -ENOTSOCK : move(object, slot, limit);
	if (object->kind != STREAM)
		return on_socket ? -ENOTCONN : -EINVAL;
	if (out && (object->peer == NOBODY || object->no_send))
		return -EPIPE;
	if (out ? !can_send(object) : !can_recv(object))
		return -EAGAIN;
	return move(object, slot, limit);
}

/* All of a file here is in memory. */
static int64_t send_file(const struct object *object, const struct sl_slot *slot, uint64_t limit)
{
	const struct object *file = find((int)(intptr_t)slot->op->arg);

	if (!file)
		return -EBADF;
	if (file->kind != REGULAR || object->kind == REGULAR)
		return file->kind != REGULAR ? -EINVAL : -ENOTSOCK;
	if (object->kind != STREAM)
		return -ENOTCONN;
	if (object->peer == NOBODY || object->no_send)
		return -EPIPE;
	if (slot->off >= file->len)
		return 0;
	if (limit > file->len - slot->off)
		limit = file->len - slot->off;
	if (!can_send(object))
		return -EAGAIN;
	return queue_push(&objects[object->peer], file->bytes + slot->off, (size_t)limit);
}

static int64_t new_socket(const struct sl_slot *slot)
{
	int idx;

	if (slot->fd != AF_UNIX && slot->fd != AF_INET)
		return -EAFNOSUPPORT;
	idx = create(SOCKET);
	return idx < 0 ? idx : MEMORY_HANDLE_BASE + idx;
}

static struct object *holder_of(const void *address, size_t len)
{
	for (int i = 0; i < OBJECTS_MAX; i++)
		if ((objects[i].kind == LISTENER || objects[i].kind == SOCKET) &&
		    objects[i].address_len == len && memcmp(objects[i].address, address, len) == 0)
			return &objects[i];
	return NULL;
}

static int64_t bind_to(struct object *object, const void *address, size_t len)
{
	if (object->kind != SOCKET || object->address_len || len > ADDRESS_MAX || len == 0)
		return -EINVAL;
	if (holder_of(address, len))
		return -EADDRINUSE;
	memcpy(object->address, address, len);
	object->address_len = len;
	return 0;
}

static int64_t connect_to(struct object *object, const void *address, size_t len)
{
	struct object *listener = holder_of(address, len);
	int other;

	if (object->kind == STREAM)
		return -EISCONN;
	if (!listener || listener->kind != LISTENER)
		return -ECONNREFUSED;
	if (listener->nr_waiting == BACKLOG_MAX)
		return -EAGAIN;
	other = create(STREAM);
	if (other < 0)
		return other;
	object->kind = STREAM;
	object->peer = other;
	objects[other].peer = (int)(object - objects);
	listener->waiting[listener->nr_waiting++] = other;
	return 0;
}

static int64_t accept_from(struct object *listener, const struct sl_slot *slot)
{
	socklen_t *len = slot->op->arg;
	int idx;

	if (listener->kind != LISTENER)
		return -EINVAL;
	if (listener->nr_waiting == 0)
		return -EAGAIN;
	idx = listener->waiting[0];
	listener->nr_waiting--;
	memmove(listener->waiting, listener->waiting + 1,
		listener->nr_waiting * sizeof(listener->waiting[0]));
	if (slot->buf && len) {
		*(sa_family_t *)slot->buf = AF_UNIX;
		*len = sizeof(sa_family_t);
	}
	return MEMORY_HANDLE_BASE + idx;
}

static int64_t shut(struct object *object, uint64_t how)
{
	if (object->kind != STREAM)
		return -ENOTCONN;
	if (how > SHUT_RDWR)
		return -EINVAL;
	if (how != SHUT_WR)
		object->no_recv = true;
	if (how != SHUT_RD) {
		object->no_send = true;
		if (object->peer != NOBODY)
			objects[object->peer].sealed = true;
	}
	return 0;
}

static int64_t get_option(const struct object *object, const struct sl_slot *slot)
{
	int value, name = (int)(slot->off & UINT32_MAX);

	if (slot->off >> 32 != SOL_SOCKET)
		return -ENOPROTOOPT;
	if (name == SO_TYPE)
		value = SOCK_STREAM;
	else if (name == SO_ERROR)
		value = 0;
	else if (name == SO_REUSEADDR)
		value = object->reuse;
	else
		return -ENOPROTOOPT;
	memcpy(slot->buf, &value, slot->len < sizeof(value) ? (size_t)slot->len : sizeof(value));
	return (int64_t)(slot->len < sizeof(value) ? slot->len : sizeof(value));
}

static int64_t set_option(struct object *object, const struct sl_slot *slot)
{
	if (slot->off != (((uint64_t)SOL_SOCKET << 32) | SO_REUSEADDR))
		return -ENOPROTOOPT;
	if (slot->len < sizeof(int))
		return -EINVAL;
	memcpy(&object->reuse, slot->buf, sizeof(int));
	object->reuse = object->reuse != 0;
	return 0;
}

static int64_t resize(struct object *object, uint64_t size)
{
	if (object->kind != REGULAR)
		return -EINVAL;
	if (size > FILE_MAX)
		return -EFBIG;
	/* what lies beyond the end is always zero, so that growing reads as a hole */
	if (size < object->len)
		memset(object->bytes + size, 0, object->len - (size_t)size);
	object->len = (size_t)size;
	return 0;
}

static int64_t allocate(struct object *object, const struct sl_slot *slot)
{
	if (slot->op->arg || slot->len == 0)
		return slot->len == 0 ? -EINVAL : -EOPNOTSUPP;
	if (object->kind != REGULAR)
		return object->kind == STREAM ? -ESPIPE : -ENODEV;
	if (slot->off + slot->len > FILE_MAX)
		return -ENOSPC;
	return slot->off + slot->len > object->len ? resize(object, slot->off + slot->len) : 0;
}

static int64_t on_object(struct object *object, struct sl_slot *slot, uint64_t limit)
{
	switch (slot->code) {
	case SL_OP_READ:
	case SL_OP_WRITE:
	case SL_OP_RECV:
	case SL_OP_SEND:
	case SL_OP_RECVMSG:
	case SL_OP_SENDMSG:
		return transfer(object, slot, limit);
	case SL_OP_POLL:
		return events_of(object) & ((uint32_t)slot->len | POLLHUP | POLLERR);
	case SL_OP_SENDFILE:
		return send_file(object, slot, limit);
	case SL_OP_FSYNC:
	case SL_OP_FDATASYNC:
		return object->kind == REGULAR ? 0 : -EINVAL;
	case SL_OP_ALLOCATE:
		return allocate(object, slot);
	case SL_OP_TRUNCATE:
		return resize(object, slot->len);
	case SL_OP_BIND:
		return bind_to(object, slot->buf, slot->len);
	case SL_OP_LISTEN:
		if (object->kind == SOCKET && object->address_len)
			object->kind = LISTENER;
		return object->kind == LISTENER ? 0 : -EINVAL;
	case SL_OP_ACCEPT:
		return accept_from(object, slot);
	case SL_OP_CONNECT:
		return connect_to(object, slot->buf, slot->len);
	case SL_OP_SHUTDOWN:
		return shut(object, slot->len);
	case SL_OP_GETSOCKOPT:
		return get_option(object, slot);
	case SL_OP_SETSOCKOPT:
		return set_option(object, slot);
	default:
		return -EOPNOTSUPP;
	}
}

int64_t memory_perform(struct sl_slot *slot, uint64_t limit)
{
	struct object *object;

	if (slot->code == SL_OP_NOP)
		return 0;
	if (slot->code == SL_OP_SOCKET)
		return new_socket(slot);
	if (slot->code == SL_OP_WORK)
		return ((sl_work_fn *)(uintptr_t)slot->op->arg)(slot->buf);
	object = find(slot->fd);
	if (!object)
		return -EBADF;
	if (object->fail)
		return object->fail;
	return on_object(object, slot, limit);
}

int memory_describe(int handle, struct sl_desc *ret_desc)
{
	const struct object *object = find(handle);

	if (!object)
		return -EBADF;
	*ret_desc = (struct sl_desc){
		.kind = object->kind == REGULAR ? SL_DESC_REGULAR : SL_DESC_SOCKET,
		.flags = object->align ? SL_DESC_DIRECT : 0,
		.mem_align = object->align,
		.read_align = object->align,
		.write_align = object->align,
		.align_source = "memory",
		.size = object->kind == REGULAR ? object->len : 0,
		.dev = 1,
		.ino = (uint64_t)(object - objects) + 1,
	};
	return 0;
}

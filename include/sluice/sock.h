/* SPDX-License-Identifier: MIT */
/*
 * sock.h - sockets on a ring: listen, accept, receive, send memory and files, connect, resolve.
 *
 * What op.h lets one do with a socket in single operations, this header puts
 * together for programs that serve many of them. It makes no system call by
 * itself: everything is an op of the ring, or a call of ring.h, so it runs on
 * every backend, the simulated one too.
 *
 *	sl_sock_listen -> sl_sock_accept --fd--> sl_sock_recv --bytes--> ...
 *	                                    \--> sl_sock_send <--pieces-- ...
 *	sl_sock_resolve -> sl_sock_connect --fd--> the same two
 *
 * Rules that hold for all of them:
 *
 *  1. A request (acceptor, receiver, sender, piece, connect, lookup) is caller
 *     memory. Zero it once; from the call that started it until the callback
 *     that ends it, it and what it points at belong to the library.
 *  2. Callbacks run in sl_ring_run(), at top level, never inside the call that
 *     started something. A request is idle again before its last callback, which
 *     may start it anew or free it.
 *  3. Nothing is allocated after the objects that say "allocates" are made. The
 *     resolver is the exception, and says so.
 *  4. Descriptors made here are O_NONBLOCK and close-on-exec, TCP ones have
 *     TCP_NODELAY. Others may be used, at the cost of a system call more for
 *     each slice of a file.
 *  5. Closing is the caller's: stop what works on a descriptor, and close it
 *     (sl_op_close()) when it has ended. Closing first ends it too, with
 *     -ECANCELED, but for what is paused, held back, or reading a file just then.
 *
 * One ring serves one thread; for more cores open a ring and a SL_SOCK_REUSEPORT
 * listener on each: a connection stays where it was accepted.
 */
#ifndef SLUICE_SOCK_H
#define SLUICE_SOCK_H

#include <sluice/buf.h>
#include <sluice/err.h>
#include <sluice/op.h>

SL_BEGIN_DECLS

struct sl_ring;
struct sl_sock_acceptor;
struct sl_sock_connect;
struct sl_sock_lookup;
struct sl_sock_piece;
struct sl_sock_pump;
struct sl_sock_receiver;
struct sl_sock_resolver;
struct sl_sock_sender;

/* ---- addresses ---------------------------------------------------------------------- */

/* Enough for the text of any address. */
#define SL_SOCK_ADDR_TEXT 160

/**
 * struct sl_sock_addr - an address of any family
 * @len: bytes of it in use; 0: none
 * @any: the address, to look at its family
 * @storage: the same, as large as any
 */
struct sl_sock_addr {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_storage storage;
	};
};

/**
 * sl_sock_addr_parse - an address from text, without asking anybody
 * @text: "192.0.2.1:80", "[2001:db8::1]:80", "[fe80::1%2]:80" (the number of the
 *	interface), ":80" and "*:80" (all addresses, IPv6 and IPv4), "unix:PATH", or
 *	"unix:@NAME" for the abstract namespace
 * @ret_addr: the address
 *
 * Context: any thread; neither sleeps nor allocates.
 * Return: 0; -EINVAL for text of another form or a port above 65535; -ENOENT
 * for a well-formed name or port name, which sl_sock_resolve() could look up;
 * -ENAMETOOLONG for a path that no socket address can hold (107 bytes).
 */
SL_EXPORT int sl_sock_addr_parse(const char *text, struct sl_sock_addr *ret_addr);

/**
 * sl_sock_addr_format - the text of an address, as sl_sock_addr_parse() reads it
 * @addr: an address; one of another family reads as "?"
 * @buf: the text, with a 0 at its end
 * @bytes: of @buf; SL_SOCK_ADDR_TEXT is always enough
 *
 * Context: any thread.
 * Return: the length of the text; -ENOBUFS when it does not fit.
 */
SL_EXPORT int sl_sock_addr_format(const struct sl_sock_addr *addr, char *buf, size_t bytes);

/**
 * sl_sock_addr_is_local - whether an address is on this machine for certain
 * @addr: an address
 *
 * Context: any thread.
 * Return: 1 for a unix socket and for the loopback addresses of IPv4 and IPv6,
 * else 0.
 */
SL_EXPORT int sl_sock_addr_is_local(const struct sl_sock_addr *addr);

/**
 * sl_sock_addr_of - the address that a socket has, or is connected to
 * @ring: the ring
 * @fd: a socket
 * @peer: 0: its own (getsockname(2)); 1: that of its peer (getpeername(2))
 * @ret_addr: the address
 *
 * Context: owner thread, also from a callback; one system call.
 * Return: 0; -EBADF; -ENOTSOCK; -ENOTCONN; -EOPNOTSUPP on a backend without
 * sockets; -EPERM or -ESTALE as in ring.h.
 */
SL_EXPORT int sl_sock_addr_of(struct sl_ring *ring, int fd, int peer,
			      struct sl_sock_addr *ret_addr);

/* ---- listening ---------------------------------------------------------------------- */

enum sl_sock_listen_flag {
	SL_SOCK_REUSEPORT = 1 << 0, /* several listeners, one per ring; the kernel spreads */
	SL_SOCK_V6ONLY = 1 << 1,    /* an IPv6 listener takes no IPv4 connections */
	SL_SOCK_DATAGRAM = 1 << 2,  /* UDP, or datagrams on a unix socket: bound, not listening */
	SL_SOCK_DEFER = 1 << 3,	    /* TCP: accept only once the peer has sent something */
	SL_SOCK_NAGLE = 1 << 4,	    /* TCP: leave TCP_NODELAY off */
};

/**
 * struct sl_sock_listen_opts - how to listen; zero means the default everywhere
 * @size: sizeof(struct sl_sock_listen_opts), or 0 for the fields of version 0.1
 * @flags: enum sl_sock_listen_flag
 * @backlog: connections waiting to be accepted; default 4096, which the kernel
 *	cuts to net.core.somaxconn
 * @permissions: of a unix socket's file; default: as the umask has it
 */
struct sl_sock_listen_opts {
	size_t size;
	uint32_t flags;
	uint32_t backlog;
	uint32_t permissions;
};

/**
 * sl_sock_listen - make a socket that listens
 * @ring: the ring
 * @addr: where; port 0 takes a free one, see sl_sock_addr_of()
 * @opts: how, copied; NULL means all defaults
 *
 * Sets SO_REUSEADDR. "All addresses" falls back to IPv4 on a machine without
 * IPv6. The file of a unix socket that nobody listens on any more is replaced;
 * one that somebody does is -EADDRINUSE.
 *
 * Context: owner thread, not from a callback; runs the ring.
 * Return: the descriptor, the caller's to close; -EINVAL for an unknown flag or
 * SL_SOCK_V6ONLY without IPv6; -EADDRINUSE; -EADDRNOTAVAIL; -EACCES for a port
 * or directory one may not use; -EAFNOSUPPORT; -EMFILE or -ENFILE; -EBUSY from a
 * callback; what else socket(2), bind(2) or listen(2) answered.
 */
SL_EXPORT int sl_sock_listen(struct sl_ring *ring, const struct sl_sock_addr *addr,
			     const struct sl_sock_listen_opts *opts);

/**
 * struct sl_sock_inherited - a socket that was there when the program started
 * @fd: the descriptor, made close-on-exec and O_NONBLOCK
 * @listening: 1: for sl_sock_accept(); 0: a datagram or connected socket
 * @type: SOCK_STREAM, SOCK_DGRAM ...
 * @addr: its address
 * @name: of the unit's FileDescriptorName=, or ""
 */
struct sl_sock_inherited {
	int32_t fd;
	int32_t listening;
	int32_t type;
	struct sl_sock_addr addr;
	char name[64];
};

/**
 * sl_sock_inherit - take the sockets that the service manager passed
 * @ring: the ring
 * @ret: filled in, in the order of the descriptors
 * @nr: places in @ret
 *
 * Reads $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES as sd_listen_fds(3) says;
 * the environment is left as it is. Take them once, at start.
 *
 * Context: owner thread; makes system calls.
 * Return: how many, 0 when none were passed to this process; -EINVAL for
 * variables that make no sense; -ENOTSOCK when one of them is no socket;
 * -ENOBUFS for more than @nr; -EOPNOTSUPP on a simulated ring.
 */
SL_EXPORT int sl_sock_inherit(struct sl_ring *ring, struct sl_sock_inherited *ret, unsigned nr);

/* ---- accepting ---------------------------------------------------------------------- */

/**
 * typedef sl_sock_accept_fn - told of a connection
 * @acceptor: the acceptor
 * @fd: the connection, the caller's to close
 */
typedef void sl_sock_accept_fn(struct sl_sock_acceptor *acceptor, int fd);

/**
 * struct sl_sock_acceptor - takes connections from a listener, in caller memory
 * @fd: the listener
 * @accepted: told of each connection
 * @ended: told once that it has ended, with the reason: -ECANCELED after
 *	sl_sock_accept_stop(), a close or a drain, or what accept(2) failed with
 *	for good. NULL: nobody
 * @user: the caller's own
 * @accepted_nr: connections so far
 * @starved_nr: times that descriptors or memory ran out (EMFILE, ENFILE,
 *	ENOBUFS, ENOMEM): it waits 10 ms, doubling up to a second, and tries again;
 *	connections wait in the backlog meanwhile
 */
struct sl_sock_acceptor {
	int32_t fd;
	sl_sock_accept_fn *accepted;
	void (*ended)(struct sl_sock_acceptor *acceptor, int err);
	void *user;

	uint64_t accepted_nr;
	uint64_t starved_nr;

	/* private: */
	struct sl_ring *ring;
	struct sl_op op;
	struct sl_op timer;
	int64_t wait_ns;
	uint8_t state;
	uint8_t paused;
	uint8_t stopping;
	uint8_t resumed;
};

/**
 * sl_sock_accept - begin to accept
 * @ring: the ring
 * @acceptor: an idle one, with fd, accepted, ended and user filled in
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0; -EINVAL without a callback or when not idle; -EAGAIN when the ring
 * is full; -ESHUTDOWN while draining; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_sock_accept(struct sl_ring *ring, struct sl_sock_acceptor *acceptor);

/**
 * sl_sock_accept_pause - accept no more until told to go on
 * @acceptor: one that was begun
 *
 * Connections that the kernel has handed out already are still delivered.
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_accept_pause(struct sl_sock_acceptor *acceptor);

/**
 * sl_sock_accept_resume - go on accepting, at once
 * @acceptor: one that was paused, or waits since descriptors ran out
 *
 * Call it also when descriptors have become free, instead of the wait.
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_accept_resume(struct sl_sock_acceptor *acceptor);

/**
 * sl_sock_accept_stop - end it
 * @acceptor: one that was begun; an idle one is left alone
 *
 * The listener stays open: its backlog is another acceptor's.
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_accept_stop(struct sl_sock_acceptor *acceptor);

/* ---- receiving ---------------------------------------------------------------------- */

/**
 * typedef sl_sock_recv_fn - told of bytes, or of the end
 * @receiver: the receiver
 * @data: the bytes, in a buffer of the pool: the caller's until
 *	sl_sock_recv_put(); NULL at the end
 * @res: > 0: how many; 0: the peer has finished; -ECANCELED after
 *	sl_sock_recv_stop(), a close or a drain; -ETIMEDOUT; or the error of the
 *	connection. With res <= 0 the receiver is idle.
 */
typedef void sl_sock_recv_fn(struct sl_sock_receiver *receiver, void *data, int64_t res);

/**
 * struct sl_sock_receiver - receives into pooled buffers, in caller memory
 * @fd: the connection
 * @held_max: buffers that it may have delivered and not got back; beyond that it
 *	stops receiving, so that a fast peer cannot take the pool from others.
 *	Default 4. On io_uring what a socket holds may come at once before that
 *	takes hold, but only the first time.
 * @pool: a pool with SL_BUF_RECV; an idle connection holds no buffer
 * @received: told of bytes
 * @timeout_ns: longest silence, then -ETIMEDOUT; 0: for ever. Not counted while
 *	held back.
 * @user: the caller's own
 * @held: buffers delivered and not given back
 */
struct sl_sock_receiver {
	int32_t fd;
	uint32_t held_max;
	struct sl_buf_pool *pool;
	sl_sock_recv_fn *received;
	int64_t timeout_ns;
	void *user;

	uint32_t held;

	/* private: */
	uint8_t state;
	uint8_t paused;
	uint8_t stopping;
	uint8_t asked;
	uint8_t greedy;
	struct sl_ring *ring;
	struct sl_op op;
	int64_t heard_ns;
};

/**
 * sl_sock_recv - begin to receive
 * @ring: the ring
 * @receiver: an idle one, with its request filled in
 *
 * Where the kernel can, one op serves for the life of the connection: a message
 * costs no submission.
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0; -EINVAL without pool or callback, or when not idle; -EAGAIN when
 * the ring is full; -ESHUTDOWN while draining; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_sock_recv(struct sl_ring *ring, struct sl_sock_receiver *receiver);

/**
 * sl_sock_recv_put - give a buffer back
 * @receiver: the receiver that delivered it; also after its end
 * @data: any address inside the buffer
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_recv_put(struct sl_sock_receiver *receiver, void *data);

/**
 * sl_sock_recv_pause - receive no more until told to go on
 * @receiver: one that was begun
 *
 * Bytes that have arrived already are still delivered: a few buffers may follow.
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_recv_pause(struct sl_sock_receiver *receiver);

/**
 * sl_sock_recv_resume - go on receiving
 * @receiver: one that was paused
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_recv_resume(struct sl_sock_receiver *receiver);

/**
 * sl_sock_recv_stop - end it; the last callback comes with -ECANCELED
 * @receiver: the receiver; an idle one is left alone
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_recv_stop(struct sl_sock_receiver *receiver);

/* ---- sending ------------------------------------------------------------------------ */

/**
 * struct sl_sock_pump_opts - what the senders of a ring share; zero: the default
 * @size: sizeof(struct sl_sock_pump_opts), or 0 for the fields of version 0.1
 * @read_count: buffers for cold parts of files; default 16, most 1024. A sender
 *	holds one or two while it reads and sends, never while its peer stalls.
 * @read_bytes: bytes of each, also how much of a file is sent before others get
 *	their turn; rounded up to 4096; default 262144, most 16 MiB
 * @hot_bytes: the same for a file that proves to be cached, unless somebody on
 *	the pump has sent a short answer (no file behind it) since the last slice:
 *	those are to wait for @read_bytes at most; default 1 MiB
 * @zc_min_bytes: memory pieces of at least so many bytes, marked
 *	SL_SOCK_PIECE_STABLE, are sent without a copy; default 16384. UINT32_MAX:
 *	none
 */
struct sl_sock_pump_opts {
	size_t size;
	uint32_t read_count;
	uint32_t read_bytes;
	uint32_t hot_bytes;
	uint32_t zc_min_bytes;
};

/**
 * struct sl_sock_pump_stats - what the senders of a pump have done so far
 * @pieces: pieces ended
 * @memory_bytes: sent from memory
 * @hot_bytes: sent from files by sendfile, out of the page cache
 * @cold_bytes: read from files, and sent
 * @direct_bytes: of these: read past the page cache
 * @hot_slices: slices of files found cached
 * @cold_slices: slices of files found not cached
 * @reread_bytes: read and not sent, since the peer took less: read again later
 * @buffer_waits: times that a sender waited for a read buffer
 * @zc_sends: sends that asked for no copy
 * @zc_copied: of these: copied by the kernel after all
 * @zc_off: times that asking was given up for a while, as most were copied
 * @stalls: times that a sender waited for its peer to take something
 */
struct sl_sock_pump_stats {
	uint64_t pieces;
	uint64_t memory_bytes;
	uint64_t hot_bytes;
	uint64_t cold_bytes;
	uint64_t direct_bytes;
	uint64_t hot_slices;
	uint64_t cold_slices;
	uint64_t reread_bytes;
	uint64_t buffer_waits;
	uint64_t zc_sends;
	uint64_t zc_copied;
	uint64_t zc_off;
	uint64_t stalls;
};

/**
 * sl_sock_pump_create - make what the senders of a ring share
 * @ring: the ring
 * @opts: how, copied; NULL means all defaults
 * @ret_pump: to be ended by sl_sock_pump_destroy() before the ring
 *
 * Context: owner thread; allocates.
 * Return: 0; -EINVAL for numbers out of bounds; -ENOMEM; -EAGAIN when the ring
 * can take no more pools; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_sock_pump_create(struct sl_ring *ring, const struct sl_sock_pump_opts *opts,
				  struct sl_sock_pump **ret_pump);

/**
 * sl_sock_pump_destroy - free it
 * @pump: the pump, whose senders are all idle; NULL is ignored
 *
 * Context: owner thread, before sl_ring_close().
 */
SL_EXPORT void sl_sock_pump_destroy(struct sl_sock_pump *pump);

/**
 * sl_sock_pump_stats - numbers so far
 * @pump: the pump
 * @ret_stats: the numbers are added to what is there: zero it first, then ask
 *	the pump of every ring for the sum of all
 *
 * Context: any thread, while the pump lives.
 */
SL_EXPORT void sl_sock_pump_stats(const struct sl_sock_pump *pump,
				  struct sl_sock_pump_stats *ret_stats);

/**
 * typedef sl_sock_piece_fn - told that a piece has ended
 * @sender: the sender
 * @piece: the piece, idle again
 *
 * The sender may be freed in its last callback, when it is not busy any more: that
 * is drained, if there is one.
 */
typedef void sl_sock_piece_fn(struct sl_sock_sender *sender, struct sl_sock_piece *piece);

enum sl_sock_piece_flag {
	/* The bytes come from a file, see file_fd. */
	SL_SOCK_PIECE_FILE = 1 << 0,
	/* The memory stays as it is until the piece has ended, and may be sent
	 * without a copy: the piece then ends when the kernel has let go of it, which
	 * may be after later pieces. */
	SL_SOCK_PIECE_STABLE = 1 << 1,
	/* More follows soon: do not push out a packet that is not full. */
	SL_SOCK_PIECE_MORE = 1 << 2,
};

/**
 * struct sl_sock_piece - bytes to be sent, in caller memory
 * @flags: enum sl_sock_piece_flag
 * @file_fd: with SL_SOCK_PIECE_FILE: a regular file, open for reading; stays open
 *	until the piece has ended
 * @direct_fd: the same file opened with O_DIRECT: parts that are not cached are
 *	read through it, past the page cache; 0: they are read through @file_fd
 * @data: memory to send; NULL for a file
 * @off: where in the file
 * @len: bytes, of memory or of the file; 0 ends in its turn like any other
 * @done: told of the end; NULL: nobody
 * @user: the caller's own
 * @res: 0 when all of it was handed to the kernel; -ENODATA when the file ended
 *	before (it was truncated): what the peer got is a proper beginning, so close
 *	the connection; -EIO or what else reading the file failed with; -ETIMEDOUT;
 *	-ECANCELED; or the error of the connection (-EPIPE, -ECONNRESET ...)
 * @done_len: bytes handed to the kernel
 * @direct_len: of these: read through @direct_fd
 * @zero_copy: 0: not asked for; 1: sent without a copy; 2: the kernel copied
 */
struct sl_sock_piece {
	uint32_t flags;
	int32_t file_fd;
	int32_t direct_fd;
	const void *data;
	uint64_t off;
	uint64_t len;
	sl_sock_piece_fn *done;
	void *user;

	int64_t res;
	uint64_t done_len;
	uint64_t direct_len;
	uint8_t zero_copy;

	/* private: */
	uint8_t state;
	struct sl_sock_sender *sender;
	struct sl_sock_piece *next;
	struct sl_op op;
};

struct sl_sock_read; /* private */

/* Memory pieces sent by one system call. */
#define SL_SOCK_GATHER 16

/**
 * struct sl_sock_sender - sends pieces in their order, in caller memory
 * @fd: the connection
 * @pump: what it shares with others
 * @timeout_ns: longest time without a byte taken by the peer while something
 *	waits to be sent, then -ETIMEDOUT; 0: for ever
 * @drained: told when everything queued has been handed to the kernel, or has
 *	failed (see err); pieces sent without a copy may not have ended yet. Comes
 *	after the callbacks of the pieces; NULL: nobody
 * @user: the caller's own
 * @queued_bytes: not handed to the kernel yet: for the caller to bound
 * @sent_bytes: handed to the kernel so far
 * @err: the first failure, after which every piece ends with it; 0: none
 */
struct sl_sock_sender {
	int32_t fd;
	struct sl_sock_pump *pump;
	int64_t timeout_ns;
	void (*drained)(struct sl_sock_sender *sender);
	void *user;

	uint64_t queued_bytes;
	uint64_t sent_bytes;
	int32_t err;

	/* private: */
	uint8_t state;
	uint8_t corked;
	uint8_t no_cork;
	uint8_t settling;
	uint8_t untold;
	uint8_t nonblock;
	uint16_t gathered;
	uint32_t flying;
	uint32_t slice_bytes;
	uint32_t short_seen;
	uint16_t cold_run;
	uint16_t cold_left;
	uint32_t buf_at;
	uint32_t buf_len;
	int32_t cork_value;
	struct sl_sock_piece *head;
	struct sl_sock_piece **tail;
	struct sl_sock_piece *ended;
	struct sl_sock_piece **ended_tail;
	struct sl_sock_sender *next;
	struct sl_sock_read *read;
	struct sl_sock_read *ahead;
	struct sl_op op;
	struct sl_op cork;
	struct iovec iov[SL_SOCK_GATHER];
};

/**
 * sl_sock_sender_init - make a sender ready
 * @sender: zeroed, with fd, pump, timeout_ns, drained and user filled in
 *
 * It owns nothing while it is idle; there is nothing to end.
 *
 * Context: owner thread of the pump's ring, also from a callback.
 */
SL_EXPORT void sl_sock_sender_init(struct sl_sock_sender *sender);

/**
 * sl_sock_send - queue a piece
 * @sender: the sender
 * @piece: an idle one, with its request filled in
 *
 * Nothing is sent before sl_sock_flush(). Neighbouring memory pieces leave
 * together, up to SL_SOCK_GATHER; a file is sent in slices, other connections in
 * between; what of it is in the page cache stays in the kernel, what is not is
 * read by the ring first: the loop never waits for a disk.
 *
 * A file sent from the page cache is the file, not a copy of it: a program that
 * writes into it meanwhile changes what is on its way, and truncating it to a
 * length within a page zeroes the rest of that page there too (sendfile(2)).
 * Replace files by renaming. A piece that could not be sent whole never ends
 * with 0.
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0; -EINVAL for an unknown flag, a piece that is not idle, one without
 * data, or an offset beyond INT64_MAX; the sender's err after a failure; -EPERM
 * or -ESTALE.
 */
SL_EXPORT int sl_sock_send(struct sl_sock_sender *sender, struct sl_sock_piece *piece);

/**
 * sl_sock_flush - begin to send what is queued
 * @sender: the sender
 *
 * Call it once after queueing all there is: sixteen small answers are then one
 * system call. It is needless, and harmless, while something is being sent.
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0; -EAGAIN when the ring is full: run it, then flush again; -ESHUTDOWN
 * while draining; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_sock_flush(struct sl_sock_sender *sender);

/**
 * sl_sock_sender_stop - end all pieces, with -ECANCELED
 * @sender: the sender
 *
 * Context: owner thread, also from a callback. The callbacks follow, those of
 * pieces that were never flushed too; err is -ECANCELED from now on. The sender is
 * idle when sl_sock_sender_busy() says so: in the last of the callbacks, drained
 * if there is one.
 */
SL_EXPORT void sl_sock_sender_stop(struct sl_sock_sender *sender);

/**
 * sl_sock_sender_busy - whether the library still uses the sender
 * @sender: the sender
 *
 * Context: owner thread.
 * Return: 1 while a piece has not ended or an op is in flight, else 0: then its
 * memory is the caller's.
 */
SL_EXPORT int sl_sock_sender_busy(const struct sl_sock_sender *sender);

/* ---- connecting --------------------------------------------------------------------- */

enum sl_sock_connect_flag {
	SL_SOCK_CONNECT_NAGLE = 1 << 0, /* TCP: leave TCP_NODELAY off */
};

/**
 * struct sl_sock_connect - a connection to be made, in caller memory
 * @flags: enum sl_sock_connect_flag
 * @nr: addresses, 1..64
 * @addrs: tried in this order until one answers; borrowed until the end
 * @source: the address to come from; NULL: any
 * @deadline_ns: absolute, for all of it; 0: none
 * @try_ns: most time for one address; 0: as long as the deadline allows
 * @done: told of the end
 * @user: the caller's own
 * @res: the connection, the caller's to close; -ETIMEDOUT; -ECANCELED; or the
 *	error of the last address tried
 * @tried: how many addresses were tried: the last of them gave the result
 */
struct sl_sock_connect {
	uint32_t flags;
	uint32_t nr;
	const struct sl_sock_addr *addrs;
	const struct sl_sock_addr *source;
	int64_t deadline_ns;
	int64_t try_ns;
	void (*done)(struct sl_sock_connect *req);
	void *user;

	int64_t res;
	uint32_t tried;

	/* private: */
	uint8_t state;
	uint8_t stopping;
	int32_t fd;
	int32_t one;
	struct sl_ring *ring;
	struct sl_op op;
};

/**
 * sl_sock_connect - begin to connect
 * @ring: the ring
 * @req: an idle request, filled in
 *
 * Context: owner thread, also from a callback; does not sleep or allocate.
 * Return: 0; -EINVAL for a request that is not idle, has no callback or a number
 * out of bounds; -EAGAIN when the ring is full; -ESHUTDOWN; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_sock_connect(struct sl_ring *ring, struct sl_sock_connect *req);

/**
 * sl_sock_connect_stop - end it; the callback comes with -ECANCELED
 * @req: the request; an idle one is left alone. A connection made meanwhile is
 *	closed.
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_connect_stop(struct sl_sock_connect *req);

/* ---- resolving ---------------------------------------------------------------------- */

#define SL_SOCK_LOOKUP_ADDRS 16

/**
 * typedef sl_sock_lookup_fn - looks a name up; may block
 * @ctx: the lookup_ctx of the options
 * @host: the name, without brackets
 * @port: a number or the name of a service
 * @ret_addrs: filled in, SL_SOCK_LOOKUP_ADDRS places
 *
 * Runs on a worker thread; on a simulated ring in the turn.
 *
 * Return: how many addresses; -ENOENT when there is no such name; -EAGAIN when
 * it could not be asked now; another -errno.
 */
typedef int sl_sock_lookup_fn(void *ctx, const char *host, const char *port,
			      struct sl_sock_addr *ret_addrs);

/**
 * struct sl_sock_resolver_opts - how to look names up; zero: the default
 * @size: sizeof(struct sl_sock_resolver_opts), or 0 for the fields of version 0.1
 * @running_max: lookups on worker threads at a time; default: one less than the
 *	ring's workers, at least 1. Others wait their turn.
 * @lookup: who looks names up; NULL: getaddrinfo(3), and on a simulated ring
 *	nobody (-ENOENT)
 * @lookup_ctx: passed to it
 */
struct sl_sock_resolver_opts {
	size_t size;
	uint32_t running_max;
	sl_sock_lookup_fn *lookup;
	void *lookup_ctx;
};

/**
 * struct sl_sock_lookup - a name to be looked up, in caller memory
 * @text: as sl_sock_addr_parse() takes it, or "NAME:PORT"; borrowed until the end
 * @deadline_ns: absolute; 0: none. The request ends by then, even if the thread
 *	that asks does not.
 * @done: told of the end
 * @user: the caller's own
 * @res: how many addresses, > 0; -EINVAL; -ENOENT for an unknown name; -EAGAIN
 *	when nobody could be asked; -ETIMEDOUT; -ECANCELED; -ENOMEM
 * @addrs: they
 */
struct sl_sock_lookup {
	const char *text;
	int64_t deadline_ns;
	void (*done)(struct sl_sock_lookup *req);
	void *user;

	int64_t res;
	struct sl_sock_addr addrs[SL_SOCK_LOOKUP_ADDRS];

	/* private: */
	uint8_t state;
	struct sl_sock_resolver *resolver;
	struct sl_sock_lookup *next;
	void *job;
	struct sl_op op;
};

/**
 * sl_sock_resolver_create - make a resolver
 * @ring: the ring
 * @opts: how, copied; NULL means all defaults
 * @ret_resolver: to be ended by sl_sock_resolver_destroy() before the ring
 *
 * Context: owner thread; allocates.
 * Return: 0; -EINVAL; -ENOMEM; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_sock_resolver_create(struct sl_ring *ring,
				      const struct sl_sock_resolver_opts *opts,
				      struct sl_sock_resolver **ret_resolver);

/**
 * sl_sock_resolver_destroy - free it
 * @resolver: the resolver, whose requests have all ended; NULL is ignored
 *
 * Waits for threads that still ask on behalf of requests that timed out: as long
 * as getaddrinfo(3) takes (resolv.conf(5): timeout times attempts).
 *
 * Context: owner thread, not from a callback; runs the ring.
 */
SL_EXPORT void sl_sock_resolver_destroy(struct sl_sock_resolver *resolver);

/**
 * sl_sock_resolve - look a name up without holding up the loop
 * @resolver: the resolver
 * @req: an idle request, filled in
 *
 * Text that is an address already needs no thread.
 *
 * Context: owner thread, also from a callback; may allocate the memory of one
 * lookup, which a thread uses beyond the deadline if it must.
 * Return: 0; -EINVAL for a request that is not idle or has no callback; -EAGAIN
 * when the ring is full; -ESHUTDOWN; -EPERM or -ESTALE.
 */
SL_EXPORT int sl_sock_resolve(struct sl_sock_resolver *resolver, struct sl_sock_lookup *req);

/**
 * sl_sock_resolve_stop - end it; the callback comes with -ECANCELED
 * @req: the request; an idle one is left alone
 *
 * Context: owner thread, also from a callback.
 */
SL_EXPORT void sl_sock_resolve_stop(struct sl_sock_lookup *req);

/* ---- the PROXY protocol ------------------------------------------------------------- */

/* What sl_sock_proxy_parse() looks at, at most: no header that it takes is longer. */
#define SL_SOCK_PROXY_MAX 4096

/**
 * struct sl_sock_proxy - what a proxy says of the connection it passes on
 * @version: 1 or 2
 * @local: 1: the proxy speaks for itself (a health check): the addresses of the
 *	connection itself count
 * @datagram: 1: of a datagram
 * @source: the client's address; len 0: not told
 * @target: the address that it connected to; len 0: not told
 * @tlv: version 2: the type-length-value vectors, within the bytes parsed
 * @tlv_len: their bytes
 */
struct sl_sock_proxy {
	uint8_t version;
	uint8_t local;
	uint8_t datagram;
	struct sl_sock_addr source;
	struct sl_sock_addr target;
	const void *tlv;
	uint32_t tlv_len;
};

/**
 * sl_sock_proxy_parse - read a PROXY protocol header, version 1 or 2
 * @buf: bytes received so far, from the first of the connection on
 * @len: how many
 * @ret_proxy: filled in
 *
 * After "The PROXY protocol", Willy Tarreau, HAProxy Technologies, 2020. Take it
 * from trusted peers only, and give it a deadline.
 *
 * Context: any thread; a pure function.
 * Return: the bytes of the header; what follows is the client's; -EAGAIN when it
 * is not complete: receive more and parse again from the beginning; -EILSEQ when
 * it is none, or one that is malformed or longer than SL_SOCK_PROXY_MAX: close.
 */
SL_EXPORT int sl_sock_proxy_parse(const void *buf, size_t len, struct sl_sock_proxy *ret_proxy);

/**
 * sl_sock_proxy_write - write a PROXY protocol header
 * @proxy: what to say; tlv are sent as they are with version 2, and must be none
 *	with version 1. Addresses of two families, or none, are sent as unknown.
 * @buf: the header
 * @bytes: of @buf; 107 are enough for version 1, 232 and tlv_len for version 2
 *
 * Context: any thread; a pure function.
 * Return: the bytes of the header; -ENOBUFS; -EINVAL for another version, or for
 * what version 1 cannot say (datagrams, tlv).
 */
SL_EXPORT int sl_sock_proxy_write(const struct sl_sock_proxy *proxy, void *buf, size_t bytes);

/**
 * sl_sock_proxy_tlv - find a vector of a version 2 header
 * @proxy: as parsed
 * @type: PP2_TYPE_..., such as 0x02 (authority: the name asked for by SNI)
 * @ret_value: its bytes, within those parsed
 *
 * Context: any thread; a pure function.
 * Return: its length; -ENOENT when it is not there.
 */
SL_EXPORT int sl_sock_proxy_tlv(const struct sl_sock_proxy *proxy, unsigned type,
				const void **ret_value);

SL_END_DECLS

#endif

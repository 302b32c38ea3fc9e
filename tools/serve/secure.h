/*
 * secure.h: TLS between a stream and its socket.
 *
 *	             +--> no kTLS, or a cipher it has not --> USER
 *	SHAKE --done-+                                         ^
 *	  |          +--> ULP --> KEYS -----------refused------+
 *	  |                         +--> KERNEL
 *	  +--failed--> OVER: an alert is sent, and only the end is awaited
 *
 * What arrives is always opened here. In USER what is sent is sealed here: a file is read a chunk
 * at a time, and sealed when what came before is with the socket. In KERNEL pieces go on to the
 * sender as they are: the kernel seals them, files on their way out of the page cache.
 *
 * Invariants:
 *  T1. One op at most is in flight: a send, a read of a file, or a socket option. Unless KERNEL it
 *      moves the pieces on; in KERNEL it sends alerts alone, when the sender is idle.
 *  T2. A connection holds no buffer while nothing is to be sent; one that its peer does not read
 *      holds what was sealed, some SERVE_SECURE_CHUNK. At most SERVE_SECURE_READS of a worker hold
 *      as much for a file that is being read.
 *  T3. Callbacks of pieces come from the ring, never from within send, flush or close.
 */
#ifndef SLUICE_TOOLS_SERVE_SECURE_H
#define SLUICE_TOOLS_SERVE_SECURE_H

#include <sluice/op.h>

#include "tools/server/counter.h"
#include "tools/server/tls.h"

#define SERVE_SECURE_CHUNK 32768
#define SERVE_SECURE_READS 64

struct serve_secure;
struct serve_stream;
struct sl_sock_piece;

/* Each: member, name of the metric, type, help. */
#define SERVE_SECURE_COUNTERS(X)                                                            \
	X(handshakes, "tls_handshakes_total", "counter", "TLS handshakes done")             \
	X(resumed, "tls_resumed_total", "counter", "Of these: by a ticket")                 \
	X(failed, "tls_handshakes_failed_total", "counter", "TLS handshakes that failed")   \
	X(plain, "tls_plain_http_total", "counter", "Of these: requests in the clear")      \
	X(kernel, "tls_kernel_total", "counter",                                            \
	  "TLS connections whose records are made by the kernel")                           \
	X(user, "tls_user_total", "counter",                                                \
	  "TLS connections whose records are made in user space")                           \
	X(user_bytes, "tls_user_bytes_total", "counter", "Bytes sealed in user space")      \
	X(truncated, "tls_truncated_total", "counter",                                      \
	  "TLS connections that ended without close_notify")                                \
	X(broken, "tls_broken_total", "counter", "TLS connections ended by a wrong record") \
	X(rekeys_refused, "tls_rekeys_refused_total", "counter",                            \
	  "TLS connections ended because the peer wanted new keys and the kernel had the old")

/* Of a worker. */
struct serve_secures {
#define MEMBER(member, name, type, help) uint64_t member;
	SERVE_SECURE_COUNTERS(MEMBER)
#undef MEMBER
	unsigned reads;
	struct serve_secure *line; /* they wait to read a file, in their order */
	struct serve_secure *line_last;
};

/* NULL when memory runs out. */
struct serve_secure *serve_secure_new(struct serve_stream *stream, struct server_tls *tls);

/* Once it is not busy; NULL is ignored. */
void serve_secure_free(struct serve_secure *secure);

/* Bytes came from the socket, or its end did. */
void serve_secure_received(struct serve_secure *secure, const void *data, size_t len);
void serve_secure_ended(struct serve_secure *secure, int err);

/* As those of a stream. */
int serve_secure_send(struct serve_secure *secure, struct sl_sock_piece *piece);
int serve_secure_flush(struct serve_secure *secure);

/* Says close_notify, then lets the stream shut the socket down. */
void serve_secure_finish(struct serve_secure *secure);

/* Begins to end: last words if it may, else what is in flight is cancelled. */
void serve_secure_close(struct serve_secure *secure);

/* Fails the pieces that are left; from a callback of the ring, when not busy. */
void serve_secure_drop(struct serve_secure *secure);

bool serve_secure_busy(const struct serve_secure *secure);

#endif

/*
 * tls.h: TLS over memory: bytes of the wire in, bytes of the wire out, and what is said by them.
 *
 * Knows neither sockets nor rings. OpenSSL stands behind it and is seen by tls*.c alone; a build
 * without it has tls_none.c instead, which says so.
 */
#ifndef SLUICE_TOOLS_SERVER_TLS_H
#define SLUICE_TOOLS_SERVER_TLS_H

#include <stddef.h>
#include <sys/socket.h>

#include "tools/cli.h"

#define SERVER_TLS_RECORD 16384 /* most bytes in one record */

/* Certificates and how they are used: shared by threads, counted, replaced as a whole. */
struct server_tls;

struct server_tls_opts {
	const struct cli_list *certs; /* files: a chain in PEM, the server's own first */
	const struct cli_list *keys;  /* as many, in the same order */
	const char *min;	      /* "1.2" or "1.3"; NULL: 1.2 */
	bool kernel;		      /* the keys will be asked for */
};

/**
 * server_tls_open() - read certificates and keys.
 * @opts: which; borrowed.
 * @ret: with one reference.
 *
 * The first pair is for clients that name nobody, or somebody unknown. What is wrong with a pair
 * (unreadable, not belonging together, expired) is said on stderr.
 *
 * Return: CLI_DONE, or the exit code that the failure calls for.
 */
int server_tls_open(const struct server_tls_opts *opts, struct server_tls **ret);

struct server_tls *server_tls_get(struct server_tls *tls);

/* NULL is ignored; the last one frees it. */
void server_tls_put(struct server_tls *tls);

/* When the first of the certificates expires, in seconds since 1970. */
int64_t server_tls_expires(const struct server_tls *tls);

/* Whether the kernel makes records (kTLS); asked by trying. Loads the module, if one may. */
bool server_tls_kernel(void);

/* ---- one connection --------------------------------------------------------------------- */

struct server_tls_session;

/* Bytes for the wire, from malloc(3). */
struct server_tls_bytes {
	char *at;
	size_t len;
	size_t cap;
};

/* NULL when memory runs out. */
struct server_tls_session *server_tls_session_new(struct server_tls *tls);
void server_tls_session_free(struct server_tls_session *session);

/* Bytes from the wire, borrowed until shake and read have asked for more. */
void server_tls_feed(struct server_tls_session *session, const void *data, size_t len);

/* Goes on with the handshake. Return: 0: it is done; -EAGAIN: feed it more; -EBADMSG: this is
 * HTTP in the clear; -EPROTO: it has failed, and an alert may be for the wire. */
int server_tls_shake(struct server_tls_session *session);

/* What the peer says, at most one record. Return: > 0: bytes; 0: it has finished; -EAGAIN: feed it
 * more; -EPROTO, as above. */
int64_t server_tls_read(struct server_tls_session *session, void *buf, size_t len);

/* Makes records of it, for the wire. Return: 0, -EPROTO or -ENOMEM. */
int server_tls_write(struct server_tls_session *session, const void *data, size_t len);

/* Says that nothing more comes: close_notify, for the wire. */
void server_tls_finish(struct server_tls_session *session);

/* What waits for the wire. */
size_t server_tls_waiting(const struct server_tls_session *session);

/* Takes it; the memory is the caller's to free(3). */
void server_tls_take(struct server_tls_session *session, struct server_tls_bytes *ret);

/* Whether it goes on where an earlier connection was. */
bool server_tls_is_resumed(const struct server_tls_session *session);

/* Whether the peer wants new keys for what it is sent from now on (TLS 1.3). */
bool server_tls_owes_update(const struct server_tls_session *session);

/* Of the alert that was last written, 0: close_notify or none. Known only with opts.kernel. */
unsigned server_tls_alert(const struct server_tls_session *session);

/* ---- keys for the kernel ---------------------------------------------------------------- */

/* The value of the socket option TLS_TX. */
struct server_tls_keys {
	socklen_t len;
	_Alignas(8) unsigned char info[64];
};

/* Whether the kernel could seal what is sent: its cipher, and opts.kernel. */
bool server_tls_suits_kernel(const struct server_tls_session *session);

/* The keys of what is sent, after the handshake; from then on the session may not write. Return: 0;
 * -EOPNOTSUPP for a cipher that kernels do not know, or without opts.kernel; -EIO. */
int server_tls_keys(const struct server_tls_session *session, struct server_tls_keys *ret);

#endif

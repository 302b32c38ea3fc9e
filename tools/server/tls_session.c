/* tls_session.c: one connection's TLS, between two buffers; see tls.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/server/tls_openssl.h"

/* Nothing that OpenSSL writes by itself comes near it; who makes it answer again and again and
 * reads nothing does. */
#define OUT_MAX (256 << 10)

/* ---- the wire --------------------------------------------------------------------------- */

static int wire_read(BIO *bio, char *buf, int len)
{
	struct server_tls_session *session = BIO_get_data(bio);
	size_t part = (size_t)len < session->in_len ? (size_t)len : session->in_len;

	BIO_clear_retry_flags(bio);
	if (!part) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(buf, session->in, part);
	session->in += part;
	session->in_len -= part;
	return (int)part;
}

static bool grow(struct server_tls_bytes *bytes, size_t len)
{
	size_t cap = bytes->cap;
	char *grown;

	/* A handshake or a small answer, then what is sealed at a time. */
	while (cap < bytes->len + len)
		cap = cap < 4096 ? 4096 : cap < 36 << 10 ? 36 << 10 : 2 * cap;
	if (cap == bytes->cap)
		return true;
	grown = cap > OUT_MAX ? NULL : realloc(bytes->at, cap);
	if (!grown)
		return false;
	bytes->at = grown;
	bytes->cap = cap;
	return true;
}

static int wire_write(BIO *bio, const char *buf, int len)
{
	struct server_tls_session *session = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (len <= 0 || !grow(&session->out, (size_t)len))
		return -1;
	memcpy(session->out.at + session->out.len, buf, (size_t)len);
	session->out.len += (size_t)len;
	return len;
}

static long wire_ctrl(BIO *bio, int what, long number, void *ptr)
{
	(void)bio;
	(void)number;
	(void)ptr;
	return what == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_wire_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");

	if (method) {
		BIO_meth_set_read(method, wire_read);
		BIO_meth_set_write(method, wire_write);
		BIO_meth_set_ctrl(method, wire_ctrl);
	}
	return method;
}

/* ---- a session -------------------------------------------------------------------------- */

struct server_tls_session *server_tls_session_new(struct server_tls *tls)
{
	struct server_tls_session *session = calloc(1, sizeof(*session));
	BIO *bio = session ? BIO_new(tls->wire) : NULL;

	if (!bio) {
		free(session);
		return NULL;
	}
	session->ssl = SSL_new(tls->ctx[0]);
	if (!session->ssl) {
		BIO_free(bio);
		free(session);
		return NULL;
	}
	session->tls = server_tls_get(tls);
	BIO_set_data(bio, session);
	BIO_set_init(bio, 1);
	SSL_set_bio(session->ssl, bio, bio);
	SSL_set_app_data(session->ssl, session);
	SSL_set_accept_state(session->ssl);
	if (tls->kernel) {
		SSL_set_msg_callback(session->ssl, tls_keys_message);
		SSL_set_msg_callback_arg(session->ssl, session);
	}
	return session;
}

void server_tls_session_free(struct server_tls_session *session)
{
	if (!session)
		return;
	SSL_free(session->ssl);
	server_tls_put(session->tls);
	OPENSSL_cleanse(session->secret, sizeof(session->secret));
	free(session->out.at);
	free(session);
}

void server_tls_feed(struct server_tls_session *session, const void *data, size_t len)
{
	session->in = data;
	session->in_len = len;
}

static int error_of(const struct server_tls_session *session, int rc)
{
	unsigned long err = ERR_peek_error();

	if (SSL_get_error(session->ssl, rc) == SSL_ERROR_WANT_READ)
		return -EAGAIN;
	ERR_clear_error();
	return ERR_GET_LIB(err) == ERR_LIB_SSL && ERR_GET_REASON(err) == SSL_R_HTTP_REQUEST ?
		       -EBADMSG :
		       -EPROTO;
}

int server_tls_shake(struct server_tls_session *session)
{
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(session->ssl);
	return rc == 1 ? 0 : error_of(session, rc);
}

int64_t server_tls_read(struct server_tls_session *session, void *buf, size_t len)
{
	size_t got;
	int rc;

	ERR_clear_error();
	rc = SSL_read_ex(session->ssl, buf, len, &got);
	if (rc == 1)
		return (int64_t)got;
	if (SSL_get_error(session->ssl, rc) == SSL_ERROR_ZERO_RETURN)
		return 0;
	return error_of(session, rc);
}

int server_tls_write(struct server_tls_session *session, const void *data, size_t len)
{
	size_t written;

	ERR_clear_error();
	if (!len || SSL_write_ex(session->ssl, data, len, &written) == 1)
		return 0;
	ERR_clear_error();
	return -EPROTO;
}

void server_tls_finish(struct server_tls_session *session)
{
	ERR_clear_error();
	SSL_shutdown(session->ssl);
	ERR_clear_error();
}

size_t server_tls_waiting(const struct server_tls_session *session)
{
	return session->out.len;
}

void server_tls_take(struct server_tls_session *session, struct server_tls_bytes *ret)
{
	*ret = session->out;
	session->out = (struct server_tls_bytes){ 0 };
}

bool server_tls_is_resumed(const struct server_tls_session *session)
{
	return SSL_session_reused(session->ssl);
}

bool server_tls_owes_update(const struct server_tls_session *session)
{
	return SSL_get_key_update_type(session->ssl) != SSL_KEY_UPDATE_NONE;
}

unsigned server_tls_alert(const struct server_tls_session *session)
{
	return session->alert;
}

/* tls_none.c: what stands in for TLS in a build without OpenSSL: it says so; see tls.h. */
#include <errno.h>

#include "tools/server/tls.h"

int server_tls_open(const struct server_tls_opts *opts, struct server_tls **ret)
{
	(void)opts;
	(void)ret;
	return cli_fail(CLI_MACHINE, "--tls-cert", "this sluice was built without OpenSSL",
			"install libssl-dev and build it with -Dtls=enabled");
}

struct server_tls *server_tls_get(struct server_tls *tls)
{
	return tls;
}

void server_tls_put(struct server_tls *tls)
{
	(void)tls;
}

int64_t server_tls_expires(const struct server_tls *tls)
{
	(void)tls;
	return 0;
}

bool server_tls_kernel(void)
{
	return false;
}

struct server_tls_session *server_tls_session_new(struct server_tls *tls)
{
	(void)tls;
	return NULL;
}

void server_tls_session_free(struct server_tls_session *session)
{
	(void)session;
}

void server_tls_feed(struct server_tls_session *session, const void *data, size_t len)
{
	(void)session;
	(void)data;
	(void)len;
}

int server_tls_shake(struct server_tls_session *session)
{
	(void)session;
	return -EPROTO;
}

int64_t server_tls_read(struct server_tls_session *session, void *buf, size_t len)
{
	(void)session;
	(void)buf;
	(void)len;
	return -EPROTO;
}

int server_tls_write(struct server_tls_session *session, const void *data, size_t len)
{
	(void)session;
	(void)data;
	(void)len;
	return -EPROTO;
}

void server_tls_finish(struct server_tls_session *session)
{
	(void)session;
}

size_t server_tls_waiting(const struct server_tls_session *session)
{
	(void)session;
	return 0;
}

void server_tls_take(struct server_tls_session *session, struct server_tls_bytes *ret)
{
	(void)session;
	*ret = (struct server_tls_bytes){ 0 };
}

bool server_tls_is_resumed(const struct server_tls_session *session)
{
	(void)session;
	return false;
}

bool server_tls_owes_update(const struct server_tls_session *session)
{
	(void)session;
	return false;
}

unsigned server_tls_alert(const struct server_tls_session *session)
{
	(void)session;
	return 0;
}

bool server_tls_suits_kernel(const struct server_tls_session *session)
{
	(void)session;
	return false;
}

int server_tls_keys(const struct server_tls_session *session, struct server_tls_keys *ret)
{
	(void)session;
	(void)ret;
	return -EOPNOTSUPP;
}

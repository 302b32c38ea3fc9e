/* tls.c: what is spoken with whom: versions, ciphers, names, protocols; see tls.h. */
#include "tools/server/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/server/tls_openssl.h"

#define TICKET_SECONDS 7200

/* Only what authenticates what it encrypts, keeps old sessions secret when the key gets lost, and
 * is known to kernels too. AES first: processors have instructions for it; a client without them
 * puts ChaCha20 first and gets it. */
#define CIPHERS_1_2                                                  \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* ---- what clients ask for --------------------------------------------------------------- */

/* The certificate that has the name, not counting wildcards or counting them. */
static SSL_CTX *ctx_of(const struct server_tls *tls, const char *name, unsigned flags)
{
	for (unsigned i = 0; i < tls->nr; i++) {
		X509 *cert = SSL_CTX_get0_certificate(tls->ctx[i]);

		if (X509_check_host(cert, name, 0, flags, NULL) == 1)
			return tls->ctx[i];
	}
	return NULL;
}

static int on_name(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct server_tls *tls = arg;
	SSL_CTX *ctx;

	(void)alert;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	ctx = ctx_of(tls, name, X509_CHECK_FLAG_NO_WILDCARDS);
	if (!ctx)
		ctx = ctx_of(tls, name, 0);
	if (!ctx)
		return SSL_TLSEXT_ERR_NOACK; /* the first one: the client decides */
	SSL_set_SSL_CTX(ssl, ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* A client that names protocols must name ours (RFC 7301, 3.2). */
static int on_protocols(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
			const unsigned char *names, unsigned len, void *arg)
{
	static const unsigned char http[] = "\x08http/1.1";
	unsigned char *found;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&found, ret_len, http, sizeof(http) - 1, names, len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = found;
	return SSL_TLSEXT_ERR_OK;
}

/* ---- contexts --------------------------------------------------------------------------- */

/* A key that wants a password would make OpenSSL ask on the terminal. */
static int no_password(char *buf, int size, int writes, void *ctx)
{
	(void)buf;
	(void)size;
	(void)writes;
	(void)ctx;
	return -1;
}

static bool set_up(SSL_CTX *ctx, struct server_tls *tls, int min)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Tickets, not memory, and one of them: those of TLS 1.3 are for one use each. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_timeout(ctx, TICKET_SECONDS);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_tickets_key);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	SSL_CTX_set_alpn_select_cb(ctx, on_protocols, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, tls);
	if (tls->kernel)
		SSL_CTX_set_keylog_callback(ctx, tls_keys_secret);
	return SSL_CTX_set_min_proto_version(ctx, min) == 1 &&
	       SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
	       SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1;
}

static int add_pair(struct server_tls *tls, const struct server_tls_opts *opts)
{
	int min = opts->min && strcmp(opts->min, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	int64_t expires;
	int code;

	if (!ctx)
		return cli_fail_errno("memory", ENOMEM, NULL);
	tls->ctx[tls->nr] = ctx;
	if (!set_up(ctx, tls, min))
		return cli_fail(CLI_MACHINE, "TLS", ERR_reason_error_string(ERR_peek_last_error()),
				"see openssl.cnf(5) for what this machine forbids");
	code = tls_cert_load(ctx, opts->certs->value[tls->nr], opts->keys->value[tls->nr]);
	if (code != CLI_DONE)
		return code;
	expires = tls_cert_expires(ctx);
	if (!tls->nr || expires < tls->expires)
		tls->expires = expires;
	return CLI_DONE;
}

int server_tls_open(const struct server_tls_opts *opts, struct server_tls **ret)
{
	struct server_tls *tls = calloc(1, sizeof(*tls));
	int code = CLI_DONE;

	if (tls)
		tls->wire = tls_wire_new();
	if (!tls || !tls->wire || !tls_tickets_init(&tls->tickets)) {
		BIO_meth_free(tls ? tls->wire : NULL);
		free(tls);
		return cli_fail_errno("memory", ENOMEM, NULL);
	}
	tls->refs = 1;
	tls->kernel = opts->kernel;
	while (code == CLI_DONE && tls->nr < opts->certs->nr) {
		code = add_pair(tls, opts);
		tls->nr++;
	}
	ERR_clear_error();
	if (code == CLI_DONE)
		*ret = tls;
	else
		server_tls_put(tls);
	return code;
}

struct server_tls *server_tls_get(struct server_tls *tls)
{
	__atomic_fetch_add(&tls->refs, 1, __ATOMIC_RELAXED);
	return tls;
}

void server_tls_put(struct server_tls *tls)
{
	/* Acquire and release: the last one sees what the others did before they let go. */
	if (!tls || __atomic_sub_fetch(&tls->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (unsigned i = 0; i < tls->nr; i++)
		SSL_CTX_free(tls->ctx[i]);
	BIO_meth_free(tls->wire);
	tls_tickets_fini(&tls->tickets);
	free(tls);
}

int64_t server_tls_expires(const struct server_tls *tls)
{
	return tls->expires;
}

/* ENOTCONN says that it is there, and wants a connection. */
bool server_tls_kernel(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -1 : setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls"));
	bool there = fd >= 0 && (rc == 0 || errno == ENOTCONN);

	if (fd >= 0)
		close(fd);
	return there;
}

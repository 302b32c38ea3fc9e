/* tls_openssl.h: what the files that know OpenSSL share. */
#ifndef SLUICE_TOOLS_SERVER_TLS_OPENSSL_H
#define SLUICE_TOOLS_SERVER_TLS_OPENSSL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <openssl/x509v3.h>

#include "tools/server/tls.h"

#define TLS_SECRET_MAX	64
#define TLS_TICKET_NAME 16

struct tls_ticket_key {
	unsigned char name[TLS_TICKET_NAME];
	unsigned char cipher[32];
	unsigned char mac[32];
};

/* The key that seals tickets now, and the one before. */
struct tls_tickets {
	pthread_mutex_t lock;
	struct tls_ticket_key key[2];
	int64_t turned; /* seconds since the machine started */
};

struct server_tls {
	uint32_t refs; /* atomic */
	bool kernel;
	BIO_METHOD *wire;
	unsigned nr;
	SSL_CTX *ctx[CLI_LIST_MAX];
	int64_t expires;
	struct tls_tickets tickets;
};

struct server_tls_session {
	struct server_tls *tls;
	SSL *ssl;
	const char *in; /* not read yet */
	size_t in_len;
	struct server_tls_bytes out;

	/* For the kernel's keys: records written under the present one, and in TLS 1.3 the secret
	 * it comes from. */
	uint64_t written;
	uint8_t alert;
	uint32_t secret_len;
	unsigned char secret[TLS_SECRET_MAX];
};

/* Reads a pair of files into a context and checks it. Return: an exit code, said why. */
int tls_cert_load(SSL_CTX *ctx, const char *cert, const char *key);

/* When it expires, in seconds since 1970. */
int64_t tls_cert_expires(const SSL_CTX *ctx);

/* False when there is no randomness. */
bool tls_tickets_init(struct tls_tickets *tickets);
void tls_tickets_fini(struct tls_tickets *tickets);

/* A new key; the one before the last is forgotten. */
bool tls_tickets_turn(struct tls_tickets *tickets);

/* OpenSSL asks for the key of a ticket. */
int tls_tickets_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		    EVP_MAC_CTX *mac, int seals);

/* Between the bytes of a session and OpenSSL; NULL when memory runs out. */
BIO_METHOD *tls_wire_new(void);

/* OpenSSL tells of a secret, as text. */
void tls_keys_secret(const SSL *ssl, const char *line);

/* OpenSSL tells of what it writes. */
void tls_keys_message(int writes, int version, int type, const void *buf, size_t len, SSL *ssl,
		      void *arg);

#endif

/* peer.h: the other end of TLS: certificates for a server, and what a client is made from. */
#ifndef SLUICE_TESTS_SERVE_PEER_H
#define SLUICE_TESTS_SERVE_PEER_H

#include <openssl/ssl.h>

/* A version of TLS, and a cipher in it. */
struct peer_suite {
	int version;
	const char *cipher;
};

extern const struct peer_suite peer_suites[];
extern const unsigned peer_suites_nr;

/* Writes a key, and a certificate for it in the name of "localhost", as PEM; a test that cannot
 * fails. */
void peer_write_certificate(const char *cert, const char *key);

/* A client that speaks one version and, unless NULL, one cipher, and takes any certificate. */
SSL_CTX *peer_context(int version, const char *cipher);

#endif

/* peer.c: the other end of TLS; see peer.h. */
#include "tests/serve/peer.h"

#include "harness.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#define DAY 86400

const struct peer_suite peer_suites[] = {
	{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256" },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384" },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305" },
	{ TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256" },
	{ TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384" },
	{ TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256" },
};

const unsigned peer_suites_nr = sizeof(peer_suites) / sizeof(peer_suites[0]);

static X509 *sign(EVP_PKEY *pair)
{
	X509 *made = X509_new();
	X509_NAME *name = X509_get_subject_name(made);

	X509_set_version(made, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
	X509_gmtime_adj(X509_getm_notBefore(made), -DAY);
	X509_gmtime_adj(X509_getm_notAfter(made), DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
				   -1, 0);
	X509_set_issuer_name(made, name);
	X509_set_pubkey(made, pair);
	assert_true(X509_sign(made, pair, EVP_sha256()) > 0);
	return made;
}

void peer_write_certificate(const char *cert, const char *key)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *made = sign(pair);
	FILE *file = fopen(key, "w");

	assert_non_null(file);
	assert_int_equal(PEM_write_PrivateKey(file, pair, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(file), 0);
	file = fopen(cert, "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, made), 1);
	assert_int_equal(fclose(file), 0);
	X509_free(made);
	EVP_PKEY_free(pair);
}

SSL_CTX *peer_context(int version, const char *cipher)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	assert_non_null(ctx);
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	if (cipher && version == TLS1_3_VERSION)
		assert_int_equal(SSL_CTX_set_ciphersuites(ctx, cipher), 1);
	else if (cipher)
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, cipher), 1);
	return ctx;
}

/*
 * tls_keys.c: the keys of a session in the form that the kernel takes them in.
 *
 * OpenSSL has no call for them, but all that they come from: in TLS 1.3 it tells of the secret of
 * what the server sends (the callback meant for key logs; nothing is logged), in TLS 1.2 of the
 * master secret and both random numbers. RFC 8446, 7.3, and RFC 5246, 6.3, do the rest.
 *
 * The number of the next record is counted by looking at what OpenSSL writes: from the Finished of
 * TLS 1.3, and from the ChangeCipherSpec of TLS 1.2, each record's head counts.
 */
#include <errno.h>
#include <linux/tls.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <string.h>

#include "tools/server/tls_openssl.h"

#define KEY_MAX	   32
#define NONCE_LEN  12
#define RANDOM_LEN 32
#define MASTER_MAX 48

_Static_assert(sizeof(struct tls12_crypto_info_aes_gcm_256) <=
		       sizeof(((struct server_tls_keys *)0)->info),
	       "all of these have room");
_Static_assert(sizeof(struct tls12_crypto_info_chacha20_poly1305) <=
		       sizeof(((struct server_tls_keys *)0)->info),
	       "all of these have room");

/* What the kernel must be told, whatever the cipher. */
struct parts {
	unsigned version;
	size_t key_len;
	size_t fixed_len; /* of the nonce, TLS 1.2: what comes from the secret */
	unsigned char key[KEY_MAX];
	unsigned char nonce[NONCE_LEN];
	unsigned char record[8];
};

/* ---- what OpenSSL tells ----------------------------------------------------------------- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "SERVER_TRAFFIC_SECRET_0 RANDOM SECRET", both in hexadecimal. */
void tls_keys_secret(const SSL *ssl, const char *line)
{
	static const char label[] = "SERVER_TRAFFIC_SECRET_0 ";
	struct server_tls_session *session = SSL_get_app_data(ssl);
	uint32_t len = 0;

	if (strncmp(line, label, sizeof(label) - 1) != 0)
		return;
	line = strchr(line + sizeof(label) - 1, ' ');
	if (!line)
		return;
	for (line++; len < TLS_SECRET_MAX && hex(line[0]) >= 0 && hex(line[1]) >= 0; line += 2)
		session->secret[len++] = (unsigned char)(hex(line[0]) << 4 | hex(line[1]));
	session->secret_len = len;
}

void tls_keys_message(int writes, int version, int type, const void *buf, size_t len, SSL *ssl,
		      void *arg)
{
	struct server_tls_session *session = arg;
	const unsigned char *bytes = buf;

	(void)ssl;
	if (!writes)
		return;
	if (type == SSL3_RT_HEADER)
		session->written++;
	else if (type == SSL3_RT_CHANGE_CIPHER_SPEC && version == TLS1_2_VERSION)
		session->written = 0;
	else if (type == SSL3_RT_HANDSHAKE && version == TLS1_3_VERSION && len &&
		 bytes[0] == SSL3_MT_FINISHED)
		session->written = 0;
	else if (type == SSL3_RT_ALERT && len == 2)
		session->alert = bytes[1];
}

/* ---- derivation ------------------------------------------------------------------------- */

static int derive(const char *kdf_name, const OSSL_PARAM *params, unsigned char *ret, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int rc = ctx ? EVP_KDF_derive(ctx, ret, len, params) : 0;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return rc == 1 ? 0 : -EIO;
}

/* HKDF-Expand-Label(secret, label, "", len) */
static int expand(const struct server_tls_session *session, const char *digest, const char *label,
		  unsigned char *ret, size_t len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	unsigned char info[32] = { 0, (unsigned char)len, (unsigned char)(6 + strlen(label)) };
	const OSSL_PARAM params[] = {
		OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY,
					(unsigned char *)(uintptr_t)session->secret,
					session->secret_len),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, info, 3 + 6 + strlen(label) + 1),
		OSSL_PARAM_END,
	};

	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	return derive("HKDF", params, ret, len);
}

static int derive_1_3(const struct server_tls_session *session, const char *digest,
		      struct parts *parts)
{
	int rc = session->secret_len ? expand(session, digest, "key", parts->key, parts->key_len) :
				       -EIO;

	return rc ? rc : expand(session, digest, "iv", parts->nonce, NONCE_LEN);
}

/* TLS 1.2 with AES-GCM: eight bytes of the nonce are ours to choose, and must never come twice with
 * the same key. OpenSSL has used one, in its Finished, that began at random: so do these, which
 * makes meeting it as likely as guessing it. */
static int derive_1_2(const struct server_tls_session *session, const char *digest,
		      struct parts *parts)
{
	static const char label[] = "key expansion";
	unsigned char seed[sizeof(label) - 1 + 2 * RANDOM_LEN], master[MASTER_MAX];
	unsigned char block[2 * (KEY_MAX + NONCE_LEN)];
	size_t len =
		SSL_SESSION_get_master_key(SSL_get_session(session->ssl), master, sizeof(master));
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, master, len),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
		OSSL_PARAM_END,
	};
	int rc;

	memcpy(seed, label, sizeof(label) - 1);
	SSL_get_server_random(session->ssl, seed + sizeof(label) - 1, RANDOM_LEN);
	SSL_get_client_random(session->ssl, seed + sizeof(label) - 1 + RANDOM_LEN, RANDOM_LEN);
	/* Both keys, the client's first, then both nonces. */
	rc = derive("TLS1-PRF", params, block, 2 * (parts->key_len + parts->fixed_len));
	memcpy(parts->key, block + parts->key_len, parts->key_len);
	memcpy(parts->nonce, block + 2 * parts->key_len + parts->fixed_len, parts->fixed_len);
	if (rc == 0 && parts->fixed_len < NONCE_LEN &&
	    RAND_bytes(parts->nonce + parts->fixed_len, (int)(NONCE_LEN - parts->fixed_len)) != 1)
		rc = -EIO;
	OPENSSL_cleanse(master, sizeof(master));
	OPENSSL_cleanse(block, sizeof(block));
	return rc;
}

/* ---- the kernel's form ------------------------------------------------------------------ */

static struct tls_crypto_info head_of(const struct parts *parts, unsigned cipher)
{
	return (struct tls_crypto_info){ .version = (uint16_t)parts->version,
					 .cipher_type = (uint16_t)cipher };
}

static socklen_t put_aes_128(const struct parts *parts, void *ret)
{
	struct tls12_crypto_info_aes_gcm_128 *info = ret;

	info->info = head_of(parts, TLS_CIPHER_AES_GCM_128);
	memcpy(info->salt, parts->nonce, sizeof(info->salt));
	memcpy(info->iv, parts->nonce + sizeof(info->salt), sizeof(info->iv));
	memcpy(info->key, parts->key, sizeof(info->key));
	memcpy(info->rec_seq, parts->record, sizeof(info->rec_seq));
	return sizeof(*info);
}

static socklen_t put_aes_256(const struct parts *parts, void *ret)
{
	struct tls12_crypto_info_aes_gcm_256 *info = ret;

	info->info = head_of(parts, TLS_CIPHER_AES_GCM_256);
	memcpy(info->salt, parts->nonce, sizeof(info->salt));
	memcpy(info->iv, parts->nonce + sizeof(info->salt), sizeof(info->iv));
	memcpy(info->key, parts->key, sizeof(info->key));
	memcpy(info->rec_seq, parts->record, sizeof(info->rec_seq));
	return sizeof(*info);
}

static socklen_t put_chacha20(const struct parts *parts, void *ret)
{
	struct tls12_crypto_info_chacha20_poly1305 *info = ret;

	info->info = head_of(parts, TLS_CIPHER_CHACHA20_POLY1305);
	memcpy(info->iv, parts->nonce, sizeof(info->iv));
	memcpy(info->key, parts->key, sizeof(info->key));
	memcpy(info->rec_seq, parts->record, sizeof(info->rec_seq));
	return sizeof(*info);
}

struct cipher {
	int nid;
	size_t key_len;
	size_t fixed_len;
	socklen_t (*put)(const struct parts *parts, void *ret);
};

static const struct cipher ciphers[] = {
	{ NID_aes_128_gcm, 16, 4, put_aes_128 },
	{ NID_aes_256_gcm, 32, 4, put_aes_256 },
	{ NID_chacha20_poly1305, 32, NONCE_LEN, put_chacha20 },
};

static const struct cipher *cipher_of(const struct server_tls_session *session)
{
	int nid = SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(session->ssl));

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (ciphers[i].nid == nid)
			return &ciphers[i];
	}
	return NULL;
}

bool server_tls_suits_kernel(const struct server_tls_session *session)
{
	return session->tls->kernel && cipher_of(session);
}

int server_tls_keys(const struct server_tls_session *session, struct server_tls_keys *ret)
{
	const struct cipher *cipher = session->tls->kernel ? cipher_of(session) : NULL;
	struct parts parts = { .version = (unsigned)SSL_version(session->ssl) };
	const char *digest;
	int rc;

	if (!cipher)
		return -EOPNOTSUPP;
	digest = EVP_MD_get0_name(
		SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(session->ssl)));
	parts.key_len = cipher->key_len;
	parts.fixed_len = cipher->fixed_len;
	for (unsigned i = 0; i < sizeof(parts.record); i++)
		parts.record[i] = (unsigned char)(session->written >> (56 - 8 * i));
	rc = parts.version == TLS1_3_VERSION ? derive_1_3(session, digest, &parts) :
					       derive_1_2(session, digest, &parts);
	if (rc == 0)
		ret->len = cipher->put(&parts, ret->info);
	OPENSSL_cleanse(&parts, sizeof(parts));
	ERR_clear_error();
	return rc;
}

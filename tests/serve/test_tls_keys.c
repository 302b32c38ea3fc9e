/*
 * test_tls_keys.c: the keys for the kernel are those of the session.
 *
 * What the kernel would do is done here: a record is sealed with these keys alone, by the book, and
 * a client that OpenSSL runs must be able to open it. So this needs no kernel that can.
 */
#include "harness.h"

#include <errno.h>
#include <linux/tls.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "tests/serve/peer.h"
#include "tools/server/tls_openssl.h"

#define TAG_LEN	  16
#define NONCE_LEN 12

/* Both ends of a connection, and what goes between them. */
struct pair {
	struct server_tls *tls;
	struct server_tls_session *server;
	SSL_CTX *ctx;
	SSL *client;
	BIO *to_client;
	BIO *to_server;
};

static void pass(struct pair *pair)
{
	struct server_tls_bytes bytes;
	static char buf[65536];
	int len;

	server_tls_take(pair->server, &bytes);
	if (bytes.len)
		assert_int_equal(BIO_write(pair->to_client, bytes.at, (int)bytes.len), bytes.len);
	free(bytes.at);
	len = BIO_read(pair->to_server, buf, sizeof(buf));
	server_tls_feed(pair->server, buf, len > 0 ? (size_t)len : 0);
}

static void connect_pair(struct pair *pair, SSL_SESSION *session)
{
	int server = -EAGAIN, client = 0;

	pair->server = server_tls_session_new(pair->tls);
	pair->client = SSL_new(pair->ctx);
	pair->to_client = BIO_new(BIO_s_mem());
	pair->to_server = BIO_new(BIO_s_mem());
	SSL_set_bio(pair->client, pair->to_client, pair->to_server);
	SSL_set_connect_state(pair->client);
	if (session)
		SSL_set_session(pair->client, session);
	for (unsigned i = 0; i < 10 && (server || client != 1); i++) {
		client = SSL_do_handshake(pair->client);
		pass(pair);
		if (server)
			server = server_tls_shake(pair->server);
	}
	assert_int_equal(server, 0);
	assert_int_equal(client, 1);
	pass(pair);
}

static void disconnect(struct pair *pair)
{
	/* Otherwise OpenSSL takes the session for a bad one. */
	SSL_shutdown(pair->client);
	server_tls_session_free(pair->server);
	SSL_free(pair->client);
}

static void open_pair(struct pair *pair, const struct peer_suite *suite)
{
	const char *dir = support_tmpdir(), *cert = support_path(dir, "cert.pem"),
		   *key = support_path(dir, "key.pem");
	struct cli_list certs = { .value = { cert }, .nr = 1 },
			keys = { .value = { key }, .nr = 1 };
	const struct server_tls_opts opts = { .certs = &certs, .keys = &keys, .kernel = true };

	peer_write_certificate(cert, key);
	assert_int_equal(server_tls_open(&opts, &pair->tls), CLI_DONE);
	pair->ctx = peer_context(suite->version, suite->cipher);
}

static void close_pair(struct pair *pair)
{
	server_tls_put(pair->tls);
	SSL_CTX_free(pair->ctx);
}

/* ---- a record, by the book ------------------------------------------------------------------ */

/* What is common to the kernel's structures. */
struct seal {
	bool old; /* TLS 1.2 */
	const EVP_CIPHER *cipher;
	const unsigned char *key;
	unsigned char nonce[NONCE_LEN];
	uint64_t number;
	bool explicit; /* eight bytes of the nonce go with the record */
};

static uint64_t number_of(const unsigned char *bytes)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

static void read_gcm(struct seal *seal, const unsigned char *key, const unsigned char *salt,
		     const unsigned char *iv, const unsigned char *rec_seq)
{
	seal->key = key;
	memcpy(seal->nonce, salt, 4);
	memcpy(seal->nonce + 4, iv, 8);
	seal->number = number_of(rec_seq);
	seal->explicit = seal->old;
}

static struct seal seal_of(const struct server_tls_keys *keys)
{
	const struct tls12_crypto_info_aes_gcm_128 *aes128 = (const void *)keys->info;
	const struct tls12_crypto_info_aes_gcm_256 *aes256 = (const void *)keys->info;
	const struct tls12_crypto_info_chacha20_poly1305 *chacha = (const void *)keys->info;
	struct seal seal = { .old = aes128->info.version == TLS_1_2_VERSION };

	if (aes128->info.cipher_type == TLS_CIPHER_AES_GCM_128) {
		assert_int_equal(keys->len, sizeof(*aes128));
		seal.cipher = EVP_aes_128_gcm();
		read_gcm(&seal, aes128->key, aes128->salt, aes128->iv, aes128->rec_seq);
	} else if (aes128->info.cipher_type == TLS_CIPHER_AES_GCM_256) {
		assert_int_equal(keys->len, sizeof(*aes256));
		seal.cipher = EVP_aes_256_gcm();
		read_gcm(&seal, aes256->key, aes256->salt, aes256->iv, aes256->rec_seq);
	} else {
		assert_int_equal(aes128->info.cipher_type, TLS_CIPHER_CHACHA20_POLY1305);
		assert_int_equal(keys->len, sizeof(*chacha));
		seal.cipher = EVP_chacha20_poly1305();
		seal.key = chacha->key;
		memcpy(seal.nonce, chacha->iv, NONCE_LEN);
		seal.number = number_of(chacha->rec_seq);
	}
	return seal;
}

/* RFC 8446, 5.2; RFC 5246, 6.2.3.3, with RFC 5288 and RFC 7905. */
static size_t seal_record(const struct seal *seal, const char *text, unsigned char *ret)
{
	unsigned char plain[256], extra[13], nonce[NONCE_LEN];
	size_t len = strlen(text), head = 5 + (seal->explicit ? 8 : 0), extra_len = 5;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int part;

	memcpy(plain, text, len);
	if (!seal->old)
		plain[len++] = 23; /* the type of what is inside */
	memcpy(nonce, seal->nonce, sizeof(nonce));
	for (unsigned i = 0; i < 8 && !seal->explicit; i++)
		nonce[4 + i] ^= (unsigned char)(seal->number >> (56 - 8 * i));
	memcpy(ret, "\x17\x03\x03", 3);
	ret[3] = 0;
	ret[4] = (unsigned char)(head - 5 + len + TAG_LEN);
	if (seal->explicit)
		memcpy(ret + 5, nonce + 4, 8);
	memcpy(extra, ret, 5);
	if (seal->old) {
		for (unsigned i = 0; i < 8; i++)
			extra[i] = (unsigned char)(seal->number >> (56 - 8 * i));
		memcpy(extra + 8, "\x17\x03\x03\x00", 4);
		extra[12] = (unsigned char)len;
		extra_len = 13;
	}
	assert_int_equal(EVP_EncryptInit_ex(ctx, seal->cipher, NULL, seal->key, nonce), 1);
	EVP_EncryptUpdate(ctx, NULL, &part, extra, (int)extra_len);
	EVP_EncryptUpdate(ctx, ret + head, &part, plain, (int)len);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, ret + head + len, &part), 1);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, ret + head + len);
	EVP_CIPHER_CTX_free(ctx);
	return head + len + TAG_LEN;
}

/* Seals some records as the kernel would and lets the client open them. */
static void expect_opened(struct pair *pair)
{
	struct server_tls_keys keys;
	struct seal seal;

	assert_true(server_tls_suits_kernel(pair->server));
	assert_int_equal(server_tls_keys(pair->server, &keys), 0);
	seal = seal_of(&keys);
	for (unsigned i = 0; i < 3; i++, seal.number++) {
		unsigned char record[512];
		char text[64], got[64];
		size_t len;

		snprintf(text, sizeof(text), "sealed by the kernel's keys, %u", i);
		len = seal_record(&seal, text, record);
		assert_int_equal(BIO_write(pair->to_client, record, (int)len), len);
		assert_int_equal(SSL_read(pair->client, got, sizeof(got)), strlen(text));
		assert_memory_equal(got, text, strlen(text));
		for (unsigned k = 12; k-- > 4 && seal.explicit && !++seal.nonce[k];)
			;
	}
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void a_client_opens_what_is_sealed_with_them_by_every_cipher(void **state)
{
	(void)state;
	for (unsigned i = 0; i < peer_suites_nr; i++) {
		struct pair pair;

		print_message("# %s\n", peer_suites[i].cipher);
		open_pair(&pair, &peer_suites[i]);
		connect_pair(&pair, NULL);
		assert_string_equal(SSL_get_cipher_name(pair.client), peer_suites[i].cipher);
		expect_opened(&pair);
		disconnect(&pair);
		close_pair(&pair);
	}
}

static void also_after_openssl_has_sent_some_itself(void **state)
{
	(void)state;
	for (unsigned i = 0; i < peer_suites_nr; i++) {
		struct pair pair;
		char got[64];

		open_pair(&pair, &peer_suites[i]);
		connect_pair(&pair, NULL);
		for (unsigned k = 0; k < 5; k++) {
			assert_int_equal(server_tls_write(pair.server, "openssl", 7), 0);
			pass(&pair);
			assert_int_equal(SSL_read(pair.client, got, sizeof(got)), 7);
		}
		expect_opened(&pair);
		disconnect(&pair);
		close_pair(&pair);
	}
}

static void also_on_a_session_that_is_resumed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < peer_suites_nr; i++) {
		SSL_SESSION *session;
		struct pair pair;
		char got[8];

		open_pair(&pair, &peer_suites[i]);
		connect_pair(&pair, NULL);
		/* The ticket of TLS 1.3 comes behind the handshake. */
		assert_int_equal(SSL_read(pair.client, got, sizeof(got)), -1);
		session = SSL_get1_session(pair.client);
		disconnect(&pair);
		connect_pair(&pair, session);
		assert_true(server_tls_is_resumed(pair.server));
		expect_opened(&pair);
		disconnect(&pair);
		SSL_SESSION_free(session);
		close_pair(&pair);
	}
}

/* Resumes a session after so many changes of the keys of tickets. */
static bool is_resumed_after(const struct peer_suite *suite, unsigned turns)
{
	SSL_SESSION *session;
	struct pair pair;
	bool resumed;
	char got[8];

	open_pair(&pair, suite);
	connect_pair(&pair, NULL);
	assert_int_equal(SSL_read(pair.client, got, sizeof(got)), -1);
	session = SSL_get1_session(pair.client);
	disconnect(&pair);
	for (unsigned i = 0; i < turns; i++)
		assert_true(tls_tickets_turn(&pair.tls->tickets));
	connect_pair(&pair, session);
	resumed = server_tls_is_resumed(pair.server);
	disconnect(&pair);
	SSL_SESSION_free(session);
	close_pair(&pair);
	return resumed;
}

static void a_ticket_opens_until_its_key_is_forgotten(void **state)
{
	(void)state;
	for (unsigned i = 0; i < peer_suites_nr; i += 3) {
		assert_true(is_resumed_after(&peer_suites[i], 0));
		assert_true(is_resumed_after(&peer_suites[i], 1));
		assert_false(is_resumed_after(&peer_suites[i], 2));
	}
}

static void a_peer_that_wants_new_keys_is_noticed(void **state)
{
	struct pair pair;
	char buf[64];

	(void)state;
	open_pair(&pair, &peer_suites[3]);
	connect_pair(&pair, NULL);
	assert_false(server_tls_owes_update(pair.server));
	SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED);
	assert_int_equal(SSL_write(pair.client, "text", 4), 4);
	pass(&pair);
	assert_int_equal(server_tls_read(pair.server, buf, sizeof(buf)), 4);
	assert_true(server_tls_owes_update(pair.server));
	disconnect(&pair);
	close_pair(&pair);
}

static void without_being_asked_for_them_there_are_none(void **state)
{
	struct server_tls_keys keys;
	const char *dir = support_tmpdir(), *cert = support_path(dir, "cert.pem"),
		   *key = support_path(dir, "key.pem");
	struct cli_list certs = { .value = { cert }, .nr = 1 },
			keyfiles = { .value = { key }, .nr = 1 };
	const struct server_tls_opts opts = { .certs = &certs, .keys = &keyfiles };
	struct pair pair;

	(void)state;
	peer_write_certificate(cert, key);
	assert_int_equal(server_tls_open(&opts, &pair.tls), CLI_DONE);
	pair.ctx = peer_context(TLS1_3_VERSION, NULL);
	connect_pair(&pair, NULL);
	assert_false(server_tls_suits_kernel(pair.server));
	assert_int_equal(server_tls_keys(pair.server, &keys), -EOPNOTSUPP);
	disconnect(&pair);
	close_pair(&pair);
}

static void output_that_nobody_takes_is_bounded(void **state)
{
	static char data[SERVER_TLS_RECORD];
	struct pair pair;
	int rc = 0;

	(void)state;
	open_pair(&pair, &peer_suites[3]);
	connect_pair(&pair, NULL);
	for (unsigned i = 0; i < 100 && rc == 0; i++)
		rc = server_tls_write(pair.server, data, sizeof(data));
	assert_int_equal(rc, -EPROTO);
	assert_true(server_tls_waiting(pair.server) <= 256 << 10);
	disconnect(&pair);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_opens_what_is_sealed_with_them_by_every_cipher),
		TEST(also_after_openssl_has_sent_some_itself),
		TEST(also_on_a_session_that_is_resumed),
		TEST(a_ticket_opens_until_its_key_is_forgotten),
		TEST(a_peer_that_wants_new_keys_is_noticed),
		TEST(without_being_asked_for_them_there_are_none),
		TEST(output_that_nobody_takes_is_bounded),
	};

	return RUN_TESTS(tests);
}

/*
 * tls_ticket.c: the keys of session tickets: made here, replaced every hour, forgotten an hour
 * later.
 *
 * A ticket holds what opens a session; whoever gets its key opens every session that was recorded
 * with it. OpenSSL's own keys live as long as the process. The form is that of RFC 5077, 4.
 */
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "tools/server/tls_openssl.h"

#define TURN_SECONDS 3600

static int64_t now(void)
{
	struct timespec when;

	clock_gettime(CLOCK_BOOTTIME, &when);
	return when.tv_sec;
}

static bool make_key(struct tls_ticket_key *key)
{
	return RAND_bytes(key->name, sizeof(key->name)) == 1 &&
	       RAND_priv_bytes(key->cipher, sizeof(key->cipher)) == 1 &&
	       RAND_priv_bytes(key->mac, sizeof(key->mac)) == 1;
}

static bool turn(struct tls_tickets *tickets)
{
	tickets->key[1] = tickets->key[0];
	tickets->turned = now();
	return make_key(&tickets->key[0]);
}

bool tls_tickets_init(struct tls_tickets *tickets)
{
	pthread_mutex_init(&tickets->lock, NULL);
	/* Twice: the older one must be nobody's guess either. */
	return turn(tickets) && turn(tickets);
}

void tls_tickets_fini(struct tls_tickets *tickets)
{
	pthread_mutex_destroy(&tickets->lock);
	OPENSSL_cleanse(tickets->key, sizeof(tickets->key));
}

bool tls_tickets_turn(struct tls_tickets *tickets)
{
	bool made;

	pthread_mutex_lock(&tickets->lock);
	made = turn(tickets);
	pthread_mutex_unlock(&tickets->lock);
	return made;
}

/* The key that seals now, or the one of a name. Return: 1; 2: it is the older one; 0: there is
 * none, so that the whole handshake is done; -1. */
static int find(struct tls_tickets *tickets, const unsigned char *name, struct tls_ticket_key *ret)
{
	int which = 1;

	pthread_mutex_lock(&tickets->lock);
	/* After a long silence both are too old. */
	while (which == 1 && now() >= tickets->turned + TURN_SECONDS) {
		bool silent = now() >= tickets->turned + 2 * TURN_SECONDS;

		which = turn(tickets) && (!silent || turn(tickets)) ? 1 : -1;
	}
	if (which == 1 && name && memcmp(name, tickets->key[0].name, TLS_TICKET_NAME))
		which = memcmp(name, tickets->key[1].name, TLS_TICKET_NAME) ? 0 : 2;
	if (which > 0)
		*ret = tickets->key[which - 1];
	pthread_mutex_unlock(&tickets->lock);
	return which;
}

static bool set_mac(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
	static char digest[] = "SHA256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_END,
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

int tls_tickets_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		    EVP_MAC_CTX *mac, int seals)
{
	struct server_tls_session *session = SSL_get_app_data(ssl);
	struct tls_ticket_key key;
	int which = find(&session->tls->tickets, seals ? NULL : name, &key);

	if (which <= 0)
		return which;
	if (seals) {
		memcpy(name, key.name, sizeof(key.name));
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			which = -1;
	}
	if (which > 0 &&
	    (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv, seals) != 1 ||
	     !set_mac(mac, &key)))
		which = -1;
	OPENSSL_cleanse(&key, sizeof(key));
	return which;
}

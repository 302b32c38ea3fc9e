/* tls_cert.c: a certificate and its key, read from files and checked, with words for what is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tools/server/tls_openssl.h"

#define TEXT_BYTES 512

/* OpenSSL's words for a file that cannot be opened are not those of the machine. */
static int readable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return cli_fail_errno(path, errno, NULL);
	close(fd);
	return CLI_DONE;
}

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "unknown";
}

static bool failed_with(int library, int code)
{
	unsigned long err;

	while ((err = ERR_get_error())) {
		if (ERR_GET_LIB(err) == library && ERR_GET_REASON(err) == code)
			return true;
	}
	return false;
}

static int64_t seconds_of(const ASN1_TIME *when)
{
	struct tm parts;

	return ASN1_TIME_to_tm(when, &parts) == 1 ? (int64_t)timegm(&parts) : INT64_MAX;
}

static void print_day(const ASN1_TIME *when, char text[32])
{
	struct tm parts = { 0 };

	ASN1_TIME_to_tm(when, &parts);
	strftime(text, 32, "%Y-%m-%d %H:%M UTC", &parts);
}

static int check_dates(const SSL_CTX *ctx, const char *path)
{
	const X509 *cert = SSL_CTX_get0_certificate(ctx);
	const ASN1_TIME *from = X509_get0_notBefore(cert), *to = X509_get0_notAfter(cert);
	char text[TEXT_BYTES], day[32];

	if (X509_cmp_current_time(to) < 0) {
		print_day(to, day);
		snprintf(text, sizeof(text), "the certificate expired on %s", day);
		return cli_fail(CLI_USAGE, path, text, "renew it");
	}
	if (X509_cmp_current_time(from) > 0) {
		print_day(from, day);
		snprintf(text, sizeof(text), "the certificate is not valid before %s", day);
		return cli_fail(CLI_USAGE, path, text, "look at the machine's clock");
	}
	return CLI_DONE;
}

static int load_key(SSL_CTX *ctx, const char *cert, const char *key)
{
	char text[TEXT_BYTES];

	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1)
		return CLI_DONE;
	snprintf(text, sizeof(text), "no private key could be read from it (%s)", reason());
	if (failed_with(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH) ||
	    failed_with(ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH)) {
		snprintf(text, sizeof(text), "the key does not belong to %s", cert);
		return cli_fail(CLI_USAGE, key, text,
				"give --tls-key in the order of --tls-cert, each with its own");
	}
	return cli_fail(CLI_USAGE, key, text,
			"it must be in PEM and without a password, see `openssl pkey`");
}

int tls_cert_load(SSL_CTX *ctx, const char *cert, const char *key)
{
	char text[TEXT_BYTES];
	int code = readable(cert);

	ERR_clear_error();
	if (code == CLI_DONE && SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
		snprintf(text, sizeof(text), "no certificate could be used from it (%s)", reason());
		code = cli_fail(CLI_USAGE, cert, text,
				"it must be in PEM, the server's own first, see `openssl x509`");
	}
	if (code == CLI_DONE)
		code = check_dates(ctx, cert);
	if (code == CLI_DONE)
		code = readable(key);
	ERR_clear_error();
	return code == CLI_DONE ? load_key(ctx, cert, key) : code;
}

int64_t tls_cert_expires(const SSL_CTX *ctx)
{
	return seconds_of(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx)));
}

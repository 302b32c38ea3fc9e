/* test_tls_none.c: a build without OpenSSL, linked here in its place, says so. */
#include "harness.h"

#include <errno.h>

#include "tools/server/tls.h"

static void certificates_are_refused(void **state)
{
	struct cli_list certs = { .value = { "cert.pem" }, .nr = 1 };
	struct cli_list keys = { .value = { "key.pem" }, .nr = 1 };
	const struct server_tls_opts opts = { .certs = &certs, .keys = &keys };
	struct server_tls *tls = NULL;

	(void)state;
	assert_int_equal(server_tls_open(&opts, &tls), CLI_MACHINE);
	assert_null(tls);
}

static void nothing_is_a_session(void **state)
{
	(void)state;
	assert_null(server_tls_session_new(NULL));
	assert_false(server_tls_kernel());
	assert_int_equal(server_tls_shake(NULL), -EPROTO);
	server_tls_session_free(NULL);
	server_tls_put(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(certificates_are_refused),
		TEST(nothing_is_a_session),
	};

	return RUN_TESTS(tests);
}

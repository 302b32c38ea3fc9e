/*
 * hello.c: whatever a client begins with, reading its ClientHello ends, and what is read is a name.
 *
 * Each beginning of the bytes is read too: more bytes never change an answer that was given.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/proxy/hello_maker.h"
#include "tools/proxy/hello.h"

static int parse(const uint8_t *data, size_t size, char *ret_name)
{
	/* A copy of that size: a read beyond its end is seen. */
	uint8_t *copy = malloc(size ? size : 1);
	int len;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	len = proxy_hello_parse(copy, size, ret_name);
	free(copy);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[PROXY_NAME_MAX + 1], before[PROXY_NAME_MAX + 1];
	int len = parse(data, size, name);

	if (len != -EAGAIN && len != -EILSEQ && (len < 0 || len > PROXY_NAME_MAX))
		abort();
	if (len >= 0 && (strlen(name) != (size_t)len || strpbrk(name, " /:*\r\n\"\\")))
		abort();
	for (size_t part = 0; part < size; part += 1 + part / 8) {
		int first = parse(data, part, before);

		if (first != -EAGAIN && (first != len || (len >= 0 && strcmp(before, name) != 0)))
			abort();
	}
	return 0;
}

size_t fuzz_seed(uint8_t *buf, size_t bytes)
{
	const struct hello_order order = { .name = "www.example.org",
					   .padding = 20,
					   .record_bytes = 60 };
	static uint8_t made[HELLO_ROOM];
	size_t len = hello_make(&order, made);

	if (len > bytes)
		return 0;
	memcpy(buf, made, len);
	return len;
}

/*
 * proxy.c: whatever bytes a peer sends first, reading a PROXY header ends, stays within them, and
 * what it took says the same when it is written and read again.
 *
 * An input is a byte, a header of version 2 and one of version 1: the byte says which of them
 * the peer sends. What is sent is copied to memory of its exact size, so that a sanitizer sees a
 * read beyond it.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sluice/sock.h>

#define V1_AT 75 /* behind the byte, and the seed's version 2 */

static void check_vectors(const struct sl_sock_proxy *proxy, const unsigned char *bytes, int len)
{
	const unsigned char *tlv = proxy->tlv;
	const void *value;

	if (proxy->tlv_len && (tlv < bytes || tlv + proxy->tlv_len > bytes + len))
		abort();
	for (unsigned type = 0; type < 256; type++) {
		int value_len = sl_sock_proxy_tlv(proxy, type, &value);

		if (value_len >= 0 && ((const unsigned char *)value < bytes ||
				       (const unsigned char *)value + value_len > bytes + len))
			abort();
	}
}

static void check_again(const struct sl_sock_proxy *proxy)
{
	unsigned char again[SL_SOCK_PROXY_MAX];
	struct sl_sock_proxy back;
	int len = sl_sock_proxy_write(proxy, again, sizeof(again));

	if (len <= 0 || sl_sock_proxy_parse(again, (size_t)len, &back) != len)
		abort();
	if (!proxy->source.len || proxy->local)
		return;
	if (back.source.len != proxy->source.len || back.target.len != proxy->target.len ||
	    memcmp(&back.source.storage, &proxy->source.storage, back.source.len) ||
	    memcmp(&back.target.storage, &proxy->target.storage, back.target.len))
		abort();
}

static int check(const uint8_t *data, size_t size)
{
	unsigned char *bytes = malloc(size ? size : 1);
	struct sl_sock_proxy proxy;
	char text[SL_SOCK_ADDR_TEXT];
	int len;

	if (!bytes)
		return 0;
	memcpy(bytes, data, size);
	len = sl_sock_proxy_parse(bytes, size, &proxy);
	if (len > 0) {
		if ((size_t)len > size || len > SL_SOCK_PROXY_MAX)
			abort();
		check_vectors(&proxy, bytes, len);
		check_again(&proxy);
		if (proxy.source.len && sl_sock_addr_format(&proxy.source, text, sizeof(text)) < 0)
			abort();
	} else if (len != -EAGAIN && len != -EILSEQ) {
		abort();
	}
	free(bytes);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = size && data[0] & 1 ? V1_AT : 1;

	return size > at ? check(data + at, size - at) : 0;
}

size_t fuzz_seed(uint8_t *buf, size_t bytes)
{
	struct sl_sock_proxy proxy = { .version = 2,
				       .tlv = "\x02\0\x0b"
					      "example.org"
					      "\x20\0\5abcde",
				       .tlv_len = 22 };
	static const char line[] = "PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\nGET";
	int len;

	if (bytes < V1_AT + sizeof(line) ||
	    sl_sock_addr_parse("[2001:db8::1]:1234", &proxy.source) ||
	    sl_sock_addr_parse("[2001:db8::2]:443", &proxy.target))
		return 0;
	buf[0] = 0;
	len = sl_sock_proxy_write(&proxy, buf + 1, bytes - 1);
	if (len != V1_AT - 1)
		return 0;
	memcpy(buf + V1_AT, line, sizeof(line) - 1);
	return V1_AT + sizeof(line) - 1;
}

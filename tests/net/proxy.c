/* proxy.c: PROXY protocol headers, read and written. */
#include "tests/net/tests.h"

#include <stdio.h>

static void expect_text(const struct sl_sock_addr *addr, const char *text)
{
	char back[SL_SOCK_ADDR_TEXT];

	sl_sock_addr_format(addr, back, sizeof(back));
	assert_string_equal(back, text);
}

void a_line_of_version_1_is_read(void **state)
{
	static const char line[] = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /";
	struct sl_sock_proxy proxy;

	(void)state;
	assert_int_equal(sl_sock_proxy_parse(line, sizeof(line) - 1, &proxy), 42);
	assert_int_equal(proxy.version, 1);
	assert_int_equal(proxy.local, 0);
	expect_text(&proxy.source, "192.0.2.1:56324");
	expect_text(&proxy.target, "192.0.2.2:443");
	assert_int_equal(sl_sock_proxy_parse("PROXY UNKNOWN\r\n", 15, &proxy), 15);
	assert_int_equal(proxy.source.len, 0);
	assert_int_equal(sl_sock_proxy_parse("PROXY UNKNOWN ff:: 1 a b\r\n", 26, &proxy), 26);
}

void every_beginning_of_a_header_asks_for_more(void **state)
{
	struct sl_sock_proxy proxy = { .version = 2, .tlv = "\x02\0\3abc", .tlv_len = 6 }, back;
	char header[256];
	int len;

	(void)state;
	assert_int_equal(sl_sock_addr_parse("[2001:db8::1]:1", &proxy.source), 0);
	assert_int_equal(sl_sock_addr_parse("[2001:db8::2]:65535", &proxy.target), 0);
	for (unsigned version = 1; version <= 2; version++) {
		proxy.version = (uint8_t)version;
		proxy.tlv_len = version == 2 ? 6 : 0;
		len = sl_sock_proxy_write(&proxy, header, sizeof(header));
		assert_true(len > 0);
		for (int i = 0; i < len; i++)
			assert_int_equal(sl_sock_proxy_parse(header, (size_t)i, &back), -EAGAIN);
		assert_int_equal(sl_sock_proxy_parse(header, (size_t)len, &back), len);
		for (int i = 0; i < len; i++)
			assert_int_equal(sl_sock_proxy_write(&proxy, header, (size_t)i), -ENOBUFS);
	}
}

void lines_that_version_1_does_not_allow_are_malformed(void **state)
{
	static const char *const lines[] = {
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
		"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
		"PROXY TCP4 ::1 192.0.2.2 1 2\r\n",
		"PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
		"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
		"PROXY\r\n",
		"PROXY \r\n",
		"PROXY UNKNOWNX\r\n",
		"PROXY TCP4 192.0.2.1 192.0.2.2\r1 2\r\n",
		"GET / HTTP/1.1\r\n",
		"\r\n\r\nX",
		"X",
	};
	struct sl_sock_proxy proxy = { .version = 77 };
	char endless[200];

	(void)state;
	for (size_t i = 0; i < NR(lines); i++)
		if (sl_sock_proxy_parse(lines[i], strlen(lines[i]), &proxy) != -EILSEQ)
			fail_msg("took: %s", lines[i]);
	memset(endless, 'x', sizeof(endless));
	memcpy(endless, "PROXY UNKNOWN ", 14);
	assert_int_equal(sl_sock_proxy_parse(endless, 106, &proxy), -EAGAIN);
	assert_int_equal(sl_sock_proxy_parse(endless, 107, &proxy), -EILSEQ);
	assert_int_equal(proxy.version, 77);
}

static const char sign[] = "\r\n\r\n\0\r\nQUIT\n";

static int parse_v2(unsigned char ver, unsigned char fam, const void *body, unsigned len,
		    struct sl_sock_proxy *proxy)
{
	static unsigned char header[70000];

	memcpy(header, sign, 12);
	header[12] = ver;
	header[13] = fam;
	header[14] = (unsigned char)(len >> 8);
	header[15] = (unsigned char)len;
	memcpy(header + 16, body, len);
	return sl_sock_proxy_parse(header, 16 + len, proxy);
}

void headers_of_version_2_are_read(void **state)
{
	static const unsigned char v4[] = { 192,  0,	2, 1, 192, 0,	2,   2,	   0xdc, 4, 1,
					    0xbb, 0x02, 0, 3, 'a', '.', 'b', 0x04, 0,	 0 };
	struct sl_sock_proxy proxy;
	const void *value;

	(void)state;
	assert_int_equal(parse_v2(0x21, 0x11, v4, sizeof(v4), &proxy), 16 + sizeof(v4));
	assert_int_equal(proxy.version, 2);
	expect_text(&proxy.source, "192.0.2.1:56324");
	expect_text(&proxy.target, "192.0.2.2:443");
	assert_int_equal(sl_sock_proxy_tlv(&proxy, 0x02, &value), 3);
	assert_memory_equal(value, "a.b", 3);
	assert_int_equal(sl_sock_proxy_tlv(&proxy, 0x04, &value), 0);
	assert_int_equal(sl_sock_proxy_tlv(&proxy, 0x05, &value), -ENOENT);
	assert_int_equal(parse_v2(0x21, 0x12, v4, 12, &proxy), 28);
	assert_int_equal(proxy.datagram, 1);
	assert_int_equal(parse_v2(0x20, 0x00, "", 0, &proxy), 16);
	assert_int_equal(proxy.local, 1);
	assert_int_equal(proxy.source.len, 0);
	assert_int_equal(parse_v2(0x21, 0x00, "junk", 4, &proxy), 20);
	assert_int_equal(proxy.source.len, 0);
}

void headers_that_version_2_does_not_allow_are_malformed(void **state)
{
	static unsigned char body[5000];
	static const unsigned char tail[] = { 1, 2, 3, 4, 1, 2, 3, 4, 0, 1, 0, 2, 9, 0 };
	struct sl_sock_proxy proxy;

	(void)state;
	assert_int_equal(parse_v2(0x11, 0x11, body, 12, &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x22, 0x11, body, 12, &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x21, 0x41, body, 12, &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x21, 0x13, body, 12, &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x21, 0x11, body, 11, &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x21, 0x21, body, 35, &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x21, 0x31, body, 215, &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x21, 0x11, tail, sizeof(tail), &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x21, 0x00, body, SL_SOCK_PROXY_MAX - 15, &proxy), -EILSEQ);
	assert_int_equal(parse_v2(0x21, 0x00, body, SL_SOCK_PROXY_MAX - 16, &proxy),
			 SL_SOCK_PROXY_MAX);
}

void what_is_written_reads_the_same(void **state)
{
	static const char *const ends[][2] = {
		{ "1.2.3.4:5", "6.7.8.9:10" },
		{ "[::1]:1", "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
		{ "unix:/run/a", "unix:/run/b" },
		{ "unix:@a", "unix:/" },
	};
	struct sl_sock_proxy proxy, back;
	char header[256];
	int len;

	(void)state;
	for (size_t i = 0; i < NR(ends); i++) {
		for (unsigned version = i < 2 ? 1 : 2; version <= 2; version++) {
			memset(&proxy, 0, sizeof(proxy));
			proxy.version = (uint8_t)version;
			assert_int_equal(sl_sock_addr_parse(ends[i][0], &proxy.source), 0);
			assert_int_equal(sl_sock_addr_parse(ends[i][1], &proxy.target), 0);
			len = sl_sock_proxy_write(&proxy, header, sizeof(header));
			assert_int_equal(sl_sock_proxy_parse(header, (size_t)len, &back), len);
			expect_text(&back.source, ends[i][0]);
			expect_text(&back.target, ends[i][1]);
		}
	}
	proxy.source.len = 0;
	proxy.version = 1;
	assert_int_equal(sl_sock_proxy_write(&proxy, header, sizeof(header)), 15);
	assert_memory_equal(header, "PROXY UNKNOWN\r\n", 15);
	proxy.version = 2;
	assert_int_equal(sl_sock_proxy_write(&proxy, header, sizeof(header)), 16);
	proxy.local = 1;
	assert_int_equal(sl_sock_proxy_write(&proxy, header, sizeof(header)), 16);
	assert_int_equal(header[12], 0x20);
	proxy.version = 3;
	assert_int_equal(sl_sock_proxy_write(&proxy, header, sizeof(header)), -EINVAL);
	proxy.version = 1;
	proxy.datagram = 1;
	assert_int_equal(sl_sock_proxy_write(&proxy, header, sizeof(header)), -EINVAL);
}

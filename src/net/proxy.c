/* SPDX-License-Identifier: MIT */
/*
 * proxy.c - the PROXY protocol, versions 1 and 2: what a proxy says of its client.
 *
 * After "The PROXY protocol, versions 1 & 2", Willy Tarreau, HAProxy
 * Technologies, 2020-03-05. Untrusted bytes: every read is within len, and what
 * the text of the protocol does not allow is -EILSEQ.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "net/address.h"

#define V1_MAX	    107 /* section 2.1: with CRLF, without the zero */
#define V2_FIXED    16
#define V2_SIGN	    "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGN_LEN 12
#define UNIX_BYTES  108
#define FIELDS_MAX  6

enum {
	V2_LOCAL = 0,
	V2_PROXY = 1,
	V2_STREAM = 1,
	V2_DGRAM = 2,
	V2_INET = 1,
	V2_INET6 = 2,
	V2_UNIX = 3,
};

/* ---- version 1: a line of text ------------------------------------------------------- */

/* Splits a line at single blanks, in place; how many fields, or -EILSEQ. */
static int split(char *line, char *fields[FIELDS_MAX])
{
	int nr = 0;

	while (line) {
		char *blank = strchr(line, ' ');

		if (nr == FIELDS_MAX || !*line)
			return -EILSEQ;
		fields[nr++] = line;
		if (blank)
			*blank++ = 0;
		line = blank;
	}
	return nr;
}

static int read_port(const char *text)
{
	unsigned value = 0;

	if (!*text || strlen(text) > 5 || (text[0] == '0' && text[1]))
		return -EILSEQ;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EILSEQ;
		value = value * 10 + (unsigned)(*text - '0');
	}
	return value > 65535 ? -EILSEQ : (int)value;
}

static int read_end(const char *host, const char *port, int family, struct sl_sock_addr *ret)
{
	int number = read_port(port);
	void *to;

	if (number < 0)
		return number;
	net_addr_any(ret, family, (unsigned)number);
	to = family == AF_INET ? (void *)&net_in(ret)->sin_addr : (void *)&net_in6(ret)->sin6_addr;
	return inet_pton(family, host, to) == 1 ? 0 : -EILSEQ;
}

/* line: without CRLF, with a zero at its end. */
static int read_line(char *line, struct sl_sock_proxy *proxy)
{
	char *fields[FIELDS_MAX];
	int nr, family, err;

	/* Section 2.1: after UNKNOWN the rest of the line is ignored. */
	if (!strcmp(line, "PROXY UNKNOWN") || !strncmp(line, "PROXY UNKNOWN ", 14))
		return 0;
	nr = split(line, fields);
	if (nr != FIELDS_MAX || strcmp(fields[0], "PROXY"))
		return -EILSEQ;
	if (!strcmp(fields[1], "TCP4"))
		family = AF_INET;
	else if (!strcmp(fields[1], "TCP6"))
		family = AF_INET6;
	else
		return -EILSEQ;
	err = read_end(fields[2], fields[4], family, &proxy->source);
	return err ? err : read_end(fields[3], fields[5], family, &proxy->target);
}

static int parse_v1(const char *buf, size_t len, struct sl_sock_proxy *proxy)
{
	const char *end = memchr(buf, '\n', len < V1_MAX ? len : V1_MAX);
	char line[V1_MAX + 1];
	size_t line_len;
	int err;

	if (!end)
		return len < V1_MAX ? -EAGAIN : -EILSEQ;
	line_len = (size_t)(end - buf);
	if (!line_len || end[-1] != '\r' || memchr(buf, 0, line_len))
		return -EILSEQ;
	memcpy(line, buf, line_len - 1);
	line[line_len - 1] = 0;
	if (memchr(line, '\r', line_len - 1))
		return -EILSEQ;
	proxy->version = 1;
	err = read_line(line, proxy);
	return err ? err : (int)line_len + 1;
}

/* ---- version 2: binary --------------------------------------------------------------- */

static unsigned get16(const unsigned char *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void read_inet(const unsigned char *at, struct sl_sock_addr *ret, const unsigned char *port)
{
	net_addr_any(ret, AF_INET, get16(port));
	memcpy(&net_in(ret)->sin_addr, at, 4);
}

static void read_inet6(const unsigned char *at, struct sl_sock_addr *ret, const unsigned char *port)
{
	net_addr_any(ret, AF_INET6, get16(port));
	memcpy(&net_in6(ret)->sin6_addr, at, 16);
}

static void read_unix(const unsigned char *at, struct sl_sock_addr *ret)
{
	size_t len = UNIX_BYTES;

	while (len && !at[len - 1])
		len--;
	memset(ret, 0, sizeof(*ret));
	net_un(ret)->sun_family = AF_UNIX;
	memcpy(net_un(ret)->sun_path, at, len);
	if (len && len < UNIX_BYTES && at[0])
		len++; /* the zero of a path */
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* Bytes of the addresses of a family. */
static size_t v2_addr_bytes(unsigned family)
{
	static const uint8_t bytes[] = { 0, 12, 36, 2 * UNIX_BYTES };

	return bytes[family];
}

/* The addresses; how many bytes they take, or -EILSEQ. */
static int read_addresses(const unsigned char *at, size_t len, unsigned family,
			  struct sl_sock_proxy *proxy)
{
	if (len < v2_addr_bytes(family))
		return -EILSEQ;
	if (family == V2_INET) {
		read_inet(at, &proxy->source, at + 8);
		read_inet(at + 4, &proxy->target, at + 10);
	} else if (family == V2_INET6) {
		read_inet6(at, &proxy->source, at + 32);
		read_inet6(at + 16, &proxy->target, at + 34);
	} else if (family == V2_UNIX) {
		read_unix(at, &proxy->source);
		read_unix(at + UNIX_BYTES, &proxy->target);
	}
	return (int)v2_addr_bytes(family);
}

/* Whether the vectors fill their bytes exactly. */
static bool is_well_formed(const unsigned char *tlv, size_t len)
{
	while (len) {
		size_t one;

		if (len < 3)
			return false;
		one = 3 + get16(tlv + 1);
		if (one > len)
			return false;
		tlv += one;
		len -= one;
	}
	return true;
}

static int parse_v2(const unsigned char *buf, size_t len, struct sl_sock_proxy *proxy)
{
	unsigned command, family, transport;
	size_t body;
	int used;

	if (len < V2_FIXED)
		return -EAGAIN;
	command = buf[12] & 15;
	family = buf[13] >> 4;
	transport = buf[13] & 15;
	body = get16(buf + 14);
	if (buf[12] >> 4 != 2 || command > V2_PROXY || family > V2_UNIX || transport > V2_DGRAM ||
	    V2_FIXED + body > SL_SOCK_PROXY_MAX)
		return -EILSEQ;
	if (len < V2_FIXED + body)
		return -EAGAIN;
	proxy->version = 2;
	proxy->local = command == V2_LOCAL;
	proxy->datagram = transport == V2_DGRAM;
	/* Section 2.2: the addresses of LOCAL and of UNSPEC are not to be looked at. */
	if (command == V2_LOCAL || !family || !transport)
		return (int)(V2_FIXED + body);
	used = read_addresses(buf + V2_FIXED, body, family, proxy);
	if (used < 0 || !is_well_formed(buf + V2_FIXED + used, body - (size_t)used))
		return -EILSEQ;
	proxy->tlv = buf + V2_FIXED + used;
	proxy->tlv_len = (uint32_t)(body - (size_t)used);
	return (int)(V2_FIXED + body);
}

int sl_sock_proxy_parse(const void *buf, size_t len, struct sl_sock_proxy *ret_proxy)
{
	static const char v1_sign[] = "PROXY ";
	size_t v1 = len < 6 ? len : 6, v2 = len < V2_SIGN_LEN ? len : V2_SIGN_LEN;
	struct sl_sock_proxy proxy = { 0 };
	int res;

	if (!memcmp(buf, v1_sign, v1))
		res = v1 < 6 ? -EAGAIN : parse_v1(buf, len, &proxy);
	else if (!memcmp(buf, V2_SIGN, v2))
		res = v2 < V2_SIGN_LEN ? -EAGAIN : parse_v2(buf, len, &proxy);
	else
		res = -EILSEQ;
	if (res > 0)
		*ret_proxy = proxy;
	return res;
}

int sl_sock_proxy_tlv(const struct sl_sock_proxy *proxy, unsigned type, const void **ret_value)
{
	const unsigned char *at = proxy->tlv;
	size_t len = proxy->tlv_len;

	while (len >= 3) {
		size_t value = get16(at + 1);

		if (3 + value > len)
			break;
		if (at[0] == type) {
			*ret_value = at + 3;
			return (int)value;
		}
		at += 3 + value;
		len -= 3 + value;
	}
	return -ENOENT;
}

/* ---- writing ------------------------------------------------------------------------ */

/* The family that both ends have, or AF_UNSPEC. */
static int family_of(const struct sl_sock_proxy *proxy)
{
	int family = net_family(&proxy->source);

	return !proxy->local && family == net_family(&proxy->target) ? family : AF_UNSPEC;
}

static int write_v1(const struct sl_sock_proxy *proxy, char *buf, size_t bytes)
{
	char source[INET6_ADDRSTRLEN], target[INET6_ADDRSTRLEN], line[V1_MAX + 1];
	int family = family_of(proxy), len;

	if (proxy->datagram || proxy->tlv_len)
		return -EINVAL;
	if (family == AF_INET) {
		inet_ntop(family, &net_in(&proxy->source)->sin_addr, source, sizeof(source));
		inet_ntop(family, &net_in(&proxy->target)->sin_addr, target, sizeof(target));
		len = snprintf(line, sizeof(line), "PROXY TCP4 %s %s %u %u\r\n", source, target,
			       ntohs(net_in(&proxy->source)->sin_port),
			       ntohs(net_in(&proxy->target)->sin_port));
	} else if (family == AF_INET6) {
		inet_ntop(family, &net_in6(&proxy->source)->sin6_addr, source, sizeof(source));
		inet_ntop(family, &net_in6(&proxy->target)->sin6_addr, target, sizeof(target));
		len = snprintf(line, sizeof(line), "PROXY TCP6 %s %s %u %u\r\n", source, target,
			       ntohs(net_in6(&proxy->source)->sin6_port),
			       ntohs(net_in6(&proxy->target)->sin6_port));
	} else {
		len = snprintf(line, sizeof(line), "PROXY UNKNOWN\r\n");
	}
	if ((size_t)len > bytes)
		return -ENOBUFS;
	memcpy(buf, line, (size_t)len);
	return len;
}

static void write_unix(unsigned char *at, const struct sl_sock_addr *addr)
{
	size_t len = addr->len - offsetof(struct sockaddr_un, sun_path);

	memset(at, 0, UNIX_BYTES);
	memcpy(at, net_un(addr)->sun_path, len < UNIX_BYTES ? len : UNIX_BYTES);
}

/* Which of version 2's families it is; the addresses go to at. */
static unsigned write_addresses(const struct sl_sock_proxy *proxy, unsigned char *at)
{
	const struct sl_sock_addr *source = &proxy->source, *target = &proxy->target;

	switch (family_of(proxy)) {
	case AF_INET:
		memcpy(at, &net_in(source)->sin_addr, 4);
		memcpy(at + 4, &net_in(target)->sin_addr, 4);
		memcpy(at + 8, &net_in(source)->sin_port, 2);
		memcpy(at + 10, &net_in(target)->sin_port, 2);
		return V2_INET;
	case AF_INET6:
		memcpy(at, &net_in6(source)->sin6_addr, 16);
		memcpy(at + 16, &net_in6(target)->sin6_addr, 16);
		memcpy(at + 32, &net_in6(source)->sin6_port, 2);
		memcpy(at + 34, &net_in6(target)->sin6_port, 2);
		return V2_INET6;
	case AF_UNIX:
		write_unix(at, source);
		write_unix(at + UNIX_BYTES, target);
		return V2_UNIX;
	default:
		return 0;
	}
}

static int write_v2(const struct sl_sock_proxy *proxy, unsigned char *buf, size_t bytes)
{
	unsigned char addresses[2 * UNIX_BYTES];
	unsigned family = write_addresses(proxy, addresses);
	size_t addr_len = v2_addr_bytes(family);
	size_t tlv_len = family ? proxy->tlv_len : 0;
	size_t body = addr_len + tlv_len;

	if (V2_FIXED + body > SL_SOCK_PROXY_MAX)
		return -EINVAL;
	if (V2_FIXED + body > bytes)
		return -ENOBUFS;
	memcpy(buf, V2_SIGN, V2_SIGN_LEN);
	buf[12] = 2 << 4 | (proxy->local ? V2_LOCAL : V2_PROXY);
	buf[13] = (unsigned char)(family ? family << 4 | (proxy->datagram ? V2_DGRAM : V2_STREAM) :
					   0);
	buf[14] = (unsigned char)(body >> 8);
	buf[15] = (unsigned char)body;
	memcpy(buf + V2_FIXED, addresses, addr_len);
	if (tlv_len)
		memcpy(buf + V2_FIXED + addr_len, proxy->tlv, tlv_len);
	return (int)(V2_FIXED + body);
}

int sl_sock_proxy_write(const struct sl_sock_proxy *proxy, void *buf, size_t bytes)
{
	if (proxy->version == 1)
		return write_v1(proxy, buf, bytes);
	return proxy->version == 2 ? write_v2(proxy, buf, bytes) : -EINVAL;
}

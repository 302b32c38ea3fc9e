/* SPDX-License-Identifier: MIT */
/* address.c - addresses and their text. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <sluice/ring.h>

#include "net/address.h"

#define UNIX_PREFIX "unix:"
#define PORT_MAX    65535

void net_addr_any(struct sl_sock_addr *ret_addr, int family, unsigned port)
{
	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		net_in(ret_addr)->sin_port = htons((uint16_t)port);
		ret_addr->len = sizeof(struct sockaddr_in);
	} else {
		net_in6(ret_addr)->sin6_port = htons((uint16_t)port);
		ret_addr->len = sizeof(struct sockaddr_in6);
	}
}

/* ---- from text ---------------------------------------------------------------------- */

static int copy_part(char *to, size_t bytes, const char *from, size_t len)
{
	if (len >= bytes)
		return -EINVAL;
	memcpy(to, from, len);
	to[len] = 0;
	return 0;
}

int net_name_split(const char *text, struct net_name *ret_name)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon)
		return -EINVAL;
	len = (size_t)(colon - text);
	ret_name->bracketed = len >= 2 && text[0] == '[' && colon[-1] == ']';
	if (ret_name->bracketed) {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL; /* IPv6 wants brackets */
	}
	if (copy_part(ret_name->port, NET_PORT_BYTES, colon + 1, strlen(colon + 1)))
		return -EINVAL;
	return copy_part(ret_name->host, NET_HOST_BYTES, text, len);
}

/* The number; -ENOENT for what may be the name of a service. */
static int read_port(const char *text)
{
	unsigned value = 0;
	size_t len = strlen(text);

	if (!len)
		return -EINVAL;
	if (strspn(text, "0123456789") < len) {
		if (!isalnum((unsigned char)text[0]))
			return -EINVAL;
		for (size_t i = 0; i < len; i++)
			if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
				return -EINVAL;
		return -ENOENT;
	}
	if (len > 5)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	return value > PORT_MAX ? -EINVAL : (int)value;
}

static int is_name(const char *host)
{
	for (; *host; host++)
		if (!isalnum((unsigned char)*host) && !strchr("-._", *host))
			return 0;
	return 1;
}

/* "ADDRESS" or "ADDRESS%NUMBER", the interface of a link-local one. */
static int read_v6(char *host, struct sockaddr_in6 *in6)
{
	char *scope = strchr(host, '%');
	int port = scope ? -EINVAL : 0;

	if (scope) {
		*scope++ = 0;
		port = read_port(scope); /* as small a number as a port is */
	}
	if (port < 0 || inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
		return -EINVAL;
	in6->sin6_scope_id = (uint32_t)port;
	return 0;
}

static int read_unix(const char *path, struct sl_sock_addr *addr)
{
	struct sockaddr_un *un = net_un(addr);
	size_t len = strlen(path);
	int abstract = path[0] == '@';

	if (!len || (abstract && len == 1))
		return -EINVAL;
	if (len >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	memset(addr, 0, sizeof(*addr));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len);
	if (abstract)
		un->sun_path[0] = 0;
	addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !abstract);
	return 0;
}

int sl_sock_addr_parse(const char *text, struct sl_sock_addr *ret_addr)
{
	struct sl_sock_addr addr;
	struct net_name name;
	int port, err = 0;

	if (!strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)))
		return read_unix(text + strlen(UNIX_PREFIX), ret_addr);
	if (net_name_split(text, &name))
		return -EINVAL;
	port = read_port(name.port);
	if (port < 0 && port != -ENOENT)
		return port;
	net_addr_any(&addr, AF_INET6, port < 0 ? 0 : (unsigned)port);
	if (name.bracketed) {
		err = read_v6(name.host, net_in6(&addr));
	} else if (name.host[0] && strcmp(name.host, "*")) {
		net_addr_any(&addr, AF_INET, port < 0 ? 0 : (unsigned)port);
		if (inet_pton(AF_INET, name.host, &net_in(&addr)->sin_addr) != 1)
			err = is_name(name.host) ? -ENOENT : -EINVAL;
	}
	if (err || port < 0)
		return err ? err : port;
	*ret_addr = addr;
	return 0;
}

/* ---- to text ------------------------------------------------------------------------ */

static int format_in6(const struct sockaddr_in6 *in6, char *buf, size_t bytes)
{
	char host[INET6_ADDRSTRLEN], scope[16] = "";

	inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	if (in6->sin6_scope_id)
		snprintf(scope, sizeof(scope), "%%%u", in6->sin6_scope_id);
	return snprintf(buf, bytes, "[%s%s]:%u", host, scope, ntohs(in6->sin6_port));
}

/* A name in the abstract space may hold any byte; what would end the text reads as '?'. */
static int format_unix(const struct sl_sock_addr *addr, char *buf, size_t bytes)
{
	const struct sockaddr_un *un = net_un(addr);
	size_t len = addr->len - offsetof(struct sockaddr_un, sun_path);
	char path[sizeof(un->sun_path) + 1];

	if (addr->len <= offsetof(struct sockaddr_un, sun_path))
		return snprintf(buf, bytes, UNIX_PREFIX);
	if (len > sizeof(un->sun_path))
		len = sizeof(un->sun_path);
	memcpy(path, un->sun_path, len);
	path[len] = 0;
	if (!path[0]) {
		path[0] = '@';
		for (size_t i = 1; i < len; i++)
			if (!path[i])
				path[i] = '?';
	}
	return snprintf(buf, bytes, UNIX_PREFIX "%s", path);
}

int sl_sock_addr_format(const struct sl_sock_addr *addr, char *buf, size_t bytes)
{
	char host[INET_ADDRSTRLEN];
	int len;

	switch (net_family(addr)) {
	case AF_INET:
		inet_ntop(AF_INET, &net_in(addr)->sin_addr, host, sizeof(host));
		len = snprintf(buf, bytes, "%s:%u", host, ntohs(net_in(addr)->sin_port));
		break;
	case AF_INET6:
		len = format_in6(net_in6(addr), buf, bytes);
		break;
	case AF_UNIX:
		len = format_unix(addr, buf, bytes);
		break;
	default:
		len = snprintf(buf, bytes, "?");
	}
	return (size_t)len < bytes ? len : -ENOBUFS;
}

int sl_sock_addr_is_local(const struct sl_sock_addr *addr)
{
	const struct in6_addr *in6 = &net_in6(addr)->sin6_addr;

	switch (net_family(addr)) {
	case AF_UNIX:
		return 1;
	case AF_INET:
		return ntohl(net_in(addr)->sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(in6) ||
		       (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
	default:
		return 0;
	}
}

int sl_sock_addr_of(struct sl_ring *ring, int fd, int peer, struct sl_sock_addr *ret_addr)
{
	struct sl_sock_addr addr = { .len = sizeof(addr.storage) };
	int err = sl_ring_sockname(ring, fd, peer, &addr.any, &addr.len);

	if (err)
		return err;
	if (addr.len > sizeof(addr.storage))
		addr.len = sizeof(addr.storage);
	*ret_addr = addr;
	return 0;
}

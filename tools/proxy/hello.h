/*
 * hello.h: the name that a TLS client asks for, read from its first message without answering it.
 *
 * A pure function of the bytes received so far (RFC 8446 section 4.1.2, RFC 6066 section 3).
 */
#ifndef SLUICE_TOOLS_PROXY_HELLO_H
#define SLUICE_TOOLS_PROXY_HELLO_H

#include <stddef.h>

#define PROXY_HELLO_MAX 16384 /* bytes of a ClientHello that are looked at */
#define PROXY_NAME_MAX	255

/**
 * proxy_hello_parse() - find the server name in a ClientHello.
 * @data: bytes received, from the first of the connection on; the message may be spread over
 *        several records.
 * @len: how many.
 * @ret_name: PROXY_NAME_MAX + 1 bytes: the name in lower case with a 0 at its end; "" when the
 *            client asks for none, or by an address.
 *
 * Return: the length of the name; -EAGAIN when it is no whole message yet: receive more and parse
 * again; -EILSEQ when it is not the beginning of TLS, malformed, or too long.
 */
int proxy_hello_parse(const void *data, size_t len, char *ret_name);

#endif

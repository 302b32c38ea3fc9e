/* hello_maker.h: ClientHello messages to order, well-formed and not. */
#ifndef SLUICE_TESTS_PROXY_HELLO_MAKER_H
#define SLUICE_TESTS_PROXY_HELLO_MAKER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HELLO_ROOM 40000

/* What to make; zero: a message without extensions. */
struct hello_order {
	const char *name;    /* NULL: no server name */
	size_t name_len;     /* 0: strlen(name) */
	unsigned copies;     /* of the extension with it; 0: one */
	size_t padding;	     /* bytes of another extension after it */
	size_t record_bytes; /* most of one record; 0: one record for all */
};

static inline uint8_t *hello_put(uint8_t *at, size_t value, unsigned bytes)
{
	while (bytes--)
		*at++ = (uint8_t)(value >> 8 * bytes);
	return at;
}

static inline uint8_t *hello_put_name(uint8_t *at, const char *name, size_t len)
{
	at = hello_put(at, 0, 2);
	at = hello_put(at, len + 5, 2);
	at = hello_put(at, len + 3, 2);
	at = hello_put(at, 0, 1);
	at = hello_put(at, len, 2);
	memcpy(at, name, len);
	return at + len;
}

static inline uint8_t *hello_put_extensions(uint8_t *at, const struct hello_order *order)
{
	size_t len = order->name_len ? order->name_len : order->name ? strlen(order->name) : 0;
	uint8_t *start = at;

	at += 2;
	at = hello_put(hello_put(at, 0x0a0a, 2), 0, 2); /* what a client must ignore (RFC 8701) */
	for (unsigned i = 0; order->name && i < (order->copies ? order->copies : 1); i++)
		at = hello_put_name(at, order->name, len);
	if (order->padding) {
		at = hello_put(hello_put(at, 21, 2), order->padding, 2);
		memset(at, 0, order->padding);
		at += order->padding;
	}
	hello_put(start, (size_t)(at - start - 2), 2);
	return at;
}

/* Return: its bytes, at most HELLO_ROOM. */
static inline size_t hello_make(const struct hello_order *order, uint8_t *ret)
{
	static uint8_t message[HELLO_ROOM];
	uint8_t *at = message + 4;
	size_t len, most = order->record_bytes ? order->record_bytes : 16384, made = 0;

	at = hello_put(at, 0x0303, 2);
	memset(at, 'r', 32);
	at = hello_put(at + 32, 0, 1);
	at = hello_put(hello_put(at, 2, 2), 0x1301, 2);
	at = hello_put(hello_put(at, 1, 1), 0, 1);
	if (order->name || order->padding)
		at = hello_put_extensions(at, order);
	len = (size_t)(at - message);
	hello_put(message, 1, 1);
	hello_put(message + 1, len - 4, 3);
	for (size_t off = 0; off < len; off += most) {
		size_t part = len - off < most ? len - off : most;

		hello_put(hello_put(hello_put(ret + made, 22, 1), 0x0301, 2), part, 2);
		memcpy(ret + made + 5, message + off, part);
		made += 5 + part;
	}
	return made;
}

#endif

/* hello.c: the name in a ClientHello; see hello.h. */
#include "tools/proxy/hello.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RECORD_HANDSHAKE   22
#define RECORD_MAX	   16384
#define CLIENT_HELLO	   1
#define SESSION_ID_MAX	   32
#define EXTENSION_NAME	   0
#define NAME_TYPE_HOSTNAME 0

/* Reads the message through the heads of the records that carry it. */
struct reader {
	const uint8_t *at;
	size_t left;   /* of the bytes received */
	size_t record; /* of the record that at is in */
	size_t body;   /* of the message: what is read may not pass its end */
	int err;       /* sticky */
};

static bool fail(struct reader *in, int err)
{
	if (!in->err)
		in->err = err;
	return false;
}

/* As much of a record's head as there is must be right already. */
static bool open_record(struct reader *in)
{
	const uint8_t *head = in->at;

	if ((in->left > 0 && head[0] != RECORD_HANDSHAKE) || (in->left > 1 && head[1] != 3) ||
	    (in->left > 2 && head[2] > 4))
		return fail(in, -EILSEQ);
	if (in->left < 5)
		return fail(in, -EAGAIN);
	in->record = (size_t)head[3] << 8 | head[4];
	in->at += 5;
	in->left -= 5;
	if (in->record == 0 || in->record > RECORD_MAX)
		return fail(in, -EILSEQ);
	return true;
}

/* The next len bytes of the message; to NULL: passed over. */
static bool take(struct reader *in, uint8_t *to, size_t len)
{
	if (in->err)
		return false;
	if (len > in->body)
		return fail(in, -EILSEQ);
	in->body -= len;
	while (len) {
		size_t part;

		if (!in->record && !open_record(in))
			return false;
		part = len < in->record ? len : in->record;
		part = part < in->left ? part : in->left;
		if (!part)
			return fail(in, -EAGAIN);
		if (to) {
			memcpy(to, in->at, part);
			to += part;
		}
		in->at += part;
		in->left -= part;
		in->record -= part;
		len -= part;
	}
	return true;
}

/* A big-endian number of 1 to 3 bytes; 0 after a failure. */
static size_t number(struct reader *in, unsigned bytes)
{
	uint8_t raw[3] = { 0 };
	size_t value = 0;

	if (!take(in, raw, bytes))
		return 0;
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | raw[i];
	return value;
}

/* Passes over a field of so many bytes after their number, which must be within bounds. */
static void pass(struct reader *in, unsigned bytes, size_t min, size_t max)
{
	size_t len = number(in, bytes);

	if (!in->err && (len < min || len > max))
		fail(in, -EILSEQ);
	take(in, NULL, len);
}

/* Letters, digits, - and _ in labels that are not empty, of 63 bytes at most. */
static bool is_name(char *name, size_t len)
{
	size_t label = 0;

	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = name[i] = (char)(c | 0x20);
		if (c == '.') {
			if (!label)
				return false;
			label = 0;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') ||
		    ++label > 63)
			return false;
	}
	return label > 0;
}

/* The extension's len bytes: a list of one name. */
static void read_name(struct reader *in, size_t len, char *ret_name, size_t *ret_len)
{
	size_t list = number(in, 2), type = number(in, 1), bytes = number(in, 2);

	if (in->err)
		return;
	if (list + 2 != len || bytes + 5 != len || type != NAME_TYPE_HOSTNAME || bytes == 0 ||
	    bytes > PROXY_NAME_MAX)
		fail(in, -EILSEQ);
	if (!take(in, (uint8_t *)ret_name, bytes))
		return;
	ret_name[bytes] = '\0';
	*ret_len = bytes;
	if (!is_name(ret_name, bytes))
		fail(in, -EILSEQ);
}

static void read_extensions(struct reader *in, char *ret_name, size_t *ret_len)
{
	bool named = false;

	if (number(in, 2) != in->body)
		fail(in, -EILSEQ);
	while (!in->err && in->body) {
		size_t type = number(in, 2), len = number(in, 2);

		if (!in->err && len > in->body)
			fail(in, -EILSEQ);
		if (type != EXTENSION_NAME || in->err) {
			take(in, NULL, len);
			continue;
		}
		if (named || len < 5)
			fail(in, -EILSEQ);
		named = true;
		read_name(in, len, ret_name, ret_len);
	}
}

int proxy_hello_parse(const void *data, size_t len, char *ret_name)
{
	struct reader in = { .at = data, .left = len, .body = 4 };
	size_t type = number(&in, 1), bytes = number(&in, 3), name_len = 0;
	char name[PROXY_NAME_MAX + 1] = "";

	if (!in.err && (type != CLIENT_HELLO || bytes > PROXY_HELLO_MAX))
		fail(&in, -EILSEQ);
	in.body = bytes;
	if (number(&in, 1) != 3) /* the version, then the random bytes */
		fail(&in, -EILSEQ);
	take(&in, NULL, 1 + 32);
	pass(&in, 1, 0, SESSION_ID_MAX);
	pass(&in, 2, 2, 65534);
	pass(&in, 1, 1, 255);
	if (!in.err && in.body)
		read_extensions(&in, name, &name_len);
	if (in.err)
		return in.err;
	memcpy(ret_name, name, name_len + 1);
	return (int)name_len;
}

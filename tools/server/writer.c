/* writer.c: bytes of others in lines of a log; see writer.h. */
#include "tools/server/writer.h"

static void put_escaped(struct server_writer *out, struct http_text text)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t plain = 0;

	for (uint32_t i = 0; i < text.len; i++) {
		uint8_t c = (uint8_t)text.at[i];
		char escape[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] };

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			continue;
		server_put(out, text.at + plain, i - plain);
		server_put(out, escape, sizeof(escape));
		plain = i + 1;
	}
	server_put(out, text.at + plain, text.len - plain);
}

void server_put_quoted(struct server_writer *out, struct http_text text)
{
	server_put(out, " \"", 2);
	if (text.len)
		put_escaped(out, text);
	else
		server_put(out, "-", 1);
	server_put(out, "\"", 1);
}

void server_put_json(struct server_writer *out, const char *key, struct http_text text)
{
	static const char digits[] = "0123456789abcdef";

	server_put(out, ",\"", 2);
	server_put_string(out, key);
	server_put(out, "\":\"", 3);
	for (uint32_t i = 0; i < text.len; i++) {
		uint8_t c = (uint8_t)text.at[i];
		char escape[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			server_put(out, text.at + i, 1);
		else
			server_put(out, escape, sizeof(escape));
	}
	server_put(out, "\"", 1);
}

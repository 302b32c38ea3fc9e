/* text.c: stretches of bytes, and what HTTP says about bytes; see text.h. */
#include "tools/server/text.h"

#include <errno.h>

#define T HTTP_TOKEN
#define V HTTP_VALUE
#define R HTTP_TARGET
#define H HTTP_HOST
#define P HTTP_PLAIN

const uint8_t http_class[256] = {
	['\t'] = V,
	[' '] = V,
	['!'] = T | V | R | H | P,
	['"'] = V | R,
	['#'] = T | V,
	['$'] = T | V | R | H | P,
	['%'] = T | V | R | H,
	['&'] = T | V | R | H,
	['\''] = T | V | R | H,
	['('] = V | R | H | P,
	[')'] = V | R | H | P,
	['*'] = T | V | R | H | P,
	['+'] = T | V | R | H | P,
	[','] = V | R | H | P,
	['-'] = T | V | R | H | P,
	['.'] = T | V | R | H | P,
	['/'] = V | R | P,
	['0' ... '9'] = T | V | R | H | P,
	[':'] = V | R | H,
	[';'] = V | R | H | P,
	['<'] = V | R,
	['='] = V | R | H | P,
	['>'] = V | R,
	['?'] = V | R,
	['@'] = V | R | P,
	['A' ... 'Z'] = T | V | R | H | P,
	['['] = V | R | H,
	['\\'] = V | R,
	[']'] = V | R | H,
	['^'] = T | V | R,
	['_'] = T | V | R | H | P,
	['`'] = T | V | R,
	['a' ... 'z'] = T | V | R | H | P,
	['{'] = V | R,
	['|'] = T | V | R,
	['}'] = V | R,
	['~'] = T | V | R | H | P,
	[0x80 ... 0xff] = V | R,
};

bool http_all(struct http_text text, unsigned classes)
{
	for (uint32_t i = 0; i < text.len; i++) {
		if (!http_is(text.at[i], classes))
			return false;
	}
	return text.len > 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool http_same(struct http_text text, const char *wanted)
{
	for (uint32_t i = 0; i < text.len; i++) {
		if (!wanted[i] || lower(text.at[i]) != wanted[i])
			return false;
	}
	return text.at && !wanted[text.len];
}

struct http_text http_trim(struct http_text text)
{
	while (text.len && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.len--;
	}
	while (text.len && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Bytes up to the next comma that is not within quotes. */
static uint32_t element_len(struct http_text text)
{
	bool quoted = false;
	uint32_t i = 0;

	for (; i < text.len && (quoted || text.at[i] != ','); i++) {
		if (text.at[i] == '"')
			quoted = !quoted;
	}
	return i;
}

bool http_next(struct http_text *rest, struct http_text *ret)
{
	while (rest->len) {
		uint32_t len = element_len(*rest);

		*ret = http_trim((struct http_text){ rest->at, len });
		len += len < rest->len;
		rest->at += len;
		rest->len -= len;
		if (ret->len)
			return true;
	}
	return false;
}

int http_number(struct http_text text, uint64_t *ret)
{
	uint64_t value = 0;

	if (text.len < 1 || text.len > 19)
		return -EINVAL;
	for (uint32_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(text.at[i] - '0');
	}
	if (value > INT64_MAX)
		return -ERANGE;
	*ret = value;
	return 0;
}

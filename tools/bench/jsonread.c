/*
 * jsonread.c: a recursive reader, bounded in depth; every byte is taken as hostile.
 *
 * A value under construction always hangs in the tree, so that a failure anywhere is undone by
 * freeing the root.
 */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jsonread.h"

struct reader {
	const char *at, *end;
	int depth;
};

static int read_value(struct reader *r, struct jsonread *value);

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_blanks(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool take_word(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
		return false;
	r->at += len;
	return true;
}

/* -- strings ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static int read_hex4(struct reader *r, uint32_t *ret)
{
	uint32_t v = 0;

	if (r->end - r->at < 4)
		return -EILSEQ;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(*r->at++);

		if (digit < 0)
			return -EILSEQ;
		v = v << 4 | (uint32_t)digit;
	}
	*ret = v;
	return 0;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* \uXXXX, or two of them for a character beyond U+FFFF; half of a pair becomes U+FFFD. */
static int read_code(struct reader *r, char **to)
{
	uint32_t c, low;
	int err = read_hex4(r, &c);

	if (err)
		return err;
	if (c >= 0xd800 && c < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' &&
	    r->at[1] == 'u') {
		r->at += 2;
		err = read_hex4(r, &low);
		if (err)
			return err;
		c = low >= 0xdc00 && low < 0xe000 ?
			    0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) :
			    0xfffd;
	} else if (c >= 0xd800 && c < 0xe000) {
		c = 0xfffd;
	}
	*to = put_utf8(*to, c ? c : 0xfffd);
	return 0;
}

static int read_escape(struct reader *r, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *which;
	char c;

	if (r->at == r->end)
		return -EILSEQ;
	c = *r->at++;
	if (c == 'u')
		return read_code(r, to);
	which = c ? strchr(from, c) : NULL;
	if (!which)
		return -EILSEQ;
	*(*to)++ = into[which - from];
	return 0;
}

/* An escape is never shorter than what it stands for, so the raw length is room enough. */
static int read_string(struct reader *r, char **ret)
{
	char *text, *to;
	int err = 0;

	if (!take(r, '"'))
		return -EILSEQ;
	text = to = malloc((size_t)(r->end - r->at) < 4096 ? 4096 : (size_t)(r->end - r->at) + 1);
	if (!text)
		return -ENOMEM;
	while (!err && r->at < r->end && *r->at != '"') {
		char c = *r->at++;

		if ((unsigned char)c < 0x20)
			err = -EILSEQ;
		else if (c == '\\')
			err = read_escape(r, &to);
		else
			*to++ = c;
	}
	if (!err && !take(r, '"'))
		err = -EILSEQ;
	if (err) {
		free(text);
		return err;
	}
	*to = '\0';
	to = realloc(text, (size_t)(to - text) + 1);
	*ret = to ? to : text;
	return 0;
}

/* -- values -------------------------------------------------------------------------------- */

static int read_number(struct reader *r, struct jsonread *value)
{
	char text[64], *end;
	size_t len = 0;

	while (r->at < r->end && len < sizeof(text) - 1 && *r->at &&
	       strchr("+-0123456789.eE", *r->at))
		text[len++] = *r->at++;
	text[len] = '\0';
	value->kind = JSONREAD_NUMBER;
	value->number = strtod(text, &end);
	return len && *end == '\0' && isfinite(value->number) ? 0 : -EILSEQ;
}

static int read_word(struct reader *r, struct jsonread *value)
{
	if (take_word(r, "null"))
		return 0;
	value->kind = JSONREAD_BOOL;
	if (take_word(r, "false"))
		return 0;
	value->number = 1;
	return take_word(r, "true") ? 0 : -EILSEQ;
}

static int read_child(struct reader *r, struct jsonread *parent, struct jsonread ***tail)
{
	struct jsonread *child = calloc(1, sizeof(*child));
	int err;

	if (!child)
		return -ENOMEM;
	**tail = child;
	*tail = &child->next;
	if (parent->kind == JSONREAD_OBJECT) {
		err = read_string(r, &child->key);
		if (err)
			return err;
		if (!take(r, ':'))
			return -EILSEQ;
	}
	return read_value(r, child);
}

static int read_children(struct reader *r, struct jsonread *value, char close)
{
	struct jsonread **tail = &value->first;

	if (take(r, close))
		return 0;
	for (;;) {
		int err = read_child(r, value, &tail);

		if (err)
			return err;
		if (take(r, close))
			return 0;
		if (!take(r, ','))
			return -EILSEQ;
	}
}

static int read_nested(struct reader *r, struct jsonread *value, char close)
{
	int err;

	if (r->depth == JSONREAD_DEPTH_MAX)
		return -E2BIG;
	r->depth++;
	err = read_children(r, value, close);
	r->depth--;
	return err;
}

static int read_value(struct reader *r, struct jsonread *value)
{
	skip_blanks(r);
	if (r->at == r->end)
		return -EILSEQ;
	switch (*r->at) {
	case '{':
		r->at++;
		value->kind = JSONREAD_OBJECT;
		return read_nested(r, value, '}');
	case '[':
		r->at++;
		value->kind = JSONREAD_ARRAY;
		return read_nested(r, value, ']');
	case '"':
		value->kind = JSONREAD_STRING;
		return read_string(r, &value->text);
	case 'n':
	case 't':
	case 'f':
		return read_word(r, value);
	default:
		return read_number(r, value);
	}
}

int jsonread_parse(const char *text, size_t len, struct jsonread **ret)
{
	struct reader r = { .at = text, .end = text + len };
	struct jsonread *root = calloc(1, sizeof(*root));
	int err;

	if (!root)
		return -ENOMEM;
	err = read_value(&r, root);
	skip_blanks(&r);
	if (!err && r.at != r.end)
		err = -EILSEQ;
	if (err) {
		jsonread_free(root);
		return err;
	}
	*ret = root;
	return 0;
}

/* Depth is bounded by the reader; siblings are walked, not recursed into. */
void jsonread_free(struct jsonread *value)
{
	while (value) {
		struct jsonread *next = value->next;

		jsonread_free(value->first);
		free(value->key);
		free(value->text);
		free(value);
		value = next;
	}
}

const struct jsonread *jsonread_member(const struct jsonread *value, const char *key)
{
	if (!value || value->kind != JSONREAD_OBJECT)
		return NULL;
	for (const struct jsonread *m = value->first; m; m = m->next) {
		if (strcmp(m->key, key) == 0)
			return m;
	}
	return NULL;
}

const char *jsonread_text(const struct jsonread *value, const char *key)
{
	const struct jsonread *m = jsonread_member(value, key);

	return m && m->kind == JSONREAD_STRING ? m->text : NULL;
}

double jsonread_number(const struct jsonread *value, const char *key)
{
	const struct jsonread *m = jsonread_member(value, key);

	return m && m->kind == JSONREAD_NUMBER ? m->number : NAN;
}

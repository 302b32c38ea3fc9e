/* json.c: a streaming JSON writer; see json.h. */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

static void must(bool held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "sluice: bug: json: %s\n", what);
	abort();
}

/*
 * The length of the UTF-8 sequence at @s, 0 when it is not one: neither overlong nor a surrogate
 * nor beyond U+10FFFF (table 3-7 of the Unicode standard).
 */
static size_t utf8_len(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

static void write_control(FILE *out, unsigned char c)
{
	static const char plain[] = "\b\f\n\r\t", letters[] = "bfnrt";
	const char *at = strchr(plain, c);

	if (at)
		fprintf(out, "\\%c", letters[at - plain]);
	else
		fprintf(out, "\\u%04x", c);
}

static void write_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	fputc('"', out);
	while (*s) {
		size_t len = utf8_len(s);

		if (len == 0)
			fputs(REPLACEMENT, out);
		else if (*s < 0x20 || *s == 0x7f)
			write_control(out, *s);
		else if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else
			fwrite(s, 1, len, out);
		s += len ? len : 1;
	}
	fputc('"', out);
}

static void new_line(struct json_writer *json)
{
	fprintf(json->out, "\n%*s", 2 * json->depth, "");
}

/* Everything that must stand before a value: comma, line, key. */
static void before_value(struct json_writer *json, const char *key)
{
	if (json->depth == 0) {
		must(!key && !json->used, "one value without a key at the top");
		json->used = true;
		return;
	}
	must((json->level[json->depth - 1].close == '}') == (key != NULL),
	     "a key in objects and only there");
	if (json->level[json->depth - 1].filled)
		fputc(',', json->out);
	json->level[json->depth - 1].filled = true;
	new_line(json);
	if (key) {
		write_string(json->out, key);
		fputs(": ", json->out);
	}
}

static void open_level(struct json_writer *json, const char *key, char begin, char end)
{
	before_value(json, key);
	must(json->depth < JSON_DEPTH_MAX, "nested too deep");
	fputc(begin, json->out);
	json->level[json->depth].close = end;
	json->level[json->depth].filled = false;
	json->depth++;
}

static void close_level(struct json_writer *json, char end)
{
	must(json->depth > 0 && json->level[json->depth - 1].close == end, "an end with no begin");
	json->depth--;
	if (json->level[json->depth].filled)
		new_line(json);
	fputc(end, json->out);
}

void json_begin(struct json_writer *json, FILE *out)
{
	memset(json, 0, sizeof(*json));
	json->out = out;
}

int json_end(struct json_writer *json)
{
	must(json->depth == 0 && json->used, "ended with something open, or with nothing written");
	fputc('\n', json->out);
	return fflush(json->out) || ferror(json->out) ? -EIO : 0;
}

void json_open_object(struct json_writer *json, const char *key)
{
	open_level(json, key, '{', '}');
}

void json_close_object(struct json_writer *json)
{
	close_level(json, '}');
}

void json_open_array(struct json_writer *json, const char *key)
{
	open_level(json, key, '[', ']');
}

void json_close_array(struct json_writer *json)
{
	close_level(json, ']');
}

void json_string(struct json_writer *json, const char *key, const char *value)
{
	before_value(json, key);
	if (value)
		write_string(json->out, value);
	else
		fputs("null", json->out);
}

void json_format(struct json_writer *json, const char *key, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	json_string(json, key, len < 0 ? NULL : text);
	if (len >= 0)
		free(text);
}

void json_int(struct json_writer *json, const char *key, int64_t value)
{
	before_value(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_uint(struct json_writer *json, const char *key, uint64_t value)
{
	before_value(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

/* As short as reads back the same. The command never calls setlocale(), so the point is a point. */
void json_double(struct json_writer *json, const char *key, double value)
{
	char text[40];

	before_value(json, key);
	if (!isfinite(value)) {
		fputs("null", json->out);
		return;
	}
	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	fputs(text, json->out);
}

void json_bool(struct json_writer *json, const char *key, bool value)
{
	before_value(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json_writer *json, const char *key)
{
	before_value(json, key);
	fputs("null", json->out);
}

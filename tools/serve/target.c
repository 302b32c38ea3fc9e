/* target.c: the target of a request made a path that is certainly within the served tree. */
#include "tools/serve/target.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at *at, which may be an escape; what could mislead a file system is refused. */
static int decode(struct http_text text, uint32_t *at)
{
	int c = (uint8_t)text.at[(*at)++], high, low;

	if (c == '%') {
		if (text.len - *at < 2)
			return -400;
		high = hex(text.at[*at]);
		low = hex(text.at[*at + 1]);
		*at += 2;
		if (high < 0 || low < 0)
			return -400;
		c = high << 4 | low;
	}
	return c < ' ' || c == 0x7f || c == '/' ? -400 : c;
}

/* One segment, from behind its slash up to the next one or the end. */
static int decode_segment(struct http_text text, uint32_t *at, char *buf, size_t bytes)
{
	size_t len = 0;
	int c;

	while (*at < text.len && text.at[*at] != '/') {
		c = decode(text, at);
		if (c < 0)
			return c;
		if (len == bytes)
			return -414;
		buf[len++] = (char)c;
	}
	return (int)len;
}

/* Goes back to before the last segment; -400 at the root. */
static int parent(const char *buf, size_t *len)
{
	if (*len == 0)
		return -400;
	while (*len > 0 && buf[*len - 1] != '/')
		(*len)--;
	*len -= *len > 0;
	return 0;
}

static bool is_dots(const char *segment, int len, int dots)
{
	return len == dots && memcmp(segment, "..", (size_t)dots) == 0;
}

static bool is_hidden(const char *buf, size_t start, int len)
{
	return buf[start] == '.' &&
	       !(start == 0 && len == 11 && memcmp(buf, ".well-known", 11) == 0);
}

static bool any_hidden(const char *buf, size_t len)
{
	for (size_t start = 0, end; start < len; start = end + 1) {
		for (end = start; end < len && buf[end] != '/'; end++)
			;
		if (is_hidden(buf, start, (int)(end - start)))
			return true;
	}
	return false;
}

/* Segments one by one; empty ones count as none. */
static int decode_path(struct http_text text, char *buf, size_t bytes, struct http_path *ret)
{
	size_t len = 0;
	int rc = 0;

	for (uint32_t at = 0; at < text.len && rc >= 0;) {
		size_t start = len + (len > 0);

		at++; /* its slash */
		if (start + 1 >= bytes)
			return -414;
		rc = decode_segment(text, &at, buf + start, bytes - start - 1);
		if (rc < 0)
			break;
		ret->directory = rc == 0 || is_dots(buf + start, rc, 1) ||
				 is_dots(buf + start, rc, 2);
		if (is_dots(buf + start, rc, 2)) {
			rc = parent(buf, &len);
		} else if (!ret->directory) {
			if (len)
				buf[len] = '/';
			len = start + (size_t)rc;
		}
	}
	ret->path = (struct http_text){ buf, (uint32_t)len };
	return rc < 0 ? rc : 0;
}

int http_target_path(struct http_text target, char *buf, size_t bytes, struct http_path *ret)
{
	const char *mark = memchr(target.at, '?', target.len);
	struct http_text path = target;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (mark) {
		path.len = (uint32_t)(mark - target.at);
		ret->query = (struct http_text){ mark + 1, target.len - path.len - 1 };
	}
	if (!path.len || path.at[0] != '/')
		return -400;
	rc = decode_path(path, buf, bytes, ret);
	if (rc < 0)
		return rc;
	ret->hidden = any_hidden(buf, ret->path.len);
	if (ret->path.len == 0) {
		buf[0] = '.';
		ret->path.len = 1;
		ret->directory = true;
	}
	buf[ret->path.len] = '\0';
	return 0;
}

size_t http_escape_path(struct http_text path, char *buf, size_t bytes)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t len = 0;

	for (uint32_t i = 0; i < path.len; i++) {
		uint8_t c = (uint8_t)path.at[i];

		if (bytes - len < 3)
			return 0;
		if (http_is((char)c, HTTP_PLAIN)) {
			buf[len++] = (char)c;
			continue;
		}
		buf[len++] = '%';
		buf[len++] = digits[c >> 4];
		buf[len++] = digits[c & 15];
	}
	return len;
}

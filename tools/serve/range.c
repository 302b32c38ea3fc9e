/* range.c: which bytes of a file a Range field asks for; see range.h. */
#include "tools/serve/range.h"

#include <errno.h>

/* What the head of a part takes: a smaller gap costs less than another part. */
#define GAP_MIN 80

/* Digits; a number that no file reaches counts as the largest one. */
static int position(struct http_text text, uint64_t *ret)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(text.at[i] - '0');
		if (value > INT64_MAX / 16)
			value = INT64_MAX / 16;
	}
	*ret = value;
	return text.len ? 0 : -EINVAL;
}

/* "-5": the last five bytes. */
static int parse_suffix(struct http_text text, uint64_t size, struct http_range *ret)
{
	uint64_t len;

	if (position(text, &len) < 0)
		return -EINVAL;
	if (len == 0 || size == 0)
		return 0;
	*ret = (struct http_range){ len < size ? size - len : 0, size - 1 };
	return 1;
}

/* "5-9", "5-" or "-5". Return: 1, 0 when it lies beyond the file, -EINVAL. */
static int parse_one(struct http_text text, uint64_t size, struct http_range *ret)
{
	const char *dash = memchr(text.at, '-', text.len);
	struct http_text left, right;
	uint64_t first, last = UINT64_MAX;

	if (!dash)
		return -EINVAL;
	left = (struct http_text){ text.at, (uint32_t)(dash - text.at) };
	right = (struct http_text){ dash + 1, text.len - left.len - 1 };
	if (!left.len)
		return parse_suffix(right, size, ret);
	if (position(left, &first) < 0 || (right.len && position(right, &last) < 0) || last < first)
		return -EINVAL;
	if (first >= size)
		return 0;
	*ret = (struct http_range){ first, last < size ? last : size - 1 };
	return 1;
}

static bool joins(const struct http_range *a, const struct http_range *b)
{
	uint64_t low = a->first < b->first ? b->first : a->first;
	uint64_t high = a->last < b->last ? a->last : b->last;

	return low <= high || low - high <= GAP_MIN;
}

/* Puts one where it belongs, and takes in those that it joins. Return: how many now, -E2BIG. */
static int insert(struct http_range *list, int nr, struct http_range one)
{
	int at = 0, end;

	while (at < nr && list[at].last < one.first && !joins(&list[at], &one))
		at++;
	for (end = at; end < nr && joins(&list[end], &one); end++) {
		if (list[end].first < one.first)
			one.first = list[end].first;
		if (list[end].last > one.last)
			one.last = list[end].last;
	}
	if (end == at && nr == HTTP_RANGES_MAX)
		return -E2BIG;
	memmove(&list[at + 1], &list[end], (size_t)(nr - end) * sizeof(*list));
	list[at] = one;
	return nr - (end - at) + 1;
}

int http_range_parse(struct http_text value, uint64_t size, struct http_range ret[HTTP_RANGES_MAX])
{
	struct http_text one;
	bool any = false;
	int nr = 0, rc;

	if (value.len < 7 || !http_same((struct http_text){ value.at, 6 }, "bytes="))
		return 0;
	value.at += 6;
	value.len -= 6;
	while (http_next(&value, &one)) {
		struct http_range range;

		any = true;
		rc = parse_one(one, size, &range);
		if (rc < 0)
			return 0;
		if (rc)
			nr = insert(ret, nr, range);
		if (nr < 0)
			return 0;
	}
	if (!any)
		return 0;
	return nr ? nr : -ERANGE;
}

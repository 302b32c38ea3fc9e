/* encoding.c: which content codings a client takes, and in which order; see encoding.h. */
#include "tools/serve/encoding.h"

const char *const http_coding_name[HTTP_CODINGS] = { "zstd", "br", "gzip" };
const char *const http_coding_suffix[HTTP_CODINGS] = { ".zst", ".br", ".gz" };

/* A weight in thousandths: "1", "0.5", "0.125"; -1 when it is none. */
static int weight_of(struct http_text text)
{
	int value = 0, place = 100;

	if (!text.len || (text.at[0] != '0' && text.at[0] != '1') ||
	    (text.len > 1 && text.at[1] != '.') || text.len > 5)
		return -1;
	value = (text.at[0] - '0') * 1000;
	for (uint32_t i = 2; i < text.len; i++, place /= 10) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		value += (text.at[i] - '0') * place;
	}
	return value <= 1000 ? value : -1;
}

/* "gzip;q=0.5": cuts the weight off. */
static int take_weight(struct http_text *element)
{
	const char *mark = memchr(element->at, ';', element->len);
	struct http_text rest;

	if (!mark)
		return 1000;
	rest = (struct http_text){ mark + 1, element->len - (uint32_t)(mark + 1 - element->at) };
	rest = http_trim(rest);
	element->len = (uint32_t)(mark - element->at);
	*element = http_trim(*element);
	if (rest.len < 3 || (rest.at[0] | 0x20) != 'q' || rest.at[1] != '=')
		return -1;
	return weight_of((struct http_text){ rest.at + 2, rest.len - 2 });
}

static void weigh(struct http_text element, int weights[HTTP_CODINGS + 1])
{
	int weight = take_weight(&element);

	for (unsigned i = 0; i < HTTP_CODINGS; i++) {
		if (http_same(element, http_coding_name[i]))
			weights[i] = weight < 0 ? 0 : weight;
	}
	if (http_same(element, "x-gzip") && weights[HTTP_GZIP] < 0)
		weights[HTTP_GZIP] = weight < 0 ? 0 : weight;
	if (http_same(element, "*"))
		weights[HTTP_CODINGS] = weight < 0 ? 0 : weight;
}

unsigned http_codings(const struct http_list *fields, uint8_t ret[HTTP_CODINGS])
{
	int weights[HTTP_CODINGS + 1] = { -1, -1, -1, -1 };
	struct http_text element;
	unsigned nr = 0;

	for (uint32_t i = 0; i < fields->nr; i++) {
		struct http_text line = fields->line[i];

		while (http_next(&line, &element))
			weigh(element, weights);
	}
	for (unsigned i = 0; i < HTTP_CODINGS; i++) {
		unsigned at = nr;

		if (weights[i] < 0)
			weights[i] = weights[HTTP_CODINGS];
		if (weights[i] <= 0)
			continue;
		for (; at > 0 && weights[ret[at - 1]] < weights[i]; at--)
			ret[at] = ret[at - 1];
		ret[at] = (uint8_t)i;
		nr++;
	}
	return nr;
}

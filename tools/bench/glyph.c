/* glyph.c: ASCII in the place of the few signs that the reports use. */
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "glyph.h"

static const struct {
	const char *sign, *ascii;
} glyphs[] = {
	{ "★", "*" }, { "µ", "u" }, { "×", "x" }, { "–", "-" }, { "·", "-" }, { "±", "+-" },
};

/* Writes what stands for the sign at @text; returns the sign's bytes, or 0 when it is none. */
static size_t replace(const char *text, char **to)
{
	for (size_t i = 0; i < sizeof(glyphs) / sizeof(*glyphs); i++) {
		size_t len = strlen(glyphs[i].sign), bytes = strlen(glyphs[i].ascii);

		if (strncmp(text, glyphs[i].sign, len) != 0)
			continue;
		memcpy(*to, glyphs[i].ascii, bytes);
		*to += bytes;
		return len;
	}
	return 0;
}

const char *glyph_text(const char *text, char *buf, size_t size)
{
	char *from = buf, *to = buf;

	if (strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return text;
	/* In place: nothing becomes longer. */
	snprintf(buf, size, "%s", text);
	while (*from) {
		size_t len = replace(from, &to);

		if (len)
			from += len;
		else
			*to++ = *from++;
	}
	*to = '\0';
	return buf;
}

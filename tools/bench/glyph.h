/* glyph.h: signs beyond ASCII, and what stands for them where the locale has none. */
#ifndef SLUICE_TOOLS_BENCH_GLYPH_H
#define SLUICE_TOOLS_BENCH_GLYPH_H

#include <stddef.h>

/**
 * glyph_text - put a text into the signs of the locale.
 * @text: UTF-8.
 * @buf: written when the locale's character set (LC_CTYPE) is not UTF-8.
 * @size: of @buf; what does not fit is cut off.
 *
 * Known signs become ASCII of the same meaning, never more bytes than before; others stay: a
 * path is the user's own.
 *
 * Return: @text in a UTF-8 locale, else @buf.
 */
const char *glyph_text(const char *text, char *buf, size_t size);

#endif

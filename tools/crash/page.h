/* page.h: pieces of an HTML page that needs nothing else: no script, no font, no network. */
#ifndef SLUICE_TOOLS_CRASH_PAGE_H
#define SLUICE_TOOLS_CRASH_PAGE_H

#include <stdio.h>

/* Up to the body, with the style; light, or dark where the reader's system is. */
void page_begin(FILE *out, const char *title);
void page_end(FILE *out);

/* Text with the characters of markup escaped; bytes that are not UTF-8, and control characters,
 * become U+FFFD. */
void page_text(FILE *out, const char *text);
/* An element with text in it; class may be NULL. */
void page_element(FILE *out, const char *tag, const char *class, const char *text);

#endif

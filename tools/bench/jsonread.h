/* jsonread.h: a JSON text as a tree; for saved runs, which may come from anywhere. */
#ifndef SLUICE_TOOLS_BENCH_JSONREAD_H
#define SLUICE_TOOLS_BENCH_JSONREAD_H

#include <stddef.h>

/* Deeper texts are refused: the reader calls itself once per level. */
#define JSONREAD_DEPTH_MAX 32

enum jsonread_kind {
	JSONREAD_NULL,
	JSONREAD_BOOL,
	JSONREAD_NUMBER,
	JSONREAD_STRING,
	JSONREAD_ARRAY,
	JSONREAD_OBJECT,
};

/**
 * struct jsonread - a value.
 *
 * @key: of a member of an object; NULL elsewhere.
 * @text: of a string, unescaped, UTF-8.
 * @number: of a number; 1 for true.
 * @first: first child of an array or object; @next: the next child of the same parent.
 */
struct jsonread {
	enum jsonread_kind kind;
	char *key;
	char *text;
	double number;
	struct jsonread *first, *next;
};

/**
 * jsonread_parse - read a text.
 * @text: the whole text; need not end with a zero byte.
 * @len: its bytes.
 * @ret: the tree, to be freed with jsonread_free(); untouched on failure.
 *
 * Return: 0; -EILSEQ: no JSON, or more than one value; -E2BIG: too deep; -ENOMEM.
 */
int jsonread_parse(const char *text, size_t len, struct jsonread **ret);

/**
 * jsonread_free - free a tree.
 * @value: may be NULL.
 */
void jsonread_free(struct jsonread *value);

/**
 * jsonread_member - a member of an object.
 * @value: may be NULL or no object.
 * @key: its name.
 *
 * Return: the member, or NULL.
 */
const struct jsonread *jsonread_member(const struct jsonread *value, const char *key);

/**
 * jsonread_text - the text of a member.
 * @value: may be NULL or no object.
 * @key: its name.
 *
 * Return: the text, or NULL when it is no string.
 */
const char *jsonread_text(const struct jsonread *value, const char *key);

/**
 * jsonread_number - the number of a member.
 * @value: may be NULL or no object.
 * @key: its name.
 *
 * Return: the number, or NaN when it is none.
 */
double jsonread_number(const struct jsonread *value, const char *key);

#endif

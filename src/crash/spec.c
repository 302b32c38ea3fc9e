/* SPDX-License-Identifier: MIT */
/* spec.c - states by number: their ids, and the choices they stand for. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/spec.h"

/* How many numbers follow the class. */
static const struct {
	const char *name;
	unsigned least, most;
} classes[CRASH_CLASSES] = {
	[CRASH_PREFIX] = { "prefix", 1, 1 },   [CRASH_OMIT1] = { "omit1", 1, 1 },
	[CRASH_MIN] = { "min", 0, 0 },	       [CRASH_ONLY1] = { "only1", 1, 1 },
	[CRASH_PAIR] = { "pair", 2, 2 },       [CRASH_RANDOM] = { "random", 1, 1 },
	[CRASH_GARBAGE] = { "garbage", 1, 1 }, [CRASH_LOST] = { "lost", 0, SPEC_NUMBERS_MAX },
};

const char *crash_class_name(enum crash_class class)
{
	return class < CRASH_CLASSES ? classes[class].name : "?";
}

enum crash_class crash_class_find(const char *name)
{
	unsigned class = 0;

	while (class < CRASH_CLASSES && strcmp(classes[class].name, name))
		class ++;
	return class;
}

const char *spec_id(const struct spec *spec, const char *profile, char *buf, size_t bytes)
{
	int at = snprintf(buf, bytes, "%s", profile);

	if (spec->dropped)
		at += snprintf(buf + at, bytes - (size_t)at, "~%" PRIu64, spec->dropped);
	at += snprintf(buf + at, bytes - (size_t)at, "-%" PRIu64 "-%s", spec->point,
		       crash_class_name(spec->class));
	for (uint32_t i = 0; i < spec->nr && (size_t)at < bytes; i++)
		at += snprintf(buf + at, bytes - (size_t)at, "-%" PRIu64, spec->numbers[i]);
	return buf;
}

/* A number of decimal digits alone at *text, which moves behind it. */
static int number(const char **text, uint64_t *ret_number)
{
	char *end;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	errno = 0;
	*ret_number = strtoull(*text, &end, 10);
	*text = end;
	return errno ? -EINVAL : 0;
}

static size_t word(const char *text)
{
	return strcspn(text, "-~:");
}

static int parse_class(const char **text, struct spec *spec)
{
	char name[16];
	size_t len = word(*text);

	if (len >= sizeof(name))
		return -EINVAL;
	memcpy(name, *text, len);
	name[len] = '\0';
	*text += len;
	spec->class = crash_class_find(name);
	if (spec->class == CRASH_CLASSES)
		return -EINVAL;
	while (**text == '-') {
		(*text)++;
		if (spec->nr == classes[spec->class].most || number(text, &spec->numbers[spec->nr]))
			return -EINVAL;
		spec->nr++;
	}
	return spec->nr < classes[spec->class].least ? -EINVAL : 0;
}

static int parse_profile(const char **text, const struct model_profile **ret_profile)
{
	char name[16];
	size_t len = word(*text);

	if (len >= sizeof(name))
		return -EINVAL;
	memcpy(name, *text, len);
	name[len] = '\0';
	*text += len;
	*ret_profile = model_profile_find(name);
	return *ret_profile ? 0 : -EINVAL;
}

int spec_parse(const char *id, const struct model_profile **ret_profile, struct spec *ret_spec,
	       const char **ret_rest)
{
	const struct model_profile *profile = NULL;
	struct spec spec = { 0 };
	const char *text = id;

	/* The second crash of an id begins with its point. */
	if (*text < '0' || *text > '9') {
		if (parse_profile(&text, &profile))
			return -EINVAL;
		if (*text == '~') {
			text++;
			if (number(&text, &spec.dropped) || !spec.dropped)
				return -EINVAL;
		}
		if (*text++ != '-')
			return -EINVAL;
	}
	if (number(&text, &spec.point) || *text++ != '-' || parse_class(&text, &spec))
		return -EINVAL;
	if (*text && *text != ':')
		return -EINVAL;
	*ret_profile = profile;
	*ret_spec = spec;
	*ret_rest = text;
	return 0;
}

static bool is_grown_size(const struct model_op *op)
{
	return op->kind == MODEL_SIZE && !(op->flags & MODEL_TRUNCATION) &&
	       op->size.after > op->size.before;
}

bool spec_is_garbage(struct model_volume *volume, uint64_t element)
{
	const struct model_op *op = model_op_with(volume, &element);

	return op && (is_grown_size(op) || (op->kind == MODEL_DATA && op->grown));
}

static void choose_garbage(struct model_volume *volume, uint64_t element)
{
	uint64_t within = element;
	const struct model_op *op = model_op_with(volume, &within);
	struct model_choice choice = { MODEL_OMIT1, element };

	if (op->kind == MODEL_SIZE)
		choice.class = MODEL_ONLY1;
	model_choose(volume, &choice);
}

static int choose_by_number(const struct spec *spec, struct model_volume *volume)
{
	static const enum model_class by_class[CRASH_CLASSES] = {
		[CRASH_PREFIX] = MODEL_PREFIX, [CRASH_OMIT1] = MODEL_OMIT1,
		[CRASH_MIN] = MODEL_MIN,       [CRASH_ONLY1] = MODEL_ONLY1,
		[CRASH_RANDOM] = MODEL_RANDOM,
	};
	struct model_choice choice = { by_class[spec->class], spec->numbers[0] };

	model_choose(volume, &choice);
	return 0;
}

/* An element of this number, or for a prefix as many. */
static bool has_element(const struct spec *spec, struct model_volume *volume, uint64_t number)
{
	if (spec->class == CRASH_PREFIX)
		return number == 0 || number <= model_elements(volume);
	return model_op_with(volume, &number) != NULL;
}

int spec_choose(const struct spec *spec, struct model_volume *volume)
{
	for (uint32_t i = 0; i < spec->nr && spec->class != CRASH_RANDOM; i++) {
		if (!has_element(spec, volume, spec->numbers[i]))
			return -ERANGE;
	}
	switch (spec->class) {
	case CRASH_PAIR:
	case CRASH_LOST:
		model_choose_lost(volume, spec->numbers, spec->nr);
		return 0;
	case CRASH_GARBAGE:
		if (!spec_is_garbage(volume, spec->numbers[0]))
			return -ERANGE;
		choose_garbage(volume, spec->numbers[0]);
		return 0;
	default:
		return choose_by_number(spec, volume);
	}
}

/* SPDX-License-Identifier: MIT */
/* spec.h - which state of a trace is meant: what an id of explore.h says, in numbers. */
#ifndef SLUICE_CRASH_SPEC_H
#define SLUICE_CRASH_SPEC_H

#include <stddef.h>

#include "crash/explore.h"
#include "model/volume.h"

#define SPEC_NUMBERS_MAX 64

struct spec {
	uint64_t dropped; /* seq of a sync that did nothing; 0: none */
	uint64_t point;
	enum crash_class class;
	uint32_t nr;
	uint64_t numbers[SPEC_NUMBERS_MAX];
};

/* The id of a state under a profile; its end is missing if it takes more than bytes. */
const char *spec_id(const struct spec *spec, const char *profile, char *buf, size_t bytes);

/* The state of an id up to its end or a colon, which *ret_rest points at. -EINVAL. */
int spec_parse(const char *id, const struct model_profile **ret_profile, struct spec *ret_spec,
	       const char **ret_rest);

/* Marks in a volume at the point what survives. -ERANGE: it has no element of such a number. */
int spec_choose(const struct spec *spec, struct model_volume *volume);
/* Whether an element makes a state of class CRASH_GARBAGE: a size, or data that only a size has. */
bool spec_is_garbage(struct model_volume *volume, uint64_t element);

#endif

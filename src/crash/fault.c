/* SPDX-License-Identifier: MIT */
/* fault.c - reading faults from text, and whose turn it is. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "crash/fault.h"
#include "crash/trace.h"

#define SECTOR 512

struct word {
	const char *text;
	int value;
	unsigned calls; /* of a kind: the calls that know it, bits 1 << enum crash_fault_call */
};

#define READS  (1 << CRASH_FAULT_READ)
#define WRITES (1 << CRASH_FAULT_WRITE)
#define SYNCS  (1 << CRASH_FAULT_SYNC)

static const struct word calls[] = {
	{ "read", CRASH_FAULT_READ },
	{ "write", CRASH_FAULT_WRITE },
	{ "sync", CRASH_FAULT_SYNC },
	{ NULL },
};

static const struct word kinds[] = {
	{ "EIO", CRASH_FAULT_EIO, READS | WRITES | SYNCS },
	{ "ENODATA", CRASH_FAULT_ENODATA, READS },
	{ "ENOSPC", CRASH_FAULT_ENOSPC, WRITES | SYNCS },
	{ "short", CRASH_FAULT_SHORT, READS | WRITES },
	{ "rot", CRASH_FAULT_ROT, READS | WRITES },
	{ "astray", CRASH_FAULT_ASTRAY, WRITES },
	{ NULL },
};

/* ---- text --------------------------------------------------------------------------- */

/* The word that text begins with, up to a colon or the end; *ret_rest is what follows. */
static const struct word *take_word(const struct word *words, const char *text,
				    const char **ret_rest)
{
	size_t len = strcspn(text, ":");

	*ret_rest = text[len] ? text + len + 1 : text + len;
	for (; words->text; words++) {
		if (strlen(words->text) == len && !strncasecmp(words->text, text, len))
			return words;
	}
	return NULL;
}

static int take_number(const char *text, uint64_t *ret_value, const char **ret_rest)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret_value = strtoull(text, &end, 10);
	if (errno || *end != ':')
		return -EINVAL;
	*ret_rest = end + 1;
	return 0;
}

int crash_fault_parse(const char *text, struct crash_fault *ret_fault)
{
	struct crash_fault fault = { 0 };
	const struct word *call, *kind;

	call = take_word(calls, text, &text);
	if (!call || take_number(text, &fault.nth, &text) < 0)
		return -EINVAL;
	kind = take_word(kinds, text, &text);
	if (!kind || !(kind->calls & 1u << call->value) || (text[-1] == ':' && !*text))
		return -EINVAL;
	if (strlen(text) > CRASH_FAULT_GLOB_MAX)
		return -ENAMETOOLONG;
	strcpy(fault.glob, text);
	fault.call = (enum crash_fault_call)call->value;
	fault.kind = (enum crash_fault_kind)kind->value;
	*ret_fault = fault;
	return 0;
}

/* ---- deciding ----------------------------------------------------------------------- */

static int count(struct crash_fault *fault, const struct crash_fault_at *at)
{
	if (fault->call != at->call || (*fault->glob && fnmatch(fault->glob, at->path, 0)))
		return 0;
	fault->seen++;
	return !fault->nth || fault->nth == fault->seen;
}

/* Half of it, in whole sectors if there are: what a device that gives up has done. */
static uint32_t half(uint32_t len)
{
	return len >= 2 * SECTOR ? len / 2 / SECTOR * SECTOR : len / 2;
}

/* The next place of its size, or the one before where the file ends. */
static uint64_t elsewhere(const struct crash_fault_at *at)
{
	if (at->off + 2 * (uint64_t)at->len <= at->size)
		return at->off + at->len;
	return at->off >= at->len ? at->off - at->len : at->off + at->len;
}

/* What this fault makes of the call; false: nothing, it is too small for it. */
static int judge(const struct crash_fault *fault, const struct crash_fault_at *at,
		 struct crash_fault_verdict *verdict)
{
	*verdict = (struct crash_fault_verdict){ .kind = fault->kind };
	switch (fault->kind) {
	case CRASH_FAULT_EIO:
		verdict->res = -EIO;
		return 1;
	case CRASH_FAULT_ENODATA:
		verdict->res = at->flags & CRASH_DIRECT ? -ENODATA : -EIO;
		return 1;
	case CRASH_FAULT_ENOSPC:
		verdict->res = -ENOSPC;
		return 1;
	case CRASH_FAULT_SHORT:
		verdict->len = half(at->len);
		return verdict->len > 0;
	case CRASH_FAULT_ROT:
		verdict->byte = at->len / 2;
		verdict->bit = 1;
		return at->len > 0;
	default:
		verdict->off = elsewhere(at);
		return at->len > 0;
	}
}

void crash_fault_decide(struct crash_fault *faults, uint32_t nr, const struct crash_fault_at *at,
			struct crash_fault_verdict *ret_verdict)
{
	struct crash_fault_verdict verdict;
	int decided = 0;

	*ret_verdict = (struct crash_fault_verdict){ .kind = CRASH_FAULT_NONE };
	for (uint32_t i = 0; i < nr; i++) {
		if (count(&faults[i], at) && !decided && judge(&faults[i], at, &verdict)) {
			decided = 1;
			faults[i].struck++;
			*ret_verdict = verdict;
		}
	}
}

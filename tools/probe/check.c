/* The list of checks: fixed size, no allocation, nothing printed. */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sluice/err.h>

#include "tools/probe/check.h"

struct check *check_add(struct check_list *list, const char *id, const char *title)
{
	struct check *check = &list->v[list->nr];

	assert(list->nr < CHECK_MAX);
	assert(!check_find(list, id));
	list->nr++;
	*check = (struct check){ .id = id, .title = title };
	return check;
}

const struct check *check_find(const struct check_list *list, const char *id)
{
	for (size_t i = 0; i < list->nr; i++)
		if (!strcmp(list->v[i].id, id))
			return &list->v[i];
	return NULL;
}

enum check_status check_status_of(const struct check_list *list, const char *id)
{
	const struct check *check = check_find(list, id);

	return check ? check->status : CHECK_UNKNOWN;
}

const char *check_status_name(enum check_status status)
{
	switch (status) {
	case CHECK_YES:
		return "yes";
	case CHECK_NO:
		return "no";
	case CHECK_PARTLY:
		return "partly";
	case CHECK_UNKNOWN:
		break;
	}
	return "unknown";
}

static void say(struct check *check, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static void say(struct check *check, const char *fmt, va_list args)
{
	size_t used = strlen(check->evidence);

	if (used && used + 3 < sizeof(check->evidence)) {
		memcpy(check->evidence + used, "; ", 3);
		used += 2;
	}
	vsnprintf(check->evidence + used, sizeof(check->evidence) - used, fmt, args);
}

void check_say(struct check *check, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(check, fmt, args);
	va_end(args);
}

void check_set(struct check *check, enum check_status status, const char *fmt, ...)
{
	va_list args;

	check->status = status;
	va_start(args, fmt);
	say(check, fmt, args);
	va_end(args);
}

void check_skip(struct check *check, const char *fmt, ...)
{
	va_list args;

	check->status = CHECK_UNKNOWN;
	check->skipped = true;
	va_start(args, fmt);
	say(check, fmt, args);
	va_end(args);
}

void check_fix(struct check *check, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(check->remedy, sizeof(check->remedy), fmt, args);
	va_end(args);
}

void check_done(struct check *check)
{
	check->status = CHECK_YES;
	if (!check->evidence[0])
		check_say(check, "done");
}

void check_cost(struct check *check, uint64_t cost_ns)
{
	check->cost_ns = cost_ns;
	if (cost_ns >= 1000 * 1000)
		check_say(check, "about %.1f ms", (double)cost_ns / 1e6);
	else if (cost_ns >= 1000)
		check_say(check, "about %.1f us", (double)cost_ns / 1e3);
	else if (cost_ns)
		check_say(check, "about %u ns", (unsigned)cost_ns);
}

const char *check_errname(int64_t err)
{
	return sl_err_name((int)err);
}

const char *check_errno(int64_t err)
{
	static _Thread_local char text[4][80];
	static _Thread_local unsigned turn;
	char *out = text[turn++ % 4];

	if (err >= 0)
		snprintf(out, sizeof(text[0]), "%lld bytes", (long long)err);
	else
		snprintf(out, sizeof(text[0]), "%s (%s)", sl_err_name((int)err),
			 sl_err_text((int)err));
	return out;
}

/* Short of descriptors or threads: that says nothing about what was tried. */
static bool is_shortage(int64_t err)
{
	return err == -EMFILE || err == -ENFILE || err == -EAGAIN;
}

void check_result(struct check *check, int64_t res)
{
	if (res >= 0)
		check_done(check);
	else if (is_shortage(res))
		check_skip(check, "%s", check_errno(res));
	else
		check_set(check, CHECK_NO, "%s", check_errno(res));
}

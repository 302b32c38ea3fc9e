/*
 * The registry: opens a ring on the best backend that works here, and says why.
 *
 * The wish comes from the options, else from $SLUICE_BACKEND, else it is the best
 * one. It is tried first, then the others in order of preference, unless
 * SL_RING_NO_FALLBACK. Each refusal is told to the log in the backend's own words,
 * which name the likely cause and the cure; the first one, which decided the
 * choice, also stands in sl_caps.why.
 *
 * Where the kernel refuses io_uring its memory (RLIMIT_MEMLOCK), a smaller ring
 * is tried before another backend: a tenth of the depth on io_uring serves
 * better than all of it on readiness.
 *
 * "record:" before a name, or before nothing, puts the recording backend around
 * whatever is chosen. Nothing is then ever tried without it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "backend/ready/ready.h"
#include "backend/record/record.h"
#include "backend/registry.h"
#include "backend/uring/backend.h"
#include "base/assert.h"

#define DEPTH_SMALLEST 32
#define WHY_BYTES      256
#define LINE_BYTES     768
#define NAME_BYTES     64

static const struct sl_backend *const backends[] = {
	&sl_backend_uring,
	&sl_backend_epoll,
	&sl_backend_poll,
	&sl_backend_select,
};

#define BACKENDS_NR (sizeof(backends) / sizeof(backends[0]))

/* One call of sl_ring_open(). */
struct opening {
	struct sl_ring_opts opts; /* resolved */
	const struct sl_backend *wish;
	const char *wish_options;
	const char *wish_source; /* for messages; NULL: no wish */
	const char *record;	 /* options of the recording backend; NULL: none */
	char inner[NAME_BYTES];	 /* the name that it stands before */
	char why[WHY_BYTES];	 /* why the ring is on what it is on */
	bool refused;		 /* something better was, and why[] says so */
	struct sl_ring *ring;
};

static void tell(const struct opening *opening, int level, const char *fmt, ...) SL_PRINTF(3, 4);

static void tell(const struct opening *opening, int level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list args;

	if (!opening->opts.log)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	opening->opts.log(opening->opts.log_ctx, level, line);
}

const struct sl_backend *sl_registry_at(unsigned idx)
{
	return idx < BACKENDS_NR ? backends[idx] : NULL;
}

const struct sl_backend *sl_registry_find(const char *name, const char **ret_options)
{
	size_t len = strcspn(name, ":");

	for (unsigned i = 0; i < BACKENDS_NR; i++) {
		if (strlen(backends[i]->name) != len || strncmp(backends[i]->name, name, len) != 0)
			continue;
		*ret_options = name[len] ? name + len + 1 : name + len;
		return backends[i];
	}
	return NULL;
}

/* "record:NAME,OPTIONS": NAME, and the options are kept; any other name as it is. */
static const char *take_record(struct opening *opening, const char *name)
{
	size_t len = strlen(sl_backend_record.name);
	const char *inner = name + len + 1;
	size_t inner_len;

	if (strncmp(name, sl_backend_record.name, len) != 0 || name[len] != ':')
		return name;
	inner_len = strcspn(inner, ",");
	if (inner_len >= sizeof(opening->inner))
		return name;
	memcpy(opening->inner, inner, inner_len);
	opening->inner[inner_len] = '\0';
	opening->record = inner + inner_len;
	return opening->inner;
}

static int read_wish(struct opening *opening)
{
	const char *name = opening->opts.backend;

	opening->wish_options = "";
	if (name) {
		opening->wish_source = "the options of the ring";
	} else {
		name = secure_getenv("SLUICE_BACKEND");
		if (!name || !*name)
			return 0;
		opening->wish_source = "$SLUICE_BACKEND";
	}
	name = take_record(opening, name);
	if (opening->record && !*name)
		return 0;
	opening->wish = sl_registry_find(name, &opening->wish_options);
	if (opening->wish)
		return 0;
	tell(opening, SL_LOG_ERROR,
	     "no backend is named '%s', as %s asks for; there are " SL_REGISTRY_NAMES, name,
	     opening->wish_source);
	return -EINVAL;
}

/* Nothing else is tried: not allowed, or options that the backend does not know, which are the
 * caller's mistake. */
static bool gives_up(const struct opening *opening, const struct sl_ring_choice *choice, int err)
{
	return opening->opts.flags & SL_RING_NO_FALLBACK ||
	       (err == -EINVAL && (*choice->options || choice->inner));
}

/* A refusal: to the log, and if it is the first one to why[]. */
static void tell_refusal(struct opening *opening, const struct sl_ring_choice *choice, int err,
			 const char *sentence)
{
	bool last = gives_up(opening, choice, err);

	tell(opening, last ? SL_LOG_ERROR : SL_LOG_WARN, "%s%s", sentence,
	     last ? "" : "; trying the next backend");
	if (!opening->refused)
		snprintf(opening->why, sizeof(opening->why), "%s", sentence);
	opening->refused = true;
}

/* The kernel counts ring memory against a limit that a smaller ring may keep. */
static bool limited_by_memlock(const struct sl_ring_choice *choice, int err)
{
	const struct sl_backend *backend = choice->inner ? choice->inner : choice->backend;
	struct rlimit limit;

	return err == -ENOMEM && backend == &sl_backend_uring &&
	       !getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur != RLIM_INFINITY;
}

/* The same backend with half the depth, and half of that, until the kernel agrees. */
static int try_smaller(struct opening *opening, const struct sl_ring_choice *choice,
		       const char *sentence)
{
	struct sl_ring_opts opts = opening->opts;
	struct sl_ring_choice smaller = *choice;
	char why[2 * WHY_BYTES];
	char ignored[WHY_BYTES];
	int err = -ENOMEM;

	smaller.why = why;
	while (err == -ENOMEM && opts.depth / 2 >= DEPTH_SMALLEST) {
		opts.depth /= 2;
		snprintf(why, sizeof(why), "depth %u instead of %u: %s", opts.depth,
			 opening->opts.depth, sentence);
		err = sl_ring_open_on(&opts, &smaller, &opening->ring, ignored);
	}
	if (!err)
		tell(opening, SL_LOG_WARN, "%s", why);
	return err;
}

/* What stands in sl_caps.why if this one opens. */
static void explain(const struct opening *opening, const struct sl_backend *backend, char *ret_why)
{
	if (opening->refused)
		snprintf(ret_why, WHY_BYTES, "%s", opening->why);
	else if (backend == opening->wish)
		snprintf(ret_why, WHY_BYTES, "asked for by %s", opening->wish_source);
	else
		snprintf(ret_why, WHY_BYTES, "the best one works here");
}

static struct sl_ring_choice choice_of(const struct opening *opening,
				       const struct sl_backend *backend, const char *options)
{
	struct sl_ring_choice choice = { .backend = backend, .options = options };

	if (opening->record) {
		choice.inner = backend;
		choice.inner_options = options;
		choice.backend = &sl_backend_record;
		choice.options = opening->record;
	}
	return choice;
}

static int try_one(struct opening *opening, const struct sl_backend *backend, const char *options)
{
	struct sl_ring_choice choice = choice_of(opening, backend, options);
	char sentence[WHY_BYTES] = "";
	char why[WHY_BYTES];
	int err;

	SL_ASSERT(backend); /* for the analyser: the table has no holes */
	explain(opening, backend, why);
	choice.why = why;
	err = sl_ring_open_on(&opening->opts, &choice, &opening->ring, sentence);
	if (!err) {
		tell(opening, SL_LOG_INFO, "the ring runs on %s%s: %s",
		     opening->record ? "record around " : "", backend->name, why);
		return 0;
	}
	/* Not the backend's own fault: memory, threads, descriptors. */
	if (!*sentence)
		snprintf(sentence, sizeof(sentence), "%s: %s: cannot open a ring: %s",
			 backend->name, sl_err_name(err), sl_err_text(err));
	if (!gives_up(opening, &choice, err) && limited_by_memlock(&choice, err) &&
	    !try_smaller(opening, &choice, sentence))
		return 0;
	tell_refusal(opening, &choice, err, sentence);
	return err;
}

/* All but the wish itself, which has failed; uring without options may work where it did not
 * with them. */
static int try_others(struct opening *opening, int err)
{
	for (unsigned i = 0; err && i < BACKENDS_NR; i++) {
		if (backends[i] != opening->wish || *opening->wish_options)
			err = try_one(opening, backends[i], "");
	}
	return err;
}

static int try_all(struct opening *opening)
{
	const struct sl_backend *backend = opening->wish ? opening->wish : backends[0];
	const struct sl_ring_choice first = choice_of(opening, backend, opening->wish_options);
	int err = try_one(opening, backend, opening->wish_options);

	if (!err || gives_up(opening, &first, err))
		return err;
	opening->wish = backend;
	return try_others(opening, err);
}

int sl_ring_open(const struct sl_ring_opts *opts, struct sl_ring **ret_ring)
{
	struct opening opening = { 0 };
	int err = sl_ring_opts_resolve(opts, &opening.opts);

	if (!err)
		err = read_wish(&opening);
	if (!err)
		err = try_all(&opening);
	if (!err)
		*ret_ring = opening.ring;
	return err;
}

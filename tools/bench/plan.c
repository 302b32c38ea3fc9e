/* plan.c: the table of workloads, and what the command line makes of it. */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mechanisms.h"
#include "plan.h"

#define MODES_ALL (MODE_BUFFERED | MODE_DIRECT | MODE_DONTCACHE)

/*
 * @rw: the words of --rw that choose it, separated by blanks.
 * @sits_out: mechanisms that say nothing new here, separated by commas; they take part with
 *            --full, or when named.
 * @net: it belongs to --net.
 * @size: of --net: takes part where --bs says a size, as NET_GIVEN; or where it does not.
 */
struct template
{
	struct workload work;
	const char *rw;
	const char *sits_out;
	bool writes;
	bool net;
	enum {
		NET_ANY,
		NET_GIVEN,
		NET_OWN
	} size;
};

#define FILES_TO_SOCKET(NAME, BYTES, SIZE)                       \
	{                                                        \
		{ .name = (NAME),                                \
		  .title = "cached files of %s to a TCP socket", \
		  .kind = WORKLOAD_SEND,                         \
		  .cache = CACHE_WARM,                           \
		  .block_bytes = (BYTES),                        \
		  .sequential = true },                          \
			"", "", false, true, SIZE                \
	}

static const struct template templates[] = {
	{ { .name = "read-cached",
	    .title = "random %s reads of a cached file",
	    .kind = WORKLOAD_BLOCKS,
	    .cache = CACHE_WARM,
	    .modes = MODE_BUFFERED | MODE_DONTCACHE,
	    .block_bytes = 4096 },
	  "randread",
	  "",
	  false },
	{ { .name = "read-direct",
	    .title = "random %s reads from the device (O_DIRECT)",
	    .kind = WORKLOAD_BLOCKS,
	    .cache = CACHE_COLD,
	    .modes = MODE_DIRECT,
	    .block_bytes = 4096 },
	  "randread",
	  "",
	  false },
	{ { .name = "scan",
	    .title = "sequential scan of a file that is not cached, %s at a time",
	    .kind = WORKLOAD_BLOCKS,
	    .cache = CACHE_COLD,
	    .modes = MODES_ALL,
	    .block_bytes = 128 * 1024,
	    .sequential = true },
	  "read",
	  "preadv,posix-aio",
	  false },
	{ { .name = "append",
	    .title = "small durable appends, %s each",
	    .kind = WORKLOAD_APPEND,
	    .block_bytes = 4096 },
	  "write",
	  "",
	  true },
	{ { .name = "mixed",
	    .title = "random %s, 70 %% reads, 30 %% writes, made durable",
	    .kind = WORKLOAD_BLOCKS,
	    .cache = CACHE_COLD,
	    .modes = MODE_BUFFERED | MODE_DIRECT,
	    .block_bytes = 4096,
	    .write_percent = 30 },
	  "randrw rw",
	  "read,preadv,posix-aio",
	  true },
	{ { .name = "write-random",
	    .title = "random %s writes, made durable",
	    .kind = WORKLOAD_BLOCKS,
	    .cache = CACHE_COLD,
	    .modes = MODE_BUFFERED | MODE_DIRECT,
	    .block_bytes = 4096,
	    .write_percent = 100 },
	  "randwrite",
	  "read,preadv,posix-aio",
	  true },
	{ { .name = "send",
	    .title = "cached file to a TCP socket, %s at a time",
	    .kind = WORKLOAD_SEND,
	    .cache = CACHE_WARM,
	    .block_bytes = 64 * 1024,
	    .sequential = true },
	  "",
	  "io_uring send,io_uring send_zc,sendfile+kTLS",
	  false },
	{ { .name = "idle-10",
	    .title = "10 idle descriptors, one ready at a time",
	    .kind = WORKLOAD_WATCH,
	    .block_bytes = 8,
	    .watched = 10 },
	  "",
	  "",
	  true },
	{ { .name = "idle-100",
	    .title = "100 idle descriptors, one ready at a time",
	    .kind = WORKLOAD_WATCH,
	    .block_bytes = 8,
	    .watched = 100 },
	  "",
	  "",
	  true },
	{ { .name = "idle-1000",
	    .title = "1,000 idle descriptors, one ready at a time",
	    .kind = WORKLOAD_WATCH,
	    .block_bytes = 8,
	    .watched = 1000 },
	  "",
	  "",
	  true },
	{ { .name = "idle-10000",
	    .title = "10,000 idle descriptors, one ready at a time",
	    .kind = WORKLOAD_WATCH,
	    .block_bytes = 8,
	    .watched = 10000 },
	  "",
	  "",
	  true },
	FILES_TO_SOCKET("net", 64 << 10, NET_GIVEN),
	FILES_TO_SOCKET("net-1K", 1 << 10, NET_OWN),
	FILES_TO_SOCKET("net-16K", 16 << 10, NET_OWN),
	FILES_TO_SOCKET("net-256K", 256 << 10, NET_OWN),
	FILES_TO_SOCKET("net-1M", 1 << 20, NET_OWN),
	FILES_TO_SOCKET("net-16M", 16 << 20, NET_OWN),
	{ { .name = "net-cold",
	    .title = "files of %s that are not cached to a TCP socket",
	    .kind = WORKLOAD_SEND,
	    .cache = CACHE_COLD,
	    .block_bytes = 4 << 20,
	    .sequential = true },
	  "",
	  "",
	  false,
	  true,
	  NET_ANY },
};

#define TEMPLATES (sizeof(templates) / sizeof(*templates))

/* Calls @match for each word of a list; true at the first that matches. */
static bool any_word(const char *list, const char *separators,
		     bool (*match)(const char *word, const void *ctx), const void *ctx)
{
	char word[64];

	while (*list) {
		size_t len = strcspn(list, separators);

		if (len && len < sizeof(word)) {
			memcpy(word, list, len);
			word[len] = '\0';
			if (match(word, ctx))
				return true;
		}
		list += len + (list[len] != '\0');
	}
	return false;
}

static bool equals(const char *word, const void *ctx)
{
	return strcmp(word, ctx) == 0;
}

static bool matches(const char *word, const void *ctx)
{
	return fnmatch(word, ctx, 0) == 0;
}

/* One that the plan can have: with --net the others are out of the question. */
static bool names_workload(const char *word, const void *plan)
{
	const struct plan *p = plan;

	for (size_t i = 0; i < TEMPLATES; i++) {
		if ((templates[i].net || !p->net) && matches(word, templates[i].work.name))
			return true;
	}
	return false;
}

static bool names_mechanism(const char *word, const void *ctx)
{
	(void)ctx;
	for (const struct mechanism *const *m = mechanisms_all(); *m; m++) {
		if (matches(word, (*m)->name))
			return true;
	}
	return false;
}

/* Who is wanted of a plan; no name: anybody. */
struct wish {
	const struct plan *plan;
	const char *name;
};

/* A word that fits a workload chooses workloads, whatever contenders it fits as well. */
static bool is_contender_word(const char *word, const void *ctx)
{
	const struct wish *wish = ctx;

	return !names_workload(word, wish->plan) && (!wish->name || matches(word, wish->name));
}

int plan_depths(struct plan *p, const char *text)
{
	static const unsigned usual[] = { 1, 32 }, all[] = { 1, 2, 4, 8, 16, 32, 64, 128 };

	p->nr_depths = 0;
	if (!text) {
		const unsigned *from = p->full ? all : usual;

		p->nr_depths = p->full ? 8 : 2;
		memcpy(p->depths, from, p->nr_depths * sizeof(*from));
		return 0;
	}
	for (;;) {
		char *end;
		unsigned long depth = strtoul(text, &end, 10);

		if (end == text || *text == '-' || depth < 1 || depth > CONTENDER_DEPTH_MAX ||
		    p->nr_depths == PLAN_DEPTHS_MAX || (*end && *end != ','))
			return -EINVAL;
		p->depths[p->nr_depths++] = (unsigned)depth;
		if (!*end)
			return 0;
		text = end + 1;
	}
}

static bool knows_rw(const char *rw)
{
	for (size_t i = 0; i < TEMPLATES; i++) {
		if (any_word(templates[i].rw, " ", equals, rw))
			return true;
	}
	return false;
}

/* The first word of --only that names nothing; NULL when all do. */
static const char *unknown_word(const struct plan *p)
{
	static char word[64];

	for (const char *at = p->only; *at; at += strcspn(at, ",") + (strchr(at, ',') != NULL)) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, ","), at);
		if (!names_workload(word, p) && !names_mechanism(word, NULL))
			return word;
	}
	return NULL;
}

static bool takes(const struct plan *p, const struct template *t)
{
	if (p->read_only && t->writes)
		return false;
	if (p->rw && !any_word(t->rw, " ", equals, p->rw))
		return false;
	if (p->net && !t->net)
		return false;
	if (p->only && any_word(p->only, ",", names_workload, p))
		return any_word(p->only, ",", matches, t->work.name);
	if (p->rw || (p->every && t->net == p->net))
		return true;
	if (t->size == (p->block_bytes ? NET_OWN : NET_GIVEN))
		return false;
	return t->net == p->net && strcmp(t->rw, "randwrite") != 0;
}

static void add(struct plan *p, const struct template *t)
{
	struct workload *w = &p->workloads[p->nr++];
	char size[16];

	*w = t->work;
	if (p->block_bytes && w->kind != WORKLOAD_WATCH)
		w->block_bytes = p->block_bytes;
		/* The titles are this table's: at most one %s, for the block size. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(w->title, sizeof(w->title), t->work.title, plan_bytes(w->block_bytes, size));
#pragma GCC diagnostic pop
}

int plan_make(struct plan *p, const char **ret_word)
{
	const char *unknown = p->only ? unknown_word(p) : NULL;

	if (p->rw && !knows_rw(p->rw))
		unknown = p->rw;
	if (unknown) {
		*ret_word = unknown;
		return -EINVAL;
	}
	p->nr = 0;
	for (size_t i = 0; i < TEMPLATES; i++) {
		if (takes(p, &templates[i]))
			add(p, &templates[i]);
	}
	return p->nr ? 0 : -ENODATA;
}

static const struct template *template_of(const struct workload *w)
{
	for (size_t i = 0; i < TEMPLATES; i++) {
		if (strcmp(templates[i].work.name, w->name) == 0)
			return &templates[i];
	}
	return NULL;
}

/* Whether --only has a word for contenders: else all of them are meant. */
static bool chooses_contenders(const struct plan *p)
{
	const struct wish any = { .plan = p };

	return p->only && any_word(p->only, ",", is_contender_word, &any);
}

bool plan_wants(const struct plan *p, const struct contender *c)
{
	const struct wish this = { .plan = p, .name = c->mech->name };

	return !chooses_contenders(p) || any_word(p->only, ",", is_contender_word, &this);
}

bool plan_sits_out(const struct plan *p, const struct contender *c)
{
	return !p->full && !chooses_contenders(p) &&
	       any_word(template_of(c->work)->sits_out, ",", equals, c->mech->name);
}

const char *plan_rw_words(void)
{
	return "randread, read, randrw, randwrite or write";
}

bool plan_needs_file(const struct plan *p)
{
	for (size_t i = 0; i < p->nr; i++) {
		if (p->workloads[i].kind == WORKLOAD_BLOCKS ||
		    p->workloads[i].kind == WORKLOAD_SEND)
			return true;
	}
	return false;
}

const char *plan_bytes(uint64_t bytes, char *buf)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned unit = 0;

	while (bytes >= 1024 && bytes % 1024 == 0 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, 16, "%" PRIu64 " %s", bytes, units[unit]);
	return buf;
}

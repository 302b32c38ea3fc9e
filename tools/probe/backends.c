/* sluice's own ring: which backend it picks here and why, and which others would run. */
#include <stdlib.h>
#include <string.h>

#include <sluice/caps.h>
#include <sluice/op.h>
#include <sluice/ring.h>

#include "tools/probe/topics.h"

/* Open, run a nop, say what it is, close. */
static void try_backend(struct check *check, const char *name)
{
	struct sl_ring_opts opts = { .size = sizeof(opts), .backend = name };
	struct sl_op op = { .code = SL_OP_NOP };
	const struct sl_caps *caps;
	struct sl_ring *ring;
	int err = sl_ring_open(&opts, &ring);

	if (err < 0) {
		check_result(check, err);
		return;
	}
	caps = sl_ring_caps(ring);
	err = sl_ring_do(ring, &op);
	if (err < 0)
		check_set(check, CHECK_NO, "%s opened, but a nop failed: %s", caps->backend,
			  check_errno(err));
	else if (name && !strcmp(name, caps->backend))
		check_set(check, CHECK_YES, "ran a nop; %llu KiB of memory",
			  (unsigned long long)caps->memory_bytes / 1024);
	else
		check_set(check, name ? CHECK_NO : CHECK_YES,
			  "%s: %s; depth %u, %u workers, %llu KiB of memory", caps->backend,
			  caps->why, caps->depth, caps->workers,
			  (unsigned long long)caps->memory_bytes / 1024);
	sl_ring_close(ring);
}

/* What a program gets that asks for nothing: the environment may have its say. */
static void try_chosen(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "backend.chosen", "chosen here");
	const char *asked = getenv("SLUICE_BACKEND");

	if (asked)
		check_say(check, "SLUICE_BACKEND asks for %s", asked);
	try_backend(check, NULL);
}

void probe_backends(struct probe *probe)
{
	static const struct {
		const char *id, *name;
	} backends[] = {
		{ "backend.uring", "uring" },
		{ "backend.epoll", "epoll" },
		{ "backend.poll", "poll" },
		{ "backend.select", "select" },
	};

	try_chosen(probe);
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		try_backend(check_add(&probe->checks, backends[i].id, backends[i].name),
			    backends[i].name);
}

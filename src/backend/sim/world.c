/* SPDX-License-Identifier: MIT */
/* world.c - making a world, and the passing of its time. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "backend/sim/world.h"
#include "base/bits.h"

#define DISK_BYTES     ((uint64_t)1 << 30)
#define LATENCY_MAX_NS 1000000000u

int64_t sim_latency(struct sl_sim *sim, const struct sl_sim_range *range)
{
	return range->min_ns +
	       (int64_t)model_random_below(&sim->random, range->max_ns - range->min_ns + 1ull);
}

struct model_volume *sim_volume(struct sim_machine *machine)
{
	const struct sl_sim_opts *opts = &machine->sim->opts;
	const struct model_volume_opts volume_opts = {
		.profile = machine->sim->profile,
		.sector = opts->sector,
		.bytes_max = opts->disk_bytes,
		.pending_max = opts->unsynced_max,
	};

	if (!machine->volume)
		model_volume_create(&volume_opts, &machine->volume);
	return machine->volume;
}

static bool set_range(struct sl_sim_range *range, uint32_t min_ns, uint32_t max_ns)
{
	if (!range->min_ns && !range->max_ns)
		*range = (struct sl_sim_range){ min_ns, max_ns };
	return range->min_ns <= range->max_ns && range->max_ns <= LATENCY_MAX_NS;
}

static int resolve(const struct sl_sim_opts *opts, struct sl_sim_opts *ret)
{
	*ret = (struct sl_sim_opts){ 0 };
	if (opts && !sl_opts_known(opts, opts->size, sizeof(*ret)))
		return -EINVAL;
	if (opts)
		*ret = *opts;
	if (!ret->sector)
		ret->sector = MODEL_SECTOR_BYTES;
	if (!ret->disk_bytes)
		ret->disk_bytes = DISK_BYTES;
	if (!ret->profile)
		ret->profile = "posix";
	if (!set_range(&ret->transfer, 5000, 50000) || !set_range(&ret->sync, 100000, 1000000) ||
	    !set_range(&ret->name, 2000, 20000) || !set_range(&ret->link, 50000, 500000) ||
	    ret->flags & ~(uint32_t)SL_SIM_THREADS || !model_profile_find(ret->profile) ||
	    (ret->sector != MODEL_SECTOR_BYTES && ret->sector != MODEL_PAGE_BYTES))
		return -EINVAL;
	return 0;
}

/* The script in force: the replay text, else what seed and options say. */
static int read_script(struct sl_sim *sim)
{
	struct sl_sim_opts *opts = &sim->opts;

	sim->script.seed = opts->seed;
	sim->script.cut = opts->cut;
	if (opts->cut_max)
		sim->script.cut = 1 + model_mix(opts->seed + 0xc07) % opts->cut_max;
	if (opts->replay && sim_script_read(opts->replay, &sim->script))
		return -EINVAL;
	opts->replay = NULL;
	opts->profile = sim->profile->name;
	sim->random.state = sim->script.seed;
	sim->info.hash = model_mix(sim->script.seed + 1);
	for (unsigned i = 0; i < SL_SIM_FAULTS; i++)
		sim->chance |= opts->faults[i] != 0;
	return 0;
}

static void init_machines(struct sl_sim *sim)
{
	for (unsigned i = 0; i < SL_SIM_MACHINES; i++) {
		struct sim_machine *machine = &sim->machines[i];

		machine->sim = sim;
		machine->number = i;
		machine->next_port = 32768;
		LIST_INIT(&machine->rings);
		TAILQ_INIT(&machine->lock_waiters);
		for (unsigned j = 0; j < SL_SIM_MACHINES; j++)
			sl_sim_link(sim, i, j, NULL);
	}
}

int sl_sim_create(const struct sl_sim_opts *opts, struct sl_sim **ret_sim)
{
	struct sl_sim *sim = calloc(1, sizeof(*sim));
	int err;

	if (!sim)
		return -ENOMEM;
	err = resolve(opts, &sim->opts);
	if (err)
		goto err_free;
	sim->profile = model_profile_find(sim->opts.profile);
	err = read_script(sim);
	if (err)
		goto err_free;
	sim->now_ns = SIM_CLOCK_START;
	TAILQ_INIT(&sim->link_waiters);
	TAILQ_INIT(&sim->held);
	LIST_INIT(&sim->sockets);
	init_machines(sim);
	*ret_sim = sim;
	return 0;

err_free:
	free(sim);
	return err;
}

static bool is_segment(struct sim_event *event, void *ctx)
{
	if (event->kind != SIM_SEGMENT)
		return false;
	sim_segment_drop(ctx, event);
	return true;
}

void sl_sim_destroy(struct sl_sim *sim)
{
	if (!sim)
		return;
	for (unsigned i = 0; i < SL_SIM_MACHINES; i++) {
		SL_ASSERT(LIST_EMPTY(&sim->machines[i].rings));
		sim_handles_close_all(&sim->machines[i]);
		model_volume_destroy(sim->machines[i].volume);
	}
	sim_events_purge(&sim->events, is_segment, sim);
	sim_segments_drop_held(sim);
	free(sim->events.heap);
	free(sim->handles);
	free(sim);
}

int sl_sim_link(struct sl_sim *sim, unsigned machine, unsigned other,
		const struct sl_sim_link *link)
{
	struct sl_sim_link set = link ? *link : (struct sl_sim_link){ 0 };
	uint32_t share = machine == other ? 10 : 1;

	if (machine >= SL_SIM_MACHINES || other >= SL_SIM_MACHINES)
		return -EINVAL;
	if (!set_range(&set.latency, sim->opts.link.min_ns / share, sim->opts.link.max_ns / share))
		return -EINVAL;
	sim->links[machine][other] = sim->links[other][machine] = set;
	if (!set.parted) {
		sim_wake(sim, &sim->link_waiters);
		sim_segments_release(sim);
	}
	return 0;
}

void sl_sim_address(unsigned machine, unsigned port, struct sockaddr_in *ret_address)
{
	*ret_address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(0x0a000001 + machine),
	};
}

void sl_sim_info(const struct sl_sim *sim, struct sl_sim_info *ret_info)
{
	*ret_info = sim->info;
	ret_info->now_ns = sim->now_ns;
}

/* ---- time --------------------------------------------------------------------------- */

void sim_wake(struct sl_sim *sim, struct sim_tasks *queue)
{
	struct sim_task *task;

	while ((task = TAILQ_FIRST(queue))) {
		TAILQ_REMOVE(queue, task, link);
		task->queue = NULL;
		sim_events_add(&sim->events, sim->now_ns, &task->event);
	}
}

bool sim_advance(struct sl_sim *sim, int64_t until_ns)
{
	int64_t due_ns = sim_events_next_ns(&sim->events);
	struct sim_event *event;

	if (due_ns > until_ns || !sim->events.nr)
		return false;
	if (due_ns > sim->now_ns)
		sim->now_ns = due_ns;
	event = sim_events_take(&sim->events);
	if (event->kind == SIM_TASK)
		sim_perform((struct sim_task *)event);
	else
		sim_segment_arrives(sim, event);
	return true;
}

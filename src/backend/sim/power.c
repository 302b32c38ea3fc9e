/* SPDX-License-Identifier: MIT */
/*
 * power.c - a machine loses its power, and gets it back.
 *
 * Writes in flight are made first, each by chance: the disk may have got them.
 * Then the model chooses what survives of all that was not durable.
 */
#include "backend/sim/world.h"

/* Those that wait for somebody else end now; those under way when they are due. */
static void end_waiting(struct sim_ring *ring)
{
	for (uint32_t i = 0; i < ring->depth; i++) {
		struct sim_task *task = &ring->tasks[i];

		if (!task->queue || task->queue == &ring->done)
			continue;
		TAILQ_REMOVE(task->queue, task, link);
		task->queue = NULL;
		sim_events_add(&ring->sim->events, ring->sim->now_ns, &task->event);
	}
}

static void half_do(struct sim_machine *machine)
{
	struct sl_sim *sim = machine->sim;

	for (size_t i = 0; i < sim->events.nr; i++) {
		struct sim_task *task = (struct sim_task *)sim->events.heap[i].event;

		if (task->event.kind == SIM_TASK && task->ring->machine == machine &&
		    !task->ring->dead && !task->cancelled && model_random(&sim->random) % 2)
			sim_file_half_done(task);
	}
}

static int crash(struct sim_machine *machine)
{
	const struct model_choice choice = { MODEL_RANDOM, model_random(&machine->sim->random) };

	if (!machine->volume)
		return 0;
	half_do(machine);
	machine->volume->noise = model_mix(choice.nr) | 1;
	model_choose(machine->volume, &choice);
	return model_crash(machine->volume);
}

int sl_sim_power_cut(struct sl_sim *sim, unsigned number)
{
	struct sim_machine *machine = sim_machine(sim, number);
	struct sim_ring *ring;
	int err;

	if (!machine)
		return -EINVAL;
	if (machine->off)
		return -EALREADY;
	err = crash(machine);
	machine->off = true;
	sim->info.cuts++;
	LIST_FOREACH(ring, &machine->rings, of_machine)
	{
		ring->dead = true;
		end_waiting(ring);
	}
	sim_handles_close_all(machine);
	sim_trace_event(sim, "power cut", number);
	return err;
}

void sim_power_check(struct sl_sim *sim)
{
	if (sim->cut_done)
		return;
	sim->cut_done = true;
	sl_sim_power_cut(sim, 0);
}

int sl_sim_has_power(const struct sl_sim *sim, unsigned machine)
{
	return machine < SL_SIM_MACHINES && !sim->machines[machine].off;
}

int sl_sim_restart(struct sl_sim *sim, unsigned number)
{
	struct sim_machine *machine = sim_machine(sim, number);

	if (!machine)
		return -EINVAL;
	if (!machine->off)
		return -EALREADY;
	if (!LIST_EMPTY(&machine->rings))
		return -EBUSY;
	machine->off = false;
	sim_trace_event(sim, "restart", number);
	sim_sockets_restart(machine);
	sim_wake(sim, &sim->link_waiters);
	return 0;
}

int sl_sim_drop_caches(struct sl_sim *sim, unsigned number)
{
	struct sim_machine *machine = sim_machine(sim, number);
	struct model_inode *inode;
	int err = 0;

	if (!machine)
		return -EINVAL;
	if (!machine->volume)
		return 0;
	TAILQ_FOREACH(inode, &machine->volume->inodes, all)
	{
		if (!err)
			err = model_drop_cache(machine->volume, inode);
	}
	return err;
}

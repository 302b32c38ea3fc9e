/* SPDX-License-Identifier: MIT */
/*
 * fault.c - which faults strike: by the chances of the options, or where the program asked.
 *
 * Whether one strikes op nr is a function of the seed, the number and the fault
 * alone, so that one fault less does not move all others: shrinking a failing
 * run depends on it.
 */
#include "backend/sim/world.h"

static bool is_listed(const struct sim_script *script, uint64_t nr)
{
	for (uint32_t i = 0; i < script->faults_nr; i++)
		if (script->faults[i] == nr)
			return true;
	return false;
}

static bool has_chance(const struct sl_sim *sim, uint64_t nr, enum sl_sim_fault fault)
{
	uint32_t chance = sim->opts.faults[fault];

	if (!chance ||
	    model_mix(sim->script.seed ^ model_mix(nr * SL_SIM_FAULTS + fault)) % 1000000 >= chance)
		return false;
	if (sim->script.listed)
		return is_listed(&sim->script, nr);
	return !sim->opts.faults_max || sim->struck_nr < sim->opts.faults_max;
}

static bool is_armed(struct sl_sim *sim, enum sl_sim_fault fault)
{
	return sim->armed[fault] && --sim->armed[fault] == 0;
}

static void note(struct sl_sim *sim, uint64_t nr)
{
	if (sim->struck_nr < SIM_LISTED_MAX)
		sim->struck[sim->struck_nr] = nr;
	sim->struck_nr++;
}

bool sim_fault(const struct sim_task *task, enum sl_sim_fault fault)
{
	struct sl_sim *sim = task->ring->sim;

	if (is_armed(sim, fault)) {
		sim->info.faults[fault]++;
		return true;
	}
	if (!sim->chance || !has_chance(sim, task->nr, fault))
		return false;
	sim->info.faults[fault]++;
	note(sim, task->nr);
	return true;
}

uint64_t sim_fault_limit(const struct sim_task *task, uint64_t len)
{
	if (len < 2 || !sim_fault(task, SL_SIM_SHORT))
		return len;
	return 1 + model_random_below(&task->ring->sim->random, len - 1);
}

int sl_sim_fail(struct sl_sim *sim, unsigned fault, uint64_t after)
{
	if (fault >= SL_SIM_FAULTS)
		return -EINVAL;
	sim->armed[fault] = after + 1;
	return 0;
}

void sl_sim_chances(struct sl_sim *sim, const uint32_t *faults)
{
	sim->chance = false;
	for (unsigned i = 0; i < SL_SIM_FAULTS; i++) {
		sim->opts.faults[i] = faults ? faults[i] : 0;
		sim->chance |= sim->opts.faults[i] != 0;
	}
}

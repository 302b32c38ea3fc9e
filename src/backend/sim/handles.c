/* SPDX-License-Identifier: MIT */
/*
 * handles.c - the descriptors of the world: numbers from 2^30 on, the lowest free one first.
 *
 * A kernel gives out the lowest free descriptor, so numbers come back soon: a
 * program that confuses an old descriptor with a new one shows it here too.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "backend/sim/world.h"

#define HANDLES_MAX (1 << 20)

static int grow(struct sl_sim *sim)
{
	uint32_t nr = sim->handles_nr ? sim->handles_nr * 2 : 64;
	struct sim_handle **handles;

	if (nr > HANDLES_MAX)
		return -ENFILE;
	handles = realloc(sim->handles, nr * sizeof(struct sim_handle *));
	if (!handles)
		return -ENOMEM;
	sim->handles = handles;
	for (uint32_t i = sim->handles_nr; i < nr; i++)
		handles[i] = NULL;
	sim->handles_nr = nr;
	return 0;
}

int sim_handle_create(struct sim_machine *machine, enum sim_handle_kind kind,
		      struct sim_handle **ret_handle)
{
	struct sl_sim *sim = machine->sim;
	struct sim_handle *handle;
	uint32_t i = sim->handles_low;
	int err;

	while (i < sim->handles_nr && sim->handles[i])
		i++;
	if (i == sim->handles_nr) {
		err = grow(sim);
		if (err)
			return err;
	}
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	handle->kind = kind;
	handle->machine = machine;
	handle->number = SIM_HANDLE_BASE + (int)i;
	sim->handles[i] = handle;
	sim->handles_low = i + 1;
	*ret_handle = handle;
	return handle->number;
}

struct sim_handle *sim_handle_find(const struct sim_machine *machine, int number)
{
	uint32_t i = (uint32_t)number - SIM_HANDLE_BASE;
	struct sim_handle *handle;

	if (number < SIM_HANDLE_BASE || i >= machine->sim->handles_nr)
		return NULL;
	handle = machine->sim->handles[i];
	return handle && handle->machine == machine ? handle : NULL;
}

static void release(struct sim_handle *handle, bool silently)
{
	struct sl_sim *sim = handle->machine->sim;
	uint32_t i = (uint32_t)handle->number - SIM_HANDLE_BASE;

	sim_lock_drop(handle);
	if (handle->socket)
		sim_socket_close(handle->socket, silently);
	if (handle->inode) {
		if ((handle->flags & O_ACCMODE) != O_RDONLY && !silently)
			model_close(handle->machine->volume, handle->inode);
		model_inode_drop(handle->machine->volume, handle->inode);
	}
	sim->handles[i] = NULL;
	if (i < sim->handles_low)
		sim->handles_low = i;
	free(handle);
}

void sim_handle_close(struct sim_handle *handle)
{
	release(handle, false);
}

void sim_handles_close_all(struct sim_machine *machine)
{
	struct sl_sim *sim = machine->sim;

	for (uint32_t i = 0; i < sim->handles_nr; i++) {
		if (sim->handles[i] && sim->handles[i]->machine == machine)
			release(sim->handles[i], true);
	}
}

static uint32_t desc_flags(const struct sim_handle *handle)
{
	uint32_t flags = 0;

	if (handle->flags & O_DIRECT)
		flags |= SL_DESC_DIRECT;
	if (handle->flags & O_APPEND)
		flags |= SL_DESC_APPEND;
	if (handle->flags & O_NONBLOCK)
		flags |= SL_DESC_NONBLOCK;
	return flags;
}

int sim_handle_describe(const struct sim_handle *handle, struct sl_desc *ret_desc)
{
	static const uint32_t kinds[] = {
		[SIM_FILE] = SL_DESC_REGULAR,
		[SIM_DIRECTORY] = SL_DESC_DIRECTORY,
		[SIM_SOCKET] = SL_DESC_SOCKET,
	};

	*ret_desc = (struct sl_desc){
		.kind = kinds[handle->kind],
		.flags = desc_flags(handle),
		.align_source = "",
		.dev = handle->machine->number + 1,
	};
	if (handle->kind == SIM_FILE) {
		ret_desc->mem_align = MODEL_SECTOR_BYTES;
		ret_desc->read_align = ret_desc->write_align = handle->machine->volume->opts.sector;
		ret_desc->align_source = "sim";
		ret_desc->size = handle->inode->cache.size;
	}
	if (handle->inode)
		ret_desc->ino = handle->inode->number;
	return 0;
}

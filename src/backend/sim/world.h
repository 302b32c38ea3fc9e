/* SPDX-License-Identifier: MIT */
/*
 * world.h - the simulated world from inside: what the files of this folder share.
 *
 * Everything that happens is an event in one queue, ordered by time and, at the
 * same time, by the order in which it was put there. An op is such an event:
 *
 *	start() --latency--> due --perform--> done --> the ring's wait() posts it
 *	                      ^       |
 *	                      |       +-- SIM_BLOCKED: waits in a queue of whoever
 *	                      +--sim_wake()----+       must act first
 *
 * Invariants:
 *  S1. an op takes effect when it is performed, all at once, and nothing that
 *      happens between its start and then is hidden from it.
 *  S2. every decision comes from world->random in the order of events, or from
 *      the seed and the number of the op (faults): never from addresses, real
 *      time or the contents of memory.
 *  S3. the clock moves in one place, world_advance(), and only forwards.
 *  S4. a task is in one place: the event queue, a waiters queue, or its ring's
 *      done queue.
 */
#ifndef SLUICE_BACKEND_SIM_WORLD_H
#define SLUICE_BACKEND_SIM_WORLD_H

#include <semaphore.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sluice/sim.h>

#include "base/assert.h"
#include "engine/backend.h"
#include "model/volume.h"

#define SIM_HANDLE_BASE (1 << 30)
#define SIM_CLOCK_START INT64_C(1000000000)
#define SIM_BLOCKED	INT64_MIN
#define SIM_FOREVER	INT64_MAX
#define SIM_LISTED_MAX	64 /* faults in a replay text, or noted for one */

struct sl_sim;
struct sim_handle;
struct sim_machine;
struct sim_ring;
struct sim_socket;

/* ---- events.c ----------------------------------------------------------------------- */

enum sim_event_kind {
	SIM_TASK,
	SIM_SEGMENT
};

struct sim_event {
	enum sim_event_kind kind;
};

struct sim_queued {
	int64_t due_ns;
	uint64_t order;
	struct sim_event *event;
};

struct sim_events {
	struct sim_queued *heap;
	size_t nr;
	size_t size;
	size_t kept; /* places for the tasks of all rings */
	uint64_t order;
};

/* 0 or -ENOMEM; a task always has room, since its ring has made some. */
int sim_events_reserve(struct sim_events *events, size_t nr);
int sim_events_add(struct sim_events *events, int64_t due_ns, struct sim_event *event);
struct sim_event *sim_events_take(struct sim_events *events);
static inline int64_t sim_events_next_ns(const struct sim_events *events)
{
	return events->nr ? events->heap[0].due_ns : SIM_FOREVER;
}
/* Removes those that match, keeping the order of the others. */
void sim_events_purge(struct sim_events *events, bool (*matches)(struct sim_event *, void *),
		      void *ctx);

/* ---- tasks: ops in flight ----------------------------------------------------------- */

TAILQ_HEAD(sim_tasks, sim_task);
TAILQ_HEAD(sim_segments, sim_segment);

struct sim_task {
	struct sim_event event; /* first */
	TAILQ_ENTRY(sim_task) link;
	struct sim_tasks *queue; /* where it waits, or NULL */
	struct sim_ring *ring;
	struct sl_slot *slot;
	uint64_t slot_id;
	uint64_t nr;  /* of the op in this world, from 1 */
	uint64_t seq; /* SYNC: what had been done when it started */
	int64_t res;
	uint32_t aux;
	uint16_t event_flags;
	bool asked;	/* to end: it does not wait any more */
	bool cancelled; /* it has no effect */
	bool sent;	/* zero-copy: the first of its events is out */
};

/* ---- ring.c ------------------------------------------------------------------------- */

struct sim_ring {
	LIST_ENTRY(sim_ring) of_machine;
	struct sl_sim *sim;
	struct sim_machine *machine;
	struct sl_ring *ring;
	struct sl_allocator allocator;
	uint64_t wait_ns;
	uint32_t depth;
	uint32_t inflight;
	bool dead; /* its machine lost power */
	bool asleep;
	struct sim_tasks idle;
	struct sim_tasks done;
	uint64_t waits;
	sem_t wakes;
	struct sim_task *tasks;
};

extern const struct sl_backend sl_backend_sim;

/* How sl_sim_ring_open() tells the backend where: it passes name as options. */
struct sim_door {
	struct sim_machine *machine;
	char name[8];
};

/* ---- handles.c ---------------------------------------------------------------------- */

enum sim_handle_kind {
	SIM_FREE = 0,
	SIM_FILE,
	SIM_DIRECTORY,
	SIM_SOCKET
};

struct sim_handle {
	enum sim_handle_kind kind;
	int number;
	uint64_t flags; /* O_... it was opened with */
	struct sim_machine *machine;
	struct model_inode *inode;
	struct sim_socket *socket;
	uint64_t position; /* bytes, or that of a directory */
};

/* A free one, of a machine; -ENFILE or -ENOMEM. */
int sim_handle_create(struct sim_machine *machine, enum sim_handle_kind kind,
		      struct sim_handle **ret_handle);
/* The handle of a number on a machine, or NULL. */
struct sim_handle *sim_handle_find(const struct sim_machine *machine, int number);
void sim_handle_close(struct sim_handle *handle);
void sim_handles_close_all(struct sim_machine *machine);
int sim_handle_describe(const struct sim_handle *handle, struct sl_desc *ret_desc);

/* ---- the world ---------------------------------------------------------------------- */

struct sim_lock {
	struct sim_lock *next;
	const struct sim_handle *owner;
	uint64_t start;
	uint64_t end; /* exclusive */
	bool exclusive;
};

struct sim_machine {
	struct sl_sim *sim;
	unsigned number;
	bool off;
	struct model_volume *volume;
	LIST_HEAD(, sim_ring) rings;
	struct sim_lock *locks;
	struct sim_tasks lock_waiters;
	uint16_t next_port;
};

/* What a replay text says, or a run has to tell for one. */
struct sim_script {
	uint64_t seed;
	uint64_t cut;
	uint64_t faults[SIM_LISTED_MAX];
	uint32_t faults_nr;
	bool listed; /* only these faults strike */
};

struct sl_sim {
	struct sl_sim_opts opts;
	const struct model_profile *profile;
	struct model_random random;
	struct sim_events events;
	int64_t now_ns;
	struct sim_machine machines[SL_SIM_MACHINES];
	struct sl_sim_link links[SL_SIM_MACHINES][SL_SIM_MACHINES];
	struct sim_tasks link_waiters; /* connects over a parted link */
	struct sim_segments held;      /* by parted links, in their order */
	LIST_HEAD(, sim_socket) sockets;

	struct sim_handle **handles;
	uint32_t handles_nr;
	uint32_t handles_low; /* none is free below */

	/* faults */
	struct sim_script script; /* given, in force */
	bool chance;		  /* some fault has a chance */
	uint32_t struck_nr;
	uint64_t struck[SIM_LISTED_MAX];
	uint64_t armed[SL_SIM_FAULTS]; /* 1: the next chance; 0: not armed */
	bool cut_done;

	uint64_t next_op;
	struct sl_sim_info info;
};

/* ---- world.c ------------------------------------------------------------------------ */

static inline struct sim_machine *sim_machine(struct sl_sim *sim, unsigned number)
{
	return number < SL_SIM_MACHINES ? &sim->machines[number] : NULL;
}

/* A time within a range, from the seed. */
int64_t sim_latency(struct sl_sim *sim, const struct sl_sim_range *range);
/* The volume of a machine, made at its first use; NULL without memory. */
struct model_volume *sim_volume(struct sim_machine *machine);
/* Moves the clock to the next event, if that is due by then, and carries it out. */
bool sim_advance(struct sl_sim *sim, int64_t until_ns);
/* Puts all tasks of a queue back into the event queue, due now, in their order. */
void sim_wake(struct sl_sim *sim, struct sim_tasks *queue);

/* ---- perform.c ---------------------------------------------------------------------- */

/* Carries out a task that is due. */
void sim_perform(struct sim_task *task);
/* Its result is known: to the done queue of its ring. */
void sim_finish(struct sim_task *task, int64_t res);
/* The latency of what a task is to do. */
int64_t sim_task_latency(struct sim_task *task);
/* Waits in a queue, from a function that performs; answers SIM_BLOCKED. */
int64_t sim_block(struct sim_task *task, struct sim_tasks *queue);

/* ---- file.c, stat.c, path.c, entry.c, attribute.c, lock.c ---------------------------------------
 */

int64_t sim_file_transfer(struct sim_task *task, struct sim_handle *handle);
int64_t sim_file_sync(struct sim_task *task, struct sim_handle *handle);
int64_t sim_file_allocate(const struct sim_task *task, struct sim_handle *handle);
int64_t sim_file_truncate(const struct sim_task *task, struct sim_handle *handle);
/* What a write in flight may still have done when the power failed. */
void sim_file_half_done(struct sim_task *task);

/* Where a path leads: the directory and the last name in it, and what that names. */
struct sim_path {
	struct model_inode *dir;
	const char *name;
	size_t len;
	struct model_entry *entry; /* NULL: no such name, or the path names dir itself */
	struct model_inode *inode; /* NULL: nothing is there */
	bool must_be_dir;
};

enum sim_path_flag {
	SIM_PATH_FOLLOW = 1 << 0, /* a symbolic link at the end too */
	SIM_PATH_EMPTY = 1 << 1,  /* "" is the handle itself */
};

struct sim_path_request {
	int dirfd;
	const char *path;
	uint32_t flags;	  /* enum sim_path_flag */
	uint64_t resolve; /* RESOLVE_... of openat2(2) */
};

/* 0 also when only the last name is missing; or -errno. The names are in buf,
 * which stays with the caller: PATH_MAX bytes. */
int sim_path_find(struct sim_machine *machine, const struct sim_path_request *request, char *buf,
		  struct sim_path *ret_path);

int64_t sim_name_open(struct sim_task *task);
int64_t sim_name_stat(const struct sim_task *task);
int64_t sim_name_link(const struct sim_task *task);
int64_t sim_name_symlink(const struct sim_task *task);
int64_t sim_name_rename(const struct sim_task *task);
int64_t sim_name_unlink(const struct sim_task *task);
int64_t sim_name_mkdir(const struct sim_task *task);
int64_t sim_name_readdir(const struct sim_task *task, struct sim_handle *handle);
int64_t sim_stat_fill(const struct sim_machine *machine, const struct model_inode *inode,
		      void *statx);
int64_t sim_attribute_get(const struct sim_task *task, const struct sim_handle *handle);
int64_t sim_attribute_set(const struct sim_task *task, struct sim_handle *handle);
int64_t sim_lock_set(struct sim_task *task, struct sim_handle *handle);
/* The handle is closed: its locks are gone. */
void sim_lock_drop(struct sim_handle *handle);

/* ---- socket.c, stream.c
 * -------------------------------------------------------------------------- */

int64_t sim_socket_create(const struct sim_task *task);
int64_t sim_socket_perform(struct sim_task *task, struct sim_handle *handle);
int64_t sim_socket_transfer(struct sim_task *task, struct sim_handle *handle);
int64_t sim_socket_sendfile(struct sim_task *task, struct sim_handle *handle);
int sim_socket_name(const struct sim_socket *socket, bool peer, struct sockaddr *addr,
		    socklen_t *len);
uint32_t sim_socket_events(const struct sim_socket *socket);
struct sim_tasks *sim_socket_waiters(struct sim_socket *socket);
void sim_socket_close(struct sim_socket *socket, bool silently);
void sim_segment_arrives(struct sl_sim *sim, struct sim_event *event);
void sim_segment_drop(struct sl_sim *sim, struct sim_event *event);
/* Those held by links that are parted no longer arrive; all are forgotten. */
void sim_segments_release(struct sl_sim *sim);
void sim_segments_drop_held(struct sl_sim *sim);
/* The machine is back: those who were connected to it learn of it. */
void sim_sockets_restart(struct sim_machine *machine);

/* ---- fault.c, power.c, script.c, trace.c
 * --------------------------------------------------------- */

/* Whether a fault strikes this task, here. */
bool sim_fault(const struct sim_task *task, enum sl_sim_fault fault);
/* What of len bytes a transfer moves: all, or less. */
uint64_t sim_fault_limit(const struct sim_task *task, uint64_t len);
/* After each op: is it time for the power cut of the options? */
void sim_power_check(struct sl_sim *sim);

/* 0, or -EINVAL. */
int sim_script_read(const char *text, struct sim_script *ret_script);
/* 0, or -ENOBUFS. */
int sim_script_write(const struct sim_script *script, char *buf, size_t bytes);

void sim_trace(struct sl_sim *sim, const struct sim_task *task);
void sim_trace_event(struct sl_sim *sim, const char *what, unsigned machine);

/* ---- pieces of memory: one buffer, a vector or a message
 * ------------------------------------------ */

struct sim_pieces {
	struct iovec one;
	const struct iovec *iov;
	size_t nr;
};

void sim_pieces(const struct sl_slot *slot, struct sim_pieces *ret_pieces);
uint64_t sim_pieces_bytes(const struct sim_pieces *pieces);

#endif

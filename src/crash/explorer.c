/* SPDX-License-Identifier: MIT */
/* explorer.c - lanes, what was seen, budgets. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "crash/explorer.h"
#include "crash/unnamed.h"

#define SEEN_FIRST	4096
#define TMPFS_MAGIC	0x01021994
#define STATES_DEFAULT	10000
#define TIMEOUT_DEFAULT UINT64_C(10000000000)
#define FAILING_DEFAULT 20
#define PROGRESS_NS	UINT64_C(250000000)
#define POLL_MS		100
#define FAILURES_MAX	4   /* of states that have lost, or kept, one op alone */
#define NOT_FOUND	127 /* what sh says of a command that is not there */
#define NOT_EXECUTABLE	126

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- notes and errors --------------------------------------------------------------- */

const char *explorer_id(const struct explorer *explorer, const struct spec *spec, char *buf,
			size_t bytes)
{
	struct spec told = *spec;

	told.point = crash_words_number(explorer->words, spec->point);
	told.dropped = crash_words_number(explorer->words, spec->dropped);
	return spec_id(&told, explorer->profile->name, buf, bytes);
}

void explorer_note(struct explorer *explorer, const char *format, ...)
{
	struct crash_result *result = explorer->result;
	char **more = realloc(result->notes, (result->notes_nr + 1) * sizeof(char *));
	va_list args;

	if (!more)
		return;
	result->notes = more;
	va_start(args, format);
	if (vasprintf(&more[result->notes_nr], format, args) >= 0)
		result->notes_nr++;
	va_end(args);
}

int explorer_fail(struct explorer *explorer, int err, const char *format, ...)
{
	va_list args;

	if (explorer->result->error[0])
		return err;
	va_start(args, format);
	vsnprintf(explorer->result->error, sizeof(explorer->result->error), format, args);
	va_end(args);
	return err;
}

/* ---- what was seen ------------------------------------------------------------------ */

static uint64_t find_slot(const struct seen *seen, const uint64_t key[2])
{
	uint64_t slot = key[0] & seen->mask;

	while (seen->verdicts[slot] &&
	       (seen->keys[slot][0] != key[0] || seen->keys[slot][1] != key[1]))
		slot = (slot + 1) & seen->mask;
	return slot;
}

static int seen_grow(struct seen *seen)
{
	struct seen more = { .mask = seen->mask ? 2 * seen->mask + 1 : SEEN_FIRST - 1 };

	more.keys = malloc((more.mask + 1) * sizeof(*more.keys));
	more.verdicts = calloc(more.mask + 1, 1);
	if (!more.keys || !more.verdicts) {
		free(more.keys);
		free(more.verdicts);
		return -ENOMEM;
	}
	for (uint64_t i = 0; seen->mask && i <= seen->mask; i++) {
		uint64_t slot;

		if (!seen->verdicts[i])
			continue;
		slot = find_slot(&more, seen->keys[i]);
		memcpy(more.keys[slot], seen->keys[i], sizeof(more.keys[slot]));
		more.verdicts[slot] = seen->verdicts[i];
	}
	more.nr = seen->nr;
	free(seen->keys);
	free(seen->verdicts);
	*seen = more;
	return 0;
}

/* Slots move when it grows: it does so only while no lane knows one. */
static int seen_reserve(struct explorer *explorer)
{
	int err;

	if (explorer->seen.nr + LANES_MAX < explorer->seen.mask / 2)
		return 0;
	err = explorer_settle(explorer);
	return err ? err : seen_grow(&explorer->seen);
}

static uint64_t slot_of(const struct explorer *explorer, uint64_t acks_nr, uint64_t ret_key[2])
{
	ret_key[0] = explorer->maker.state.hash[0] ^ model_mix(acks_nr + 1);
	ret_key[1] = explorer->maker.state.hash[1] + model_mix(~acks_nr);
	return find_slot(&explorer->seen, ret_key);
}

static void take_slot(struct seen *seen, uint64_t slot, const uint64_t key[2])
{
	seen->keys[slot][0] = key[0];
	seen->keys[slot][1] = key[1];
	seen->verdicts[slot] = SEEN_PENDING;
	seen->nr++;
}

/* ---- budgets ------------------------------------------------------------------------ */

uint64_t explorer_acks(const struct explorer *explorer, uint64_t point)
{
	return explorer->acks_are_fixed ? explorer->acks.nr : acks_until(&explorer->acks, point);
}

bool explorer_has_time(struct explorer *explorer)
{
	if (explorer->opts.stop && *explorer->opts.stop)
		explorer->result->stopped = true;
	if (explorer->result->stopped || explorer->error)
		return false;
	return !explorer->until_ns || now_ns() < explorer->until_ns;
}

void explorer_share_time(struct explorer *explorer, unsigned hundredths)
{
	explorer->until_ns = 0;
	if (explorer->opts.time_ns)
		explorer->until_ns = explorer->start_ns + explorer->opts.time_ns / 100 * hundredths;
}

bool explorer_may_go_on(struct explorer *explorer)
{
	return explorer_has_time(explorer) && explorer->timeouts < TIMEOUTS_MAX &&
	       explorer->result->distinct < explorer->opts.states_max;
}

void explorer_tell_progress(struct explorer *explorer)
{
	uint64_t now = now_ns();
	struct crash_progress progress = {
		.phase = explorer->phase,
		.done = explorer->phase_total ? explorer->phase_done : explorer->result->distinct,
		.total = explorer->phase_total ? explorer->phase_total : explorer->opts.states_max,
		.failed = explorer->result->failed,
		.elapsed_ns = now - explorer->start_ns,
	};

	if (!explorer->opts.progress || now - explorer->progress_ns < PROGRESS_NS)
		return;
	explorer->progress_ns = now;
	explorer->opts.progress(&progress, explorer->opts.ctx);
}

/* ---- lanes -------------------------------------------------------------------------- */

static int keep_raw(struct explorer *explorer, const struct lane *lane)
{
	if (explorer->raw_nr == RAW_MAX)
		return 0;
	if (explorer->raw_nr == explorer->raw_room) {
		size_t room = explorer->raw_room ? 2 * explorer->raw_room : 16;
		struct raw *more = realloc(explorer->raw, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		explorer->raw = more;
		explorer->raw_room = room;
	}
	explorer->raw[explorer->raw_nr++] = (struct raw){ lane->order, lane->spec };
	return 0;
}

/* What cannot be run is no verdict on a state. */
static int refuse_broken(struct explorer *explorer, const struct check_verdict *verdict)
{
	if (verdict->kind == CHECK_BROKEN)
		return explorer_fail(explorer, verdict->status, "the checker could not be run: %s",
				     verdict->output);
	if (explorer->opts.check && verdict->kind == CHECK_EXIT &&
	    (verdict->status == NOT_FOUND || verdict->status == NOT_EXECUTABLE))
		return explorer_fail(explorer, -ENOENT,
				     "there is no such checker, says sh: %.*s; it runs in the "
				     "state's directory, so name it by its full path",
				     (int)strcspn(verdict->output, "\n"), verdict->output);
	return 0;
}

static int take_answer(struct explorer *explorer, struct lane *lane)
{
	struct check_verdict verdict;
	int err = checker_answer(lane->checker, &verdict);
	bool failed;

	if (err)
		return explorer->error = explorer_fail(explorer, err, "a checker's server: %s",
						       strerror(-err));
	failed = verdict.kind != CHECK_FINE;
	explorer->seen.verdicts[lane->slot] = failed ? SEEN_FAILED : SEEN_FINE;
	err = refuse_broken(explorer, &verdict);
	explorer->timeouts += verdict.kind == CHECK_TIMEOUT;
	if (!err && failed) {
		explorer->result->failed++;
		explorer->failures[lane->lone] += explorer->failures[lane->lone] < UINT8_MAX;
		err = keep_raw(explorer, lane);
	}
	return explorer->error = err;
}

/* Takes the answers that are there, or waits for one. */
static int wait_for_answer(struct explorer *explorer)
{
	struct pollfd fds[LANES_MAX];
	int err = 0, nr;

	for (uint32_t i = 0; i < explorer->lanes_nr; i++) {
		const struct lane *lane = &explorer->lanes[i];

		fds[i].fd = checker_is_running(lane->checker) ? checker_fd(lane->checker) : -1;
		fds[i].events = POLLIN;
		fds[i].revents = 0;
	}
	nr = poll(fds, explorer->lanes_nr, POLL_MS);
	explorer_tell_progress(explorer);
	for (uint32_t i = 0; nr > 0 && !err && i < explorer->lanes_nr; i++) {
		if (fds[i].revents)
			err = take_answer(explorer, &explorer->lanes[i]);
	}
	return err;
}

static int free_lane(struct explorer *explorer, struct lane **ret_lane)
{
	for (;;) {
		int err;

		for (uint32_t i = 0; i < explorer->lanes_nr; i++) {
			if (!checker_is_running(explorer->lanes[i].checker)) {
				*ret_lane = &explorer->lanes[i];
				return 0;
			}
		}
		if (explorer->opts.stop && *explorer->opts.stop)
			return -ECANCELED;
		err = wait_for_answer(explorer);
		if (err)
			return err;
	}
}

static bool any_runs(const struct explorer *explorer)
{
	for (uint32_t i = 0; i < explorer->lanes_nr; i++) {
		if (checker_is_running(explorer->lanes[i].checker))
			return true;
	}
	return false;
}

int explorer_settle(struct explorer *explorer)
{
	int err = explorer->error;

	while (!err && any_runs(explorer)) {
		if (explorer->opts.stop && *explorer->opts.stop)
			return -ECANCELED;
		err = wait_for_answer(explorer);
	}
	return err;
}

static int start(struct explorer *explorer, struct lane *lane, uint64_t acks_nr, bool fresh)
{
	struct maker *maker = &explorer->maker;
	int err = place_make(lane->place, &maker->state, &maker->view, &explorer->acks, acks_nr,
			     explorer->opts.ignore);

	if (err)
		return explorer_fail(explorer, err,
				     "a state could not be made in %s: %s; is there room?",
				     place_dir(lane->place), strerror(-err));
	return checker_start(lane->checker, fresh);
}

/* Where failures counts the states about the one op that a spec is about; 0: there is none. */
static uint64_t lone_op(const struct explorer *explorer, const struct spec *spec)
{
	uint64_t element = spec->numbers[0], seq;
	const struct model_op *op;

	if (spec->class != CRASH_OMIT1 && spec->class != CRASH_ONLY1)
		return 0;
	op = model_op_with(maker_volume(&explorer->maker), &element);
	seq = op ? replay_seq_of(explorer->maker.replay, op) : 0;
	return seq && spec->class == CRASH_ONLY1 ? explorer->last + seq : seq;
}

int explorer_offer(struct explorer *explorer, const struct spec *spec)
{
	uint64_t acks_nr = explorer_acks(explorer, spec->point), key[2], slot, lone;
	struct lane *lane;
	int err = maker_seek(&explorer->maker, spec->dropped, spec->point);

	if (err)
		return err;
	lone = lone_op(explorer, spec);
	if (lone && explorer->failures[lone] >= FAILURES_MAX)
		return 0; /* one more would tell nothing new */
	err = maker_make(&explorer->maker, spec);
	if (err)
		return err == -ERANGE ? 0 : err;
	explorer->result->states++;
	err = seen_reserve(explorer);
	if (err)
		return err;
	slot = slot_of(explorer, acks_nr, key);
	if (explorer->seen.verdicts[slot])
		return 0;
	err = free_lane(explorer, &lane);
	if (err)
		return err;
	take_slot(&explorer->seen, slot, key);
	lane->spec = *spec;
	lane->slot = slot;
	lane->lone = lone;
	lane->order = explorer->result->distinct++;
	explorer_tell_progress(explorer);
	return start(explorer, lane, acks_nr, false);
}

int explorer_test(struct explorer *explorer, uint64_t acks_nr, bool *ret_failed,
		  struct check_verdict *ret_verdict)
{
	struct lane *lane = &explorer->lanes[0];
	struct check_verdict verdict;
	uint64_t key[2], slot;
	int err = explorer_settle(explorer);

	if (!err)
		err = seen_reserve(explorer);
	if (err)
		return err;
	slot = slot_of(explorer, acks_nr, key);
	if (!ret_verdict && explorer->seen.verdicts[slot]) {
		*ret_failed = explorer->seen.verdicts[slot] == SEEN_FAILED;
		return 0;
	}
	if (!explorer->seen.verdicts[slot])
		take_slot(&explorer->seen, slot, key);
	err = start(explorer, lane, acks_nr, ret_verdict != NULL);
	if (!err)
		err = checker_answer(lane->checker, &verdict);
	if (!err)
		err = refuse_broken(explorer, &verdict);
	if (err)
		return explorer->error = err;
	explorer->seen.verdicts[slot] = verdict.kind == CHECK_FINE ? SEEN_FINE : SEEN_FAILED;
	explorer_tell_progress(explorer);
	*ret_failed = verdict.kind != CHECK_FINE;
	if (ret_verdict)
		*ret_verdict = verdict;
	return 0;
}

/* ---- where states are made ---------------------------------------------------------- */

/* What one state may take, at most: all that was there and all that was written. */
static uint64_t state_bytes(const struct crash_trace *trace)
{
	uint64_t bytes = 0;

	for (uint64_t i = 0; i < crash_trace_nr(trace); i++) {
		const struct crash_op *op = crash_trace_op(trace, i);

		if (op->code == CRASH_BASE || op->code == CRASH_WRITE)
			bytes += op->len + MODEL_PAGE_BYTES;
	}
	return bytes;
}

/* In memory, if there is enough of it. */
static bool has_room(const char *dir, uint64_t bytes)
{
	struct statfs fs;

	return statfs(dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC && access(dir, W_OK | X_OK) == 0 &&
	       (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize / 4 > bytes &&
	       bytes < (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
}

static const char *scratch_parent(const struct explorer *explorer)
{
	uint64_t bytes = state_bytes(explorer->trace) * explorer->opts.jobs;

	if (explorer->opts.scratch)
		return explorer->opts.scratch;
	if (bytes <= explorer->opts.bytes_max && has_room("/dev/shm", bytes))
		return "/dev/shm";
	return crash_unnamed_dir();
}

static int make_lane(struct explorer *explorer, uint32_t idx)
{
	struct lane *lane = &explorer->lanes[idx];
	struct checker_opts opts = {
		.check = explorer->opts.check,
		.check_so = explorer->opts.check_so,
		.timeout_ns = explorer->opts.timeout_ns,
	};
	char name[16], top[4200], why[256] = "";
	int err;

	snprintf(name, sizeof(name), "%u", idx);
	snprintf(top, sizeof(top), "%s/%s", explorer->scratch, name);
	err = place_create(explorer->scratch, name, &lane->place);
	if (err)
		return explorer_fail(explorer, err, "%s: %s", top, strerror(-err));
	opts.dir = place_dir(lane->place);
	opts.acks = place_acks(lane->place);
	opts.top = top;
	err = checker_create(&opts, &lane->checker, why, sizeof(why));
	explorer->lanes_nr++;
	return err ? explorer_fail(explorer, err, "%s", why[0] ? why : strerror(-err)) : 0;
}

static int make_lanes(struct explorer *explorer)
{
	const char *parent = scratch_parent(explorer);
	int err = 0;

	if ((size_t)snprintf(explorer->scratch, sizeof(explorer->scratch), "%s/sluice-crash-XXXXXX",
			     parent) >= sizeof(explorer->scratch) ||
	    !mkdtemp(explorer->scratch)) {
		err = errno ? -errno : -ENAMETOOLONG;
		explorer->scratch[0] = '\0';
		return explorer_fail(explorer, err,
				     "%s: no directory for states can be made there: %s", parent,
				     strerror(-err));
	}
	for (uint32_t i = 0; i < explorer->opts.jobs && !err; i++)
		err = make_lane(explorer, i);
	return err;
}

/* ---- beginning and end -------------------------------------------------------------- */

static int fill_opts(struct explorer *explorer)
{
	struct crash_explore_opts *opts = &explorer->opts;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	explorer->profile = model_profile_find(opts->profile ? opts->profile : "posix");
	if (!explorer->profile)
		return explorer_fail(explorer, -EINVAL,
				     "%s: no such profile; there are posix, ext4, xfs and btrfs",
				     opts->profile);
	if (!opts->check == !opts->check_so)
		return explorer_fail(explorer, -EINVAL,
				     "give one checker, a command or a function");
	if (opts->classes >> CRASH_LOST)
		return explorer_fail(explorer, -EINVAL, "classes has bits of no class");
	opts->profile = explorer->profile->name;
	opts->classes = opts->classes ? opts->classes : (1u << CRASH_LOST) - 1;
	opts->timeout_ns = opts->timeout_ns ? opts->timeout_ns : TIMEOUT_DEFAULT;
	opts->states_max = opts->states_max ? opts->states_max : STATES_DEFAULT;
	opts->bytes_max = opts->bytes_max ? opts->bytes_max : REPLAY_BYTES_DEFAULT;
	opts->failing_max = opts->failing_max ? opts->failing_max : FAILING_DEFAULT;
	if (!opts->jobs)
		opts->jobs = processors > 0 ? (uint32_t)processors : 1;
	if (opts->jobs > LANES_MAX)
		opts->jobs = LANES_MAX;
	return 0;
}

static int make_maker(struct explorer *explorer)
{
	const struct replay_opts opts = {
		.trace = explorer->trace,
		.base_dir = explorer->base_dir,
		.profile = explorer->profile,
		.bytes_max = explorer->opts.bytes_max,
	};
	int err = maker_init(&explorer->maker, &opts, explorer->opts.ignore);

	if (!err)
		return 0;
	return explorer_fail(explorer, err, "%s: %s", explorer->base_dir, strerror(-err));
}

int explorer_init(struct explorer *explorer, const struct crash_trace *trace, const char *base_dir,
		  const struct crash_explore_opts *opts, struct crash_result *result)
{
	int err;

	*explorer = (struct explorer){ .trace = trace,
				       .base_dir = base_dir,
				       .opts = *opts,
				       .result = result,
				       .start_ns = now_ns(),
				       .phase = "explore" };
	*result = (struct crash_result){ 0 };
	err = fill_opts(explorer);
	/* The servers are forked while this process is small. */
	if (!err)
		err = make_lanes(explorer);
	if (!err)
		err = acks_read(&explorer->acks, trace);
	if (!err)
		err = crash_words_create(trace, &explorer->words);
	if (!err)
		err = seen_grow(&explorer->seen);
	if (!err)
		err = make_maker(explorer);
	result->acks = explorer->acks.nr;
	return err;
}

void explorer_fini(struct explorer *explorer)
{
	for (uint32_t i = 0; i < explorer->lanes_nr; i++) {
		checker_destroy(explorer->lanes[i].checker);
		place_destroy(explorer->lanes[i].place);
	}
	if (explorer->scratch[0])
		remove_tree(explorer->scratch);
	maker_fini(&explorer->maker);
	acks_release(&explorer->acks);
	crash_words_destroy(explorer->words);
	free(explorer->seen.keys);
	free(explorer->seen.verdicts);
	free(explorer->raw);
	free(explorer->interesting);
	free(explorer->elements);
	free(explorer->fresh);
	free(explorer->failures);
	explorer->result->elapsed_ns = now_ns() - explorer->start_ns;
}

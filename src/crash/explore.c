/* SPDX-License-Identifier: MIT */
/* explore.c - the phases of an exploration, and the state of one id. */
#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/explorer.h"
#include "crash/record.h"

/* Without a promise there is none to be broken. */
static void note_silence(struct explorer *explorer)
{
	if (!explorer->acks.nr)
		explorer_note(
			explorer,
			"the program acknowledged nothing, so only consistency was tested and "
			"not whether anything is lost: let it print a line, write one to "
			"DIR/" CRASH_MAGIC_ACK " or call sl_crash_ack() when something is "
			"durable");
}

static int run_phases(struct explorer *explorer)
{
	bool mutate = explorer->opts.mutate, recover = explorer->opts.recover;
	int err;

	explorer_share_time(explorer, 100 - 30 * mutate - 30 * recover);
	err = explore_count(explorer);
	if (!err)
		note_silence(explorer);
	if (!err)
		err = explore_classes(explorer);
	if (!err && explorer->raw_nr)
		err = explain_all(explorer);
	explorer_share_time(explorer, 100 - 30 * recover);
	if (!err && mutate && !explorer->result->stopped)
		err = mutate_all(explorer);
	explorer_share_time(explorer, 100);
	if (!err && recover && !explorer->result->stopped)
		err = recover_all(explorer);
	return err == -ECANCELED ? 0 : err;
}

int crash_explore(const struct crash_trace *trace, const char *base_dir,
		  const struct crash_explore_opts *opts, struct crash_result *ret_result)
{
	struct explorer explorer;
	int err = explorer_init(&explorer, trace, base_dir, opts, ret_result);

	if (!err && crash_trace_torn(trace))
		explorer_note(&explorer, "the recording ends within an operation, its recorder was "
					 "killed: what follows is missing");
	if (!err)
		err = run_phases(&explorer);
	if (err)
		explorer_fail(&explorer, err, "%s", strerror(-err));
	explorer_fini(&explorer);
	return err;
}

void crash_failure_release(struct crash_failure *failure)
{
	for (size_t i = 0; i < failure->lost_nr; i++)
		free(failure->lost[i]);
	free(failure->lost);
	free(failure->lost_ops);
	for (size_t i = 0; i < failure->faults_nr; i++)
		free(failure->faults[i]);
	free(failure->faults);
	free(failure->id);
	free(failure->found_id);
	free(failure->why_legal);
	free(failure->missing_sync);
	free(failure->checker_output);
	free(failure->verdict);
	free(failure->dir);
}

void crash_result_release(struct crash_result *result)
{
	for (size_t i = 0; i < result->failing_nr; i++)
		crash_failure_release(&result->failing[i]);
	for (size_t i = 0; i < result->syncs_nr; i++) {
		free(result->syncs[i].words);
		free(result->syncs[i].failing_id);
	}
	for (size_t i = 0; i < result->notes_nr; i++)
		free(result->notes[i]);
	free(result->failing);
	free(result->syncs);
	free(result->notes);
	*result = (struct crash_result){ 0 };
}

/* ---- one state ---------------------------------------------------------------------- */

static int make_empty_dir(const char *dir)
{
	const struct dirent *entry;
	bool empty = true;
	DIR *stream;

	if (mkdir(dir, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	stream = opendir(dir);
	if (!stream)
		return -errno;
	while (empty && (entry = readdir(stream)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(stream);
	return empty ? 0 : -ENOTEMPTY;
}

static int make_at(struct maker *maker, const struct acks *acks, uint64_t acks_nr, const char *dir,
		   const char *acks_path)
{
	struct place *place = NULL;
	int err = make_empty_dir(dir);

	if (!err)
		err = place_create_at(dir, acks_path, &place);
	if (!err)
		err = place_make(place, &maker->state, &maker->view, acks, acks_nr, maker->ignore);
	place_destroy(place);
	return err;
}

static int replay_spec(const struct crash_trace *trace, const char *base_dir,
		       const struct model_profile *profile, const struct spec *told,
		       const char *dir, const char *acks_path)
{
	const struct replay_opts opts = {
		.trace = trace,
		.base_dir = base_dir,
		.profile = profile,
		.bytes_max = REPLAY_BYTES_DEFAULT,
	};
	struct acks acks = { 0 };
	struct spec spec = *told;
	struct maker maker;
	int err = acks_read(&acks, trace);

	spec.point += crash_base_nr(trace);
	spec.dropped += told->dropped ? crash_base_nr(trace) : 0;

	if (err)
		return err;
	err = maker_init(&maker, &opts, NULL);
	if (!err)
		err = maker_make(&maker, &spec);
	if (!err)
		err = make_at(&maker, &acks, acks_until(&acks, spec.point), dir, acks_path);
	if (maker.replay)
		maker_fini(&maker);
	acks_release(&acks);
	return err;
}

/* The first crash into a directory of its own, then the second one from its trace. */
static int replay_second(const struct crash_trace *trace, const char *base_dir, const char *id,
			 const char *rest, const char *keep, const char *dir, const char *acks_path)
{
	const struct model_profile *profile, *none;
	struct crash_trace *second = NULL;
	struct spec spec, inner;
	char first_dir[4096], trace_path[4096];
	const char *end;
	int err;

	if (!keep || spec_parse(id, &profile, &spec, &end) ||
	    spec_parse(rest + 1, &none, &inner, &end) || none || *end)
		return -EINVAL;
	if ((size_t)snprintf(trace_path, sizeof(trace_path), "%s/%.*s.trace", keep,
			     (int)(rest - id), id) >= sizeof(trace_path) ||
	    (size_t)snprintf(first_dir, sizeof(first_dir), "%s.first", dir) >= sizeof(first_dir))
		return -ENAMETOOLONG;
	err = crash_trace_open(trace_path, &second);
	if (err)
		return err;
	err = replay_spec(trace, base_dir, profile, &spec, first_dir, acks_path);
	if (!err)
		err = replay_spec(second, first_dir, profile, &inner, dir, NULL);
	remove_tree(first_dir);
	crash_trace_close(second);
	return err;
}

int crash_replay(const struct crash_trace *trace, const char *base_dir, const char *id,
		 const char *keep, const char *dir, const char *acks_path)
{
	const struct model_profile *profile = NULL;
	struct spec spec;
	const char *rest;
	int err = spec_parse(id, &profile, &spec, &rest);

	if (err || !profile)
		return -EINVAL;
	if (*rest == ':')
		return replay_second(trace, base_dir, id, rest, keep, dir, acks_path);
	return replay_spec(trace, base_dir, profile, &spec, dir, acks_path);
}

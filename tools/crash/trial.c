/*
 * trial.c: one scene on one kind of file system; see trial.h.
 *
 * A file system in an image is mounted while the recorder serves the image, so every write and
 * every flush of the kernel is recorded, exactly and in order. A scene is played on it and
 * acknowledged. Of the image at that moment the states that a disk with a cache may leave are made:
 * with the flushed writes only, and with random parts of the others. Each is mounted again, as
 * after a power cut, and looked at. What is seen there must be among what the profile says; if the
 * profile allows less than that, it is only more careful than this kernel.
 */
#include "tools/crash/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/explore.h"
#include "crash/record.h"
#include "crash/words.h"
#include "tools/cli.h"
#include "tools/crash/fsimage.h"
#include "tools/crash/session.h"

/* Names the scene to the copy of this command that plays it under the recorder. */
#define PLAY_VARIABLE "SLUICE_CALIBRATE"

/* -- playing, under the recorder ----------------------------------------------------------- */

static int play(const char *fs, const char *options, const struct scene *scene, const char *dir)
{
	char image[4096], point[4096];
	int fd, err;

	snprintf(image, sizeof(image), "%s/disk", dir);
	snprintf(point, sizeof(point), "%s/../mounted", dir);
	err = fsimage_enter();
	if (!err)
		err = fsimage_mount(image, fs, options, point);
	if (err)
		return cli_fail_errno(point, err, NULL);
	fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? -errno : scene_play(fd, scene->before);
	if (!err && syncfs(fd) < 0)
		err = -errno;
	if (!err)
		err = scene_play(fd, scene->steps);
	if (!err && write(STDOUT_FILENO, "played\n", 7) != 7)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (umount2(point, 0) < 0 && !err)
		err = -errno;
	return err ? cli_fail_errno(scene->steps, err, NULL) : CLI_DONE;
}

/* "FS ,OPTIONS NUMBER DIR" of the environment. */
static int play_named(const char *named)
{
	char fs[16], options[TRIAL_OPTIONS_MAX + 2];
	unsigned nr;
	int used = 0;

	if (sscanf(named, "%15s %256s %u %n", fs, options, &nr, &used) != 3 || !used)
		return cli_usage(PLAY_VARIABLE, "is for this command's own use");
	return play(fs, options + 1, &scenes[nr], named + used);
}

/* -- one state of the image ---------------------------------------------------------------- */

/* Mounts it in a process of its own, which ends with all that it mounted, and looks. */
static int see_image(const struct trial *trial, char ret_seen[SCENE_SEEN])
{
	char image[4096], point[4096];
	int pipes[2], status = 0;
	ssize_t len;
	pid_t pid;

	snprintf(image, sizeof(image), "%s/state/disk", trial->area);
	snprintf(point, sizeof(point), "%s/mounted", trial->area);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		char seen[SCENE_SEEN] = "!";
		int err = fsimage_enter(), fd;

		if (!err)
			err = fsimage_mount(image, trial->fs, trial->options, point);
		fd = err ? -1 : open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			scene_see(fd, trial->scene->looks, seen);
		_exit(write(pipes[1], seen, sizeof(seen)) != sizeof(seen));
	}
	close(pipes[1]);
	len = pid < 0 ? -1 : read(pipes[0], ret_seen, SCENE_SEEN);
	close(pipes[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return len == SCENE_SEEN && !status ? 0 : -EIO;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

void trial_remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int look_at_state(const struct trial *trial, const struct crash_trace *trace, const char *id,
			 char ret_seen[SCENE_SEEN])
{
	char base[4096], state[4096];
	int err;

	snprintf(base, sizeof(base), "%s/base", trial->area);
	snprintf(state, sizeof(state), "%s/state", trial->area);
	err = crash_replay(trace, base, id, NULL, state, NULL);
	if (!err)
		err = see_image(trial, ret_seen);
	trial_remove_tree(state);
	return err;
}

/* -- one scene ----------------------------------------------------------------------------- */

/* What a recorder appended in another process is seen by reading it all. */
static int reread(struct crash_trace *trace, int err, struct crash_trace **ret_trace)
{
	int fd = dup(crash_trace_fd(trace));

	crash_trace_close(trace);
	if (!err && fd >= 0)
		return crash_trace_open_fd(fd, ret_trace);
	if (fd >= 0)
		close(fd);
	return err ? err : -EMFILE;
}

static int record(const struct trial *trial, struct crash_trace **ret_trace)
{
	char self[] = "/proc/self/exe", name[] = "crash", verb[] = "calibrate";
	char *argv[] = { self, name, verb, NULL };
	char base[4096], named[4160];
	struct crash_record_report report = { 0 };
	struct crash_record_opts opts = {
		.dir = base,
		.argv = argv,
		.recorder = "fuse",
		.stdout_quiet = true,
		.scratch_dir = trial->area,
		.stop = session_stop(),
	};
	struct crash_trace *trace;
	int err;

	snprintf(base, sizeof(base), "%s/base", trial->area);
	snprintf(named, sizeof(named), "%s ,%s %td %s", trial->fs, trial->options,
		 trial->scene - scenes, base);
	err = crash_trace_create(NULL, NULL, &trace);
	if (err)
		return err;
	setenv(PLAY_VARIABLE, named, 1);
	err = crash_record(&opts, trace, &report);
	unsetenv(PLAY_VARIABLE);
	if (!err && report.status)
		err = -EIO;
	fputs(err ? report.why : "", stderr);
	return reread(trace, err, ret_trace);
}

/* The moment in which the scene had been played: 0 when it was not. */
static uint64_t played_at(const struct crash_trace *trace)
{
	for (uint64_t i = crash_trace_nr(trace); i > 0; i--) {
		if (crash_trace_op(trace, i - 1)->code == CRASH_ACK)
			return i;
	}
	return 0;
}

static bool is_allowed(const struct scene_answer *allowed, const char *seen)
{
	for (size_t i = 0; i < allowed->nr; i++) {
		if (strcmp(allowed->seen[i], seen) == 0)
			return true;
	}
	return false;
}

/* With nothing but what was flushed, then with random parts of the rest. */
static int see_states(struct trial *trial, const struct crash_trace *trace)
{
	uint64_t played = played_at(trace), at = played - crash_base_nr(trace);
	int err = played ? 0 : -EIO;

	for (unsigned i = 0; i < TRIAL_STATES && !err; i++) {
		char id[64];

		if (i)
			snprintf(id, sizeof(id), "posix-%" PRIu64 "-random-%u", at, i);
		else
			snprintf(id, sizeof(id), "posix-%" PRIu64 "-min", at);
		err = look_at_state(trial, trace, id, trial->seen[i]);
		if (!err)
			trial->differs |=
				!is_allowed(&trial->allowed, trial->seen[trial->nr_seen++]);
	}
	return err;
}

int trial_run(struct trial *trial)
{
	struct crash_trace *trace;
	int err = scene_model(trial->scene, trial->fs, &trial->allowed);

	if (!err)
		err = record(trial, &trace);
	if (err)
		return err;
	err = see_states(trial, trace);
	crash_trace_close(trace);
	trial->kinder = !trial->differs && strcmp(trial->seen[0], trial->allowed.seen[0]) != 0;
	return err;
}

bool trial_is_player(int *ret_exit)
{
	const char *named = getenv(PLAY_VARIABLE);

	if (named)
		*ret_exit = play_named(named);
	return named != NULL;
}

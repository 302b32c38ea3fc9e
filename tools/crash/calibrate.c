/* calibrate.c: what this kernel's file systems keep of a crash, against the profiles; see
 * calibrate.h. */
#include "tools/crash/calibrate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "tools/cli.h"
#include "tools/crash/fsimage.h"
#include "tools/crash/session.h"
#include "tools/crash/trial.h"
#include "tools/json.h"
#include "tools/term.h"

#define KINDS_MAX 3

struct calibration {
	const char *const *fs; /* ended by NULL */
	const char *options;   /* of mount, for all of them; "": the default ones */
	char *area;
	bool json;
	struct json_writer writer;
	struct term_progress progress;
	uint64_t compared, kinder, differ;
	struct {
		const char *fs;
		const char *why;
	} skipped[KINDS_MAX];
	size_t nr_skipped;
};

/* -- the report ---------------------------------------------------------------------------- */

static const char *verdict(const struct trial *trial)
{
	return trial->differs ? "DIFFERS" : trial->kinder ? "kinder" : "same";
}

static void add(char *list, size_t bytes, const char *seen)
{
	size_t used = strlen(list);

	if (!strstr(list, seen) && used < bytes)
		snprintf(list + used, bytes - used, "%s%s", used ? " " : "", seen);
}

static void tell_text(const struct trial *trial)
{
	const struct scene *scene = trial->scene;
	char steps[160], seen[64] = "", allowed[512] = "";

	snprintf(steps, sizeof(steps), "%s%s%s", scene->before, *scene->before ? " | " : "",
		 scene->steps);
	for (size_t i = 0; i < trial->nr_seen; i++)
		add(seen, sizeof(seen), trial->seen[i]);
	for (size_t i = 0; i < trial->allowed.nr; i++)
		add(allowed, sizeof(allowed), trial->allowed.seen[i]);
	printf("  %-50s %-7s %-9s %-22s %s%s%s\n", steps, scene->looks, seen, allowed,
	       term_style(stdout, trial->differs ? TERM_RED : TERM_PLAIN), verdict(trial),
	       term_style(stdout, TERM_PLAIN));
	fflush(stdout);
}

static void tell_json(struct json_writer *json, const struct trial *trial)
{
	json_open_object(json, NULL);
	json_string(json, "fs", trial->fs);
	json_string(json, "before", trial->scene->before);
	json_string(json, "steps", trial->scene->steps);
	json_string(json, "files", trial->scene->looks);
	json_open_array(json, "kernel");
	for (size_t i = 0; i < trial->nr_seen; i++)
		json_string(json, NULL, trial->seen[i]);
	json_close_array(json);
	json_open_array(json, "profile");
	for (size_t i = 0; i < trial->allowed.nr; i++)
		json_string(json, NULL, trial->allowed.seen[i]);
	json_close_array(json);
	json_string(json, "verdict", verdict(trial));
	json_close_object(json);
}

static void begin(struct calibration *c)
{
	struct utsname name = { 0 };

	uname(&name);
	if (!c->json) {
		printf("Linux %s. O old, N new, E empty, A appended, M mixed, - absent.\n",
		       name.release);
		return;
	}
	json_begin(&c->writer, stdout);
	json_open_object(&c->writer, NULL);
	json_string(&c->writer, "kernel", name.release);
	json_string(&c->writer, "mount", c->options);
	json_open_array(&c->writer, "scenes");
}

static int end_json(struct calibration *c)
{
	json_close_array(&c->writer);
	json_open_array(&c->writer, "skipped");
	for (size_t i = 0; i < c->nr_skipped; i++) {
		json_open_object(&c->writer, NULL);
		json_string(&c->writer, "fs", c->skipped[i].fs);
		json_string(&c->writer, "why", c->skipped[i].why);
		json_close_object(&c->writer);
	}
	json_close_array(&c->writer);
	json_uint(&c->writer, "compared", c->compared);
	json_uint(&c->writer, "kinder", c->kinder);
	json_uint(&c->writer, "differ", c->differ);
	json_close_object(&c->writer);
	return json_end(&c->writer) < 0 ? CLI_IO : CLI_DONE;
}

static int end(struct calibration *c)
{
	if (c->json)
		return end_json(c);
	printf("%" PRIu64 " compared, %" PRIu64
	       " kinder than the profile (it is more careful), %" PRIu64
	       " that the profile does not allow\n",
	       c->compared, c->kinder, c->differ);
	return CLI_DONE;
}

/* -- all scenes on all file systems -------------------------------------------------------- */

static int try_scene(struct calibration *c, const char *fs, const struct scene *scene)
{
	struct trial trial = { .area = c->area, .fs = fs, .options = c->options, .scene = scene };
	int err;

	term_progress(&c->progress, "%s: %s", fs, scene->steps);
	err = trial_run(&trial);
	term_progress_end(&c->progress);
	if (err == -ECANCELED || *session_stop())
		return CLI_IO;
	if (err)
		return cli_fail_errno(scene->steps, err, NULL);
	c->compared++;
	c->kinder += trial.kinder;
	c->differ += trial.differs;
	if (c->json)
		tell_json(&c->writer, &trial);
	else
		tell_text(&trial);
	return CLI_DONE;
}

static void skip(struct calibration *c, const char *fs, const char *why)
{
	c->skipped[c->nr_skipped].fs = fs;
	c->skipped[c->nr_skipped++].why = why;
	if (!c->json)
		printf("%s: skipped: %s\n", fs, why);
}

static bool refuses_options(const struct calibration *c, const char *fs, const char *image)
{
	char point[4096];

	snprintf(point, sizeof(point), "%s/mounted", c->area);
	return *c->options && fsimage_try(image, fs, c->options, point) == -EINVAL;
}

static int try_fs(struct calibration *c, const char *fs)
{
	char image[4096];
	int err, code = CLI_DONE;

	snprintf(image, sizeof(image), "%s/base/disk", c->area);
	err = fsimage_make(image, fs);
	if (err == -ENOENT || err == -EIO) {
		skip(c, fs,
		     err == -EIO ? "mkfs could not make a file system" :
				   "its mkfs is not installed");
		return CLI_DONE;
	}
	if (err)
		return cli_fail_errno(image, err, NULL);
	if (refuses_options(c, fs, image))
		return cli_usage(c->options, "the kernel does not mount this file system so");
	if (!c->json)
		printf("%s%s%s\n  %-50s %-7s %-9s %-22s %s\n", fs, *c->options ? " with " : "",
		       c->options, "before | steps, then the power is cut", "files", "kernel",
		       "profile", "verdict");
	for (const struct scene *scene = scenes; scene->steps && !code; scene++)
		code = try_scene(c, fs, scene);
	return code;
}

static int make_area(struct calibration *c)
{
	static const char *const parts[] = { "base", "mounted" };
	const char *tmp = getenv("TMPDIR");
	char path[4096];

	if (asprintf(&c->area, "%s/sluice-calibrate-XXXXXX", tmp ? tmp : "/var/tmp") < 0) {
		c->area = NULL;
		return cli_fail_errno("memory", ENOMEM, NULL);
	}
	if (!mkdtemp(c->area))
		return cli_fail_errno(c->area, errno, NULL);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", c->area, parts[i]);
		if (mkdir(path, 0700) < 0)
			return cli_fail_errno(path, errno, NULL);
	}
	return CLI_DONE;
}

static int calibrate(struct calibration *c)
{
	int code = make_area(c), ended;

	begin(c);
	for (const char *const *fs = c->fs; *fs && !code; fs++)
		code = try_fs(c, *fs);
	ended = end(c);
	if (c->area)
		trial_remove_tree(c->area);
	free(c->area);
	if (code || ended)
		return code ? code : ended;
	if (!c->compared)
		return cli_fail(CLI_MACHINE, "calibrate", "no file system could be made",
				"install e2fsprogs, xfsprogs or btrfs-progs");
	return c->differ ? CLI_BAD : CLI_DONE;
}

static int check_names(const char *const *fs)
{
	for (; *fs; fs++) {
		if (strcmp(*fs, "ext4") != 0 && strcmp(*fs, "xfs") != 0 &&
		    strcmp(*fs, "btrfs") != 0)
			return cli_usage(*fs, "want ext4, xfs or btrfs");
	}
	return CLI_DONE;
}

static int check_options(const struct calibration *c)
{
	if (!*c->options)
		return CLI_DONE;
	if (!c->fs[0] || c->fs[1])
		return cli_usage("--mount", "options are one file system's: name it");
	if (strlen(c->options) > TRIAL_OPTIONS_MAX || strpbrk(c->options, " \t\n"))
		return cli_usage(c->options, "want options as in fstab, with commas and no spaces");
	return CLI_DONE;
}

int calibrate_main(int argc, char **argv)
{
	static const char *const all[] = { "ext4", "xfs", "btrfs", NULL };
	struct calibration c = { .fs = all, .options = "" };
	const struct cli_option table[] = {
		{ "json", CLI_FLAG, &c.json, NULL, "print one JSON object and nothing else" },
		{ "mount", CLI_STRING, &c.options, "OPTIONS",
		  "of the one file system that is named, such as data=journal" },
		{ NULL },
	};
	const struct cli_command command = {
		.name = "crash calibrate",
		.summary = "what this kernel's file systems keep of a crash, against the profiles",
		.operands = "[ext4|xfs|btrfs]...",
		.operands_max = KINDS_MAX,
		.options = table,
		.notes = "Plays short stories about files on file systems in images, records\n"
			 "every write and flush of the kernel, and mounts what a power cut\n"
			 "would have left. `kinder`: the profile allows worse than was seen,\n"
			 "so a test errs to the safe side. `DIFFERS`: something was seen that\n"
			 "the profile does not allow, so a test may miss a bug. Needs root.\n"
			 "Exit code 1: something differs.",
		.example = "sluice crash calibrate\nsluice crash calibrate ext4 --json\n",
	};
	int code, first = cli_parse(&command, argc, argv, &code);

	if (first < 0 || trial_is_player(&code))
		return code;
	if (first < argc)
		c.fs = (const char *const *)argv + first;
	code = check_names(c.fs);
	if (!code)
		code = check_options(&c);
	if (code)
		return code;
	if (fsimage_refusal())
		return cli_fail(CLI_MACHINE, "calibrate", fsimage_refusal(), NULL);
	session_catch_signals();
	term_progress_begin(&c.progress, c.json);
	return session_leave(calibrate(&c));
}

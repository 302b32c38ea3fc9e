/* setting.c: checks a crash test's options, and what of them goes together; see setting.h. */
#include "tools/crash/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/explore.h"
#include "tools/crash/checkers.h"

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

static int check_words(const struct crash_setting *setting)
{
	static const char *const profiles[] = { "posix", "ext4", "xfs", "btrfs", NULL };
	static const char *const recorders[] = { "fuse", "seccomp", "ring", NULL };
	static const char *const acks[] = { "stdout", "path", NULL };

	if (!is_one_of(setting->profile, profiles))
		return cli_usage("--profile", "want posix, ext4, xfs or btrfs");
	if (setting->recorder && !is_one_of(setting->recorder, recorders))
		return cli_usage("--recorder", "want fuse, seccomp or ring");
	if (!is_one_of(setting->acks, acks))
		return cli_usage("--acks", "want stdout or path");
	if (setting->sector != 512 && setting->sector != 4096)
		return cli_usage("--sector", "want 512 or 4096");
	return CLI_DONE;
}

/* What cannot be asked together, or not alone. */
static int check_company(const struct crash_setting *s)
{
	int checkers = (s->check != NULL) + (s->check_so != NULL) + (s->checker != NULL);

	if (checkers > 1)
		return cli_usage("--check, --check-so, --checker", "give one of them");
	if (!checkers && !s->replay)
		return cli_usage("--check",
				 "missing: only a checker can say whether a state is fine");
	if (s->replay && !s->from)
		return cli_usage("--replay", "an id belongs to a recording: give it with --from");
	if (s->replay && s->json)
		return cli_usage("--json", "is for a report, and --replay makes none");
	if (s->into && !s->replay)
		return cli_usage("--into", "is for --replay");
	if (s->from && s->argv)
		return cli_usage("--from", "takes a recording instead of running COMMAND");
	if (!s->from && !s->argv)
		return cli_usage("COMMAND", "missing");
	if (s->from && s->trace)
		return cli_usage("--trace", "the recording of --from is there already");
	if (s->from && s->faults_text.nr)
		return cli_usage("--fault", "happens while COMMAND runs, and --from runs none");
	return CLI_DONE;
}

static int parse_budget(struct crash_setting *setting)
{
	char *end;

	if (!setting->budget)
		return CLI_DONE;
	errno = 0;
	if (setting->budget[0] >= '0' && setting->budget[0] <= '9') {
		setting->states_max = strtoull(setting->budget, &end, 10);
		if (!*end && !errno && setting->states_max)
			return CLI_DONE;
	}
	setting->states_max = UINT64_MAX;
	if (cli_duration(setting->budget, &setting->time_ns) == 0 && setting->time_ns)
		return CLI_DONE;
	return cli_usage("--budget", "want a number of states such as 5000, or a time such as 30s");
}

static int parse_classes(struct crash_setting *setting)
{
	char name[16];

	for (const char *at = setting->classes_text; at && *at;) {
		size_t len = strcspn(at, ",");
		enum crash_class class;

		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		class = crash_class_find(name);
		if (class >= CRASH_LOST)
			return cli_usage("--classes",
					 "want some of prefix,omit1,min,only1,pair,random,"
					 "garbage");
		setting->classes |= 1u << class;
		at += len + (at[len] == ',');
	}
	return CLI_DONE;
}

static int parse_faults(struct crash_setting *setting)
{
	for (uint32_t i = 0; i < setting->faults_text.nr; i++) {
		if (crash_fault_parse(setting->faults_text.value[i], &setting->faults[i]))
			return cli_usage("--fault", "want CALL:N:KIND[:GLOB] such as sync:1:EIO or "
						    "write:3:ENOSPC:*.log");
	}
	return CLI_DONE;
}

static int check_dir(const struct crash_setting *setting)
{
	struct stat st;

	if (stat(setting->dir, &st) < 0)
		return cli_fail_errno(setting->dir, errno, NULL);
	if (!S_ISDIR(st.st_mode))
		return cli_fail(CLI_USAGE, setting->dir, "is no directory",
				"name the directory that the program keeps its data in");
	if (access(setting->dir, R_OK | X_OK) < 0)
		return cli_fail_errno(setting->dir, errno, NULL);
	return CLI_DONE;
}

/* A path that is none is said before anything else is asked for. */
static int check_command(const struct crash_setting *setting)
{
	if (setting->argv && strchr(setting->argv[0], '/') && access(setting->argv[0], F_OK) < 0)
		return cli_fail_errno(setting->argv[0], errno, NULL);
	return CLI_DONE;
}

/* The directories that get something are made now, before a long run. */
static int make_keep(struct crash_setting *setting)
{
	if (!setting->keep)
		return CLI_DONE;
	if (mkdir(setting->keep, 0755) < 0 && errno != EEXIST)
		return cli_fail_errno(setting->keep, errno, NULL);
	return CLI_DONE;
}

static int name_trace(struct crash_setting *setting)
{
	int len = 0;

	if (setting->from || setting->trace)
		setting->trace_path = strdup(setting->from ? setting->from : setting->trace);
	else if (setting->keep)
		len = asprintf(&setting->trace_path, "%s/trace", setting->keep);
	else
		return CLI_DONE;
	if (!setting->trace_path || len < 0)
		return cli_fail_errno("memory", ENOMEM, NULL);
	return CLI_DONE;
}

/* -- what of ours is below the data directory ---------------------------------------------- */

/* The path itself need not be there yet, the directory that it is in must: that one's real path
 * and the last name, to be freed. NULL: there is none. */
static char *place_of(const char *path)
{
	char *copy = strdup(path), *last, *real, *full = NULL;
	const char *parent;

	if (!copy)
		return NULL;
	for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';
	last = strrchr(copy, '/');
	parent = last ? (last == copy ? "/" : copy) : ".";
	if (last)
		*last++ = '\0';
	real = realpath(parent[0] ? parent : "/", NULL);
	if (real &&
	    asprintf(&full, "%s/%s", strcmp(real, "/") != 0 ? real : "", last ? last : copy) < 0)
		full = NULL;
	free(real);
	free(copy);
	return full;
}

/* A pattern that matches this text alone. */
static char *pattern_of(const char *text)
{
	char *pattern = malloc(2 * strlen(text) + 1), *at = pattern;

	if (!pattern)
		return NULL;
	for (; *text; text++) {
		if (strchr("*?[]\\", *text))
			*at++ = '\\';
		*at++ = *text;
	}
	*at = '\0';
	return pattern;
}

static int leave_out(struct crash_setting *setting, const char *option, const char *path,
		     const char *dir)
{
	char *place = path ? place_of(path) : NULL;
	struct cli_list *ignore = &setting->ignore;
	size_t len = strlen(dir);
	int code = CLI_DONE;

	if (!place || strncmp(place, dir, len) != 0 || (place[len] && place[len] != '/')) {
		free(place);
		return CLI_DONE;
	}
	if (!place[len] || !strcmp(place + len, "/.")) {
		code = cli_usage(option,
				 "is the data directory itself, which is left as it is: name "
				 "another place, or one in it");
	} else if (ignore->nr == CLI_LIST_MAX) {
		code = cli_usage("--ignore", "given too often");
	} else {
		setting->left_out[setting->nr_left_out] = pattern_of(place + len + 1);
		if (!setting->left_out[setting->nr_left_out])
			code = cli_fail_errno("memory", ENOMEM, NULL);
		else
			ignore->value[ignore->nr++] = setting->left_out[setting->nr_left_out++];
	}
	free(place);
	return code;
}

/* What we are told to write into the data directory is no data of the program's. */
static int leave_ours_out(struct crash_setting *setting)
{
	char *dir = realpath(setting->dir, NULL);
	int code;

	if (!dir)
		return cli_fail_errno(setting->dir, errno, NULL);
	code = leave_out(setting, "--keep", setting->keep, dir);
	if (!code)
		code = leave_out(setting, "--trace", setting->trace, dir);
	if (!code)
		code = leave_out(setting, "--html", setting->html, dir);
	free(dir);
	return code;
}

int setting_begin(struct crash_setting *setting)
{
	static int (*const steps[])(struct crash_setting * setting) = {
		parse_budget,	parse_classes, parse_faults, checker_choose,
		leave_ours_out, make_keep,     name_trace,
	};
	int code = check_command(setting);

	if (!code)
		code = check_words(setting);
	if (!code)
		code = check_company(setting);
	if (!code)
		code = check_dir(setting);
	for (size_t i = 0; !code && i < sizeof(steps) / sizeof(steps[0]); i++)
		code = steps[i](setting);
	return code;
}

void setting_end(struct crash_setting *setting)
{
	for (uint32_t i = 0; i < setting->nr_left_out; i++)
		free(setting->left_out[i]);
	free(setting->command);
	free(setting->trace_path);
}

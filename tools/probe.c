/* sluice probe: what this kernel, file system and device can do, each line tried rather than asked.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "probe/challenge.h"
#include "probe/report.h"
#include "probe/topics.h"
#include "term.h"

struct options {
	bool json;
	bool all;
	bool challenge;
};

static void try_scratch(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "file.scratch", "scratch file");
	int err;

	if (!strcmp(probe->place.kind, "block device")) {
		probe->scratch_err = -ENOTDIR;
		check_skip(check, "a raw device is not written to: name a directory for the rest");
		return;
	}
	err = probe_scratch_open(&probe->scratch, &probe->place);
	probe->scratch_err = err;
	if (!err) {
		check_set(check, CHECK_YES, "%u KiB, nameless, gone with this process",
			  SCRATCH_BYTES / 1024);
		return;
	}
	check_set(check, CHECK_NO, "cannot make one: %s: what needs a file was not tried",
		  check_errno(err));
	if (err == -ENOSPC || err == -EDQUOT)
		check_fix(check, "free %u KiB there, or name another directory",
			  SCRATCH_BYTES / 1024);
	else if (err == -EFBIG)
		check_fix(check, "raise ulimit -f to %u kB or more", SCRATCH_BYTES / 1024);
	else
		check_fix(check, "name a directory you may write: sluice probe DIRECTORY");
}

static void run_topics(struct probe *probe, struct term_progress *progress)
{
	static const struct {
		const char *what;
		void (*run)(struct probe *probe);
		bool needs_file;
	} topics[] = {
		{ "direct I/O", probe_direct, true },
		{ "the page cache", probe_cache, true },
		{ "the ring", probe_ring, false },
		{ "the backends", probe_backends, false },
		{ "the device", probe_device, false },
		{ "durability", probe_durable, true },
		{ "untorn writes", probe_untorn, true },
		{ "files", probe_file, true },
		{ "DAX", probe_dax, true },
		{ "userfaultfd", probe_uffd, false },
		{ "sockets", probe_net, false },
		{ "limits", probe_limits, false },
	};

	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		term_progress(progress, "trying %s", topics[i].what);
		if (!topics[i].needs_file || !probe->scratch_err)
			topics[i].run(probe);
	}
	if (!strcmp(probe->place.kind, "block device"))
		probe_direct_device(probe);
}

static int exit_code_of(const struct probe *probe)
{
	for (size_t i = 0; i < probe->checks.nr; i++)
		if (probe->checks.v[i].broken)
			return CLI_BAD;
	if (!strcmp(probe->place.kind, "block device"))
		return CLI_DONE;
	switch (-probe->scratch_err) {
	case 0:
		return CLI_DONE;
	case ENOSPC:
	case EFBIG:
	case EDQUOT:
	case EIO:
		return CLI_IO;
	default:
		return CLI_MACHINE;
	}
}

static int run(struct probe *probe, const struct options *options)
{
	struct challenge *challenge = NULL;
	struct term_progress progress;
	int code;

	/* A file size limit is then an error of the write, not the end of the process. */
	signal(SIGXFSZ, SIG_IGN);
	term_progress_begin(&progress, options->json);
	try_scratch(probe);
	run_topics(probe, &progress);
	if (options->challenge) {
		term_progress(&progress, "the puzzle");
		challenge = calloc(1, sizeof(*challenge));
		if (challenge)
			challenge_run(challenge, &probe->place);
	}
	term_progress_end(&progress);
	code = exit_code_of(probe);
	if (!options->json)
		report_text(probe, challenge, options->all);
	else if (report_json(probe, challenge) < 0)
		code = CLI_IO;
	free(challenge);
	return code;
}

int probe_main(int argc, char **argv)
{
	struct options options = { 0 };
	const struct cli_option table[] = {
		{ "json", CLI_FLAG, &options.json, NULL, "print one JSON object and nothing else" },
		{ "all", CLI_FLAG, &options.all, NULL,
		  "one line for every flag and operation of the ring" },
		{ "challenge", CLI_FLAG, &options.challenge, NULL,
		  "also produce what an aligned direct read can return besides 0 and 4096" },
		{ NULL },
	};
	const struct cli_command command = {
		.name = "probe",
		.summary = "what this kernel, file system and device can do",
		.operands = "[PATH]",
		.operands_max = 1,
		.options = table,
		.notes = "Every line was tried on a nameless scratch file in PATH (default: the "
			 "current\ndirectory), never on your data. Costs are medians of a few "
			 "samples: about right.\n\nExit codes: 0 done, also when the answer is no; "
			 "1 something every Linux promises\nfailed here; 2 wrong usage; 3 no "
			 "permission for a scratch file in PATH; 4 an I/O\nerror or a full disk.\n",
		.example = "sluice probe .\nsluice probe /var/lib --json\n"
			   "sudo sluice probe --challenge\n",
	};
	int code, err, first = cli_parse(&command, argc, argv, &code);
	struct probe *probe;

	if (first < 0)
		return code;
	probe = calloc(1, sizeof(*probe));
	if (!probe)
		return cli_fail_errno("memory", ENOMEM, NULL);
	const char *path = first < argc ? argv[first] : ".";

	err = place_open(&probe->place, path);
	if (err == -ENOTSUP)
		code = cli_fail(CLI_USAGE, path, "neither a directory, a file nor a block device",
				"name a directory");
	else if (err < 0)
		code = cli_fail_errno(path, err, NULL);
	else
		code = run(probe, &options);
	probe_scratch_close(&probe->scratch);
	place_close(&probe->place);
	free(probe);
	return code;
}

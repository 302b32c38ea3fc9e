/* bench.c: `sluice bench [PATH]`: options, the file under test, one workload after the other. */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tools/bench/clock.h"
#include "tools/bench/crowd.h"
#include "tools/bench/mechanisms.h"
#include "tools/bench/output.h"
#include "tools/bench/plan.h"
#include "tools/bench/place.h"
#include "tools/bench/runner.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/term.h"

#define MIB		   (1u << 20)
#define FILE_BYTES_DEFAULT (256ull * MIB)
#define FILE_BYTES_MIN	   (8ull * MIB)
#define SECONDS_DEFAULT	   (30ull * 1000000000u)

struct bench {
	/* the command line */
	const char *path, *qd;
	uint64_t file_bytes, block_bytes, budget_ns, seed;
	bool list, size_given;
	struct output output;
	struct plan plan;

	/* the run */
	uint64_t begin_ns;
	bool path_is_file;
	struct datafile file;
	struct report report;
	struct term_progress progress;
};

/* -- interruption -------------------------------------------------------------------------- */

/* The test file has no name, so there is nothing to remove: say so and go as the signal asks. */
static void interrupted(int signal_nr)
{
	static const char text[] = "\r\033[Ksluice bench: interrupted; no file is left behind\n";
	static const char plain[] = "sluice bench: interrupted; no file is left behind\n";
	ssize_t ignored;

	if (isatty(STDERR_FILENO))
		ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
	else
		ignored = write(STDERR_FILENO, plain, sizeof(plain) - 1);
	(void)ignored;
	signal(signal_nr, SIG_DFL);
	raise(signal_nr);
}

static void catch_signals(void)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = interrupted, .sa_flags = SA_NODEFER };

	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaction(caught[i], &action, NULL);
	/* A limit on the size of files is then an error of the write. */
	signal(SIGXFSZ, SIG_IGN);
}

/* -- the file under test ------------------------------------------------------------------- */

static void show_filling(void *ctx, uint64_t done)
{
	struct bench *b = ctx;

	term_progress(&b->progress, "writing test data: %llu of %llu MiB",
		      (unsigned long long)(done / MIB), (unsigned long long)(b->file_bytes / MIB));
}

/* Where files live: the kernel's own file systems (proc, sysfs) keep none and have no size. */
static int refuse_place(const struct bench *b, int err)
{
	char cause[160];

	snprintf(cause, sizeof(cause), "no file can be made here (file system %s: %s)",
		 b->report.machine.file_system, strerror(-err));
	return cli_fail(CLI_MACHINE, b->path, cause,
			"name a directory on a file system that keeps files");
}

/* How much fits; UINT64_MAX on a file system without a limit, such as a tmpfs of that kind. */
static int find_room(struct bench *b, uint64_t *ret_bytes)
{
	struct datafile empty;
	struct statvfs fs;
	int err;

	if (statvfs(b->path, &fs) < 0)
		return cli_fail_errno(b->path, errno, NULL);
	*ret_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (fs.f_blocks)
		return CLI_DONE;
	err = datafile_make(&empty, b->path, 0, b->seed, NULL, NULL);
	if (err)
		return refuse_place(b, err);
	datafile_shut(&empty);
	*ret_bytes = UINT64_MAX;
	return CLI_DONE;
}

static uint64_t file_size_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur;
}

/* A quarter of the space and of the memory that is free. */
static uint64_t usual_size(const struct bench *b, uint64_t free_bytes, uint64_t limit_bytes)
{
	uint64_t memory = b->report.machine.memory_available_bytes / 4;
	uint64_t wanted = FILE_BYTES_DEFAULT;

	if (wanted > free_bytes / 4)
		wanted = free_bytes / 4;
	if (memory && wanted > memory)
		wanted = memory;
	if (wanted < FILE_BYTES_MIN && free_bytes > FILE_BYTES_MIN * 5 / 4)
		wanted = FILE_BYTES_MIN;
	return wanted > limit_bytes ? limit_bytes : wanted;
}

/* Unless the user has chosen. */
static int choose_size(struct bench *b)
{
	uint64_t free_bytes = 0, limit_bytes = file_size_limit();
	int err = find_room(b, &free_bytes);
	char cause[128];

	if (err)
		return err;
	if (!b->size_given)
		b->file_bytes = usual_size(b, free_bytes, limit_bytes);
	b->file_bytes = b->file_bytes / MIB * MIB;
	if (limit_bytes < FILE_BYTES_MIN || b->file_bytes > limit_bytes) {
		snprintf(cause, sizeof(cause), "no file may be larger than %llu KiB (`ulimit -f`)",
			 (unsigned long long)(limit_bytes / 1024));
		return cli_fail(CLI_IO, b->path, cause,
				limit_bytes < FILE_BYTES_MIN ?
					"raise the limit to 8 MiB at least" :
					"raise the limit, or choose a smaller --size");
	}
	if (b->file_bytes < FILE_BYTES_MIN || b->file_bytes > free_bytes) {
		snprintf(cause, sizeof(cause), "too little space: %llu MiB are free",
			 (unsigned long long)(free_bytes / MIB));
		return cli_fail(CLI_IO, b->path, cause,
				"free some, choose a smaller --size (8M at least) or another path");
	}
	return CLI_DONE;
}

static int make_file(struct bench *b)
{
	int err = choose_size(b);

	if (err)
		return err;
	err = datafile_make(&b->file, b->path, b->file_bytes, b->seed, show_filling, b);
	term_progress_end(&b->progress);
	if (err)
		return cli_fail_errno(b->path, err, NULL);
	return CLI_DONE;
}

static int use_file(struct bench *b)
{
	int err = datafile_use(&b->file, b->path, b->file_bytes);

	if (err == -ENODATA)
		return cli_fail(CLI_USAGE, b->path, "too short to measure anything",
				"name a file of 1 MiB at least, or a directory");
	if (err)
		return cli_fail_errno(b->path, err, NULL);
	b->file_bytes = b->file.size;
	return CLI_DONE;
}

static int look_at_path(struct bench *b)
{
	struct stat st;

	if (stat(b->path, &st) < 0)
		return cli_fail_errno(b->path, errno, NULL);
	b->path_is_file = S_ISREG(st.st_mode);
	if (!b->path_is_file && !S_ISDIR(st.st_mode))
		return cli_fail(CLI_USAGE, b->path, "neither a directory nor a regular file",
				"name a directory on the file system to test");
	if (!b->path_is_file && access(b->path, W_OK | X_OK) < 0)
		return cli_fail_errno(b->path, errno, NULL);
	bench_machine_look(&b->report.machine, b->path);
	return CLI_DONE;
}

/* -- running ------------------------------------------------------------------------------- */

static void show_contender(void *ctx, const struct field *f, const struct contender *c)
{
	struct bench *b = ctx;
	double elapsed = (double)(clock_now_ns() - b->begin_ns) / 1e9;

	term_progress(&b->progress, "[%2.0f s] %zu/%zu %s: round %zu: %s", elapsed,
		      b->report.nr + 1, b->plan.nr, f->work.name, f->rounds, c->name);
}

static bool wanted(void *ctx, const struct contender *c)
{
	return plan_wants(ctx, c);
}

/* Ten thousand descriptors take their time before the first round, and poll(2) in each. */
#define CROWD_LARGE  10000
#define CROWD_WEIGHT 3

static size_t weight_of(const struct field *f)
{
	return field_players(f) * (f->work.watched >= CROWD_LARGE ? CROWD_WEIGHT : 1);
}

/* The time left, shared by what the contenders that still have to run will need. */
static uint64_t share_of_time(const struct bench *b, size_t idx)
{
	uint64_t used = clock_now_ns() - b->begin_ns;
	size_t left = 0;

	for (size_t i = idx; i < b->plan.nr; i++)
		left += weight_of(&b->report.fields[i]);
	if (used >= b->budget_ns || !left)
		return 0;
	return (b->budget_ns - used) / left * weight_of(&b->report.fields[idx]);
}

static void all_lack(struct field *f, const char *format, const char *cause)
{
	for (size_t i = 0; i < f->nr; i++)
		contender_lacks(&f->contenders[i], "%s: %s", format, cause);
}

/* Sets up what the contenders share; without it all of them are unavailable. */
static void open_shared(struct field *f, struct crowd *crowd, struct place *place)
{
	if (f->work.kind == WORKLOAD_SEND) {
		place_begin(place);
		f->env.place = place;
		if (place->apart)
			snprintf(f->setting, sizeof(f->setting),
				 "TCP over loopback; sender on CPU %d, receiver on CPU %d",
				 place->sender, place->receiver);
		else
			snprintf(f->setting, sizeof(f->setting),
				 "TCP over loopback; sender and receiver share the only CPU");
	} else if (f->work.kind == WORKLOAD_WATCH) {
		int err = crowd_open(crowd, f->work.watched);
		f->env.crowd = crowd;
		if (err == -EMFILE)
			all_lack(f, "the limit on open files is too low", "raise `ulimit -Hn`");
		else if (err)
			all_lack(f, "cannot open the descriptors", strerror(-err));
	}
}

static int run_field(struct bench *b, size_t idx)
{
	struct field *f = &b->report.fields[idx];
	struct crowd crowd = { 0 };
	struct place place = { .apart = false };
	struct runner_opts opts = {
		.budget_ns = share_of_time(b, idx),
		.keep_losers = b->plan.full,
		.seed = b->seed + idx,
		.progress = show_contender,
		.ctx = b,
	};
	int err = 0;

	f->env.file = plan_needs_file(&b->plan) ? &b->file : NULL;
	f->env.dir = b->path;
	open_shared(f, &crowd, &place);
	if (f->work.kind == WORKLOAD_SEND && f->work.block_bytes > b->file_bytes)
		all_lack(f, "one file is larger than all test data", "give a larger --size");
	else
		err = runner_run(f, &opts);
	place_end(&place);
	crowd_shut(&crowd);
	f->env.place = NULL;
	f->env.crowd = NULL;
	field_score(f, opts.seed);
	term_progress_end(&b->progress);
	return err;
}

/* Said in every report: who is left out is not forgotten. */
static void sit_out(const struct plan *plan, struct field *f)
{
	for (size_t i = 0; i < f->nr; i++) {
		if (plan_sits_out(plan, &f->contenders[i]))
			contender_sit_out(&f->contenders[i]);
	}
}

static int make_fields(struct bench *b)
{
	size_t nr = 0;

	b->report.fields = calloc(b->plan.nr, sizeof(*b->report.fields));
	if (!b->report.fields)
		return -ENOMEM;
	for (size_t i = 0; i < b->plan.nr; i++) {
		struct field *f = &b->report.fields[nr];
		int err;

		f->work = b->plan.workloads[i];
		err = field_make(f, b->plan.depths, b->plan.nr_depths, wanted, &b->plan);
		if (err)
			return err;
		sit_out(&b->plan, f);
		if (f->nr)
			nr++;
		else
			field_free(f);
	}
	b->plan.nr = nr;
	return nr ? 0 : -ENODATA;
}

static int run_fields(struct bench *b)
{
	noise_begin(&b->report.noise);
	for (size_t i = 0; i < b->plan.nr; i++) {
		int err = run_field(b, i);

		if (err)
			return cli_fail_errno(b->report.fields[i].work.name, err, NULL);
		b->report.nr++;
		if (!b->output.json)
			bench_report_table_field(stdout, &b->report.fields[i]);
	}
	noise_end(&b->report.noise);
	b->report.seconds = (double)(clock_now_ns() - b->begin_ns) / 1e9;
	return CLI_DONE;
}

static int run(struct bench *b)
{
	int err = look_at_path(b);

	if (!err)
		err = output_check(&b->output);
	if (!err && plan_needs_file(&b->plan))
		err = b->path_is_file ? use_file(b) : make_file(b);
	if (!err && plan_needs_file(&b->plan) && b->block_bytes > b->file_bytes)
		err = cli_fail(CLI_USAGE, "--bs", "larger than the test data",
			       "choose a smaller --bs or a larger --size");
	if (err)
		return err;
	b->report.path = b->path;
	b->report.file_bytes = plan_needs_file(&b->plan) ? b->file_bytes : 0;
	b->report.file_is_ours = !b->path_is_file;
	b->report.seed = b->seed;
	if (!b->output.json)
		bench_report_table_head(stdout, &b->report);
	err = run_fields(b);
	return err ? err : output_write(&b->output, &b->report);
}

/* -- the command line ---------------------------------------------------------------------- */

/* Whether a workload runs only when --only names it. */
static bool is_extra(const struct plan *plan, const struct workload *w)
{
	struct plan usual = *plan;
	const char *word;

	usual.every = false;
	plan_make(&usual, &word);
	for (size_t i = 0; i < usual.nr; i++) {
		if (strcmp(usual.workloads[i].name, w->name) == 0)
			return false;
	}
	return true;
}

static void list_all(const struct bench *b)
{
	printf("workloads (--only NAME):\n");
	for (size_t i = 0; i < b->plan.nr; i++) {
		const struct workload *w = &b->plan.workloads[i];

		printf("  %-22s %s%s\n", w->name, w->title,
		       is_extra(&b->plan, w) ? "; only when named" : "");
	}
	printf("\ncontenders (--only NAME):\n");
	for (const struct mechanism *const *m = mechanisms_all(); *m; m++) {
		if (!b->plan.net || (*m)->kind == WORKLOAD_SEND)
			printf("  %-22s %s\n", (*m)->name, (*m)->about);
	}
	if (!b->plan.net)
		printf("\nfiles to sockets, by file size: sluice bench --net --list\n");
}

static int check_block(const struct bench *b)
{
	if (b->plan.net && b->plan.rw)
		return cli_fail(CLI_USAGE, "--net", "has no kinds of work to choose from",
				"leave out --rw");
	if (b->block_bytes % DATAFILE_SECTOR == 0)
		return CLI_DONE;
	return cli_fail(CLI_USAGE, "--bs", "not a multiple of 512 bytes", "try 4K");
}

static int refuse_rw(const char *word)
{
	char cause[96], remedy[96];

	snprintf(cause, sizeof(cause), "'%.40s' is no kind of work", word);
	snprintf(remedy, sizeof(remedy), "want %s", plan_rw_words());
	return cli_fail(CLI_USAGE, "--rw", cause, remedy);
}

/* The words are known, but no workload fits them all. */
static int refuse_nothing(const struct plan *p)
{
	struct plan without = *p;
	const char *word;

	without.read_only = false;
	if (p->read_only && plan_make(&without, &word) == 0)
		return cli_fail(CLI_USAGE, p->only ? "--only" : "--rw", "leaves nothing to do",
				"a file is only read: name a directory to write");
	return cli_fail(CLI_USAGE, "--only", "names no workload that --rw chooses",
			"leave out one of the two");
}

static int make_plan(struct bench *b)
{
	const char *word = NULL;
	int err;

	b->plan.block_bytes = (uint32_t)b->block_bytes;
	if (plan_depths(&b->plan, b->qd) < 0)
		return cli_fail(CLI_USAGE, "--qd", "not a list of depths",
				"give up to 8 numbers of 1 to 128, as in 1,8,32");
	b->plan.every = b->list;
	err = plan_make(&b->plan, &word);
	if (err == -EINVAL && word == b->plan.rw)
		return refuse_rw(word);
	if (err == -EINVAL)
		return cli_fail(CLI_USAGE, word, "neither a workload nor a contender",
				b->plan.net ? "see `sluice bench --net --list`" :
					      "see `sluice bench --list`");
	return err ? refuse_nothing(&b->plan) : CLI_DONE;
}

static char *join_command(int argc, char **argv)
{
	static char line[1024];
	size_t used = (size_t)snprintf(line, sizeof(line), "sluice");

	for (int i = 0; i < argc && used < sizeof(line); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, " %s", argv[i]);
	return line;
}

static int start(struct bench *b)
{
	struct stat st;
	bool is_file = stat(b->path, &st) == 0 && S_ISREG(st.st_mode);
	int err;

	if (b->output.compare_path && is_file)
		return output_compare(&b->output, b->path);
	b->begin_ns = clock_now_ns();
	b->plan.read_only = is_file;
	err = output_load(&b->output);
	if (!err)
		err = check_block(b);
	if (!err)
		err = make_plan(b);
	if (err)
		return err;
	if (b->list) {
		list_all(b);
		return CLI_DONE;
	}
	err = make_fields(b);
	if (err == -ENODATA)
		return cli_fail(CLI_USAGE, "--only", "no contender does such a workload",
				b->plan.net ? "see `sluice bench --net --list`" :
					      "see `sluice bench --list`");
	if (err)
		return cli_fail_errno("contenders", err, NULL);
	catch_signals();
	term_progress_begin(&b->progress, b->output.json && !term_is_tty(stderr));
	err = run(b);
	term_progress_end(&b->progress);
	return err;
}

static void finish(struct bench *b)
{
	datafile_shut(&b->file);
	jsonread_free(b->output.before);
	for (size_t i = 0; b->report.fields && i < b->plan.nr; i++)
		field_free(&b->report.fields[i]);
	free(b->report.fields);
}

int bench_main(int argc, char **argv)
{
	struct bench b = {
		.path = ".", .file_bytes = 0, .budget_ns = SECONDS_DEFAULT, .seed = 1, .file.fd = -1
	};
	const struct cli_option options[] = {
		{ "net", CLI_FLAG, &b.plan.net, NULL,
		  "files to sockets, by file size, and what it costs the sender" },
		{ "rw", CLI_STRING, &b.plan.rw, "KIND",
		  "one kind of work: randread, read, randrw, randwrite, write" },
		{ "bs", CLI_SIZE, &b.block_bytes, "SIZE", "bytes per operation", 512, 16 * MIB },
		{ "qd", CLI_STRING, &b.qd, "N[,N]...", "queue depths, 1 to 128 (1,32)" },
		{ "size", CLI_SIZE, &b.file_bytes, "SIZE",
		  "test data (256M, less where space is "
		  "short)",
		  FILE_BYTES_MIN, 1ull << 39 },
		{ "seconds", CLI_DURATION, &b.budget_ns, "TIME", "how long it may take, about (30)",
		  1000000000u, 86400ull * 1000000000u },
		{ "only", CLI_STRING, &b.plan.only, "NAME[,NAME]...",
		  "these workloads and contenders; * matches" },
		{ "full", CLI_FLAG, &b.plan.full, NULL,
		  "every depth and every contender, none dropped" },
		{ "json", CLI_FLAG, &b.output.json, NULL,
		  "write one JSON object and nothing else" },
		{ "html", CLI_STRING, &b.output.html_path, "FILE",
		  "write a page with charts as well" },
		{ "save", CLI_STRING, &b.output.save_path, "FILE", "keep the run, for --compare" },
		{ "compare", CLI_STRING, &b.output.compare_path, "FILE",
		  "compare with a saved run: this one, or the saved run named as PATH" },
		{ "seed", CLI_COUNT, &b.seed, "N", "of offsets and orders (1)" },
		{ "list", CLI_FLAG, &b.list, NULL, "name the workloads and contenders" },
		{ NULL },
	};
	const struct cli_command command = {
		.name = "bench",
		.summary = "which way of doing I/O is best here, and why",
		.operands = "[PATH]",
		.operands_max = 1,
		.options = options,
		.notes = "PATH is a directory on the file system to test (.), or a file to read. "
			 "Test data goes\ninto a file without a name: nothing is left behind.",
		.example = "  sluice bench .\n  sluice bench --net\n  sluice bench --only "
			   "read-cached,read-direct --html report.html /var/lib\n",
	};
	int code, first;

	/* Only what characters are: numbers keep their point, messages their language. */
	setlocale(LC_CTYPE, "");
	first = cli_parse(&command, argc, argv, &code);
	if (first < 0)
		return code;
	if (first < argc)
		b.path = argv[first];
	b.report.command = join_command(argc, argv);
	b.size_given = b.file_bytes != 0;
	if (!b.size_given)
		b.file_bytes = FILE_BYTES_DEFAULT;
	code = start(&b);
	finish(&b);
	return code;
}

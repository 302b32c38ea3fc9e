/* The report for people: a summary, tables by topic, and what to do about the rest. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/probe/machine.h"
#include "tools/probe/report.h"
#include "tools/term.h"

#define TITLE_WIDTH  28
#define STATUS_WIDTH 8
#define WIDTH_MIN    72
#define WIDTH_MAX    110

static const struct {
	const char *topic;
	const char *heading;
} topics[] = {
	{ "ring", "io_uring" },		{ "backend", "sluice's ring" },
	{ "direct", "Direct I/O" },	{ "cache", "Page cache" },
	{ "durable", "Durability" },	{ "device", "Device" },
	{ "untorn", "Untorn writes" },	{ "file", "Files" },
	{ "dax", "Persistent memory" }, { "uffd", "userfaultfd" },
	{ "net", "Sockets" },		{ "limits", "Limits" },
};

/* Groups with many members, folded into a line or two unless all are asked for. */
static const struct {
	const char *prefix;
	const char *title;
} folds[] = {
	{ "ring.setup.", "setup flags" },    { "ring.feature.", "features" },
	{ "ring.op.", "operations" },	     { "ring.register.", "registrations" },
	{ "ring.wait.", "ways of waiting" },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static int width(void)
{
	int columns = term_width(stdout);

	return columns < WIDTH_MIN ? WIDTH_MIN : columns > WIDTH_MAX ? WIDTH_MAX : columns;
}

/* Print words, broken at the width, later lines indented; `at` is the column already reached. */
static void wrap(const char *text, int at, int indent)
{
	int limit = width();

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (at + len > limit && at > indent) {
			printf("\n%*s", indent, "");
			at = indent;
		}
		printf("%.*s", len, text);
		at += len;
		text += len;
		if (*text == ' ' && *++text && at < limit) {
			putchar(' ');
			at++;
		}
	}
	putchar('\n');
}

static enum term_style style_of(const struct check *check)
{
	if (check->broken)
		return TERM_RED;
	switch (check->status) {
	case CHECK_YES:
		return TERM_GREEN;
	case CHECK_PARTLY:
		return TERM_YELLOW;
	case CHECK_NO:
	case CHECK_UNKNOWN:
		break;
	}
	return TERM_DIM;
}

static void print_row(const char *title, enum term_style style, const char *status,
		      const char *text)
{
	printf("  %-*s %s%-*s%s", TITLE_WIDTH, title, term_style(stdout, style), STATUS_WIDTH,
	       status, term_style(stdout, TERM_PLAIN));
	wrap(text, 3 + TITLE_WIDTH + STATUS_WIDTH, 3 + TITLE_WIDTH + STATUS_WIDTH);
}

static void print_check(const struct check *check)
{
	print_row(check->title, style_of(check),
		  check->broken ? "BROKEN" : check_status_name(check->status), check->evidence);
}

static bool in_topic(const struct check *check, const char *topic)
{
	size_t len = strlen(topic);

	return !strncmp(check->id, topic, len) && check->id[len] == '.';
}

static const char *fold_of(const struct check *check)
{
	for (size_t i = 0; i < NR(folds); i++)
		if (!strncmp(check->id, folds[i].prefix, strlen(folds[i].prefix)))
			return folds[i].prefix;
	return NULL;
}

/* "47 of 50" and the names of those that work; the others follow as lines of their own. */
static void print_fold(const struct check_list *checks, const char *prefix, const char *title)
{
	char names[2048] = "", count[32];
	unsigned yes = 0, total = 0;

	for (size_t i = 0; i < checks->nr; i++) {
		const struct check *check = &checks->v[i];
		size_t used = strlen(names);

		if (strncmp(check->id, prefix, strlen(prefix)))
			continue;
		total++;
		if (check->status != CHECK_YES)
			continue;
		yes++;
		snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
			 check->id + strlen(prefix));
	}
	if (!total)
		return;
	snprintf(count, sizeof(count), "%u/%u", yes, total);
	print_row(title, yes == total ? TERM_GREEN : TERM_YELLOW, count, names);
	for (size_t i = 0; i < checks->nr; i++)
		if (!strncmp(checks->v[i].id, prefix, strlen(prefix)) &&
		    checks->v[i].status != CHECK_YES)
			print_check(&checks->v[i]);
}

static void print_topic(const struct probe *probe, size_t idx, bool all)
{
	bool any = false;

	for (size_t i = 0; i < probe->checks.nr && !any; i++)
		any = in_topic(&probe->checks.v[i], topics[idx].topic);
	if (!any)
		return;
	printf("\n%s%s%s\n", term_style(stdout, TERM_BOLD), topics[idx].heading,
	       term_style(stdout, TERM_PLAIN));
	for (size_t i = 0; i < probe->checks.nr; i++) {
		const struct check *check = &probe->checks.v[i];

		if (in_topic(check, topics[idx].topic) && (all || !fold_of(check)))
			print_check(check);
	}
	for (size_t i = 0; !all && !strcmp(topics[idx].topic, "ring") && i < NR(folds); i++)
		print_fold(&probe->checks, folds[i].prefix, folds[i].title);
}

static void line(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *what, const char *fmt, ...)
{
	char text[768];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printf("  %s%-14s%s ", term_style(stdout, TERM_BOLD), what, term_style(stdout, TERM_PLAIN));
	wrap(text, 17, 17);
}

static void summarise_machine(const struct place *place)
{
	struct machine machine;

	machine_look(&machine);
	line("machine", "Linux %s, %ld processors, %.1f GiB%s%s%s, %s", machine.name.release,
	     machine.cpus, (double)machine.memory_bytes / (1 << 30),
	     machine.hypervisor ? ", virtual" : "", machine.container[0] ? ", in " : "",
	     machine.container, machine.capable ? "privileged" : "unprivileged");
	if (!place->mount_point[0])
		line("path", "%s: %s, the file system is not known (no /proc)", place->path,
		     place->kind);
	else
		line("path", "%s: %s on %s (%s), mounted on %s with %s", place->path, place->kind,
		     place->fs, place->source, place->mount_point, place->options);
}

static const char *directness(enum check_status status)
{
	return status == CHECK_YES ? "direct" : status == CHECK_NO ? "buffered" : "not known";
}

static void summarise_ring(const struct check_list *checks)
{
	const struct check *ring = check_find(checks, "ring.available");
	unsigned yes = 0, total = 0;

	for (size_t i = 0; i < checks->nr; i++) {
		if (strncmp(checks->v[i].id, "ring.op.", 8))
			continue;
		total++;
		yes += checks->v[i].status == CHECK_YES || checks->v[i].status == CHECK_PARTLY;
	}
	if (ring->status == CHECK_YES)
		line("io_uring", "yes: %u of %u operations work", yes, total);
	else
		line("io_uring", "no: %s", ring->evidence);
}

static void summarise_files(const struct probe *probe)
{
	const struct check_list *checks = &probe->checks;
	const struct check *sync = check_find(checks, "durable.fdatasync");
	const struct check *class = check_find(checks, "durable.class");

	if (probe->scratch_err)
		line("direct I/O", "reads %s, writes not tried: no scratch file here",
		     directness(check_status_of(checks, "direct.read")));
	else
		line("direct I/O", "reads %s, writes %s",
		     directness(check_status_of(checks, "direct.read")),
		     directness(check_status_of(checks, "direct.write")));
	line("durability", "%s%s%s", class->evidence, sync ? "; write and fdatasync: " : "",
	     sync ? sync->evidence : "");
	line("untorn writes", "%s", check_status_name(check_status_of(checks, "untorn.write")));
}

static const char *zero_copy(enum check_status status)
{
	return status == CHECK_PARTLY ? "yes, copied on loopback" : check_status_name(status);
}

static void summarise_rest(const struct check_list *checks)
{
	unsigned uffd = 0, kinds = 0;

	for (size_t i = 0; i < checks->nr; i++) {
		const struct check *check = &checks->v[i];

		if (!in_topic(check, "uffd") || !strcmp(check->id, "uffd.open") ||
		    !strcmp(check->id, "uffd.unprivileged"))
			continue;
		kinds++;
		uffd += check->status == CHECK_YES;
	}
	if (check_status_of(checks, "uffd.open") == CHECK_YES)
		line("userfaultfd", "yes: %u of %u kinds of fault can be served", uffd, kinds);
	else
		line("userfaultfd", "no");
	line("zero copy", "send: %s; kernel TLS: %s; reflink: %s; DAX: %s",
	     zero_copy(check_status_of(checks, "net.zerocopy")),
	     check_status_name(check_status_of(checks, "net.ktls")),
	     check_status_name(check_status_of(checks, "file.reflink")),
	     check_status_name(check_status_of(checks, "dax.map_sync")));
}

/* A remedy is worth a line when something is less than it could be. */
static void print_remedies(const struct check_list *checks)
{
	bool any = false;

	for (size_t i = 0; i < checks->nr; i++) {
		const struct check *check = &checks->v[i];

		if (check->status == CHECK_YES || (!check->remedy[0] && !check->broken))
			continue;
		if (!any)
			printf("\n%sWhat would help%s\n", term_style(stdout, TERM_BOLD),
			       term_style(stdout, TERM_PLAIN));
		any = true;
		printf("  %s%s%s: ", term_style(stdout, check->broken ? TERM_RED : TERM_YELLOW),
		       check->title, term_style(stdout, TERM_PLAIN));
		wrap(check->remedy[0] ? check->remedy : check->evidence,
		     4 + (int)strlen(check->title), 4);
	}
}

static void print_challenge(const struct challenge *challenge)
{
	printf("\n%sWhat an aligned 4096-byte O_DIRECT read can return%s\n",
	       term_style(stdout, TERM_BOLD), term_style(stdout, TERM_PLAIN));
	printf("  ");
	wrap("Taken literally (size a multiple of 4096, no error, nobody else writes): nothing but "
	     "0 and 4096 on ext4, xfs, btrfs and raw devices, which turn a partly failed read "
	     "into an error. FUSE, NFS and DAX may return any of 1 to 4095. And else:",
	     2, 2);
	for (size_t i = 0; i < challenge->nr; i++) {
		const struct answer *answer = &challenge->v[i];

		printf("  %s%-11s%s %-21s ",
		       term_style(stdout, answer->produced ? TERM_GREEN : TERM_DIM), answer->values,
		       term_style(stdout, TERM_PLAIN), answer->file_system);
		wrap(answer->how, 36, 36);
		printf("%*s", 36, "");
		wrap(answer->why, 36, 36);
	}
	for (size_t i = 0; i < challenge->missing_nr; i++)
		printf("  not tried: %s\n", challenge->missing[i]);
	for (size_t i = 0; i < challenge->unseen_nr; i++)
		printf("  tried, not seen this time: %s\n", challenge->unseen[i]);
}

void report_text(const struct probe *probe, const struct challenge *challenge, bool all)
{
	summarise_machine(&probe->place);
	summarise_ring(&probe->checks);
	summarise_files(probe);
	summarise_rest(&probe->checks);
	for (size_t i = 0; i < NR(topics); i++)
		print_topic(probe, i, all);
	print_remedies(&probe->checks);
	if (challenge)
		print_challenge(challenge);
}

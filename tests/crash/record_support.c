/* record_support.c: running a recorder on this very program; replay and digest. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "record_support.h"
#include "tests/support/harness.h"

#define INODES_MAX 65536

/* ---- recording ---------------------------------------------------------------------- */

/* A directory of its own below one that the harness removes: there are few of those. */
static void make_dir(char *path, size_t bytes)
{
	static const char *top;

	if (!top) {
		top = support_tmpdir();
		assert_int_equal(chmod(top, 0711), 0); /* for tests that become somebody else */
	}
	snprintf(path, bytes, "%s/XXXXXX", top);
	assert_non_null(mkdtemp(path));
}

void recording_begin(struct recording *recording, const char *program)
{
	*recording = (struct recording){ 0 };
	make_dir(recording->dir, sizeof(recording->dir));
	make_dir(recording->scratch, sizeof(recording->scratch));
	assert_non_null(realpath("/proc/self/exe", recording->self));
	recording_set_program(recording, program);
	recording->opts.dir = recording->dir;
	recording->opts.scratch_dir = recording->scratch;
	recording->opts.argv = recording->argv;
	recording->opts.recorder = "fuse";
	recording->opts.stdout_quiet = true;
	recording->opts.timeout_ns = INT64_C(120) * 1000000000;
	assert_int_equal(chdir(recording->dir), 0);
}

void recording_set_program(struct recording *recording, const char *program)
{
	static char word[] = "--do";

	recording->argv[0] = recording->self;
	recording->argv[1] = word;
	recording->argv[2] = (char *)(uintptr_t)program;
	recording->argv[3] = NULL;
}

void recording_run(struct recording *recording)
{
	assert_int_equal(crash_trace_create(NULL, &recording->trace_opts, &recording->trace), 0);
	recording->err = crash_record(&recording->opts, recording->trace, &recording->report);
	if (recording->err == -EPERM) {
		recording->report.why[strcspn(recording->report.why, "\n")] = '\0';
		recording_end(recording);
		SKIP("%s", recording->report.why);
	}
}

void recording_assert_good(const struct recording *recording)
{
	if (recording->err || recording->report.status)
		print_message("# why: %s notes: %s\n", recording->report.why,
			      recording->report.notes);
	assert_int_equal(recording->err, 0);
	assert_int_equal(recording->report.status, 0);
	assert_string_equal(recording->report.recorder, recording->opts.recorder);
}

void recording_end(struct recording *recording)
{
	crash_trace_close(recording->trace);
	recording->trace = NULL;
}

/* ---- asking ------------------------------------------------------------------------- */

const struct crash_op *recording_find(const struct recording *recording, uint32_t code,
				      unsigned nth)
{
	for (uint64_t i = 0; i < crash_trace_nr(recording->trace); i++) {
		const struct crash_op *op = crash_trace_op(recording->trace, i);

		if (op->code == code && !nth--)
			return op;
	}
	return NULL;
}

unsigned recording_count(const struct recording *recording, uint32_t code)
{
	unsigned nr = 0;

	while (recording_find(recording, code, nr))
		nr++;
	return nr;
}

bool recording_says(const struct recording *recording, const struct crash_op *op, const char *text)
{
	char buf[CRASH_ACK_MAX];
	size_t len = strlen(text);

	if (op->data_len != len || len > sizeof(buf))
		return false;
	assert_int_equal(crash_trace_data(recording->trace, op, 0, buf, (uint32_t)len), 0);
	return !memcmp(buf, text, len);
}

const struct crash_op *recording_ack(const struct recording *recording, const char *line)
{
	const struct crash_op *op;

	for (unsigned i = 0; (op = recording_find(recording, CRASH_ACK, i)); i++) {
		if (recording_says(recording, op, line))
			return op;
	}
	fail_msg("no acknowledgement \"%s\"", line);
	return NULL;
}

/* ---- replaying ---------------------------------------------------------------------- */

struct replay {
	const struct recording *recording;
	int *fds; /* by inode */
};

static void set_fd(struct replay *replay, uint64_t inode, int fd)
{
	assert_true(inode < INODES_MAX && fd >= 0);
	replay->fds[inode] = fd;
}

static void open_made(struct replay *replay, const struct crash_op *op, int flags)
{
	int fd = openat(replay->fds[op->dir], op->name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		fail_msg("op %llu: %s: %s", (unsigned long long)op->seq, op->name, strerror(errno));
	set_fd(replay, op->inode, fd);
}

static void copy_base(struct replay *replay, const struct crash_op *op)
{
	char path[8192], buf[4096];
	ssize_t n;
	int from;

	open_made(replay, op, O_RDWR | O_CREAT | O_EXCL);
	/* Only files at the top are looked for: that is all that tests make. */
	snprintf(path, sizeof(path), "%s/%s", replay->recording->dir, op->name);
	from = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(from >= 0);
	for (off_t off = 0; (n = pread(from, buf, sizeof(buf), off)) > 0; off += n)
		assert_int_equal(pwrite(replay->fds[op->inode], buf, (size_t)n, off), n);
	close(from);
}

static void make(struct replay *replay, const struct crash_op *op)
{
	char target[4096] = "";

	if (op->code == CRASH_SYMLINK || S_ISLNK(op->mode)) {
		assert_int_equal(
			crash_trace_data(replay->recording->trace, op, 0, target, op->data_len), 0);
		assert_int_equal(symlinkat(target, replay->fds[op->dir], op->name), 0);
		open_made(replay, op, O_PATH);
	} else if (S_ISDIR(op->mode)) {
		assert_int_equal(mkdirat(replay->fds[op->dir], op->name, 0700), 0);
		open_made(replay, op, O_RDONLY | O_DIRECTORY);
	} else if (S_ISFIFO(op->mode)) {
		assert_int_equal(mkfifoat(replay->fds[op->dir], op->name, 0600), 0);
		open_made(replay, op, O_PATH);
	} else if (op->code == CRASH_BASE) {
		copy_base(replay, op);
	} else if (!op->dir) {
		set_fd(replay, op->inode,
		       openat(replay->fds[CRASH_ROOT], ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	} else {
		open_made(replay, op, O_RDWR | O_CREAT | O_EXCL);
	}
}

static void link_again(struct replay *replay, const struct crash_op *op)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", replay->fds[op->inode]);
	assert_int_equal(linkat(AT_FDCWD, path, replay->fds[op->dir], op->name, AT_SYMLINK_FOLLOW),
			 0);
}

static void write_op(struct replay *replay, const struct crash_op *op)
{
	char *buf = malloc(op->data_len + 1);

	assert_non_null(buf);
	assert_int_equal(crash_trace_data(replay->recording->trace, op, 0, buf, op->data_len), 0);
	assert_int_equal(pwrite(replay->fds[op->inode], buf, op->data_len, (off_t)op->off),
			 op->data_len);
	free(buf);
}

static void apply(struct replay *replay, const struct crash_op *op)
{
	const int *fds = replay->fds;

	if (op->code == CRASH_BASE && op->inode < INODES_MAX && fds[op->inode] > 0) {
		link_again(replay, op);
		return;
	}
	switch (op->code) {
	case CRASH_BASE:
	case CRASH_CREATE:
	case CRASH_MKDIR:
	case CRASH_SYMLINK:
		make(replay, op);
		break;
	case CRASH_LINK:
		link_again(replay, op);
		break;
	case CRASH_UNLINK:
		assert_int_equal(unlinkat(fds[op->dir], op->name, 0), 0);
		break;
	case CRASH_RMDIR:
		assert_int_equal(unlinkat(fds[op->dir], op->name, AT_REMOVEDIR), 0);
		break;
	case CRASH_RENAME:
		assert_int_equal(renameat2(fds[op->dir], op->name, fds[op->dir2], op->name2,
					   op->flags & CRASH_EXCHANGE ? RENAME_EXCHANGE : 0),
				 0);
		break;
	case CRASH_WRITE:
		write_op(replay, op);
		break;
	case CRASH_TRUNCATE:
		assert_int_equal(ftruncate(fds[op->inode], (off_t)op->len), 0);
		break;
	case CRASH_ALLOCATE:
		assert_int_equal(fallocate(fds[op->inode], (int)op->flags2, (off_t)op->off,
					   (off_t)op->len),
				 0);
		break;
	default:
		break;
	}
}

uint64_t recording_replay(const struct recording *recording)
{
	struct replay replay = { recording, calloc(INODES_MAX, sizeof(int)) };
	char dir[4096];

	assert_non_null(replay.fds);
	make_dir(dir, sizeof(dir));
	set_fd(&replay, CRASH_ROOT, open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (uint64_t i = 0; i < crash_trace_nr(recording->trace); i++) {
		const struct crash_op *op = crash_trace_op(recording->trace, i);

		if (op->res >= 0)
			apply(&replay, op);
	}
	for (unsigned i = 0; i < INODES_MAX; i++) {
		if (replay.fds[i] > 0)
			close(replay.fds[i]);
	}
	free(replay.fds);
	return digest_dir(dir);
}

/* ---- one number for a directory ------------------------------------------------------- */

static int compare_entries(const FTSENT **left, const FTSENT **right)
{
	return strcmp((*left)->fts_name, (*right)->fts_name);
}

static uint32_t digest_file(const char *path, uint32_t crc)
{
	char buf[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		crc = sl_crc32c_update(crc, buf, (size_t)n);
	if (fd >= 0)
		close(fd);
	return crc;
}

uint64_t digest_dir(const char *dir)
{
	char *paths[] = { (char *)(uintptr_t)dir, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, compare_entries);
	uint32_t crc = 1, nr = 0;
	FTSENT *entry;

	while (fts && (entry = fts_read(fts))) {
		uint64_t size = (uint64_t)entry->fts_statp->st_size;

		if (entry->fts_level == FTS_ROOTLEVEL || entry->fts_info == FTS_DP)
			continue;
		nr++;
		crc = sl_crc32c_update(crc, entry->fts_path + strlen(dir),
				       strlen(entry->fts_path + strlen(dir)) + 1);
		crc = sl_crc32c_update(crc, &entry->fts_info, sizeof(entry->fts_info));
		if (entry->fts_info == FTS_F) {
			crc = sl_crc32c_update(crc, &size, sizeof(size));
			crc = sl_crc32c_update(crc, &entry->fts_statp->st_nlink,
					       sizeof(entry->fts_statp->st_nlink));
			crc = digest_file(entry->fts_accpath, crc);
		}
	}
	if (fts)
		fts_close(fts);
	return (uint64_t)nr << 32 | crc;
}

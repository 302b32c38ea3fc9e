/*
 * oracle.c - liburing as the oracle: plain requests give what it gives.
 *
 * Each script is run twice in directories of its own, once by sluice's uring
 * backend and once by liburing, and the two lists of results must be equal.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sluice/sluice.h>

#include "tests/contract/oracle.h"

#define ANSWERS_MAX 64

struct script {
	struct sl_ring *ring; /* NULL: the oracle */
	int dir;
	int file;
	int pair[2];
	unsigned nr;
	int64_t answers[ANSWERS_MAX];
	const char *what[ANSWERS_MAX];
};

static int64_t ask(struct script *script, struct sl_op *op)
{
	int64_t res = script->ring ? sl_ring_do(script->ring, op) : oracle_do(op);
	bool descriptor = res >= 0 && (op->code == SL_OP_OPEN || op->code == SL_OP_SOCKET);

	assert_true(script->nr < ANSWERS_MAX);
	script->what[script->nr] = sl_op_name(op->code);
	/* which number a descriptor has is not part of the answer */
	script->answers[script->nr++] = descriptor ? 0 : res;
	return res;
}

static void begin(struct script *script, bool oracle)
{
	const struct sl_ring_opts opts = { .size = sizeof(opts),
					   .depth = 8,
					   .backend = "uring",
					   .flags = SL_RING_NO_FALLBACK | SL_RING_NO_INLINE };
	const char *dir = support_tmpdir();
	int rc;

	memset(script, 0, sizeof(*script));
	rc = oracle ? 0 : sl_ring_open(&opts, &script->ring);
	if (rc)
		SKIP("no io_uring here: %s", sl_err_text(rc));
	script->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	script->file = openat(script->dir, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(script->file >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, script->pair), 0);
}

static void compare(void (*run)(struct script *script))
{
	static struct script mine, theirs;
	const char *missing = oracle_missing();

	if (missing)
		SKIP("%s", missing);
	begin(&mine, false);
	begin(&theirs, true);
	run(&mine);
	run(&theirs);
	assert_int_equal(mine.nr, theirs.nr);
	assert_true(mine.nr > 0);
	for (unsigned i = 0; i < mine.nr; i++)
		if (mine.answers[i] != theirs.answers[i])
			fail_msg("step %u, %s: sluice %lld, liburing %lld", i, mine.what[i],
				 (long long)mine.answers[i], (long long)theirs.answers[i]);
	sl_ring_close(mine.ring);
	oracle_end();
}

static void run_file(struct script *s)
{
	static char out[20000], in[20000];
	struct iovec iov[2] = { { out, 100 }, { out + 100, 900 } };
	struct sl_op op = { 0 };

	ask(s, sl_op_nop(&op));
	ask(s, sl_op_write(&op, s->file, out, sizeof(out), 0));
	ask(s, sl_op_read(&op, s->file, in, sizeof(in), 0));
	ask(s, sl_op_read(&op, s->file, in, sizeof(in), 12345));
	ask(s, sl_op_read(&op, s->file, in, sizeof(in), 20000));
	ask(s, sl_op_read(&op, s->file, in, 0, 0));
	ask(s, sl_op_writev(&op, s->file, iov, 2, 50000));
	ask(s, sl_op_readv(&op, s->file, iov, 2, 50500));
	ask(s, sl_op_read(&op, s->file, in, sizeof(in), SL_OFF_CURRENT));
	ask(s, sl_op_fsync(&op, s->file));
	ask(s, sl_op_fdatasync(&op, s->file));
	ask(s, sl_op_allocate(&op, s->file, 0, 0, 100000));
	ask(s, sl_op_allocate(&op, s->file, 0, 0, 0));
	ask(s, sl_op_read(&op, s->file, in, 10, 99995));
	ask(s, sl_op_read(&op, -1, in, 10, 0));
	ask(s, sl_op_write(&op, 9999, in, 10, 0));
	ask(s, sl_op_read(&op, s->dir, in, 10, 0));
	ask(s, sl_op_fsync(&op, s->pair[0]));
	ask(s, sl_op_read(&op, s->file, (void *)8, 10, 0));
}

static void files_answer_as_through_liburing(void **state)
{
	(void)state;
	compare(run_file);
}

static void run_names(struct script *s)
{
	const struct sl_open_how create = { O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, 0 };
	const struct sl_open_how read = { O_RDONLY | O_CLOEXEC, 0, 0 }, bad = { 0, 0600, 0 };
	const struct sl_name_pair link = { "new", "other", s->dir, 0 };
	const struct sl_name_pair rename = { "other", "third", s->dir, 0 };
	struct sl_op op = { 0 };
	struct statx stx;
	int64_t fd;

	ask(s, sl_op_open(&op, s->dir, "absent", &read));
	fd = ask(s, sl_op_open(&op, s->dir, "new", &create));
	ask(s, sl_op_open(&op, s->dir, "new", &create));
	ask(s, sl_op_open(&op, s->dir, "new", &bad));
	ask(s, sl_op_close(&op, (int)fd));
	ask(s, sl_op_close(&op, 9999));
	ask(s, sl_op_stat(&op, s->dir, "new", 0, STATX_SIZE, &stx));
	ask(s, sl_op_stat(&op, s->dir, "absent", 0, STATX_SIZE, &stx));
	ask(s, sl_op_link(&op, s->dir, &link));
	ask(s, sl_op_link(&op, s->dir, &link));
	ask(s, sl_op_rename(&op, s->dir, &rename));
	ask(s, sl_op_rename(&op, s->dir, &rename));
	ask(s, sl_op_symlink(&op, "new", s->dir, "symbolic"));
	ask(s, sl_op_symlink(&op, "new", s->dir, "symbolic"));
	ask(s, sl_op_mkdir(&op, s->dir, "sub", 0700));
	ask(s, sl_op_mkdir(&op, s->dir, "sub", 0700));
	ask(s, sl_op_unlink(&op, s->dir, "sub", 0));
	ask(s, sl_op_unlink(&op, s->dir, "sub", AT_REMOVEDIR));
	ask(s, sl_op_unlink(&op, s->dir, "third", 0));
	ask(s, sl_op_unlink(&op, s->dir, "third", 0));
}

static void names_answer_as_through_liburing(void **state)
{
	(void)state;
	compare(run_names);
}

static void run_sockets(struct script *s)
{
	struct sl_op op = { 0 };
	char buf[64] = "";

	ask(s, sl_op_socket(&op, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ask(s, sl_op_socket(&op, 12345, SOCK_STREAM, 0));
	ask(s, sl_op_send(&op, s->pair[0], buf, 40, 0));
	ask(s, sl_op_recv(&op, s->pair[1], buf, 10, MSG_PEEK));
	ask(s, sl_op_recv(&op, s->pair[1], buf, 64, 0));
	ask(s, sl_op_recv(&op, s->pair[1], buf, 64, MSG_DONTWAIT));
	ask(s, sl_op_write(&op, s->pair[1], buf, 7, SL_OFF_CURRENT));
	ask(s, sl_op_read(&op, s->pair[0], buf, 64, SL_OFF_CURRENT));
	ask(s, sl_op_recv(&op, s->file, buf, 64, 0));
	ask(s, sl_op_shutdown(&op, s->pair[0], SHUT_WR));
	ask(s, sl_op_recv(&op, s->pair[1], buf, 64, 0));
	ask(s, sl_op_send(&op, s->pair[0], buf, 1, 0));
	ask(s, sl_op_shutdown(&op, s->file, SHUT_WR));
	close(s->pair[1]);
	ask(s, sl_op_recv(&op, s->pair[0], buf, 64, 0));
}

static void sockets_answer_as_through_liburing(void **state)
{
	(void)state;
	compare(run_sockets);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(files_answer_as_through_liburing),
		TEST(names_answer_as_through_liburing),
		TEST(sockets_answer_as_through_liburing),
	};

	return RUN_TESTS(tests);
}

/*
 * random_name.c - random operations on names from a seed, on every backend the same.
 *
 * Rounds of operations on different names of one directory run at once. A model, a table of
 * names and one of inodes, says what each one must answer, errors too; now and then the
 * directory is listed and compared. The hash of all results is printed: agree.py compares
 * it between backends.
 *
 * Replay: SLUICE_SEED=N, printed at the start of the run. SLUICE_RANDOM_TOTAL=N: a fifth of N
 * operations.
 */
#include "tests/contract/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
	TOTAL = 100000,
	NAMES_NR = 12,
	STEPS_MAX = 4,
	LIST_EVERY = 50
};

enum kind {
	NONE,
	REGULAR,
	FOLDER,
	SYMBOLIC
};

/* An inode has the number of the name it was made under, until that is taken anew. */
struct entry {
	enum kind kind;
	unsigned inode;
};

static struct entry entries[NAMES_NR];
static unsigned nlink[1 << 20], inodes_nr;
static char names[NAMES_NR][8];
static uint64_t dice, results = 0xcbf29ce484222325u;
static int dir;

struct step {
	struct sl_op op;
	struct sl_open_how how;
	struct sl_name_pair pair;
	struct statx stx;
	int64_t res; /* SOME: any descriptor */
	unsigned want_mode, want_nlink;
	bool looks;
};

#define SOME INT64_MAX

static struct step steps[STEPS_MAX];
static unsigned nr_ended;

static uint64_t roll(uint64_t sides)
{
	return support_random(&dice) % sides;
}

static unsigned total(void)
{
	const char *text = getenv("SLUICE_RANDOM_TOTAL");

	return (text ? (unsigned)strtoul(text, NULL, 10) : TOTAL) / 5;
}

static void make(struct entry *entry, enum kind kind)
{
	assert_true(inodes_nr < NR(nlink));
	*entry = (struct entry){ kind, inodes_nr };
	nlink[inodes_nr++] = 1;
}

static void drop(struct entry *entry)
{
	nlink[entry->inode]--;
	entry->kind = NONE;
}

/* ---- the model: each function plans a step on one or two names ---------------------------- */

static void plan_open(struct step *step, unsigned i)
{
	static const int64_t found[] = { -ENOENT, SOME, SOME, -ELOOP };
	bool creates = roll(2);

	step->how = (struct sl_open_how){ .flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC };
	step->res = found[entries[i].kind];
	if (creates) {
		step->how.flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
		step->how.mode = 0600;
		step->res = entries[i].kind == NONE ? SOME : -EEXIST;
		if (entries[i].kind == NONE)
			make(&entries[i], REGULAR);
	}
	sl_op_open(&step->op, dir, names[i], &step->how);
}

static void plan_stat(struct step *step, unsigned i)
{
	static const unsigned modes[] = { 0, S_IFREG, S_IFDIR, S_IFLNK };
	const struct entry *entry = &entries[i];

	step->res = entry->kind == NONE ? -ENOENT : 0;
	step->looks = entry->kind != NONE;
	step->want_mode = modes[entry->kind];
	/* how the links of a directory are counted is the file system's affair */
	step->want_nlink = entry->kind == FOLDER ? 0 : nlink[entry->inode];
	sl_op_stat(&step->op, dir, names[i], AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &step->stx);
}

static void plan_make(struct step *step, unsigned i)
{
	bool folder = roll(2);

	step->res = entries[i].kind == NONE ? 0 : -EEXIST;
	if (folder)
		sl_op_mkdir(&step->op, dir, names[i], 0700);
	else
		sl_op_symlink(&step->op, "elsewhere", dir, names[i]);
	if (entries[i].kind == NONE)
		make(&entries[i], folder ? FOLDER : SYMBOLIC);
}

static void plan_unlink(struct step *step, unsigned i)
{
	bool folder = roll(2);
	enum kind kind = entries[i].kind;

	sl_op_unlink(&step->op, dir, names[i], folder ? AT_REMOVEDIR : 0);
	step->res = 0;
	if (kind == NONE)
		step->res = -ENOENT;
	else if (folder != (kind == FOLDER))
		step->res = folder ? -ENOTDIR : -EISDIR;
	else
		drop(&entries[i]);
}

static void plan_link(struct step *step, unsigned i, unsigned k)
{
	sl_op_link(&step->op, dir, &step->pair);
	step->res = 0;
	if (entries[i].kind == NONE)
		step->res = -ENOENT;
	else if (entries[k].kind != NONE)
		step->res = -EEXIST;
	else if (entries[i].kind == FOLDER)
		step->res = -EPERM;
	else
		nlink[(entries[k] = entries[i]).inode]++;
}

static void plan_rename(struct step *step, unsigned i, unsigned k)
{
	enum kind source = entries[i].kind, target = entries[k].kind;

	sl_op_rename(&step->op, dir, &step->pair);
	step->res = 0;
	if (source == NONE)
		step->res = -ENOENT;
	else if (target != NONE && source == FOLDER && target != FOLDER)
		step->res = -ENOTDIR;
	else if (target == FOLDER && source != FOLDER)
		step->res = -EISDIR;
	else if (target == NONE || entries[i].inode != entries[k].inode) {
		if (target != NONE)
			drop(&entries[k]);
		entries[k] = entries[i];
		entries[i].kind = NONE;
	}
}

static void plan_step(struct step *step, unsigned i, unsigned k)
{
	sl_op_fn *done = step->op.done;

	memset(step, 0, sizeof(*step));
	step->op.done = done;
	step->pair = (struct sl_name_pair){ names[i], names[k], dir, 0 };
	switch (roll(6)) {
	case 0:
		plan_open(step, i);
		break;
	case 1:
		plan_stat(step, i);
		break;
	case 2:
		plan_make(step, i);
		break;
	case 3:
		plan_unlink(step, i);
		break;
	case 4:
		plan_link(step, i, k);
		break;
	default:
		plan_rename(step, i, k);
	}
	step->op.done = done;
}

/* ---- a round ---------------------------------------------------------------------------- */

static void step_ended(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	(void)op;
	nr_ended++;
}

/* No inode is reached by two steps of a round: what one does to its links the other would see. */
static bool shares(const unsigned *picked, unsigned nr)
{
	for (unsigned a = 0; a < nr; a++) {
		const struct entry *entry = &entries[picked[a]];

		for (unsigned b = 0; b < NAMES_NR && entry->kind != NONE; b++)
			if (b != picked[a] && entries[b].kind != NONE &&
			    entries[b].inode == entry->inode)
				return true;
	}
	return false;
}

static unsigned plan_round(void)
{
	unsigned order[NAMES_NR], nr = 1 + (unsigned)roll(STEPS_MAX);

	for (unsigned i = 0; i < NAMES_NR; i++)
		order[i] = i;
	for (unsigned i = NAMES_NR - 1; i > 0; i--) {
		unsigned other = (unsigned)roll(i + 1), held = order[i];

		order[i] = order[other];
		order[other] = held;
	}
	if (shares(order, 2 * nr))
		nr = 1;
	for (unsigned i = 0; i < nr; i++)
		plan_step(&steps[i], order[2 * i], order[2 * i + 1]);
	return nr;
}

static void check_step(struct sl_ring *ring, const struct step *step, unsigned number)
{
	struct sl_op op = { 0 };
	int64_t res = step->op.res >= 0 && step->res == SOME ? SOME : step->op.res;

	if (res != step->res)
		fail_msg("operation %u: %s of %s (and %s) gave %lld, the model %lld", number,
			 sl_op_name(step->op.code), step->pair.source, step->pair.target,
			 (long long)step->op.res, (long long)step->res);
	if (res == SOME)
		expect_res(ring, sl_op_close(&op, (int)step->op.res), 0);
	if (step->looks) {
		assert_int_equal(step->stx.stx_mode & S_IFMT, step->want_mode);
		if (step->want_nlink)
			assert_int_equal(step->stx.stx_nlink, step->want_nlink);
	}
	results = hash_bytes(results, &res, sizeof(res));
	results = hash_bytes(results, &step->want_nlink, sizeof(step->want_nlink));
}

/* Names as bits, with the number of each found in the directory counted once. */
static unsigned listed(const char *list, int64_t len)
{
	unsigned found = 0;

	for (int64_t at = 0; at < len;) {
		const struct dirent64 *entry = (const void *)(list + at);

		for (unsigned i = 0; i < NAMES_NR; i++) {
			if (strcmp(entry->d_name, names[i]))
				continue;
			assert_false(found & 1u << i);
			found |= 1u << i;
		}
		at += entry->d_reclen;
	}
	return found;
}

static void check_list(struct sl_ring *ring)
{
	static _Alignas(8) char list[16384];
	const struct sl_open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
	unsigned found = 0, want = 0;
	struct sl_op op = { 0 };
	int64_t len;
	int fd;

	fd = (int)sl_ring_do(ring, sl_op_open(&op, dir, ".", &how));
	assert_true(fd >= 0);
	while ((len = sl_ring_do(ring, sl_op_readdir(&op, fd, list, sizeof(list)))) > 0)
		found |= listed(list, len);
	assert_int_equal(len, 0);
	expect_res(ring, sl_op_close(&op, fd), 0);
	for (unsigned i = 0; i < NAMES_NR; i++)
		want |= entries[i].kind != NONE ? 1u << i : 0;
	assert_int_equal(found, want);
	results = hash_bytes(results, &found, sizeof(found));
}

static void random_operations_on_names_agree_with_the_model(void **state)
{
	struct sl_ring *ring = ring_open(STEPS_MAX);
	unsigned number = 0, rounds = 0, enough = total();

	(void)state;
	dice = support_seed() + 2;
	dir = world_dir();
	assert_true(dir >= 0);
	for (unsigned i = 0; i < NAMES_NR; i++)
		snprintf(names[i], sizeof(names[i]), "n%u", i);
	for (unsigned i = 0; i < STEPS_MAX; i++)
		steps[i].op.done = step_ended;
	while (number < enough) {
		unsigned nr = plan_round();

		nr_ended = 0;
		for (unsigned i = 0; i < nr; i++)
			submit(ring, &steps[i].op);
		ring_until(ring, &nr_ended, nr);
		for (unsigned i = 0; i < nr; i++)
			check_step(ring, &steps[i], number++);
		if (++rounds % LIST_EVERY == 0)
			check_list(ring);
	}
	check_list(ring);
	printf("# %u operations, results %016llx\n", number, (unsigned long long)results);
	sl_ring_close(ring);
}

static const struct contract_test tests[] = {
	T(random_operations_on_names_agree_with_the_model, NAME, 0),
};

const struct contract_group random_name_tests = GROUP(tests);

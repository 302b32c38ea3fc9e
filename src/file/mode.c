/*
 * mode.c - how data really moves: evidence collected once, and the verdict it allows.
 *
 * Proof of buffering beats proof of directness, since one page in the cache is
 * enough to break the promise. No proof of either is "unknown", never a guess.
 */
#include "file/mode.h"

#include <errno.h>
#include <stdio.h>

#include "base/assert.h"
#include "file/evidence.h"
#include "file/file.h"
#include "file/memory.h"

struct rule {
	uint32_t evidence;
	enum sl_file_way way;
	const char *why;
};

/* The first rule whose evidence is there decides. */
static const struct rule read_rules[] = {
	{ SL_FILE_EV_NO_KERNEL, SL_FILE_WAY_UNKNOWN,
	  "no kernel to ask: the backend is its own world" },
	{ SL_FILE_EV_NOT_ASKED, SL_FILE_WAY_BUFFERED, "O_DIRECT is not set on the descriptor" },
	{ SL_FILE_EV_STATX_NO, SL_FILE_WAY_BUFFERED,
	  "statx says that this file takes no direct I/O (inline data, journalled data)" },
	{ SL_FILE_EV_PAGES_LEFT, SL_FILE_WAY_BUFFERED,
	  "a direct read left pages in the page cache" },
	{ SL_FILE_EV_NOWAIT_READ, SL_FILE_WAY_DIRECT,
	  "a read that may not wait gave data of pages that were not cached, and cached none" },
	{ SL_FILE_EV_DEVICE_READ, SL_FILE_WAY_DIRECT,
	  "reading the same block again went to the device each time" },
	{ 0, SL_FILE_WAY_UNKNOWN, "nothing here tells a direct read from a cached one" },
};

static const struct rule write_rules[] = {
	{ SL_FILE_EV_NO_KERNEL, SL_FILE_WAY_UNKNOWN,
	  "no kernel to ask: the backend is its own world" },
	{ SL_FILE_EV_NOT_ASKED, SL_FILE_WAY_BUFFERED, "O_DIRECT is not set on the descriptor" },
	{ SL_FILE_EV_STATX_NO, SL_FILE_WAY_BUFFERED,
	  "statx says that this file takes no direct I/O (inline data, journalled data)" },
	{ SL_FILE_EV_CANARY_LEFT, SL_FILE_WAY_BUFFERED,
	  "a direct write to a scratch file left its mapped page in the page cache" },
	{ SL_FILE_EV_CANARY_GONE, SL_FILE_WAY_DIRECT,
	  "a direct write to a scratch file drove its mapped page from the page cache" },
	{ SL_FILE_EV_NOWAIT_WRITE, SL_FILE_WAY_DIRECT,
	  "a direct write that may not wait was accepted on a scratch file" },
	{ SL_FILE_EV_NO_SCRATCH, SL_FILE_WAY_UNKNOWN,
	  "no scratch file could be made beside the file to try a write on" },
	{ 0, SL_FILE_WAY_UNKNOWN, "nothing here tells a direct write from a cached one" },
};

static enum sl_file_way decide(const struct rule *rule, uint32_t evidence, const char **ret_why)
{
	while (rule->evidence && !(rule->evidence & evidence))
		rule++;
	*ret_why = rule->why;
	return rule->way;
}

enum sl_file_way sl_mode_of_reads(uint32_t evidence, const char **ret_why)
{
	return decide(read_rules, evidence, ret_why);
}

enum sl_file_way sl_mode_of_writes(uint32_t evidence, const char **ret_why)
{
	return decide(write_rules, evidence, ret_why);
}

/* What the asking alone tells. */
static uint32_t known_beforehand(const struct sl_file *file)
{
	if (sl_ring_caps(file->ring)->caps & SL_CAP_OWN_WORLD)
		return SL_FILE_EV_NO_KERNEL;
	if (!sl_file_is_direct(file))
		return SL_FILE_EV_NOT_ASKED;
	return sl_evidence_statx(file->fd);
}

static bool undecided(uint32_t evidence)
{
	const uint32_t settled = SL_FILE_EV_NO_KERNEL | SL_FILE_EV_NOT_ASKED | SL_FILE_EV_STATX_NO;

	return !(evidence & settled);
}

static int open_scratch(struct sl_file *file, const struct evidence_block *block)
{
	if (file->dir_fd < 0)
		return -ENOENT;
	return sl_evidence_scratch(file->dir_fd, file->fd, block);
}

/* Reads: the file itself, where it has a whole block; else the scratch file. */
static uint32_t collect_reads(struct sl_file *file, const struct evidence_block *block, int scratch)
{
	const char *why;
	uint64_t size = 0;
	uint32_t evidence = 0;
	bool counts = scratch >= 0 && sl_evidence_counts_are_true(scratch, block);

	if (file->edges_readable && sl_file_size(file, &size) == 0 && size >= block->len)
		evidence = sl_evidence_read(file->fd, block, false, counts);
	if (sl_mode_of_reads(evidence, &why) != SL_FILE_WAY_UNKNOWN)
		return evidence;
	if (scratch < 0)
		return evidence | SL_FILE_EV_NO_SCRATCH;
	return sl_evidence_read(scratch, block, true, counts) | SL_FILE_EV_SCRATCH;
}

static void collect(struct sl_file *file, const struct evidence_block *block)
{
	struct sl_file_mode *mode = &file->mode;
	int scratch = open_scratch(file, block);

	mode->read_evidence |= collect_reads(file, block, scratch);
	if (scratch < 0)
		mode->write_evidence |= SL_FILE_EV_NO_SCRATCH;
	else
		mode->write_evidence |= sl_evidence_write(scratch, block) | SL_FILE_EV_SCRATCH;
	sl_evidence_scratch_close(scratch);
}

static int collect_with_block(struct sl_file *file)
{
	struct evidence_block block = { .len = file->write_align };

	if (block.len < file->read_align)
		block.len = file->read_align;
	block.buf = sl_file_alloc(file->ring, 1, block.len, file->mem_align);
	if (!block.buf)
		return -ENOMEM;
	collect(file, &block);
	sl_file_free(file->ring, block.buf, 1, block.len);
	return 0;
}

static void sentence(char *to, size_t bytes, const char *why, uint32_t evidence)
{
	snprintf(to, bytes, "%s%s", why,
		 evidence & SL_FILE_EV_SCRATCH ? " (tried on a scratch file)" : "");
}

static void give_verdict(struct sl_file_mode *mode)
{
	const char *why;

	mode->read = (uint8_t)sl_mode_of_reads(mode->read_evidence, &why);
	sentence(mode->read_why, sizeof(mode->read_why), why, mode->read_evidence);
	mode->write = (uint8_t)sl_mode_of_writes(mode->write_evidence, &why);
	sentence(mode->write_why, sizeof(mode->write_why), why, 0);
}

int sl_file_mode(struct sl_file *file, struct sl_file_mode *ret_mode)
{
	if (!file->mode_known) {
		uint32_t known = known_beforehand(file);

		file->mode =
			(struct sl_file_mode){ .read_evidence = known, .write_evidence = known };
		if (undecided(known)) {
			int rc = collect_with_block(file);

			if (rc < 0)
				return rc;
		}
		give_verdict(&file->mode);
		sl_file_forget_dir(file);
		file->mode_known = true;
	}
	*ret_mode = file->mode;
	return 0;
}

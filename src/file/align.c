/*
 * align.c - the blocks along which requests are cut, from the alignments found.
 *
 * The answer is never below 4096: xfs says 512 until the file is reflinked and
 * 4096 afterwards, and writes below its block then silently go through the page
 * cache; disks of 512-byte sectors are replaced by others; memory that suits
 * one driver does not suit the next.
 */
#include "base/bits.h"
#include "file/file.h"

#define BLOCK_MIN 4096
#define BLOCK_MAX 65536

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t sane(uint32_t found)
{
	return sl_is_pow2(found) && found <= BLOCK_MAX ? found : 0;
}

/* A device has no room behind its end to pad: its block must divide it. */
static uint32_t device_block(const struct sl_desc *found)
{
	uint32_t block =
		larger(BLOCK_MIN, larger(sane(found->read_align), sane(found->write_align)));

	while (block > 512 && (found->size & (block - 1)))
		block /= 2;
	return block;
}

void sl_file_align(struct sl_file *file, uint32_t block_bytes)
{
	const struct sl_desc *found = &file->found;
	uint32_t block = BLOCK_MIN;

	file->mem_align = larger(BLOCK_MIN, sane(found->mem_align));
	if (found->kind == SL_DESC_BLOCK) {
		file->read_align = device_block(found);
		file->write_align = file->read_align;
		return;
	}
	/* Nothing found: a file system that copies on write does so by its block. */
	if (!found->write_align)
		block = larger(block, sane(block_bytes));
	file->read_align = larger(block, sane(found->read_align));
	file->write_align = larger(block, sane(found->write_align));
}

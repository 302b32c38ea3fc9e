/*
 * evidence.h - what the kernel shows about a direct request that no op can ask.
 *
 * The one place in src/file that makes system calls on a descriptor, and only
 * on a ring with a kernel beneath it (no SL_CAP_OWN_WORLD). Everything here
 * answers a mask of enum sl_file_evidence; what could not be found out adds
 * nothing to it.
 */
#ifndef SLUICE_FILE_EVIDENCE_H
#define SLUICE_FILE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An aligned buffer of one block, touched. */
struct evidence_block {
	void *buf;
	size_t len;
	uint64_t off; /* where in the file */
};

/* [A] Does the file itself say that it does direct I/O? */
uint32_t sl_evidence_statx(int fd);

/* [B] [C] [D] One direct read. owned: the file is a scratch file, nobody else
 * has its pages. counts: cachestat has been seen to tell the truth here. */
uint32_t sl_evidence_read(int fd, const struct evidence_block *block, bool owned, bool counts);

/* [E] [F] One direct write over a page that is mapped; a scratch file only. */
uint32_t sl_evidence_write(int fd, const struct evidence_block *block);

/* A file of blocks 2 x len beside like_fd, with its attributes and two blocks of
 * data, without a name; opened for direct I/O. Its descriptor, or -errno. */
int sl_evidence_scratch(int dir_fd, int like_fd, const struct evidence_block *block);

/* Whether cachestat counts a page of the scratch file that must be cached. */
bool sl_evidence_counts_are_true(int scratch_fd, const struct evidence_block *block);

void sl_evidence_scratch_close(int fd);

#endif

/* faults.c: programs that take an error, or a short answer, for something else. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/crash/programs/disk.h"
#include "tests/crash/programs/logs.h"
#include "tests/crash/programs/program.h"

/* -- 16: a sync is asked again until it says yes ------------------------------------------- */

static void prepare_zeros(bool fixed)
{
	(void)fixed;
	disk_put("log", 0, 4096, true);
}

static int retry_sync(bool fixed)
{
	int fd = disk_open("log", O_WRONLY);
	struct log_record record;

	log_fill(&record, 1, 600, LOG_SEED);
	disk_write(fd, &record, log_bytes(&record), 0);
	while (fsync(fd) < 0) {
		if (fixed)
			return 1;
	}
	log_ack(1);
	disk_close(fd);
	return 0;
}

static int check_log(bool fixed, const char *acks)
{
	struct log_reader reader = { .name = "log", .sums = true, .seed = LOG_SEED };

	(void)fixed;
	return log_check(&reader, log_acked(acks));
}

/* -- 17, 20: what cannot be read, or not at once, is taken for the end --------------------- */

#define BLOCK	4096
#define BLOCKS	4
#define PAYLOAD (BLOCK - sizeof(struct log_head))

static void prepare_blocks(bool fixed)
{
	int fd = disk_open("log", O_WRONLY | O_CREAT);
	struct log_record record;

	(void)fixed;
	for (uint32_t nr = 1; nr <= BLOCKS; nr++) {
		log_fill(&record, nr, PAYLOAD, LOG_SEED);
		disk_append(fd, &record, BLOCK);
	}
	disk_sync(fd);
	disk_close(fd);
}

/* A whole block: 1; the end: 0; an error: -1. The twin asks again for what is missing. */
static int read_block(int fd, char *block, off_t off, bool fixed)
{
	size_t done = 0;
	ssize_t len;

	do {
		len = pread(fd, block + done, BLOCK - done, off + (off_t)done);
		if (len < 0)
			return fixed ? -1 : 0;
		done += (size_t)len;
	} while (fixed && len > 0 && done < BLOCK);
	return done == BLOCK;
}

static int append_behind_readable(bool fixed)
{
	int fd = disk_open("log", O_RDWR | O_DIRECT);
	char *block = aligned_alloc(BLOCK, 2 * BLOCK);
	uint32_t nr = 1;
	off_t off = 0;
	int got = 1;

	while (block && (got = read_block(fd, block, off, fixed)) > 0) {
		off += BLOCK;
		nr++;
	}
	if (block && got == 0) {
		log_fill((struct log_record *)(void *)block, nr, PAYLOAD, LOG_SEED + 1);
		disk_write(fd, block, BLOCK, off);
		disk_sync(fd);
		disk_ack("appended");
	}
	free(block);
	disk_close(fd);
	return got != 0;
}

/* The records that were there before must be; that is all this is about. */
static int check_blocks(bool fixed, const char *acks)
{
	struct log_reader reader = { .name = "log", .sums = true, .seed = LOG_SEED };

	(void)fixed;
	(void)acks;
	return log_check(&reader, BLOCKS);
}

/* -- 18: the disk is full in the middle of a record ---------------------------------------- */

static void prepare_one_record(bool fixed)
{
	struct log_record record;

	(void)fixed;
	log_fill(&record, 1, 300, LOG_SEED);
	disk_put_bytes("log", &record, log_bytes(&record), true);
}

/* Whether it was written; the twin takes back what was written of it. */
static bool try_append(int fd, uint32_t nr, bool fixed)
{
	off_t start = lseek(fd, 0, SEEK_END);
	struct log_record record;

	log_fill(&record, nr, 300, LOG_SEED);
	if (write(fd, &record.head, sizeof(record.head)) == (ssize_t)sizeof(record.head) &&
	    write(fd, record.payload, record.head.len) == (ssize_t)record.head.len)
		return true;
	if (fixed && ftruncate(fd, start) < 0)
		exit(1);
	return false;
}

static int append_until_full(bool fixed)
{
	int fd = disk_open("log", O_RDWR | O_APPEND);
	uint32_t nr = 2;

	for (int i = 0; i < 2; i++)
		nr += try_append(fd, nr, fixed);
	disk_sync(fd);
	log_ack(nr - 1);
	disk_close(fd);
	return 0;
}

/* -- 19: a block is written where another belongs ------------------------------------------ */

static uint32_t block_seed(bool fixed, uint32_t nr)
{
	return LOG_SEED + (fixed ? nr : 0);
}

static void prepare_empty_blocks(bool fixed)
{
	(void)fixed;
	disk_put("blocks", 0, (size_t)BLOCKS * BLOCK, true);
}

/* A block's letter is that of its number; only the twin's checksum knows the number. */
static int write_blocks(bool fixed)
{
	int fd = disk_open("blocks", O_WRONLY);
	struct log_record record;

	for (uint32_t nr = 0; nr < BLOCKS; nr++) {
		log_fill(&record, 100 + nr, PAYLOAD, block_seed(fixed, nr));
		disk_write(fd, &record, BLOCK, (off_t)nr * BLOCK);
	}
	disk_sync(fd);
	disk_ack("written");
	disk_close(fd);
	return 0;
}

/* A block that its checksum refuses is damage that is seen; one that is another's must not pass. */
static int check_addresses(bool fixed, const char *acks)
{
	struct log_reader reader = { .name = "blocks", .sums = true };
	struct log_record record;

	(void)acks;
	for (uint32_t nr = 0; nr < BLOCKS; nr++) {
		reader.off = (off_t)nr * BLOCK;
		reader.seed = block_seed(fixed, nr);
		if (log_next(&reader, &record) && record.head.nr != 100 + nr)
			return disk_bad("block %u reads as valid, and is block %u", nr,
					record.head.nr - 100);
	}
	return 0;
}

const struct program programs_of_faults[] = {
	{ "16-retry", "a failed sync is asked again until it says yes", prepare_zeros, retry_sync,
	  check_log, IN_ALL, "sync:1:EIO" },
	{ "17-unreadable", "a block that cannot be read is taken for the end", prepare_blocks,
	  append_behind_readable, check_blocks, IN_ALL, "read:3:ENODATA" },
	{ "18-full", "half a record is left when the disk is full", prepare_one_record,
	  append_until_full, check_log, IN_ALL, "write:2:ENOSPC" },
	{ "19-astray", "a checksum does not cover where its block belongs", prepare_empty_blocks,
	  write_blocks, check_addresses, IN_ALL, "write:3:astray" },
	{ "20-short", "a short read is taken for the end", prepare_blocks, append_behind_readable,
	  check_blocks, IN_ALL, "read:2:short" },
	{ NULL },
};

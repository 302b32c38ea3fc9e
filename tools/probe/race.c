/* A reader against a thread that truncates: the size it sees is true at one moment only. */
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/probe/block.h"
#include "tools/probe/challenge.h"
#include "tools/probe/cost.h"

#define RACE_NS	   400000000ULL
#define RACE_MOST  (4 * RACE_NS)
#define RACE_TRIES 40000

/* The truncation race: one thread moves the end of the file, another reads across it. */
struct race {
	int fd;
	off_t short_size;
	bool stop; /* set by the reader, read by the truncator; relaxed: no data hangs on it */
};

static void *truncate_to_and_fro(void *ctx)
{
	struct race *race = ctx;

	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
		if (ftruncate(race->fd, race->short_size) < 0 ||
		    ftruncate(race->fd, 2 * BLOCK_BYTES) < 0)
			break;
	}
	return NULL;
}

/* How often each count came back; index = bytes. Until one did it goes on for longer. */
static unsigned race_reads(int direct, unsigned seen[BLOCK_BYTES + 1])
{
	uint64_t begin_ns = cost_now_ns(), most_ns = RACE_MOST;
	unsigned char *buf = block_open();
	unsigned tries = 0;

	while (buf && tries < RACE_TRIES && cost_now_ns() - begin_ns < most_ns) {
		ssize_t n = pread(direct, buf, BLOCK_BYTES, BLOCK_BYTES);

		if (n >= 0 && n <= BLOCK_BYTES)
			seen[n]++;
		if (n > 0 && n < BLOCK_BYTES)
			most_ns = RACE_NS;
		tries++;
	}
	if (buf)
		munmap(buf, BLOCK_BYTES);
	return tries;
}

static void say_race(struct challenge *challenge, const char *fs, off_t size, unsigned tries,
		     const unsigned seen[BLOCK_BYTES + 1])
{
	char how[224];

	for (long n = 1; n < BLOCK_BYTES; n++) {
		if (!seen[n])
			continue;
		snprintf(how, sizeof(how),
			 "another thread truncates to %lld and 8192 bytes in turn, read at 4096: "
			 "%u of %u reads",
			 (long long)size, seen[n], tries);
		challenge_produced(
			challenge, fs, n, how,
			"the end of file moved about the read; each count was true once");
		return;
	}
	challenge_unseen(challenge, "the race on %s: not in %u reads (truncating to %lld)", fs,
			 tries, (long long)size);
}

void challenge_race(struct challenge *challenge, const char *fs, int fd, int direct,
		    off_t short_size)
{
	struct race race = { .fd = fd, .short_size = short_size };
	unsigned seen[BLOCK_BYTES + 1] = { 0 };
	pthread_t thread;
	unsigned tries;

	if (ftruncate(fd, 0) < 0 || block_write_zeros(fd, 2 * BLOCK_BYTES) < 0 ||
	    pthread_create(&thread, NULL, truncate_to_and_fro, &race)) {
		challenge_missing(challenge, "the truncation race on %s: no file or no thread", fs);
		return;
	}
	tries = race_reads(direct, seen);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	say_race(challenge, fs, short_size, tries, seen);
}

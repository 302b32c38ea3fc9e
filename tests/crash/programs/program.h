/*
 * program.h: small programs that keep data as real ones do, each with a well-known durability bug
 * and a correct twin.
 *
 * A program works in the current directory. prepare() makes what is there before
 * it runs, which is durable; run() is what is recorded; check() reads a directory
 * that a crash left as the program itself would when it starts again, recovers,
 * and says whether what was acknowledged is there and whether what is there makes
 * sense. Whoever reads says why on standard output.
 */
#ifndef SLUICE_TESTS_CRASH_PROGRAM_H
#define SLUICE_TESTS_CRASH_PROGRAM_H

#include <stdbool.h>

enum program_flag {
	IN_POSIX = 1 << 0,
	IN_EXT4 = 1 << 1,
	IN_XFS = 1 << 2,
	IN_BTRFS = 1 << 3,
	IN_ALL = IN_POSIX | IN_EXT4 | IN_XFS | IN_BTRFS,
};

struct program {
	const char *name;
	const char *bug;
	void (*prepare)(bool fixed);
	int (*run)(bool fixed);			    /* the exit status */
	int (*check)(bool fixed, const char *acks); /* 0: the state is fine */
	unsigned flagged;  /* enum program_flag: profiles that must show the bug */
	const char *fault; /* without which it does not show; NULL: none */
};

/* Ended by an entry without a name. */
extern const struct program programs_of_names[], programs_of_logs[], programs_of_pages[],
	programs_of_faults[];

/* The program with a name, or NULL. */
const struct program *program_find(const char *name);

#endif

/* machine.h: where a run took place, so that its numbers can be read a year later. */
#ifndef SLUICE_TOOLS_BENCH_MACHINE_H
#define SLUICE_TOOLS_BENCH_MACHINE_H

#include <stdint.h>

/**
 * struct bench_machine - what decides the numbers; an empty string or 0 where nothing tells.
 *
 * @mount_options: of the mount and of the file system, joined by a comma.
 * @source: what is mounted, as mountinfo says.
 * @journal: "journal", "no journal", or "" where it cannot be told.
 * @device: the block device's name, "" for a file system without one.
 * @write_cache: "write back" or "write through".
 * @memlock_bytes: soft limit; UINT64_MAX without limit.
 */
struct bench_machine {
	char kernel[200];
	char cpu[128];
	unsigned cores;
	uint64_t memory_bytes, memory_available_bytes;
	uint64_t memlock_bytes;
	char file_system[32];
	char mount_options[512];
	char mount_point[256];
	char source[256];
	char journal[16];
	char device[64];
	char scheduler[64];
	char write_cache[32];
	unsigned logical_block_bytes;
	unsigned read_ahead_kib;
	int rotational;
	double load;
};

/**
 * bench_machine_look - fill it in for a path.
 * @m: written.
 * @path: a directory or file that exists.
 */
void bench_machine_look(struct bench_machine *m, const char *path);

#endif

/*
 * fault.h: a ring whose operations are logged, and answered by the test where it wants to.
 *
 * A backend of its own beneath the real engine: every operation that reaches
 * the kernel passes here first, as the kernel would see it.
 */
#ifndef SLUICE_TESTS_FILE_FAULT_H
#define SLUICE_TESTS_FILE_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <sluice/ring.h>

struct sl_slot;

/* What a judge answers to let the operation happen. */
#define FAULT_PASS INT64_MIN

struct fault_entry {
	uint8_t code;
	uint16_t flags;
	int fd;
	const void *buf;
	uint64_t len;
	uint64_t off;
};

struct fault {
	/* Asked before each operation; nr counts from 0. NULL lets all pass. */
	int64_t (*judge)(struct fault *fault, struct sl_slot *slot, unsigned nr);
	void *user;
	bool hold;   /* perform nothing until it is cleared */
	bool broken; /* waiting fails for good */
	unsigned nr;
	struct fault_entry log[20000];
};

/* A ring on top of it; fails the test. One fault at a time. */
struct sl_ring *fault_ring(struct fault *fault);

/* The operation itself, now. */
int64_t fault_perform(struct sl_slot *slot);

/* How many operations of a code are in the log. */
unsigned fault_count(const struct fault *fault, unsigned code);

#endif

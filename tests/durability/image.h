/* image.h: a file system in an image of its own, what it sends to its device, and a power cut. */
#ifndef SLUICE_TESTS_DURABILITY_IMAGE_H
#define SLUICE_TESTS_DURABILITY_IMAGE_H

#include <stdint.h>

#include "tests/durability/scenario.h"

/* What a device was asked for. */
struct traffic {
	uint64_t bytes; /* written */
	uint64_t flushes;
};

struct image {
	const char *fs;
	struct stage stage;
	char device[32]; /* the name of its loop device in /sys/block */
	struct traffic before;
};

/* Which file system the program runs on: one of scenario_profiles, or "tmpfs". */
void image_choose(const char *fs);
const char *image_fs(void);

/* A new, empty file system, mounted. Skips the test where this machine cannot make one. */
void image_up(struct image *image);
void image_down(struct image *image);

/*
 * The power goes. The page cache is lost; of the device's cache everything is kept,
 * as it is in the file of the image. That is one of the states a cut may leave.
 */
void image_cut(struct image *image);

/* What the device was asked for since the mark. */
void image_mark(struct image *image);
struct traffic image_traffic(const struct image *image);

/* The path of a name on it; one of two buffers in turn. */
const char *image_path(const char *name);

#endif

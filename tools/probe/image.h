/*
 * A file system of our own for a moment: memory behind a loop device, mounted nowhere.
 *
 * Nothing can remain, also after SIGKILL, because nothing has a name: the image is
 * a memfd, the loop device clears itself at its last close (LO_FLAGS_AUTOCLEAR), and the
 * mount is detached (fsmount(2)): it lives as long as its descriptor.
 */
#ifndef PROBE_IMAGE_H
#define PROBE_IMAGE_H

#include <stddef.h>

/**
 * struct image - one loop device and perhaps a mount of it.
 * @loop: the loop device, open for reading and writing.
 * @mount: root of the detached mount, or -1.
 * @node: path of the loop device.
 */
struct image {
	int loop;
	int mount;
	char node[32];
	/* private: */
	int backing;
};

/* A loop device over so many bytes of memory. Returns 0 or -errno; then it owns nothing. */
int image_open(struct image *image, size_t bytes);

/*
 * Run a mkfs on it: argv ends with NULL, the node is added. Returns 0; -ENOENT: no such
 * program; -EIO: it failed, and its last line is in ret_said.
 */
int image_format(const struct image *image, const char *const argv[], char *ret_said, size_t room);

/* Mount it as that file system, detached. Returns 0 or -errno. */
int image_mount(struct image *image, const char *fs);

/* Takes a zeroed one too. */
void image_close(struct image *image);

#endif

/* The topics of the probe, one function each: they try things and add checks. */
#ifndef PROBE_TOPICS_H
#define PROBE_TOPICS_H

#include "tools/probe/check.h"
#include "tools/probe/place.h"
#include "tools/probe/scratch.h"

/**
 * struct probe - one run.
 * @place: what is probed.
 * @scratch: the file for trying; owns nothing when @scratch_err is set.
 * @scratch_err: 0, or why there is no scratch file, as -errno.
 * @checks: what came out, in the order tried.
 */
struct probe {
	struct place place;
	struct scratch scratch;
	int scratch_err;
	struct check_list checks;
};

/* Needs no file; with one, after probe_direct(), it tries IOPOLL as well. */
void probe_ring(struct probe *probe);

/* These need no file. */
void probe_backends(struct probe *probe);
void probe_net(struct probe *probe);
void probe_uffd(struct probe *probe);
void probe_limits(struct probe *probe);

/* The device and the mount; no scratch file needed. */
void probe_device(struct probe *probe);

/* Instead of the topics with a file, when the place is a block device: nothing is written. */
void probe_direct_device(struct probe *probe);

/* These need the scratch file. */
void probe_direct(struct probe *probe);
void probe_cache(struct probe *probe);
void probe_durable(struct probe *probe);
void probe_untorn(struct probe *probe);
void probe_file(struct probe *probe);
void probe_dax(struct probe *probe);

#endif

/* Untorn writes: RWF_ATOMIC, which a crash leaves whole or not at all. */
#include <errno.h>

#include "sys/rw.h"
#include "sys/statx.h"
#include "tools/probe/topics.h"

static bool try_unit(const struct scratch *scratch, struct check *check, uint32_t len)
{
	ssize_t n;

	scratch_pattern(scratch->buf, len, 0, 0);
	n = sl_sys_pwrite(scratch->direct, scratch->buf, len, 0, SL_RWF_ATOMIC);
	check_say(check, "%u bytes: %s", len, n == (ssize_t)len ? "written" : check_errno(n));
	return n == (ssize_t)len;
}

void probe_untorn(struct probe *probe)
{
	struct check *asked = check_add(&probe->checks, "untorn.limits", "untorn write sizes");
	struct check *tried = check_add(&probe->checks, "untorn.write", "RWF_ATOMIC write");
	struct scratch *scratch = &probe->scratch;
	struct sl_sys_statx stx = { 0 };
	uint32_t min = SCRATCH_PAGE, max = SCRATCH_PAGE;

	sl_sys_fstatx(scratch->fd, SL_STATX_WRITE_ATOMIC, &stx);
	if (!(stx.mask & SL_STATX_WRITE_ATOMIC)) {
		check_set(asked, CHECK_UNKNOWN, "statx is silent");
	} else if (!stx.atomic_write_unit_max) {
		check_set(asked, CHECK_NO, "statx: none for this file");
	} else {
		min = stx.atomic_write_unit_min;
		max = stx.atomic_write_unit_max;
		check_set(asked, CHECK_YES, "statx: %u to %u bytes, %u segments", min, max,
			  stx.atomic_write_segments_max);
	}
	if (scratch->direct < 0) {
		check_set(tried, CHECK_NO, "needs O_DIRECT: %s", check_errno(scratch->direct));
		return;
	}
	if (max > SCRATCH_CHUNK)
		max = SCRATCH_CHUNK;
	bool small = try_unit(scratch, tried, min);
	bool large = max == min ? small : try_unit(scratch, tried, max);

	tried->status = small && large ? CHECK_YES : small || large ? CHECK_PARTLY : CHECK_NO;
}

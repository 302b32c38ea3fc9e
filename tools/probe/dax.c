/* DAX: mapping persistent memory so that a store and a cache-line flush are durable. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "sys/statx.h"
#include "tools/probe/topics.h"

void probe_dax(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "dax.map_sync", "MAP_SYNC mapping");
	struct sl_sys_statx stx = { 0 };
	void *map;

	sl_sys_fstatx(probe->scratch.fd, SL_STATX_BASIC, &stx);
	if (stx.attributes_mask & SL_STATX_ATTR_DAX)
		check_say(check, "statx: the file is %son DAX",
			  stx.attributes & SL_STATX_ATTR_DAX ? "" : "not ");
	map = mmap(NULL, SCRATCH_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC,
		   probe->scratch.fd, 0);
	if (map == MAP_FAILED) {
		check_set(check, CHECK_NO, "%s: only msync or fdatasync is durable for mappings",
			  check_errno(-errno));
		return;
	}
	memset(map, 0x5a, 64);
	munmap(map, SCRATCH_PAGE);
	check_set(check, CHECK_YES, "mapped and stored to: user-space flushes are durable");
}

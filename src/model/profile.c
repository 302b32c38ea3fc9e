/* SPDX-License-Identifier: MIT */
/* profile.c - the profiles: posix promises least, the file systems what they were seen to keep. */
#include <stddef.h>
#include <string.h>

#include "model/profile.h"

const struct model_profile model_posix = {
	.name = "posix",
	.any_bytes = true,
};

const struct model_profile model_ext4 = {
	.name = "ext4",
	.names_in_order = true,
	.sync_commits_names = true,
	.flush_on_replace = true,
};

const struct model_profile model_xfs = {
	.name = "xfs",
	.names_in_order = true,
	.sync_commits_names = true,
	.size_after_data = true,
};

const struct model_profile model_btrfs = {
	.name = "btrfs",
	.sync_own_names = true,
	.rename_splits = true,
};

const struct model_profile *model_profile_find(const char *name)
{
	static const struct model_profile *const all[] = { &model_posix, &model_ext4, &model_xfs,
							   &model_btrfs };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

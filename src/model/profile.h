/* SPDX-License-Identifier: MIT */
/*
 * profile.h - what a file system promises about a crash, as data.
 *
 * Measured on Linux 6.18 with images of what had been flushed when a call
 * returned; the table of tests/unit/test_model_profiles.c is that measurement.
 * A profile says what a program may rely on, so where a file system merely
 * happened to be kinder than its rules the profile keeps to the rules.
 */
#ifndef SLUICE_MODEL_PROFILE_H
#define SLUICE_MODEL_PROFILE_H

#include <stdbool.h>

/*
 * ext4 begins to write a file that is renamed over another one, and so it is not
 * empty afterwards. But its blocks count as unwritten until the write has ended
 * (dioread_nolock, the default since Linux 5.6), and the journal does not wait for
 * that: the new size may come with zeros. Seen in half of all tries on 6.18.
 *
 * Names are directory entries; a truncate counts as a change of names where
 * they are kept in order, since both go through the same journal.
 */
struct model_profile {
	const char *name;
	bool names_in_order;	 /* those that survive are a prefix of all */
	bool sync_commits_names; /* a sync that writes metadata makes all earlier ones durable */
	bool sync_own_names;	 /* the sync of a file makes its own names durable */
	bool rename_splits;	 /* across directories: an added and a removed name */
	bool size_after_data;	 /* an append's size survives only with its data */
	bool any_bytes;		 /* what was added and lost may read as anything, not as zeros */
	bool flush_on_replace;	 /* rename over a file, close after truncation: its size first */
};

extern const struct model_profile model_posix, model_ext4, model_xfs, model_btrfs;

/* The profile with a name, or NULL. */
const struct model_profile *model_profile_find(const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * law.c - the rules of the model in words, each with what was measured.
 *
 * Measured: Linux 6.18, an image of what had been flushed when the last call of a scenario
 * returned, then mounted; tests/unit/test_model_profiles.c holds the model to the table.
 */
#include <errno.h>

#include "crash/fault.h"
#include "crash/law.h"

const char *law_of_prefix(void)
{
	return "nothing needs to be lost: this is what is there when the program"
	       " is killed at this point, power or no power";
}

const char *law_of_base(void)
{
	return "the power may be cut before the program has done anything: then the directory is "
	       "as it was";
}

const char *law_of_garbage(void)
{
	return "POSIX lets a file's new size be durable before its data: the "
	       "bytes read as whatever the disk held there; xfs and btrfs were "
	       "seen to show the old size or nothing, ext4 zeros";
}

static const char *of_failed_sync(int res)
{
	if (res == -EIO)
		return "a sync failed: what it was to write is clean in the cache and "
		       "never reaches the disk, and the next sync says 0; measured on "
		       "ext4, xfs and btrfs: fsync EIO, fsync again 0, buffered read "
		       "NEW, disk OLD";
	return "a sync failed: what it was to write is clean in the cache and never "
	       "reaches the disk, and the next sync says 0; measured with EIO on ext4, "
	       "xfs and btrfs, and taken to be so with this error, which the kernel "
	       "keeps for the next sync in the same way";
}

static const char *of_failed_write(const struct crash_op *op)
{
	if (op->flags & CRASH_DIRECT)
		return "a write past the cache failed, and the disk may have any part of it: "
		       "nothing else needs to be lost";
	if (op->flags & CRASH_DSYNC)
		return "a write that was to be durable failed: the cache has the new bytes, "
		       "the disk the old ones, and a later sync says 0";
	return "a write failed and changed nothing; the rest is what the program did "
	       "without it, and nothing of that needs to be lost";
}

const char *law_of_fault(const struct crash_op *op)
{
	if (op->code == CRASH_SYNC || op->code == CRASH_SYNC_ALL)
		return of_failed_sync(op->res);
	switch (crash_fault_kind_of(op)) {
	case CRASH_FAULT_SHORT:
		return "a call did a part of what was asked for and said so, as read(2) and "
		       "write(2) may; the rest is what the program made of that, and nothing "
		       "of it needs to be lost";
	case CRASH_FAULT_ROT:
		return "a disk may flip a bit and say that all is well: only a checksum of the "
		       "program's own finds out; nothing else needs to be lost";
	case CRASH_FAULT_ASTRAY:
		return "a disk may write to another place and say that all is well: where it "
		       "should have written stays old, and only a checksum that knows the place "
		       "finds out; nothing else needs to be lost";
	default:
		if (op->code == CRASH_WRITE)
			return of_failed_write(op);
		return "a read failed; the rest is what the program made of that, and nothing of "
		       "it needs to be lost";
	}
}

static const char *of_removal(const struct model_profile *profile)
{
	if (profile == &model_btrfs)
		return "a removed name is gone only after fsync of its directory; "
		       "measured: unlink j, another file fsynced: j is back (btrfs)";
	if (profile->names_in_order)
		return "a removed name is gone only with the next commit: fsync of its "
		       "directory, or of anything whose names or size changed; measured:"
		       " unlink j, cut: j is back (ext4, xfs)";
	return "POSIX makes a removal durable by fsync of its directory alone; "
	       "measured: unlink j, another file fsynced: j is back (btrfs)";
}

static const char *of_rename(const struct model_profile *profile)
{
	if (profile == &model_btrfs)
		return "rename(2) makes nothing durable, and across directories its two "
		       "halves are separate; measured: renamed over f after fsync, no "
		       "directory fsync: f is OLD; a/f to b/f, fsync of b: in both "
		       "(btrfs)";
	if (profile->names_in_order)
		return "rename(2) makes nothing durable: it is so after fsync of the "
		       "directory; measured: tmp fsynced, renamed over f, no directory "
		       "fsync: f is OLD (ext4, xfs, btrfs)";
	return "POSIX makes a rename durable by fsync of its directories alone; "
	       "measured: tmp fsynced, renamed over f, no directory fsync: f is "
	       "OLD (ext4, xfs, btrfs)";
}

static const char *of_creation(const struct model_profile *profile)
{
	if (profile == &model_btrfs)
		return "a new name is durable after fsync of the file or of its "
		       "directory; measured: create f, create g, fsync of g: f is absent"
		       " (btrfs)";
	if (profile->names_in_order)
		return "a new name is durable after fsync of the file, of its directory "
		       "or of any later name; measured: created and not fsynced: absent "
		       "(ext4, xfs)";
	return "POSIX makes a new name durable by fsync of its directory alone, "
	       "not by that of the file; ext4, xfs and btrfs were seen to keep "
	       "the name of a file that is fsynced, and promise no such thing";
}

static const char *of_data(const struct model_profile *profile, const struct law_case *law_case)
{
	if (law_case->torn)
		return "a write is atomic up to one sector at most: a cut leaves any of "
		       "its sectors old; measured: 64 KiB written with O_DIRECT were "
		       "torn in 6 of 6 images";
	if (law_case->is_size)
		return "write(2) and ftruncate(2) make no size durable; measured: "
		       "append, another file fsynced: the size is OLD (ext4, xfs, btrfs)";
	if (law_case->is_data && profile->flush_on_replace)
		return "a file's new size may be durable before its data, which then "
		       "reads as zeros: blocks count as unwritten until the write has "
		       "ended, and the journal does not wait for that; seen in half of "
		       "all tries (ext4)";
	if (law_case->later_kept && profile->flush_on_replace)
		return "without fdatasync of the file its data may come after everything"
		       " that was done later (a rename over a file begins to write it, "
		       "and does not wait); measured: new file not fsynced, renamed to a"
		       " new name, fsync of the directory: EMPTY (ext4)";
	if (law_case->later_kept)
		return "without fdatasync of the file its data may come after everything"
		       " that was done later; measured: tmp not fsynced, renamed over f,"
		       " fsync of the directory: f is EMPTY (xfs, btrfs, ext4 with "
		       "noauto_da_alloc); overwrite f, rename x to y, fsync of the "
		       "directory: f is OLD";
	return "write(2) and close(2) make nothing durable; measured: overwrite "
	       "and sync_file_range: OLD (ext4, xfs, btrfs)";
}

const char *law_of(const struct model_profile *profile, const struct law_case *law_case)
{
	switch (law_case->op->code) {
	case CRASH_UNLINK:
	case CRASH_RMDIR:
		return of_removal(profile);
	case CRASH_RENAME:
		return of_rename(profile);
	case CRASH_CREATE:
	case CRASH_MKDIR:
	case CRASH_SYMLINK:
	case CRASH_LINK:
		return of_creation(profile);
	case CRASH_TRUNCATE:
	case CRASH_ALLOCATE:
		return "a file's size and its allocation are durable after fsync of the "
		       "file; measured: truncated and rewritten, another file fsynced: "
		       "EMPTY (ext4 with noauto_da_alloc), OLD (btrfs)";
	default:
		return of_data(profile, law_case);
	}
}

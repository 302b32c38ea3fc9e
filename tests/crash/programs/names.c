/* names.c: programs whose bug is about a name: files replaced, made, pointed to and deleted. */
#include "tests/crash/programs/disk.h"
#include "tests/crash/programs/program.h"

#include <fcntl.h>
#include <string.h>

#define OLD_BYTES 1500
#define NEW_BYTES 1700

/* -- one file, replaced -------------------------------------------------------------------- */

static void prepare_config(bool fixed)
{
	(void)fixed;
	disk_put("config", 'o', OLD_BYTES, true);
}

static void prepare_nothing(bool fixed)
{
	(void)fixed;
}

/* Whole, in the old version (or absent, where there was none) or the new; the new one once
 * acknowledged. */
static int check_config(const char *acks, bool was_there)
{
	char byte;

	if (disk_is("config", 'n', NEW_BYTES))
		return 0;
	if (disk_acked(acks, "new"))
		return disk_bad("the new config was acknowledged, and is not there");
	if (was_there ? disk_is("config", 'o', OLD_BYTES) : disk_read("config", &byte, 1) < 0)
		return 0;
	return disk_bad("config is neither the old one nor the new one");
}

static int check_replaced(bool fixed, const char *acks)
{
	(void)fixed;
	return check_config(acks, true);
}

static int check_created(bool fixed, const char *acks)
{
	(void)fixed;
	return check_config(acks, false);
}

static void replace(bool sync_file, bool sync_dir)
{
	disk_put("config.tmp", 'n', NEW_BYTES, sync_file);
	disk_rename("config.tmp", "config");
	if (sync_dir)
		disk_sync_dir(".");
	disk_ack("new");
}

static int rewrite_in_place(bool fixed)
{
	if (fixed) {
		replace(true, true);
		return 0;
	}
	disk_put("config", 'n', NEW_BYTES, true);
	disk_ack("new");
	return 0;
}

static int rename_before_sync(bool fixed)
{
	replace(fixed, true);
	return 0;
}

static int rename_without_sync_of_dir(bool fixed)
{
	replace(true, fixed);
	return 0;
}

/* The file is there for whoever has it open; its name is another thing. */
static int create_without_sync_of_dir(bool fixed)
{
	disk_put("config", 'n', NEW_BYTES, true);
	if (fixed)
		disk_sync_dir(".");
	disk_ack("new");
	return 0;
}

static int check_new_file(bool fixed, const char *acks)
{
	(void)fixed;
	if (disk_acked(acks, "new") && !disk_is("config", 'n', NEW_BYTES))
		return disk_bad("the new file was acknowledged, and is not there");
	return 0;
}

/* -- a file that names another ------------------------------------------------------------- */

#define MANIFEST_BYTES 2000

static void prepare_manifest(bool fixed)
{
	(void)fixed;
	disk_put("MANIFEST-1", '1', MANIFEST_BYTES, true);
	disk_put_bytes("CURRENT", "MANIFEST-1\n", 11, true);
}

static int switch_manifest(bool fixed)
{
	disk_put("MANIFEST-2", '2', MANIFEST_BYTES, fixed);
	if (fixed)
		disk_sync_dir(".");
	disk_put_bytes("CURRENT.tmp", "MANIFEST-2\n", 11, true);
	disk_rename("CURRENT.tmp", "CURRENT");
	disk_sync_dir(".");
	disk_ack("switched");
	disk_unlink("MANIFEST-1");
	return 0;
}

static int check_manifest(bool fixed, const char *acks)
{
	char current[16] = "";

	(void)fixed;
	if (disk_read("CURRENT", current, sizeof(current) - 1) != 11)
		return disk_bad("CURRENT names nothing");
	current[10] = '\0';
	if (disk_acked(acks, "switched") && strcmp(current, "MANIFEST-2") != 0)
		return disk_bad("the switch was acknowledged, and CURRENT names %s", current);
	if (!disk_is(current, current[9], MANIFEST_BYTES))
		return disk_bad("CURRENT names %s, which is not whole", current);
	return 0;
}

static void prepare_objects(bool fixed)
{
	(void)fixed;
	disk_mkdir("objects");
	disk_mkdir("refs");
}

static int commit_object(bool fixed)
{
	disk_put("objects/tmp", 'x', NEW_BYTES, fixed);
	disk_rename("objects/tmp", "objects/abcd");
	if (fixed)
		disk_sync_dir("objects");
	disk_put_bytes("refs/main.lock", "abcd", 4, true);
	disk_rename("refs/main.lock", "refs/main");
	disk_sync_dir("refs");
	disk_sync_dir("objects");
	disk_ack("committed");
	return 0;
}

static int check_object(bool fixed, const char *acks)
{
	char ref[8] = "";

	(void)fixed;
	if (disk_read("refs/main", ref, sizeof(ref)) < 0)
		return disk_acked(acks, "committed") ? disk_bad("the commit is not there") : 0;
	if (memcmp(ref, "abcd", 4) != 0 || !disk_is("objects/abcd", 'x', NEW_BYTES))
		return disk_bad("refs/main names an object that is not whole");
	return 0;
}

/* -- a file that takes the place of another ------------------------------------------------ */

static void prepare_segment(bool fixed)
{
	(void)fixed;
	disk_put("segment-1", 's', OLD_BYTES, true);
}

static int rotate_segment(bool fixed)
{
	disk_put("segment-2", 's', OLD_BYTES, true);
	if (fixed)
		disk_sync_dir(".");
	disk_unlink("segment-1");
	disk_sync_dir(".");
	disk_ack("rotated");
	return 0;
}

static int check_segment(bool fixed, const char *acks)
{
	(void)fixed;
	(void)acks;
	if (disk_is("segment-1", 's', OLD_BYTES) || disk_is("segment-2", 's', OLD_BYTES))
		return 0;
	return disk_bad("neither the old segment is there nor the new one");
}

const struct program programs_of_names[] = {
	{ "01-rewrite", "a file is truncated, then written", prepare_config, rewrite_in_place,
	  check_replaced, IN_ALL, NULL },
	{ "02-rename", "a file gets its name before its bytes are durable", prepare_nothing,
	  rename_before_sync, check_created, IN_ALL, NULL },
	{ "02-replace", "a file replaces another before its bytes are durable", prepare_config,
	  rename_before_sync, check_replaced, IN_ALL, NULL },
	{ "03-directory", "a rename is acknowledged without a sync of the directory",
	  prepare_config, rename_without_sync_of_dir, check_replaced, IN_ALL, NULL },
	{ "04-create", "a new file is acknowledged without a sync of the directory",
	  prepare_nothing, create_without_sync_of_dir, check_new_file, IN_POSIX, NULL },
	{ "09-current", "CURRENT names a manifest that is not durable", prepare_manifest,
	  switch_manifest, check_manifest, IN_ALL, NULL },
	{ "11-object", "a ref is durable, the object it names is not", prepare_objects,
	  commit_object, check_object, IN_ALL, NULL },
	{ "15-rotate", "the old segment is deleted before the new one's name is durable",
	  prepare_segment, rotate_segment, check_segment, IN_POSIX, NULL },
	{ NULL },
};

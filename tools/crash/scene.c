/* scene.c: the stories, how they are written down, and how they are played on a real file system;
 * see scene.h. */
#include "tools/crash/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct scene scenes[] = {
	{ "", "new f; fsync f", "f" },
	{ "", "new f; fdatasync f", "f" },
	{ "", "dsync f", "f" },
	{ "", "mkdir a; mkdir a/b; new a/b/f; fsync a/b/f", "a/b/f" },
	{ "", "new f; new g; fsync g", "f g" },
	{ "old f", "new t; fsync t; rename t f", "f t" },
	{ "old f", "new t; rename t f; new g; fsync g", "f" },
	{ "old f", "new t; rename t f; fsync .", "f" },
	{ "", "new t; rename t f; fsync .", "f" },
	{ "old f", "rewrite f; new g; fsync g", "f" },
	{ "old f", "append f; new g; fsync g", "f" },
	{ "old f; old x", "new f; rename x y; fsync .", "f x y" },
	{ "old j", "unlink j", "j" },
	{ "old j", "unlink j; new g; fsync g", "j" },
	{ "mkdir a; mkdir b; old a/f", "rename a/f b/f; fsync b", "a/f b/f" },
	{ "mkdir a; mkdir b; old a/f", "rename a/f b/f; fsync a", "a/f b/f" },
	{ "old f", "link f g; fsync f", "f g" },
	{ "old f", "rename f g; fsync g", "f g" },
	{ "old f", "append f; fdatasync f", "f" },
	{ "old f", "grow f; fdatasync f", "f" },
	{ "old f", "direct f", "f" },
	{ "old f", "new f; range f", "f" },
	{ NULL, NULL, NULL },
};

static const struct {
	const char *word;
	enum deed deed;
	bool two;
} deeds[] = {
	{ "mkdir", DEED_MKDIR, false },
	{ "old", DEED_OLD, false },
	{ "new", DEED_NEW, false },
	{ "rewrite", DEED_REWRITE, false },
	{ "append", DEED_APPEND, false },
	{ "direct", DEED_DIRECT, false },
	{ "dsync", DEED_DSYNC, false },
	{ "fsync", DEED_FSYNC, false },
	{ "fdatasync", DEED_FDATASYNC, false },
	{ "range", DEED_RANGE, false },
	{ "grow", DEED_GROW, false },
	{ "rename", DEED_RENAME, true },
	{ "link", DEED_LINK, true },
	{ "unlink", DEED_UNLINK, false },
};

int scene_step(const char **text, struct step *ret_step)
{
	char word[16] = "";
	int words, used = 0;

	*text += strspn(*text, "; ");
	if (!**text)
		return 0;
	memset(ret_step, 0, sizeof(*ret_step));
	words = sscanf(*text, "%15[a-z]%n %15[^; ]%n %15[^; ]%n", word, &used, ret_step->name,
		       &used, ret_step->name2, &used);
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		if (strcmp(deeds[i].word, word) != 0 || words != 2 + deeds[i].two)
			continue;
		ret_step->deed = deeds[i].deed;
		*text += used;
		return 1;
	}
	return -EINVAL;
}

int scene_look(const char **looks, char ret_name[16])
{
	int used = 0;

	if (sscanf(*looks, " %15s%n", ret_name, &used) != 1)
		return 0;
	*looks += used;
	return 1;
}

static bool all_are(const char *content, size_t len, char letter)
{
	for (size_t i = 0; i < len; i++) {
		if (content[i] != letter)
			return false;
	}
	return true;
}

char scene_letter(const char *content, size_t len)
{
	if (len == 0)
		return 'E';
	if (len == SCENE_BYTES && all_are(content, len, 'O'))
		return 'O';
	if (len == SCENE_BYTES && all_are(content, len, 'N'))
		return 'N';
	if (len == 2 * SCENE_BYTES && all_are(content, SCENE_BYTES, 'O') &&
	    (all_are(content + SCENE_BYTES, SCENE_BYTES, 'N') ||
	     all_are(content + SCENE_BYTES, SCENE_BYTES, 0)))
		return 'A';
	return 'M';
}

/* -- on a real file system ----------------------------------------------------------------- */

/* One content of a letter; direct I/O wants it aligned. */
static int write_content(int fd, char letter, off_t off)
{
	void *content;
	ssize_t len;

	if (posix_memalign(&content, 4096, SCENE_BYTES))
		return -ENOMEM;
	memset(content, letter, SCENE_BYTES);
	len = pwrite(fd, content, SCENE_BYTES, off);
	if (len < 0)
		len = -errno;
	free(content);
	return len == SCENE_BYTES ? 0 : len < 0 ? (int)len : -EIO;
}

static int write_file(int dir_fd, const struct step *step)
{
	static const int flags[] = {
		[DEED_OLD] = O_CREAT, [DEED_NEW] = O_CREAT,	[DEED_REWRITE] = O_TRUNC,
		[DEED_APPEND] = 0,    [DEED_DIRECT] = O_DIRECT, [DEED_DSYNC] = O_CREAT | O_DSYNC,
	};
	bool append = step->deed == DEED_APPEND || step->deed == DEED_DIRECT;
	int fd = openat(dir_fd, step->name, O_WRONLY | O_CLOEXEC | flags[step->deed], 0644), err;

	if (fd < 0)
		return -errno;
	err = write_content(fd, step->deed == DEED_OLD ? 'O' : 'N', append ? SCENE_BYTES : 0);
	if (close(fd) < 0 && !err)
		err = -errno;
	return err;
}

static int sync_file(int dir_fd, const struct step *step)
{
	int fd = openat(dir_fd, step->name, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (step->deed == DEED_FSYNC)
		err = fsync(fd);
	else if (step->deed == DEED_FDATASYNC)
		err = fdatasync(fd);
	else
		err = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE_AND_WAIT);
	if (err < 0)
		err = -errno;
	close(fd);
	return err;
}

static int grow(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, 2 * SCENE_BYTES) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int do_step(int dir_fd, const struct step *step)
{
	int answer;

	switch (step->deed) {
	case DEED_MKDIR:
		answer = mkdirat(dir_fd, step->name, 0755);
		break;
	case DEED_RENAME:
		answer = renameat(dir_fd, step->name, dir_fd, step->name2);
		break;
	case DEED_LINK:
		answer = linkat(dir_fd, step->name, dir_fd, step->name2, 0);
		break;
	case DEED_UNLINK:
		answer = unlinkat(dir_fd, step->name, 0);
		break;
	case DEED_GROW:
		return grow(dir_fd, step->name);
	case DEED_FSYNC:
	case DEED_FDATASYNC:
	case DEED_RANGE:
		return sync_file(dir_fd, step);
	default:
		return write_file(dir_fd, step);
	}
	return answer < 0 ? -errno : 0;
}

int scene_play(int dir_fd, const char *steps)
{
	struct step step;
	int more, err = 0;

	while (!err && (more = scene_step(&steps, &step)) != 0)
		err = more < 0 ? more : do_step(dir_fd, &step);
	return err;
}

static char see_file(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	char content[4 * SCENE_BYTES];
	ssize_t len;

	if (fd < 0)
		return errno == ENOENT ? '-' : 'M';
	len = pread(fd, content, sizeof(content), 0);
	close(fd);
	return len < 0 ? 'M' : scene_letter(content, (size_t)len);
}

void scene_see(int dir_fd, const char *looks, char ret_seen[SCENE_SEEN])
{
	char name[16];
	size_t nr = 0;

	while (nr < SCENE_LOOKS && scene_look(&looks, name))
		ret_seen[nr++] = see_file(dir_fd, name);
	ret_seen[nr] = '\0';
}

/* scene_model.c: plays a story on the model and gathers all that a crash may leave of it; see
 * scene.h. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "model/volume.h"
#include "tools/crash/scene.h"

#define RANDOM_STATES 400

struct play {
	struct model_volume *volume;
	int err;
};

/* -- playing ------------------------------------------------------------------------------- */

/* The directory of a path of now, and the last part of the path. */
static struct model_inode *dir_of(struct play *play, const char *path, const char **ret_name)
{
	struct model_inode *dir = play->volume->root;
	const char *slash;

	while ((slash = strchr(path, '/'))) {
		struct model_entry *entry =
			model_lookup(play->volume, dir, path, (size_t)(slash - path));

		if (!entry)
			return NULL;
		dir = entry->cache;
		path = slash + 1;
	}
	*ret_name = path;
	return dir;
}

static struct model_entry *entry_of(struct play *play, const char *path)
{
	const char *name;
	struct model_inode *dir = dir_of(play, path, &name);
	struct model_entry *entry = dir ? model_lookup(play->volume, dir, name, strlen(name)) :
					  NULL;

	if (!entry)
		play->err = -ENOENT;
	return entry;
}

static struct model_inode *inode_of(struct play *play, const char *path)
{
	struct model_entry *entry;

	if (strcmp(path, ".") == 0)
		return play->volume->root;
	entry = entry_of(play, path);
	return entry ? entry->cache : NULL;
}

static void make(struct play *play, const char *path, uint32_t mode)
{
	const char *name;
	struct model_inode *dir = dir_of(play, path, &name), *inode;

	if (!dir || model_lookup(play->volume, dir, name, strlen(name)))
		return;
	inode = model_inode_create(play->volume, mode);
	play->err = inode ? model_add(play->volume, dir, name, strlen(name), inode) : -ENOMEM;
	model_inode_drop(play->volume, inode);
}

static void write_content(struct play *play, const struct step *step, uint64_t off)
{
	struct model_inode *inode = inode_of(play, step->name);
	uint64_t before = model_now(play->volume), done;
	char content[SCENE_BYTES];

	if (!inode)
		return;
	if (step->deed == DEED_REWRITE)
		play->err = model_truncate(play->volume, inode, 0);
	memset(content, step->deed == DEED_OLD ? 'O' : 'N', sizeof(content));
	if (!play->err)
		play->err = model_write(play->volume, inode, off, content, sizeof(content), &done);
	if (!play->err && step->deed == DEED_DSYNC)
		play->err = model_sync_write(play->volume, inode, before);
	model_close(play->volume, inode);
}

static void give_name(struct play *play, const struct step *step)
{
	const char *name;
	struct model_inode *dir = dir_of(play, step->name2, &name);
	struct model_entry *entry = entry_of(play, step->name);

	if (!entry || !dir)
		return;
	if (step->deed == DEED_LINK)
		play->err = model_add(play->volume, dir, name, strlen(name), entry->cache);
	else
		play->err = model_rename(play->volume, entry, dir, name, strlen(name), false);
}

static void sync_inode(struct play *play, const struct step *step)
{
	struct model_inode *inode = inode_of(play, step->name);

	if (inode)
		play->err = model_sync(play->volume, inode, step->deed == DEED_FDATASYNC,
				       model_now(play->volume));
}

static void do_step(struct play *play, const struct step *step)
{
	struct model_inode *inode;
	struct model_entry *entry;

	switch (step->deed) {
	case DEED_MKDIR:
		make(play, step->name, S_IFDIR | 0755);
		break;
	case DEED_OLD:
	case DEED_NEW:
	case DEED_DSYNC:
		make(play, step->name, S_IFREG | 0644);
		write_content(play, step, 0);
		break;
	case DEED_REWRITE:
		write_content(play, step, 0);
		break;
	case DEED_APPEND:
	case DEED_DIRECT:
		write_content(play, step, SCENE_BYTES);
		break;
	case DEED_FSYNC:
	case DEED_FDATASYNC:
		sync_inode(play, step);
		break;
	case DEED_RANGE: /* promises nothing */
		break;
	case DEED_GROW:
		inode = inode_of(play, step->name);
		if (inode)
			play->err = model_truncate(play->volume, inode, 2 * SCENE_BYTES);
		break;
	case DEED_RENAME:
	case DEED_LINK:
		give_name(play, step);
		break;
	case DEED_UNLINK:
		entry = entry_of(play, step->name);
		if (entry)
			play->err = model_remove(play->volume, entry);
		break;
	}
}

static void play_steps(struct play *play, const char *steps)
{
	struct step step;
	int more;

	while (!play->err && (more = scene_step(&steps, &step)) != 0) {
		if (more < 0)
			play->err = more;
		else
			do_step(play, &step);
	}
}

/* -- looking ------------------------------------------------------------------------------- */

static char see_file(struct model_volume *volume, const char *path)
{
	struct model_inode *inode = volume->root;
	char content[4 * SCENE_BYTES], name[16];

	while (inode && *path) {
		size_t len = strcspn(path, "/");

		memcpy(name, path, len);
		name[len] = '\0';
		inode = model_chosen_name(volume, inode, name);
		path += len + (path[len] == '/');
	}
	if (!inode)
		return '-';
	return scene_letter(content, model_chosen_read(inode, 0, content, sizeof(content)));
}

static void see(struct model_volume *volume, const char *looks, struct scene_answer *answer)
{
	char seen[SCENE_SEEN] = "", name[16];

	for (size_t nr = 0; nr < SCENE_LOOKS && scene_look(&looks, name); nr++)
		seen[nr] = see_file(volume, name);
	for (size_t i = 0; i < answer->nr; i++) {
		if (strcmp(answer->seen[i], seen) == 0)
			return;
	}
	if (answer->nr < SCENE_SEEN_MAX)
		memcpy(answer->seen[answer->nr++], seen, sizeof(seen));
}

static void see_all(struct model_volume *volume, const char *looks, struct scene_answer *answer)
{
	static const enum model_class by_element[] = { MODEL_PREFIX, MODEL_OMIT1, MODEL_ONLY1 };
	uint64_t nr = model_elements(volume);
	struct model_choice choice = { MODEL_MIN, 0 };

	model_choose(volume, &choice);
	see(volume, looks, answer);
	for (size_t i = 0; i < 3; i++) {
		for (uint64_t at = 0; at <= nr; at++) {
			choice = (struct model_choice){ by_element[i], at };
			model_choose(volume, &choice);
			see(volume, looks, answer);
		}
	}
	for (uint64_t seed = 0; seed < RANDOM_STATES; seed++) {
		choice = (struct model_choice){ MODEL_RANDOM, seed };
		model_choose(volume, &choice);
		see(volume, looks, answer);
	}
}

int scene_model(const struct scene *scene, const char *profile, struct scene_answer *ret_answer)
{
	const struct model_volume_opts opts = { .profile = model_profile_find(profile) };
	struct play play = { 0 };

	if (!opts.profile)
		return -EINVAL;
	play.err = model_volume_create(&opts, &play.volume);
	if (play.err)
		return play.err;
	play_steps(&play, scene->before);
	if (!play.err)
		play.err = model_sync_all(play.volume);
	play_steps(&play, scene->steps);
	ret_answer->nr = 0;
	if (!play.err)
		see_all(play.volume, scene->looks, ret_answer);
	model_volume_destroy(play.volume);
	return play.err;
}

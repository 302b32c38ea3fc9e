/* SPDX-License-Identifier: MIT */
/* state.c - a walk over the names that are chosen, breadth first. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crash/state.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PATH_MAX_BYTES 4000

bool state_ignores(const char *const *ignore, const char *path)
{
	for (; ignore && *ignore; ignore++) {
		if (fnmatch(*ignore, path, FNM_LEADING_DIR) == 0)
			return true;
	}
	return false;
}

static int add_text(struct crash_state *state, uint32_t dir, const char *name, size_t len,
		    uint32_t *ret_len)
{
	uint32_t dir_len = state->entries[dir].path_len;
	uint32_t wanted = state->text_nr + dir_len + (uint32_t)len + 2;
	char *text;

	while (wanted > state->text_room) {
		uint32_t room = state->text_room ? 2 * state->text_room : 4096;

		text = realloc(state->text, room);
		if (!text)
			return -ENOMEM;
		state->text = text;
		state->text_room = room;
	}
	text = state->text + state->text_nr;
	memcpy(text, state->text + state->entries[dir].path, dir_len);
	if (dir_len)
		text[dir_len++] = '/';
	memcpy(text + dir_len, name, len);
	text[dir_len + len] = '\0';
	*ret_len = dir_len + (uint32_t)len;
	return 0;
}

static int add_entry(struct crash_state *state, const struct state_entry *entry)
{
	if (state->nr == state->room) {
		uint32_t room = state->room ? 2 * state->room : 64;
		struct state_entry *more = realloc(state->entries, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		state->entries = more;
		state->room = room;
	}
	state->entries[state->nr++] = *entry;
	return 0;
}

static uint64_t content_of(struct view *view, struct state_entry *entry)
{
	struct model_inode *inode = entry->inode;

	if (S_ISREG(inode->mode)) {
		entry->size = view_size(inode);
		return view_hash(view, inode, entry->size);
	}
	if (S_ISLNK(inode->mode) && inode->target)
		return XXH3_64bits(inode->target, strlen(inode->target));
	return 0;
}

/* Hard links of a file are one file; a directory's second name is none. */
static bool link_entry(struct crash_state *state, struct state_entry *entry)
{
	struct crash_file *file = entry->inode->owner;

	entry->first = state->nr;
	entry->links = 1;
	if (file->state_pass == state->pass) {
		struct state_entry *first = &state->entries[file->state_entry];

		if (S_ISDIR(entry->mode))
			return false;
		first->links++;
		entry->first = file->state_entry;
		entry->content = first->content;
		entry->size = first->size;
		return true;
	}
	file->state_pass = state->pass;
	file->state_entry = state->nr;
	return true;
}

static int add_name(struct crash_state *state, struct view *view, uint32_t dir,
		    const struct model_entry *name, struct model_inode *inode,
		    const char *const *ignore)
{
	struct state_entry entry = { .inode = inode, .mode = inode->mode, .path = state->text_nr };
	int err = add_text(state, dir, name->name, name->len, &entry.path_len);

	if (err)
		return err;
	if (entry.path_len > PATH_MAX_BYTES) {
		state->cut = true;
		return 0;
	}
	if (state_ignores(ignore, state->text + entry.path) || !link_entry(state, &entry))
		return 0;
	if (entry.first == state->nr)
		entry.content = content_of(view, &entry);
	state->text_nr += entry.path_len + 1;
	return add_entry(state, &entry);
}

/* Sums do not depend on the order of names in their directories. */
static void hash_all(struct crash_state *state)
{
	state->hash[0] = state->hash[1] = 0;
	for (uint32_t i = 1; i < state->nr; i++) {
		const struct state_entry *entry = &state->entries[i];
		const struct state_entry *first = &state->entries[entry->first];
		uint64_t path = XXH3_64bits(state_path(state, entry), entry->path_len);
		uint64_t key[5] = { path, entry->mode, entry->content, entry->size, 0 };
		XXH128_hash_t hash;

		if (first->links > 1)
			key[4] = ((const struct crash_file *)entry->inode->owner)->number;
		hash = XXH3_128bits(key, sizeof(key));
		state->hash[0] += hash.low64;
		state->hash[1] += hash.high64;
	}
}

int state_make(struct crash_state *state, struct view *view, const char *const *ignore)
{
	struct model_volume *volume = view->replay->volume;
	struct state_entry root = { .inode = volume->root, .mode = volume->root->mode };
	struct crash_file *root_file;
	int err;

	state->nr = state->text_nr = 0;
	state->cut = false;
	state->pass = ++volume->pass;
	model_choose_names(volume);
	err = add_entry(state, &root);
	if (!err && !state->text)
		err = (state->text = calloc(1, state->text_room = 4096)) ? 0 : -ENOMEM;
	if (!err) {
		state->text[0] = '\0';
		state->text_nr = 1;
		root_file = root.inode->owner;
		root_file->state_pass = state->pass;
		root_file->state_entry = 0;
	}
	for (uint32_t i = 0; !err && i < state->nr; i++) {
		struct model_inode *dir = state->entries[i].inode;
		const struct model_entry *name;

		if (!S_ISDIR(dir->mode))
			continue;
		TAILQ_FOREACH(name, &dir->entries, in_dir)
		{
			struct model_inode *inode = model_entry_chosen(name);

			if (!err && inode)
				err = add_name(state, view, i, name, inode, ignore);
		}
	}
	if (!err)
		hash_all(state);
	return err;
}

void state_release(struct crash_state *state)
{
	free(state->entries);
	free(state->text);
	*state = (struct crash_state){ 0 };
}

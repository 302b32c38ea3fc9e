/* SPDX-License-Identifier: MIT */
/*
 * materialise.c - what a place holds, and the calls that make another state of it.
 *
 * Names that are gone or of another kind go first, then entries are made or changed in
 * the order of the state, a directory before what is in it. Files that no op of the trace
 * is about are copied once, whenever a place is made from nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "crash/materialise.h"
#include "crash/pieces.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TABLE_BUCKETS 4096
#define UNKNOWN	      UINT64_C(2) /* a hash that no page has */
#define WATCHED                                                                     \
	(IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE | IN_CREATE | IN_DELETE | \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* A name in the place, as it was made. */
struct thing {
	struct thing *hash_next;
	struct thing *all_next;
	uint64_t stamp; /* of the state that it is in */
	uint64_t file;	/* number, where there are hard links; else 0 */
	uint64_t content;
	uint64_t size;
	uint64_t *pages; /* hashes */
	uint64_t pages_room;
	uint32_t mode;
	uint32_t path_len;
	char path[];
};

struct place {
	char *top; /* NULL: not ours */
	char *dir;
	char *acks_path; /* or NULL */
	int dir_fd;
	int acks_fd;
	int watch_fd; /* -1: nothing can be watched */
	bool known;   /* the things are what is there */
	struct thing *table[TABLE_BUCKETS];
	struct thing *all;
	uint64_t things_nr;
	uint64_t stamp;
	uint64_t acks_nr; /* in the file */
	uint64_t fresh_nr;
	mode_t mask;
	unsigned char *run; /* pages that are written at once */
};

#define RUN_PAGES 64

/* ---- acks --------------------------------------------------------------------------- */

static int count_acks(const struct crash_trace *trace, uint64_t *ret_nr, uint64_t *ret_bytes)
{
	*ret_nr = *ret_bytes = 0;
	for (uint64_t i = 0; i < crash_trace_nr(trace); i++) {
		const struct crash_op *op = crash_trace_op(trace, i);

		if (op->code == CRASH_ACK) {
			*ret_nr += 1;
			*ret_bytes += op->data_len + 1;
		}
	}
	return 0;
}

int acks_read(struct acks *acks, const struct crash_trace *trace)
{
	uint64_t nr, bytes, at = 0;
	int err = count_acks(trace, &nr, &bytes);

	*acks = (struct acks){ 0 };
	acks->text = malloc(bytes + 1);
	acks->ends = malloc((nr + 1) * sizeof(uint64_t));
	acks->seqs = malloc((nr + 1) * sizeof(uint64_t));
	if (!acks->text || !acks->ends || !acks->seqs)
		err = -ENOMEM;
	if (!err)
		acks->ends[0] = 0;
	for (uint64_t i = 0; !err && i < crash_trace_nr(trace); i++) {
		const struct crash_op *op = crash_trace_op(trace, i);

		if (op->code != CRASH_ACK)
			continue;
		err = crash_trace_data(trace, op, 0, acks->text + at, op->data_len);
		at += op->data_len;
		acks->text[at++] = '\n';
		acks->seqs[acks->nr++] = op->seq;
		acks->ends[acks->nr] = at;
	}
	if (err)
		acks_release(acks);
	return err;
}

void acks_release(struct acks *acks)
{
	free(acks->text);
	free(acks->ends);
	free(acks->seqs);
	*acks = (struct acks){ 0 };
}

uint64_t acks_until(const struct acks *acks, uint64_t seq)
{
	uint64_t low = 0, high = acks->nr;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (acks->seqs[middle] <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int write_at(int fd, const void *buf, size_t len, uint64_t off)
{
	const char *from = buf;

	while (len) {
		ssize_t res = pwrite(fd, from, len, (off_t)off);

		if (res < 0 && errno == EINTR)
			continue;
		if (res <= 0)
			return res < 0 ? -errno : -EIO;
		from += res;
		off += (uint64_t)res;
		len -= (size_t)res;
	}
	return 0;
}

/* The file holds a beginning of the text already: it is cut, or gets more. */
static int put_acks(struct place *place, const struct acks *acks, uint64_t nr)
{
	uint64_t has = place->acks_nr;
	int err = 0;

	if (place->acks_fd < 0 || has == nr)
		return 0;
	if (nr < has)
		err = ftruncate(place->acks_fd, (off_t)acks->ends[nr]) ? -errno : 0;
	else
		err = write_at(place->acks_fd, acks->text + acks->ends[has],
			       acks->ends[nr] - acks->ends[has], acks->ends[has]);
	place->acks_nr = nr;
	return err;
}

/* ---- things ------------------------------------------------------------------------- */

static struct thing **find_link(struct place *place, const char *path, uint32_t len)
{
	struct thing **link = &place->table[XXH3_64bits(path, len) % TABLE_BUCKETS];

	while (*link && ((*link)->path_len != len || memcmp((*link)->path, path, len) != 0))
		link = &(*link)->hash_next;
	return link;
}

static struct thing *add_thing(struct place *place, const char *path, uint32_t len, uint32_t mode)
{
	struct thing *thing = calloc(1, sizeof(*thing) + len + 1), **link;

	if (!thing)
		return NULL;
	memcpy(thing->path, path, len);
	thing->path_len = len;
	thing->mode = mode;
	thing->stamp = place->stamp;
	link = find_link(place, path, len);
	*link = thing;
	thing->all_next = place->all;
	place->all = thing;
	place->things_nr++;
	return thing;
}

static void forget_things(struct place *place)
{
	while (place->all) {
		struct thing *thing = place->all;

		place->all = thing->all_next;
		free(thing->pages);
		free(thing);
	}
	memset(place->table, 0, sizeof(place->table));
	place->things_nr = 0;
}

static int page_room(struct thing *thing, uint64_t nr)
{
	uint64_t room = thing->pages_room ? thing->pages_room : 4;
	uint64_t *pages;

	if (nr <= thing->pages_room)
		return 0;
	while (room < nr)
		room *= 2;
	pages = realloc(thing->pages, room * sizeof(uint64_t));
	if (!pages)
		return -ENOMEM;
	memset(pages + thing->pages_room, 0, (room - thing->pages_room) * sizeof(uint64_t));
	thing->pages = pages;
	thing->pages_room = room;
	return 0;
}

/* ---- removing ----------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path) && errno != ENOENT ? -errno : 0;
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_D || type == FTW_DNR)
		chmod(path, 0700);
	return 0;
}

static int remove_all(const char *path)
{
	int res = nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);

	if (res == -1)
		return errno == ENOENT ? 0 : -errno;
	return res;
}

/* A checker may have left directories that nobody may enter. */
int remove_tree(const char *path)
{
	for (unsigned i = 0; i < 64 && remove_all(path); i++)
		nftw(path, open_up, 32, FTW_PHYS);
	return remove_all(path);
}

/* The path of a state is empty afterwards, whatever became of it. */
static int empty(struct place *place)
{
	int err;

	forget_things(place);
	place->known = false;
	if (!place->top)
		return 0;
	if (place->dir_fd >= 0)
		close(place->dir_fd);
	place->dir_fd = -1;
	err = remove_tree(place->dir);
	if (!err && mkdir(place->dir, 0755))
		err = -errno;
	if (err)
		return err;
	place->dir_fd = open(place->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return place->dir_fd < 0 ? -errno : 0;
}

static int compare_paths(const void *a, const void *b)
{
	const struct thing *x = *(struct thing *const *)a, *y = *(struct thing *const *)b;

	return (y->path_len > x->path_len) - (y->path_len < x->path_len);
}

static void drop_thing(struct place *place, struct thing *thing)
{
	struct thing **link = find_link(place, thing->path, thing->path_len);

	*link = thing->hash_next;
	for (link = &place->all; *link != thing; link = &(*link)->all_next)
		;
	*link = thing->all_next;
	place->things_nr--;
	free(thing->pages);
	free(thing);
}

/* What is in no state any more; the longest paths first: what is in a directory before it. */
static int remove_stale(struct place *place, uint64_t stale_nr)
{
	struct thing **stale;
	uint64_t nr = 0;
	int err = 0;

	if (!stale_nr)
		return 0;
	stale = calloc(stale_nr, sizeof(struct thing *));
	if (!stale)
		return -ENOMEM;
	for (struct thing *thing = place->all; thing; thing = thing->all_next) {
		if (thing->stamp != place->stamp)
			stale[nr++] = thing;
	}
	qsort(stale, nr, sizeof(struct thing *), compare_paths);
	for (uint64_t i = 0; i < nr && !err; i++) {
		if (unlinkat(place->dir_fd, stale[i]->path,
			     S_ISDIR(stale[i]->mode) ? AT_REMOVEDIR : 0))
			err = -errno;
		else
			drop_thing(place, stale[i]);
	}
	free(stale);
	return err;
}

static bool is_same_kind(const struct crash_state *state, const struct state_entry *entry,
			 const struct thing *thing)
{
	const struct state_entry *first = &state->entries[entry->first];
	const struct crash_file *file = entry->inode->owner;

	if (entry->mode != thing->mode || thing->file != (first->links > 1 ? file->number : 0))
		return false;
	/* Hard links are made anew when anything about them changes. */
	if (thing->file && entry->content != thing->content)
		return false;
	return S_ISREG(entry->mode) || entry->content == thing->content;
}

/* Stamps what stays; how many do not. */
static uint64_t find_stale(struct place *place, const struct crash_state *state)
{
	uint64_t kept = 0;

	place->stamp++;
	for (uint32_t i = 1; i < state->nr; i++) {
		const struct state_entry *entry = &state->entries[i];
		struct thing *thing = *find_link(place, state_path(state, entry), entry->path_len);

		if (thing && is_same_kind(state, entry, thing)) {
			thing->stamp = place->stamp;
			kept++;
		}
	}
	/* Of one file's names all stay, or none. */
	for (uint32_t i = 1; i < state->nr; i++) {
		const struct state_entry *entry = &state->entries[i];
		struct thing *thing = *find_link(place, state_path(state, entry), entry->path_len);

		if (thing && thing->file && thing->stamp == place->stamp) {
			thing->stamp--;
			kept--;
		}
	}
	return place->things_nr - kept;
}

/* ---- files -------------------------------------------------------------------------- */

static int open_base(const struct replay *replay, const struct crash_file *file)
{
	int fd = openat(replay->base_fd, file->base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

struct run {
	int fd;
	uint64_t idx; /* of its first page */
	unsigned nr;
	unsigned char *bytes;
};

static int write_run(struct run *run, uint64_t size)
{
	uint64_t off = run->idx * MODEL_PAGE_BYTES;
	uint64_t len = (uint64_t)run->nr * MODEL_PAGE_BYTES;

	if (!run->nr)
		return 0;
	run->nr = 0;
	return write_at(run->fd, run->bytes, len < size - off ? len : size - off, off);
}

static int add_to_run(struct run *run, uint64_t idx, const unsigned char *bytes, uint64_t size)
{
	int err = 0;

	if (run->nr == RUN_PAGES || (run->nr && run->idx + run->nr != idx))
		err = write_run(run, size);
	if (!run->nr)
		run->idx = idx;
	if (bytes)
		memcpy(run->bytes + (size_t)run->nr * MODEL_PAGE_BYTES, bytes, MODEL_PAGE_BYTES);
	else
		memset(run->bytes + (size_t)run->nr * MODEL_PAGE_BYTES, 0, MODEL_PAGE_BYTES);
	run->nr++;
	return err;
}

static int copy_base_page(const struct replay *replay, const struct crash_file *file, int to,
			  uint64_t idx, uint64_t size)
{
	uint64_t off = idx * MODEL_PAGE_BYTES, len = size - off;
	int from = open_base(replay, file), err;

	if (from < 0)
		return from;
	err = piece_copy(to, from, off, len < MODEL_PAGE_BYTES ? len : MODEL_PAGE_BYTES);
	close(from);
	return err;
}

/* The first len bytes, into a file that is new. */
static int copy_base(const struct replay *replay, const struct crash_file *file, int to,
		     uint64_t len)
{
	int from = open_base(replay, file), err;

	if (from < 0)
		return from;
	err = pieces_copy(to, from, len);
	close(from);
	return err;
}

static int put_page(struct run *run, struct thing *thing, const struct state_entry *entry,
		    struct view *view, uint64_t idx)
{
	const struct crash_file *file = entry->inode->owner;
	uint64_t hash = view_page_hash(view, entry->inode, entry->size, idx);
	int err;

	if (thing->pages[idx] == hash)
		return 0;
	thing->pages[idx] = hash;
	if (!replay_is_base(file, idx))
		return add_to_run(run, idx, view_page(view, entry->inode, entry->size, idx),
				  entry->size);
	err = write_run(run, entry->size);
	return err ? err : copy_base_page(view->replay, file, run->fd, idx, entry->size);
}

/* All that the directory has of it in one piece, as far as it is still so. */
static int begin_with_base(struct thing *thing, const struct state_entry *entry, struct view *view,
			   int fd)
{
	const struct crash_file *file = entry->inode->owner;
	uint64_t size = entry->size < file->base_size ? entry->size : file->base_size;
	uint64_t pages = (size + MODEL_PAGE_BYTES - 1) / MODEL_PAGE_BYTES;
	uint64_t nr = 0;
	int err;

	for (uint64_t idx = 0; idx < pages; idx++)
		nr += replay_is_base(file, idx);
	if (nr < 2)
		return 0;
	err = copy_base(view->replay, file, fd, size);
	for (uint64_t idx = 0; idx < pages; idx++)
		thing->pages[idx] = replay_is_base(file, idx) ? 1 : UNKNOWN;
	return err;
}

static int put_content(struct place *place, struct thing *thing, const struct state_entry *entry,
		       struct view *view, int fd, bool is_new)
{
	uint64_t pages = (entry->size + MODEL_PAGE_BYTES - 1) / MODEL_PAGE_BYTES;
	struct run run = { .fd = fd, .bytes = place->run };
	const struct crash_file *file = entry->inode->owner;
	int err = page_room(thing, pages + 1);

	if (!err && thing->size != entry->size) {
		/* Behind the end there are zeros: those pages are known, the one cut is not. */
		uint64_t least = thing->size < entry->size ? thing->size : entry->size;
		uint64_t idx = least / MODEL_PAGE_BYTES;

		for (uint64_t i = idx + 1; i < thing->pages_room; i++)
			thing->pages[i] = 0;
		if (least % MODEL_PAGE_BYTES)
			thing->pages[idx] = UNKNOWN;
		else
			thing->pages[idx] = 0;
		if (ftruncate(fd, (off_t)least) || ftruncate(fd, (off_t)entry->size))
			err = -errno;
		thing->size = entry->size;
	}
	if (!err && is_new && file->base)
		err = begin_with_base(thing, entry, view, fd);
	for (uint64_t idx = 0; !err && idx < pages; idx++)
		err = put_page(&run, thing, entry, view, idx);
	if (!err)
		err = write_run(&run, entry->size);
	thing->content = entry->content;
	return err;
}

static int open_file(const struct place *place, const char *path, uint32_t mode, bool is_new)
{
	int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC | (is_new ? O_CREAT | O_EXCL : 0);
	int fd = openat(place->dir_fd, path, flags, mode & 07777);

	if (fd < 0 || !is_new)
		return fd < 0 ? -errno : fd;
	if ((mode & 07777 & (place->mask | 07000)) && fchmod(fd, mode & 07777)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int put_file(struct place *place, struct thing *thing, const struct state_entry *entry,
		    struct view *view, bool is_new)
{
	int fd, err;

	if (!is_new && thing->content == entry->content && thing->size == entry->size)
		return 0;
	fd = open_file(place, thing->path, entry->mode, is_new);
	if (fd < 0)
		return fd;
	err = put_content(place, thing, entry, view, fd, is_new);
	close(fd);
	return err;
}

/* ---- names -------------------------------------------------------------------------- */

static int watch(const struct place *place, const char *path)
{
	char whole[8192];

	if (place->watch_fd < 0)
		return 0;
	if (snprintf(whole, sizeof(whole), "%s/%s", place->dir, path) >= (int)sizeof(whole))
		return -ENAMETOOLONG;
	return inotify_add_watch(place->watch_fd, whole, WATCHED) < 0 ? -errno : 0;
}

static int make_dir(struct place *place, const char *path, uint32_t mode)
{
	/* What belongs into it must be made, whoever makes it. */
	if (mkdirat(place->dir_fd, path, (mode & 07777) | 0700))
		return -errno;
	if (watch(place, path) == 0)
		return 0;
	close(place->watch_fd); /* no more watches to be had */
	place->watch_fd = -1;
	return 0;
}

static int make_link(const struct place *place, const struct crash_state *state,
		     const struct state_entry *entry, const char *path)
{
	const struct state_entry *first = &state->entries[entry->first];

	return linkat(place->dir_fd, state_path(state, first), place->dir_fd, path, 0) ? -errno : 0;
}

static int make_special(const struct place *place, const struct state_entry *entry,
			const char *path)
{
	if (S_ISLNK(entry->mode))
		return symlinkat(entry->inode->target, place->dir_fd, path) ? -errno : 0;
	if (mknodat(place->dir_fd, path, entry->mode & (S_IFMT | 07777), 0) == 0)
		return 0;
	/* A device is root's to make; its name is what a checker may look for. */
	return errno == EPERM && mknodat(place->dir_fd, path, S_IFIFO | 0600, 0) == 0 ? 0 : -errno;
}

static int put_entry(struct place *place, const struct crash_state *state,
		     const struct state_entry *entry, struct view *view)
{
	const struct state_entry *first = &state->entries[entry->first];
	const char *path = state_path(state, entry);
	struct thing *thing = *find_link(place, path, entry->path_len);
	bool is_new = !thing;
	int err = 0;

	if (is_new)
		thing = add_thing(place, path, entry->path_len, entry->mode);
	if (!thing)
		return -ENOMEM;
	if (first->links > 1)
		thing->file = ((const struct crash_file *)entry->inode->owner)->number;
	if (first != entry && is_new)
		err = make_link(place, state, entry, path);
	else if (S_ISREG(entry->mode) && first == entry)
		err = put_file(place, thing, entry, view, is_new);
	else if (is_new && S_ISDIR(entry->mode))
		err = make_dir(place, path, entry->mode);
	else if (is_new)
		err = make_special(place, entry, path);
	if (!S_ISREG(entry->mode) || first != entry)
		thing->content = entry->content;
	return err;
}

/* ---- what no op is about ------------------------------------------------------------ */

static int copy_still_file(struct place *place, const struct replay *replay,
			   const struct crash_file *file)
{
	int fd = open_file(place, file->base, file->mode, true), err;

	if (fd < 0)
		return fd;
	err = copy_base(replay, file, fd, file->base_size);
	if (!err && ftruncate(fd, (off_t)file->base_size))
		err = -errno;
	close(fd);
	return err;
}

static int copy_still_link(struct place *place, const struct replay *replay,
			   const struct crash_file *file)
{
	char target[4096];
	ssize_t len = readlinkat(replay->base_fd, file->base, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	return symlinkat(target, place->dir_fd, file->base) ? -errno : 0;
}

static int copy_still(struct place *place, const struct replay *replay, const char *const *ignore)
{
	int err = 0;

	for (struct crash_file *file = replay->files; file && !err; file = file->all_next) {
		if (!file->base || file->needed || state_ignores(ignore, file->base))
			continue;
		if (S_ISREG(file->mode))
			err = copy_still_file(place, replay, file);
		else if (S_ISDIR(file->mode))
			err = make_dir(place, file->base, file->mode);
		else if (S_ISLNK(file->mode))
			err = copy_still_link(place, replay, file);
		else if (mknodat(place->dir_fd, file->base, S_IFIFO | 0600, 0))
			err = -errno;
	}
	return err;
}

/* ---- watching ----------------------------------------------------------------------- */

/* Whether anything has happened since it was asked last. */
static bool drain(const struct place *place)
{
	char buf[65536] __attribute__((aligned(8)));
	bool any = false;

	while (place->watch_fd >= 0 && read(place->watch_fd, buf, sizeof(buf)) > 0)
		any = true;
	return any || place->watch_fd < 0;
}

static void begin_watching(struct place *place)
{
	if (place->watch_fd >= 0)
		close(place->watch_fd);
	place->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (place->watch_fd >= 0 && watch(place, "")) {
		close(place->watch_fd);
		place->watch_fd = -1;
	}
	if (place->watch_fd >= 0 && inotify_add_watch(place->watch_fd, place->top, WATCHED) < 0) {
		close(place->watch_fd);
		place->watch_fd = -1;
	}
}

/* ---- states ------------------------------------------------------------------------- */

static int open_acks(struct place *place)
{
	if (!place->acks_path)
		return 0;
	if (place->acks_fd >= 0)
		close(place->acks_fd);
	unlink(place->acks_path);
	place->acks_nr = 0;
	place->acks_fd = open(place->acks_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return place->acks_fd < 0 ? -errno : 0;
}

static int begin_anew(struct place *place)
{
	int err = empty(place);

	place->fresh_nr++;
	if (!err)
		err = open_acks(place);
	if (!err && place->top)
		begin_watching(place);
	return err;
}

int place_make(struct place *place, const struct crash_state *state, struct view *view,
	       const struct acks *acks, uint64_t acks_nr, const char *const *ignore)
{
	bool fresh = drain(place) || !place->known;
	int err = fresh ? begin_anew(place) : 0;

	place->known = false;
	if (!err && fresh)
		place->stamp++;
	if (!err && !fresh)
		err = remove_stale(place, find_stale(place, state));
	for (uint32_t i = 1; i < state->nr && !err; i++)
		err = put_entry(place, state, &state->entries[i], view);
	if (!err && fresh)
		err = copy_still(place, view->replay, ignore);
	if (!err)
		err = put_acks(place, acks, acks_nr);
	drain(place);
	place->known = !err && place->watch_fd >= 0;
	return err;
}

void place_forget(struct place *place)
{
	place->known = false;
}

uint64_t place_fresh_nr(const struct place *place)
{
	return place->fresh_nr;
}

const char *place_dir(const struct place *place)
{
	return place->dir;
}

const char *place_acks(const struct place *place)
{
	return place->acks_path;
}

/* ---- making and removing ------------------------------------------------------------ */

static struct place *new_place(void)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return NULL;
	place->dir_fd = place->acks_fd = place->watch_fd = -1;
	place->mask = umask(022);
	umask(place->mask);
	place->run = malloc((size_t)RUN_PAGES * MODEL_PAGE_BYTES);
	if (!place->run) {
		free(place);
		return NULL;
	}
	return place;
}

int place_create(const char *parent, const char *name, struct place **ret_place)
{
	struct place *place = new_place();

	if (!place)
		return -ENOMEM;
	if (asprintf(&place->top, "%s/%s", parent, name) < 0)
		place->top = NULL;
	if (!place->top || asprintf(&place->dir, "%s/state", place->top) < 0 ||
	    asprintf(&place->acks_path, "%s/acks", place->top) < 0) {
		place_destroy(place);
		return -ENOMEM;
	}
	if (mkdir(place->top, 0755)) {
		int err = -errno;

		place_destroy(place);
		return err;
	}
	*ret_place = place;
	return 0;
}

int place_create_at(const char *dir, const char *acks_path, struct place **ret_place)
{
	struct place *place = new_place();
	int err = place ? 0 : -ENOMEM;

	if (err)
		return err;
	place->dir = strdup(dir);
	place->acks_path = acks_path ? strdup(acks_path) : NULL;
	if (!place->dir || (acks_path && !place->acks_path))
		err = -ENOMEM;
	place->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!err && place->dir_fd < 0)
		err = -errno;
	if (err) {
		place_destroy(place);
		return err;
	}
	*ret_place = place;
	return 0;
}

void place_destroy(struct place *place)
{
	if (!place)
		return;
	forget_things(place);
	if (place->dir_fd >= 0)
		close(place->dir_fd);
	if (place->acks_fd >= 0)
		close(place->acks_fd);
	if (place->watch_fd >= 0)
		close(place->watch_fd);
	if (place->top)
		remove_tree(place->top);
	free(place->top);
	free(place->dir);
	free(place->acks_path);
	free(place->run);
	free(place);
}

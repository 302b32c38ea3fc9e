/* SPDX-License-Identifier: MIT */
/*
 * replay.c - each op of a trace as a call of the model.
 *
 * Before anything is played the trace is walked once: which files of the directory are
 * needed, and which pages of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "crash/names.h"
#include "crash/replay.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TABLE_FIRST 1024
#define PIECE_BYTES ((uint32_t)1 << 20)
#define PENDING_MAX 65536
#define PATH_BYTES  65536

/* ---- files by number ---------------------------------------------------------------- */

static struct crash_file *find_file(const struct replay *replay, uint64_t number)
{
	uint64_t hash = XXH3_64bits(&number, sizeof(number));
	struct crash_file *file = replay->table[hash & replay->table_mask];

	while (file && file->number != number)
		file = file->hash_next;
	return file;
}

static void put_file(struct replay *replay, struct crash_file *file)
{
	uint64_t hash = XXH3_64bits(&file->number, sizeof(file->number));
	struct crash_file **head = &replay->table[hash & replay->table_mask];

	file->hash_next = *head;
	*head = file;
}

static struct crash_file *make_file(struct replay *replay, uint64_t number, uint32_t mode)
{
	struct crash_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->number = number;
	file->mode = mode;
	put_file(replay, file);
	*replay->files_end = file;
	replay->files_end = &file->all_next;
	return file;
}

/* As many buckets as files: counted before the first is made. */
static int make_table(struct replay *replay)
{
	uint64_t mask = TABLE_FIRST - 1;

	while (mask < crash_trace_nr(replay->opts.trace))
		mask = 2 * mask + 1;
	replay->table = calloc(mask + 1, sizeof(struct crash_file *));
	replay->table_mask = mask;
	replay->files_end = &replay->files;
	return replay->table ? 0 : -ENOMEM;
}

/* ---- the walk before ---------------------------------------------------------------- */

static void need(struct crash_file *file, uint64_t seq)
{
	if (!file)
		return;
	file->last_seq = seq;
	for (; file && !file->needed; file = file->base_dir)
		file->needed = true;
}

static int note_pages(struct crash_file *file, uint64_t off, uint64_t len)
{
	uint64_t pages = (file->base_size + MODEL_PAGE_BYTES - 1) / MODEL_PAGE_BYTES;
	uint64_t idx = off / MODEL_PAGE_BYTES, end;

	/* What is appended may be in the last page of what was there. */
	if (!file->base || idx >= pages || !len)
		return 0;
	end = len > pages * MODEL_PAGE_BYTES - off ?
		      pages :
		      (off + len + MODEL_PAGE_BYTES - 1) / MODEL_PAGE_BYTES;
	if (!file->loaded)
		file->loaded = calloc(1, pages / 8 + 1);
	if (!file->loaded)
		return -ENOMEM;
	for (; idx < end && idx < pages; idx++)
		file->loaded[idx / 8] |= (unsigned char)(1u << idx % 8);
	return 0;
}

static int note_range(struct crash_file *file, const struct crash_op *op)
{
	switch (op->code) {
	case CRASH_WRITE:
	case CRASH_ALLOCATE:
		return note_pages(file, op->off, op->len);
	case CRASH_TRUNCATE:
		return note_pages(file, op->len, UINT64_MAX - op->len);
	default:
		return 0;
	}
}

static int note_base(struct replay *replay, struct crash_names *names, const struct crash_op *op)
{
	struct crash_file *file = find_file(replay, op->inode);
	char *path;

	if (file) { /* a further name of it: both are played */
		need(file, 0);
		need(find_file(replay, op->dir), 0);
		return 0;
	}
	file = make_file(replay, op->inode, op->mode);
	path = file ? malloc(PATH_BYTES) : NULL;
	if (!path)
		return -ENOMEM;
	crash_names_path(crash_names_node(names, op->inode), path, PATH_BYTES);
	file->base_op = op;
	file->base_dir = find_file(replay, op->dir);
	file->base = path[0] == '/' ? strdup(path + 1) : NULL;
	file->base_size = S_ISREG(op->mode) ? op->len : 0;
	free(path);
	return file->base ? 0 : -ENAMETOOLONG;
}

static int note_op(struct replay *replay, struct crash_names *names, const struct crash_op *op)
{
	struct crash_file *file = find_file(replay, op->inode);
	const struct crash_node *replaced = NULL;

	if (op->code == CRASH_BASE)
		return note_base(replay, names, op);
	if (op->res < 0 && !(op->flags & CRASH_FAULT))
		return 0;
	if (!file && op->inode && op->res >= 0)
		file = make_file(replay, op->inode, op->mode);
	if (!file && op->inode)
		return op->res < 0 ? 0 : -ENOMEM;
	need(file, op->seq);
	need(op->dir ? find_file(replay, op->dir) : NULL, op->seq);
	need(op->dir2 ? find_file(replay, op->dir2) : NULL, op->seq);
	if (op->code == CRASH_RENAME) {
		replaced = crash_names_find(names, op->dir2, op->name2);
		file->moved = true;
	}
	if (replaced) {
		struct crash_file *other = find_file(replay, replaced->inode);

		need(other, op->seq);
		other->moved = true;
	}
	return file ? note_range(file, op) : 0;
}

/* What is below a directory that moves is needed, as its path changes. */
static void spread_need(struct replay *replay)
{
	for (struct crash_file *file = replay->files; file; file = file->all_next) {
		if (file->base_dir && file->base_dir->moved) {
			file->needed = true;
			file->moved |= S_ISDIR(file->mode);
		}
	}
}

static int walk_before(struct replay *replay)
{
	struct crash_names *names = NULL;
	int err = crash_names_create(&names);
	const char *why;

	for (uint64_t i = 0; !err && i < crash_trace_nr(replay->opts.trace); i++) {
		const struct crash_op *op = crash_trace_op(replay->opts.trace, i);

		/* A rename looks for what it replaces; a base op for its own path. */
		if (op->code == CRASH_BASE)
			err = crash_names_apply(names, op, &why);
		if (!err)
			err = note_op(replay, names, op);
		if (!err && op->code != CRASH_BASE)
			err = crash_names_apply(names, op, &why);
	}
	crash_names_destroy(names);
	if (!err)
		spread_need(replay);
	return err;
}

/* ---- the directory as it was -------------------------------------------------------- */

int replay_base_read(const struct replay *replay, const struct crash_file *file, uint64_t off,
		     void *buf, size_t len)
{
	int fd = openat(replay->base_fd, file->base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
	size_t done = 0;
	int err = fd < 0 ? -errno : 0;

	while (!err && done < len) {
		ssize_t res = pread(fd, (char *)buf + done, len - done, (off_t)(off + done));

		if (res < 0 && errno == EINTR)
			continue;
		if (res < 0)
			err = -errno;
		else if (res == 0)
			break;
		else
			done += (size_t)res;
	}
	if (fd >= 0)
		close(fd);
	if (!err)
		memset((char *)buf + done, 0, len - done);
	return err;
}

static int check_base(const struct replay *replay, const struct crash_file *file)
{
	struct stat st;

	if (fstatat(replay->base_fd, file->base, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? -EILSEQ : -errno;
	if ((st.st_mode & S_IFMT) != (file->mode & S_IFMT) ||
	    (S_ISREG(st.st_mode) && (uint64_t)st.st_size != file->base_size))
		return -EILSEQ;
	return 0;
}

/* One version that the disk and the cache share. */
static int put_page(struct replay *replay, struct model_inode *inode, uint64_t idx,
		    const unsigned char *bytes)
{
	struct model_page *page = model_page_blank(&replay->volume->pages);

	if (!page)
		return -ENOMEM;
	memcpy(page->bytes, bytes, MODEL_PAGE_BYTES);
	if (model_content_reserve(&inode->disk, idx) || model_content_reserve(&inode->cache, idx)) {
		model_page_drop(&replay->volume->pages, page);
		return -ENOMEM;
	}
	inode->disk.page[idx] = page;
	inode->cache.page[idx] = model_page_hold(page);
	replay->volume->pages_used++;
	return 0;
}

static bool is_zero(const unsigned char *bytes)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, MODEL_PAGE_BYTES - 1) == 0;
}

static bool has_room(struct replay *replay)
{
	return replay->volume->pages.free || spill_has_room(&replay->spill);
}

static int load_base(struct replay *replay, const struct crash_file *file)
{
	uint64_t pages = (file->base_size + MODEL_PAGE_BYTES - 1) / MODEL_PAGE_BYTES;
	unsigned char bytes[MODEL_PAGE_BYTES];
	int err = check_base(replay, file);

	file->inode->disk.size = file->inode->cache.size = file->base_size;
	for (uint64_t idx = 0; !err && file->loaded && idx < pages; idx++) {
		if (!replay_is_loaded(file, idx))
			continue;
		if (!has_room(replay))
			return -EFBIG;
		err = replay_base_read(replay, file, idx * MODEL_PAGE_BYTES, bytes, sizeof(bytes));
		if (!err && !is_zero(bytes))
			err = put_page(replay, file->inode, idx, bytes);
	}
	return err;
}

/* ---- ops ---------------------------------------------------------------------------- */

static int read_text(const struct replay *replay, const struct crash_op *op, char **ret_text)
{
	char *text = malloc((size_t)op->data_len + 1);
	int err = text ? crash_trace_data(replay->opts.trace, op, 0, text, op->data_len) : -ENOMEM;

	if (err) {
		free(text);
		return err;
	}
	text[op->data_len] = '\0';
	*ret_text = text;
	return 0;
}

/* Of an op that names a file: the trace was looked through, it has one. */
static struct model_inode *inode_of(const struct replay *replay, const struct crash_op *op)
{
	return find_file(replay, op->inode)->inode;
}

static int make_inode(struct replay *replay, struct crash_file *file, const struct crash_op *op,
		      uint32_t mode)
{
	file->inode = model_inode_create(replay->volume, mode);
	if (!file->inode)
		return -ENOMEM;
	file->inode->owner = file;
	if (S_ISLNK(mode))
		return read_text(replay, op, &file->inode->target);
	return 0;
}

static int add_name(struct replay *replay, const struct crash_op *op, struct crash_file *file)
{
	const struct crash_file *dir = find_file(replay, op->dir);

	return model_add(replay->volume, dir->inode, op->name, strlen(op->name), file->inode);
}

static int play_base(struct replay *replay, const struct crash_op *op)
{
	struct crash_file *file = find_file(replay, op->inode);
	int err = 0;

	if (!file->needed)
		return 0;
	if (!file->inode) {
		err = make_inode(replay, file, op, op->mode);
		if (!err)
			err = load_base(replay, file);
	}
	if (!err)
		err = add_name(replay, op, file);
	return err ? err : model_sync_all(replay->volume);
}

static int play_new(struct replay *replay, const struct crash_op *op)
{
	struct crash_file *file = find_file(replay, op->inode);
	uint32_t mode = op->mode;
	int err;

	if (op->code == CRASH_MKDIR)
		mode = S_IFDIR | (mode & 07777);
	else if (op->code == CRASH_SYMLINK)
		mode = S_IFLNK | 0777;
	err = make_inode(replay, file, op, mode);
	return err || !op->dir ? err : add_name(replay, op, file);
}

static struct model_entry *entry_of(struct replay *replay, uint64_t dir, const char *name)
{
	return model_lookup(replay->volume, find_file(replay, dir)->inode, name, strlen(name));
}

static int play_rename(struct replay *replay, const struct crash_op *op)
{
	struct model_entry *source = entry_of(replay, op->dir, op->name);
	struct model_entry *target = entry_of(replay, op->dir2, op->name2);

	if (target && target->cache == source->cache)
		return 0;
	return model_rename(replay->volume, source, find_file(replay, op->dir2)->inode, op->name2,
			    strlen(op->name2), op->flags & CRASH_EXCHANGE);
}

/* What is held stays within its bounds, or the oldest ops go to the disk. */
static int press(struct replay *replay)
{
	struct model_volume *volume = replay->volume;
	bool many = volume->pending >= PENDING_MAX / 2, room = has_room(replay);
	int err;

	if (!many && room)
		return 0;
	replay->pressed += many;
	replay->squeezed += !room;
	err = model_write_back(volume, volume->pending / 2);
	if (err)
		return err;
	return has_room(replay) ? 0 : -EFBIG;
}

static int write_bytes(struct replay *replay, struct model_inode *inode, uint64_t off,
		       const void *buf, uint32_t len)
{
	uint64_t done;
	int err = press(replay);

	return err ? err : model_write(replay->volume, inode, off, buf, len, &done);
}

static int write_data(struct replay *replay, const struct crash_op *op, struct model_inode *inode,
		      uint32_t len)
{
	uint32_t piece_max = len < PIECE_BYTES ? len : PIECE_BYTES;
	unsigned char *buf = malloc(piece_max ? piece_max : 1);
	int err = buf ? 0 : -ENOMEM;

	for (uint32_t done = 0; !err && done < len;) {
		uint32_t piece = len - done < piece_max ? len - done : piece_max;

		err = crash_trace_data(replay->opts.trace, op, done, buf, piece);
		if (!err)
			err = write_bytes(replay, inode, op->off + done, buf, piece);
		done += piece;
	}
	free(buf);
	return err;
}

static void lose(struct replay *replay, const struct crash_op *op, struct model_inode *inode)
{
	struct model_random random = { op->seq };

	model_lose(replay->volume, inode, &random);
}

/*
 * A write that a fault failed leaves: through the cache, if it was to be durable, a cache
 * that is new and a disk that is old; past the cache, any part of it on the disk; else
 * nothing.
 */
static int play_write(struct replay *replay, const struct crash_op *op)
{
	struct model_inode *inode = inode_of(replay, op);
	uint64_t before = model_now(replay->volume);
	bool failed = op->res < 0;
	uint32_t len = op->data_len;
	int err;

	if (failed && !(op->flags & (CRASH_DSYNC | CRASH_DIRECT)))
		return 0;
	if (!failed && (uint32_t)op->res < len)
		len = (uint32_t)op->res;
	err = write_data(replay, op, inode, len);
	if (err || !(op->flags & CRASH_DSYNC) || op->seq == replay->opts.dropped)
		return err;
	if (!failed)
		return model_sync_write(replay->volume, inode, before);
	if (!(op->flags & CRASH_DIRECT))
		lose(replay, op, inode);
	return 0;
}

/* What fallocate(2) punches or zeroes reads as zeros. */
static int write_zeros(struct replay *replay, struct model_inode *inode, uint64_t off, uint64_t end)
{
	static const unsigned char zeros[PIECE_BYTES];
	int err = 0;

	while (!err && off < end) {
		uint32_t piece = end - off < PIECE_BYTES ? (uint32_t)(end - off) : PIECE_BYTES;

		err = write_bytes(replay, inode, off, zeros, piece);
		off += piece;
	}
	return err;
}

static int play_allocate(struct replay *replay, const struct crash_op *op)
{
	struct model_inode *inode = inode_of(replay, op);
	uint64_t end = op->off + op->len, size = inode->cache.size;
	int err = 0;

	if (op->flags2 & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		err = write_zeros(replay, inode, op->off, end < size ? end : size);
	if (!err && !(op->flags2 & FALLOC_FL_KEEP_SIZE) && end > size)
		err = model_truncate(replay->volume, inode, end);
	return err;
}

static int play_sync(struct replay *replay, const struct crash_op *op)
{
	struct model_inode *inode = inode_of(replay, op);

	if (op->seq == replay->opts.dropped)
		return 0;
	if (op->res < 0) {
		lose(replay, op, inode);
		return 0;
	}
	return model_sync(replay->volume, inode, op->flags & CRASH_DATA_ONLY,
			  replay->seqs[op->begin]);
}

static int play_sync_all(struct replay *replay, const struct crash_op *op)
{
	struct model_inode *inode;

	if (op->seq == replay->opts.dropped)
		return 0;
	if (op->res >= 0)
		return model_sync_until(replay->volume, replay->seqs[op->begin]);
	TAILQ_FOREACH(inode, &replay->volume->inodes, all)
	lose(replay, op, inode);
	return 0;
}

static void set_mode(struct model_inode *inode, uint32_t mode)
{
	inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
}

static int play(struct replay *replay, const struct crash_op *op)
{
	/* A sync that fails without a fault of its own repeats what was told before. */
	if (op->res < 0 && !(op->flags & CRASH_FAULT))
		return 0;
	if (op->res < 0 && op->code != CRASH_WRITE && op->code != CRASH_SYNC &&
	    op->code != CRASH_SYNC_ALL)
		return 0;
	switch (op->code) {
	case CRASH_BASE:
		return play_base(replay, op);
	case CRASH_CREATE:
	case CRASH_MKDIR:
	case CRASH_SYMLINK:
		return play_new(replay, op);
	case CRASH_LINK:
		return add_name(replay, op, find_file(replay, op->inode));
	case CRASH_UNLINK:
	case CRASH_RMDIR:
		return model_remove(replay->volume, entry_of(replay, op->dir, op->name));
	case CRASH_RENAME:
		return play_rename(replay, op);
	case CRASH_WRITE:
		return play_write(replay, op);
	case CRASH_TRUNCATE:
		return model_truncate(replay->volume, inode_of(replay, op), op->len);
	case CRASH_ALLOCATE:
		return play_allocate(replay, op);
	case CRASH_CLOSE:
		model_close(replay->volume, inode_of(replay, op));
		return 0;
	case CRASH_SYNC:
		return play_sync(replay, op);
	case CRASH_SYNC_ALL:
		return play_sync_all(replay, op);
	case CRASH_CHMOD:
		set_mode(inode_of(replay, op), op->mode);
		return 0;
	default:
		return 0;
	}
}

/* No later op is about it: it lives on by its names and ops. */
static void let_go(struct replay *replay, uint64_t inode, uint64_t seq)
{
	struct crash_file *file = inode ? find_file(replay, inode) : NULL;

	if (!file || !file->inode || file->last_seq > seq || inode == CRASH_ROOT)
		return;
	model_inode_drop(replay->volume, file->inode);
	file->inode = NULL;
}

int replay_step(struct replay *replay)
{
	const struct crash_op *op = crash_trace_op(replay->opts.trace, replay->at);
	int err = play(replay, op);

	if (err)
		return err;
	replay->at = op->seq;
	replay->seqs[op->seq] = model_now(replay->volume);
	if (op->code != CRASH_BASE) {
		let_go(replay, op->inode, op->seq);
		let_go(replay, op->dir, op->seq);
		let_go(replay, op->dir2, op->seq);
	}
	return 0;
}

int replay_to(struct replay *replay, uint64_t seq)
{
	int err = 0;

	while (!err && replay->at < seq)
		err = replay_step(replay);
	return err;
}

uint64_t replay_seq_of(const struct replay *replay, const struct model_op *op)
{
	uint64_t low = 0, high = replay->at;

	while (low < high) {
		uint64_t middle = (low + high) / 2;

		if (replay->seqs[middle] < op->seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- beginning and end -------------------------------------------------------------- */

static void forget_volume(struct replay *replay)
{
	for (struct crash_file *file = replay->files; file; file = file->all_next) {
		if (file->inode)
			model_inode_drop(replay->volume, file->inode);
		file->inode = NULL;
		file->view_pass = file->state_pass = 0;
	}
	model_volume_destroy(replay->volume);
	replay->volume = NULL;
	spill_reset(&replay->spill);
}

int replay_rewind(struct replay *replay, uint64_t dropped)
{
	const struct model_volume_opts opts = {
		.profile = replay->opts.profile,
		.sector = crash_trace_sector(replay->opts.trace),
		.pending_max = PENDING_MAX,
	};
	struct crash_file *root = find_file(replay, CRASH_ROOT);
	int err;

	forget_volume(replay);
	replay->at = 0;
	replay->seqs[0] = 0;
	replay->opts.dropped = dropped;
	err = model_volume_create(&opts, &replay->volume);
	if (err)
		return err;
	replay->volume->pages.place = spill_page;
	replay->volume->pages.ctx = &replay->spill;
	root->inode = model_inode_hold(replay->volume->root);
	root->inode->owner = root;
	return 0;
}

int replay_create(const struct replay_opts *opts, struct replay **ret_replay)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	struct crash_file *root;
	int err;

	if (!replay)
		return -ENOMEM;
	replay->opts = *opts;
	spill_init(&replay->spill, opts->bytes_max);
	replay->base_fd = open(opts->base_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = replay->base_fd < 0 ? -errno : make_table(replay);
	root = err ? NULL : make_file(replay, CRASH_ROOT, S_IFDIR | 0755);
	replay->seqs = calloc(crash_trace_nr(opts->trace) + 1, sizeof(uint64_t));
	if (!err && (!root || !replay->seqs))
		err = -ENOMEM;
	if (!err) {
		root->needed = true;
		err = walk_before(replay);
	}
	if (!err)
		err = replay_rewind(replay, opts->dropped);
	if (err) {
		replay_destroy(replay);
		return err;
	}
	*ret_replay = replay;
	return 0;
}

void replay_destroy(struct replay *replay)
{
	if (!replay)
		return;
	forget_volume(replay);
	spill_fini(&replay->spill);
	while (replay->files) {
		struct crash_file *file = replay->files;

		replay->files = file->all_next;
		free(file->base);
		free(file->loaded);
		free(file);
	}
	if (replay->base_fd >= 0)
		close(replay->base_fd);
	free(replay->table);
	free(replay->seqs);
	free(replay);
}

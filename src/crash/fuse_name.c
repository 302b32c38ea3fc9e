/* SPDX-License-Identifier: MIT */
/*
 * fuse_name.c - requests about names: look up, create, link, unlink, rename.
 *
 * The kernel has looked up the names and holds their directories locked; what it does not
 * check is checked here (a directory that is not empty). Names that are ignored exist, and are
 * no part of the trace; nothing may move from them to where it would be: -EXDEV, as
 * between file systems, makes programs copy.
 */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crash/base.h"
#include "crash/fuse_server.h"

struct tree_node *fuse_node(const struct fuse_server *server, const struct fuse_request *req)
{
	return tree_find(&server->tree, req->in->nodeid);
}

void fuse_put_node(struct fuse_server *server, struct tree_node *node)
{
	if (!tree_node_unused(node))
		return;
	if (node->mapped)
		TAILQ_REMOVE(&server->mapped, node, in_mapped);
	scratch_drop(&server->scratch, node);
	tree_node_free(&server->tree, node);
}

void fuse_forget_node(struct fuse_server *server, uint64_t number, uint64_t lookups)
{
	struct tree_node *node = tree_find(&server->tree, number);

	if (!node)
		return;
	node->nr_lookups -= lookups < node->nr_lookups ? lookups : node->nr_lookups;
	fuse_put_node(server, node);
}

static void touch(struct tree_node *dir)
{
	clock_gettime(CLOCK_REALTIME, &dir->mtime);
	dir->ctime = dir->mtime;
}

static bool is_ignored(const struct fuse_server *server, const struct tree_node *dir,
		       const char *name)
{
	char path[TREE_PATH_MAX];

	if (dir->ignored)
		return true;
	return server->opts->nr_ignore && !tree_path(&server->tree, dir, name, path) &&
	       crash_record_ignored(server->opts, path);
}

/* ---- looking up --------------------------------------------------------------------- */

int fuse_lookup(struct fuse_server *server, struct fuse_request *req)
{
	const struct tree_node *dir = fuse_node(server, req);
	uint64_t magic = fuse_magic_find(req->in->nodeid, req->arg);
	struct fuse_entry_out *out;
	struct tree_name *name;

	if (magic)
		return fuse_magic_lookup(server, req, magic);
	if (!dir)
		return -ENOENT;
	if (strlen(req->arg) > CRASH_NAME_MAX)
		return -ENAMETOOLONG;
	name = tree_lookup(&server->tree, dir, req->arg);
	out = fuse_answer(req, sizeof(*out));
	if (name)
		fuse_fill_entry(server, name->node, out);
	else
		out->entry_valid = 86400; /* that it is not there is kept as well */
	return 0;
}

int fuse_readlink(struct fuse_server *server, struct fuse_request *req)
{
	const struct tree_node *node = fuse_node(server, req);

	if (!node || !node->target)
		return -EINVAL;
	req->data = node->target;
	req->data_len = strlen(node->target);
	return 0;
}

/* ---- making ------------------------------------------------------------------------- */

struct making {
	uint32_t code;
	uint32_t mode;
	uint32_t rdev;
	const char *name; /* NULL: it gets none yet */
	const char *target;
};

static struct tree_node *new_node(struct fuse_server *server, const struct fuse_request *req,
				  const struct tree_node *dir, const struct making *making,
				  int *ret_err)
{
	struct tree_node *node = tree_node_new(&server->tree, making->mode, ret_err);

	if (!node) {
		if (*ret_err == -ENOSPC)
			server->report->limits |= CRASH_LIMIT_TREE;
		return NULL;
	}
	node->uid = req->in->uid;
	node->gid = req->in->gid;
	if (dir->mode & S_ISGID) {
		node->gid = dir->gid;
		node->mode |= S_ISDIR(node->mode) ? S_ISGID : 0;
	}
	node->rdev = making->rdev;
	node->xattrs_known = true;
	node->ignored = making->name ? is_ignored(server, dir, making->name) : dir->ignored;
	return node;
}

static int fill_node(struct tree_node *node, const struct making *making)
{
	if (making->target) {
		node->target = strdup(making->target);
		node->size = strlen(making->target);
		return node->target ? 0 : -ENOMEM;
	}
	if (S_ISREG(node->mode))
		scratch_create(node);
	return 0;
}

static int record_made(struct fuse_server *server, const struct fuse_request *req,
		       const struct tree_node *dir, const struct tree_node *node,
		       const struct making *making)
{
	struct crash_op op = {
		.code = making->code,
		.inode = node->number,
		.dir = making->name ? dir->number : 0,
		.name = making->name,
		.mode = node->mode,
		.data_len = making->target ? (uint32_t)node->size : 0,
	};

	return node->ignored ? 0 : fuse_record(server, req, &op, making->target);
}

static int make_node(struct fuse_server *server, const struct fuse_request *req,
		     const struct making *making, struct tree_node **ret_node)
{
	struct tree_node *dir = fuse_node(server, req), *node;
	int err = 0;

	if (!dir || (!tree_nlink(dir)))
		return -ENOENT;
	if (making->name && strlen(making->name) > CRASH_NAME_MAX)
		return -ENAMETOOLONG;
	if (making->name && tree_lookup(&server->tree, dir, making->name))
		return -EEXIST;
	node = new_node(server, req, dir, making, &err);
	if (!node)
		return err;
	err = fill_node(node, making);
	if (!err && making->name) {
		err = tree_add(&server->tree, dir, making->name, node);
		touch(dir);
	}
	if (err) {
		fuse_put_node(server, node);
		return err;
	}
	*ret_node = node;
	return record_made(server, req, dir, node, making);
}

static int make_entry(struct fuse_server *server, struct fuse_request *req,
		      const struct making *making)
{
	struct tree_node *node = NULL;
	int err = make_node(server, req, making, &node);

	if (err)
		return err;
	fuse_fill_entry(server, node, fuse_answer(req, sizeof(struct fuse_entry_out)));
	return 0;
}

int fuse_symlink(struct fuse_server *server, struct fuse_request *req)
{
	const char *name = req->arg;
	const struct making making = { CRASH_SYMLINK, S_IFLNK | 0777, 0, name,
				       name + strlen(name) + 1 };

	return make_entry(server, req, &making);
}

int fuse_mknod(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_mknod_in *in = req->arg;
	const struct making making = { CRASH_CREATE, in->mode, in->rdev, (const char *)(in + 1),
				       NULL };

	return make_entry(server, req, &making);
}

int fuse_mkdir(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_mkdir_in *in = req->arg;
	const struct making making = { CRASH_MKDIR, S_IFDIR | (in->mode & 07777), 0,
				       (const char *)(in + 1), NULL };

	return make_entry(server, req, &making);
}

static int create_open(struct fuse_server *server, struct fuse_request *req, const char *name)
{
	const struct fuse_create_in *in = req->arg;
	const struct making making = { CRASH_CREATE, S_IFREG | (in->mode & 07777), 0, name, NULL };
	struct fuse_entry_out *entry;
	struct fuse_open_out *open;
	struct fuse_handle *handle;
	struct tree_node *node = NULL;
	int err = make_node(server, req, &making, &node);

	if (err)
		return err;
	handle = fuse_handle_new(server, node, in->flags);
	if (!handle)
		return -ENOMEM;
	entry = fuse_answer(req, sizeof(*entry) + sizeof(*open));
	open = (struct fuse_open_out *)(entry + 1);
	fuse_fill_entry(server, node, entry);
	open->fh = (uintptr_t)handle;
	open->open_flags = fuse_open_flags(server, node);
	return 0;
}

int fuse_create(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_create_in *in = req->arg;

	return create_open(server, req, (const char *)(in + 1));
}

/* O_TMPFILE; the name that the kernel made up is nobody's. */
int fuse_tmpfile(struct fuse_server *server, struct fuse_request *req)
{
	return create_open(server, req, NULL);
}

int fuse_link(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_link_in *in = req->arg;
	const char *name = (const char *)(in + 1);
	struct tree_node *dir = fuse_node(server, req);
	struct tree_node *node = tree_find(&server->tree, in->oldnodeid);
	struct crash_op op = { .code = CRASH_LINK, .name = name };
	bool ignored;
	int err;

	if (!dir || !node || !tree_nlink(dir))
		return -ENOENT;
	if (strlen(name) > CRASH_NAME_MAX)
		return -ENAMETOOLONG;
	ignored = is_ignored(server, dir, name);
	if (ignored != node->ignored)
		return -EXDEV;
	err = tree_add(&server->tree, dir, name, node);
	if (err)
		return err;
	touch(dir);
	clock_gettime(CLOCK_REALTIME, &node->ctime);
	op.inode = node->number;
	op.dir = dir->number;
	err = ignored ? 0 : fuse_record(server, req, &op, NULL);
	if (!err)
		fuse_fill_entry(server, node, fuse_answer(req, sizeof(struct fuse_entry_out)));
	return err;
}

/* ---- removing ----------------------------------------------------------------------- */

static int remove_name(struct fuse_server *server, const struct fuse_request *req, uint32_t code)
{
	struct tree_node *dir = fuse_node(server, req), *node;
	struct crash_op op = { .code = code, .name = req->arg };
	struct tree_name *name = dir ? tree_lookup(&server->tree, dir, req->arg) : NULL;
	bool ignored;
	int err;

	if (!name)
		return fuse_magic_find(req->in->nodeid, req->arg) ? -EPERM : -ENOENT;
	node = name->node;
	if (!TAILQ_EMPTY(&node->entries))
		return -ENOTEMPTY;
	op.inode = node->number;
	op.dir = dir->number;
	ignored = node->ignored;
	tree_remove(&server->tree, name);
	touch(dir);
	clock_gettime(CLOCK_REALTIME, &node->ctime);
	err = ignored ? 0 : fuse_record(server, req, &op, NULL);
	fuse_put_node(server, node);
	return err;
}

int fuse_unlink(struct fuse_server *server, struct fuse_request *req)
{
	return remove_name(server, req, CRASH_UNLINK);
}

int fuse_rmdir(struct fuse_server *server, struct fuse_request *req)
{
	return remove_name(server, req, CRASH_RMDIR);
}

/* ---- renaming ----------------------------------------------------------------------- */

struct move {
	struct tree_node *dir, *dir2;
	const char *text, *text2;
	struct tree_name *name, *name2; /* name2 NULL: nothing is there yet */
	unsigned flags;
};

static int find_move(struct fuse_server *server, const struct fuse_request *req, uint64_t dir2,
		     struct move *move)
{
	move->dir = fuse_node(server, req);
	move->dir2 = tree_find(&server->tree, dir2);
	if (!move->dir || !move->dir2 || !tree_nlink(move->dir2))
		return -ENOENT;
	if (strlen(move->text2) > CRASH_NAME_MAX)
		return -ENAMETOOLONG;
	move->name = tree_lookup(&server->tree, move->dir, move->text);
	move->name2 = tree_lookup(&server->tree, move->dir2, move->text2);
	if (!move->name || (!move->name2 && move->flags & RENAME_EXCHANGE))
		return -ENOENT;
	if (move->name2 && move->flags & RENAME_NOREPLACE)
		return -EEXIST;
	return 0;
}

static int check_move(struct fuse_server *server, const struct move *move)
{
	const struct tree_node *node = move->name->node;
	const struct tree_node *other = move->name2 ? move->name2->node : NULL;

	if (other && !(move->flags & RENAME_EXCHANGE) && !TAILQ_EMPTY(&other->entries))
		return -ENOTEMPTY;
	if (node->ignored != is_ignored(server, move->dir2, move->text2) ||
	    (other && other->ignored != node->ignored))
		return -EXDEV;
	return 0;
}

static int apply_move(struct fuse_server *server, const struct move *move)
{
	struct tree_node *node = move->name->node, *other = NULL;
	int err;

	if (move->flags & RENAME_EXCHANGE) {
		tree_exchange(move->name, move->name2);
	} else {
		other = move->name2 ? move->name2->node : NULL;
		err = tree_add(&server->tree, move->dir2, move->text2, node);
		if (err)
			return err;
		if (other)
			tree_remove(&server->tree, move->name2);
		tree_remove(&server->tree, move->name);
	}
	touch(move->dir);
	touch(move->dir2);
	clock_gettime(CLOCK_REALTIME, &node->ctime);
	if (other)
		fuse_put_node(server, other);
	return 0;
}

static int rename_to(struct fuse_server *server, struct fuse_request *req, uint64_t dir2,
		     struct move *move)
{
	struct crash_op op = { .code = CRASH_RENAME, .name = move->text, .name2 = move->text2 };
	bool ignored;
	int err;

	if (move->flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	err = find_move(server, req, dir2, move);
	if (!err)
		err = check_move(server, move);
	if (err)
		return err;
	op.flags = move->flags & RENAME_EXCHANGE ? CRASH_EXCHANGE : 0;
	op.inode = move->name->node->number;
	op.dir = move->dir->number;
	op.dir2 = move->dir2->number;
	ignored = move->name->node->ignored;
	err = apply_move(server, move);
	if (!err && !ignored)
		err = fuse_record(server, req, &op, NULL);
	return err;
}

int fuse_rename(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_rename_in *in = req->arg;
	struct move move = { .text = (const char *)(in + 1) };

	move.text2 = move.text + strlen(move.text) + 1;
	return rename_to(server, req, in->newdir, &move);
}

int fuse_rename2(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_rename2_in *in = req->arg;
	struct move move = { .text = (const char *)(in + 1), .flags = in->flags };

	move.text2 = move.text + strlen(move.text) + 1;
	return rename_to(server, req, in->newdir, &move);
}

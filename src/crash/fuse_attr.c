/* SPDX-License-Identifier: MIT */
/* fuse_attr.c - requests about what a file is: stat, chmod, chown, times, attributes, space. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "crash/base.h"
#include "crash/fuse_server.h"

/* Nothing changes but through the kernel, which knows then; so what it keeps stays true. */
#define VALID_SECONDS 86400

/* ---- answers ------------------------------------------------------------------------ */

void *fuse_answer(struct fuse_request *req, size_t len)
{
	memset(req->small, 0, len);
	req->data = req->small;
	req->data_len = len;
	return req->small;
}

static uint64_t blocks_of(const struct tree_node *node)
{
	struct stat st;

	if (node->fd >= 0 && !fstat(node->fd, &st))
		return (uint64_t)st.st_blocks;
	return node->blocks;
}

/* In a user namespace no other user exists: his file is shown as the caller's own, with what
 * the mode lets the caller do with it. */
static void squash(const struct fuse_server *server, struct fuse_attr *attr)
{
	uint32_t class = attr->gid == server->gid ? attr->mode >> 3 : attr->mode;

	if (attr->uid != server->uid)
		attr->mode = (attr->mode & ~UINT32_C(06700)) | (class & 7) << 6;
	attr->uid = server->uid;
	attr->gid = server->gid;
}

void fuse_fill_attr(const struct fuse_server *server, const struct tree_node *node,
		    struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = node->number,
		.size = node->size,
		.blocks = blocks_of(node),
		.atime = (uint64_t)node->atime.tv_sec,
		.mtime = (uint64_t)node->mtime.tv_sec,
		.ctime = (uint64_t)node->ctime.tv_sec,
		.atimensec = (uint32_t)node->atime.tv_nsec,
		.mtimensec = (uint32_t)node->mtime.tv_nsec,
		.ctimensec = (uint32_t)node->ctime.tv_nsec,
		.mode = node->mode,
		.nlink = tree_nlink(node),
		.uid = node->uid,
		.gid = node->gid,
		.rdev = node->rdev,
		.blksize = 4096,
	};
	if (server->squash)
		squash(server, attr);
}

void fuse_fill_entry(const struct fuse_server *server, struct tree_node *node,
		     struct fuse_entry_out *entry)
{
	*entry = (struct fuse_entry_out){
		.nodeid = node->number,
		.entry_valid = VALID_SECONDS,
		.attr_valid = VALID_SECONDS,
	};
	fuse_fill_attr(server, node, &entry->attr);
	node->nr_lookups++;
}

static void answer_attr(const struct fuse_server *server, struct fuse_request *req,
			const struct tree_node *node)
{
	struct fuse_attr_out *out = fuse_answer(req, sizeof(*out));

	out->attr_valid = VALID_SECONDS;
	fuse_fill_attr(server, node, &out->attr);
}

/* ---- stat, chmod and the like ------------------------------------------------------- */

int fuse_getattr(struct fuse_server *server, struct fuse_request *req)
{
	const struct tree_node *node = fuse_node(server, req);

	if (!node)
		return -ENOENT;
	answer_attr(server, req, node);
	return 0;
}

static int change_mode(struct fuse_server *server, const struct fuse_request *req,
		       struct tree_node *node, uint32_t mode)
{
	struct crash_op op = { .code = CRASH_CHMOD, .inode = node->number };

	node->mode = (node->mode & S_IFMT) | (mode & 07777);
	op.mode = node->mode;
	return node->ignored ? 0 : fuse_record(server, req, &op, NULL);
}

static struct timespec given_time(uint64_t seconds, uint32_t nanoseconds, bool now)
{
	struct timespec time = { (time_t)seconds, nanoseconds };

	if (now)
		clock_gettime(CLOCK_REALTIME, &time);
	return time;
}

static void change_times(struct tree_node *node, const struct fuse_setattr_in *in)
{
	clock_gettime(CLOCK_REALTIME, &node->ctime);
	if (in->valid & FATTR_ATIME)
		node->atime = given_time(in->atime, in->atimensec, in->valid & FATTR_ATIME_NOW);
	if (in->valid & FATTR_MTIME)
		node->mtime = given_time(in->mtime, in->mtimensec, in->valid & FATTR_MTIME_NOW);
}

/* What the kernel would have taken from the mode itself, had it not left that to us. */
static uint32_t without_privileges(uint32_t mode)
{
	if (!S_ISREG(mode))
		return mode;
	return mode & ~(uint32_t)(S_ISUID | (mode & S_IXGRP ? S_ISGID : 0));
}

int fuse_setattr(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_setattr_in *in = req->arg;
	struct tree_node *node = fuse_node(server, req);
	int err = 0;

	if (!node)
		return -ENOENT;
	if (in->valid & FATTR_SIZE)
		err = fuse_truncate(server, req, node, in->size);
	if (!err && in->valid & FATTR_UID)
		node->uid = in->uid;
	if (!err && in->valid & FATTR_GID)
		node->gid = in->gid;
	if (!err && in->valid & FATTR_MODE)
		err = change_mode(server, req, node, in->mode);
	else if (!err && in->valid & FATTR_KILL_SUIDGID &&
		 without_privileges(node->mode) != node->mode)
		err = change_mode(server, req, node, without_privileges(node->mode));
	if (err)
		return err;
	change_times(node, in);
	answer_attr(server, req, node);
	return 0;
}

int fuse_statfs(struct fuse_server *server, struct fuse_request *req)
{
	struct fuse_statfs_out *out = fuse_answer(req, sizeof(*out));
	struct statvfs st;
	uint64_t left;

	if (fstatvfs(server->scratch.dir_fd, &st) < 0)
		return -errno;
	left = scratch_left(&server->scratch) / st.f_frsize;
	out->st = (struct fuse_kstatfs){
		.blocks = st.f_blocks,
		.bfree = st.f_bfree < left ? st.f_bfree : left,
		.bavail = st.f_bavail < left ? st.f_bavail : left,
		.files = TREE_NODES_MAX,
		.ffree = TREE_NODES_MAX - server->tree.nodes_nr,
		.bsize = (uint32_t)st.f_bsize,
		.frsize = (uint32_t)st.f_frsize,
		.namelen = CRASH_NAME_MAX,
	};
	return 0;
}

/* ---- extended attributes: kept, not recorded ----------------------------------------- */

static int find_node(struct fuse_server *server, const struct fuse_request *req,
		     struct tree_node **ret_node)
{
	struct tree_node *node = fuse_node(server, req);

	if (!node)
		return -ENOENT;
	*ret_node = node;
	if (node->xattrs_known)
		return 0;
	if (node->base || node == server->tree.root)
		return crash_base_xattrs(server->scratch.base_fd, node);
	node->xattrs_known = true;
	return 0;
}

/* Access control lists would have to be kept to. */
static bool is_system(const char *name)
{
	return !strncmp(name, "system.", 7);
}

/* A value, or how long it is if size is 0. */
static int answer_value(struct fuse_request *req, uint32_t size, const void *value, size_t len)
{
	if (!size) {
		struct fuse_getxattr_out *out = fuse_answer(req, sizeof(*out));

		out->size = (uint32_t)len;
		return 0;
	}
	if (len > size)
		return -ERANGE;
	req->data = (void *)(uintptr_t)value;
	req->data_len = len;
	return 0;
}

int fuse_getxattr(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_getxattr_in *in = req->arg;
	const char *name = (const char *)(in + 1);
	const struct tree_xattr *xattr;
	struct tree_node *node;
	int err;

	if (is_system(name))
		return -EOPNOTSUPP;
	err = find_node(server, req, &node);
	if (err)
		return err;
	xattr = tree_xattr_find(node, name);
	return xattr ? answer_value(req, in->size, xattr->value, xattr->len) : -ENODATA;
}

int fuse_listxattr(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_getxattr_in *in = req->arg;
	struct tree_node *node;
	size_t len = 0;
	char *list;
	int err;

	err = find_node(server, req, &node);
	if (err)
		return err;
	for (const struct tree_xattr *xattr = node->xattrs; xattr; xattr = xattr->next)
		len += strlen(xattr->name) + 1;
	list = malloc(len ? len : 1);
	if (!list)
		return -ENOMEM;
	len = 0;
	for (const struct tree_xattr *xattr = node->xattrs; xattr; xattr = xattr->next) {
		strcpy(list + len, xattr->name);
		len += strlen(xattr->name) + 1;
	}
	err = answer_value(req, in->size, list, len);
	if (req->data == list)
		req->data_owned = true;
	else
		free(list);
	return err;
}

int fuse_setxattr(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_setxattr_in *in = req->arg;
	/* The kernel sends the old, short form unless asked for the other. */
	const char *name = (const char *)req->arg + FUSE_COMPAT_SETXATTR_IN_SIZE;
	size_t name_len = strnlen(name, req->arg_len - FUSE_COMPAT_SETXATTR_IN_SIZE);
	struct tree_node *node;
	int err;

	if (FUSE_COMPAT_SETXATTR_IN_SIZE + name_len + 1 + in->size > req->arg_len)
		return -EIO;
	if (is_system(name))
		return -EOPNOTSUPP;
	err = find_node(server, req, &node);
	if (err)
		return err;
	return tree_xattr_set(node, name, name + name_len + 1, in->size, (int)in->flags);
}

int fuse_removexattr(struct fuse_server *server, struct fuse_request *req)
{
	struct tree_node *node;
	int err;

	if (is_system(req->arg))
		return -EOPNOTSUPP;
	err = find_node(server, req, &node);
	return err ? err : tree_xattr_remove(node, req->arg);
}

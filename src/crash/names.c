/* SPDX-License-Identifier: MIT */
/* names.c - two hashes: of inodes by number, of names by directory and name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crash/names.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define TABLE_FIRST 1024
#define DEPTH_MAX   4096

struct name {
	struct name *hash_next;
	struct crash_node *dir, *node;
	const char *text;
	uint64_t hash;
};

struct crash_names {
	struct crash_node **nodes;
	uint64_t node_mask, nodes_nr;
	struct crash_node *all;
	struct name **table;
	uint64_t name_mask, names_nr;
	const struct crash_op *base; /* the last op was one */
	bool begun;		     /* an op that is no base was seen */
};

/* ---- the hashes --------------------------------------------------------------------- */

static uint64_t node_hash(uint64_t inode)
{
	return XXH3_64bits(&inode, sizeof(inode));
}

static uint64_t name_hash(uint64_t dir, const char *text)
{
	return XXH3_64bits_withSeed(text, strlen(text), dir);
}

struct crash_node *crash_names_node(const struct crash_names *names, uint64_t inode)
{
	struct crash_node *node = names->nodes[node_hash(inode) & names->node_mask];

	while (node && node->inode != inode)
		node = node->hash_next;
	return node;
}

static void grow_nodes(struct crash_names *names)
{
	uint64_t mask = 2 * names->node_mask + 1;
	struct crash_node **table = calloc(mask + 1, sizeof(struct crash_node *));

	if (!table)
		return; /* longer chains, no harm */
	for (struct crash_node *node = names->all; node; node = node->all_next) {
		struct crash_node **head = &table[node_hash(node->inode) & mask];

		node->hash_next = *head;
		*head = node;
	}
	free(names->nodes);
	names->nodes = table;
	names->node_mask = mask;
}

static struct crash_node *add_node(struct crash_names *names, uint64_t inode, uint32_t mode)
{
	struct crash_node *node = calloc(1, sizeof(*node));
	struct crash_node **head;

	if (!node)
		return NULL;
	if (names->nodes_nr++ > names->node_mask)
		grow_nodes(names);
	head = &names->nodes[node_hash(inode) & names->node_mask];
	node->inode = inode;
	node->mode = mode;
	node->hash_next = *head;
	node->all_next = names->all;
	*head = names->all = node;
	return node;
}

static struct name **find_link(const struct crash_names *names, uint64_t dir, const char *text)
{
	uint64_t hash = name_hash(dir, text);
	struct name **link = &names->table[hash & names->name_mask];

	while (*link &&
	       ((*link)->hash != hash || (*link)->dir->inode != dir || strcmp((*link)->text, text)))
		link = &(*link)->hash_next;
	return link;
}

struct crash_node *crash_names_find(const struct crash_names *names, uint64_t dir, const char *text)
{
	struct name *name = *find_link(names, dir, text);

	return name ? name->node : NULL;
}

static void grow_table(struct crash_names *names)
{
	uint64_t mask = 2 * names->name_mask + 1;
	struct name **table = calloc(mask + 1, sizeof(struct name *));

	if (!table)
		return;
	for (uint64_t i = 0; i <= names->name_mask; i++) {
		struct name *name, *next;

		for (name = names->table[i]; name; name = next) {
			next = name->hash_next;
			name->hash_next = table[name->hash & mask];
			table[name->hash & mask] = name;
		}
	}
	free(names->table);
	names->table = table;
	names->name_mask = mask;
}

static int add_name(struct crash_names *names, struct crash_node *dir, const char *text,
		    struct crash_node *node)
{
	struct name *name = calloc(1, sizeof(*name)), **head;

	if (!name)
		return -ENOMEM;
	if (names->names_nr++ > names->name_mask)
		grow_table(names);
	*name = (struct name){
		.dir = dir, .node = node, .text = text, .hash = name_hash(dir->inode, text)
	};
	head = &names->table[name->hash & names->name_mask];
	name->hash_next = *head;
	*head = name;
	node->links++;
	node->dir = dir;
	node->name = text;
	dir->children++;
	return 0;
}

static void remove_name(struct crash_names *names, uint64_t dir, const char *text)
{
	struct name **link = find_link(names, dir, text), *name = *link;

	*link = name->hash_next;
	name->dir->children--;
	name->node->links--;
	names->names_nr--;
	free(name);
}

/* ---- ops ---------------------------------------------------------------------------- */

static int wrong(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EILSEQ;
}

/* A directory that is in the tree, or NULL. */
static struct crash_node *live_dir(const struct crash_names *names, uint64_t inode)
{
	struct crash_node *dir = crash_names_node(names, inode);

	return dir && S_ISDIR(dir->mode) && (dir->links || inode == CRASH_ROOT) ? dir : NULL;
}

static int make_node(struct crash_names *names, const struct crash_op *op, uint32_t mode,
		     const char **ret_why)
{
	struct crash_node *dir = live_dir(names, op->dir), *node;

	if (crash_names_node(names, op->inode))
		return wrong(ret_why, "it makes an inode that is there already");
	if (!op->dir) /* O_TMPFILE */
		return add_node(names, op->inode, mode) ? 0 : -ENOMEM;
	if (!dir)
		return wrong(ret_why, "it makes a name in what is no directory");
	if (crash_names_find(names, op->dir, op->name))
		return wrong(ret_why, "it makes a name that is there already");
	node = add_node(names, op->inode, mode);
	return node ? add_name(names, dir, op->name, node) : -ENOMEM;
}

static int link_node(struct crash_names *names, const struct crash_op *op, const char **ret_why)
{
	struct crash_node *dir = live_dir(names, op->dir);
	struct crash_node *node = crash_names_node(names, op->inode);

	if (!dir || !node || S_ISDIR(node->mode))
		return wrong(ret_why, "it links what is not there, or a directory");
	if (crash_names_find(names, op->dir, op->name))
		return wrong(ret_why, "it makes a name that is there already");
	return add_name(names, dir, op->name, node);
}

static int unlink_node(struct crash_names *names, const struct crash_op *op, const char **ret_why)
{
	struct crash_node *node = crash_names_find(names, op->dir, op->name);

	if (!node || node->inode != op->inode)
		return wrong(ret_why, "it removes a name that is not there, or of another inode");
	if (S_ISDIR(node->mode) != (op->code == CRASH_RMDIR) || node->children)
		return wrong(ret_why, "it removes a directory that is not empty, or none");
	remove_name(names, op->dir, op->name);
	return 0;
}

/* Whether dir is node, or below it. */
static bool is_within(const struct crash_node *dir, const struct crash_node *node)
{
	for (unsigned depth = 0; dir && depth < DEPTH_MAX; depth++) {
		if (dir == node)
			return true;
		dir = dir->dir;
	}
	return dir != NULL; /* too deep to tell */
}

static int swap_names(struct crash_names *names, const struct crash_op *op,
		      struct crash_node *other)
{
	struct name *name = *find_link(names, op->dir, op->name);
	struct name *name2 = *find_link(names, op->dir2, op->name2);

	name2->node = name->node;
	name2->node->dir = name2->dir;
	name2->node->name = name2->text;
	name->node = other;
	other->dir = name->dir;
	other->name = name->text;
	return 0;
}

static int rename_node(struct crash_names *names, const struct crash_op *op, const char **ret_why)
{
	struct crash_node *node = crash_names_find(names, op->dir, op->name);
	struct crash_node *dir2 = live_dir(names, op->dir2);
	struct crash_node *other = crash_names_find(names, op->dir2, op->name2);
	bool exchange = op->flags & CRASH_EXCHANGE;

	if (!node || node->inode != op->inode || !dir2)
		return wrong(ret_why, "it renames a name that is not there, or of another inode");
	if (S_ISDIR(node->mode) && is_within(dir2, node))
		return wrong(ret_why, "it moves a directory into itself");
	if (exchange && (!other || (S_ISDIR(other->mode) &&
				    is_within(crash_names_node(names, op->dir), other))))
		return wrong(ret_why, "it exchanges with what is not there, or above");
	if (node == other)
		return 0; /* rename(2): two names of one file stay */
	if (exchange)
		return swap_names(names, op, other);
	if (other && (S_ISDIR(other->mode) != S_ISDIR(node->mode) || other->children))
		return wrong(ret_why, "it replaces a directory that is not empty, or another kind");
	if (other)
		remove_name(names, op->dir2, op->name2);
	remove_name(names, op->dir, op->name);
	return add_name(names, dir2, op->name2, node);
}

static int look_at_file(const struct crash_names *names, const struct crash_op *op,
			const char **ret_why)
{
	const struct crash_node *node = crash_names_node(names, op->inode);

	if (!node && op->inode)
		return wrong(ret_why, "it is about an inode that was never made");
	if (node && !S_ISREG(node->mode) &&
	    (op->code == CRASH_WRITE || op->code == CRASH_TRUNCATE || op->code == CRASH_ALLOCATE))
		return wrong(ret_why, "it changes the content of what is no file");
	return 0;
}

static int apply_done(struct crash_names *names, const struct crash_op *op, const char **ret_why)
{
	switch (op->code) {
	case CRASH_BASE:
	case CRASH_CREATE:
		return make_node(names, op, op->mode, ret_why);
	case CRASH_MKDIR:
		return make_node(names, op, S_IFDIR | (op->mode & 07777), ret_why);
	case CRASH_SYMLINK:
		return make_node(names, op, S_IFLNK | 0777, ret_why);
	case CRASH_LINK:
		return link_node(names, op, ret_why);
	case CRASH_UNLINK:
	case CRASH_RMDIR:
		return unlink_node(names, op, ret_why);
	case CRASH_RENAME:
		return rename_node(names, op, ret_why);
	default:
		return look_at_file(names, op, ret_why);
	}
}

int crash_names_apply(struct crash_names *names, const struct crash_op *op, const char **ret_why)
{
	const struct crash_node *node;

	*ret_why = "";
	if (op->code == CRASH_BASE && (names->begun || op->res < 0))
		return wrong(ret_why, "what was there from the start comes after what was done");
	names->begun |= op->code != CRASH_BASE;
	/* A hard link of the base: the same inode by a further name. */
	node = op->code == CRASH_BASE ? crash_names_node(names, op->inode) : NULL;
	if (node && S_ISREG(node->mode) && node->mode == op->mode)
		return link_node(names, op, ret_why);
	if (op->res < 0)
		return op->inode ? look_at_file(names, op, ret_why) : 0;
	return apply_done(names, op, ret_why);
}

/* ---- making and asking -------------------------------------------------------------- */

int crash_names_create(struct crash_names **ret_names)
{
	struct crash_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	names->nodes = calloc(TABLE_FIRST, sizeof(struct crash_node *));
	names->table = calloc(TABLE_FIRST, sizeof(struct name *));
	names->node_mask = names->name_mask = TABLE_FIRST - 1;
	if (!names->nodes || !names->table || !add_node(names, CRASH_ROOT, S_IFDIR | 0755)) {
		crash_names_destroy(names);
		return -ENOMEM;
	}
	*ret_names = names;
	return 0;
}

void crash_names_destroy(struct crash_names *names)
{
	if (!names)
		return;
	for (uint64_t i = 0; names->table && i <= names->name_mask; i++) {
		while (names->table[i]) {
			struct name *name = names->table[i];

			names->table[i] = name->hash_next;
			free(name);
		}
	}
	while (names->all) {
		struct crash_node *node = names->all;

		names->all = node->all_next;
		free(node);
	}
	free(names->nodes);
	free(names->table);
	free(names);
}

const char *crash_names_path(const struct crash_node *node, char *buf, size_t bytes)
{
	static const char cut[] = "...";
	size_t at = bytes - 1;

	if (node && !node->dir && node->inode != CRASH_ROOT) {
		snprintf(buf, bytes, "(a file without a name)");
		return buf;
	}
	buf[at] = '\0';
	if (!node || !node->dir) {
		if (node && at > 0)
			buf[--at] = '/';
		return memmove(buf, buf + at, bytes - at);
	}
	for (unsigned depth = 0; node->dir && depth < DEPTH_MAX; node = node->dir, depth++) {
		size_t len = strlen(node->name);

		if (len + 1 + sizeof(cut) > at) {
			at -= sizeof(cut) - 1;
			memcpy(buf + at, cut, sizeof(cut) - 1);
			break;
		}
		at -= len;
		memcpy(buf + at, node->name, len);
		buf[--at] = '/';
	}
	return memmove(buf, buf + at, bytes - at);
}

/* SPDX-License-Identifier: MIT */
/* tree.c - nodes by number, names by a hash of directory and text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "crash/trace.h"
#include "crash/tree.h"

#define TABLE_FIRST	1024
#define NODES_FIRST	1024
#define XATTR_BYTES_MAX 65536

/* ---- nodes -------------------------------------------------------------------------- */

static int make_room(struct tree *tree)
{
	uint64_t room = tree->nodes_room ? 2 * tree->nodes_room : NODES_FIRST;
	struct tree_node **nodes;

	if (tree->nodes_nr < tree->nodes_room)
		return 0;
	if (tree->nodes_nr >= TREE_NODES_MAX)
		return -ENOSPC;
	nodes = reallocarray(tree->nodes, room, sizeof(struct tree_node *));
	if (!nodes)
		return -ENOMEM;
	tree->nodes = nodes;
	tree->nodes_room = room;
	return 0;
}

struct tree_node *tree_node_new(struct tree *tree, uint32_t mode, int *ret_err)
{
	int err = make_room(tree);
	struct tree_node *node = err ? NULL : calloc(1, sizeof(*node));

	if (!node) {
		*ret_err = err ? err : -ENOMEM;
		return NULL;
	}
	node->number = tree->nodes_nr;
	node->mode = mode;
	node->fd = -1;
	clock_gettime(CLOCK_REALTIME, &node->atime);
	node->mtime = node->ctime = node->atime;
	TAILQ_INIT(&node->names);
	TAILQ_INIT(&node->entries);
	tree->nodes[tree->nodes_nr++] = node;
	return node;
}

static void drop_xattrs(struct tree_node *node)
{
	while (node->xattrs) {
		struct tree_xattr *xattr = node->xattrs;

		node->xattrs = xattr->next;
		free(xattr->value);
		free(xattr);
	}
}

void tree_node_free(struct tree *tree, struct tree_node *node)
{
	SL_ASSERT(TAILQ_EMPTY(&node->names) && TAILQ_EMPTY(&node->entries));
	tree->nodes[node->number] = NULL;
	drop_xattrs(node);
	free(node->target);
	free(node->base);
	free(node);
}

bool tree_node_unused(const struct tree_node *node)
{
	return TAILQ_EMPTY(&node->names) && !node->nr_lookups && !node->nr_open &&
	       node->number != CRASH_ROOT;
}

struct tree_node *tree_find(const struct tree *tree, uint64_t number)
{
	return number < tree->nodes_nr ? tree->nodes[number] : NULL;
}

/* ---- names -------------------------------------------------------------------------- */

static uint32_t hash_name(const struct tree_node *dir, const char *text)
{
	return sl_crc32c_update((uint32_t)dir->number, text, strlen(text));
}

struct tree_name *tree_lookup(const struct tree *tree, const struct tree_node *dir,
			      const char *text)
{
	uint32_t hash = hash_name(dir, text);
	struct tree_name *name = tree->table[hash & tree->table_mask];

	while (name && (name->hash != hash || name->dir != dir || strcmp(name->text, text) != 0))
		name = name->hash_next;
	return name;
}

/* Without memory the chains get longer, and nothing else happens. */
static void grow_table(struct tree *tree)
{
	uint32_t mask = 2 * tree->table_mask + 1;
	struct tree_name **table = calloc((size_t)mask + 1, sizeof(struct tree_name *));

	if (!table)
		return;
	for (uint32_t i = 0; i <= tree->table_mask; i++) {
		struct tree_name *name, *next;

		for (name = tree->table[i]; name; name = next) {
			next = name->hash_next;
			name->hash_next = table[name->hash & mask];
			table[name->hash & mask] = name;
		}
	}
	free(tree->table);
	tree->table = table;
	tree->table_mask = mask;
}

int tree_add(struct tree *tree, struct tree_node *dir, const char *text, struct tree_node *node)
{
	size_t len = strlen(text) + 1;
	struct tree_name *name = malloc(sizeof(*name) + len), **head;

	if (!name)
		return -ENOMEM;
	if (tree->names_nr++ > tree->table_mask)
		grow_table(tree);
	name->dir = dir;
	name->node = node;
	name->hash = hash_name(dir, text);
	memcpy(name->text, text, len);
	head = &tree->table[name->hash & tree->table_mask];
	name->hash_next = *head;
	*head = name;
	TAILQ_INSERT_TAIL(&dir->entries, name, in_dir);
	TAILQ_INSERT_TAIL(&node->names, name, of_node);
	node->nr_names++;
	dir->nr_dirs += S_ISDIR(node->mode);
	return 0;
}

void tree_remove(struct tree *tree, struct tree_name *name)
{
	struct tree_name **link = &tree->table[name->hash & tree->table_mask];

	while (*link != name)
		link = &(*link)->hash_next;
	*link = name->hash_next;
	TAILQ_REMOVE(&name->dir->entries, name, in_dir);
	TAILQ_REMOVE(&name->node->names, name, of_node);
	name->node->nr_names--;
	name->dir->nr_dirs -= S_ISDIR(name->node->mode);
	tree->names_nr--;
	free(name);
}

void tree_exchange(struct tree_name *name, struct tree_name *other)
{
	struct tree_node *node = name->node;

	TAILQ_REMOVE(&name->node->names, name, of_node);
	TAILQ_REMOVE(&other->node->names, other, of_node);
	name->dir->nr_dirs += S_ISDIR(other->node->mode) - S_ISDIR(node->mode);
	other->dir->nr_dirs += S_ISDIR(node->mode) - S_ISDIR(other->node->mode);
	name->node = other->node;
	other->node = node;
	TAILQ_INSERT_TAIL(&name->node->names, name, of_node);
	TAILQ_INSERT_TAIL(&other->node->names, other, of_node);
}

uint32_t tree_nlink(const struct tree_node *node)
{
	if (!S_ISDIR(node->mode))
		return node->nr_names;
	return node->nr_names || node->number == CRASH_ROOT ? 2 + node->nr_dirs : 0;
}

int tree_path(const struct tree *tree, const struct tree_node *node, const char *text,
	      char path[TREE_PATH_MAX])
{
	char buf[TREE_PATH_MAX];
	size_t at = sizeof(buf) - 1, len;

	buf[at] = '\0';
	while (text || node != tree->root) {
		const char *part = text;

		if (!part) {
			struct tree_name *name = TAILQ_FIRST(&node->names);

			if (!name)
				return -ENOENT;
			part = name->text;
			node = name->dir;
		}
		len = strlen(part);
		if (len + 1 > at)
			return -ENAMETOOLONG;
		if (buf[at])
			buf[--at] = '/';
		at -= len;
		memcpy(buf + at, part, len);
		text = NULL;
	}
	memcpy(path, buf + at, sizeof(buf) - at);
	return 0;
}

/* ---- extended attributes ------------------------------------------------------------ */

const struct tree_xattr *tree_xattr_find(const struct tree_node *node, const char *name)
{
	const struct tree_xattr *xattr = node->xattrs;

	while (xattr && strcmp(xattr->name, name) != 0)
		xattr = xattr->next;
	return xattr;
}

int tree_xattr_remove(struct tree_node *node, const char *name)
{
	struct tree_xattr **link = &node->xattrs, *xattr;

	while (*link && strcmp((*link)->name, name) != 0)
		link = &(*link)->next;
	xattr = *link;
	if (!xattr)
		return -ENODATA;
	*link = xattr->next;
	free(xattr->value);
	free(xattr);
	return 0;
}

static struct tree_xattr *new_xattr(const char *name, const void *value, uint32_t len)
{
	size_t name_len = strlen(name) + 1;
	struct tree_xattr *xattr = malloc(sizeof(*xattr) + name_len);

	if (!xattr)
		return NULL;
	xattr->value = malloc(len ? len : 1);
	if (!xattr->value) {
		free(xattr);
		return NULL;
	}
	if (len)
		memcpy(xattr->value, value, len);
	xattr->len = len;
	memcpy(xattr->name, name, name_len);
	return xattr;
}

int tree_xattr_set(struct tree_node *node, const char *name, const void *value, uint32_t len,
		   int flags)
{
	const struct tree_xattr *there = tree_xattr_find(node, name);
	struct tree_xattr *xattr;
	size_t bytes = len;

	if (there && flags & XATTR_CREATE)
		return -EEXIST;
	if (!there && flags & XATTR_REPLACE)
		return -ENODATA;
	for (const struct tree_xattr *other = node->xattrs; other; other = other->next)
		bytes += other == there ? 0 : other->len + strlen(other->name) + 1;
	if (bytes + strlen(name) + 1 > XATTR_BYTES_MAX)
		return -ENOSPC;
	xattr = new_xattr(name, value, len);
	if (!xattr)
		return -ENOMEM;
	if (there)
		tree_xattr_remove(node, name);
	xattr->next = node->xattrs;
	node->xattrs = xattr;
	return 0;
}

/* ---- the tree ----------------------------------------------------------------------- */

int tree_init(struct tree *tree)
{
	int err = 0;

	*tree = (struct tree){ .table_mask = TABLE_FIRST - 1 };
	tree->table = calloc(TABLE_FIRST, sizeof(struct tree_name *));
	if (!tree->table || make_room(tree) < 0) {
		tree_fini(tree);
		return -ENOMEM;
	}
	tree->nodes[tree->nodes_nr++] = NULL; /* no node has the number 0 */
	tree->root = tree_node_new(tree, S_IFDIR | 0755, &err);
	if (!tree->root)
		tree_fini(tree);
	return err;
}

void tree_fini(struct tree *tree)
{
	for (uint64_t i = 0; tree->table && i <= tree->table_mask; i++) {
		while (tree->table[i])
			tree_remove(tree, tree->table[i]);
	}
	for (uint64_t i = 0; i < tree->nodes_nr; i++) {
		if (tree->nodes[i])
			tree_node_free(tree, tree->nodes[i]);
	}
	free(tree->nodes);
	free(tree->table);
	*tree = (struct tree){ 0 };
}

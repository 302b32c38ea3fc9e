/* SPDX-License-Identifier: MIT */
/* attribute.c - GETXATTR and SETXATTR: names with values that belong to an inode. */
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "backend/sim/world.h"

#define NAME_LEN_MAX  255
#define VALUE_LEN_MAX 65536

static struct model_attribute *find(const struct model_inode *inode, const char *name)
{
	struct model_attribute *at = inode->attributes;

	while (at && strcmp(at->name, name) != 0)
		at = at->next;
	return at;
}

static int check(const struct sim_handle *handle, const char *name)
{
	size_t len = strnlen(name, NAME_LEN_MAX + 1);

	if (!handle->inode || strncmp(name, "user.", 5) != 0)
		return -EOPNOTSUPP;
	return len == 5 ? -EINVAL : len > NAME_LEN_MAX ? -ERANGE : 0;
}

int64_t sim_attribute_get(const struct sim_task *task, const struct sim_handle *handle)
{
	const struct sl_slot *slot = task->slot;
	const char *name = slot->op->arg;
	const struct model_attribute *at;
	int err = check(handle, name);

	if (err)
		return err;
	at = find(handle->inode, name);
	if (!at)
		return -ENODATA;
	if (slot->len && slot->len < at->len)
		return -ERANGE;
	if (slot->len)
		memcpy(slot->buf, at->name + strlen(at->name) + 1, at->len);
	return (int64_t)at->len;
}

int64_t sim_attribute_set(const struct sim_task *task, struct sim_handle *handle)
{
	const struct sl_slot *slot = task->slot;
	const char *name = slot->op->arg;
	struct model_attribute *at;
	size_t len = strnlen(name, NAME_LEN_MAX + 1) + 1;
	int err = check(handle, name);
	char *bytes;

	if (err || slot->off & ~(uint64_t)(XATTR_CREATE | XATTR_REPLACE))
		return err ? err : -EINVAL;
	if (slot->len > VALUE_LEN_MAX)
		return -E2BIG;
	at = find(handle->inode, name);
	if (at ? slot->off & XATTR_CREATE : slot->off & XATTR_REPLACE)
		return at ? -EEXIST : -ENODATA;
	bytes = malloc(len + slot->len);
	if (!at && bytes && (at = calloc(1, sizeof(*at)))) {
		at->next = handle->inode->attributes;
		handle->inode->attributes = at;
	}
	if (!bytes || !at) {
		free(bytes);
		return -ENOMEM;
	}
	memcpy(bytes, name, len);
	memcpy(bytes + len, slot->buf, slot->len);
	free(at->name);
	at->name = bytes;
	at->len = slot->len;
	return 0;
}

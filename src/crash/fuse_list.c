/* SPDX-License-Identifier: MIT */
/* fuse_list.c - requests that read directories: a listing is made when reading begins. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crash/fuse_server.h"

struct listed {
	uint64_t number;
	uint32_t type;
	uint32_t text; /* where in texts */
};

struct fuse_listing {
	struct listed *entries;
	char *texts;
	size_t nr, texts_len;
};

void fuse_listing_free(struct fuse_listing *listing)
{
	if (!listing)
		return;
	free(listing->entries);
	free(listing->texts);
	free(listing);
}

static void list_one(struct fuse_listing *listing, const char *text, const struct tree_node *node)
{
	size_t len = strlen(text) + 1;

	listing->entries[listing->nr++] = (struct listed){ node->number,
							   (node->mode & S_IFMT) >> 12,
							   (uint32_t)listing->texts_len };
	memcpy(listing->texts + listing->texts_len, text, len);
	listing->texts_len += len;
}

static struct fuse_listing *make_listing(const struct fuse_server *server,
					 const struct tree_node *dir)
{
	struct fuse_listing *listing = calloc(1, sizeof(*listing));
	const struct tree_name *name;
	size_t nr = 2, len = sizeof(".") + sizeof("..");

	if (!listing)
		return NULL;
	TAILQ_FOREACH(name, &dir->entries, in_dir)
	{
		nr++;
		len += strlen(name->text) + 1;
	}
	listing->entries = calloc(nr, sizeof(*listing->entries));
	listing->texts = malloc(len);
	if (!listing->entries || !listing->texts) {
		fuse_listing_free(listing);
		return NULL;
	}
	name = TAILQ_FIRST(&dir->names);
	list_one(listing, ".", dir);
	list_one(listing, "..", name ? name->dir : server->tree.root);
	TAILQ_FOREACH(name, &dir->entries, in_dir)
	list_one(listing, name->text, name->node);
	return listing;
}

int fuse_opendir(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_open_in *in = req->arg;
	struct tree_node *node = fuse_node(server, req);
	struct fuse_handle *handle = node ? fuse_handle_new(server, node, in->flags) : NULL;
	struct fuse_open_out *out;

	if (!handle)
		return node ? -ENOMEM : -ENOENT;
	out = fuse_answer(req, sizeof(*out));
	out->fh = (uintptr_t)handle;
	return 0;
}

int fuse_releasedir(struct fuse_server *server, struct fuse_request *req)
{
	const struct fuse_release_in *in = req->arg;
	struct fuse_handle *handle = (struct fuse_handle *)(uintptr_t)in->fh;
	struct tree_node *node = handle->node;

	node->nr_open--;
	fuse_handle_free(handle);
	fuse_put_node(server, node);
	return 0;
}

/* Where the next entry is put, or NULL if there is no room; its dirent is filled in. */
static struct fuse_dirent *put_entry(struct fuse_request *req, size_t room, size_t before,
				     const char *text)
{
	size_t len = strlen(text);
	size_t bytes = FUSE_REC_ALIGN(before + FUSE_NAME_OFFSET + len);
	char *at = (char *)req->data + req->data_len;
	struct fuse_dirent *dirent = (struct fuse_dirent *)(at + before);

	if (bytes > room - req->data_len)
		return NULL;
	memset(at, 0, bytes);
	dirent->namelen = (uint32_t)len;
	memcpy(dirent->name, text, len);
	req->data_len += bytes;
	return dirent;
}

static void put_attributes(struct fuse_server *server, struct fuse_dirent *dirent,
			   const struct listed *listed, const char *text)
{
	struct fuse_direntplus *plus =
		(struct fuse_direntplus *)(void *)((char *)dirent - sizeof(plus->entry_out));
	struct tree_node *node = tree_find(&server->tree, listed->number);

	/* One that was removed meanwhile is named only, and . and .. have been looked up. */
	if (node && node->nr_names && strcmp(text, ".") != 0 && strcmp(text, "..") != 0)
		fuse_fill_entry(server, node, &plus->entry_out);
}

static int read_dir(struct fuse_server *server, struct fuse_request *req, size_t before)
{
	const struct fuse_read_in *in = req->arg;
	struct fuse_handle *handle = (struct fuse_handle *)(uintptr_t)in->fh;
	struct fuse_listing *listing;

	if (!in->offset || !handle->listing) {
		fuse_listing_free(handle->listing);
		handle->listing = make_listing(server, handle->node);
	}
	listing = handle->listing;
	req->data = listing ? malloc(in->size) : NULL;
	req->data_owned = true;
	req->data_len = 0;
	if (!req->data)
		return -ENOMEM;
	for (uint64_t i = in->offset; i < listing->nr; i++) {
		const struct listed *listed = &listing->entries[i];
		const char *text = listing->texts + listed->text;
		struct fuse_dirent *dirent = put_entry(req, in->size, before, text);

		if (!dirent)
			break;
		dirent->ino = listed->number;
		dirent->off = i + 1;
		dirent->type = listed->type;
		if (before)
			put_attributes(server, dirent, listed, text);
	}
	return 0;
}

int fuse_readdir(struct fuse_server *server, struct fuse_request *req)
{
	return read_dir(server, req, 0);
}

int fuse_readdirplus(struct fuse_server *server, struct fuse_request *req)
{
	return read_dir(server, req, sizeof(struct fuse_entry_out));
}

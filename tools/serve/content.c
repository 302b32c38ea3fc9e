/* content.c: a file as it is sent; see content.h. */
#include "tools/serve/content.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct serve_wire *serve_wire_new(size_t len)
{
	struct serve_wire *wire = malloc(sizeof(*wire) + len);

	if (wire)
		*wire = (struct serve_wire){ .refs = 1, .len = (uint32_t)len };
	return wire;
}

void serve_wire_put(struct serve_wire *wire)
{
	if (wire && --wire->refs == 0)
		free(wire);
}

struct serve_content *serve_content_new(struct http_text key, unsigned coding)
{
	struct serve_content *content = calloc(1, sizeof(*content) + key.len + 1);

	if (!content)
		return NULL;
	content->refs = 1;
	content->fd = -1;
	content->coding = (uint8_t)coding;
	content->key_len = key.len;
	memcpy(content->key, key.at, key.len);
	return content;
}

void serve_content_put(struct serve_content *content)
{
	if (!content || --content->refs)
		return;
	serve_wire_put(content->wire);
	if (content->fd >= 0)
		close(content->fd);
	if (content->direct_fd > 0)
		close(content->direct_fd);
	free(content);
}

/* A quarter of the memory. */
static bool is_too_large_to_keep(uint64_t bytes)
{
	return bytes / (uint64_t)getpagesize() > (uint64_t)sysconf(_SC_PHYS_PAGES) / 4;
}

void serve_content_set_direct(struct serve_content *content, int fd)
{
	uint64_t size = content->identity.size;

	content->direct_fd = fd;
	content->direct_left = is_too_large_to_keep(size) ? UINT64_MAX : size;
	/* To look whether it is cached is not to bring more of it there. */
	posix_fadvise(content->fd, 0, 0, POSIX_FADV_RANDOM);
}

int serve_content_direct(struct serve_content *content)
{
	return content->direct_left ? content->direct_fd : 0;
}

void serve_content_sent_direct(struct serve_content *content, uint64_t bytes)
{
	uint64_t *left = &content->direct_left;

	if (!bytes || *left == UINT64_MAX)
		return;
	*left -= bytes < *left ? bytes : *left;
	if (!*left)
		posix_fadvise(content->fd, 0, 0, POSIX_FADV_NORMAL);
}

void serve_content_tag(struct serve_content *content, bool writable)
{
	char inode[20] = "";

	if (writable)
		snprintf(inode, sizeof(inode), "-%" PRIx64, content->identity.ino);
	content->etag_len = (uint32_t)snprintf(
		content->etag, sizeof(content->etag), "\"%" PRIx64 "-%" PRIx64 "%s%s%s\"",
		(uint64_t)content->identity.modified_ns, content->identity.size, inode,
		content->coding < HTTP_CODINGS ? "-" : "",
		content->coding < HTTP_CODINGS ? http_coding_name[content->coding] : "");
}

/* content.c: a file as it is sent; see content.h. */
#include "tools/serve/content.h"

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
	free(content);
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

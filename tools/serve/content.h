/* content.h: a file as it is sent: what is known of it, and its bytes or a descriptor. Counted. */
#ifndef SLUICE_TOOLS_SERVE_CONTENT_H
#define SLUICE_TOOLS_SERVE_CONTENT_H

#include "tools/serve/condition.h"
#include "tools/serve/encoding.h"

#define SERVE_ETAG_MAX	 72
#define SERVE_TYPE_BYTES 104 /* of a media type, with its 0 */

/* Memory that is being sent, and how many count on it. */
struct serve_wire {
	uint32_t refs;
	uint32_t head_len; /* of the answer's head, which the body follows */
	uint32_t len;
	int64_t second; /* of the date in it */
	char bytes[];
};

enum serve_kind {
	SERVE_NOTHING = 0, /* no such thing: see status */
	SERVE_FILE,
	SERVE_DIRECTORY,
};

/* Which file it was when it was looked at. */
struct serve_identity {
	uint64_t dev;
	uint64_t ino;
	uint64_t size;
	int64_t modified_ns;
	int64_t changed_ns;
};

/*
 * One thread's. The cache holds a reference while it is listed there, every answer on its way one
 * more. The head in wire is that of a plain 200 to a client that keeps the connection.
 */
struct serve_content {
	uint32_t refs;
	uint8_t kind;
	uint8_t coding; /* enum http_coding: what it is when sent, HTTP_CODINGS for plain */
	uint16_t status;
	int fd;		      /* -1: none; of a file that is not in wire */
	int direct_fd;	      /* 0: none; of the same file, past the page cache */
	uint64_t direct_left; /* bytes that are still to be sent by it, by and by */
	struct serve_identity identity;
	int64_t modified; /* seconds since 1970 */
	char type[SERVE_TYPE_BYTES];
	uint32_t etag_len;
	char etag[SERVE_ETAG_MAX];
	struct serve_wire *wire; /* head and body; only the head of a large file */

	/* The cache's. */
	bool listed;
	int64_t checked_ns;
	uint32_t hash;
	uint32_t key_len;
	struct serve_content *chain;
	struct serve_content *newer;
	struct serve_content *older;
	char key[];
};

struct serve_wire *serve_wire_new(size_t len);
void serve_wire_put(struct serve_wire *wire);

/* NULL when memory runs out. The key is the path. */
struct serve_content *serve_content_new(struct http_text key, unsigned coding);

static inline struct serve_content *serve_content_get(struct serve_content *content)
{
	content->refs++;
	return content;
}

/* The last one closes and frees it; NULL is ignored. */
void serve_content_put(struct serve_content *content);

static inline struct http_validators serve_validators(const struct serve_content *content)
{
	return (struct http_validators){
		.etag = { content->etag, content->etag_len },
		.modified = content->modified,
	};
}

/* Takes a second descriptor, > 0, that reads past the page cache. A file is sent by it as often as
 * once: one that is asked for again is worth being kept, unless memory could not hold it. */
void serve_content_set_direct(struct serve_content *content, int fd);

/* What is asked for now is read by it where it is not cached; 0: by the other. */
int serve_content_direct(struct serve_content *content);

/* So many bytes were sent by it. */
void serve_content_sent_direct(struct serve_content *content, uint64_t bytes);

/* Makes the tag from the identity and the coding. Where files may be replaced the inode is part of
 * it: two uploads can fall into one tick of the file system's clock. Elsewhere servers with copies
 * of the same files give the same tags. */
void serve_content_tag(struct serve_content *content, bool writable);

#endif

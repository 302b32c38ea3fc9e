/* proof.c: compares what arrives with the file, and changes the file meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proof.h"

#define PIECE_BYTES (64u << 10)
/* What is changed: bytes of the first sector behind its tag. */
#define CHANGED_AT 8u

int proof_begin(struct proof *p, const struct datafile *file, const struct stream *stream)
{
	*p = (struct proof){ .file = file, .stream = stream };
	p->expected = malloc(PIECE_BYTES);
	return p->expected ? 0 : -ENOMEM;
}

static void invert(unsigned char *bytes)
{
	for (size_t i = 0; i < sizeof(((struct proof *)0)->before); i++)
		bytes[i] ^= 0xff;
}

static bool write_there(const struct proof *p, const unsigned char *bytes)
{
	off_t at = (off_t)(stream_at(p->stream, 0).off + CHANGED_AT);

	return pwrite(p->file->fd, bytes, sizeof(p->before), at) == (ssize_t)sizeof(p->before);
}

void proof_change(struct proof *p)
{
	off_t at = (off_t)(stream_at(p->stream, 0).off + CHANGED_AT);
	unsigned char other[sizeof(p->before)];

	if (!p->file->ours || p->taken || p->changed)
		return;
	if (pread(p->file->fd, p->before, sizeof(p->before), at) != (ssize_t)sizeof(p->before))
		return;
	memcpy(other, p->before, sizeof(other));
	invert(other);
	p->changed = write_there(p, other);
}

/* Looks at the changed bytes, and puts them back both in the file and in what arrived. */
static void undo_change(struct proof *p, unsigned char *buf, size_t len)
{
	unsigned char *there = buf + CHANGED_AT;

	p->changed = false;
	if (!write_there(p, p->before))
		p->wrong++;
	if (len < CHANGED_AT + sizeof(p->before))
		return;
	if (memcmp(there, p->before, sizeof(p->before)) == 0) {
		p->page = PAGE_COPIED;
		return;
	}
	invert(there);
	if (memcmp(there, p->before, sizeof(p->before)) == 0)
		p->page = PAGE_SHARED;
}

void proof_take(struct proof *p, unsigned char *buf, size_t len)
{
	const uint32_t block = p->stream->block_bytes;

	if (p->changed)
		undo_change(p, buf, len);
	while (len) {
		uint64_t within = p->taken % block;
		uint64_t off = stream_at(p->stream, p->taken / block).off + within;
		size_t piece = len < PIECE_BYTES ? len : PIECE_BYTES;

		if (piece > block - within)
			piece = (size_t)(block - within);
		if (pread(p->file->fd, p->expected, piece, (off_t)off) != (ssize_t)piece ||
		    memcmp(p->expected, buf, piece) != 0)
			p->wrong++;
		p->taken += piece;
		buf += piece;
		len -= piece;
	}
}

void proof_end(struct proof *p)
{
	free(p->expected);
	p->expected = NULL;
}

/* stream.c: which blocks a round reads and writes, and the stamping of what is written. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mechanisms.h"
#include "random.h"

static uint32_t random_entry(const struct workload *w, uint64_t blocks, uint64_t *state)
{
	uint32_t block = (uint32_t)random_below(state, blocks);

	return random_below(state, 100) < w->write_percent ? block | STREAM_WRITE : block;
}

void stream_draw(struct stream *s, const struct workload *w, uint64_t file_bytes, uint64_t *state)
{
	uint64_t blocks = file_bytes / w->block_bytes;
	uint64_t begin = random_below(state, blocks);

	s->block_bytes = w->block_bytes;
	for (uint32_t i = 0; i < STREAM_ENTRIES; i++)
		s->entry[i] = w->sequential ? (uint32_t)((begin + i) % blocks) :
					      random_entry(w, blocks, state);
}

void stream_stamp(const struct contender *c, unsigned char *buf, uint64_t off)
{
	for (uint32_t at = 0; at < c->work->block_bytes; at += DATAFILE_SECTOR) {
		uint64_t tag = datafile_tag(c->env->file, off + at);

		memcpy(buf + at, &tag, sizeof(tag));
	}
}

int stream_settle(struct contender *c)
{
	if (!c->work->write_percent)
		return 0;
	c->calls++;
	return fdatasync(c->fd) < 0 ? -errno : 0;
}

/*
 * writelog.c: the log of dm-log-writes; see writelog.h.
 *
 * A sector with magic, version, number of entries and sector size; then, for
 * each entry, a sector with its head (for a mark the text, too) and its data.
 * Entries stand in the order in which the device may rely on them: a write that
 * was completed comes with the next flush, a FUA write when it is complete.
 */
#include "tests/vm/writelog.h"

#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC	    0x6a736677736872u
#define ALIGNMENT   4096
#define BLOCK	    4096
#define ENTRIES_MAX (1u << 20)

struct log_head {
	uint64_t magic;
	uint64_t version;
	uint64_t nr_entries;
	uint32_t sector_bytes;
};

struct entry_head {
	uint64_t sector;
	uint64_t nr_sectors;
	uint64_t flags;
	uint64_t data_len;
};

static void read_at(int fd, void *buf, size_t len, uint64_t off)
{
	assert_int_equal(pread(fd, buf, len, (off_t)off), len);
}

static uint64_t read_entry(struct writelog *log, size_t idx, uint64_t pos, uint32_t sector)
{
	struct writelog_entry *entry = &log->entries[idx];
	struct entry_head head;
	size_t mark_len;

	read_at(log->fd, &head, sizeof(head), pos);
	entry->off = head.sector * sector;
	entry->len = head.nr_sectors * sector;
	entry->flags = head.flags;
	entry->data_off = pos + sector;
	if (head.flags & WRITELOG_MARK) {
		mark_len = head.data_len < sizeof(entry->mark) ? head.data_len :
								 sizeof(entry->mark) - 1;
		read_at(log->fd, entry->mark, mark_len, pos + sizeof(head));
		entry->len = 0;
	}
	return entry->data_off + (head.flags & WRITELOG_DISCARD ? 0 : entry->len);
}

void writelog_open(struct writelog *log, const char *device)
{
	struct log_head head;
	uint64_t pos;

	log->fd = open(device, O_RDONLY | O_CLOEXEC);
	assert_true(log->fd >= 0);
	read_at(log->fd, &head, sizeof(head), 0);
	assert_true(head.magic == MAGIC);
	assert_true(head.nr_entries > 0 && head.nr_entries < ENTRIES_MAX);
	log->nr = head.nr_entries;
	log->entries = calloc(log->nr, sizeof(*log->entries));
	assert_non_null(log->entries);
	pos = head.sector_bytes;
	for (size_t i = 0; i < log->nr; i++)
		pos = read_entry(log, i, pos, head.sector_bytes);
}

void writelog_close(struct writelog *log)
{
	free(log->entries);
	close(log->fd);
	*log = (struct writelog){ .fd = -1 };
}

/* What an entry writes; NULL for nothing. */
static unsigned char *data_of(const struct writelog *log, const struct writelog_entry *entry)
{
	void *data = NULL;

	if (!entry->len)
		return NULL;
	assert_int_equal(posix_memalign(&data, ALIGNMENT, entry->len), 0);
	if (entry->flags & WRITELOG_DISCARD)
		memset(data, 0, entry->len);
	else
		read_at(log->fd, data, entry->len, entry->data_off);
	return data;
}

static void write_at(int device, const void *data, size_t len, uint64_t off)
{
	assert_int_equal(pwrite(device, data, len, (off_t)off), len);
}

void writelog_apply(const struct writelog *log, size_t idx, int device)
{
	const struct writelog_entry *entry = &log->entries[idx];
	unsigned char *data = data_of(log, entry);

	if (data)
		write_at(device, data, entry->len, entry->off);
	free(data);
}

void writelog_tear(const struct writelog *log, size_t idx, int device, uint64_t *chance)
{
	const struct writelog_entry *entry = &log->entries[idx];
	unsigned char *data = data_of(log, entry);

	for (uint64_t at = 0; data && at < entry->len; at += BLOCK) {
		uint64_t rest = entry->len - at;

		if (support_random(chance) & 1)
			write_at(device, data + at, rest < BLOCK ? rest : BLOCK, entry->off + at);
	}
	free(data);
}

size_t writelog_find(const struct writelog *log, const char *mark)
{
	size_t i = 0;

	while (i < log->nr && strcmp(log->entries[i].mark, mark) != 0)
		i++;
	if (i == log->nr)
		fail_msg("the log has no mark \"%s\"", mark);
	return i;
}

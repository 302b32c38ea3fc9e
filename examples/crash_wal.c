/* crash_wal.c - a log under a crash test: one part makes promises, the other judges a state.
 *
 *	sluice crash --check 'crash_wal check log' -- crash_wal write log 5
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/sluice.h>

static const struct sl_wal_opts opts = {
	.flags = SL_WAL_CREATE,
	.buffer_bytes = 16384,
	.segment_bytes = 65536,
	.segments_max = 4,
};

static int report(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, sl_err_text(err));
	return 1;
}

/* Records "record N", some of them longer than a block, each promised as soon as it is durable. */
static int write_records(struct sl_wal *wal, unsigned nr)
{
	static char text[6000];

	for (unsigned i = 1; i <= nr; i++) {
		int len = snprintf(text, sizeof(text), "record %u", i);
		int err = sl_wal_append(wal, text, i % 2 ? sizeof(text) : (size_t)len, NULL);

		err = err ? err : sl_wal_flush(wal);
		if (!err)
			err = sl_crash_ack(text, (size_t)len);
		if (err)
			return report("write", err);
	}
	return 0;
}

/* The number of a record, 0 if it is none. */
static unsigned number_of(const struct sl_wal_record *record)
{
	char text[32] = "";
	unsigned nr = 0;

	memcpy(text, record->data, record->len < 31 ? record->len : 31);
	return sscanf(text, "record %u", &nr) == 1 ? nr : 0;
}

/* As after a restart: the log has recovered, and every record that was promised is in it, in order.
 */
static int check_records(struct sl_wal *wal)
{
	struct sl_wal_reader *reader;
	struct sl_wal_record record;
	struct sl_wal_info info;
	unsigned promised = 0, found = 0;
	int err;

	while (scanf(" record %u", &promised) == 1)
		;
	sl_wal_info(wal, &info);
	err = sl_wal_reader_open(wal, &(struct sl_wal_reader_opts){ .lsn = info.first_lsn },
				 &reader);
	if (err)
		return report("read", err);
	while ((err = sl_wal_reader_next(reader, 0, &record)) == 0 &&
	       number_of(&record) == found + 1)
		found++;
	sl_wal_reader_close(reader);
	if (err != -EAGAIN)
		printf("what follows record %u is not the next one\n", found);
	if (found < promised)
		printf("record %u was promised, %u are there\n", promised, found);
	return err != -EAGAIN || found < promised;
}

int main(int argc, char **argv)
{
	struct sl_ring *ring;
	struct sl_wal *wal;
	int code, err;

	if (argc < 3)
		return fprintf(stderr, "usage: crash_wal write FILE N | check FILE\n"), 2;
	err = sl_ring_open(NULL, &ring);
	if (err)
		return report("ring", err);
	err = sl_wal_open(ring, AT_FDCWD, argv[2], &opts, &wal);
	if (err)
		return report(argv[2], err);
	code = argc == 4 ? write_records(wal, (unsigned)atoi(argv[3])) : check_records(wal);
	sl_wal_close(wal);
	sl_ring_close(ring);
	return code;
}

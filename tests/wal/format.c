/* format.c: docs/format/wal.md says what the code does: its tables are read and compared. */
#include "wal_support.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/wal/format.h"

struct field {
	const char *structure;
	const char *name;
	size_t offset;
	size_t size;
	bool seen;
};

#define FIELD(type, member)                                                                        \
	{                                                                                          \
#type, #member, offsetof(struct type, member), sizeof(((struct type *)0)->member), \
			false                                                                      \
	}
#define WHOLE(type)                                           \
	{                                                     \
#type, "(all)", 0, sizeof(struct type), false \
	}

static struct field fields[] = {
	FIELD(wal_file_header, magic),
	FIELD(wal_file_header, version),
	FIELD(wal_file_header, block_bytes),
	FIELD(wal_file_header, segment_bytes),
	FIELD(wal_file_header, log_id),
	FIELD(wal_file_header, buffer_bytes),
	FIELD(wal_file_header, flags),
	FIELD(wal_file_header, reserved),
	FIELD(wal_file_header, crc),
	WHOLE(wal_file_header),
	FIELD(wal_segment_header, magic),
	FIELD(wal_segment_header, log_id),
	FIELD(wal_segment_header, seq),
	FIELD(wal_segment_header, first_seq),
	FIELD(wal_segment_header, epoch),
	FIELD(wal_segment_header, slot),
	FIELD(wal_segment_header, slots),
	FIELD(wal_segment_header, reserved),
	FIELD(wal_segment_header, crc),
	WHOLE(wal_segment_header),
	FIELD(wal_record_header, crc),
	FIELD(wal_record_header, len),
	FIELD(wal_record_header, lsn),
	FIELD(wal_record_header, epoch),
	FIELD(wal_record_header, kind),
	FIELD(wal_record_header, reserved),
	FIELD(wal_record_header, slots),
	FIELD(wal_record_header, durable),
	WHOLE(wal_record_header),
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static const struct {
	const char *name;
	unsigned value;
} kinds[] = {
	{ "SL_WAL_DATA", SL_WAL_DATA },
	{ "SL_WAL_PAD", SL_WAL_PAD },
	{ "SL_WAL_END", SL_WAL_END },
	{ "SL_WAL_EPOCH", SL_WAL_EPOCH },
};

static FILE *open_page(void)
{
	FILE *page = fopen(getenv("SLUICE_WAL_FORMAT"), "r");

	assert_non_null(page);
	return page;
}

static void check_row(const char *structure, const char *name, size_t offset, size_t size)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (strcmp(fields[i].structure, structure) || strcmp(fields[i].name, name))
			continue;
		if (fields[i].offset != offset || fields[i].size != size)
			printf("# %s.%s: told %zu, %zu\n", structure, name, offset, size);
		assert_int_equal(fields[i].offset, offset);
		assert_int_equal(fields[i].size, size);
		assert_false(fields[i].seen);
		fields[i].seen = true;
		return;
	}
	printf("# %s has no %s\n", structure, name);
	fail();
}

static void the_tables_tell_every_field_where_it_is(void **state)
{
	FILE *page = open_page();
	char line[512], structure[64] = "", name[64];
	size_t offset, size;

	(void)state;
	while (fgets(line, sizeof(line), page)) {
		if (sscanf(line, "| struct `%63[a-z_]` |", structure) == 1)
			continue;
		if (line[0] != '|')
			structure[0] = '\0';
		if (!structure[0])
			continue;
		if (sscanf(line, "| `%63[a-z_]` | %zu | %zu |", name, &offset, &size) == 3)
			check_row(structure, name, offset, size);
		else if (sscanf(line, "| (all) | %zu | %zu |", &offset, &size) == 2)
			check_row(structure, "(all)", offset, size);
	}
	fclose(page);
	for (size_t i = 0; i < FIELDS; i++) {
		if (!fields[i].seen)
			printf("# %s.%s is not told\n", fields[i].structure, fields[i].name);
		assert_true(fields[i].seen);
	}
}

static void the_table_tells_every_kind(void **state)
{
	FILE *page = open_page();
	char line[512], name[64];
	unsigned value, found = 0;

	(void)state;
	while (fgets(line, sizeof(line), page)) {
		if (sscanf(line, "| `%63[A-Z_]` | %u |", name, &value) != 2)
			continue;
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (strcmp(kinds[i].name, name) == 0) {
				assert_int_equal(kinds[i].value, value);
				found++;
			}
		}
	}
	fclose(page);
	assert_int_equal(found, sizeof(kinds) / sizeof(kinds[0]));
}

/* What the page says of magics, versions and checksums, against bytes that were written. */
static void headers_are_written_as_the_page_says(void **state)
{
	static unsigned char block[4096];
	struct wal_shape shape = {
		.block_bytes = 4096,
		.buffer_bytes = 8192,
		.segment_bytes = 32768,
		.log_id = 0x0102030405060708,
	};
	struct wal_segment_header header = { .seq = 3, .first_seq = 2, .slot = 1 };

	(void)state;
	wal_shape_seed(&shape);
	wal_file_header_put(block, &shape);
	assert_memory_equal(block, "SLUICWAL\x01\0\0\0\0\x10\0\0\0\x80\0\0\0\0\0\0", 24);
	assert_memory_equal(block + 24, "\x08\x07\x06\x05\x04\x03\x02\x01\0\x20\0\0", 12);
	wal_segment_header_put(block, &shape, &header);
	assert_memory_equal(block, "SLUICSEG\x08\x07\x06\x05\x04\x03\x02\x01\x03\0\0\0\0\0\0\0",
			    24);
	for (size_t i = 64; i < sizeof(block); i++)
		assert_int_equal(block[i], 0);
	assert_true(wal_segment_header_get(block, &shape, 1, &header));
	assert_false(wal_segment_header_get(block, &shape, 0, &header));
}

static const struct CMUnitTest tests[] = {
	TEST(the_tables_tell_every_field_where_it_is),
	TEST(the_table_tells_every_kind),
	TEST(headers_are_written_as_the_page_says),
};

int main(void)
{
	return RUN_TESTS(tests);
}

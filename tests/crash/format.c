/* format.c: docs/format/trace.md says what the code does: its tables are read and compared. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crash/trace_format.h"

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
	FIELD(trace_header, magic),    FIELD(trace_header, version),
	FIELD(trace_header, sector),   FIELD(trace_header, id),
	FIELD(trace_header, reserved), FIELD(trace_header, crc),
	WHOLE(trace_header),	       FIELD(trace_record, magic),
	FIELD(trace_record, crc),      FIELD(trace_record, data_crc),
	FIELD(trace_record, data_len), FIELD(trace_record, seq),
	FIELD(trace_record, begin),    FIELD(trace_record, inode),
	FIELD(trace_record, dir),      FIELD(trace_record, dir2),
	FIELD(trace_record, off),      FIELD(trace_record, len),
	FIELD(trace_record, code),     FIELD(trace_record, flags),
	FIELD(trace_record, res),      FIELD(trace_record, mode),
	FIELD(trace_record, flags2),   FIELD(trace_record, pid),
	FIELD(trace_record, name_len), FIELD(trace_record, name2_len),
	FIELD(trace_record, reserved), WHOLE(trace_record),
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

#define VALUE(name)                \
	{                          \
#name, name, false \
	}

static struct {
	const char *name;
	unsigned value;
	bool seen;
} values[] = {
	VALUE(CRASH_BASE),   VALUE(CRASH_CREATE),    VALUE(CRASH_MKDIR),    VALUE(CRASH_SYMLINK),
	VALUE(CRASH_LINK),   VALUE(CRASH_UNLINK),    VALUE(CRASH_RMDIR),    VALUE(CRASH_RENAME),
	VALUE(CRASH_WRITE),  VALUE(CRASH_TRUNCATE),  VALUE(CRASH_ALLOCATE), VALUE(CRASH_CLOSE),
	VALUE(CRASH_SYNC),   VALUE(CRASH_SYNC_ALL),  VALUE(CRASH_CHMOD),    VALUE(CRASH_ACK),
	VALUE(CRASH_NOTE),   VALUE(CRASH_DATA_ONLY), VALUE(CRASH_DSYNC),    VALUE(CRASH_MAPPED),
	VALUE(CRASH_DIRECT), VALUE(CRASH_EXCHANGE),  VALUE(CRASH_FAULT),
};

#define VALUES (sizeof(values) / sizeof(values[0]))

static_assert(VALUES == CRASH_CODES - 1 + 6, "every code and flag is in the table");
static_assert(CRASH_FLAGS == (1 << 6) - 1, "six flags");

static FILE *open_page(void)
{
	FILE *page = fopen(getenv("SLUICE_TRACE_FORMAT"), "r");

	assert_non_null(page);
	return page;
}

static void check_row(const char *structure, const char *name, size_t offset, size_t size)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (strcmp(fields[i].structure, structure) || strcmp(fields[i].name, name))
			continue;
		if (fields[i].offset != offset || fields[i].size != size)
			fail_msg("%s.%s: told %zu, %zu", structure, name, offset, size);
		assert_false(fields[i].seen);
		fields[i].seen = true;
		return;
	}
	fail_msg("%s has no %s", structure, name);
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
		if (sscanf(line, "| `%63[a-z_0-9]` | %zu | %zu |", name, &offset, &size) == 3)
			check_row(structure, name, offset, size);
		else if (sscanf(line, "| (all) | %zu | %zu |", &offset, &size) == 2)
			check_row(structure, "(all)", offset, size);
	}
	fclose(page);
	for (size_t i = 0; i < FIELDS; i++) {
		if (!fields[i].seen)
			fail_msg("%s.%s is not told", fields[i].structure, fields[i].name);
	}
}

static void the_tables_tell_every_code_and_flag(void **state)
{
	FILE *page = open_page();
	char line[512], name[64];
	unsigned value;

	(void)state;
	while (fgets(line, sizeof(line), page)) {
		if (sscanf(line, "| `%63[A-Z_]` | %u |", name, &value) != 2)
			continue;
		for (size_t i = 0; i < VALUES; i++) {
			if (strcmp(values[i].name, name) == 0) {
				assert_int_equal(values[i].value, value);
				values[i].seen = true;
			}
		}
	}
	fclose(page);
	for (size_t i = 0; i < VALUES; i++) {
		if (!values[i].seen)
			fail_msg("%s is not told", values[i].name);
	}
}

static void magics_are_as_the_page_says(void **state)
{
	const uint32_t magic = TRACE_RECORD_MAGIC;

	(void)state;
	assert_memory_equal(&magic, "TROP", 4);
	assert_memory_equal(TRACE_MAGIC, "SLUICTRC", 8);
	assert_int_equal(TRACE_VERSION, 1);
	assert_int_equal(trace_seed(UINT64_C(0x1234567800000004)), (0x12345678 ^ 4) | 1);
}

static const struct CMUnitTest tests[] = {
	TEST(the_tables_tell_every_field_where_it_is),
	TEST(the_tables_tell_every_code_and_flag),
	TEST(magics_are_as_the_page_says),
};

int main(void)
{
	return RUN_TESTS(tests);
}

/* test_fault.c: faults as text, whose turn it is, and what they leave in trace and program. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record_support.h"
#include "tests/support/harness.h"

#define PAGE 4096

static struct crash_fault parse(const char *text)
{
	struct crash_fault fault;

	if (crash_fault_parse(text, &fault))
		fail_msg("%s is refused", text);
	return fault;
}

/* ---- text and turns --------------------------------------------------------------------- */

static void faults_are_read_from_text(void **state)
{
	struct crash_fault fault = parse("write:3:EIO");

	(void)state;
	assert_int_equal(fault.call, CRASH_FAULT_WRITE);
	assert_int_equal(fault.kind, CRASH_FAULT_EIO);
	assert_int_equal(fault.nth, 3);
	assert_string_equal(fault.glob, "");
	fault = parse("sync:0:enospc:*.wal:x");
	assert_int_equal(fault.call, CRASH_FAULT_SYNC);
	assert_int_equal(fault.kind, CRASH_FAULT_ENOSPC);
	assert_int_equal(fault.nth, 0);
	assert_string_equal(fault.glob, "*.wal:x");
	assert_int_equal(parse("read:1:short").kind, CRASH_FAULT_SHORT);
	assert_int_equal(parse("read:1:rot").kind, CRASH_FAULT_ROT);
	assert_int_equal(parse("read:1:ENODATA").kind, CRASH_FAULT_ENODATA);
	assert_int_equal(parse("write:1:astray").kind, CRASH_FAULT_ASTRAY);
}

static void what_is_no_fault_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"write",
		"write:",
		"write:1",
		"write:1:",
		"write:x:EIO",
		"write:-1:EIO",
		"write:1:EPERM",
		"open:1:EIO",
		"sync:1:short",
		"sync:1:rot",
		"read:1:ENOSPC",
		"write:1:ENODATA",
		"read:1:astray",
		"write:1:EIO:",
		"write::EIO",
		"write:1x:EIO",
		":1:EIO",
		"WRITE:1:EIOX",
		"write:99999999999999999999:EIO",
	};
	struct crash_fault fault;
	char text[400] = "write:1:EIO:";

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (crash_fault_parse(texts[i], &fault) != -EINVAL)
			fail_msg("\"%s\" is taken", texts[i]);
	}
	memset(text + 12, 'g', 256);
	assert_int_equal(crash_fault_parse(text, &fault), -ENAMETOOLONG);
}

static void the_nth_matching_call_fails_and_no_other(void **state)
{
	struct crash_fault faults[] = { parse("write:2:EIO:*.db"), parse("write:0:short:log") };
	struct crash_fault_at at = { .call = CRASH_FAULT_WRITE, .path = "x.db", .len = 8 };
	struct crash_fault_verdict verdict;

	(void)state;
	crash_fault_decide(faults, 2, &at, &verdict);
	assert_int_equal(verdict.kind, CRASH_FAULT_NONE);
	at.path = "other";
	crash_fault_decide(faults, 2, &at, &verdict);
	assert_int_equal(verdict.kind, CRASH_FAULT_NONE);
	at.call = CRASH_FAULT_READ;
	at.path = "x.db";
	crash_fault_decide(faults, 2, &at, &verdict);
	assert_int_equal(verdict.kind, CRASH_FAULT_NONE);
	at.call = CRASH_FAULT_WRITE;
	crash_fault_decide(faults, 2, &at, &verdict);
	assert_int_equal(verdict.res, -EIO);
	crash_fault_decide(faults, 2, &at, &verdict);
	assert_int_equal(verdict.kind, CRASH_FAULT_NONE);
	at.path = "log";
	for (int i = 0; i < 3; i++) {
		crash_fault_decide(faults, 2, &at, &verdict);
		assert_int_equal(verdict.kind, CRASH_FAULT_SHORT);
		assert_int_equal(verdict.len, 4);
	}
	at.len = 1;
	crash_fault_decide(faults, 2, &at, &verdict);
	assert_int_equal(verdict.kind, CRASH_FAULT_NONE);
}

static void a_medium_error_is_enodata_to_direct_reads_alone(void **state)
{
	struct crash_fault fault = parse("read:0:ENODATA");
	struct crash_fault_at at = { .call = CRASH_FAULT_READ, .path = "f", .len = 8 };
	struct crash_fault_verdict verdict;

	(void)state;
	crash_fault_decide(&fault, 1, &at, &verdict);
	assert_int_equal(verdict.res, -EIO);
	at.flags = CRASH_DIRECT;
	crash_fault_decide(&fault, 1, &at, &verdict);
	assert_int_equal(verdict.res, -ENODATA);
}

/* ---- recorded ---------------------------------------------------------------------------- */

static void record_with(struct recording *recording, const char *program,
			struct crash_fault *faults, uint32_t nr)
{
	recording_begin(recording, program);
	recording->opts.faults = faults;
	recording->opts.nr_faults = nr;
	recording_run(recording);
	recording_assert_good(recording);
}

static void assert_op(const struct crash_op *op, uint32_t flags, int res)
{
	assert_non_null(op);
	assert_int_equal(op->flags, flags);
	assert_int_equal(op->res, res);
}

static void a_failed_sync_is_told_once_to_each_and_then_succeeds(void **state)
{
	struct crash_fault fault = parse("sync:1:EIO:f");
	struct recording recording;

	(void)state;
	record_with(&recording, "failing-sync", &fault, 1);
	assert_op(recording_find(&recording, CRASH_SYNC, 0), CRASH_FAULT, -EIO);
	assert_op(recording_find(&recording, CRASH_SYNC, 1), 0, 0);
	assert_op(recording_find(&recording, CRASH_SYNC, 2), 0, -EIO);
	assert_op(recording_find(&recording, CRASH_SYNC, 3), 0, 0);
	assert_op(recording_find(&recording, CRASH_SYNC, 4), 0, 0);
	recording_end(&recording);
}

static uint8_t byte_of(const struct recording *recording, const struct crash_op *op, uint32_t off)
{
	uint8_t byte = 0;

	assert_int_equal(crash_trace_data(recording->trace, op, off, &byte, 1), 0);
	return byte;
}

static void faulty_writes_leave_what_a_disk_would_have(void **state)
{
	struct crash_fault faults[] = { parse("write:2:EIO"),	 parse("write:3:ENOSPC"),
					parse("write:4:short"),	 parse("write:5:rot"),
					parse("write:6:astray"), parse("write:7:EIO") };
	struct recording recording;
	const struct crash_op *op;

	(void)state;
	record_with(&recording, "faulty-writes", faults, 6);
	assert_op(recording_find(&recording, CRASH_WRITE, 0), 0, PAGE);
	assert_op(recording_find(&recording, CRASH_WRITE, 1), CRASH_FAULT, -EIO);
	op = recording_find(&recording, CRASH_WRITE, 2);
	assert_op(op, CRASH_FAULT, -ENOSPC);
	assert_int_equal(op->data_len, PAGE);
	op = recording_find(&recording, CRASH_WRITE, 3);
	assert_op(op, CRASH_FAULT, PAGE / 2);
	assert_int_equal(op->data_len, PAGE / 2);
	op = recording_find(&recording, CRASH_WRITE, 4);
	assert_op(op, CRASH_FAULT, PAGE);
	assert_int_equal(byte_of(&recording, op, PAGE / 2), 'n' ^ 1);
	assert_int_equal(byte_of(&recording, op, PAGE / 2 - 1), 'n');
	op = recording_find(&recording, CRASH_WRITE, 5);
	assert_op(op, CRASH_FAULT, PAGE);
	assert_int_not_equal(op->off, 2 * PAGE);
	op = recording_find(&recording, CRASH_WRITE, 6);
	assert_op(op, CRASH_FAULT | CRASH_DSYNC, -EIO);
	assert_int_equal(byte_of(&recording, op, 0), 'd');
	recording_end(&recording);
}

static void faulty_reads_reach_the_program_one_by_one(void **state)
{
	struct crash_fault faults[] = { parse("read:1:EIO:f"), parse("read:2:short:f"),
					parse("read:3:rot:f"), parse("read:5:ENODATA:f") };
	static const enum crash_fault_kind noted[] = { CRASH_FAULT_EIO, CRASH_FAULT_SHORT,
						       CRASH_FAULT_ENODATA };
	struct recording recording;
	const struct crash_op *op;

	(void)state;
	record_with(&recording, "faulty-reads", faults, 4);
	op = recording_find(&recording, CRASH_WRITE, 1);
	assert_int_equal(op->flags & CRASH_FAULT, CRASH_FAULT);
	assert_true(crash_fault_is_rot(op)); /* the disk's doing: neither a write nor a sync */
	assert_int_equal(op->off, PAGE / 2);
	assert_int_equal(op->len, 1);
	assert_int_equal(byte_of(&recording, op, 0), 'n' ^ 1);
	for (size_t i = 0; i < sizeof(noted) / sizeof(noted[0]); i++) {
		op = recording_find(&recording, CRASH_NOTE, i);
		assert_non_null(op);
		assert_int_equal(op->flags, CRASH_FAULT);
		assert_int_equal(crash_fault_call_of(op), CRASH_FAULT_READ);
		assert_int_equal(crash_fault_kind_of(op), noted[i]);
	}
	recording_end(&recording);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(faults_are_read_from_text),
		TEST(what_is_no_fault_is_refused),
		TEST(the_nth_matching_call_fails_and_no_other),
		TEST(a_medium_error_is_enodata_to_direct_reads_alone),
		TEST(a_failed_sync_is_told_once_to_each_and_then_succeeds),
		TEST(faulty_writes_leave_what_a_disk_would_have),
		TEST(faulty_reads_reach_the_program_one_by_one),
	};
	int status = record_main(argc, argv);

	return status >= 0 ? status : RUN_TESTS(tests);
}

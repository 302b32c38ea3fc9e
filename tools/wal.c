/* sluice wal: looks at a write-ahead log without touching it: what is in it, and whether it is
 * whole. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sluice/ring.h>
#include <sluice/wal.h>

#include "cli.h"
#include "commands.h"
#include "json.h"

#define PREVIEW_BYTES 24

static const char *const kind_names[] = {
	[SL_WAL_DATA] = "data",
	[SL_WAL_PAD] = "pad",
	[SL_WAL_END] = "end",
	[SL_WAL_EPOCH] = "epoch",
};

static const char *const verdict_names[] = {
	[SL_WAL_CLEAN] = "clean",     [SL_WAL_TORN] = "torn",	  [SL_WAL_DAMAGED] = "damaged",
	[SL_WAL_FOREIGN] = "foreign", [SL_WAL_FUTURE] = "future",
};

struct dump {
	bool all;
	bool titled;
	bool in_json;
	struct json_writer json;
};

static void hex(const struct sl_wal_record *record, uint32_t most, char *ret)
{
	const unsigned char *bytes = record->data;
	uint32_t len = record->len < most ? record->len : most;

	for (uint32_t i = 0; i < len; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	ret[2 * len] = '\0';
}

static void record_json(struct json_writer *json, const struct sl_wal_record *record)
{
	char begin[2 * PREVIEW_BYTES + 1];

	hex(record, PREVIEW_BYTES, begin);
	json_open_object(json, NULL);
	json_uint(json, "lsn", record->lsn);
	json_uint(json, "next_lsn", record->next_lsn);
	json_uint(json, "durable_lsn", record->durable_lsn);
	json_uint(json, "epoch", record->epoch);
	json_string(json, "kind", kind_names[record->kind]);
	json_uint(json, "bytes", record->len);
	json_uint(json, "offset", record->off);
	json_string(json, "begins", begin);
	json_close_object(json);
}

static void record_text(struct dump *dump, const struct sl_wal_record *record)
{
	const unsigned char *bytes = record->data;
	uint32_t shown = record->len < PREVIEW_BYTES ? record->len : PREVIEW_BYTES;

	if (!dump->titled)
		printf("%16s %12s %6s %-6s %9s  %s\n", "lsn", "offset", "epoch", "kind", "bytes",
		       "begins with");
	dump->titled = true;
	printf("%16" PRIu64 " %12" PRIu64 " %6" PRIu32 " %-6s %9" PRIu32 "  ", record->lsn,
	       record->off, record->epoch, kind_names[record->kind], record->len);
	for (uint32_t i = 0; record->kind == SL_WAL_DATA && i < shown; i++)
		putchar(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.');
	putchar('\n');
}

static int dump_record(void *ctx, const struct sl_wal_record *record)
{
	struct dump *dump = ctx;

	if (record->kind != SL_WAL_DATA && !dump->all)
		return 0;
	if (dump->in_json)
		record_json(&dump->json, record);
	else
		record_text(dump, record);
	return !dump->in_json && ferror(stdout) ? -EPIPE : 0;
}

static void report_text(const char *path, const struct sl_wal_report *report)
{
	printf("%s: %s", path, verdict_names[report->verdict]);
	if (report->why[0])
		printf(": %s", report->why);
	if (report->verdict == SL_WAL_DAMAGED)
		printf(" (at byte %" PRIu64 " of the file)", report->bad_off);
	putchar('\n');
	if (!report->block_bytes)
		return;
	printf("  log %016" PRIx64 ", format %" PRIu32 ", blocks of %" PRIu32 " bytes, %" PRIu32
	       " of %" PRIu32 " segments of %" PRIu64 " KiB in use\n",
	       report->log_id, report->version, report->block_bytes, report->segments_live,
	       report->segments, report->segment_bytes / 1024);
	if (!report->end_lsn) {
		printf("  its records were not read\n");
		return;
	}
	printf("  %" PRIu64 " records, %" PRIu64 " bytes, from LSN %" PRIu64 " to %" PRIu64
	       ", epoch %" PRIu32 "\n",
	       report->records, report->data_bytes, report->first_lsn, report->end_lsn,
	       report->epoch);
}

static void report_json(struct json_writer *json, const struct sl_wal_report *report)
{
	json_string(json, "verdict", verdict_names[report->verdict]);
	json_string(json, "why", report->why[0] ? report->why : NULL);
	json_uint(json, "bad_offset", report->bad_off);
	json_uint(json, "version", report->version);
	json_format(json, "log_id", "%016" PRIx64, report->log_id);
	json_uint(json, "block_bytes", report->block_bytes);
	json_uint(json, "buffer_bytes", report->buffer_bytes);
	json_uint(json, "segment_bytes", report->segment_bytes);
	json_uint(json, "segments", report->segments);
	json_uint(json, "segments_live", report->segments_live);
	json_uint(json, "first_lsn", report->first_lsn);
	json_uint(json, "end_lsn", report->end_lsn);
	json_uint(json, "epoch", report->epoch);
	json_uint(json, "record_count", report->records);
	json_uint(json, "data_bytes", report->data_bytes);
}

static bool is_verdict(int rc)
{
	return rc == 0 || rc == -EBADMSG || rc == -EILSEQ || rc == -EOPNOTSUPP;
}

/* A verdict to tell, or an error that left none. */
static int conclude(const char *path, int rc)
{
	if (rc == 0)
		return CLI_DONE;
	if (is_verdict(rc))
		return CLI_BAD;
	if (rc == -EPIPE)
		return CLI_IO;
	if (rc == -EISDIR)
		return cli_fail(CLI_USAGE, path, "is a directory", "name the file of the log");
	return cli_fail_errno(path, rc, NULL);
}

static int look_json(struct sl_ring *ring, const char *path, bool records, struct dump *dump)
{
	struct json_writer *json = &dump->json;
	struct sl_wal_report report = { 0 };
	int rc;

	json_begin(json, stdout);
	json_open_object(json, NULL);
	json_string(json, "path", path);
	dump->in_json = true;
	if (records)
		json_open_array(json, "records");
	rc = sl_wal_check(ring, AT_FDCWD, path, records ? dump_record : NULL, dump, &report);
	if (records)
		json_close_array(json);
	if (is_verdict(rc))
		report_json(json, &report);
	else
		json_string(json, "error", sl_err_name(rc));
	json_close_object(json);
	return json_end(json) < 0 ? CLI_IO : conclude(path, rc);
}

static int look_text(struct sl_ring *ring, const char *path, bool records, struct dump *dump)
{
	struct sl_wal_report report = { 0 };
	int rc = sl_wal_check(ring, AT_FDCWD, path, records ? dump_record : NULL, dump, &report);

	if (is_verdict(rc))
		report_text(path, &report);
	return conclude(path, rc);
}

int wal_main(int argc, char **argv)
{
	struct dump dump = { 0 };
	bool json = false, records;
	const struct cli_option table[] = {
		{ "json", CLI_FLAG, &json, NULL, "print one JSON object and nothing else" },
		{ "all", CLI_FLAG, &dump.all, NULL,
		  "dump the log's own records too: padding, ends, epochs" },
		{ NULL },
	};
	const struct cli_command command = {
		.name = "wal",
		.summary = "look at a write-ahead log: what is in it, is it whole",
		.operands = "[dump|verify] FILE",
		.operands_min = 1,
		.operands_max = 2,
		.options = table,
		.notes = "dump lists the records; verify (the default) reads them all and says how "
			 "the log is.\nBoth end with a verdict: clean; torn (fine: a write at the "
			 "end never ended, and\nnobody was told that it had); damaged; foreign (no "
			 "log); future (a later format).\nNothing is written, synced or "
			 "locked.\n\nExit codes: 0 clean or torn; 1 damaged, foreign or future; 2 "
			 "wrong usage or no\nsuch file; 3 no permission; 4 an I/O error.\n",
		.example = "sluice wal verify /var/lib/mydb/log\n"
			   "sluice wal dump --json /var/lib/mydb/log\n",
	};
	struct sl_ring *ring = NULL;
	int code, rc, first = cli_parse(&command, argc, argv, &code);

	if (first < 0)
		return code;
	records = argc - first == 2 && strcmp(argv[first], "dump") == 0;
	if (argc - first == 2 && !records && strcmp(argv[first], "verify") != 0)
		return cli_fail(CLI_USAGE, argv[first], "neither dump nor verify",
				"try `sluice wal --help`");
	rc = sl_ring_open(NULL, &ring);
	if (rc < 0)
		return cli_fail_errno("the ring", rc, NULL);
	if (json)
		code = look_json(ring, argv[argc - 1], records, &dump);
	else
		code = look_text(ring, argv[argc - 1], records, &dump);
	sl_ring_close(ring);
	return code;
}

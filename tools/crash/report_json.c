/* report_json.c: the report as one JSON object; docs/json/crash.md says what is in it. */
#include <stdio.h>

#include "tools/crash/report.h"
#include "tools/json.h"

static void failure(struct json_writer *json, const struct crash_report *report,
		    const struct crash_failure *f)
{
	char replay[1024];

	json_open_object(json, NULL);
	json_string(json, "id", f->id);
	json_string(json, "class", crash_class_name(f->class));
	json_open_array(json, "lost");
	for (size_t i = 0; i < f->lost_nr; i++)
		json_string(json, NULL, f->lost[i]);
	json_close_array(json);
	json_open_array(json, "lost_ops");
	for (size_t i = 0; i < f->lost_nr; i++)
		json_uint(json, NULL, crash_words_number(report->words, f->lost_ops[i]));
	json_close_array(json);
	json_open_array(json, "faults");
	for (size_t i = 0; i < f->faults_nr; i++)
		json_string(json, NULL, f->faults[i]);
	json_close_array(json);
	json_string(json, "why_legal", f->why_legal);
	json_string(json, "missing_sync", f->missing_sync);
	json_string(json, "checker_output", f->checker_output);
	json_string(json, "verdict", f->verdict);
	json_uint(json, "point", crash_words_number(report->words, f->point));
	json_string(json, "found_id", f->found_id);
	json_uint(json, "states", f->states);
	json_string(json, "kept", f->dir);
	crash_report_replay(report, f->id, replay, sizeof(replay));
	json_string(json, "replay", *replay ? replay : NULL);
	json_close_object(json);
}

static void sync_verdict(struct json_writer *json, const struct crash_report *report,
			 const struct crash_verdict *sync)
{
	json_open_object(json, NULL);
	json_string(json, "op", sync->words);
	json_uint(json, "seq", crash_words_number(report->words, sync->op));
	if (!sync->judged)
		json_null(json, "verdict");
	else
		json_string(json, "verdict",
			    sync->necessary ? "necessary" : "redundant or untested");
	json_string(json, "failing_id", sync->failing_id);
	json_uint(json, "states", sync->states);
	json_close_object(json);
}

static void recording(struct json_writer *json, const struct crash_report *report)
{
	char text[4096];

	json_open_object(json, "recording");
	crash_report_command(report, text, sizeof(text));
	json_string(json, report->record ? "command" : "from", text);
	json_string(json, "recorder", report->record ? report->record->recorder : NULL);
	crash_report_status(report, text, sizeof(text));
	json_string(json, "program", report->record ? (*text ? text : "ended well") : NULL);
	json_uint(json, "operations", report->nr_ops);
	json_uint(json, "syncs", report->nr_syncs);
	json_uint(json, "acks", report->result->acks);
	json_string(json, "trace", report->setting->trace_path);
	json_close_object(json);
}

static void faults(struct json_writer *json, const struct crash_report *report)
{
	json_open_array(json, "faults");
	for (uint32_t i = 0; i < report->setting->faults_text.nr; i++) {
		json_open_object(json, NULL);
		json_string(json, "fault", report->setting->faults_text.value[i]);
		json_uint(json, "calls", report->faults[i].seen);
		json_uint(json, "struck", report->faults[i].struck);
		json_close_object(json);
	}
	json_close_array(json);
}

int crash_report_json(const struct crash_report *report)
{
	const struct crash_result *result = report->result;
	struct json_writer json;

	json_begin(&json, stdout);
	json_open_object(&json, NULL);
	json_string(&json, "profile", report->setting->profile);
	json_string(&json, "dir", report->setting->dir);
	recording(&json, report);
	faults(&json, report);
	json_uint(&json, "states", result->states);
	json_uint(&json, "distinct", result->distinct);
	json_uint(&json, "failed", result->failed);
	json_bool(&json, "base_refused", crash_report_base_refused(report));
	json_bool(&json, "tested", !report->untested);
	json_bool(&json, "complete", result->complete);
	json_bool(&json, "stopped", result->stopped);
	json_uint(&json, "recovered", result->recovered);
	json_double(&json, "seconds", (double)result->elapsed_ns / 1e9);
	json_open_array(&json, "failing");
	for (size_t i = 0; i < result->failing_nr; i++)
		failure(&json, report, &result->failing[i]);
	json_close_array(&json);
	json_open_array(&json, "syncs");
	for (size_t i = 0; i < result->syncs_nr; i++)
		sync_verdict(&json, report, &result->syncs[i]);
	json_close_array(&json);
	json_open_array(&json, "notes");
	for (uint32_t i = 0; i < report->nr_warnings; i++)
		json_string(&json, NULL, report->warnings[i]);
	json_close_array(&json);
	json_close_object(&json);
	return json_end(&json) < 0 ? CLI_IO : CLI_DONE;
}

/* The report as one JSON object; docs/json/probe.md is its description. */
#include <string.h>

#include "tools/json.h"
#include "tools/probe/machine.h"
#include "tools/probe/report.h"

static void text_or_null(struct json_writer *json, const char *key, const char *value)
{
	json_string(json, key, value[0] ? value : NULL);
}

static void write_machine(struct json_writer *json, const struct place *place)
{
	struct machine machine;

	machine_look(&machine);
	json_open_object(json, "machine");
	json_string(json, "kernel", machine.name.release);
	json_string(json, "architecture", machine.name.machine);
	json_int(json, "cpus", machine.cpus);
	json_uint(json, "memory_bytes", machine.memory_bytes);
	json_bool(json, "virtual", machine.hypervisor);
	text_or_null(json, "container", machine.container);
	json_uint(json, "uid", machine.uid);
	json_bool(json, "privileged", machine.capable);
	json_string(json, "path_kind", place->kind);
	json_string(json, "file_system", place->fs);
	json_string(json, "mount_point", place->mount_point);
	json_string(json, "mount_options", place->options);
	json_string(json, "source", place->source);
	text_or_null(json, "device", place->device);
	json_close_object(json);
}

static void write_check(struct json_writer *json, const struct check *check)
{
	json_open_object(json, NULL);
	json_string(json, "id", check->id);
	json_format(json, "topic", "%.*s", (int)strcspn(check->id, "."), check->id);
	json_string(json, "title", check->title);
	json_string(json, "status", check_status_name(check->status));
	json_bool(json, "broken", check->broken);
	json_string(json, "evidence", check->evidence);
	text_or_null(json, "remedy", check->remedy);
	if (check->cost_ns)
		json_uint(json, "cost_ns", check->cost_ns);
	else
		json_null(json, "cost_ns");
	json_close_object(json);
}

static void write_answer(struct json_writer *json, const struct answer *answer)
{
	json_open_object(json, NULL);
	if (answer->produced)
		json_int(json, "returned", answer->returned);
	else
		json_null(json, "returned");
	json_bool(json, "produced", answer->produced);
	json_string(json, "values", answer->values);
	json_string(json, "how", answer->how);
	json_string(json, "why", answer->why);
	json_string(json, "file_system", answer->file_system);
	json_close_object(json);
}

static void write_challenge(struct json_writer *json, const struct challenge *challenge)
{
	json_open_array(json, "challenge");
	for (size_t i = 0; i < challenge->nr; i++)
		write_answer(json, &challenge->v[i]);
	json_close_array(json);
	json_open_array(json, "challenge_not_tried");
	for (size_t i = 0; i < challenge->missing_nr; i++)
		json_string(json, NULL, challenge->missing[i]);
	json_close_array(json);
	json_open_array(json, "challenge_not_seen");
	for (size_t i = 0; i < challenge->unseen_nr; i++)
		json_string(json, NULL, challenge->unseen[i]);
	json_close_array(json);
}

int report_json(const struct probe *probe, const struct challenge *challenge)
{
	struct json_writer json;

	json_begin(&json, stdout);
	json_open_object(&json, NULL);
	json_string(&json, "path", probe->place.path);
	write_machine(&json, &probe->place);
	json_open_array(&json, "checks");
	for (size_t i = 0; i < probe->checks.nr; i++)
		write_check(&json, &probe->checks.v[i]);
	json_close_array(&json);
	if (challenge)
		write_challenge(&json, challenge);
	json_close_object(&json);
	return json_end(&json);
}

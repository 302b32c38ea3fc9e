/* report_json.c: the run as one JSON object; docs/json/bench.md describes every member. */
#include <math.h>

#include "tools/json.h"

#include "advice.h"
#include "report.h"

static void text(struct json_writer *j, const char *key, const char *value)
{
	json_string(j, key, *value ? value : NULL);
}

/* @scale: 10 keeps one digit after the point. */
static void rounded(struct json_writer *j, const char *key, double v, double scale)
{
	json_double(j, key, isfinite(v) ? round(v * scale) / scale : NAN);
}

static void noise(struct json_writer *j, const struct noise *n)
{
	json_open_object(j, "noise");
	json_double(j, "cpu_pressure", n->cpu_pressure);
	json_double(j, "io_pressure", n->io_pressure);
	json_double(j, "steal", n->steal);
	json_double(j, "seconds", n->seconds);
	json_close_object(j);
}

static void machine(struct json_writer *j, const struct report *r)
{
	const struct bench_machine *m = &r->machine;

	json_open_object(j, "machine");
	text(j, "kernel", m->kernel);
	text(j, "cpu", m->cpu);
	json_uint(j, "cores", m->cores);
	json_uint(j, "memory_bytes", m->memory_bytes);
	if (m->memlock_bytes == UINT64_MAX)
		json_null(j, "memlock_bytes");
	else
		json_uint(j, "memlock_bytes", m->memlock_bytes);
	text(j, "file_system", m->file_system);
	text(j, "mount_options", m->mount_options);
	text(j, "mount_point", m->mount_point);
	text(j, "journal", m->journal);
	json_open_object(j, "device");
	text(j, "name", m->device);
	text(j, "scheduler", m->scheduler);
	text(j, "write_cache", m->write_cache);
	json_uint(j, "logical_block_bytes", m->logical_block_bytes);
	json_uint(j, "read_ahead_kib", m->read_ahead_kib);
	json_bool(j, "rotational", m->rotational == 1);
	json_close_object(j);
	json_double(j, "load", m->load);
	noise(j, &r->noise);
	json_close_object(j);
}

static void interval(struct json_writer *j, const char *key, const struct stats_interval *i)
{
	if (i->nr == 0) {
		json_null(j, key);
		return;
	}
	json_open_object(j, key);
	json_double(j, "median", i->median);
	json_double(j, "low", i->low);
	json_double(j, "high", i->high);
	json_close_object(j);
}

static void series(struct json_writer *j, const char *key, const struct field *f, size_t idx,
		   bool wall)
{
	double v[FIELD_ROUNDS_MAX];

	field_series(f, idx, wall, v);
	json_open_array(j, key);
	for (size_t r = 0; r < f->rounds; r++) {
		if (!isnan(v[r]))
			rounded(j, NULL, v[r], 10);
	}
	json_close_array(j);
}

static const char *status_word(enum contender_status status)
{
	return status == CONTENDER_RAN ? "ran" : status == CONTENDER_VOID ? "void" : "unavailable";
}

static const char *mode_word(const struct contender *c)
{
	if (c->work->kind != WORKLOAD_BLOCKS)
		return NULL;
	return c->mode == MODE_DIRECT	 ? "direct" :
	       c->mode == MODE_DONTCACHE ? "dontcache" :
					   "buffered";
}

/* How the number of copies is known. */
static const char *evidence_word(enum contender_evidence evidence)
{
	static const char *const words[] = {
		[COPIES_REASONED] = "reasoned",
		[COPIES_SEEN] = "seen",
		[COPIES_REPORTED] = "reported",
		[COPIES_COUNTED] = "counted",
	};

	return words[evidence];
}

/* What only those have that send something to somebody. */
static void sent(struct json_writer *j, const struct field *f, size_t idx)
{
	const struct score *s = &f->scores[idx];
	double bytes = f->work.block_bytes;

	json_string(j, "copies_evidence", evidence_word(f->contenders[idx].evidence));
	rounded(j, "cpu_s_per_gb", s->cpu_ns.median / bytes, 1e6);
	rounded(j, "receiver_cpu_ns_per_op", s->receiver_ns, 10);
	rounded(j, "receiver_cpu_s_per_gb", s->receiver_ns / bytes, 1e6);
}

static void measured(struct json_writer *j, const struct field *f, size_t idx)
{
	const struct contender *c = &f->contenders[idx];
	const struct score *s = &f->scores[idx];

	json_uint(j, "rank", s->rank);
	json_string(j, "verdict", (int)idx == f->best ? "best" : stats_verdict_word(s->verdict));
	rounded(j, "ops_per_s", s->ops_per_s, 10);
	rounded(j, "cpu_ns_per_op", s->cpu_ns.median, 10);
	interval(j, "cpu_ns_interval", &s->cpu_ns);
	rounded(j, "wall_ns_per_op", s->wall_ns.median, 10);
	json_double(j, "p50_ns", s->p50_ns);
	json_double(j, "p99_ns", s->p99_ns);
	json_double(j, "p999_ns", s->p999_ns);
	json_uint(j, "latency_samples", c->latency->count);
	rounded(j, "syscalls_per_op", s->calls, 10000);
	rounded(j, "switches_per_op", s->switches, 10000);
	rounded(j, "page_cache_bytes", s->cache_bytes, 1);
	json_double(j, "bytes_copied_per_byte", c->copies);
	interval(j, "ratio_to_best", &s->ratio);
	interval(j, "wall_ratio_to_best", &s->wall_ratio);
	json_uint(j, "ops_per_block", c->block_ops);
	json_uint(j, "rounds", s->cpu_ns.nr);
	json_bool(j, "dropped_early", c->dropped);
	if (c->work->kind == WORKLOAD_BLOCKS && c->mode == MODE_DIRECT)
		json_bool(j, "direct_proven", !c->unproven);
	if (c->work->kind == WORKLOAD_SEND)
		sent(j, f, idx);
	series(j, "cpu_ns_rounds", f, idx, false);
	series(j, "wall_ns_rounds", f, idx, true);
}

/* What was not measured is null, not left out: readers need no special case. */
static void unmeasured(struct json_writer *j)
{
	static const char *const keys[] = {
		"rank",
		"verdict",
		"ops_per_s",
		"cpu_ns_per_op",
		"p50_ns",
		"p99_ns",
		"p999_ns",
		"syscalls_per_op",
		"page_cache_bytes",
		"bytes_copied_per_byte",
		"ratio_to_best",
		"wall_ratio_to_best",
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		json_null(j, keys[i]);
}

static void one_contender(struct json_writer *j, const struct field *f, size_t idx)
{
	const struct contender *c = &f->contenders[idx];
	char reason[512];

	json_open_object(j, NULL);
	json_string(j, "name", c->name);
	json_string(j, "mechanism", c->mech->name);
	json_uint(j, "depth", c->depth);
	json_string(j, "mode", mode_word(c));
	json_string(j, "status", status_word(c->status));
	text(j, "reason", advice_reason(f, idx, reason, sizeof(reason)));
	json_string(j, "about", c->mech->about);
	text(j, "settings", c->settings);
	if (f->scores[idx].rank)
		measured(j, f, idx);
	else
		unmeasured(j);
	json_close_object(j);
}

static void recommendation(struct json_writer *j, const struct field *f)
{
	struct advice a;

	advice_give(f, &a);
	json_open_object(j, "advice");
	text(j, "choose", a.choose);
	text(j, "because", a.because);
	text(j, "unless", a.but);
	text(j, "faster", a.next);
	text(j, "noise", a.noise);
	json_close_object(j);
}

static void workload(struct json_writer *j, const struct field *f)
{
	static const char *const states[] = { "quiet", "wall clock noisy", "too noisy" };

	json_open_object(j, NULL);
	json_string(j, "name", f->work.name);
	json_string(j, "title", f->work.title);
	json_uint(j, "block_bytes", f->work.block_bytes);
	json_uint(j, "write_percent", f->work.write_percent);
	text(j, "setting", f->setting);
	json_string(j, "best", f->best >= 0 ? f->contenders[f->best].name : NULL);
	json_string(j, "verdict", f->best >= 0 ? stats_verdict_word(f->verdict) : "none");
	recommendation(j, f);
	json_uint(j, "rounds", f->rounds);
	json_uint(j, "rounds_disturbed", f->nr_disturbed);
	json_uint(j, "block_target_ns", f->block_ns);
	json_string(j, "state", states[f->state]);
	json_double(j, "cpu_spread", f->cpu_spread);
	json_double(j, "wall_spread", f->wall_spread);
	noise(j, &f->noise);
	json_open_array(j, "contenders");
	for (size_t i = 0; i < f->nr; i++)
		one_contender(j, f, f->order[i]);
	json_close_array(j);
	json_close_object(j);
}

int bench_report_json(FILE *out, const struct report *r)
{
	struct json_writer j;

	json_begin(&j, out);
	json_open_object(&j, NULL);
	json_string(&j, "tool", "sluice bench");
	json_string(&j, "version", SLUICE_VERSION);
	json_uint(&j, "schema", 1);
	json_string(&j, "command", r->command);
	json_string(&j, "path", r->path);
	json_uint(&j, "file_bytes", r->file_bytes);
	json_uint(&j, "seed", r->seed);
	json_double(&j, "seconds", r->seconds);
	machine(&j, r);
	json_open_array(&j, "workloads");
	for (size_t i = 0; i < r->nr; i++)
		workload(&j, &r->fields[i]);
	json_close_array(&j);
	json_close_object(&j);
	return json_end(&j);
}

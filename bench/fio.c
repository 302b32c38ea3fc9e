/* fio.c: a command line, and the few numbers wanted from the JSON that comes back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fio.h"

#define ANSWER_MAX (1 << 20)

static FILE *call(const char *options)
{
	const char *peer = getenv("BENCH_PEER");
	char line[2048];

	snprintf(line, sizeof(line), "exec %s fio %s", peer ? peer : "", options);
	return popen(line, "re");
}

bool fio_found(void)
{
	FILE *f = call("--version 2>/dev/null");
	char word[4] = "";

	if (f && !fgets(word, sizeof(word), f))
		word[0] = '\0';
	return f && !pclose(f) && !strcmp(word, "fio");
}

/* The number of the first member with this key behind a place in the text. */
static double number_behind(const char *text, const char *key)
{
	const char *at = text ? strstr(text, key) : NULL;

	at = at ? strchr(at, ':') : NULL;
	return at ? strtod(at + 1, NULL) : NAN;
}

static int parse(const char *text, struct pairs_cost *ret_cost)
{
	const char *job = strstr(text, "\"jobs\"");
	const char *read = job ? strstr(job, "\"read\"") : NULL;
	double ms = number_behind(read, "\"runtime\"");
	double ops = number_behind(read, "\"total_ios\"");
	double cpu = number_behind(job, "\"usr_cpu\"") + number_behind(job, "\"sys_cpu\"");
	double job_ms = number_behind(job, "\"job_runtime\"");

	if (!(ops > 0) || !(cpu > 0) || !(job_ms > 0))
		return -1;
	ret_cost->wall_ns = ms * 1e6 / ops;
	ret_cost->cpu_ns = cpu / 100 * job_ms * 1e6 / ops;
	return 0;
}

int fio_run(void *ctx, struct pairs_cost *ret_cost)
{
	static char answer[ANSWER_MAX];
	const struct fio_job *job = ctx;
	FILE *f = call(job->options);
	size_t len;

	if (!f)
		return -1;
	len = fread(answer, 1, sizeof(answer) - 1, f);
	answer[len] = '\0';
	return pclose(f) ? -1 : parse(answer, ret_cost);
}

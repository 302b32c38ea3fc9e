/* output.c: the end of a run: tables, files, the comparison with an earlier one, the exit code. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/cli.h"

#include "compare.h"
#include "output.h"

/* -- files --------------------------------------------------------------------------------- */

static int check_path(const char *path)
{
	char parent[4096];
	char *slash;

	if (!path || access(path, W_OK) == 0)
		return CLI_DONE;
	if (errno != ENOENT)
		return cli_fail_errno(path, errno, NULL);
	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash)
		slash[slash == parent] = '\0';
	if (access(slash ? parent : ".", W_OK | X_OK) < 0)
		return cli_fail_errno(path, errno,
				      errno == ENOENT ? "its directory does not exist" : NULL);
	return CLI_DONE;
}

int output_check(const struct output *o)
{
	int err = check_path(o->html_path);

	return err ? err : check_path(o->save_path);
}

static int write_to(const char *path, const struct report *r,
		    int (*write_report)(FILE *out, const struct report *r))
{
	FILE *out = fopen(path, "we");
	int err;

	if (!out)
		return cli_fail_errno(path, errno, NULL);
	errno = 0;
	err = write_report(out, r) ? errno ? errno : EIO : 0;
	if (fclose(out) != 0 && !err)
		err = errno ? errno : EIO;
	return err ? cli_fail_errno(path, err, NULL) : CLI_DONE;
}

/* -- comparison ---------------------------------------------------------------------------- */

/* The run as a saved one would be read back. */
static int as_saved(const struct report *r, struct jsonread **ret_run)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int err;

	if (!out)
		return -ENOMEM;
	err = bench_report_json(out, r);
	if (fclose(out) != 0 && !err)
		err = -ENOMEM;
	if (!err)
		err = jsonread_parse(text, len, ret_run);
	free(text);
	return err;
}

static int load_run(const char *path, struct jsonread **ret_run)
{
	int err = compare_load(path, ret_run);

	if (err == -EILSEQ || err == -E2BIG || err == -EBADMSG)
		return cli_fail(CLI_USAGE, path, "not a saved run of this version",
				"name a file written by `sluice bench --save`");
	return err ? cli_fail_errno(path, err, NULL) : CLI_DONE;
}

int output_load(struct output *o)
{
	return o->compare_path ? load_run(o->compare_path, &o->before) : CLI_DONE;
}

static int say_changes(const struct output *o, const struct jsonread *before,
		       const struct jsonread *after)
{
	bool worse = false;

	if (!o->json)
		worse = compare_print(stdout, before, after);
	else if (compare_json(stdout, before, after, &worse) < 0)
		return CLI_IO;
	return worse ? CLI_BAD : CLI_DONE;
}

int output_compare(struct output *o, const char *after_path)
{
	struct jsonread *after = NULL;
	int code = output_load(o);

	if (code == CLI_DONE)
		code = load_run(after_path, &after);
	if (code == CLI_DONE)
		code = say_changes(o, o->before, after);
	jsonread_free(after);
	return code;
}

static int compare_with_saved(const struct output *o, const struct report *r)
{
	struct jsonread *after = NULL;
	int err = as_saved(r, &after), code;

	if (err)
		return cli_fail_errno("--compare", err, NULL);
	if (!o->json)
		putchar('\n');
	code = say_changes(o, o->before, after);
	jsonread_free(after);
	return code;
}

/* -- the end of a run ---------------------------------------------------------------------- */

/* Bad news: not one workload came to an answer. */
static int verdict_of_run(const struct report *r)
{
	for (size_t i = 0; i < r->nr; i++) {
		const struct field *f = &r->fields[i];

		if (f->best >= 0 && f->state != FIELD_TOO_NOISY)
			return CLI_DONE;
	}
	return CLI_BAD;
}

int output_write(const struct output *o, const struct report *r)
{
	int err = CLI_DONE;

	/* What went wrong with the output is said by cli_finish(). */
	if (o->json && !o->before)
		err = bench_report_json(stdout, r) ? CLI_IO : CLI_DONE;
	else if (!o->json)
		bench_report_table_foot(stdout, r);
	if (!err && o->save_path)
		err = write_to(o->save_path, r, bench_report_json);
	if (!err && o->html_path)
		err = write_to(o->html_path, r, bench_report_html);
	if (!err && o->before)
		return compare_with_saved(o, r);
	return err ? err : verdict_of_run(r);
}

/* SPDX-License-Identifier: MIT */
/*
 * explain.c - failures as people read them: the least that was lost, why, what would help.
 *
 *	a failing state --again, fresh--> still failing
 *	    --nothing lost at all?--> the program is not atomic there
 *	    --shrink--> the least loss --what must it come before?--> an ack, or an op that survives
 *
 * A failing state that has lost all that an explained one has is taken for the same
 * failure, as are prefixes that follow one another.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "crash/law.h"
#include "crash/loss.h"
#include "crash/strikes.h"

#define LOST_MAX	 32
#define LINE_BYTES	 4600
#define EXPLAIN_LEAST_NS UINT64_C(20000000000)

/* ---- what was lost, in words -------------------------------------------------------- */

/* Elements of one op among the lost. */
struct part {
	const struct crash_op *op;
	bool whole;
	unsigned data, sizes;
};

static struct part part_of(const struct explorer *explorer, const struct loss *loss, uint64_t seq)
{
	struct part part = { .op = crash_trace_op(explorer->trace, seq - 1),
			     .whole = loss_is_whole(loss, seq) };

	for (size_t i = 0; i < loss->nr; i++) {
		const struct element *element = &loss->elements[i];

		if (element->seq == seq && element->lost) {
			part.data += element->kind == MODEL_DATA;
			part.sizes += element->kind == MODEL_SIZE;
		}
	}
	return part;
}

static bool is_data_whole(const struct loss *loss, uint64_t seq)
{
	for (size_t i = 0; i < loss->nr; i++) {
		const struct element *element = &loss->elements[i];

		if (element->seq == seq && element->kind == MODEL_DATA && !element->lost)
			return false;
	}
	return true;
}

static bool is_torn(const struct loss *loss, const struct part *part)
{
	return part->data && !is_data_whole(loss, part->op->seq);
}

static char *say_lost(const struct explorer *explorer, const struct loss *loss, uint64_t seq)
{
	struct part part = part_of(explorer, loss, seq);
	char line[LINE_BYTES], *text;
	int res;

	crash_words_of(explorer->words, seq, line, sizeof(line));
	if (part.whole)
		return strdup(line);
	if (is_torn(loss, &part))
		res = asprintf(&text, "%u sector%s of %s", part.data, part.data == 1 ? "" : "s",
			       line);
	else if (part.data)
		res = asprintf(&text, "the data, not the size, of %s", line);
	else if (part.sizes)
		res = asprintf(&text, "the size of %s", line);
	else
		res = asprintf(&text, "half of %s", line);
	return res < 0 ? NULL : text;
}

static int list_lost(const struct explorer *explorer, const struct loss *loss,
		     struct crash_failure *failure)
{
	uint64_t last = 0;

	failure->lost = calloc(LOST_MAX, sizeof(char *));
	failure->lost_ops = calloc(LOST_MAX, sizeof(uint64_t));
	if (!failure->lost || !failure->lost_ops)
		return -ENOMEM;
	for (size_t i = 0; i < loss->nr && failure->lost_nr < LOST_MAX; i++) {
		const struct element *element = &loss->elements[i];

		if (!element->lost || element->seq == last)
			continue;
		last = element->seq;
		failure->lost_ops[failure->lost_nr] = last;
		failure->lost[failure->lost_nr] = say_lost(explorer, loss, last);
		if (!failure->lost[failure->lost_nr])
			return -ENOMEM;
		failure->lost_nr++;
	}
	return 0;
}

/* ---- what it must come before ------------------------------------------------------- */

enum cause {
	ITSELF,
	AN_ACK,
	AN_OP
};

/* The fewest acks with which the state fails that ends with the loss. */
static int find_ack(struct loss *loss, struct explorer *explorer, uint64_t cut,
		    struct crash_failure *failure, enum cause *ret_cause)
{
	uint64_t low = acks_until(&explorer->acks, cut), high = loss->acks_nr;
	bool failed;
	int err;

	*ret_cause = ITSELF;
	if (low == high || explorer->acks_are_fixed)
		return 0;
	err = loss_test(loss, explorer, cut, low, &failed);
	if (err || failed)
		return err;
	while (!err && high - low > 1) {
		uint64_t middle = (low + high) / 2;

		err = loss_test(loss, explorer, cut, middle, &failed);
		if (failed)
			high = middle;
		else
			low = middle;
	}
	failure->before_op = explorer->acks.seqs[high - 1];
	*ret_cause = AN_ACK;
	return err;
}

/* The first op after the loss whose survival makes it a failure. */
static int find_op(struct loss *loss, struct explorer *explorer, uint64_t cut,
		   struct crash_failure *failure, enum cause *ret_cause)
{
	uint64_t low = cut, high = loss->point;
	int err = 0;

	while (!err && high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		bool failed;

		err = loss_test(loss, explorer, middle, loss->acks_nr, &failed);
		if (failed)
			high = middle;
		else
			low = middle;
	}
	failure->before_op = high;
	*ret_cause = AN_OP;
	return err;
}

static int find_cause(struct loss *loss, struct explorer *explorer, struct crash_failure *failure,
		      enum cause *ret_cause)
{
	uint64_t cut = loss_last_seq(loss);
	bool failed;
	int err = loss_test(loss, explorer, cut, loss->acks_nr, &failed);

	*ret_cause = ITSELF;
	if (err)
		return err;
	if (failed)
		return find_ack(loss, explorer, cut, failure, ret_cause);
	return find_op(loss, explorer, cut, failure, ret_cause);
}

/* ---- what would help ---------------------------------------------------------------- */

static bool is_name_op(const struct crash_op *op)
{
	return op->dir != 0;
}

/* Whether one is among those that " and " joins; the path of one may begin another's. */
static bool is_among(const char *text, const char *one)
{
	size_t len = strlen(one);

	for (text = strstr(text, one); text; text = strstr(text + 1, one)) {
		if (!text[len] || strncmp(text + len, " and ", 5) == 0)
			return true;
	}
	return false;
}

/* Appends "fsync of PATH" unless it is there already. */
static void add_sync(char *text, size_t bytes, const char *call, const char *path)
{
	char one[LINE_BYTES];
	size_t at = strlen(text);

	snprintf(one, sizeof(one), "%s of %s", call, *path ? path : "/");
	if (!is_among(text, one))
		snprintf(text + at, bytes - at, "%s%s", at ? " and " : "", one);
}

static char *say_missing(const struct explorer *explorer, const struct crash_failure *failure,
			 enum cause cause)
{
	char text[4 * LINE_BYTES] = "", line[LINE_BYTES], *all;
	int res;

	for (size_t i = 0; i < failure->lost_nr; i++) {
		uint64_t seq = failure->lost_ops[i];
		const struct crash_op *op = crash_trace_op(explorer->trace, seq - 1);

		if (!is_name_op(op)) {
			bool is_write = op->code == CRASH_WRITE;

			add_sync(text, sizeof(text), is_write ? "fdatasync" : "fsync",
				 crash_words_path(explorer->words, seq));
			continue;
		}
		add_sync(text, sizeof(text), "fsync", crash_words_dir(explorer->words, seq));
		if (op->dir2)
			add_sync(text, sizeof(text), "fsync",
				 crash_words_dir2(explorer->words, seq));
	}
	if (cause == ITSELF)
		return NULL;
	crash_words_of(explorer->words, failure->before_op, line, sizeof(line));
	res = asprintf(&all, "%s before %s%s", text, cause == AN_ACK ? "the " : "", line);
	return res < 0 ? NULL : all;
}

static const char *find_law(const struct explorer *explorer, const struct loss *loss,
			    const struct crash_failure *failure, bool garbage)
{
	struct law_case law_case = { 0 };
	struct part part;

	if (garbage)
		return law_of_garbage();
	if (!failure->lost_nr && failure->point == explorer->first && !explorer->outer_id)
		return law_of_base();
	if (!failure->lost_nr)
		return strikes_law(explorer->trace, failure->point);
	part = part_of(explorer, loss, failure->lost_ops[0]);
	law_case.op = part.op;
	law_case.torn = is_torn(loss, &part);
	law_case.is_size = part.sizes && !part.data;
	law_case.is_data = part.data && !part.sizes;
	law_case.later_kept = loss->nr && !loss->elements[loss->nr - 1].lost;
	for (uint64_t seq = loss_last_seq(loss) + 1; seq <= failure->point; seq++)
		law_case.later_kept |= is_sync_op(crash_trace_op(explorer->trace, seq - 1));
	return law_of(explorer->profile, &law_case);
}

/* ---- one failure -------------------------------------------------------------------- */

/* The numbers of what is lost, as far as an id holds them. */
static bool lost_spec(const struct loss *loss, struct spec *spec)
{
	struct spec lost = { .dropped = spec->dropped, .point = spec->point, .class = CRASH_LOST };

	if (loss_nr(loss) > SPEC_NUMBERS_MAX)
		return false;
	for (size_t i = 0; i < loss->nr; i++) {
		if (loss->elements[i].lost)
			lost.numbers[lost.nr++] = loss->elements[i].number;
	}
	if (!lost.nr) {
		lost.class = CRASH_PREFIX;
		lost.numbers[0] = loss->nr;
		lost.nr = 1;
	}
	*spec = lost;
	return true;
}

static char *full_id(const struct explorer *explorer, const struct spec *spec)
{
	char id[CRASH_ID_MAX], *text;

	explorer_id(explorer, spec, id, sizeof(id));
	if (!explorer->outer_id)
		return strdup(id);
	return asprintf(&text, "%s:%s", explorer->outer_id,
			id + strlen(explorer->profile->name) + 1) < 0 ?
		       NULL :
		       text;
}

/* The state as it is told, kept if that is wanted. */
static int keep_state(struct explorer *explorer, uint64_t acks_nr, struct crash_failure *failure)
{
	struct place *place = NULL;
	char acks[4600], *dir;
	int err;

	if (!explorer->opts.keep)
		return 0;
	if (mkdir(explorer->opts.keep, 0755) && errno != EEXIST)
		return explorer_fail(explorer, -errno, "%s: %s", explorer->opts.keep,
				     strerror(errno));
	if (asprintf(&dir, "%s/%s", explorer->opts.keep, failure->id) < 0)
		return -ENOMEM;
	failure->dir = dir;
	snprintf(acks, sizeof(acks), "%s.acks", failure->dir);
	remove_tree(failure->dir);
	err = mkdir(failure->dir, 0755) ? -errno : 0;
	if (!err)
		err = place_create_at(failure->dir, acks, &place);
	if (!err)
		err = place_make(place, &explorer->maker.state, &explorer->maker.view,
				 &explorer->acks, acks_nr, explorer->opts.ignore);
	place_destroy(place);
	return err ? explorer_fail(explorer, err, "%s: %s", failure->dir, strerror(-err)) : 0;
}

/* Run once more by a fresh process, for its output; false: it is fine after all. */
static int confirm(struct explorer *explorer, const struct spec *spec,
		   struct crash_failure *failure, bool *ret_failed)
{
	struct check_verdict *verdict = calloc(1, sizeof(*verdict));
	uint64_t acks_nr = explorer_acks(explorer, spec->point);
	char words[80];
	int err = verdict ? maker_make(&explorer->maker, spec) : -ENOMEM;

	if (!err)
		err = explorer_test(explorer, acks_nr, ret_failed, verdict);
	if (!err && *ret_failed) {
		check_words(verdict, explorer->opts.timeout_ns, words, sizeof(words));
		failure->verdict = strdup(words);
		failure->checker_output = strdup(verdict->output);
		failure->id = full_id(explorer, spec);
		if (!failure->verdict || !failure->checker_output || !failure->id)
			err = -ENOMEM;
		if (!err)
			err = keep_state(explorer, acks_nr, failure);
	}
	free(verdict);
	return err;
}

/* As small as it gets: loss holds it; its cause is known. */
static int shrink(struct explorer *explorer, struct loss *loss, struct crash_failure *failure,
		  enum cause *ret_cause)
{
	struct element *all = NULL;
	bool failed;
	int err;

	*ret_cause = ITSELF;
	if (!loss_nr(loss))
		return 0;
	all = calloc(loss->nr, sizeof(*all));
	if (!all)
		return -ENOMEM;
	memcpy(all, loss->elements, loss->nr * sizeof(*all));
	for (size_t i = 0; i < loss->nr; i++)
		loss->elements[i].lost = false;
	err = loss_test(loss, explorer, UINT64_MAX, loss->acks_nr, &failed);
	if (!err && !failed) {
		memcpy(loss->elements, all, loss->nr * sizeof(*all));
		err = loss_shrink(loss, explorer);
		if (!err)
			err = find_cause(loss, explorer, failure, ret_cause);
	}
	free(all);
	return err;
}

static int explain(struct explorer *explorer, struct loss *loss, struct spec *spec,
		   struct crash_failure *failure)
{
	bool garbage = spec->class == CRASH_GARBAGE;
	enum cause cause = ITSELF;
	int err = 0;

	if (!explorer->opts.no_explain && !garbage) {
		err = shrink(explorer, loss, failure, &cause);
		if (!err)
			lost_spec(loss, spec);
	}
	if (!err)
		err = list_lost(explorer, loss, failure);
	if (!err)
		err = strikes_list(explorer, failure);
	if (err)
		return err;
	failure->missing_sync = say_missing(explorer, failure, cause);
	failure->why_legal = strdup(find_law(explorer, loss, failure, garbage));
	return failure->why_legal ? 0 : -ENOMEM;
}

/* ---- the same failure again --------------------------------------------------------- */

static bool has_lost(const struct loss *loss, uint64_t seq)
{
	for (size_t i = 0; i < loss->nr; i++) {
		if (loss->elements[i].seq == seq && loss->elements[i].lost)
			return true;
	}
	return false;
}

static bool is_same(const struct crash_failure *failure, const struct loss *loss)
{
	if (!failure->lost_nr || failure->point > loss->point)
		return false;
	for (size_t i = 0; i < failure->lost_nr; i++) {
		if (!has_lost(loss, failure->lost_ops[i]))
			return false;
	}
	return true;
}

static struct crash_failure *find_same(struct explorer *explorer, const struct spec *spec,
				       const struct loss *loss)
{
	for (size_t i = 0; i < explorer->result->failing_nr; i++) {
		struct crash_failure *failure = &explorer->result->failing[i];

		if (is_same(failure, loss))
			return failure;
		/* The next point of a row of them. */
		if (!failure->lost_nr && !loss_nr(loss) && spec->class == CRASH_PREFIX &&
		    failure->point + failure->states == spec->point)
			return failure;
	}
	return NULL;
}

/* What shrinking came to may have been told already. */
static struct crash_failure *find_told(struct explorer *explorer,
				       const struct crash_failure *failure)
{
	for (size_t i = 0; i < explorer->result->failing_nr; i++) {
		struct crash_failure *told = &explorer->result->failing[i];

		if (told->lost_nr == failure->lost_nr && told->before_op == failure->before_op &&
		    memcmp(told->lost_ops, failure->lost_ops,
			   failure->lost_nr * sizeof(uint64_t)) == 0 &&
		    (failure->lost_nr || told->point == failure->point))
			return told;
	}
	return NULL;
}

static int add_failure(struct explorer *explorer, const struct crash_failure *failure)
{
	struct crash_result *result = explorer->result;
	struct crash_failure *more =
		realloc(result->failing, (result->failing_nr + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	result->failing = more;
	more[result->failing_nr++] = *failure;
	return 0;
}

static int tell(struct explorer *explorer, const struct spec *found, struct loss *loss,
		unsigned *unconfirmed)
{
	struct crash_failure failure = { .class = found->class,
					 .point = found->point,
					 .states = 1 };
	struct spec spec = *found;
	struct crash_failure *told;
	bool failed = false;
	int err = explain(explorer, loss, &spec, &failure);

	told = err ? NULL : find_told(explorer, &failure);
	if (told) {
		told->states++;
		crash_failure_release(&failure);
		return 0;
	}
	failure.found_id = full_id(explorer, found);
	if (!err)
		err = confirm(explorer, &spec, &failure, &failed);
	if (!err && !failed)
		++*unconfirmed;
	if (!err && failed)
		err = add_failure(explorer, &failure);
	if (err || !failed)
		crash_failure_release(&failure);
	return err;
}

static int explain_one(struct explorer *explorer, const struct spec *spec, unsigned *unconfirmed,
		       unsigned *untold)
{
	struct crash_failure *same;
	struct loss loss;
	int err = maker_make(&explorer->maker, spec);

	if (!err)
		err = loss_make(&loss, explorer, spec->point);
	if (err)
		return err;
	same = find_same(explorer, spec, &loss);
	if (same)
		same->states++;
	else if (explorer->result->failing_nr >= explorer->opts.failing_max ||
		 (explorer->result->failing_nr && !explorer_has_time(explorer)))
		++*untold;
	else
		err = tell(explorer, spec, &loss, unconfirmed);
	loss_release(&loss);
	return err;
}

/* As long as exploring took, and no less than some seconds: a checker may be slow. */
static uint64_t explain_until(const struct explorer *explorer)
{
	struct timespec ts;
	uint64_t now, took;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	took = now - explorer->start_ns;
	return now + (took > EXPLAIN_LEAST_NS ? took : EXPLAIN_LEAST_NS);
}

static int compare_raw(const void *a, const void *b)
{
	const struct raw *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

/* That is a matter between the checker and the directory. */
static void note_base(struct explorer *explorer)
{
	for (size_t i = 0; i < explorer->result->failing_nr; i++) {
		const struct crash_failure *failure = &explorer->result->failing[i];

		if (failure->lost_nr || failure->point != explorer->first || explorer->outer_id)
			continue;
		explorer_note(explorer,
			      "the checker refuses the directory as it was before the program ran, "
			      "which is no bug of the program: let the checker accept it, or "
			      "prepare the directory before the recording");
		return;
	}
}

int explain_all(struct explorer *explorer)
{
	unsigned unconfirmed = 0, untold = 0;
	uint64_t until_ns = explorer->until_ns;
	int err = 0;

	explorer->phase = "explain";
	explorer->until_ns = explain_until(explorer);
	qsort(explorer->raw, explorer->raw_nr, sizeof(*explorer->raw), compare_raw);
	for (size_t i = 0; i < explorer->raw_nr && !err; i++) {
		if (explorer->opts.stop && *explorer->opts.stop)
			break;
		err = explain_one(explorer, &explorer->raw[i].spec, &unconfirmed, &untold);
	}
	explorer->until_ns = until_ns;
	note_base(explorer);
	if (explorer->opts.stop && *explorer->opts.stop)
		explorer->result->stopped = true;
	if (unconfirmed) {
		explorer->result->failed -= unconfirmed;
		explorer_note(explorer,
			      "%u failing states were fine when the checker was run again: it does "
			      "not always answer the same",
			      unconfirmed);
	}
	if (untold)
		explorer_note(explorer, "%u more failing states are counted and not told", untold);
	return err == -ECANCELED ? 0 : err;
}

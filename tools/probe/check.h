/* A check: one thing that was tried, how it went, the evidence, and what to do about it. */
#ifndef PROBE_CHECK_H
#define PROBE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum check_status {
	CHECK_UNKNOWN, /* it could not be tried, or trying it proved nothing */
	CHECK_YES,
	CHECK_PARTLY,
	CHECK_NO
};

/**
 * struct check - one line of the report.
 * @id: "topic.noun", unique; the part before the first dot is the topic. Static string.
 * @title: for people. Static string.
 * @status: the answer; CHECK_UNKNOWN until somebody knows better.
 * @broken: something every Linux system promises failed here: the run ends with exit code 1.
 * @skipped: there was nothing to try it on; stays unknown.
 * @cost_ns: median cost of one call, 0 when it was not measured.
 * @evidence: what was seen.
 * @remedy: the command or setting that changes the answer; "" when there is none.
 */
struct check {
	const char *id;
	const char *title;
	enum check_status status;
	bool broken;
	bool skipped;
	uint64_t cost_ns;
	char evidence[512];
	char remedy[384];
};

/* Far above the number of checks there are; adding one more asserts. */
#define CHECK_MAX 192

struct check_list {
	size_t nr;
	struct check v[CHECK_MAX];
};

/* Begin a check as unknown. The pointer stays valid as long as the list. */
struct check *check_add(struct check_list *list, const char *id, const char *title);

/* The check with this id, or NULL. */
const struct check *check_find(const struct check_list *list, const char *id);

/* Its status; CHECK_UNKNOWN for an id that was not tried. */
enum check_status check_status_of(const struct check_list *list, const char *id);

/* "yes", "no", "partly", "unknown". */
const char *check_status_name(enum check_status status);

/* Append to the evidence, after "; " when there is some already. */
void check_say(struct check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Set the status and append to the evidence. */
void check_set(struct check *check, enum check_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Set the remedy. */
void check_fix(struct check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Note a median cost and say it ("about 12.3 us"). */
void check_cost(struct check *check, uint64_t cost_ns);

/* "EPERM (Operation not permitted)" for a negative errno, else "100 bytes". Valid until the 4th
 * next call. */
const char *check_errno(int64_t err);

/* "EPERM" for -EPERM. Static string. */
const char *check_errname(int64_t err);

/* Leave it unknown for good: there is nothing here to try it on. */
void check_skip(struct check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* It worked; there is nothing more to say unless something was said. */
void check_done(struct check *check);

/* From a result: >= 0 is yes, a shortage of descriptors or threads unknown, a refusal no. */
void check_result(struct check *check, int64_t res);

#endif

/* Keeping the answers: what was produced, what is known, what is missing. */
#include <stdarg.h>
#include <stdio.h>

#include "tools/probe/challenge.h"

static struct answer *add(struct challenge *challenge, const char *file_system)
{
	struct answer *answer = &challenge->v[challenge->nr];

	if (challenge->nr == CHALLENGE_MAX)
		return answer - 1;
	challenge->nr++;
	*answer = (struct answer){ 0 };
	snprintf(answer->file_system, sizeof(answer->file_system), "%s", file_system);
	return answer;
}

void challenge_produced(struct challenge *challenge, const char *file_system, long returned,
			const char *how, const char *why)
{
	struct answer *answer = add(challenge, file_system);

	answer->produced = true;
	answer->returned = returned;
	snprintf(answer->values, sizeof(answer->values), "%ld", returned);
	snprintf(answer->how, sizeof(answer->how), "%s", how);
	snprintf(answer->why, sizeof(answer->why), "%s", why);
}

void challenge_known(struct challenge *challenge, const char *file_system, const char *values,
		     const char *how, const char *why)
{
	struct answer *answer = add(challenge, file_system);

	snprintf(answer->values, sizeof(answer->values), "%s", values);
	snprintf(answer->how, sizeof(answer->how), "%s", how);
	snprintf(answer->why, sizeof(answer->why), "known from source, not run here: %s", why);
}

void challenge_missing(struct challenge *challenge, const char *fmt, ...)
{
	size_t max = sizeof(challenge->missing) / sizeof(challenge->missing[0]);
	va_list args;

	if (challenge->missing_nr == max)
		return;
	va_start(args, fmt);
	vsnprintf(challenge->missing[challenge->missing_nr++], sizeof(challenge->missing[0]), fmt,
		  args);
	va_end(args);
}

void challenge_unseen(struct challenge *challenge, const char *fmt, ...)
{
	size_t max = sizeof(challenge->unseen) / sizeof(challenge->unseen[0]);
	va_list args;

	if (challenge->unseen_nr == max)
		return;
	va_start(args, fmt);
	vsnprintf(challenge->unseen[challenge->unseen_nr++], sizeof(challenge->unseen[0]), fmt,
		  args);
	va_end(args);
}

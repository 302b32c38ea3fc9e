/* The report: for people, or as JSON. */
#ifndef PROBE_REPORT_H
#define PROBE_REPORT_H

#include <stdbool.h>

#include "tools/probe/challenge.h"
#include "tools/probe/topics.h"

/* Tables on stdout. `all` shows every ring check as a line. `challenge` may be NULL. */
void report_text(const struct probe *probe, const struct challenge *challenge, bool all);

/* One JSON object on stdout. `challenge` may be NULL. Returns 0 or -EIO. */
int report_json(const struct probe *probe, const struct challenge *challenge);

#endif

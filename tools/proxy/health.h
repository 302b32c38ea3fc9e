/*
 * health.h: whether an upstream is up: what connections tell (passive), and what is asked (active).
 *
 *	        fall failures in a row, attempts or checks
 *	  up ---------------------------------------------> down
 *	   ^    rise checks in a row; without active checks |
 *	   |    a connection that was made                  |
 *	   +------------------------------------------------+
 *
 * Without active checks one that is down is left alone for a while; then it gets connections again,
 * and the first failure rests it anew.
 */
#ifndef SLUICE_TOOLS_PROXY_HEALTH_H
#define SLUICE_TOOLS_PROXY_HEALTH_H

#include <sluice/sock.h>

#include "tools/proxy/plan.h"

struct proxy_worker;

/* Whether it should get connections now. */
bool proxy_health_is_up(const struct proxy_worker *worker, const struct proxy_state *state);

/* A connection to it failed, or was made. */
void proxy_health_failed(struct proxy_worker *worker, struct proxy_state *state);
void proxy_health_passed(struct proxy_worker *worker, struct proxy_state *state);

/* Whether it is an error of connecting that no upstream could help. */
bool proxy_is_own_failure(int64_t err);

/* Asks every upstream of a plan again and again, until it is stopped. One worker does so. */
struct proxy_checks;

struct proxy_checks *proxy_checks_start(struct proxy_worker *worker, struct proxy_plan *plan);
void proxy_checks_tick(struct proxy_checks *checks);
/* Frees itself when the last attempt has ended; NULL is ignored. */
void proxy_checks_stop(struct proxy_checks *checks);

#endif

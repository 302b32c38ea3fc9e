/*
 * plan.h: where connections go, and where they are logged: what a reload replaces.
 *
 * A plan is never changed once it is made; each connection keeps the one that it began with. What
 * is learnt of an upstream (whether it is up, how many connections it has) is apart, in its state,
 * which the plans after a reload share: an upstream of the same name is the same one.
 */
#ifndef SLUICE_TOOLS_PROXY_PLAN_H
#define SLUICE_TOOLS_PROXY_PLAN_H

#include <sluice/sock.h>

#include "tools/proxy/config.h"

#define PROXY_UPSTREAMS_MAX 64 /* of one group: there is a bit for each */

/* Shared by workers: everything but name and refs is atomic, relaxed. */
struct proxy_state {
	uint32_t refs;
	uint32_t active;      /* connections now, and attempts */
	uint64_t connections; /* made */
	uint64_t failures;    /* to connect */
	uint64_t checks;      /* active ones */
	uint64_t checks_failed;
	uint64_t transitions; /* from up to down or back */
	uint32_t failed_row;  /* in a row, attempts and checks */
	uint32_t passed_row;  /* checks in a row */
	uint32_t down;
	int64_t rest_until_ns; /* without active checks: tried again then */
	char name[];
};

struct proxy_upstream {
	struct proxy_state *state;
	uint64_t id;
	uint32_t weight;
	uint32_t nr; /* addresses */
	struct sl_sock_addr *addrs;
};

struct proxy_group {
	char *name; /* asked for by SNI, "*.example.com" for all beneath; NULL: the others */
	uint64_t turn;
	unsigned nr;
	struct proxy_upstream upstream[PROXY_UPSTREAMS_MAX];
};

struct proxy_plan {
	uint32_t refs;
	int log_fd; /* < 0: none */
	unsigned nr;
	bool by_name; /* some group has one */
	struct proxy_group **group;
};

/**
 * proxy_plan_open() - read upstreams and routes, look their names up, open the log.
 * @before: the plan before this one, whose states go on; NULL: none.
 * @ret_plan: to be ended by proxy_plan_put().
 *
 * Return: an exit code, after a message unless CLI_DONE.
 */
int proxy_plan_open(const struct proxy_config *config, const struct proxy_plan *before,
		    struct proxy_plan **ret_plan);
struct proxy_plan *proxy_plan_get(struct proxy_plan *plan);
void proxy_plan_put(struct proxy_plan *plan);

/* The group of a name, the longest match; "": the one without a name. NULL: nowhere to go. */
struct proxy_group *proxy_plan_route(const struct proxy_plan *plan, const char *name);

#endif

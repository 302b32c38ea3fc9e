/* health.c: whether an upstream is up; see health.h. */
#include "tools/proxy/health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/proxy/worker.h"

struct proxy_check {
	struct proxy_checks *checks;
	const struct proxy_upstream *upstream;
	struct sl_sock_connect connect;
	struct sl_op op;
	int64_t due_ns;
	bool busy;
};

struct proxy_checks {
	struct proxy_worker *worker;
	struct proxy_plan *plan;
	unsigned nr;
	unsigned busy;
	bool stopped;
	struct proxy_check check[];
};

/* ---- the state ---------------------------------------------------------------------------- */

static void say(const struct proxy_state *state, const char *what)
{
	fprintf(stderr, "sluice proxy: %s: %s\n", state->name, what);
}

/* Only the one who changes it says so. */
static void turn(struct proxy_state *state, bool down, const char *what)
{
	uint32_t now = down;

	if (__atomic_exchange_n(&state->down, now, __ATOMIC_RELAXED) == now)
		return;
	__atomic_fetch_add(&state->transitions, 1, __ATOMIC_RELAXED);
	say(state, what);
}

bool proxy_health_is_up(const struct proxy_worker *worker, const struct proxy_state *state)
{
	if (!__atomic_load_n(&state->down, __ATOMIC_RELAXED))
		return true;
	return !worker->config->check_ns &&
	       __atomic_load_n(&state->rest_until_ns, __ATOMIC_RELAXED) <=
		       sl_ring_now(worker->ring);
}

bool proxy_is_own_failure(int64_t err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS ||
	       err == -ECANCELED || err == -ESHUTDOWN || err == -EADDRNOTAVAIL;
}

static void count_failure(struct proxy_worker *worker, struct proxy_state *state)
{
	const struct proxy_config *config = worker->config;
	uint32_t row = __atomic_add_fetch(&state->failed_row, 1, __ATOMIC_RELAXED);

	__atomic_store_n(&state->passed_row, 0, __ATOMIC_RELAXED);
	if (row < config->fall)
		return;
	__atomic_store_n(&state->rest_until_ns,
			 sl_ring_now(worker->ring) + (int64_t)config->rest_ns, __ATOMIC_RELAXED);
	turn(state, true, "down");
}

void proxy_health_failed(struct proxy_worker *worker, struct proxy_state *state)
{
	__atomic_fetch_add(&state->failures, 1, __ATOMIC_RELAXED);
	count_failure(worker, state);
}

void proxy_health_passed(struct proxy_worker *worker, struct proxy_state *state)
{
	if (__atomic_load_n(&state->failed_row, __ATOMIC_RELAXED))
		__atomic_store_n(&state->failed_row, 0, __ATOMIC_RELAXED);
	if (!worker->config->check_ns && __atomic_load_n(&state->down, __ATOMIC_RELAXED))
		turn(state, false, "up");
}

/* ---- active checks ------------------------------------------------------------------------ */

static void free_if_over(struct proxy_checks *checks)
{
	if (!checks->stopped || checks->busy)
		return;
	checks->worker->checks_alive--;
	proxy_plan_put(checks->plan);
	free(checks);
}

static void end_check(struct proxy_check *check)
{
	check->busy = false;
	check->checks->busy--;
	free_if_over(check->checks);
}

static void on_closed(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	end_check(op->user);
}

static void check_passed(struct proxy_check *check)
{
	struct proxy_state *state = check->upstream->state;
	uint32_t row = __atomic_add_fetch(&state->passed_row, 1, __ATOMIC_RELAXED);

	__atomic_store_n(&state->failed_row, 0, __ATOMIC_RELAXED);
	if (row >= check->checks->worker->config->rise)
		turn(state, false, "up");
}

static void on_answer(struct sl_sock_connect *req)
{
	struct proxy_check *check = req->user;
	struct proxy_worker *worker = check->checks->worker;
	struct proxy_state *state = check->upstream->state;

	if (req->res < 0) {
		if (req->res != -ECANCELED && !proxy_is_own_failure(req->res)) {
			__atomic_fetch_add(&state->checks_failed, 1, __ATOMIC_RELAXED);
			count_failure(worker, state);
		}
		end_check(check);
		return;
	}
	check_passed(check);
	sl_op_close(&check->op, (int)req->res);
	check->op.flags = SL_OP_PARK;
	check->op.done = on_closed;
	check->op.user = check;
	if (sl_ring_submit(worker->ring, &check->op) < 0)
		end_check(check);
}

static void ask(struct proxy_check *check)
{
	struct proxy_worker *worker = check->checks->worker;
	int64_t now_ns = sl_ring_now(worker->ring);

	check->due_ns = now_ns + (int64_t)worker->config->check_ns;
	check->connect.nr = check->upstream->nr;
	check->connect.addrs = check->upstream->addrs;
	check->connect.deadline_ns = now_ns + (int64_t)worker->config->connect_ns;
	check->connect.done = on_answer;
	check->connect.user = check;
	if (sl_sock_connect(worker->ring, &check->connect) < 0)
		return;
	__atomic_fetch_add(&check->upstream->state->checks, 1, __ATOMIC_RELAXED);
	check->busy = true;
	check->checks->busy++;
}

void proxy_checks_tick(struct proxy_checks *checks)
{
	int64_t now_ns = sl_ring_now(checks->worker->ring);

	for (unsigned i = 0; i < checks->nr; i++) {
		if (!checks->check[i].busy && checks->check[i].due_ns <= now_ns)
			ask(&checks->check[i]);
	}
}

static bool is_checked(const struct proxy_checks *checks, const struct proxy_upstream *upstream)
{
	for (unsigned i = 0; i < checks->nr; i++) {
		if (checks->check[i].upstream->state == upstream->state)
			return true;
	}
	return false;
}

struct proxy_checks *proxy_checks_start(struct proxy_worker *worker, struct proxy_plan *plan)
{
	struct proxy_checks *checks;
	unsigned nr = 0;

	for (unsigned g = 0; g < plan->nr; g++)
		nr += plan->group[g]->nr;
	checks = calloc(1, sizeof(*checks) + nr * sizeof(checks->check[0]));
	if (!checks)
		return NULL;
	checks->worker = worker;
	worker->checks_alive++;
	checks->plan = proxy_plan_get(plan);
	for (unsigned g = 0; g < plan->nr; g++) {
		for (unsigned i = 0; i < plan->group[g]->nr; i++) {
			const struct proxy_upstream *upstream = &plan->group[g]->upstream[i];

			if (is_checked(checks, upstream))
				continue;
			checks->check[checks->nr].checks = checks;
			checks->check[checks->nr++].upstream = upstream;
		}
	}
	proxy_checks_tick(checks);
	return checks;
}

void proxy_checks_stop(struct proxy_checks *checks)
{
	if (!checks)
		return;
	checks->stopped = true;
	for (unsigned i = 0; i < checks->nr; i++) {
		if (checks->check[i].busy)
			sl_sock_connect_stop(&checks->check[i].connect);
	}
	free_if_over(checks);
}

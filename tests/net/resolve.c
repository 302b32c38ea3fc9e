/* resolve.c: names looked up beside the loop, with an answer in time. */
#include "tests/net/tests.h"

#include <pthread.h>
#include <semaphore.h>

struct question {
	struct sl_sock_lookup req;
	unsigned ends;
};

/* Who is asked: counts, and waits if it is told to. */
struct oracle {
	sem_t go;
	bool slow;
	unsigned asked;
	unsigned now;
	unsigned most;
	pthread_mutex_t lock;
};

static void on_end(struct sl_sock_lookup *req)
{
	sl_op_of(req, struct question, req)->ends++;
}

static int ask(void *ctx, const char *host, const char *port, struct sl_sock_addr *ret_addrs)
{
	struct oracle *oracle = ctx;
	char text[64];

	pthread_mutex_lock(&oracle->lock);
	oracle->asked++;
	if (++oracle->now > oracle->most)
		oracle->most = oracle->now;
	pthread_mutex_unlock(&oracle->lock);
	if (oracle->slow)
		sem_wait(&oracle->go);
	pthread_mutex_lock(&oracle->lock);
	oracle->now--;
	pthread_mutex_unlock(&oracle->lock);
	if (!strcmp(host, "nowhere"))
		return -ENOENT;
	strcpy(text, "10.1.2.3:");
	strcat(text, port);
	return sl_sock_addr_parse(text, &ret_addrs[0]) ? -EINVAL : 1;
}

static struct sl_sock_resolver *make(struct oracle *oracle, unsigned running_max)
{
	struct sl_sock_resolver_opts opts = { .lookup = ask,
					      .lookup_ctx = oracle,
					      .running_max = running_max };
	struct sl_sock_resolver *resolver;

	memset(oracle, 0, sizeof(*oracle));
	sem_init(&oracle->go, 0, 0);
	pthread_mutex_init(&oracle->lock, NULL);
	assert_int_equal(sl_sock_resolver_create(net_ring(), &opts, &resolver), 0);
	return resolver;
}

static void put(struct sl_sock_resolver *resolver, struct question *question, const char *text)
{
	memset(question, 0, sizeof(*question));
	question->req.text = text;
	question->req.done = on_end;
	assert_int_equal(sl_sock_resolve(resolver, &question->req), 0);
}

void a_name_is_looked_up(void **state)
{
	struct oracle oracle;
	struct sl_sock_resolver *resolver = make(&oracle, 0);
	struct question good, bad;
	char text[SL_SOCK_ADDR_TEXT];

	(void)state;
	put(resolver, &good, "example:80");
	assert_int_equal(good.ends, 0);
	put(resolver, &bad, "nowhere:80");
	UNTIL(good.ends && bad.ends);
	assert_int_equal(good.req.res, 1);
	sl_sock_addr_format(&good.req.addrs[0], text, sizeof(text));
	assert_string_equal(text, "10.1.2.3:80");
	assert_int_equal(bad.req.res, -ENOENT);
	sl_sock_resolver_destroy(resolver);
}

void what_is_an_address_already_is_not_asked_for(void **state)
{
	struct oracle oracle;
	struct sl_sock_resolver *resolver = make(&oracle, 0);
	struct question number, path, nonsense;

	(void)state;
	put(resolver, &number, "[::1]:80");
	put(resolver, &path, "unix:x");
	put(resolver, &nonsense, "1:2:3");
	assert_int_equal(number.ends, 0);
	UNTIL(number.ends && path.ends && nonsense.ends);
	assert_int_equal(number.req.res, 1);
	assert_int_equal(path.req.res, 1);
	assert_int_equal(path.req.addrs[0].any.sa_family, AF_UNIX);
	assert_int_equal(nonsense.req.res, -EINVAL);
	assert_int_equal(oracle.asked, 0);
	sl_sock_resolver_destroy(resolver);
}

void an_answer_that_is_late_is_not_waited_for(void **state)
{
	struct oracle oracle;
	struct sl_sock_resolver *resolver;
	struct question slow, behind;

	(void)state;
	if (net_on_sim())
		SKIP("work of the simulator takes no time that could be waited for");
	resolver = make(&oracle, 1);
	oracle.slow = true;
	memset(&slow, 0, sizeof(slow));
	memset(&behind, 0, sizeof(behind));
	slow.req.text = "slow:80";
	slow.req.done = on_end;
	slow.req.deadline_ns = sl_ring_clock(net_ring()) + 20 * MS;
	behind = slow;
	assert_int_equal(sl_sock_resolve(resolver, &slow.req), 0);
	assert_int_equal(sl_sock_resolve(resolver, &behind.req), 0);
	UNTIL(slow.ends && behind.ends);
	assert_int_equal(slow.req.res, -ETIMEDOUT);
	assert_int_equal(behind.req.res, -ETIMEDOUT);
	memset(&slow, 0xee, sizeof(slow)); /* the thread does not know of it */
	sem_post(&oracle.go);
	sl_sock_resolver_destroy(resolver);
	assert_true(oracle.asked <= 1); /* the one behind never is */
}

void few_threads_are_kept_busy_and_others_wait_their_turn(void **state)
{
	struct oracle oracle;
	struct sl_sock_resolver *resolver = make(&oracle, 1);
	struct question question[5];

	(void)state;
	for (unsigned i = 0; i < NR(question); i++)
		put(resolver, &question[i], "name:1");
	for (unsigned i = 0; i < NR(question); i++) {
		UNTIL(question[i].ends);
		assert_int_equal(question[i].req.res, 1);
	}
	assert_int_equal(oracle.most, 1);
	assert_int_equal(oracle.asked, 5);
	sl_sock_resolver_destroy(resolver);
}

void a_lookup_is_stopped_in_any_state(void **state)
{
	struct oracle oracle;
	struct sl_sock_resolver *resolver = make(&oracle, 1);
	struct question asking, waiting, last;

	(void)state;
	oracle.slow = !net_on_sim();
	put(resolver, &asking, "a:1");
	put(resolver, &waiting, "b:1");
	put(resolver, &last, "c:1");
	sl_sock_resolve_stop(&waiting.req);
	sl_sock_resolve_stop(&asking.req);
	sl_sock_resolve_stop(&asking.req);
	UNTIL(asking.ends && waiting.ends);
	assert_int_equal(asking.req.res, -ECANCELED);
	assert_int_equal(waiting.req.res, -ECANCELED);
	sem_post(&oracle.go);
	sem_post(&oracle.go);
	UNTIL(last.ends);
	assert_int_equal(last.req.res, 1);
	sl_sock_resolver_destroy(resolver);
}

void the_system_knows_localhost_and_a_simulated_world_nobody(void **state)
{
	struct sl_sock_resolver *resolver;
	struct question question;

	(void)state;
	assert_int_equal(sl_sock_resolver_create(net_ring(), NULL, &resolver), 0);
	put(resolver, &question, "localhost:80");
	UNTIL(question.ends);
	if (net_on_sim()) {
		assert_int_equal(question.req.res, -ENOENT);
	} else if (question.req.res == -ENOENT || question.req.res == -EAGAIN) {
		sl_sock_resolver_destroy(resolver);
		SKIP("this machine does not know localhost");
	} else {
		assert_true(question.req.res > 0);
		assert_true(sl_sock_addr_is_local(&question.req.addrs[0]));
	}
	sl_sock_resolver_destroy(resolver);
}

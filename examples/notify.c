/* notify.c - threads that compute, and one that owns a ring: results are posted to it, no lock
 * needed. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sched.h>
#include <string.h>
#include <sluice/sluice.h>

enum {
	THREADS = 4,
	MESSAGES = 1000
};

/* A message is an op whose callback runs at the other end. */
struct message {
	struct sl_op op;
	uint64_t value;
};

struct sender {
	pthread_t thread;
	struct sl_ring *target;
	struct message messages[MESSAGES];
	int err;
};

static struct sender senders[THREADS];
static uint64_t sum; /* the owner's alone */
static unsigned received;

static void on_message(struct sl_ring *ring, struct sl_op *op)
{
	(void)ring;
	if (op->res < 0)
		return; /* the ring was drained before it got here */
	sum += sl_op_of(op, struct message, op)->value;
	received++;
}

static void *send_all(void *ctx)
{
	struct sender *sender = ctx;

	for (unsigned i = 0; i < MESSAGES && sender->err == 0; i++) {
		struct message *message = &sender->messages[i];

		message->value = i;
		message->op.done = on_message;
		/* Posts that wait are bounded: when the owner is behind, let it run. */
		while ((sender->err = sl_ring_post(sender->target, &message->op)) == -EAGAIN)
			sched_yield();
	}
	return NULL;
}

static int receive_all(struct sl_ring *ring)
{
	int res = 0;

	while (received < THREADS * MESSAGES && res >= 0)
		res = sl_ring_run(ring, 0);
	return res;
}

int main(void)
{
	struct sl_ring *ring;
	int err = sl_ring_open(NULL, &ring);

	if (err < 0)
		return fprintf(stderr, "notify: no ring: %s\n", sl_err_text(err)), 1;
	for (int i = 0; i < THREADS; i++) {
		senders[i].target = ring;
		err = pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
		if (err)
			return fprintf(stderr, "notify: no thread: %s\n", strerror(err)), 1;
	}
	err = receive_all(ring);
	/* The senders use the ring, so they end first. */
	for (int i = 0; i < THREADS; i++)
		pthread_join(senders[i].thread, NULL);
	sl_ring_close(ring);
	if (err < 0)
		return fprintf(stderr, "notify: %s\n", sl_err_text(err)), 1;
	return printf("%u messages, sum %" PRIu64 "\n", received, sum) < 0;
}

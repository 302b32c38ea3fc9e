/* test_bench_meter.c: the CPU time of a block is that of all threads of the process, io_uring's
 * too. */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sluice/ring.h>

#include "tests/support/harness.h"
#include "tools/bench/clock.h"
#include "tools/bench/meter.h"

#define MS    1000000ull
#define BURN  (20 * MS)
#define TRIES 6000

static void burn_until(clockid_t clock, uint64_t end_ns)
{
	while (clock_read_ns(clock) < end_ns)
		;
}

static void *burn(void *ctx)
{
	(void)ctx;
	burn_until(CLOCK_THREAD_CPUTIME_ID, BURN);
	return NULL;
}

static void pause_ms(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	nanosleep(&pause, NULL);
}

static void the_cpu_of_other_threads_is_counted(void **state)
{
	struct meter m = { .has_excluded = false };
	pthread_t thread;

	(void)state;
	meter_start(&m);
	assert_int_equal(pthread_create(&thread, NULL, burn, NULL), 0);
	pthread_join(thread, NULL);
	meter_stop(&m);
	assert_true(m.cpu_ns >= BURN);
	assert_true(m.wall_ns >= BURN);
}

/* One that burns until it is told to stop, so that its clock can be read meanwhile. */
static void *burn_on(void *ctx)
{
	bool *stop = ctx;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
		;
	return NULL;
}

static void an_excluded_thread_is_counted_by_itself(void **state)
{
	struct meter m = { .has_excluded = true };
	bool stop = false;
	pthread_t thread;
	uint64_t begin;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, burn_on, &stop), 0);
	assert_int_equal(pthread_getcpuclockid(thread, &m.excluded), 0);
	begin = clock_read_ns(m.excluded);
	meter_start(&m);
	while (clock_read_ns(m.excluded) - begin < BURN)
		pause_ms();
	meter_stop(&m);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(m.excluded_ns > BURN / 2);
	/* What is left is this thread, which slept. */
	assert_true(m.cpu_ns < m.excluded_ns);
}

/* The CPU time of the threads that io_uring has made in this process, as the scheduler has it. */
static uint64_t ring_threads_ns(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	uint64_t sum = 0;

	while (dir && (entry = readdir(dir))) {
		char path[64], name[32] = "";
		unsigned long long ns = 0;
		FILE *in;

		snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", entry->d_name);
		in = fopen(path, "re");
		if (in) {
			if (!fgets(name, sizeof(name), in))
				name[0] = '\0';
			fclose(in);
		}
		if (strncmp(name, "iou-", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%.20s/schedstat", entry->d_name);
		in = fopen(path, "re");
		if (in) {
			if (fscanf(in, "%llu", &ns) == 1)
				sum += ns;
			fclose(in);
		}
	}
	if (dir)
		closedir(dir);
	return sum;
}

/* A submission thread of the kernel spins for a while after each op. */
static void the_cpu_of_io_urings_threads_is_counted(void **state)
{
	const struct sl_ring_opts opts = { .size = sizeof(opts), .backend = "uring:sqpoll" };
	struct meter m = { .has_excluded = false };
	struct sl_ring *ring = NULL;
	uint64_t begin, spent = 0;
	struct sl_op op = { 0 };
	int err = sl_ring_open(&opts, &ring);

	(void)state;
	if (err < 0)
		SKIP("no io_uring with SQPOLL: %s", sl_err_text(err));
	meter_start(&m);
	begin = ring_threads_ns();
	for (int i = 0; i < TRIES && spent < BURN; i++) {
		assert_int_equal(sl_ring_do(ring, sl_op_nop(&op)), 0);
		pause_ms();
		spent = ring_threads_ns() - begin;
	}
	meter_stop(&m);
	sl_ring_close(ring);
	if (!spent)
		SKIP("no thread named iou-* has an account in /proc/self/task");
	assert_true(m.cpu_ns >= spent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_cpu_of_other_threads_is_counted),
		TEST(an_excluded_thread_is_counted_by_itself),
		TEST(the_cpu_of_io_urings_threads_is_counted),
	};

	return RUN_TESTS(tests);
}

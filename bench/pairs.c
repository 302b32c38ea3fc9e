/*
 * pairs.c: interleaved blocks, paired ratios, and the words for them.
 *
 * A shared machine is never quiet: neighbours come and go within seconds. Blocks are
 * short and every round has one of each contender in a random order, so that what
 * disturbs one disturbs the others; a ratio is taken within a round. CPU time
 * is the measure, because wall time counts the neighbours too.
 */
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pairs.h"

/* Fewer values than this have no 95 % interval inside their range. */
#define INTERVAL_BELOW 6

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void pairs_pin(const char *title)
{
	cpu_set_t allowed, one;
	int cpu = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	while (cpu > 0 && !CPU_ISSET(cpu, &allowed))
		cpu--;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (!sched_setaffinity(0, sizeof(one), &one))
		printf("%s: all contenders on processor %d\n", title, cpu);
}

struct pairs_cost pairs_watch(void)
{
	return (struct pairs_cost){
		.cpu_ns = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID),
		.wall_ns = (double)clock_ns(CLOCK_MONOTONIC),
	};
}

struct pairs_cost pairs_cost_since(const struct pairs_cost *begin, uint64_t ops)
{
	struct pairs_cost now = pairs_watch();

	return (struct pairs_cost){
		.cpu_ns = (now.cpu_ns - begin->cpu_ns) / (double)ops,
		.wall_ns = (now.wall_ns - begin->wall_ns) / (double)ops,
	};
}

/* Microseconds in which some task waited for a processor; NaN where the kernel does not say. */
static double pressure_us(void)
{
	FILE *f = fopen("/proc/pressure/cpu", "re");
	double us = NAN;

	if (!f)
		return NAN;
	if (fscanf(f, "some avg10=%*f avg60=%*f avg300=%*f total=%lf", &us) != 1)
		us = NAN;
	fclose(f);
	return us;
}

static double steal_ticks(void)
{
	FILE *f = fopen("/proc/stat", "re");
	double ticks = NAN;

	if (!f)
		return NAN;
	if (fscanf(f, "cpu %*f %*f %*f %*f %*f %*f %*f %lf", &ticks) != 1)
		ticks = NAN;
	fclose(f);
	return ticks;
}

static void shuffle(unsigned *order, unsigned nr, uint64_t *state)
{
	for (unsigned i = 0; i < nr; i++)
		order[i] = i;
	for (unsigned i = nr - 1; i > 0; i--) {
		unsigned other = (unsigned)(pairs_random(state) % (i + 1));
		unsigned kept = order[i];

		order[i] = order[other];
		order[other] = kept;
	}
}

static int run_round(struct pairs *p, const unsigned *order, unsigned round)
{
	for (unsigned i = 0; i < p->nr; i++) {
		const struct pairs_contender *contender = &p->contenders[order[i]];
		int err = contender->run(contender->ctx, &p->cost[order[i]][round]);

		if (err) {
			fprintf(stderr, "%s: %s failed\n", p->title, contender->name);
			return err;
		}
	}
	return 0;
}

int pairs_run(struct pairs *p)
{
	unsigned order[PAIRS_CONTENDERS_MAX];
	uint64_t state = clock_ns(CLOCK_REALTIME);
	int err;

	shuffle(order, p->nr, &state);
	err = run_round(p, order, 0);
	p->pressure_us = pressure_us();
	p->steal_ticks = steal_ticks();
	p->begin_ns = clock_ns(CLOCK_MONOTONIC);
	for (unsigned round = 0; !err && round < p->rounds; round++) {
		shuffle(order, p->nr, &state);
		err = run_round(p, order, round);
	}
	return err;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How many values at either end lie outside the 95 % interval of the median:
 * the most for which the binomial tail of (nr, 1/2) stays within 2.5 %. */
static unsigned rank_low(unsigned nr)
{
	double term = pow(0.5, nr), tail = term;
	unsigned rank = 0;

	while (tail <= 0.025) {
		rank++;
		term *= (double)(nr - rank + 1) / rank;
		tail += term;
	}
	return rank ? rank - 1 : 0;
}

static struct pairs_interval interval_of(double *values, unsigned nr)
{
	unsigned rank = nr < INTERVAL_BELOW ? 0 : rank_low(nr);

	qsort(values, nr, sizeof(*values), ascending);
	return (struct pairs_interval){
		.median = (values[(nr - 1) / 2] + values[nr / 2]) / 2,
		.low = values[rank],
		.high = values[nr - 1 - rank],
	};
}

struct pairs_interval pairs_median(const struct pairs *p, unsigned idx)
{
	double values[PAIRS_ROUNDS_MAX];

	for (unsigned i = 0; i < p->rounds; i++)
		values[i] = p->cost[idx][i].cpu_ns;
	return interval_of(values, p->rounds);
}

static struct pairs_interval median_wall(const struct pairs *p, unsigned idx)
{
	double values[PAIRS_ROUNDS_MAX];

	for (unsigned i = 0; i < p->rounds; i++)
		values[i] = p->cost[idx][i].wall_ns;
	return interval_of(values, p->rounds);
}

void pairs_print_costs(const struct pairs *p)
{
	printf("%s: medians of %u rounds [95 %% interval], ns per operation\n", p->title,
	       p->rounds);
	for (unsigned i = 0; i < p->nr; i++) {
		struct pairs_interval cpu = pairs_median(p, i), wall = median_wall(p, i);

		printf("  %-34s CPU %8.1f [%.1f, %.1f]  wall %8.1f [%.1f, %.1f]\n",
		       p->contenders[i].name, cpu.median, cpu.low, cpu.high, wall.median, wall.low,
		       wall.high);
	}
}

static const char *verdict(const struct pairs_interval *interval, const struct pairs_target *target)
{
	double limit;

	if (target->direction == PAIRS_AT_MOST) {
		limit = target->bound + target->slack;
		return interval->high <= limit ? "met" :
		       interval->low > limit   ? "missed" :
						 "undecided";
	}
	limit = target->bound - target->slack;
	return interval->low >= limit ? "met" : interval->high < limit ? "missed" : "undecided";
}

static void print_line(const struct pairs *p, const char *what, const char *names,
		       const struct pairs_interval *interval, const struct pairs_target *target)
{
	printf("%s: %s, %s: %.3f [%.3f, %.3f]", p->title, what, names, interval->median,
	       interval->low, interval->high);
	if (target->direction != PAIRS_NONE)
		printf(", target %s %g: %s",
		       target->direction == PAIRS_AT_MOST ? "at most" : "at least", target->bound,
		       verdict(interval, target));
	putchar('\n');
}

static void print_pair(const struct pairs *p, unsigned ours, unsigned peer,
		       const struct pairs_target *target, const char *what,
		       double (*combine)(const struct pairs_cost *, const struct pairs_cost *))
{
	double values[PAIRS_ROUNDS_MAX];
	struct pairs_interval interval;
	char names[128];

	for (unsigned i = 0; i < p->rounds; i++)
		values[i] = combine(&p->cost[ours][i], &p->cost[peer][i]);
	interval = interval_of(values, p->rounds);
	snprintf(names, sizeof(names), "%s against %s", p->contenders[ours].name,
		 p->contenders[peer].name);
	print_line(p, what, names, &interval, target);
}

static double cpu_ratio(const struct pairs_cost *ours, const struct pairs_cost *peer)
{
	return ours->cpu_ns / peer->cpu_ns;
}

static double rate_ratio(const struct pairs_cost *ours, const struct pairs_cost *peer)
{
	return peer->wall_ns / ours->wall_ns;
}

static double cpu_difference(const struct pairs_cost *ours, const struct pairs_cost *peer)
{
	return ours->cpu_ns - peer->cpu_ns;
}

void pairs_print_cpu(const struct pairs *p, unsigned ours, unsigned peer,
		     const struct pairs_target *target)
{
	print_pair(p, ours, peer, target, "CPU ratio", cpu_ratio);
}

void pairs_print_rate(const struct pairs *p, unsigned ours, unsigned peer,
		      const struct pairs_target *target)
{
	print_pair(p, ours, peer, target, "rate ratio", rate_ratio);
}

void pairs_print_difference(const struct pairs *p, unsigned ours, unsigned peer,
			    const struct pairs_target *target)
{
	print_pair(p, ours, peer, target, "CPU difference in ns", cpu_difference);
}

void pairs_print_machine(const struct pairs *p)
{
	double us = (double)(clock_ns(CLOCK_MONOTONIC) - p->begin_ns) / 1e3;
	double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
	double steal = (steal_ticks() - p->steal_ticks) / (double)sysconf(_SC_CLK_TCK);
	double load[3] = { NAN, NAN, NAN };

	if (getloadavg(load, 3) < 1)
		load[0] = NAN;
	printf("%s: machine: %.0f processors, load %.2f, tasks waited for a processor %.0f %% of "
	       "the time, stolen %.1f %%\n",
	       p->title, cpus, load[0], (pressure_us() - p->pressure_us) / us * 100,
	       steal * 1e6 / us / cpus * 100);
}

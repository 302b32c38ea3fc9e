/* pairs.h: contenders measured side by side: short blocks in random order, ratios, intervals,
 * verdicts. */
#ifndef SLUICE_BENCH_PAIRS_H
#define SLUICE_BENCH_PAIRS_H

#include <stdint.h>

#define PAIRS_CONTENDERS_MAX 10
#define PAIRS_ROUNDS_MAX     256

/**
 * struct pairs_cost - what one block cost, per operation.
 * @cpu_ns: CPU time of all threads of the process, the kernel's helpers among them.
 * @wall_ns: wall time.
 */
struct pairs_cost {
	double cpu_ns;
	double wall_ns;
};

/**
 * struct pairs_contender - one way to do the work.
 * @name: for the report; borrowed.
 * @run: one block; 0, or anything else when it failed.
 * @ctx: its argument; borrowed.
 */
struct pairs_contender {
	const char *name;
	int (*run)(void *ctx, struct pairs_cost *ret_cost);
	void *ctx;
};

/**
 * struct pairs - a comparison: contenders by rounds.
 * @title: the name of the benchmark; borrowed.
 * @contenders: nr of them, filled in by the caller.
 * @nr: how many.
 * @rounds: to measure, 1..PAIRS_ROUNDS_MAX; one more is run first and thrown away.
 * @cost: filled in.
 */
struct pairs {
	const char *title;
	struct pairs_contender contenders[PAIRS_CONTENDERS_MAX];
	unsigned nr;
	unsigned rounds;
	struct pairs_cost cost[PAIRS_CONTENDERS_MAX][PAIRS_ROUNDS_MAX];
	/* private: the counters of the machine when it began */
	double pressure_us;
	double steal_ticks;
	uint64_t begin_ns;
};

/**
 * struct pairs_interval - a median and its 95 % interval.
 *
 * The interval is that of the order statistics (the binomial distribution): it
 * assumes nothing about how the noise is distributed. Below six rounds it is the range.
 */
struct pairs_interval {
	double median;
	double low;
	double high;
};

enum pairs_direction {
	PAIRS_NONE, /* no target: for information */
	PAIRS_AT_MOST,
	PAIRS_AT_LEAST,
};

/**
 * struct pairs_target - what an interval is held against.
 * @bound: the number.
 * @slack: by how much the interval may cross @bound and still be called equal to it.
 */
struct pairs_target {
	enum pairs_direction direction;
	double bound;
	double slack;
};

/**
 * pairs_pin - stay on one processor, with all children.
 * @title: of the benchmark, for the line that says which.
 *
 * Interrupts of a device land on one processor and are charged to who runs there:
 * contenders that move about cannot be compared. The last one allowed is taken.
 */
void pairs_pin(const char *title);

/**
 * pairs_watch - start a stopwatch.
 *
 * Return: the readings of both clocks, for pairs_cost_since().
 */
struct pairs_cost pairs_watch(void);

/**
 * pairs_cost_since - what was spent since.
 * @begin: from pairs_watch().
 * @ops: operations done in between.
 *
 * Return: the cost per operation.
 */
struct pairs_cost pairs_cost_since(const struct pairs_cost *begin, uint64_t ops);

/**
 * pairs_random - the next number of splitmix64 (Steele, Lea, Flood 2014).
 * @state: any value begins it; advanced.
 *
 * Return: 64 random bits.
 */
static inline uint64_t pairs_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/**
 * pairs_run - measure: each round runs every contender once, in a fresh random order.
 * @p: title, contenders, nr and rounds set.
 *
 * A failure is told on standard error, with the contender's name.
 *
 * Return: 0, or what the contender that failed returned.
 */
int pairs_run(struct pairs *p);

/**
 * pairs_median - the CPU time of one contender.
 * @p: a comparison that ran.
 * @idx: the contender.
 *
 * Return: the interval, in ns per operation.
 */
struct pairs_interval pairs_median(const struct pairs *p, unsigned idx);

/**
 * pairs_print_costs - a line per contender: CPU time and wall time per operation.
 * @p: a comparison that ran.
 */
void pairs_print_costs(const struct pairs *p);

/**
 * pairs_print_cpu - the line of one ratio of CPU times, paired by round.
 * @p: a comparison that ran.
 * @ours: the contender above the line.
 * @peer: the contender below it.
 * @target: what it is held against; borrowed.
 */
void pairs_print_cpu(const struct pairs *p, unsigned ours, unsigned peer,
		     const struct pairs_target *target);

/**
 * pairs_print_rate - the line of one ratio of rates (operations per second), paired by round.
 * @p: a comparison that ran.
 * @ours: the contender above the line.
 * @peer: the contender below it.
 * @target: what it is held against; borrowed.
 */
void pairs_print_rate(const struct pairs *p, unsigned ours, unsigned peer,
		      const struct pairs_target *target);

/**
 * pairs_print_difference - the line of one difference of CPU times, in ns per operation.
 * @p: a comparison that ran.
 * @ours: the contender it is taken from.
 * @peer: the contender that is taken away.
 * @target: what it is held against; borrowed.
 */
void pairs_print_difference(const struct pairs *p, unsigned ours, unsigned peer,
			    const struct pairs_target *target);

/**
 * pairs_print_machine - what else went on: processors, load, pressure, steal.
 * @p: a comparison that ran.
 */
void pairs_print_machine(const struct pairs *p);

#endif

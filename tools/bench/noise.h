/* noise.h: what else the machine was doing while we measured. */
#ifndef SLUICE_TOOLS_BENCH_NOISE_H
#define SLUICE_TOOLS_BENCH_NOISE_H

#include <stdint.h>

/**
 * struct noise - shares of the wall time of a measurement; NaN where the kernel does not say.
 *
 * @cpu_pressure: some task on the machine waited for a CPU (/proc/pressure/cpu, "some").
 * @io_pressure: some task waited for a device; our own waiting is in it.
 * @steal: the hypervisor gave our CPUs to others (/proc/stat).
 * @seconds: how long was measured.
 */
struct noise {
	double cpu_pressure;
	double io_pressure;
	double steal;
	double seconds;
	/* private: */
	double cpu_us, io_us, steal_ticks, all_ticks;
	uint64_t begin_ns;
};

/**
 * noise_begin - read the counters.
 * @n: written.
 */
void noise_begin(struct noise *n);

/**
 * noise_end - read them again and fill in the shares.
 * @n: as noise_begin() left it.
 */
void noise_end(struct noise *n);

#endif

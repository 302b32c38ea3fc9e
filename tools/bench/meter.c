/* meter.c: reads the process's clocks around a block. */
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

#include "clock.h"
#include "meter.h"

static uint64_t cpu_now_ns(const struct meter *m)
{
	uint64_t all = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);

	return m->has_excluded ? all - clock_read_ns(m->excluded) : all;
}

void meter_start(struct meter *m)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	m->voluntary = (uint64_t)usage.ru_nvcsw;
	m->involuntary = (uint64_t)usage.ru_nivcsw;
	m->wall_ns = clock_now_ns();
	m->cpu_ns = cpu_now_ns(m);
}

void meter_stop(struct meter *m)
{
	struct rusage usage;

	m->cpu_ns = cpu_now_ns(m) - m->cpu_ns;
	m->wall_ns = clock_now_ns() - m->wall_ns;
	getrusage(RUSAGE_SELF, &usage);
	m->voluntary = (uint64_t)usage.ru_nvcsw - m->voluntary;
	m->involuntary = (uint64_t)usage.ru_nivcsw - m->involuntary;
}

int64_t meter_device_bytes(void)
{
	FILE *f = fopen("/proc/self/io", "re");
	unsigned long long bytes;
	char line[128];
	int64_t ret = -ENODATA;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "read_bytes: %llu", &bytes) == 1)
			ret = (int64_t)bytes;
	}
	fclose(f);
	return ret;
}

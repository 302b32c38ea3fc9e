/* meter.c: reads the process's clocks around a block. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "clock.h"
#include "meter.h"

/* The clock of one thread: pthread_getcpuclockid(3) knows only the threads of the C library. */
static clockid_t thread_clock(long tid)
{
	return (clockid_t)(~(unsigned)tid << 3 | 6);
}

/*
 * The process's clock counts a thread that is running on another CPU only up to its last tick,
 * milliseconds ago. Reading such a thread's own clock brings its account up to date.
 */
static void settle_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		long tid = strtol(entry->d_name, NULL, 10);

		if (tid > 0)
			clock_read_ns(thread_clock(tid));
	}
	if (dir)
		closedir(dir);
}

static uint64_t excluded_now_ns(const struct meter *m)
{
	return m->has_excluded ? clock_read_ns(m->excluded) : 0;
}

void meter_start(struct meter *m)
{
	struct rusage usage;

	settle_threads();
	getrusage(RUSAGE_SELF, &usage);
	m->voluntary = (uint64_t)usage.ru_nvcsw;
	m->involuntary = (uint64_t)usage.ru_nivcsw;
	m->wall_ns = clock_now_ns();
	m->cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
	m->excluded_ns = excluded_now_ns(m);
}

void meter_stop(struct meter *m)
{
	uint64_t own_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	struct rusage usage;

	m->wall_ns = clock_now_ns() - m->wall_ns;
	settle_threads();
	own_ns = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - own_ns;
	m->cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - m->cpu_ns - own_ns;
	m->excluded_ns = excluded_now_ns(m) - m->excluded_ns;
	m->cpu_ns -= m->excluded_ns < m->cpu_ns ? m->excluded_ns : m->cpu_ns;
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

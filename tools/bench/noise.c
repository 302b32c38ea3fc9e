/* noise.c: pressure and steal counters, before and after. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "noise.h"

/* Microseconds some task stalled for a resource since boot; NaN without PSI. */
static double pressure_us(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256], *total = NULL;
	double us = NAN;

	if (!f)
		return NAN;
	if (fgets(line, sizeof(line), f))
		total = strstr(line, "total=");
	if (!total || sscanf(total, "total=%lf", &us) != 1)
		us = NAN;
	fclose(f);
	return us;
}

static void read_ticks(double *ret_steal, double *ret_all)
{
	double v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "re");
	int n = 0;

	*ret_steal = *ret_all = NAN;
	if (!f)
		return;
	n = fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &v[0], &v[1], &v[2], &v[3], &v[4],
		   &v[5], &v[6], &v[7]);
	fclose(f);
	if (n != 8)
		return;
	*ret_steal = v[7];
	*ret_all = 0;
	for (int i = 0; i < 8; i++)
		*ret_all += v[i];
}

void noise_begin(struct noise *n)
{
	n->begin_ns = clock_now_ns();
	n->cpu_us = pressure_us("/proc/pressure/cpu");
	n->io_us = pressure_us("/proc/pressure/io");
	read_ticks(&n->steal_ticks, &n->all_ticks);
}

void noise_end(struct noise *n)
{
	double steal, all, us = (double)(clock_now_ns() - n->begin_ns) / 1e3;

	read_ticks(&steal, &all);
	n->seconds = us / 1e6;
	n->cpu_pressure = (pressure_us("/proc/pressure/cpu") - n->cpu_us) / us;
	n->io_pressure = (pressure_us("/proc/pressure/io") - n->io_us) / us;
	n->steal = all > n->all_ticks ? (steal - n->steal_ticks) / (all - n->all_ticks) : 0;
}

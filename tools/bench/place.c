/* place.c: chooses two processors and binds threads to them. */
#include <stdio.h>
#include <string.h>

#include "place.h"

/* Which processors share a core with this one; "" where the kernel does not tell. */
static void core_of(int cpu, char text[64])
{
	char path[96];
	FILE *in;

	text[0] = '\0';
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
		 cpu);
	in = fopen(path, "re");
	if (!in)
		return;
	if (!fgets(text, 64, in))
		text[0] = '\0';
	fclose(in);
}

/* The next one after the first, on another core where there is one. */
static int choose_receiver(const struct place *p)
{
	char first[64], other[64];
	int any = -1;

	core_of(p->sender, first);
	for (int cpu = p->sender + 1; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &p->before))
			continue;
		if (any < 0)
			any = cpu;
		core_of(cpu, other);
		if (strcmp(first, other) != 0)
			return cpu;
	}
	return any;
}

void place_begin(struct place *p)
{
	cpu_set_t one;

	*p = (struct place){ .apart = false };
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(p->before), &p->before) < 0 || CPU_COUNT(&p->before) < 2)
		return;
	while (!CPU_ISSET(p->sender, &p->before))
		p->sender++;
	p->receiver = choose_receiver(p);
	CPU_SET(p->sender, &one);
	p->apart = sched_setaffinity(0, sizeof(one), &one) == 0;
}

void place_receiver(const struct place *p, pthread_t thread)
{
	cpu_set_t one;

	if (!p || !p->apart)
		return;
	CPU_ZERO(&one);
	CPU_SET(p->receiver, &one);
	pthread_setaffinity_np(thread, sizeof(one), &one);
}

void place_end(const struct place *p)
{
	if (p->apart)
		sched_setaffinity(0, sizeof(p->before), &p->before);
}

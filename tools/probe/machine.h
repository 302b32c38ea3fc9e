/* The machine in a few facts, for the head of a report. */
#ifndef PROBE_MACHINE_H
#define PROBE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/utsname.h>

/**
 * struct machine - what was probed.
 * @name: uname(2).
 * @cpus: processors online.
 * @memory_bytes: all of it.
 * @hypervisor: the processor says it is a virtual one (x86), or the device tree does.
 * @container: "docker", "podman", "systemd-nspawn"...: what PID 1's environment or marks say; ""
 * when nothing does.
 * @uid: effective user.
 * @capable: holds CAP_SYS_ADMIN.
 */
struct machine {
	struct utsname name;
	long cpus;
	uint64_t memory_bytes;
	bool hypervisor;
	const char *container;
	unsigned uid;
	bool capable;
};

/* Find out; never fails, what is unknown stays zero. */
void machine_look(struct machine *machine);

#endif

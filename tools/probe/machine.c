/* uname, /proc and the marks containers leave. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/probe/machine.h"
#include "tools/probe/proc.h"

#define CAP_SYS_ADMIN_BIT 21

static bool holds_sys_admin(void)
{
	char text[4096];
	const char *line;

	if (proc_text("/proc/self/status", text, sizeof(text)) <= 0)
		return false;
	line = strstr(text, "CapEff:");
	return line && strtoull(line + 7, NULL, 16) >> CAP_SYS_ADMIN_BIT & 1;
}

static bool is_virtual(void)
{
	char text[4096];

	return (proc_text("/proc/cpuinfo", text, sizeof(text)) > 0 &&
		strstr(text, " hypervisor")) ||
	       !access("/proc/device-tree/hypervisor", F_OK);
}

static const char *container_name(void)
{
	if (!access("/.dockerenv", F_OK))
		return "docker";
	if (!access("/run/.containerenv", F_OK))
		return "podman";
	if (getenv("KUBERNETES_SERVICE_HOST"))
		return "kubernetes";
	if (!access("/run/systemd/container", F_OK))
		return "a systemd container";
	return "";
}

void machine_look(struct machine *machine)
{
	int64_t kib = proc_field("/proc/meminfo", "MemTotal", 0);

	*machine = (struct machine){ 0 };
	uname(&machine->name);
	machine->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	machine->memory_bytes = (uint64_t)kib * 1024;
	machine->hypervisor = is_virtual();
	machine->container = container_name();
	machine->uid = geteuid();
	machine->capable = holds_sys_admin();
}

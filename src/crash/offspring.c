/* SPDX-License-Identifier: MIT */
/* offspring.c - the end of all that descends from a process; see offspring.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash/offspring.h"

#define KILL_TRIES 5000

static pid_t parent_of(const char *pid)
{
	char path[300], text[512];
	const char *end;
	int fd, ppid = 0;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	end = strrchr(text, ')'); /* behind the name, which may hold anything */
	if (!end || sscanf(end + 1, " %*c %d", &ppid) != 1)
		return 0;
	return ppid;
}

static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    parent_of(entry->d_name) == getpid())
			kill((pid_t)atoi(entry->d_name), SIGKILL);
	}
	if (proc)
		closedir(proc);
}

void offspring_end(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (unsigned i = 0; i < KILL_TRIES; i++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid != 0)
			continue;
		kill_children();
		nanosleep(&pause, NULL);
	}
}

/* crash_checker.c - reads every file of a state, as a checker does; content with all of them. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int check(const char *dir, const char *acks);

int check(const char *dir, const char *acks)
{
	static const char *const names[] = { "log", "pages", "config" };
	static char bytes[65536];
	long sum = 0;

	(void)acks;
	for (unsigned i = 0; i < 3; i++) {
		char path[4200];
		ssize_t len;
		int fd;

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		fd = open(path, O_RDONLY);
		len = fd < 0 ? 0 : read(fd, bytes, sizeof(bytes));
		for (ssize_t at = 0; at < len; at++)
			sum += bytes[at];
		if (fd >= 0)
			close(fd);
	}
	return sum < 0;
}

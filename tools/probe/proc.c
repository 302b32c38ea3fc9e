/* Reading /proc and /sys. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/probe/proc.h"

int proc_text(const char *path, char *out, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, out, room - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	while (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return (int)n;
}

int64_t proc_number(const char *path, int64_t missing)
{
	char text[64];

	return proc_text(path, text, sizeof(text)) > 0 ? strtoll(text, NULL, 10) : missing;
}

int64_t proc_field(const char *path, const char *key, int64_t missing)
{
	char text[4096] = "";
	size_t len = strlen(key);

	if (proc_text(path, text, sizeof(text)) <= 0)
		return missing;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && line[len] == ':')
			return strtoll(line + len + 1, NULL, 10);
	}
	return missing;
}

/* manager.c: tells the service manager how it goes; see manager.h. */
#include "tools/server/manager.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void server_manager_tell(const char *lines)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct timespec now;
	char text[256];
	size_t len;
	int fd;

	if (!path || !(path[0] == '/' || path[0] == '@') || strlen(path) >= sizeof(addr.sun_path))
		return;
	len = strlen(path);
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	clock_gettime(CLOCK_MONOTONIC, &now);
	/* The time tells a reload's beginning from its end, see Type=notify-reload. */
	snprintf(text, sizeof(text), "%s\nMONOTONIC_USEC=%lld", lines,
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

/* crowd.c: opens and closes eventfds by the thousand. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crowd.h"

/* What else this process has open, with room to spare. */
#define OTHER_FILES 256

static int raise_limit(unsigned nr)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur >= nr + OTHER_FILES)
		return 0;
	if (limit.rlim_max < nr + OTHER_FILES)
		return -EMFILE;
	limit.rlim_cur = nr + OTHER_FILES;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

int crowd_open(struct crowd *c, unsigned nr)
{
	int err = raise_limit(nr);

	*c = (struct crowd){ 0 };
	if (err)
		return err;
	c->fd = calloc(nr, sizeof(*c->fd));
	if (!c->fd)
		return -ENOMEM;
	for (; c->nr < nr; c->nr++) {
		int fd = eventfd(0, EFD_CLOEXEC);

		if (fd < 0) {
			err = -errno;
			crowd_shut(c);
			return err;
		}
		c->fd[c->nr] = fd;
		if (fd > c->fd_max)
			c->fd_max = fd;
	}
	return 0;
}

void crowd_shut(struct crowd *c)
{
	for (unsigned i = 0; i < c->nr; i++)
		close(c->fd[i]);
	free(c->fd);
	memset(c, 0, sizeof(*c));
}

/* SPDX-License-Identifier: MIT */
/*
 * ack.c - sl_crash_ack(): one line to whoever records. Part of libsluice, unlike its folder.
 *
 * Where the lines go is the one thing remembered between calls: the environment
 * may change later, and getenv(3) is not safe beside setenv(3). A path is opened
 * anew for every line, because a program that closes descriptors which it does
 * not know would otherwise have the next line in a file of its own.
 */
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/crash.h>

#include "sys/fd.h"
#include "sys/sigpipe.h"

#define NOWHERE (-1)
#define TO_PATH (-2)

/* Set once, by read_target(). */
struct target {
	int fd; /* or one of the above */
	int err;
	char path[PATH_MAX];
};

static struct target target;
static pthread_once_t target_once = PTHREAD_ONCE_INIT;

/* A descriptor, or TO_PATH for what is not a number of one. */
static int parse_fd(const char *text)
{
	char *end;
	long fd;

	if (*text < '0' || *text > '9')
		return TO_PATH;
	fd = strtol(text, &end, 10);
	return *end || fd > INT_MAX ? TO_PATH : (int)fd;
}

static void read_target(void)
{
	const char *text = secure_getenv("SLUICE_CRASH_ACK");

	target.fd = NOWHERE;
	if (!text || !*text)
		return;
	target.fd = parse_fd(text);
	if (target.fd != TO_PATH)
		return;
	if (strlen(text) < sizeof(target.path))
		memcpy(target.path, text, strlen(text) + 1);
	else
		target.err = -ENAMETOOLONG;
}

static int write_line(int fd, const char *text, size_t len)
{
	struct sl_sigpipe_guard guard;
	int64_t n;

	sl_sigpipe_begin(&guard);
	do
		n = sl_sys_answer(write(fd, text, len));
	while (n == -EINTR);
	sl_sigpipe_end(&guard);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EIO;
}

static int write_to_path(const char *text, size_t len)
{
	int64_t fd;
	int err;

	do
		fd = sl_sys_answer(open(target.path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY));
	while (fd == -EINTR);
	if (fd < 0)
		return (int)fd;
	err = write_line((int)fd, text, len);
	sl_sys_close((int)fd);
	return err;
}

int sl_crash_ack(const char *line, size_t len)
{
	char text[SL_CRASH_ACK_MAX + 1];

	if (!len || len > SL_CRASH_ACK_MAX || memchr(line, '\n', len) || memchr(line, '\0', len))
		return -EINVAL;
	pthread_once(&target_once, read_target);
	if (target.fd == NOWHERE || target.err)
		return target.err;
	memcpy(text, line, len);
	text[len] = '\n';
	return target.fd == TO_PATH ? write_to_path(text, len + 1) :
				      write_line(target.fd, text, len + 1);
}

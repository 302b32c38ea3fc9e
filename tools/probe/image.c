/* memfd, LOOP_CONFIGURE, mkfs as a child, fsmount. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/probe/image.h"

#define ARGS_MAX  16
#define TRIES_MAX 8

static int open_backing(size_t bytes)
{
	int fd = memfd_create("sluice-probe-image", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* One try: somebody else may take the free device first (-EBUSY). */
static int attach(struct image *image, int control)
{
	struct loop_config config = { .fd = (uint32_t)image->backing,
				      .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int nr = ioctl(control, LOOP_CTL_GET_FREE), err;

	if (nr < 0)
		return -errno;
	snprintf(image->node, sizeof(image->node), "/dev/loop%d", nr);
	image->loop = open(image->node, O_RDWR | O_CLOEXEC);
	if (image->loop < 0)
		return -errno;
	if (!ioctl(image->loop, LOOP_CONFIGURE, &config))
		return 0;
	err = -errno;
	close(image->loop);
	image->loop = -1;
	return err;
}

int image_open(struct image *image, size_t bytes)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int err = -EBUSY;

	if (control < 0) {
		*image = (struct image){ 0 };
		return -errno;
	}
	*image = (struct image){ .loop = -1, .mount = -1, .backing = open_backing(bytes) };
	if (image->backing < 0)
		err = image->backing;
	for (int i = 0; err == -EBUSY && i < TRIES_MAX; i++)
		err = attach(image, control);
	close(control);
	if (err < 0) {
		if (image->backing >= 0)
			close(image->backing);
		*image = (struct image){ 0 };
	}
	return err;
}

/* In the child: its output goes to the pipe, and it dies with its parent. */
static void become_mkfs(int out, pid_t parent, const char *const argv[], const char *node)
{
	const char *args[ARGS_MAX + 2];
	size_t nr = 0;
	int null = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	for (; nr < ARGS_MAX && argv[nr]; nr++)
		args[nr] = argv[nr];
	args[nr++] = node;
	args[nr] = NULL;
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	setenv("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin", 1);
	execvp(args[0], (char *const *)(uintptr_t)args);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Keep the last line that is not empty. */
static void read_last_line(int fd, char *out, size_t room)
{
	char buf[2048];
	ssize_t n;

	out[0] = '\0';
	while ((n = read(fd, buf, sizeof(buf) - 1)) > 0) {
		buf[n] = '\0';
		for (char *rest, *line = strtok_r(buf, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			snprintf(out, room, "%s", line);
	}
}

int image_format(const struct image *image, const char *const argv[], char *ret_said, size_t room)
{
	int fds[2], status = 0;
	pid_t pid, parent = getpid();

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		become_mkfs(fds[1], parent, argv, image->node);
	close(fds[1]);
	if (pid > 0) {
		read_last_line(fds[0], ret_said, room);
		waitpid(pid, &status, 0);
	}
	close(fds[0]);
	if (pid < 0)
		return -EAGAIN;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

int image_mount(struct image *image, const char *fs)
{
	int err = 0, context = fsopen(fs, FSOPEN_CLOEXEC);

	if (context < 0)
		return -errno;
	if (fsconfig(context, FSCONFIG_SET_STRING, "source", image->node, 0) < 0 ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		err = -errno;
	if (!err) {
		image->mount = fsmount(context, FSMOUNT_CLOEXEC,
				       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		if (image->mount < 0)
			err = -errno;
	}
	close(context);
	return err;
}

void image_close(struct image *image)
{
	if (!image->node[0])
		return;
	if (image->mount >= 0)
		close(image->mount);
	close(image->loop);
	close(image->backing);
	*image = (struct image){ 0 };
}

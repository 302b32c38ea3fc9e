/* SPDX-License-Identifier: MIT */
/*
 * record_fuse.c - the keeper: starts the server and the sandbox, waits, and clears up.
 *
 *	      tree and copy ready
 *	           | sandbox_start()
 *	      STARTING --INIT_FAILED--> over, with why
 *	           | SANDBOX_FUSE: the server's thread begins
 *	      SERVING  <--- jobs, supervised calls, messages, the clock
 *	           | init ends | limit | stop | trace full
 *	      ENDING: init is killed, the kernel unmounts, the server's thread sees -ENODEV
 *
 * The trace is as it was until the mount stands; then its base is appended and the program
 * starts. So another recorder can be tried if this one may not work here.
 *
 * What is true of a trace made here (seen on Linux 6.18):
 *  - a write(2) is one op up to where its page ends if the page is not in the cache, and up to
 *    FUSE_WRITE_BYTES; each piece of a durable one is durable by itself.
 *  - RWF_DSYNC and O_DSYNC show in the request's flags. The kernel's own sync after such a write
 *    is not recorded; a sync that the program asks for next is.
 *  - msync(2) of a part counts as a sync of all that was written by write(2): FUSE_FSYNC names no
 *    range. Stores to the rest of the mapping are not there yet, and stay unsynced.
 *  - stores to shared memory are whole pages, seen at a sync, a rename or an acknowledgement of
 *    anybody; between two of these, the last ones alone.
 *  - requests that were waiting at once overlap, and a sync among them covers none of the others:
 *    it is not enough to have been submitted before it.
 *  - a 32-bit program's sync, syncfs and mappings on a 64-bit kernel are not supervised.
 *  - what is mapped costs each of these three a process switch or four (0.4 ms measured).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "crash/base.h"
#include "crash/fuse_server.h"
#include "crash/sandbox.h"
#include "sys/clock.h"
#include "sys/seccomp.h"
#include "sys/thread.h"

#define TICK_MS		50
#define TIMEOUT_NS	(INT64_C(600) * 1000000000)
#define ENDING_TICK_MS	2
#define UNMOUNT_WAIT_MS 10000

extern char **environ;

struct keeper {
	const struct crash_record_opts *opts;
	struct crash_record_report *report;
	struct fuse_server server;
	struct sandbox sandbox;
	struct sandbox_opts box;
	pthread_t thread;
	bool serving;
	int listener; /* of supervised calls, or -1 */
	uint32_t mount;
	int64_t deadline_ns;
	int err;
	bool over;
	char dir[TREE_PATH_MAX];
	char cwd[TREE_PATH_MAX];
	char variable[TREE_PATH_MAX + 64];
	char **envp;
	struct rlimit files;
};

/* ---- supervised calls ---------------------------------------------------------------- */

/* A line "key:\tnumber" of a file of proc(5); 0 if there is none. The last number of it. */
static uint64_t proc_number(const char *path, const char *key)
{
	char text[4096];
	const char *at, *end;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strstr(text, key);
	if (!at)
		return 0;
	end = strchr(at, '\n');
	end = end ? end : at + strlen(at);
	while (end > at && end[-1] >= '0' && end[-1] <= '9')
		end--;
	return strtoull(end, NULL, 10);
}

/* What a descriptor of a waiting thread is: an inode of ours, or 0. *ret_known is false if
 * nobody may tell. */
static uint64_t inode_of(const struct keeper *keeper, uint32_t pid, uint64_t fd, bool *ret_known)
{
	char path[64];
	uint64_t mount;

	snprintf(path, sizeof(path), "/proc/%u/fdinfo/%u", pid, (uint32_t)fd);
	mount = proc_number(path, "mnt_id:");
	*ret_known = mount != 0;
	return mount && mount == keeper->mount ? proc_number(path, "ino:") : 0;
}

/* Its number in the namespace, as the requests have it. */
static uint32_t inner_pid(uint32_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	return (uint32_t)proc_number(path, "NSpid:");
}

static void note_mapping(struct keeper *keeper, const struct seccomp_notif *notif)
{
	struct fuse_server *server = &keeper->server;
	struct tree_node *node;
	uint64_t number;
	bool known;

	number = inode_of(keeper, notif->pid, notif->data.args[4], &known);
	pthread_mutex_lock(&server->lock);
	node = tree_find(&server->tree, number);
	if (node && S_ISREG(node->mode) && node->nr_open)
		fuse_set_mapped(server, node);
	pthread_mutex_unlock(&server->lock);
	if (!known)
		fuse_map_all(server);
}

static int note_sync(struct keeper *keeper, const struct seccomp_notif *notif)
{
	struct fuse_server *server = &keeper->server;
	uint64_t number = CRASH_ROOT;
	bool known = true;
	int err;

	if (notif->data.nr == SYS_syncfs)
		number = inode_of(keeper, notif->pid, notif->data.args[0], &known);
	if (known && !number)
		return 0; /* another file system */
	fuse_server_launder(server, 0);
	pthread_mutex_lock(&server->lock);
	err = fuse_sync_all(server, inner_pid(notif->pid));
	pthread_mutex_unlock(&server->lock);
	return err;
}

static void supervise(struct keeper *keeper)
{
	struct seccomp_notif notif = { 0 };
	struct seccomp_notif_resp answer = { 0 };

	if (sl_sys_seccomp_receive(keeper->listener, &notif) < 0)
		return;
	answer.id = notif.id;
	answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	if (notif.data.nr == SYS_mmap) {
		note_mapping(keeper, &notif);
	} else {
		answer.error = note_sync(keeper, &notif);
		if (answer.error)
			answer.flags = 0;
	}
	sl_sys_seccomp_answer(keeper->listener, &answer);
}

/* ---- messages of the sandbox --------------------------------------------------------- */

static void *serve(void *ctx)
{
	struct keeper *keeper = ctx;
	sigset_t all;

	sl_sys_keep_to_cpu(keeper->box.cpu);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	fuse_server_run(&keeper->server);
	return NULL;
}

static void begin_serving(struct keeper *keeper, int fd)
{
	int err;

	keeper->server.fd = fd;
	keeper->server.wash_fd = keeper->sandbox.wash;
	keeper->server.squash = keeper->sandbox.user_namespace;
	err = -pthread_create(&keeper->thread, NULL, serve, keeper);
	keeper->serving = !err;
	if (err) {
		keeper->err = err;
		keeper->over = true;
	}
}

static void say_refused(struct keeper *keeper, const struct init_message *message)
{
	const char *advice = "";

	switch (message->step) {
	case SANDBOX_OPEN_FUSE:
		advice = message->value == -EACCES || message->value == -EPERM ?
				 "; the device is not for this user, try: chmod 0666 /dev/fuse" :
				 "; the kernel or the container has no FUSE, try: modprobe fuse";
		break;
	case SANDBOX_MAP_USER:
	case SANDBOX_PRIVATE:
	case SANDBOX_MOUNT:
		advice = "; user namespaces are restricted here, try: "
			 "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or root";
		break;
	default:
		break;
	}
	crash_record_why(keeper->report, "fuse: cannot %s: %s%s", sandbox_step_name(message->step),
			 strerror(-message->value), advice);
}

static void take_failure(struct keeper *keeper, const struct init_message *message)
{
	keeper->over = true;
	switch (message->step) {
	case SANDBOX_CHDIR:
	case SANDBOX_EXEC:
	case SANDBOX_STDOUT:
		crash_record_why(keeper->report, "fuse: cannot %s %s: %s",
				 sandbox_step_name(message->step),
				 message->step == SANDBOX_EXEC ? keeper->opts->argv[0] : "",
				 strerror(-message->value));
		keeper->err = message->value;
		/* -EPERM of a command is no reason to try another recorder. */
		if (keeper->err == -EPERM || keeper->err == -ENOSYS)
			keeper->err = -EACCES;
		break;
	default:
		say_refused(keeper, message);
		keeper->err = -EPERM;
		break;
	}
}

static void take_listener(struct keeper *keeper, int fd, int err)
{
	keeper->listener = fd;
	if (fd >= 0)
		return;
	fuse_map_all(&keeper->server);
	crash_record_note(keeper->report, keeper->server.trace,
			  "sync(2) and syncfs(2) are not seen: no supervised calls (%s)",
			  strerror(-err));
}

/* Now it is certain that this recorder can: the trace begins. */
static void take_mount(struct keeper *keeper, const struct init_message *message)
{
	struct fuse_server *server = &keeper->server;

	keeper->mount = message->mount;
	pthread_mutex_lock(&server->lock);
	keeper->err = crash_base_tell(&server->tree, server->trace);
	pthread_mutex_unlock(&server->lock);
	if (!message->value)
		crash_record_note(keeper->report, NULL,
				  "/proc shows the process numbers of outside");
	if (!keeper->err)
		keeper->err = init_go(keeper->sandbox.control);
	keeper->over = keeper->err != 0;
}

static void take_message(struct keeper *keeper)
{
	struct init_message message = { 0 };
	int fd, res = init_receive(keeper->sandbox.control, &message, &fd);

	if (res <= 0) {
		keeper->over = true;
		return;
	}
	switch (message.kind) {
	case SANDBOX_FUSE_CLONE:
		keeper->server.clone_fd = fd;
		return;
	case SANDBOX_FUSE:
		begin_serving(keeper, fd);
		return;
	case SANDBOX_MOUNTED:
		take_mount(keeper, &message);
		return;
	case SANDBOX_LISTENER:
		take_listener(keeper, fd, message.value);
		return;
	case INIT_ENDED:
		keeper->report->status = message.value;
		return;
	default:
		take_failure(keeper, &message);
	}
}

/* ---- waiting ------------------------------------------------------------------------ */

/* The trace takes nothing more: full, which is a limit, or its disk failed. */
static bool trace_ended(struct keeper *keeper)
{
	int err;

	pthread_mutex_lock(&keeper->server.lock);
	err = keeper->server.error;
	pthread_mutex_unlock(&keeper->server.lock);
	if (err == -EFBIG)
		keeper->report->limits |= CRASH_LIMIT_TRACE;
	else
		keeper->err = err;
	return err != 0;
}

static bool is_over(struct keeper *keeper)
{
	const volatile int *stop = keeper->opts->stop;

	if (keeper->over)
		return true;
	if (stop && __atomic_load_n(stop, __ATOMIC_RELAXED)) {
		keeper->err = -ECANCELED;
		return true;
	}
	if (trace_ended(keeper))
		return true;
	if (keeper->deadline_ns && sl_sys_clock_ns() > keeper->deadline_ns) {
		keeper->report->limits |= CRASH_LIMIT_TIME;
		return true;
	}
	return false;
}

static void keep(struct keeper *keeper)
{
	uint64_t count;

	while (!is_over(keeper)) {
		struct pollfd fds[3] = {
			{ keeper->sandbox.control, POLLIN, 0 },
			{ keeper->server.wake_fd, POLLIN, 0 },
			{ keeper->listener, POLLIN, 0 },
		};

		if (poll(fds, 3, TICK_MS) <= 0)
			continue;
		if (fds[1].revents && read(keeper->server.wake_fd, &count, sizeof(count)) > 0)
			fuse_server_work(&keeper->server);
		if (fds[0].revents)
			take_message(keeper);
		if (fds[2].revents & POLLIN) {
			supervise(keeper);
		} else if (fds[2].revents) {
			close(keeper->listener); /* nobody is under it any more */
			keeper->listener = -1;
		}
	}
}

/* ---- beginning and end -------------------------------------------------------------- */

static int find_dirs(struct keeper *keeper)
{
	const char *dir = keeper->opts->dir ? keeper->opts->dir : ".";
	char *real = realpath(dir, NULL);
	struct stat st;
	int err = 0;

	if (!real || stat(real, &st) < 0)
		err = -errno;
	else if (!S_ISDIR(st.st_mode))
		err = -ENOTDIR;
	else if (!strcmp(real, "/"))
		err = -EINVAL;
	else if (strlen(real) >= sizeof(keeper->dir))
		err = -ENAMETOOLONG;
	else
		strcpy(keeper->dir, real);
	free(real);
	if (!err && !getcwd(keeper->cwd, sizeof(keeper->cwd)))
		err = -errno;
	return err;
}

/* The environment, with the variable that sl_crash_ack() reads. */
static int make_environment(struct keeper *keeper)
{
	size_t nr = 0, len = strlen(CRASH_ACK_VARIABLE "=");

	while (environ && environ[nr])
		nr++;
	keeper->envp = calloc(nr + 2, sizeof(char *));
	if (!keeper->envp)
		return -ENOMEM;
	snprintf(keeper->variable, sizeof(keeper->variable), "%s=%s/%s", CRASH_ACK_VARIABLE,
		 keeper->dir, CRASH_MAGIC_ACK);
	keeper->envp[0] = keeper->variable;
	for (size_t i = 0, at = 1; i < nr; i++) {
		if (strncmp(environ[i], CRASH_ACK_VARIABLE "=", len) != 0)
			keeper->envp[at++] = environ[i];
	}
	return 0;
}

/* Each file that the program has open costs a descriptor here too. */
static void raise_files(struct keeper *keeper)
{
	struct rlimit most;

	getrlimit(RLIMIT_NOFILE, &keeper->files);
	most = keeper->files;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
}

static int prepare(struct keeper *keeper, struct crash_trace *trace)
{
	struct fuse_server *server = &keeper->server;
	const struct crash_record_opts *opts = keeper->opts;
	int err = find_dirs(keeper);

	server->opts = opts;
	server->report = keeper->report;
	server->trace = trace;
	server->uid = geteuid();
	server->gid = getegid();
	server->out_fd = opts->stdout_plain || opts->stdout_quiet ? -1 : STDOUT_FILENO;
	if (!err)
		err = make_environment(keeper);
	if (!err)
		err = tree_init(&server->tree);
	if (!err)
		err = scratch_open(&server->scratch, opts->scratch_dir, keeper->dir, &server->tree,
				   opts->bytes_max);
	return err;
}

static int start(struct keeper *keeper)
{
	const struct crash_record_opts *opts = keeper->opts;
	int err;

	keeper->box = (struct sandbox_opts){
		.dir = keeper->dir,
		.cwd = keeper->cwd,
		.argv = opts->argv,
		.envp = keeper->envp,
		.stdout_file = !opts->stdout_plain,
		/* They take turns anyway: to wake another, sleeping processor takes longer than
		 * all the rest of an operation, in a virtual machine ten times as long. */
		.cpu = opts->spread ? -1 : sched_getcpu(),
		.files = keeper->files,
		.uid = keeper->server.uid,
		.gid = keeper->server.gid,
		.locked_fd = keeper->server.scratch.dir_fd,
	};
	err = sandbox_start(&keeper->sandbox, &keeper->box);
	if (err) {
		const struct init_message message = { .step = SANDBOX_START, .value = err };

		say_refused(keeper, &message);
		return -EPERM;
	}
	if (opts->timeout_ns >= 0)
		keeper->deadline_ns =
			sl_sys_clock_ns() + (opts->timeout_ns ? opts->timeout_ns : TIMEOUT_NS);
	return 0;
}

/* Everything of the program dies, and with the last of it the mount: then the server's thread
 * has answered what was left, pages that were never synced among it. */
static void end_serving(struct keeper *keeper)
{
	struct pollfd jobs = { keeper->server.wake_fd, POLLIN, 0 };

	__atomic_store_n(&keeper->server.ending, true, __ATOMIC_RELAXED);
	while (!sandbox_kill(&keeper->sandbox)) {
		poll(&jobs, 1, ENDING_TICK_MS);
		fuse_server_work(&keeper->server);
	}
	keeper->server.wash_fd = -1;
	sandbox_fini(&keeper->sandbox);
	if (keeper->serving) {
		struct pollfd fd = { keeper->server.fd, 0, 0 };

		if (poll(&fd, 1, UNMOUNT_WAIT_MS) <= 0)
			pthread_cancel(keeper->thread);
		pthread_join(keeper->thread, NULL);
	}
	if (keeper->listener >= 0)
		close(keeper->listener);
}

static void flush_lines(struct keeper *keeper)
{
	const struct fuse_in_header in = { 0 };
	const struct fuse_request req = { .in = &in,
					  .begin = crash_trace_now(keeper->server.trace) };
	struct fuse_handle *handle;

	LIST_FOREACH(handle, &keeper->server.handles, in_server)
	{
		if (!handle->node)
			fuse_magic_flush(&keeper->server, &req, handle);
	}
}

static void clear_up(struct keeper *keeper)
{
	struct tree *tree = &keeper->server.tree;

	for (uint64_t i = 0; i < tree->nodes_nr; i++) {
		if (tree->nodes[i])
			scratch_shut(tree->nodes[i]);
	}
	scratch_close(&keeper->server.scratch);
	fuse_server_fini(&keeper->server);
	tree_fini(tree);
	free(keeper->envp);
	setrlimit(RLIMIT_NOFILE, &keeper->files);
	free(keeper);
}

int crash_record_fuse(const struct crash_record_opts *opts, struct crash_trace *trace,
		      struct crash_record_report *ret_report)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int err;

	if (!keeper)
		return -ENOMEM;
	keeper->opts = opts;
	keeper->report = ret_report;
	keeper->listener = -1;
	keeper->sandbox.control = keeper->sandbox.wash = -1;
	keeper->server.scratch = (struct scratch){ .dir_fd = -1, .base_fd = -1 };
	raise_files(keeper);
	err = fuse_server_init(&keeper->server);
	if (!err)
		err = prepare(keeper, trace);
	if (!err)
		err = crash_base_load(&keeper->server.tree, keeper->server.scratch.base_fd, opts,
				      ret_report);
	if (!err)
		err = start(keeper);
	if (!err) {
		keep(keeper);
		end_serving(keeper);
		flush_lines(keeper);
		err = keeper->err;
	}
	clear_up(keeper);
	return err;
}

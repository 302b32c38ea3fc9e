/*
 * confine.c: gives up what a file server does not need.
 *
 * First the user (--user), then, where the kernel has it, files elsewhere (Landlock: even a bug
 * cannot open what is not beneath the served directory) and system calls that no part of this needs
 * (seccomp: running programs, tracing, mounting, loading code). A kernel without them is said once.
 */
#include "tools/serve/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the user --------------------------------------------------------------------------- */

static int drop_user(const char *name)
{
	struct passwd *user;

	if (!name)
		return CLI_DONE;
	errno = 0;
	user = getpwnam(name);
	if (!user)
		return cli_fail(CLI_USAGE, name, "no such user", "see `getent passwd`");
	if (initgroups(name, user->pw_gid) < 0 ||
	    setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return cli_fail_errno(name, errno, "only root can become another user");
	return CLI_DONE;
}

/* ---- files: Landlock --------------------------------------------------------------------- */

#define READS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITES                                                            \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_REG)
#define REFER	  (1ull << 13)	     /* LANDLOCK_ACCESS_FS_REFER, ABI 2 */
#define TRUNCATE  (1ull << 14)	     /* LANDLOCK_ACCESS_FS_TRUNCATE, ABI 3 */
#define HANDLED_1 ((1ull << 13) - 1) /* all of ABI 1 */

static int landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static uint64_t handled(int abi)
{
	return HANDLED_1 | (abi >= 2 ? REFER : 0) | (abi >= 3 ? TRUNCATE : 0);
}

/* Allows access beneath a path; what is not there needs no leave. */
static int allow(int ruleset, const char *path, uint64_t access, uint64_t all)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access & all };
	struct stat st;
	int rc = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return 0;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		rc = -errno;
	close(rule.parent_fd);
	return rc;
}

/* A log is opened anew by a reload, perhaps after it was moved away: its directory counts. */
static int allow_log(int ruleset, const char *log, uint64_t all)
{
	char *copy;
	int rc;

	if (!log || strcmp(log, "-") == 0)
		return 0;
	copy = strdup(log);
	if (!copy)
		return -ENOMEM;
	rc = allow(ruleset, dirname(copy),
		   LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG, all);
	free(copy);
	return rc;
}

static int allow_all(int ruleset, const struct serve_config *config, uint64_t all)
{
	uint64_t site = config->writable ? READS | WRITES | REFER | TRUNCATE : READS;
	int rc = allow(ruleset, config->root, site, all);

	/* Links that lead out of the root lead anywhere. */
	if (rc == 0 && config->follow)
		rc = allow(ruleset, "/", READS, all);
	if (rc == 0 && config->error_pages)
		rc = allow(ruleset, config->error_pages, READS, all);
	if (rc == 0)
		rc = allow(ruleset, config->types ? config->types : "/etc/mime.types", READS, all);
	if (rc == 0)
		rc = allow(ruleset, "/usr/share/mime", READS, all);
	/* Names of files without a name, see upload.c. */
	if (rc == 0 && config->writable)
		rc = allow(ruleset, "/proc/self/fd", READS, all);
	return rc ? rc : allow_log(ruleset, config->access_log, all);
}

static int confine_files(const struct serve_config *config)
{
	struct landlock_ruleset_attr attr = { 0 };
	int abi = landlock_abi(), ruleset, rc;

	if (abi < 1)
		return -ENOSYS;
	attr.handled_access_fs = handled(abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	rc = allow_all(ruleset, config, attr.handled_access_fs);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		rc = -errno;
	close(ruleset);
	return rc;
}

/* ---- system calls: seccomp --------------------------------------------------------------- */

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#define OUR_ARCH 0
#endif

/* What nothing here calls and a foreign hand would. */
static const int denied[] = {
	SYS_execve,
	SYS_execveat,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_unshare,
	SYS_setns,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_userfaultfd,
	SYS_personality,
	SYS_open_by_handle_at,
	SYS_setuid,
	SYS_setgid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_sethostname,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_acct,
	SYS_quotactl,
	SYS_syslog,
};

#define DENIED_NR (sizeof(denied) / sizeof(denied[0]))

static int confine_calls(void)
{
	struct sock_filter code[DENIED_NR + 6], *at = code;
	struct sock_fprog program = { .filter = code };

	if (!OUR_ARCH)
		return -ENOSYS;
	*at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					     offsetof(struct seccomp_data, arch));
	*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	*at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					     offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < DENIED_NR; i++)
		*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)denied[i],
						     (uint8_t)(DENIED_NR - i), 0);
	*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	program.len = (unsigned short)(at - code);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int serve_confine(const struct serve_config *config)
{
	int code = drop_user(config->user), files, calls;

	if (code != CLI_DONE || config->unconfined)
		return code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cli_fail_errno("confinement", errno, "try --unconfined");
	files = confine_files(config);
	calls = confine_calls();
	if (files < 0)
		fprintf(stderr, "sluice serve: not confined to its files: Landlock: %s\n",
			strerror(-files));
	if (calls < 0)
		fprintf(stderr, "sluice serve: not kept from other system calls: seccomp: %s\n",
			strerror(-calls));
	return CLI_DONE;
}

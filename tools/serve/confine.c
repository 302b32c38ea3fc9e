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
#include <libgen.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/serve/mime.h"
#include "tools/server/confine.h"

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

/* A certificate or a table is renewed under its name, which may be a link elsewhere. */
static int allow_around(int ruleset, const char *path, uint64_t all)
{
	char *copy = strdup(path), *target = realpath(path, NULL);
	int rc = copy ? allow(ruleset, dirname(copy), READS, all) : -ENOMEM;

	if (rc == 0 && target)
		rc = allow(ruleset, dirname(target), READS, all);
	free(copy);
	free(target);
	return rc;
}

static int allow_tls(int ruleset, const struct serve_config *config, uint64_t all)
{
	int rc = 0;

	for (uint32_t i = 0; i < config->tls_certs.nr && rc == 0; i++) {
		rc = allow_around(ruleset, config->tls_certs.value[i], all);
		if (rc == 0)
			rc = allow_around(ruleset, config->tls_keys.value[i], all);
	}
	return rc;
}

/* Allows access beneath a directory, and remembers which one it was. */
static int allow_place(int ruleset, const char *path, uint64_t access, uint64_t all,
		       struct serve_confined *confined)
{
	struct stat st;

	if (stat(path, &st) == 0)
		confined->place[confined->nr++] = (struct serve_place){ st.st_dev, st.st_ino };
	return allow(ruleset, path, access, all);
}

static int allow_all(int ruleset, const struct serve_config *config, uint64_t all,
		     struct serve_confined *confined)
{
	const char *root = config->confine_to ? config->confine_to : config->root;
	uint64_t site = config->writable ? READS | WRITES | REFER | TRUNCATE : READS;
	int rc = allow_place(ruleset, root, site, all, confined);

	/* Links that lead out of the root lead anywhere; what is written stays within. */
	if (rc == 0 && config->follow && !config->writable)
		rc = allow_place(ruleset, "/", READS, all, confined);
	else if (rc == 0 && config->follow)
		rc = allow(ruleset, "/", READS, all);
	if (rc == 0 && config->error_pages)
		rc = allow(ruleset, config->error_pages, READS, all);
	if (rc == 0 && config->types)
		rc = allow_around(ruleset, config->types, all);
	else if (rc == 0)
		rc = allow(ruleset, SERVE_MIME_SYSTEM, READS, all);
	if (rc == 0)
		rc = allow(ruleset, "/usr/share/mime", READS, all);
	/* Names of files without a name, see upload.c. */
	if (rc == 0 && config->writable)
		rc = allow(ruleset, "/proc/self/fd", READS, all);
	if (rc == 0)
		rc = allow_tls(ruleset, config, all);
	return rc ? rc : allow_log(ruleset, config->access_log, all);
}

static int confine_files(const struct serve_config *config, struct serve_confined *confined)
{
	struct landlock_ruleset_attr attr = { 0 };
	int abi = landlock_abi(), ruleset, rc;

	if (abi < 1)
		return -ENOSYS;
	attr.handled_access_fs = handled(abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	rc = allow_all(ruleset, config, attr.handled_access_fs, confined);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		rc = -errno;
	close(ruleset);
	confined->files = rc == 0;
	return rc;
}

/* ---- what that means for a reload -------------------------------------------------------- */

static bool is_place(const struct serve_confined *confined, const struct stat *st)
{
	for (unsigned i = 0; i < confined->nr; i++) {
		if (confined->place[i].dev == st->st_dev && confined->place[i].ino == st->st_ino)
			return true;
	}
	return false;
}

static bool is_beneath(const struct serve_confined *confined, int dir_fd)
{
	struct stat st, above;
	int fd = openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC), up;
	bool reaches = false;

	while (fd >= 0 && fstat(fd, &st) == 0 && !(reaches = is_place(confined, &st))) {
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up >= 0 && fstat(up, &above) == 0 && above.st_dev == st.st_dev &&
		    above.st_ino == st.st_ino) {
			close(up); /* the top */
			break;
		}
		close(fd);
		fd = up;
	}
	if (fd >= 0)
		close(fd);
	return reaches;
}

bool serve_confined_reaches(const struct serve_confined *confined, int dir_fd)
{
	return !confined->files || is_beneath(confined, dir_fd);
}

/* access() asks for permissions alone: where it says yes and an open said no, Landlock did. */
const char *serve_confined_remedy(const struct serve_confined *confined,
				  const struct serve_config *config, const char *path, int err)
{
	if ((err != EACCES && err != -EACCES) || !confined)
		return NULL;
	if (confined->files && access(path, R_OK) == 0)
		return "it is another one now, and confinement holds to the first; restart, or "
		       "run with --unconfined";
	if (config->user)
		return "a reload is done as the user of --user, who needs leave for it";
	return NULL;
}

/* ---- all of it --------------------------------------------------------------------------- */

/* Said at the start, not by the first request. */
static int check_place(const struct serve_config *config)
{
	struct serve_confined wanted = { .nr = 1 };
	struct stat st;
	bool beneath;
	int fd;

	if (!config->confine_to)
		return CLI_DONE;
	if (stat(config->confine_to, &st) < 0)
		return cli_fail_errno(config->confine_to, errno, NULL);
	wanted.place[0] = (struct serve_place){ st.st_dev, st.st_ino };
	fd = open(config->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	beneath = fd >= 0 && is_beneath(&wanted, fd);
	if (fd >= 0)
		close(fd);
	return beneath ? CLI_DONE :
			 cli_fail(CLI_USAGE, config->root, "is not beneath --confine-to",
				  "name a directory above it");
}

int serve_confine(const struct serve_config *config, struct serve_confined *ret)
{
	int code = server_become(config->user), files, calls;

	if (code == CLI_DONE)
		code = check_place(config);
	if (code != CLI_DONE || config->unconfined)
		return code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cli_fail_errno("confinement", errno, "try --unconfined");
	files = confine_files(config, ret);
	calls = server_confine_calls();
	if (files < 0)
		fprintf(stderr, "sluice serve: not confined to its files: Landlock: %s\n",
			strerror(-files));
	if (calls < 0)
		fprintf(stderr, "sluice serve: not kept from other system calls: seccomp: %s\n",
			strerror(-calls));
	return CLI_DONE;
}

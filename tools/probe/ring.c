/* io_uring: is it there, why not, and which of its parts work. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tools/probe/proc.h"
#include "tools/probe/trial.h"

#define FIX_SECCOMP                                                                           \
	"allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile, " \
	"e.g. docker run --security-opt seccomp=unconfined (or a profile with them), "        \
	"systemd: SystemCallFilter=@io-uring"

static void explain_eperm(struct check *check)
{
	int64_t disabled = proc_number("/proc/sys/kernel/io_uring_disabled", 0);
	int64_t filter = proc_field("/proc/self/status", "Seccomp", 0);

	if (disabled == 2) {
		check_say(check, "kernel.io_uring_disabled is 2: off for everybody");
		check_fix(check, "sysctl -w kernel.io_uring_disabled=0");
	} else if (disabled == 1 && geteuid() != 0) {
		check_say(check, "kernel.io_uring_disabled is 1: only for one group");
		check_fix(check,
			  "sysctl -w kernel.io_uring_group=%u, or "
			  "sysctl -w kernel.io_uring_disabled=0",
			  getegid());
	} else {
		check_say(check, "%s",
			  filter == 2 ? "a seccomp filter is active and denies it" :
					"a security policy denies it");
		check_fix(check, FIX_SECCOMP);
	}
}

static void explain_absence(struct check *check, int err)
{
	int64_t filter = proc_field("/proc/self/status", "Seccomp", 0);

	check_set(check, CHECK_NO, "io_uring_setup: %s", check_errno(err));
	if (err == -EPERM || err == -EACCES) {
		explain_eperm(check);
	} else if (err == -ENOSYS && filter == 2) {
		check_say(check, "a seccomp filter is active and may pretend that it is missing");
		check_fix(check, FIX_SECCOMP);
	} else if (err == -ENOSYS) {
		check_say(check, "this kernel has none, or one older than Linux 5.11");
		check_fix(check, "a kernel of Linux 6.1 or newer with CONFIG_IO_URING=y");
	} else if (err == -ENOMEM) {
		struct rlimit limit = { 0 };

		getrlimit(RLIMIT_MEMLOCK, &limit);
		check_say(check, "the limit on locked memory is %llu bytes",
			  (unsigned long long)limit.rlim_cur);
		check_fix(check, "ulimit -l 131072 (kB), or LimitMEMLOCK=128M in the unit");
	}
}

static bool try_available(struct probe *probe)
{
	struct check *check = check_add(&probe->checks, "ring.available", "io_uring");
	struct ringbox box;
	int64_t err = ringbox_open(&box, 0, URING_QUEUE_WANT);

	if (err < 0) {
		explain_absence(check, (int)err);
		return false;
	}
	err = ringbox_do(&box, (struct sl_uring_sqe){ .opcode = SL_URING_OP_NOP });
	if (err < 0) {
		check_set(check, CHECK_NO, "set up, but a nop failed: %s", check_errno(err));
		if (err == -EPERM)
			check_fix(check, FIX_SECCOMP);
	} else {
		check_set(check, CHECK_YES, "a ring of %u and %u entries ran a nop",
			  box.report.sq_entries, box.report.cq_entries);
	}
	ringbox_close(&box);
	return err >= 0;
}

static void fix_by_kernel(struct check *check, const char *since)
{
	struct utsname name;

	uname(&name);
	check_fix(check, "Linux %s or newer (this is %s)", since, name.release);
}

/* Flags that need others beside them name all of them. */
static const struct {
	const char *id, *title;
	uint32_t flags;
	const char *since;
} setups[] = {
	{ "ring.setup.cqsize", "CQSIZE", SL_URING_SETUP_CQSIZE, "5.5" },
	{ "ring.setup.clamp", "CLAMP", SL_URING_SETUP_CLAMP, "5.6" },
	{ "ring.setup.r_disabled", "R_DISABLED", SL_URING_SETUP_R_DISABLED, "5.10" },
	{ "ring.setup.submit_all", "SUBMIT_ALL", SL_URING_SETUP_SUBMIT_ALL, "5.18" },
	{ "ring.setup.coop_taskrun", "COOP_TASKRUN", SL_URING_SETUP_COOP_TASKRUN, "5.19" },
	{ "ring.setup.taskrun_flag", "TASKRUN_FLAG",
	  SL_URING_SETUP_COOP_TASKRUN | SL_URING_SETUP_TASKRUN_FLAG, "5.19" },
	{ "ring.setup.sqe128", "SQE128", SL_URING_SETUP_SQE128, "5.19" },
	{ "ring.setup.cqe32", "CQE32", SL_URING_SETUP_CQE32, "5.19" },
	{ "ring.setup.single_issuer", "SINGLE_ISSUER", SL_URING_SETUP_SINGLE_ISSUER, "6.0" },
	{ "ring.setup.defer_taskrun", "DEFER_TASKRUN",
	  SL_URING_SETUP_SINGLE_ISSUER | SL_URING_SETUP_DEFER_TASKRUN, "6.1" },
	{ "ring.setup.no_sqarray", "NO_SQARRAY", SL_URING_SETUP_NO_SQARRAY, "6.6" },
	{ "ring.setup.sqpoll", "SQPOLL", SL_URING_SETUP_SQPOLL, "5.1" },
	{ "ring.setup.iopoll", "IOPOLL", SL_URING_SETUP_IOPOLL, "5.1" },
	{ "ring.setup.hybrid_iopoll", "HYBRID_IOPOLL",
	  SL_URING_SETUP_IOPOLL | SL_URING_SETUP_HYBRID_IOPOLL, "6.13" },
	{ "ring.setup.cqe_mixed", "CQE_MIXED", SL_URING_SETUP_CQE_MIXED, "6.18" },
};

static void try_setups(struct probe *probe)
{
	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
		struct check *check = check_add(&probe->checks, setups[i].id, setups[i].title);
		struct sl_uring_params params = { .flags = setups[i].flags };
		int fd;

		if (params.flags & SL_URING_SETUP_CQSIZE)
			params.cq_entries = 32;
		fd = ringbox_setup(4, &params);
		check_result(check, fd);
		if (fd >= 0)
			close(fd);
		else if (fd == -EINVAL)
			fix_by_kernel(check, setups[i].since);
	}
}

static const struct {
	const char *id, *title;
	uint32_t bit;
	const char *since;
} features[] = {
	{ "ring.feature.single_mmap", "SINGLE_MMAP", SL_URING_FEAT_SINGLE_MMAP, "5.4" },
	{ "ring.feature.nodrop", "NODROP", SL_URING_FEAT_NODROP, "5.5" },
	{ "ring.feature.submit_stable", "SUBMIT_STABLE", SL_URING_FEAT_SUBMIT_STABLE, "5.5" },
	{ "ring.feature.rw_cur_pos", "RW_CUR_POS", SL_URING_FEAT_RW_CUR_POS, "5.6" },
	{ "ring.feature.cur_personality", "CUR_PERSONALITY", SL_URING_FEAT_CUR_PERSONALITY, "5.6" },
	{ "ring.feature.fast_poll", "FAST_POLL", SL_URING_FEAT_FAST_POLL, "5.7" },
	{ "ring.feature.poll_32bits", "POLL_32BITS", SL_URING_FEAT_POLL_32BITS, "5.9" },
	{ "ring.feature.sqpoll_nonfixed", "SQPOLL_NONFIXED", SL_URING_FEAT_SQPOLL_NONFIXED,
	  "5.11" },
	{ "ring.feature.ext_arg", "EXT_ARG", SL_URING_FEAT_EXT_ARG, "5.11" },
	{ "ring.feature.native_workers", "NATIVE_WORKERS", SL_URING_FEAT_NATIVE_WORKERS, "5.12" },
	{ "ring.feature.rsrc_tags", "RSRC_TAGS", SL_URING_FEAT_RSRC_TAGS, "5.13" },
	{ "ring.feature.cqe_skip", "CQE_SKIP", SL_URING_FEAT_CQE_SKIP, "5.17" },
	{ "ring.feature.linked_file", "LINKED_FILE", SL_URING_FEAT_LINKED_FILE, "5.17" },
	{ "ring.feature.reg_reg_ring", "REG_REG_RING", SL_URING_FEAT_REG_REG_RING, "6.3" },
	{ "ring.feature.recvsend_bundle", "RECVSEND_BUNDLE", SL_URING_FEAT_RECVSEND_BUNDLE,
	  "6.10" },
	{ "ring.feature.min_timeout", "MIN_TIMEOUT", SL_URING_FEAT_MIN_TIMEOUT, "6.12" },
	{ "ring.feature.rw_attr", "RW_ATTR", SL_URING_FEAT_RW_ATTR, "6.14" },
	{ "ring.feature.no_iowait", "NO_IOWAIT", SL_URING_FEAT_NO_IOWAIT, "6.15" },
};

static void say_features(struct probe *probe)
{
	struct sl_uring_params params = { 0 };
	int fd = ringbox_setup(4, &params);

	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		struct check *check = check_add(&probe->checks, features[i].id, features[i].title);

		if (fd < 0) {
			check_set(check, CHECK_UNKNOWN, "no plain ring: %s", check_errno(fd));
			continue;
		}
		check_set(check, params.features & features[i].bit ? CHECK_YES : CHECK_NO,
			  "bit %#x of the features of a ring", features[i].bit);
		if (check->status == CHECK_NO)
			fix_by_kernel(check, features[i].since);
	}
}

static void run_trial(struct trial_env *env, const struct trial *trial)
{
	struct check *check = check_add(&env->probe->checks, trial->id, trial->title);
	struct ringbox box;
	int64_t res = ringbox_open(&box, 0, URING_QUEUE_WANT);

	if (res < 0) {
		check_set(check, CHECK_UNKNOWN, "no ring: %s", check_errno(res));
		return;
	}
	env->box = &box;
	res = trial->step(env, check);
	env->box = NULL;
	ringbox_close(&box);
	if (res == -ETIMEDOUT)
		check_set(check, CHECK_UNKNOWN, "no completion within %d ms", RINGBOX_WAIT_MS);
	else if (res < 0)
		check_result(check, res);
	else if (check->status == CHECK_UNKNOWN && !check->skipped)
		check_done(check);
	if (res == -EINVAL || res == -ENOSYS)
		fix_by_kernel(check, trial->since);
}

/* A file that can be cut and filled without touching the scratch file of the other topics. */
static int open_file(const struct probe *probe)
{
	int fd = probe->scratch_err ? -1 : place_scratch(&probe->place);

	if (fd < 0)
		fd = memfd_create("sluice-probe", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 2 * 4096) == 0)
		return fd;
	close(fd);
	return -1;
}

static void run_trials(struct probe *probe, const struct trial *trials)
{
	for (; trials->id; trials++) {
		struct trial_env env = { .probe = probe, .file = open_file(probe) };

		run_trial(&env, trials);
		if (env.file >= 0)
			close(env.file);
	}
}

void probe_ring(struct probe *probe)
{
	if (!try_available(probe))
		return;
	try_setups(probe);
	say_features(probe);
	run_trials(probe, trial_core_ops);
	run_trials(probe, trial_file_ops);
	run_trials(probe, trial_net_ops);
	run_trials(probe, trial_registrations);
}

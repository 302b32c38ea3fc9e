/* SPDX-License-Identifier: MIT */
/* seccomp_filter.c - which calls wait for the supervisor, and which are refused at once. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "crash/seccomp.h"

#define CODE_MAX  512
#define X32_CALLS 0x40000000u

/* What a call must be to wait. */
enum rule_kind {
	RULE_ALWAYS,
	RULE_OPENS_TO_WRITE, /* flags in argument arg */
	RULE_MAPS_TO_WRITE,
	RULE_REFUSED, /* with error */
	RULE_REFLINK, /* ioctl(2) that copies within the kernel: error */
};

struct rule {
	int nr;
	enum rule_kind kind;
	uint32_t arg; /* or error */
	call_handler *handler;
};

/* By how often they come. */
static const struct rule rules[] = {
	{ SYS_write, RULE_ALWAYS, 0, call_write },
	{ SYS_pwrite64, RULE_ALWAYS, 0, call_pwrite },
	{ SYS_mmap, RULE_MAPS_TO_WRITE, 0, call_mmap },
	{ SYS_openat, RULE_OPENS_TO_WRITE, 2, call_openat },
	{ SL_SYS_CALL_OPEN, RULE_OPENS_TO_WRITE, 1, call_open },
	{ SYS_fsync, RULE_ALWAYS, 0, call_fsync },
	{ SYS_fdatasync, RULE_ALWAYS, 0, call_fdatasync },
	{ SYS_writev, RULE_ALWAYS, 0, call_writev },
	{ SYS_pwritev, RULE_ALWAYS, 0, call_pwritev },
	{ SYS_pwritev2, RULE_ALWAYS, 0, call_pwritev2 },
	{ SYS_ioctl, RULE_REFLINK, EOPNOTSUPP, NULL },
	{ SYS_openat2, RULE_ALWAYS, 0, call_openat2 },
	{ SL_SYS_CALL_CREAT, RULE_ALWAYS, 0, call_creat },
	{ SL_SYS_CALL_UNLINK, RULE_ALWAYS, 0, call_unlink },
	{ SYS_unlinkat, RULE_ALWAYS, 0, call_unlinkat },
	{ SL_SYS_CALL_RENAME, RULE_ALWAYS, 0, call_rename },
	{ SL_SYS_CALL_RENAMEAT, RULE_ALWAYS, 0, call_renameat },
	{ SYS_renameat2, RULE_ALWAYS, 0, call_renameat2 },
	{ SYS_ftruncate, RULE_ALWAYS, 0, call_ftruncate },
	{ SYS_truncate, RULE_ALWAYS, 0, call_truncate },
	{ SYS_fallocate, RULE_ALWAYS, 0, call_fallocate },
	{ SL_SYS_CALL_MKDIR, RULE_ALWAYS, 0, call_mkdir },
	{ SYS_mkdirat, RULE_ALWAYS, 0, call_mkdirat },
	{ SL_SYS_CALL_RMDIR, RULE_ALWAYS, 0, call_rmdir },
	{ SL_SYS_CALL_LINK, RULE_ALWAYS, 0, call_link },
	{ SYS_linkat, RULE_ALWAYS, 0, call_linkat },
	{ SL_SYS_CALL_SYMLINK, RULE_ALWAYS, 0, call_symlink },
	{ SYS_symlinkat, RULE_ALWAYS, 0, call_symlinkat },
	{ SL_SYS_CALL_MKNOD, RULE_ALWAYS, 0, call_mknod },
	{ SYS_mknodat, RULE_ALWAYS, 0, call_mknodat },
	{ SL_SYS_CALL_CHMOD, RULE_ALWAYS, 0, call_chmod },
	{ SYS_fchmod, RULE_ALWAYS, 0, call_fchmod },
	{ SYS_fchmodat, RULE_ALWAYS, 0, call_fchmodat },
	{ SYS_sync, RULE_ALWAYS, 0, call_sync },
	{ SYS_syncfs, RULE_ALWAYS, 0, call_syncfs },
	{ SYS_sync_file_range, RULE_ALWAYS, 0, call_sync_range },
	{ SYS_sendfile, RULE_ALWAYS, 0, call_sendfile },
	{ SYS_splice, RULE_ALWAYS, 0, call_splice },
	{ SYS_copy_file_range, RULE_ALWAYS, 0, call_copy_range },
	{ SYS_io_uring_setup, RULE_REFUSED, ENOSYS, NULL },
	{ SYS_io_setup, RULE_REFUSED, ENOSYS, NULL },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

call_handler *watch_handler(int nr)
{
	for (size_t i = 0; i < RULES; i++) {
		if (rules[i].nr == nr)
			return rules[i].handler;
	}
	return NULL;
}

/* ---- as a program for the kernel ----------------------- */

struct builder {
	struct sock_filter code[CODE_MAX];
	unsigned short nr;
};

static void emit(struct builder *builder, struct sock_filter statement)
{
	SL_ASSERT_CMP(builder->nr, <, CODE_MAX);
	builder->code[builder->nr++] = statement;
}

/* Where the low half of an argument lies, which is all of what is looked at. */
static void load_argument(struct builder *builder, unsigned arg)
{
	const int one = 1;
	size_t half = *(const char *)&one ? 0 : 4;

	emit(builder, (struct sock_filter)BPF_STMT(
			      BPF_LD | BPF_W | BPF_ABS,
			      (uint32_t)(offsetof(struct seccomp_data, args) + arg * 8 + half)));
}

#define RETURN(value)	      (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, value)
#define JUMP(op, value, t, f) (struct sock_filter) BPF_JUMP(BPF_JMP | (op) | BPF_K, value, t, f)

#define WRITING_FLAGS (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* What is done once the number is found; each way ends in a return. */
static void emit_rule(struct builder *builder, const struct rule *rule)
{
	static const uint32_t reflinks[] = { FICLONE, FICLONERANGE, FIDEDUPERANGE };

	switch (rule->kind) {
	case RULE_ALWAYS:
		break;
	case RULE_OPENS_TO_WRITE:
		load_argument(builder, rule->arg);
		emit(builder, JUMP(BPF_JSET, WRITING_FLAGS, 1, 0));
		emit(builder, RETURN(SECCOMP_RET_ALLOW));
		break;
	case RULE_MAPS_TO_WRITE:
		load_argument(builder, 2);
		emit(builder, JUMP(BPF_JSET, PROT_WRITE, 1, 0));
		emit(builder, RETURN(SECCOMP_RET_ALLOW));
		load_argument(builder, 3);
		emit(builder, JUMP(BPF_JSET, MAP_ANONYMOUS, 1, 0));
		emit(builder, JUMP(BPF_JSET, MAP_SHARED, 1, 0));
		emit(builder, RETURN(SECCOMP_RET_ALLOW));
		break;
	case RULE_REFLINK:
		load_argument(builder, 1);
		for (unsigned i = 0; i < 3; i++) {
			emit(builder, JUMP(BPF_JEQ, reflinks[i], 0, 1));
			emit(builder, RETURN(SECCOMP_RET_ERRNO | rule->arg));
		}
		emit(builder, RETURN(SECCOMP_RET_ALLOW));
		return;
	case RULE_REFUSED:
		emit(builder, RETURN(SECCOMP_RET_ERRNO | rule->arg));
		return;
	}
	emit(builder, RETURN(SECCOMP_RET_USER_NOTIF));
}

/* Of another machine's kind (32 bits): its calls have other numbers, so nothing of it may run. */
static void build(struct builder *builder)
{
	emit(builder, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, arch)));
	emit(builder, JUMP(BPF_JEQ, SL_SYS_AUDIT_ARCH, 1, 0));
	emit(builder, RETURN(SECCOMP_RET_KILL_PROCESS));
	emit(builder, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr)));
	/* The x32 calls of x86-64. */
	emit(builder, JUMP(BPF_JGE, X32_CALLS, 0, 1));
	emit(builder, RETURN(SECCOMP_RET_ERRNO | ENOSYS));
	for (size_t i = 0; i < RULES; i++) {
		unsigned short at = builder->nr;

		if (rules[i].nr == SL_SYS_CALL_NONE)
			continue;
		emit(builder, JUMP(BPF_JEQ, (uint32_t)rules[i].nr, 0, 0));
		emit_rule(builder, &rules[i]);
		builder->code[at].jf = (unsigned char)(builder->nr - at - 1);
	}
	emit(builder, RETURN(SECCOMP_RET_ALLOW));
}

const struct sock_fprog *watch_filter(void)
{
	static struct builder builder;
	static struct sock_fprog program;

	if (!builder.nr)
		build(&builder);
	program = (struct sock_fprog){ builder.nr, builder.code };
	return &program;
}

/* SPDX-License-Identifier: MIT */
/* optable.c - every operation: its group, who runs it where the backend does not, its flags. */
#include "engine/optable.h"

/* Every operation may park and may start a chain. */
#define ANY	 (SL_OP_PARK | SL_OP_LINKED)
#define TRANSFER (ANY | SL_OP_VEC)

#define CORE	SL_GROUP_CORE
#define BLOCK	SL_GROUP_BLOCK
#define FILES	SL_GROUP_FILE
#define NAME	SL_GROUP_NAME
#define NET	SL_GROUP_NET
#define PROCESS SL_GROUP_PROCESS

#define ENGINE	  SL_ROUTE_ENGINE
#define AT_ONCE	  SL_ROUTE_INLINE
#define ON_WORKER SL_ROUTE_WORKER
#define BACKEND	  SL_ROUTE_NONE

#define READS  (SL_OP_READS | SL_OP_ON_FD)
#define WRITES (SL_OP_WRITES | SL_OP_ON_FD)
#define ON_FD  SL_OP_ON_FD
#define IN     SL_OP_STREAM_IN
#define OUT    SL_OP_STREAM_OUT
#define AT_OFF SL_OP_AT_OFF

const struct sl_op_info sl_op_table[SL_OP_CODES] = {
	[SL_OP_NOP] = { "nop", CORE, ENGINE, 0, ANY },
	[SL_OP_TIMER] = { "timer", CORE, ENGINE, 0, ANY | SL_OP_MULTI },
	[SL_OP_POLL] = { "poll", CORE, BACKEND, ON_FD, ANY | SL_OP_MULTI },
	[SL_OP_WORK] = { "work", CORE, ON_WORKER, 0, ANY },
	[SL_OP_POST] = { "post", CORE, ENGINE, 0, ANY },
	[SL_OP_READ] = { "read", BLOCK, ON_WORKER, READS | IN | AT_OFF,
			 TRANSFER | SL_OP_PARTIAL | SL_OP_POOLED | SL_OP_DONTCACHE },
	[SL_OP_WRITE] = { "write", BLOCK, ON_WORKER, WRITES | OUT | AT_OFF,
			  TRANSFER | SL_OP_PARTIAL | SL_OP_DSYNC | SL_OP_DONTCACHE },
	[SL_OP_FSYNC] = { "fsync", BLOCK, ON_WORKER, ON_FD, ANY },
	[SL_OP_FDATASYNC] = { "fdatasync", BLOCK, ON_WORKER, ON_FD, ANY },
	[SL_OP_ALLOCATE] = { "allocate", FILES, ON_WORKER, ON_FD, ANY },
	[SL_OP_TRUNCATE] = { "truncate", FILES, ON_WORKER, ON_FD, ANY },
	[SL_OP_OPEN] = { "open", NAME, ON_WORKER, 0, ANY },
	[SL_OP_CLOSE] = { "close", NAME, ENGINE, ON_FD, ANY },
	[SL_OP_STAT] = { "stat", NAME, ON_WORKER, 0, ANY },
	[SL_OP_LINK] = { "link", NAME, ON_WORKER, 0, ANY },
	[SL_OP_SYMLINK] = { "symlink", NAME, ON_WORKER, 0, ANY },
	[SL_OP_RENAME] = { "rename", NAME, ON_WORKER, 0, ANY },
	[SL_OP_UNLINK] = { "unlink", NAME, ON_WORKER, 0, ANY },
	[SL_OP_MKDIR] = { "mkdir", NAME, ON_WORKER, 0, ANY },
	[SL_OP_READDIR] = { "readdir", NAME, ON_WORKER, READS, ANY },
	[SL_OP_GETXATTR] = { "getxattr", NAME, ON_WORKER, ON_FD, ANY },
	[SL_OP_SETXATTR] = { "setxattr", NAME, ON_WORKER, ON_FD, ANY },
	[SL_OP_LOCK] = { "lock", NAME, ENGINE, ON_FD, ANY },
	[SL_OP_SYNC_DIR] = { "sync_dir", NAME, ON_WORKER, ON_FD, ANY },
	[SL_OP_SOCKET] = { "socket", NET, AT_ONCE, 0, ANY },
	[SL_OP_BIND] = { "bind", NET, AT_ONCE, ON_FD, ANY },
	[SL_OP_LISTEN] = { "listen", NET, AT_ONCE, ON_FD, ANY },
	[SL_OP_ACCEPT] = { "accept", NET, BACKEND, ON_FD, ANY | SL_OP_MULTI },
	[SL_OP_CONNECT] = { "connect", NET, BACKEND, ON_FD, ANY },
	[SL_OP_RECV] = { "recv", NET, BACKEND, READS | IN, TRANSFER | SL_OP_MULTI | SL_OP_POOLED },
	[SL_OP_SEND] = { "send", NET, BACKEND, WRITES | OUT, TRANSFER | SL_OP_ZC },
	[SL_OP_RECVMSG] = { "recvmsg", NET, BACKEND, READS | IN, ANY },
	[SL_OP_SENDMSG] = { "sendmsg", NET, BACKEND, WRITES | OUT, ANY | SL_OP_ZC },
	[SL_OP_SHUTDOWN] = { "shutdown", NET, AT_ONCE, ON_FD, ANY },
	[SL_OP_GETSOCKOPT] = { "getsockopt", NET, AT_ONCE, ON_FD, ANY },
	[SL_OP_SETSOCKOPT] = { "setsockopt", NET, AT_ONCE, ON_FD, ANY },
	[SL_OP_PIPE] = { "pipe", PROCESS, AT_ONCE, 0, ANY },
	[SL_OP_SPLICE] = { "splice", PROCESS, BACKEND, WRITES | OUT, ANY | SL_OP_NOWAIT },
	[SL_OP_TEE] = { "tee", PROCESS, BACKEND, WRITES | OUT, ANY | SL_OP_NOWAIT },
	[SL_OP_SENDFILE] = { "sendfile", NET, BACKEND, WRITES | OUT, ANY | SL_OP_NOWAIT },
};

const char *sl_op_name(unsigned code)
{
	return code < SL_OP_CODES ? sl_op_table[code].name : "?";
}

int sl_caps_route(const struct sl_caps *caps, unsigned code)
{
	return code < SL_OP_CODES ? caps->route[code] : SL_ROUTE_NONE;
}

/* checkers.c: checkers for well-known programs, made of the programs' own tools; see checkers.h. */
#include "tools/crash/checkers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/crash/setting.h"

/*
 * A script runs in the state's directory with the path given as $1. It opens the data as the
 * program would after a crash, then looks for what was acknowledged. What an acknowledgement must
 * look like is in sluice-crash(1).
 */
struct checker {
	const char *name;
	const char *path;     /* when none is given; NULL: it must be */
	const char *tools[3]; /* looked for in $PATH */
	const char *package;  /* Debian's name for them */
	const char *probe;    /* a command that fails where the tools lack something; or NULL */
	const char *ignore[2];
	const char *script;
};

static const char sqlite_script[] =
	"n=$(grep -ci '^select ' \"$SLUICE_ACKS\")\n"
	"if [ ! -e \"$1\" ]; then\n"
	"	[ \"$n\" = 0 ] && exit 0\n"
	"	echo \"$1 is not there, and a transaction was acknowledged\"; exit 1\n"
	"fi\n"
	"rows=$({ echo 'PRAGMA integrity_check;'\n"
	"	grep -i '^select ' \"$SLUICE_ACKS\" | sed 's/;*$/;/'; } |\n"
	"	sqlite3 -batch -bail \"$1\" 2>&1) || { echo \"sqlite3: $rows\"; exit 1; }\n"
	"[ \"$(echo \"$rows\" | head -n 1)\" = ok ] || { echo \"integrity_check: "
	"$rows\"; exit 1; }\n"
	"[ \"$(echo \"$rows\" | tail -n +2 | grep -cvx '0*')\" -ge \"$n\" ] && exit 0\n"
	"echo 'a transaction was acknowledged, and is not there; the queries answered:'\n"
	"echo \"$rows\" | tail -n +2\n"
	"exit 1\n";

static const char git_script[] =
	"export GIT_CEILING_DIRECTORIES=\"$PWD\" GIT_CONFIG_NOSYSTEM=1 "
	"GIT_CONFIG_GLOBAL=/dev/null\n"
	"cd \"$1\" || exit 1\n"
	"ids=$(grep -oE '[0-9a-f]{40,64}' \"$SLUICE_ACKS\")\n"
	"[ -n \"$ids\" ] || [ -e .git ] || [ -e HEAD ] || exit 0\n"
	"said=$(git fsck --full --no-dangling --no-progress 2>&1) || { echo \"$said\"; exit 1; }\n"
	"for id in $ids; do\n"
	"	git cat-file -e \"$id^{}\" || { echo \"$id was acknowledged, and is "
	"missing\"; exit 1; }\n"
	"	[ -n \"$(git for-each-ref --contains \"$id\" 2>&1)\" ] && continue\n"
	"	echo \"$id was acknowledged, and no ref leads to it\"; exit 1\n"
	"done\n"
	"exit 0\n";

/* The server loads what redis-check-aof has found whole, or torn at its end, as it would after a
 * crash. */
static const char redis_script[] =
	"cd \"$1\" || exit 1\n"
	"box=$(mktemp -d) || exit 1\n"
	"ln -s \"$(command -v redis-check-rdb)\" \"$box/redis-server\"\n"
	"\"$box/redis-server\" --dir . --port 0 --unixsocket \"$box/s\" --appendonly "
	"yes --save '' \\\n"
	"	--daemonize no --logfile '' >\"$box/log\" 2>&1 &\n"
	"server=$!\n"
	"trap 'kill -9 $server 2>/dev/null; wait $server 2>/dev/null; rm -rf \"$box\"' EXIT\n"
	"until [ \"$(redis-cli -s \"$box/s\" ping 2>/dev/null)\" = PONG ]; do\n"
	"	kill -0 $server 2>/dev/null || { tail -n 5 \"$box/log\"; exit 1; }\n"
	"	sleep 0.01\n"
	"done\n"
	"while read -r key value; do\n"
	"	got=$(redis-cli -s \"$box/s\" get \"$key\" </dev/null)\n"
	"	[ \"$got\" = \"$value\" ] && continue\n"
	"	echo \"$key=$value was acknowledged, and is '$got'\"; exit 1\n"
	"done <\"$SLUICE_ACKS\"\n"
	"exit 0\n";

static const char lmdb_script[] =
	"one=; [ -d \"$1\" ] || one=-n\n"
	"if [ ! -s \"$1\" ] && [ ! -s \"$1/data.mdb\" ] && [ ! -s \"$SLUICE_ACKS\" ]; "
	"then exit 0; fi\n"
	"all=$(mdb_dump $one -p \"$1\" 2>&1) || { echo \"mdb_dump: $all\" | tail -n 3; exit 1; }\n"
	"while read -r key value; do\n"
	"	got=$(echo \"$all\" | grep -Fx -A 1 -- \" $key\" | sed -n '2s/^ //p')\n"
	"	[ \"$got\" = \"$value\" ] && continue\n"
	"	echo \"$key=$value was acknowledged, and is '$got'\"; exit 1\n"
	"done <\"$SLUICE_ACKS\"\n"
	"exit 0\n";

static const char leveldb_script[] =
	"for python in python3 /usr/bin/python3; do\n"
	"	$python -c 'import plyvel' 2>/dev/null && break\n"
	"done\n"
	"exec $python - \"$1\" <<'END'\n"
	"import os, sys, plyvel\n"
	"acks = [line.rstrip('\\n').partition(' ') for line in open(os.environ['SLUICE_ACKS'])]\n"
	"if not acks and not os.path.exists(sys.argv[1] + '/CURRENT'):\n"
	"    sys.exit(0)\n"
	"try:\n"
	"    db = plyvel.DB(sys.argv[1], create_if_missing=False, paranoid_checks=True)\n"
	"    rows = dict(db.iterator(verify_checksums=True))\n"
	"except plyvel.Error as error:\n"
	"    sys.exit(f'leveldb: {error}')\n"
	"for key, _, value in acks:\n"
	"    got = rows.get(key.encode())\n"
	"    if got != value.encode():\n"
	"        sys.exit(f'{key}={value} was acknowledged, and is {got}')\n"
	"END\n";

static const struct checker checkers[] = {
	{ "sqlite3", NULL, { "sqlite3" }, "sqlite3", NULL, { "*-shm" }, sqlite_script },
	{ "git", ".", { "git" }, "git", NULL, { NULL }, git_script },
	{ "redis",
	  ".",
	  { "redis-check-rdb", "redis-cli" },
	  "redis-tools",
	  NULL,
	  { "*.sock" },
	  redis_script },
	{ "lmdb", ".", { "mdb_dump" }, "lmdb-utils", NULL, { "*lock.mdb", "*-lock" }, lmdb_script },
	{ "leveldb",
	  ".",
	  { "python3" },
	  "python3-plyvel",
	  "for python in python3 /usr/bin/python3; do "
	  "$python -c 'import plyvel' 2>/dev/null && exit; done; exit 1",
	  { "LOG*", "*/LOG*" },
	  leveldb_script },
	{ NULL },
};

static const struct checker *find(const char *name, size_t len)
{
	const struct checker *checker = checkers;

	while (checker->name &&
	       (strlen(checker->name) != len || strncmp(checker->name, name, len) != 0))
		checker++;
	return checker->name ? checker : NULL;
}

static bool is_in_path(const char *tool)
{
	const char *dirs = getenv("PATH");
	char path[4096];

	for (const char *at = dirs ? dirs : ""; *at; at += strcspn(at, ":"), at += *at == ':') {
		int len = snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(at, ":"), at, tool);

		if (len > 0 && (size_t)len < sizeof(path) && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static int need_tools(const struct checker *checker)
{
	char remedy[128];

	snprintf(remedy, sizeof(remedy), "on Debian: apt-get install %s", checker->package);
	for (size_t i = 0; i < 3 && checker->tools[i]; i++) {
		if (!is_in_path(checker->tools[i]))
			return cli_fail(CLI_MACHINE, checker->tools[i],
					"the checker needs it, and it is not in $PATH", remedy);
	}
	if (checker->probe && system(checker->probe) != 0)
		return cli_fail(CLI_MACHINE, checker->name, "the checker's tools lack something",
				remedy);
	return CLI_DONE;
}

/* "set -- 'PATH'", then the script. */
static char *compose(const char *path, const char *script)
{
	size_t bytes = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	fputs("set -- '", out);
	for (; *path; path++)
		fputs(*path == '\'' ? "'\\''" : (char[]){ *path, '\0' }, out);
	fprintf(out, "'\n%s", script);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

int checker_choose(struct crash_setting *setting)
{
	const char *colon, *path;
	const struct checker *checker;
	int code;

	if (!setting->checker)
		return CLI_DONE;
	colon = strchrnul(setting->checker, ':');
	checker = find(setting->checker, (size_t)(colon - setting->checker));
	if (!checker)
		return cli_usage("--checker",
				 "want sqlite3:FILE, git, redis, lmdb or leveldb, each "
				 "perhaps with :PATH");
	path = *colon && colon[1] ? colon + 1 : checker->path;
	if (!path)
		return cli_usage("--checker", "name the file too, as in sqlite3:app.db");
	if (path[0] == '/')
		return cli_usage("--checker", "want a path below the data directory");
	code = need_tools(checker);
	if (code)
		return code;
	for (size_t i = 0; i < 2 && checker->ignore[i] && setting->ignore.nr < CLI_LIST_MAX; i++)
		setting->ignore.value[setting->ignore.nr++] = checker->ignore[i];
	setting->command = compose(path, checker->script);
	return setting->command ? CLI_DONE : cli_fail_errno("memory", ENOMEM, NULL);
}

/* mount.c: reads mountinfo. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/mount.h"

/* mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; out++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] && in[3]) {
			*out = (char)((in[1] & 7u) << 6 | (in[2] & 7u) << 3 | (in[3] & 7u));
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

/* A row: "id parent M:m root point options [tags...] - type source superoptions". */
static bool parse_row(const char *row, uint64_t *ret_id, struct mount *ret)
{
	char own[256] = "", super[256] = "";
	const char *dash = strstr(row, " - ");
	unsigned long long id;

	if (!dash)
		return false;
	if (sscanf(row, "%llu %*u %*s %*s %255s %255s", &id, ret->point, own) != 3)
		return false;
	if (sscanf(dash, " - %31s %255s %255s", ret->file_system, ret->source, super) < 2)
		return false;
	unescape(ret->point);
	unescape(ret->source);
	snprintf(ret->options, sizeof(ret->options), "%s%s%s", own, *super ? "," : "", super);
	*ret_id = id;
	return true;
}

/* How much of a path a mount point covers; 0 when it lies elsewhere. */
static size_t covers(const char *point, const char *path)
{
	size_t len = strlen(point);

	if (strcmp(point, "/") == 0)
		return 1;
	return strncmp(point, path, len) == 0 && (path[len] == '/' || !path[len]) ? len : 0;
}

int mount_find(FILE *rows, uint64_t id, const char *path, struct mount *ret_mount)
{
	size_t room = 0, best = 0;
	char *row = NULL;

	while (getline(&row, &room, rows) > 0) {
		struct mount here;
		uint64_t id_here;
		size_t len;

		if (!parse_row(row, &id_here, &here))
			continue;
		len = !id && path ? covers(here.point, path) : 0;
		if ((id && id_here != id) || (!id && (!len || len < best)))
			continue;
		best = id ? 1 : len;
		*ret_mount = here;
		if (id)
			break;
	}
	free(row);
	return best ? 0 : -ENOENT;
}

int mount_of(const char *path, uint64_t id, struct mount *ret_mount)
{
	FILE *rows = fopen("/proc/self/mountinfo", "re");
	char *real;
	int err;

	if (!rows)
		return -errno;
	real = realpath(path, NULL);
	err = mount_find(rows, id, real, ret_mount);
	free(real);
	fclose(rows);
	return err;
}

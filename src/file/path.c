/* path.c - the directory and the name in a path. */
#include "file/path.h"

#include <errno.h>
#include <string.h>

const char *sl_path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int sl_path_dir(const char *path, char ret_dir[SL_PATH_BYTES])
{
	size_t len = (size_t)(sl_path_name(path) - path);

	if (len >= SL_PATH_BYTES)
		return -ENAMETOOLONG;
	if (len == 0) {
		strcpy(ret_dir, ".");
		return 0;
	}
	memcpy(ret_dir, path, len);
	ret_dir[len] = '\0';
	return 0;
}

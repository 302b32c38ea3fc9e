/* path.h - the directory and the name in a path. */
#ifndef SLUICE_FILE_PATH_H
#define SLUICE_FILE_PATH_H

#include <limits.h>

#define SL_PATH_BYTES PATH_MAX

/* The name at the end of path: inside it, "" when there is none. */
const char *sl_path_name(const char *path);

/* The directory part into ret_dir, "." when there is none; 0 or -ENAMETOOLONG. */
int sl_path_dir(const char *path, char ret_dir[SL_PATH_BYTES]);

#endif

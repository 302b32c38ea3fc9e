/* Small text files of the kernel: /proc and /sys, one value each. */
#ifndef PROBE_PROC_H
#define PROBE_PROC_H

#include <stddef.h>
#include <stdint.h>

/* The file's content without the newline at its end. Returns its length, or -errno. */
int proc_text(const char *path, char *out, size_t room);

/* The number a file begins with; `missing` when it cannot be read. */
int64_t proc_number(const char *path, int64_t missing);

/* The number after "key:" in a file of such lines; `missing` when it is not there. */
int64_t proc_field(const char *path, const char *key, int64_t missing);

#endif

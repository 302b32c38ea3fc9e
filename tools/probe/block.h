/* One aligned block of 4096 bytes: the unit of the puzzle. */
#ifndef PROBE_BLOCK_H
#define PROBE_BLOCK_H

#include <stddef.h>
#include <sys/types.h>

#define BLOCK_BYTES 4096

/* Memory for one, aligned and present, to be unmapped by the caller; NULL without memory. */
unsigned char *block_open(void);

/* Bytes of one direct read at an offset, or -errno. */
long block_read(int direct, off_t off);

/* Zeros from 0 on, synced. Returns 0 or -errno. */
int block_write_zeros(int fd, size_t len);

#endif

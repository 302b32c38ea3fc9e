/* mapper.h: disks, device mapper tables and mounts inside the guest, by their system calls. */
#ifndef SLUICE_TESTS_VM_MAPPER_H
#define SLUICE_TESTS_VM_MAPPER_H

#include <stdint.h>

/* Disk number nr of $SLUICE_VM_DISKS, counted from 0; skips the test where there is none. */
const char *mapper_disk(unsigned nr);

/* A device's size in sectors of 512 bytes; fails the test. */
uint64_t mapper_sectors(const char *device);

/* Runs a shell command; fails the test when it does. */
void mapper_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes /dev/mapper/NAME with a table of one or more lines (printf), as dmsetup(8) takes them. */
void mapper_create(const char *name, const char *table, ...) __attribute__((format(printf, 2, 3)));

/* Gives a live device another table; what is in flight on a failing one is not waited for. */
void mapper_switch(const char *name, const char *table, ...) __attribute__((format(printf, 2, 3)));

/* Tells the target of a device something. */
void mapper_message(const char *name, const char *text);

void mapper_remove(const char *name);

/* Makes a file system, without discarding the device first. */
void mapper_format(const char *fs, const char *device);

/* Mounts a device at a folder that is made; 0, or -errno. */
int mapper_mount(const char *fs, const char *device, const char *folder);

void mapper_unmount(const char *folder);

#endif

/* growth.h: files that grow while the journal commits for another one. */
#ifndef SLUICE_TESTS_DURABILITY_GROWTH_H
#define SLUICE_TESTS_DURABILITY_GROWTH_H

#define GROWTH_FILES 8

/* Durable empty files in a directory grow, and what they grow by is still on its way to the
 * disk when a file is synced that has nothing to do with them. */
void growth_play(int dir);

/* Makes room. */
void growth_end(int dir);

/* How many of them have grown without their data; the test fails when one is not there. */
unsigned growth_zeros(int dir);

#endif

/* scenario.h: short programs whose power is cut when they end, and what may be left of their files.
 *
 * Each one shows a sentence of sluice_durability(7) and has its number. The same
 * programs run on three grounds: on simulated disks (simulated.c), on images of
 * file systems of this machine (images.c), and in the guests of the machine rig
 * (tests/vm/durability.c).
 *
 * What is left is told by a letter for each file looked at: O old content,
 * N new content, E empty, A old content and as much new behind it, B new content
 * in both places, Z old content and as many zeros behind it, '-' no such name,
 * M anything else.
 */
#ifndef SLUICE_TESTS_DURABILITY_SCENARIO_H
#define SLUICE_TESTS_DURABILITY_SCENARIO_H

#include "harness.h"

#include <stdbool.h>
#include <sluice/file.h>
#include <sluice/ring.h>

/* Those that need the ring only. */
#define DURABILITY_SCENARIOS(X)                                \
	X(D1_a_write_that_completed_is_not_durable)            \
	X(D2_a_direct_write_is_not_durable)                    \
	X(D3_closing_a_file_makes_nothing_durable)             \
	X(D5_operations_without_a_sync_survive_in_no_order)    \
	X(D10_a_sync_makes_data_and_size_durable)              \
	X(D11_a_sync_covers_direct_writes)                     \
	X(D14_a_sync_in_a_chain_covers_the_write_before_it)    \
	X(D15_a_dsync_write_is_durable)                        \
	X(D16_a_dsync_write_says_nothing_of_earlier_ones)      \
	X(D20_a_new_file_is_durable_from_its_data_up)          \
	X(D22_the_name_of_a_synced_file_is_kept)               \
	X(D23_a_file_made_before_may_be_empty_or_absent)       \
	X(D24_names_survive_in_order_on_ext4_and_xfs)          \
	X(D25_an_unlinked_name_may_be_back)                    \
	X(D26_an_unlinked_name_is_gone_once_synced)            \
	X(D27_a_sync_elsewhere_makes_an_unlink_final_or_not)   \
	X(D28_a_renamed_file_has_one_of_its_names)             \
	X(D29_a_rename_is_durable_once_synced)                 \
	X(D30_a_rename_over_a_file_shows_one_of_the_two)       \
	X(D31_a_file_renamed_without_a_sync_may_be_empty)      \
	X(D32_under_a_new_name_it_may_be_empty_anywhere)       \
	X(D33_a_file_may_be_in_both_directories)               \
	X(D34_both_directories_synced_it_is_in_one)            \
	X(D35_a_link_may_be_gone)                              \
	X(D36_a_link_is_durable_once_synced)                   \
	X(D40_on_xfs_a_grown_size_comes_with_its_data)         \
	X(D42_a_truncation_may_be_undone)                      \
	X(D43_a_truncation_is_durable_once_synced)             \
	X(D44_a_file_rewritten_without_a_sync_may_be_empty)    \
	X(D51_the_first_write_into_reserved_blocks_is_durable) \
	X(D80_a_replaced_file_is_the_new_one)                  \
	X(D85_what_was_read_may_be_gone_with_the_next_cut)     \
	X(D86_what_was_synced_before_it_was_read_is_there)

/* Those that call the kernel themselves. */
#define DURABILITY_KERNEL_SCENARIOS(X)              \
	X(D6_sync_file_range_makes_nothing_durable) \
	X(D7_a_store_to_mapped_memory_may_be_lost)  \
	X(D8_a_sync_covers_stores_to_mapped_memory)

enum scenario_nr {
#define SCENARIO_NR(name) SCENARIO_##name,
	DURABILITY_SCENARIOS(SCENARIO_NR)
	DURABILITY_KERNEL_SCENARIOS(SCENARIO_NR)
#undef SCENARIO_NR
		SCENARIO_NR_MAX
};

/* Where a scenario plays. */
struct stage {
	struct sl_ring *ring;
	int dir; /* of its names */
	int fds[8];
	unsigned fds_nr;

	/* What was there before is on the disk to the last bit from here on; what comes
	 * now is what the sentence is about. NULL where that needs no help. */
	void (*begins)(struct stage *stage);
};

enum scenario_loss {
	LOST_WITH_THE_PAGE_CACHE,
	LOST_WITH_THE_DEVICE_CACHE, /* it is sent to the device: a flush decides */
};

enum scenario_profile {
	PROFILE_POSIX,
	PROFILE_EXT4,
	PROFILE_XFS,
	PROFILE_BTRFS,
	PROFILES_NR
};

struct outcome {
	const char *among; /* states that may be seen, separated by blanks; NULL: not asked */
	const char *lost;  /* one of them that must be, or more was kept than is said; or NULL */
};

struct scenario {
	const char *name;
	void (*play)(struct stage *stage);
	const char *files; /* looked at, separated by blanks */
	enum scenario_loss loss;
	struct outcome of[PROFILES_NR];
};

extern const struct scenario scenarios[SCENARIO_NR_MAX];
extern const char *const scenario_profiles[PROFILES_NR];

/* The letters of all files of a scenario, as they are now; at least 8 bytes. */
void scenario_look(const struct scenario *scenario, struct stage *stage, char *ret_letters);

bool scenario_is_among(const char *letters, const char *list);

/* Closes what the play has left open. */
void stage_end(struct stage *stage);

#endif

/* tests.h: every test of the log that runs on a file system, by the file it lives in. */
#ifndef SLUICE_TESTS_WAL_TESTS_H
#define SLUICE_TESTS_WAL_TESTS_H

#include "wal_support.h"

#define WAL_TESTS(X)                                                   \
	/* append.c */                                                 \
	X(a_record_is_there_after_reopening)                           \
	X(records_keep_their_order_across_segments_and_openings)       \
	X(records_of_every_length_fit_where_they_should)               \
	X(pieces_become_one_record)                                    \
	X(options_out_of_bounds_are_refused)                           \
	X(a_log_has_one_writer)                                        \
	X(a_log_that_several_make_at_once_is_made_once)                \
	X(a_log_goes_through_the_page_cache_if_asked)                  \
	X(many_committers_share_one_write)                             \
	X(a_single_committer_is_never_held_back)                       \
	X(a_commit_waits_for_those_who_came_lately_but_not_for_ever)   \
	X(commits_are_checked)                                         \
	X(closing_waits_for_commits_that_were_asked_for)               \
	X(buffers_are_bounded_and_room_is_told)                        \
	/* segments.c */                                               \
	X(truncated_segments_are_used_again)                           \
	X(what_is_truncated_may_only_be_durable)                       \
	X(a_full_log_refuses_a_record_before_it_takes_it)              \
	X(a_full_log_opens_and_can_be_truncated)                       \
	X(segments_are_kept_until_they_are_archived)                   \
	X(a_reader_follows_the_tail)                                   \
	X(a_reader_begins_where_it_is_told)                            \
	X(a_reader_left_behind_is_told)                                \
	X(a_killed_writer_loses_nothing_it_was_told_is_durable)        \
	/* damage.c */                                                 \
	X(no_other_bytes_read_as_a_record)                             \
	X(a_record_of_another_epoch_ends_the_walk)                     \
	X(a_torn_last_write_is_cut_off)                                \
	X(a_tail_that_was_cut_off_never_comes_back)                    \
	X(a_reader_passes_a_torn_record_that_reached_over_the_end)     \
	X(damage_before_the_last_write_is_told_and_nothing_is_touched) \
	X(a_lost_header_is_told)                                       \
	X(what_is_no_log_is_refused_with_the_reason)                   \
	X(a_walk_tells_every_record_until_it_is_told_to_stop)          \
	/* faults.c */                                                 \
	X(any_failed_write_ends_the_log_with_its_error)                \
	X(a_failed_sync_ends_the_log_with_its_error)                   \
	X(a_full_disk_is_told_and_forgiven)                            \
	X(opening_makes_durable_what_it_is_going_to_read)              \
	X(opening_fails_at_every_step_without_harm)

#define DECLARE(name) void name(void **state);
WAL_TESTS(DECLARE)
#undef DECLARE

#endif

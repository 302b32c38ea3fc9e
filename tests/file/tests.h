/* tests.h: every file test, by the file it lives in; main.c runs them on whatever is mounted. */
#ifndef SLUICE_TESTS_FILE_TESTS_H
#define SLUICE_TESTS_FILE_TESTS_H

#include "tests/file/fs.h"
#include "tests/file/fault.h"

#define FILE_TESTS(X)                                                    \
	/* range_lock.c */                                               \
	X(readers_share_and_writers_exclude)                             \
	X(nobody_overtakes_one_that_waits_for_the_same_bytes)            \
	X(ranges_leave_any_list_in_any_order)                            \
	/* edges.c */                                                    \
	X(every_edge_of_a_direct_file_reads_as_it_was_written)           \
	X(every_edge_of_a_buffered_file_reads_as_it_was_written)         \
	X(every_edge_of_an_uncached_file_reads_as_it_was_written)        \
	X(ten_thousand_random_requests_match_a_model)                    \
	X(misaligned_requests_never_reach_the_kernel)                    \
	X(aligned_requests_are_one_operation_each_without_a_copy)        \
	X(only_the_edge_of_a_long_request_is_copied)                     \
	X(requests_without_a_bounce_buffer_wait_in_line)                 \
	X(holes_and_unwritten_blocks_read_as_zeros)                      \
	X(the_gap_behind_the_old_end_is_zeros)                           \
	X(reads_at_and_behind_the_end_answer_zero)                       \
	X(allocation_says_what_it_added)                                 \
	X(what_cannot_be_a_file_is_refused)                              \
	X(requests_the_file_cannot_do_are_refused_at_once)               \
	X(a_write_only_file_still_does_its_edges)                        \
	X(requests_beyond_the_bound_are_refused)                         \
	/* others.c */                                                   \
	X(a_reader_survives_truncation_by_another_thread)                \
	X(a_file_grown_by_others_is_read_to_its_new_end)                 \
	X(a_full_disk_ends_a_write_with_what_was_done)                   \
	X(a_block_device_is_used_to_its_last_sector)                     \
	/* mode.c */                                                     \
	X(the_mode_is_what_this_file_system_really_does)                 \
	X(a_buffered_file_says_so)                                       \
	X(requiring_direct_io_fails_where_it_is_not_proven)              \
	X(probing_leaves_no_trace)                                       \
	X(who_may_not_write_gets_no_wrong_answer)                        \
	X(a_btrfs_file_without_copy_on_write_writes_directly)            \
	X(proof_of_buffering_beats_proof_of_directness)                  \
	X(alignments_are_never_below_a_page)                             \
	/* poison.c */                                                   \
	X(a_failed_sync_ends_all_writing)                                \
	X(a_failed_durable_write_ends_all_writing)                       \
	X(a_failed_plain_write_poisons_nothing)                          \
	X(a_sync_behind_a_failed_one_never_reports_success)              \
	X(a_sync_beside_a_failed_durable_write_fails_too)                \
	X(a_cancelled_sync_poisons_nothing)                              \
	X(a_padded_tail_is_cut_even_when_a_later_piece_fails)            \
	X(a_failed_edge_never_cuts_what_others_appended)                 \
	X(a_file_is_not_grown_while_a_write_behind_its_end_is_in_flight) \
	X(a_durable_tail_is_synced_after_it_was_cut)                     \
	X(a_file_on_a_broken_ring_is_given_up_at_close)                  \
	X(a_stream_on_a_broken_ring_is_given_up_at_close)                \
	X(an_op_that_a_broken_ring_has_is_given_back)                    \
	X(a_durable_write_is_asynchronous_only_where_that_was_tried)     \
	X(a_file_opened_with_dsync_is_written_so)                        \
	X(a_durable_op_is_made_as_a_durable_request_is)                  \
	X(a_bad_sector_is_found_alone)                                   \
	X(a_short_answer_is_asked_again_from_its_aligned_origin)         \
	X(a_file_that_stays_short_is_an_error)                           \
	/* replace.c */                                                  \
	X(replace_puts_new_content_under_the_name)                       \
	X(replace_fails_at_every_step_without_harm)                      \
	X(replace_can_insist_on_a_new_name)                              \
	X(replace_refuses_what_is_no_name)                               \
	/* stream.c */                                                   \
	X(a_reader_gives_the_file_from_front_to_back)                    \
	X(a_reader_stops_where_it_was_told)                              \
	X(a_reader_gives_what_came_before_an_error)                      \
	X(a_writer_writes_what_was_committed)                            \
	X(a_writer_starts_inside_a_block)                                \
	X(a_writer_reports_the_first_error)                              \
	X(streams_use_the_buffers_of_a_pool)

#define DECLARE(name) void name(void **state);
FILE_TESTS(DECLARE)
#undef DECLARE

#endif

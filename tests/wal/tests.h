/* tests.h: every test of the log that runs on a file system, by the file it lives in. */
#ifndef SLUICE_TESTS_WAL_TESTS_H
#define SLUICE_TESTS_WAL_TESTS_H

#include "wal_support.h"

#define WAL_TESTS(X)                                                 \
	/* append.c */                                               \
	X(a_record_is_there_after_reopening)                         \
	X(records_keep_their_order_across_segments_and_openings)     \
	X(records_of_every_length_fit_where_they_should)             \
	X(pieces_become_one_record)                                  \
	X(options_out_of_bounds_are_refused)                         \
	X(a_log_has_one_writer)                                      \
	X(a_log_goes_through_the_page_cache_if_asked)                \
	X(many_committers_share_one_write)                           \
	X(a_single_committer_is_never_held_back)                     \
	X(a_commit_waits_for_those_who_came_lately_but_not_for_ever) \
	X(commits_are_checked)                                       \
	X(closing_waits_for_commits_that_were_asked_for)             \
	X(buffers_are_bounded_and_room_is_told)

#define DECLARE(name) void name(void **state);
WAL_TESTS(DECLARE)
#undef DECLARE

#endif

/* tests.h: every net test, by the file it lives in; main.c runs them on each backend. */
#ifndef SLUICE_TESTS_NET_TESTS_H
#define SLUICE_TESTS_NET_TESTS_H

#include "tests/net/net.h"

#define NET_TESTS(X)                                                    \
	/* address.c */                                                 \
	X(an_address_reads_as_it_was_written)                           \
	X(text_that_is_no_address_is_told_from_a_name)                  \
	X(what_is_on_this_machine_is_known)                             \
	X(both_ends_of_a_connection_know_their_addresses)               \
	X(listening_refuses_what_cannot_be)                             \
	X(all_addresses_means_both_families)                            \
	X(two_listeners_share_a_port_when_both_say_so)                  \
	X(a_unix_socket_that_nobody_listens_on_is_replaced)             \
	X(datagrams_come_from_their_sender)                             \
	X(sockets_of_the_service_manager_are_taken)                     \
	/* accept.c */                                                  \
	X(one_acceptor_takes_all_connections)                           \
	X(an_acceptor_that_is_paused_leaves_connections_in_the_backlog) \
	X(an_acceptor_may_begin_anew_after_its_end)                     \
	X(closing_the_listener_ends_its_acceptor)                       \
	X(draining_ends_acceptors_in_every_state)                       \
	X(what_cannot_be_accepted_from_ends_with_the_reason)            \
	X(without_descriptors_accepting_waits_and_recovers)             \
	/* recv.c */                                                    \
	X(bytes_arrive_in_order_and_then_the_end)                       \
	X(a_receiver_holds_no_more_buffers_than_agreed)                 \
	X(a_receiver_that_is_paused_hears_nothing)                      \
	X(silence_ends_a_receiver_and_bytes_put_it_off)                 \
	X(a_receiver_ends_in_any_state)                                 \
	X(draining_ends_receivers_in_every_state)                       \
	X(a_pool_without_buffers_only_delays)                           \
	X(a_receiver_refuses_what_cannot_be)                            \
	/* send.c */                                                    \
	X(pieces_leave_in_their_order)                                  \
	X(neighbours_leave_by_one_call)                                 \
	X(a_sender_may_be_freed_in_its_last_callback)                   \
	X(a_piece_may_be_sent_anew_from_its_callback)                   \
	X(empty_pieces_end_in_their_turn)                               \
	X(pieces_that_cannot_be_are_refused)                            \
	X(a_file_between_memory_arrives_whole)                          \
	X(a_cold_file_arrives_whole_by_either_way)                      \
	X(a_file_cut_short_is_an_error_and_no_wrong_byte)               \
	X(a_file_that_ends_early_is_an_error)                           \
	X(a_descriptor_that_is_no_file_fails_its_piece)                 \
	X(a_stalled_peer_holds_no_buffer_and_nobody_else)               \
	X(a_peer_that_takes_nothing_times_out)                          \
	X(a_peer_that_is_gone_fails_all_pieces)                         \
	X(a_sender_is_stopped_in_any_state)                             \
	X(draining_ends_senders_in_every_state)                         \
	X(stable_memory_ends_when_it_is_free_and_says_who_copied)       \
	X(asking_for_no_copy_is_given_up_where_all_is_copied)           \
	X(a_pump_refuses_what_cannot_be)                                \
	/* connect.c */                                                 \
	X(a_connection_is_made_and_works)                               \
	X(the_next_address_is_tried)                                    \
	X(the_last_refusal_is_the_answer)                               \
	X(a_deadline_ends_all_tries)                                    \
	X(a_try_has_a_limit_of_its_own)                                 \
	X(connecting_is_stopped_in_any_state)                           \
	X(draining_ends_a_connection_being_made)                        \
	X(connecting_comes_from_where_it_is_told)                       \
	X(a_call_to_nowhere_is_refused)                                 \
	/* resolve.c */                                                 \
	X(a_name_is_looked_up)                                          \
	X(what_is_an_address_already_is_not_asked_for)                  \
	X(an_answer_that_is_late_is_not_waited_for)                     \
	X(few_threads_are_kept_busy_and_others_wait_their_turn)         \
	X(a_lookup_is_stopped_in_any_state)                             \
	X(the_system_knows_localhost_and_a_simulated_world_nobody)      \
	/* proxy.c */                                                   \
	X(a_line_of_version_1_is_read)                                  \
	X(every_beginning_of_a_header_asks_for_more)                    \
	X(lines_that_version_1_does_not_allow_are_malformed)            \
	X(headers_of_version_2_are_read)                                \
	X(headers_that_version_2_does_not_allow_are_malformed)          \
	X(what_is_written_reads_the_same)                               \
	/* relay.c */                                                   \
	X(small_messages_go_both_ways)                                  \
	X(bulk_goes_both_ways_at_once_without_a_copy)                   \
	X(without_pipes_buffers_do_the_same)                            \
	X(when_pipes_run_out_buffers_take_over)                         \
	X(one_side_finishes_and_the_other_goes_on)                      \
	X(the_end_comes_after_all_bytes)                                \
	X(bytes_that_were_read_before_go_first)                         \
	X(a_slow_reader_stops_its_own_sender_and_nobody_else)           \
	X(hundreds_of_stalled_readers_keep_no_pipe)                     \
	X(silence_ends_a_relay_and_bytes_on_either_side_put_it_off)     \
	X(a_side_that_never_finishes_has_a_limit_of_its_own)            \
	X(a_reset_ends_the_relay_and_says_on_which_side)                \
	X(a_relay_is_stopped_in_any_state)                              \
	X(draining_ends_relays_in_every_state)                          \
	X(a_mirror_sees_what_one_side_sends)                            \
	X(a_relay_pool_refuses_what_cannot_be)

#define DECLARE(name) void name(void **state);
NET_TESTS(DECLARE)
#undef DECLARE

#endif

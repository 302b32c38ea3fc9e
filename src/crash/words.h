/* SPDX-License-Identifier: MIT */
/* words.h - a trace's ops in words: "rename /db.tmp to /db (op 12, pid 4)". */
#ifndef SLUICE_CRASH_WORDS_H
#define SLUICE_CRASH_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "crash/trace.h"

struct crash_words;

/* Walks the trace once and keeps each op's paths, as they were when it was done;
 * the trace must outlive the words. 0 or -ENOMEM. */
int crash_words_create(const struct crash_trace *trace, struct crash_words **ret_words);
void crash_words_destroy(struct crash_words *words);

/* What an op did, without who and which: "write 8192 bytes at 4096 of /db". Into buf, cut to
 * bytes; returns buf. */
const char *crash_words_deed(const struct crash_words *words, uint64_t seq, char *buf,
			     size_t bytes);
/* How an op is numbered for people, in ids too: 1 is the first that the program did. The entries
 * that the directory had before stand in front of it in the trace; of them all it is 0. */
uint64_t crash_words_number(const struct crash_words *words, uint64_t seq);
/* How many those entries are: what is between a number and a seq. */
uint64_t crash_base_nr(const struct crash_trace *trace);

/* The same with op and pid behind. */
const char *crash_words_of(const struct crash_words *words, uint64_t seq, char *buf, size_t bytes);

/* The path of what the op is about ("/db"; of a rename, as it was before), of the directory
 * that its name is in, and of the one of its second name; "" where there is none. Of
 * something without a name any more: the last it had. */
const char *crash_words_path(const struct crash_words *words, uint64_t seq);
const char *crash_words_dir(const struct crash_words *words, uint64_t seq);
const char *crash_words_dir2(const struct crash_words *words, uint64_t seq);

#endif

/*
 * proof.h: what the receiver does with a sender's first operations: it compares every byte with
 * the file, and finds out whether the file's own pages travelled.
 *
 * Once the first bytes have arrived and before it takes them, it changes a few of them in the
 * file. Whoever sent a copy delivers what was there before; whoever sent the page delivers the
 * change. That is no model of the kernel: it is seen.
 */
#ifndef SLUICE_TOOLS_BENCH_PROOF_H
#define SLUICE_TOOLS_BENCH_PROOF_H

#include "workload.h"

enum proof_page {
	PAGE_UNTRIED, /* a file of the user's is never written */
	PAGE_COPIED,
	PAGE_SHARED,
};

/**
 * struct proof - the receiver's findings on the operations from the stream's beginning on.
 *
 * @wrong: operations or parts of them that were not what the file holds.
 * @page: how the first bytes travelled.
 */
struct proof {
	uint64_t wrong;
	enum proof_page page;
	/* private: */
	const struct datafile *file;
	const struct stream *stream;
	unsigned char *expected;
	uint64_t taken;
	unsigned char before[8];
	bool changed;
};

/**
 * proof_begin - make ready for the stream's first operation.
 * @p: written.
 * @file: what is sent.
 * @stream: says which parts.
 *
 * Return: 0 or -ENOMEM.
 */
int proof_begin(struct proof *p, const struct datafile *file, const struct stream *stream);

/**
 * proof_change - change the file while its first bytes wait to be taken; once.
 * @p: begun.
 */
void proof_change(struct proof *p);

/**
 * proof_take - compare what has arrived; the change is undone.
 * @p: begun.
 * @buf: what arrived next; a change that travelled is undone here too.
 * @len: bytes of it.
 */
void proof_take(struct proof *p, unsigned char *buf, size_t len);

/**
 * proof_end - free what proof_begin() made.
 * @p: may be zeroed.
 */
void proof_end(struct proof *p);

#endif

/* cache.h: the files that a worker has looked at lately: bounded, looked at again when old. */
#ifndef SLUICE_TOOLS_SERVE_CACHE_H
#define SLUICE_TOOLS_SERVE_CACHE_H

#include "tools/serve/content.h"

struct serve_cache_stats {
	uint64_t hits;
	uint64_t misses;
	uint64_t stale; /* looked at again */
	uint64_t evicted;
	uint64_t entries;
	uint64_t bytes;
};

/* Most recently used first. */
struct serve_cache_list {
	struct serve_content *newest;
	struct serve_content *oldest;
	uint64_t nr;
	uint64_t max;
};

/* What is there, and what is not, have lists of their own: asking for names that do not exist
 * pushes out nothing that does. */
struct serve_cache {
	struct serve_content **slot;
	uint32_t slots; /* a power of two */
	struct serve_cache_list there;
	struct serve_cache_list missing;
	uint64_t bytes_max;
	int64_t valid_ns;
	int64_t floor_ns; /* what was looked at before is old */
	struct serve_cache_stats stats;
};

int serve_cache_init(struct serve_cache *cache, uint64_t files, uint64_t bytes, int64_t valid_ns);
void serve_cache_fini(struct serve_cache *cache);

/**
 * serve_cache_find() - what is known of a path.
 * @key: the path.
 * @coding: as what it is to be sent.
 * @since_ns: the time that it must have been looked at, or @valid_ns before that.
 * @ret_stale: what is known but too old, borrowed; NULL otherwise.
 *
 * Return: borrowed; NULL when it must be looked at.
 */
struct serve_content *serve_cache_find(struct serve_cache *cache, struct http_text key,
				       unsigned coding, int64_t since_ns,
				       struct serve_content **ret_stale);

/* Takes a reference of its own, and the place of what had this key before. checked_ns: when looking
 * at it began. */
void serve_cache_add(struct serve_cache *cache, struct serve_content *content, int64_t checked_ns);

/* Forgets a key in every coding, so that it is looked at again. */
void serve_cache_drop(struct serve_cache *cache, struct http_text key);

/* Forgets everything. */
void serve_cache_clear(struct serve_cache *cache);

#endif

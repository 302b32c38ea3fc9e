/*
 * cache.c: the files that a worker has looked at lately.
 *
 * A hash with chains, and two lists in the order of use. Invariants: an entry that is listed is in
 * its chain and in one of the lists, and the cache has one reference to it; bytes is the sum of
 * what the listed entries hold in memory; neither list is longer than its bound, nor bytes than its
 * own. What is on its way to a client outlives its eviction by that reference.
 */
#include "tools/serve/cache.h"

#include <errno.h>
#include <stdlib.h>

#define MISSING_SHARE 4 /* so many names that exist to one that does not */

int serve_cache_init(struct serve_cache *cache, uint64_t files, uint64_t bytes, int64_t valid_ns)
{
	uint32_t slots = 256;

	while (slots < files && slots < 1u << 24)
		slots *= 2;
	*cache = (struct serve_cache){
		.slots = slots,
		.there.max = files,
		.missing.max = files / MISSING_SHARE + 16,
		.bytes_max = bytes,
		.valid_ns = valid_ns,
		.slot = calloc(slots, sizeof(struct serve_content *)),
	};
	return cache->slot ? 0 : -ENOMEM;
}

static uint32_t hash_of(struct http_text key, unsigned coding)
{
	uint64_t value = 0x9e3779b97f4a7c15u ^ coding, part;

	for (; key.len >= 8; key.at += 8, key.len -= 8) {
		memcpy(&part, key.at, 8);
		value = (value ^ part) * 0xff51afd7ed558ccdu;
		value ^= value >> 32;
	}
	part = key.len;
	memcpy(&part, key.at, key.len);
	value = (value ^ part ^ (uint64_t)key.len << 56) * 0xff51afd7ed558ccdu;
	return (uint32_t)(value >> 32);
}

static struct serve_cache_list *list_of(struct serve_cache *cache,
					const struct serve_content *content)
{
	return content->kind == SERVE_NOTHING ? &cache->missing : &cache->there;
}

static void list_remove(struct serve_cache_list *list, struct serve_content *content)
{
	*(content->newer ? &content->newer->older : &list->newest) = content->older;
	*(content->older ? &content->older->newer : &list->oldest) = content->newer;
	list->nr--;
}

static void list_push(struct serve_cache_list *list, struct serve_content *content)
{
	content->newer = NULL;
	content->older = list->newest;
	*(list->newest ? &list->newest->newer : &list->oldest) = content;
	list->newest = content;
	list->nr++;
}

static uint64_t bytes_of(const struct serve_content *content)
{
	return sizeof(*content) + content->key_len + (content->wire ? content->wire->len : 0);
}

static void evict(struct serve_cache *cache, struct serve_content *content)
{
	struct serve_content **at = &cache->slot[content->hash & (cache->slots - 1)];

	while (*at != content)
		at = &(*at)->chain;
	*at = content->chain;
	list_remove(list_of(cache, content), content);
	cache->stats.bytes -= bytes_of(content);
	cache->stats.entries--;
	content->listed = false;
	serve_content_put(content);
}

static struct serve_content *lookup(struct serve_cache *cache, struct http_text key,
				    unsigned coding, uint32_t hash)
{
	struct serve_content *at = cache->slot[hash & (cache->slots - 1)];

	while (at && (at->hash != hash || at->coding != coding || at->key_len != key.len ||
		      memcmp(at->key, key.at, key.len) != 0))
		at = at->chain;
	return at;
}

struct serve_content *serve_cache_find(struct serve_cache *cache, struct http_text key,
				       unsigned coding, int64_t since_ns,
				       struct serve_content **ret_stale)
{
	struct serve_content *found = lookup(cache, key, coding, hash_of(key, coding));
	struct serve_cache_list *list;

	*ret_stale = NULL;
	if (!found) {
		cache->stats.misses++;
		return NULL;
	}
	list = list_of(cache, found);
	if (list->newest != found) {
		list_remove(list, found);
		list_push(list, found);
	}
	if (found->checked_ns + cache->valid_ns < since_ns || found->checked_ns < cache->floor_ns) {
		cache->stats.stale++;
		*ret_stale = found;
		return NULL;
	}
	cache->stats.hits++;
	return found;
}

static void make_room(struct serve_cache *cache, struct serve_cache_list *list, uint64_t bytes)
{
	while (list->nr >= list->max && list->oldest) {
		evict(cache, list->oldest);
		cache->stats.evicted++;
	}
	while (cache->stats.bytes + bytes > cache->bytes_max && cache->there.oldest) {
		evict(cache, cache->there.oldest);
		cache->stats.evicted++;
	}
}

void serve_cache_add(struct serve_cache *cache, struct serve_content *content, int64_t checked_ns)
{
	struct http_text key = { content->key, content->key_len };
	struct serve_content *old, **slot;

	content->hash = hash_of(key, content->coding);
	content->checked_ns = checked_ns;
	old = lookup(cache, key, content->coding, content->hash);
	if (old == content)
		return;
	if (old)
		evict(cache, old);
	make_room(cache, list_of(cache, content), bytes_of(content));
	slot = &cache->slot[content->hash & (cache->slots - 1)];
	content->chain = *slot;
	*slot = serve_content_get(content);
	content->listed = true;
	list_push(list_of(cache, content), content);
	cache->stats.bytes += bytes_of(content);
	cache->stats.entries++;
}

void serve_cache_drop(struct serve_cache *cache, struct http_text key)
{
	for (unsigned coding = 0; coding <= HTTP_CODINGS; coding++) {
		struct serve_content *found = lookup(cache, key, coding, hash_of(key, coding));

		if (found)
			evict(cache, found);
	}
}

void serve_cache_clear(struct serve_cache *cache)
{
	while (cache->there.oldest)
		evict(cache, cache->there.oldest);
	while (cache->missing.oldest)
		evict(cache, cache->missing.oldest);
}

void serve_cache_fini(struct serve_cache *cache)
{
	if (cache->slot)
		serve_cache_clear(cache);
	free(cache->slot);
	*cache = (struct serve_cache){ 0 };
}

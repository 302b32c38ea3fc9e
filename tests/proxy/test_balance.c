/* test_balance.c: which upstream a connection gets, by turn, by load and by client address. */
#include "harness.h"

#include <errno.h>
#include <string.h>

#include "tools/proxy/balance.h"
#include "tools/proxy/peer.h"

#define KEYS 20000

static void make(struct proxy_choice *choice, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		choice[i] = (struct proxy_choice){ .id = proxy_hash(&i, sizeof(i)), .weight = 1 };
}

static void turns_go_round_in_order(void **state)
{
	struct proxy_choice choice[3];

	(void)state;
	make(choice, 3);
	for (unsigned turn = 0; turn < 12; turn++)
		assert_int_equal(proxy_choose(PROXY_ROUND_ROBIN, choice, 3, turn, 0), turn % 3);
}

static void turns_follow_weights_and_pass_who_is_out(void **state)
{
	struct proxy_choice choice[3];
	unsigned got[3] = { 0 };

	(void)state;
	make(choice, 3);
	choice[0].weight = 5;
	choice[1].out = true;
	for (unsigned turn = 0; turn < 600; turn++)
		got[proxy_choose(PROXY_ROUND_ROBIN, choice, 3, turn, 0)]++;
	assert_int_equal(got[0], 500);
	assert_int_equal(got[1], 0);
	assert_int_equal(got[2], 100);
}

static void the_least_loaded_for_its_weight_is_chosen(void **state)
{
	struct proxy_choice choice[3];

	(void)state;
	make(choice, 3);
	choice[0].active = 7;
	choice[1].active = 5;
	choice[2].active = 6;
	assert_int_equal(proxy_choose(PROXY_LEAST_CONNECTIONS, choice, 3, 0, 0), 1);
	choice[2].weight = 2;
	assert_int_equal(proxy_choose(PROXY_LEAST_CONNECTIONS, choice, 3, 0, 0), 2);
	choice[2].out = true;
	assert_int_equal(proxy_choose(PROXY_LEAST_CONNECTIONS, choice, 3, 0, 0), 1);
}

static void equal_loads_take_turns(void **state)
{
	struct proxy_choice choice[4];
	unsigned got[4] = { 0 };

	(void)state;
	make(choice, 4);
	for (unsigned turn = 0; turn < 400; turn++)
		got[proxy_choose(PROXY_LEAST_CONNECTIONS, choice, 4, turn, 0)]++;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(got[i], 100);
}

static int by_key(const struct proxy_choice *choice, unsigned nr, uint64_t key)
{
	return proxy_choose(PROXY_HASH, choice, nr, key * 7, proxy_hash(&key, sizeof(key)));
}

static void keys_are_shared_out_by_weight(void **state)
{
	struct proxy_choice choice[4];
	unsigned got[4] = { 0 };

	(void)state;
	make(choice, 4);
	choice[3].weight = 3;
	for (uint64_t key = 0; key < KEYS; key++)
		got[by_key(choice, 4, key)]++;
	/* A sixth of the keys is 3333, with a deviation of 53: these bounds are six of them. */
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(got[i], 3013, 3653);
	assert_in_range(got[3], 9576, 10424);
}

static void only_the_keys_of_one_that_goes_out_move(void **state)
{
	struct proxy_choice before[5], after[5];
	unsigned moved = 0;

	(void)state;
	make(before, 5);
	make(after, 5);
	after[2].out = true;
	for (uint64_t key = 0; key < KEYS; key++) {
		int was = by_key(before, 5, key), is = by_key(after, 5, key);

		assert_int_not_equal(is, 2);
		if (was != 2)
			assert_int_equal(is, was);
		moved += was == 2;
	}
	assert_true(moved > KEYS / 10);
}

static void a_new_one_takes_keys_from_all_and_moves_no_other(void **state)
{
	struct proxy_choice choice[5];
	unsigned taken[4] = { 0 };

	(void)state;
	make(choice, 5);
	for (uint64_t key = 0; key < KEYS; key++) {
		int was = by_key(choice, 4, key), is = by_key(choice, 5, key);

		if (is == 4)
			taken[was]++;
		else
			assert_int_equal(is, was);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(taken[i] > KEYS / 40);
}

static void the_order_of_upstreams_does_not_matter_to_a_key(void **state)
{
	struct proxy_choice choice[3], turned[3];

	(void)state;
	make(choice, 3);
	for (unsigned i = 0; i < 3; i++)
		turned[i] = choice[2 - i];
	for (uint64_t key = 0; key < 1000; key++)
		assert_int_equal(by_key(choice, 3, key), 2 - by_key(turned, 3, key));
}

static void nobody_is_chosen_when_all_are_out(void **state)
{
	struct proxy_choice choice[2];

	(void)state;
	make(choice, 2);
	choice[0].out = choice[1].out = true;
	for (unsigned how = PROXY_ROUND_ROBIN; how <= PROXY_HASH; how++) {
		assert_int_equal(proxy_choose(how, choice, 2, 3, 4), -1);
		assert_int_equal(proxy_choose(how, choice, 0, 3, 4), -1);
	}
}

/* ---- clients ---------------------------------------------------------------------------- */

static uint64_t key_of(const char *text)
{
	struct sl_sock_addr addr;
	union proxy_peer peer;

	assert_int_equal(sl_sock_addr_parse(text, &addr), 0);
	proxy_peer_set(&peer, &addr);
	return proxy_peer_key(&peer);
}

static void a_client_has_one_key_whatever_its_port(void **state)
{
	(void)state;
	assert_true(key_of("192.0.2.1:1") == key_of("192.0.2.1:65535"));
	assert_true(key_of("192.0.2.1:1") == key_of("[::ffff:192.0.2.1]:7"));
	assert_true(key_of("192.0.2.1:1") != key_of("192.0.2.2:1"));
	assert_true(key_of("[2001:db8::1]:1") != key_of("[2001:db8::2]:1"));
}

static void an_address_is_kept_in_little_room(void **state)
{
	static const char *const texts[] = { "192.0.2.1:80", "[2001:db8::1]:443" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char text[SL_SOCK_ADDR_TEXT];
		struct sl_sock_addr addr;
		union proxy_peer peer;

		assert_int_equal(sl_sock_addr_parse(texts[i], &addr), 0);
		proxy_peer_set(&peer, &addr);
		memset(&addr, 0xff, sizeof(addr));
		proxy_peer_addr(&peer, &addr);
		sl_sock_addr_format(&addr, text, sizeof(text));
		assert_string_equal(text, texts[i]);
	}
}

static bool has(const char *range_text, const char *addr_text)
{
	struct sl_sock_addr addr;
	struct proxy_range range;

	assert_int_equal(proxy_range_parse(range_text, &range), 0);
	assert_int_equal(sl_sock_addr_parse(addr_text, &addr), 0);
	return proxy_range_has(&range, &addr);
}

static void ranges_have_what_begins_with_their_bits(void **state)
{
	(void)state;
	assert_true(has("192.0.2.1", "192.0.2.1:5"));
	assert_false(has("192.0.2.1", "192.0.2.2:5"));
	assert_true(has("10.0.0.0/8", "10.255.1.2:5"));
	assert_false(has("10.0.0.0/8", "11.0.0.0:5"));
	assert_true(has("10.0.0.0/9", "10.127.1.2:5"));
	assert_false(has("10.0.0.0/9", "10.128.1.2:5"));
	assert_true(has("10.0.0.0/8", "[::ffff:10.1.2.3]:5"));
	assert_true(has("0.0.0.0/0", "203.0.113.9:5"));
	assert_false(has("0.0.0.0/0", "[2001:db8::1]:5"));
	assert_true(has("::/0", "[2001:db8::1]:5"));
	assert_true(has("2001:db8::/33", "[2001:db8:7fff::1]:5"));
	assert_false(has("2001:db8::/33", "[2001:db8:8000::1]:5"));
	assert_true(has("unix", "unix:/run/x"));
	assert_false(has("unix", "127.0.0.1:5"));
	assert_false(has("::/0", "unix:/run/x"));
}

static void what_is_no_range_is_refused(void **state)
{
	static const char *const texts[] = {
		"",	"10.0.0.0/33", "10.0.0.0/",  "10.0.0.0/-1", "10.0.0/8", "2001:db8::/129",
		"host", "1.2.3.4/8x",  "10.0.0.0/ 8"
	};
	struct proxy_range range;

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(proxy_range_parse(texts[i], &range), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(turns_go_round_in_order),
		TEST(turns_follow_weights_and_pass_who_is_out),
		TEST(the_least_loaded_for_its_weight_is_chosen),
		TEST(equal_loads_take_turns),
		TEST(keys_are_shared_out_by_weight),
		TEST(only_the_keys_of_one_that_goes_out_move),
		TEST(a_new_one_takes_keys_from_all_and_moves_no_other),
		TEST(the_order_of_upstreams_does_not_matter_to_a_key),
		TEST(nobody_is_chosen_when_all_are_out),
		TEST(a_client_has_one_key_whatever_its_port),
		TEST(an_address_is_kept_in_little_room),
		TEST(ranges_have_what_begins_with_their_bits),
		TEST(what_is_no_range_is_refused),
	};

	return RUN_TESTS(tests);
}

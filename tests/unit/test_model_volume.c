/* test_model_volume.c - a volume's two sides: what programs see, and what a crash makes of it. */
#include "model_fixture.h"

#define FILES 4

static void what_is_written_is_read_before_any_sync(void **state)
{
	struct model_inode *f;
	char buf[300];

	(void)state;
	begin(&model_posix, 512);
	f = make_file("f");
	write_at(f, 5000, "hello", 5);
	assert_int_equal(model_read(f, 4990, buf, 300), 15);
	assert_memory_equal(buf, "\0\0\0\0\0\0\0\0\0\0hello", 15);
	assert_int_equal(model_truncate(volume, f, 5002), 0);
	assert_int_equal(model_truncate(volume, f, 5005), 0);
	assert_int_equal(model_read(f, 5000, buf, 300), 5);
	assert_memory_equal(buf, "he\0\0\0", 5);
	end();
}

static void the_two_sides_share_pages_and_never_each_others_writes(void **state)
{
	struct model_inode *f;
	char buf[FILE_BYTES];

	(void)state;
	begin(&model_posix, 512);
	f = make_file("f");
	fill(f, 0, 'a');
	assert_int_equal(model_sync_all(volume), 0);
	assert_ptr_equal(f->cache.page[0], f->disk.page[0]);
	write_at(f, 0, "b", 1);
	model_choose(volume, &(struct model_choice){ MODEL_MIN, 0 });
	assert_int_equal(model_chosen_read(f, 0, buf, FILE_BYTES), FILE_BYTES);
	assert_int_equal(buf[0], 'a');
	assert_int_equal(model_crash(volume), 0);
	assert_int_equal(model_read(f, 0, buf, 1), 1);
	assert_int_equal(buf[0], 'a');
	end();
}

static void a_write_tears_at_sectors_of_512_and_not_of_4096(void **state)
{
	struct model_inode *f;
	char buf[FILE_BYTES];
	unsigned torn = 0;

	(void)state;
	for (unsigned sector = 512; sector <= 4096; sector *= 8) {
		for (uint64_t seed = 0; seed < 200; seed++) {
			unsigned nr_new = 0;

			begin(&model_posix, sector);
			f = make_file("f");
			fill(f, 0, 'o');
			assert_int_equal(model_sync_all(volume), 0);
			write_at(f, 0, memset(buf, 'n', 4096), 4096);
			model_choose(volume, &(struct model_choice){ MODEL_RANDOM, seed });
			assert_int_equal(model_crash(volume), 0);
			assert_int_equal(model_read(f, 0, buf, 4096), 4096);
			for (unsigned i = 0; i < 4096; i += 512) {
				nr_new += buf[i] == 'n';
				assert_int_equal(buf[i], buf[i + 511]);
			}
			torn += nr_new % 8 != 0;
			assert_true(sector == 512 || nr_new % 8 == 0);
		}
	}
	assert_true(torn > 10);
	end();
}

static void a_durable_write_is_not_undone_by_an_older_one_that_comes_late(void **state)
{
	struct model_inode *f;
	uint64_t before;
	char byte;

	(void)state;
	begin(&model_posix, 512);
	f = make_file("f");
	fill(f, 0, 'o');
	assert_int_equal(model_sync_all(volume), 0);
	write_at(f, 0, "1", 1);
	before = model_now(volume);
	write_at(f, 0, "2", 1);
	assert_int_equal(model_sync_write(volume, f, before), 0);
	model_choose(volume, &(struct model_choice){ MODEL_ALL, 0 });
	assert_int_equal(model_crash(volume), 0);
	model_read(f, 0, &byte, 1);
	assert_int_equal(byte, '2');
	end();
}

static void a_sync_covers_nothing_that_came_after_its_submission(void **state)
{
	struct model_inode *f;
	uint64_t submitted;
	char byte;

	(void)state;
	begin(&model_ext4, 512);
	f = make_file("f");
	write_at(f, 0, "1", 1);
	submitted = model_now(volume);
	write_at(f, 0, "2", 1);
	assert_int_equal(model_sync(volume, f, false, submitted), 0);
	model_choose(volume, &(struct model_choice){ MODEL_MIN, 0 });
	assert_int_equal(model_crash(volume), 0);
	assert_int_equal(model_read(at(volume->root, "f"), 0, &byte, 1), 1);
	assert_int_equal(byte, '1');
	end();
}

static void after_a_failed_sync_the_cache_lies_until_it_is_dropped(void **state)
{
	struct model_random random = { 1 };
	struct model_inode *f;
	char byte;

	(void)state;
	begin(&model_ext4, 512);
	f = make_file("f");
	fill(f, 0, 'o');
	assert_int_equal(model_sync_all(volume), 0);
	write_at(f, 0, "n", 1);
	model_lose(volume, f, &random);
	sync_of(f);
	model_read(f, 0, &byte, 1);
	assert_int_equal(byte, 'n');
	assert_int_equal(model_read_disk(volume, f, 0, &byte, 1), 1);
	assert_int_equal(byte, 'o');
	assert_int_equal(model_drop_cache(volume, f), 0);
	model_read(f, 0, &byte, 1);
	assert_int_equal(byte, 'o');
	end();
}

static void a_volume_that_is_full_says_how_much_it_took(void **state)
{
	const struct model_volume_opts opts = { .bytes_max = 3 * MODEL_PAGE_BYTES };
	static char buf[5 * MODEL_PAGE_BYTES];
	struct model_inode *f;
	uint64_t done;

	(void)state;
	assert_int_equal(model_volume_create(&opts, &volume), 0);
	f = make_file("f");
	assert_int_equal(model_write(volume, f, 0, buf, sizeof(buf), &done), -ENOSPC);
	assert_int_equal(done, 3 * MODEL_PAGE_BYTES);
	assert_int_equal(f->cache.size, done);
	assert_int_equal(model_truncate(volume, f, 0), 0);
	assert_int_equal(model_write(volume, f, 0, buf, 1, &done), 0);
	assert_int_equal(model_write(volume, f, MODEL_FILE_MAX, buf, 1, &done), -EFBIG);
	end();
}

static void pending_ops_are_bounded_by_writing_back_the_oldest(void **state)
{
	const struct model_volume_opts opts = { .pending_max = 8 };
	struct model_inode *f;
	uint64_t done;

	(void)state;
	assert_int_equal(model_volume_create(&opts, &volume), 0);
	f = make_file("f");
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(model_write(volume, f, i, "x", 1, &done), 0);
		assert_true(volume->pending <= 10);
	}
	end();
}

/* ---- random programs ---------------------------------------------------------------- */

static const char *const names[FILES] = { "a", "b", "c", "d" };
static struct model_inode *dirs[2];

static struct model_entry *some_entry(struct model_random *random)
{
	return model_lookup(volume, dirs[model_random_below(random, 2)],
			    names[model_random_below(random, FILES)], 1);
}

static void step_on_file(struct model_random *random, struct model_inode *inode)
{
	char buf[6000];
	uint64_t off = model_random_below(random, 9000), len = 1 + model_random_below(random, 6000);

	switch (model_random_below(random, 5)) {
	case 0:
		assert_int_equal(model_truncate(volume, inode, off), 0);
		break;
	case 1:
		assert_int_equal(model_sync(volume, inode, len % 2, model_now(volume)), 0);
		break;
	default:
		memset(buf, (int)('a' + off % 26), sizeof(buf));
		write_at(inode, off, buf, len);
	}
}

static void step(struct model_random *random)
{
	struct model_inode *dir = dirs[model_random_below(random, 2)];
	const char *name = names[model_random_below(random, FILES)];
	struct model_entry *entry = some_entry(random);

	if (!entry) {
		if (!model_lookup(volume, dir, name, 1))
			make(dir, name, S_IFREG | 0644);
		return;
	}
	switch (model_random_below(random, 12)) {
	case 0:
		assert_int_equal(model_remove(volume, entry), 0);
		break;
	case 1:
		if (entry != model_lookup(volume, dir, name, 1))
			rename_to(entry->dir, entry->name, dir, name);
		break;
	case 2:
		sync_of(dir);
		break;
	default:
		step_on_file(random, entry->cache);
	}
}

/* What a chosen state holds: presence and content of every name. */
struct image {
	int64_t len[2][FILES];
	char bytes[2][FILES][16384];
};

static void take_image(struct image *image, bool chosen)
{
	for (unsigned d = 0; d < 2; d++) {
		for (unsigned i = 0; i < FILES; i++) {
			struct model_entry *entry = model_lookup(volume, dirs[d], names[i], 1);
			struct model_inode *inode = entry ? entry->cache : NULL;

			if (chosen)
				inode = model_chosen_name(volume, dirs[d], names[i]);
			image->len[d][i] = -1;
			if (inode)
				image->len[d][i] = (int64_t)(chosen ? model_chosen_read :
								      model_read)(
					inode, 0, image->bytes[d][i], sizeof(image->bytes[d][i]));
		}
	}
}

static void expect_same(const struct image *a, const struct image *b)
{
	for (unsigned d = 0; d < 2; d++) {
		for (unsigned i = 0; i < FILES; i++) {
			assert_int_equal(a->len[d][i], b->len[d][i]);
			if (a->len[d][i] > 0)
				assert_memory_equal(a->bytes[d][i], b->bytes[d][i],
						    (size_t)a->len[d][i]);
		}
	}
}

/* All names at once are each name by itself. */
static void check_names(void)
{
	model_choose_names(volume);
	for (unsigned d = 0; d < 2; d++) {
		struct model_entry *entry;

		TAILQ_FOREACH(entry, &dirs[d]->entries, in_dir)
		assert_ptr_equal(model_entry_chosen(entry),
				 model_chosen_name(volume, dirs[d], entry->name));
	}
}

/* A list of one loss is that one loss. */
static void check_lists(uint64_t element)
{
	static struct image one, list;

	model_choose(volume, &(struct model_choice){ MODEL_OMIT1, element });
	check_names();
	take_image(&one, true);
	model_choose_lost(volume, &element, 1);
	take_image(&list, true);
	expect_same(&one, &list);
	model_choose_lost(volume, (uint64_t[]){ element, element / 2 }, 2);
	assert_true(model_choice_is_legal(volume));
	check_names();
}

static void play(const struct model_profile *profile, uint64_t seed)
{
	static struct image before, after;
	struct model_random random = { seed };

	begin(profile, seed % 2 ? 512 : 4096);
	dirs[0] = volume->root;
	dirs[1] = make(volume->root, "dir", S_IFDIR | 0755);
	assert_int_equal(model_sync_all(volume), 0);
	for (unsigned i = 0; i < 30 + seed % 30; i++)
		step(&random);
	take_image(&before, false);
	model_choose(volume, &(struct model_choice){ MODEL_ALL, 0 });
	assert_true(model_choice_is_legal(volume));
	take_image(&after, true);
	expect_same(&before, &after);
	check_lists(seed % (model_elements(volume) + 1));
	model_choose(volume, &(struct model_choice){ MODEL_RANDOM, seed });
	assert_true(model_choice_is_legal(volume));
	take_image(&before, true);
	assert_int_equal(model_crash(volume), 0);
	take_image(&after, false);
	expect_same(&before, &after);
	assert_int_equal(model_elements(volume), 0);
}

static void a_crash_leaves_what_was_chosen_and_losing_nothing_leaves_all(void **state)
{
	static const struct model_profile *const all[] = { &model_posix, &model_ext4, &model_xfs,
							   &model_btrfs };
	uint64_t seed = support_seed();

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		play(all[i % 4], seed + i);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read_before_any_sync),
		TEST(the_two_sides_share_pages_and_never_each_others_writes),
		TEST(a_write_tears_at_sectors_of_512_and_not_of_4096),
		TEST(a_durable_write_is_not_undone_by_an_older_one_that_comes_late),
		TEST(a_sync_covers_nothing_that_came_after_its_submission),
		TEST(after_a_failed_sync_the_cache_lies_until_it_is_dropped),
		TEST(a_volume_that_is_full_says_how_much_it_took),
		TEST(pending_ops_are_bounded_by_writing_back_the_oldest),
		TEST(a_crash_leaves_what_was_chosen_and_losing_nothing_leaves_all),
	};

	return RUN_TESTS(tests);
}

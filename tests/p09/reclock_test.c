/* Records: written, read, changed, counted; the file made, grown, opened. */
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "p09-reclock/layout.h"
#include "tests/p09/fixture.h"

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	fixture_make(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&f);
	return 0;
}

/* ---- records ---- */

static void what_is_set_is_got_and_what_is_deleted_is_not(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);

	(void)state;
	assert_string_equal(fixture_get(store, "a"), "-");
	assert_int_equal(fixture_set(store, "a", "one"), 0);
	assert_string_equal(fixture_get(store, "a"), "one");
	assert_int_equal(fixture_set(store, "a", "another"), 0);
	assert_int_equal(fixture_set(store, "b", ""), 0);
	assert_string_equal(fixture_get(store, "a"), "another");
	assert_string_equal(fixture_get(store, "b"), "");
	assert_int_equal(fixture_del(store, "a"), 0);
	assert_int_equal(fixture_del(store, "a"), -ENOENT);
	assert_string_equal(fixture_get(store, "a"), "-");
	reclock_close(store);
	/* It is in the file. */
	store = fixture_open(&f, RECLOCK_READ_ONLY);
	assert_string_equal(fixture_get(store, "a"), "-");
	assert_string_equal(fixture_get(store, "b"), "");
	assert_int_equal(fixture_set(store, "b", "x"), -EROFS);
	assert_int_equal(fixture_lock(store, "b", 0), -EROFS);
	reclock_close(store);
}

static void keys_and_values_are_any_bytes_up_to_the_limit(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	unsigned char bytes[65], value[65];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37);
	for (size_t key_len = 1; key_len <= 64; key_len++) {
		const size_t len = 64 - key_len;

		assert_int_equal(reclock_set_until(store, bytes, key_len, bytes,
						   len, fixture_deadline()),
				 0);
		assert_int_equal(reclock_get_until(store, bytes, key_len, value,
						   sizeof(value), TICK_NEVER),
				 len);
		assert_memory_equal(value, bytes, len);
		assert_int_equal(reclock_set_until(store, bytes, key_len, bytes,
						   len + 1, TICK_NEVER),
				 -EMSGSIZE);
	}
	assert_int_equal(reclock_set_until(store, bytes, 65, "", 0, TICK_NEVER),
			 -EMSGSIZE);
	assert_int_equal(reclock_set_until(store, "", 0, "x", 1, TICK_NEVER),
			 -EMSGSIZE);
	assert_string_equal(fixture_get(store, ""), "-");
	/* A buffer that is too small gets the beginning. */
	assert_int_equal(
		reclock_get_until(store, bytes, 32, value, 3, TICK_NEVER), 32);
	reclock_close(store);
}

/* The sanitizer's build sees that nothing is copied from there. */
static void an_empty_key_or_value_may_be_no_pointer(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	int64_t sum;

	(void)state;
	assert_int_equal(reclock_set_until(store, NULL, 0, "x", 1, 0),
			 -EMSGSIZE);
	assert_int_equal(reclock_incr_until(store, NULL, 0, 1, &sum, 0),
			 -EMSGSIZE);
	assert_int_equal(reclock_del_until(store, NULL, 0, 0), -ENOENT);
	assert_int_equal(reclock_get_until(store, NULL, 0, NULL, 0, 0),
			 -ENOENT);
	assert_int_equal(reclock_set_until(store, "key", 3, NULL, 0, 0), 0);
	assert_int_equal(reclock_get_until(store, "key", 3, NULL, 0, 0), 0);
	reclock_close(store);
}

static void numbers_are_added_to_and_nothing_else_is(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	int64_t sum = 0;

	(void)state;
	assert_int_equal(reclock_incr_until(store, "n", 1, 5, &sum, TICK_NEVER),
			 0);
	assert_int_equal(sum, 5);
	assert_int_equal(
		reclock_incr_until(store, "n", 1, -7, &sum, TICK_NEVER), 0);
	assert_int_equal(sum, -2);
	assert_string_equal(fixture_get(store, "n"), "-2");
	assert_int_equal(fixture_set(store, "n", "9223372036854775807"), 0);
	assert_int_equal(reclock_incr_until(store, "n", 1, 1, &sum, TICK_NEVER),
			 -ERANGE);
	assert_int_equal(fixture_set(store, "n", "12 apples"), 0);
	assert_int_equal(reclock_incr_until(store, "n", 1, 1, &sum, TICK_NEVER),
			 -EINVAL);
	assert_int_equal(
		reclock_set_until(store, "n", 1, "1\0002", 3, TICK_NEVER), 0);
	assert_int_equal(reclock_incr_until(store, "n", 1, 1, &sum, TICK_NEVER),
			 -EINVAL);
	assert_int_equal(sum, -2);
	reclock_close(store);
}

static void changes_of_one_key_are_made_in_their_order(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	struct reclock_change changes[300];
	char keys[100][16];

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		struct reclock_change *change = &changes[i];

		snprintf(keys[i % 100], sizeof(keys[0]), "key%zu", i % 100);
		*change = (struct reclock_change){
			.action = i < 100   ? RECLOCK_SET
				  : i < 200 ? RECLOCK_INCR
					    : RECLOCK_DEL,
			.key = keys[i % 100],
			.key_len = strlen(keys[i % 100]),
			.value = "41",
			.value_len = 2,
			.by = 1,
		};
	}
	changes[299].action = RECLOCK_INCR;
	changes[298].key_len = 0;
	assert_int_equal(
		reclock_apply_until(store, changes, 300, fixture_deadline()),
		0);
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(changes[i].error, i == 298 ? -ENOENT : 0);
	assert_int_equal(changes[150].by, 42);
	assert_int_equal(changes[299].by, 43);
	assert_string_equal(fixture_get(store, "key98"), "42");
	assert_string_equal(fixture_get(store, "key99"), "43");
	assert_string_equal(fixture_get(store, "key50"), "-");
	assert_int_equal(reclock_apply_until(store, NULL, 0, 0), 0);
	reclock_close(store);
}

/* ---- many ---- */

static void fill(struct reclock *store, int n)
{
	char key[16];

	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(fixture_set(store, key, key), 0);
	}
}

static void assert_filled(struct reclock *store, int n)
{
	char key[16];

	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_string_equal(fixture_get(store, key), key);
	}
}

static int mark(void *arg, const void *key, size_t key_len, const void *value,
		size_t value_len)
{
	char text[16] = "";
	int *seen = arg, i;

	if (key_len > 15 || key_len != value_len ||
	    memcmp(key, value, key_len) != 0)
		return -1;
	memcpy(text, key, key_len);
	i = (int)strtol(text + 3, NULL, 10);
	if (strncmp(text, "key", 3) != 0 || i < 0 || i > 4999)
		return -1;
	seen[i]++;
	return i == 4711 && seen[0] < 0 ? 17 : 0;
}

static void file_grows_and_shrinks_and_has_each_record_once(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	static int seen[5000];
	struct reclock_stat stat, after;
	char key[16];

	(void)state;
	fill(store, 5000);
	assert_filled(store, 5000);
	assert_int_equal(reclock_each(store, mark, seen), 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(seen[i], 1);
	seen[0] = -10;
	assert_int_equal(reclock_each(store, mark, seen), 17);
	assert_int_equal(reclock_stat(store, &stat), 0);
	assert_int_equal(stat.records, 5000);
	assert_int_equal(stat.damaged, 0);
	assert_int_equal(stat.slots, stat.groups * 16);
	/* Nothing of it by chance. */
	assert_int_equal(reclock_check_until(store, false, NULL, NULL,
					     fixture_deadline()),
			 0);
	for (int i = 100; i < 5000; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(fixture_del(store, key), 0);
	}
	assert_int_equal(reclock_compact_until(store, fixture_deadline()), 0);
	assert_filled(store, 100);
	assert_int_equal(reclock_stat(store, &after), 0);
	assert_int_equal(after.records, 100);
	assert_true(after.file_bytes < stat.file_bytes / 10);
	reclock_close(store);
}

static void room_that_was_freed_is_used_again(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	struct stat before, after;
	char key[32];

	(void)state;
	fill(store, 50);
	assert_int_equal(stat(f.path, &before), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "passing %d", i);
		assert_int_equal(fixture_set(store, key, "x"), 0);
		assert_int_equal(fixture_del(store, key), 0);
	}
	assert_int_equal(stat(f.path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_filled(store, 50);
	reclock_close(store);
}

/* ---- who has it open ---- */

static void other_handles_follow_to_the_new_file(void **state)
{
	struct reclock *one = fixture_open(&f, RECLOCK_CREATE | RECLOCK_OFD);
	struct reclock *writer = fixture_open(&f, RECLOCK_OFD);
	struct reclock *reader =
		fixture_open(&f, RECLOCK_READ_ONLY | RECLOCK_OFD);
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fixture_set(one, "a", "1"), 0);
	/* And from wherever they are. */
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(reclock_compact_until(one, fixture_deadline()), 0);
	assert_int_equal(fixture_set(writer, "b", "2"), 0);
	assert_string_equal(fixture_get(one, "b"), "2");
	assert_int_equal(reclock_compact_until(one, fixture_deadline()), 0);
	assert_int_equal(fixture_set(one, "a", "3"), 0);
	assert_string_equal(fixture_get(reader, "a"), "3");
	assert_string_equal(fixture_get(reader, "b"), "2");
	assert_int_equal(fchdir(here), 0);
	close(here);
	reclock_close(one);
	reclock_close(writer);
	reclock_close(reader);
}

static void another_file_in_its_place_is_told(void **state)
{
	struct reclock *one = fixture_open(&f, RECLOCK_CREATE | RECLOCK_OFD);
	struct reclock *other = fixture_open(&f, RECLOCK_OFD), *third;

	(void)state;
	assert_int_equal(reclock_compact_until(one, fixture_deadline()), 0);
	assert_int_equal(unlink(f.path), 0);
	assert_int_equal(fixture_set(other, "a", "1"), -ESTALE);
	assert_string_equal(fixture_get(other, "a"), "!-116");
	third = fixture_open(&f, RECLOCK_CREATE | RECLOCK_OFD);
	assert_int_equal(fixture_set(other, "a", "1"), -ESTALE);
	assert_string_equal(fixture_get(third, "a"), "-");
	reclock_close(one);
	reclock_close(other);
	reclock_close(third);
}

/* Whoever moved it there has to find it there. */
static void a_file_that_has_got_our_name_is_not_replaced(void **state)
{
	static const char letter[] = "a letter";
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	char found[sizeof(letter)] = "";
	int fd;

	(void)state;
	assert_int_equal(unlink(f.path), 0);
	scratch_write(&f.scratch, "store.db", letter, sizeof(letter));
	assert_int_equal(reclock_compact_until(store, fixture_deadline()),
			 -ESTALE);
	fd = open(f.path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, found, sizeof(found)), sizeof(found));
	close(fd);
	assert_string_equal(found, letter);
	assert_int_equal(
		access(scratch_path(&f.scratch, "store.db.rebuild"), F_OK), -1);
	reclock_close(store);
}

static void rebuilt_file_keeps_its_mode_and_leaves_nothing_beside(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	struct stat st;

	(void)state;
	assert_int_equal(chmod(f.path, 0640), 0);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()), 0);
	assert_int_equal(stat(f.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(
		access(scratch_path(&f.scratch, "store.db.rebuild"), F_OK), -1);
	reclock_close(store);
}

static void mark_beside(const char *path)
{
	const uint32_t state = LAYOUT_BESIDE;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, &state, sizeof(state),
				offsetof(struct layout_header, state)),
			 sizeof(state));
	close(fd);
}

static void name_without_room_for_that_of_a_rebuild_is_refused(void **state)
{
	char name[NAME_MAX - 2], path[sizeof(f.path) + NAME_MAX];
	struct reclock *store;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", f.scratch.dir, name);
	assert_int_equal(
		reclock_open(&store, path,
			     &(struct reclock_options){.flags = RECLOCK_CREATE},
			     NULL),
		0);
	assert_int_equal(fixture_set(store, "a", "1"), 0);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()),
			 -ENAMETOOLONG);
	assert_string_equal(fixture_get(store, "a"), "1");
	reclock_close(store);
}

/* Until a group was full. */
static void records_outside_of_their_groups_are_counted(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	struct reclock_stat stat = {0};
	char key[16];

	(void)state;
	for (int i = 0; i < 5000 && !stat.spilled; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(fixture_set(store, key, "v"), 0);
		assert_int_equal(reclock_stat(store, &stat), 0);
		assert_int_equal(stat.records, i + 1);
	}
	assert_int_equal(stat.spilled, 1);
	reclock_close(store);
}

static void file_in_the_way_of_a_rebuild_stays_unless_it_is_ours(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE), *other;
	char beside[sizeof(f.path) + 16];
	struct stat st;

	(void)state;
	snprintf(beside, sizeof(beside), "%s.rebuild", f.path);
	scratch_write(&f.scratch, "store.db.rebuild", "mine", 4);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()),
			 -EEXIST);
	assert_int_equal(unlink(beside), 0);
	/* A store, but another one. */
	assert_int_equal(
		reclock_open(&other, beside,
			     &(struct reclock_options){.flags = RECLOCK_CREATE},
			     NULL),
		0);
	reclock_close(other);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()),
			 -EEXIST);
	assert_int_equal(stat(beside, &st), 0);
	assert_int_equal(unlink(beside), 0);
	/* The store itself, by another name. */
	assert_int_equal(link(f.path, beside), 0);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()),
			 -EEXIST);
	assert_int_equal(unlink(beside), 0);
	/* What a rebuild left, but of another store, or somebody has it open. */
	for (int is_ours = 0; is_ours < 2; is_ours++) {
		if (is_ours)
			scratch_copy(&f.scratch, "store.db",
				     "store.db.rebuild");
		assert_int_equal(reclock_open(&other, beside,
					      &(struct reclock_options){
						      .flags = RECLOCK_CREATE |
							       RECLOCK_OFD},
					      NULL),
				 0);
		if (is_ours)
			assert_int_equal(
				fixture_lock(other, "a", fixture_deadline()),
				0);
		else
			reclock_close(other);
		mark_beside(beside);
		assert_int_equal(
			reclock_compact_until(store, fixture_deadline()),
			-EEXIST);
		if (is_ours)
			reclock_close(other);
		assert_int_equal(unlink(beside), 0);
	}
	/* A copy that somebody keeps. */
	scratch_copy(&f.scratch, "store.db", "store.db.rebuild");
	assert_int_equal(reclock_compact_until(store, fixture_deadline()),
			 -EEXIST);
	assert_int_equal(unlink(beside), 0);
	assert_int_equal(fixture_set(store, "a", "1"), 0);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()), 0);
	assert_string_equal(fixture_get(store, "a"), "1");
	reclock_close(store);
}

static void symbolic_link_leads_to_the_file_and_stays(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	char path[256];
	struct stat st;

	(void)state;
	reclock_close(store);
	snprintf(path, sizeof(path), "%s", scratch_path(&f.scratch, "link"));
	assert_int_equal(symlink("store.db", path), 0);
	assert_int_equal(reclock_open(&store, path, NULL, NULL), 0);
	assert_int_equal(fixture_set(store, "a", "1"), 0);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()), 0);
	assert_int_equal(fixture_set(store, "a", "2"), 0);
	reclock_close(store);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	store = fixture_open(&f, 0);
	assert_string_equal(fixture_get(store, "a"), "2");
	reclock_close(store);
}

/* With descriptors written, so that a power cut finds an order. */
static void synced_changes_read_like_others(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE | RECLOCK_SYNC);
	struct reclock *reader;

	(void)state;
	fill(store, 40);
	assert_int_equal(fixture_set(store, "a", "1"), 0);
	assert_int_equal(fixture_set(store, "a", "2"), 0);
	assert_int_equal(fixture_del(store, "key7"), 0);
	assert_string_equal(fixture_get(store, "a"), "2");
	reclock_close(store);
	reader = fixture_open(&f, RECLOCK_READ_ONLY);
	assert_string_equal(fixture_get(reader, "a"), "2");
	assert_string_equal(fixture_get(reader, "key7"), "-");
	assert_string_equal(fixture_get(reader, "key8"), "key8");
	reclock_close(reader);
}

static void nothing_stays_open(void **state)
{
	const int before = support_count_fds();
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);

	(void)state;
	fill(store, 1000);
	reclock_close(store);
	reclock_close(NULL);
	assert_int_equal(support_count_fds(), before);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_is_set_is_got_and_what_is_deleted_is_not),
		CASE(keys_and_values_are_any_bytes_up_to_the_limit),
		CASE(an_empty_key_or_value_may_be_no_pointer),
		CASE(numbers_are_added_to_and_nothing_else_is),
		CASE(changes_of_one_key_are_made_in_their_order),
		CASE(file_grows_and_shrinks_and_has_each_record_once),
		CASE(room_that_was_freed_is_used_again),
		CASE(other_handles_follow_to_the_new_file),
		CASE(another_file_in_its_place_is_told),
		CASE(a_file_that_has_got_our_name_is_not_replaced),
		CASE(rebuilt_file_keeps_its_mode_and_leaves_nothing_beside),
		CASE(name_without_room_for_that_of_a_rebuild_is_refused),
		CASE(records_outside_of_their_groups_are_counted),
		CASE(file_in_the_way_of_a_rebuild_stays_unless_it_is_ours),
		CASE(symbolic_link_leads_to_the_file_and_stays),
		CASE(synced_changes_read_like_others),
		CASE(nothing_stays_open),
	};
#undef CASE

	return SUPPORT_MAIN(tests);
}

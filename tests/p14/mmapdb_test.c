/* Handles, transactions and snapshots, cursors and copies, as the header
 * promises them. */
#include "tests/p14/base.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int begin(struct mmapdb *db)
{
	return mmapdb_begin_write(db, tick_after(PATIENCE));
}

/* ---- life ------------------------------------------------------------------------ */

static void a_new_database_is_empty_and_of_the_size_asked_for(void **state)
{
	struct mmapdb_stat found;
	struct scratch scratch;
	struct base base;
	struct stat st;

	(void)state;
	base_make(&base, 0);
	must(base.db, mmapdb_begin_read(base.db));
	must(base.db, mmapdb_stat(base.db, &found));
	assert_int_equal(found.records, 0);
	assert_int_equal(found.depth, 0);
	assert_int_equal(found.readers, 1);
	base_remove(&base);

	scratch_make(&scratch);
	assert_int_equal(
		mmapdb_create(scratch_path(&scratch, "x"), 2000001, 0, 0600),
		0);
	assert_int_equal(stat(scratch_path(&scratch, "x"), &st), 0);
	assert_int_equal(st.st_size, 489 * 4096);
	/* Real blocks, not a hole. */
	assert_true(st.st_blocks * 512 >= st.st_size);
	scratch_remove(&scratch);
}

static void create_refuses_what_cannot_be(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	assert_int_equal(mmapdb_create(base.path, 0, 0, 0600), -EEXIST);
	assert_int_equal(mmapdb_create("/nowhere/at/all", 0, 0, 0600), -ENOENT);
	assert_int_equal(mmapdb_create(scratch_path(&base.scratch, "y"),
				       1 << 20, 1 << 19, 0600),
			 -EINVAL);
	assert_int_equal(mmapdb_create(scratch_path(&base.scratch, "y"),
				       UINT64_MAX, 0, 0600),
			 -EINVAL);
	assert_int_equal(mmapdb_create(scratch_path(&base.scratch, "y"), 0,
				       UINT64_C(1) << 42, 0600),
			 -EINVAL);
	assert_int_equal(access(scratch_path(&base.scratch, "y"), F_OK), -1);
	base_remove(&base);
}

static void open_leaves_no_descriptor_behind_when_it_fails(void **state)
{
	static const char zeros[40960];
	struct scratch scratch;
	struct mmapdb *db;
	const int fds = support_count_fds();

	(void)state;
	scratch_make(&scratch);
	assert_int_equal(mmapdb_open(scratch_path(&scratch, "no"), 0, &db),
			 -ENOENT);
	scratch_write(&scratch, "zeros", zeros, sizeof(zeros));
	assert_int_equal(mmapdb_open(scratch_path(&scratch, "zeros"), 0, &db),
			 -EMEDIUMTYPE);
	assert_null(db);
	scratch_write(&scratch, "short", "mmapdb", 6);
	assert_int_equal(mmapdb_open(scratch_path(&scratch, "short"), 0, &db),
			 -EMEDIUMTYPE);
	assert_int_equal(mmapdb_open(scratch.dir, 0, &db), -EISDIR);
	assert_int_equal(support_count_fds(), fds);
	scratch_remove(&scratch);
}

static void a_file_named_like_the_lock_file_is_left_alone(void **state)
{
	static const char note[] = "a letter to my aunt, which I still need";
	struct base base;
	struct mmapdb *db;
	char found[sizeof(note)];
	struct stat st;
	int fd;

	(void)state;
	base_make(&base, 0);
	mmapdb_close(base.db);
	base.db = NULL;
	assert_int_equal(unlink(scratch_path(&base.scratch, "test.db-lock")),
			 0);
	scratch_write(&base.scratch, "test.db-lock", note, sizeof(note));
	assert_int_equal(
		chmod(scratch_path(&base.scratch, "test.db-lock"), 0640), 0);
	assert_int_equal(mmapdb_open(base.path, 0, &db), -EPERM);
	assert_int_equal(stat(scratch_path(&base.scratch, "test.db-lock"), &st),
			 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	fd = open(scratch_path(&base.scratch, "test.db-lock"), O_RDONLY);
	assert_int_equal(read(fd, found, sizeof(found)), sizeof(found));
	close(fd);
	assert_memory_equal(found, note, sizeof(note));
	base_remove(&base);
}

/* As in /tmp, where anybody may have made it first. */
static void a_lock_file_of_another_user_is_refused(void **state)
{
	struct base base;
	struct mmapdb *db;

	(void)state;
	support_need_second_user();
	base_make(&base, 0);
	assert_int_equal(chown(scratch_path(&base.scratch, "test.db-lock"),
			       65534, 65534),
			 0);
	assert_int_equal(mmapdb_open(base.path, 0, &db), -EPERM);
	/* Where others may write to the database itself, it is theirs, too. */
	assert_int_equal(chmod(base.path, 0660), 0);
	assert_int_equal(mmapdb_open(base.path, 0, &db), 0);
	mmapdb_close(db);
	base_remove(&base);
}

/* It has our database's id, as what a killed compaction leaves. */
static void a_copy_with_the_name_of_a_compaction_stays(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	scratch_copy(&base.scratch, "test.db", "test.db.compact");
	assert_int_equal(mmapdb_compact(base.db, tick_after(PATIENCE)),
			 -EEXIST);
	assert_int_equal(
		access(scratch_path(&base.scratch, "test.db.compact"), F_OK),
		0);
	assert_value(base.db, "a", "1");
	base_remove(&base);
}

static void a_second_name_is_refused(void **state)
{
	struct base base;
	struct mmapdb *db;

	(void)state;
	base_make(&base, 0);
	assert_int_equal(link(base.path, scratch_path(&base.scratch, "other")),
			 0);
	assert_int_equal(mmapdb_open(base.path, 0, &db), -EMLINK);
	base_remove(&base);
}

static int use_inherited(void *arg)
{
	struct mmapdb *db = arg;
	struct mmapdb_bytes value;

	if (mmapdb_get(db, text("a"), &value) != -ECHILD ||
	    mmapdb_begin_read(db) != -ECHILD || begin(db) != -ECHILD ||
	    mmapdb_commit(db) != -ECHILD)
		return 1;
	mmapdb_close(db);
	return 0;
}

static void a_forked_child_is_told_and_ends_nothing_of_its_parents(void **state)
{
	struct base base;
	struct mmapdb *other;

	(void)state;
	base_make(&base, 0);
	must(base.db, begin(base.db));
	must(base.db, mmapdb_put(base.db, text("a"), text("1"), NULL));
	assert_int_equal(support_child_status(use_inherited, base.db, 20000),
			 0);
	other = base_open(&base, 0);
	assert_int_equal(mmapdb_begin_write(other, 0), -ETIMEDOUT);
	must(base.db, mmapdb_commit(base.db));
	assert_value(other, "a", "1");
	mmapdb_close(other);
	base_remove(&base);
}

/* ---- transactions ------------------------------------------------------------------ */

static void a_snapshot_stands_still_while_others_write(void **state)
{
	struct base base;
	struct mmapdb *reader;
	char value[32];

	(void)state;
	base_make(&base, MMAPDB_NO_SYNC);
	reader = base_open(&base, MMAPDB_RDONLY);
	put(base.db, "a", "first");
	must(reader, mmapdb_begin_read(reader));
	for (int i = 0; i < 5000; i++) {
		snprintf(value, sizeof(value), "value %d", i);
		put(base.db, "a", value);
		put(base.db, value, value);
	}
	assert_in_transaction(reader, "a", "first");
	assert_in_transaction(reader, "value 1", NULL);
	mmapdb_abort(reader);
	assert_value(reader, "a", "value 4999");
	assert_value(reader, "value 1", "value 1");
	mmapdb_close(reader);
	base_remove(&base);
}

static void an_aborted_transaction_was_not(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	must(base.db, begin(base.db));
	must(base.db, mmapdb_put(base.db, text("a"), text("2"), NULL));
	must(base.db, mmapdb_put(base.db, text("b"), text("2"), NULL));
	assert_in_transaction(base.db, "a", "2");
	mmapdb_abort(base.db);
	assert_value(base.db, "a", "1");
	assert_value(base.db, "b", NULL);
	base_remove(&base);
}

static void nobody_sees_a_transaction_before_it_is_committed(void **state)
{
	struct base base;
	struct mmapdb *reader;

	(void)state;
	base_make(&base, 0);
	reader = base_open(&base, 0);
	must(base.db, begin(base.db));
	must(base.db, mmapdb_put(base.db, text("a"), text("1"), NULL));
	assert_value(reader, "a", NULL);
	assert_int_equal(mmapdb_writer(reader), getpid());
	must(base.db, mmapdb_commit(base.db));
	assert_value(reader, "a", "1");
	assert_int_equal(mmapdb_writer(reader), 0);
	mmapdb_close(reader);
	base_remove(&base);
}

static void calls_outside_a_transaction_are_refused(void **state)
{
	struct mmapdb_cursor cursor;
	struct mmapdb_bytes value;
	struct base base;

	(void)state;
	base_make(&base, 0);
	assert_int_equal(mmapdb_get(base.db, text("a"), &value), -EINVAL);
	assert_int_equal(mmapdb_put(base.db, text("a"), text("1"), NULL),
			 -EINVAL);
	assert_int_equal(mmapdb_commit(base.db), -EINVAL);
	must(base.db, mmapdb_begin_read(base.db));
	assert_int_equal(mmapdb_put(base.db, text("a"), text("1"), NULL),
			 -EINVAL);
	assert_int_equal(mmapdb_del(base.db, text("a")), -EINVAL);
	assert_int_equal(begin(base.db), -EINVAL);
	must(base.db, mmapdb_cursor_open(&cursor, base.db, NULL));
	mmapdb_abort(base.db);
	assert_int_equal(mmapdb_cursor_next(&cursor), -ESTALE);
	base_remove(&base);
}

static void lengths_that_no_record_has_are_refused(void **state)
{
	static unsigned char bytes[MMAPDB_VALUE_MAX + 1];
	struct mmapdb_bytes key = {bytes, MMAPDB_KEY_MAX}, value = {bytes, 0};
	struct base base;
	uint64_t offset;

	(void)state;
	base_make(&base, 0);
	must(base.db, begin(base.db));
	key.len++;
	assert_int_equal(mmapdb_put(base.db, key, value, NULL), -EINVAL);
	key.len = 0;
	assert_int_equal(mmapdb_put(base.db, key, value, NULL), -EINVAL);
	key.len = MMAPDB_KEY_MAX;
	value.len = sizeof(bytes);
	assert_int_equal(mmapdb_put(base.db, key, value, NULL), -EINVAL);
	value.len--;
	must(base.db, mmapdb_put(base.db, key, value, &offset));
	assert_int_equal(offset, 0);
	must(base.db, mmapdb_put(base.db, text("a"), text(""), &offset));
	assert_int_equal(offset, MMAPDB_VALUE_MAX + MMAPDB_KEY_MAX);
	must(base.db, mmapdb_put(base.db, text("b"), text("b"), &offset));
	assert_int_equal(offset, MMAPDB_VALUE_MAX + MMAPDB_KEY_MAX + 256);
	must(base.db, mmapdb_commit(base.db));
	must(base.db, mmapdb_begin_read(base.db));
	must(base.db, mmapdb_get(base.db, key, &value));
	assert_int_equal(value.len, MMAPDB_VALUE_MAX);
	assert_memory_equal(value.data, bytes, value.len);
	base_remove(&base);
}

/* The sanitizer's build sees that nothing is copied from there. */
static void what_is_empty_may_be_no_pointer(void **state)
{
	const struct mmapdb_bytes none = {0};
	struct mmapdb_cursor cursor;
	struct mmapdb_bytes found;
	struct base base;

	(void)state;
	base_make(&base, 0);
	must(base.db, mmapdb_begin_write(base.db, tick_after(PATIENCE)));
	assert_int_equal(mmapdb_put(base.db, none, none, NULL), -EINVAL);
	must(base.db, mmapdb_put(base.db, text("key"), none, NULL));
	must(base.db, mmapdb_put(base.db, text("key"), none, NULL));
	assert_int_equal(mmapdb_get(base.db, none, &found), -EINVAL);
	must(base.db, mmapdb_commit(base.db));
	must(base.db, mmapdb_begin_read(base.db));
	must(base.db, mmapdb_get(base.db, text("key"), &found));
	assert_int_equal(found.len, 0);
	must(base.db, mmapdb_cursor_open(&cursor, base.db, NULL));
	must(base.db, mmapdb_cursor_seek(&cursor, none));
	assert_int_equal(cursor.key.len, 3);
	mmapdb_abort(base.db);
	base_remove(&base);
}

static void a_value_may_be_given_back_where_it_lies(void **state)
{
	struct mmapdb_bytes value;
	struct base base;
	char key[16], long_value[1000];

	(void)state;
	base_make(&base, 0);
	memset(long_value, 'x', sizeof(long_value) - 1);
	long_value[sizeof(long_value) - 1] = 0;
	must(base.db, begin(base.db));
	must(base.db, mmapdb_put(base.db, text("m"), text(long_value), NULL));
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "%c%d", i % 2 ? 'a' : 'z', i);
		must(base.db, mmapdb_get(base.db, text("m"), &value));
		must(base.db, mmapdb_put(base.db, text(key), value, NULL));
		assert_in_transaction(base.db, key, long_value);
	}
	must(base.db, mmapdb_commit(base.db));
	base_remove(&base);
}

static void a_limit_is_an_error_that_changes_nothing(void **state)
{
	static char value[30000];
	struct base base;
	struct mmapdb *db;
	struct stat st;
	char key[16];
	int i, error = 0;

	(void)state;
	base_make(&base, 0);
	snprintf(base.path, sizeof(base.path), "%s",
		 scratch_path(&base.scratch, "limited"));
	assert_int_equal(mmapdb_create(base.path, 0, 2 << 20, 0600), 0);
	db = base_open(&base, 0);
	for (i = 0; !error && i < 100; i++) {
		snprintf(key, sizeof(key), "%02d", i);
		must(db, begin(db));
		must(db, mmapdb_put(db, text(key),
				    (struct mmapdb_bytes){value, sizeof(value)},
				    NULL));
		error = mmapdb_commit(db);
	}
	assert_int_equal(error, -EDQUOT);
	assert_non_null(strstr(mmapdb_error(db), "2097152 bytes"));
	assert_true(i > 20);
	assert_value(db, key, NULL);
	/* What is deleted makes room again. */
	must(db, begin(db));
	must(db, mmapdb_del(db, text("00")));
	must(db, mmapdb_del(db, text("01")));
	must(db, mmapdb_commit(db));
	put(db, "b", "small");
	must(db, begin(db));
	must(db, mmapdb_put(db, text(key),
			    (struct mmapdb_bytes){value, sizeof(value)}, NULL));
	must(db, mmapdb_commit(db));
	assert_int_equal(stat(base.path, &st), 0);
	assert_true(st.st_size <= 2 << 20);
	mmapdb_close(db);
	base_remove(&base);
}

static void without_syncs_the_limit_holds_and_room_is_found(void **state)
{
	static char value[30000];
	struct base base;
	struct mmapdb *db;

	(void)state;
	base_make(&base, 0);
	snprintf(base.path, sizeof(base.path), "%s",
		 scratch_path(&base.scratch, "limited"));
	assert_int_equal(mmapdb_create(base.path, 0, 2 << 20, 0600), 0);
	db = base_open(&base, MMAPDB_NO_SYNC);
	for (int i = 0; i < 300; i++) {
		must(db, begin(db));
		must(db, mmapdb_put(db, text(i % 2 ? "a" : "b"),
				    (struct mmapdb_bytes){value, sizeof(value)},
				    NULL));
		must(db, mmapdb_commit(db));
	}
	mmapdb_close(db);
	base_remove(&base);
}

/* The newest durable version keeps as much as the visible one, and a third has no
 * room beside them: then the visible one is made durable first. */
static void without_syncs_what_was_durable_makes_room(void **state)
{
	static char value[400000];
	struct base base;
	struct mmapdb *db;

	(void)state;
	base_make(&base, 0);
	snprintf(base.path, sizeof(base.path), "%s",
		 scratch_path(&base.scratch, "limited"));
	assert_int_equal(mmapdb_create(base.path, 0, 2 << 20, 0600), 0);
	for (int i = 0; i < 5; i++) {
		db = base_open(&base, i ? MMAPDB_NO_SYNC : 0);
		memset(value, 'a' + i, sizeof(value));
		must(db, begin(db));
		must(db, mmapdb_put(db, text("a"),
				    (struct mmapdb_bytes){value, sizeof(value)},
				    NULL));
		must(db, mmapdb_commit(db));
		mmapdb_close(db);
	}
	base_remove(&base);
}

/* ---- cursors ----------------------------------------------------------------------- */

/* All keys of the range, joined; forwards, and the same backwards. */
static void assert_range(struct mmapdb *db, const char *from, const char *to,
			 const char *prefix, const char *wanted)
{
	const struct mmapdb_range range = {text(from), text(to), text(prefix)};
	struct mmapdb_cursor cursor;
	char found[256] = "";
	size_t at = sizeof(found) - 1;

	must(db, mmapdb_cursor_open(&cursor, db, &range));
	while (mmapdb_cursor_next(&cursor) == 0)
		snprintf(found + strlen(found), sizeof(found) - strlen(found),
			 "%.*s ", (int)cursor.key.len,
			 (const char *)cursor.key.data);
	assert_string_equal(found, wanted);
	while (mmapdb_cursor_prev(&cursor) == 0) {
		found[--at] = ' ';
		at -= cursor.key.len;
		memcpy(found + at, cursor.key.data, cursor.key.len);
	}
	assert_string_equal(found + at, wanted);
}

static void ranges_and_prefixes_have_what_they_should(void **state)
{
	static const char *const keys[] = {"a",  "ab", "abc",  "b",
					   "ba", "c",  "\xff", "\xff\xff"};
	struct base base;

	(void)state;
	base_make(&base, 0);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		put(base.db, keys[i], "");
	must(base.db, mmapdb_begin_read(base.db));
	assert_range(base.db, "", "", "", "a ab abc b ba c \xff \xff\xff ");
	assert_range(base.db, "ab", "", "", "ab abc b ba c \xff \xff\xff ");
	assert_range(base.db, "aba", "ba", "", "abc b ");
	assert_range(base.db, "", "ab", "", "a ");
	assert_range(base.db, "", "", "ab", "ab abc ");
	assert_range(base.db, "abb", "", "ab", "abc ");
	assert_range(base.db, "", "abc", "a", "a ab ");
	assert_range(base.db, "", "", "\xff", "\xff \xff\xff ");
	assert_range(base.db, "", "", "d", "");
	assert_range(base.db, "b", "a", "", "");
	assert_range(base.db, "d", "", "b", "");
	base_remove(&base);
}

static void a_cursor_is_stale_after_a_change(void **state)
{
	struct mmapdb_cursor cursor;
	struct base base;

	(void)state;
	base_make(&base, 0);
	must(base.db, begin(base.db));
	must(base.db, mmapdb_put(base.db, text("a"), text("1"), NULL));
	must(base.db, mmapdb_cursor_open(&cursor, base.db, NULL));
	must(base.db, mmapdb_cursor_next(&cursor));
	must(base.db, mmapdb_put(base.db, text("b"), text("1"), NULL));
	assert_int_equal(mmapdb_cursor_next(&cursor), -ESTALE);
	base_remove(&base);
}

/* However many changes each of the two has made. */
static void a_cursor_is_stale_in_the_next_transaction(void **state)
{
	int (*const ways[])(struct mmapdb * db) = {mmapdb_begin_read, begin};
	struct mmapdb_cursor cursor;
	struct base base;

	(void)state;
	for (int i = 0; i < 4; i++) {
		base_make(&base, 0);
		put(base.db, "a", "1");
		mmapdb_close(base.db);
		base.db = base_open(&base, 0);
		must(base.db, ways[i / 2](base.db));
		must(base.db, mmapdb_cursor_open(&cursor, base.db, NULL));
		must(base.db, mmapdb_cursor_next(&cursor));
		mmapdb_abort(base.db);
		assert_int_equal(mmapdb_cursor_next(&cursor), -ESTALE);
		must(base.db, ways[i % 2](base.db));
		assert_int_equal(mmapdb_cursor_next(&cursor), -ESTALE);
		if (ways[i % 2] == begin) {
			must(base.db,
			     mmapdb_put(base.db, text("b"), text("2"), NULL));
			assert_int_equal(mmapdb_cursor_next(&cursor), -ESTALE);
		}
		mmapdb_abort(base.db);
		base_remove(&base);
	}
}

/* ---- copies ------------------------------------------------------------------------ */

static void fill(struct mmapdb *db, int n)
{
	static char value[5000];
	char key[32];

	must(db, begin(db));
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		memset(value, 'a' + i % 26, sizeof(value));
		must(db, mmapdb_put(db, text(key),
				    (struct mmapdb_bytes){value,
							  (size_t)i * 7 % 5000},
				    NULL));
	}
	must(db, mmapdb_commit(db));
}

static void assert_filled(struct mmapdb *db, int n)
{
	struct mmapdb_cursor cursor;
	struct mmapdb_fault fault;
	int count = 0;

	must(db, mmapdb_begin_read(db));
	must(db, mmapdb_check(db, &fault));
	must(db, mmapdb_cursor_open(&cursor, db, NULL));
	for (; mmapdb_cursor_next(&cursor) == 0; count++) {
		char key[32] = "";
		int i;

		memcpy(key, cursor.key.data, cursor.key.len);
		i = (int)strtol(key + 4, NULL, 10);

		assert_int_equal(cursor.value.len, i * 7 % 5000);
		for (size_t at = 0; at < cursor.value.len; at++)
			assert_int_equal(((const char *)cursor.value.data)[at],
					 'a' + i % 26);
	}
	assert_int_equal(count, n);
	mmapdb_abort(db);
}

static void a_backup_is_of_the_snapshot_and_dense(void **state)
{
	struct mmapdb_stat stat, copied;
	struct base base;
	struct mmapdb *copy;
	char path[300];

	(void)state;
	base_make(&base, MMAPDB_NO_SYNC);
	fill(base.db, 3000);
	snprintf(path, sizeof(path), "%s.copy", base.path);
	must(base.db, mmapdb_backup(base.db, path));
	assert_int_equal(mmapdb_backup(base.db, path), -EEXIST);
	assert_int_equal(mmapdb_open(path, 0, &copy), 0);
	assert_filled(copy, 3000);
	must(base.db, mmapdb_begin_read(base.db));
	must(base.db, mmapdb_stat(base.db, &stat));
	must(copy, mmapdb_begin_read(copy));
	must(copy, mmapdb_stat(copy, &copied));
	assert_int_equal(copied.logical_end, stat.logical_end);
	assert_true(copied.leaf_pages <= stat.leaf_pages);
	assert_int_equal(copied.pages, copied.leaf_pages + copied.branch_pages +
					       copied.overflow_pages +
					       copied.fixed_pages);
	mmapdb_abort(copy);
	put(copy, "another", "one");
	mmapdb_close(copy);
	base_remove(&base);
}

static void compaction_moves_others_over(void **state)
{
	struct base base;
	struct mmapdb *reader, *writer;
	struct stat before, after;

	(void)state;
	base_make(&base, 0);
	reader = base_open(&base, MMAPDB_RDONLY);
	writer = base_open(&base, 0);
	fill(base.db, 2000);
	must(base.db, begin(base.db));
	for (int i = 500; i < 2000; i++) {
		char key[32];

		snprintf(key, sizeof(key), "key %d", i);
		must(base.db, mmapdb_del(base.db, text(key)));
	}
	must(base.db, mmapdb_commit(base.db));
	must(reader, mmapdb_begin_read(reader));
	assert_int_equal(stat(base.path, &before), 0);
	must(base.db, mmapdb_compact(base.db, tick_after(PATIENCE)));
	assert_int_equal(stat(base.path, &after), 0);
	assert_true(after.st_size < before.st_size);
	assert_int_not_equal(after.st_ino, before.st_ino);
	/* This one's snapshot is of the old file, which is there as long. */
	assert_in_transaction(reader, "key 1999", NULL);
	mmapdb_abort(reader);
	put(writer, "after", "compaction");
	assert_value(reader, "after", "compaction");
	assert_value(base.db, "after", "compaction");
	must(writer, begin(writer));
	must(writer, mmapdb_del(writer, text("after")));
	must(writer, mmapdb_commit(writer));
	assert_filled(reader, 500);
	mmapdb_close(reader);
	mmapdb_close(writer);
	base_remove(&base);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 0777;
}

/* Whatever the umask says. */
static void files_beside_have_the_mode_of_the_database(void **state)
{
	mode_t before = umask(077);
	struct mmapdb *other;
	struct base base;

	(void)state;
	base_make(&base, 0);
	assert_int_equal(chmod(base.path, 0664), 0);
	other = base_open(&base, 0);
	assert_int_equal(mode_of(scratch_path(&base.scratch, "test.db-lock")),
			 0664);
	mmapdb_close(other);
	must(base.db, mmapdb_compact(base.db, tick_after(PATIENCE)));
	umask(before);
	assert_int_equal(mode_of(base.path), 0664);
	base_remove(&base);
}

/* Beside it there is NAME.compact for a while. */
static void longest_name_leaves_room_for_those_beside(void **state)
{
	char path[sizeof((struct scratch){0}.dir) + NAME_MAX + 2];
	struct scratch scratch;
	struct mmapdb *db;
	size_t end;

	(void)state;
	scratch_make(&scratch);
	end = (size_t)snprintf(path, sizeof(path), "%s/", scratch.dir);
	memset(path + end, 'n', NAME_MAX - 7);
	path[end + NAME_MAX - 7] = '\0';
	assert_int_equal(mmapdb_create(path, 0, 0, 0600), -ENAMETOOLONG);
	path[end + NAME_MAX - 8] = '\0';
	assert_int_equal(mmapdb_create(path, 0, 0, 0600), 0);
	assert_int_equal(mmapdb_open(path, 0, &db), 0);
	must(db, mmapdb_compact(db, tick_after(PATIENCE)));
	put(db, "a", "1");
	mmapdb_close(db);
	scratch_remove(&scratch);
}

static int work_where_nobody_may_look(void *arg)
{
	const struct base *base = arg;
	char path[300];
	struct mmapdb *db;

	snprintf(path, sizeof(path), "%s/blind/test.db", base->scratch.dir);
	if (setgid(65534) || setuid(65534))
		return 1;
	if (mmapdb_create(path, 0, 0, 0600) || mmapdb_open(path, 0, &db))
		return 2;
	if (mmapdb_compact(db, tick_after(PATIENCE)))
		return 3;
	mmapdb_close(db);
	return 0;
}

/* A folder in which one may make files, but not read their names. */
static void folder_that_cannot_be_read_will_do(void **state)
{
	char path[300];
	struct base base;

	(void)state;
	support_need_no_valgrind("it takes the child's handle for a leak");
	support_need_second_user();
	base_make(&base, 0);
	snprintf(path, sizeof(path), "%s/blind", base.scratch.dir);
	assert_int_equal(chmod(base.scratch.dir, 0755), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(chmod(path, 0300), 0);
	assert_int_equal(
		support_child_status(work_where_nobody_may_look, &base, 20000),
		0);
	base_remove(&base);
}

/* Pages that others have spoilt are met in the midst of it. */
static void broken_transaction_is_not_committed(void **state)
{
	enum { PAGES = 64 };
	static char zeros[PAGES * 4096];
	struct base base;
	int fd;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	mmapdb_close(base.db);
	fd = open(base.path, O_WRONLY);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 259L * 4096),
			 sizeof(zeros));
	close(fd);
	base.db = base_open(&base, 0);
	must(base.db, begin(base.db));
	assert_int_equal(mmapdb_put(base.db, text("a"), text("2"), NULL),
			 -EBADMSG);
	assert_int_equal(mmapdb_put(base.db, text("b"), text("2"), NULL),
			 -EBADMSG);
	assert_int_equal(mmapdb_commit(base.db), -EBADMSG);
	base_remove(&base);
}

static void an_empty_database_can_be_copied(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	must(base.db, mmapdb_compact(base.db, tick_after(PATIENCE)));
	assert_filled(base.db, 0);
	put(base.db, "a", "1");
	must(base.db, mmapdb_compact(base.db, tick_after(PATIENCE)));
	assert_value(base.db, "a", "1");
	base_remove(&base);
}

/* ---- files that are not what they were --------------------------------------------- */

static int read_as_another(void *arg)
{
	const struct base *base = arg;
	struct mmapdb_bytes value;
	struct mmapdb *db;

	if (setuid(12345) || mmapdb_open(base->path, 0, &db) != -EACCES ||
	    mmapdb_open(base->path, MMAPDB_RDONLY, &db) ||
	    mmapdb_begin_read(db) || mmapdb_get(db, text("a"), &value) ||
	    value.len != 1)
		return 1;
	mmapdb_abort(db);
	if (begin(db) != -EROFS)
		return 2;
	mmapdb_close(db);
	return 0;
}

static void who_may_only_read_can_read(void **state)
{
	struct base base;

	(void)state;
	support_need_no_valgrind("it takes the child's handle for a leak");
	support_need_second_user();
	base_make(&base, 0);
	put(base.db, "a", "1");
	assert_int_equal(chmod(base.scratch.dir, 0755), 0);
	assert_int_equal(chmod(base.path, 0644), 0);
	/* With the lock file to look at, and without. */
	assert_int_equal(
		chmod(scratch_path(&base.scratch, "test.db-lock"), 0644), 0);
	assert_int_equal(support_child_status(read_as_another, &base, 20000),
			 0);
	mmapdb_close(base.db);
	base.db = NULL;
	assert_int_equal(unlink(scratch_path(&base.scratch, "test.db-lock")),
			 0);
	assert_int_equal(support_child_status(read_as_another, &base, 20000),
			 0);
	base_remove(&base);
}

static void a_lock_file_that_is_gone_costs_nothing_durable(void **state)
{
	struct base base;
	struct mmapdb *other;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	assert_int_equal(unlink(scratch_path(&base.scratch, "test.db-lock")),
			 0);
	other = base_open(&base, 0);
	put(other, "b", "2");
	put(base.db, "c", "3");
	assert_value(other, "c", "3");
	assert_value(base.db, "b", "2");
	mmapdb_close(other);
	base_remove(&base);
}

static void another_file_under_the_name_is_noticed(void **state)
{
	struct base base;
	struct mmapdb *other;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	assert_int_equal(unlink(base.path), 0);
	assert_int_equal(mmapdb_create(base.path, 0, 0, 0600), 0);
	other = base_open(&base, 0);
	assert_value(other, "a", NULL);
	put(other, "b", "2");
	assert_int_equal(mmapdb_begin_read(base.db), -ESTALE);
	assert_int_equal(begin(base.db), -ESTALE);
	mmapdb_close(other);
	base_remove(&base);
}

/* By an older copy, as cp(1) does it. */
static void a_file_that_was_restored_in_place_is_read_anew(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	put(base.db, "a", "1");
	scratch_copy(&base.scratch, "test.db", "saved");
	put(base.db, "a", "2");
	put(base.db, "b", "2");
	scratch_copy(&base.scratch, "saved", "test.db");
	must(base.db, begin(base.db));
	assert_in_transaction(base.db, "a", "1");
	assert_in_transaction(base.db, "b", NULL);
	mmapdb_abort(base.db);
	assert_value(base.db, "a", "1");
	base_remove(&base);
}

static void a_file_that_was_cut_is_refused(void **state)
{
	struct base base;

	(void)state;
	base_make(&base, 0);
	fill(base.db, 500);
	assert_int_equal(truncate(base.path, 40960), 0);
	assert_int_equal(mmapdb_begin_read(base.db), -EBADMSG);
	assert_non_null(strstr(mmapdb_error(base.db), "cut off"));
	assert_int_equal(begin(base.db), -EBADMSG);
	base_remove(&base);
}

static void few_addresses_are_enough(void **state)
{
	struct rlimit limit = {3UL << 30, 3UL << 30}, old;
	struct base base;

	(void)state;
	support_need_no_valgrind("it has reserved more than that itself");
	support_need_no_sanitizer("it has reserved more than that itself");
	getrlimit(RLIMIT_AS, &old);
	limit.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
	base_make(&base, 0);
	put(base.db, "a", "1");
	assert_value(base.db, "a", "1");
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	base_remove(&base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_new_database_is_empty_and_of_the_size_asked_for),
		cmocka_unit_test(create_refuses_what_cannot_be),
		cmocka_unit_test(
			open_leaves_no_descriptor_behind_when_it_fails),
		cmocka_unit_test(a_file_named_like_the_lock_file_is_left_alone),
		cmocka_unit_test(a_lock_file_of_another_user_is_refused),
		cmocka_unit_test(a_copy_with_the_name_of_a_compaction_stays),
		cmocka_unit_test(a_second_name_is_refused),
		cmocka_unit_test(
			a_forked_child_is_told_and_ends_nothing_of_its_parents),
		cmocka_unit_test(a_snapshot_stands_still_while_others_write),
		cmocka_unit_test(an_aborted_transaction_was_not),
		cmocka_unit_test(
			nobody_sees_a_transaction_before_it_is_committed),
		cmocka_unit_test(calls_outside_a_transaction_are_refused),
		cmocka_unit_test(lengths_that_no_record_has_are_refused),
		cmocka_unit_test(what_is_empty_may_be_no_pointer),
		cmocka_unit_test(a_value_may_be_given_back_where_it_lies),
		cmocka_unit_test(a_limit_is_an_error_that_changes_nothing),
		cmocka_unit_test(
			without_syncs_the_limit_holds_and_room_is_found),
		cmocka_unit_test(without_syncs_what_was_durable_makes_room),
		cmocka_unit_test(ranges_and_prefixes_have_what_they_should),
		cmocka_unit_test(a_cursor_is_stale_after_a_change),
		cmocka_unit_test(a_cursor_is_stale_in_the_next_transaction),
		cmocka_unit_test(a_backup_is_of_the_snapshot_and_dense),
		cmocka_unit_test(compaction_moves_others_over),
		cmocka_unit_test(an_empty_database_can_be_copied),
		cmocka_unit_test(files_beside_have_the_mode_of_the_database),
		cmocka_unit_test(longest_name_leaves_room_for_those_beside),
		cmocka_unit_test(folder_that_cannot_be_read_will_do),
		cmocka_unit_test(broken_transaction_is_not_committed),
		cmocka_unit_test(who_may_only_read_can_read),
		cmocka_unit_test(
			a_lock_file_that_is_gone_costs_nothing_durable),
		cmocka_unit_test(another_file_under_the_name_is_noticed),
		cmocka_unit_test(
			a_file_that_was_restored_in_place_is_read_anew),
		cmocka_unit_test(a_file_that_was_cut_is_refused),
		cmocka_unit_test(few_addresses_are_enough),
	};

	return SUPPORT_MAIN(tests);
}

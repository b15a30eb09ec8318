/* Files and lock files that say what cannot be, with checksums that are right: by
 * a fault of ours, or somebody's hand. What is wrong is told, whatever it is. */
#include "tests/p14/base.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crc32c.h"
#include "p14-mmapdb/layout.h"
#include "p14-mmapdb/page.h"

struct craft {
	struct base base;
	int fd; /* of the database */
	struct layout_meta meta;
	unsigned int slot; /* of it, the newer of the two */
};

static void forget_boot(struct craft *craft)
{
	mmapdb_close(craft->base.db);
	craft->base.db = NULL;
	unlink(scratch_path(&craft->base.scratch, "test.db-lock"));
}

static void read_at(int fd, void *bytes, size_t len, off_t at)
{
	assert_int_equal(pread(fd, bytes, len, at), len);
}

static void write_at(int fd, const void *bytes, size_t len, off_t at)
{
	assert_int_equal(pwrite(fd, bytes, len, at), len);
}

static void read_meta(struct craft *craft)
{
	struct layout_meta metas[2];

	read_at(craft->fd, metas, sizeof(metas), 0);
	craft->slot = metas[1].magic == LAYOUT_MAGIC &&
		      metas[1].version.txnid > metas[0].version.txnid;
	craft->meta = metas[craft->slot];
}

static void write_meta(struct craft *craft)
{
	craft->meta.crc =
		crc32c(&craft->meta, offsetof(struct layout_meta, crc));
	write_at(craft->fd, &craft->meta, sizeof(craft->meta),
		 (off_t)craft->slot * LAYOUT_PAGE);
}

static void craft_make(struct craft *craft)
{
	base_make(&craft->base, 0);
	craft->fd = open(craft->base.path, O_RDWR);
	assert_true(craft->fd >= 0);
}

static void craft_remove(struct craft *craft)
{
	close(craft->fd);
	base_remove(&craft->base);
}

/* ---- the log ----------------------------------------------------------------------- */

/* A record behind the meta page of a new database, of one operation. */
static void write_record(struct craft *craft, struct layout_op op, uint32_t ops)
{
	static const char text[] = "key and";
	_Alignas(8) unsigned char bytes[64] = {0};
	struct layout_record record = {.bytes = sizeof(bytes), .ops = ops};

	record.before = craft->meta.crc;
	record.txnid = craft->meta.version.txnid + 1;
	memcpy(bytes, &record, sizeof(record));
	memcpy(bytes + sizeof(record), &op, sizeof(op));
	memcpy(bytes + sizeof(record) + sizeof(op), text, sizeof(text));
	record.crc = crc32c(bytes + sizeof(record.crc),
			    sizeof(bytes) - sizeof(record.crc));
	memcpy(bytes, &record, sizeof(record));
	write_at(craft->fd, bytes, sizeof(bytes), LAYOUT_LOG * LAYOUT_PAGE);
}

static void a_record_that_cannot_be_done_is_damage(void **state)
{
	static const struct layout_op ops[] = {
		{.key_len = 3, .is_del = 1}, /* there is no such key */
		{.key_len = 0, .value_len = 3},
		{.key_len = MMAPDB_KEY_MAX + 1},
		{.key_len = 100},
		{.key_len = 3, .value_len = 100},
	};
	struct craft craft;

	(void)state;
	craft_make(&craft);
	read_meta(&craft);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		forget_boot(&craft);
		write_record(&craft, ops[i], 1);
		craft.base.db = base_open(&craft.base, 0);
		assert_int_equal(mmapdb_begin_read(craft.base.db), -EBADMSG);
		assert_non_null(strstr(mmapdb_error(craft.base.db), "page "));
	}
	/* So has one that says it has more than it has. */
	forget_boot(&craft);
	write_record(&craft, (struct layout_op){.key_len = 3, .value_len = 4},
		     5);
	craft.base.db = base_open(&craft.base, 0);
	assert_int_equal(mmapdb_begin_read(craft.base.db), -EBADMSG);
	/* And this is how one looks that can. */
	forget_boot(&craft);
	write_record(&craft, (struct layout_op){.key_len = 3, .value_len = 4},
		     1);
	craft.base.db = base_open(&craft.base, 0);
	assert_value(craft.base.db, "key", " and");
	craft_remove(&craft);
}

static struct mmapdb_stat stat_of(struct mmapdb *db)
{
	struct mmapdb_stat stat;

	must(db, mmapdb_begin_read(db));
	must(db, mmapdb_stat(db, &stat));
	mmapdb_abort(db);
	return stat;
}

/* It never was durable. But the next boot could take it for what follows, when
 * something else is there: so nothing else is put behind the same meta page. */
static void a_record_of_another_chain_is_left_behind(void **state)
{
	struct craft craft;

	(void)state;
	craft_make(&craft);
	read_meta(&craft);
	assert_int_equal(stat_of(craft.base.db).txnid, 1);
	forget_boot(&craft);
	craft.meta.crc++;
	write_record(&craft, (struct layout_op){.key_len = 3, .value_len = 4},
		     1);
	craft.base.db = base_open(&craft.base, 0);
	assert_value(craft.base.db, "key", NULL);
	assert_int_equal(stat_of(craft.base.db).txnid, 2);
	read_meta(&craft);
	assert_int_equal(craft.meta.version.txnid, 2);
	craft_remove(&craft);
}

/* ---- pages ------------------------------------------------------------------------- */

/* A tree of two levels, in a boot that reads it from the file. */
static void fill(struct craft *craft)
{
	static char value[1000];
	char key[16];

	must(craft->base.db,
	     mmapdb_begin_write(craft->base.db, tick_after(PATIENCE)));
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "key %02d", i);
		must(craft->base.db,
		     mmapdb_put(craft->base.db, text(key),
				(struct mmapdb_bytes){value, sizeof(value)},
				NULL));
	}
	/* In pages of its own. */
	must(craft->base.db, mmapdb_put(craft->base.db, text("key 00"),
					(struct mmapdb_bytes){value, 0}, NULL));
	must(craft->base.db, mmapdb_commit(craft->base.db));
}

static struct layout_page *read_page(struct craft *craft, uint32_t ref)
{
	static _Alignas(16) unsigned char page[LAYOUT_PAGE];

	read_at(craft->fd, page, sizeof(page),
		(off_t)(ref & LAYOUT_PGNO) * LAYOUT_PAGE);
	return (struct layout_page *)page;
}

static void write_page(struct craft *craft, struct layout_page *page)
{
	page->crc = page_checksum(page);
	write_at(craft->fd, page, LAYOUT_PAGE, (off_t)page->pgno * LAYOUT_PAGE);
}

static void same_child_twice(struct craft *craft, struct layout_page *root)
{
	page_set_child(root, 1, page_child(root, 0));
	write_page(craft, root);
}

static void silence_about_long_values(struct craft *craft,
				      struct layout_page *root)
{
	uint32_t child;

	for (unsigned int i = 0; i < root->count; i++) {
		child = page_child(root, i);
		page_set_child(root, i, child & ~LAYOUT_OVERFLOW);
	}
	write_page(craft, root);
}

static void later_version(struct craft *craft, struct layout_page *root)
{
	struct layout_page *leaf = read_page(craft, page_child(root, 0));

	leaf->txnid += 100;
	write_page(craft, leaf);
}

static void one_record_more(struct craft *craft, struct layout_page *root)
{
	(void)root;
	craft->meta.version.records++;
	write_meta(craft);
}

static void check_tells_what_no_checksum_can(void **state)
{
	static const struct {
		void (*spoil)(struct craft *craft, struct layout_page *root);
		const char *words;
	} faults[] = {
		{same_child_twice, "it is used twice"},
		{silence_about_long_values, "does not know of its long values"},
		{later_version, "it is of a later version"},
		{one_record_more, "and should have 102"},
	};
	static char value[5000];
	_Alignas(16) unsigned char root[LAYOUT_PAGE];
	struct mmapdb_fault fault;
	struct craft craft;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		craft_make(&craft);
		fill(&craft);
		must(craft.base.db,
		     mmapdb_begin_write(craft.base.db, tick_after(PATIENCE)));
		must(craft.base.db,
		     mmapdb_put(craft.base.db, text("long"),
				(struct mmapdb_bytes){value, sizeof(value)},
				NULL));
		must(craft.base.db, mmapdb_commit(craft.base.db));
		/* What the log has comes into a version with a meta page. */
		forget_boot(&craft);
		craft.base.db = base_open(&craft.base, 0);
		assert_value(craft.base.db, "key 00", "");
		forget_boot(&craft);
		read_meta(&craft);
		assert_int_equal(craft.meta.version.depth, 2);
		memcpy(root, read_page(&craft, craft.meta.version.root),
		       sizeof(root));
		/* Nothing of it is listed, so that recovery takes it. */
		craft.meta.listed = 0;
		write_meta(&craft);
		faults[i].spoil(&craft, (struct layout_page *)root);
		craft.base.db = base_open(&craft.base, MMAPDB_RDONLY);
		must(craft.base.db, mmapdb_begin_read(craft.base.db));
		assert_int_equal(mmapdb_check(craft.base.db, &fault), -EBADMSG);
		if (!strstr(fault.what, faults[i].words))
			fail_msg("'%s' is no '%s'", fault.what,
				 faults[i].words);
		craft_remove(&craft);
	}
}

/* In pages that a meta page lists, as the log has no room for it. */
static void put_long(struct craft *craft)
{
	static char value[70000];

	must(craft->base.db,
	     mmapdb_begin_write(craft->base.db, tick_after(PATIENCE)));
	must(craft->base.db,
	     mmapdb_put(craft->base.db, text("long"),
			(struct mmapdb_bytes){value, sizeof(value)}, NULL));
	must(craft->base.db, mmapdb_commit(craft->base.db));
	read_meta(craft);
}

/* They are not there. */
static void a_cut_file_is_refused_by_the_next_boot(void **state)
{
	struct craft craft;

	(void)state;
	craft_make(&craft);
	put_long(&craft);
	assert_true(craft.meta.listed > 0);
	forget_boot(&craft);
	assert_int_equal(ftruncate(craft.fd, LAYOUT_FIRST * LAYOUT_PAGE), 0);
	craft.base.db = base_open(&craft.base, MMAPDB_RDONLY);
	assert_int_equal(mmapdb_begin_read(craft.base.db), -EBADMSG);
	assert_non_null(strstr(mmapdb_error(craft.base.db), "cut off"));
	craft_remove(&craft);
}

static void a_meta_page_that_was_durable_is_missed(void **state)
{
	struct craft craft;
	unsigned char byte;
	off_t at;

	(void)state;
	craft_make(&craft);
	put_long(&craft);
	at = (off_t)craft.slot * LAYOUT_PAGE + LAYOUT_PAGE - 20;
	forget_boot(&craft);
	read_at(craft.fd, &byte, 1, at);
	byte ^= 1;
	write_at(craft.fd, &byte, 1, at);
	craft.base.db = base_open(&craft.base, MMAPDB_RDONLY);
	assert_int_equal(mmapdb_begin_read(craft.base.db), -EBADMSG);
	craft_remove(&craft);
}

/* ---- the lock file ------------------------------------------------------------------ */

static int open_lock(struct craft *craft)
{
	int fd = open(scratch_path(&craft->base.scratch, "test.db-lock"),
		      O_RDWR);

	assert_true(fd >= 0);
	return fd;
}

static void a_lock_file_that_has_lost_its_bits_is_swept_anew(void **state)
{
	struct craft craft;
	int lock;

	(void)state;
	craft_make(&craft);
	put(craft.base.db, "a", "1");
	lock = open_lock(&craft);
	assert_int_equal(ftruncate(lock, LAYOUT_BITS_AT), 0);
	put(craft.base.db, "a", "2");
	assert_value(craft.base.db, "a", "2");
	close(lock);
	craft_remove(&craft);
}

static void room_that_the_file_has_not_is_forgotten(void **state)
{
	const off_t at = offsetof(struct layout_state, room);
	struct layout_room room;
	struct stat before, after;
	struct craft craft;
	int lock;

	(void)state;
	craft_make(&craft);
	put(craft.base.db, "a", "1");
	assert_int_equal(fstat(craft.fd, &before), 0);
	lock = open_lock(&craft);
	read_at(lock, &room, sizeof(room), at);
	room.pages += 1000;
	room.cursor = room.swept = room.pages - 500;
	room.crc = crc32c(&room, offsetof(struct layout_room, crc));
	write_at(lock, &room, sizeof(room), at);
	put(craft.base.db, "a", "2");
	assert_int_equal(fstat(craft.fd, &after), 0);
	/* It may grow, but from where it ends. */
	assert_true(after.st_size < before.st_size + 500 * LAYOUT_PAGE);
	assert_value(craft.base.db, "a", "2");
	close(lock);
	craft_remove(&craft);
}

/* The number is right, and the bits that follow from it and the epoch are not. */
static void a_version_of_another_epoch_is_not_shown(void **state)
{
	const off_t at = offsetof(struct layout_state, visible);
	struct craft craft;
	struct mmapdb *other;
	uint64_t word;
	int lock;

	(void)state;
	craft_make(&craft);
	put(craft.base.db, "a", "1");
	lock = open_lock(&craft);
	read_at(lock, &word, sizeof(word), at);
	word ^= 1;
	write_at(lock, &word, sizeof(word), at);
	other = base_open(&craft.base, MMAPDB_RDONLY);
	assert_int_equal(mmapdb_begin_read(other), -EBADMSG);
	assert_non_null(strstr(mmapdb_error(other), "-lock"));
	mmapdb_close(other);
	close(lock);
	craft_remove(&craft);
}

/* As of a writer that was killed between the note that its meta page is durable and
 * the news of its version. */
static void a_durable_version_that_nobody_was_told_of_is_gone_on_from(
	void **state)
{
	struct layout_state state_before, after;
	struct mmapdb_bytes value;
	struct craft craft;
	int lock;

	(void)state;
	craft_make(&craft);
	put(craft.base.db, "a", "1");
	lock = open_lock(&craft);
	read_at(lock, &state_before, sizeof(state_before), 0);
	put_long(&craft);
	read_at(lock, &after, sizeof(after), 0);
	after.tip = state_before.tip;
	after.visible = state_before.visible;
	write_at(lock, &after, sizeof(after), 0);
	put(craft.base.db, "a", "2");
	must(craft.base.db, mmapdb_begin_read(craft.base.db));
	must(craft.base.db, mmapdb_get(craft.base.db, text("long"), &value));
	assert_int_equal(value.len, 70000);
	mmapdb_abort(craft.base.db);
	close(lock);
	craft_remove(&craft);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_that_cannot_be_done_is_damage),
		cmocka_unit_test(check_tells_what_no_checksum_can),
		cmocka_unit_test(a_cut_file_is_refused_by_the_next_boot),
		cmocka_unit_test(
			a_lock_file_that_has_lost_its_bits_is_swept_anew),
		cmocka_unit_test(room_that_the_file_has_not_is_forgotten),
		cmocka_unit_test(a_version_of_another_epoch_is_not_shown),
		cmocka_unit_test(a_record_of_another_chain_is_left_behind),
		cmocka_unit_test(a_meta_page_that_was_durable_is_missed),
		cmocka_unit_test(
			a_durable_version_that_nobody_was_told_of_is_gone_on_from),
	};
	return SUPPORT_MAIN(tests);
}

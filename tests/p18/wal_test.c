/* The log on the disk: what is read back, what a torn tail is and what damage,
 * and segments that come and go. */
#include "tests/p18/log.h"

#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

#define FIRST "wal-0000000001"

/* ---- a disk without room ----------------------------------------------------- */

static int want; /* what there is none of; 0: nothing */

int __real_fallocate(int fd, int mode, off_t from, off_t len);
int __wrap_fallocate(int fd, int mode, off_t from, off_t len);
int __wrap_fallocate(int fd, int mode, off_t from, off_t len)
{
	if (!want)
		return __real_fallocate(fd, mode, from, len);
	errno = want;
	return -1;
}

/* ---- what is read back ------------------------------------------------------- */

static void entries_come_back_as_they_were_appended(void **unused)
{
	struct log log;
	uint64_t terms[LOG_ENTRIES];

	(void)unused;
	log_make(&log);
	assert_int_equal(wal_last(log.wal).index, 0);
	for (uint64_t i = 1; i <= 400; i += 10)
		log_put(&log, i, i + 9, 1 + i / 100);
	for (uint64_t i = 1; i <= 400; i++)
		terms[i - 1] = 1 + (i - 1) / 100;
	assert_int_equal(wal_last(log.wal).index, 400);
	assert_int_equal(wal_last(log.wal).term, 4);
	log_reopen(&log);
	log_assert(&log, 1, 400, terms);
	assert_int_equal(wal_last(log.wal).index, 400);
	assert_int_equal(wal_last(log.wal).term, 4);
	assert_int_equal(wal_torn(log.wal), 0);
	/* It goes on where it ended. */
	log_put(&log, 401, 402, 9);
	terms[400] = terms[401] = 9;
	log_reopen(&log);
	log_assert(&log, 1, 402, terms);
	log_remove(&log);
}

static void an_entry_replaces_those_from_its_index_on(void **unused)
{
	const uint64_t terms[] = {1, 1, 1, 2, 2, 3, 3};
	struct log log;

	(void)unused;
	log_make(&log);
	log_put(&log, 1, 10, 1);
	log_put(&log, 4, 8, 2);
	assert_int_equal(wal_last(log.wal).index, 8);
	log_put(&log, 6, 7, 3);
	log_reopen(&log);
	log_assert(&log, 1, 7, terms);
	/* Over the end of a segment, too. */
	for (uint64_t i = 8; i <= 200; i += 8)
		log_put(&log, i, i + 7, 4);
	log_put(&log, 5, 6, 5);
	log_reopen(&log);
	log_assert(&log, 1, 6, (const uint64_t[]){1, 1, 1, 2, 5, 5});
	log_remove(&log);
}

static void what_cannot_be_appended_changes_nothing(void **unused)
{
	static uint8_t bytes[LOG_SEGMENT];
	struct wal_entry entries[2] = {{1, 1, 0, 0, bytes},
				       {2, 1, 0, 0, bytes}};
	struct log log;

	(void)unused;
	log_make(&log);
	entries[0].index = 2; /* there is no 1 */
	assert_int_equal(wal_append(log.wal, entries, 1), -EINVAL);
	entries[0].index = 0;
	assert_int_equal(wal_append(log.wal, entries, 1), -EINVAL);
	entries[0].index = 1;
	entries[1].index = 3;
	assert_int_equal(wal_append(log.wal, entries, 2), -EINVAL);
	entries[1].index = 2;
	entries[0].len = LOG_SEGMENT - WAL_HEAD_BYTES - WAL_RECORD_BYTES + 1;
	assert_int_equal(wal_append(log.wal, entries, 1), -EMSGSIZE);
	entries[0].len = UINT32_MAX;
	assert_int_equal(wal_append(log.wal, entries, 1), -EMSGSIZE);
	entries[0].len = entries[1].len = 2500;
	assert_int_equal(wal_append(log.wal, entries, 2), -EMSGSIZE);
	assert_int_equal(wal_append(log.wal, entries, 0), 0);
	assert_int_equal(wal_last(log.wal).index, 0);
	log_reopen(&log);
	assert_int_equal(log.n, 0);
	log_remove(&log);
}

static int take_any(const struct wal_entry *entry, void *arg)
{
	*(uint32_t *)arg = entry->len;
	return 0;
}

static void the_largest_entry_fills_a_segment(void **unused)
{
	static uint8_t bytes[LOG_SEGMENT];
	struct wal_entry entry = {1, 1, 0, 0, bytes};
	struct log log;
	uint32_t len = 0;

	(void)unused;
	log_make(&log);
	entry.len = LOG_SEGMENT - WAL_HEAD_BYTES - WAL_RECORD_BYTES;
	for (entry.index = 1; entry.index < 4; entry.index++)
		assert_int_equal(wal_append(log.wal, &entry, 1), 0);
	assert_int_equal(wal_sync(log.wal), 0);
	wal_close(log.wal);
	assert_int_equal(wal_open(&log.wal, log.dir, LOG_SEGMENT,
				  (struct wal_position){0, 0}, take_any, &len,
				  &log.damage),
			 0);
	assert_int_equal(wal_last(log.wal).index, 3);
	assert_int_equal(len, entry.len);
	log_remove(&log);
}

/* ---- torn tails -------------------------------------------------------------- */

/* Records begin here, one behind the other. */
static uint32_t place_of(uint64_t index, uint64_t from, uint64_t term)
{
	uint32_t at = WAL_HEAD_BYTES;
	uint8_t bytes[512];

	for (uint64_t i = from; i < index; i++)
		at += (uint32_t)segment_record_bytes(log_fill(i, term, bytes));
	return at;
}

static void spoil(struct log *log, const char *name, uint32_t at)
{
	size_t len;
	uint8_t *bytes = log_read(log, name, &len);

	bytes[at] ^= 4;
	log_write(log, name, bytes, len);
	free(bytes);
}

/* A power cut may leave the end of a write without its beginning. */
static void a_torn_tail_is_cut_though_sound_records_stand_in_it(void **unused)
{
	const uint64_t terms[] = {1, 1, 1, 1, 301};
	struct log log;
	size_t len;
	uint8_t *bytes;

	(void)unused;
	log_make(&log);
	log_put(&log, 1, 4, 1);
	assert_int_equal(log_append(log.wal, 5, 8, 1), 0);
	wal_close(log.wal);
	spoil(&log, FIRST, place_of(5, 1, 1));
	log_open(&log, 0, 0);
	log_assert(&log, 1, 4, terms);
	assert_int_equal(wal_torn(log.wal),
			 place_of(9, 1, 1) - place_of(5, 1, 1));
	/* What stood in it is gone for good: another 5, of the same length, does not
	 * bring back 6, 7 and 8. */
	bytes = log_read(&log, FIRST, &len);
	for (size_t i = place_of(5, 1, 1); i < len; i++)
		assert_int_equal(bytes[i], 0);
	free(bytes);
	log_put(&log, 5, 5, 301);
	log_reopen(&log);
	log_assert(&log, 1, 5, terms);
	assert_int_equal(wal_last(log.wal).index, 5);
	log_remove(&log);
}

static void damage_before_what_was_synced_later_is_refused(void **unused)
{
	struct log log;
	char where[64];

	(void)unused;
	log_make(&log);
	for (uint64_t i = 1; i <= 9; i += 3)
		log_put(&log, i, i + 2, 1);
	wal_close(log.wal);
	for (uint64_t i = 1; i <= 6; i++) {
		const uint32_t at = place_of(i, 1, 1);

		spoil(&log, FIRST, at + 20);
		assert_int_equal(log_try_open(&log, 0, 0), -EBADMSG);
		snprintf(where, sizeof(where), FIRST ": at byte %u: ", at);
		assert_int_equal(strncmp(log.damage.text, where, strlen(where)),
				 0);
		spoil(&log, FIRST, at + 20);
	}
	/* The last sync's looks like a torn tail. */
	spoil(&log, FIRST, place_of(8, 1, 1));
	log_open(&log, 0, 0);
	assert_int_equal(wal_last(log.wal).index, 7);
	log_remove(&log);
}

/* A value that looks like a record, put there by a client. */
static void what_a_client_has_written_is_not_taken_for_a_record(void **unused)
{
	uint8_t forged[400] = {0};
	struct wal_entry entry = {2, 1, 0, sizeof(forged), forged};
	uint32_t at;
	struct log log;

	(void)unused;
	log_make(&log);
	log_put(&log, 1, 1, 1);
	at = place_of(2, 1, 1);
	/* Such as would be damage behind a torn record, in a segment of no salt. */
	for (uint32_t i = 0; i + 48 <= sizeof(forged); i += 48)
		segment_put(forged + i, 0, at + WAL_RECORD_BYTES + i,
			    at + WAL_RECORD_BYTES + i,
			    &(struct wal_entry){3, 1, 0, 8, "forged!"});
	assert_int_equal(wal_append(log.wal, &entry, 1), 0);
	wal_close(log.wal);
	spoil(&log, FIRST, at);
	log_open(&log, 0, 0);
	assert_int_equal(wal_last(log.wal).index, 1);
	log_remove(&log);
}

/* ---- every bit --------------------------------------------------------------- */

/* All bits of head and records, and some of the zeros. */
static bool is_looked_at(size_t bit, uint32_t end)
{
	if (support_is_valgrind() && bit % 41)
		return false;
	if (bit / 8 < sizeof(struct segment_head) + 8)
		return true;
	if (bit / 8 >= WAL_HEAD_BYTES - 8 && bit / 8 < end + 8)
		return support_is_stress() || bit % 3 == 0;
	return bit % 509 == 0;
}

/* Flip each bit of a segment; *first is where the last sync began. */
static void flip_all(struct log *log, const char *name, uint32_t end,
		     uint32_t synced, bool is_last, uint64_t sure, uint64_t all)
{
	size_t len;
	uint8_t *bytes = log_read(log, name, &len);
	int n_cut = 0, n_refused = 0;

	for (size_t bit = 0; bit < 8 * len; bit++) {
		int error;

		if (!is_looked_at(bit, end))
			continue;
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		log_write(log, name, bytes, len);
		error = log_try_open(log, 0, 0);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (error) {
			assert_int_equal(error, -EBADMSG);
			assert_int_equal(strncmp(log->damage.text, "wal-00", 6),
					 0);
			n_refused++;
			continue;
		}
		/* Behind what the last sync is sure of there are no promises that
		 * this could tell from a torn tail. */
		assert_true(is_last && bit / 8 >= synced);
		assert_true(log->n >= sure && log->n <= all);
		for (uint64_t i = 0; i < log->n; i++)
			assert_int_equal(log->terms[i], 1);
		wal_close(log->wal);
		n_cut++;
	}
	log_write(log, name, bytes, len);
	free(bytes);
	assert_true(n_refused > 20);
	assert_int_equal(n_cut > 20, is_last);
}

static void any_bit_that_flips_is_refused_or_in_the_torn_tail(void **unused)
{
	struct log log;
	uint32_t synced;

	(void)unused;
	log_make(&log);
	log_put(&log, 1, 4, 1);
	log_put(&log, 5, 8, 1);
	synced = place_of(9, 1, 1);
	log_put(&log, 9, 12, 1);
	wal_close(log.wal);
	flip_all(&log, FIRST, place_of(13, 1, 1), synced, true, 8, 12);
	/* And when there is another segment behind it. */
	log_open(&log, 0, 0);
	for (uint64_t i = 13; i <= 30; i++)
		log_put(&log, i, i, 1);
	wal_close(log.wal);
	flip_all(&log, FIRST, LOG_SEGMENT, synced, false, 0, 0);
	log_open(&log, 0, 0);
	assert_int_equal(log.n, 30);
	log_remove(&log);
}

/* ---- files that are not what they were ----------------------------------------- */

static void fill_segments(struct log *log, int n)
{
	char name[SEGMENT_NAME_BYTES];
	uint64_t i = 1;

	log_make(log);
	segment_name((uint64_t)n, name);
	while (faccessat(log->dir, name, F_OK, 0) != 0)
		log_put(log, i, i, 1), i++;
	wal_close(log->wal);
	log->wal = NULL;
}

static void assert_refused(struct log *log, const char *text)
{
	assert_int_equal(log_try_open(log, 0, 0), -EBADMSG);
	if (strcmp(log->damage.text, text) != 0)
		fail_msg("'%s', and not '%s'", log->damage.text, text);
}

static void a_log_with_something_missing_is_refused(void **unused)
{
	struct log log;

	(void)unused;
	fill_segments(&log, 3);
	assert_int_equal(renameat(log.dir, "wal-0000000002", log.dir, "x"), 0);
	assert_refused(&log, "wal-0000000002: at byte 0: it is missing");
	assert_int_equal(symlinkat("x", log.dir, "wal-0000000002"), 0);
	assert_refused(&log, "wal-0000000002: at byte 0: it is not a file");
	assert_int_equal(unlinkat(log.dir, "wal-0000000002", 0), 0);
	assert_int_equal(mkfifoat(log.dir, "wal-0000000002", 0600), 0);
	assert_refused(&log, "wal-0000000002: at byte 0: it is not a file");
	assert_int_equal(renameat(log.dir, "x", log.dir, "wal-0000000002"), 0);
	assert_int_equal(fchmodat(log.dir, "wal-0000000002", 0620, 0), 0);
	assert_int_equal(log_try_open(&log, 0, 0), -EPERM);
	assert_string_equal(log.damage.text,
			    "wal-0000000002: at byte 0: it is another user's, "
			    "or others may write to it");
	assert_int_equal(fchmodat(log.dir, "wal-0000000002", 0600, 0), 0);
	assert_int_equal(truncate(scratch_path(&log.scratch, "wal-0000000002"),
				  LOG_SEGMENT - 512),
			 0);
	assert_refused(&log, "wal-0000000002: at byte 7680: the file is too "
			     "short or long");
	assert_int_equal(unlinkat(log.dir, "wal-0000000002", 0), 0);
	assert_int_equal(unlinkat(log.dir, FIRST, 0), 0);
	assert_refused(&log, "wal-0000000003: at byte 0: entries between the "
			     "snapshot and this are missing");
	assert_int_equal(unlinkat(log.dir, "wal-0000000003", 0), 0);
	assert_refused(&log, "wal-0000000001: at byte 0: there is no log");
	log_remove(&log);
}

static void segments_of_another_log_are_refused(void **unused)
{
	struct log log;

	(void)unused;
	fill_segments(&log, 3);
	scratch_copy(&log.scratch, "wal-0000000002", "wal-0000000003");
	assert_refused(&log, "wal-0000000003: at byte 0: it is another "
			     "segment");
	log_remove(&log);
}

/* ---- snapshots --------------------------------------------------------------- */

static int count_segments(const struct log *log)
{
	char name[SEGMENT_NAME_BYTES];
	int n = 0;

	for (uint64_t i = 1; i < 100; i++)
		n += faccessat(log->dir, segment_name(i, name), F_OK, 0) == 0;
	return n;
}

static void segments_that_a_snapshot_has_are_dropped(void **unused)
{
	struct log log;
	uint64_t before;

	(void)unused;
	log_make(&log);
	for (uint64_t i = 1; i <= 300; i += 10)
		log_put(&log, i, i + 9, 1 + i / 100);
	assert_int_equal(wal_drop(log.wal, 0), 0);
	assert_int_equal(wal_before(log.wal).index, 0);
	/* As soon as it has all of one. */
	for (uint64_t i = 1; wal_before(log.wal).index == 0; i++) {
		assert_int_equal(wal_drop(log.wal, i), 0);
		if (wal_before(log.wal).index != 0)
			assert_int_equal(wal_before(log.wal).index, i);
	}
	assert_int_equal(wal_drop(log.wal, 200), 0);
	before = wal_before(log.wal).index;
	assert_true(before > 150 && before <= 200);
	wal_close(log.wal);
	/* Those that are left begin before the snapshot. */
	log_open(&log, 200, 2);
	assert_int_equal(log.first, before + 1);
	assert_int_equal(log.first + log.n - 1, 300);
	wal_close(log.wal);
	assert_int_equal(log_try_open(&log, before - 1, 2), -EBADMSG);
	log_open(&log, 200, 2);
	/* The last one stays, whatever a snapshot has. */
	assert_int_equal(wal_drop(log.wal, 10000), 0);
	assert_int_equal(count_segments(&log), 1);
	log_put(&log, 301, 301, 5);
	wal_close(log.wal);
	log_open(&log, 301, 5);
	assert_int_equal(wal_last(log.wal).index, 301);
	log_remove(&log);
}

/* What was replaced stood in a segment that is gone. */
static void a_segment_may_begin_with_entries_that_replace(void **unused)
{
	uint64_t terms[15], i = 1, term = 2;
	uint8_t bytes[512];
	struct log log;

	(void)unused;
	log_make(&log);
	while (faccessat(log.dir, "wal-0000000002", F_OK, 0) != 0) {
		log_put(&log, i, i, 1);
		i += faccessat(log.dir, "wal-0000000002", F_OK, 0) != 0;
	}
	/* Entry i is the first one in the second segment; once more, without it. */
	wal_close(log.wal);
	assert_int_equal(wal_create(log.dir, LOG_SEGMENT), 0);
	log_open(&log, 0, 0);
	for (uint64_t j = 1; j < i; j++)
		log_put(&log, j, j, 1);
	/* Nor has the first one room for this. */
	while (log_fill(i - 5, term, bytes) < log_fill(i, 1, bytes))
		term++;
	for (uint64_t j = i - 5; j < i + 10; j++)
		log_put(&log, j, j, term);
	assert_int_equal(wal_drop(log.wal, i + 2), 0);
	assert_int_equal(count_segments(&log), 1);
	wal_close(log.wal);
	log_open(&log, i + 2, term);
	for (int j = 0; j < 15; j++)
		terms[j] = term;
	log_assert(&log, i - 5, 15, terms);
	assert_int_equal(wal_before(log.wal).index, i - 6);
	log_remove(&log);
}

static void a_log_without_the_snapshots_entry_begins_anew(void **unused)
{
	const struct {
		uint64_t index, term;
	} snapshots[] = {{5, 2}, {20, 2}, {1000, 7}};
	struct log log;

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		log_make(&log);
		for (uint64_t j = 1; j <= 40; j += 4)
			log_put(&log, j, j + 3, j < 20 ? 1 : 3);
		wal_close(log.wal);
		log_open(&log, snapshots[i].index, snapshots[i].term);
		assert_int_equal(wal_last(log.wal).index, snapshots[i].index);
		assert_int_equal(wal_last(log.wal).term, snapshots[i].term);
		assert_int_equal(count_segments(&log), 1);
		log_put(&log, snapshots[i].index + 1, snapshots[i].index + 2,
			8);
		wal_close(log.wal);
		log_open(&log, snapshots[i].index, snapshots[i].term);
		log_assert(&log, snapshots[i].index + 1, 2,
			   (const uint64_t[]){8, 8});
		log_remove(&log);
	}
}

static void a_log_that_begins_anew_forgets_what_was_before(void **unused)
{
	struct log log;

	(void)unused;
	fill_segments(&log, 3);
	log_open(&log, 0, 0);
	assert_int_equal(wal_reset(log.wal, (struct wal_position){99, 4}), 0);
	assert_int_equal(wal_before(log.wal).index, 99);
	assert_int_equal(log_append(log.wal, 99, 99, 5), -EINVAL);
	log_put(&log, 100, 101, 5);
	wal_close(log.wal);
	assert_int_equal(count_segments(&log), 1);
	/* Killed before all of them were removed; what is in them is no matter. */
	log_write(&log, FIRST, (const uint8_t *)"?", 1);
	log_open(&log, 99, 4);
	log_assert(&log, 100, 2, (const uint64_t[]){5, 5});
	assert_int_equal(count_segments(&log), 1);
	wal_close(log.wal);
	assert_int_equal(log_try_open(&log, 98, 4), -EBADMSG);
	log_remove(&log);
}

/* ---- the next segment -------------------------------------------------------- */

static void assert_want_passes(int wanted)
{
	struct log log;
	uint64_t i = 1, n;
	int error = 0;

	log_make(&log);
	assert_int_equal(wal_prepare(log.wal), 0);
	assert_true(wal_is_prepared(log.wal));
	want = wanted;
	assert_int_equal(wal_prepare(log.wal), 0);
	for (; !error; i += 3) {
		error = log_append(log.wal, i, i + 2, 1);
		if (!error)
			assert_int_equal(wal_sync(log.wal), 0);
		else
			i -= 3;
	}
	n = i - 1;
	assert_int_equal(error, -wanted);
	assert_true(wal_may_try_again(log.wal, error));
	assert_int_equal(wal_prepare(log.wal), -wanted);
	assert_int_equal(wal_last(log.wal).index, n);
	want = 0;
	log_reopen(&log);
	assert_int_equal(log.n, n);
	want = wanted;
	assert_int_equal(log_append(log.wal, n + 1, n + 3, 1), -wanted);
	assert_int_equal(wal_reset(log.wal, (struct wal_position){n + 100, 9}),
			 -wanted);
	assert_true(wal_may_try_again(log.wal, -wanted));
	assert_int_equal(wal_last(log.wal).index, n);
	/* Room again: the same log goes on. */
	want = 0;
	log_put(&log, n + 1, n + 3, 1);
	log_reopen(&log);
	assert_int_equal(log.n, n + 3);
	log_remove(&log);
}

/* Of room, by whatever limit, descriptors and memory there may be some again. */
static void a_want_is_told_before_anything_is_written(void **unused)
{
	static const int wants[] = {ENOSPC, EDQUOT, EFBIG,
				    EMFILE, ENFILE, ENOMEM};

	(void)unused;
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
		assert_want_passes(wants[i]);
}

struct preparing {
	struct wal *wal;
	bool is_over;
};

static void *prepare_all(void *arg)
{
	struct preparing *preparing = arg;

	while (!__atomic_load_n(&preparing->is_over, __ATOMIC_ACQUIRE)) {
		if (wal_prepare(preparing->wal))
			return "cannot prepare";
		sched_yield(); /* valgrind runs one thread at a time */
	}
	return NULL;
}

static void another_thread_prepares_segments_while_one_appends(void **unused)
{
	struct preparing preparing;
	struct log log;
	pthread_t thread;
	void *why;

	(void)unused;
	log_make(&log);
	preparing = (struct preparing){log.wal, false};
	assert_int_equal(pthread_create(&thread, NULL, prepare_all, &preparing),
			 0);
	for (uint64_t i = 1; i <= 1000; i += 10)
		log_put(&log, i, i + 9, 1);
	__atomic_store_n(&preparing.is_over, true, __ATOMIC_RELEASE);
	pthread_join(thread, &why);
	assert_null(why);
	log_reopen(&log);
	assert_int_equal(log.n, 1000);
	log_remove(&log);
}

static void a_log_can_be_made_anew(void **unused)
{
	struct log log;
	struct stat st;

	(void)unused;
	fill_segments(&log, 3);
	assert_int_equal(wal_create(log.dir, LOG_SEGMENT + 512), -EINVAL);
	assert_int_equal(wal_create(log.dir, LOG_SEGMENT), 0);
	assert_int_equal(count_segments(&log), 1);
	assert_int_equal(fstatat(log.dir, FIRST, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	log_open(&log, 0, 0);
	assert_int_equal(log.n, 0);
	log_remove(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_come_back_as_they_were_appended),
		cmocka_unit_test(an_entry_replaces_those_from_its_index_on),
		cmocka_unit_test(what_cannot_be_appended_changes_nothing),
		cmocka_unit_test(the_largest_entry_fills_a_segment),
		cmocka_unit_test(
			a_torn_tail_is_cut_though_sound_records_stand_in_it),
		cmocka_unit_test(
			damage_before_what_was_synced_later_is_refused),
		cmocka_unit_test(
			what_a_client_has_written_is_not_taken_for_a_record),
		cmocka_unit_test(
			any_bit_that_flips_is_refused_or_in_the_torn_tail),
		cmocka_unit_test(a_log_with_something_missing_is_refused),
		cmocka_unit_test(segments_of_another_log_are_refused),
		cmocka_unit_test(segments_that_a_snapshot_has_are_dropped),
		cmocka_unit_test(a_segment_may_begin_with_entries_that_replace),
		cmocka_unit_test(a_log_without_the_snapshots_entry_begins_anew),
		cmocka_unit_test(
			a_log_that_begins_anew_forgets_what_was_before),
		cmocka_unit_test(a_want_is_told_before_anything_is_written),
		cmocka_unit_test(
			another_thread_prepares_segments_while_one_appends),
		cmocka_unit_test(a_log_can_be_made_anew),
	};

	return SUPPORT_MAIN(tests);
}

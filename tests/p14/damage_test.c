/* One bit is flipped, anywhere in what a database is made of: no wrong value is
 * ever returned, and mmapdb_check() finds it. In the boot that wrote the file,
 * and in the next. */
#include "tests/p14/base.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/rng.h"

enum { RECORDS = 300, PAGE = 4096, METAS = 3 /* pages, and the seal */ };

struct damage {
	struct base base;
	int fd;
	struct stat st;
};

static struct mmapdb_bytes key_of(int i)
{
	static char key[2][40];
	static int turn;

	turn = !turn;
	snprintf(key[turn], sizeof(key[turn]), "a common beginning %d", i);
	return text(key[turn]);
}

static struct mmapdb_bytes value_of(int i)
{
	static char value[9000];

	memset(value, 'a' + i % 26, sizeof(value));
	return (struct mmapdb_bytes){value, (size_t)(i % 40 ? i : 9000)};
}

static void make(struct damage *damage)
{
	struct mmapdb *db;

	base_make(&damage->base, 0);
	db = damage->base.db;
	must(db, mmapdb_begin_write(db, tick_after(PATIENCE)));
	for (int i = 0; i < RECORDS - 1; i++)
		must(db, mmapdb_put(db, key_of(i), value_of(i), NULL));
	must(db, mmapdb_commit(db));
	must(db, mmapdb_begin_write(db, tick_after(PATIENCE)));
	must(db,
	     mmapdb_put(db, key_of(RECORDS - 1), value_of(RECORDS - 1), NULL));
	must(db, mmapdb_commit(db));
	mmapdb_close(db);
	damage->base.db = NULL;
	damage->fd = open(damage->base.path, O_RDWR);
	assert_true(damage->fd >= 0);
	assert_int_equal(fstat(damage->fd, &damage->st), 0);
}

static void unmake(struct damage *damage)
{
	close(damage->fd);
	base_remove(&damage->base);
}

static void flip(const struct damage *damage, off_t bit)
{
	unsigned char byte;

	assert_int_equal(pread(damage->fd, &byte, 1, bit / 8), 1);
	byte ^= (unsigned char)(1 << bit % 8);
	assert_int_equal(pwrite(damage->fd, &byte, 1, bit / 8), 1);
}

struct outcome {
	int refused;   /* records that could not be read; or all of them */
	bool is_found; /* by open, begin or check */
};

/* Read it all: each record is right, or an error. */
static struct outcome read_all(const struct damage *damage)
{
	struct outcome outcome = {0};
	struct mmapdb_bytes value;
	struct mmapdb_fault fault;
	struct mmapdb *db;
	int error = mmapdb_open(damage->base.path, MMAPDB_RDONLY, &db);

	if (error) {
		assert_true(error == -EBADMSG || error == -EMEDIUMTYPE ||
			    error == -EPROTONOSUPPORT);
		outcome = (struct outcome){RECORDS, true};
		return outcome;
	}
	error = mmapdb_begin_read(db);
	if (error) {
		assert_int_equal(error, -EBADMSG);
		assert_true(strstr(mmapdb_error(db), "page") ||
			    strstr(mmapdb_error(db), "-lock"));
		outcome = (struct outcome){RECORDS, true};
	}
	for (int i = 0; !error && i < RECORDS; i++) {
		const struct mmapdb_bytes wanted = value_of(i);

		if (mmapdb_get(db, key_of(i), &value)) {
			assert_non_null(strstr(mmapdb_error(db), "page "));
			outcome.refused++;
			continue;
		}
		assert_int_equal(value.len, wanted.len);
		assert_memory_equal(value.data, wanted.data, value.len);
	}
	if (!error && mmapdb_check(db, &fault)) {
		assert_true(strlen(fault.what) > 0);
		outcome.is_found = true;
	}
	mmapdb_close(db);
	return outcome;
}

static void forget_boot(const struct damage *damage)
{
	char path[300];

	snprintf(path, sizeof(path), "%s-lock", damage->base.path);
	unlink(path);
}

/* A recovery writes to the meta pages and the seal. */
static void save(const struct damage *damage, unsigned char bytes[METAS * PAGE])
{
	assert_int_equal(pread(damage->fd, bytes, (size_t)METAS * PAGE, 0),
			 METAS * PAGE);
}

static void restore(const struct damage *damage,
		    const unsigned char bytes[METAS * PAGE])
{
	assert_int_equal(pwrite(damage->fd, bytes, (size_t)METAS * PAGE, 0),
			 METAS * PAGE);
	forget_boot(damage);
}

/* Which pages are of the newest version: those where a flip is noticed. */
static bool is_live(const struct damage *damage, off_t page)
{
	const off_t bit = page * PAGE * 8 + 100;
	bool is_noticed;

	flip(damage, bit);
	is_noticed = read_all(damage).is_found;
	flip(damage, bit);
	return is_noticed;
}

/* First those of the transaction's number, by which a handle knows what it has
 * checked; then any, and half of them in the header. */
static off_t draw_bit(struct rng *rng, int i)
{
	if (i < 8)
		return 64 + i;
	return (off_t)rng_below(rng, i % 2 ? 32 * 8 : PAGE * 8);
}

static void assert_noticed(const struct damage *damage)
{
	const struct outcome outcome = read_all(damage);

	assert_true(outcome.refused > 0);
	assert_true(outcome.is_found);
}

static void a_flipped_bit_of_a_live_page_is_never_returned(void **state)
{
	const int flips = support_is_stress()     ? 2000
			  : support_is_valgrind() ? 1
						  : 9;
	struct damage damage;
	struct rng rng;
	int live = 0;

	(void)state;
	printf("seed 17\n");
	rng_seed(&rng, 17);
	make(&damage);
	/* From here on it has all in pages, and nothing in the log. */
	forget_boot(&damage);
	assert_false(read_all(&damage).is_found);
	for (off_t page = 3; page < damage.st.st_size / PAGE; page++) {
		if (!is_live(&damage, page))
			continue;
		live++;
		for (int i = 0; i < flips; i++) {
			const off_t bit = page * PAGE * 8 + draw_bit(&rng, i);

			flip(&damage, bit);
			assert_noticed(&damage);
			forget_boot(&damage);
			assert_noticed(&damage);
			flip(&damage, bit);
			forget_boot(&damage);
		}
	}
	assert_true(live > 20);
	assert_false(read_all(&damage).is_found);
	unmake(&damage);
}

/* Of every so many bits only one: valgrind is for how each is met, not for all. */
static off_t slower(void)
{
	return support_is_valgrind() ? 17 : 1;
}

/* The newest version's meta page and the pages that it lists: the version before
 * is not what was promised. */
static void a_damaged_newest_version_is_not_replaced_by_the_one_before(
	void **state)
{
	static unsigned char saved[METAS * PAGE];
	struct damage damage;
	struct outcome outcome;

	(void)state;
	make(&damage);
	save(&damage, saved);
	for (off_t bit = 0; bit < 2 * PAGE * 8; bit += 83 * slower()) {
		assert_false(read_all(&damage).is_found);
		flip(&damage, bit);
		/* This boot knows where the newest version is. */
		outcome = read_all(&damage);
		assert_int_equal(outcome.refused, 0);
		forget_boot(&damage);
		/* All of it, or nothing. */
		outcome = read_all(&damage);
		assert_true(outcome.refused % RECORDS == 0);
		restore(&damage, saved);
	}
	unmake(&damage);
}

static void put_one(struct damage *damage, int i)
{
	struct mmapdb *db = base_open(&damage->base, 0);

	must(db, mmapdb_begin_write(db, tick_after(PATIENCE)));
	must(db, mmapdb_put(db, key_of(i), value_of(i), NULL));
	must(db, mmapdb_commit(db));
	mmapdb_close(db);
}

/* What is in the log alone: it is all read, or the database is refused. That of a
 * record that others follow is noticed even when the seal has not come to the
 * disk. */
static void a_flipped_bit_of_the_log_is_noticed(void **state)
{
	/* The records of three transactions stand at its beginning. */
	const off_t log = 3L * PAGE * 8, first = 350L * 8, all = 3 * first;
	static unsigned char saved[METAS * PAGE];
	struct mmapdb_fault fault;
	struct damage damage;
	struct mmapdb *db;

	(void)state;
	make(&damage);
	put_one(&damage, RECORDS - 1);
	put_one(&damage, RECORDS - 1);
	save(&damage, saved);
	/* This boot does not read it, but looks at it when asked. */
	db = base_open(&damage.base, MMAPDB_RDONLY);
	must(db, mmapdb_begin_read(db));
	for (off_t bit = 0; bit < all; bit += 7 * slower()) {
		flip(&damage, log + bit);
		assert_int_equal(mmapdb_check(db, &fault), -EBADMSG);
		assert_int_equal(fault.page, 3);
		assert_non_null(strstr(fault.what, "log"));
		flip(&damage, log + bit);
	}
	must(db, mmapdb_check(db, &fault));
	mmapdb_close(db);
	for (off_t bit = 0; bit < all; bit += 7 * slower()) {
		unsigned char metas[METAS * PAGE];

		memcpy(metas, saved, sizeof(metas));
		if (bit < first && bit % 2)
			memset(metas + 2L * PAGE, 0, PAGE);
		restore(&damage, metas);
		flip(&damage, log + bit);
		assert_int_equal(read_all(&damage).refused, RECORDS);
		flip(&damage, log + bit);
	}
	restore(&damage, saved);
	assert_false(read_all(&damage).is_found);
	unmake(&damage);
}

/* The seal is there to notice that; alone, it is nothing that was promised. */
static void a_damaged_seal_harms_nothing(void **state)
{
	struct damage damage;

	(void)state;
	make(&damage);
	for (off_t bit = 0; bit < 40 * 8; bit += slower()) {
		flip(&damage, 2 * PAGE * 8 + bit);
		forget_boot(&damage);
		assert_false(read_all(&damage).is_found);
		flip(&damage, 2 * PAGE * 8 + bit);
	}
	unmake(&damage);
}

/* It is memory, and no disk: but what it says is checked all the same. */
static void a_flipped_bit_of_the_lock_file_is_no_wrong_answer(void **state)
{
	struct damage damage, lock;
	struct rng rng;

	(void)state;
	printf("seed 18\n");
	rng_seed(&rng, 18);
	make(&damage);
	lock = damage;
	lock.fd = open(scratch_path(&damage.base.scratch, "test.db-lock"),
		       O_RDWR);
	for (off_t bit = 64; bit < 512 * 8; bit += 3 * slower()) {
		struct outcome outcome;

		flip(&lock, bit);
		outcome = read_all(&damage);
		assert_true(outcome.refused % RECORDS == 0);
		flip(&lock, bit);
	}
	close(lock.fd);
	unmake(&damage);
}

static void a_file_of_another_format_is_refused(void **state)
{
	struct damage damage;
	struct mmapdb *db;
	uint32_t format = 1;

	(void)state;
	make(&damage);
	for (int page = 0; page < 2; page++)
		assert_int_equal(pwrite(damage.fd, &format, sizeof(format),
					page * PAGE + 8),
				 sizeof(format));
	assert_int_equal(mmapdb_open(damage.base.path, 0, &db),
			 -EPROTONOSUPPORT);
	unmake(&damage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_flipped_bit_of_a_live_page_is_never_returned),
		cmocka_unit_test(
			a_damaged_newest_version_is_not_replaced_by_the_one_before),
		cmocka_unit_test(a_flipped_bit_of_the_log_is_noticed),
		cmocka_unit_test(a_damaged_seal_harms_nothing),
		cmocka_unit_test(
			a_flipped_bit_of_the_lock_file_is_no_wrong_answer),
		cmocka_unit_test(a_file_of_another_format_is_refused),
	};

	return SUPPORT_MAIN(tests);
}

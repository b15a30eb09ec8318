/* Whatever bytes a file has, nothing wrong comes out of it: what is no store is
 * refused, what flipped is reported, and what can be repaired is. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/rng.h"
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

/* ---- what is refused ---- */

static int try_open(const char **why)
{
	struct reclock *store = NULL;
	int error = reclock_open(&store, f.path, NULL, why);

	reclock_close(store);
	return error;
}

/* The bytes of a small store, to be spoilt and written again. */
static unsigned char *read_store(size_t *len)
{
	FILE *file = fopen(f.path, "re");
	unsigned char *bytes;
	struct stat st;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	*len = (size_t)st.st_size;
	bytes = malloc(*len);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, *len, file), *len);
	fclose(file);
	return bytes;
}

static void what_is_no_store_is_refused_with_the_reason(void **state)
{
	static const unsigned char zeroes[200000];
	unsigned char random[5000];
	const char *why;
	struct rng rng;

	(void)state;
	assert_int_equal(try_open(&why), -ENOENT);
	assert_null(why);
	scratch_write(&f.scratch, "store.db", "", 0);
	assert_int_equal(try_open(&why), -EBADMSG);
	assert_string_equal(why, "it is not a file of kvstore");
	scratch_write(&f.scratch, "store.db", "hello", 5);
	assert_int_equal(try_open(&why), -EBADMSG);
	scratch_write(&f.scratch, "store.db", zeroes, sizeof(zeroes));
	assert_int_equal(try_open(&why), -EBADMSG);
	rng_seed(&rng, 1);
	for (int i = 0; i < 100; i++) {
		rng_fill(&rng, random, sizeof(random));
		scratch_write(&f.scratch, "store.db", random, sizeof(random));
		assert_int_equal(try_open(&why), -EBADMSG);
	}
	assert_int_equal(unlink(f.path), 0);
	assert_int_equal(mkdir(f.path, 0700), 0);
	assert_int_equal(try_open(&why), -EISDIR);
	assert_int_equal(rmdir(f.path), 0);
	assert_int_equal(mkfifo(f.path, 0600), 0);
	assert_int_equal(try_open(&why), -EINVAL);
	assert_string_equal(why, "it is no regular file");
}

static void refuse_with(const struct layout_header *header,
			const unsigned char *bytes, size_t len, int error,
			const char *words)
{
	unsigned char *spoilt = malloc(len);
	const char *why = NULL;

	assert_non_null(spoilt);
	memcpy(spoilt, bytes, len);
	memcpy(spoilt, header, sizeof(*header));
	scratch_write(&f.scratch, "store.db", spoilt, len);
	free(spoilt);
	assert_int_equal(try_open(&why), error);
	assert_string_equal(why, words);
}

static void headers_are_checked_field_by_field(void **state)
{
	struct layout_header good, bad;
	struct layout layout = {.record_bytes = 0};
	unsigned char *bytes;
	size_t len;

	(void)state;
	reclock_close(fixture_open(&f, RECLOCK_CREATE));
	bytes = read_store(&len);
	memcpy(&good, bytes, sizeof(good));
	bad = good;
	bad.version = 2;
	refuse_with(&bad, bytes, len, -EPROTONOSUPPORT,
		    "it is of another version of kvstore");
	bad = good;
	bad.byte_order = 0x04030201;
	refuse_with(&bad, bytes, len, -EPROTONOSUPPORT,
		    "it is of a machine with another byte order");
	bad = good;
	bad.id ^= 1;
	refuse_with(&bad, bytes, len, -EBADMSG, "its header is damaged");
	/* Absurd, with a checksum that is right. */
	for (int i = 0; i < 6; i++) {
		layout.record_bytes = i == 0   ? 0
				      : i == 1 ? UINT32_MAX
				      : i == 2 ? RECLOCK_RECORD_MAX + 1
					       : 64;
		layout.groups = i == 3   ? 0
				: i == 4 ? UINT32_MAX
				: i == 5 ? LAYOUT_GROUPS_MAX + 1
					 : 8;
		layout_make_header(&layout, &bad);
		refuse_with(&bad, bytes, len, -EBADMSG,
			    "its header has numbers out of range");
	}
	refuse_with(&good, bytes, len - 1, -EBADMSG, "it was truncated");
	refuse_with(&good, bytes, 4096, -EBADMSG, "it was truncated");
	layout.record_bytes = 64;
	layout.groups = LAYOUT_GROUPS_MAX;
	layout_make_header(&layout, &bad);
	refuse_with(&bad, bytes, len, -EBADMSG, "it was truncated");
	free(bytes);
}

/* ---- what is damaged ---- */

enum { KEYS = 100 };

static void make_full(void)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	char key[16], value[48];

	for (int round = 0; round < 3; round++)
		for (int i = 0; i < KEYS; i++) {
			snprintf(key, sizeof(key), "key%d", i);
			snprintf(value, sizeof(value),
				 "round %d, the value of %d", round, i);
			assert_int_equal(fixture_set(store, key, value), 0);
		}
	/* And some that are no more. */
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(fixture_del(store, key), 0);
	}
	reclock_close(store);
}

/* How many reads give an error; a wrong one fails. */
static int count_errors(struct reclock *store)
{
	char key[16], value[48];
	int errors = 0;

	for (int i = 0; i < KEYS; i++) {
		const char *got;

		snprintf(key, sizeof(key), "key%d", i);
		snprintf(value, sizeof(value), "round 2, the value of %d", i);
		got = fixture_get(store, key);
		if (*got == '!')
			errors++;
		else
			assert_string_equal(got, i < 10 ? "-" : value);
	}
	return errors;
}

static void no_flip_of_a_bit_is_returned_as_a_value(void **state)
{
	const int flips = support_is_valgrind() ? 400
			  : support_is_stress() ? 100000
						: 4000;
	int reported = 0, refused = 0, fd;
	struct reclock *store;
	struct rng rng;
	unsigned char *map;
	size_t len;

	(void)state;
	make_full();
	free(read_store(&len));
	fd = open(f.path, O_RDWR | O_CLOEXEC);
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	close(fd);
	rng_seed(&rng, 7);
	for (int i = 0; i < flips; i++) {
		/* Every other in the groups' words, of which there are few. */
		size_t byte = rng_below(&rng, len);
		const unsigned char bit =
			(unsigned char)(1U << rng_below(&rng, 8));

		if (i % 2)
			byte = 4096 * 5 +
			       rng_below(&rng, 15) * ((len - 4096 * 5) / 15) +
			       rng_below(&rng, 144);
		map[byte] ^= bit;
		if (reclock_open(&store, f.path, NULL, NULL)) {
			refused++;
		} else {
			reported += count_errors(store) > 0;
			reclock_close(store);
		}
		map[byte] ^= bit;
	}
	munmap(map, len);
	/* Otherwise nothing was tried. */
	assert_true(reported > flips / 8);
	print_message("%d flips: %d reported by a read, %d refused\n", flips,
		      reported, refused);
}

static int find_in(const unsigned char *bytes, size_t len, const char *text)
{
	const unsigned char *at = memmem(bytes, len, text, strlen(text));

	return at ? (int)(at - bytes) : -1;
}

/* The half that is live torn, as by a power cut between word and half. */
static void torn_record_is_reported_and_repair_puts_the_older_back(void **state)
{
	struct reclock *store;
	unsigned char *bytes;
	size_t len;
	int at;

	(void)state;
	store = fixture_open(&f, RECLOCK_CREATE);
	assert_int_equal(fixture_set(store, "a", "the older value"), 0);
	assert_int_equal(fixture_set(store, "a", "the newer value"), 0);
	assert_int_equal(fixture_set(store, "b", "never another"), 0);
	assert_int_equal(fixture_set(store, "c", "whole"), 0);
	reclock_close(store);
	bytes = read_store(&len);
	at = find_in(bytes, len, "the newer value");
	assert_true(at > 0);
	memset(bytes + at + 4, 0, 5);
	at = find_in(bytes, len, "never another");
	assert_true(at > 0);
	bytes[at] ^= 1;
	scratch_write(&f.scratch, "store.db", bytes, len);
	free(bytes);
	store = fixture_open(&f, 0);
	assert_string_equal(fixture_get(store, "a"), "!-74");
	assert_string_equal(fixture_get(store, "b"), "!-74");
	assert_string_equal(fixture_get(store, "c"), "whole");
	assert_int_equal(fixture_set(store, "a", "x"), -EBADMSG);
	assert_int_equal(reclock_compact_until(store, fixture_deadline()),
			 -EBADMSG);
	assert_int_equal(reclock_check_until(store, false, NULL, NULL,
					     fixture_deadline()),
			 2);
	assert_int_equal(reclock_check_until(store, true, NULL, NULL,
					     fixture_deadline()),
			 2);
	assert_int_equal(reclock_check_until(store, false, NULL, NULL,
					     fixture_deadline()),
			 0);
	assert_string_equal(fixture_get(store, "a"), "the older value");
	assert_string_equal(fixture_get(store, "b"), "-");
	assert_string_equal(fixture_get(store, "c"), "whole");
	assert_int_equal(fixture_set(store, "a", "x"), 0);
	assert_string_equal(fixture_get(store, "a"), "x");
	reclock_close(store);
}

/* What the other half has is of before the key was deleted. */
static void repair_brings_nothing_back_that_was_deleted(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_CREATE);
	unsigned char *bytes;
	size_t len;
	int at;

	(void)state;
	assert_int_equal(fixture_set(store, "a", "first"), 0);
	assert_int_equal(fixture_set(store, "a", "second"), 0);
	assert_int_equal(fixture_del(store, "a"), 0);
	assert_int_equal(fixture_set(store, "a", "the last value"), 0);
	reclock_close(store);
	bytes = read_store(&len);
	assert_true(find_in(bytes, len, "first") > 0);
	at = find_in(bytes, len, "the last value");
	assert_true(at > 0);
	bytes[at] ^= 1;
	scratch_write(&f.scratch, "store.db", bytes, len);
	free(bytes);
	store = fixture_open(&f, 0);
	assert_int_equal(reclock_check_until(store, true, NULL, NULL,
					     fixture_deadline()),
			 1);
	assert_string_equal(fixture_get(store, "a"), "-");
	reclock_close(store);
}

/* After any spoiling repair makes a store that works. */
static void repair_leaves_nothing_wrong(void **state)
{
	const int rounds = support_is_valgrind() ? 10
			   : support_is_stress() ? 2000
						 : 100;
	unsigned char *good, *bytes;
	struct reclock *store;
	struct rng rng;
	size_t len;
	int found;

	(void)state;
	make_full();
	good = read_store(&len);
	bytes = malloc(len);
	assert_non_null(bytes);
	rng_seed(&rng, 3);
	for (int i = 0; i < rounds; i++) {
		memcpy(bytes, good, len);
		for (int k = 0; k < 30; k++) {
			size_t at = 4096 + rng_below(&rng, len - 4096 - 600);

			rng_fill(&rng, bytes + at, rng_below(&rng, 600));
		}
		scratch_write(&f.scratch, "store.db", bytes, len);
		store = fixture_open(&f, 0);
		found = reclock_check_until(store, true, NULL, NULL,
					    fixture_deadline());
		assert_true(found >= 0);
		assert_int_equal(reclock_check_until(store, false, NULL, NULL,
						     fixture_deadline()),
				 0);
		for (int k = 0; k < KEYS; k++) {
			char key[16];

			snprintf(key, sizeof(key), "key%d", k);
			assert_int_not_equal(*fixture_get(store, key), '!');
			assert_int_equal(fixture_set(store, key, "new"), 0);
			assert_string_equal(fixture_get(store, key), "new");
		}
		reclock_close(store);
	}
	free(good);
	free(bytes);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_is_no_store_is_refused_with_the_reason),
		CASE(headers_are_checked_field_by_field),
		CASE(no_flip_of_a_bit_is_returned_as_a_value),
		CASE(torn_record_is_reported_and_repair_puts_the_older_back),
		CASE(repair_brings_nothing_back_that_was_deleted),
		CASE(repair_leaves_nothing_wrong),
	};
#undef CASE

	return SUPPORT_MAIN(tests);
}

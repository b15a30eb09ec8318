#include "lib/frame.h"

#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#include "lib/rng.h"

enum { HEADER = sizeof(struct frame_header), MAX = 1000 };

static size_t put_frame(unsigned char *at, uint32_t type, uint32_t len)
{
	struct frame_header header = frame_header_make(type, len);

	memcpy(at, &header, HEADER);
	memset(at + HEADER, 'x', len);
	return HEADER + len;
}

static void frame_at_the_front_is_found(void **state)
{
	unsigned char buf[64];
	size_t len = put_frame(buf, 5, 5), skip = 99;
	struct frame_header header;

	(void)state;
	assert_int_equal(frame_scan(buf, len, MAX, &skip, &header), 1);
	assert_int_equal(skip, 0);
	assert_int_equal(header.type, 5);
	assert_int_equal(header.length, 5);
}

/* For each length of what has arrived: 0 and nothing lost, until all of the
 * frame is there. A heap block of just that length lets ASan see a byte too
 * far. */
static void frame_that_is_arriving_is_kept(void **state)
{
	unsigned char whole[64];
	size_t len, skip;
	struct frame_header header;

	(void)state;
	memset(whole, '.', 3);
	len = 3 + put_frame(whole + 3, 5, 5);
	for (size_t have = 0; have <= len; have++) {
		unsigned char *part = malloc(have ? have : 1);

		assert_non_null(part);
		memcpy(part, whole, have);
		assert_int_equal(frame_scan(part, have, MAX, &skip, &header),
				 have == len);
		assert_int_equal(skip, have < 3 ? have : 3);
		free(part);
	}
}

static void garbage_before_a_frame_is_skipped(void **state)
{
	unsigned char buf[300];
	struct frame_header header;
	const uint32_t magic = FRAME_MAGIC;
	size_t len, skip;

	(void)state;
	for (size_t garbage = 0; garbage < 200; garbage++) {
		memset(buf, 'U', sizeof(buf)); /* the first byte of magic */
		if (garbage >= 20)             /* and a magic that lies */
			memcpy(buf + garbage - 20, &magic, sizeof(magic));
		len = garbage + put_frame(buf + garbage, 5, 5);
		assert_int_equal(frame_scan(buf, len, MAX, &skip, &header), 1);
		assert_int_equal(skip, garbage);
		assert_int_equal(header.length, 5);
	}
}

static void start_of_a_magic_at_the_end_is_kept(void **state)
{
	const uint32_t magic = FRAME_MAGIC;
	struct frame_header header;
	unsigned char buf[32];
	size_t skip;

	(void)state;
	for (size_t tail = 0; tail <= sizeof(magic); tail++)
		for (size_t len = tail; len <= sizeof(buf); len++) {
			memset(buf, '.', sizeof(buf));
			memcpy(buf + len - tail, &magic, tail);
			assert_int_equal(
				frame_scan(buf, len, MAX, &skip, &header), 0);
			assert_int_equal(skip, len - tail);
		}
}

static void frame_longer_than_the_reader_wants_is_garbage(void **state)
{
	unsigned char buf[128];
	struct frame_header header;
	size_t first = put_frame(buf, 1, 10), skip;
	size_t len = first + put_frame(buf + first, 2, 5);

	(void)state;
	assert_int_equal(frame_scan(buf, len, 9, &skip, &header), 1);
	assert_int_equal(skip, first);
	assert_int_equal(header.type, 2);
	assert_int_equal(frame_scan(buf, len, 10, &skip, &header), 1);
	assert_int_equal(skip, 0);
}

static void length_beyond_the_limit_is_garbage(void **state)
{
	struct frame_header lie = frame_header_make(1, FRAME_MAX + 1), header;
	unsigned char buf[64];
	size_t skip, len;

	(void)state;
	memcpy(buf, &lie, HEADER);
	len = HEADER + put_frame(buf + HEADER, 2, 5);
	assert_int_equal(frame_scan(buf, len, SIZE_MAX, &skip, &header), 1);
	assert_int_equal(skip, HEADER);
}

/* Random frames in random garbage, handed on in random pieces to a reader that
 * keeps what frame_scan() tells it to: every frame comes out, in order. */
static void every_frame_is_found_in_random_garbage(void **state)
{
	enum { FRAMES = 300, SIZE = FRAMES * (MAX + 2 * HEADER + 300) };
	unsigned char *stream = malloc(SIZE), *buf = malloc(SIZE);
	size_t total = 0, used = 0, next = 0;
	uint32_t found = 0;
	struct rng rng;

	(void)state;
	assert_non_null(stream);
	assert_non_null(buf);
	rng_seed(&rng, 2024);
	for (uint32_t i = 0; i < FRAMES; i++) {
		size_t garbage = rng_below(&rng, 300);
		size_t len = rng_below(&rng, MAX + 1);
		struct frame_header header =
			frame_header_make(i, (uint32_t)len);

		rng_fill(&rng, stream + total, garbage);
		memcpy(stream + total + garbage, &header, HEADER);
		total += garbage + HEADER;
		memset(stream + total, (int)i, len);
		total += len;
	}
	while (next < total) {
		size_t more = 1 + rng_below(&rng, 400), skip;
		struct frame_header header;
		int got;

		if (more > total - next)
			more = total - next;
		memcpy(buf + used, stream + next, more);
		used += more;
		next += more;
		do {
			got = frame_scan(buf, used, MAX, &skip, &header);
			assert_true(skip <= used);
			if (got) {
				assert_int_equal(header.type, found++);
				for (size_t i = 0; i < header.length; i++)
					assert_int_equal(buf[skip + HEADER + i],
							 header.type & 255);
				skip += HEADER + header.length;
			}
			used -= skip;
			memmove(buf, buf + skip, used);
		} while (got);
		assert_true(used < MAX + HEADER);
	}
	assert_int_equal(found, FRAMES);
	free(stream);
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_at_the_front_is_found),
		cmocka_unit_test(frame_that_is_arriving_is_kept),
		cmocka_unit_test(garbage_before_a_frame_is_skipped),
		cmocka_unit_test(start_of_a_magic_at_the_end_is_kept),
		cmocka_unit_test(frame_longer_than_the_reader_wants_is_garbage),
		cmocka_unit_test(length_beyond_the_limit_is_garbage),
		cmocka_unit_test(every_frame_is_found_in_random_garbage),
	};

	return SUPPORT_MAIN(tests);
}

/* The segment: its end, and its pages. */
#include "tests/support/support.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <unistd.h>

#include "p13-shm-image/pages.h"
#include "p13-shm-image/segment.h"
#include "tests/support/leftover.h"

/* Whether the kernel makes large pages of it or not. */
static void segment_keeps_its_bytes_when_pages_become_large(void **state)
{
	enum { LARGE = 2 << 20, BYTES = 2 * LARGE + 5000 };
	struct segment segment;
	uint8_t *at;

	(void)state;
	assert_int_equal(segment_make(&segment, BYTES), 0);
	assert_int_equal(segment.bytes, 3 * LARGE);
	at = segment.at;
	assert_int_equal((uintptr_t)at % LARGE, 0);
	for (size_t i = 0; i < segment.bytes; i += 1000)
		at[i] = (uint8_t)(i / 1000);
	pages_touch(&segment, at + 100, BYTES, true);
	pages_touch(&segment, at, segment.bytes, false);
	for (size_t i = 0; i < segment.bytes; i += 1000)
		assert_int_equal(at[i], (uint8_t)(i / 1000));
	assert_int_equal(at[1], 0);
	segment_drop(&segment);
}

static bool is_whole(uint8_t *at, size_t bytes)
{
	unsigned char resident[512];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	assert_int_equal(bytes / page, sizeof(resident));
	assert_int_equal(mincore(at, bytes, resident), 0);
	for (size_t i = 0; i < sizeof(resident); i++)
		if (!(resident[i] & 1))
			return false;
	return true;
}

/* Where the kernel has large pages, the first one is made with the segment. */
static void touch_makes_the_large_page_whole_from_any_byte_of_it(void **state)
{
	enum { LARGE = 2 << 20 };
	struct segment segment;
	uint8_t *at;

	(void)state;
	assert_int_equal(segment_make(&segment, 3 * LARGE), 0);
	at = segment.at;
	pages_touch(&segment, at + LARGE + 5000, 1, true);
	assert_int_equal(is_whole(at + LARGE, LARGE), is_whole(at, LARGE));
	pages_touch(&segment, at + 2 * LARGE - 1, 1, false);
	assert_false(is_whole(at + 2 * LARGE, LARGE));
	pages_touch(&segment, at + 3 * LARGE - 1, 1, true);
	assert_int_equal(is_whole(at + 2 * LARGE, LARGE), is_whole(at, LARGE));
	segment_drop(&segment);
}

static void segment_is_marked_for_removal_from_the_start(void **state)
{
	struct segment segment;
	struct shmid_ds ds;

	(void)state;
	assert_int_equal(segment_make(&segment, 100000), 0);
	assert_int_equal(shmctl(segment.id, IPC_STAT, &ds), 0);
	assert_true(ds.shm_perm.mode & SHM_DEST);
	assert_int_equal(ds.shm_nattch, 1);
	segment_drop(&segment);
	assert_int_equal(shmctl(segment.id, IPC_STAT, &ds), -1);
	assert_int_equal(segment_make(&segment, 0), -EINVAL);
}

static int make_without_room(void *arg)
{
	const struct rlimit little = {.rlim_cur = 64 << 20,
				      .rlim_max = 64 << 20};
	struct segment segment;

	(void)arg;
	if (setrlimit(RLIMIT_AS, &little))
		return 2;
	return segment_make(&segment, 256 << 20) != -ENOMEM;
}

static void segment_that_cannot_be_attached_is_gone(void **state)
{
	struct leftover before = leftover_count();

	(void)state;
	support_need_no_valgrind("it needs more memory than that itself");
	support_need_no_sanitizer("it needs more memory than that itself");
	assert_int_equal(support_child_status(make_without_room, NULL, 20000),
			 0);
	leftover_assert_same(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segment_is_marked_for_removal_from_the_start),
		cmocka_unit_test(segment_that_cannot_be_attached_is_gone),
		cmocka_unit_test(
			segment_keeps_its_bytes_when_pages_become_large),
		cmocka_unit_test(
			touch_makes_the_large_page_whole_from_any_byte_of_it),
	};

	return SUPPORT_MAIN(tests);
}

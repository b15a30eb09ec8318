/* The slots in shared memory, which two mechanisms have: p06-bench/slots.h. */
#include "p06-bench/slots.h"

#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void there_are_64_and_fewer_beyond_a_mebibyte(void **state)
{
	static const struct {
		size_t bytes, stride, n;
	} cases[] = {{16, 64, 64},          {65, 128, 64},
		     {16384, 16384, 64},    {16385, 16448, 63},
		     {1 << 19, 1 << 19, 2}, {1 << 20, 1 << 20, 1},
		     {1 << 22, 1 << 22, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slots slots;

		slots_init(&slots, cases[i].bytes, 65);
		assert_int_equal(slots.stride, cases[i].stride);
		assert_int_equal(slots.n, cases[i].n);
		assert_int_equal(slots.map_bytes,
				 128 + 2 * cases[i].n * cases[i].stride);
	}
}

/* Memory that is not to be had is known here, and not by SIGBUS. */
static void memory_that_is_not_there_is_an_error(void **state)
{
	int fd = memfd_create("slots", MFD_CLOEXEC), error;
	struct rlimit old, little;
	struct slots slots;

	(void)state;
	assert_true(fd >= 0);
	slots_init(&slots, 16, 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	little = old;
	little.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	error = slots_map(&slots, fd);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(error, -EFBIG);
	assert_null(slots.map);
	assert_int_equal(slots_map(&slots, fd), 0);
	slots_unmap(&slots);
	close(fd);
}

static void full_file_system_is_named_with_what_helps(void **state)
{
	struct statvfs fs;
	char why[200] = "";

	(void)state;
	assert_int_equal(statvfs("/dev/shm", &fs), 0);
	assert_int_equal(slots_check(1024, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	if (fs.f_blocks == 0)
		skip(); /* it has no limit */
	assert_int_equal(slots_check((size_t)1 << 50, why, sizeof(why)),
			 -ENOSPC);
	assert_non_null(strstr(why, "/dev/shm has "));
	assert_non_null(strstr(why, " bytes free, 2251799813685312 are needed; "
				    "raise: mount -o remount,size="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_are_64_and_fewer_beyond_a_mebibyte),
		cmocka_unit_test(memory_that_is_not_there_is_an_error),
		cmocka_unit_test(full_file_system_is_named_with_what_helps),
	};

	return SUPPORT_MAIN(tests);
}

/* What /proc/stat would say, from a text of our own. */
#include "lib/measure/disturb.h"

#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char proc_stat[400], proc_loadavg[100];

/* Which of the two it is, /proc knows. */
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t offset)
{
	char link[32], path[64] = "";
	const char *text;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_true(readlink(link, path, sizeof(path) - 1) > 0);
	text = strstr(path, "loadavg") ? proc_loadavg : proc_stat;
	assert_int_equal(offset, 0);
	assert_true(strlen(text) < len);
	memcpy(buf, text, strlen(text));
	return (ssize_t)strlen(text);
}

static void set_running(int n)
{
	snprintf(proc_loadavg, sizeof(proc_loadavg),
		 "7.20 8.18 9.12 %d/80 11206\n", n);
}

/* Three CPUs with these ticks of steal. */
static void set_steal(int cpu0, int cpu1, int cpu2)
{
	snprintf(proc_stat, sizeof(proc_stat),
		 "cpu  9 9 9 9 9 9 9 %d 0 0\n"
		 "cpu0 100 1 50 9000 3 0 2 %d 0 0\n"
		 "cpu1 100 1 50 9000 3 0 2 %d 0 0\n"
		 "cpu2 100 1 50 9000 3 0 2 %d 0 0\n"
		 "intr 12 0 1\nctxt 5\n",
		 cpu0 + cpu1 + cpu2, cpu0, cpu1, cpu2);
}

static void steal_counts_on_the_two_cpus_only(void **state)
{
	const int cpus[2] = {0, 2};
	struct disturb disturb;

	(void)state;
	set_steal(5, 5, 5);
	disturb_open(&disturb, cpus, 1);
	disturb_mark(&disturb, 0);
	set_steal(6, 90, 7);
	assert_int_equal(disturb_since(&disturb, 0).steal, 3);
	set_steal(6, 99, 7);
	assert_int_equal(disturb_since(&disturb, 0).steal, 0);
	disturb_close(&disturb);
}

static void steal_counts_on_all_cpus_when_none_is_named(void **state)
{
	struct disturb disturb;

	(void)state;
	set_steal(1, 1, 1);
	disturb_open(&disturb, NULL, 1);
	disturb_mark(&disturb, 0);
	set_steal(2, 3, 4);
	assert_int_equal(disturb_since(&disturb, 0).steal, 6);
	disturb_close(&disturb);
}

/* On as many CPUs as there are, two of them ours, we and the others may have
 * one each. */
static void crowd_is_more_processes_than_cpus(void **state)
{
	const int n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	const int cpus[2] = {0, 1}, one[2] = {0, 0};
	struct disturb disturb;

	(void)state;
	disturb_open(&disturb, cpus, 1);
	set_running(n - 1);
	disturb_mark(&disturb, 0);
	assert_false(disturb_since(&disturb, 0).is_crowded);
	set_running(n);
	assert_true(disturb_since(&disturb, 0).is_crowded);
	set_running(n - 1); /* but at the beginning it was */
	assert_true(disturb_since(&disturb, 0).is_crowded);
	assert_false(disturb_since(&disturb, 0).is_crowded);
	disturb_close(&disturb);

	disturb_open(&disturb, cpus, 2); /* both sides spin */
	set_running(n);
	disturb_mark(&disturb, 0);
	assert_false(disturb_since(&disturb, 0).is_crowded);
	disturb_close(&disturb);

	disturb_open(&disturb, one, 1);
	disturb_mark(&disturb, 0);
	assert_false(disturb_since(&disturb, 0).is_crowded);
	disturb_close(&disturb);
}

static void switches_count_since_the_mark(void **state)
{
	struct disturb disturb;

	(void)state;
	set_steal(0, 0, 0);
	disturb_open(&disturb, NULL, 1);
	disturb_mark(&disturb, 10);
	assert_int_equal(disturb_since(&disturb, 12).switches, 2);
	assert_int_equal(disturb_since(&disturb, 12).switches, 0);
	disturb_close(&disturb);
}

static void stat_of_another_form_counts_nothing(void **state)
{
	static const char *const texts[] = {"",
					    "cpu",
					    "cpu0",
					    "cpux 1 2 3\n",
					    "cpu0 1 2 3\n",
					    "intr 5\n",
					    "cpu0 a b c d e f g h\ncpu1"};
	struct disturb disturb;

	(void)state;
	disturb_open(&disturb, NULL, 1);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(proc_stat, sizeof(proc_stat), "%s", texts[i]);
		disturb_mark(&disturb, 0);
		assert_int_equal(disturb.steal, 0);
	}
	disturb_close(&disturb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steal_counts_on_the_two_cpus_only),
		cmocka_unit_test(steal_counts_on_all_cpus_when_none_is_named),
		cmocka_unit_test(crowd_is_more_processes_than_cpus),
		cmocka_unit_test(switches_count_since_the_mark),
		cmocka_unit_test(stat_of_another_form_counts_nothing),
	};

	return SUPPORT_MAIN(tests);
}

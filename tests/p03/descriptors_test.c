/* The descriptors of mypopen's streams: which are close-on-exec, which a child
 * inherits, and that none is left. */
#include "tests/p03/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_on_exec_is_set_by_e_and_by_nothing_else(void **state)
{
	static const struct {
		const char *mode;
		int flag;
	} cases[] = {{"r", 0},
		     {"w", 0},
		     {"re", FD_CLOEXEC},
		     {"er", FD_CLOEXEC},
		     {"we", FD_CLOEXEC}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *stream = mypopen("cat >/dev/null", cases[i].mode);

		assert_non_null(stream);
		if (strchr(cases[i].mode, 'r')) {
			mypclose(stream);
			stream = mypopen("true", cases[i].mode);
		}
		assert_int_equal(fcntl(fileno(stream), F_GETFD), cases[i].flag);
		assert_int_equal(mypclose(stream), 0);
	}
}

/* Whether a program started now has a descriptor of the same pipe as fd. */
static bool is_inherited(int fd)
{
	FILE *find = mypopen("exec find /proc/self/fd -lname 'pipe:*' "
			     "-printf '%l\\n'",
			     "r");
	char wanted[64], *seen;
	struct stat st;
	bool is_there;

	assert_non_null(find);
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(wanted, sizeof(wanted), "pipe:[%lu]\n",
		 (unsigned long)st.st_ino);
	seen = slurp(find);
	is_there = strstr(seen, wanted);
	free(seen);
	assert_int_equal(mypclose(find), 0);
	return is_there;
}

static void child_has_no_end_of_an_earlier_stream(void **state)
{
	static const char *const modes[] = {"w", "we"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		FILE *earlier = mypopen("cat >/dev/null", modes[i]);

		assert_non_null(earlier);
		assert_false(is_inherited(fileno(earlier)));
		assert_int_equal(mypclose(earlier), 0);
	}
}

static void two_writers_end_in_either_order(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		FILE *streams[2] = {mypopen("cat >/dev/null", "w"),
				    mypopen("cat >/dev/null", "w")};

		assert_non_null(streams[0]);
		assert_non_null(streams[1]);
		assert_int_equal(mypclose(streams[order]), 0);
		assert_int_equal(mypclose(streams[!order]), 0);
	}
}

/* In a child: its descriptors are not missed. */
static int talk_without_std(void *arg)
{
	FILE *reader, *writer;
	char line[16] = "";
	bool is_right;

	(void)arg;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
	writer = mypopen("read x; test $x = ping", "w");
	reader = mypopen("echo pong", "r");
	if (!writer || !reader)
		return 1;
	is_right = fputs("ping\n", writer) >= 0 &&
		   fgets(line, sizeof(line), reader) &&
		   strcmp(line, "pong\n") == 0;
	is_right &= mypclose(writer) == 0;
	is_right &= mypclose(reader) == 0;
	return is_right ? 0 : 2;
}

static void streams_work_without_standard_descriptors(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(talk_without_std, NULL, CHILD_MS),
			 0);
}

static void a_hundred_thousand_calls_leak_nothing(void **state)
{
	int fds = support_count_fds();
	int calls = support_is_stress() ? 100000 : 500;
	char *const argv[] = {"true", NULL};

	(void)state;
	for (int i = 0; i < calls; i++) {
		FILE *stream = mypopenv(argv, i % 2 ? "r" : "w");

		assert_non_null(stream);
		assert_int_equal(mypclose(stream), 0);
	}
	assert_int_equal(support_count_fds(), fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_on_exec_is_set_by_e_and_by_nothing_else),
		cmocka_unit_test(child_has_no_end_of_an_earlier_stream),
		cmocka_unit_test(two_writers_end_in_either_order),
		cmocka_unit_test(streams_work_without_standard_descriptors),
		cmocka_unit_test(a_hundred_thousand_calls_leak_nothing),
	};

	return SUPPORT_MAIN(tests);
}

/* What is known of processes: where they run, and how one ended. */
#include "lib/child.h"

#include "tests/support/support.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/identity.h"

enum { CHILD_MS = 20000 };

static int pin_to_each(void *arg)
{
	cpu_set_t allowed;

	(void)arg;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return 1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int rc = child_pin(cpu);

		if (CPU_ISSET((size_t)cpu, &allowed) &&
		    (rc || sched_getcpu() != cpu ||
		     identity_processor(getpid()) != cpu))
			return 2;
	}
	if (child_pin(-1) != -EINVAL || child_pin(CPU_SETSIZE) != -EINVAL)
		return 3;
	/* More than any machine that has run this. */
	return child_pin(CPU_SETSIZE - 1) == -EINVAL ? 0 : 4;
}

static void pin_moves_to_the_cpu_or_says_that_there_is_none(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(pin_to_each, NULL, CHILD_MS), 0);
}

static void status_is_told_as_a_shell_would(void **state)
{
	static const struct {
		int status, code;
		const char *words;
	} rows[] = {
		{W_EXITCODE(0, 0), 0, "exited with status 0"},
		{W_EXITCODE(3, 0), 3, "exited with status 3"},
		{W_EXITCODE(255, 0), 255, "exited with status 255"},
		{W_EXITCODE(0, SIGKILL), 137, "killed by SIGKILL"},
		{W_EXITCODE(0, SIGSEGV) | WCOREFLAG, 139,
		 "killed by SIGSEGV (core dumped)"},
		{W_EXITCODE(0, 40), 168, "killed by signal 40"},
		{W_STOPCODE(SIGTSTP), 148, "stopped by SIGTSTP"},
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(child_exit_code(rows[i].status), rows[i].code);
		assert_string_equal(
			child_describe(rows[i].status, buf, sizeof(buf)),
			rows[i].words);
	}
	assert_string_equal(child_describe(0, buf, 7), "exited");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			pin_moves_to_the_cpu_or_says_that_there_is_none),
		cmocka_unit_test(status_is_told_as_a_shell_would),
	};

	return SUPPORT_MAIN(tests);
}

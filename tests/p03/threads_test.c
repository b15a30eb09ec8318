/* mypopen in many threads, and in children that are forked at any moment. */
#include "tests/p03/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* Writers in many threads: a stream that leaked into another's child would
 * keep `cat` waiting, and mypclose with it. */
static void *open_and_close(void *arg)
{
	atomic_int *failures = arg;

	for (int i = 0; i < (support_is_stress() ? 2000 : 25); i++) {
		FILE *stream = mypopen("cat >/dev/null; exit 4", "w");
		int status = -1;

		if (stream && fputs("text", stream) >= 0)
			status = mypclose(stream);
		if (status < 0 || WEXITSTATUS(status) != 4)
			(*failures)++;
	}
	return NULL;
}

static void many_threads_share_it(void **state)
{
	pthread_t threads[8];
	atomic_int failures = 0;

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						open_and_close, &failures),
				 0);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failures, 0);
}

/* gcc 12's AddressSanitizer does not take its allocator's locks at a fork: one
 * that another thread holds is held for ever in the child, whose first
 * malloc(3) hangs. So this case runs plain, under valgrind and under
 * ThreadSanitizer. */
#ifndef __SANITIZE_ADDRESS__

static atomic_bool is_over;

static void *open_until_over(void *arg)
{
	char *const argv[] = {"true", NULL};

	(void)arg;
	while (!is_over) {
		FILE *stream = mypopenv(argv, "r");

		if (stream)
			mypclose(stream);
	}
	return NULL;
}

static int open_in_fork(void *arg)
{
	char *const argv[] = {"true", NULL};
	FILE *stream = mypopenv(argv, "r");

	(void)arg;
	if (!stream || mypclose(stream) != 0)
		return 1;
	/* Not by a plain exit: what the other threads had in hand is lost in
	 * a forked child, and valgrind would say so by its status. */
	execvp(argv[0], argv);
	return 2;
}

static void fork_at_any_moment_leaves_the_child_able_to_open(void **state)
{
	int rounds = support_is_stress() ? 20000 : 300;
	pthread_t threads[3];
	bool has_failed = false;

	(void)state;
	is_over = false;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						open_until_over, NULL),
				 0);
	for (int i = 0; i < rounds && !has_failed; i++)
		has_failed = support_child_status(open_in_fork, NULL, CHILD_MS);
	is_over = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_false(has_failed);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_threads_share_it),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(
			fork_at_any_moment_leaves_the_child_able_to_open),
#endif
	};

	return SUPPORT_MAIN(tests);
}

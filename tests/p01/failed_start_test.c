/* A fork or a pipe fails halfway through the start, or a stop is asked for:
 * nothing is left of it. And which thread starts what.
 * Linked with --wrap for child_spawn and fdio_pipe, which fail when a countdown
 * is over. */
#include "tests/p01/fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/child.h"

/* Which call fails, counted down; 0: none. */
static atomic_int spawn_countdown, pipe_countdown;
static int spawn_error = -EAGAIN;
/* lib/child has pipes of its own, which are not counted. */
static _Thread_local bool is_spawning;

/* A signal to this process while its first thread has it blocked, as a start
 * has all: is any other thread there to handle it? */
static bool is_signal_due;
static pid_t handling_thread;
static atomic_int helper_spawns; /* by the second starter */

static void note_thread(int number)
{
	(void)number;
	handling_thread = gettid();
}

static bool helper_had_time(void *arg)
{
	(void)arg;
	return helper_spawns >= 3;
}

static void signal_us(void)
{
	sigset_t set, old;

	is_signal_due = false;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	helper_spawns = 0;
	kill(getpid(), SIGUSR1);
	support_wait_until(helper_had_time, NULL, 20000);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int __real_child_spawn(const struct child_spec *spec, pid_t *pid);
int __wrap_child_spawn(const struct child_spec *spec, pid_t *pid);
int __wrap_child_spawn(const struct child_spec *spec, pid_t *pid)
{
	int rc;

	if (gettid() != getpid())
		helper_spawns++;
	else if (is_signal_due)
		signal_us();
	if (spawn_countdown && --spawn_countdown == 0)
		return spawn_error;
	is_spawning = true;
	rc = __real_child_spawn(spec, pid);
	is_spawning = false;
	return rc;
}

int __real_fdio_pipe(int fds[2]);
int __wrap_fdio_pipe(int fds[2]);
int __wrap_fdio_pipe(int fds[2])
{
	if (!is_spawning && pipe_countdown && --pipe_countdown == 0)
		return -EMFILE;
	return __real_fdio_pipe(fds);
}

static int set_up_calls(void **state)
{
	spawn_countdown = pipe_countdown = 0;
	return set_up(state);
}

static void assert_start_fails(struct fixture *f, int error)
{
	size_t failed = 0;

	assert_int_equal(pipeline_start(&f->p), error);
	assert_int_equal(f->p.running, 0);
	for (size_t i = 0; i < f->p.n; i++) {
		assert_false(f->stages[i].is_running);
		if (f->stages[i].error == error)
			failed++;
	}
	assert_int_equal(failed, 1);
}

static void failed_fork_halfway_leaves_nothing_running(void **state)
{
	struct fixture *f = *state;

	while (f->p.n < 100)
		add_argv(f, "sleep", "100", NULL);
	spawn_countdown = 50;
	assert_start_fails(f, -EAGAIN);
	assert_int_equal(code_of(f, 0), 128 + SIGTERM);
}

/* Not this program alone could not be run. */
static void any_shortage_ends_the_start(void **state)
{
	static const int errors[] = {-EAGAIN, -ENOMEM, -EMFILE, -ENFILE};
	struct fixture *f = *state;

	for (int i = 0; i < 4; i++) {
		set_up(state);
		add_argv(f, "sleep", "100", NULL);
		add_argv(f, "cat", NULL, NULL);
		spawn_error = errors[i];
		spawn_countdown = 2;
		assert_start_fails(f, errors[i]);
		assert_int_equal(code_of(f, 0), 128 + SIGTERM);
	}
	spawn_error = -EAGAIN;
}

static void failed_first_fork_leaves_nothing_running(void **state)
{
	struct fixture *f = *state;

	add_argv(f, "cat", NULL, NULL);
	add_argv(f, "cat", NULL, NULL);
	spawn_countdown = 1;
	assert_start_fails(f, -EAGAIN);
}

static void failed_pipe_halfway_leaves_nothing_running(void **state)
{
	struct fixture *f = *state;

	while (f->p.n < 20)
		add_argv(f, "sleep", "100", NULL);
	pipe_countdown = 7;
	assert_start_fails(f, -EMFILE);
	assert_int_equal(f->stages[6].error, -EMFILE);
	assert_int_equal(f->stages[6].pid, 0);
}

/* The stages between which a stop is asked for; -1: never. */
static int stop_countdown;

static int is_stopped(void)
{
	return stop_countdown-- <= 0;
}

static size_t count_started(const struct fixture *f)
{
	size_t n = 0;

	while (n < f->p.n && f->stages[n].pid)
		n++;
	return n;
}

static void stop_during_the_start_leaves_nothing_running(void **state)
{
	struct fixture *f = *state;

	f->p.is_stopped = is_stopped;
	while (f->p.n < 100)
		add_argv(f, "sleep", "100", NULL);
	stop_countdown = 50;
	assert_int_equal(pipeline_start(&f->p), -EINTR);
	assert_int_equal(f->p.running, 0);
	assert_in_range(count_started(f), 1, 50);
	assert_int_equal(code_of(f, 0), 128 + SIGTERM);
}

/* One that has come while the last stage was being started. */
static void stop_after_the_last_stage_is_heeded(void **state)
{
	struct fixture *f = *state;

	f->p.is_stopped = is_stopped;
	add_argv(f, "sleep", "100", NULL);
	add_argv(f, "sleep", "100", NULL);
	stop_countdown = 2;
	assert_int_equal(pipeline_start(&f->p), -EINTR);
	assert_int_equal(f->p.running, 0);
	assert_int_equal(count_started(f), 2);
	assert_int_equal(code_of(f, 1), 128 + SIGTERM);
}

static void stop_before_the_first_stage_starts_none(void **state)
{
	struct fixture *f = *state;

	f->p.is_stopped = is_stopped;
	add_argv(f, "sleep", "100", NULL);
	stop_countdown = 0;
	assert_int_equal(pipeline_start(&f->p), -EINTR);
	assert_int_equal(count_started(f), 0);
}

static void signals_are_for_the_callers_thread(void **state)
{
	struct fixture *f = *state;

	signal(SIGUSR1, note_thread);
	while (f->p.n < 100)
		add_argv(f, "true", NULL, NULL);
	is_signal_due = true;
	run(f);
	signal(SIGUSR1, SIG_DFL);
	assert_false(is_signal_due);
	assert_int_equal(handling_thread, getpid());
}

static void one_by_one_has_no_second_starter(void **state)
{
	struct fixture *f = *state;

	while (f->p.n < 50)
		add_argv(f, "true", NULL, NULL);
	f->p.one_by_one = true;
	helper_spawns = 0;
	run(f);
	assert_int_equal(helper_spawns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			failed_fork_halfway_leaves_nothing_running,
			set_up_calls, tear_down),
		cmocka_unit_test_setup_teardown(any_shortage_ends_the_start,
						set_up_calls, tear_down),
		cmocka_unit_test_setup_teardown(
			failed_first_fork_leaves_nothing_running, set_up_calls,
			tear_down),
		cmocka_unit_test_setup_teardown(
			failed_pipe_halfway_leaves_nothing_running,
			set_up_calls, tear_down),
		CASE(stop_during_the_start_leaves_nothing_running),
		CASE(stop_after_the_last_stage_is_heeded),
		CASE(signals_are_for_the_callers_thread),
		CASE(one_by_one_has_no_second_starter),
		CASE(stop_before_the_first_stage_starts_none),
	};

	return SUPPORT_MAIN(tests);
}

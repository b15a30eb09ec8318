/* The pipeline in this process: what passes through it, how its stages end, and
 * waiting for them. The descriptors of the stages are in
 * descriptors_test.c, starts that fail halfway in failed_start_test.c. */
#include "tests/p01/fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/child.h"

static void output_passes_through_every_stage(void **state)
{
	struct fixture *f = *state;

	add_shell(f, "echo b; echo a; echo c");
	add_argv(f, "sort", NULL, NULL);
	add_argv(f, "tr", "abc", "xyz");
	add_shell(f, "[ \"$(tr '\\n' .)\" = x.y.z. ]");
	run(f);
	assert_int_equal(pipeline_exit_code(&f->p, false), 0);
}

static void single_stage_has_the_callers_streams(void **state)
{
	struct fixture *f = *state;

	add_shell(f, "exit 3");
	run(f);
	assert_int_equal(pipeline_exit_code(&f->p, false), 3);
	assert_int_equal(f->stages[0].wiring.in, -1);
	assert_int_equal(f->stages[0].wiring.out, -1);
}

/* ---- how stages end ---- */

static void exit_code_is_the_last_stages(void **state)
{
	struct fixture *f = *state;

	add_shell(f, "exit 1");
	add_shell(f, "kill -TERM $$");
	add_shell(f, "cat; exit 0");
	run(f);
	assert_int_equal(code_of(f, 0), 1);
	assert_int_equal(code_of(f, 1), 128 + SIGTERM);
	assert_int_equal(pipeline_exit_code(&f->p, false), 0);
	assert_int_equal(pipeline_exit_code(&f->p, true), 128 + SIGTERM);
}

static void pipefail_without_failure_is_0(void **state)
{
	struct fixture *f = *state;

	add_argv(f, "true", NULL, NULL);
	add_argv(f, "true", NULL, NULL);
	run(f);
	assert_int_equal(pipeline_exit_code(&f->p, true), 0);
}

static void missing_program_lets_its_neighbours_end(void **state)
{
	struct fixture *f = *state;

	add_argv(f, "yes", NULL, NULL);
	add_argv(f, "program-of-no-name", NULL, NULL);
	add_argv(f, "cat", NULL, NULL);
	run(f);
	assert_int_equal(f->stages[1].error, -ENOENT);
	assert_int_equal(f->stages[1].pid, 0);
	assert_int_equal(f->stages[1].end, f->stages[1].start);
	assert_int_equal(code_of(f, 0), 128 + SIGPIPE);
	assert_int_equal(code_of(f, 1), 127);
	assert_int_equal(pipeline_exit_code(&f->p, false), 0);
	assert_int_equal(pipeline_exit_code(&f->p, true), 127);
}

static void file_that_may_not_be_run_is_126(void **state)
{
	struct fixture *f = *state;

	add_argv(f, "true", NULL, NULL);
	add_argv(f, "/etc/passwd", NULL, NULL);
	run(f);
	assert_int_equal(f->stages[1].error, -EACCES);
	assert_int_equal(pipeline_exit_code(&f->p, false), 126);
}

static void megabyte_argument_is_an_error_of_its_stage(void **state)
{
	enum { MEGABYTE = 1 << 20 };
	struct fixture *f = *state;
	char *word = malloc(MEGABYTE + 1);

	assert_non_null(word);
	memset(word, 'x', MEGABYTE);
	word[MEGABYTE] = '\0';
	add_argv(f, "echo", word, NULL);
	add_argv(f, "cat", NULL, NULL);
	run(f);
	/* valgrind's execve checks little beforehand, and then cannot fail any
	 * more: the child ends. */
	if (support_is_valgrind())
		assert_int_not_equal(code_of(f, 0), 0);
	else
		assert_int_equal(f->stages[0].error, -E2BIG);
	assert_int_equal(code_of(f, 1), 0);
	free(word);
}

static void thousand_stages_pass_a_line_and_leave_no_zombie(void **state)
{
	struct fixture *f = *state;

	add_argv(f, "echo", "through", NULL);
	while (f->p.n < MAX_STAGES - 1)
		add_argv(f, "cat", NULL, NULL);
	add_shell(f, "[ \"$(cat)\" = through ]");
	run(f);
	assert_int_equal(pipeline_exit_code(&f->p, true), 0);
}

/* ---- waiting ---- */

static void wait_ends_at_its_deadline(void **state)
{
	struct fixture *f = *state;

	add_argv(f, "sleep", "100", NULL);
	add_argv(f, "true", NULL, NULL);
	start(f);
	assert_int_equal(pipeline_wait(&f->p, tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	assert_true(f->stages[0].is_running);
	assert_int_equal(pipeline_end(&f->p, LIMIT_S * TICK_S), 0);
	assert_int_equal(code_of(f, 0), 128 + SIGTERM);
}

/* The first is ended when the second has been reaped, however late that is. */
static void end_times_are_exact_when_reaped_at_sigchld(void **state)
{
	struct fixture *f = *state;
	int64_t between = 0;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	add_argv(f, "sleep", "100", NULL);
	add_argv(f, "true", NULL, NULL);
	start(f);
	while (pipeline_reap(&f->p)) {
		if (!f->stages[1].is_running && !between) {
			between = tick_now();
			kill(f->stages[0].pid, SIGTERM);
		}
		assert_int_equal(sigwaitinfo(&set, NULL), SIGCHLD);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_true(f->stages[1].end <= between);
	assert_true(between <= f->stages[0].end);
	assert_true(f->stages[1].cpu_ns > 0);
}

/* Nobody can tell then how its children have ended. */
static void ignored_sigchld_is_echild_and_no_failure_to_run(void **state)
{
	struct fixture *f = *state;

	signal(SIGCHLD, SIG_IGN);
	add_argv(f, "true", NULL, NULL);
	add_argv(f, "program-of-no-name", NULL, NULL);
	add_argv(f, "cat", NULL, NULL);
	start(f);
	assert_int_equal(pipeline_wait(&f->p, limit()), -ECHILD);
	assert_int_equal(f->p.running, 0);
	assert_int_equal(f->stages[0].error, 0);
	assert_int_equal(code_of(f, 0), -ECHILD);
	assert_int_equal(code_of(f, 1), 127);
	assert_int_equal(pipeline_exit_code(&f->p, false), -ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

static void ending_under_an_ignored_sigchld_is_no_error(void **state)
{
	struct fixture *f = *state;

	signal(SIGCHLD, SIG_IGN);
	add_argv(f, "sleep", "100", NULL);
	start(f);
	assert_int_equal(pipeline_end(&f->p, LIMIT_S * TICK_S), 0);
	assert_int_equal(f->p.running, 0);
	signal(SIGCHLD, SIG_DFL);
}

static void other_children_are_left_to_the_caller(void **state)
{
	struct fixture *f = *state;
	struct child_spec spec = CHILD_SPEC_INIT;
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 9",
			      NULL};
	int status;
	pid_t pid;

	spec.argv = argv;
	assert_int_equal(child_spawn(&spec, &pid), 0);
	add_argv(f, "true", NULL, NULL);
	add_argv(f, "true", NULL, NULL);
	run(f);
	assert_int_equal(child_wait(pid, limit(), &status), 0);
	assert_int_equal(child_exit_code(status), 9);
}

static int pause_for_ever(void *arg)
{
	(void)arg;
	pause();
	return 0;
}

/* Which another process may have by now. */
static void number_of_a_stage_that_has_ended_is_not_signalled(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t other;

	add_argv(f, "true", NULL, NULL);
	add_argv(f, "sleep", "100", NULL);
	start(f);
	assert_int_equal(waitid(P_PID, (id_t)f->stages[0].pid, &(siginfo_t){0},
				WEXITED | WNOWAIT),
			 0);
	assert_int_equal(pipeline_reap(&f->p), 1);
	assert_int_equal(child_fork(pause_for_ever, NULL, &other), 0);
	f->stages[0].pid = other;
	pipeline_kill(&f->p, SIGINT);
	assert_int_equal(pipeline_end(&f->p, LIMIT_S * TICK_S), 0);
	kill(other, SIGKILL);
	assert_int_equal(child_wait(other, limit(), &status), 0);
	assert_int_equal(child_exit_code(status), 128 + SIGKILL);
}

static void end_kills_what_ignores_sigterm(void **state)
{
	struct fixture *f = *state;

	/* The line of its output tells that the trap is set. */
	add_shell(f, "trap '' TERM; echo ready; exec sleep 100");
	add_shell(f, "read line; kill -STOP $$");
	start(f);
	assert_int_equal(waitpid(f->stages[1].pid, NULL, WUNTRACED),
			 f->stages[1].pid);
	assert_int_equal(pipeline_end(&f->p, 50 * TICK_MS), 0);
	assert_int_equal(code_of(f, 0), 128 + SIGKILL);
}

static void end_reaches_what_is_stopped(void **state)
{
	struct fixture *f = *state;

	add_shell(f, "kill -STOP $$");
	start(f);
	assert_int_equal(waitpid(f->stages[0].pid, NULL, WUNTRACED),
			 f->stages[0].pid);
	/* It has to go on to be ended. */
	assert_int_equal(pipeline_end(&f->p, LIMIT_S * TICK_S), 0);
	assert_int_equal(code_of(f, 0), 128 + SIGTERM);
}

/* ---- two at a time ---- */

static void *run_many(void *arg)
{
	char *const argv[] = {(char *)"cat", (char *)"/dev/null", NULL};
	int *failed = arg;

	for (int round = 0; round < 5; round++) {
		struct pipeline_stage stages[12] = {{.argv = NULL}};
		struct pipeline p = {.stages = stages, .n = 12};

		for (int i = 0; i < 12; i++)
			stages[i].argv = argv;
		if (pipeline_start(&p) || pipeline_wait(&p, limit()) ||
		    pipeline_exit_code(&p, true))
			++*failed;
	}
	return NULL;
}

/* A leaked end of one would keep the other from its end of file. */
static void pipelines_of_two_threads_do_not_disturb_each_other(void **state)
{
	int failed[2] = {0};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_many, &failed[1]),
			 0);
	run_many(&failed[0]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(failed[0] + failed[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(output_passes_through_every_stage),
		CASE(single_stage_has_the_callers_streams),
		CASE(exit_code_is_the_last_stages),
		CASE(pipefail_without_failure_is_0),
		CASE(missing_program_lets_its_neighbours_end),
		CASE(file_that_may_not_be_run_is_126),
		CASE(megabyte_argument_is_an_error_of_its_stage),
		CASE(thousand_stages_pass_a_line_and_leave_no_zombie),
		CASE(pipelines_of_two_threads_do_not_disturb_each_other),
		CASE(wait_ends_at_its_deadline),
		CASE(end_times_are_exact_when_reaped_at_sigchld),
		CASE(ignored_sigchld_is_echild_and_no_failure_to_run),
		CASE(ending_under_an_ignored_sigchld_is_no_error),
		CASE(other_children_are_left_to_the_caller),
		CASE(number_of_a_stage_that_has_ended_is_not_signalled),
		CASE(end_kills_what_ignores_sigterm),
		CASE(end_reaches_what_is_stopped),
	};

	return SUPPORT_MAIN(tests);
}

/* The pipeline in this process: wiring, statuses, failures halfway. */
#include "p01-pipeline/pipeline.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

enum { MAX_STAGES = 1000, LIMIT_S = 60 };

static int64_t limit(void)
{
	return tick_after(LIMIT_S * TICK_S);
}

/* ---- starts that fail halfway ------------------------------------------------ */

/* Which call fails, counted down; 0: none. */
static atomic_int spawn_countdown, pipe_countdown;
/* lib/child has pipes of its own, which are not counted. */
static _Thread_local bool is_spawning;

int __real_child_spawn(const struct child_spec *spec, pid_t *pid);
int __wrap_child_spawn(const struct child_spec *spec, pid_t *pid);
int __wrap_child_spawn(const struct child_spec *spec, pid_t *pid)
{
	int rc;

	if (spawn_countdown && --spawn_countdown == 0)
		return -EAGAIN;
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

/* ---- pipelines of shell commands ------------------------------------------------ */

struct fixture {
	struct pipeline p;
	struct pipeline_stage stages[MAX_STAGES];
	char *argvs[MAX_STAGES][4];
	int fds_before;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	fixture.p.stages = fixture.stages;
	fixture.fds_before = support_count_fds();
	spawn_countdown = pipe_countdown = 0;
	*state = &fixture;
	return 0;
}

/* Whatever a case did, no child and no descriptor is left. */
static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->p.running)
		pipeline_end(&f->p, TICK_S);
	if (support_count_fds() != f->fds_before)
		fail_msg("%d descriptors, before: %d", support_count_fds(),
			 f->fds_before);
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		fail_msg("a child is left");
	return 0;
}

static void add_argv(struct fixture *f, const char *a, const char *b,
		     const char *c)
{
	char **argv = f->argvs[f->p.n];

	argv[0] = (char *)a;
	argv[1] = (char *)b;
	argv[2] = (char *)c;
	f->stages[f->p.n++].argv = argv;
}

static void add_shell(struct fixture *f, const char *script)
{
	add_argv(f, "sh", "-c", script);
}

static void start(struct fixture *f)
{
	assert_int_equal(pipeline_start(&f->p), 0);
}

static void run(struct fixture *f)
{
	start(f);
	assert_int_equal(pipeline_wait(&f->p, limit()), 0);
	assert_int_equal(f->p.running, 0);
}

static int code_of(const struct fixture *f, size_t i)
{
	return pipeline_stage_exit_code(&f->stages[i]);
}

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

/* ---- descriptors --------------------------------------------------------------- */

struct open_fds {
	int n_pipes; /* above 2 */
	char out[64], in[64];
};

static void read_link(pid_t pid, const char *name, char buf[64])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", (int)pid, name);
	n = readlink(path, buf, 63);
	buf[n > 0 ? n : 0] = '\0';
}

/* What the process has open now, by /proc. */
static struct open_fds look_at(pid_t pid)
{
	struct open_fds fds = {.n_pipes = 0};
	char path[64], link[64];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		read_link(pid, entry->d_name, link);
		if (strtol(entry->d_name, NULL, 10) > STDERR_FILENO &&
		    strncmp(link, "pipe:", 5) == 0)
			fds.n_pipes++;
	}
	closedir(dir);
	read_link(pid, "0", fds.in);
	read_link(pid, "1", fds.out);
	return fds;
}

static bool is_sleep(void *arg)
{
	char path[64], name[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)*(pid_t *)arg);
	file = fopen(path, "re");
	if (file) {
		(void)!fgets(name, sizeof(name), file);
		fclose(file);
	}
	return strcmp(name, "sleep\n") == 0;
}

/* Its name in /proc is the program's right after the exec, but under valgrind
 * and ThreadSanitizer a start may return a moment earlier. */
static void wait_for_exec(pid_t pid)
{
	assert_true(support_wait_until(is_sleep, &pid, LIMIT_S * 1000));
}

static void start_sleepers(struct fixture *f, int n)
{
	for (int i = 0; i < n; i++)
		add_argv(f, "sleep", "100", NULL);
	start(f);
	for (int i = 0; i < n; i++)
		wait_for_exec(f->stages[i].pid);
}

static void end_sleepers(struct fixture *f)
{
	assert_int_equal(pipeline_end(&f->p, LIMIT_S * TICK_S), 0);
}

/* How many pipes above 2 are open in a program that a pipeline has no part
 * in: what the test was started with. */
static int count_inherited_pipes(void)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	char *const argv[] = {(char *)"sleep", (char *)"100", NULL};
	int n, status;
	pid_t pid;

	spec.argv = argv;
	assert_int_equal(__real_child_spawn(&spec, &pid), 0);
	wait_for_exec(pid);
	n = look_at(pid).n_pipes;
	assert_int_equal(child_end(pid, LIMIT_S * TICK_S, &status), 0);
	return n;
}

static void assert_stages_hold_only_their_own(struct fixture *f)
{
	int n_inherited = count_inherited_pipes();
	struct open_fds writer, reader;

	for (size_t i = 0; i < f->p.n; i++) {
		reader = look_at(f->stages[i].pid);
		assert_int_equal(reader.n_pipes, n_inherited);
		if (i > 0) {
			assert_int_equal(strncmp(reader.in, "pipe:", 5), 0);
			assert_string_equal(reader.in, writer.out);
		}
		writer = reader;
	}
}

static void stage_holds_no_end_of_another_stages_pipe(void **state)
{
	struct fixture *f = *state;

	start_sleepers(f, 4);
	assert_stages_hold_only_their_own(f);
	end_sleepers(f);
}

/* With two starters, one starts a stage while the other has ends open. */
static void stages_of_a_long_pipeline_hold_only_their_own(void **state)
{
	struct fixture *f = *state;

	start_sleepers(f, 24);
	assert_stages_hold_only_their_own(f);
	end_sleepers(f);
}

static void caller_holds_no_end_after_the_start(void **state)
{
	struct fixture *f = *state;

	start_sleepers(f, 12);
	assert_int_equal(support_count_fds(), f->fds_before);
	end_sleepers(f);
}

static void reader_sees_eof_when_its_writer_ends(void **state)
{
	struct fixture *f = *state;

	add_argv(f, "true", NULL, NULL);
	add_argv(f, "cat", NULL, NULL);
	add_argv(f, "cat", NULL, NULL);
	start(f);
	assert_int_equal(pipeline_wait(&f->p, tick_after(10 * TICK_S)), 0);
	assert_int_equal(code_of(f, 2), 0);
}

static void writer_is_ended_by_sigpipe_when_its_reader_ends(void **state)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct fixture *f = *state;
	struct sigaction old;

	/* Not even a caller that ignores it changes that. */
	sigaction(SIGPIPE, &ignore, &old);
	add_argv(f, "yes", NULL, NULL);
	add_argv(f, "cat", NULL, NULL);
	add_shell(f, "read line");
	run(f);
	sigaction(SIGPIPE, &old, NULL);
	assert_int_equal(code_of(f, 0), 128 + SIGPIPE);
	assert_int_equal(pipeline_exit_code(&f->p, false), 0);
}

static void descriptors_do_not_grow_with_stages(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, few;
	int rc;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	/* What is open here may lie high, with holes below it: room is counted
	 * from the highest. */
	few.rlim_cur = (rlim_t)f->fds_before + PIPELINE_START_FDS;
	for (int fd = f->fds_before; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			few.rlim_cur = (rlim_t)fd + 1 + PIPELINE_START_FDS;
	for (int i = 0; i < 300; i++)
		add_argv(f, "cat", "/dev/null", NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	rc = pipeline_start(&f->p);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(rc, 0);
	assert_int_equal(pipeline_wait(&f->p, limit()), 0);
}

static void pipes_have_the_capacity_asked_for(void **state)
{
	struct fixture *f = *state;
	char path[64];
	int fd;

	f->p.pipe_bytes = 8192;
	start_sleepers(f, 2);
	snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)f->stages[1].pid);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETPIPE_SZ), 8192);
	close(fd);
	end_sleepers(f);
}

static void impossible_capacity_starts_nothing(void **state)
{
	struct fixture *f = *state;

	add_argv(f, "cat", NULL, NULL);
	add_argv(f, "cat", NULL, NULL);
	f->p.pipe_bytes = (size_t)1 << 40;
	assert_int_equal(pipeline_start(&f->p), -EINVAL);
	assert_int_equal(f->stages[0].error, -EINVAL);
	assert_int_equal(f->stages[1].pid, 0);
}

/* ---- how stages end --------------------------------------------------------------- */

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

/* ---- waiting ---------------------------------------------------------------------- */

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

static void end_times_are_exact_when_reaped_at_sigchld(void **state)
{
	struct fixture *f = *state;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	add_argv(f, "sleep", "0.2", NULL);
	add_argv(f, "true", NULL, NULL);
	start(f);
	while (pipeline_reap(&f->p))
		assert_int_equal(sigwaitinfo(&set, NULL), SIGCHLD);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_true(f->stages[1].end < f->stages[0].end);
	assert_true(f->stages[1].cpu_ns > 0);
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
	assert_int_equal(__real_child_spawn(&spec, &pid), 0);
	add_argv(f, "true", NULL, NULL);
	add_argv(f, "true", NULL, NULL);
	run(f);
	assert_int_equal(child_wait(pid, limit(), &status), 0);
	assert_int_equal(child_exit_code(status), 9);
}

static void end_kills_what_ignores_sigterm(void **state)
{
	struct fixture *f = *state;

	/* The last line of its output tells that the trap is set. */
	add_shell(f, "trap '' TERM; echo ready; exec sleep 100");
	add_shell(f, "read line; kill -STOP $$");
	start(f);
	assert_int_equal(waitpid(f->stages[1].pid, NULL, WUNTRACED),
			 f->stages[1].pid);
	assert_int_equal(pipeline_end(&f->p, 50 * TICK_MS), 0);
	assert_int_equal(code_of(f, 0), 128 + SIGKILL);
	/* It was stopped, and had to go on to be ended. */
	assert_int_equal(code_of(f, 1), 128 + SIGTERM);
}

/* ---- starts that fail halfway ------------------------------------------------------ */

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
}

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
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(output_passes_through_every_stage),
		CASE(single_stage_has_the_callers_streams),
		CASE(stage_holds_no_end_of_another_stages_pipe),
		CASE(stages_of_a_long_pipeline_hold_only_their_own),
		CASE(caller_holds_no_end_after_the_start),
		CASE(reader_sees_eof_when_its_writer_ends),
		CASE(writer_is_ended_by_sigpipe_when_its_reader_ends),
		CASE(descriptors_do_not_grow_with_stages),
		CASE(pipes_have_the_capacity_asked_for),
		CASE(impossible_capacity_starts_nothing),
		CASE(exit_code_is_the_last_stages),
		CASE(pipefail_without_failure_is_0),
		CASE(missing_program_lets_its_neighbours_end),
		CASE(file_that_may_not_be_run_is_126),
		CASE(megabyte_argument_is_an_error_of_its_stage),
		CASE(thousand_stages_pass_a_line_and_leave_no_zombie),
		CASE(pipelines_of_two_threads_do_not_disturb_each_other),
		CASE(wait_ends_at_its_deadline),
		CASE(end_times_are_exact_when_reaped_at_sigchld),
		CASE(other_children_are_left_to_the_caller),
		CASE(end_kills_what_ignores_sigterm),
		CASE(failed_fork_halfway_leaves_nothing_running),
		CASE(failed_first_fork_leaves_nothing_running),
		CASE(failed_pipe_halfway_leaves_nothing_running),
	};

	return SUPPORT_MAIN(tests);
}

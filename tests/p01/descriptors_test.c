/* Which ends of which pipes the stages and their caller hold, by /proc: what
 * end of file and SIGPIPE depend on. */
#include "tests/p01/fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/child.h"

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
	assert_int_equal(child_spawn(&spec, &pid), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stage_holds_no_end_of_another_stages_pipe),
		CASE(stages_of_a_long_pipeline_hold_only_their_own),
		CASE(caller_holds_no_end_after_the_start),
		CASE(reader_sees_eof_when_its_writer_ends),
		CASE(writer_is_ended_by_sigpipe_when_its_reader_ends),
		CASE(descriptors_do_not_grow_with_stages),
		CASE(pipes_have_the_capacity_asked_for),
		CASE(impossible_capacity_starts_nothing),
	};

	return SUPPORT_MAIN(tests);
}

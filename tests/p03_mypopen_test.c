/* The contract of p03-popen/mypopen.h, clause by clause. */
#include "p03-popen/mypopen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/interrupt.h"
#include "tests/support/support.h"

enum { CHILD_MS = 20000 };

/* ---- calls that fail when a test says so (--wrap) ---- */

static atomic_int spawn_calls;
static int spawn_error, fdopen_error;

int __real_child_spawn(const struct child_spec *spec, pid_t *pid);
int __wrap_child_spawn(const struct child_spec *spec, pid_t *pid);
FILE *__real_fdopen(int fd, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);

int __wrap_child_spawn(const struct child_spec *spec, pid_t *pid)
{
	spawn_calls++;
	return spawn_error ? spawn_error : __real_child_spawn(spec, pid);
}

FILE *__wrap_fdopen(int fd, const char *mode)
{
	if (fdopen_error) {
		errno = fdopen_error;
		return NULL;
	}
	return __real_fdopen(fd, mode);
}

/* ---- helpers ---- */

/* All that the stream holds, as a string. */
static char *slurp(FILE *stream)
{
	char *text = NULL;
	size_t room = 0;

	if (getdelim(&text, &room, EOF, stream) < 0) {
		free(text);
		text = strdup("");
	}
	return text;
}

static void assert_prints(FILE *stream, const char *wanted)
{
	char *text;

	assert_non_null(stream);
	text = slurp(stream);
	assert_string_equal(text, wanted);
	free(text);
	assert_int_equal(mypclose(stream), 0);
}

/* ---- reading, writing, statuses ---- */

static void reader_gets_what_the_command_writes(void **state)
{
	(void)state;
	assert_prints(mypopen("echo one; echo two", "r"), "one\ntwo\n");
}

static void command_gets_what_the_writer_wrote(void **state)
{
	FILE *stream = mypopen("read a; read b; test \"$a$b\" = xy", "w");

	(void)state;
	assert_non_null(stream);
	fputs("x\ny\n", stream);
	assert_int_equal(mypclose(stream), 0);
}

static void a_megabyte_arrives_whole(void **state)
{
	FILE *stream = mypopen("test $(wc -c) = 1048576", "w");

	(void)state;
	assert_non_null(stream);
	for (int i = 0; i < 1 << 20; i++)
		putc('x', stream);
	assert_int_equal(mypclose(stream), 0);
}

static void exit_status_is_that_of_waitpid(void **state)
{
	int status = mypclose(mypopen("exit 42", "r"));

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
	status = mypclose(mypopen("kill -9 $$", "r"));
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void unknown_command_exits_with_127(void **state)
{
	int status = mypclose(mypopen("/nonexistent/program 2>&-", "r"));

	(void)state;
	assert_int_equal(WEXITSTATUS(status), 127);
}

static void command_that_begins_with_a_dash_is_no_option(void **state)
{
	int status = mypclose(mypopen("-x 2>/dev/null", "r"));

	(void)state;
	assert_int_equal(WEXITSTATUS(status), 127);
}

static void data_that_nobody_read_is_an_error_unless_status_tells(void **state)
{
	FILE *deaf = mypopen("exec 0<&-", "w");
	FILE *failing = mypopen("exit 3", "w");
	static char block[1 << 17];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(deaf);
	assert_non_null(failing);
	fwrite(block, 1, sizeof(block), deaf);
	fputc('x', deaf);
	assert_int_equal(mypclose(deaf), -1);
	assert_int_equal(errno, EPIPE);
	fwrite(block, 1, sizeof(block), failing);
	assert_int_equal(WEXITSTATUS(mypclose(failing)), 3);
	signal(SIGPIPE, SIG_DFL);
}

/* ---- modes ---- */

static void invalid_mode_fails_before_anything_starts(void **state)
{
	static const char *const modes[] = {"",   "rw", "r+", "a",   "rr",
					    "ee", "e",  "rb", "ree", "re "};
	int fds = support_count_fds();

	(void)state;
	spawn_calls = 0;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		errno = 0;
		assert_null(mypopen("true", modes[i]));
		assert_int_equal(errno, EINVAL);
	}
	errno = 0;
	assert_null(mypopen("true", NULL));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(mypopen(NULL, "r"));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(mypopenv(NULL, "r"));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(spawn_calls, 0);
	assert_int_equal(support_count_fds(), fds);
}

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

/* ---- descriptors ---- */

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

static int use_up_descriptors(void *arg)
{
	int fds, last = -1, rc = 0;

	(void)arg;
	while ((fds = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		last = fds;
	for (int free_fds = 0; free_fds < 2; free_fds++) {
		errno = 0;
		if (mypopen("true", "r") || errno != EMFILE)
			rc = 1;
		close(last - free_fds);
	}
	/* Both are free again: one for each end. */
	if (!rc && mypclose(mypopen("true", "r")) != 0)
		rc = 2;
	return rc;
}

static void streams_work_without_standard_descriptors(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(talk_without_std, NULL, CHILD_MS),
			 0);
}

static void failed_start_leaves_no_descriptor(void **state)
{
	int fds = support_count_fds();

	(void)state;
	spawn_error = -EAGAIN;
	assert_null(mypopen("true", "r"));
	assert_int_equal(errno, EAGAIN);
	spawn_error = 0;
	fdopen_error = ENOMEM;
	assert_null(mypopen("true", "w"));
	assert_int_equal(errno, ENOMEM);
	fdopen_error = 0;
	assert_int_equal(support_count_fds(), fds);
}

static void descriptor_limit_is_an_error_and_no_leak(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(use_up_descriptors, NULL, CHILD_MS), 0);
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

/* ---- waiting ---- */

static void close_waits_on_through_signals(void **state)
{
	FILE *stream = mypopen("sleep 0.2; exit 7", "r");
	int status;

	(void)state;
	assert_non_null(stream);
	interrupt_start();
	status = mypclose(stream);
	interrupt_stop();
	assert_int_not_equal(status, -1);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static int return_9(void *arg)
{
	(void)arg;
	return 9;
}

static void close_leaves_other_children_alone(void **state)
{
	FILE *stream;
	siginfo_t info;
	pid_t other;
	int status;

	(void)state;
	assert_int_equal(child_fork(return_9, NULL, &other), 0);
	/* It has ended and can be waited for before ours is. */
	assert_int_equal(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT),
			 0);
	stream = mypopen("exit 3", "r");
	assert_non_null(stream);
	assert_int_equal(WEXITSTATUS(mypclose(stream)), 3);
	assert_int_equal(
		child_wait(other, tick_after(CHILD_MS * TICK_MS), &status), 0);
	assert_int_equal(WEXITSTATUS(status), 9);
}

static void foreign_or_closed_stream_is_echild_and_untouched(void **state)
{
	FILE *file = tmpfile();
	FILE *stream = mypopen("true", "r");

	(void)state;
	assert_non_null(file);
	assert_non_null(stream);
	assert_int_equal(mypclose(stream), 0);
	errno = 0;
	assert_int_equal(mypclose(stream), -1);
	assert_int_equal(errno, ECHILD);
	errno = 0;
	assert_int_equal(mypclose(file), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(fputs("still open", file) >= 0, 1);
	fclose(file);
}

static void child_that_somebody_else_reaped_is_echild(void **state)
{
	int fds = support_count_fds();
	FILE *stream;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	stream = mypopen("exit 5", "r");
	assert_non_null(stream);
	errno = 0;
	assert_int_equal(mypclose(stream), -1);
	assert_int_equal(errno, ECHILD);
	signal(SIGCHLD, SIG_DFL);
	assert_int_equal(support_count_fds(), fds);
}

static void ignored_signals_are_inherited_as_with_popen(void **state)
{
	FILE *stream;

	(void)state;
	signal(SIGUSR1, SIG_IGN);
	stream = mypopen("kill -USR1 $$; echo alive", "r");
	signal(SIGUSR1, SIG_DFL);
	assert_prints(stream, "alive\n");
}

/* ---- without a shell ---- */

static void arguments_reach_the_program_as_they_are(void **state)
{
	char *const argv[] = {"printf",     "%s|",   "a b", "$(id)",
			      "; rm -rf /", "'\"\\", NULL};

	(void)state;
	assert_prints(mypopenv(argv, "r"), "a b|$(id)|; rm -rf /|'\"\\|");
}

static void program_that_cannot_be_run_fails_at_once(void **state)
{
	char *const none[] = {"no-such-program-anywhere", NULL};
	char *const closed[] = {"/etc/passwd", NULL};
	char *const empty[] = {NULL};

	(void)state;
	assert_null(mypopenv(none, "r"));
	assert_int_equal(errno, ENOENT);
	assert_null(mypopenv(closed, "r"));
	assert_int_equal(errno, EACCES);
	assert_null(mypopenv(empty, "r"));
	assert_int_equal(errno, EINVAL);
}

static void a_megabyte_command_is_refused_by_the_system(void **state)
{
	size_t len = 1 << 20;
	char *command = malloc(len + 1);
	FILE *stream;

	(void)state;
	assert_non_null(command);
	memset(command, 'x', len);
	command[len] = '\0';
	stream = mypopen(command, "r");
	free(command);
	if (support_is_valgrind()) {
		/* Its execve checks little beforehand, and then cannot fail
		 * any more: the child ends. */
		assert_non_null(stream);
		assert_int_not_equal(mypclose(stream), 0);
		return;
	}
	assert_null(stream);
	assert_int_equal(errno, E2BIG);
}

/* ---- threads and forks ---- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader_gets_what_the_command_writes),
		cmocka_unit_test(command_gets_what_the_writer_wrote),
		cmocka_unit_test(a_megabyte_arrives_whole),
		cmocka_unit_test(exit_status_is_that_of_waitpid),
		cmocka_unit_test(unknown_command_exits_with_127),
		cmocka_unit_test(command_that_begins_with_a_dash_is_no_option),
		cmocka_unit_test(
			data_that_nobody_read_is_an_error_unless_status_tells),
		cmocka_unit_test(invalid_mode_fails_before_anything_starts),
		cmocka_unit_test(close_on_exec_is_set_by_e_and_by_nothing_else),
		cmocka_unit_test(child_has_no_end_of_an_earlier_stream),
		cmocka_unit_test(two_writers_end_in_either_order),
		cmocka_unit_test(streams_work_without_standard_descriptors),
		cmocka_unit_test(failed_start_leaves_no_descriptor),
		cmocka_unit_test(descriptor_limit_is_an_error_and_no_leak),
		cmocka_unit_test(a_hundred_thousand_calls_leak_nothing),
		cmocka_unit_test(close_waits_on_through_signals),
		cmocka_unit_test(close_leaves_other_children_alone),
		cmocka_unit_test(
			foreign_or_closed_stream_is_echild_and_untouched),
		cmocka_unit_test(child_that_somebody_else_reaped_is_echild),
		cmocka_unit_test(ignored_signals_are_inherited_as_with_popen),
		cmocka_unit_test(arguments_reach_the_program_as_they_are),
		cmocka_unit_test(program_that_cannot_be_run_fails_at_once),
		cmocka_unit_test(a_megabyte_command_is_refused_by_the_system),
		cmocka_unit_test(many_threads_share_it),
		cmocka_unit_test(
			fork_at_any_moment_leaves_the_child_able_to_open),
	};

	return SUPPORT_MAIN(tests);
}

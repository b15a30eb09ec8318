/* Programs started by child_spawn(). The program is mostly this one again:
 * with operands it looks at what it was started with and tells it. */
#include "lib/child.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/scratch.h"

enum { CHILD_MS = 20000 };

/* ---- the program that looks around --------------------------------------- */

/* For each of 0, 1, 2 the inode, into the descriptor named by text. */
static int tell_streams(const char *text)
{
	uint64_t inodes[3] = {0};

	for (int fd = 0; fd < 3; fd++) {
		struct stat st;

		if (fstat(fd, &st) < 0)
			return 1;
		inodes[fd] = st.st_ino;
	}
	return fdio_write_full((int)strtol(text, NULL, 10), inodes,
			       sizeof(inodes)) < 0;
}

/* The number of a signal that is blocked or ignored, or 0. Handlers cannot
 * outlive exec; those of a sanitizer have come since. */
static int tell_signals(void)
{
	struct sigaction action;
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number <= SIGRTMAX; number++) {
		if (sigaction(number, NULL, &action) < 0)
			continue; /* the C library's own */
		if (action.sa_handler == SIG_IGN || sigismember(&mask, number))
			return number;
	}
	return 0;
}

static int look_around(char **argv)
{
	if (!strcmp(argv[1], "streams"))
		return tell_streams(argv[2]);
	if (!strcmp(argv[1], "signals"))
		return tell_signals();
	if (!strcmp(argv[1], "open"))
		return fcntl((int)strtol(argv[2], NULL, 10), F_GETFD) >= 0;
	if (!strcmp(argv[1], "group"))
		return getpgrp() == (pid_t)strtol(argv[2], NULL, 10);
	if (!strcmp(argv[1], "env"))
		return getenv(argv[2]) != NULL;
	return 99;
}

/* Read from /proc, as valgrind runs us in its own executable. */
static char this_program[4096];

/* Start this program with up to two operands; its exit status or -errno. */
static int look_with(struct child_spec *spec, char *what, char *operand)
{
	char *argv[] = {"child_spawn_test", what, operand, NULL};
	int status, rc;
	pid_t pid;

	spec->file = this_program;
	spec->argv = argv;
	rc = child_spawn(spec, &pid);
	spec->argv = NULL;
	if (rc == 0)
		rc = child_wait(pid, tick_after(20 * TICK_S), &status);
	return rc ? rc : child_exit_code(status);
}

/* ---- what is started ----------------------------------------------------- */

static void program_is_found_in_path(void **state)
{
	char *argv[] = {"sh", "-c", "exit 7", NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	int status;
	pid_t pid;

	(void)state;
	spec.argv = argv;
	assert_int_equal(child_spawn(&spec, &pid), 0);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
	assert_int_equal(child_exit_code(status), 7);
}

static void program_that_cannot_run_is_an_error_and_no_child(void **state)
{
	char *argv[] = {"no-such-program-here", NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	struct scratch scratch;
	pid_t pid = 0;

	(void)state;
	spec.argv = argv;
	assert_int_equal(child_spawn(&spec, &pid), -ENOENT);
	spec.file = "/no/such/program";
	assert_int_equal(child_spawn(&spec, &pid), -ENOENT);
	spec.file = "/";
	assert_int_equal(child_spawn(&spec, &pid), -EACCES);
	scratch_make(&scratch);
	scratch_write(&scratch, "noexec", "#!/bin/sh\n", 10);
	spec.file = scratch_path(&scratch, "noexec");
	assert_int_equal(child_spawn(&spec, &pid), -EACCES);
	assert_int_equal(chmod(spec.file, 0700), 0);
	scratch_remove(&scratch);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void shell_status_of_a_failed_start(void **state)
{
	(void)state;
	assert_int_equal(child_spawn_exit_code(-ENOENT), 127);
	assert_int_equal(child_spawn_exit_code(ENOENT), 127);
	assert_int_equal(child_spawn_exit_code(-EACCES), 126);
	assert_int_equal(child_spawn_exit_code(-ENOEXEC), 126);
}

static void environment_is_the_callers_or_the_given_one(void **state)
{
	char *envp[] = {"SPAWN_GIVEN=1", NULL};
	struct child_spec spec = CHILD_SPEC_INIT;

	(void)state;
	assert_int_equal(setenv("SPAWN_INHERITED", "1", 1), 0);
	assert_int_equal(look_with(&spec, "env", "SPAWN_INHERITED"), 1);
	spec.envp = envp;
	assert_int_equal(look_with(&spec, "env", "SPAWN_INHERITED"), 0);
	assert_int_equal(look_with(&spec, "env", "SPAWN_GIVEN"), 1);
	unsetenv("SPAWN_INHERITED");
}

/* ---- descriptors --------------------------------------------------------- */

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_ino;
}

/* Each choice of (in, out, err) out of -1, 0, 1, 2 and a descriptor above. */
static int try_each_choice(void *arg)
{
	int other = memfd_create("other", MFD_CLOEXEC);
	int tell = memfd_create("tell", 0);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char operand[16];

	(void)arg;
	snprintf(operand, sizeof(operand), "%d", tell);
	/* 1 close-on-exec: it must be inherited all the same. */
	for (int fd = 0; fd < 3; fd++) {
		int file = memfd_create("std", 0);

		if (dup3(file, fd, fd == 1 ? O_CLOEXEC : 0) < 0)
			return 1;
		close(file);
	}
	for (int choice = 0; choice < 5 * 5 * 5; choice++) {
		int from[3], digits = choice, status;
		struct child_spec spec = CHILD_SPEC_INIT;
		uint64_t inodes[3];

		for (int i = 0; i < 3; i++, digits /= 5)
			from[i] = digits % 5 == 4 ? other : digits % 5 - 1;
		spec.in = from[0];
		spec.out = from[1];
		spec.err = from[2];
		status = look_with(&spec, "streams", operand);
		if (status)
			return 2;
		if (lseek(tell, 0, SEEK_SET) < 0 ||
		    fdio_read_full(tell, inodes, sizeof(inodes)) !=
			    sizeof(inodes) ||
		    ftruncate(tell, 0) < 0 || lseek(tell, 0, SEEK_SET) < 0)
			return 3;
		for (int i = 0; i < 3; i++)
			if (inodes[i] != inode_of(from[i] < 0 ? null : from[i]))
				return 4;
	}
	return 0;
}

static void any_choice_of_streams_arrives(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(try_each_choice, NULL, 3 * CHILD_MS), 0);
}

static void only_close_on_exec_descriptors_stay_behind(void **state)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	int before = support_count_fds(), fds[2];
	char operand[16];

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	snprintf(operand, sizeof(operand), "%d", fds[0]);
	assert_int_equal(look_with(&spec, "open", operand), 0);
	assert_int_equal(fdio_set_cloexec(fds[0], false), 0);
	assert_int_equal(look_with(&spec, "open", operand), 1);
	spec.in = fds[0]; /* where it becomes 0, it is also there itself */
	assert_int_equal(look_with(&spec, "open", operand), 1);
	fdio_close(&fds[0]);
	fdio_close(&fds[1]);
	assert_int_equal(support_count_fds(), before);
}

static void swapped_streams_leak_nothing_here(void **state)
{
	int before = support_count_fds();
	char *argv[] = {"/no/such/program", NULL};
	struct child_spec spec = {
		.argv = argv, .in = 1, .out = 0, .err = 0, .group = -1};
	pid_t pid;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(child_spawn(&spec, &pid), -ENOENT);
	assert_int_equal(support_count_fds(), before);
}

static void closed_descriptor_cannot_be_passed_on(void **state)
{
	struct child_spec spec = CHILD_SPEC_INIT;

	(void)state;
	spec.in = 1000;
	assert_int_equal(look_with(&spec, "signals", NULL), -EBADF);
}

/* ---- signals and groups -------------------------------------------------- */

static void handle(int number)
{
	(void)number;
}

static int spawn_with_odd_signals(void *arg)
{
	struct child_spec spec = CHILD_SPEC_INIT;
	sigset_t all;

	(void)arg;
	/* SIGINT would stay ignored, see child_program_test.c. */
	for (int number = 1; number <= SIGRTMAX; number++)
		signal(number,
		       number % 2 || number == SIGCHLD || number == SIGINT
			       ? handle
			       : SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	return look_with(&spec, "signals", NULL);
}

static void signals_are_at_their_defaults(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(spawn_with_odd_signals, NULL, CHILD_MS),
		0);
}

static void group_is_the_callers_its_own_or_the_given_one(void **state)
{
	char *argv[] = {"sleep", "60", NULL};
	struct child_spec leader = {
		.argv = argv, .in = -1, .out = -1, .err = -1, .group = 0};
	struct child_spec spec = CHILD_SPEC_INIT;
	char operand[16];
	int status;
	pid_t pid;

	(void)state;
	snprintf(operand, sizeof(operand), "%d", (int)getpgrp());
	assert_int_equal(look_with(&spec, "group", operand), 1);
	assert_int_equal(child_spawn(&leader, &pid), 0);
	assert_int_equal(getpgid(pid), pid);
	snprintf(operand, sizeof(operand), "%d", (int)pid);
	spec.group = pid;
	assert_int_equal(look_with(&spec, "group", operand), 1);
	assert_int_equal(child_end(pid, 10 * TICK_S, &status), 0);
}

/* What the child does before exec, with signals blocked: here comes Ctrl-Z. */
static bool is_stopped_early;
int __real_dup2(int from, int to);
int __wrap_dup2(int from, int to);
int __wrap_dup2(int from, int to)
{
	if (is_stopped_early)
		kill(getpid(), SIGTSTP);
	return __real_dup2(from, to);
}

/* We would hang with it: nobody but us could let it go on. */
static void child_that_is_stopped_before_exec_stops_after_it(void **state)
{
	char *argv[] = {"cat", NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	int status, rc, fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(fdio_pipe(fds), 0);
	spec.argv = argv;
	spec.in = fds[0];
	spec.group = 0; /* an orphaned group would not stop */
	is_stopped_early = true;
	rc = child_spawn(&spec, &pid);
	is_stopped_early = false;
	assert_int_equal(rc, 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
	kill(pid, SIGCONT);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(child_wait(pid, tick_after(20 * TICK_S), &status), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_is_found_in_path),
		cmocka_unit_test(
			program_that_cannot_run_is_an_error_and_no_child),
		cmocka_unit_test(shell_status_of_a_failed_start),
		cmocka_unit_test(environment_is_the_callers_or_the_given_one),
		cmocka_unit_test(any_choice_of_streams_arrives),
		cmocka_unit_test(only_close_on_exec_descriptors_stay_behind),
		cmocka_unit_test(swapped_streams_leak_nothing_here),
		cmocka_unit_test(closed_descriptor_cannot_be_passed_on),
		cmocka_unit_test(signals_are_at_their_defaults),
		cmocka_unit_test(group_is_the_callers_its_own_or_the_given_one),
		cmocka_unit_test(
			child_that_is_stopped_before_exec_stops_after_it),
	};

	if (argc > 1)
		return look_around(argv);
	if (readlink("/proc/self/exe", this_program, sizeof(this_program) - 1) <
	    0)
		return 1;
	return SUPPORT_MAIN(tests);
}

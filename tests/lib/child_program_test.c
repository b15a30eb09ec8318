/* Which program child_spawn() finds for a name, and what of the caller's
 * signals it leaves alone. */
#include "lib/child.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/scratch.h"

enum { LIMIT_S = 20 };

static int wait_for(pid_t pid)
{
	int status = -1;

	assert_int_equal(child_wait(pid, tick_after(LIMIT_S * TICK_S), &status),
			 0);
	return child_exit_code(status);
}

static int spawn(char *const argv[])
{
	struct child_spec spec = CHILD_SPEC_INIT;
	pid_t pid = 0;
	int rc;

	spec.argv = argv;
	spec.out = -1;
	rc = child_spawn(&spec, &pid);
	return rc ? rc : wait_for(pid);
}

static int spawn_name(const char *name)
{
	return spawn((char *[]){(char *)name, NULL});
}

/* ---- which program ------------------------------------------------------------ */

struct path_fixture {
	struct scratch scratch;
	char *path;
};

static void write_script(struct scratch *scratch, const char *name,
			 const char *text, mode_t mode)
{
	scratch_write(scratch, name, text, strlen(text));
	assert_int_equal(chmod(scratch_path(scratch, name), mode), 0);
}

static int set_up_path(void **state)
{
	static struct path_fixture fixture;
	const char *path;

	scratch_make(&fixture.scratch);
	path = getenv("PATH");
	fixture.path = path ? strdup(path) : NULL;
	assert_non_null(fixture.path);
	*state = &fixture;
	return 0;
}

static int tear_down_path(void **state)
{
	struct path_fixture *fixture = *state;

	setenv("PATH", fixture->path, 1);
	free(fixture->path);
	scratch_remove(&fixture->scratch);
	return 0;
}

static void name_is_searched_in_path(void **state)
{
	struct path_fixture *fixture = *state;
	struct scratch *scratch = &fixture->scratch;
	char path[512];

	/* What may not be run, and a directory, are passed over. */
	assert_int_equal(mkdir(scratch_path(scratch, "a"), 0700), 0);
	assert_int_equal(mkdir(scratch_path(scratch, "a/prog"), 0700), 0);
	assert_int_equal(mkdir(scratch_path(scratch, "b"), 0700), 0);
	write_script(scratch, "b/prog", "#!/bin/sh\nexit 5\n", 0600);
	assert_int_equal(mkdir(scratch_path(scratch, "c"), 0700), 0);
	snprintf(path, sizeof(path), "%s/none:%s/a:%s/b:%s/c:%s", scratch->dir,
		 scratch->dir, scratch->dir, scratch->dir, fixture->path);
	setenv("PATH", path, 1);

	assert_int_equal(spawn_name("prog"), -EACCES);
	assert_int_equal(spawn_name("prog-of-no-name"), -ENOENT);
	write_script(scratch, "c/prog", "#!/bin/sh\nexit 7\n", 0700);
	assert_int_equal(spawn_name("prog"), 7);
}

/* As execvp(3) and every shell do it. */
static void script_without_a_first_line_is_for_the_shell(void **state)
{
	struct path_fixture *fixture = *state;
	struct scratch *scratch = &fixture->scratch;
	char *const argv[] = {(char *)"script", (char *)"a b", (char *)"-c",
			      NULL};

	write_script(scratch, "script",
		     "[ $# = 2 ] && [ \"$1\" = 'a b' ] && [ \"$2\" = -c ] &&\n"
		     "exit 11\n",
		     0700);
	write_script(scratch, "empty", "", 0700);
	setenv("PATH", scratch->dir, 1);
	assert_int_equal(spawn(argv), 11);
	assert_int_equal(spawn_name("empty"), 0);
}

/* Not even of the shell. */
static void path_that_begins_with_a_dash_is_no_option(void **state)
{
	struct path_fixture *fixture = *state;
	struct scratch *scratch = &fixture->scratch;
	int old = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), code;

	assert_int_equal(mkdir(scratch_path(scratch, "-c"), 0700), 0);
	write_script(scratch, "-c/script", "exit 12\n", 0700);
	assert_int_equal(chdir(scratch->dir), 0);
	code = spawn_name("-c/script");
	assert_int_equal(fchdir(old), 0);
	close(old);
	assert_int_equal(code, 12);
}

static void empty_entry_of_path_is_the_current_directory(void **state)
{
	struct path_fixture *fixture = *state;
	int old = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int found, missing;

	write_script(&fixture->scratch, "here", "#!/bin/sh\nexit 9\n", 0700);
	assert_int_equal(chdir(fixture->scratch.dir), 0);
	setenv("PATH", "/none:", 1);
	found = spawn_name("here");
	setenv("PATH", "/none", 1);
	missing = spawn_name("here");
	assert_int_equal(fchdir(old), 0);
	close(old);
	assert_int_equal(found, 9);
	assert_int_equal(missing, -ENOENT);
}

static void without_path_the_system_is_searched(void **state)
{
	(void)state;
	unsetenv("PATH");
	assert_int_equal(spawn_name("true"), 0);
}

static void bad_names_are_refused(void **state)
{
	char long_name[8192];

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(spawn_name(""), -ENOENT);
	assert_int_equal(spawn_name(long_name), -ENOENT);
	long_name[0] = '/';
	assert_int_equal(spawn_name(long_name), -ENAMETOOLONG);
}

/* PATH_MAX counts the null byte. */
static void longest_path_of_the_kernel_is_run(void **state)
{
	char path[PATH_MAX + 1];
	size_t slashes = sizeof(path) - sizeof("bin/true");

	(void)state;
	memset(path, '/', slashes);
	memcpy(path + slashes, "bin/true", sizeof("bin/true"));
	assert_int_equal(strlen(path), PATH_MAX);
	assert_int_equal(spawn_name(path), -ENAMETOOLONG);
	assert_int_equal(spawn_name(path + 1), 0);
}

/* ---- signals ----------------------------------------------------------------- */

/* The status of a shell that looks at what it ignores. */
static int ignored_in_child(int number)
{
	char script[128];
	char *const argv[] = {(char *)"sh", (char *)"-c", script, NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	pid_t pid;

	/* A trap that is set for an ignored signal has no effect. */
	snprintf(script, sizeof(script),
		 "trap 'exit 1' %d; kill -%d $$; exit 0", number, number);
	spec.argv = argv;
	assert_int_equal(child_spawn(&spec, &pid), 0);
	return wait_for(pid) == 0;
}

static void only_what_nohup_ignores_stays_ignored(void **state)
{
	static const int kept[] = {SIGHUP, SIGINT, SIGQUIT};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction old;
	int is_ignored;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ignored_in_child(kept[i]), 0);
		sigaction(kept[i], &ignore, &old);
		is_ignored = ignored_in_child(kept[i]);
		sigaction(kept[i], &old, NULL);
		assert_int_equal(is_ignored, 1);
	}
	sigaction(SIGPIPE, &ignore, &old);
	is_ignored = ignored_in_child(SIGPIPE);
	sigaction(SIGPIPE, &old, NULL);
	assert_int_equal(is_ignored, 0);
}

static void callers_mask_is_as_before(void **state)
{
	sigset_t set, before, after;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &before);
	assert_int_equal(spawn_name("true"), 0);
	sigprocmask(SIG_SETMASK, &before, &after);
	assert_true(sigismember(&after, SIGUSR2));
	assert_false(sigismember(&after, SIGTERM));
}

/* A thread stays one that can be cancelled. */
static void callers_cancel_state_is_as_before(void **state)
{
	int old;

	(void)state;
	assert_int_equal(spawn_name("true"), 0);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	assert_int_equal(old, PTHREAD_CANCEL_ENABLE);
}

/* Of a caller whose own mask is for a moment only. */
static void mask_that_is_given_is_the_childs(void **state)
{
	/* Bit 11 is SIGUSR2, bit 9 SIGUSR1. */
	char *const argv[] = {(char *)"grep", (char *)"-q",
			      (char *)"^SigBlk:[[:space:]]*0*800$",
			      (char *)"/proc/self/status", NULL};
	struct child_spec spec = CHILD_SPEC_INIT;
	sigset_t given, own, before;
	pid_t pid = 0;
	int rc;

	(void)state;
	sigemptyset(&given);
	sigaddset(&given, SIGUSR2);
	sigemptyset(&own);
	sigaddset(&own, SIGUSR1);
	spec.argv = argv;
	spec.keeps_signals = true;
	spec.mask = &given;
	sigprocmask(SIG_BLOCK, &own, &before);
	rc = child_spawn(&spec, &pid);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(rc, 0);
	assert_int_equal(wait_for(pid), 0);
}

int main(void)
{
#define WITH_PATH(test) \
	cmocka_unit_test_setup_teardown(test, set_up_path, tear_down_path)
	const struct CMUnitTest tests[] = {
		WITH_PATH(name_is_searched_in_path),
		WITH_PATH(script_without_a_first_line_is_for_the_shell),
		WITH_PATH(path_that_begins_with_a_dash_is_no_option),
		WITH_PATH(empty_entry_of_path_is_the_current_directory),
		WITH_PATH(without_path_the_system_is_searched),
		WITH_PATH(bad_names_are_refused),
		cmocka_unit_test(longest_path_of_the_kernel_is_run),
		cmocka_unit_test(only_what_nohup_ignores_stays_ignored),
		cmocka_unit_test(callers_mask_is_as_before),
		cmocka_unit_test(callers_cancel_state_is_as_before),
		cmocka_unit_test(mask_that_is_given_is_the_childs),
	};

	return SUPPORT_MAIN(tests);
}

/* What mypopen refuses to start, or cannot start: no child and no descriptor is
 * left of it. Linked with --wrap for child_spawn and fdopen, which fail when a
 * case says so, and for fdio_set_cloexec, malloc and fclose. */
#include "tests/p03/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"

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

/* Which call of malloc(3) fails, counted down; 0: none. */
static int malloc_countdown;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	if (malloc_countdown && --malloc_countdown == 0) {
		errno = ENOMEM;
		return NULL;
	}
	return __real_malloc(size);
}

/* What is true while a stream is being closed: the flags of its descriptor
 * before, and, when a case asks for it, its number in new hands afterwards. */
static int flags_before, *fd_afterwards;

int __real_fclose(FILE *stream);
int __wrap_fclose(FILE *stream);
int __wrap_fclose(FILE *stream)
{
	int result;

	flags_before = fcntl(fileno(stream), F_GETFD);
	result = __real_fclose(stream);
	if (fd_afterwards)
		*fd_afterwards = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return result;
}

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

/* As another thread might have it by then. */
static void failed_start_closes_no_descriptor_twice(void **state)
{
	int fd = -1;

	(void)state;
	spawn_error = -EAGAIN;
	fd_afterwards = &fd;
	assert_null(mypopen("true", "r"));
	fd_afterwards = NULL;
	spawn_error = 0;
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

/* Nobody who is started meanwhile would be told to close it. */
static void stream_that_leaves_the_list_is_close_on_exec(void **state)
{
	(void)state;
	flags_before = 0;
	assert_int_equal(mypclose(mypopen("true", "r")), 0);
	assert_int_equal(flags_before, FD_CLOEXEC);
}

/* One for what is known of the stream, one for which ends are to be closed. */
static void failed_allocation_starts_nothing(void **state)
{
	FILE *other = mypopen("cat >/dev/null", "w");
	int fds = support_count_fds();

	(void)state;
	assert_non_null(other);
	spawn_calls = 0;
	for (int which = 1; which <= 2; which++) {
		malloc_countdown = which;
		errno = 0;
		assert_null(mypopen("true", "r"));
		assert_int_equal(errno, ENOMEM);
		assert_int_equal(malloc_countdown, 0);
	}
	assert_int_equal(spawn_calls, 0);
	assert_int_equal(support_count_fds(), fds);
	assert_int_equal(mypclose(other), 0);
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

static void descriptor_limit_is_an_error_and_no_leak(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(use_up_descriptors, NULL, CHILD_MS), 0);
}

/* Called while the list of streams changes. */
static int signal_at_change;

int __real_fdio_set_cloexec(int fd, bool on);
int __wrap_fdio_set_cloexec(int fd, bool on);
int __wrap_fdio_set_cloexec(int fd, bool on)
{
	if (signal_at_change)
		raise(signal_at_change);
	return __real_fdio_set_cloexec(fd, on);
}

static void fork_and_wait(int number)
{
	pid_t child = fork();

	(void)number;
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
}

/* In a child, which can be ended when it hangs. */
static int open_with_a_forking_handler(void *arg)
{
	FILE *stream;

	(void)arg;
	signal(SIGUSR1, fork_and_wait);
	signal_at_change = SIGUSR1;
	stream = mypopen("exit 3", "r");
	return stream && WEXITSTATUS(mypclose(stream)) == 3 ? 0 : 1;
}

static void handler_that_forks_in_the_middle_does_not_hang(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(open_with_a_forking_handler, NULL,
					      CHILD_MS),
			 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invalid_mode_fails_before_anything_starts),
		cmocka_unit_test(failed_start_leaves_no_descriptor),
		cmocka_unit_test(failed_start_closes_no_descriptor_twice),
		cmocka_unit_test(stream_that_leaves_the_list_is_close_on_exec),
		cmocka_unit_test(failed_allocation_starts_nothing),
		cmocka_unit_test(descriptor_limit_is_an_error_and_no_leak),
		cmocka_unit_test(
			handler_that_forks_in_the_middle_does_not_hang),
		cmocka_unit_test(program_that_cannot_be_run_fails_at_once),
		cmocka_unit_test(a_megabyte_command_is_refused_by_the_system),
	};

	return SUPPORT_MAIN(tests);
}

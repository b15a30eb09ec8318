/* Whose FIFO it is: what a server takes over at its path, and what fifo.h makes
 * and removes there. What others do between its steps is led through here
 * (--wrap). */
#include "tests/p02/fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static void second_server_is_refused_and_a_dead_ones_fifo_taken_over(
	void **state)
{
	struct fixture *f = *state;
	const struct server_options options = {.path = f->path, .mode = 0600};
	struct server *server;

	start(f);
	assert_int_equal(server_create(&server, &options), -EADDRINUSE);
	assert_null(server);
	assert_still_serves(f);
	support_kill(&f->server);
	assert_int_equal(access(f->path, F_OK), 0);
	assert_int_equal(server_create(&server, &options), 0);
	server_remove(server);
	assert_int_equal(access(f->path, F_OK), -1);
}

static void what_is_no_fifo_of_ours_is_not_taken_over(void **state)
{
	struct fixture *f = *state;
	const struct server_options options = {.path = f->path, .mode = 0600};
	struct server *server;
	struct stat st;
	int fd;

	scratch_write(&f->scratch, "calc_server", "text", 4);
	assert_int_equal(server_create(&server, &options), -ENOTUNIQ);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_size, 4);
	unlink(f->path);
	scratch_write(&f->scratch, "file", "text", 4);
	assert_int_equal(symlink(scratch_path(&f->scratch, "file"), f->path),
			 0);
	assert_int_equal(server_create(&server, &options), -ENOTUNIQ);
	unlink(f->path);
	assert_int_equal(server_create(&server, &options), 0);
	assert_int_equal(fifo_open_writer(f->path, geteuid() + 1), -ENOTUNIQ);
	fd = fifo_open_writer(f->path, FIFO_ANY_USER);
	assert_true(fd >= 0);
	close(fd);
	server_remove(server);
}

static void mode_is_exact_whatever_the_umask(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;
	mode_t old = umask(077);
	struct stat st;

	assert_int_equal(fifo_create(&fifo, f->path, 0622), 0);
	umask(old);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0622);
	fifo_remove(&fifo);
}

static void name_that_was_taken_over_by_another_is_not_removed(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;

	assert_int_equal(fifo_create(&fifo, f->path, 0600), 0);
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	fifo_remove(&fifo);
	assert_int_equal(access(f->path, F_OK), 0);
}

static void fifo_that_somebody_reads_is_not_taken_over(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;
	struct stat st;
	int reader, before;

	before = support_count_fds();
	assert_int_equal(mkfifo(f->path, 0640), 0);
	reader = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	assert_int_equal(fifo_create(&fifo, f->path, 0622), -EADDRINUSE);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	close(reader);
	assert_int_equal(fifo_create_new(&fifo, f->path, 0622), -EEXIST);
	assert_int_equal(fifo_create(&fifo, f->path, 0622), 0);
	assert_false(fifo.is_new);
	fifo_remove(&fifo);
	assert_int_equal(support_count_fds(), before);
}

/* In place of the FIFO that another process has opened just now. */
static const char *exchanged;

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);

int __wrap_flock(int fd, int operation)
{
	const char *path = exchanged;

	exchanged = NULL;
	if (path && (unlink(path) || mkfifo(path, 0600)))
		return -1;
	return __real_flock(fd, operation);
}

static void name_that_changes_hands_meanwhile_is_taken_again(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;

	exchanged = f->path;
	assert_int_equal(fifo_create(&fifo, f->path, 0600), 0);
	assert_null(exchanged);
	assert_int_equal(fifo_has_name(&fifo), 1);
	fifo_remove(&fifo);
	assert_int_equal(access(f->path, F_OK), -1);
}

static int create_without_streams(void *arg)
{
	struct fifo fifo = FIFO_CLOSED;

	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	if (fifo_create(&fifo, arg, 0600))
		return 1;
	fifo_remove(&fifo);
	return fifo_create(&fifo, arg, 0600) || fifo.read_fd <= STDERR_FILENO ||
	       fifo.write_fd <= STDERR_FILENO;
}

static void fifo_is_no_standard_stream(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		support_child_status(create_without_streams, f->path, 20000),
		0);
}

/* ---- few descriptors ---- */

/* With room for so many more, at most. */
static void leave_descriptors(struct rlimit *old, int more)
{
	int next = dup(STDERR_FILENO);
	struct rlimit few;

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, old), 0);
	few = *old;
	few.rlim_cur = (rlim_t)next + (rlim_t)more;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void without_descriptors_no_name_is_left(void **state)
{
	struct fixture *f = *state;
	int seen[2] = {0, 0};

	support_need_no_valgrind("it takes descriptors of its own");
	for (int more = 0; more < 8; more++) {
		struct fifo fifo = FIFO_CLOSED;
		struct rlimit old;
		int error;

		leave_descriptors(&old, more);
		error = fifo_create(&fifo, f->path, 0600);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
		assert_true(error == 0 || error == -EMFILE);
		assert_int_equal(access(f->path, F_OK), error ? -1 : 0);
		seen[error == 0]++;
		fifo_remove(&fifo);
	}
	assert_true(seen[0] > 0 && seen[1] > 0);
}

/* Who cannot look whose the name is does not remove it. */
static void without_descriptors_no_other_fifo_is_removed(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;
	struct rlimit old;
	int has_name;

	support_need_no_valgrind("it takes descriptors of its own");
	assert_int_equal(fifo_create(&fifo, f->path, 0600), 0);
	unlink(f->path);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	leave_descriptors(&old, 0);
	has_name = fifo_has_name(&fifo);
	fifo_remove(&fifo);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(has_name, -EMFILE);
	assert_int_equal(access(f->path, F_OK), 0);
}

/* ---- reply FIFOs ---- */

static bool has_no_lists; /* the file system */

int __real_fsetxattr(int fd, const char *name, const void *value, size_t size,
		     int flags);
int __wrap_fsetxattr(int fd, const char *name, const void *value, size_t size,
		     int flags);

int __wrap_fsetxattr(int fd, const char *name, const void *value, size_t size,
		     int flags)
{
	if (!has_no_lists)
		return __real_fsetxattr(fd, name, value, size, flags);
	errno = EOPNOTSUPP;
	return -1;
}

static void where_no_list_can_let_a_server_in_the_mode_does(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;
	struct stat st;

	assert_int_equal(fifo_create(&fifo, f->path, 0600), 0);
	has_no_lists = true;
	assert_int_equal(fifo_let_write(&fifo, geteuid() + 1, 0622), 0);
	has_no_lists = false;
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0622);
	fifo_remove(&fifo);
}

static void path_that_does_not_fit_is_too_long(void **state)
{
	const char *wanted = "/tmp/dir/calc_client_42";
	char path[32];

	(void)state;
	for (size_t size = 0; size < sizeof(path); size++) {
		bool fits = size > strlen(wanted);

		assert_int_equal(
			fifo_reply_path(path, size, "/tmp/dir/server", 42),
			fits ? 0 : -ENAMETOOLONG);
		if (fits)
			assert_string_equal(path, wanted);
	}
}

static void fifo_that_is_taken_over_is_not_removed_as_a_dead_ones(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;
	int fd;

	assert_int_equal(fifo_create(&fifo, f->path, 0600), 0);
	fd = fifo_open_writer(f->path, geteuid());
	fifo_close(&fifo);
	assert_int_equal(fifo_create(&fifo, f->path, 0600), 0);
	assert_false(fifo.is_new);
	assert_false(fifo_remove_if_dead(fd, f->path));
	assert_int_equal(fifo_has_name(&fifo), 1);
	fifo_close(&fifo);
	assert_true(fifo_remove_if_dead(fd, f->path));
	assert_int_equal(access(f->path, F_OK), -1);
	close(fd);
}

/* The number in the name of its FIFO. */
static long number_of(const struct client *client)
{
	const char *prefix = "calc_client_";
	const char *name = strstr(client_reply_path(client), prefix);

	assert_non_null(name);
	return strtol(name + strlen(prefix), NULL, 10);
}

static bool draws_nothing; /* of the bits that are drawn, none is set */

ssize_t __real_getrandom(void *buf, size_t size, unsigned int flags);
ssize_t __wrap_getrandom(void *buf, size_t size, unsigned int flags);

ssize_t __wrap_getrandom(void *buf, size_t size, unsigned int flags)
{
	if (!draws_nothing)
		return __real_getrandom(buf, size, flags);
	memset(buf, 0, size);
	return (ssize_t)size;
}

/* As in another PID namespace: our pid's name is somebody else's. */
static void client_whose_name_is_taken_has_another(void **state)
{
	const long pids = 1 << 22; /* more there are not, proc(5) */
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;
	struct client *client;
	char path[256];

	start(f);
	assert_int_equal(fifo_reply_path(path, sizeof(path), f->path, getpid()),
			 0);
	assert_int_equal(fifo_create(&fifo, path, 0600), 0);
	draws_nothing = true;
	client = open_client(f);
	draws_nothing = false;
	assert_true(number_of(client) >= pids);
	assert_int_equal(ask_sum(client, 1, 1, 20000), 0);
	client_close(client);
	assert_int_equal(access(path, F_OK), 0);
	fifo_remove(&fifo);
	/* By something that is no FIFO at all. */
	assert_int_equal(mkdir(path, 0700), 0);
	client = open_client(f);
	assert_true(number_of(client) >= pids);
	assert_int_equal(ask_sum(client, 1, 1, 20000), 0);
	client_close(client);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(second_server_is_refused_and_a_dead_ones_fifo_taken_over),
		CASE(what_is_no_fifo_of_ours_is_not_taken_over),
		CASE(mode_is_exact_whatever_the_umask),
		CASE(fifo_that_somebody_reads_is_not_taken_over),
		CASE(client_whose_name_is_taken_has_another),
		CASE(name_that_was_taken_over_by_another_is_not_removed),
		CASE(name_that_changes_hands_meanwhile_is_taken_again),
		CASE(fifo_is_no_standard_stream),
		CASE(without_descriptors_no_name_is_left),
		CASE(without_descriptors_no_other_fifo_is_removed),
		CASE(where_no_list_can_let_a_server_in_the_mode_does),
		CASE(path_that_does_not_fit_is_too_long),
		CASE(fifo_that_is_taken_over_is_not_removed_as_a_dead_ones),
	};

	return SUPPORT_MAIN(tests);
}

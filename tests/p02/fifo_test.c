/* Whose FIFO it is: what a server takes over at its path, and what fifo.h makes
 * and removes there. */
#include "tests/p02/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

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
	int reader;

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
}

/* As in another PID namespace: our pid's name is somebody else's. */
static void client_whose_name_is_taken_has_another(void **state)
{
	struct fixture *f = *state;
	struct fifo fifo = FIFO_CLOSED;
	struct client *client;
	char path[256];

	start(f);
	assert_int_equal(fifo_reply_path(path, sizeof(path), f->path, getpid()),
			 0);
	assert_int_equal(fifo_create(&fifo, path, 0600), 0);
	client = open_client(f);
	assert_string_not_equal(client_reply_path(client), path);
	assert_int_equal(ask_sum(client, 1, 1, 20000), 0);
	client_close(client);
	assert_int_equal(access(path, F_OK), 0);
	fifo_remove(&fifo);
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
	};

	return SUPPORT_MAIN(tests);
}

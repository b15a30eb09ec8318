/* The file of a Unix socket, and what others do to its name meanwhile. */
#include "lib/rpc/rpc_listen.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/scratch.h"

static struct scratch scratch;
static char path[100], victim[100], moved[100];

/* As if what lies there now were another user's. */
static bool is_another_user;

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
uid_t __wrap_geteuid(void)
{
	return __real_geteuid() + is_another_user;
}

/* What somebody who may write the folder does right behind bind(2). */
static void (*intrude)(void);

int __real_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len)
{
	int rc = __real_bind(fd, address, len);

	if (rc == 0 && intrude)
		intrude();
	return rc;
}

static int set_up(void **state)
{
	(void)state;
	intrude = NULL;
	is_another_user = false;
	scratch_make(&scratch);
	snprintf(path, sizeof(path), "%s", scratch_path(&scratch, "socket"));
	snprintf(victim, sizeof(victim), "%s", scratch_path(&scratch, "key"));
	snprintf(moved, sizeof(moved), "%s", scratch_path(&scratch, "moved"));
	scratch_write(&scratch, "key", "secret", 6);
	return chmod(victim, 0600);
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static unsigned int mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(name, &st), 0);
	return st.st_mode & 07777;
}

static void swap_in_a_link(void)
{
	if (rename(path, moved) || symlink(victim, path))
		perror("swap");
}

static void swap_in_a_file(void)
{
	if (rename(path, moved) || link(victim, path))
		perror("swap");
}

static void swap_in_a_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (rename(path, moved) || fchmod(fd, 0600) ||
	    __real_bind(fd, (struct sockaddr *)&address, sizeof(address)))
		perror("swap");
	close(fd);
	is_another_user = true;
}

static void take_away(void)
{
	if (rename(path, moved))
		perror("rename");
}

static void assert_nothing_else_is_changed(void)
{
	struct rpc_listener listener;

	assert_int_equal(rpc_listen_unix(&listener, path, 0666), -ESTALE);
	assert_int_equal(listener.fd, -1);
	assert_int_equal(mode_of(victim), 0600);
}

static void link_that_is_swapped_in_changes_no_other_files_mode(void **state)
{
	(void)state;
	intrude = swap_in_a_link;
	assert_nothing_else_is_changed();
	assert_int_equal(access(path, F_OK), 0); /* and stays */
}

static void file_that_is_swapped_in_keeps_its_mode(void **state)
{
	(void)state;
	intrude = swap_in_a_file;
	assert_nothing_else_is_changed();
	assert_int_equal(access(path, F_OK), 0);
}

static void socket_of_another_user_that_is_swapped_in_keeps_its_mode(
	void **state)
{
	(void)state;
	intrude = swap_in_a_socket;
	assert_nothing_else_is_changed();
	assert_int_equal(mode_of(path), 0600);
}

static void socket_whose_name_is_taken_away_serves_nobody(void **state)
{
	(void)state;
	intrude = take_away;
	assert_nothing_else_is_changed();
}

static unsigned int mode_of_new_socket;

static void look_at_mode(void)
{
	mode_of_new_socket = mode_of(path);
}

static void socket_has_no_moment_with_more_than_was_asked_for(void **state)
{
	static const unsigned int modes[] = {0600, 0660, 0666, 0622, 0777};
	const mode_t before = umask(0);
	struct rpc_listener listener;

	(void)state;
	intrude = look_at_mode;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(rpc_listen_unix(&listener, path, modes[i]), 0);
		assert_int_equal(mode_of(path), modes[i]);
		assert_int_equal(mode_of_new_socket & ~modes[i], 0);
		rpc_listen_close(&listener);
		assert_int_equal(access(path, F_OK), -1);
	}
	umask(before);
}

/* The mode is asked for, as chmod(2) gives it, and not as open(2). */
static void mode_is_as_asked_for_whatever_the_umask(void **state)
{
	const mode_t before = umask(0077);
	struct rpc_listener listener;

	(void)state;
	assert_int_equal(rpc_listen_unix(&listener, path, 0666), 0);
	assert_int_equal(mode_of(path), 0666);
	rpc_listen_close(&listener);
	umask(before);
}

/* At once, so that it may well have the inode that ours had. */
static void file_of_another_under_our_name_stays_when_we_close(void **state)
{
	struct rpc_listener listener;
	int fd;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(rpc_listen_unix(&listener, path, 0600), 0);
		assert_int_equal(unlink(path), 0);
		fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
		rpc_listen_close(&listener);
		assert_int_equal(unlink(path), 0);
	}
}

/* A socket with that name, of whoever does not listen at it. */
static int bind_another(int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)),
			 0);
	return fd;
}

static void assert_it_is_refused_and_stays(int wanted)
{
	struct rpc_listener listener;
	struct stat before, after;

	assert_int_equal(lstat(path, &before), 0);
	assert_int_equal(rpc_listen_unix(&listener, path, 0600), wanted);
	assert_int_equal(listener.fd, -1);
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
}

static void what_a_dead_server_left_is_replaced(void **state)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	struct rpc_listener listener;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		close(bind_another(types[i]));
		assert_int_equal(rpc_listen_unix(&listener, path, 0600), 0);
		rpc_listen_close(&listener);
	}
}

/* It refuses connections, as what the dead leave does. */
static void socket_of_who_does_not_listen_yet_stays(void **state)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		fd = bind_another(types[i]);
		assert_it_is_refused_and_stays(-EADDRINUSE);
		close(fd);
		assert_int_equal(unlink(path), 0);
	}
}

static void what_a_dead_server_of_another_user_left_stays(void **state)
{
	(void)state;
	close(bind_another(SOCK_STREAM));
	is_another_user = true;
	assert_it_is_refused_and_stays(-EPERM);
}

/* ---- a name that is gone, while the server lives ---- */

static void name_that_is_ours_stays_as_it_is(void **state)
{
	struct rpc_listener listener, before;

	(void)state;
	assert_int_equal(rpc_listen_unix(&listener, path, 0600), 0);
	before = listener;
	assert_int_equal(rpc_listen_renew(&listener, 0600), 0);
	assert_memory_equal(&listener, &before, sizeof(before));
	rpc_listen_close(&listener);
}

static void name_that_is_gone_is_made_anew(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct rpc_listener listener;
	int fd, fds;

	(void)state;
	assert_int_equal(rpc_listen_unix(&listener, path, 0640), 0);
	fds = support_count_fds();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rpc_listen_renew(&listener, 0640), 1);
		assert_int_equal(mode_of(path), 0640);
		assert_int_equal(rpc_listen_renew(&listener, 0640), 0);
	}
	assert_int_equal(support_count_fds(), fds);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	rpc_listen_close(&listener);
	assert_int_equal(access(path, F_OK), -1);
}

static void name_that_is_anothers_is_told_and_stays(void **state)
{
	struct rpc_listener listener;
	int fd;

	(void)state;
	assert_int_equal(rpc_listen_unix(&listener, path, 0600), 0);
	assert_int_equal(unlink(path), 0);
	fd = bind_another(SOCK_STREAM);
	assert_int_equal(rpc_listen_renew(&listener, 0600), -ESTALE);
	close(fd); /* what the dead have left is another's all the same */
	assert_int_equal(rpc_listen_renew(&listener, 0600), -ESTALE);
	assert_true(listener.fd >= 0);
	rpc_listen_close(&listener);
	assert_int_equal(unlink(path), 0);
}

static void name_whose_folder_is_gone_is_told(void **state)
{
	struct rpc_listener listener;
	char folder[100], within[120];

	(void)state;
	snprintf(folder, sizeof(folder), "%s", scratch_path(&scratch, "d"));
	snprintf(within, sizeof(within), "%s/socket", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(rpc_listen_unix(&listener, within, 0600), 0);
	assert_int_equal(unlink(within), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rpc_listen_renew(&listener, 0600), -ENOENT);
	rpc_listen_close(&listener);
	/* A file in its place: nobody can say what is in it. */
	assert_int_equal(mkdir(folder, 0700), 0);
	assert_int_equal(rpc_listen_unix(&listener, within, 0600), 0);
	assert_int_equal(rename(folder, moved), 0);
	scratch_write(&scratch, "d", "", 0);
	assert_true(rpc_listen_renew(&listener, 0600) <= 0);
	rpc_listen_close(&listener);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(link_that_is_swapped_in_changes_no_other_files_mode),
		CASE(file_that_is_swapped_in_keeps_its_mode),
		CASE(socket_of_another_user_that_is_swapped_in_keeps_its_mode),
		CASE(socket_whose_name_is_taken_away_serves_nobody),
		CASE(socket_has_no_moment_with_more_than_was_asked_for),
		CASE(mode_is_as_asked_for_whatever_the_umask),
		CASE(file_of_another_under_our_name_stays_when_we_close),
		CASE(what_a_dead_server_left_is_replaced),
		CASE(socket_of_who_does_not_listen_yet_stays),
		CASE(what_a_dead_server_of_another_user_left_stays),
		CASE(name_that_is_ours_stays_as_it_is),
		CASE(name_that_is_gone_is_made_anew),
		CASE(name_that_is_anothers_is_told_and_stays),
		CASE(name_whose_folder_is_gone_is_told),
	};

	return SUPPORT_MAIN(tests);
}

/* Roles: held by the kernel for an open file description, and by nothing else. */
#include "tests/lib/identity_fixture.h"

#include "tests/support/interrupt.h"
#include "tests/support/scratch.h"

enum { BYTE = 7 };

static struct scratch scratch;
static char path[256];
static int descriptors;

static int set_up(void **state)
{
	(void)state;
	descriptors = support_count_fds();
	scratch_make(&scratch);
	scratch_write(&scratch, "file", "x", 1);
	snprintf(path, sizeof(path), "%s", scratch_path(&scratch, "file"));
	return chmod(path, 0600);
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return support_count_fds() == descriptors ? 0 : -1;
}

static struct identity_role open_role(void)
{
	struct identity_role role;

	if (identity_role_open(&role, open(path, O_RDWR)))
		role.fd = -1;
	return role;
}

static int look(const struct identity_role *role)
{
	bool has_met = false;

	return identity_role_look(role, BYTE, &has_met);
}

static void peer_is_absent_present_and_gone(void **state)
{
	struct identity_role ours = open_role(), peers = open_role();
	bool has_met = false;

	(void)state;
	assert_true(fcntl(ours.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(identity_role_look(&ours, BYTE, &has_met),
			 IDENTITY_PEER_ABSENT);
	assert_int_equal(identity_role_take(&peers, BYTE), 0);
	assert_int_equal(identity_role_take(&peers, BYTE), 0);
	assert_int_equal(identity_role_look(&ours, BYTE + 1, &has_met),
			 IDENTITY_PEER_ABSENT);
	assert_false(has_met);
	assert_int_equal(identity_role_look(&ours, BYTE, &has_met),
			 IDENTITY_PEER_PRESENT);
	assert_true(has_met);
	assert_int_equal(identity_role_take(&ours, BYTE), -EBUSY);
	assert_int_equal(identity_role_take(&ours, BYTE + 1), 0);
	assert_int_equal(identity_role_give_up(&peers, BYTE), 0);
	assert_int_equal(identity_role_give_up(&peers, BYTE), 0);
	assert_int_equal(identity_role_look(&ours, BYTE, &has_met),
			 IDENTITY_PEER_GONE);
	assert_int_equal(identity_role_take(&ours, BYTE), 0);
	/* One's own is not seen. */
	assert_int_equal(look(&ours), IDENTITY_PEER_ABSENT);
	identity_role_close(&ours);
	assert_int_equal(look(&peers), IDENTITY_PEER_ABSENT);
	identity_role_close(&peers);
	assert_int_equal(look(&peers), -EBADF);
}

static void handler_ends_the_wait_for_a_role(void **state)
{
	struct identity_role ours = open_role(), peers = open_role();
	int error;

	(void)state;
	assert_int_equal(identity_role_take(&peers, BYTE), 0);
	interrupt_start();
	error = identity_role_take_until(&ours, BYTE, tick_after(5 * TICK_S));
	interrupt_stop();
	assert_int_equal(error, -EINTR);
	identity_role_close(&ours);
	identity_role_close(&peers);
}

/* ---- what it does not take ---- */

static void mode_that_lets_read_who_may_not_write_is_refused(void **state)
{
	static const mode_t good[] = {0600, 0660, 0666, 0606, 0622, 0602},
			    bad[] = {0644, 0640, 0604, 0664, 0646, 0444, 0400};
	struct identity_role role;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		fd = open(path, O_RDWR);
		assert_int_equal(fchmod(fd, good[i]), 0);
		assert_int_equal(identity_role_open(&role, fd), 0);
		identity_role_close(&role);
	}
	fd = open(path, O_RDWR);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(fchmod(fd, bad[i]), 0);
		assert_int_equal(identity_role_open(&role, fd), -EPERM);
		assert_int_equal(role.fd, -1);
	}
	close(fd); /* it is still the caller's */
}

static void descriptor_not_for_both_is_refused(void **state)
{
	static const int flags[] = {O_RDONLY, O_WRONLY, O_PATH,
				    O_PATH | O_RDWR};
	struct identity_role role;

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		int fd = open(path, flags[i]);

		assert_int_equal(identity_role_open(&role, fd), -EBADF);
		close(fd);
	}
	assert_int_equal(identity_role_open(&role, -1), -EBADF);
	assert_int_equal(identity_role_take(&role, BYTE), -EBADF);
	identity_role_close(&role);
}

/* As one does who had the file open before its mode was set, or by an access
 * control list. */
static void read_lock_of_a_reader_tells_nothing(void **state)
{
	struct identity_role role = open_role();
	int reader = open(path, O_RDONLY);
	struct flock lock = {.l_type = F_RDLCK, .l_start = BYTE, .l_len = 1};

	(void)state;
	assert_int_equal(fcntl(reader, F_OFD_SETLK, &lock), 0);
	assert_int_equal(look(&role), IDENTITY_PEER_ABSENT);
	assert_int_equal(identity_role_take(&role, BYTE), -EPERM);
	assert_int_equal(identity_role_take_until(&role, BYTE, TICK_NEVER),
			 -EPERM);
	close(reader);
	assert_int_equal(identity_role_take(&role, BYTE), 0);
	identity_role_close(&role);
}

/* ---- descriptors that go ---- */

static void closed_behind_its_back_is_an_error_and_no_answer(void **state)
{
	struct identity_role role = open_role(), peer = open_role();
	int fd = role.fd;

	(void)state;
	assert_int_equal(identity_role_take(&role, BYTE), 0);
	close(fd);
	assert_int_equal(look(&role), -EBADF);
	assert_int_equal(identity_role_take(&role, BYTE), -EBADF);
	assert_int_equal(identity_role_take_until(&role, BYTE, TICK_NEVER),
			 -EBADF);
	assert_int_equal(identity_role_give_up(&role, BYTE), -EBADF);
	assert_int_equal(look(&peer), IDENTITY_PEER_ABSENT);
	assert_int_equal(identity_role_take(&peer, BYTE), 0);

	/* Now the number is another file's, of the same file system. */
	assert_int_equal(
		open(scratch_path(&scratch, "other"), O_RDWR | O_CREAT, 0600),
		fd);
	assert_int_equal(look(&role), -ESTALE);
	assert_int_equal(identity_role_take(&role, BYTE), -ESTALE);
	assert_int_equal(identity_role_give_up(&role, BYTE), -ESTALE);
	identity_role_close(&role);
	assert_true(fcntl(fd, F_GETFD) >= 0); /* it is not ours to close */
	close(fd);                            // cppcheck-suppress doubleFree
	identity_role_close(&peer);
}

static int lose_it_by_closefrom(void *arg)
{
	struct identity_role role = open_role();

	(void)arg;
	EXPECT(identity_role_take(&role, BYTE) == 0);
	closefrom(3);
	EXPECT(look(&role) == -EBADF);
	return 0;
}

static void closefrom_is_told(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(lose_it_by_closefrom, NULL, CHILD_MS), 0);
}

static void duplicate_holds_it_too(void **state)
{
	struct identity_role role = open_role(), peer = open_role();
	int copy = dup(role.fd);

	(void)state;
	assert_int_equal(identity_role_take(&role, BYTE), 0);
	identity_role_close(&role);
	assert_int_equal(look(&peer), IDENTITY_PEER_PRESENT);
	close(copy);
	assert_int_equal(look(&peer), IDENTITY_PEER_ABSENT);
	identity_role_close(&peer);
}

/* ---- other processes ---- */

struct holder {
	pid_t pid;
	int wake[2];
};

/* A child that has the handle as it was when we forked. */
static struct holder fork_holder(void (*then)(void))
{
	struct holder holder;
	char byte;

	assert_int_equal(pipe(holder.wake), 0);
	holder.pid = fork();
	if (holder.pid == 0) {
		close(holder.wake[1]);
		if (read(holder.wake[0], &byte, 1) == 1)
			then();
		_exit(0);
	}
	close(holder.wake[0]);
	return holder;
}

static void end_holder(struct holder *holder)
{
	kill_and_reap(holder->pid);
	close(holder->wake[1]);
}

static void exec_sleep(void)
{
	execlp("sleep", "sleep", "1000", (char *)NULL);
}

static struct identity_role inherited;

static void close_and_sleep(void)
{
	identity_role_close(&inherited);
	sleep_until_killed();
}

static bool is_free(void *arg)
{
	return look(arg) == IDENTITY_PEER_ABSENT;
}

static void forked_child_holds_it_until_it_closes_or_execs(void **state)
{
	void (*const ways[])(void) = {exec_sleep, close_and_sleep};
	struct identity_role peer = open_role();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct holder child;

		inherited = open_role();
		assert_int_equal(identity_role_take(&inherited, BYTE), 0);
		child = fork_holder(ways[i]);
		identity_role_close(&inherited); /* as our death would */
		assert_int_equal(look(&peer), IDENTITY_PEER_PRESENT);
		assert_int_equal(write(child.wake[1], "", 1), 1);
		assert_true(support_wait_until(is_free, &peer, CHILD_MS));
		assert_int_equal(kill(child.pid, 0), 0);
		end_holder(&child);
	}
	identity_role_close(&peer);
}

static bool is_held(void *arg)
{
	return look(arg) == IDENTITY_PEER_PRESENT;
}

static int hold_until_killed(void *arg)
{
	struct identity_role role = open_role();

	(void)arg;
	if (identity_role_take(&role, BYTE) == 0)
		sleep_until_killed();
	return 1;
}

/* In a PID namespace of its own, the holder is seen to live and to die. */
static void pid_namespaces_do_not_matter(void **state)
{
	struct inside inside = {.flags = CLONE_NEWPID | CLONE_NEWNS,
				.body = hold_until_killed};
	struct identity_role peer = open_role();
	bool has_met = false;
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(child_fork(make_namespaces, &inside, &pid), 0);
	while (look(&peer) != IDENTITY_PEER_PRESENT) {
		if (child_wait(pid, tick_after(TICK_MS), &status) == 0) {
			assert_int_equal(WEXITSTATUS(status), NOT_PERMITTED);
			identity_role_close(&peer);
			print_message("namespaces are not permitted here\n");
			skip();
		}
	}
	assert_int_equal(identity_role_take(&peer, BYTE), -EBUSY);
	assert_int_equal(
		identity_role_take_until(&peer, BYTE, tick_after(20 * TICK_MS)),
		-ETIMEDOUT);
	assert_int_equal(identity_role_look(&peer, BYTE, &has_met),
			 IDENTITY_PEER_PRESENT);
	kill_and_reap(pid); /* and with it the namespace */
	assert_int_equal(
		identity_role_take_until(&peer, BYTE, tick_after(20 * TICK_S)),
		0);
	assert_int_equal(identity_role_look(&peer, BYTE, &has_met),
			 IDENTITY_PEER_GONE);
	identity_role_close(&peer);
}

static void file_and_not_its_name_has_the_role(void **state)
{
	struct identity_role role = open_role(), peer = open_role(), later;
	char moved[512];

	(void)state;
	assert_int_equal(identity_role_take(&role, BYTE), 0);
	snprintf(moved, sizeof(moved), "%s.moved", path);
	assert_int_equal(rename(path, moved), 0);
	scratch_write(&scratch, "file", "x", 1);
	assert_int_equal(chmod(path, 0600), 0);
	assert_true(is_held(&peer));
	later = open_role();
	assert_int_equal(identity_role_take(&later, BYTE), 0);
	identity_role_close(&later);
	identity_role_close(&role);
	identity_role_close(&peer);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(peer_is_absent_present_and_gone),
		CASE(handler_ends_the_wait_for_a_role),
		CASE(mode_that_lets_read_who_may_not_write_is_refused),
		CASE(descriptor_not_for_both_is_refused),
		CASE(read_lock_of_a_reader_tells_nothing),
		CASE(closed_behind_its_back_is_an_error_and_no_answer),
		CASE(closefrom_is_told),
		CASE(duplicate_holds_it_too),
		CASE(forked_child_holds_it_until_it_closes_or_execs),
		CASE(pid_namespaces_do_not_matter),
		CASE(file_and_not_its_name_has_the_role),
	};

	return SUPPORT_MAIN(tests);
}

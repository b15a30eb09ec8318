/* Who serves, and how much room there is: p05-sysv-mq/gate.h. */
#include "p05-sysv-mq/gate.h"
#include "p05-sysv-mq/letter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/sysv.h"
#include "lib/tick.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

static key_t key;

static int set_up(void **state)
{
	(void)state;
	key = (key_t)(0x05000000 | getpid());
	return 0;
}

static int tear_down(void **state)
{
	int set = semget(key, 0, 0);

	(void)state;
	return set >= 0 ? semctl(set, 0, IPC_RMID) : 0;
}

static int take(uint64_t identity, bool *is_new)
{
	return gate_take(key, identity, 0600, tick_after(20 * TICK_S), is_new);
}

/* A child that takes the gate and room, and is killed. */
static int take_and_die(void *arg)
{
	bool is_new;
	int set = take(*(uint64_t *)arg, &is_new);

	if (set < 0 || gate_open(set, 10) ||
	    gate_reserve(set, 3, tick_after(20 * TICK_S)))
		return 1;
	raise(SIGKILL);
	return 2;
}

static void only_one_serves(void **state)
{
	bool is_new;
	struct gate_server server;
	int set;

	(void)state;
	assert_int_equal(gate_find(key, GATE_NO_FILE, GATE_NO_OTHER, &server),
			 -ENOENT);
	set = take(GATE_NO_FILE, &is_new);
	assert_true(set >= 0 && is_new);
	assert_int_equal(take(GATE_NO_FILE, &is_new), -EADDRINUSE);
	assert_int_equal(gate_find(key, GATE_NO_FILE, GATE_NO_OTHER, &server),
			 set);
	assert_int_equal(server.pid, getpid());
	assert_int_equal(server.pid_namespace, letter_place_here().pid);
	assert_true(gate_is_ours(key, set));
	assert_true(gate_is_served(set));
}

static void killed_server_is_known_at_once(void **state)
{
	uint64_t identity = GATE_NO_FILE;
	bool is_new = true;
	struct gate_server server;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(
			support_child_status(take_and_die, &identity, 20000),
			128 + SIGKILL);
		assert_int_equal(
			gate_find(key, GATE_NO_FILE, GATE_NO_OTHER, &server),
			-ENOENT);
	}
	assert_true(take(GATE_NO_FILE, &is_new) >= 0);
	assert_false(is_new);
}

static int reserve_and_die(void *arg)
{
	if (gate_reserve(*(int *)arg, 3, tick_after(20 * TICK_S)))
		return 1;
	raise(SIGKILL);
	return 2;
}

static void room_of_a_killed_client_comes_back(void **state)
{
	bool is_new;
	int set = take(GATE_NO_FILE, &is_new);

	(void)state;
	assert_int_equal(gate_open(set, 4), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(
			support_child_status(reserve_and_die, &set, 20000),
			128 + SIGKILL);
	assert_int_equal(gate_reserve(set, 4, tick_after(20 * TICK_S)), 0);
}

static void no_room_is_a_timeout(void **state)
{
	bool is_new;
	int set = take(GATE_NO_FILE, &is_new);

	(void)state;
	assert_int_equal(gate_open(set, 4), 0);
	assert_int_equal(gate_reserve(set, 3, tick_after(20 * TICK_S)), 0);
	assert_int_equal(gate_reserve(set, 2, tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(gate_release(set, 3), 0);
	assert_int_equal(gate_reserve(set, 2, tick_after(20 * TICK_S)), 0);
	assert_int_equal(gate_remove(set), 0);
	assert_int_equal(gate_reserve(set, 1, tick_after(20 * TICK_S)), -EIDRM);
	assert_int_equal(gate_release(set, 2), -EIDRM);
	assert_false(gate_is_served(set));
}

/* ---- keys of files ---- */

/* Whether ftok(3) makes one key of them is chance (sysv_mq.bats looks for
 * two such files): here both are said to have the first one's. */
static void files_with_one_key_are_told_apart(void **state)
{
	static const char *const names[] = {"first", "second"};
	uint64_t identities[2];
	struct scratch scratch;
	key_t other;
	bool is_new;
	struct gate_server server;

	(void)state;
	scratch_make(&scratch);
	for (int i = 0; i < 2; i++) {
		scratch_write(&scratch, names[i], "", 0);
		assert_int_equal(gate_key(scratch_path(&scratch, names[i]),
					  i == 0 ? &key : &other,
					  &identities[i]),
				 0);
	}
	assert_true(identities[0] != identities[1]);
	assert_true(take(identities[0], &is_new) >= 0);
	assert_true(gate_find(key, identities[0], GATE_NO_OTHER, &server) >= 0);
	assert_true(gate_find(key, GATE_NO_FILE, GATE_NO_OTHER, &server) >= 0);
	assert_int_equal(gate_find(key, identities[1], GATE_NO_OTHER, &server),
			 -EXDEV);
	assert_int_equal(take(identities[1], &is_new), -EXDEV);
	scratch_remove(&scratch);
}

static void dead_servers_set_of_another_file_is_left_alone(void **state)
{
	uint64_t identity = UINT64_C(1) << 59 | 4711;
	bool is_new;

	(void)state;
	assert_int_equal(support_child_status(take_and_die, &identity, 20000),
			 128 + SIGKILL);
	assert_int_equal(take(identity + 1, &is_new), -EXDEV);
	assert_int_equal(take(GATE_NO_FILE, &is_new), -EXDEV);
	assert_true(take(identity, &is_new) >= 0);
}

static void no_such_file_has_no_key(void **state)
{
	uint64_t identity;

	(void)state;
	assert_int_equal(gate_key("/nonexistent/file", &key, &identity),
			 -ENOENT);
}

/* ---- sets that are not ours, or not finished ---- */

static void another_programs_set_is_refused_and_left_alone(void **state)
{
	const unsigned short values[11] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
	bool is_new;
	struct gate_server server;
	int set;

	(void)state;
	for (int n = 1; n <= 11; n++) {
		set = sysv_sem_create(key, n, values, 0600);
		assert_true(set >= 0);
		assert_int_equal(take(GATE_NO_FILE, &is_new), -ENOTUNIQ);
		assert_int_equal(
			gate_find(key, GATE_NO_FILE, GATE_NO_OTHER, &server),
			-ENOTUNIQ);
		assert_int_equal(semctl(set, 0, GETVAL), 1);
		assert_int_equal(semctl(set, 0, IPC_RMID), 0);
	}
	/* Made and never used, like ipcmk does it; of ten, too, as ours has. */
	for (int n = 2; n <= 10; n += 8) {
		set = semget(key, n, IPC_CREAT | IPC_EXCL | 0600);
		assert_int_equal(take(GATE_NO_FILE, &is_new), -ENOTUNIQ);
		assert_int_equal(semctl(set, 0, GETVAL), 0);
		assert_int_equal(semctl(set, 0, IPC_RMID), 0);
	}
}

static void set_without_its_label_is_no_server_yet(void **state)
{
	struct gate_server server;

	(void)state;
	assert_true(semget(key, 10, IPC_CREAT | IPC_EXCL | 0621) >= 0);
	assert_int_equal(gate_find(key, GATE_NO_FILE, GATE_NO_OTHER, &server),
			 -ENOENT);
}

static void server_killed_while_it_made_the_set_is_recovered(void **state)
{
	bool is_new = false;

	(void)state;
	/* The state after semget(2) of the creator: ten semaphores, and a mode
	 * that nobody gives. */
	assert_true(semget(key, 10, IPC_CREAT | IPC_EXCL | 0621) >= 0);
	assert_true(take(GATE_NO_FILE, &is_new) >= 0);
	assert_true(is_new);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(only_one_serves),
		CASE(killed_server_is_known_at_once),
		CASE(room_of_a_killed_client_comes_back),
		CASE(no_room_is_a_timeout),
		CASE(files_with_one_key_are_told_apart),
		CASE(dead_servers_set_of_another_file_is_left_alone),
		CASE(no_such_file_has_no_key),
		CASE(another_programs_set_is_refused_and_left_alone),
		CASE(set_without_its_label_is_no_server_yet),
		CASE(server_killed_while_it_made_the_set_is_recovered),
	};

	return SUPPORT_MAIN(tests);
}

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
#include "tests/support/hasty.h"
#include "tests/support/scratch.h"
#include "tests/support/support.h"

enum { ALIVE, CREDITS, COUNT = 10 }; /* of the set: see gate.c */
enum { NEWBORN_MODE = 0621 };

static key_t key;

/* As if another server took ALIVE just behind the look at it. */
static bool looks_unserved;

int __real_semctl(int set, int number, int command, ...);
int __wrap_semctl(int set, int number, int command, ...);

int __wrap_semctl(int set, int number, int command, ...)
{
	union semun arg;
	va_list list;

	va_start(list, command);
	arg = va_arg(list, union semun);
	va_end(list);
	if (looks_unserved && command == GETVAL)
		return 0;
	return __real_semctl(set, number, command, arg);
}

static int set_up(void **state)
{
	(void)state;
	is_hasty = true; /* the patience with a set in the making */
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
	assert_true(gate_is_ours(set));
	assert_true(gate_is_served(set));
}

static void of_two_who_find_it_unserved_one_serves(void **state)
{
	bool is_new;
	int rc;

	(void)state;
	assert_true(take(GATE_NO_FILE, &is_new) >= 0);
	looks_unserved = true;
	rc = take(GATE_NO_FILE, &is_new);
	looks_unserved = false;
	assert_int_equal(rc, -EADDRINUSE);
}

static int set_alive(void *arg)
{
	return semctl(*(int *)arg, ALIVE, SETVAL, (union semun){.val = 1}) < 0;
}

/* Who may write to the set can say that it is served; not that it is by us. */
static void set_that_another_has_taken_is_not_ours(void **state)
{
	bool is_new;
	int set = take(GATE_NO_FILE, &is_new);

	(void)state;
	assert_true(gate_is_ours(set));
	assert_int_equal(support_child_status(set_alive, &set, 20000), 0);
	assert_true(gate_is_served(set));
	assert_false(gate_is_ours(set));
}

/* What a semaphore can count, where kernel.msgmnb is larger. */
static void room_beyond_a_semaphore_is_as_much_as_it_holds(void **state)
{
	bool is_new;
	int set = take(GATE_NO_FILE, &is_new);

	(void)state;
	assert_int_equal(gate_open(set, 70000), 0);
	assert_int_equal(semctl(set, CREDITS, GETVAL), 32767);
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

/* Made with our mode, even, and used without semop(2), as by SETVAL. */
static void unfinished_set_that_has_a_value_is_left_alone(void **state)
{
	const union semun five = {.val = 5};
	bool is_new;
	int set;

	(void)state;
	for (int i = ALIVE; i <= CREDITS + 1; i++) {
		set = semget(key, COUNT, IPC_CREAT | IPC_EXCL | NEWBORN_MODE);
		assert_int_equal(semctl(set, i, SETVAL, five), 0);
		assert_int_equal(take(GATE_NO_FILE, &is_new), -ENOTUNIQ);
		assert_int_equal(semctl(set, i, GETVAL), 5);
		assert_int_equal(semctl(set, 0, IPC_RMID), 0);
	}
}

static void set_without_its_label_is_no_server_yet(void **state)
{
	struct gate_server server;

	(void)state;
	assert_true(semget(key, COUNT, IPC_CREAT | IPC_EXCL | NEWBORN_MODE) >=
		    0);
	assert_int_equal(gate_find(key, GATE_NO_FILE, GATE_NO_OTHER, &server),
			 -ENOENT);
}

static void server_killed_while_it_made_the_set_is_recovered(void **state)
{
	int64_t patient_until;
	bool is_new = false;

	(void)state;
	/* The state after semget(2) of the creator: ten semaphores, and a mode
	 * that nobody gives. It may be at work still. */
	patient_until = tick_after(TICK_S);
	assert_true(semget(key, COUNT, IPC_CREAT | IPC_EXCL | NEWBORN_MODE) >=
		    0);
	assert_true(take(GATE_NO_FILE, &is_new) >= 0);
	assert_true(tick_is_over(patient_until));
	assert_true(is_new);
}

static void no_time_left_to_begin_anew_is_a_timeout(void **state)
{
	bool is_new;

	(void)state;
	assert_true(semget(key, COUNT, IPC_CREAT | IPC_EXCL | NEWBORN_MODE) >=
		    0);
	assert_int_equal(
		gate_take(key, GATE_NO_FILE, 0600, tick_after(0), &is_new),
		-ETIMEDOUT);
	assert_int_equal(semget(key, 0, 0), -1);
}

/* ---- whom one may trust ---- */

static void both_who_made_it_and_who_has_it_must_be_trusted(void **state)
{
	const uid_t me = geteuid(), friend = me + 1, other = me + 2;
	const struct {
		uid_t uid, cuid, named;
		bool is_trusted;
	} cases[] = {
		{me, me, GATE_NO_OTHER, true},
		{0, 0, GATE_NO_OTHER, true},
		{me, 0, GATE_NO_OTHER, true},
		{other, me, GATE_NO_OTHER, false},
		{me, other, GATE_NO_OTHER, false},
		{other, other, GATE_NO_OTHER, false},
		{friend, friend, friend, true},
		{friend, me, friend, true},
		{other, friend, friend, false},
		{friend, other, friend, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			gate_trusts(&(struct ipc_perm){.uid = cases[i].uid,
						       .cuid = cases[i].cuid},
				    cases[i].named),
			cases[i].is_trusted);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(only_one_serves),
		CASE(of_two_who_find_it_unserved_one_serves),
		CASE(set_that_another_has_taken_is_not_ours),
		CASE(room_beyond_a_semaphore_is_as_much_as_it_holds),
		CASE(killed_server_is_known_at_once),
		CASE(room_of_a_killed_client_comes_back),
		CASE(no_room_is_a_timeout),
		CASE(files_with_one_key_are_told_apart),
		CASE(dead_servers_set_of_another_file_is_left_alone),
		CASE(no_such_file_has_no_key),
		CASE(another_programs_set_is_refused_and_left_alone),
		CASE(unfinished_set_that_has_a_value_is_left_alone),
		CASE(set_without_its_label_is_no_server_yet),
		CASE(server_killed_while_it_made_the_set_is_recovered),
		CASE(no_time_left_to_begin_anew_is_a_timeout),
		CASE(both_who_made_it_and_who_has_it_must_be_trusted),
	};

	return SUPPORT_MAIN(tests);
}

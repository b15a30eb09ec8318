/* The contract of p11-barrier/sysv_barrier.h, with processes as
 * participants. */
#include "p11-barrier/sysv_barrier.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <unistd.h>

#include "lib/sysv.h"
#include "p11-barrier/semset.h"
#include "tests/lib/identity_fixture.h"
#include "tests/p11/fixture.h"

enum { KEY = 0x11223344 };

static struct leftover before;

/* ---- rounds ---- */

static void nobody_is_ahead_and_one_is_serial(void **state)
{
	static const unsigned int participants[] = {2, 5, 8, 1};

	(void)state;
	for (size_t i = 0; i < sizeof(participants) / sizeof(participants[0]);
	     i++) {
		struct ground *ground = ground_make(participants[i], 200);

		ground_start(ground, participant_run_rounds, 0);
		ground_end(ground);
		assert_int_equal(ground->serial, ground->rounds);
		ground_remove(ground);
	}
}

/* Participant 1 never comes to the second round. */
static int stay_away(void *arg)
{
	struct participant *participant = arg;
	struct sysv_barrier barrier;

	if (participant->index != 1)
		return participant_run_rounds(arg);
	if (participant_join(participant, &barrier))
		return 1;
	participant->ground->at[1] = 1;
	participant_meet(participant, &barrier);
	for (;;)
		pause();
}

static bool are_two_inside(void *arg)
{
	struct ground *ground = arg;
	struct sysv_barrier_state look;

	return sysv_barrier_look(ground->id, &look) == 0 && look.inside == 2 &&
	       ground->at[0] == 2 && ground->at[2] == 2 &&
	       ground->doing[1] == BETWEEN;
}

static void deadlock_is_told_with_what_each_waits_for(void **state)
{
	struct ground *ground = ground_make(3, 2);
	FILE *to;
	char *text = NULL;
	size_t len;
	int status;

	(void)state;
	ground_start(ground, stay_away, 0);
	assert_true(support_wait_until(are_two_inside, ground, 10000));
	to = open_memstream(&text, &len);
	assert_non_null(to);
	ground_describe(ground, to);
	fclose(to);
	for (unsigned int i = 0; i < ground->participants; i++)
		child_end(ground->pid[i], 0, &status);
	assert_string_equal(text,
			    "participant 0 waits, round 2\n"
			    "participant 1 does not wait, round 1\n"
			    "participant 2 waits, round 2\n"
			    "barrier: 3 of 3 joined, 2 arrived, 2 inside\n");
	free(text);
	ground_remove(ground);
}

/* ---- death ---- */

static int join_and_die(void *arg)
{
	struct sysv_barrier barrier;

	return sysv_barrier_join(&barrier, *(int *)arg) ? 1 : 0;
}

static void participant_that_ends_before_any_round_breaks_it(void **state)
{
	struct ground *ground = ground_make(2, 1);
	struct sysv_barrier barrier, late;

	(void)state;
	assert_int_equal(sysv_barrier_join(&barrier, ground->id), 0);
	assert_int_equal(support_child_status(join_and_die, &ground->id, 20000),
			 0);
	/* It is dead, so there is nothing to wait for. */
	assert_int_equal(sysv_barrier_wait_until(&barrier, tick_after(LIMIT)),
			 SYSV_BARRIER_BROKEN);
	assert_int_equal(sysv_barrier_join(&late, ground->id),
			 SYSV_BARRIER_BROKEN);
	ground_remove(ground);
}

static void participant_that_closed_leaves_its_place_to_another(void **state)
{
	struct ground *ground = ground_make(1, 1);
	struct sysv_barrier first, second;
	struct sysv_barrier_state look;

	(void)state;
	assert_int_equal(sysv_barrier_join(&first, ground->id), 0);
	assert_int_equal(sysv_barrier_wait(&first), SYSV_BARRIER_SERIAL);
	assert_int_equal(sysv_barrier_join(&second, ground->id), -EUSERS);
	assert_int_equal(sysv_barrier_close(&first), 0);
	assert_int_equal(sysv_barrier_join(&second, ground->id), 0);
	assert_int_equal(sysv_barrier_wait(&second), SYSV_BARRIER_SERIAL);
	assert_int_equal(sysv_barrier_look(ground->id, &look), 0);
	assert_int_equal(look.participants, 1);
	assert_false(look.is_broken);
	assert_int_equal(sysv_barrier_close(&second), 0);
	ground_remove(ground);
}

/* ---- who is no participant ---- */

static void closing_twice_frees_one_place(void **state)
{
	struct ground *ground = ground_make(2, 1);
	struct sysv_barrier first, second, third, late;

	(void)state;
	assert_int_equal(sysv_barrier_join(&first, ground->id), 0);
	assert_int_equal(sysv_barrier_join(&second, ground->id), 0);
	assert_int_equal(sysv_barrier_close(&first), 0);
	assert_int_equal(sysv_barrier_close(&first), -EINVAL);
	assert_int_equal(sysv_barrier_wait_until(&first, tick_after(LIMIT)),
			 -EINVAL);
	/* The second one's place is still taken. */
	assert_int_equal(sysv_barrier_join(&third, ground->id), 0);
	assert_int_equal(sysv_barrier_join(&late, ground->id), -EUSERS);
	assert_int_equal(sysv_barrier_close(&late), -EINVAL);
	/* And no round passes without it. */
	assert_int_equal(sysv_barrier_wait_until(&third, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(sysv_barrier_close(&second), 0);
	assert_int_equal(sysv_barrier_close(&third), 0);
	ground_remove(ground);
}

static void what_was_not_opened_is_closed(void **state)
{
	struct sysv_barrier barrier;

	(void)state;
	memset(&barrier, 0xff, sizeof(barrier));
	assert_int_equal(sysv_barrier_open(&barrier, IPC_PRIVATE, 0), -ENOENT);
	assert_int_equal(sysv_barrier_close(&barrier), -EINVAL);
	memset(&barrier, 0, sizeof(barrier));
	assert_int_equal(sysv_barrier_close(&barrier), -EINVAL);
}

static int use_inherited(void *arg)
{
	struct sysv_barrier *barrier = arg;

	if (sysv_barrier_wait_until(barrier, tick_after(LIMIT)) != -EINVAL)
		return 1;
	if (sysv_barrier_close(barrier) != -EINVAL)
		return 2;
	return sysv_barrier_close(barrier) == -EINVAL ? 0 : 3;
}

static void forked_child_is_no_participant(void **state)
{
	struct ground *ground = ground_make(1, 1);
	struct sysv_barrier_state look;
	struct sysv_barrier barrier;

	(void)state;
	assert_int_equal(sysv_barrier_join(&barrier, ground->id), 0);
	assert_int_equal(support_child_status(use_inherited, &barrier, 20000),
			 0);
	assert_int_equal(sysv_barrier_look(ground->id, &look), 0);
	assert_int_equal(look.participants, 1);
	assert_false(look.is_broken);
	assert_int_equal(sysv_barrier_wait_until(&barrier, tick_after(LIMIT)),
			 SYSV_BARRIER_SERIAL);
	assert_int_equal(sysv_barrier_close(&barrier), 0);
	ground_remove(ground);
}

/* The first process of a PID namespace, whose child is the first of another:
 * both have pid 1. */
static int fork_into_another(void *arg)
{
	struct inside inside = {.flags = CLONE_NEWPID, .keeps_proc = true};
	int *id = arg;
	struct sysv_barrier barrier;

	EXPECT(getpid() == 1);
	EXPECT(sysv_barrier_join(&barrier, *id) == 0);
	inside.body = use_inherited;
	inside.arg = &barrier;
	if (unshare_as_anybody(inside.flags))
		return NOT_PERMITTED;
	EXPECT(status_of_fork(use_inherited, &barrier) == 0);
	EXPECT(sysv_barrier_close(&barrier) == 0);
	return 0;
}

static void child_with_the_same_pid_is_no_participant(void **state)
{
	struct ground *ground = ground_make(1, 1);

	(void)state;
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = fork_into_another,
				 .arg = &ground->id,
			 }),
			 0);
	ground_remove(ground);
}

static void death_in_another_pid_namespace_is_notified(void **state)
{
	struct ground *ground = ground_make(2, 1);
	struct sysv_barrier barrier;

	(void)state;
	assert_int_equal(sysv_barrier_join(&barrier, ground->id), 0);
	assert_int_equal(status_inside((struct inside){
				 .flags = CLONE_NEWPID | CLONE_NEWNS,
				 .body = join_and_die,
				 .arg = &ground->id,
			 }),
			 0);
	assert_int_equal(sysv_barrier_wait_until(&barrier, tick_after(LIMIT)),
			 SYSV_BARRIER_BROKEN);
	assert_int_equal(sysv_barrier_close(&barrier), 0);
	ground_remove(ground);
}

/* ---- deadlines and the end ---- */

/* The one participant of two that is there is in no round. */
static void assert_withdrawn(const struct ground *ground)
{
	struct sysv_barrier_state look;

	assert_int_equal(sysv_barrier_look(ground->id, &look), 0);
	assert_int_equal(look.participants, 1);
	assert_int_equal(look.arrived, 0);
	assert_int_equal(look.inside, 0);
}

/* And comes again, and now the other is there. */
static void come_again(struct ground *ground, struct sysv_barrier *barrier)
{
	struct participant other = {ground, 1, 0};
	int rc;

	ground->at[0] = 1;
	assert_int_equal(
		child_fork(participant_run_rounds, &other, &ground->pid[1]), 0);
	rc = sysv_barrier_wait_until(barrier, tick_after(LIMIT));
	assert_true(rc == 0 || rc == SYSV_BARRIER_SERIAL);
	assert_int_equal(ground_end_one(ground, 1), 0);
	assert_int_equal(ground->serial + (rc == SYSV_BARRIER_SERIAL), 1);
	assert_int_equal(sysv_barrier_close(barrier), 0);
}

static void late_participant_withdraws_and_may_come_again(void **state)
{
	struct ground *ground = ground_make(2, 1);
	struct sysv_barrier barrier;

	(void)state;
	assert_int_equal(sysv_barrier_join(&barrier, ground->id), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sysv_barrier_wait_until(
					 &barrier, tick_after(5 * TICK_MS)),
				 -ETIMEDOUT);
		assert_withdrawn(ground);
	}
	come_again(ground, &barrier);
	ground_remove(ground);
}

static void interrupted_participant_withdraws_and_may_come_again(void **state)
{
	struct ground *ground = ground_make(2, 1);
	struct sysv_barrier barrier;
	int rc;

	(void)state;
	assert_int_equal(sysv_barrier_join(&barrier, ground->id), 0);
	interrupt_start();
	rc = sysv_barrier_wait_until(&barrier, tick_after(LIMIT));
	interrupt_stop();
	assert_int_equal(rc, -EINTR);
	assert_withdrawn(ground);
	come_again(ground, &barrier);
	ground_remove(ground);
}

static int wait_for_removal(void *arg)
{
	struct ground *ground = arg;
	struct sysv_barrier barrier;

	if (sysv_barrier_join(&barrier, ground->id))
		return 1;
	return sysv_barrier_wait_until(&barrier, tick_after(LIMIT)) == -EIDRM
		       ? 0
		       : 2;
}

static bool is_someone_inside(void *arg)
{
	struct sysv_barrier_state look;

	return sysv_barrier_look(*(int *)arg, &look) == 0 && look.inside > 0;
}

static void unfinished_round_is_not_destroyed_but_can_be_removed(void **state)
{
	struct ground *ground = ground_make(2, 1);

	(void)state;
	assert_int_equal(child_fork(wait_for_removal, ground, &ground->pid[0]),
			 0);
	assert_true(support_wait_until(is_someone_inside, &ground->id, 20000));
	assert_int_equal(sysv_barrier_destroy(ground->id), -EBUSY);
	assert_int_equal(semctl(ground->id, 0, IPC_RMID), 0);
	assert_int_equal(ground_end_one(ground, 0), 0);
	assert_int_equal(sysv_barrier_destroy(ground->id), -EIDRM);
	ground_leave(ground);
}

/* ---- making and finding ---- */

static void counts_outside_the_limits_are_refused(void **state)
{
	struct sysv_barrier_state look;
	int id;

	(void)state;
	assert_int_equal(sysv_barrier_create(IPC_PRIVATE, 0, 0600), -EINVAL);
	assert_int_equal(
		sysv_barrier_create(IPC_PRIVATE, SYSV_BARRIER_MAX + 1, 0600),
		-EINVAL);
	id = sysv_barrier_create(IPC_PRIVATE, SYSV_BARRIER_MAX, 0600);
	assert_true(id >= 0);
	assert_int_equal(sysv_barrier_look(id, &look), 0);
	assert_int_equal(look.count, SYSV_BARRIER_MAX);
	assert_int_equal(sysv_barrier_destroy(id), 0);
}

static int create_and_die(void *arg)
{
	return sysv_barrier_create(KEY, *(unsigned int *)arg, 0600) < 0;
}

static void dead_ones_are_replaced_and_living_ones_are_not(void **state)
{
	struct sysv_barrier barrier;
	unsigned int count = 3;
	int id;

	(void)state;
	before = leftover_count();
	assert_int_equal(sysv_barrier_reap(KEY), -ENOENT);
	assert_int_equal(support_child_status(create_and_die, &count, 20000),
			 0);
	id = sysv_barrier_create(KEY, 2, 0600);
	assert_true(id >= 0);
	assert_int_equal(sysv_barrier_create(KEY, 2, 0600), -EBUSY);
	assert_int_equal(sysv_barrier_destroy(id), 0);
	/* Its creator is dead, but a participant is not. */
	assert_int_equal(support_child_status(create_and_die, &count, 20000),
			 0);
	assert_int_equal(sysv_barrier_open(&barrier, KEY, tick_after(LIMIT)),
			 0);
	assert_int_equal(sysv_barrier_reap(KEY), -EBUSY);
	assert_int_equal(sysv_barrier_close(&barrier), 0);
	assert_int_equal(sysv_barrier_reap(KEY), 0);
	leftover_assert_same(&before);
}

static int create_join_and_die(void *arg)
{
	struct sysv_barrier participants[2];
	int id = sysv_barrier_create(KEY, 2, 0600);

	(void)arg;
	for (int i = 0; i < 2; i++)
		if (sysv_barrier_join(&participants[i], id))
			return 1;
	return 0;
}

static void dead_participants_are_replaced_with_their_barrier(void **state)
{
	int id;

	(void)state;
	before = leftover_count();
	assert_int_equal(support_child_status(create_join_and_die, NULL, 20000),
			 0);
	id = sysv_barrier_create(KEY, 2, 0600);
	assert_true(id >= 0);
	assert_int_equal(sysv_barrier_destroy(id), 0);
	leftover_assert_same(&before);
}

static int join_and_leave(void *arg)
{
	struct sysv_barrier barrier;

	return sysv_barrier_join(&barrier, *(int *)arg) ||
	       sysv_barrier_close(&barrier);
}

/* Nor does the exit of who has left, in either of the two phases. */
static void leaving_in_order_leaves_no_trace(void **state)
{
	struct ground *ground = ground_make(1, 1);
	unsigned short then[SEMAPHORES], now[SEMAPHORES];
	union semun was = {.array = then}, is = {.array = now};
	struct sysv_barrier barrier;

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(semctl(ground->id, 0, GETALL, was), 0);
		assert_int_equal(support_child_status(join_and_leave,
						      &ground->id, 20000),
				 0);
		assert_int_equal(semctl(ground->id, 0, GETALL, is), 0);
		assert_memory_equal(then, now, sizeof(now));
		assert_int_equal(sysv_barrier_join(&barrier, ground->id), 0);
		assert_int_equal(
			sysv_barrier_wait_until(&barrier, tick_after(LIMIT)),
			SYSV_BARRIER_SERIAL);
		assert_int_equal(sysv_barrier_close(&barrier), 0);
	}
	ground_remove(ground);
}

static void set_that_was_removed_is_notified(void **state)
{
	struct sysv_barrier_state look;
	struct sysv_barrier barrier;
	int id;

	(void)state;
	before = leftover_count();
	id = sysv_barrier_create(IPC_PRIVATE, 1, 0600);
	assert_int_equal(sysv_barrier_join(&barrier, id), 0);
	assert_int_equal(semctl(id, 0, IPC_RMID), 0);
	assert_int_equal(sysv_barrier_wait_until(&barrier, 0), -EIDRM);
	assert_int_equal(sysv_barrier_look(id, &look), -EIDRM);
	assert_int_equal(sysv_barrier_close(&barrier), -EIDRM);
	assert_int_equal(sysv_barrier_join(&barrier, id), -EIDRM);
	assert_int_equal(sysv_barrier_destroy(id), -EIDRM);
	leftover_assert_same(&before);
}

/* Nothing tells it from a set of somebody else, who has yet to fill it. */
static void empty_one_is_waited_for_and_left_alone(void **state)
{
	struct sysv_barrier barrier;
	int id;

	(void)state;
	before = leftover_count();
	/* Its creator came as far as semget(2). */
	id = sysv_barrier_create(KEY, 2, 0600);
	assert_true(id >= 0);
	struct semid_ds set = {0};
	union semun arg = {.buf = &set};
	assert_int_equal(semctl(id, 0, IPC_STAT, arg), 0);
	assert_int_equal(sysv_barrier_destroy(id), 0);
	assert_true(semget(KEY, (int)set.sem_nsems, IPC_CREAT | 0600) >= 0);

	assert_int_equal(
		sysv_barrier_open(&barrier, KEY, tick_after(5 * TICK_MS)),
		-ETIMEDOUT);
	assert_int_equal(sysv_barrier_reap(KEY), -ETIMEDOUT);
	assert_int_equal(sysv_barrier_create(KEY, 2, 0600), -ETIMEDOUT);
	id = semget(KEY, 0, 0);
	assert_int_equal(semctl(id, 0, GETVAL), 0);
	assert_int_equal(sysv_barrier_destroy(id), -EBADMSG);
	assert_int_equal(semctl(id, 0, IPC_RMID), 0);
	leftover_assert_same(&before);
}

static int create_as_nobody(void *arg)
{
	(void)arg;
	return setgid(65534) || setuid(65534) ||
	       sysv_barrier_create(KEY, 1, 0666) < 0;
}

/* Root is no exception; who has the id from somebody whom he trusts may
 * join. */
static void what_another_user_put_in_our_way_is_not_joined(void **state)
{
	struct sysv_barrier barrier;
	int id;

	(void)state;
	support_need_second_user();
	before = leftover_count();
	assert_int_equal(support_child_status(create_as_nobody, NULL, 20000),
			 0);
	id = semget(KEY, 0, 0);
	assert_true(id >= 0);
	assert_int_equal(sysv_barrier_open(&barrier, KEY, tick_after(LIMIT)),
			 -EACCES);
	assert_int_equal(sysv_barrier_reap(KEY), -EACCES);
	assert_int_equal(sysv_barrier_create(KEY, 1, 0600), -EACCES);
	assert_int_equal(sysv_barrier_join(&barrier, id), 0);
	assert_int_equal(sysv_barrier_close(&barrier), 0);
	assert_int_equal(sysv_barrier_destroy(id), 0);
	leftover_assert_same(&before);
}

static void set_of_something_else_is_left_alone(void **state)
{
	/* How many semaphores, and what the first two count. */
	const unsigned short sets[][3] = {
		{1, 1, 2},     {10, 1, 2},     {16, 1, 2},
		{9, MAGIC, 2}, {16, MAGIC, 2}, {10, MAGIC, 0},
	};
	struct sysv_barrier barrier;

	(void)state;
	before = leftover_count();
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		unsigned short values[16] = {sets[i][1], sets[i][2], 3};
		int id = sysv_sem_create(KEY, sets[i][0], values, 0600);

		assert_true(id >= 0);
		assert_int_equal(sysv_barrier_join(&barrier, id), -EBADMSG);
		assert_int_equal(sysv_barrier_create(KEY, 2, 0600), -EEXIST);
		assert_int_equal(
			sysv_barrier_open(&barrier, KEY, tick_after(LIMIT)),
			-EBADMSG);
		assert_int_equal(semctl(id, 0, GETVAL), values[0]);
		semctl(id, 0, IPC_RMID);
	}
	leftover_assert_same(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_ahead_and_one_is_serial),
		cmocka_unit_test(deadlock_is_told_with_what_each_waits_for),
		cmocka_unit_test(
			participant_that_ends_before_any_round_breaks_it),
		cmocka_unit_test(
			participant_that_closed_leaves_its_place_to_another),
		cmocka_unit_test(late_participant_withdraws_and_may_come_again),
		cmocka_unit_test(
			interrupted_participant_withdraws_and_may_come_again),
		cmocka_unit_test(
			unfinished_round_is_not_destroyed_but_can_be_removed),
		cmocka_unit_test(counts_outside_the_limits_are_refused),
		cmocka_unit_test(
			dead_ones_are_replaced_and_living_ones_are_not),
		cmocka_unit_test(
			dead_participants_are_replaced_with_their_barrier),
		cmocka_unit_test(leaving_in_order_leaves_no_trace),
		cmocka_unit_test(set_that_was_removed_is_notified),
		cmocka_unit_test(closing_twice_frees_one_place),
		cmocka_unit_test(what_was_not_opened_is_closed),
		cmocka_unit_test(forked_child_is_no_participant),
		cmocka_unit_test(child_with_the_same_pid_is_no_participant),
		cmocka_unit_test(death_in_another_pid_namespace_is_notified),
		cmocka_unit_test(empty_one_is_waited_for_and_left_alone),
		cmocka_unit_test(
			what_another_user_put_in_our_way_is_not_joined),
		cmocka_unit_test(set_of_something_else_is_left_alone),
	};
	return SUPPORT_MAIN(tests);
}

/* Linked with --wrap=tick_sleep_until and --wrap=semget: what another process
 * would do in between is done there, at exactly that point. */
#include "lib/sysv.h"

#include "tests/support/interrupt.h"
#include "tests/support/support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/tick.h"

#define SEMVMX 32767

/* Called once, at the next pause or semget(2), instead of nothing. */
static void (*meanwhile)(void);
static int pauses;

static void let_others_work(void)
{
	void (*work)(void) = meanwhile;

	meanwhile = NULL;
	if (work)
		work();
}

int __real_tick_sleep_until(int64_t moment);
int __wrap_tick_sleep_until(int64_t moment);
int __wrap_tick_sleep_until(int64_t moment)
{
	pauses++;
	if (meanwhile) {
		let_others_work();
		return 0;
	}
	return __real_tick_sleep_until(moment);
}

static int semgets_left;        /* until others work */
static bool is_removed_at_once; /* what semget(2) makes */
static int64_t elusive_until;   /* there for its creators, for openers not */

int __real_semget(key_t key, int n, int flags);
int __wrap_semget(key_t key, int n, int flags);
int __wrap_semget(key_t key, int n, int flags)
{
	if (semgets_left > 0 && --semgets_left == 0)
		let_others_work();
	if (!tick_is_over(elusive_until)) {
		errno = flags & IPC_CREAT ? EEXIST : ENOENT;
		return -1;
	}
	int id = __real_semget(key, n, flags);

	if (is_removed_at_once && id >= 0)
		semctl(id, 0, IPC_RMID);
	return id;
}

/* ---- a key and a set of this test's own ------------------------------------------- */

static key_t key;

static int set_up(void **state)
{
	(void)state;
	key = (key_t)(0x55000000 | (getpid() & 0xffffff));
	meanwhile = NULL;
	semgets_left = pauses = 0;
	return semget(key, 0, 0) < 0 && errno == ENOENT ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return semget(key, 0, 0) < 0 && errno == ENOENT ? 0 : -1;
}

static int value_of(int id, int index)
{
	return semctl(id, index, GETVAL);
}

static void remove_set(void)
{
	semctl(__real_semget(key, 0, 0), 0, IPC_RMID);
}

static time_t last_use(int id)
{
	struct semid_ds set = {0};
	union semun arg = {.buf = &set};

	semctl(id, 0, IPC_STAT, arg);
	return set.sem_otime;
}

/* ---- create ------------------------------------------------------------------------ */

static void created_set_has_its_values_and_was_used(void **state)
{
	/* From 0 and from the maximum there is one way only. */
	static const unsigned short values[][2] = {
		{0, 5}, {1, 0}, {SEMVMX, SEMVMX}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		int id = sysv_sem_create(key, 2, values[i], 0600);

		assert_true(id >= 0);
		assert_int_equal(value_of(id, 0), values[i][0]);
		assert_int_equal(value_of(id, 1), values[i][1]);
		assert_true(last_use(id) != 0);
		remove_set();
	}
}

static void second_creator_is_told_and_changes_nothing(void **state)
{
	const unsigned short one = 1, nine = 9;
	int id = sysv_sem_create(key, 1, &one, 0600);

	(void)state;
	assert_true(id >= 0);
	assert_int_equal(sysv_sem_create(key, 1, &nine, 0600), -EEXIST);
	assert_int_equal(value_of(id, 0), 1);
	remove_set();
}

static void private_set_is_a_new_one_each_time(void **state)
{
	const unsigned short one = 1;
	int a = sysv_sem_create(IPC_PRIVATE, 1, &one, 0600);
	int b = sysv_sem_create(IPC_PRIVATE, 1, &one, 0600);

	(void)state;
	assert_true(a >= 0 && b >= 0 && a != b);
	semctl(a, 0, IPC_RMID);
	semctl(b, 0, IPC_RMID);
}

static void creation_that_fails_leaves_nothing(void **state)
{
	const unsigned short too_large = SEMVMX + 1;
	const unsigned short values[2] = {1, SEMVMX + 1};

	(void)state;
	assert_int_equal(sysv_sem_create(key, 1, &too_large, 0600), -ERANGE);
	assert_int_equal(sysv_sem_create(key, 2, values, 0600), -ERANGE);
	assert_int_equal(sysv_sem_create(key, 0, values, 0600), -EINVAL);
	assert_int_equal(semget(key, 0, 0), -1);
}

static void set_removed_before_it_has_values_is_told(void **state)
{
	const unsigned short one = 1;

	(void)state;
	is_removed_at_once = true;
	assert_int_equal(sysv_sem_create(key, 1, &one, 0600), -EIDRM);
	is_removed_at_once = false;
}

/* ---- open ---------------------------------------------------------------------------- */

static void set_is_removed_only_if_it_is_the_one_that_was_noted(void **state)
{
	const unsigned short one = 1;
	struct identity_object made, other;
	int id = sysv_sem_create(key, 1, &one, 0600);
	int foreign = sysv_sem_create(IPC_PRIVATE, 1, &one, 0600);

	(void)state;
	assert_int_equal(identity_of_sysv(IDENTITY_SYSV_SEM, id, &made), 0);
	/* As if the id had been given again. */
	other = made;
	other.id = foreign;
	assert_int_equal(sysv_sem_remove(foreign, &other), -ESTALE);
	other = made;
	other.ctime_s--;
	assert_int_equal(sysv_sem_remove(id, &other), -ESTALE);
	assert_int_equal(semctl(id, 0, GETVAL), 1);
	/* From another IPC namespace, or when its boot is not known. */
	other = made;
	other.ipc.id++;
	other.ipc.inode++;
	assert_int_equal(sysv_sem_remove(id, &other), -EXDEV);
	assert_int_equal(semctl(id, 0, GETVAL), 1);
	assert_int_equal(sysv_sem_remove(id, &made), 0);
	assert_int_equal(semctl(id, 0, GETVAL), -1);
	assert_int_equal(sysv_sem_remove(id, &made), 0);
	assert_int_equal(semctl(foreign, 0, IPC_RMID), 0);
}

static void opening_what_is_not_there_fails_at_once(void **state)
{
	(void)state;
	assert_int_equal(sysv_sem_open(key, 1, TICK_NEVER), -ENOENT);
	assert_int_equal(sysv_sem_open(IPC_PRIVATE, 1, 0), -ENOENT);
}

static void opening_more_semaphores_than_there_are_is_refused(void **state)
{
	const unsigned short one = 1;

	(void)state;
	assert_true(sysv_sem_create(key, 1, &one, 0600) >= 0);
	assert_int_equal(sysv_sem_open(key, 2, TICK_NEVER), -EINVAL);
	remove_set();
}

/* The second half of creation, as a slow creator would do it. */
static void finish_creation(void)
{
	struct sembuf ops[2] = {{0, 1, 0}, {0, -1, 0}};
	int id = __real_semget(key, 0, 0);
	union semun arg = {.val = 5};

	semctl(id, 0, SETVAL, arg);
	semop(id, ops, 2);
}

static void opener_waits_until_the_creator_has_set_the_values(void **state)
{
	int born = semget(key, 1, IPC_CREAT | IPC_EXCL | 0600), id;

	(void)state;
	assert_true(born >= 0);
	meanwhile = finish_creation;
	id = sysv_sem_open(key, 1, tick_after(10 * TICK_S));
	assert_int_equal(id, born);
	assert_int_equal(value_of(id, 0), 5);
	assert_int_equal(pauses, 1);
	remove_set();
}

static void opener_gives_up_when_the_creator_died_in_between(void **state)
{
	int64_t start = tick_now();

	(void)state;
	assert_true(semget(key, 1, IPC_CREAT | IPC_EXCL | 0600) >= 0);
	assert_int_equal(sysv_sem_open(key, 1, start + 100 * TICK_MS),
			 -ETIMEDOUT);
	assert_true(tick_now() - start >= 100 * TICK_MS);
	/* It slept: 50 us doubled to 10 ms is some 20 pauses. */
	assert_in_range(pauses, 2, 30);
	/* A deadline in the past asks once and does not sleep. */
	pauses = 0;
	assert_int_equal(sysv_sem_open(key, 1, 0), -ETIMEDOUT);
	assert_int_equal(pauses, 0);
	remove_set();
}

static void set_that_goes_while_the_opener_waits_is_not_there(void **state)
{
	(void)state;
	assert_true(semget(key, 1, IPC_CREAT | IPC_EXCL | 0600) >= 0);
	meanwhile = remove_set;
	assert_int_equal(sysv_sem_open(key, 1, tick_after(10 * TICK_S)),
			 -ENOENT);
}

static void signal_ends_the_opener_s_wait(void **state)
{
	int result;

	(void)state;
	assert_true(semget(key, 1, IPC_CREAT | IPC_EXCL | 0600) >= 0);
	interrupt_start();
	result = sysv_sem_open(key, 1, tick_after(60 * TICK_S));
	interrupt_stop();
	assert_int_equal(result, -EINTR);
	remove_set();
}

/* ---- create or open --------------------------------------------------------------------- */

static void first_creates_and_second_opens(void **state)
{
	const unsigned short one = 1, nine = 9;
	bool created = false;
	int a, b;

	(void)state;
	a = sysv_sem_create_or_open(key, 1, &one, 0600, TICK_NEVER, &created);
	assert_true(a >= 0 && created);
	b = sysv_sem_create_or_open(key, 1, &nine, 0600, TICK_NEVER, &created);
	assert_int_equal(a, b);
	assert_false(created);
	assert_int_equal(value_of(b, 0), 1);
	remove_set();
}

static void set_removed_between_the_two_attempts_is_created_anew(void **state)
{
	const unsigned short one = 1, nine = 9;
	bool created = false;
	int id;

	(void)state;
	assert_true(sysv_sem_create(key, 1, &one, 0600) >= 0);
	semgets_left = 2; /* the first is that of the creation */
	meanwhile = remove_set;
	id = sysv_sem_create_or_open(key, 1, &nine, 0600,
				     tick_after(10 * TICK_S), &created);
	assert_true(id >= 0 && created);
	assert_int_equal(value_of(id, 0), 9);
	remove_set();
}

/* Others who make it and remove it all the time keep us for a limited time. */
static void set_that_comes_and_goes_is_given_up_at_the_deadline(void **state)
{
	const unsigned short one = 1;
	bool created = true;
	int id;

	(void)state;
	elusive_until = tick_after(10 * TICK_S);
	id = sysv_sem_create_or_open(key, 1, &one, 0600,
				     tick_after(5 * TICK_MS), &created);
	elusive_until = 0;
	if (id >= 0)
		remove_set();
	assert_int_equal(id, -ETIMEDOUT);
	assert_false(created);
}

/* 1: created it, 0: found it with its value, 2: anything else. */
static int create_or_open_in_child(void *arg)
{
	const unsigned short seven = 7;
	bool created;
	int id = sysv_sem_create_or_open(key, 1, &seven, 0600,
					 tick_after(10 * TICK_S), &created);

	(void)arg;
	if (id < 0 || value_of(id, 0) != 7)
		return 2;
	return created;
}

static void of_many_racers_one_creates_and_all_see_the_value(void **state)
{
	enum { RACERS = 8 };
	int rounds = support_is_stress() ? 500 : 20;
	pid_t pids[RACERS];
	int status, creators;

	(void)state;
	for (int round = 0; round < rounds; round++) {
		creators = 0;
		for (int i = 0; i < RACERS; i++)
			assert_int_equal(child_fork(create_or_open_in_child,
						    NULL, &pids[i]),
					 0);
		for (int i = 0; i < RACERS; i++) {
			assert_int_equal(child_wait(pids[i],
						    tick_after(20 * TICK_S),
						    &status),
					 0);
			assert_in_range(child_exit_code(status), 0, 1);
			creators += child_exit_code(status);
		}
		assert_int_equal(creators, 1);
		remove_set();
	}
}

int main(void)
{
#define WITH_KEY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_KEY(created_set_has_its_values_and_was_used),
		WITH_KEY(second_creator_is_told_and_changes_nothing),
		WITH_KEY(private_set_is_a_new_one_each_time),
		WITH_KEY(creation_that_fails_leaves_nothing),
		WITH_KEY(set_removed_before_it_has_values_is_told),
		WITH_KEY(set_is_removed_only_if_it_is_the_one_that_was_noted),
		WITH_KEY(opening_what_is_not_there_fails_at_once),
		WITH_KEY(opening_more_semaphores_than_there_are_is_refused),
		WITH_KEY(opener_waits_until_the_creator_has_set_the_values),
		WITH_KEY(opener_gives_up_when_the_creator_died_in_between),
		WITH_KEY(set_that_goes_while_the_opener_waits_is_not_there),
		WITH_KEY(signal_ends_the_opener_s_wait),
		WITH_KEY(first_creates_and_second_opens),
		WITH_KEY(set_removed_between_the_two_attempts_is_created_anew),
		WITH_KEY(set_that_comes_and_goes_is_given_up_at_the_deadline),
		WITH_KEY(of_many_racers_one_creates_and_all_see_the_value),
	};

	return SUPPORT_MAIN(tests);
}

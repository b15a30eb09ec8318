/* The contract of p11-barrier/sysv_barrier.h with threads as participants, and
 * the moments that are too short to meet by chance: semtimedop(2) is wrapped,
 * so that a participant can be held between its arrival and its wait. */
#include "p11-barrier/sysv_barrier.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p11-barrier/semset.h"
#include "tests/support/leftover.h"
#include "tests/support/support.h"

#define LIMIT (10 * TICK_S)

/* ---- a participant that can be held ---- */

static _Thread_local bool is_held; /* hold the caller before it sleeps */
static atomic_bool is_before_wait, may_go;
static bool withdraws; /* another does, before the last one's release */
static atomic_int all_fail_with;     /* errno of every call; 0: none */
static atomic_int semget_fails_with; /* the same of semget(2) */
static atomic_int removed_at_once;   /* so many sets that semget(2) makes */

int __real_semget(key_t key, int n, int flags);
int __wrap_semget(key_t key, int n, int flags);

int __real_semtimedop(int id, struct sembuf *ops, size_t n,
		      const struct timespec *timeout);
int __wrap_semtimedop(int id, struct sembuf *ops, size_t n,
		      const struct timespec *timeout);

/* The wait is the one operation with a part that waits for 0 and may sleep. */
static bool is_wait(const struct sembuf *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ops[i].sem_op == 0 && !(ops[i].sem_flg & IPC_NOWAIT))
			return n > 1;
	return false;
}

static bool is_release(const struct sembuf *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ops[i].sem_num == PARITY)
			return true;
	return false;
}

static void hold(void)
{
	int64_t deadline = tick_after(LIMIT);

	atomic_store(&is_before_wait, true);
	while (!atomic_load(&may_go) && !tick_is_over(deadline))
		tick_sleep_until(tick_after(TICK_MS));
}

int __wrap_semtimedop(int id, struct sembuf *ops, size_t n,
		      const struct timespec *timeout)
{
	if (all_fail_with) {
		errno = all_fail_with;
		return -1;
	}
	if (is_held && is_wait(ops, n))
		hold();
	if (withdraws && is_release(ops, n)) {
		withdraws = false;
		__real_semtimedop(id, &(struct sembuf){REST, 1, 0}, 1, NULL);
	}
	return __real_semtimedop(id, ops, n, timeout);
}

struct held {
	int id;
	int rc, rc_next; /* of its wait, and of one more */
	bool is_again;
};

static void *run_held(void *arg)
{
	struct held *held = arg;
	struct sysv_barrier barrier;

	is_held = true;
	held->rc = sysv_barrier_join(&barrier, held->id);
	if (held->rc == 0)
		held->rc = sysv_barrier_wait_until(&barrier, tick_after(LIMIT));
	is_held = false;
	if (held->is_again)
		held->rc_next =
			sysv_barrier_wait_until(&barrier, tick_after(LIMIT));
	return NULL;
}

static bool is_set(void *arg)
{
	return atomic_load((atomic_bool *)arg);
}

static pthread_t start_held(struct held *held)
{
	pthread_t thread;

	atomic_store(&is_before_wait, false);
	atomic_store(&may_go, false);
	assert_int_equal(pthread_create(&thread, NULL, run_held, held), 0);
	assert_true(support_wait_until(is_set, &is_before_wait, 10000));
	return thread;
}

/* ---- the last one ---- */

static void last_one_does_not_release_when_another_has_withdrawn(void **state)
{
	const struct leftover before = leftover_count();
	int id = sysv_barrier_create(IPC_PRIVATE, 2, 0600);
	struct sysv_barrier_state look;
	struct sysv_barrier barrier;

	(void)state;
	assert_int_equal(sysv_barrier_join(&barrier, id), 0);
	/* The other has arrived. */
	assert_int_equal(semop(id, &(struct sembuf){REST, -1, 0}, 1), 0);
	withdraws = true;
	assert_int_equal(sysv_barrier_wait_until(&barrier, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_false(withdraws);
	assert_int_equal(sysv_barrier_look(id, &look), 0);
	assert_int_equal(look.arrived, 0);
	assert_int_equal(sysv_barrier_close(&barrier), 0);
	all_fail_with = EINVAL; /* removed after it was looked at */
	assert_int_equal(sysv_barrier_destroy(id), -EIDRM);
	all_fail_with = 0;
	assert_int_equal(sysv_barrier_destroy(id), 0);
	leftover_assert_same(&before);
}

/* Somebody has opened the turnstile, and nothing comes of trying. */
static void set_that_was_changed_keeps_nobody_beyond_the_deadline(void **state)
{
	const struct leftover before = leftover_count();
	int id = sysv_barrier_create(IPC_PRIVATE, 1, 0600);
	struct sysv_barrier barrier;

	(void)state;
	assert_int_equal(sysv_barrier_join(&barrier, id), 0);
	assert_int_equal(semop(id, &(struct sembuf){TURNSTILE_0, -1, 0}, 1), 0);
	assert_int_equal(sysv_barrier_wait_until(&barrier, tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(semctl(id, 0, IPC_RMID), 0);
	assert_int_equal(sysv_barrier_close(&barrier), -EIDRM);
	leftover_assert_same(&before);
}

/* ---- the page that is empty in a child ---- */

static int madvise_fails_with;

int __real_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice)
{
	if (!madvise_fails_with)
		return __real_madvise(at, bytes, advice);
	errno = madvise_fails_with;
	return -1;
}

/* Of our address space. */
static long count_pages(void)
{
	char text[32] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtol(text, NULL, 10);
}

static void no_page_is_left_by_who_leaves_or_cannot_join(void **state)
{
	int id = sysv_barrier_create(IPC_PRIVATE, 1, 0600);
	struct sysv_barrier barrier, second;
	long pages = count_pages();

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(sysv_barrier_join(&barrier, id), 0);
		assert_int_equal(sysv_barrier_join(&second, id), -EUSERS);
		assert_int_equal(sysv_barrier_close(&barrier), 0);
		madvise_fails_with = EINVAL;
		assert_int_equal(sysv_barrier_join(&barrier, id), -EINVAL);
		madvise_fails_with = 0;
	}
	assert_in_range(count_pages(), 0, pages + 50);
	assert_int_equal(sysv_barrier_destroy(id), 0);
}

/* ---- destroy ---- */

static void *destroy(void *arg)
{
	int *id = arg;

	*id = sysv_barrier_destroy(*id);
	return NULL;
}

/* The destroyer sleeps until somebody leaves, or has removed the set. */
static bool is_destroyer_waiting_or_done(void *arg)
{
	struct semid_ds set;
	int id = *(int *)arg;

	if (semctl(id, 0, IPC_STAT, &set) < 0)
		return true;
	for (int i = 0; i < (int)set.sem_nsems; i++)
		if (semctl(id, i, GETZCNT) > 0)
			return true;
	return false;
}

static void who_is_on_its_way_out_is_waited_for(void **state)
{
	struct held held = {.id = sysv_barrier_create(IPC_PRIVATE, 2, 0600)};
	pthread_t thread = start_held(&held), destroyer;
	struct sysv_barrier barrier;
	int result = held.id;

	(void)state;
	assert_int_equal(sysv_barrier_join(&barrier, held.id), 0);
	assert_int_equal(sysv_barrier_wait_until(&barrier, tick_after(LIMIT)),
			 SYSV_BARRIER_SERIAL);
	assert_int_equal(pthread_create(&destroyer, NULL, destroy, &result), 0);
	assert_true(support_wait_until(is_destroyer_waiting_or_done, &held.id,
				       5000));
	atomic_store(&may_go, true);
	pthread_join(thread, NULL);
	pthread_join(destroyer, NULL);
	assert_int_equal(held.rc, 0);
	assert_int_equal(result, 0);
	assert_int_equal(semctl(held.id, 0, GETVAL), -1);
}

/* ---- a round that was complete before a death ---- */

static int meet_and_die(void *arg)
{
	struct sysv_barrier barrier;

	if (sysv_barrier_join(&barrier, *(int *)arg))
		return 1;
	return sysv_barrier_wait_until(&barrier, tick_after(LIMIT)) ==
			       SYSV_BARRIER_SERIAL
		       ? 0
		       : 2;
}

static void complete_round_stays_complete_when_a_participant_dies(void **state)
{
	struct held held = {.id = sysv_barrier_create(IPC_PRIVATE, 2, 0600),
			    .is_again = true};
	pthread_t thread = start_held(&held);

	(void)state;
	assert_int_equal(support_child_status(meet_and_die, &held.id, 20000),
			 0);
	atomic_store(&may_go, true);
	pthread_join(thread, NULL);
	assert_int_equal(held.rc, 0);
	assert_int_equal(held.rc_next, SYSV_BARRIER_BROKEN);
	assert_int_equal(sysv_barrier_destroy(held.id), 0);
}

/* ---- threads that meet ---- */

enum { THREADS = 4, ROUNDS = 200 };

/* Relaxed, as the barrier orders what its participants do; but no sanitizer
 * knows that a semaphore does, so that the accesses have to be atomic. */
struct field {
	int id, error;
	unsigned int at[THREADS];
	atomic_uint serial;
};

struct runner {
	struct field *field;
	unsigned int index;
};

static void *run_rounds(void *arg)
{
	struct runner *runner = arg;
	struct field *field = runner->field;
	struct sysv_barrier barrier;
	int rc = sysv_barrier_join(&barrier, field->id);

	for (unsigned int round = 1; !rc && round <= ROUNDS; round++) {
		__atomic_store_n(&field->at[runner->index], round,
				 __ATOMIC_RELAXED);
		rc = sysv_barrier_wait_until(&barrier, tick_after(LIMIT));
		if (rc == SYSV_BARRIER_SERIAL) {
			atomic_fetch_add(&field->serial, 1);
			rc = 0;
		}
		for (unsigned int i = 0; !rc && i < THREADS; i++) {
			unsigned int at = __atomic_load_n(&field->at[i],
							  __ATOMIC_RELAXED);

			if (at < round || at > round + 1)
				rc = -EBADMSG;
		}
	}
	if (!rc)
		rc = sysv_barrier_close(&barrier);
	if (rc)
		__atomic_store_n(&field->error, rc, __ATOMIC_RELAXED);
	return NULL;
}

static void threads_meet_as_processes_do(void **state)
{
	struct field field = {
		.id = sysv_barrier_create(IPC_PRIVATE, THREADS, 0600)};
	struct runner runner[THREADS];
	pthread_t thread[THREADS];

	(void)state;
	for (unsigned int i = 0; i < THREADS; i++) {
		runner[i] = (struct runner){&field, i};
		assert_int_equal(pthread_create(&thread[i], NULL, run_rounds,
						&runner[i]),
				 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(field.error, 0);
	assert_int_equal(field.serial, ROUNDS);
	assert_int_equal(sysv_barrier_destroy(field.id), 0);
}

/* ---- limits, and others ---- */

int __wrap_semget(key_t key, int n, int flags)
{
	int id;

	if (semget_fails_with) {
		errno = semget_fails_with;
		return -1;
	}
	id = __real_semget(key, n, flags);
	if (id >= 0 && removed_at_once > 0) {
		removed_at_once--;
		semctl(id, 0, IPC_RMID);
	}
	return id;
}

/* Somebody took it for a dead creator's, while this one was stopped. */
static void creator_whose_set_is_removed_makes_another(void **state)
{
	struct sysv_barrier_state look;
	int id;

	(void)state;
	removed_at_once = 2;
	id = sysv_barrier_create(IPC_PRIVATE, 2, 0600);
	assert_int_equal(removed_at_once, 0);
	assert_int_equal(sysv_barrier_look(id, &look), 0);
	assert_true(look.has_creator);
	assert_int_equal(sysv_barrier_destroy(id), 0);
}

/* What the kernel says of a key at which another user has a set, and when
 * there are as many as it allows. */
static void what_semget_says_is_passed_on(void **state)
{
	static const int errors[] = {EACCES, ENOSPC, EINVAL, ENOMEM};
	struct sysv_barrier barrier;

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		semget_fails_with = errors[i];
		assert_int_equal(sysv_barrier_create(0x1234, 2, 0600),
				 -errors[i]);
	}
	semget_fails_with = EACCES;
	assert_int_equal(sysv_barrier_reap(0x1234), -EACCES);
	assert_int_equal(sysv_barrier_open(&barrier, 0x1234, tick_after(LIMIT)),
			 -EACCES);
	semget_fails_with = 0;
}

/* Whose key it is: --wrap=geteuid. */
static uid_t user_offset;

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);

uid_t __wrap_geteuid(void)
{
	return __real_geteuid() + user_offset;
}

static void set_of_another_user_is_neither_joined_nor_removed(void **state)
{
	struct sysv_barrier barrier;
	int id = sysv_barrier_create(0x1235, 1, 0600), opened, reaped, made;
	bool is_root = geteuid() == 0;

	(void)state;
	assert_true(id >= 0);
	user_offset = 1;
	opened = sysv_barrier_open(&barrier, 0x1235, tick_after(LIMIT));
	reaped = sysv_barrier_reap(0x1235);
	made = sysv_barrier_create(0x1235, 1, 0600);
	user_offset = 0;
	/* Root's is trusted. */
	assert_int_equal(opened, is_root ? 0 : -EACCES);
	assert_int_equal(reaped, -EACCES);
	assert_int_equal(made, -EACCES);
	if (opened == 0)
		assert_int_equal(sysv_barrier_close(&barrier), 0);
	assert_int_equal(sysv_barrier_destroy(id), 0);
}

static void too_few_operations_a_call_are_an_error_and_leave_nothing(
	void **state)
{
	struct leftover before = leftover_count();

	(void)state;
	/* What the kernel says when semopm is below the length of a call. */
	all_fail_with = E2BIG;
	assert_int_equal(sysv_barrier_create(IPC_PRIVATE, 2, 0600), -E2BIG);
	all_fail_with = 0;
	leftover_assert_same(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			set_that_was_changed_keeps_nobody_beyond_the_deadline),
		cmocka_unit_test(no_page_is_left_by_who_leaves_or_cannot_join),
		cmocka_unit_test(
			last_one_does_not_release_when_another_has_withdrawn),
		cmocka_unit_test(who_is_on_its_way_out_is_waited_for),
		cmocka_unit_test(
			complete_round_stays_complete_when_a_participant_dies),
		cmocka_unit_test(threads_meet_as_processes_do),
		cmocka_unit_test(
			too_few_operations_a_call_are_an_error_and_leave_nothing),
		cmocka_unit_test(what_semget_says_is_passed_on),
		cmocka_unit_test(
			set_of_another_user_is_neither_joined_nor_removed),
		cmocka_unit_test(creator_whose_set_is_removed_makes_another),
	};
	return SUPPORT_MAIN(tests);
}

/* Locks that are kept: whom they keep out, how they are lost, deadlocks. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "p09-reclock/layout.h"
#include "tests/p09/fixture.h"

static struct fixture f;
static struct reclock *mine;

static int setup(void **state)
{
	(void)state;
	fixture_make(&f);
	mine = fixture_open(&f, RECLOCK_CREATE);
	assert_int_equal(fixture_set(mine, "a", "1"), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	reclock_close(mine);
	fixture_remove(&f);
	return 0;
}

/* ---- whether another process gets it ---- */

enum { GOT_IT, LOCKED_OUT, FAILED };

static int try_as_other(void *flags)
{
	struct reclock *store =
		fixture_try_open(&f, *(const unsigned int *)flags);
	int error = store ? fixture_lock(store, "a", tick_now()) : -1;
	int what = error ? FAILED : GOT_IT;

	if (error == -ETIMEDOUT && reclock_trouble(store)->holder == getppid())
		what = LOCKED_OUT;
	reclock_close(store);
	return what;
}

static void assert_other(int what)
{
	unsigned int flags = 0;

	assert_int_equal(support_child_status(try_as_other, &flags, 30000),
			 what);
}

static void lock_keeps_others_out_until_it_is_given_back_as_often(void **state)
{
	unsigned int ofd = RECLOCK_OFD;

	(void)state;
	assert_other(GOT_IT);
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	assert_other(LOCKED_OUT);
	assert_int_equal(support_child_status(try_as_other, &ofd, 30000),
			 LOCKED_OUT);
	/* What a change locks and gives back meanwhile is not that. */
	assert_int_equal(fixture_set(mine, "a", "2"), 0);
	assert_int_equal(fixture_del(mine, "a"), 0);
	assert_other(LOCKED_OUT);
	assert_int_equal(fixture_unlock(mine, "a"), 0);
	assert_other(LOCKED_OUT);
	assert_int_equal(fixture_unlock(mine, "a"), 0);
	assert_other(GOT_IT);
	assert_int_equal(fixture_unlock(mine, "a"), -EPERM);
}

static void lock_outlives_growth(void **state)
{
	char key[24];

	(void)state;
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "another %d", i);
		assert_int_equal(fixture_set(mine, key, "x"), 0);
	}
	assert_other(LOCKED_OUT);
	assert_int_equal(fixture_unlock(mine, "a"), 0);
	assert_other(GOT_IT);
}

static int set_and_get_as_other(void *arg)
{
	struct reclock *store = fixture_try_open(&f, 0);
	int result = 0;

	(void)arg;
	if (!store || strcmp(fixture_get(store, "a"), "1") != 0)
		result = 1;
	else if (reclock_set_until(store, "a", 1, "3", 1,
				   tick_after(50 * TICK_MS)) != -ETIMEDOUT)
		result = 2;
	else if (reclock_trouble(store)->holder != getppid())
		result = 3;
	reclock_close(store);
	return result;
}

static void locked_record_is_read_and_not_changed_and_the_holder_named(
	void **state)
{
	(void)state;
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	assert_int_equal(
		support_child_status(set_and_get_as_other, NULL, 30000), 0);
	assert_string_equal(fixture_get(mine, "a"), "1");
}

static void no_more_keys_are_held_than_there_is_room_for(void **state)
{
	char key[16];

	(void)state;
	for (int i = 0; i < RECLOCK_HOLDS_MAX; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(fixture_lock(mine, key, fixture_deadline()),
				 0);
	}
	assert_int_equal(fixture_lock(mine, "a", 0), -ENOBUFS);
	for (int i = 0; i < RECLOCK_HOLDS_MAX; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_int_equal(fixture_unlock(mine, key), 0);
	}
	assert_other(GOT_IT);
}

/* ---- the traps ---- */

static void closing_any_descriptor_drops_posix_locks(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	assert_other(LOCKED_OUT);
	fd = open(f.path, O_RDONLY | O_CLOEXEC);
	close(fd);
	assert_other(GOT_IT);
}

/* So we must not do it ourselves, to see whether the name is still ours. */
static void mark_of_a_rebuild_that_died_costs_no_lock(void **state)
{
	int fd = open(f.path, O_RDWR | O_CLOEXEC);
	struct layout_header *header;

	(void)state;
	header = mmap(NULL, LAYOUT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      0);
	assert_ptr_not_equal(header, MAP_FAILED);
	close(fd);
	header->state = LAYOUT_REPLACING;
	assert_string_equal(fixture_get(mine, "a"), "1");
	assert_int_equal(header->state, LAYOUT_REPLACING);
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	assert_int_equal(header->state, LAYOUT_NORMAL);
	assert_other(LOCKED_OUT);
	munmap(header, LAYOUT_PAGE);
}

static void closing_another_descriptor_keeps_locks_of_the_handle(void **state)
{
	struct reclock *store = fixture_open(&f, RECLOCK_OFD);
	unsigned int flags = 0;
	int fd;

	(void)state;
	assert_int_equal(fixture_lock(store, "a", 0), 0);
	fd = open(f.path, O_RDONLY | O_CLOEXEC);
	close(fd);
	/* Held by nobody that has a pid. */
	assert_int_equal(support_child_status(try_as_other, &flags, 30000),
			 FAILED);
	reclock_close(store);
	assert_other(GOT_IT);
}

/* The handle is the parent's, and so was the lock. */
static int use_inherited(void *arg)
{
	(void)arg;
	if (strcmp(fixture_get(mine, "a"), "1") != 0)
		return 1;
	if (fixture_lock(mine, "b", 0) != -ECHILD ||
	    fixture_unlock(mine, "a") != -ECHILD)
		return 2;
	return fixture_set(mine, "a", "2") == -ECHILD ? 0 : 3;
}

static void child_inherits_no_locks_and_may_only_read(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(use_inherited, NULL, 30000), 0);
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	/* It asks for the parent's lock with a handle of its own. */
	assert_other(LOCKED_OUT);
	assert_string_equal(fixture_get(mine, "a"), "1");
}

static void *lock_in_thread(void *flags)
{
	struct reclock *store =
		fixture_try_open(&f, *(const unsigned int *)flags);
	int error = store ? fixture_lock(store, "a", tick_now()) : -1;

	reclock_close(store);
	return (void *)(intptr_t)error;
}

static int lock_in_another_thread(unsigned int flags)
{
	pthread_t thread;
	void *result;

	assert_int_equal(pthread_create(&thread, NULL, lock_in_thread, &flags),
			 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	return (int)(intptr_t)result;
}

static void threads_share_posix_locks_and_not_those_of_handles(void **state)
{
	struct reclock *store;

	(void)state;
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	assert_int_equal(lock_in_another_thread(0), 0);
	/* And its closing has dropped ours. */
	assert_other(GOT_IT);
	store = fixture_open(&f, RECLOCK_OFD);
	assert_int_equal(fixture_lock(store, "a", 0), 0);
	assert_int_equal(lock_in_another_thread(RECLOCK_OFD), -ETIMEDOUT);
	reclock_close(store);
}

static void locks_are_advisory(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(fixture_lock(mine, "a", 0), 0);
	assert_other(LOCKED_OUT);
	fd = open(f.path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "vandal", 6, 0), 6);
	close(fd);
}

/* ---- deadlocks ---- */

struct ring {
	unsigned int n, flags;
	int ready[2], go[2];
	int me;
	char keys[64][16];
	struct result {
		int error;
		unsigned int waiters;
		pid_t pid[64];
		char wants[64][24];
	} * result; /* shared */
};

static int be_member(void *arg)
{
	struct ring *ring = arg;
	struct result *result = &ring->result[ring->me];
	struct reclock *store = fixture_try_open(&f, ring->flags);
	const int64_t deadline = tick_after(60 * TICK_S);
	char byte;

	close(ring->go[1]);
	if (!store || fixture_lock(store, ring->keys[ring->me], deadline) ||
	    fdio_write_full(ring->ready[1], "", 1) ||
	    fdio_read_until(ring->go[0], &byte, 1, deadline) != 0)
		return 1;
	result->error = fixture_lock(
		store, ring->keys[(ring->me + 1) % (int)ring->n], deadline);
	if (result->error == -EDEADLK) {
		const struct reclock_trouble *trouble = reclock_trouble(store);

		result->waiters = trouble->waiters;
		for (unsigned int i = 0; i < trouble->waiters && i < 64; i++) {
			const struct reclock_waiter *waiter =
				&trouble->waiter[i];

			result->pid[i] = waiter->pid;
			memcpy(result->wants[i], waiter->wants.text,
			       waiter->wants.len);
		}
	}
	/* Lets the others go, one after the other. */
	reclock_close(store);
	return 0;
}

static void assert_is_ring(const struct ring *ring, const pid_t *pid,
			   const struct result *result)
{
	unsigned int at = 0;

	assert_int_equal(result->waiters, ring->n);
	while (pid[at] != result->pid[0] && at + 1 < ring->n)
		at++;
	for (unsigned int i = 0; i < ring->n; i++) {
		assert_int_equal(result->pid[i], pid[(at + i) % ring->n]);
		assert_string_equal(result->wants[i],
				    ring->keys[(at + i + 1) % ring->n]);
	}
}

static void run_ring(unsigned int n, unsigned int flags)
{
	struct ring ring = {.n = n, .flags = flags};
	char ready[64];
	pid_t pid[64];
	int told = -1, status;

	ring.result =
		mmap(NULL, sizeof(struct result) * n, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(ring.result, MAP_FAILED);
	assert_int_equal(fdio_pipe(ring.ready), 0);
	assert_int_equal(fdio_pipe(ring.go), 0);
	for (unsigned int i = 0; i < n; i++)
		fixture_choose_key(mine, ring.keys, i);
	for (ring.me = 0; ring.me < (int)n; ring.me++)
		assert_int_equal(child_fork(be_member, &ring, &pid[ring.me]),
				 0);
	assert_int_equal(
		fdio_read_until(ring.ready[0], ready, n, fixture_deadline()),
		n);
	close(ring.go[1]);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(
			child_wait(pid[i], tick_after(60 * TICK_S), &status),
			0);
		assert_int_equal(status, 0);
		if (ring.result[i].error == -EDEADLK) {
			/* One is enough, so it is one. */
			assert_int_equal(told, -1);
			told = (int)i;
		} else {
			assert_int_equal(ring.result[i].error, 0);
		}
	}
	assert_int_not_equal(told, -1);
	assert_is_ring(&ring, pid, &ring.result[told]);
	close(ring.ready[0]);
	close(ring.ready[1]);
	close(ring.go[0]);
	munmap(ring.result, sizeof(struct result) * n);
}

static void make_wide(void)
{
	const struct reclock_options options = {
		.flags = RECLOCK_CREATE,
		.record_bytes = 16,
		.records = 8000,
	};

	reclock_close(mine);
	assert_int_equal(unlink(f.path), 0);
	assert_int_equal(reclock_open(&mine, f.path, &options, NULL), 0);
}

static void last_in_a_cycle_gets_edeadlk_and_the_cycle(void **state)
{
	static const unsigned int sizes[] = {2, 3, 12, 13, 40, 64};

	(void)state;
	make_wide();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		run_ring(sizes[i], 0);
}

static void cycles_of_handles_are_found_too(void **state)
{
	(void)state;
	make_wide();
	run_ring(2, RECLOCK_OFD);
	run_ring(20, RECLOCK_OFD);
}

/* Holds "a" until it is killed. */
static int hold(void *ready)
{
	struct reclock *store = fixture_try_open(&f, 0);

	if (!store || fixture_lock(store, "a", fixture_deadline()))
		return 1;
	fdio_write_full(*(int *)ready, "", 1);
	pause();
	return 0;
}

static void lock_of_the_dead_is_free_and_of_the_stopped_is_not(void **state)
{
	int ready;
	pid_t pid = support_start(hold, &ready, &ready, 30000);

	(void)state;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(fixture_lock(mine, "a", tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(reclock_trouble(mine)->holder, pid);
	support_kill(&pid);
	assert_int_equal(fixture_lock(mine, "a", fixture_deadline()), 0);
}

static void changes_that_could_not_be_made_say_why(void **state)
{
	struct reclock_change changes[3] = {
		{.action = RECLOCK_SET, .key = "a", .key_len = 1},
		{.action = RECLOCK_DEL, .key = "a", .key_len = 1},
		{.action = RECLOCK_INCR, .key = "a", .key_len = 1, .by = 1},
	};
	int ready;
	pid_t pid = support_start(hold, &ready, &ready, 30000);

	(void)state;
	assert_int_equal(
		reclock_apply_until(mine, changes, 3, tick_after(20 * TICK_MS)),
		-ETIMEDOUT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(changes[i].error, -ETIMEDOUT);
	support_kill(&pid);
}

/* Locks of this process, as of /proc/locks. */
static unsigned int count_own_locks(void)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[160], pid[16];
	unsigned int n = 0;

	assert_non_null(locks);
	snprintf(pid, sizeof(pid), " %d ", (int)getpid());
	while (fgets(line, sizeof(line), locks))
		n += strstr(line, pid) != NULL;
	fclose(locks);
	return n;
}

/* Its entry of the table goes with the last lock that it holds. */
static void who_has_waited_leaves_nothing_locked(void **state)
{
	char other[] = "b";
	int ready;
	pid_t pid = support_start(hold, &ready, &ready, 30000);

	(void)state;
	while (reclock_lock_byte(mine, other, 1) ==
	       reclock_lock_byte(mine, "a", 1))
		other[0]++;
	assert_int_equal(fixture_lock(mine, other, fixture_deadline()), 0);
	assert_int_equal(fixture_lock(mine, "a", tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	assert_true(count_own_locks() > 0);
	assert_int_equal(reclock_unlock(mine, other, 1), 0);
	assert_int_equal(count_own_locks(), 0);
	support_kill(&pid);
}

/* Whose value is found nowhere else in the file. */
static void spoil(const char *value)
{
	static char bytes[1 << 20];
	int fd = open(f.path, O_RDWR | O_CLOEXEC);
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
	const char *at;

	assert_true(n > 0);
	at = memmem(bytes, (size_t)n, value, strlen(value));
	assert_non_null(at);
	assert_int_equal(pwrite(fd, "?", 1, at - bytes), 1);
	close(fd);
}

/* What is damaged may be in the midst of a change: a read waits, and no longer
 * than it was told. */
static void a_read_of_what_is_damaged_ends_at_its_deadline(void **state)
{
	char value[64];
	int ready;
	pid_t pid;

	(void)state;
	assert_int_equal(fixture_set(mine, "a", "an only value"), 0);
	spoil("an only value");
	pid = support_start(hold, &ready, &ready, 30000);
	assert_int_equal(reclock_get_until(mine, "a", 1, value, sizeof(value),
					   tick_after(20 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(reclock_trouble(mine)->holder, pid);
	support_kill(&pid);
	assert_int_equal(reclock_get_until(mine, "a", 1, value, sizeof(value),
					   fixture_deadline()),
			 -EBADMSG);
}

/* A waits in a ring that B would close, but A has died: nobody is told. */
static int hold_b_and_want_a(void *ready)
{
	struct reclock *store = fixture_try_open(&f, 0);
	char keys[2][16];

	if (!store)
		return 1;
	fixture_choose_key(store, keys, 0);
	fixture_choose_key(store, keys, 1);
	if (fixture_lock(store, keys[1], fixture_deadline()))
		return 1;
	fdio_write_full(*(int *)ready, "", 1);
	fixture_lock(store, keys[0], TICK_NEVER);
	return 0;
}

/* As /proc/locks tells, "->" before who waits. */
static bool is_somebody_waiting(void *arg)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[160], pid[16];
	bool is_waiting = false;

	snprintf(pid, sizeof(pid), " %d ", *(pid_t *)arg);
	while (locks && fgets(line, sizeof(line), locks))
		is_waiting |= strstr(line, "-> ") && strstr(line, pid);
	if (locks)
		fclose(locks);
	return is_waiting;
}

static void dead_waiters_are_in_no_cycle(void **state)
{
	char keys[2][16];
	int ready;
	pid_t pid;

	(void)state;
	fixture_choose_key(mine, keys, 0);
	fixture_choose_key(mine, keys, 1);
	assert_int_equal(fixture_lock(mine, keys[0], 0), 0);
	pid = support_start(hold_b_and_want_a, &ready, &ready, 30000);
	assert_true(support_wait_until(is_somebody_waiting, &pid, 30000));
	/* It lives: */
	assert_int_equal(fixture_lock(mine, keys[1], tick_now()), -EDEADLK);
	assert_int_equal(reclock_trouble(mine)->waiters, 2);
	assert_int_equal(reclock_trouble(mine)->waiter[1].pid, pid);
	/* And so does a change with a lock held. */
	assert_int_equal(fixture_set(mine, keys[1], "x"), -EDEADLK);
	support_kill(&pid);
	assert_int_equal(fixture_lock(mine, keys[1], fixture_deadline()), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(lock_keeps_others_out_until_it_is_given_back_as_often),
		CASE(lock_outlives_growth),
		CASE(locked_record_is_read_and_not_changed_and_the_holder_named),
		CASE(no_more_keys_are_held_than_there_is_room_for),
		CASE(closing_any_descriptor_drops_posix_locks),
		CASE(mark_of_a_rebuild_that_died_costs_no_lock),
		CASE(closing_another_descriptor_keeps_locks_of_the_handle),
		CASE(child_inherits_no_locks_and_may_only_read),
		CASE(threads_share_posix_locks_and_not_those_of_handles),
		CASE(locks_are_advisory),
		CASE(last_in_a_cycle_gets_edeadlk_and_the_cycle),
		CASE(cycles_of_handles_are_found_too),
		CASE(lock_of_the_dead_is_free_and_of_the_stopped_is_not),
		CASE(changes_that_could_not_be_made_say_why),
		CASE(who_has_waited_leaves_nothing_locked),
		CASE(a_read_of_what_is_damaged_ends_at_its_deadline),
		CASE(dead_waiters_are_in_no_cycle),
	};
#undef CASE

	return SUPPORT_MAIN(tests);
}

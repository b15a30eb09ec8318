/* A slot belongs to the work that is done with it: what an owner has started
 * keeps it, when the owner is killed or gives it back. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "p10-sempool/memory.h"
#include "tests/lib/identity_fixture.h"
#include "tests/p10/fixture.h"

/* What an owner and its work tell the test. */
struct board {
	struct fixture *fixture;
	_Atomic pid_t work;
	_Atomic int result; /* of the owner's release */
	bool is_killed;     /* it is, instead of releasing */
	bool has_no_lock;   /* the work closes what it has inherited */
};

_Noreturn static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

/* The owner, with work that outlives it. */
static int hold(void *arg)
{
	struct board *board = arg;
	struct sempool *pool = &board->fixture->pool;
	struct sempool_lease lease;
	pid_t pid;

	if (sempool_acquire(pool, &lease) || sempool_hand_down(pool, &lease))
		return 1;
	if (sempool_hand_down(pool, &lease) != -EINVAL)
		return 2;
	pid = fork();
	if (pid < 0)
		return 3;
	if (pid == 0) {
		if (board->has_no_lock)
			close_range(3, ~0U, 0);
		board->work = getpid();
		sleep_for_ever();
	}
	while (!board->work)
		tick_sleep_until(tick_after(TICK_MS));
	if (board->is_killed)
		raise(SIGKILL);
	board->result = sempool_release(pool, &lease);
	if (lease.lock || sempool_release(pool, &lease) != -EINVAL)
		return 4;
	return 0;
}

static struct board *board_make(struct fixture *fixture)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(board != MAP_FAILED);
	fixture_make(fixture, 1);
	board->fixture = fixture;
	return board;
}

static void board_remove(struct board *board)
{
	fixture_assert_whole(&board->fixture->pool);
	fixture_remove(board->fixture);
	munmap(board, sizeof(*board));
}

static void assert_is_in_use(struct sempool *pool)
{
	struct sempool_owner owner;
	struct sempool_lease lease;

	for (int i = 0; i < 10; i++)
		assert_int_equal(fixture_reclaim(pool), 0);
	assert_int_equal(sempool_try_acquire(pool, &lease), -EAGAIN);
	assert_true(sempool_look_at(pool, 0, &owner));
	assert_true(owner.is_alive);
}

/* The work is nobody's child any more. */
static void end_work(struct board *board)
{
	struct sempool *pool = &board->fixture->pool;
	struct sempool_lease lease;

	kill(board->work, SIGKILL);
	assert_int_equal(sempool_acquire_until(pool, &lease, tick_after(LIMIT)),
			 0);
	assert_int_equal(sempool_release(pool, &lease), 0);
}

static void work_keeps_the_slot_that_its_owner_gives_back(void **state)
{
	struct fixture fixture;
	struct board *board = board_make(&fixture);
	struct sempool_owner owner;
	struct sempool_state look;

	(void)state;
	assert_int_equal(support_child_status(hold, board, LIMIT / TICK_MS), 0);
	assert_int_equal(board->result, SEMPOOL_LEFT);
	assert_is_in_use(&fixture.pool);
	assert_true(sempool_look_at(&fixture.pool, 0, &owner));
	assert_int_equal(owner.pid, 0);
	end_work(board);
	/* Nobody died of it. */
	sempool_look(&fixture.pool, &look);
	assert_int_equal(look.reclaimed, 0);
	assert_int_equal(look.lent, 2);
	board_remove(board);
}

static void work_keeps_the_slot_of_a_killed_owner(void **state)
{
	struct fixture fixture;
	struct board *board = board_make(&fixture);
	struct sempool_state look;

	(void)state;
	board->is_killed = true;
	assert_int_equal(support_child_status(hold, board, LIMIT / TICK_MS),
			 128 + SIGKILL);
	assert_is_in_use(&fixture.pool);
	end_work(board);
	sempool_look(&fixture.pool, &look);
	assert_int_equal(look.reclaimed, 1);
	board_remove(board);
}

static void work_that_closed_the_lock_is_taken_to_be_done(void **state)
{
	struct fixture fixture;
	struct board *board = board_make(&fixture);
	struct sempool_lease lease;

	(void)state;
	board->has_no_lock = true;
	assert_int_equal(support_child_status(hold, board, LIMIT / TICK_MS), 0);
	assert_int_equal(board->result, 0);
	assert_int_equal(sempool_try_acquire(&fixture.pool, &lease), 0);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	kill(board->work, SIGKILL);
	board_remove(board);
}

/* In a PID namespace of its own: one that takes part by what it inherited
 * alone, as it may not open the pool. */
static int keep_in_there(void *arg)
{
	struct board *board = arg;

	board->result = 1; /* we are here */
	while (board->result != 2)
		tick_sleep_until(tick_after(TICK_MS));
	return 0;
}

static int hold_in_another_namespace(void *arg)
{
	struct board *board = arg;
	struct sempool *pool = &board->fixture->pool;
	struct inside inside = {.flags = CLONE_NEWPID | CLONE_NEWNS,
				.body = keep_in_there,
				.arg = board};
	struct sempool_lease lease;

	if (sempool_acquire(pool, &lease) || sempool_hand_down(pool, &lease))
		return 1;
	return make_namespaces(&inside);
}

static bool is_there(void *arg)
{
	return ((struct board *)arg)->result == 1;
}

static void lock_is_seen_across_namespaces(void **state)
{
	struct fixture fixture;
	struct board *board = board_make(&fixture);
	int code = -1;
	pid_t pid = 0;

	(void)state;
	assert_int_equal(child_fork(hold_in_another_namespace, board, &pid), 0);
	if (!support_wait_until(is_there, board, LIMIT / TICK_MS))
		code = fixture_reap(&fixture, pid);
	if (code != NOT_PERMITTED) {
		assert_int_equal(code, -1);
		/* As if the owner were dead, and its work only in there. */
		atomic_fetch_sub(&fixture.pool.memory->entry[0].word,
				 UINT64_C(1) << 30);
		assert_is_in_use(&fixture.pool);
		board->result = 2;
		assert_int_equal(fixture_reap(&fixture, pid), 0);
	}
	board_remove(board);
	if (code == NOT_PERMITTED)
		skip();
}

static void slot_that_was_lent_twice_is_not_handed_down(void **state)
{
	struct sempool_lease lease, other;
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	assert_int_equal(sempool_hand_down(&fixture.pool, &lease), 0);
	/* As a scribbler leaves it. */
	atomic_store(&fixture.pool.memory->entry[0].word, 1);
	assert_int_equal(
		sempool_acquire_until(&fixture.pool, &other, tick_after(LIMIT)),
		0);
	assert_int_equal(sempool_hand_down(&fixture.pool, &other), -EBADMSG);
	assert_int_equal(sempool_release(&fixture.pool, &lease), -EBADMSG);
	assert_int_equal(sempool_release(&fixture.pool, &other), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_keeps_the_slot_that_its_owner_gives_back),
		cmocka_unit_test(work_keeps_the_slot_of_a_killed_owner),
		cmocka_unit_test(work_that_closed_the_lock_is_taken_to_be_done),
		cmocka_unit_test(lock_is_seen_across_namespaces),
		cmocka_unit_test(slot_that_was_lent_twice_is_not_handed_down),
	};
	return SUPPORT_MAIN(tests);
}

/* The pool, when somebody dies or is stopped. */
#include "tests/support/support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/sem.h>

#include "lib/sysv.h"
#include "lib/tick.h"
#include "p13-shm-image/pool.h"
#include "p13-shm-image/pool_watch.h"
#include "p13-shm-image/pool_worker.h"
#include "tests/p13/pool_ground.h"

static void rows_of_a_killed_worker_are_done_again(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	int rounds = support_is_valgrind() ? 3 : 8;

	for (int round = 0; round < rounds; round++) {
		struct pool_options options =
			options_of(ground, 1 + (unsigned)round / 2,
				   (enum pool_schedule)(round % 2));

		memset(ground, 0, sizeof(*ground));
		ground->kill_row = 25 * (unsigned int)round;
		ground->kills_after = round & 2;
		ground->kills = 2;
		assert_int_equal(pool_run(&options), 0);
		assert_all_done(ground, 1, 3);
		assert_int_equal(ground->deaths, 2);
		assert_int_equal(ground->ends, options.workers);
	}
}

static void rows_of_a_stopped_worker_are_done_again(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;

	for (int schedule = 0; schedule < 2; schedule++) {
		struct pool_options options =
			options_of(ground, 2, (enum pool_schedule)schedule);

		memset(ground, 0, sizeof(*ground));
		options.stall_ns = 2 * TICK_S;
		ground->signal = SIGSTOP;
		ground->least_done = UINT32_MAX;
		ground->kills = 1;
		ground->kill_row = 100;
		ground->kills_after = schedule;
		assert_int_equal(pool_run(&options), 0);
		assert_all_done(ground, 1, 3);
		assert_true(ground->stalls >= 1);
		assert_int_equal(ground->stalls, ground->deaths);
		/* While it was stopped, and in the end. */
		assert_int_equal(ground->last_done, STAGES * pool_strips(ROWS));
		assert_true(ground->least_done < ground->last_done);
		assert_int_equal(ground->ends, 2);
	}
}

static void worker_that_is_stopped_at_a_barrier_is_replaced(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 2, POOL_STATIC);

	options.stall_ns = 2 * TICK_S;
	ground->sleeper = 2;
	assert_int_equal(pool_run(&options), 0);
	assert_int_equal(atomic_load(&ground->sleeper), 0);
	assert_all_done(ground, 1, 3);
	assert_true(ground->stalls >= 1);
	assert_int_equal(ground->ends, 2);
}

static void rows_that_kill_everybody_are_given_up(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 1, POOL_DYNAMIC);

	ground->kills = 1000;
	assert_int_equal(pool_run(&options), -EOWNERDEAD);
	/* The last is not replaced, and there is no event of it. */
	assert_int_equal(ground->deaths, POOL_DEATHS_MAX - 1);
}

/* Each strip is too much for the first that comes to it. */
static void workers_that_die_everywhere_are_given_up(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 1, POOL_DYNAMIC);

	ground->kills = 1000;
	ground->kills_after = ground->kills_once = true;
	assert_int_equal(pool_run(&options), -EOWNERDEAD);
	assert_int_equal(ground->deaths, POOL_SPARES);
}

static void worker_that_ends_before_its_work_is_an_error(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 2, POOL_DYNAMIC);

	ground->status = 3;
	assert_int_equal(pool_run(&options), -EOWNERDEAD);
}

/* When the master was stopped its workers were, too: not for 10 s at their
 * rows. */
static void stop_of_the_master_is_not_counted(void **state)
{
	struct pool_stall stall = {.looked = tick_now() - 10 * TICK_S};
	int64_t step = pool_watch_begin(&stall);

	(void)state;
	assert_in_range(step, 1, TICK_S / 4);
}

/* Ctrl-C comes to all of them, and is for the master. Whatever that does with a
 * SIGTERM, a worker that gets one dies of it. */
static void workers_die_of_sigterm_and_not_of_sigint(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 2, POOL_DYNAMIC);

	signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < 2; i++) {
		memset(ground, 0, sizeof(*ground));
		ground->kills = 3;
		ground->kill_row = 100;
		ground->kills_after = ground->kills_once = true;
		ground->signal = i ? SIGTERM : SIGINT;
		assert_int_equal(pool_run(&options), 0);
		assert_all_done(ground, 1, 2);
		assert_int_equal(ground->deaths, i ? 3 : 0);
	}
	signal(SIGTERM, SIG_DFL);
}

/* What the worker leaves that dies between the two halves of complete(). */
static void strip_that_was_done_but_not_counted_is_counted(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct pool_options options = options_of(ground, 2, POOL_DYNAMIC);
	unsigned short values[POOL_SEMAPHORES] = {0};
	struct pool_loss loss;
	int set;

	values[POOL_BARRIER] = 1;
	values[POOL_BARRIER + 1] = 9;
	values[POOL_COMPLETED + 1] = 2;
	set = sysv_sem_create(IPC_PRIVATE, POOL_SEMAPHORES, values, 0600);
	assert_true(set >= 0);
	ground->board.strip[0][4] = 2 * 1 + 1;
	ground->board.strip[1][5] = 2 * 1 + 1;
	ground->board.strip[1][6] = 2 * 2 + 1; /* of another worker */
	ground->board.slot[1].stage = 1;
	assert_int_equal(pool_watch_settle(&options, set, 1, &loss), 0);
	assert_false(loss.is_held);
	assert_int_equal(semctl(set, POOL_BARRIER + 1, GETVAL), 9);
	ground->board.strip[1][7] = 2 * 1 + 1;
	assert_int_equal(pool_watch_settle(&options, set, 1, &loss), 0);
	assert_int_equal(semctl(set, POOL_BARRIER, GETVAL), 1);
	assert_int_equal(semctl(set, POOL_BARRIER + 1, GETVAL), 8);
	/* The last stage may have been first. */
	assert_int_equal(sysv_sem_op(set, POOL_COMPLETED + 1, 1, 0, TICK_NEVER),
			 0);
	ground->board.strip[0][5] = 2 * 1 + 1;
	ground->board.slot[1].stage = 0;
	assert_int_equal(pool_watch_settle(&options, set, 1, &loss), 0);
	assert_int_equal(semctl(set, POOL_BARRIER, GETVAL), 0);
	assert_int_equal(semctl(set, POOL_BARRIER + 1, GETVAL), 8);
	assert_int_equal(semctl(set, 0, IPC_RMID), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rows_of_a_killed_worker_are_done_again),
		CASE(rows_of_a_stopped_worker_are_done_again),
		CASE(worker_that_is_stopped_at_a_barrier_is_replaced),
		CASE(rows_that_kill_everybody_are_given_up),
		CASE(workers_that_die_everywhere_are_given_up),
		CASE(worker_that_ends_before_its_work_is_an_error),
		CASE(workers_die_of_sigterm_and_not_of_sigint),
		cmocka_unit_test(stop_of_the_master_is_not_counted),
		CASE(strip_that_was_done_but_not_counted_is_counted),
	};

	return SUPPORT_MAIN(tests);
}

/* The crew: who does which rows, and what happens when somebody dies. All in one
 * file, long as it is, as every case is a variation of the same job. */
#include "tests/support/support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sysv.h"
#include "lib/tick.h"
#include "p13-shm-image/crew.h"
#include "p13-shm-image/crew_death.h"
#include "p13-shm-image/crew_worker.h"
#include "p13-shm-image/segment.h"
#include "tests/support/leftover.h"

enum { ROWS = 200, STAGES = 3 };

struct ground {
	struct crew_board board;
	atomic_uint done[STAGES][ROWS];
	atomic_uint early;     /* rows that began before their neighbours */
	atomic_uint fed;       /* rows that are there, of a feed */
	atomic_uint kills;     /* still to come */
	unsigned int kill_row; /* whoever comes to it dies */
	bool kills_after;      /* its work, not before */
	unsigned int reach;    /* of the first stage, where there is a feed */
	int feed_error;        /* after half of the rows */
	bool is_last_apart;    /* it reads last_reach rows around, not all */
	unsigned int last_reach;
	bool went_along;    /* the last stage, before the one before it ended */
	bool stops;         /* and does not kill */
	atomic_int sleeper; /* to be stopped at the gate; 0: nobody */
	atomic_int sleeper_pid;
	int error;
	unsigned int deaths, stalls, starts, ends; /* events; of the master */
};

struct fixture {
	struct segment segment;
	struct ground *ground;
	struct leftover before;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->before = leftover_count();
	assert_int_equal(segment_make(&fixture->segment, sizeof(struct ground)),
			 0);
	fixture->ground = fixture->segment.at;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	segment_drop(&fixture->segment);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	leftover_assert_same(&fixture->before);
	free(fixture);
	return 0;
}

static bool is_to_die(struct ground *ground, unsigned int row)
{
	unsigned int left = atomic_load(&ground->kills);

	while (left > 0 && row >= ground->kill_row)
		if (atomic_compare_exchange_weak(&ground->kills, &left,
						 left - 1))
			return true;
	return false;
}

/* Worker 1 is in the first rows until worker 2 waits for the stage to end,
 * and stops it there. */
static void stop_sleeper(struct ground *ground, uint32_t first)
{
	int64_t deadline =
		tick_after(support_is_valgrind() ? 100 * TICK_S : 20 * TICK_S);

	if (first >= ROWS / 2)
		atomic_store(&ground->sleeper_pid, getpid());
	if (first > 0)
		return;
	while (atomic_load(&ground->board.slot[2].gate) != 1)
		if (sched_yield() < 0 || tick_is_over(deadline))
			return;
	kill(atomic_load(&ground->sleeper_pid), SIGSTOP);
	atomic_store(&ground->sleeper, 0);
}

/* Whether the rows of the stage before that it may read are there. */
static void look_before(struct ground *ground, unsigned int stage,
			uint32_t first, uint32_t end)
{
	uint32_t begin = 0, stop = ROWS;

	if (stage == STAGES - 1 && ground->is_last_apart) {
		begin = first < ground->last_reach ? 0
						   : first - ground->last_reach;
		stop = end + ground->last_reach;
	}
	for (uint32_t row = begin; row < stop && row < ROWS; row++)
		if (!atomic_load(&ground->done[stage - 1][row]))
			atomic_fetch_add(&ground->early, 1);
	if (stage == STAGES - 2 && end == ROWS)
		ground->went_along = atomic_load(&ground->done[stage + 1][0]);
}

/* Counts each row, and looks whether those that it may read are there. */
static int work(void *arg, unsigned int stage, uint32_t first, uint32_t end)
{
	struct ground *ground = arg;

	if (stage > 0)
		look_before(ground, stage, first, end);
	if (ground->reach && stage == 0 &&
	    atomic_load(&ground->fed) <
		    (end + ground->reach < ROWS ? end + ground->reach : ROWS))
		atomic_fetch_add(&ground->early, 1);
	if (atomic_load(&ground->sleeper) && stage == 0)
		stop_sleeper(ground, first);
	if (!ground->kills_after && is_to_die(ground, first))
		kill(getpid(), ground->stops ? SIGSTOP : SIGKILL);
	for (uint32_t row = first; row < end; row++)
		atomic_fetch_add(&ground->done[stage][row], 1);
	if (ground->kills_after && is_to_die(ground, first))
		kill(getpid(), ground->stops ? SIGSTOP : SIGKILL);
	return ground->error;
}

static void tell(void *arg, const struct crew_event *event)
{
	struct ground *ground = arg;

	ground->deaths += event->what == CREW_DIED;
	ground->stalls += event->what == CREW_DIED && event->is_stalled;
	ground->starts += event->what == CREW_STARTED;
	ground->ends += event->what == CREW_DONE;
}

static struct crew_job job_of(struct ground *ground, unsigned int workers,
			      enum crew_schedule schedule)
{
	return (struct crew_job){
		.board = &ground->board,
		.rows = ROWS,
		.stages = STAGES,
		.workers = workers,
		.schedule = schedule,
		.work = work,
		.tell = tell,
		.arg = ground,
	};
}

static void assert_all_done(struct ground *ground, unsigned int least,
			    unsigned int most)
{
	for (int stage = 0; stage < STAGES; stage++)
		for (int row = 0; row < ROWS; row++)
			assert_in_range(atomic_load(&ground->done[stage][row]),
					least, most);
	assert_int_equal(atomic_load(&ground->early), 0);
}

static void every_row_is_done_once_after_those_it_reads(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	unsigned int most = support_is_valgrind() ? 4 : 20;

	for (unsigned int workers = 1; workers <= most; workers += 3) {
		for (int schedule = 0; schedule < 2; schedule++) {
			struct crew_job job = job_of(
				ground, workers, (enum crew_schedule)schedule);

			memset(ground, 0, sizeof(*ground));
			assert_int_equal(crew_run(&job), 0);
			assert_all_done(ground, 1, 1);
			assert_int_equal(ground->starts, workers);
			assert_int_equal(ground->ends, workers);
		}
	}
}

static void last_stage_begins_where_its_rows_are_done(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;

	for (unsigned int round = 0; round < 12; round++) {
		struct crew_job job = job_of(ground, 1 + round / 2 % 3,
					     (enum crew_schedule)(round % 2));

		memset(ground, 0, sizeof(*ground));
		ground->is_last_apart = job.is_last_apart = true;
		ground->last_reach = job.last_reach = 9 * (round / 2);
		ground->kills = round >= 6;
		ground->kill_row = 25 * (round - 6);
		assert_int_equal(crew_run(&job), 0);
		assert_all_done(ground, 1, 1 + (round >= 6));
		if (job.workers == 1)
			assert_true(ground->went_along);
	}
}

static void rows_of_a_killed_worker_are_done_again(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	int rounds = support_is_valgrind() ? 3 : 8;

	for (int round = 0; round < rounds; round++) {
		struct crew_job job = job_of(ground, 1 + (unsigned)round / 2,
					     (enum crew_schedule)(round % 2));

		memset(ground, 0, sizeof(*ground));
		ground->kill_row = 25 * (unsigned int)round;
		ground->kills_after = round & 2;
		ground->kills = 2;
		assert_int_equal(crew_run(&job), 0);
		assert_all_done(ground, 1, 3);
		assert_int_equal(ground->deaths, 2);
		assert_int_equal(ground->ends, job.workers);
	}
}

static void rows_of_a_stopped_worker_are_done_again(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;

	for (int schedule = 0; schedule < 2; schedule++) {
		struct crew_job job =
			job_of(ground, 2, (enum crew_schedule)schedule);

		memset(ground, 0, sizeof(*ground));
		job.stall_ns = 2 * TICK_S;
		ground->stops = true;
		ground->kills = 1;
		ground->kill_row = 100;
		ground->kills_after = schedule;
		assert_int_equal(crew_run(&job), 0);
		assert_all_done(ground, 1, 3);
		assert_true(ground->stalls >= 1);
		assert_int_equal(ground->stalls, ground->deaths);
		assert_int_equal(ground->ends, 2);
	}
}

static void worker_that_is_stopped_at_a_gate_is_replaced(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct crew_job job = job_of(ground, 2, CREW_STATIC);

	job.stall_ns = 2 * TICK_S;
	ground->sleeper = 2;
	assert_int_equal(crew_run(&job), 0);
	assert_int_equal(atomic_load(&ground->sleeper), 0);
	assert_all_done(ground, 1, 3);
	assert_true(ground->stalls >= 1);
	assert_int_equal(ground->ends, 2);
}

/* 30 rows more. A worker that does not wait has time to be caught. */
static int64_t feed(void *arg)
{
	struct ground *ground = arg;
	int64_t deadline = tick_after(200 * TICK_MS);
	unsigned int fed = atomic_load(&ground->fed);

	if (fed == 0)
		while (!atomic_load(&ground->early) && !tick_is_over(deadline))
			sched_yield();
	if (fed > ROWS / 2 && ground->feed_error)
		return ground->feed_error;
	atomic_store(&ground->fed, fed + 30 < ROWS ? fed + 30 : ROWS);
	return atomic_load(&ground->fed);
}

static void rows_are_not_read_before_they_are_there(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;

	for (int round = 0; round < 4; round++) {
		struct crew_job job =
			job_of(ground, 2, (enum crew_schedule)(round % 2));

		memset(ground, 0, sizeof(*ground));
		job.feed = feed;
		job.reach = ground->reach = round < 2 ? 1 : 70;
		ground->kills = 1;
		ground->kill_row = 60;
		assert_int_equal(crew_run(&job), 0);
		assert_all_done(ground, 1, 2);
		assert_int_equal(ground->deaths, 1);
	}
}

static void feed_that_fails_ends_the_run(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct crew_job job = job_of(ground, 3, CREW_DYNAMIC);

	job.feed = feed;
	ground->feed_error = -EBADMSG;
	assert_int_equal(crew_run(&job), -EBADMSG);
	assert_int_equal(ground->starts, 0);
}

static void worker_can_be_told_to_kill_itself(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct crew_job job = job_of(ground, 3, CREW_STATIC);

	job.killed = 2;
	assert_int_equal(crew_run(&job), 0);
	assert_all_done(ground, 1, 1);
	assert_int_equal(ground->deaths, 1);
}

static void rows_that_kill_everybody_are_given_up(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct crew_job job = job_of(ground, 2, CREW_DYNAMIC);

	ground->kills = 1000;
	assert_int_equal(crew_run(&job), -EOWNERDEAD);
}

static void error_of_the_work_is_the_result(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct crew_job job = job_of(ground, 2, CREW_DYNAMIC);

	ground->error = -ENOMEM;
	assert_int_equal(crew_run(&job), -ENOMEM);
}

static int yes(void)
{
	return SIGINT;
}

static void stop_ends_all_workers(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct crew_job job = job_of(ground, 3, CREW_DYNAMIC);

	job.is_stopped = yes;
	assert_int_equal(crew_run(&job), -EINTR);
}

/* What the worker leaves that dies between the two halves of put_down(). */
static void band_that_was_done_but_not_counted_is_counted(void **state)
{
	struct ground *ground = ((struct fixture *)*state)->ground;
	struct crew_job job = job_of(ground, 2, CREW_DYNAMIC);
	unsigned short values[CREW_SEMAPHORES] = {0};
	struct crew_loss loss;
	int set;

	values[CREW_GATE] = 1;
	values[CREW_GATE + 1] = 9;
	values[CREW_TALLY + 1] = 2;
	set = sysv_sem_create(IPC_PRIVATE, CREW_SEMAPHORES, values, 0600);
	assert_true(set >= 0);
	ground->board.band[0][4] = 2 * 1 + 1;
	ground->board.band[1][5] = 2 * 1 + 1;
	ground->board.band[1][6] = 2 * 2 + 1; /* of another worker */
	ground->board.slot[1].stage = 1;
	assert_int_equal(crew_death_settle(&job, set, 1, &loss), 0);
	assert_false(loss.is_held);
	assert_int_equal(semctl(set, CREW_GATE + 1, GETVAL), 9);
	ground->board.band[1][7] = 2 * 1 + 1;
	assert_int_equal(crew_death_settle(&job, set, 1, &loss), 0);
	assert_int_equal(semctl(set, CREW_GATE, GETVAL), 1);
	assert_int_equal(semctl(set, CREW_GATE + 1, GETVAL), 8);
	/* The last stage may have been first. */
	assert_int_equal(sysv_sem_op(set, CREW_TALLY + 1, 1, 0, TICK_NEVER), 0);
	ground->board.band[0][5] = 2 * 1 + 1;
	ground->board.slot[1].stage = 0;
	assert_int_equal(crew_death_settle(&job, set, 1, &loss), 0);
	assert_int_equal(semctl(set, CREW_GATE, GETVAL), 0);
	assert_int_equal(semctl(set, CREW_GATE + 1, GETVAL), 8);
	assert_int_equal(semctl(set, 0, IPC_RMID), 0);
}

static void bands_cover_all_rows_and_fit_the_board(void **state)
{
	static const uint32_t rows[] = {1,    2,      15,      16,       1023,
					1024, 131072, 1000000, 268435456};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t bands = crew_bands(rows[i]);

		assert_in_range(bands, 1, CREW_BANDS_MAX);
		assert_true(bands * crew_band_rows(rows[i]) >= rows[i]);
		assert_true((bands - 1) * crew_band_rows(rows[i]) < rows[i]);
	}
}

/* Whether the kernel makes large pages of it or not. */
static void segment_keeps_its_bytes_when_pages_become_large(void **state)
{
	enum { LARGE = 2 << 20, BYTES = 2 * LARGE + 5000 };
	struct segment segment;
	uint8_t *at;

	(void)state;
	assert_int_equal(segment_make(&segment, BYTES), 0);
	assert_int_equal(segment.bytes, 3 * LARGE);
	at = segment.at;
	assert_int_equal((uintptr_t)at % LARGE, 0);
	for (size_t i = 0; i < segment.bytes; i += 1000)
		at[i] = (uint8_t)(i / 1000);
	segment_touch(at + 100, BYTES, true);
	segment_touch(at, segment.bytes, false);
	for (size_t i = 0; i < segment.bytes; i += 1000)
		assert_int_equal(at[i], (uint8_t)(i / 1000));
	assert_int_equal(at[1], 0);
	segment_drop(&segment);
}

static void segment_is_marked_for_removal_from_the_start(void **state)
{
	struct segment segment;
	struct shmid_ds ds;

	(void)state;
	assert_int_equal(segment_make(&segment, 100000), 0);
	assert_int_equal(shmctl(segment.id, IPC_STAT, &ds), 0);
	assert_true(ds.shm_perm.mode & SHM_DEST);
	assert_int_equal(ds.shm_nattch, 1);
	segment_drop(&segment);
	assert_int_equal(shmctl(segment.id, IPC_STAT, &ds), -1);
	assert_int_equal(segment_make(&segment, 0), -EINVAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_row_is_done_once_after_those_it_reads),
		CASE(last_stage_begins_where_its_rows_are_done),
		CASE(rows_of_a_killed_worker_are_done_again),
		CASE(rows_of_a_stopped_worker_are_done_again),
		CASE(worker_that_is_stopped_at_a_gate_is_replaced),
		CASE(rows_are_not_read_before_they_are_there),
		CASE(feed_that_fails_ends_the_run),
		CASE(worker_can_be_told_to_kill_itself),
		CASE(rows_that_kill_everybody_are_given_up),
		CASE(error_of_the_work_is_the_result),
		CASE(stop_ends_all_workers),
		CASE(band_that_was_done_but_not_counted_is_counted),
		cmocka_unit_test(bands_cover_all_rows_and_fit_the_board),
		cmocka_unit_test(segment_is_marked_for_removal_from_the_start),
		cmocka_unit_test(
			segment_keeps_its_bytes_when_pages_become_large),
	};
	return SUPPORT_MAIN(tests);
}

/* pool_ground.h - a run whose work counts rows, in a segment, and looks
 * whether the rows that it may read are there; and dies or stops where it is
 * told to. */
#ifndef UNIXIPC_TESTS_P13_POOL_GROUND_H
#define UNIXIPC_TESTS_P13_POOL_GROUND_H

#include "tests/support/support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/tick.h"
#include "p13-shm-image/pool.h"
#include "p13-shm-image/segment.h"
#include "tests/support/leftover.h"

enum { ROWS = 200, STAGES = 3 };

struct ground {
	struct pool_scoreboard board;
	atomic_uint done[STAGES][ROWS];
	atomic_uint early;     /* rows that began before their neighbours */
	atomic_uint loaded;    /* rows that are there, of a load */
	atomic_uint kills;     /* still to come */
	unsigned int kill_row; /* whoever comes to it dies */
	bool kills_after;      /* its work, not before */
	bool kills_once;       /* with kills_after: the first of each strip */
	unsigned int halo;     /* of the first stage, where there is a load */
	int load_error;        /* after half of the rows */
	bool is_last_apart;    /* it reads last_halo rows around, not all */
	unsigned int last_halo;
	bool went_along;    /* the last stage, before the one before it ended */
	int signal;         /* instead of SIGKILL */
	bool waits;         /* worker 1, until 2 waits for the stage to end */
	int status;         /* a worker exits with that; 0: it does not */
	atomic_int sleeper; /* to be stopped at the barrier; 0: nobody */
	atomic_int sleeper_pid;
	int error;
	unsigned int deaths, stalls, starts, ends; /* events; of the master */
	uint32_t least_done, last_done;            /* of its progress */
};

struct fixture {
	struct segment segment;
	struct ground *ground;
	struct leftover before;
};

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;

	segment_drop(&fixture->segment);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	leftover_assert_same(&fixture->before);
	free(fixture);
	return 0;
}

static inline bool is_to_die(struct ground *ground, unsigned int row)
{
	unsigned int left = atomic_load(&ground->kills);

	while (left > 0 && row >= ground->kill_row)
		if (atomic_compare_exchange_weak(&ground->kills, &left,
						 left - 1))
			return true;
	return false;
}

/* Until worker 2 waits for the first stage to end. */
static inline bool wait_for_second(struct ground *ground)
{
	int64_t deadline =
		tick_after(support_is_valgrind() ? 100 * TICK_S : 20 * TICK_S);

	while (__atomic_load_n(&ground->board.slot[2].barrier,
			       __ATOMIC_SEQ_CST) != 1)
		if (sched_yield() < 0 || tick_is_over(deadline))
			return false;
	return true;
}

/* Worker 1 is in the first rows until worker 2 waits, and stops it there. */
static inline void stop_sleeper(struct ground *ground, uint32_t first)
{
	if (first >= ROWS / 2)
		atomic_store(&ground->sleeper_pid, getpid());
	if (first > 0 || !wait_for_second(ground))
		return;
	kill(atomic_load(&ground->sleeper_pid), SIGSTOP);
	atomic_store(&ground->sleeper, 0);
}

/* Whether the rows of the stage before that it may read are there. */
static inline void look_before(struct ground *ground, unsigned int stage,
			       uint32_t first, uint32_t end)
{
	uint32_t begin = 0, stop = ROWS;

	if (stage == STAGES - 1 && ground->is_last_apart) {
		begin = first < ground->last_halo ? 0
						  : first - ground->last_halo;
		stop = end + ground->last_halo;
	}
	for (uint32_t row = begin; row < stop && row < ROWS; row++)
		if (!atomic_load(&ground->done[stage - 1][row]))
			atomic_fetch_add(&ground->early, 1);
	if (stage == STAGES - 2 && end == ROWS)
		ground->went_along = atomic_load(&ground->done[stage + 1][0]);
}

/* Counts each row, and looks whether those that it may read are there. */
static inline int work(void *arg, unsigned int worker, unsigned int stage,
		       uint32_t first, uint32_t end)
{
	struct ground *ground = arg;

	(void)worker;
	if (stage > 0)
		look_before(ground, stage, first, end);
	if (ground->halo && stage == 0 &&
	    atomic_load(&ground->loaded) <
		    (end + ground->halo < ROWS ? end + ground->halo : ROWS))
		atomic_fetch_add(&ground->early, 1);
	if (ground->waits && stage == 0 && first == 0)
		wait_for_second(ground);
	if (ground->status)
		_exit(ground->status);
	if (atomic_load(&ground->sleeper) && stage == 0)
		stop_sleeper(ground, first);
	if (!ground->kills_after && is_to_die(ground, first))
		kill(getpid(), ground->signal ? ground->signal : SIGKILL);
	for (uint32_t row = first; row < end; row++)
		atomic_fetch_add(&ground->done[stage][row], 1);
	if (ground->kills_after &&
	    (!ground->kills_once ||
	     atomic_load(&ground->done[stage][first]) == 1) &&
	    is_to_die(ground, first))
		kill(getpid(), ground->signal ? ground->signal : SIGKILL);
	return ground->error;
}

static inline void notify(void *arg, const struct pool_event *event)
{
	struct ground *ground = arg;

	ground->deaths += event->what == POOL_DIED;
	ground->stalls += event->what == POOL_DIED && event->is_stalled;
	ground->starts += event->what == POOL_STARTED;
	ground->ends += event->what == POOL_DONE;
	if (event->what != POOL_PROGRESS)
		return;
	ground->last_done = event->done;
	if (event->done < ground->least_done)
		ground->least_done = event->done;
}

static inline struct pool_options options_of(struct ground *ground,
					     unsigned int workers,
					     enum pool_schedule schedule)
{
	return (struct pool_options){
		.board = &ground->board,
		.rows = ROWS,
		.stages = STAGES,
		.workers = workers,
		.schedule = schedule,
		.work = work,
		.notify = notify,
		.arg = ground,
	};
}

static inline void assert_all_done(struct ground *ground, unsigned int least,
				   unsigned int most)
{
	for (int stage = 0; stage < STAGES; stage++)
		for (int row = 0; row < ROWS; row++)
			assert_in_range(atomic_load(&ground->done[stage][row]),
					least, most);
	assert_int_equal(atomic_load(&ground->early), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

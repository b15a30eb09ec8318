/* pool_worker.c - take a strip, do it, put it down, until there are no more.
 *
 * The invariant: the semaphore of a stage is the number of its strips that are
 * not done: a barrier that opens at 0. A worker marks a strip as done first and
 * counts it then, in one semop with a completion count of its own, so that
 * after a kill -9 in between the master can tell whether it was counted.
 */
#include "p13-shm-image/pool_worker.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/sem.h>

#include "lib/sysv.h"
#include "lib/tick.h"

uint32_t pool_worker_begin(const struct pool_options *options,
			   unsigned int partition)
{
	return (uint32_t)((uint64_t)pool_strips(options->rows) * partition /
			  options->workers);
}

/* Whether the strip is ours; the first one may be so from the start. */
static bool take(const struct pool_worker *worker, unsigned int stage,
		 uint32_t strip)
{
	uint32_t state = 0;

	/* Relaxed: what the strip needs was ordered by the barrier before it,
	 * or by is_ready(). */
	return __atomic_compare_exchange_n(
		       &worker->options->board->strip[stage][strip], &state,
		       2 * worker->number, false, __ATOMIC_RELAXED,
		       __ATOMIC_RELAXED) ||
	       state == 2 * worker->number;
}

/* A strip that is now ours, or -1. */
static int64_t take_one(const struct pool_worker *worker, unsigned int stage)
{
	const struct pool_options *options = worker->options;
	uint32_t begin = pool_worker_begin(options, worker->partition);
	uint32_t end = pool_worker_begin(options, worker->partition + 1);

	for (uint32_t strip = begin; strip < end; strip++)
		if (take(worker, stage, strip))
			return strip;
	if (options->schedule == POOL_STATIC)
		return -1;
	/* Steal from the end: there the others come to last. */
	for (uint32_t strip = pool_strips(options->rows); strip > 0; strip--)
		if (take(worker, stage, strip - 1))
			return strip - 1;
	return -1;
}

/* Whether what a strip of the last stage reads is done. */
static bool is_ready(const struct pool_options *options, uint32_t strip)
{
	uint32_t height = pool_strip_rows(options->rows),
		 halo = options->last_halo;
	uint32_t around = (halo + height - 1) / height;
	uint32_t last = pool_strips(options->rows) - 1;
	uint32_t end = last - strip < around ? last : strip + around;

	for (uint32_t i = strip < around ? 0 : strip - around; i <= end; i++) {
		/* Pairs with the release in complete(). */
		uint32_t state = __atomic_load_n(
			&options->board->strip[options->stages - 2][i],
			__ATOMIC_ACQUIRE);

		if (state % 2 == 0)
			return false;
	}
	return true;
}

/* A strip of the last stage that is now ours, while the stage before goes on;
 * or -1. */
static int64_t take_ready(const struct pool_worker *worker)
{
	const struct pool_options *options = worker->options;
	bool is_own = options->schedule == POOL_STATIC;
	uint32_t begin =
		is_own ? pool_worker_begin(options, worker->partition) : 0;
	uint32_t end =
		is_own ? pool_worker_begin(options, worker->partition + 1)
		       : pool_strips(options->rows);
	unsigned int stage = options->stages - 1;

	for (uint32_t strip = begin; strip < end; strip++)
		if (__atomic_load_n(&options->board->strip[stage][strip],
				    __ATOMIC_RELAXED) == 0 &&
		    is_ready(options, strip) && take(worker, stage, strip))
			return strip;
	return -1;
}

static void move(const struct pool_worker *worker, uint32_t barrier)
{
	struct pool_slot *slot = &worker->options->board->slot[worker->number];

	/* Relaxed: pool_watch_look() compares them, and no more. */
	__atomic_store_n(&slot->barrier, barrier, __ATOMIC_RELAXED);
	__atomic_fetch_add(&slot->moves, 1, __ATOMIC_RELAXED);
}

/* Done, and counted. */
static int complete(const struct pool_worker *worker, unsigned int stage,
		    uint32_t strip)
{
	struct pool_scoreboard *board = worker->options->board;
	struct sembuf count[] = {
		{.sem_num = (unsigned short)(POOL_BARRIER + stage),
		 .sem_op = -1},
		{.sem_num = (unsigned short)(POOL_COMPLETED + worker->number),
		 .sem_op = 1},
	};

	/* Publishes the rows; pairs with the acquire in
	 * pool_watch_settle() and is_ready(), and for the next stage with the
	 * barrier. */
	__atomic_store_n(&board->strip[stage][strip], 2 * worker->number + 1,
			 __ATOMIC_RELEASE);
	return semop(worker->set, count, 2) < 0 ? -errno : 0;
}

/* Until the strip and the rows around it are there to be read: all of them are
 * counted off and on again in one semop, which waits until they can be. */
static int wait_for_rows(const struct pool_worker *worker, uint32_t end)
{
	const struct pool_options *options = worker->options;
	uint32_t height = pool_strip_rows(options->rows);
	uint32_t last = options->rows - end < options->halo
				? options->rows
				: end + options->halo;
	short strips = (short)((last + height - 1) / height);
	struct sembuf look[] = {
		{.sem_num = POOL_LOADED, .sem_op = (short)-strips},
		{.sem_num = POOL_LOADED, .sem_op = strips},
	};

	while (semop(worker->set, look, 2) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int do_strip(const struct pool_worker *worker, unsigned int stage,
		    uint32_t strip)
{
	const struct pool_options *options = worker->options;
	struct pool_slot *slot = &options->board->slot[worker->number];
	uint32_t height = pool_strip_rows(options->rows);
	uint32_t first = strip * height;
	uint32_t end =
		options->rows - first < height ? options->rows : first + height;
	int64_t start;
	int error;

	/* Relaxed: looked at when we are dead. */
	__atomic_store_n(&slot->stage, stage, __ATOMIC_RELAXED);
	error = stage == 0 ? wait_for_rows(worker, end) : 0;
	if (error)
		return error;
	move(worker, 0);
	start = tick_now();
	error = options->work(options->arg, worker->number, stage, first, end);
	slot->busy_ns[stage] += tick_now() - start;
	slot->strips++;
	return error ? error : complete(worker, stage, strip);
}

/* All strips of the stage that are to be had, and of the last one those that
 * become ready meanwhile: soonest, while their rows are in the cache. */
static int do_stage(const struct pool_worker *worker, unsigned int stage)
{
	const struct pool_options *options = worker->options;
	bool is_last_next =
		options->is_last_apart && stage + 2 == options->stages;
	int64_t strip;
	int error = 0;

	while (!error && (strip = take_one(worker, stage)) >= 0) {
		error = do_strip(worker, stage, (uint32_t)strip);
		while (!error && is_last_next &&
		       (strip = take_ready(worker)) >= 0)
			error = do_strip(worker, stage + 1, (uint32_t)strip);
	}
	return error;
}

/* Until all strips of the stage are done, by whomever. */
static int pass_barrier(const struct pool_worker *worker, unsigned int stage)
{
	int error;

	move(worker, stage + 1);
	do
		error = sysv_sem_op(worker->set,
				    (unsigned short)(POOL_BARRIER + stage), 0,
				    0, TICK_NEVER); /* we die with the master */
	while (error == -EINTR);
	move(worker, 0);
	return error;
}

static int check_scoreboard(const struct pool_scoreboard *board)
{
	return board->magic == POOL_MAGIC && board->version == POOL_VERSION &&
			       board->bytes == sizeof(*board)
		       ? 0
		       : -EBADMSG;
}

int pool_worker_run(void *arg)
{
	const struct pool_worker *worker = arg;
	const struct pool_options *options = worker->options;
	struct sembuf announce[] = {
		{.sem_num = POOL_EXITS, .sem_op = 1},
		{.sem_num = POOL_EXITS, .sem_op = -1, .sem_flg = SEM_UNDO},
	};
	int error;

	/* Ctrl-C is for the master, who ends us. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	/* What is freed after a strip is wanted for the next: not to be given
	 * back to the system, and touched for the first time again. */
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	error = check_scoreboard(options->board);
	if (!error && semop(worker->set, announce, 2) < 0)
		error = -errno;
	for (unsigned int stage = 0; !error && stage < options->stages;
	     stage++) {
		error = do_stage(worker, stage);
		if (!error && stage + 1 < options->stages)
			error = pass_barrier(worker, stage);
	}
	options->board->slot[worker->number].error = error;
	return error != 0;
}

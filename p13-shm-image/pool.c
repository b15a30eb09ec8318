/* pool.c - the master: it starts the workers, and watches them.
 *
 * How it hears of an end, even of a kill -9: a worker begins with a semop that
 * adds 1 to EXITS and takes it off again with SEM_UNDO. That comes to nothing
 * until the kernel undoes the second half, at the exit.
 */
#include "p13-shm-image/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/sem.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/identity.h"
#include "lib/sysv.h"
#include "lib/tick.h"
#include "p13-shm-image/pool_watch.h"
#include "p13-shm-image/pool_worker.h"

/* What the master knows. */
struct master {
	const struct pool_options *options;
	int set;
	struct identity_object identity; /* of the set */
	uint32_t strips;
	unsigned int started, running; /* of all slots */
	pid_t pid[POOL_SLOTS + 1];
	/* whose strips it takes first */
	unsigned int partition[POOL_SLOTS + 1];
	struct pool_stall stall;
	bool is_stalled[POOL_SLOTS + 1]; /* and was killed for it */
	uint8_t deaths[POOL_STAGES_MAX][POOL_STRIPS_MAX];
};

uint32_t pool_strip_rows(uint32_t rows)
{
	uint32_t least = (rows + POOL_STRIPS_MAX - 1) / POOL_STRIPS_MAX;
	uint32_t wanted = rows >= 1024 ? 64 : rows / 16;

	return wanted > least ? wanted : least;
}

uint32_t pool_strips(uint32_t rows)
{
	uint32_t height = pool_strip_rows(rows);

	return (rows + height - 1) / height;
}

static void notify(const struct master *master, const struct pool_event *event)
{
	if (master->options->notify)
		master->options->notify(master->options->arg, event);
}

static uint32_t row_of(const struct master *master, uint32_t strip)
{
	uint64_t row = (uint64_t)strip * pool_strip_rows(master->options->rows);

	return row < master->options->rows ? (uint32_t)row
					   : master->options->rows;
}

static int start_worker(struct master *master, unsigned int partition)
{
	struct pool_worker worker = {
		.options = master->options,
		.set = master->set,
		.number = master->started + 1,
		.partition = partition,
	};
	int error;

	error = child_fork(pool_worker_run, &worker,
			   &master->pid[worker.number]);
	if (error)
		return error;
	master->partition[worker.number] = partition;
	master->started++;
	master->running++;
	return 0;
}

/* So that no worker finds that others were quicker with all of the work. */
static void reserve_first_strips(struct master *master)
{
	for (unsigned int i = 0; i < master->options->workers; i++) {
		uint32_t strip = pool_worker_begin(master->options, i);

		/* Relaxed: they are not forked yet. */
		if (strip < pool_worker_begin(master->options, i + 1))
			__atomic_store_n(
				&master->options->board->strip[0][strip],
				2 * (i + 1), __ATOMIC_RELAXED);
	}
}

static int start_all(struct master *master)
{
	reserve_first_strips(master);
	for (unsigned int i = 0; i < master->options->workers; i++) {
		int error = start_worker(master, i);

		if (error)
			return error;
	}
	return 0;
}

/* A worker that dies meanwhile is replaced afterwards. */
static int load_all(struct master *master)
{
	const struct pool_options *options = master->options;
	uint32_t loaded = options->load ? 0 : master->strips;

	while (loaded < master->strips) {
		int64_t rows = options->load(options->arg);
		uint32_t strips;
		int error;

		if (rows < 0)
			return (int)rows;
		strips = rows >= options->rows
				 ? master->strips
				 : (uint32_t)rows /
					   pool_strip_rows(options->rows);
		if (strips > loaded) {
			error = sysv_sem_op(master->set, POOL_LOADED,
					    (short)(strips - loaded), 0,
					    tick_after(TICK_S));
			if (error)
				return error;
			loaded = strips;
		}
		if (options->is_stopped && options->is_stopped())
			return -EINTR;
	}
	return 0;
}

static void notify_starts(struct master *master)
{
	for (unsigned int i = 0; i < master->options->workers; i++) {
		struct pool_event event = {
			.what = POOL_STARTED,
			.worker = i + 1,
			.first = row_of(master,
					pool_worker_begin(master->options, i)),
			.end = row_of(master, pool_worker_begin(master->options,
								i + 1)),
		};

		notify(master, &event);
	}
}

/* Free the strip of a dead worker, and start a worker in its place. */
static int redo(struct master *master, unsigned int worker, int status)
{
	struct pool_event event = {
		.what = POOL_DIED,
		.worker = worker,
		.status = status,
		.is_stalled = master->is_stalled[worker],
		.successor = master->started + 1,
	};
	struct pool_loss loss;
	int error;

	error = pool_watch_settle(master->options, master->set, worker, &loss);
	if (error)
		return error;
	if (master->started == master->options->workers + POOL_SPARES)
		return -EOWNERDEAD;
	if (loss.is_held) {
		if (++master->deaths[loss.stage][loss.strip] == POOL_DEATHS_MAX)
			return -EOWNERDEAD;
		event.first = row_of(master, loss.strip);
		event.end = row_of(master, loss.strip + 1);
		__atomic_store_n(
			&master->options->board->strip[loss.stage][loss.strip],
			0, __ATOMIC_RELEASE);
	}
	notify(master, &event);
	return start_worker(master, master->partition[worker]);
}

static int handle_end(struct master *master, unsigned int worker, int status)
{
	const struct pool_slot *slot = &master->options->board->slot[worker];
	struct pool_event event = {.what = POOL_DONE, .worker = worker};

	master->pid[worker] = 0;
	master->running--;
	if (WIFSIGNALED(status))
		return redo(master, worker, status);
	if (status)
		return slot->error ? slot->error : -EOWNERDEAD;
	for (unsigned int stage = 0; stage < master->options->stages; stage++)
		event.busy_ns += slot->busy_ns[stage];
	notify(master, &event);
	return 0;
}

/* How many have ended since; or -errno. */
static int reap(struct master *master)
{
	int ended = 0;

	for (unsigned int i = 1; i <= master->started; i++) {
		int status, error;
		pid_t pid;

		if (!master->pid[i])
			continue;
		pid = waitpid(master->pid[i], &status, WNOHANG);
		if (pid == 0 || (pid < 0 && errno == EINTR))
			continue;
		if (pid < 0)
			return -errno;
		ended++;
		error = handle_end(master, i, status);
		if (error)
			return error;
	}
	return ended;
}

static void notify_progress(struct master *master)
{
	struct pool_event event = {
		.what = POOL_PROGRESS,
		.done = master->strips * master->options->stages,
	};

	for (unsigned int stage = 0; stage < master->options->stages; stage++) {
		int left = semctl(master->set, (int)(POOL_BARRIER + stage),
				  GETVAL);

		if (left > 0)
			event.done -= (uint32_t)left;
	}
	notify(master, &event);
}

/* A stalled worker is killed, not left alone: once its rows are another's it
 * must not wake up and write. */
static int kill_stalled(struct master *master)
{
	int64_t step = pool_watch_begin(&master->stall);
	int64_t most = master->options->stall_ns ? master->options->stall_ns
						 : POOL_STALL_S * TICK_S;

	for (unsigned int i = 1; i <= master->started; i++) {
		int64_t still;

		if (!master->pid[i] || master->is_stalled[i])
			continue;
		still = pool_watch_look(&master->stall, master->options,
					master->set, i, step);
		if (still < 0)
			return (int)still;
		if (still < most)
			continue;
		master->is_stalled[i] = true;
		kill(master->pid[i], SIGKILL);
	}
	return 0;
}

/* EXITS goes up a moment before the process can be reaped: while one is
 * unreaped the master looks again soon. */
static int watch(struct master *master)
{
	int unreaped = 0, n;

	pool_watch_begin(&master->stall);
	while (master->running > 0) {
		n = sysv_sem_op(
			master->set, POOL_EXITS, -1, 0,
			tick_after(unreaped > 0 ? TICK_MS / 4 : 50 * TICK_MS));
		if (n == 0)
			unreaped++;
		else if (n != -ETIMEDOUT && n != -EINTR)
			return n;
		if (master->options->is_stopped &&
		    master->options->is_stopped())
			return -EINTR;
		n = reap(master);
		if (n < 0)
			return n;
		unreaped = unreaped > n ? unreaped - n : 0;
		n = kill_stalled(master);
		if (n < 0)
			return n;
		notify_progress(master);
	}
	return 0;
}

static void end_all(struct master *master)
{
	int status;

	for (unsigned int i = 1; i <= master->started; i++)
		if (master->pid[i])
			child_end(master->pid[i], 0, &status);
}

static int make_set(struct master *master)
{
	unsigned short values[POOL_SEMAPHORES] = {0};
	int semaphores = POOL_COMPLETED + (int)master->options->workers +
			 POOL_SPARES + 1;
	int set;

	if (!master->options->load)
		values[POOL_LOADED] = (unsigned short)master->strips;
	for (unsigned int stage = 0; stage < master->options->stages; stage++)
		values[POOL_BARRIER + stage] = (unsigned short)master->strips;
	set = sysv_sem_create(IPC_PRIVATE, semaphores, values, 0600);
	if (set < 0) /* of its reasons, -EINVAL is that there are too many */
		return set == -EINVAL ? -ENOSPC : set;
	master->set = set;
	/* Not marked for removal like the segment: semaphores know no such
	 * thing. So a kill -9 leaves it, and nobody removes it by its number,
	 * which may be another's by then. */
	if (master->options->note_set)
		master->options->note_set(set, true);
	identity_of_sysv(IDENTITY_SYSV_SEM, set, &master->identity);
	return 0;
}

/* Noted is what may be ours and stays, where nobody can tell. */
static void remove_set(const struct master *master)
{
	int error = sysv_sem_remove(master->set, &master->identity);

	if ((!error || error == -ESTALE) && master->options->note_set)
		master->options->note_set(master->set, false);
}

int pool_run(const struct pool_options *options)
{
	struct master *master = calloc(1, sizeof(*master));
	int error;

	if (!master)
		return -ENOMEM;
	master->options = options;
	master->strips = pool_strips(options->rows);
	options->board->magic = POOL_MAGIC;
	options->board->version = POOL_VERSION;
	options->board->bytes = sizeof(*options->board);
	error = make_set(master);
	if (!error) {
		error = start_all(master);
		if (!error)
			error = load_all(master);
		if (!error) {
			notify_starts(master);
			error = watch(master);
		}
		end_all(master);
		remove_set(master);
	}
	free(master);
	return error;
}

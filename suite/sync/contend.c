/* How members that meet agree where to stop: the first one, once told,
 * publishes the number of its next round before it goes there. Whoever comes
 * out of that round has met the first, and so sees the number. */
#include "suite/sync/contend.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"

#define PATIENCE (5 * TICK_S) /* for members to start, and to end */

/* A line of its own for each, for only its member writes it. */
struct member {
	_Alignas(64) _Atomic uint64_t round; /* entered, or about to be */
	uint64_t done;
	int64_t elapsed_ns, cpu_ns;
	int error;
};

/* Shared by the parent and the members. */
struct board {
	const struct syncop *op;
	void *state;
	int members;
	const struct contend_options *options;

	_Alignas(64) atomic_bool is_over;
	_Atomic uint64_t last;        /* round of members that meet; 0: go on */
	_Alignas(64) uint64_t inside; /* guarded by what is measured */
	struct member member[CONTEND_MEMBERS];
};

/* What each process has for itself. */
struct crew {
	struct board *board;
	int number;   /* of the member that this is, or is about to be */
	int ready[2]; /* a pipe: a byte from each member that is ready */
	int gate[2];  /* a pipe: end of file when all may begin */
};

/* ---- a member ------------------------------------------------------------------ */

static int check_meeting(const struct board *board, uint64_t round)
{
	for (int i = 0; i < board->members; i++)
		if (atomic_load_explicit(&board->member[i].round,
					 memory_order_relaxed) < round)
			return -EBADMSG;
	return 0;
}

static int do_once(struct board *board, struct member *me, uint64_t round)
{
	const struct syncop *op = board->op;
	int error;

	/* The meeting itself orders this for the others: relaxed will do. */
	atomic_store_explicit(&me->round, round, memory_order_relaxed);
	error = op->enter(board->state);
	if (error)
		return error;
	if (op->meets)
		error = check_meeting(board, round);
	else if (!op->is_apart)
		board->inside++;
	if (!error && op->leave)
		error = op->leave(board->state);
	return error;
}

static int do_all(struct board *board, int number)
{
	struct member *me = &board->member[number];
	int error = 0;

	while (!error) {
		uint64_t round = me->done + 1;

		/* Everybody does something, however late it starts. */
		if (round > 1 && atomic_load_explicit(&board->is_over,
						      memory_order_relaxed)) {
			if (!board->op->meets)
				break;
			if (number == 0)
				atomic_store_explicit(&board->last, round,
						      memory_order_relaxed);
		}
		error = do_once(board, me, round);
		me->done += !error;
		if (atomic_load_explicit(&board->last, memory_order_relaxed) ==
		    round)
			break;
	}
	return error;
}

static int64_t cpu_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return tick_from_timespec(now);
}

static int run_member(void *arg)
{
	struct crew *crew = arg;
	struct board *board = crew->board;
	struct member *me = &board->member[crew->number];
	int64_t start, cpu_start;
	char byte = 0;

	me->error = child_pin(board->options->cpus[crew->number]);
	fdio_close(&crew->gate[1]);
	if (me->error || fdio_write_full(crew->ready[1], &byte, 1) ||
	    fdio_read(crew->gate[0], &byte, 1) != 0)
		return 1;
	start = tick_now();
	cpu_start = cpu_time();
	me->error = do_all(board, crew->number);
	me->cpu_ns = cpu_time() - cpu_start;
	me->elapsed_ns = tick_now() - start;
	return me->error != 0;
}

/* ---- the parent -------------------------------------------------------------------- */

/* End those that have not ended by themselves; *error stays if it is set. */
static void reap(pid_t *pids, int n, int64_t deadline, int *error)
{
	for (int i = 0; i < n; i++) {
		int status = 0, result;

		do
			result = child_wait(pids[i], deadline, &status);
		while (result == -EINTR && !tick_is_over(deadline));
		if (result)
			child_end(pids[i], 0, &status);
		if (result && !*error)
			*error = -ETIMEDOUT;
		else if (status && !*error)
			*error = -ECHILD; /* unless the member said more */
	}
}

/* Let the time pass. Returns 0 or -EINTR. */
static int wait_for_end(const struct contend_options *options)
{
	int64_t end = tick_after(options->trial_ns);
	int error;

	if (options->stop_fd <= 0) {
		while (tick_sleep_until(end))
			;
		return 0;
	}
	do
		error = fdio_wait(options->stop_fd, POLLIN, end);
	while (error == -EINTR);
	return error == -ETIMEDOUT ? 0 : error > 0 ? -EINTR : error;
}

static int wait_until_ready(const struct crew *crew)
{
	size_t members = (size_t)crew->board->members;
	char bytes[CONTEND_MEMBERS];
	ssize_t n = fdio_read_until(crew->ready[0], bytes, members,
				    tick_after(PATIENCE));

	return n < 0 ? (int)n : (size_t)n < members ? -ECHILD : 0;
}

/* Returns how many have been started. */
static int start_members(struct crew *crew, pid_t *pids, int *error)
{
	int n;

	for (n = 0; n < crew->board->members; n++) {
		crew->number = n;
		*error = child_fork(run_member, crew, &pids[n]);
		if (*error)
			break;
	}
	return n;
}

/* What a member has to say is more than that it failed. */
static int find_reason(const struct board *board, int error)
{
	for (int i = 0; i < board->members && error == -ECHILD; i++)
		if (board->member[i].error)
			error = board->member[i].error;
	return error;
}

static int run_crew(struct crew *crew)
{
	struct board *board = crew->board;
	pid_t pids[CONTEND_MEMBERS];
	int error = 0, n;

	n = start_members(crew, pids, &error);
	fdio_close(&crew->ready[1]);
	if (!error)
		error = wait_until_ready(crew);
	atomic_store(&board->is_over, error != 0);
	fdio_close(&crew->gate[1]);
	if (!error)
		error = wait_for_end(board->options);
	atomic_store(&board->is_over, true);
	reap(pids, n, tick_after(error ? 0 : PATIENCE), &error);
	return find_reason(board, error);
}

static int evaluate(const struct board *board, struct contend_trial *trial)
{
	uint64_t done = 0, least = UINT64_MAX;
	double cpu_ns = 0;

	*trial = (struct contend_trial){0};
	for (int i = 0; i < board->members; i++) {
		const struct member *member = &board->member[i];

		if (member->elapsed_ns <= 0)
			return -EBADMSG;
		done += member->done;
		cpu_ns += (double)member->cpu_ns;
		if (member->done < least)
			least = member->done;
		trial->ops_per_s +=
			(double)member->done * 1e9 / (double)member->elapsed_ns;
	}
	if (done == 0 || (!board->op->meets && !board->op->is_apart &&
			  done != board->inside))
		return -EBADMSG;
	trial->share = (double)least / (double)done;
	if (board->op->meets) {
		trial->ops_per_s /= board->members;
		done /= (uint64_t)board->members;
	}
	trial->cpu_ns = cpu_ns / (double)done;
	return 0;
}

int contend_run(const struct syncop *op, int members,
		const struct contend_options *options,
		struct contend_trial *trial)
{
	struct board *board = syncop_share(sizeof(*board));
	struct crew crew = {board, 0, {-1, -1}, {-1, -1}};
	int error;

	if (!board)
		return -ENOMEM;
	board->op = op;
	board->members = members;
	board->options = options;
	error = op->create(&board->state, members);
	if (error)
		goto out;
	error = fdio_pipe(crew.ready);
	if (!error)
		error = fdio_pipe(crew.gate);
	if (!error)
		error = run_crew(&crew);
	if (!error)
		error = evaluate(board, trial);
	for (int i = 0; i < 2; i++) {
		fdio_close(&crew.ready[i]);
		fdio_close(&crew.gate[i]);
	}
	op->destroy(board->state);
out:
	syncop_unshare(board, sizeof(*board));
	return error;
}

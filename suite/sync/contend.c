/* How members that meet agree where to stop: the first one, once told,
 * publishes the number of its next round before it goes there. Whoever comes
 * out of that round has met the first, and so sees the number. */
#include "suite/sync/contend.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "lib/measure/rig.h"
#include "lib/tick.h"

#define PATIENCE (5 * TICK_S) /* for members to start, and to end */

/* A line of its own for each, for only its member writes it. */
struct member {
	_Alignas(64) _Atomic uint64_t round; /* entered, or about to be */
	uint64_t done;
	int64_t cpu_ns;
	struct board *board;
};

/* Shared by the parent and the members. */
struct board {
	const struct syncop *op;
	void *state;
	int members;

	_Alignas(64) uint32_t over;   /* of the rig */
	_Atomic uint64_t last;        /* round of members that meet; 0: go on */
	_Alignas(64) uint64_t inside; /* guarded by what is measured */
	struct member member[CONTEND_MEMBERS];
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

static int do_all(struct board *board, struct member *me)
{
	int error = 0;

	while (!error) {
		uint64_t round = me->done + 1;

		/* Everybody does something, however late it starts. */
		if (round > 1 &&
		    __atomic_load_n(&board->over, __ATOMIC_RELAXED)) {
			if (!board->op->meets)
				break;
			if (me == board->member)
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

static int run_member(void *arg, struct rig_gate *gate)
{
	struct member *me = arg;
	int64_t cpu_start;
	int error = rig_meet(gate);

	if (error)
		return error;
	cpu_start = cpu_time();
	error = do_all(me->board, me);
	me->cpu_ns = cpu_time() - cpu_start;
	return error;
}

/* ---- the parent -------------------------------------------------------------------- */

static int evaluate(const struct board *board, const struct rig_result *result,
		    struct contend_trial *trial)
{
	uint64_t done = 0, least = UINT64_MAX;
	double cpu_ns = 0;

	*trial = (struct contend_trial){0};
	for (int i = 0; i < board->members; i++) {
		const struct member *member = &board->member[i];
		const int64_t ns = result[i].ended_ns - result[i].begun_ns;

		if (ns <= 0)
			return -EBADMSG;
		done += member->done;
		cpu_ns += (double)member->cpu_ns;
		if (member->done < least)
			least = member->done;
		trial->ops_per_s += (double)member->done * 1e9 / (double)ns;
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
	struct rig_side side[CONTEND_MEMBERS];
	struct rig_result result[CONTEND_MEMBERS];
	struct rig rig = {.side = side,
			  .sides = (size_t)members,
			  .cpus = options->cpus,
			  .run_ns = options->trial_ns,
			  .stop_fd = options->stop_fd};
	int error;

	if (!board)
		return -ENOMEM;
	board->op = op;
	board->members = members;
	for (int i = 0; i < members; i++) {
		board->member[i].board = board;
		side[i] = (struct rig_side){.body = run_member,
					    .arg = &board->member[i]};
	}
	error = op->create(&board->state, members);
	if (error)
		goto out;
	rig.over = &board->over;
	rig.deadline = tick_after(options->trial_ns + PATIENCE);
	error = rig_run(&rig, result);
	if (!error)
		error = evaluate(board, result, trial);
	op->destroy(board->state);
out:
	syncop_unshare(board, sizeof(*board));
	return error;
}

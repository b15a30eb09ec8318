/* One process, the test's own, starts the actors, strikes, and judges. All that
 * they tell lies in shared memory, the board, so that it outlives them.
 *
 * A system call is found by tracing the victim (ptrace(2)), which stops in front
 * of each and behind it; so which call is struck depends on nobody's speed. */
#include "tests/support/survivors.h"

#include "tests/support/support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "tests/support/scratch.h"
#include "tests/support/unshare.h"

/* Of what has no promise: that somebody starts, comes, or ends at all. */
#define PATIENCE (20 * TICK_S)

enum { PAGE = 4096, SUCCESSOR = SURVIVORS_ACTORS, SEATS };

/* Exit statuses of actors. */
enum { WELL, NOT_ENTERED, STEP_FAILED, NO_NAMESPACE };

struct seat {
	_Atomic int64_t entered_ns;
	_Atomic uint64_t steps;
	_Atomic int64_t worst_ns; /* of steps behind the death */
	_Atomic int error;        /* of what failed */
};

struct survivors_board {
	_Atomic int64_t dead_ns; /* when the victim died; 0: it lives */
	_Atomic bool is_over;    /* nobody died, or nobody works: all leave */
	_Atomic pid_t elsewhere; /* the victim in a PID namespace of its own */
	_Atomic bool is_adopted; /* it is our child */
	struct seat seat[SEATS];
};

enum strike { AT_RANDOM, AT_ANY_CALL, AT_NAMED_CALL };

struct plan {
	enum strike strike;
	long call;          /* AT_NAMED_CALL */
	uint64_t nth;       /* stop of the tracer that is the last */
	int64_t life_ns;    /* AT_RANDOM */
	int64_t absence_ns; /* from its death to its successor */
	bool is_stopped_first, stays_zombie, is_elsewhere;
};

struct theatre {
	const struct survivors_play *play;
	struct survivors_board *board;
	void *stage;
	size_t stage_bytes;
	struct rng rng;
	uint64_t seed;
	struct foreign foreign;
	struct scratch scratch;
	struct survivors_actor actor[SEATS];
	unsigned int n_actors;
	pid_t pid[SEATS]; /* 0: it does not run */
	bool is_zombie[SEATS];
	unsigned int victim;
	struct plan plan;
	char fault[256]; /* empty: none */
	int64_t late_ns; /* of the machine, in this round */
	/* What is printed. */
	int round, at_calls, stopped, elsewhere;
	int64_t worst_ns, worst_late_ns;
	uint64_t steps;
};

static const struct survivors_role *role_of(const struct theatre *theatre,
					    unsigned int number)
{
	return &theatre->play->role[theatre->actor[number].role];
}

static const struct survivors_role *victim_role(const struct theatre *theatre)
{
	return role_of(theatre, theatre->victim);
}

static const char *describe_plan(const struct theatre *theatre, char *text,
				 size_t size)
{
	static const char *const words[] = {"at random", "at a system call",
					    "at a named call"};
	const struct plan *plan = &theatre->plan;

	snprintf(text, size, "%s %u was struck %s%s%s%s",
		 victim_role(theatre)->name, theatre->victim,
		 words[plan->strike],
		 plan->is_stopped_first ? ", stopped first" : "",
		 plan->stays_zombie ? ", and stayed a zombie" : "",
		 plan->is_elsewhere ? ", in another PID namespace" : "");
	return text;
}

/* The first one counts: what follows is its consequence. */
__attribute__((format(printf, 2, 3))) static void find_fault(
	struct theatre *theatre, const char *format, ...)
{
	char text[192];
	va_list args;

	if (theatre->fault[0])
		return;
	va_start(args, format);
	vsnprintf(theatre->fault, sizeof(theatre->fault), format, args);
	va_end(args);
	/* Now: what the play looks at next may fail the case. */
	print_message("%s, round %d: %s (%s)\n", theatre->play->name,
		      theatre->round + 1, theatre->fault,
		      describe_plan(theatre, text, sizeof(text)));
}

/* ---- an actor -------------------------------------------------------------------- */

struct entrance {
	struct theatre *theatre;
	unsigned int seat;
	bool is_asking; /* whether it would be let in: nothing more */
};

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Returns whether another is to be done. */
static bool do_step(const struct survivors_role *role,
		    struct survivors_actor *self, struct survivors_board *board,
		    struct seat *seat)
{
	const int64_t begun = tick_now();
	int64_t dead, ended;
	int error = role->step(self);

	ended = tick_now();
	dead = atomic_load(&board->dead_ns);
	/* Who is stopped or traced may be interrupted, and begins again. */
	if (error == -EINTR)
		return true;
	self->steps++;
	atomic_store(&seat->steps, self->steps);
	if (dead && ended > dead)
		atomic_store(&seat->worst_ns,
			     later(atomic_load(&seat->worst_ns),
				   ended - later(begun, dead)));
	if (error)
		atomic_store(&seat->error, error);
	return error == 0;
}

/* cmocka handles these, for its own process. */
static void die_by_faults(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		signal(faults[i], SIG_DFL);
}

static int act(const struct entrance *entrance)
{
	const struct theatre *theatre = entrance->theatre;
	struct survivors_actor self = theatre->actor[entrance->seat];
	struct seat *seat = &theatre->board->seat[entrance->seat];
	const struct survivors_role *role = &theatre->play->role[self.role];
	const unsigned int more = theatre->play->more ? theatre->play->more : 5;
	unsigned int done = 0;
	int error;

	die_by_faults();
	error = role->enter(&self);
	if (error) {
		atomic_store(&seat->error, error);
		return NOT_ENTERED;
	}
	atomic_store(&seat->entered_ns, tick_now());
	while (!entrance->is_asking && !atomic_load(&theatre->board->is_over) &&
	       (self.is_victim || role->stays || done < more)) {
		if (!do_step(role, &self, theatre->board, seat))
			return STEP_FAILED;
		if (atomic_load(&theatre->board->dead_ns))
			done++;
	}
	if (role->leave)
		role->leave(&self);
	return WELL;
}

static int act_here(void *arg)
{
	return act(arg);
}

static int act_elsewhere(const struct entrance *entrance)
{
	struct survivors_board *board = entrance->theatre->board;

	/* Our parent ends now, which shall not kill us. */
	for (int64_t deadline = tick_after(PATIENCE);
	     !atomic_load(&board->is_adopted);)
		if (tick_is_over(deadline) ||
		    tick_sleep_until(tick_after(TICK_MS / 10)))
			return NO_NAMESPACE;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    mount("", "/", "", MS_REC | MS_PRIVATE, "") ||
	    mount("proc", "/proc", "proc", 0, ""))
		return NO_NAMESPACE;
	return act(entrance);
}

/* Its child is process 1 of a new PID namespace, with its own /proc. By fork(2),
 * and not by clone(2) with flags, of which the C library knows nothing: its
 * mutexes would go on with the parent's thread id. */
static int make_child_elsewhere(void *arg)
{
	const struct entrance *entrance = arg;
	pid_t pid;

	if (unshare_as_anybody(CLONE_NEWPID | CLONE_NEWNS))
		return NO_NAMESPACE;
	pid = fork();
	if (pid == 0)
		child_exit(act_elsewhere(entrance));
	atomic_store(&entrance->theatre->board->elsewhere, pid);
	return pid < 0 ? NO_NAMESPACE : WELL;
}

/* It becomes our child when its parent ends, as we are a subreaper. */
static pid_t fork_elsewhere(struct entrance *entrance)
{
	struct survivors_board *board = entrance->theatre->board;
	int status = support_child_status(make_child_elsewhere, entrance,
					  (int)(PATIENCE / TICK_MS));

	if (status != WELL) {
		find_fault(entrance->theatre,
			   "no PID namespace: scripts/sandbox gives one");
		return 0;
	}
	atomic_store(&board->is_adopted, true);
	return atomic_load(&board->elsewhere);
}

static void start(struct theatre *theatre, unsigned int seat, bool is_asking)
{
	struct entrance entrance = {theatre, seat, is_asking};
	int error;

	memset(&theatre->board->seat[seat], 0, sizeof(struct seat));
	if (seat == theatre->victim && theatre->plan.is_elsewhere) {
		theatre->pid[seat] = fork_elsewhere(&entrance);
		return;
	}
	error = child_fork(act_here, &entrance, &theatre->pid[seat]);
	if (error)
		find_fault(theatre, "fork: %s", strerror(-error));
}

/* ---- waiting ------------------------------------------------------------------------ */

/* A millisecond; and how much more it was. */
static void doze(struct theatre *theatre)
{
	const int64_t moment = tick_after(TICK_MS);

	tick_sleep_until(moment);
	theatre->late_ns = later(theatre->late_ns, tick_now() - moment);
}

/* Whether it has ended, and was not waited for: then *code. */
static bool has_ended(struct theatre *theatre, unsigned int seat, int *code)
{
	int status = 0;

	if (!theatre->pid[seat] ||
	    waitpid(theatre->pid[seat], &status, WNOHANG) == 0)
		return false;
	theatre->pid[seat] = 0;
	*code = child_exit_code(status);
	return true;
}

static const char *describe_error(int error, char *text, size_t size)
{
	if (error < 0)
		snprintf(text, size, "%s", strerror(-error));
	else
		snprintf(text, size, "%d", error);
	return text;
}

static void judge_end(struct theatre *theatre, unsigned int seat, int code)
{
	const struct seat *of = &theatre->board->seat[seat];
	char text[64];

	if (code == WELL)
		return;
	find_fault(theatre, "%s%s %u ended with %d after %llu steps: %s",
		   seat == SUCCESSOR ? "successor " : "",
		   role_of(theatre, seat)->name, theatre->actor[seat].number,
		   code, (unsigned long long)atomic_load(&of->steps),
		   describe_error(atomic_load(&of->error), text, sizeof(text)));
}

static bool wait_for_entry(struct theatre *theatre, unsigned int seat)
{
	const int64_t deadline = tick_after(PATIENCE);
	int code;

	while (!atomic_load(&theatre->board->seat[seat].entered_ns)) {
		if (has_ended(theatre, seat, &code)) {
			/* It may have entered and ended since we looked. */
			judge_end(theatre, seat, code);
			return code == WELL;
		}
		if (tick_is_over(deadline)) {
			find_fault(theatre, "%s does not come",
				   role_of(theatre, seat)->name);
			return false;
		}
		doze(theatre);
	}
	return true;
}

static void wait_for_end(struct theatre *theatre, unsigned int seat)
{
	const int64_t deadline = tick_after(PATIENCE);
	int code;

	while (theatre->pid[seat]) {
		if (has_ended(theatre, seat, &code)) {
			judge_end(theatre, seat, code);
			return;
		}
		if (tick_is_over(deadline)) {
			find_fault(theatre, "%s %u hangs in a step",
				   role_of(theatre, seat)->name,
				   theatre->actor[seat].number);
			return;
		}
		doze(theatre);
	}
}

static void end_all(struct theatre *theatre)
{
	int status;

	for (unsigned int i = 0; i < SEATS; i++) {
		if (!theatre->pid[i])
			continue;
		if (!theatre->is_zombie[i])
			kill(theatre->pid[i], SIGKILL);
		waitpid(theatre->pid[i], &status, 0);
		theatre->pid[i] = 0;
		theatre->is_zombie[i] = false;
	}
}

/* The victim did not do what it must; perhaps as it had ended by itself. */
static void find_victims_fault(struct theatre *theatre, const char *what)
{
	int code;

	if (has_ended(theatre, theatre->victim, &code))
		judge_end(theatre, theatre->victim, code);
	find_fault(theatre, "%s %s", role_of(theatre, theatre->victim)->name,
		   what);
}

/* ---- striking ------------------------------------------------------------------------- */

/* Until the victim stops or ends, as waitid(2) tells with these flags. */
static bool victim_does(struct theatre *theatre, int flags)
{
	const pid_t pid = theatre->pid[theatre->victim];
	const int64_t deadline = tick_after(PATIENCE);
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)pid, &info,
			   flags | WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid == pid)
			return info.si_code != CLD_EXITED;
		if (tick_is_over(deadline))
			return false;
		doze(theatre);
	}
}

/* The same while it is traced, which is far more often: no pauses. False when
 * it does not get there within the time: it may sleep in a call. */
static bool victim_stops_traced(struct theatre *theatre, int64_t deadline,
				int *status)
{
	const unsigned int victim = theatre->victim;
	const pid_t pid = theatre->pid[victim];
	int rc;

	do {
		rc = waitpid(pid, status, WNOHANG | __WALL);
		if (rc == 0)
			sched_yield();
	} while (rc == 0 && !tick_is_over(deadline));
	if (rc != pid || WIFSTOPPED(*status))
		return rc == pid;
	theatre->pid[victim] = 0;
	judge_end(theatre, victim, child_exit_code(*status));
	find_fault(theatre, "%s ended by itself", victim_role(theatre)->name);
	return false;
}

static bool is_struck_here(pid_t pid, const struct plan *plan)
{
	struct __ptrace_syscall_info info = {0};

	if (plan->strike == AT_ANY_CALL)
		return true;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return false;
	/* Behind a call only its result is told, so it is struck in front of
	 * the next one, or of this one. */
	return info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       (long)info.entry.nr == plan->call;
}

/* Run it to the nth of the chosen stops. It is not waited for to come there for
 * longer than a moment, as it may sleep: then it is struck in its sleep. */
static void run_to_call(struct theatre *theatre)
{
	const pid_t pid = theatre->pid[theatre->victim];
	const struct plan *plan = &theatre->plan;
	const int64_t deadline = tick_after(50 * TICK_MS);
	bool is_asleep = false;
	int status = 0, signal = 0;

	if (ptrace(PTRACE_SEIZE, pid, 0,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) ||
	    ptrace(PTRACE_INTERRUPT, pid, 0, 0)) {
		find_victims_fault(theatre, "cannot be traced");
		return;
	}
	if (!victim_stops_traced(theatre, tick_after(PATIENCE), &status)) {
		find_victims_fault(theatre, "is traced and does not stop");
		return;
	}
	for (uint64_t n = 0; n < plan->nth;) {
		ptrace(PTRACE_SYSCALL, pid, 0, signal);
		signal = 0;
		if (!victim_stops_traced(theatre, deadline, &status)) {
			is_asleep = true;
			break;
		}
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			signal = status >> 16 ? 0 : WSTOPSIG(status);
		else if (is_struck_here(pid, plan))
			n++;
	}
	if (!is_asleep || theatre->fault[0])
		return;
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	if (!victim_stops_traced(theatre, tick_after(PATIENCE), &status))
		find_victims_fault(theatre, "does not stop");
}

static void wait_for_life(struct theatre *theatre)
{
	const int64_t end = tick_after(theatre->plan.life_ns);

	tick_sleep_until(end);
	theatre->late_ns = later(theatre->late_ns, tick_now() - end);
}

/* While the victim is stopped and lives, nobody else is given its role. */
static void ask_for_its_role(struct theatre *theatre)
{
	const struct survivors_role *role = victim_role(theatre);
	struct seat *seat = &theatre->board->seat[SUCCESSOR];
	int code = 0, error;
	char text[64];
	const int64_t deadline = tick_after(PATIENCE);

	start(theatre, SUCCESSOR, true);
	while (!has_ended(theatre, SUCCESSOR, &code)) {
		if (tick_is_over(deadline)) {
			find_fault(theatre, "asking for %s hangs", role->name);
			return;
		}
		doze(theatre);
	}
	error = atomic_load(&seat->error);
	if (code != NOT_ENTERED)
		find_fault(theatre, "%s is given away while it lives",
			   role->name);
	else if (error != role->refusal)
		find_fault(theatre, "a second %s is told %s", role->name,
			   describe_error(error, text, sizeof(text)));
}

static uint64_t steps_of(const struct theatre *theatre, unsigned int seat)
{
	return atomic_load(&theatre->board->seat[seat].steps);
}

/* Each survivor does two more: the first may have begun before. */
static void see_that_others_go_on(struct theatre *theatre)
{
	const int64_t deadline = tick_after(2 * theatre->play->promise_ns);
	uint64_t before[SURVIVORS_ACTORS] = {0};
	int code;

	for (unsigned int i = 0; i < theatre->n_actors; i++)
		before[i] = steps_of(theatre, i);
	for (unsigned int i = 0; i < theatre->n_actors; i++) {
		while (i != theatre->victim && theatre->pid[i] &&
		       !role_of(theatre, i)->stays &&
		       steps_of(theatre, i) < before[i] + 2) {
			if (has_ended(theatre, i, &code))
				judge_end(theatre, i, code);
			if (tick_now() > deadline + 2 * theatre->late_ns) {
				find_fault(theatre,
					   "%s %u waits for a stopped %s",
					   role_of(theatre, i)->name, i,
					   victim_role(theatre)->name);
				return;
			}
			doze(theatre);
		}
	}
}

static void while_it_is_stopped(struct theatre *theatre)
{
	const struct survivors_role *role = victim_role(theatre);

	theatre->stopped++;
	if (role->refusal)
		ask_for_its_role(theatre);
	if (role->is_stopped_harmlessly)
		see_that_others_go_on(theatre);
	else
		tick_sleep_until(tick_after(
			(int64_t)rng_below(&theatre->rng, 3) * TICK_MS));
}

static void strike(struct theatre *theatre)
{
	const pid_t pid = theatre->pid[theatre->victim];

	if (theatre->plan.strike == AT_RANDOM) {
		wait_for_life(theatre);
		if (theatre->plan.is_stopped_first) {
			kill(pid, SIGSTOP);
			if (!victim_does(theatre, WSTOPPED))
				find_victims_fault(theatre, "does not stop");
		}
	} else {
		theatre->at_calls++;
		run_to_call(theatre);
	}
	if (theatre->plan.is_stopped_first && !theatre->fault[0])
		while_it_is_stopped(theatre);
	/* A little too early rather than too late. */
	atomic_store(&theatre->board->dead_ns, tick_now());
	if (theatre->pid[theatre->victim])
		kill(pid, SIGKILL);
}

/* How it ended is a fault only when it was not killed: it ended by itself. */
static void see_it_dead(struct theatre *theatre)
{
	const unsigned int victim = theatre->victim;
	int code = 128 + SIGKILL;

	if (victim_does(theatre, 0)) {
		theatre->is_zombie[victim] = theatre->plan.stays_zombie;
		if (!theatre->plan.stays_zombie)
			has_ended(theatre, victim, &code);
		return;
	}
	find_victims_fault(theatre, "was not killed");
}

/* ---- a round ---------------------------------------------------------------------------- */

static struct plan make_plan(struct theatre *theatre)
{
	const struct survivors_play *play = theatre->play;
	struct rng *rng = &theatre->rng;
	struct plan plan = {
		.life_ns = (int64_t)rng_below(
			rng,
			play->life_ns ? (uint64_t)play->life_ns : 2 * TICK_MS),
		.nth = 1 + rng_below(rng, 30),
		.is_stopped_first = rng_below(rng, 2),
		.stays_zombie = rng_below(rng, 2),
		.absence_ns =
			theatre->round % 8 == 5 ? play->promise_ns / 4 : 0,
	};
	int n = 0;

	while (play->calls[n])
		n++;
	/* Each kind comes soon, also in the short form. */
	switch (theatre->round % 4) {
	case 1:
		plan.strike = AT_ANY_CALL;
		break;
	case 2:
		if (n == 0)
			break;
		plan.strike = AT_NAMED_CALL;
		plan.call = play->calls[rng_below(rng, (uint64_t)n)];
		plan.nth = 1 + rng_below(rng, 3);
		break;
	case 3:
		plan.is_elsewhere = true;
		break;
	default:
		break;
	}
	return plan;
}

static unsigned int choose_victim(struct theatre *theatre)
{
	unsigned int victim;

	do
		victim = (unsigned int)rng_below(&theatre->rng,
						 theatre->n_actors);
	while (role_of(theatre, victim)->is_never_struck);
	return victim;
}

static void cast_actors(struct theatre *theatre)
{
	const struct survivors_play *play = theatre->play;

	theatre->n_actors = 0;
	for (unsigned int r = 0; r < SURVIVORS_ROLES; r++)
		for (unsigned int i = 0; i < play->role[r].count; i++) {
			assert_true(theatre->n_actors < SURVIVORS_ACTORS);
			theatre->actor[theatre->n_actors] =
				(struct survivors_actor){
					.play = play,
					.stage = theatre->stage,
					.board = theatre->board,
					.role = r,
					.number = theatre->n_actors,
					.round = (uint64_t)theatre->round,
				};
			rng_seed(&theatre->actor[theatre->n_actors].rng,
				 rng_next(&theatre->rng));
			theatre->n_actors++;
		}
	theatre->victim = choose_victim(theatre);
	theatre->actor[theatre->victim].is_victim = true;
	theatre->actor[SUCCESSOR] = theatre->actor[theatre->victim];
	theatre->actor[SUCCESSOR].is_victim = false;
	theatre->actor[SUCCESSOR].is_successor = true;
}

/* In order, as roles may depend on those before. False: the victim was refused,
 * as it must be from where it is, and nobody is to be struck. */
static bool let_all_enter(struct theatre *theatre)
{
	const struct survivors_role *role = victim_role(theatre);
	bool is_refused = false;
	int code = 0, error;

	for (unsigned int i = 0; i < theatre->n_actors && !theatre->fault[0];
	     i++) {
		start(theatre, i, false);
		if (i != theatre->victim || !theatre->plan.is_elsewhere ||
		    !role->refusal_elsewhere) {
			wait_for_entry(theatre, i);
			continue;
		}
		is_refused = true;
		while (!has_ended(theatre, i, &code))
			doze(theatre);
		error = atomic_load(&theatre->board->seat[i].error);
		if (code != NOT_ENTERED || error != role->refusal_elsewhere)
			find_fault(theatre,
				   "%s from elsewhere: status %d, error %d",
				   role->name, code, error);
	}
	return !is_refused;
}

static void judge_delays(struct theatre *theatre)
{
	const int64_t limit = theatre->play->promise_ns +
			      theatre->plan.absence_ns + 2 * theatre->late_ns;
	int64_t worst;

	for (unsigned int i = 0; i < SEATS; i++) {
		worst = atomic_load(&theatre->board->seat[i].worst_ns);
		theatre->worst_ns = later(theatre->worst_ns, worst);
		theatre->steps += steps_of(theatre, i);
		if (worst > limit)
			find_fault(theatre,
				   "%s %u: a step took %lld ms, %lld are "
				   "promised",
				   role_of(theatre, i)->name,
				   theatre->actor[i].number,
				   (long long)(worst / TICK_MS),
				   (long long)(limit / TICK_MS));
	}
	theatre->worst_late_ns =
		later(theatre->worst_late_ns, theatre->late_ns);
}

/* Entering is a step, too. */
static void let_successor_enter(struct theatre *theatre)
{
	struct seat *seat = &theatre->board->seat[SUCCESSOR];
	int64_t begun = tick_now(), took;

	start(theatre, SUCCESSOR, false);
	if (!wait_for_entry(theatre, SUCCESSOR))
		return;
	took = atomic_load(&seat->entered_ns) - begun;
	if (took > theatre->play->promise_ns + 2 * theatre->late_ns)
		find_fault(theatre, "the successor of %s came after %lld ms",
			   victim_role(theatre)->name,
			   (long long)(took / TICK_MS));
	theatre->worst_ns = later(theatre->worst_ns, took);
}

static void go_on_without_it(struct theatre *theatre)
{
	strike(theatre);
	if (!theatre->fault[0])
		see_it_dead(theatre);
	if (theatre->fault[0])
		return;
	/* So that who waits is told of the death, and not of the successor. */
	tick_sleep_until(tick_after(theatre->plan.absence_ns));
	let_successor_enter(theatre);
}

static void wait_for_all(struct theatre *theatre, bool stays)
{
	for (unsigned int i = 0; i < SEATS && !theatre->fault[0]; i++)
		if (theatre->pid[i] && !theatre->is_zombie[i] &&
		    role_of(theatre, i)->stays == stays)
			wait_for_end(theatre, i);
}

static void end_work(struct theatre *theatre)
{
	atomic_store(&theatre->board->is_over, true);
	if (theatre->play->finish)
		theatre->play->finish(theatre->stage);
}

static void play_round(struct theatre *theatre)
{
	const struct survivors_play *play = theatre->play;
	const char *harmed;

	memset(theatre->board, 0, sizeof(*theatre->board));
	memset(theatre->stage, 0, theatre->stage_bytes);
	theatre->late_ns = 0;
	theatre->plan = make_plan(theatre);
	cast_actors(theatre);
	if (play->prepare)
		play->prepare(theatre->stage);
	theatre->elsewhere += theatre->plan.is_elsewhere;
	if (!let_all_enter(theatre))
		end_work(theatre);
	else if (!theatre->fault[0])
		go_on_without_it(theatre);
	wait_for_all(theatre, false);
	end_work(theatre);
	wait_for_all(theatre, true);
	judge_delays(theatre);
	end_all(theatre);
	if (play->check && !theatre->fault[0])
		play->check(theatre->stage);
	if (play->clear)
		play->clear(theatre->stage);
	harmed = foreign_find_harmed(&theatre->foreign);
	if (harmed)
		find_fault(theatre, "the foreign %s was harmed", harmed);
}

/* ---- all rounds --------------------------------------------------------------------------- */

static void report(const struct theatre *theatre)
{
	print_message("%s: %d rounds, %d struck at a call, %d stopped first, "
		      "%d in another PID namespace; %llu steps; %d faults; "
		      "worst delay %.1f ms of %lld, machine late %.1f ms\n",
		      theatre->play->name, theatre->round, theatre->at_calls,
		      theatre->stopped, theatre->elsewhere,
		      (unsigned long long)theatre->steps,
		      theatre->fault[0] ? 1 : 0,
		      (double)theatre->worst_ns / 1e6,
		      (long long)(theatre->play->promise_ns / TICK_MS),
		      (double)theatre->worst_late_ns / 1e6);
}

static uint64_t choose_seed(void)
{
	const char *text = getenv("SURVIVORS_SEED");

	if (text)
		return strtoull(text, NULL, 10);
	return support_is_stress() ? (uint64_t)tick_now() : 1;
}

static void *map_shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static int rounds_of(const struct survivors_play *play)
{
	if (support_is_stress())
		return 1000;
	return play->rounds ? play->rounds : 12;
}

static struct theatre *open_theatre(const struct survivors_play *play)
{
	struct theatre *theatre = calloc(1, sizeof(*theatre));

	assert_non_null(theatre);
	theatre->play = play;
	theatre->seed = choose_seed();
	rng_seed(&theatre->rng, theatre->seed);
	theatre->stage_bytes = play->stage_bytes ? play->stage_bytes : PAGE;
	theatre->board = map_shared(sizeof(*theatre->board));
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	theatre->stage = map_shared(theatre->stage_bytes);
	scratch_make(&theatre->scratch);
	foreign_make(&theatre->foreign, theatre->scratch.dir, OBJNAME_KINDS);
	return theatre;
}

static void close_theatre(struct theatre *theatre)
{
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	foreign_remove(&theatre->foreign);
	scratch_remove(&theatre->scratch);
	munmap(theatre->stage, theatre->stage_bytes);
	munmap(theatre->board, sizeof(*theatre->board));
	free(theatre);
}

bool survivors_find_fault(const struct survivors_play *play,
			  char fault[SURVIVORS_FAULT])
{
	struct theatre *theatre = open_theatre(play);
	bool is_found;
	char text[192];

	while (theatre->round < rounds_of(play) && !theatre->fault[0]) {
		play_round(theatre);
		theatre->round++;
	}
	is_found = theatre->fault[0];
	snprintf(fault, SURVIVORS_FAULT,
		 "%s, round %d: %s (%s; SURVIVORS_SEED=%llu)", play->name,
		 theatre->round, theatre->fault,
		 describe_plan(theatre, text, sizeof(text)),
		 (unsigned long long)theatre->seed);
	report(theatre);
	close_theatre(theatre);
	return is_found;
}

void survivors_play(const struct survivors_play *play)
{
	char fault[SURVIVORS_FAULT];

	if (survivors_find_fault(play, fault))
		fail_msg("%s", fault);
}

/* ---- for steps -------------------------------------------------------------------------- */

bool survivors_victim_is_dead(const struct survivors_actor *self)
{
	return atomic_load(&self->board->dead_ns) != 0;
}

unsigned int survivors_self(const struct survivors_actor *self)
{
	return 1 +
	       (self->is_successor ? (unsigned int)SUCCESSOR : self->number);
}

/* rig.c - each side has the only write end of a pipe: a byte on it says that
 * the side is ready, and it hangs up when the side ends, whatever the way. So
 * the parent waits for everything in one poll(2), processes and threads alike.
 * The gate is a word that the sides sleep on. */
#include "lib/measure/rig.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/child.h"
#include "lib/fdio.h"
#include "lib/park.h"
#include "lib/tick.h"

enum { SHUT, OPEN, CALLED_OFF };

/* Between two turns that one gives up for those who have yet to wake. */
enum { LOOKS = 64 };

/* For a server that has lost its clients to say why. */
#define CLIENTS_GRACE_NS (100 * TICK_MS)

struct rig_gate {
	struct board *board;
	const struct rig_side *side;
	int cpu;
	int fd; /* the write end */
	int error;
	bool has_ended;
	int64_t begun_ns, ended_ns;
};

/* Shared by the parent and all sides. */
struct board {
	uint32_t state;
	uint32_t awake;    /* of those who meet */
	uint32_t expected; /* how many that are */
	bool is_shared;
	int64_t deadline;
	struct rig_gate gate[];
};

/* What the parent knows of a side. */
struct runner {
	pid_t pid;
	pthread_t thread;
	int fd; /* the read end; -1: it does not run */
	bool is_ready;
};

struct run {
	const struct rig *rig;
	struct rig_result *result;
	struct board *board;
	struct runner *runner;
	struct pollfd *pollfd;      /* of all sides, and of the stop */
	int64_t over_at, killed_at; /* when to set *over, and to kill */
	int error;
	struct rig_result *cause; /* whose error it is; NULL: nobody's */
	bool is_given_up;
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- a side ------------------------------------------------------------------ */

int rig_serve(struct rig_gate *gate)
{
	return fdio_write_full(gate->fd, "", 1);
}

/* They are woken one after the other. */
static void await_others(struct board *board)
{
	unsigned int looks = 0;

	/* Acq_rel and acquire: a meeting, in all directions. */
	__atomic_fetch_add(&board->awake, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&board->awake, __ATOMIC_ACQUIRE) <
		       board->expected &&
	       __atomic_load_n(&board->state, __ATOMIC_RELAXED) == OPEN) {
		park_relax();
		if (++looks % LOOKS == 0)
			sched_yield();
	}
}

int rig_meet(struct rig_gate *gate)
{
	struct board *board = gate->board;
	int error = rig_serve(gate);
	uint32_t state = SHUT;

	while (!error) {
		/* Acquire: pairs with the release in set_state(). */
		state = __atomic_load_n(&board->state, __ATOMIC_ACQUIRE);
		if (state != SHUT)
			break;
		error = park_word_sleep(&board->state, SHUT, board->deadline,
					board->is_shared);
		error = error == -EINTR ? 0 : error;
	}
	/* The deadline is the parent's to tell: who waits here did not cause it. */
	if (state != OPEN)
		return error && error != -ETIMEDOUT ? error : -ECANCELED;
	await_others(board);
	gate->begun_ns = tick_now();
	return 0;
}

size_t rig_number(const struct rig_gate *gate)
{
	return (size_t)(gate - gate->board->gate);
}

void rig_finish(struct rig_gate *gate)
{
	gate->ended_ns = tick_now();
}

static int run_side(void *arg)
{
	struct rig_gate *gate = arg;
	int error = gate->cpu < 0 ? 0 : child_pin(gate->cpu);

	gate->begun_ns = tick_now();
	if (!error)
		error = gate->side->body(gate->side->arg, gate);
	if (!gate->ended_ns)
		rig_finish(gate);
	gate->error = error;
	gate->has_ended = true;
	return error != 0;
}

static int run_process(void *arg)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	return run_side(arg);
}

static void *run_thread(void *arg)
{
	struct rig_gate *gate = arg;

	run_side(gate);
	fdio_close(&gate->fd);
	return NULL;
}

/* ---- the parent: the state of the run ------------------------------------------ */

static void set_state(struct board *board, uint32_t state)
{
	/* Release: pairs with the acquire in rig_meet(). */
	__atomic_store_n(&board->state, state, __ATOMIC_RELEASE);
	park_word_wake(&board->state, INT32_MAX, board->is_shared);
}

static void set_over(struct run *run, uint32_t over)
{
	run->over_at = TICK_NEVER;
	if (run->rig->over)
		__atomic_store_n(run->rig->over, over, __ATOMIC_RELAXED);
}

/* Which error counts. */
enum { NO_ERROR, STOPPED, DESERTED, FAILED, KILLED };

static int weight(int error)
{
	switch (error) {
	case 0:
	case -ECANCELED:
		return NO_ERROR;
	case -EINTR:
		return STOPPED;
	case -EPIPE:
		return DESERTED;
	case -ECHILD:
		return KILLED;
	default:
		return FAILED;
	}
}

/* All are to end, and who is left after so long is killed. */
static void call_off(struct run *run, int64_t grace_ns)
{
	run->killed_at = earlier(run->killed_at, tick_after(grace_ns));
	set_over(run, 1);
	set_state(run->board, CALLED_OFF);
}

/* For a reason that is no side's: it counts, whatever they say to it. */
static void give_up(struct run *run, int error)
{
	run->error = error;
	run->cause = NULL;
	run->is_given_up = true;
	call_off(run, run->rig->has_threads ? run->rig->grace_ns : 0);
}

static void blame(struct run *run, struct rig_result *result)
{
	if (weight(result->error) > weight(run->error) && !run->is_given_up) {
		run->error = result->error;
		run->cause = result;
	}
	/* With a reason of its own, it needs no other's words. */
	call_off(run, weight(result->error) != FAILED || run->rig->has_threads
			      ? run->rig->grace_ns
			      : 0);
}

/* How many of those who serve, or of the others, run; or only of those who are
 * not ready. */
static size_t count(const struct run *run, bool serves, bool is_unready)
{
	size_t n = 0;

	for (size_t i = 0; i < run->rig->sides; i++)
		n += run->rig->side[i].serves == serves &&
		     run->runner[i].fd >= 0 &&
		     !(is_unready && run->runner[i].is_ready);
	return n;
}

/* ---- the parent: a side ----------------------------------------------------------- */

static int start_side(struct run *run, size_t i)
{
	struct rig_gate *gate = &run->board->gate[i];
	struct runner *runner = &run->runner[i];
	int fds[2], error = fdio_pipe(fds);

	if (error)
		return error;
	*gate = (struct rig_gate){
		.board = run->board,
		.side = &run->rig->side[i],
		.cpu = run->rig->cpus ? run->rig->cpus[i] : -1,
		.fd = fds[1],
	};
	if (run->rig->has_threads) {
		error = -pthread_create(&runner->thread, NULL, run_thread,
					gate);
		if (error)
			fdio_close(&fds[1]);
	} else {
		error = child_fork(run_process, gate, &runner->pid);
		fdio_close(&fds[1]);
	}
	if (error)
		fdio_close(&fds[0]);
	runner->fd = fds[0];
	return error;
}

static void start(struct run *run, bool serves)
{
	int error = 0;

	for (size_t i = 0; i < run->rig->sides && !error; i++)
		if (run->rig->side[i].serves == serves)
			error = start_side(run, i);
	if (error)
		give_up(run, error);
}

/* It has ended, and without a word: otherwise says why. */
static void take_result(struct run *run, size_t i, int otherwise)
{
	const struct rig_gate *gate = &run->board->gate[i];
	struct rig_result *result = &run->result[i];

	fdio_close(&run->runner[i].fd);
	if (!gate->has_ended || WIFSIGNALED(result->status))
		result->error = otherwise;
	else if (gate->error || !result->status)
		result->error = gate->error;
	else
		result->error = -ECHILD;
	result->begun_ns = gate->begun_ns;
	result->ended_ns = gate->ended_ns;
	if (weight(result->error) != NO_ERROR)
		blame(run, result);
}

/* Its pipe has hung up: it ends now. */
static void join(struct run *run, size_t i)
{
	struct runner *runner = &run->runner[i];
	int *status = &run->result[i].status;

	if (run->rig->has_threads)
		pthread_join(runner->thread, NULL);
	else if (child_wait(runner->pid, run->rig->deadline, status))
		child_end(runner->pid, 0, status);
	take_result(run, i, -ECHILD);
}

/* Some may have ended by themselves, and it is just not known yet. */
static void kill_all(struct run *run, bool serves)
{
	for (size_t i = 0; i < run->rig->sides; i++) {
		if (run->runner[i].fd < 0 || run->rig->side[i].serves != serves)
			continue;
		child_end(run->runner[i].pid, 0, &run->result[i].status);
		take_result(run, i, -ECANCELED);
	}
}

/* ---- the parent: all of them ------------------------------------------------------- */

static void hear(struct run *run, size_t i)
{
	char byte;

	if (fdio_read(run->runner[i].fd, &byte, 1) > 0)
		run->runner[i].is_ready = true;
	else
		join(run, i);
}

/* Wait until something happens, and act upon it. */
static void watch(struct run *run)
{
	const struct rig *rig = run->rig;
	const size_t n = rig->sides;
	struct pollfd *stop = &run->pollfd[n];
	const int64_t end = run->error ? run->killed_at : rig->deadline;
	int found;

	for (size_t i = 0; i < n; i++)
		run->pollfd[i] = (struct pollfd){.fd = run->runner[i].fd,
						 .events = POLLIN};
	*stop = (struct pollfd){.fd = -1, .events = POLLIN};
	if (rig->stop_fd > 0 && !run->is_given_up)
		stop->fd = rig->stop_fd;
	found = poll(run->pollfd, n + 1,
		     tick_left_ms(earlier(end, run->over_at)));
	/* Out of memory, say: rather than to ask again and again. */
	if (found < 0 && errno != EINTR && !run->error)
		give_up(run, -errno);
	if (found > 0) {
		/* The stop first: what it leads to does not count. */
		if (stop->revents)
			give_up(run, -EINTR);
		for (size_t i = 0; i < n; i++)
			if (run->pollfd[i].revents)
				hear(run, i);
	}
	if (tick_is_over(run->over_at))
		set_over(run, 1);
	if (!run->error && tick_is_over(rig->deadline))
		give_up(run, -ETIMEDOUT);
}

/* Those who serve, too, where they may yet say what the others failed of. */
static bool is_anybody_awaited(const struct run *run)
{
	return count(run, false, false) > 0 ||
	       (run->error && count(run, true, false) > 0);
}

/* Until those who do not serve have ended, or time is over for those who are
 * left. */
static void oversee(struct run *run)
{
	start(run, true);
	while (!run->error && count(run, true, true) > 0)
		watch(run);
	if (!run->error)
		start(run, false);
	while (is_anybody_awaited(run) && !tick_is_over(run->killed_at)) {
		watch(run);
		if (run->error || run->board->state == OPEN ||
		    count(run, false, true) > 0)
			continue;
		set_state(run->board, OPEN);
		if (run->rig->run_ns)
			run->over_at = tick_after(run->rig->run_ns);
	}
}

static int run_all(struct run *run)
{
	set_over(run, 0);
	oversee(run);
	if (!run->rig->has_threads) {
		kill_all(run, false);
		kill_all(run, true);
		return run->error;
	}
	/* Threads that serve have yet to be asked. */
	set_over(run, 1);
	if (run->killed_at == TICK_NEVER)
		run->killed_at = tick_after(run->rig->grace_ns);
	while (count(run, true, false) > 0 && !tick_is_over(run->killed_at))
		watch(run);
	return count(run, true, false) + count(run, false, false) > 0
		       ? -EDEADLK
		       : run->error;
}

static struct board *make_board(const struct rig *rig, size_t *bytes)
{
	struct board *board;

	*bytes = sizeof(*board) + rig->sides * sizeof(board->gate[0]);
	board = mmap(NULL, *bytes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < rig->sides; i++)
		board->expected += !rig->side[i].serves;
	board->is_shared = !rig->has_threads;
	board->deadline = rig->deadline;
	return board;
}

int rig_run(const struct rig *rig, struct rig_result *result)
{
	struct run run = {.rig = rig,
			  .result = result,
			  .over_at = TICK_NEVER,
			  .killed_at = TICK_NEVER};
	int error = -ENOMEM;
	size_t bytes;

	run.runner = calloc(rig->sides, sizeof(*run.runner));
	run.pollfd = calloc(rig->sides + 1, sizeof(*run.pollfd));
	run.board = make_board(rig, &bytes);
	for (size_t i = 0; i < rig->sides; i++)
		result[i] = (struct rig_result){.error = -ECANCELED};
	for (size_t i = 0; i < rig->sides && run.runner; i++)
		run.runner[i].fd = -1;
	if (run.runner && run.pollfd && run.board)
		error = run_all(&run);
	if (run.cause)
		run.cause->is_cause = true;
	/* A thread that still runs has the board. */
	if (run.board && error != -EDEADLK)
		munmap(run.board, bytes);
	free(run.runner);
	free(run.pollfd);
	return error;
}

int64_t rig_elapsed_ns(const struct rig *rig, const struct rig_result *result)
{
	int64_t begun = INT64_MAX, ended = 0;

	for (size_t i = 0; i < rig->sides; i++) {
		if (rig->side[i].serves)
			continue;
		begun = earlier(begun, result[i].begun_ns);
		if (result[i].ended_ns > ended)
			ended = result[i].ended_ns;
	}
	return ended - begun;
}

int64_t rig_run_clients(rig_body *server, rig_body *client, size_t clients,
			void *arg, int64_t deadline)
{
	struct rig_side side[RIG_CLIENTS_MAX + 1];
	struct rig_result result[RIG_CLIENTS_MAX + 1];
	const struct rig rig = {.side = side,
				.sides = clients + 1,
				.deadline = deadline,
				.grace_ns = CLIENTS_GRACE_NS};
	int error;

	if (clients > RIG_CLIENTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < clients; i++)
		side[i] = (struct rig_side){.body = client, .arg = arg};
	side[clients] =
		(struct rig_side){.body = server, .arg = arg, .serves = true};
	error = rig_run(&rig, result);
	return error ? error : rig_elapsed_ns(&rig, result);
}

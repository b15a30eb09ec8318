/* A barrier, its participants, and a board on which each says what it is about
 * to do, so that a deadlock is not silent: who waits for whom is printed. */
#ifndef UNIXIPC_TESTS_P11_FIXTURE_H
#define UNIXIPC_TESTS_P11_FIXTURE_H

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>

#include "lib/child.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p11-barrier/sysv_barrier.h"
#include "tests/support/interrupt.h"
#include "tests/support/leftover.h"
#include "tests/support/support.h"

enum { PARTICIPANTS_MAX = 8 };

#define LIMIT (10 * TICK_S) /* of every wait here */

enum doing { STARTING, JOINING, WAITING, BETWEEN, ENDED };

/* What all participants see. */
struct ground {
	int id;
	unsigned int participants, rounds;
	bool is_interrupted;
	int64_t pause_ns; /* up to that before each round */
	atomic_uint at[PARTICIPANTS_MAX], doing[PARTICIPANTS_MAX], serial,
		joined;
	_Atomic int64_t died_ns, notified_ns[PARTICIPANTS_MAX];
	pid_t pid[PARTICIPANTS_MAX];
	struct leftover before;
};

struct participant {
	struct ground *ground;
	unsigned int index;
	uint64_t seed;
};

static inline struct ground *ground_make(unsigned int participants,
					 unsigned int rounds)
{
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(ground != MAP_FAILED);
	ground->before = leftover_count();
	ground->participants = participants;
	ground->rounds = rounds;
	ground->id = sysv_barrier_create(IPC_PRIVATE, participants, 0600);
	assert_true(ground->id >= 0);
	return ground;
}

/* When the barrier itself is gone already. */
static inline void ground_leave(struct ground *ground)
{
	const struct leftover before = ground->before;

	munmap(ground, sizeof(*ground));
	leftover_assert_same(&before);
}

static inline void ground_remove(struct ground *ground)
{
	assert_int_equal(sysv_barrier_destroy(ground->id), 0);
	ground_leave(ground);
}

static inline void ground_start(struct ground *ground, int (*body)(void *),
				uint64_t seed)
{
	for (unsigned int i = 0; i < ground->participants; i++) {
		struct participant participant = {ground, i, seed + i};

		assert_int_equal(
			child_fork(body, &participant, &ground->pid[i]), 0);
	}
}

/* ---- a deadlock is told ---- */

static inline void describe_participant(const struct ground *ground,
					unsigned int i, FILE *to)
{
	static const char *const words[] = {
		[STARTING] = "has not begun", [JOINING] = "is joining",
		[WAITING] = "waits",          [BETWEEN] = "does not wait",
		[ENDED] = "has ended",
	};

	fprintf(to, "participant %u %s, round %u\n", i, words[ground->doing[i]],
		ground->at[i]);
}

static inline void ground_describe(const struct ground *ground, FILE *to)
{
	struct sysv_barrier_state look;
	int rc = sysv_barrier_look(ground->id, &look);

	for (unsigned int i = 0; i < ground->participants; i++)
		describe_participant(ground, i, to);
	if (rc)
		fprintf(to, "barrier: error %d\n", -rc);
	else
		fprintf(to,
			"barrier: %u of %u joined, %u arrived, %u inside%s\n",
			look.participants, look.count, look.arrived,
			look.inside, look.is_broken ? ", broken" : "");
}

static inline uint64_t ground_progress(const struct ground *ground)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < ground->participants; i++)
		sum += ground->at[i];
	return sum;
}

/* The exit code of a participant. It may go on for as long as rounds are
 * completed; when there was none within 2 * LIMIT, what is going on is told. */
static inline int ground_end_one(struct ground *ground, unsigned int i)
{
	uint64_t seen;
	int status = -1, rc;

	do {
		seen = ground_progress(ground);
		rc = child_wait(ground->pid[i], tick_after(2 * LIMIT), &status);
	} while (rc == -ETIMEDOUT && ground_progress(ground) != seen);
	if (rc == 0)
		return child_exit_code(status);
	print_error("participant %u does not end:\n", i);
	ground_describe(ground, stderr);
	child_end(ground->pid[i], 0, &status);
	return -ETIMEDOUT;
}

/* All have to end with 0. */
static inline void ground_end(struct ground *ground)
{
	int code[PARTICIPANTS_MAX] = {0};
	bool is_right = true;

	for (unsigned int i = 0; i < ground->participants; i++) {
		code[i] = ground_end_one(ground, i);
		is_right &= code[i] == 0;
	}
	for (unsigned int i = 0; i < ground->participants && !is_right; i++) {
		print_error("exit code %d: ", code[i]);
		describe_participant(ground, i, stderr);
	}
	assert_true(is_right);
}

/* ---- what participants do ---- */

static inline int participant_join(const struct participant *participant,
				   struct sysv_barrier *barrier)
{
	int rc;

	participant->ground->doing[participant->index] = JOINING;
	rc = sysv_barrier_join(barrier, participant->ground->id);
	if (rc == 0)
		atomic_fetch_add(&participant->ground->joined, 1);
	return rc;
}

/* One round; come again after an interruption. */
static inline int participant_meet(const struct participant *participant,
				   struct sysv_barrier *barrier)
{
	int64_t deadline = tick_after(LIMIT);
	int rc;

	participant->ground->doing[participant->index] = WAITING;
	do
		rc = sysv_barrier_wait_until(barrier, deadline);
	while (rc == -EINTR);
	/* Who was let down stays on the board as one who waits. */
	if (rc != -ETIMEDOUT)
		participant->ground->doing[participant->index] = BETWEEN;
	return rc;
}

/* For child_fork(): meet as often as the ground says. */
static inline int participant_run_rounds(void *arg)
{
	struct participant *participant = arg;
	struct ground *ground = participant->ground;
	struct sysv_barrier barrier;
	struct rng rng;
	int rc;

	rng_seed(&rng, participant->seed);
	if (ground->is_interrupted)
		interrupt_start();
	if (participant_join(participant, &barrier))
		return 1;
	for (unsigned int round = 1; round <= ground->rounds; round++) {
		int64_t pause = (int64_t)rng_below(
			&rng, (uint64_t)ground->pause_ns + 1);

		if (ground->pause_ns)
			tick_sleep_until(tick_after(pause));
		atomic_store(&ground->at[participant->index], round);
		rc = participant_meet(participant, &barrier);
		if (rc == SYSV_BARRIER_SERIAL)
			atomic_fetch_add(&ground->serial, 1);
		else if (rc != 0)
			return 2;
		/* Nobody behind; nobody more than on the way to the next. */
		for (unsigned int i = 0; i < ground->participants; i++) {
			unsigned int at = atomic_load(&ground->at[i]);

			if (at < round || at > round + 1)
				return 3;
		}
	}
	ground->doing[participant->index] = ENDED;
	return sysv_barrier_close(&barrier) ? 4 : 0;
}

#endif

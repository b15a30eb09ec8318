/* A barrier, its members, and a board on which each says what it is about to
 * do, so that a deadlock is not silent: who waits for whom is printed. */
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

enum { MEMBERS_MAX = 8 };

#define LIMIT (10 * TICK_S) /* of every wait here */

enum doing { STARTING, JOINING, WAITING, BETWEEN, ENDED };

/* What all members see. */
struct ground {
	int id;
	unsigned int members, rounds;
	bool is_interrupted;
	int64_t pause_ns; /* up to that before each round */
	atomic_uint at[MEMBERS_MAX], doing[MEMBERS_MAX], serial, joined;
	_Atomic int64_t died_ns, notified_ns[MEMBERS_MAX];
	pid_t pid[MEMBERS_MAX];
	struct leftover before;
};

struct member {
	struct ground *ground;
	unsigned int index;
	uint64_t seed;
};

static inline struct ground *ground_make(unsigned int members,
					 unsigned int rounds)
{
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(ground != MAP_FAILED);
	ground->before = leftover_count();
	ground->members = members;
	ground->rounds = rounds;
	ground->id = sysv_barrier_create(IPC_PRIVATE, members, 0600);
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
	for (unsigned int i = 0; i < ground->members; i++) {
		struct member member = {ground, i, seed + i};

		assert_int_equal(child_fork(body, &member, &ground->pid[i]), 0);
	}
}

/* ---- a deadlock is told ---- */

static inline void describe_member(const struct ground *ground, unsigned int i,
				   FILE *to)
{
	static const char *const words[] = {
		[STARTING] = "has not begun", [JOINING] = "is joining",
		[WAITING] = "waits",          [BETWEEN] = "does not wait",
		[ENDED] = "has ended",
	};

	fprintf(to, "member %u %s, round %u\n", i, words[ground->doing[i]],
		ground->at[i]);
}

static inline void ground_describe(const struct ground *ground, FILE *to)
{
	struct sysv_barrier_state look;
	int rc = sysv_barrier_look(ground->id, &look);

	for (unsigned int i = 0; i < ground->members; i++)
		describe_member(ground, i, to);
	if (rc)
		fprintf(to, "barrier: error %d\n", -rc);
	else
		fprintf(to,
			"barrier: %u of %u members, %u arrived, %u inside%s\n",
			look.members, look.count, look.arrived, look.inside,
			look.is_broken ? ", broken" : "");
}

static inline uint64_t ground_progress(const struct ground *ground)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < ground->members; i++)
		sum += ground->at[i];
	return sum;
}

/* The exit code of a member. It may go on for as long as rounds are completed;
 * when there was none within 2 * LIMIT, what is going on is told. */
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
	print_error("member %u does not end:\n", i);
	ground_describe(ground, stderr);
	child_end(ground->pid[i], 0, &status);
	return -ETIMEDOUT;
}

/* All have to end with 0. */
static inline void ground_end(struct ground *ground)
{
	int code[MEMBERS_MAX] = {0};
	bool is_right = true;

	for (unsigned int i = 0; i < ground->members; i++) {
		code[i] = ground_end_one(ground, i);
		is_right &= code[i] == 0;
	}
	for (unsigned int i = 0; i < ground->members && !is_right; i++) {
		print_error("exit code %d: ", code[i]);
		describe_member(ground, i, stderr);
	}
	assert_true(is_right);
}

/* ---- what members do ---- */

static inline int member_join(const struct member *member,
			      struct sysv_barrier *barrier)
{
	int rc;

	member->ground->doing[member->index] = JOINING;
	rc = sysv_barrier_join(barrier, member->ground->id);
	if (rc == 0)
		atomic_fetch_add(&member->ground->joined, 1);
	return rc;
}

/* One round; come again after an interruption. */
static inline int member_meet(const struct member *member,
			      struct sysv_barrier *barrier)
{
	int64_t deadline = tick_after(LIMIT);
	int rc;

	member->ground->doing[member->index] = WAITING;
	do
		rc = sysv_barrier_wait_until(barrier, deadline);
	while (rc == -EINTR);
	/* Who was let down stays on the board as one who waits. */
	if (rc != -ETIMEDOUT)
		member->ground->doing[member->index] = BETWEEN;
	return rc;
}

/* For child_fork(): meet as often as the ground says. */
static inline int member_run_rounds(void *arg)
{
	struct member *member = arg;
	struct ground *ground = member->ground;
	struct sysv_barrier barrier;
	struct rng rng;
	int rc;

	rng_seed(&rng, member->seed);
	if (ground->is_interrupted)
		interrupt_start();
	if (member_join(member, &barrier))
		return 1;
	for (unsigned int round = 1; round <= ground->rounds; round++) {
		int64_t pause = (int64_t)rng_below(
			&rng, (uint64_t)ground->pause_ns + 1);

		if (ground->pause_ns)
			tick_sleep_until(tick_after(pause));
		atomic_store(&ground->at[member->index], round);
		rc = member_meet(member, &barrier);
		if (rc == SYSV_BARRIER_SERIAL)
			atomic_fetch_add(&ground->serial, 1);
		else if (rc != 0)
			return 2;
		/* Nobody behind; nobody more than on the way to the next. */
		for (unsigned int i = 0; i < ground->members; i++) {
			unsigned int at = atomic_load(&ground->at[i]);

			if (at < round || at > round + 1)
				return 3;
		}
	}
	ground->doing[member->index] = ENDED;
	return sysv_barrier_close(&barrier) ? 4 : 0;
}

#endif

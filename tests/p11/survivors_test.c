/* Participants meet in rounds, and one is struck wherever it is, here or in a
 * PID namespace of its own: all others are told within a second. A stopped one
 * is waited for, and its place is nobody else's. timeout: 900 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/ipc.h>
#include <sys/syscall.h>

#include "lib/tick.h"
#include "p11-barrier/sysv_barrier.h"
#include "tests/support/support.h"
#include "tests/support/survivors.h"

enum { PARTICIPANTS = 4 };

struct stage {
	int id;
	_Atomic uint64_t arrived; /* in all rounds */
	_Atomic uint64_t complete,
		broken; /* the last round, from 1; and the one
					    * that broke */
};

struct participant {
	struct sysv_barrier barrier;
	bool has_joined, is_notified;
};

/* A broken barrier stays broken: a successor is told so at the door. */
static int enter(struct survivors_actor *self)
{
	static struct participant participant;
	struct stage *stage = self->stage;
	int error = sysv_barrier_join(&participant.barrier, stage->id);

	self->own = &participant;
	participant.has_joined = error == 0;
	if (self->is_successor && error == SYSV_BARRIER_BROKEN)
		return 0;
	if (self->is_successor && !error)
		return -EBADE;
	return error;
}

/* A round is complete for all or for none. */
static int note_complete(struct stage *stage, uint64_t round)
{
	uint64_t broken;

	if (atomic_load(&stage->arrived) < round * PARTICIPANTS)
		return -EPROTO;
	/* Each stores the same, so that no maximum is needed. */
	atomic_store(&stage->complete, round);
	broken = atomic_load(&stage->broken);
	return broken && broken <= round ? -EBADE : 0;
}

static int note_broken(const struct survivors_actor *self, uint64_t round)
{
	struct stage *stage = self->stage;

	if (!survivors_victim_is_dead(self))
		return -EPROTO;
	atomic_store(&stage->broken, round);
	return atomic_load(&stage->complete) >= round ? -EBADE : 0;
}

/* Nobody is let go before all have come, and nobody waits for the dead. */
static int meet(struct survivors_actor *self)
{
	struct participant *participant = self->own;
	struct stage *stage = self->stage;
	const uint64_t round = self->steps + 1;
	int rc;

	if (!participant->has_joined)
		return 0;
	atomic_fetch_add(&stage->arrived, 1);
	rc = sysv_barrier_wait_until(&participant->barrier,
				     tick_after(5 * TICK_S));
	if (participant->is_notified)
		return rc == SYSV_BARRIER_BROKEN ? 0 : -EBADE;
	if (rc == SYSV_BARRIER_BROKEN) {
		participant->is_notified = true;
		return note_broken(self, round);
	}
	if (rc && rc != SYSV_BARRIER_SERIAL)
		return rc;
	return note_complete(stage, round);
}

static void leave(struct survivors_actor *self)
{
	struct participant *participant = self->own;

	if (participant->has_joined)
		sysv_barrier_close(&participant->barrier);
}

static void prepare(void *at)
{
	struct stage *stage = at;

	stage->id = sysv_barrier_create(IPC_PRIVATE, PARTICIPANTS, 0600);
	assert_true(stage->id >= 0);
}

static void check(void *at)
{
	const struct stage *stage = at;
	struct sysv_barrier_state state;

	assert_int_equal(sysv_barrier_look(stage->id, &state), 0);
	assert_true(state.is_broken);
	assert_int_equal(state.participants, 0);
}

static void clear(void *at)
{
	struct stage *stage = at;

	assert_int_equal(sysv_barrier_destroy(stage->id), 0);
}

static void all_are_told_of_a_death_within_a_second(void **state)
{
	static const struct survivors_play play = {
		.name = "P11 barrier",
		.role = {{.name = "participant",
			  .count = PARTICIPANTS,
			  .enter = enter,
			  .step = meet,
			  .leave = leave,
			  .refusal = -EUSERS}},
		.stage_bytes = sizeof(struct stage),
		.promise_ns = TICK_S,
		.calls = {SYS_semop, SYS_semtimedop},
		.prepare = prepare,
		.check = check,
		.clear = clear,
	};

	(void)state;
	survivors_play(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_told_of_a_death_within_a_second),
	};

	return SUPPORT_MAIN(tests);
}

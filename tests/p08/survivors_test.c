/* Readers and writers of one lock are struck wherever they are, waiting, holding it,
 * or inside its functions: all others have it within a second, the next one is
 * told that a writer died, and nobody reads what a writer is writing. Who comes from
 * another PID namespace is refused. Who scribbles over the lock and dies keeps nobody
 * from ending by its deadline.
 * timeout: 900 */
#include "p08-rwlock/myrwlock.h"

#include "tests/support/support.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "lib/tick.h"
#include "tests/support/scribbler.h"
#include "tests/support/survivors.h"

enum { READERS = 2, WRITERS = 2 };
enum { READING, WRITING, SCRIBBLING };

/* What the lock guards: two words that are always equal, but for a writer's
 * moment. */
struct stage {
	struct myrwlock lock;
	_Atomic uint64_t left, right;
};

static int enter(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	int told = myrwlock_tryrdlock(&stage->lock);

	if (told == EBUSY)
		return 0;
	if (told && told != EOWNERDEAD)
		return -told;
	return -myrwlock_unlock(&stage->lock);
}

static struct timespec deadline(int64_t ns)
{
	return tick_to_timespec(tick_after(ns));
}

static void stay(struct survivors_actor *self)
{
	tick_sleep_until(
		tick_after((int64_t)rng_below(&self->rng, 100) * TICK_US));
}

/* Who is told of a death finds what the writer left, and says nothing of it. */
static int read_both(struct survivors_actor *self)
{
	const struct timespec until = deadline(5 * TICK_S);
	struct stage *stage = self->stage;
	int told = myrwlock_clockrdlock(&stage->lock, CLOCK_MONOTONIC, &until);
	uint64_t left, right;

	if (told && told != EOWNERDEAD)
		return -told;
	if (told && !survivors_victim_is_dead(self))
		return -EPROTO;
	left = atomic_load(&stage->left);
	stay(self);
	right = atomic_load(&stage->right);
	if (!told && left != right)
		return -EBADE;
	return -myrwlock_unlock(&stage->lock);
}

/* It mends what a dead writer left. */
static int write_both(struct survivors_actor *self)
{
	const struct timespec until = deadline(5 * TICK_S);
	struct stage *stage = self->stage;
	int told = myrwlock_clockwrlock(&stage->lock, CLOCK_MONOTONIC, &until);
	uint64_t left = atomic_load(&stage->left);

	if (told && told != EOWNERDEAD)
		return -told;
	if (told && !survivors_victim_is_dead(self))
		return -EPROTO;
	if (!told && left != atomic_load(&stage->right))
		return -EBADE;
	atomic_store(&stage->left, left + 1);
	stay(self);
	atomic_store(&stage->right, left + 1);
	if (told)
		myrwlock_consistent(&stage->lock);
	return -myrwlock_unlock(&stage->lock);
}

static void prepare(void *at)
{
	struct stage *stage = at;
	struct myrwlock_attr attr;

	assert_int_equal(myrwlock_attr_init(&attr), 0);
	assert_int_equal(
		myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(myrwlock_init(&stage->lock, &attr), 0);
	myrwlock_attr_destroy(&attr);
}

static bool is_destroyed(void *at)
{
	struct stage *stage = at;

	return myrwlock_destroy(&stage->lock) == 0;
}

/* What only the dead hold can be destroyed, once their death is noticed. */
static void clear(void *stage)
{
	assert_true(support_wait_until(is_destroyed, stage, 1000));
}

static const struct survivors_play play = {
	.name = "P08 lock",
	.role = {[READING] = {.name = "reader",
			      .count = READERS,
			      .enter = enter,
			      .step = read_both,
			      .refusal_elsewhere = -EXDEV},
		 [WRITING] = {.name = "writer",
			      .count = WRITERS,
			      .enter = enter,
			      .step = write_both,
			      .refusal_elsewhere = -EXDEV}},
	.stage_bytes = sizeof(struct stage),
	.promise_ns = TICK_S,
	.calls = {SYS_futex},
	.rounds = 16,
	.prepare = prepare,
	.clear = clear,
};

static void lock_is_had_within_a_second_of_a_death(void **state)
{
	(void)state;
	survivors_play(&play);
}

/* ---- a scribbler -------------------------------------------------------------------- */

static int enter_to_scribble(struct survivors_actor *self)
{
	(void)self;
	return 0;
}

static int scribble(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	const size_t front = offsetof(struct myrwlock, mutex);
	char *behind = (char *)(&stage->lock.mutex + 1);

	/* Not over the C library's mutex, by which it can crash who locks it. */
	scribbler_scribble(self, &stage->lock, front);
	scribbler_scribble(self, behind,
			   (size_t)((char *)(&stage->lock + 1) - behind));
	stay(self);
	return 0;
}

/* Whatever they are told, they are told in time. */
static int read_anything(struct survivors_actor *self)
{
	const struct timespec until = deadline(TICK_S / 2);
	struct stage *stage = self->stage;

	if (myrwlock_clockrdlock(&stage->lock, CLOCK_MONOTONIC, &until) == 0)
		myrwlock_unlock(&stage->lock);
	return 0;
}

static int write_anything(struct survivors_actor *self)
{
	const struct timespec until = deadline(TICK_S / 2);
	struct stage *stage = self->stage;

	if (myrwlock_clockwrlock(&stage->lock, CLOCK_MONOTONIC, &until) == 0)
		myrwlock_unlock(&stage->lock);
	return 0;
}

static void who_scribbles_over_the_lock_keeps_nobody_for_a_second(void **state)
{
	struct survivors_play scribbled = play;

	(void)state;
	scribbled.name = "P08 scribbler";
	scribbled.role[READING].is_never_struck = true;
	scribbled.role[READING].step = read_anything;
	scribbled.role[WRITING].is_never_struck = true;
	scribbled.role[WRITING].step = write_anything;
	scribbled.role[SCRIBBLING] =
		(struct survivors_role){.name = "scribbler",
					.count = 1,
					.enter = enter_to_scribble,
					.step = scribble};
	scribbled.life_ns = 5 * TICK_MS;
	scribbled.calls[0] = 0;
	scribbled.clear = NULL;
	survivors_play(&scribbled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_is_had_within_a_second_of_a_death),
		cmocka_unit_test(
			who_scribbles_over_the_lock_keeps_nobody_for_a_second),
	};

	return SUPPORT_MAIN(tests);
}

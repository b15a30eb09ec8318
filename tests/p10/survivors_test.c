/* A worker or the manager of a pool is struck wherever it is: all others get a
 * connection within a second, nobody gets one that is lent, and there is one
 * manager. Who comes from another PID namespace is refused. Who scribbles over
 * the pool and dies keeps nobody from ending by its deadline.
 * timeout: 900 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/p10/fixture.h"
#include "tests/support/scribbler.h"
#include "tests/support/survivors.h"

enum { WORKERS = 4, SLOTS = 2 };

struct stage {
	_Atomic uint32_t user[SLOTS]; /* survivors_self() */
	uint32_t victim;
};

static struct fixture fixture;

static int enter_worker(struct survivors_actor *self)
{
	static struct sempool pool;
	struct stage *stage = self->stage;

	if (self->is_victim)
		stage->victim = survivors_self(self);
	self->own = &pool;
	return sempool_open(&pool, fixture.name, tick_after(TICK_S));
}

static bool may_be_taken_from(const struct survivors_actor *self,
			      uint32_t before)
{
	const struct stage *stage = self->stage;

	return before == 0 ||
	       (before == stage->victim && survivors_victim_is_dead(self));
}

static int borrow(struct survivors_actor *self)
{
	struct stage *stage = self->stage;
	struct sempool_lease lease;
	const uint32_t me = survivors_self(self);
	uint32_t before;
	int error =
		sempool_acquire_until(self->own, &lease, tick_after(LIMIT / 4));

	if (error)
		return error;
	before = atomic_exchange(&stage->user[lease.slot], me);
	if (!may_be_taken_from(self, before))
		return -EBADE;
	tick_sleep_until(
		tick_after((int64_t)rng_below(&self->rng, 200) * TICK_US));
	if (atomic_exchange(&stage->user[lease.slot], 0) != me)
		return -EBADE;
	return sempool_release(self->own, &lease);
}

static int enter_manager(struct survivors_actor *self)
{
	static struct sempool pool;
	bool is_taken_over = false;
	int error = sempool_create(&pool, fixture.name, SLOTS, &is_taken_over);

	self->own = &pool;
	if (error)
		return error;
	return is_taken_over ? 0 : -ENOENT;
}

static int reclaim(struct survivors_actor *self)
{
	tick_sleep_until(tick_after(SEMPOOL_RECLAIM_NS / 10));
	return sempool_reclaim(self->own);
}

static void leave(struct survivors_actor *self)
{
	sempool_close(self->own);
}

/* Only opened here: the manager is one of the actors. */
static void prepare(void *stage)
{
	(void)stage;
	fixture_make(&fixture, SLOTS);
	sempool_close(&fixture.pool);
	assert_int_equal(sempool_open(&fixture.pool, fixture.name, 0), 0);
}

static void check(void *stage)
{
	(void)stage;
	fixture_assert_whole(&fixture.pool);
}

static void clear(void *stage)
{
	bool is_taken_over;

	(void)stage;
	sempool_close(&fixture.pool);
	assert_int_equal(sempool_create(&fixture.pool, fixture.name, SLOTS,
					&is_taken_over),
			 0);
	fixture_remove(&fixture);
}

static const struct survivors_play play = {
	.name = "P10 pool",
	.role = {{.name = "manager",
		  .count = 1,
		  .enter = enter_manager,
		  .step = reclaim,
		  .leave = leave,
		  .refusal = -EBUSY,
		  .refusal_elsewhere = -EXDEV},
		 {.name = "worker",
		  .count = WORKERS,
		  .enter = enter_worker,
		  .step = borrow,
		  .leave = leave,
		  .refusal_elsewhere = -EXDEV}},
	.stage_bytes = sizeof(struct stage),
	.promise_ns = TICK_S,
	.calls = {SYS_futex},
	.prepare = prepare,
	.check = check,
	.clear = clear,
};

static void connections_come_back_within_a_second_of_a_death(void **state)
{
	(void)state;
	survivors_play(&play);
}

/* ---- a scribbler ---- */

static int enter_to_scribble(struct survivors_actor *self)
{
	return self->is_successor ? 0 : enter_worker(self);
}

/* All but the C library's semaphore, by which it can crash who waits there. */
static int scribble(struct survivors_actor *self)
{
	const struct sempool *pool = self->own;
	struct sempool_memory *memory;
	const size_t front = offsetof(struct sempool_memory, units);
	size_t behind;

	if (self->is_successor)
		return tick_sleep_until(tick_after(TICK_MS));
	memory = pool->memory;
	behind = rng_below(&self->rng, 4) ? 512 : pool->bytes;
	scribbler_scribble(self, memory, front);
	scribbler_scribble(self, &memory->units + 1,
			   behind - front - sizeof(memory->units));
	/* Or all would soon be told that it was removed, and look no further. */
	if (rng_below(&self->rng, 8))
		atomic_store(&memory->is_closed, 0);
	return tick_sleep_until(
		tick_after((int64_t)rng_below(&self->rng, 200) * TICK_US));
}

/* Whatever they are told, they are told in time. */
static int borrow_anything(struct survivors_actor *self)
{
	struct sempool_lease lease;

	if (sempool_acquire_until(self->own, &lease, tick_after(TICK_S / 2)) ==
	    0)
		sempool_release(self->own, &lease);
	return 0;
}

static int reclaim_anything(struct survivors_actor *self)
{
	sempool_reclaim(self->own);
	return tick_sleep_until(tick_after(TICK_MS));
}

/* What nobody living has is given back, whatever was written there; only that the
 * pool was removed is believed. */
static void check_anything(void *stage)
{
	atomic_store(&fixture.pool.memory->is_closed, 0);
	check(stage);
}

/* Its head may be that of no pool. */
static void clear_anything(void *stage)
{
	(void)stage;
	sempool_close(&fixture.pool);
	assert_int_equal(shm_unlink(fixture.name), 0);
	fixture_end(&fixture);
}

static void who_scribbles_over_the_pool_keeps_nobody_for_a_second(void **state)
{
	struct survivors_play scribbled = play;

	(void)state;
	scribbled.name = "P10 scribbler";
	for (int i = 0; i < 2; i++) {
		scribbled.role[i].is_never_struck = true;
		scribbled.role[i].step = i ? borrow_anything : reclaim_anything;
	}
	scribbled.role[2] =
		(struct survivors_role){.name = "scribbler",
					.count = 1,
					.enter = enter_to_scribble,
					.step = scribble,
					.refusal_elsewhere = -EXDEV};
	scribbled.life_ns = 5 * TICK_MS;
	scribbled.calls[0] = 0;
	scribbled.check = check_anything;
	scribbled.clear = clear_anything;
	survivors_play(&scribbled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			connections_come_back_within_a_second_of_a_death),
		cmocka_unit_test(
			who_scribbles_over_the_pool_keeps_nobody_for_a_second),
	};

	return SUPPORT_MAIN(tests);
}

/* sempool_patrol.c - after the dead: their slots, their seats, and the units
 * that went with them; and what a pool looks like. Why a patrol may do what it
 * does is on top of sempool.c.
 *
 * There is no lock that a patrol could die with, or hold while it is stopped.
 * Which of many goes is settled by who moves patrolled_ns on. Should one be
 * stopped and go on during a later one, it does what that one does: each slot
 * goes back once all the same, and a unit too many is taken out by the next.
 */
#include <errno.h>

#include "lib/tick.h"
#include "p10-sempool/holder.h"
#include "p10-sempool/memory.h"
#include "p10-sempool/sempool.h"

enum {
	SLOT_CHECKS = 128, /* a look into /proc each */
	SEAT_CHECKS = 16,
	SURPLUS_MAX = 10000, /* units: more have no honest reason */
};

static bool is_due(struct sempool_memory *memory)
{
	int64_t now = tick_now(), last = atomic_load(&memory->patrolled_ns);

	/* A time to come is a lie, and would mean never. */
	if (last > 0 && last <= now && now - last < SEMPOOL_PATROL_NS)
		return false;
	return atomic_compare_exchange_strong(&memory->patrolled_ns, &last,
					      now);
}

/* Take the dead out of n places. One that is gone is found in any of them; to
 * tell a zombie or the later owner of a pid costs a look into /proc, which so
 * many get, from *next on. freed is called after each. */
static void sweep(struct sempool_memory *memory, struct place *places,
		  unsigned int n, _Atomic uint32_t *next, unsigned int checks,
		  void (*freed)(struct sempool_memory *memory))
{
	unsigned int first = atomic_load(next) % n;

	for (unsigned int k = 0; k < n; k++) {
		unsigned int i = (first + k) % n;
		uint64_t word = atomic_load(&places[i].word);
		bool is_dead;

		if (!holder_process(word))
			continue;
		is_dead = holder_is_gone(word);
		if (!is_dead && checks > 0) {
			is_dead = !holder_is_alive(word);
			checks--;
			atomic_store(next, i + 1);
		}
		if (is_dead && place_leave(&places[i], word))
			freed(memory);
	}
}

/* What the dead owner cannot do any more: the rest of its release. */
static void return_slot(struct sempool_memory *memory)
{
	atomic_fetch_add(&memory->reclaimed, 1);
	atomic_fetch_add(&memory->returns, 1);
	sem_post(&memory->units);
}

static void return_seat(struct sempool_memory *memory)
{
	(void)memory; /* seats are not counted */
}

/* As many units as free slots. */
static int balance(const struct sempool *pool)
{
	struct sempool_memory *memory = pool->memory;
	uint64_t returns = atomic_load(&memory->returns);
	unsigned int free = sempool_count_free(pool), missing = 0, units;
	int value = 0;

	sem_getvalue(&memory->units, &value);
	units = value > 0 ? (unsigned int)value : 0;
	if (units > pool->slots + SURPLUS_MAX)
		return -EBADMSG;
	if (units < free) {
		unsigned int before = atomic_load(&memory->shortfall), put;

		missing = free - units;
		put = missing < before ? missing : before;
		missing -= put;
		for (; put > 0; put--)
			sem_post(&memory->units);
	} else if (atomic_load(&memory->returns) == returns) {
		/* No slot was returned between the two counts, so these are
		 * certainly too many. */
		for (; units > free; units--)
			if (sem_trywait(&memory->units))
				break;
	}
	atomic_store(&memory->shortfall, missing);
	return 0;
}

int sempool_patrol(struct sempool *pool)
{
	struct sempool_memory *memory = pool->memory;

	if (!is_due(memory))
		return 0;
	sweep(memory, memory->place, pool->slots, &memory->next_slot,
	      SLOT_CHECKS, return_slot);
	sweep(memory, memory->place + pool->slots, SEMPOOL_WAITERS,
	      &memory->next_seat, SEAT_CHECKS, return_seat);
	return balance(pool);
}

void sempool_look(const struct sempool *pool, struct sempool_state *state)
{
	struct sempool_memory *memory = pool->memory;
	uint64_t manager = atomic_load(&memory->manager);
	int units = 0;

	sem_getvalue(&memory->units, &units);
	*state = (struct sempool_state){
		.slots = pool->slots,
		.free = sempool_count_free(pool),
		.units = units > 0 ? (unsigned int)units : 0,
		.waiters = SEMPOOL_WAITERS -
			   place_count_free(memory->place + pool->slots,
					    SEMPOOL_WAITERS),
		.reclaimed = atomic_load(&memory->reclaimed),
		.manager = holder_is_alive(manager) ? holder_pid(manager) : 0,
	};
	state->lent =
		atomic_load(&memory->returns) + state->slots - state->free;
}

bool sempool_look_at(const struct sempool *pool, unsigned int i,
		     struct sempool_holder *holder)
{
	int64_t now = tick_now(), since;
	const struct place *place;
	uint64_t word;

	if (i >= pool->slots + SEMPOOL_WAITERS)
		return false;
	place = &pool->memory->place[i];
	word = atomic_load(&place->word);
	if (!holder_process(word))
		return false;
	since = atomic_load_explicit(&place->since_ns, memory_order_relaxed);
	*holder = (struct sempool_holder){
		.pid = holder_pid(word),
		.is_alive = holder_is_alive(word),
		.since_ns = since > 0 && since < now ? since : now,
	};
	return true;
}

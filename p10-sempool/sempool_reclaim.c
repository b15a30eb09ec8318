/* sempool_reclaim.c - after the dead: their slots, their entries as waiters, and
 * the units that went with them; and what a pool looks like. Why a reclaim may do
 * what it does is on top of sempool.c.
 *
 * There is no lock that a reclaim could die with, or hold while it is stopped.
 * Which of many goes is settled by who moves last_reclaim_ns on. Should one be
 * stopped and go on during a later one, it does what that one does: each slot
 * goes back once all the same, and a unit too many is taken out by the next.
 */
#include <errno.h>

#include "lib/tick.h"
#include "p10-sempool/grant.h"
#include "p10-sempool/memory.h"
#include "p10-sempool/sempool.h"

enum {
	SLOT_CHECKS = 128, /* a look into /proc each */
	WAITER_CHECKS = 16,
	SURPLUS_MAX = 10000, /* units: more have no honest reason */
};

static bool is_due(struct sempool_memory *memory)
{
	int64_t now = tick_now(), last = atomic_load(&memory->last_reclaim_ns);

	/* A time to come is a lie, and would mean never. */
	if (last > 0 && last <= now && now - last < SEMPOOL_RECLAIM_NS)
		return false;
	return atomic_compare_exchange_strong(&memory->last_reclaim_ns, &last,
					      now);
}

/* Whether others have the lock of that slot; in doubt they do. */
static bool is_locked(const struct sempool *pool, unsigned int slot)
{
	bool has_met = false;

	return identity_role_look(&pool->role, MEMORY_SLOTS + (int64_t)slot,
				  &has_met) != IDENTITY_PEER_ABSENT;
}

/* Whether the waiter to whom this slot was granted does not come for it: it is
 * gone, or has not run for a while. Then it is no longer asked for. */
static bool is_missed(const struct entry *slot, struct entry *waiter,
		      bool may_look)
{
	int64_t now = entry_now(), since = atomic_load(&slot->since_ns);
	uint64_t word;

	if (!waiter)
		return true;
	word = atomic_load(&waiter->word);
	if ((since <= now && now - since < GRANT_TIMEOUT_NS) &&
	    !entry_owner_is_gone(word) &&
	    !(may_look && !entry_owner_is_alive(word)))
		return false;
	atomic_store(&waiter->asks_since_ns, 0);
	return true;
}

/* One that is gone is found at once; to tell a zombie or the later owner of a
 * pid costs a look into /proc. */
static bool is_dead(uint64_t word, bool may_look)
{
	return entry_owner_is_gone(word) ||
	       (may_look && !entry_owner_is_alive(word));
}

static void sweep_slot(const struct sempool *pool, unsigned int i,
		       uint64_t word, bool may_look)
{
	struct sempool_memory *memory = pool->memory;
	struct entry *slot = &memory->entry[i], *waiter;

	if (grant_is(memory, pool->slots, word, &waiter)) {
		if (is_missed(slot, waiter, may_look))
			grant_return(memory, pool->slots, i, word);
		return;
	}
	if (!is_dead(word, may_look) || is_locked(pool, i))
		return;
	/* What the dead owner cannot do any more. One that left in order, and
	 * had no pid any more, is not to be mourned. */
	if (grant_return(memory, pool->slots, i, word) == 0 && entry_pid(word))
		atomic_fetch_add(&memory->reclaimed, 1);
}

static void sweep_waiter(const struct sempool *pool, unsigned int i,
			 uint64_t word, bool may_look)
{
	if (is_dead(word, may_look))
		entry_release(&pool->memory->entry[pool->slots + i], word);
}

/* Take the dead out of n entries, from entry on. So many get a thorough look,
 * from *next on. */
static void sweep(const struct sempool *pool, const struct entry *entry,
		  unsigned int n, _Atomic uint32_t *next, unsigned int checks,
		  void (*sweep_one)(const struct sempool *pool, unsigned int i,
				    uint64_t word, bool may_look))
{
	unsigned int first = atomic_load(next) % n;

	for (unsigned int k = 0; k < n; k++) {
		unsigned int i = (first + k) % n;
		uint64_t word = atomic_load(&entry[i].word);

		if (!entry_owner(word))
			continue;
		sweep_one(pool, i, word, checks > 0);
		if (checks > 0) {
			checks--;
			atomic_store(next, i + 1);
		}
	}
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

int sempool_reclaim(struct sempool *pool)
{
	struct sempool_memory *memory = pool->memory;

	if (!is_due(memory))
		return 0;
	sweep(pool, memory->entry, pool->slots, &memory->next_slot, SLOT_CHECKS,
	      sweep_slot);
	sweep(pool, memory->entry + pool->slots, SEMPOOL_WAITERS,
	      &memory->next_waiter, WAITER_CHECKS, sweep_waiter);
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
			   entry_count_free(memory->entry + pool->slots,
					    SEMPOOL_WAITERS),
		.reclaimed = atomic_load(&memory->reclaimed),
		.manager =
			entry_owner_is_alive(manager) ? entry_pid(manager) : 0,
	};
	state->lent =
		atomic_load(&memory->returns) + state->slots - state->free;
}

bool sempool_look_at(const struct sempool *pool, unsigned int i,
		     struct sempool_owner *owner)
{
	int64_t now = tick_now(), since;
	const struct entry *entry;
	struct entry *waiter;
	uint64_t word;

	if (i >= pool->slots + SEMPOOL_WAITERS)
		return false;
	entry = &pool->memory->entry[i];
	word = atomic_load(&entry->word);
	if (!entry_owner(word))
		return false;
	/* Granted: to who still sits there. */
	if (grant_is(pool->memory, pool->slots, word, &waiter) && waiter)
		word = atomic_load(&waiter->word);
	since = atomic_load_explicit(&entry->since_ns, memory_order_relaxed);
	*owner = (struct sempool_owner){
		.pid = entry_pid(word),
		.is_alive = entry_owner_is_alive(word) ||
			    (i < pool->slots && is_locked(pool, i)),
		.since_ns = since > 0 && since < now ? since : now,
	};
	return true;
}

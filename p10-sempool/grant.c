#include "p10-sempool/grant.h"

#include <errno.h>

#include "lib/park.h"
#include "lib/tick.h"

/* The name of a waiter stands where a start time would, with a pid of 0: a mark,
 * the index of its entry, and that entry's generation. */
enum { MARK = 20, WAITER = 8, WAITER_BITS = 10 };

/* More do not leave while we look, unless somebody scribbles. */
enum { TRIES = 16 };

static_assert(SEMPOOL_WAITERS == 1 << WAITER_BITS, "a waiter has its bits");

static uint64_t name_of(unsigned int waiter, uint64_t waiter_word)
{
	uint64_t name = UINT64_C(1) << MARK | (uint64_t)waiter << WAITER |
			(waiter_word & ENTRY_GENERATIONS);

	return name << ENTRY_START;
}

bool grant_is(struct sempool_memory *memory, unsigned int slots, uint64_t word,
	      struct entry **waiter)
{
	unsigned int i = word >> (ENTRY_START + WAITER) & (SEMPOOL_WAITERS - 1);
	struct entry *entry = &memory->entry[slots + i];
	uint64_t there = atomic_load(&entry->word);

	if (entry_owner(word) != name_of(i, word >> ENTRY_START))
		return false;
	*waiter = entry_owner(there) && entry_owner(word) == name_of(i, there)
			  ? entry
			  : NULL;
	return true;
}

/* ---- to give ---- */

/* The waiter that has asked first, and its word, or -EAGAIN. A dead one is
 * passed over; one that is taken for living and is not, a reclaim finds. */
static int find_first(struct sempool_memory *memory, unsigned int slots,
		      uint64_t *word)
{
	int64_t first = INT64_MAX;
	int waiter = -EAGAIN;

	for (unsigned int i = 0; i < SEMPOOL_WAITERS; i++) {
		struct entry *entry = &memory->entry[slots + i];
		int64_t since = atomic_load(&entry->asks_since_ns);
		uint64_t there;

		if (since <= 0 || since >= first)
			continue;
		there = atomic_load(&entry->word);
		if (!entry_owner(there) || entry_owner_is_gone(there))
			continue;
		first = since;
		waiter = (int)i;
		*word = there;
	}
	return waiter;
}

static int find_asker(struct sempool_memory *memory, unsigned int slots,
		      uint64_t *word)
{
	int waiter;

	if (!atomic_load(&memory->has_askers))
		return -EAGAIN;
	waiter = find_first(memory, slots, word);
	if (waiter >= 0)
		return waiter;
	/* Who asks meanwhile says so after this, or is seen now: pairs with
	 * grant_ask(). */
	atomic_store(&memory->has_askers, 0);
	waiter = find_first(memory, slots, word);
	if (waiter >= 0)
		atomic_store(&memory->has_askers, 1);
	return waiter;
}

void grant_wake(struct entry *waiter)
{
	__atomic_fetch_add(&waiter->wakes, 1, __ATOMIC_SEQ_CST);
	park_word_wake(&waiter->wakes, INT32_MAX, true);
}

int grant_return(struct sempool_memory *memory, unsigned int slots,
		 unsigned int slot, uint64_t word)
{
	struct entry *entry = &memory->entry[slot];
	uint64_t waiter_word = 0;
	bool is_granted = false;

	for (int tries = 0; tries < TRIES; tries++) {
		int waiter = find_asker(memory, slots, &waiter_word);
		struct entry *asker;

		if (waiter < 0)
			break;
		asker = &memory->entry[slots + (unsigned int)waiter];
		/* First: without it the grant would look like an old one. */
		entry_date(entry);
		if (!entry_pass(entry, &word,
				name_of((unsigned int)waiter, waiter_word)))
			return is_granted ? 0 : -EBADMSG;
		grant_wake(asker);
		/* Who left before that does not look for it. */
		if (atomic_load(&asker->word) == waiter_word)
			return 0;
		is_granted = true;
	}
	if (!entry_release(entry, word))
		return is_granted ? 0 : -EBADMSG;
	atomic_fetch_add(&memory->returns, 1);
	return sem_post(&memory->units) ? -EBADMSG : 0;
}

/* ---- to take ---- */

uint32_t grant_ask(struct sempool_memory *memory, struct entry *waiter,
		   int64_t since_ns)
{
	uint32_t wakes = __atomic_load_n(&waiter->wakes, __ATOMIC_SEQ_CST);

	atomic_store(&waiter->asks_since_ns, since_ns);
	atomic_store(&memory->has_askers, 1);
	return wakes;
}

int grant_sleep(struct entry *waiter, uint32_t wakes, int64_t deadline)
{
	return park_word_sleep(&waiter->wakes, wakes, deadline, true);
}

int grant_take(struct sempool_memory *memory, unsigned int slots,
	       unsigned int waiter, uint64_t waiter_word, uint64_t owner,
	       uint64_t *word)
{
	uint64_t name = name_of(waiter, waiter_word);

	for (unsigned int i = 0; i < slots; i++) {
		uint64_t found = atomic_load(&memory->entry[i].word);

		if (entry_owner(found) != name ||
		    !entry_pass(&memory->entry[i], &found, owner))
			continue;
		/* What the one who gave it did not do. */
		atomic_fetch_add(&memory->returns, 1);
		*word = found;
		return (int)i;
	}
	return -EAGAIN;
}

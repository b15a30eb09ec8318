#include "p10-sempool/grant.h"

#include <errno.h>

#include "lib/park.h"
#include "lib/tick.h"

/* The name of a seat stands where a start time would, with a pid of 0: a mark,
 * the seat, and its turn. */
enum { MARK = 20, SEAT = 8, SEAT_BITS = 10 };

/* More do not leave while we look, unless somebody scribbles. */
enum { TRIES = 16 };

static_assert(SEMPOOL_WAITERS == 1 << SEAT_BITS, "a seat has its bits");

static uint64_t name_of(unsigned int seat, uint64_t seat_word)
{
	uint64_t name = UINT64_C(1) << MARK | (uint64_t)seat << SEAT |
			(seat_word & ENTRY_GENERATIONS);

	return name << ENTRY_START;
}

bool grant_is(struct sempool_memory *memory, unsigned int slots, uint64_t word,
	      struct entry **seat)
{
	unsigned int i = word >> (ENTRY_START + SEAT) & (SEMPOOL_WAITERS - 1);
	struct entry *entry = &memory->entry[slots + i];
	uint64_t there = atomic_load(&entry->word);

	if (entry_owner(word) != name_of(i, word >> ENTRY_START))
		return false;
	*seat = entry_owner(there) && entry_owner(word) == name_of(i, there)
			? entry
			: NULL;
	return true;
}

/* ---- to give ---- */

/* Who has asked first: a seat and its word, or -EAGAIN. A dead one is passed
 * over; what is taken for living and is not, a patrol finds. */
static int find_first(struct sempool_memory *memory, unsigned int slots,
		      uint64_t *word)
{
	int64_t first = INT64_MAX;
	int seat = -EAGAIN;

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
		seat = (int)i;
		*word = there;
	}
	return seat;
}

static int find_asker(struct sempool_memory *memory, unsigned int slots,
		      uint64_t *word)
{
	int seat;

	if (!atomic_load(&memory->has_askers))
		return -EAGAIN;
	seat = find_first(memory, slots, word);
	if (seat >= 0)
		return seat;
	/* Who asks meanwhile says so after this, or is seen now: pairs with
	 * grant_ask(). */
	atomic_store(&memory->has_askers, 0);
	seat = find_first(memory, slots, word);
	if (seat >= 0)
		atomic_store(&memory->has_askers, 1);
	return seat;
}

void grant_call(struct entry *seat)
{
	__atomic_fetch_add(&seat->calls, 1, __ATOMIC_SEQ_CST);
	park_word_wake(&seat->calls, INT32_MAX, true);
}

int grant_return(struct sempool_memory *memory, unsigned int slots,
		 unsigned int slot, uint64_t word)
{
	struct entry *entry = &memory->entry[slot];
	uint64_t seat_word = 0;
	bool is_granted = false;

	for (int tries = 0; tries < TRIES; tries++) {
		int seat = find_asker(memory, slots, &seat_word);
		struct entry *asker;

		if (seat < 0)
			break;
		asker = &memory->entry[slots + (unsigned int)seat];
		/* First: without it the grant would look like an old one. */
		entry_date(entry);
		if (!entry_pass(entry, &word,
				name_of((unsigned int)seat, seat_word)))
			return is_granted ? 0 : -EBADMSG;
		grant_call(asker);
		/* Who left before that does not look for it. */
		if (atomic_load(&asker->word) == seat_word)
			return 0;
		is_granted = true;
	}
	if (!entry_release(entry, word))
		return is_granted ? 0 : -EBADMSG;
	atomic_fetch_add(&memory->returns, 1);
	return sem_post(&memory->units) ? -EBADMSG : 0;
}

/* ---- to take ---- */

uint32_t grant_ask(struct sempool_memory *memory, struct entry *seat,
		   int64_t since_ns)
{
	uint32_t calls = __atomic_load_n(&seat->calls, __ATOMIC_SEQ_CST);

	atomic_store(&seat->asks_since_ns, since_ns);
	atomic_store(&memory->has_askers, 1);
	return calls;
}

int grant_sleep(struct entry *seat, uint32_t calls, int64_t deadline)
{
	return park_word_sleep(&seat->calls, calls, deadline, true);
}

int grant_take(struct sempool_memory *memory, unsigned int slots,
	       unsigned int seat, uint64_t seat_word, uint64_t holder,
	       uint64_t *word)
{
	uint64_t name = name_of(seat, seat_word);

	for (unsigned int i = 0; i < slots; i++) {
		uint64_t found = atomic_load(&memory->entry[i].word);

		if (entry_owner(found) != name ||
		    !entry_pass(&memory->entry[i], &found, holder))
			continue;
		/* What the one who gave it did not do. */
		atomic_fetch_add(&memory->returns, 1);
		*word = found;
		return (int)i;
	}
	return -EAGAIN;
}
